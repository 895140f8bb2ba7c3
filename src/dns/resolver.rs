//! The stub resolver: a fixed cache, queries with retries, and no socket of its own.
//!
//! A name is asked for with A, and with AAAA where it has no A; or with SRV or NAPTR, for [`super::locate()`]. The life of an
//! entry is told in `cache.rs`.

use super::Transmit;
use super::cache::{self, Entry, Known};
use super::message::{self, Response};
use super::name::Name;
use super::query::{Lookup, Query, max_tries};
use super::records::Records;
use crate::family::Family;
use crate::limits::{MAX_NAME_ADDRESSES, MAX_NAMES, MAX_NAMESERVERS};
use crate::time::Instant;
use core::net::{IpAddr, SocketAddr};
use domain::base::iana::Rtype;

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

/// How name resolution is.
#[derive(Clone, Copy, Debug)]
pub struct State<'a> {
    /// The servers that are asked.
    pub servers: &'a [SocketAddr],
    /// Names in the cache, once for each type of records.
    pub names: usize,
    /// Of them, those that no server answers now, with or without an old answer that stands in.
    pub silent: usize,
    /// When a server last answered.
    pub heard: Option<Instant>,
}

/// The resolver. Starts as all zero bytes.
#[derive(Debug)]
pub struct Resolver {
    servers: heapless::Vec<SocketAddr, MAX_NAMESERVERS>,
    random: u64,
    entries: heapless::Vec<Entry, MAX_NAMES>,
    /// The earliest deadline of all queries.
    due: Option<Instant>,
    /// When a server last answered a query, be it that there is no such name.
    heard: Instant,
}

impl Resolver {
    /// An empty resolver without servers.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            servers: heapless::Vec::new(),
            random: 0,
            entries: heapless::Vec::new(),
            due: None,
            heard: Instant::ZERO,
        }
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
            entry.forgive();
        }
        self.find_due();
    }

    /// The addresses of `name`, starting a query where it is not known.
    pub fn resolve(&mut self, name: &[u8], now: Instant, out: &mut dyn Transmit) -> Answer {
        self.addresses(name, Lookup::Addresses, now, out)
    }

    /// The addresses of `name` in one family, starting a query where they are not known.
    pub fn resolve_family(&mut self, name: &[u8], family: Family, now: Instant, out: &mut dyn Transmit) -> Answer {
        let lookup = if family == Family::V4 { Lookup::Addresses } else { Lookup::Ipv6 };
        match self.addresses(name, lookup, now, out) {
            Answer::Addresses(mut addresses) => {
                addresses.retain(|address| Family::of(*address) == family);
                if addresses.is_empty() { Answer::NoSuchName } else { Answer::Addresses(addresses) }
            }
            other => other,
        }
    }

    fn addresses(&mut self, name: &[u8], lookup: Lookup, now: Instant, out: &mut dyn Transmit) -> Answer {
        match Name::parse(name).map(|name| self.look_up(name, lookup, now, out)) {
            Some(Known::Records(Records::Addresses(addresses))) => Answer::Addresses(addresses.clone()),
            Some(Known::Pending) => Answer::Pending,
            Some(Known::None | Known::Records(Records::Pointers(_))) => Answer::NoSuchName,
            Some(Known::Silent) => Answer::ServersSilent,
            Some(Known::Refused) | None => Answer::Refused,
        }
    }

    /// The records of `name`, starting a query where they are not known.
    pub(super) fn look_up(&mut self, name: Name, lookup: Lookup, now: Instant, out: &mut dyn Transmit) -> Known<'_> {
        let Some(entry) = cache::find(&mut self.entries, name, lookup, now) else { return Known::Refused };
        entry.used = now;
        if now >= entry.until && entry.query.is_none() {
            if self.servers.is_empty() {
                entry.give_up(self.heard, now);
            } else {
                let mut query = Query::new(lookup.kind(), &mut self.random, now);
                query.send(&entry.name, lookup, &self.servers, now, out);
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
            let last = query.last_server(&self.servers) == Some(from);
            let exhausted = query.tries >= self.servers.len();
            if response != Response::Failed {
                self.heard = now;
            }
            settled = Some(match response {
                Response::Records(records, seconds) => entry.found(records, seconds, now),
                Response::NoData(_) if query.kind == Rtype::A => {
                    entry.query = Some(Query::new(Rtype::AAAA, &mut self.random, now));
                    false
                }
                Response::NoData(seconds) | Response::NoSuchName(seconds) => entry.not_found(seconds, now),
                // An earlier server's failure says nothing about the one that is being asked.
                Response::Failed if !last => false,
                Response::Failed if exhausted => entry.give_up(self.heard, now),
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
            if query.tries >= max_tries(entry.lookup, &self.servers) {
                settled |= entry.give_up(self.heard, now);
                continue;
            }
            if query.tries > 0 && !entry.stands_in && entry.has_old(now) {
                entry.stands_in = true;
                settled = true;
            }
            query.send(&entry.name, entry.lookup, &self.servers, now, out);
            entry.query = Some(query);
        }
        self.find_due();
        settled
    }

    /// How name resolution is.
    #[must_use]
    pub fn state(&self, now: Instant) -> State<'_> {
        let silent = self.entries.iter().filter(|entry| matches!(entry.answer(now), Known::Silent) || entry.stands_in);
        State {
            servers: &self.servers,
            names: self.entries.len(),
            silent: silent.count(),
            heard: (self.heard != Instant::ZERO).then_some(self.heard),
        }
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

/// The earlier of two deadlines.
fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests;
