//! Nonces: sealed, fresh, and counted where they were used.

use crate::engine::random::Random;
use crate::limits::MAX_NONCES;
use crate::sip::token::{Key, Text};
use crate::time::{Duration, Instant};

/// How long a nonce is good. A phone that registers every few minutes seldom needs a second round trip, and what somebody has
/// recorded is soon worthless.
const FRESH: Duration = Duration::from_secs(300);

/// What a sealed nonce is marked with.
const LABEL: &str = "nonce";

/// What a nonce of ours says.
#[derive(Clone, Copy)]
pub(super) struct Nonce {
    /// The start of the program that gave it out: the clock and the serial numbers begin anew with the next.
    start: u32,
    serial: u32,
    issued: Instant,
}

impl Nonce {
    fn seal(self, key: &Key) -> Text {
        let mut content = heapless::Vec::<u8, 16>::new();
        for part in [&self.start.to_be_bytes()[..], &self.serial.to_be_bytes(), &self.issued.as_millis().to_be_bytes()]
        {
            // 4, 4 and 8 bytes.
            let _ = content.extend_from_slice(part);
        }
        key.seal(LABEL, &content)
    }

    pub(super) fn open(key: &Key, text: &[u8]) -> Option<Self> {
        let content = key.open(LABEL, text)?;
        let (start, rest) = content.split_first_chunk::<4>()?;
        let (serial, rest) = rest.split_first_chunk::<4>()?;
        let issued = rest.try_into().ok()?;
        Some(Self {
            start: u32::from_be_bytes(*start),
            serial: u32::from_be_bytes(*serial),
            issued: Instant::from_millis(u64::from_be_bytes(issued)),
        })
    }
}

/// The nonces that were used. Starts as all zero bytes.
#[derive(Debug)]
pub(super) struct Nonces {
    /// Tells this start of the program from others; 0 until the first challenge.
    start: u32,
    /// The last serial number that was given out.
    last: u32,
    /// Nonces up to this serial number are stale, unless they are in `used`.
    floor: u32,
    used: heapless::Vec<Used, MAX_NONCES>,
}

/// A nonce that a right password was sent with.
#[derive(Debug)]
pub(super) struct Used {
    serial: u32,
    /// The highest count so far.
    count: u32,
    /// The request that had it: its retransmission may come again.
    fingerprint: [u8; 16],
}

impl Nonces {
    pub(super) const fn new() -> Self {
        Self { start: 0, last: 0, floor: 0, used: heapless::Vec::new() }
    }

    pub(super) fn issue(&mut self, key: &Key, random: &mut Random, now: Instant) -> Text {
        if self.start == 0 {
            self.start = (random.next() >> 32) as u32 | 1;
        }
        self.last = self.last.wrapping_add(1);
        if self.last == 0 {
            // After 2^32 challenges everything given out before is stale.
            *self = Self { start: self.start.wrapping_add(2), ..Self::new() };
        }
        Nonce { start: self.start, serial: self.last, issued: now }.seal(key)
    }

    /// Whether a request with this nonce and count may pass; without a count, a nonce is good for one request.
    pub(super) fn accept(&mut self, nonce: Nonce, count: Option<u32>, fingerprint: [u8; 16], now: Instant) -> bool {
        if nonce.start != self.start || nonce.serial > self.last || now.since(nonce.issued) > FRESH {
            return false;
        }
        let count = count.unwrap_or(u32::MAX);
        if let Some(used) = self.used.iter_mut().find(|used| used.serial == nonce.serial) {
            let is_retransmission = used.count == count && used.fingerprint == fingerprint;
            if count > used.count {
                (used.count, used.fingerprint) = (count, fingerprint);
                return true;
            }
            return is_retransmission;
        }
        if nonce.serial <= self.floor {
            return false;
        }
        if self.used.is_full()
            && let Some((at, oldest)) = self.used.iter().enumerate().min_by_key(|(_, used)| used.serial)
        {
            self.floor = self.floor.max(oldest.serial);
            self.used.swap_remove(at);
        }
        // A place was made.
        let _ = self.used.push(Used { serial: nonce.serial, count, fingerprint });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = Key::new([7; 32]);

    /// Nonces with a source of random numbers.
    struct Bench {
        nonces: Nonces,
        random: Random,
        now: Instant,
    }

    impl Bench {
        fn new(seed: u64) -> Self {
            let mut random = Random::new();
            random.seed(seed);
            Self { nonces: Nonces::new(), random, now: Instant::from_millis(1_000_000) }
        }

        fn issue(&mut self) -> Nonce {
            let text = self.nonces.issue(&KEY, &mut self.random, self.now);
            Nonce::open(&KEY, text.as_bytes()).unwrap()
        }

        fn accepts(&mut self, nonce: Nonce, count: Option<u32>, request: u8) -> bool {
            self.nonces.accept(nonce, count, [request; 16], self.now)
        }
    }

    #[test]
    fn counts_must_rise() {
        let mut bench = Bench::new(1);
        let nonce = bench.issue();
        assert!(bench.accepts(nonce, Some(1), 1));
        assert!(bench.accepts(nonce, Some(1), 1), "a retransmission");
        assert!(!bench.accepts(nonce, Some(1), 2));
        assert!(bench.accepts(nonce, Some(3), 3));
        assert!(!bench.accepts(nonce, Some(2), 2), "it was skipped");
        assert!(!bench.accepts(nonce, Some(1), 1), "a replay");
    }

    #[test]
    fn without_a_count_a_nonce_is_good_once() {
        let mut bench = Bench::new(1);
        let nonce = bench.issue();
        assert!(bench.accepts(nonce, None, 1));
        assert!(bench.accepts(nonce, None, 1), "a retransmission");
        assert!(!bench.accepts(nonce, None, 2));
        assert!(!bench.accepts(nonce, Some(2), 2));
    }

    #[test]
    fn old_and_foreign_ones_are_stale() {
        let mut bench = Bench::new(1);
        let nonce = bench.issue();
        bench.now = bench.now.after(FRESH);
        assert!(bench.accepts(nonce, Some(1), 1));
        bench.now = bench.now.after(Duration::from_millis(1));
        assert!(!bench.accepts(nonce, Some(2), 2));
        let mut after_restart = Bench::new(2);
        let before = bench.issue();
        let after = after_restart.issue();
        assert!(!after_restart.accepts(before, Some(1), 1));
        assert!(after_restart.accepts(after, Some(1), 1));
        assert!(Nonce::open(&Key::new([8; 32]), after.seal(&KEY).as_bytes()).is_none());
        assert!(Nonce::open(&KEY, KEY.seal("binding", &[0; 16]).as_bytes()).is_none());
        assert!(Nonce::open(&KEY, KEY.seal(LABEL, &[0; 15]).as_bytes()).is_none());
    }

    #[test]
    fn what_leaves_a_full_table_cannot_come_back() {
        let mut bench = Bench::new(1);
        let all: Vec<Nonce> = (0..=MAX_NONCES).map(|_| bench.issue()).collect();
        assert!(all.iter().all(|nonce| bench.accepts(*nonce, Some(1), 1)));
        assert!(!bench.accepts(all[0], Some(2), 2), "it had to make room");
        assert!(all[1..].iter().all(|nonce| bench.accepts(*nonce, Some(2), 2)));
    }
}
