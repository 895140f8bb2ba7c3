//! The stub resolver: a fixed cache, queries with retries, and no socket of its own.
//!
//! ```text
//!   unknown, expired --resolve--> asked --addresses-----------------------> good until its TTL ends
//!                                 |  ^  --no such name, no data-----------> no such name, for a while
//!                    silence, or  |  |
//!                    a failure    v  | next server
//!                                 retry --no more tries-------------------> silent, for a while
//! ```
//! Where an earlier answer was good, it is given again as soon as one try has passed in silence (RFC 8767), for at most
//! a day, while the query goes on. A name is asked for with A, and with AAAA where it has no A.

use super::message::{self, Addresses, Name, Response, Secret};
use crate::limits::{MAX_NAME_ADDRESSES, MAX_NAMES, MAX_NAMESERVERS};
use crate::time::{Duration, Instant};
use core::net::{IpAddr, SocketAddr};
use domain::base::iana::Rtype;

/// How long a server has to answer.
const TRY: Duration = Duration::from_millis(1500);
/// Tries with each server.
const TRIES_PER_SERVER: usize = 3;
/// Tries in all; a SIP client repeats its request for 32 s (RFC 3261 §17.1.1.2), and wants an answer long before.
const MAX_TRIES: usize = 6;
/// Least and most seconds that an answer holds, whatever its TTL.
const TTL_RANGE: (u32, u32) = (1, 86_400);
/// Seconds that an answer stays in use behind its TTL while the servers are silent (RFC 8767 §5 has one to three days).
const STALE_SECONDS: u32 = 86_400;
/// Seconds between queries while an old answer stands in for silent servers (RFC 8767 §5).
const STALE_RETRY_SECONDS: u32 = 30;
/// Seconds for which a name is answered by [`Answer::ServersSilent`] before the servers are asked again.
const SILENT_SECONDS: u32 = 10;

/// What is known about a name now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Its addresses, in the order of the answer. The last good answer stays in use while the servers are silent.
    Addresses(heapless::Vec<IpAddr, MAX_NAME_ADDRESSES>),
    /// A query is under way; ask again after the next [`Resolver::response`] or timeout.
    Pending,
    /// The name does not exist or has no address (RFC 2308).
    NoSuchName,
    /// No server answered, or none is configured.
    ServersSilent,
    /// The cache is full of names in use, or the name is longer than 253 bytes or not a name.
    Refused,
}

/// The sending half that the resolver is lent: one query to one server.
pub trait Transmit {
    /// Sends `query` to `server`.
    fn query(&mut self, server: SocketAddr, query: &[u8]);
}

/// The resolver. Starts as all zero bytes.
#[derive(Debug)]
pub struct Resolver {
    servers: heapless::Vec<SocketAddr, MAX_NAMESERVERS>,
    random: u64,
    entries: heapless::Vec<Entry, MAX_NAMES>,
    /// The earliest deadline of all queries.
    due: Option<Instant>,
}

impl Resolver {
    /// An empty resolver without servers.
    #[must_use]
    pub const fn new() -> Self {
        Self { servers: heapless::Vec::new(), random: 0, entries: heapless::Vec::new(), due: None }
    }

    /// Sets the servers (at most [`MAX_NAMESERVERS`] are taken) and the seed of query ids.
    ///
    /// Known addresses stay; with other servers than before, queries under way start again at the next
    /// [`timeout`](Self::timeout), which is due at once.
    pub fn configure(&mut self, servers: &[SocketAddr], seed: u64) {
        self.random = seed;
        let servers = servers.iter().copied().take(MAX_NAMESERVERS).collect();
        if self.servers == servers {
            return;
        }
        self.servers = servers;
        self.start_again();
    }

    /// The way to the servers has changed: that they were silent no longer counts, and queries under way start again at the
    /// next [`timeout`](Self::timeout), which is due at once.
    pub fn start_again(&mut self) {
        for entry in &mut self.entries {
            if entry.outcome == Outcome::Silent {
                entry.until = Instant::ZERO;
            }
            if let Some(query) = &mut entry.query {
                query.tries = 0;
                query.deadline = Instant::ZERO;
            }
        }
        self.find_due();
    }

    /// The addresses of `name`, starting a query where it is not known.
    pub fn resolve(&mut self, name: &[u8], now: Instant, out: &mut dyn Transmit) -> Answer {
        let Some(name) = Name::parse(name) else { return Answer::Refused };
        let Some(entry) = find(&mut self.entries, name, Lookup::Addresses, now) else { return Answer::Refused };
        entry.used = now;
        if now >= entry.until && entry.query.is_none() {
            if self.servers.is_empty() {
                entry.give_up(now);
            } else {
                let mut query = Query::new(Rtype::A, &mut self.random, now);
                query.send(&entry.name, &self.servers, now, out);
                entry.query = Some(query);
                self.due = earlier(self.due, Some(query.deadline));
            }
        }
        entry.answer(now)
    }

    /// Takes a datagram from a server; `true` where it settled a name.
    ///
    /// What is to be sent next, to another server or for AAAA, is left to [`timeout`](Self::timeout), which is then due
    /// at once.
    pub fn response(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) -> bool {
        let Some(id) = message::id(bytes) else { return false };
        let mut settled = None;
        for entry in &mut self.entries {
            let Some(query) = entry.query.filter(|query| query.secret.id == id) else { continue };
            let asked = self.servers.get(..self.servers.len().min(query.tries)).unwrap_or_default();
            if !asked.contains(&from) {
                continue;
            }
            let Some(response) = message::read(bytes, &query.compose(&entry.name)) else { continue };
            let last = query.server(query.tries.saturating_sub(1), &self.servers) == Some(from);
            let exhausted = query.tries >= self.servers.len();
            settled = Some(match response {
                Response::Addresses(addresses, seconds) => entry.found(addresses, seconds, now),
                Response::NoData(_) if query.kind == Rtype::A => {
                    entry.query = Some(Query::new(Rtype::AAAA, &mut self.random, now));
                    false
                }
                Response::NoData(seconds) | Response::NoSuchName(seconds) => entry.not_found(seconds, now),
                // An earlier server's failure says nothing about the one that is being asked.
                Response::Failed if !last => false,
                Response::Failed if exhausted => entry.give_up(now),
                Response::Failed => {
                    entry.query = Some(Query { deadline: now, ..query });
                    false
                }
            });
            break;
        }
        if settled.is_some() {
            self.find_due();
        }
        settled.unwrap_or(false)
    }

    /// When something is due: a retry, or the end of the last one.
    #[must_use]
    pub const fn next_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Does what is due; `true` where a name was given up, or an old answer has come to stand in.
    pub fn timeout(&mut self, now: Instant, out: &mut dyn Transmit) -> bool {
        if self.due.is_none_or(|due| now < due) {
            return false;
        }
        let mut settled = false;
        for entry in &mut self.entries {
            let Some(mut query) = entry.query.filter(|query| query.deadline <= now) else { continue };
            if query.tries >= max_tries(&self.servers) {
                settled |= entry.give_up(now);
                continue;
            }
            if query.tries > 0 && !entry.silent && entry.has_old(now) {
                entry.silent = true;
                settled = true;
            }
            query.send(&entry.name, &self.servers, now, out);
            entry.query = Some(query);
        }
        self.find_due();
        settled
    }

    fn find_due(&mut self) {
        let deadlines = self.entries.iter().map(|entry| entry.query.map(|query| query.deadline));
        self.due = deadlines.fold(None, earlier);
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new()
    }
}

/// What is looked up for a name; part of an entry's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lookup {
    /// A, and AAAA where there is no A.
    Addresses,
}

/// How the last query ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Not at all yet, or in silence.
    Silent,
    Good,
    NoSuchName,
}

/// One name of the cache.
#[derive(Debug)]
struct Entry {
    name: Name,
    lookup: Lookup,
    /// When it was last asked for.
    used: Instant,
    outcome: Outcome,
    /// Until when `outcome` holds.
    until: Instant,
    /// The last good answer.
    addresses: Addresses,
    /// Until when it may stand in for silent servers.
    old_until: Instant,
    /// Whether the last good answer stands in now.
    silent: bool,
    query: Option<Query>,
}

impl Entry {
    const fn new(name: Name, lookup: Lookup) -> Self {
        Self {
            name,
            lookup,
            used: Instant::ZERO,
            outcome: Outcome::Silent,
            until: Instant::ZERO,
            addresses: Addresses::new(),
            old_until: Instant::ZERO,
            silent: false,
            query: None,
        }
    }

    fn answer(&self, now: Instant) -> Answer {
        let holds = now < self.until;
        match self.outcome {
            Outcome::Good if holds => Answer::Addresses(self.addresses.clone()),
            Outcome::NoSuchName if holds => Answer::NoSuchName,
            _ if self.silent && self.has_old(now) => Answer::Addresses(self.addresses.clone()),
            Outcome::Silent if holds => Answer::ServersSilent,
            _ => Answer::Pending,
        }
    }

    /// Whether there is an old answer that is still good enough.
    fn has_old(&self, now: Instant) -> bool {
        !self.addresses.is_empty() && now < self.old_until
    }

    /// Takes a good answer. This and the next two return `true`: the name is settled.
    fn found(&mut self, addresses: Addresses, seconds: u32, now: Instant) -> bool {
        let (least, most) = TTL_RANGE;
        self.addresses = addresses;
        self.settle(Outcome::Good, seconds.clamp(least, most), now);
        self.old_until = self.until.after_secs(STALE_SECONDS);
        true
    }

    /// Takes a negative answer, which ends the use of an earlier good one.
    fn not_found(&mut self, seconds: u32, now: Instant) -> bool {
        self.addresses.clear();
        self.settle(Outcome::NoSuchName, seconds, now);
        true
    }

    /// Ends the query without an answer.
    fn give_up(&mut self, now: Instant) -> bool {
        let seconds = if self.has_old(now) { STALE_RETRY_SECONDS } else { SILENT_SECONDS };
        self.settle(Outcome::Silent, seconds, now);
        self.silent = true;
        true
    }

    fn settle(&mut self, outcome: Outcome, seconds: u32, now: Instant) {
        self.outcome = outcome;
        self.until = now.after_secs(seconds);
        self.silent = false;
        self.query = None;
    }
}

/// A query under way.
#[derive(Clone, Copy, Debug)]
struct Query {
    kind: Rtype,
    /// The same in each try, so that a late answer to an earlier one counts.
    secret: Secret,
    /// Tries so far.
    tries: usize,
    /// When the next try is due.
    deadline: Instant,
}

impl Query {
    /// A query of which the first try is due now.
    fn new(kind: Rtype, random: &mut u64, now: Instant) -> Self {
        let [id_high, id_low, ..] = next_random(random).to_le_bytes();
        let secret = Secret { id: u16::from_be_bytes([id_high, id_low]), case: next_random(random) };
        Self { kind, secret, tries: 0, deadline: now }
    }

    /// The server of the try with this number, counted from 0.
    fn server(&self, number: usize, servers: &[SocketAddr]) -> Option<SocketAddr> {
        servers.get(number.checked_rem(servers.len())?).copied()
    }

    /// Makes the next try.
    fn send(&mut self, name: &Name, servers: &[SocketAddr], now: Instant, out: &mut dyn Transmit) {
        let server = self.server(self.tries, servers);
        self.tries = self.tries.saturating_add(1);
        self.deadline = now.after(TRY);
        if self.tries >= max_tries(servers) {
            // Some servers answer in lower case whatever they were asked: the last try is for them.
            self.secret.case = 0;
        }
        if let Some(server) = server {
            out.query(server, &self.compose(name));
        }
    }

    fn compose(&self, name: &Name) -> heapless::Vec<u8, { message::MAX_QUERY }> {
        message::query(name, self.kind, self.secret)
    }
}

/// The entry of `name`, or a new one in a free place or that of the least useful; `None` where all are being asked for.
fn find<const N: usize>(
    entries: &mut heapless::Vec<Entry, N>,
    name: Name,
    lookup: Lookup,
    now: Instant,
) -> Option<&mut Entry> {
    let known = entries.iter().position(|entry| entry.lookup == lookup && entry.name == name);
    let index = match known {
        Some(index) => index,
        None if !entries.is_full() => {
            entries.push(Entry::new(name, lookup)).ok()?;
            entries.len().checked_sub(1)?
        }
        None => {
            let idle = entries.iter().enumerate().filter(|(_, entry)| entry.query.is_none());
            let (index, _) = idle.min_by_key(|(_, entry)| (now < entry.until, entry.used))?;
            *entries.get_mut(index)? = Entry::new(name, lookup);
            index
        }
    };
    entries.get_mut(index)
}

/// Tries in all with this many servers.
fn max_tries(servers: &[SocketAddr]) -> usize {
    servers.len().saturating_mul(TRIES_PER_SERVER).min(MAX_TRIES)
}

/// The earlier of two deadlines.
fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

/// The next number of the SplitMix64 sequence (Steele, Lea and Flood 2014).
const fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = *state;
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
