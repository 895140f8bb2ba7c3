//! The event loop's part for media: turns that bring nothing else, and how soon the next one may follow.
//!
//! A call brings a hundred packets a second, so that most turns have media only. They leave out all that looks for something else to
//! do: nothing that the engine waits for changes by them.

use super::EventLoop;
use crate::time::{Duration, Instant, micros};
use mio::event::Event;
use mio::{Events, Token};

/// Packets that a wait is to bring: one for fewer costs more than it saves (docs/performance.md).
const WORTH: u64 = 4;

/// How long packets are counted to know their rate: the distance of a call's packets.
const WINDOW: Duration = Duration::from_millis(20);

/// Wake-up moderation (`rtp_coalesce`): while media is so dense that several packets come in that time, turns are at least so far
/// apart, and each takes what has come meanwhile. No packet waits longer than that for its turn.
#[derive(Debug)]
pub(super) struct Moderation {
    /// Least time between two turns; zero is off.
    distance: Duration,
    /// Since when packets are counted, and the relay's count then.
    since: Instant,
    from: u32,
    /// Whether they are dense enough.
    is_dense: bool,
}

impl Moderation {
    pub(super) const fn new(distance: Duration) -> Self {
        Self { distance, since: Instant::ZERO, from: 0, is_dense: false }
    }

    pub(super) const fn set_distance(&mut self, distance: Duration) {
        self.distance = distance;
        self.is_dense &= !distance.is_zero();
    }

    /// Takes how many packets there have been since the start, modulo 2^32.
    fn count(&mut self, packets: u32, now: Instant) {
        let elapsed = now.since(self.since);
        if elapsed >= WINDOW {
            let came = u64::from(packets.wrapping_sub(self.from));
            let in_one_wait = came.saturating_mul(micros(self.distance));
            self.is_dense = in_one_wait >= WORTH.saturating_mul(micros(elapsed));
            (self.since, self.from) = (now, packets);
        }
    }

    /// How long the next turn has to wait that follows one of `before`, now that it is `now`.
    fn wait(&self, before: Instant, now: Instant) -> Duration {
        self.distance.saturating_sub(now.since(before))
    }
}

impl EventLoop {
    /// Whether these events are media, and nothing else is to be done before.
    pub(super) fn is_media_only(&self, events: &Events) -> bool {
        self.due.is_some_and(|due| self.out.now < due) && events.iter().all(|event| is_media(event.token()))
    }

    /// Relays what came; how long to wait for more.
    pub(super) fn media_only(&mut self, events: &Events) -> Duration {
        self.relay_media(events.iter());
        let Some(due) = self.due else { return Duration::ZERO };
        let mut now = self.out.now;
        if self.moderation.is_dense {
            now = self.clock.now();
            let wait = self.moderation.wait(self.out.now, now);
            if wait < self.media_wait(due, now) {
                std::thread::sleep(wait);
                now = self.clock.now();
            }
        }
        self.media_wait(due, now)
    }

    /// How long to wait for media, with something else to do when it is `due`: not where some is left, and not beyond the moment when some
    /// that was held back is to go.
    pub(super) fn media_wait(&self, due: Instant, now: Instant) -> Duration {
        if self.out.relay.is_pending() {
            return Duration::ZERO;
        }
        self.out.relay.next_release().map_or(due, |held| held.min(due)).since(now)
    }

    /// Takes a batch from each relay socket of these events, and from those that had more than one; sends what was held back and is due.
    pub(super) fn relay_media<'e>(&mut self, events: impl Iterator<Item = &'e Event>) {
        for event in events.filter(|event| is_media(event.token())) {
            self.out.relay.ready(event.token(), self.out.now);
        }
        if self.out.relay.is_pending() {
            self.out.relay.run_pending(self.out.now);
        }
        self.out.relay.release(self.out.now);
        if !self.moderation.distance.is_zero() {
            self.moderation.count(self.out.relay.taken(), self.out.now);
        }
    }
}

/// Whether a token is that of a relay's socket.
pub(super) const fn is_media(token: Token) -> bool {
    token.0 & crate::net::relay::TOKEN_FLAG != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(micros: u64) -> Instant {
        Instant::from_micros(1_000_000 + micros)
    }

    #[test]
    fn thin_media_waits_for_nobody() {
        let mut moderation = Moderation::new(Duration::from_micros(1000));
        // Three packets in a millisecond.
        for turn in 0..300 {
            moderation.count(turn, at(u64::from(turn) * 333));
            assert!(!moderation.is_dense, "{turn}");
        }
    }

    #[test]
    fn dense_media_is_known_after_a_window_and_so_is_its_end() {
        let before = u32::MAX - 10;
        let mut moderation = Moderation { since: at(0), from: before, ..Moderation::new(Duration::from_micros(1000)) };
        for packet in 1..=100u32 {
            moderation.count(before.wrapping_add(packet), at(u64::from(packet) * 250));
            assert_eq!(moderation.is_dense, packet >= 80, "{packet}");
        }
        moderation.count(before.wrapping_add(101), at(1_000_000));
        assert!(!moderation.is_dense);
    }

    #[test]
    fn a_turn_that_took_its_time_is_followed_at_once() {
        let moderation = Moderation::new(Duration::from_micros(500));
        assert_eq!(moderation.wait(at(0), at(120)), Duration::from_micros(380));
        assert_eq!(moderation.wait(at(0), at(700)), Duration::ZERO);
    }
}
