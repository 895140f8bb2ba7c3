//! A line that is the one before once more is counted in its place.
//!
//! Debug lines are what happened, each of them; a line for people loses nothing by it, and a stranger cannot fill a log with one.

use core::time::Duration;

/// Bytes of the longest line that is recognised.
const LONGEST: usize = 512;

/// After how long the count is written, if no other line comes first.
const PATIENCE: Duration = Duration::from_secs(30);

/// The last line, and how often it has come since it was written.
pub(super) struct Repeats {
    last: [u8; LONGEST],
    length: usize,
    count: u32,
    /// When the count is due, since the epoch.
    due: Duration,
}

impl Repeats {
    pub(super) const fn new() -> Self {
        Self { last: [0; LONGEST], length: 0, count: 0, due: Duration::ZERO }
    }

    /// Whether `line`, without its time, is the last one again.
    pub(super) fn is_again(&mut self, line: &[u8], now: Duration) -> bool {
        if line.is_empty() || self.last.get(..self.length) != Some(line) {
            return false;
        }
        if self.count == 0 {
            self.due = now.saturating_add(PATIENCE);
        }
        self.count = self.count.saturating_add(1);
        true
    }

    /// Another line is the last one now.
    pub(super) fn set(&mut self, line: &[u8]) {
        self.length = 0;
        if let Some(room) = self.last.get_mut(..line.len()) {
            room.copy_from_slice(line);
            self.length = line.len();
        }
    }

    /// How often the last line has come again, where that is to be written `now`.
    pub(super) fn take(&mut self, now: Option<Duration>) -> Option<u32> {
        let is_due = self.count > 0 && now.is_none_or(|now| now >= self.due);
        is_due.then(|| core::mem::take(&mut self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_line_is_counted() {
        let at = Duration::from_secs;
        let mut repeats = Repeats::new();
        assert!(!repeats.is_again(b"a", at(1)));
        repeats.set(b"a");
        assert!(repeats.is_again(b"a", at(1)) && repeats.is_again(b"a", at(2)));
        assert!(!repeats.is_again(b"b", at(3)));
        assert_eq!(repeats.take(Some(at(30))), None);
        assert_eq!(repeats.take(Some(at(31))), Some(2));
        assert_eq!(repeats.take(None), None);
        assert!(repeats.is_again(b"a", at(40)));
        assert_eq!(repeats.take(None), Some(1));
        repeats.set(&[b'x'; LONGEST + 1]);
        assert!(!repeats.is_again(&[b'x'; LONGEST + 1], at(41)));
    }
}
