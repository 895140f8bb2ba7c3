//! A line that has just been written, or often in a short while, is counted in its place.
//!
//! Debug lines are what happened, each of them; a line for people loses nothing by it, and a stranger cannot fill a log with one, or with
//! some that take turns.

use core::time::Duration;

/// Bytes of the longest line that is recognised.
const LONGEST: usize = 512;

/// Lines that are remembered.
const PLACES: usize = 8;

/// After how long a count is written, if nothing asks for it before, and a line forgotten.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a line is written in that time, where others come between.
const BURST: u32 = 8;

/// A line, and how often it has come.
#[derive(Clone, Copy)]
struct Recent {
    text: [u8; LONGEST],
    /// 0: the place is free.
    length: usize,
    written: u32,
    /// How often it was not written since it was last told.
    count: u32,
    /// When it came first, since the epoch.
    since: Duration,
}

/// The lines that came last. Starts as all zero bytes.
pub(super) struct Repeats {
    recent: [Recent; PLACES],
    /// The place of the line that was written last, from 1; 0: it is none that counts.
    last: usize,
}

/// A count that is to be written now.
pub(super) struct Count<'a> {
    /// How often a line came without being written.
    pub(super) count: u32,
    /// The line, where it is not the last one.
    pub(super) line: Option<&'a str>,
}

impl Repeats {
    pub(super) const fn new() -> Self {
        let free = Recent { text: [0; LONGEST], length: 0, written: 0, count: 0, since: Duration::ZERO };
        Self { recent: [free; PLACES], last: 0 }
    }

    /// Whether `line`, without its time, is to be counted in place of being written: it is the last one again or, if `limits`, has been
    /// written often enough.
    pub(super) fn is_again(&mut self, line: &[u8], limits: bool, now: Duration) -> bool {
        let last = self.last.checked_sub(1);
        let is_line = |recent: &Recent| recent.length > 0 && recent.text.get(..recent.length) == Some(line);
        let Some((place, recent)) = self.recent.iter_mut().enumerate().find(|(_, recent)| is_line(recent)) else {
            return false;
        };
        let is_again = last == Some(place) || (limits && recent.written >= BURST && now < recent.due());
        if is_again {
            // A new wait, where nothing has been counted yet.
            if recent.count == 0 && last == Some(place) {
                recent.since = now;
            }
            recent.count = recent.count.saturating_add(1);
        }
        is_again
    }

    /// `line` is the last one that is written; an empty one does not count.
    pub(super) fn set(&mut self, line: &[u8], now: Duration) {
        self.last = 0;
        if line.is_empty() || line.len() > LONGEST {
            return;
        }
        let known = self.recent.iter().position(|recent| recent.text.get(..recent.length) == Some(line));
        let place = known.unwrap_or_else(|| self.oldest());
        let Some(recent) = self.recent.get_mut(place) else { return };
        if known.is_none() || now >= recent.due() {
            (recent.written, recent.since) = (0, now);
        }
        recent.length = line.len();
        recent.text.iter_mut().zip(line).for_each(|(to, from)| *to = *from);
        recent.written += 1;
        self.last = place + 1;
    }

    /// The place that a new line takes.
    fn oldest(&self) -> usize {
        let by_age = |(_, recent): &(usize, &Recent)| (recent.count > 0, recent.length > 0, recent.since);
        self.recent.iter().enumerate().min_by_key(by_age).map_or(0, |(place, _)| place)
    }

    /// A count that is due `now`, or without a time one that another line must wait for. Call until there is none.
    pub(super) fn take(&mut self, now: Option<Duration>) -> Option<Count<'_>> {
        let last = self.last.checked_sub(1);
        let place = match now {
            Some(now) => self.recent.iter().position(|recent| recent.count > 0 && now >= recent.due()),
            None => last
                .into_iter()
                .chain([self.oldest()])
                .find(|place| self.recent.get(*place).is_some_and(|r| r.count > 0)),
        }?;
        let recent = self.recent.get_mut(place)?;
        let count = core::mem::take(&mut recent.count);
        if now.is_some() && last != Some(place) {
            recent.written = 0;
        }
        let text = recent.text.get(..recent.length).and_then(|text| core::str::from_utf8(text).ok());
        Some(Count { count, line: text.filter(|_| last != Some(place)) })
    }
}

impl Recent {
    const fn due(&self) -> Duration {
        self.since.saturating_add(PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Gives a line; whether it is written, and what is told before.
    fn give(repeats: &mut Repeats, line: &str, seconds: u64) -> (bool, Vec<String>) {
        if repeats.is_again(line.as_bytes(), true, at(seconds)) {
            return (false, Vec::new());
        }
        let told = told(repeats, None);
        repeats.set(line.as_bytes(), at(seconds));
        (true, told)
    }

    fn told(repeats: &mut Repeats, now: Option<Duration>) -> Vec<String> {
        core::iter::from_fn(|| repeats.take(now).map(|it| format!("{} {}", it.count, it.line.unwrap_or("last"))))
            .collect()
    }

    #[test]
    fn the_same_line_is_counted() {
        let mut repeats = Repeats::new();
        assert!(give(&mut repeats, "a", 1).0);
        assert!(!give(&mut repeats, "a", 1).0 && !give(&mut repeats, "a", 2).0);
        assert_eq!(told(&mut repeats, Some(at(30))), [""; 0]);
        assert_eq!(told(&mut repeats, Some(at(31))), ["2 last"]);
        assert_eq!(told(&mut repeats, None), [""; 0]);
        assert!(!give(&mut repeats, "a", 40).0);
        assert_eq!(give(&mut repeats, "b", 41), (true, vec!["1 last".to_owned()]));
        let long = "x".repeat(LONGEST + 1);
        assert!(give(&mut repeats, &long, 41).0 && give(&mut repeats, &long, 41).0);
    }

    #[test]
    fn lines_that_take_turns_are_written_a_few_times_and_counted() {
        for kinds in [2, PLACES] {
            let mut repeats = Repeats::new();
            let mut written = 0;
            for turn in 0..100 {
                for kind in 0..kinds {
                    written += u32::from(give(&mut repeats, &format!("line {kind}"), turn / 10).0);
                }
            }
            assert_eq!(written, BURST * kinds as u32);
            let told = told(&mut repeats, Some(at(30)));
            assert_eq!(told.len(), kinds, "{told:?}");
            assert!(told.iter().all(|text| text.starts_with("92 ")), "{told:?}");
            assert!(give(&mut repeats, "line 0", 31).0, "the first one again after a while is written");
        }
    }

    #[test]
    fn who_debugs_has_every_turn() {
        let mut repeats = Repeats::new();
        for _ in 0..100 {
            for line in [b"a", b"b"] {
                assert!(!repeats.is_again(line, false, at(1)));
                repeats.set(line, at(1));
            }
        }
    }

    #[test]
    fn no_count_is_lost_when_its_place_is_taken() {
        let mut repeats = Repeats::new();
        for _ in 0..=BURST {
            for kind in 0..PLACES {
                let _ = give(&mut repeats, &format!("line {kind}"), 1);
            }
        }
        let mut all = Vec::new();
        for name in ["new", "newer", "newest"] {
            let (is_written, told) = give(&mut repeats, name, 2);
            assert!(is_written);
            all.extend(told);
        }
        all.extend(told(&mut repeats, Some(at(40))));
        assert_eq!(all.len(), PLACES, "{all:?}");
    }
}
