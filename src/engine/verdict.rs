//! The verdict on a call: what its media came to, and one sentence where something is wrong with it.
//!
//! A relay counts what each party sent ([`LegCounters`]); signalling knows what each was to send. Where they differ there is a
//! [`Fault`], and the gravest one of a call is told. `docs/verdict.md` has each sentence with its causes and remedies.
//!
//! What is no fault: a call that was not answered, or is over at once; a party on hold, in whichever of its forms; a camera that is off;
//! a fax (no RTP); pauses of a phone that sends nothing while nobody speaks; anything of a call that began before we did, until it is
//! negotiated again.

use super::call::{Call, Past, Relay};
use super::io::{Leg, LegCounters, Side};
use crate::log_class as class;
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

/// Expected packets from which a loss can be judged.
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
    NothingAtAll,
    /// It came from an address that nobody announced, and was dropped.
    Stranger {
        /// The last such address.
        from: SocketAddr,
        /// Datagrams dropped.
        count: u32,
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

/// What is wrong with a section, whose call was answered at `answered`.
pub(super) fn judge(relay: &Relay, legs: &[LegCounters; 2], answered: Instant) -> Option<Fault> {
    let [Some(caller), Some(callee)] = &relay.aimed else { return None };
    let peers = [caller, callee];
    let of = |leg: Leg| {
        let (own, other) = (&legs[leg as usize], &legs[leg.other() as usize]);
        silence(own, other, peers, answered).or_else(|| flaw(own, other))
    };
    let found = [of(Leg::Caller), of(Leg::Callee)];
    let (what, leg) = match found {
        [Some(What::Nothing { .. }), Some(What::Nothing { .. })] => (What::NothingAtAll, Leg::Caller),
        [Some(one), Some(other)] if stopped(one) && stopped(other) => {
            let last = legs[0].heard.last.max(legs[1].heard.last);
            (What::Silent { second: seconds(answered, last) }, Leg::Caller)
        }
        [Some(one), Some(other)] if other < one => (other, Leg::Callee),
        [Some(one), _] => (one, Leg::Caller),
        [None, Some(other)] => (other, Leg::Callee),
        [None, None] => return None,
    };
    let announced = peers.map(|peer| peer.rtp);
    Some(Fault { what, leg, sides: relay.sides, announced, port: relay.ports[leg as usize] })
}

const fn stopped(what: What) -> bool {
    matches!(what, What::Blocked { .. } | What::OneWay { .. })
}

/// Seconds from `start` to `end`.
fn seconds(start: Instant, end: Instant) -> u32 {
    u32::try_from(end.since(start).as_secs()).unwrap_or(u32::MAX)
}

/// Why nothing is heard of a party that should be heard.
fn silence(own: &LegCounters, other: &LegCounters, peers: [&Peer; 2], answered: Instant) -> Option<What> {
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
    if own.taken.since(from) < patience {
        return None;
    }
    match (own.stranger, own.unproven_from) {
        (Some(from), _) if own.strangers >= ASTRAY => return Some(What::Stranger { from, count: own.strangers }),
        (_, Some(from)) if own.unproven >= ASTRAY => return Some(What::Unproven { from, count: own.unproven }),
        _ => {}
    }
    Some(if heard.packets > 0 {
        let is_short = heard.last.since(heard.first) < BLOCKED_WITHIN && heard.last >= since.min(heard.first);
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

/// What is wrong with what is heard.
fn flaw(own: &LegCounters, other: &LegCounters) -> Option<What> {
    let heard = &own.heard;
    let (loss, beyond) = (heard.loss(), heard.loss_at(&other.heard));
    let is_enough = heard.expected() >= ENOUGH;
    if heard.foreign >= FOREIGN {
        Some(What::Foreign { payload_type: heard.foreign_type, packets: heard.foreign })
    } else if is_enough && loss >= HEAVY_LOSS {
        Some(What::Lost { share: loss })
    } else if is_enough && beyond >= HEAVY_LOSS {
        Some(What::LostBeyond { share: beyond })
    } else if heard.gap >= LONG_GAP {
        Some(What::Gap { millis: heard.gap / 1000 })
    } else if heard.mean_jitter() >= HEAVY_JITTER {
        Some(What::Jitter { millis: heard.mean_jitter() / 1000 })
    } else {
        None
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (who, other) = (Party(self, self.leg), Party(self, self.leg.other()));
        match self.what {
            What::NothingAtAll => f.write_str("nothing came from either party"),
            What::Stranger { from, count } => {
                write!(f, "nothing came from {who}, but {count} packets from {from}, which nobody announced: dropped")
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
        fault.announced[*leg as usize].map_or(Ok(()), |at| write!(f, " {}", at.ip()))
    }
}

/// A number with two places, given in hundredths.
struct Hundredths(u32);

impl fmt::Display for Hundredths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// Why a call ended whose BYE is not answered: nobody has sent anything for a while.
pub(super) const NO_ANSWER: &str = "no answer";

/// The lines about a call's end: who, how long, what each party's media came to and how it was in the section `told`; and what was wrong.
pub(super) fn log_call_end(call: &Call, why: &str, told: &[LegCounters; 2], now: Instant) {
    let [from, to] = call.names.each_ref().map(|name| name.escape_ascii());
    let [caller, callee] = [Leg::Caller, Leg::Callee].map(|leg| Sent { past: &call.past, told, leg });
    let (secs, strangers) = (now.since(call.started).as_secs(), call.past.strangers);
    log::info!(
        target: class::SIP,
        "call from {from} to {to} ended after {secs} s, {why}: caller sent {caller}; callee sent {callee}; strangers {strangers}",
    );
    let is_told = |fault: &Fault| why != NO_ANSWER || !matches!(fault.what, What::Silent { .. });
    if let Some(fault) = call.past.fault.filter(is_told) {
        log::warn!(target: class::RTP, "verdict on the call from {from} to {to}: {fault}");
    }
}

/// What one party sent, for the line about a call's end.
struct Sent<'a> {
    past: &'a Past,
    told: &'a [LegCounters; 2],
    leg: Leg,
}

impl fmt::Display for Sent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leg = self.leg as usize;
        write!(f, "{} packets ({} bytes)", self.past.packets[leg], self.past.bytes[leg])?;
        let (heard, other) = (&self.told[leg].heard, &self.told[self.leg.other() as usize].heard);
        if heard.packets == 0 {
            return if heard.others > 0 { f.write_str(", no RTP") } else { Ok(()) };
        }
        let (loss, jitter, gap) = (Hundredths(heard.loss()), Hundredths(heard.mean_jitter() / 10), heard.gap / 1000);
        write!(f, ", lost {loss} %, jitter {jitter} ms, longest gap {gap} ms")?;
        if let Some(micros) = heard.round_trip {
            write!(f, ", round trip {} ms", micros / 1000)?;
        }
        heard.score(other).map_or(Ok(()), |score| write!(f, ", MOS {}", Hundredths(score.into())))
    }
}
