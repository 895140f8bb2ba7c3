//! Domains of registrars: which addresses the DNS gives for one.
//!
//! A provider's request may come from another of its servers than the one that keeps the registration. All addresses that
//! the DNS gives for the domain of an address-of-record are known together, while one of them keeps a live binding.

use crate::dns::Candidates;
use crate::limits::MAX_NAME_ADDRESSES;
use crate::time::Instant;
use core::net::IpAddr;

/// Domains that are remembered; the one that nobody registered at for longest goes first. 160 bytes each.
const MAX_DOMAINS: usize = 16;

#[derive(Debug)]
struct Domain {
    /// Keyed hash of its name.
    name: [u8; 16],
    used: Instant,
    ips: heapless::Vec<IpAddr, MAX_NAME_ADDRESSES>,
}

/// The table of domains. Starts as all zero bytes.
#[derive(Debug)]
pub(super) struct Domains {
    list: heapless::Vec<Domain, MAX_DOMAINS>,
}

impl Domains {
    pub(super) const fn new() -> Self {
        Self { list: heapless::Vec::new() }
    }

    /// Notes the servers of a domain; `more`, where not all are known yet, takes none away. Nothing is to be remembered of one
    /// address: the binding has it.
    pub(super) fn note(&mut self, name: [u8; 16], candidates: &Candidates, more: bool, now: Instant) {
        if more && let Some(known) = self.list.iter_mut().find(|domain| domain.name == name) {
            known.used = now;
            return;
        }
        self.list.retain(|domain| domain.name != name);
        let mut ips = heapless::Vec::new();
        for candidate in candidates {
            let ip = candidate.address.ip();
            if !ips.contains(&ip) {
                // Both lists have MAX_NAME_ADDRESSES places.
                let _ = ips.push(ip);
            }
        }
        if ips.len() < 2 {
            return;
        }
        if self.list.is_full()
            && let Some((oldest, _)) = self.list.iter().enumerate().min_by_key(|(_, domain)| domain.used)
        {
            self.list.swap_remove(oldest);
        }
        // A place has just been made.
        let _ = self.list.push(Domain { name, used: now, ips });
    }

    /// Whether `ip` stands beside an address for which `keeps_binding` holds.
    pub(super) fn has_beside(&self, ip: IpAddr, keeps_binding: impl Fn(IpAddr) -> bool) -> bool {
        self.list.iter().any(|domain| domain.ips.contains(&ip) && domain.ips.iter().any(|other| keeps_binding(*other)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{Candidate, Transport};
    use core::net::{Ipv4Addr, SocketAddr};

    fn ip(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    fn candidates(last: &[u8]) -> Candidates {
        let one = |last: &u8| Candidate { transport: Transport::Udp, address: SocketAddr::new(ip(*last), 5060) };
        last.iter().map(one).collect()
    }

    #[test]
    fn servers_of_one_domain_are_known_together() {
        let mut domains = Domains::new();
        domains.note([1; 16], &candidates(&[1, 2, 2]), false, Instant::ZERO);
        domains.note([2; 16], &candidates(&[3, 4]), false, Instant::ZERO);
        assert!(domains.has_beside(ip(2), |other| other == ip(1)));
        assert!(!domains.has_beside(ip(3), |other| other == ip(1)));
        assert!(!domains.has_beside(ip(2), |_| false));
        domains.note([1; 16], &candidates(&[1]), true, Instant::ZERO);
        assert!(domains.has_beside(ip(2), |other| other == ip(1)), "not all is known yet");
        domains.note([1; 16], &candidates(&[1]), false, Instant::ZERO);
        assert!(!domains.has_beside(ip(2), |other| other == ip(1)), "the DNS no longer says so");
    }

    #[test]
    fn the_domain_not_used_for_longest_goes() {
        let mut domains = Domains::new();
        for n in 0..=u8::try_from(MAX_DOMAINS).expect("small") {
            domains.note([n; 16], &candidates(&[2 * n, 2 * n + 1]), false, Instant::from_millis(n.into()));
        }
        assert!(!domains.has_beside(ip(0), |_| true));
        assert!(domains.has_beside(ip(2), |_| true));
    }
}
