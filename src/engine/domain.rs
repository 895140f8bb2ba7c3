//! Domains of registrars and proxies: which addresses the DNS gives for one.
//!
//! A provider's request may come from another of its servers than the one that keeps the registration. All addresses that the
//! DNS gives for the domain of an address-of-record, and for each server of a Service-Route (RFC 3608), are known together with
//! the registrar while that keeps a live binding; those of an outbound proxy always.

use super::binding::Binding;
use super::io::Sink;
use super::message::Received;
use super::own::octets;
use super::route::{TRANSPORTS, transport_of};
use super::{Engine, Queries};
use crate::dns::{self, Candidates, Located, Transport};
use crate::host::Host;
use crate::limits::{MAX_NAME, MAX_NAME_ADDRESSES};
use crate::sip::HeaderId;
use crate::sip::addr::NameAddr;
use crate::sip::uri::{Scheme, Uri};
use crate::time::Instant;
use core::net::IpAddr;

/// Domains that are remembered; the one that was not used for longest goes first, outbound proxies last. 470 bytes each.
const MAX_DOMAINS: usize = 24;
/// Servers of one Service-Route that are noted. The first is the one that we talk to.
const MAX_SERVICE_ROUTES: usize = 4;

/// What a domain is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// That of an address-of-record.
    Domain,
    /// In a Service-Route of this registrar, which is one of its addresses.
    ServiceRoute(IpAddr),
    /// An outbound proxy.
    Proxy,
}

#[derive(Debug)]
struct Domain {
    /// Keyed hash of its name, and of what else tells it from others.
    name: [u8; 16],
    used: Instant,
    kind: Kind,
    ips: heapless::Vec<IpAddr, { MAX_NAME_ADDRESSES + 1 }>,
    /// What is still being looked up; empty where all is known.
    host: heapless::Vec<u8, MAX_NAME>,
    port: Option<u16>,
    transport: Option<Transport>,
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

    /// Notes the addresses of a domain; `more`, where not all are known yet, takes none away. Gives its entry.
    fn note(
        &mut self,
        name: [u8; 16],
        kind: Kind,
        ips: impl Iterator<Item = IpAddr>,
        more: bool,
        now: Instant,
    ) -> Option<&mut Domain> {
        let at = match self.list.iter().position(|domain| domain.name == name) {
            Some(at) => at,
            None => {
                if self.list.is_full() {
                    let oldest = self.list.iter().enumerate().min_by_key(|(_, it)| (it.kind == Kind::Proxy, it.used));
                    let oldest = oldest.map_or(0, |(at, _)| at);
                    self.list.swap_remove(oldest);
                }
                let (ips, host) = (heapless::Vec::new(), heapless::Vec::new());
                // A place has just been made.
                let _ = self.list.push(Domain { name, used: now, kind, ips, host, port: None, transport: None });
                self.list.len().checked_sub(1)?
            }
        };
        let domain = self.list.get_mut(at)?;
        domain.used = now;
        domain.host.clear();
        if !more {
            domain.ips.clear();
        }
        let beside = if let Kind::ServiceRoute(registrar) = kind { Some(registrar) } else { None };
        for ip in beside.into_iter().chain(ips) {
            if !domain.ips.contains(&ip) {
                // One more than the DNS gives.
                let _ = domain.ips.push(ip);
            }
        }
        Some(domain)
    }

    /// Notes what the DNS says of a target by now, and the target itself where it is to say `more`.
    fn note_target(
        &mut self,
        name: [u8; 16],
        target: dns::Target<'_>,
        kind: Kind,
        (list, more): (&Candidates, bool),
        now: Instant,
    ) {
        let ips = list.iter().map(|candidate| candidate.address.host());
        if let Some(domain) = self.note(name, kind, ips, more, now)
            && more
        {
            domain.host = heapless::Vec::from_slice(target.host).unwrap_or_default();
            (domain.port, domain.transport) = (target.port, target.transport);
        }
    }

    /// Whether `ip` stands beside an address for which `keeps_binding` holds. Whom a registrar names in its Service-Route stands
    /// beside that one, and not the reverse.
    pub(super) fn has_beside(&self, ip: IpAddr, keeps_binding: impl Fn(IpAddr) -> bool) -> bool {
        self.list.iter().filter(|domain| domain.ips.contains(&ip)).any(|domain| match domain.kind {
            Kind::ServiceRoute(registrar) => keeps_binding(registrar),
            _ => domain.ips.iter().any(|other| keeps_binding(*other)),
        })
    }

    /// Whether `ip` is a server of the domain called `name`, or in a Service-Route of `registrar`.
    fn serves(&self, name: [u8; 16], registrar: IpAddr, ip: IpAddr) -> bool {
        let is_meant = |domain: &&Domain| domain.name == name || domain.kind == Kind::ServiceRoute(registrar);
        self.list.iter().filter(is_meant).any(|domain| domain.ips.contains(&ip))
    }

    /// Whether two addresses are those of one outbound proxy.
    pub(super) fn are_one_proxy(&self, one: IpAddr, other: IpAddr) -> bool {
        let is_both = |domain: &Domain| domain.ips.contains(&one) && domain.ips.contains(&other);
        self.list.iter().any(|domain| domain.kind == Kind::Proxy && is_both(domain))
    }

    /// Whether `ip` is one of an outbound proxy: of any, or of that called `name`.
    pub(super) fn is_proxy(&self, ip: IpAddr, name: Option<[u8; 16]>) -> bool {
        let mut proxies = self.list.iter().filter(|domain| domain.kind == Kind::Proxy);
        proxies.any(|domain| domain.ips.contains(&ip) && name.is_none_or(|name| domain.name == name))
    }
}

impl Engine {
    /// The name of an outbound proxy in the table.
    pub(super) fn proxy_name(&self, host: &str) -> [u8; 16] {
        self.key.hash("proxy", &[host.as_bytes()])
    }

    /// Notes the servers of an outbound proxy.
    pub(super) fn note_proxy(
        &mut self,
        host: &str,
        (port, transport): (Option<u16>, Option<Transport>),
        candidates: &Candidates,
        more: bool,
        now: Instant,
    ) {
        let name = self.proxy_name(host);
        let target = dns::Target { host: host.as_bytes(), port, transport };
        self.domains.note_target(name, target, Kind::Proxy, (candidates, more), now);
    }

    /// Notes the servers of the domain at which a phone has registered, and those of the Service-Route in its 2xx: what comes from
    /// them is for it.
    pub(super) fn note_servers(
        &mut self,
        response: &Received<'_>,
        domain: &[u8],
        registrar: IpAddr,
        now: Instant,
        out: &mut dyn Sink,
    ) {
        self.look_up_domain(domain, now, out);
        let bytes = response.msg.bytes();
        for element in response.msg.elements(HeaderId::ServiceRoute).take(MAX_SERVICE_ROUTES) {
            let uri = NameAddr::parse(bytes, element.span).and_then(|route| Uri::parse(bytes, route.uri));
            let Some(uri) = uri.ok().filter(|uri| uri.scheme == Scheme::Sip) else { continue };
            let Ok(transport) = transport_of(bytes, &uri) else { continue };
            let maddr = uri.param(bytes, b"maddr").and_then(|param| param.value);
            let host = maddr.unwrap_or(uri.host).of(bytes);
            self.look_up(dns::Target { host, port: uri.port, transport }, Some(registrar), now, out);
        }
    }

    /// Whether `ip` is a server of the account of a binding: its registrar, one that the DNS gives for its domain, or one in its
    /// Service-Route. What the DNS says of another domain says nothing of this one: anybody may name its servers as his.
    pub(super) fn is_server_of(&self, binding: &Binding, ip: IpAddr) -> bool {
        let Some(registrar) = binding.registrar.map(|server| server.host()) else { return false };
        registrar == ip || self.domains.serves(self.domain_name(binding.domain(), None), registrar, ip)
    }

    /// The name of a domain in the table.
    pub(super) fn domain_name(&self, host: &[u8], beside: Option<IpAddr>) -> [u8; 16] {
        self.key.hash("domain", &[host, &beside.map_or([0; 16], octets)])
    }

    /// Looks up who keeps the registrations of a domain.
    pub(super) fn look_up_domain(&mut self, domain: &[u8], now: Instant, out: &mut dyn Sink) {
        self.look_up(dns::Target { host: domain, port: None, transport: None }, None, now, out);
    }

    /// Looks up the servers of an outbound proxy.
    pub(super) fn look_up_proxy(&mut self, host: &str, target: dns::Target<'_>, now: Instant, out: &mut dyn Sink) {
        self.look_up_as(self.proxy_name(host), target, Kind::Proxy, now, out);
    }

    /// Looks a domain up, and notes what is known of it by now.
    fn look_up(&mut self, target: dns::Target<'_>, beside: Option<IpAddr>, now: Instant, out: &mut dyn Sink) {
        let name = self.domain_name(target.host, beside);
        let kind = beside.map_or(Kind::Domain, Kind::ServiceRoute);
        self.look_up_as(name, target, kind, now, out);
    }

    fn look_up_as(&mut self, name: [u8; 16], target: dns::Target<'_>, kind: Kind, now: Instant, out: &mut dyn Sink) {
        let located = dns::locate(&mut self.resolver, target, TRANSPORTS, 0, now, &mut Queries(out));
        let (list, more) = match located {
            Located::Candidates { list, more } => (list, more),
            Located::Pending => (Candidates::new(), true),
            _ => return,
        };
        self.domains.note_target(name, target, kind, (&list, more), now);
        self.adopt(name, &list);
    }

    /// The DNS has said something: domains that wait for it are looked up again.
    pub(super) fn look_up_again(&mut self, now: Instant, out: &mut dyn Sink) {
        for at in 0..self.domains.list.len() {
            let Some(domain) = self.domains.list.get(at).filter(|domain| !domain.host.is_empty()) else { continue };
            let (name, kind, host) = (domain.name, domain.kind, domain.host.clone());
            let target = dns::Target { host: &host, port: domain.port, transport: domain.transport };
            self.look_up_as(name, target, kind, now, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    fn ip(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    fn note(domains: &mut Domains, name: u8, last: &[u8], (is_proxy, more): (bool, bool), now: Instant) {
        let kind = if is_proxy { Kind::Proxy } else { Kind::Domain };
        domains.note([name; 16], kind, last.iter().map(|last| ip(*last)), more, now);
    }

    #[test]
    fn servers_of_one_domain_are_known_together() {
        let mut domains = Domains::new();
        note(&mut domains, 1, &[1, 2, 2], (false, false), Instant::ZERO);
        note(&mut domains, 2, &[3, 4], (false, false), Instant::ZERO);
        assert!(domains.has_beside(ip(2), |other| other == ip(1)));
        assert!(!domains.has_beside(ip(3), |other| other == ip(1)));
        assert!(!domains.has_beside(ip(2), |_| false));
        note(&mut domains, 1, &[1], (false, true), Instant::ZERO);
        assert!(domains.has_beside(ip(2), |other| other == ip(1)), "not all is known yet");
        note(&mut domains, 1, &[1], (false, false), Instant::ZERO);
        assert!(!domains.has_beside(ip(2), |other| other == ip(1)), "the DNS no longer says so");
    }

    #[test]
    fn a_registrar_does_not_choose_whom_it_stands_beside() {
        let mut domains = Domains::new();
        // 1 is a registrar that names 3, the server of another domain.
        let kind = Kind::ServiceRoute(ip(1));
        domains.note([1; 16], kind, [ip(3)].into_iter(), false, Instant::ZERO);
        note(&mut domains, 2, &[3], (false, false), Instant::ZERO);
        assert!(domains.has_beside(ip(3), |other| other == ip(1)) && domains.serves([9; 16], ip(1), ip(3)));
        assert!(!domains.has_beside(ip(1), |other| other == ip(3)) && !domains.serves([2; 16], ip(3), ip(1)));
        // 4 says that it has a domain with 3.
        note(&mut domains, 4, &[3, 4], (false, false), Instant::ZERO);
        assert!(domains.serves([4; 16], ip(4), ip(3)) && !domains.serves([2; 16], ip(3), ip(4)));
    }

    #[test]
    fn the_domain_not_used_for_longest_goes() {
        let mut domains = Domains::new();
        note(&mut domains, 100, &[100], (true, false), Instant::ZERO);
        for n in 0..u8::try_from(MAX_DOMAINS).expect("small") {
            note(&mut domains, n, &[2 * n, 2 * n + 1], (false, false), Instant::from_millis(n.into()));
        }
        assert!(domains.is_proxy(ip(100), None) && !domains.is_proxy(ip(2), None));
        assert!(domains.is_proxy(ip(100), Some([100; 16])) && !domains.is_proxy(ip(100), Some([1; 16])));
        assert!(!domains.has_beside(ip(0), |_| true));
        assert!(domains.has_beside(ip(2), |_| true));
    }
}
