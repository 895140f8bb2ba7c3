//! The calls that ended last: who, when, for how long, why, and what was wrong with the sound. For who was not looking meanwhile.

use super::Engine;
use super::call::{Call, Name};
use super::io::Side;
use super::verdict::Fault;
use crate::limits::MAX_HISTORY;
use crate::time::{Duration, Instant};
use core::fmt::{self, Write as _};

/// Bytes of a reason; a longer one is cut.
const MAX_REASON: usize = 48;

/// A call that has ended. What is there for each party is the caller's first.
#[derive(Clone, Debug)]
pub struct EndedCall {
    /// The URIs of From and To of its first INVITE, cut after 64 bytes.
    pub names: [heapless::Vec<u8, 64>; 2],
    /// The side of each party.
    pub sides: [Side; 2],
    /// When it ended.
    pub ended: Instant,
    /// From its first INVITE on, or from when we first heard of it.
    pub lasted: Duration,
    /// From the answer on; `None` where nobody answered.
    pub talked: Option<Duration>,
    /// Why, in words.
    pub reason: heapless::String<MAX_REASON>,
    /// Packets of media that came from each party.
    pub packets: [u32; 2],
    /// The gravest fault.
    pub fault: Option<Fault>,
}

/// The last [`MAX_HISTORY`] of them. Starts as all zero bytes.
#[derive(Debug)]
pub(super) struct History {
    calls: heapless::Deque<EndedCall, MAX_HISTORY>,
}

impl History {
    pub(super) const fn new() -> Self {
        Self { calls: heapless::Deque::new() }
    }

    /// Notes a call that is over; the oldest one makes room.
    pub(super) fn note(&mut self, call: &Call, why: fmt::Arguments<'_>, now: Instant) {
        if self.calls.is_full() {
            self.calls.pop_front();
        }
        let mut reason = Cut(heapless::String::new());
        // It takes what fits.
        let _ = reason.write_fmt(why);
        let names: [Name; 2] = call.names.clone();
        let ended = EndedCall {
            names,
            sides: call.sides,
            ended: now,
            lasted: now.since(call.started),
            talked: call.answered_since().map(|since| now.since(since)),
            reason: reason.0,
            packets: call.past.packets,
            fault: call.past.fault,
        };
        // There is a place now.
        let _ = self.calls.push_back(ended);
    }
}

/// Takes as much of a text as fits.
struct Cut(heapless::String<MAX_REASON>);

impl fmt::Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| self.0.push(c)).map_err(|_| fmt::Error)
    }
}

impl Engine {
    /// The call that ended last but `number`; `None` where there was none, or that is too long ago.
    #[must_use]
    pub fn ended_call(&self, number: usize) -> Option<&EndedCall> {
        self.history.calls.iter().rev().nth(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_where_it_is_too_long() {
        let mut reason = Cut(heapless::String::new());
        assert!(write!(reason, "{}ä{}", "a".repeat(46), "b".repeat(9)).is_err());
        assert_eq!(reason.0.as_str(), format!("{}ä", "a".repeat(46)));
    }
}
