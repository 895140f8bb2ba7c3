//! When bindings and calls are written to `registration_file`.
//!
//! All of it every `autosave_registrations` seconds, where it changed, and at the end. A phone that is new, gone, or elsewhere is saved a
//! second later, so that a daemon that is killed knows it when it is back; of such writes there are as many as a flash memory takes.
//!
//! To wait for a flash memory may take longer than media may (512 bindings are written in 3 ms, and waited for 10 to 70 ms on a quick disk
//! with ext4): that is done a little later, when it has most of it, while no media goes.

use super::EventLoop;
use crate::engine::Engine;
use crate::log_class::{PROCESS, log};
use crate::state;
use crate::time::{Duration, Instant};
use std::io;
use std::path::Path;

/// How long a change waits for others, such as those of all phones after a power cut.
const SOON: Duration = Duration::from_secs(1);

/// Writes that may follow each other at [`SOON`].
const BURST: u32 = 8;

/// After how long another one may, above those of `autosave_registrations`: 2880 a day at most. A flash memory of 8 MiB takes 100,000 erasures
/// of its every block, and a write of ours erases two.
const REFILL: Duration = Duration::from_secs(30);

/// How long the system is left to write by itself: ext4 ends what it has begun every 5 s (`commit`, ext4(5)).
const SETTLE: Duration = Duration::from_secs(6);

/// When the disk is waited for in any case.
const LONGEST: Duration = Duration::from_secs(600);

/// What has been saved, and when the next time is.
#[derive(Debug)]
pub(super) struct Saving {
    /// Seconds between two; 0 saves at the end alone.
    interval: u32,
    /// [`Engine::saved_version`] of what the file holds.
    saved: Option<u32>,
    /// [`Engine::phones_version`] of that.
    phones: u32,
    next: Option<Instant>,
    soon: Option<Instant>,
    /// The writes of this kind so far take until then at one each [`REFILL`].
    busy_until: Instant,
    /// Since when something is saved that the disk may not have.
    unfinished: Option<Instant>,
    is_failing: bool,
}

impl Saving {
    pub(super) fn new(interval: u32, now: Instant) -> Self {
        let next = (interval > 0).then(|| now.after_secs(interval));
        Self {
            interval,
            saved: None,
            phones: 0,
            next,
            soon: None,
            busy_until: now,
            unfinished: None,
            is_failing: false,
        }
    }

    /// Saves at another interval from now on.
    pub(super) fn set_interval(&mut self, interval: u32, now: Instant) {
        if core::mem::replace(&mut self.interval, interval) != interval {
            self.next = (interval > 0).then(|| now.after_secs(interval));
            self.soon = self.soon.filter(|_| interval > 0);
        }
    }

    /// The file holds what the engine has.
    pub(super) fn is_done(&mut self, engine: &Engine) {
        (self.saved, self.phones) = (Some(engine.saved_version()), engine.phones_version());
    }

    /// When there is something to do; `is_quiet` while no media goes.
    pub(super) fn next_timeout(&self, is_quiet: bool) -> Option<Instant> {
        self.next.into_iter().chain(self.soon).chain(self.finish_at(is_quiet)).min()
    }

    /// When the disk is to be waited for.
    fn finish_at(&self, is_quiet: bool) -> Option<Instant> {
        self.unfinished.map(|since| since.after(if is_quiet { SETTLE } else { LONGEST }))
    }

    /// Whether it is to be done now; call in each turn.
    fn is_due(&mut self, phones: u32, now: Instant) -> bool {
        if self.interval == 0 {
            return false;
        }
        if self.phones != phones && self.soon.is_none() {
            self.phones = phones;
            let wait = self.busy_until.since(now).saturating_sub(REFILL * (BURST - 1));
            self.soon = Some(now.after(wait.max(SOON)));
        }
        let is_soon = self.soon.is_some_and(|at| at <= now);
        let is_due = is_soon || self.next.is_some_and(|at| at <= now);
        if is_soon {
            self.busy_until = self.busy_until.max(now).after(REFILL);
        }
        if is_due {
            self.soon = None;
            self.next = Some(now.after_secs(self.interval));
        }
        is_due
    }
}

impl EventLoop {
    /// Saves where it is time.
    pub(super) fn save_if_due(&mut self, engine: &Engine) {
        if self.saving.is_due(engine.phones_version(), self.out.now) {
            self.save(engine, false);
        }
        if self.saving.finish_at(self.out.relay.is_empty()).is_some_and(|at| at <= self.out.now)
            && let Some(path) = self.config.registration_file.as_deref()
        {
            self.saving.unfinished = None;
            let result = state::finish(path);
            self.take_result(result);
        }
    }

    /// Saves bindings and calls, where they changed since that was done last; `at_end` the disk is waited for.
    pub(super) fn save(&mut self, engine: &Engine, at_end: bool) {
        let is_news = self.saving.saved != Some(engine.saved_version());
        let Some(path) = self.config.registration_file.as_deref() else { return };
        let now = self.out.now;
        let result = match (is_news, at_end) {
            (true, true) => state::save(engine, path, now),
            (true, false) => state::save_soon(engine, path, now),
            (false, true) if self.saving.unfinished.is_some() => state::finish(path),
            (false, _) => return,
        };
        if result.is_ok() {
            self.saving.is_done(engine);
            self.saving.unfinished.get_or_insert(now);
        }
        self.take_result(result);
    }

    /// Tells once that it cannot be saved, and once that it can be again.
    fn take_result(&mut self, result: io::Result<()>) {
        let shown = self.config.registration_file.as_deref().unwrap_or(Path::new("")).display();
        match result {
            Ok(()) => {
                if core::mem::take(&mut self.saving.is_failing) {
                    log::info!(target: PROCESS, "{shown}: registrations and calls are saved again");
                }
            }
            Err(error) => {
                self.saving.saved = None;
                if !core::mem::replace(&mut self.saving.is_failing, true) {
                    let remedy = state::remedy(&error);
                    log::error!(target: PROCESS, "{shown}: registrations and calls cannot be saved: {error}{remedy}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u32) -> Instant {
        Instant::ZERO.after_secs(secs)
    }

    /// The seconds of an hour in which it is saved, with a new phone at each of `changes`.
    fn saved_at(interval: u32, changes: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut saving = Saving::new(interval, at(0));
        let mut phones = 0;
        (1..=3600)
            .filter(|second| {
                phones += u32::from(changes(*second));
                saving.is_due(phones, at(*second))
            })
            .collect()
    }

    #[test]
    fn a_new_phone_is_saved_a_second_later() {
        assert_eq!(saved_at(3600, |second| second == 100), [101]);
        assert_eq!(saved_at(300, |second| second == 100)[..3], [101, 401, 701]);
        assert_eq!(saved_at(300, |_| false), (1..=12).map(|n| n * 300).collect::<Vec<_>>());
    }

    #[test]
    fn many_new_phones_are_saved_together_and_not_too_often() {
        assert_eq!(saved_at(3600, |second| second % 3 == 0 && second < 30).len(), 8 + 1);
        let all = saved_at(3600, |_| true);
        assert!(all.len() <= 8 + 3600 / 30, "{}", all.len());
        // A phone is never left out for longer than it takes until one may follow.
        assert!(all.windows(2).all(|pair| pair[1] - pair[0] <= 31));
        assert!(3600 - all[all.len() - 1] <= 31);
    }

    #[test]
    fn with_0_it_is_saved_at_the_end_alone() {
        assert_eq!(saved_at(0, |_| true), [0; 0]);
    }
}
