//! How many sockets and files the process may have open.

use super::relay;
use crate::config::Config;
use crate::limits::{MAX_CONNECTIONS, MAX_RELAYS};
use crate::log_class::{PROCESS, log};
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

/// Descriptors besides those of the relays: SIP, DNS, log, signals, debug port, files.
const OTHERS: rlim_t = 64 + MAX_CONNECTIONS as rlim_t;

/// Takes as many descriptors as the relays may need, as far as the system lets us. Returns how many relays there is room for, so that
/// what else is opened while calls run always finds a place, and whether there is room for their peers' own sockets too.
pub(super) fn raise_limit(config: &Config) -> (usize, bool) {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return (MAX_RELAYS, false) };
    let ports = usize::from(config.rtp_port_high.saturating_sub(config.rtp_port_low)) / 2 + 1;
    let relays = ports.min(MAX_RELAYS);
    let needed = (relays * relay::OPENED_WITH) as rlim_t + OTHERS;
    let wanted = (relays * relay::WITH_PEERS) as rlim_t + OTHERS;
    if soft >= wanted {
        return (relays, true);
    }
    // Root may raise the hard limit as well.
    let raised = [(wanted, hard.max(wanted)), (hard.min(wanted), hard)]
        .into_iter()
        .find(|(soft, hard)| setrlimit(Resource::RLIMIT_NOFILE, *soft, *hard).is_ok())
        .map_or(soft, |(soft, _)| soft);
    if raised >= wanted {
        return (relays, true);
    }
    if raised >= needed {
        log::info!(
            target: PROCESS,
            "{raised} files may be open, which is room for all calls, but not for what makes their media cheaper: {wanted} would be"
        );
        return (relays, false);
    }
    let room = usize::try_from(raised.saturating_sub(OTHERS)).unwrap_or(0) / relay::OPENED_WITH;
    log::warn!(
        target: PROCESS,
        "{raised} files may be open, which is room for {room} audio calls where the RTP ports are enough for {relays}: \
         raise the limit (ulimit -n), or make the port range smaller"
    );
    (room, false)
}
