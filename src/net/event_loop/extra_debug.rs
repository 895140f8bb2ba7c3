//! Debug lines that somebody has switched on for a time: who forgets them, or cannot come back, has no full log for it.

use crate::log_class::{Names, PROCESS, log};
use crate::time::{Instant, millis};

/// The classes, and until when. They come on top of `debug_level`, which stays as it is, also at a reload.
#[derive(Debug, Default)]
pub(super) struct ExtraDebug {
    classes: u32,
    until: Option<Instant>,
}

impl ExtraDebug {
    /// Switches these classes on for so many seconds, in place of those before; for none it ends.
    pub(super) fn set(&mut self, classes: u32, seconds: u32, now: Instant) {
        if classes == 0 || seconds == 0 {
            return self.end();
        }
        (self.classes, self.until) = (classes, Some(now.after_secs(seconds)));
        crate::log::set_extra_debug(classes);
        log::info!(target: PROCESS, "debug: {} for {seconds} s, besides debug_level", Names(classes));
    }

    /// The classes that are on.
    pub(super) const fn classes(&self) -> u32 {
        self.classes
    }

    /// Seconds that are left, begun ones counted.
    pub(super) fn remaining(&self, now: Instant) -> u64 {
        self.until.map_or(0, |until| millis(until.since(now)).div_ceil(1000))
    }

    pub(super) const fn next_timeout(&self) -> Option<Instant> {
        self.until
    }

    /// Ends it when its time is up.
    pub(super) fn turn(&mut self, now: Instant) {
        if self.until.is_some_and(|until| until <= now) {
            self.end();
        }
    }

    fn end(&mut self) {
        if self.until.take().is_some() {
            self.classes = 0;
            crate::log::set_extra_debug(0);
            log::info!(target: PROCESS, "debug: as debug_level says again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_by_itself_and_the_later_one_counts() {
        let (mut debug, start) = (ExtraDebug::default(), Instant::from_millis(1000));
        let state = |debug: &ExtraDebug, now| (debug.classes(), debug.remaining(now), debug.next_timeout().is_some());
        assert_eq!(state(&debug, start), (0, 0, false));
        debug.set(0xc, 600, start);
        assert_eq!(state(&debug, start), (0xc, 600, true));
        debug.set(0x40, 2, start.after_secs(1));
        assert_eq!(state(&debug, start.after_secs(1)), (0x40, 2, true));
        debug.turn(Instant::from_millis(3999));
        assert_eq!(state(&debug, Instant::from_millis(3999)), (0x40, 1, true));
        debug.turn(start.after_secs(3));
        assert_eq!(state(&debug, start.after_secs(3)), (0, 0, false));
        debug.set(0xc, 600, start);
        debug.set(0, 0, start);
        assert_eq!(state(&debug, start), (0, 0, false));
    }
}
