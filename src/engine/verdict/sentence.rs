//! A [`Fault`] in words. `docs/verdict.md` has each of these sentences; a test compares them.

use super::{Fault, Hundredths, What};
use crate::engine::io::{Leg, Side};
use crate::host::Host;
use core::fmt;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (who, other) = (Party(self, self.leg), Party(self, self.leg.other()));
        match self.what {
            What::NothingAtAll { reports: true } => {
                f.write_str("nothing came from either party but RTCP: the ways are open, and nobody sends sound")
            }
            What::NothingAtAll { reports: false } => f.write_str("nothing came from either party"),
            What::Stranger { from, count, second: None } => {
                write!(f, "nothing came from {who}, but {count} packets from {from}, which nobody announced: dropped")
            }
            What::Stranger { from, count, second: Some(second) } => {
                write!(
                    f,
                    "nothing more came from {who} since second {second}, but {count} packets from {from}, which nobody announced: dropped"
                )
            }
            What::Unproven { from, count } => {
                write!(f, "what came from {who} is not one stream: {count} packets from {from} dropped")
            }
            What::Nothing { reports: true } => {
                write!(f, "nothing came from {who} but RTCP: the way is open, and it sends no sound")
            }
            What::Nothing { reports: false } => {
                write!(f, "nothing came from {who} to our UDP port {}", self.port)
            }
            What::NoMedia { count } => {
                write!(f, "{who} sent {count} packets to find a way or agree on keys, and no sound")
            }
            What::Blocked { packets } => {
                write!(f, "{who} was blocked after the first {packets} packets")
            }
            What::Silent { second } => write!(f, "nothing came from either party since second {second}"),
            What::OneWay { second } => write!(f, "one way since second {second}: nothing more came from {who}"),
            What::Foreign { payload_type, packets } => {
                write!(
                    f,
                    "{who} changed the codec without an offer: {packets} packets of payload type {payload_type}, which {other} does not take"
                )
            }
            What::Lost { share } => write!(f, "{} % of what {who} sent did not reach us", Hundredths(share)),
            What::LostBeyond { share } => {
                write!(f, "{} % of what {who} sent reached us, but not {other}", Hundredths(share))
            }
            What::Gap { millis } => write!(f, "nothing came from {who} for {millis} ms, then it went on"),
            What::Jitter { millis } => write!(f, "what {who} sent came unevenly: its jitter is {millis} ms"),
        }
    }
}

impl What {
    /// Its word for programs, such as those that have the sentence in another language. `docs/verdict.md` has each.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NothingAtAll { reports: true } => "nothing-at-all-but-rtcp",
            Self::NothingAtAll { reports: false } => "nothing-at-all",
            Self::Stranger { second: None, .. } => "stranger",
            Self::Stranger { second: Some(_), .. } => "stranger-later",
            Self::Unproven { .. } => "not-one-stream",
            Self::Nothing { reports: true } => "nothing-but-rtcp",
            Self::Nothing { reports: false } => "nothing",
            Self::NoMedia { .. } => "no-sound",
            Self::Blocked { .. } => "blocked",
            Self::Silent { .. } => "both-silent",
            Self::OneWay { .. } => "one-way",
            Self::Foreign { .. } => "foreign-codec",
            Self::Lost { .. } => "lost",
            Self::LostBeyond { .. } => "lost-beyond",
            Self::Gap { .. } => "gap",
            Self::Jitter { .. } => "jitter",
        }
    }
}

/// A party by the place it has in a household.
struct Party<'a>(&'a Fault, Leg);

impl fmt::Display for Party<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(fault, leg) = self;
        f.write_str(match (fault.sides, leg) {
            ([Side::Lan, Side::Lan], Leg::Caller) => "the calling phone",
            ([Side::Lan, Side::Lan], Leg::Callee) => "the called phone",
            (sides, leg) if sides[*leg as usize] == Side::Lan => "the phone",
            _ => "the far end",
        })?;
        fault.announced[*leg as usize].map_or(Ok(()), |at| write!(f, " {}", at.host()))
    }
}
