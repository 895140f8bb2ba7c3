//! The verdict on a call: what its media came to, and one sentence where something is wrong with it.
//!
//! A relay counts what each party sent ([`LegCounters`]); signalling knows what each was to send. Where they differ there is a
//! [`Fault`], and the gravest one of a call is told. `docs/verdict.md` has each sentence with its causes and remedies.
//!
//! What is no fault: a call that was not answered, or is over at once; a party on hold, in whichever of its forms; a camera that is off;
//! a fax (no RTP); pauses of a phone that sends nothing while nobody speaks; anything of a call that began before we did, until it is
//! negotiated again.

mod line;
mod sentence;

pub(super) use line::{Sent, log_call_end};

use super::call::Relay;
use super::io::{Leg, LegCounters, Side};
use crate::rtp::format::Media;
use crate::rtp::latch::Peer;
use crate::time::{Duration, Instant};
use core::fmt;
use core::net::SocketAddr;

/// Sound that is not there so long after the answer is missing.
const NOTHING_AFTER: Duration = Duration::from_secs(2);

/// A stream that has been silent so long has ended.
const SILENT_AFTER: Duration = Duration::from_secs(3);

/// The same for a sender that pauses while nobody speaks.
const PAUSE_AFTER: Duration = Duration::from_secs(30);

/// A stream that ended so soon after its first packet was blocked: firewalls and NATs that close a way do it at once.
const BLOCKED_WITHIN: Duration = Duration::from_secs(3);

/// So many dropped datagrams are a stream that went astray; fewer are what scanners send, or the first packets of a stream.
const ASTRAY: u32 = 10;

/// Packets in a format that was not offered: half a second, so that those on the way when the format was changed do not count.
const FOREIGN: u32 = 25;

/// Expected packets from which loss and jitter can be judged.
const ENOUGH: u32 = 100;

/// Loss that is heard with every codec, in 1/10,000.
const HEAVY_LOSS: u32 = 300;

/// An interruption that is heard as one (µs).
const LONG_GAP: u32 = 2_000_000;

/// Mean jitter that the usual buffer of a phone does not even out (µs).
const HEAVY_JITTER: u32 = 50_000;

/// What is wrong with what one party sent; the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Nothing came from either party.
    NothingAtAll {
        /// But RTCP did, of both.
        reports: bool,
    },
    /// It came from an address that nobody announced, and was dropped.
    Stranger {
        /// The last such address.
        from: SocketAddr,
        /// Datagrams dropped, since it was heard last if it was.
        count: u32,
        /// Seconds from the answer until then.
        second: Option<u32>,
    },
    /// It came from the announced address, but not as one stream from one port, and was dropped.
    Unproven {
        /// Where the last of it came from.
        from: SocketAddr,
        /// Datagrams dropped.
        count: u32,
    },
    /// Nothing came.
    Nothing {
        /// But RTCP did.
        reports: bool,
    },
    /// STUN or a handshake, and no media behind it.
    NoMedia {
        /// Datagrams.
        count: u32,
    },
    /// It stopped after the first packets.
    Blocked {
        /// Packets that came.
        packets: u32,
    },
    /// It stopped, and so did the other party.
    Silent {
        /// Seconds after the answer.
        second: u32,
    },
    /// It stopped, the other party did not.
    OneWay {
        /// Seconds after the answer.
        second: u32,
    },
    /// It came in a format that the other party does not take.
    Foreign {
        /// RTP payload type.
        payload_type: u8,
        /// Packets in it.
        packets: u32,
    },
    /// Much of it was lost before it reached us.
    Lost {
        /// In 1/10,000.
        share: u32,
    },
    /// Much of it was lost between us and the other party, by what that reports.
    LostBeyond {
        /// In 1/10,000.
        share: u32,
    },
    /// It was interrupted.
    Gap {
        /// Milliseconds.
        millis: u32,
    },
    /// It came unevenly.
    Jitter {
        /// Mean jitter in milliseconds.
        millis: u32,
    },
}

/// A fault of one media section, in the direction of one party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub what: What,
    /// The party that it concerns: the one that sends.
    pub leg: Leg,
    /// The side of each party.
    pub sides: [Side; 2],
    /// Where each party announced its RTP.
    pub announced: [Option<SocketAddr>; 2],
    /// Our port that the party was told to send to.
    pub port: u16,
}

/// The graver one.
pub(super) fn graver(one: Option<Fault>, other: Option<Fault>) -> Option<Fault> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other.what < one.what { other } else { one }),
        (one, other) => one.or(other),
    }
}

/// What is wrong with a section, whose call was answered at `answered` and was to end from `ended` on: from then on silence is no fault.
pub(super) fn judge(
    relay: &Relay,
    legs: &[LegCounters; 2],
    answered: Instant,
    ended: Option<Instant>,
) -> Option<Fault> {
    let [Some(caller), Some(callee)] = &relay.aimed else { return None };
    let peers = [caller, callee];
    let of = |leg: Leg| {
        let (own, other) = (&legs[leg as usize], &legs[leg.other() as usize]);
        silence(own, other, peers, answered, ended).or_else(|| flaw(own, other, peers[leg as usize]))
    };
    let (what, leg) = match [of(Leg::Caller), of(Leg::Callee)] {
        [Some(What::Nothing { reports }), Some(What::Nothing { reports: others })] => {
            (What::NothingAtAll { reports: reports && others }, Leg::Caller)
        }
        [Some(one), Some(other)] if has_stopped(one) && has_stopped(other) => {
            let [of_caller, of_callee] = [legs[0].heard.last, legs[1].heard.last];
            // Whom the other one has outlived was the first to be missed.
            if of_callee.since(of_caller) >= SILENT_AFTER {
                (one, Leg::Caller)
            } else if of_caller.since(of_callee) >= SILENT_AFTER {
                (other, Leg::Callee)
            } else {
                (What::Silent { second: seconds(answered, of_caller.max(of_callee)) }, Leg::Caller)
            }
        }
        [Some(one), Some(other)] if other < one => (other, Leg::Callee),
        [Some(one), _] => (one, Leg::Caller),
        [None, Some(other)] => (other, Leg::Callee),
        [None, None] => return None,
    };
    let announced = peers.map(|peer| peer.rtp);
    Some(Fault { what, leg, sides: relay.sides, announced, port: relay.ports[leg as usize] })
}

const fn has_stopped(what: What) -> bool {
    matches!(what, What::Blocked { .. } | What::OneWay { .. })
}

/// Seconds from `start` to `end`.
fn seconds(start: Instant, end: Instant) -> u32 {
    u32::try_from(end.since(start).as_secs()).unwrap_or(u32::MAX)
}

/// Why nothing is heard of a party that should be heard.
fn silence(
    own: &LegCounters,
    other: &LegCounters,
    peers: [&Peer; 2],
    answered: Instant,
    ended: Option<Instant>,
) -> Option<What> {
    let talks = |peer: &&Peer| {
        let terms = &peer.terms;
        terms.media == Media::Audio && !terms.mute && !terms.deaf && peer.rtp.is_some()
    };
    if !peers.iter().all(talks) {
        return None;
    }
    let heard = &own.heard;
    // What both have agreed on since then is what holds now.
    let since = answered.max(own.aimed).max(other.aimed);
    let from = if heard.packets > 0 { since.max(heard.last) } else { since };
    let patience = match (heard.packets, heard.pauses) {
        (0, _) => NOTHING_AFTER,
        (_, false) => SILENT_AFTER,
        (_, true) => PAUSE_AFTER,
    };
    if ended.map_or(own.taken, |ended| ended.min(own.taken)).since(from) < patience {
        return None;
    }
    // What was dropped while the party was heard is not what is missing.
    let [strangers, unproven] = own.dropped_since();
    let second = (heard.packets > 0).then(|| seconds(answered, from));
    match (own.stranger, own.unproven_from) {
        (Some(from), _) if strangers >= ASTRAY => return Some(What::Stranger { from, count: strangers, second }),
        (_, Some(from)) if unproven >= ASTRAY => return Some(What::Unproven { from, count: unproven }),
        _ => {}
    }
    Some(if heard.packets > 0 {
        // What came before the parties agreed came another way, as far as a firewall is concerned.
        let is_short = heard.last.since(heard.first) < BLOCKED_WITHIN && heard.last >= since;
        match is_short {
            true => What::Blocked { packets: heard.packets },
            false => What::OneWay { second: seconds(answered, from) },
        }
    } else if heard.others > 0 {
        What::NoMedia { count: heard.others }
    } else {
        What::Nothing { reports: heard.rtcp > 0 }
    })
}

/// What is wrong with what is heard of `peer`.
fn flaw(own: &LegCounters, other: &LegCounters, peer: &Peer) -> Option<What> {
    let heard = &own.heard;
    let (loss, beyond) = (heard.loss(), heard.loss_at(&other.heard));
    let jitter = heard.mean_jitter().unwrap_or(0);
    let is_enough = heard.expected() >= ENOUGH;
    // Pictures may pause as they like, and those of some encodings are sent in another order than they are shown.
    let is_audio = peer.terms.media == Media::Audio;
    if heard.foreign >= FOREIGN {
        Some(What::Foreign { payload_type: heard.foreign_type, packets: heard.foreign })
    } else if is_enough && loss >= HEAVY_LOSS {
        Some(What::Lost { share: loss })
    } else if is_enough && beyond >= HEAVY_LOSS {
        Some(What::LostBeyond { share: beyond })
    } else if is_audio && heard.gap >= LONG_GAP {
        Some(What::Gap { millis: heard.gap / 1000 })
    } else if is_audio && is_enough && jitter >= HEAVY_JITTER {
        Some(What::Jitter { millis: jitter / 1000 })
    } else {
        None
    }
}

/// A number with two places, given in hundredths.
struct Hundredths(u32);

impl fmt::Display for Hundredths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests;
