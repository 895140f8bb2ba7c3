//! From a SIP URI to the servers that take its requests, in the order in which they are to be tried (RFC 3263 §4).
//!
//! ```text
//!   address ─────────────────────────────────────────────▶ itself
//!   name:port ──────────────────────────────▶ A, AAAA ───▶ each address with this port
//!   name;transport ─────────▶ SRV ──targets─▶ A, AAAA ───▶ each address with the target's port
//!   name ──▶ NAPTR ──rules──▶ SRV
//!              └─none─▶ SRV of each transport ─none─▶ A, AAAA of the name with the port of SIP
//! ```
//! Nothing waits here: [`locate`] walks through what the cache has and starts the queries that are missing, those of all
//! three types at once. It is called again when [`Resolver::response`] or a timeout has settled a name. As soon as the
//! first server is known the list is given; the names of later ones go on being looked up.

use super::Transmit;
use super::cache::Known;
use super::name::Name;
use super::query::Lookup;
use super::query::next_random;
use super::records::{Pointer, Pointers, Records, Transport};
use super::resolver::Resolver;
use crate::limits::{MAX_NAME_ADDRESSES, MAX_NAME_RECORDS};
use crate::sip::uri::{DEFAULT_PORT, parse_ip};
use crate::time::Instant;
use core::cmp::Reverse;
use core::net::SocketAddr;

/// The port of SIP over TLS (RFC 3261 §19.1.2).
const DEFAULT_TLS_PORT: u16 = 5061;

/// Where a request is to go, as its URI says.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// A name, or an address, IPv6 with or without brackets. A `maddr` parameter goes here (RFC 3263 §4).
    pub host: &'a [u8],
    /// The port, where one is written.
    pub port: Option<u16>,
    /// The transport, where one is written.
    pub transport: Option<Transport>,
}

/// The transports that requests can leave by, those of `sips:` apart. UDP always can.
#[derive(Clone, Copy, Debug, Default)]
pub struct Transports {
    /// Whether there is TCP.
    pub tcp: bool,
    /// Whether there is TLS.
    pub tls: bool,
}

impl Transports {
    /// Whether requests can leave by `transport`.
    #[must_use]
    pub const fn has(self, transport: Transport) -> bool {
        match transport {
            Transport::Udp => true,
            Transport::Tcp => self.tcp,
            Transport::Tls => self.tls,
        }
    }
}

/// A server to be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// How it is reached.
    pub transport: Transport,
    /// Where it is.
    pub address: SocketAddr,
}

/// Servers in the order in which they are to be tried.
pub type Candidates = heapless::Vec<Candidate, MAX_NAME_ADDRESSES>;

/// What [`locate`] has found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one lives at a time, on the stack")]
pub enum Located {
    /// At least one server, and each but once.
    Candidates {
        /// The servers.
        list: Candidates,
        /// Whether the names of further ones are being looked up.
        more: bool,
    },
    /// Queries are under way; locate again after the next [`Resolver::response`] or timeout that settles a name.
    Pending,
    /// There is no such name, no address behind it, or its domain has no SIP (RFC 2782, target `.`).
    NoSuchName,
    /// No nameserver answered, or none is configured.
    ServersSilent,
    /// The URI asks for a transport that requests cannot leave by.
    NoTransport,
    /// The cache is full of names in use, or the host is no name.
    Refused,
}

/// Finds the servers of `target`. Of servers with equal priority `seed` says which goes first, with the chances that
/// their weights give (RFC 2782): one seed for all requests of a dialog or registration keeps them together.
pub fn locate(
    resolver: &mut Resolver,
    target: Target<'_>,
    transports: Transports,
    seed: u64,
    now: Instant,
    out: &mut dyn Transmit,
) -> Located {
    let written = target.transport;
    if written.is_some_and(|transport| !transports.has(transport)) {
        return Located::NoTransport;
    }
    // RFC 3263 §4.1: an address, or a port that is written, and no transport mean UDP.
    let transport = written.unwrap_or(Transport::Udp);
    let mut search = Search { resolver, transports, seed, now, out, found: Candidates::new(), obstacle: None };
    if let Some(ip) = parse_ip(target.host) {
        search
            .add(Candidate { transport, address: SocketAddr::new(ip, target.port.unwrap_or(default_port(transport))) });
    } else {
        match Name::parse(target.host) {
            None => search.meet(Obstacle::Refused),
            Some(name) => match (target.port, written) {
                (Some(port), _) => search.addresses(name, transport, port),
                (None, Some(transport)) => search.services_or_name(&name, &[transport]),
                (None, None) => search.rules(&name),
            },
        }
    }
    search.result()
}

const fn default_port(transport: Transport) -> u16 {
    match transport {
        Transport::Udp | Transport::Tcp => DEFAULT_PORT,
        Transport::Tls => DEFAULT_TLS_PORT,
    }
}

/// The owner of the SRV records of a domain (RFC 3263 §4.2).
fn service(name: &Name, transport: Transport) -> Option<Name> {
    let prefix: &[u8] = match transport {
        Transport::Udp => b"_sip._udp.",
        Transport::Tcp => b"_sip._tcp.",
        Transport::Tls => b"_sips._tcp.",
    };
    Name::service(prefix, name.as_bytes())
}

/// What stands in the way of an answer, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Obstacle {
    Silent,
    Refused,
    /// What comes behind may not overtake what is asked for; it is looked up, and left for the next call.
    Pending,
}

/// Whether a name has SRV records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    /// It has; what they lead to is in the list.
    There,
    Missing,
    /// It is not known yet.
    Unknown,
}

/// One walk through the cache.
struct Search<'a> {
    resolver: &'a mut Resolver,
    transports: Transports,
    seed: u64,
    now: Instant,
    out: &'a mut dyn Transmit,
    found: Candidates,
    obstacle: Option<Obstacle>,
}

impl Search<'_> {
    /// The rules of NAPTR, then SRV, then the name itself (RFC 3263 §4.1).
    fn rules(&mut self, name: &Name) {
        let rules = match self.resolver.look_up(name.clone(), Lookup::Naptr, self.now, self.out) {
            Known::Records(Records::Pointers(rules)) => rules.clone(),
            Known::Pending => {
                self.meet(Obstacle::Pending);
                Pointers::default()
            }
            Known::Silent => {
                self.meet(Obstacle::Silent);
                Pointers::default()
            }
            Known::Refused => return self.meet(Obstacle::Refused),
            Known::Records(Records::Addresses(_)) | Known::None => Pointers::default(),
        };
        let mut usable: heapless::Vec<Pointer, MAX_NAME_RECORDS> =
            rules.list().iter().filter(|rule| self.transports.has(rule.transport)).copied().collect();
        usable.sort_unstable_by_key(|rule| (rule.priority, rule.weight));
        let mut any = false;
        for rule in &usable {
            if let Some(owner) = Name::parse(rules.target(rule)) {
                any |= self.services(owner, rule.transport) != Service::Missing;
            }
        }
        if !any {
            // Rules for transports that we do not have say nothing about the others, where the domain's keeper forgot them.
            let all = [Transport::Udp, Transport::Tcp];
            let have = all.into_iter().filter(|transport| self.transports.has(*transport));
            let have: heapless::Vec<Transport, 2> = have.collect();
            self.services_or_name(name, &have);
        }
    }

    /// SRV of each transport, else the addresses of the name with the port of the first (RFC 3263 §4.2).
    fn services_or_name(&mut self, name: &Name, transports: &[Transport]) {
        let mut any = false;
        for transport in transports {
            if let Some(owner) = service(name, *transport) {
                match self.services(owner, *transport) {
                    Service::There => any = true,
                    Service::Missing => {}
                    // The name's own addresses are looked up beside it.
                    Service::Unknown => self.meet(Obstacle::Pending),
                }
            }
        }
        if !any && let Some(first) = transports.first() {
            self.addresses(name.clone(), *first, default_port(*first));
        }
    }

    /// The servers that the SRV records of `owner` name.
    fn services(&mut self, owner: Name, transport: Transport) -> Service {
        let services = match self.resolver.look_up(owner, Lookup::Srv, self.now, self.out) {
            Known::Records(Records::Pointers(services)) => services.clone(),
            Known::Pending => {
                self.meet(Obstacle::Pending);
                return Service::Unknown;
            }
            Known::Silent => {
                self.meet(Obstacle::Silent);
                return Service::Missing;
            }
            Known::Refused => {
                self.meet(Obstacle::Refused);
                return Service::Missing;
            }
            Known::Records(Records::Addresses(_)) | Known::None => return Service::Missing,
        };
        for server in by_weight(services.list(), &mut self.seed) {
            if let Some(name) = Name::parse(services.target(&server)) {
                self.addresses(name, transport, server.port);
            }
        }
        if services.list().is_empty() { Service::Missing } else { Service::There }
    }

    fn addresses(&mut self, name: Name, transport: Transport, port: u16) {
        let addresses = match self.resolver.look_up(name, Lookup::Addresses, self.now, self.out) {
            Known::Records(Records::Addresses(addresses)) => addresses.clone(),
            Known::Pending => return self.meet(Obstacle::Pending),
            Known::Silent => return self.meet(Obstacle::Silent),
            Known::Refused => return self.meet(Obstacle::Refused),
            Known::Records(Records::Pointers(_)) | Known::None => return,
        };
        for ip in addresses {
            self.add(Candidate { transport, address: SocketAddr::new(ip, port) });
        }
    }

    fn add(&mut self, candidate: Candidate) {
        if self.obstacle != Some(Obstacle::Pending) && !self.found.contains(&candidate) {
            // What is over the capacity is the end of the list.
            let _ = self.found.push(candidate);
        }
    }

    fn meet(&mut self, obstacle: Obstacle) {
        self.obstacle = self.obstacle.max(Some(obstacle));
    }

    fn result(self) -> Located {
        match self.obstacle {
            _ if !self.found.is_empty() => {
                Located::Candidates { list: self.found, more: self.obstacle == Some(Obstacle::Pending) }
            }
            Some(Obstacle::Pending) => Located::Pending,
            Some(Obstacle::Refused) => Located::Refused,
            Some(Obstacle::Silent) => Located::ServersSilent,
            None => Located::NoSuchName,
        }
    }
}

/// The records by priority, those of equal priority drawn one after the other by weight (RFC 2782, "Weight").
fn by_weight(list: &[Pointer], seed: &mut u64) -> heapless::Vec<Pointer, MAX_NAME_RECORDS> {
    let mut left: heapless::Vec<Pointer, MAX_NAME_RECORDS> = list.iter().copied().collect();
    // Drawn from the end. Weight 0 stands first in its group, as the algorithm has it.
    left.sort_unstable_by_key(|server| (Reverse(server.priority), server.weight));
    let mut drawn = heapless::Vec::new();
    while let Some(priority) = left.last().map(|server| server.priority) {
        let group = || left.iter().enumerate().filter(|(_, server)| server.priority == priority);
        let sum: u64 = group().map(|(_, server)| u64::from(server.weight)).sum();
        let mark = next_random(seed).checked_rem(sum.saturating_add(1)).unwrap_or_default();
        let mut running = 0u64;
        let place = group().find(|(_, server)| {
            running = running.saturating_add(u64::from(server.weight));
            running >= mark
        });
        let Some((place, _)) = place else { break };
        // Both lists have MAX_NAME_RECORDS places.
        let _ = drawn.push(left.remove(place));
    }
    drawn
}

#[cfg(test)]
mod tests;
