//! Offers inside a running call: they wait for their answer, and a refused one leaves no trace.

use super::settle;
use crate::engine::Engine;
use crate::engine::call::Found;
use crate::engine::io::{Leg, Sink};
use crate::table::Handle;
use crate::time::Instant;

impl Engine {
    /// Whether the other party's offer waits for an answer.
    pub(super) fn has_pending(&self, found: Found) -> bool {
        let Some(call) = self.calls.calls.get(found.call) else { return false };
        let other = found.sender.other() as usize;
        call.relays.iter().flatten().any(|h| self.calls.relays.get(*h).is_some_and(|r| r.pending[other].is_some()))
    }

    /// Whether there is an offer for the sender to answer: one that waits, or the first of its call.
    pub(super) fn awaits_answer(&self, found: Found) -> bool {
        let Some(call) = self.calls.calls.get(found.call) else { return false };
        let mut relays = call.relays.iter().flatten().filter_map(|handle| self.calls.relays.get(*handle));
        self.has_pending(found) || relays.any(|relay| relay.aimed[found.sender as usize].is_none())
    }

    /// The offer of the party that `found` is not the sender of is answered: what it said takes effect. One of the sender's own
    /// that crossed it waits on.
    pub(super) fn apply_pending(&mut self, found: Found, out: &mut dyn Sink) {
        let Some(c) = self.calls.calls.get(found.call) else { return };
        let (own, offerer) = (found.sender, found.sender.other());
        for handle in c.relays.iter().flatten() {
            let Some(relay) = self.calls.relays.get_mut(*handle) else { continue };
            relay.offered &= relay.pending[own as usize].is_some();
            if let Some(peer) = relay.pending[offerer as usize].take() {
                self.calls.version = self.calls.version.wrapping_add(1);
                settle(*handle, relay, offerer, peer, out);
            }
        }
    }

    /// The offer of a request is refused, the sender of which is on the leg `from` if that is known: the media stays as it was. An
    /// offer that crossed it lives on (RFC 3261 §14.1).
    pub(in crate::engine) fn discard_pending(
        &mut self,
        call: Handle,
        from: Option<Leg>,
        now: Instant,
        out: &mut dyn Sink,
    ) {
        let Some(c) = self.calls.calls.get(call) else { return };
        let offers = |leg: &Leg| {
            let mut relays = c.relays.iter().flatten().filter_map(|handle| self.calls.relays.get(*handle));
            relays.any(|relay| relay.pending[*leg as usize].is_some())
        };
        // One that has offered nothing has asked for an offer.
        let from = from.filter(offers);
        for number in 0..c.relays.len() {
            let Some(Some(handle)) = self.calls.calls.get(call).and_then(|c| c.relays.get(number).copied()) else {
                continue;
            };
            let Some(relay) = self.calls.relays.get_mut(handle) else { continue };
            match from {
                Some(leg) => relay.pending[leg as usize] = None,
                None => relay.pending = [None; 2],
            }
            if relay.offered && relay.pending.iter().all(Option::is_none) {
                self.close_section(call, number, out);
            }
        }
        // A dialog that we first heard of by this offer: nothing is left of it.
        if self.calls.calls.get(call).is_some_and(|c| c.relays.iter().all(Option::is_none)) {
            self.end_call(call, format_args!("its only offer was refused"), now, out);
        }
    }
}
