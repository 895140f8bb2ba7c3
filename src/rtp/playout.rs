//! When a packet of media is to go on, so that what comes unevenly leaves evenly (`rtp_input_dejitter`, `rtp_output_dejitter`).
//!
//! ```text
//!   sent      |    |    |    |         by the time stamps: even
//!   came        |      ||      |       each after a transit of its own
//!   due           |    |    |    |     time stamp + base + delay
//!              ^^^ what is left of the delay once the transit is taken off
//! ```
//! A packet's transit is its arrival less its time stamp, counted from an arbitrary origin. The lowest transit of the last two
//! seconds is that of a packet that waited nowhere: such a packet is held for the whole delay, one that waited on its way for what is
//! left of it, and one that waited longer goes at once. No packet is held for more than twice the delay.
//!
//! The base follows the lowest transit slowly, by 1/32 of the time that passes. So it keeps up with a sender's clock that is 3 % fast
//! or slow, and what the packets leave with is that much uneven at most. It jumps where following would take too long: where every
//! packet would be late, or held for more than twice the delay.
//!
//! A new source, a clock of another rate and a jump of time stamp or arrival by a second begin anew; so does the packet that a sender
//! marks as the first after a pause, if its clock stood still meanwhile.
//!
//! The packets of a key have one time stamp (RFC 4733 §2.5.1.2); each is as much later as its duration is longer. Where that does
//! not grow, as in the repetitions of the last one, or cannot be read, it is held for as long as the one before. So keys keep their
//! distances, and their place in what is said around them. Other packets have no time of their own: the further ones of one picture,
//! and what has a clock that no description tells. They are held for as long as one of the lowest transit.
//!
//! [`Playout::due`] is called for each packet in the order of arrival. No packet is due before one with a lower sequence number, unless
//! that one has come later than its own time. It has no allocation and no loop but over eight numbers.

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use super::format::{Codec, Terms};
use super::quality::{LONGEST_PACKET, MAX_JUMP, MAX_MISORDER, scale};
use crate::time::{Duration, Instant, micros};

/// The lowest transit is that of so many spans of time.
const SPANS: usize = 8;

/// A span is 2^18 µs, 262 ms: in eight of them are a hundred packets of 20 ms, of which some hardly waited on their way.
const SPAN_BITS: u32 = 18;

/// The base moves by 1/2^5 of the time that passes: faster than any clock drifts, and in 20 ms less than a millisecond.
const SLEW_BITS: u32 = 5;

/// When the packets of one party are to go on.
#[derive(Clone, Copy, Debug)]
pub struct Playout {
    /// For how long a packet of the lowest transit is held (µs).
    delay: i64,
    /// The codec of the last packet, and microseconds in a unit of its clock, times 65,536; zero where its clock is not known.
    codec: Codec,
    scale: u32,
    /// Whether there is an estimate: of which source, on which clock.
    is_begun: bool,
    ssrc: u32,
    clock: u32,
    /// Time stamp, arrival (µs) and transit (µs) of the last packet with a time of its own.
    timestamp: u32,
    arrival: u64,
    transit: i64,
    /// The lowest transit in each span, and the number of the last span.
    lows: [i64; SPANS],
    span: u64,
    /// The transit that is taken as the lowest.
    base: i64,
    /// For how long a packet of the lowest transit is held now (µs).
    hold: i64,
    key: Option<Key>,
    /// The highest sequence number, its source, and when that packet is due.
    newest: Option<(u16, u32, Instant)>,
}

/// The last key (RFC 4733).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    timestamp: u32,
    /// The duration in its first packet and in the last one, in units of its clock; `None` where it cannot be read.
    first: Option<u16>,
    last: Option<u16>,
    /// For how long the last packet is held (µs).
    hold: i64,
}

impl Playout {
    /// For packets that nothing is known of yet. A delay of zero is none.
    #[must_use]
    pub const fn new(delay: Duration) -> Self {
        Self {
            delay: micros(delay) as i64,
            codec: Codec::Unknown,
            scale: 0,
            is_begun: false,
            ssrc: 0,
            clock: 0,
            timestamp: 0,
            arrival: 0,
            transit: 0,
            lows: [i64::MAX; SPANS],
            span: 0,
            base: 0,
            hold: 0,
            key: None,
            newest: None,
        }
    }

    /// When an RTP packet that comes `now` is to go on: not before now, and at most twice the delay later. `terms` is what the party
    /// has said that it is for.
    pub fn due(&mut self, packet: &[u8], terms: &Terms, now: Instant) -> Instant {
        const MARKER: u8 = 0x80;
        let Some(&[_, second, s0, s1, t0, t1, t2, t3, x0, x1, x2, x3]) = packet.first_chunk() else { return now };
        let sequence = u16::from_be_bytes([s0, s1]);
        let timestamp = u32::from_be_bytes([t0, t1, t2, t3]);
        let ssrc = u32::from_be_bytes([x0, x1, x2, x3]);
        let codec = terms.codec(second & !MARKER);
        if codec != self.codec {
            (self.codec, self.scale) = (codec, codec.clock().map_or(0, scale));
        }
        let is_known = self.is_begun && ssrc == self.ssrc;
        let hold = if codec == Codec::Event {
            self.event(packet, is_known, timestamp, now.as_micros())
        } else if self.scale == 0 || is_known && timestamp == self.timestamp {
            self.hold
        } else {
            self.estimate(is_known, timestamp, second & MARKER != 0, now.as_micros());
            self.ssrc = ssrc;
            self.held(self.transit)
        };
        self.in_order(sequence, ssrc, now, now.after(Duration::from_micros(hold.unsigned_abs())))
    }

    /// Takes the transit of a packet with a time of its own; `is_known` where it is of the source of the last one.
    fn estimate(&mut self, is_known: bool, timestamp: u32, is_marked: bool, arrival: u64) {
        let elapsed = self.elapsed(arrival);
        let change = elapsed.wrapping_sub(self.advance(timestamp));
        let goes_on = is_known && self.scale == self.clock && change.unsigned_abs() < MAX_JUMP;
        self.transit = self.transit.wrapping_add(change);
        let is_late = self.transit > self.base.wrapping_add(self.delay);
        let stood_still = is_late && is_marked && elapsed > LONGEST_PACKET.into();
        if !goes_on || stood_still {
            (self.is_begun, self.clock, self.transit, self.base) = (true, self.scale, 0, 0);
            self.lows = [i64::MAX; SPANS];
        }
        (self.timestamp, self.arrival) = (timestamp, arrival);
        let lowest = self.lowest(arrival);
        let most = elapsed >> SLEW_BITS;
        let step = lowest.wrapping_sub(self.base).clamp(most.wrapping_neg(), most);
        self.base = self.base.wrapping_add(step).min(lowest.wrapping_add(self.delay));
        if self.base.wrapping_add(self.delay) < lowest {
            self.base = lowest;
        }
        self.hold = self.held(lowest);
    }

    /// For how long a packet of a key is held.
    fn event(&mut self, packet: &[u8], is_known: bool, timestamp: u32, arrival: u64) -> i64 {
        if !is_known || self.scale != self.clock {
            return self.hold;
        }
        let duration = duration(packet);
        let before = self.key.filter(|key| key.timestamp == timestamp);
        if let Some(before) = before.filter(|before| before.last == duration) {
            return before.hold;
        }
        let first = before.map_or(duration, |before| before.first);
        let later = duration.zip(first).map_or(0, |(duration, first)| u32::from(duration).wrapping_sub(first.into()));
        let change = self.elapsed(arrival).wrapping_sub(self.advance(timestamp.wrapping_add(later)));
        let is_near = change.unsigned_abs() < MAX_JUMP;
        let hold = if is_near { self.held(self.transit.wrapping_add(change)) } else { self.hold };
        self.key = Some(Key { timestamp, first, last: duration, hold });
        hold
    }

    /// Microseconds from the last packet with a time of its own until `arrival`.
    fn elapsed(&self, arrival: u64) -> i64 {
        i64::try_from(arrival.saturating_sub(self.arrival)).unwrap_or(i64::MAX)
    }

    /// Microseconds from that packet's time stamp to `timestamp`, forward or back.
    const fn advance(&self, timestamp: u32) -> i64 {
        let units = timestamp.wrapping_sub(self.timestamp) as i32 as i64;
        // Rounded: with clocks of no whole microseconds what is cut off would add up.
        units.wrapping_mul(self.scale as i64).wrapping_add(1 << 15) >> 16
    }

    /// The lowest transit lately, with that of now.
    fn lowest(&mut self, arrival: u64) -> i64 {
        let span = arrival >> SPAN_BITS;
        let passed = usize::try_from(span.saturating_sub(self.span)).unwrap_or(SPANS).min(SPANS);
        const _: () = assert!(SPANS.is_power_of_two(), "a span's place is its number's last bits");
        let slot = |span: u64| span as usize & (SPANS - 1);
        for passed in 0..passed {
            if let Some(low) = self.lows.get_mut(slot(span.wrapping_sub(passed as u64))) {
                *low = i64::MAX;
            }
        }
        self.span = span;
        if let Some(low) = self.lows.get_mut(slot(span)) {
            *low = self.transit.min(*low);
        }
        self.lows.into_iter().min().unwrap_or(self.transit)
    }

    /// For how long a packet of this transit is held.
    fn held(&self, transit: i64) -> i64 {
        self.base.wrapping_add(self.delay).wrapping_sub(transit).clamp(0, self.delay.saturating_mul(2))
    }

    /// Moves what is `due` behind what goes before it, and before what goes behind it.
    fn in_order(&mut self, sequence: u16, ssrc: u32, now: Instant, due: Instant) -> Instant {
        if let Some((newest, source, newest_due)) = self.newest {
            if source == ssrc && newest.wrapping_sub(sequence) <= MAX_MISORDER {
                return due.min(newest_due).max(now);
            }
            self.newest = Some((sequence, ssrc, due.max(newest_due)));
            return due.max(newest_due);
        }
        self.newest = Some((sequence, ssrc, due));
        due
    }
}

/// The duration of a key (RFC 4733 §2.3) in a packet of just that: one that is encrypted is longer.
const fn duration(packet: &[u8]) -> Option<u16> {
    match packet {
        [0x80, _, _, _, _, _, _, _, _, _, _, _, _, _, high, low] => Some(u16::from_be_bytes([*high, *low])),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
