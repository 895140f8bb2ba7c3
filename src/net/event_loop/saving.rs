//! When bindings and calls are written to `registration_file`.
//!
//! All of it every `autosave_registrations` seconds, where it changed, and at the end. A phone that is new, gone, or elsewhere is saved a
//! second later, so that a daemon that is killed knows it when it is back; of such writes there are as many as a flash memory takes.

use super::EventLoop;
use crate::engine::Engine;
use crate::log_class::PROCESS;
use crate::state;
use crate::time::{Duration, Instant};

/// How long a change waits for others, such as those of all phones after a power cut.
const SOON: Duration = Duration::from_secs(1);

/// Writes that may follow each other at [`SOON`].
const BURST: u32 = 8;

/// After how long another one may, above those of `autosave_registrations`: 2880 a day at most. A flash memory of 8 MiB takes 100,000 erasures
/// of its every block, and a write of ours erases two.
const REFILL: Duration = Duration::from_secs(30);

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
    is_failing: bool,
}

impl Saving {
    pub(super) fn new(interval: u32, now: Instant) -> Self {
        let next = (interval > 0).then(|| now.after_secs(interval));
        Self { interval, saved: None, phones: 0, next, soon: None, busy_until: now, is_failing: false }
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

    /// When there is something to do.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.next.into_iter().chain(self.soon).min()
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
            self.save(engine);
        }
    }

    /// Saves bindings and calls, where they changed since that was done last.
    pub(super) fn save(&mut self, engine: &Engine) {
        let version = Some(engine.saved_version());
        let saved = self.saving.saved;
        let Some(path) = self.config.registration_file.as_deref().filter(|_| saved != version) else { return };
        let shown = path.display();
        match state::save(engine, path, self.out.now) {
            Ok(()) => {
                self.saving.is_done(engine);
                if core::mem::take(&mut self.saving.is_failing) {
                    log::info!(target: PROCESS, "{shown}: registrations and calls are saved again");
                }
            }
            Err(error) if !self.saving.is_failing => {
                self.saving.is_failing = true;
                let remedy = state::remedy(&error);
                log::error!(target: PROCESS, "{shown}: registrations and calls cannot be saved: {error}{remedy}");
            }
            Err(_) => {}
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
