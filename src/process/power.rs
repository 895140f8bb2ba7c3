//! Powers of root that a daemon keeps under another account, and that act only while they are needed.

use crate::config::Config;
use core::fmt;
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
use std::io;
use std::path::Path;

/// Ports below this one are root's (net.ipv4.ip_unprivileged_port_start, ip_sysctl).
const FIRST_FREE_PORT: u16 = 1024;

/// There where the network of this process has connection tracking.
const CONNTRACK: &str = "/proc/sys/net/netfilter/nf_conntrack_max";

/// What is kept of root's powers (capabilities(7)), and why. Shown as the end of a sentence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Powers {
    /// An interface may get another address, and then the ports are bound again: CAP_NET_BIND_SERVICE.
    low_ports: bool,
    /// Then also entries of connection tracking are deleted: CAP_NET_ADMIN.
    conntrack: bool,
    /// `transparent`: the sockets that are bound again take what is meant for others: CAP_NET_ADMIN.
    transparent: bool,
}

impl Powers {
    /// What a configuration needs.
    #[must_use]
    pub fn for_config(config: &Config) -> Self {
        let Config { sip_listen_port, debug_port, rtp_proxy_enable, rtp_port_low, .. } = config;
        let is_low = |port: u16| (1..FIRST_FREE_PORT).contains(&port);
        Self {
            low_ports: is_low(*sip_listen_port) || is_low(*debug_port) || (*rtp_proxy_enable && is_low(*rtp_port_low)),
            conntrack: Path::new(CONNTRACK).exists(),
            transparent: config.transparent,
        }
    }

    /// Those that act all the time.
    const fn effective(self) -> CapabilitySet {
        if self.low_ports { CapabilitySet::NET_BIND_SERVICE } else { CapabilitySet::empty() }
    }

    /// Whether there is none.
    pub(super) fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Gives up all others.
    pub(super) fn keep(self) -> io::Result<()> {
        let mut permitted = self.effective();
        permitted.set(CapabilitySet::NET_ADMIN, self.conntrack || self.transparent);
        let sets = CapabilitySets { effective: self.effective(), permitted, inheritable: CapabilitySet::empty() };
        set(sets)
    }
}

impl fmt::Display for Powers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.low_ports {
            f.write_str(", and may bind to ports below 1024")?;
        }
        match (self.conntrack, self.transparent) {
            (false, false) => Ok(()),
            (true, false) => f.write_str(", keeps CAP_NET_ADMIN for connection tracking"),
            (false, true) => f.write_str(", keeps CAP_NET_ADMIN for `transparent`"),
            (true, true) => f.write_str(", keeps CAP_NET_ADMIN for connection tracking and `transparent`"),
        }
    }
}

fn set(sets: CapabilitySets) -> io::Result<()> {
    set_capabilities(None, sets).map_err(|error| io::Error::from_raw_os_error(error.raw_os_error()))
}

/// Lets CAP_NET_ADMIN act, where it was kept, while `act` runs.
pub fn with_net_admin(act: &mut dyn FnMut()) {
    let sets = capabilities(None).ok().filter(|sets| sets.permitted.contains(CapabilitySet::NET_ADMIN));
    if let Some(sets) = sets {
        // What is refused then says so itself.
        let _ = set(CapabilitySets { effective: sets.effective | CapabilitySet::NET_ADMIN, ..sets });
    }
    act();
    if let Some(sets) = sets {
        let _ = set(sets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_ports_alone_keep_the_power_to_bind() {
        let with = |set: fn(&mut Config)| {
            let mut config = Config::default();
            set(&mut config);
            Powers::for_config(&config).low_ports
        };
        assert!(!with(|_| ()) && !with(|c| c.debug_port = 5050));
        assert!(with(|c| c.sip_listen_port = 1023) && with(|c| c.debug_port = 7));
    }

    #[test]
    fn powers_are_told_with_their_reasons() {
        let none = Powers::default();
        assert!(none.is_none() && none.to_string().is_empty());
        let all = Powers { low_ports: true, conntrack: true, transparent: true };
        let told = ", and may bind to ports below 1024, keeps CAP_NET_ADMIN for connection tracking and `transparent`";
        assert_eq!(all.to_string(), told);
    }
}
