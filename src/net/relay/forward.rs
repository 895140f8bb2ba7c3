//! The way of a datagram: taken from one leg's socket, judged, counted, sent from the other leg's.
//!
//! Everything here runs for each packet of each call: no system call besides receiving and sending, no allocation.

use super::batch::Received;
use super::dejitter::Way;
use super::leg::LegState;
use super::opening::register;
use super::place::{Place, Port};
use super::{Losses, Relay};
use crate::rtp::Kind;
use crate::rtp::latch::Verdict;
use crate::time::Instant;
use core::net::SocketAddr;

impl Relay {
    /// Takes up to `most` datagrams from a socket and relays them; `true` where there may be more.
    pub(super) fn forward(&mut self, place: Place, most: usize, now: Instant) -> bool {
        let Self { registry, slots, batch, losses, dejitter, taken, connects, dscp, .. } = self;
        let Some(slot) = slots.get_mut(place.slot) else { return false };
        if slot.incarnation != place.incarnation {
            return false;
        }
        let Some(open) = slot.open.as_mut() else { return false };
        let [from, to] = open.legs_of(place.leg);
        let rtcp = place.port == Port::Rtcp;
        let Some(socket) = from.socket(place.family, place.port) else { return false };
        let received = batch.receive(socket, place.family, most);
        *taken = taken.wrapping_add(batch.received.len() as u32);
        let way_out = to.way_out(rtcp);
        let mut has_held = false;
        for index in 0..batch.received.len() {
            let Some((source, payload)) = batch.datagram(index) else {
                losses.oversized = losses.oversized.wrapping_add(1);
                continue;
            };
            let kind = if rtcp { Kind::Rtcp } else { Kind::of(payload) };
            let verdict = judge(from, rtcp, source, kind);
            if verdict == Verdict::Accept && way_out.is_some() {
                accepted(from, to, rtcp, kind, payload, now);
                if let (Some(dejitter), Kind::Rtp { sequence, ssrc }) = (&mut *dejitter, kind) {
                    let way = Way { slot: place.slot, leg: place.leg, to, losses };
                    if dejitter.hold(way, payload, (sequence, ssrc), now) {
                        has_held = true;
                        continue;
                    }
                }
                batch.accept(index);
            } else {
                refused(from, verdict, source, losses);
            }
        }
        let has_sent = !batch.accepted.is_empty();
        if let Some(way_out) = way_out.filter(|_| has_sent) {
            let unsent = batch.send(way_out);
            losses.unsent = losses.unsent.wrapping_add(unsent as u32);
        }
        if has_sent || has_held {
            // Not before all that has come is taken, so that nothing is overtaken.
            if *connects && place.port == Port::Rtp && received == Received::Drained {
                from.connect(place.family, *dscp, |own| register(registry, own, Place { port: Port::Peer, ..place }));
            }
            open.active = now;
        }
        received == Received::Full
    }
}

/// Whether a datagram that came to a leg's socket is its peer's.
fn judge(from: &mut LegState, rtcp: bool, source: SocketAddr, kind: Kind) -> Verdict {
    if rtcp { from.latch.rtcp(source) } else { from.latch.rtp(source, kind) }
}

/// Counts a datagram that goes on to the other leg.
fn accepted(from: &mut LegState, to: &LegState, rtcp: bool, kind: Kind, payload: &[u8], now: Instant) {
    let counters = &mut from.counters;
    if !rtcp {
        counters.packets = counters.packets.wrapping_add(1);
        counters.bytes = counters.bytes.wrapping_add(payload.len() as u64);
    }
    match kind {
        Kind::Rtp { .. } => counters.heard.rtp(payload, &to.latch.peer().terms, now),
        Kind::Rtcp => counters.heard.rtcp(&to.counters.heard, payload, now),
        _ => counters.heard.other(),
    }
}

/// Counts a datagram that goes nowhere.
fn refused(from: &mut LegState, verdict: Verdict, source: SocketAddr, losses: &mut Losses) {
    let counters = &mut from.counters;
    match verdict {
        Verdict::Stranger => counters.drop_stranger(source),
        Verdict::Unproven => {
            losses.unproven = losses.unproven.wrapping_add(1);
            counters.drop_unproven(source);
        }
        Verdict::Accept => losses.unproven = losses.unproven.wrapping_add(1),
    }
}
