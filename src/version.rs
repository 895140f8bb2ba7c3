//! What `--version` says: the version, what it was built for and how, and what it has room for.

use crate::limits::{
    MAX_ACCOUNTS, MAX_BINDINGS, MAX_BRANCHES, MAX_CALLS, MAX_CONNECTIONS, MAX_DATAGRAM, MAX_NAMES, MAX_RELAYS,
    MAX_TRANSACTIONS,
};
use core::fmt;

/// Its lines; the first one is the name and the version.
#[derive(Clone, Copy, Debug)]
pub struct Version;

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "siproxd {}", env!("CARGO_PKG_VERSION"))?;
        let commit = match env!("SIPROXD_COMMIT") {
            "" => "unknown",
            commit => commit,
        };
        writeln!(f, "target {}, profile {}, commit {commit}", env!("SIPROXD_TARGET"), env!("SIPROXD_PROFILE"))?;
        let limits = [
            (MAX_BINDINGS, "registrations"),
            (MAX_CALLS, "calls"),
            (MAX_RELAYS, "media streams"),
            (MAX_TRANSACTIONS, "transactions"),
            (MAX_BRANCHES, "phones ringing for one call"),
            (MAX_CONNECTIONS, "TCP connections"),
            (MAX_ACCOUNTS, "accounts"),
            (MAX_NAMES, "names of the DNS"),
            (MAX_DATAGRAM, "bytes of a message"),
        ];
        f.write_str("at most")?;
        limits.iter().enumerate().try_for_each(|(at, (limit, of))| {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma} {limit} {of}")
        })
    }
}
