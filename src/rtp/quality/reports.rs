//! What a party reports: what it sends itself, and what it hears.

use super::{Quality, Reported};
use crate::rtp::rtcp::{self, Block, Report, SenderReport};
use crate::time::{Duration, Instant};

/// No round trip takes longer (µs).
const MAX_ROUND_TRIP: u32 = 10_000_000;

/// By so much (µs) a delay may be longer than the time that has passed, on a clock that ticks in hundredths: the way is short then.
const TICK: u64 = 10_000;

/// With a delay of zero, the longest time (µs) for which it is believed: phones whose clocks tick in milliseconds say so when two reports
/// cross, and one that does not measure the delay seldom reports so soon.
const AT_ONCE: u32 = 10_000;

/// A sender from which nothing has come for so long does not send, or is not heard.
const STILL: Duration = Duration::from_secs(2);

/// Packets by which its own count may be ahead where it does not send: some were sent before we listened, or are on their way. One that is
/// not heard is further ahead by then.
const AHEAD: u32 = 50;

impl Quality {
    /// Takes an RTCP datagram of this party on its way to `other`.
    pub fn rtcp(&mut self, other: &Self, datagram: &[u8], now: Instant) {
        self.rtcp = self.rtcp.wrapping_add(1);
        let Some(reports) = rtcp::reports(datagram) else {
            self.unreadable = self.unreadable.wrapping_add(1);
            return;
        };
        for report in reports {
            match report {
                Report::Sender(sender) => self.sends(&sender, now),
                Report::Block(block) if other.window != 0 && block.ssrc == other.ssrc => self.heard(other, &block, now),
                Report::Block(_) => {}
            }
        }
    }

    /// This party says how much it has sent. If that is what has come, and nothing comes, it pauses: some phones send no comfort noise.
    fn sends(&mut self, report: &SenderReport, now: Instant) {
        let counted = self.expected.saturating_sub(self.earlier);
        let is_all = report.packets <= counted.saturating_add(AHEAD) || report.packets == self.sent;
        let is_still = self.window != 0 && report.ssrc == self.ssrc && now.since(self.last) >= STILL;
        self.pauses |= is_still && is_all;
        self.sent = report.packets;
        self.sent_reports = [(report.ntp_middle, now.as_micros() as u32), self.sent_reports[0]];
    }

    /// This party reports on what `other` sends. One that has lost more than there was has counted something else.
    fn heard(&mut self, other: &Self, block: &Block, now: Instant) {
        if block.lost > other.expected.saturating_add(other.forgiven) {
            return;
        }
        let worst = self.reported.map_or(0, |reported| reported.worst).max(block.fraction_lost);
        let jitter = other.micros(block.jitter & 0x7fff_ffff);
        let jitter = u32::try_from(jitter).unwrap_or(u32::MAX);
        self.reported = Some(Reported { lost: block.lost, worst, jitter });
        // Who reports twice on the same SR may not count on how long it has been.
        if block.last_sr == 0 || block.last_sr == self.answered {
            return;
        }
        if let Some((_, at)) = other.sent_reports.iter().find(|(ntp, _)| *ntp == block.last_sr) {
            let elapsed = (now.as_micros() as u32).wrapping_sub(*at);
            // Most often it says that the party does not measure it (RFC 3550 §6.4.1 has zero for `no report yet`).
            if block.delay == 0 && elapsed > AT_ONCE {
                return;
            }
            self.answered = block.last_sr;
            // 1,000,000 / 65,536
            let held = u64::from(block.delay).wrapping_mul(15_625) >> 10;
            let elapsed = u64::from(elapsed);
            let is_credible = held <= elapsed.saturating_add(TICK);
            let round_trip = is_credible.then(|| u32::try_from(elapsed.saturating_sub(held)).ok()).flatten();
            self.round_trip = round_trip.filter(|trip| *trip < MAX_ROUND_TRIP).or(self.round_trip);
        }
    }
}
