//! Queries under way: which server is asked when, and how often.

use super::Transmit;
use super::message::{self, MAX_QUERY, Secret};
use super::name::Name;
use crate::time::{Duration, Instant};
use core::net::SocketAddr;
use domain::base::iana::Rtype;

/// What is looked up for a name; part of an entry's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// A, and AAAA where there is no A.
    Addresses,
    /// AAAA.
    Ipv6,
    /// SRV.
    Srv,
    /// NAPTR.
    Naptr,
}

impl Lookup {
    /// The type that is asked for first.
    pub(super) const fn kind(self) -> Rtype {
        match self {
            Self::Addresses => Rtype::A,
            Self::Ipv6 => Rtype::AAAA,
            Self::Srv => Rtype::SRV,
            Self::Naptr => Rtype::NAPTR,
        }
    }

    /// Whether it is one for addresses.
    pub(super) const fn is_for_addresses(self) -> bool {
        matches!(self, Self::Addresses | Self::Ipv6)
    }
}

/// How long a server has to answer.
const TRY: Duration = Duration::from_millis(1500);
/// Tries with each server.
const TRIES_PER_SERVER: usize = 3;
/// Tries in all; a SIP client repeats its request for 32 s (RFC 3261 §17.1.1.2), and wants an answer long before.
const MAX_TRIES: usize = 6;
/// Tries for SRV and NAPTR. Some forwarders in routers are silent to every type but A and AAAA, and a phone waits.
const MAX_POINTER_TRIES: usize = 2;

/// A query under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query {
    pub(super) kind: Rtype,
    /// The same in each try, so that a late answer to an earlier one counts.
    pub(super) secret: Secret,
    pub(super) started: Instant,
    /// Tries so far.
    pub(super) tries: usize,
    /// When the next try is due.
    pub(super) deadline: Instant,
}

impl Query {
    /// A query of which the first try is due now.
    pub(super) fn new(kind: Rtype, random: &mut u64, now: Instant) -> Self {
        let [id_high, id_low, ..] = next_random(random).to_le_bytes();
        let secret = Secret { id: u16::from_be_bytes([id_high, id_low]), case: next_random(random) };
        Self { kind, secret, started: now, tries: 0, deadline: now }
    }

    /// The server of the last try.
    pub(super) fn last_server(&self, servers: &[SocketAddr]) -> Option<SocketAddr> {
        server(self.tries.saturating_sub(1), servers)
    }

    /// Makes the next try.
    pub(super) fn send(
        &mut self,
        name: &Name,
        lookup: Lookup,
        servers: &[SocketAddr],
        now: Instant,
        out: &mut dyn Transmit,
    ) {
        let server = server(self.tries, servers);
        self.tries = self.tries.saturating_add(1);
        self.deadline = now.after(TRY);
        if self.tries >= max_tries(lookup, servers) {
            // Some servers answer in lower case whatever they were asked: the last try is for them.
            self.secret.case = 0;
        }
        if let Some(server) = server {
            out.query(server, &self.compose(name));
        }
    }

    /// The query as it goes on the wire.
    pub(super) fn compose(&self, name: &Name) -> heapless::Vec<u8, MAX_QUERY> {
        message::query(name, self.kind, self.secret)
    }
}

/// The server of the try with this number, counted from 0.
fn server(number: usize, servers: &[SocketAddr]) -> Option<SocketAddr> {
    servers.get(number.checked_rem(servers.len())?).copied()
}

/// Tries in all with these servers.
pub(super) fn max_tries(lookup: Lookup, servers: &[SocketAddr]) -> usize {
    let most = match lookup {
        Lookup::Addresses | Lookup::Ipv6 => MAX_TRIES,
        Lookup::Srv | Lookup::Naptr => MAX_POINTER_TRIES,
    };
    servers.len().saturating_mul(TRIES_PER_SERVER).min(most)
}

/// The next number of the SplitMix64 sequence (Steele, Lea and Flood 2014).
pub(super) const fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = *state;
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
