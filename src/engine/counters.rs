//! What has happened since the start, in numbers. They wrap at 2^32.

use super::Engine;
use super::cause::Cause;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Requests that were read.
    Requests,
    /// Responses that were read.
    Responses,
    /// Datagrams that are no SIP message.
    Unreadable,
    /// Datagrams of strangers that were dropped.
    Strangers,
    /// Datagrams dropped by an access list.
    Denied,
    /// Datagrams dropped because their source sends too many.
    RateLimited,
    /// Registrations that a registrar accepted, and refreshes.
    Registrations,
    /// Registrations that ended.
    RegistrationsEnded,
    /// Calls.
    Calls,
    /// Of them, those that were answered.
    CallsAnswered,
    /// Calls that ended.
    CallsEnded,
    /// Of them, those with something wrong with their sound.
    CallsAtFault,
}

/// Each of them with its name.
pub const COUNTS: [(&str, Count); 12] = [
    ("requests", Count::Requests),
    ("responses", Count::Responses),
    ("unreadable", Count::Unreadable),
    ("strangers", Count::Strangers),
    ("denied", Count::Denied),
    ("rate_limited", Count::RateLimited),
    ("registrations", Count::Registrations),
    ("registrations_ended", Count::RegistrationsEnded),
    ("calls", Count::Calls),
    ("calls_answered", Count::CallsAnswered),
    ("calls_ended", Count::CallsEnded),
    ("calls_at_fault", Count::CallsAtFault),
];

/// Names of causes: one for each, and one to spare.
const CAUSES: usize = 32;

/// All counters. Starts as all zero bytes.
#[derive(Debug)]
pub struct Counters {
    counts: [u32; COUNTS.len()],
    refused: heapless::Vec<(&'static str, u32), CAUSES>,
}

impl Counters {
    pub(super) const fn new() -> Self {
        Self { counts: [0; COUNTS.len()], refused: heapless::Vec::new() }
    }

    pub(super) const fn add(&mut self, count: Count) {
        let place = &mut self.counts[count as usize];
        *place = place.wrapping_add(1);
    }

    /// Counts a request that is refused.
    pub(super) fn refuse(&mut self, cause: Cause) {
        let name = cause.name();
        match self.refused.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count = count.wrapping_add(1),
            // There is a place for each name.
            None => drop(self.refused.push((name, 1))),
        }
    }

    /// How often it has happened.
    #[must_use]
    pub const fn of(&self, count: Count) -> u32 {
        self.counts[count as usize]
    }

    /// Requests refused, by cause; only causes that there have been.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.refused.iter().copied()
    }
}

impl Engine {
    /// What has happened since the start.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::Family;

    #[test]
    fn counts_have_their_places_and_causes_theirs() {
        let mut counters = Counters::new();
        for (place, (_, count)) in COUNTS.iter().enumerate() {
            assert_eq!(*count as usize, place);
            (0..=place).for_each(|_| counters.add(*count));
        }
        for (place, (_, count)) in COUNTS.iter().enumerate() {
            assert_eq!(counters.of(*count) as usize, place + 1);
        }
        for cause in [Cause::CallsFull, Cause::Malformed("x"), Cause::CallsFull, Cause::MediaFamily(Family::V4)] {
            counters.refuse(cause);
        }
        counters.refuse(Cause::MediaFamily(Family::V6));
        assert!(counters.refused().eq([("calls-full", 2), ("malformed", 1), ("media-family", 2)]));
    }
}
