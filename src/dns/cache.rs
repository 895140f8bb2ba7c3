//! The entries of the resolver's cache.
//!
//! ```text
//!   unknown, expired --look-up--> asked --records-------------------------> good until its TTL ends
//!                                 |  ^  --no such name, no data-----------> none, for a while
//!                    silence, or  |  |
//!                    a failure    v  | next server
//!                                 retry --no more tries-------------------> silent, for a while
//! ```
//! Where an earlier answer was good, it is given again as soon as one try has passed in silence (RFC 8767), for at most
//! a day, while the query goes on. A name without SRV or NAPTR is a good answer in this sense: most names have none.

use super::name::Name;
use super::query::{Lookup, Query};
use super::records::{Pointers, Records};
use crate::time::Instant;

/// Least and most seconds that an answer holds, whatever its TTL.
const TTL_RANGE: (u32, u32) = (1, 86_400);
/// Seconds that an answer stays in use behind its TTL while the servers are silent (RFC 8767 §5 has one to three days).
const STALE_SECONDS: u32 = 86_400;
/// Seconds between queries while an old answer stands in for silent servers (RFC 8767 §5).
const STALE_RETRY_SECONDS: u32 = 30;
/// Seconds for which the servers count as silent before they are asked again.
const SILENT_SECONDS: u32 = 10;

/// What is known about a name.
#[derive(Debug)]
pub(super) enum Known<'a> {
    /// Its records.
    Records(&'a Records),
    /// A query is under way.
    Pending,
    /// It has no such record.
    None,
    /// No server answered, or none is configured.
    Silent,
    /// No room in the cache.
    Refused,
}

/// How the last query ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Not at all yet, or in silence.
    Silent,
    Good,
    None,
}

/// One name of the cache.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) lookup: Lookup,
    /// When it was last asked for.
    pub(super) used: Instant,
    outcome: Outcome,
    /// Until when `outcome` holds.
    pub(super) until: Instant,
    /// The last good answer.
    records: Option<Records>,
    /// Until when it may stand in for silent servers.
    old_until: Instant,
    /// Whether the last good answer stands in now.
    pub(super) stands_in: bool,
    /// Whether the servers answer other queries, but not this one: nobody waits for the next either.
    mute: bool,
    pub(super) query: Option<Query>,
}

impl Entry {
    const fn new(name: Name, lookup: Lookup) -> Self {
        Self {
            name,
            lookup,
            used: Instant::ZERO,
            outcome: Outcome::Silent,
            until: Instant::ZERO,
            records: None,
            old_until: Instant::ZERO,
            stands_in: false,
            mute: false,
            query: None,
        }
    }

    pub(super) fn answer(&self, now: Instant) -> Known<'_> {
        let holds = now < self.until;
        match (self.outcome, &self.records) {
            (Outcome::Good, Some(records)) if holds => Known::Records(records),
            (Outcome::None, _) if holds => Known::None,
            (_, Some(records)) if self.stands_in && self.has_old(now) => Known::Records(records),
            (Outcome::Silent, _) if holds || self.mute => Known::Silent,
            _ => Known::Pending,
        }
    }

    /// Whether there is an old answer that is still good enough.
    pub(super) fn has_old(&self, now: Instant) -> bool {
        self.records.is_some() && now < self.old_until
    }

    /// Takes a good answer. This and the next two return `true`: the name is settled.
    pub(super) fn found(&mut self, records: Records, seconds: u32, now: Instant) -> bool {
        let (least, most) = TTL_RANGE;
        self.records = Some(records);
        self.settle(Outcome::Good, seconds.clamp(least, most), now);
        self.old_until = self.until.after_secs(STALE_SECONDS);
        true
    }

    /// Takes a negative answer, which ends the use of an earlier good one.
    pub(super) fn not_found(&mut self, seconds: u32, now: Instant) -> bool {
        if !self.lookup.is_for_addresses() {
            return self.found(Records::Pointers(Pointers::default()), seconds, now);
        }
        self.records = None;
        self.settle(Outcome::None, seconds, now);
        true
    }

    /// Lets other servers be asked at once where the ones before said nothing.
    pub(super) fn forgive(&mut self) {
        self.mute = false;
        if self.outcome == Outcome::Silent {
            self.until = Instant::ZERO;
        }
        if let Some(query) = &mut self.query {
            query.tries = 0;
            query.deadline = Instant::ZERO;
        }
    }

    /// Ends the query without an answer. `heard` is when a server last answered any query.
    pub(super) fn give_up(&mut self, heard: Instant, now: Instant) -> bool {
        let started = self.query.map_or(now, |query| query.started);
        // Once seen it holds until an answer comes: later there may be no other query to see it by.
        let mute = !self.lookup.is_for_addresses() && (self.mute || (heard != Instant::ZERO && heard >= started));
        let seconds = if mute || self.has_old(now) { STALE_RETRY_SECONDS } else { SILENT_SECONDS };
        self.settle(Outcome::Silent, seconds, now);
        self.stands_in = true;
        self.mute = mute;
        true
    }

    fn settle(&mut self, outcome: Outcome, seconds: u32, now: Instant) {
        self.outcome = outcome;
        self.until = now.after_secs(seconds);
        self.stands_in = false;
        self.mute = false;
        self.query = None;
    }
}

/// The entry of `name`, or a new one in a free place or that of the least useful; `None` where all are being asked for.
pub(super) fn find<const N: usize>(
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
