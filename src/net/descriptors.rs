//! How many sockets and files the process may have open.

use super::relay;
use crate::config::Config;
use crate::limits::{MAX_CONNECTIONS, MAX_RELAYS};
use crate::log_class::PROCESS;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

/// Descriptors besides those of the relays: SIP, DNS, log, signals, debug port, files.
const OTHERS: rlim_t = 64 + MAX_CONNECTIONS as rlim_t;

/// Takes as many descriptors as the relays may need, as far as the system lets us.
pub(super) fn raise_limit(config: &Config) {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let ports = usize::from(config.rtp_port_high.saturating_sub(config.rtp_port_low)) / 2 + 1;
    let wanted = (ports.min(MAX_RELAYS) * relay::SOCKETS) as rlim_t + OTHERS;
    if soft >= wanted {
        return;
    }
    let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard);
    if hard < wanted {
        log::warn!(
            target: PROCESS,
            "at most {hard} files can be open, which is fewer than the {wanted} that the RTP port range may need: \
             raise the limit (ulimit -n) or make the range smaller"
        );
    }
}
