//! The lines about a call's end.

use super::Hundredths;
use crate::engine::call::{Call, Past};
use crate::engine::io::{Leg, LegCounters};
use crate::log_class::{self as class, log};
use crate::rtp::quality::Quality;
use crate::time::Instant;
use core::fmt;

/// The lines about a call's end: who, how long, what each party's media came to and how it was in the section `told`; and what was wrong.
pub(in crate::engine) fn log_call_end(call: &Call, why: fmt::Arguments<'_>, told: &[LegCounters; 2], now: Instant) {
    let [from, to] = call.names.each_ref().map(|name| name.escape_ascii());
    let [caller, callee] = [Leg::Caller, Leg::Callee].map(|leg| Sent::in_all(told, leg, &call.past));
    let (secs, strangers) = (now.since(call.started).as_secs(), call.past.strangers);
    log::info!(
        target: class::SIP,
        "call from {from} to {to} ended after {secs} s, {why}: caller sent {caller}; callee sent {callee}; strangers {strangers}",
    );
    if let Some(fault) = call.past.fault {
        log::warn!(target: class::RTP, "verdict on the call from {from} to {to}: {fault}");
    }
}

/// What one party sent: how much, and how it was heard.
pub(in crate::engine) struct Sent<'a> {
    packets: u32,
    bytes: u64,
    heard: &'a Quality,
    other: &'a Quality,
}

impl<'a> Sent<'a> {
    /// What the party on `leg` has sent in one section.
    pub(in crate::engine) fn of(legs: &'a [LegCounters; 2], leg: Leg) -> Self {
        let (own, other) = (&legs[leg as usize], &legs[leg.other() as usize]);
        Self { packets: own.packets, bytes: own.bytes, heard: &own.heard, other: &other.heard }
    }

    /// The same with the packets of all sections.
    fn in_all(legs: &'a [LegCounters; 2], leg: Leg, past: &Past) -> Self {
        Self { packets: past.packets[leg as usize], bytes: past.bytes[leg as usize], ..Self::of(legs, leg) }
    }
}

impl fmt::Display for Sent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { packets, bytes, heard, other } = self;
        write!(f, "{packets} packets ({bytes} bytes)")?;
        if heard.packets == 0 {
            return if heard.others > 0 { f.write_str(", no RTP") } else { Ok(()) };
        }
        write!(f, " of {}, lost {} %", heard.codec, Hundredths(heard.loss()))?;
        if other.reported.is_some() {
            write!(f, " and {} % beyond us", Hundredths(heard.loss_at(other)))?;
        }
        if let Some(micros) = heard.mean_jitter() {
            write!(f, ", jitter {} ms", Hundredths(micros / 10))?;
        }
        write!(f, ", longest gap {} ms", heard.gap / 1000)?;
        if let Some(micros) = heard.round_trip {
            write!(f, ", round trip {} ms", micros / 1000)?;
        }
        heard.score(other).map_or(Ok(()), |score| write!(f, ", MOS {}", Hundredths(score.into())))
    }
}
