//! What one party of a call sent, as far as RTP headers and RTCP tell: loss, jitter, gaps, the way back and forth.
//!
//! [`Quality::rtp`] is called for each packet that is relayed; it has no loop, no division and no floating point. Jitter is that of
//! RFC 3550 §6.4.1 as §A.8 computes it, in microseconds instead of time stamp units, so that it outlives a change of codec. Its
//! resolution is that of the time it is given: the moment of the wake-up that brought the packet.
//!
//! What is no fault: silence suppression (the sequence goes on where it stopped), the packets of one key or one picture (equal
//! time stamps), duplicates and reordering (what comes late within 32 packets is not lost), a new source (SSRC) with numbers of its own.

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod reports;

use super::format::{Codec, Terms};
use crate::time::{Duration, Instant};

/// A jump ahead of that many sequence numbers is a new beginning, not a loss (RFC 3550 §A.1).
const MAX_DROPOUT: u16 = 3000;

/// A packet that much behind is a late one; further behind it is a new beginning (RFC 3550 §A.1).
pub const MAX_MISORDER: u16 = 100;

/// A packet that is so much earlier or later than the one before (µs) is on another clock, or the sender's stood still.
pub(super) const MAX_JUMP: u64 = 1_000_000;

/// The longest time that one packet of audio stands for (µs): what is not longer is no pause of the sender.
pub(super) const LONGEST_PACKET: u32 = 120_000;

/// Numbers that rise faster than one in so many microseconds, by more than [`MAX_MISORDER`], are a new beginning: no one sends so fast.
const LEAST_STEP: u64 = 1000;

/// So long after a new description packets in the format of the old one are on their way.
const ON_THE_WAY: Duration = Duration::from_secs(2);

/// What a party says of what it hears (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// Packets that did not reach it, of the source that it hears now.
    pub lost: u32,
    /// The worst interval, in 1/256 of its packets.
    pub worst: u8,
    /// Interarrival jitter there, in microseconds.
    pub jitter: u32,
}

/// What one party sent, and what it says of what it heard. About 170 bytes, all zero at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quality {
    /// RTP packets, and their bytes without IP and UDP headers.
    pub packets: u32,
    /// See [`Self::packets`].
    pub bytes: u64,
    /// Datagrams on the RTP port that were neither RTP nor RTCP: UDPTL, DTLS, STUN.
    pub others: u32,
    /// RTCP datagrams.
    pub rtcp: u32,
    /// Of them, those that could not be read: encrypted, or not well formed.
    pub unreadable: u32,
    /// Packets that came twice, or too late to be of use.
    pub duplicates: u32,
    /// Sources (SSRC), or new beginnings of one.
    pub sources: u32,
    /// Packets of a payload type that the other party's description does not list, and that are not of before it.
    pub foreign: u32,
    /// The last such payload type.
    pub foreign_type: u8,
    /// The last encoding of sound or pictures.
    pub codec: Codec,
    /// Whether the sender pauses while nobody speaks.
    pub pauses: bool,
    /// The longest time without a packet in which the sender did not pause, in microseconds.
    pub gap: u32,
    /// The highest jitter, in microseconds.
    pub worst_jitter: u32,
    /// When the first packet came; meaningless without packets.
    pub first: Instant,
    /// When the last packet came; meaningless without packets.
    pub last: Instant,
    /// The round trip between us and this party by its latest report, in microseconds (RFC 3550 §6.4.1).
    pub round_trip: Option<u32>,
    /// What this party says of what it hears.
    pub reported: Option<Reported>,

    expected: u32,
    received: u32,
    /// What was expected of the sources before this one.
    earlier: u32,
    /// Packets that nobody waited for, because they are of before a new description: the other party may report them as lost.
    forgiven: u32,
    /// Whether the next packet ahead is the first one after a new description.
    resumes: bool,
    ssrc: u32,
    sequence: u16,
    /// Where a jump would go on, plus one.
    jumped_to: u32,
    /// The last 32 sequence numbers, one bit each if it came; the lowest bit is the last one. Zero before the first packet.
    window: u32,
    /// Time stamp and arrival (µs) of the packet that the next one is compared with.
    timestamp: u32,
    arrival: u32,
    /// Whether there is one.
    anchored: bool,
    /// The payload type of the last packet plus one, whether the other party takes it, and microseconds in a unit of its clock, times
    /// 65,536; zero where its clock is not known.
    payload: u8,
    takes: bool,
    /// Whether it is comfort noise.
    is_noise: bool,
    scale: u32,
    /// When what the parties agreed on changed last.
    agreed: Instant,
    /// Jitter in 1/16 µs, as RFC 3550 §A.8 keeps it; the sum of all its values in µs, and their number.
    jitter: u32,
    jitter_sum: u64,
    jitter_count: u32,
    /// Middle of the NTP time stamp, and arrival (µs), of this party's last two sender reports; the packets sent by the last one.
    sent_reports: [(u32, u32); 2],
    sent: u32,
    /// The sender report of the other party that the last round trip was told from.
    answered: u32,
}

impl Quality {
    /// Takes one RTP packet of this party. `terms` is what the other party takes.
    pub fn rtp(&mut self, packet: &[u8], terms: &Terms, now: Instant) {
        const MARKER: u8 = 0x80;
        let Some(&[_, second, s0, s1, t0, t1, t2, t3, x0, x1, x2, x3]) = packet.first_chunk() else { return };
        let sequence = u16::from_be_bytes([s0, s1]);
        let timestamp = u32::from_be_bytes([t0, t1, t2, t3]);
        let ssrc = u32::from_be_bytes([x0, x1, x2, x3]);
        let arrival = now.as_micros() as u32;
        self.bytes = self.bytes.wrapping_add(packet.len() as u64);
        if self.packets == 0 {
            self.first = now;
        }
        self.packets = self.packets.wrapping_add(1);
        let before = core::mem::replace(&mut self.last, now);
        if self.payload != (second & !MARKER).wrapping_add(1) {
            self.switch(second & !MARKER, terms);
        }
        if !self.takes && now.since(self.agreed) >= ON_THE_WAY {
            self.foreign = self.foreign.wrapping_add(1);
            self.foreign_type = second & !MARKER;
        }
        let elapsed = now.as_micros().saturating_sub(before.as_micros());
        let step = if self.window == 0 || ssrc != self.ssrc { 0 } else { sequence.wrapping_sub(self.sequence) };
        let is_new = match step {
            0 if self.window == 0 || ssrc != self.ssrc => return self.begin(ssrc, sequence, timestamp, arrival),
            0 => false,
            1..=MAX_DROPOUT if step <= MAX_MISORDER || elapsed >= u64::from(step).saturating_mul(LEAST_STEP) => {
                self.sequence = sequence;
                self.advance(step);
                self.jumped_to = 0;
                true
            }
            _ => match sequence_behind(step) {
                // 1 to MAX_MISORDER behind.
                Some(behind) => {
                    let bit = 1u32.checked_shl(behind.into()).unwrap_or(0);
                    let is_new = self.window & bit == 0 && bit != 0;
                    self.window |= bit;
                    is_new
                }
                None if self.jumped_to == u32::from(sequence).wrapping_add(1) => {
                    return self.begin(ssrc, sequence, timestamp, arrival);
                }
                None => {
                    self.jumped_to = u32::from(sequence.wrapping_add(1)).wrapping_add(1);
                    return;
                }
            },
        };
        if !is_new {
            self.duplicates = self.duplicates.wrapping_add(1);
            return;
        }
        self.received = self.received.wrapping_add(1);
        if self.is_noise {
            // Sent when there is something to say of the silence: neither it nor what comes next is late.
            self.anchored = false;
            return;
        }
        let elapsed = u32::try_from(elapsed).unwrap_or(u32::MAX);
        let advance = self.micros(timestamp.wrapping_sub(self.timestamp));
        let mut is_pause = false;
        if self.anchored && elapsed > LONGEST_PACKET {
            // The sender says so, or its clock has gone on while its numbers have not; where that clock is not known it may have.
            let in_step = self.scale == 0 || advance >= i64::from(elapsed.saturating_sub(elapsed / 4));
            is_pause = step == 1 && (second & MARKER != 0 || in_step);
            self.pauses |= is_pause;
        }
        if self.anchored && !is_pause {
            self.gap = self.gap.max(elapsed);
        }
        if self.anchored && timestamp == self.timestamp {
            return;
        }
        let late = i64::from(arrival.wrapping_sub(self.arrival) as i32).wrapping_sub(advance).unsigned_abs();
        // Some clocks stand still in a pause.
        if self.anchored && !is_pause && self.scale != 0 && late < MAX_JUMP {
            self.jitter = self.jitter.wrapping_add(late as u32).wrapping_sub(self.jitter.wrapping_add(8) >> 4);
            let micros = self.jitter >> 4;
            self.worst_jitter = self.worst_jitter.max(micros);
            self.jitter_sum = self.jitter_sum.wrapping_add(micros.into());
            self.jitter_count = self.jitter_count.wrapping_add(1);
        }
        (self.timestamp, self.arrival, self.anchored) = (timestamp, arrival, true);
    }

    /// Takes a datagram of this party on its RTP port that is neither RTP nor RTCP.
    pub fn other(&mut self) {
        self.others = self.others.wrapping_add(1);
    }

    /// A new description, or a hold: what comes next is not compared with what came before, and what is missing in between was not
    /// wanted.
    pub fn renegotiated(&mut self, now: Instant) {
        self.agreed = now;
        self.anchored = false;
        self.resumes = true;
        self.payload = 0;
    }

    /// Packets that did not come, of all sources.
    #[must_use]
    pub const fn lost(&self) -> u32 {
        self.expected.saturating_sub(self.received)
    }

    /// Packets that should have come, of all sources.
    #[must_use]
    pub const fn expected(&self) -> u32 {
        self.expected
    }

    /// Packets that did not come, in 1/10,000.
    #[must_use]
    pub fn loss(&self) -> u32 {
        self.share(self.lost())
    }

    /// Packets that came to us and did not reach `other`, by its last report, in 1/10,000.
    #[must_use]
    pub fn loss_at(&self, other: &Self) -> u32 {
        let reported = other.reported.map_or(0, |reported| reported.lost);
        self.share(reported.saturating_sub(self.lost()).saturating_sub(self.forgiven))
    }

    /// So many of all packets, in 1/10,000.
    fn share(&self, packets: u32) -> u32 {
        let share = u64::from(packets).saturating_mul(10_000).checked_div(self.expected.into());
        share.map_or(0, |share| u32::try_from(share).unwrap_or(u32::MAX).min(10_000))
    }

    /// The mean of the jitter after each packet, in microseconds; `None` before two packets of a known clock.
    #[must_use]
    pub fn mean_jitter(&self) -> Option<u32> {
        let mean = self.jitter_sum.checked_div(self.jitter_count.into())?;
        u32::try_from(mean).ok()
    }

    /// The estimated mean opinion score of what reaches `other`, times 100 (see [`super::mos`]). The loss is that on the way to us and from us; the delay is half of both round trips, a buffer of twice the jitter, and a packet of 20 ms.
    #[must_use]
    pub fn score(&self, other: &Self) -> Option<u16> {
        const PACKET: u32 = 20_000;
        if self.packets == 0 {
            return None;
        }
        let loss = self.loss().saturating_add(self.loss_at(other));
        let trips = self.round_trip.unwrap_or(0).saturating_add(other.round_trip.unwrap_or(0));
        let buffer = self.mean_jitter().unwrap_or(0).saturating_mul(2);
        super::mos::estimate(self.codec, loss, (trips >> 1).saturating_add(buffer).saturating_add(PACKET) / 1000)
    }

    /// The first packet of a source.
    fn begin(&mut self, ssrc: u32, sequence: u16, timestamp: u32, arrival: u32) {
        if self.window != 0 && ssrc == self.ssrc {
            // The other party may take this for a loss.
            self.forgiven = self.forgiven.wrapping_add(sequence.wrapping_sub(self.sequence).into());
        }
        self.earlier = self.expected;
        self.sources = self.sources.wrapping_add(1);
        self.expected = self.expected.wrapping_add(1);
        self.received = self.received.wrapping_add(1);
        // What is older than the first packet was never waited for.
        (self.ssrc, self.sequence, self.window, self.jumped_to, self.resumes) = (ssrc, sequence, u32::MAX, 0, false);
        (self.timestamp, self.arrival, self.anchored) = (timestamp, arrival, true);
    }

    /// A packet `step` numbers ahead.
    fn advance(&mut self, step: u16) {
        if core::mem::take(&mut self.resumes) {
            self.forgiven = self.forgiven.wrapping_add(u32::from(step.wrapping_sub(1)));
            self.expected = self.expected.wrapping_add(1);
            self.window = u32::MAX;
        } else {
            self.expected = self.expected.wrapping_add(step.into());
            self.window = self.window.checked_shl(step.into()).unwrap_or(0) | 1;
        }
    }

    /// Another payload type than that of the packet before.
    fn switch(&mut self, payload_type: u8, terms: &Terms) {
        self.payload = payload_type.wrapping_add(1);
        let codec = terms.codec(payload_type);
        // A pause is announced to nobody by old phones, and hurts nobody.
        self.is_noise = codec == Codec::ComfortNoise;
        self.takes = terms.takes(payload_type) || self.is_noise;
        self.pauses |= self.is_noise;
        if !codec.is_aside() || self.scale == 0 {
            self.codec = codec;
            let scale = codec.clock().map_or(0, scale);
            // Time stamps of two clocks cannot be compared (RFC 7160).
            self.anchored &= scale == self.scale;
            self.scale = scale;
        }
    }

    /// Time stamp units, forward or back, in microseconds.
    const fn micros(&self, units: u32) -> i64 {
        (units as i32 as i64).wrapping_mul(self.scale as i64) >> 16
    }
}

/// How far a sequence number is behind, from its step ahead modulo 65,536, if that is not too much.
const fn sequence_behind(step: u16) -> Option<u16> {
    match step.wrapping_neg() {
        behind @ 1..=MAX_MISORDER => Some(behind),
        _ => None,
    }
}

/// Microseconds in one unit of a clock, times 65,536.
#[expect(clippy::arithmetic_side_effects, reason = "no clock is zero")]
pub(super) const fn scale(clock: u32) -> u32 {
    ((1_000_000u64 << 16) / clock as u64) as u32
}

#[cfg(test)]
mod tests;
