//! Who may do what: phones on the LAN, servers we know, and everybody else.
//!
//! LAN is what came in by `if_inbound` from one of its prefixes or from a network of `hosts_allow_reg` (or else from `lan_networks`).
//! Known on the WAN are the servers of live bindings and those that the DNS names beside them, the outbound proxies, `wan_allow` and
//! `hosts_allow_sip`; and whoever sends to a request-URI with one of our own tokens, which cannot be guessed. A stranger gets no
//! answer to anything. Who is not heard though he is none of these is told by `acl`, how much of each is read at all by `bucket`,
//! what becomes of strangers' calls by `turned_away`, and where phones may send to by `reach`.

use super::Engine;
use super::acl::List;
use super::contact::TOKEN_MARK;
use super::counters::Count;
use super::io::Side;
use super::turned_away::MAX_START_LINE;
use crate::host::Host;
use crate::time::Instant;
use core::net::{IpAddr, SocketAddr};

/// Who sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A phone on the LAN, or this host.
    Phone,
    /// A server on the WAN that we know.
    Known,
    /// Anybody else.
    Stranger,
}

impl Origin {
    pub(super) const fn side(self) -> Side {
        match self {
            Self::Phone => Side::Lan,
            Self::Known | Self::Stranger => Side::Wan,
        }
    }
}

impl Engine {
    /// Tells who sent a packet, from its source and the interface it came in by, before any byte of it is read.
    pub(super) fn origin(&self, interface: Side, from: SocketAddr) -> Origin {
        let ip = from.host();
        if interface == Side::Lan && self.is_place_of_phone(ip) {
            Origin::Phone
        } else if interface == Side::Wan && self.is_known(ip) {
            Origin::Known
        } else {
            Origin::Stranger
        }
    }

    /// Whether a WAN address is that of a server we know.
    pub(super) fn is_known(&self, ip: IpAddr) -> bool {
        self.flows.is_known(ip)
            || self.domains.has_beside(ip, |other| self.flows.is_known(other))
            || self.settings().wan_allow.iter().any(|p| p.contains(ip))
            || self.is_named(List::Sip, ip)
            || self.domains.is_proxy(ip, None)
    }

    /// Whether a phone can be at `ip`: on the LAN, or on this host.
    pub(super) fn is_place_of_phone(&self, ip: IpAddr) -> bool {
        self.is_lan(ip) || self.addresses.is_own(ip)
    }

    /// Whether `ip` is a place on the LAN.
    pub(super) fn is_lan(&self, ip: IpAddr) -> bool {
        let networks = &self.settings().lan_networks;
        self.addresses.is_lan(networks, ip) || (networks.is_empty() && self.is_lan_by_list(ip))
    }

    /// Whether a datagram may be read at all: by who sent it, what it begins with where that is a stranger, and how much he
    /// has sent.
    pub(super) fn admits(&mut self, interface: Side, from: SocketAddr, bytes: &[u8], now: Instant) -> bool {
        let origin = self.origin(interface, from);
        if origin == Origin::Stranger && !is_worth_parsing(bytes) {
            match interface {
                Side::Wan => self.turn_away(from, bytes, now),
                Side::Lan => self.turn_away_on_lan(from, now),
            }
            self.counters.add(Count::Strangers);
            return false;
        }
        if self.is_denied(origin, from, bytes, now) {
            self.counters.add(Count::Denied);
            return false;
        }
        let is_in_time = self.buckets.take(origin, from.host(), now);
        if !is_in_time {
            self.counters.add(Count::RateLimited);
        }
        is_in_time
    }
}

/// Whether a stranger's datagram can be for us at all: a response, or a request that carries a token of ours in its first
/// line. Everything else from a stranger is dropped before it is parsed.
fn is_worth_parsing(bytes: &[u8]) -> bool {
    let start = bytes.get(..bytes.len().min(MAX_START_LINE)).unwrap_or_default();
    let line = start.split(|b| *b == b'\n').next().unwrap_or_default();
    line.starts_with(b"SIP/2.0 ") || line.windows(TOKEN_MARK.len()).any(|w| w == TOKEN_MARK)
}
