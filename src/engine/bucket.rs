//! Token buckets: how many datagrams a source may have read before the rest of them is dropped unread.
//!
//! Phones, known servers and strangers have tables of their own, so that no flood of the one uses up what is another's.
//! A source that is not in its table has a full bucket; the table forgets whoever was heard of least recently. Spoofed
//! sources get a full bucket each, which is why strangers have one more bucket for all of them together.
//!
//! A server that a request of ours went to counts as known for its answers: that of a phone's first REGISTER is a stranger
//! until it has accepted one.

use super::guard::Origin;
use crate::limits::{MAX_ASKED, MAX_SOURCES};
use crate::log_class::{self as class, log};
use crate::time::{Instant, millis};
use core::net::IpAddr;

/// What one bucket holds, and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Budget {
    /// Datagrams a second.
    rate: u32,
    /// Datagrams at once, when none came before.
    burst: u32,
}

/// A phone. A telephone sends one a second; a telephone exchange with 512 accounts registers them all at once when it
/// starts, with a challenge for each, and again when it hears nothing.
const PHONE: Budget = Budget { rate: 500, burst: 4000 };
/// A server that serves our phones: the answers to all of them, and calls for all of them.
const KNOWN: Budget = Budget { rate: 2000, burst: 8000 };
/// One stranger: a party to a call that sends past its provider, by a token of ours. A call is a dozen messages.
const STRANGER: Budget = Budget { rate: 20, burst: 40 };
/// All strangers together: what may be spent on reading them, below a tenth of a slow router's processor.
const STRANGERS: Budget = Budget { rate: 100, burst: 200 };

/// Thousandths of a datagram: the unit in which buckets are filled, once a millisecond.
const UNIT: u32 = 1000;

/// How much one source has left. 40 bytes.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    source: IpAddr,
    /// Thousandths of a datagram.
    level: u32,
    filled: Instant,
    /// Dropped in this episode.
    dropped: u32,
}

impl Bucket {
    const fn full(source: IpAddr, budget: Budget, now: Instant) -> Self {
        Self { source, level: budget.burst.saturating_mul(UNIT), filled: now, dropped: 0 }
    }

    /// Takes one datagram out, where there is one. An episode of drops begins with the first, and is over when the bucket is
    /// half full again; both are logged.
    fn take(&mut self, budget: Budget, name: impl core::fmt::Display, now: Instant) -> bool {
        let millis = u32::try_from(millis(now.since(self.filled))).unwrap_or(u32::MAX);
        let capacity = budget.burst.saturating_mul(UNIT);
        self.level = self.level.saturating_add(millis.saturating_mul(budget.rate)).min(capacity);
        self.filled = now;
        if self.dropped > 0 && self.level >= capacity / 2 {
            log::warn!(target: class::ACL, "{name} sends less again: {} messages were dropped unread", self.dropped);
            self.dropped = 0;
        }
        if let Some(left) = self.level.checked_sub(UNIT) {
            self.level = left;
            return true;
        }
        if self.dropped == 0 {
            log::warn!(target: class::ACL, "{name} sends more than {} messages a second: what is too much is dropped unread", budget.rate);
        }
        self.dropped = self.dropped.saturating_add(1);
        false
    }
}

/// The buckets of one kind of sources.
#[derive(Debug)]
struct Table {
    list: heapless::Vec<Bucket, MAX_SOURCES>,
}

impl Table {
    const fn new() -> Self {
        Self { list: heapless::Vec::new() }
    }

    fn take(&mut self, source: IpAddr, budget: Budget, now: Instant) -> bool {
        if let Some(bucket) = self.list.iter_mut().find(|bucket| bucket.source == source) {
            return bucket.take(budget, source, now);
        }
        if self.list.is_full()
            && let Some((oldest, _)) = self.list.iter().enumerate().min_by_key(|(_, bucket)| bucket.filled)
        {
            self.list.swap_remove(oldest);
        }
        let mut bucket = Bucket::full(source, budget, now);
        let taken = bucket.take(budget, source, now);
        // A place has just been made.
        let _ = self.list.push(bucket);
        taken
    }
}

/// All buckets. Starts as all zero bytes.
#[derive(Debug)]
pub(super) struct Buckets {
    phones: Table,
    known: Table,
    strangers: Table,
    /// One for all, once a stranger has come. `None` of an option has bytes that are not zero.
    all_strangers: heapless::Vec<Bucket, 1>,
    /// Servers that requests of ours went to last, the latest at the end.
    asked: heapless::Vec<IpAddr, MAX_ASKED>,
}

impl Buckets {
    pub(super) const fn new() -> Self {
        Self {
            phones: Table::new(),
            known: Table::new(),
            strangers: Table::new(),
            all_strangers: heapless::Vec::new(),
            asked: heapless::Vec::new(),
        }
    }

    /// A request goes to `server`: its answers are waited for.
    pub(super) fn expect(&mut self, server: IpAddr) {
        if self.asked.last() == Some(&server) {
            return;
        }
        if let Some(at) = self.asked.iter().position(|asked| *asked == server) {
            self.asked.remove(at);
        } else if self.asked.is_full() {
            self.asked.remove(0);
        }
        // A place has just been made.
        let _ = self.asked.push(server);
    }

    /// Whether one more datagram of `source` may be read.
    pub(super) fn take(&mut self, origin: Origin, source: IpAddr, now: Instant) -> bool {
        match origin {
            Origin::Phone => self.phones.take(source, PHONE, now),
            Origin::Known => self.known.take(source, KNOWN, now),
            Origin::Stranger if self.asked.contains(&source) => self.known.take(source, KNOWN, now),
            Origin::Stranger => {
                // Once it is there, there is no place for another.
                let _ = self.all_strangers.push(Bucket::full(source, STRANGERS, now));
                let all = |all: &mut Bucket| all.take(STRANGERS, "the Internet", now);
                self.strangers.take(source, STRANGER, now) && self.all_strangers.first_mut().is_some_and(all)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    const START: Instant = Instant::from_millis(5_000);

    fn ip(n: u32) -> IpAddr {
        Ipv4Addr::from(0x0a00_0000 + n).into()
    }

    fn taken(buckets: &mut Buckets, origin: Origin, source: IpAddr, count: u32, now: Instant) -> u32 {
        (0..count).filter(|_| buckets.take(origin, source, now)).count() as u32
    }

    #[test]
    fn a_bucket_empties_and_fills_at_its_rate() {
        let mut buckets = Buckets::new();
        assert_eq!(taken(&mut buckets, Origin::Phone, ip(1), 10_000, START), PHONE.burst);
        let later = START.after_secs(1);
        assert_eq!(taken(&mut buckets, Origin::Phone, ip(1), 10_000, later), PHONE.rate);
        assert_eq!(taken(&mut buckets, Origin::Phone, ip(1), 10_000, later.after_secs(86_400)), PHONE.burst);
    }

    #[test]
    fn a_flood_of_one_takes_nothing_from_another() {
        let mut buckets = Buckets::new();
        for n in 0..100_000 {
            buckets.take(Origin::Stranger, ip(n), START);
        }
        assert!(!buckets.take(Origin::Stranger, ip(200_000), START), "all strangers share one more bucket");
        assert_eq!(taken(&mut buckets, Origin::Phone, ip(1), 100, START), 100);
        assert_eq!(taken(&mut buckets, Origin::Known, ip(1), 100, START), 100);
        let flooding = ip(300_000);
        let later = START.after_secs(10);
        assert_eq!(taken(&mut buckets, Origin::Stranger, flooding, 1000, later), STRANGER.burst);
        assert!(buckets.take(Origin::Stranger, ip(300_001), later), "one stranger alone cannot use it up");
    }

    #[test]
    fn who_was_asked_is_heard() {
        let mut buckets = Buckets::new();
        buckets.expect(ip(1));
        for n in 0..100_000 {
            buckets.take(Origin::Stranger, ip(1000 + n), START);
        }
        assert_eq!(taken(&mut buckets, Origin::Stranger, ip(1), 1000, START), 1000);
        for n in 0..MAX_ASKED as u32 {
            buckets.expect(ip(2 + n));
        }
        assert!(!buckets.take(Origin::Stranger, ip(1), START), "forgotten after {MAX_ASKED} others");
    }

    #[test]
    fn a_full_table_forgets_the_least_recent() {
        let mut table = Table::new();
        let budget = Budget { rate: 1, burst: 1 };
        for n in 0..=MAX_SOURCES as u32 {
            assert!(table.take(ip(n), budget, START.after_secs(0).after(core::time::Duration::from_millis(n.into()))));
        }
        assert_eq!(table.list.len(), MAX_SOURCES);
        assert!(table.list.iter().all(|bucket| bucket.source != ip(0)));
    }
}
