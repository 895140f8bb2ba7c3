//! Early dialogs of one INVITE: what each has said of its media, while another one is heard (RFC 3261 §12.1, RFC 3262 §5).
//!
//! A call has one relay for each section, however many answer it, and its media comes from whoever spoke last. What the early
//! dialogs before have said waits here, in case one of them takes the call with a 2xx that says nothing more.

use crate::engine::Engine;
use crate::engine::call::{Calls, Digest, Found};
use crate::engine::io::{Leg, Sink};
use crate::log_class as class;
use crate::rtp::latch::Peer;
use crate::table::Handle;

/// What was said in an early dialog of one section, by the caller and by its callee.
#[derive(Debug)]
pub(in crate::engine) struct Early {
    call: Handle,
    /// The callee's tag, hashed.
    tag: Digest,
    section: usize,
    aimed: [Option<Peer>; 2],
    pending: [Option<Peer>; 2],
}

impl Calls {
    /// Forgets the early dialogs of a call: it is answered, or over.
    pub(in crate::engine) fn forget_early(&mut self, call: Handle) {
        while let Some(handle) = self.early.find(|early| early.call == call) {
            self.early.remove(handle);
        }
    }
}

impl Engine {
    /// An early dialog is heard: the relays turn to what was said in it so far, but for the party `speaking` that says it anew.
    pub(super) fn turn_to_dialog(&mut self, found: Found, speaking: Option<Leg>, out: &mut dyn Sink) {
        let Some(call) = self.calls.calls.get_mut(found.call).filter(|call| !call.answered) else { return };
        let Some(tag) = found.callee else { return };
        let Some(before) = call.early_tag.replace(tag).filter(|before| *before != tag) else { return };
        let caller_offered = call.caller_offered;
        for (section, handle) in call.relays.clone().into_iter().enumerate() {
            let is_it = |early: &Early| early.call == found.call && early.tag == tag && early.section == section;
            let said = self.calls.early.find(is_it).and_then(|early| self.calls.early.remove(early));
            let Some(relay) = handle.and_then(|handle| self.calls.relays.get_mut(handle)) else { continue };
            let (aimed, pending) = match said {
                Some(said) => (said.aimed, said.pending),
                // What the INVITE offers, it offers to all that answer.
                None => ([relay.aimed[0].filter(|_| caller_offered), None], [None; 2]),
            };
            let targets = [Leg::Caller, Leg::Callee].map(|leg| relay.target(leg));
            let early = Early {
                call: found.call,
                tag: before,
                section,
                aimed: core::mem::replace(&mut relay.aimed, aimed),
                pending: core::mem::replace(&mut relay.pending, pending),
            };
            for (leg, before) in [Leg::Caller, Leg::Callee].into_iter().zip(targets) {
                let target = relay.target(leg).filter(|peer| Some(*peer) != before && Some(leg) != speaking);
                if let Some((handle, peer)) = handle.zip(target) {
                    super::aim(handle, leg, peer, out);
                }
            }
            if self.calls.early.insert(early).is_err() {
                log::debug!(target: class::RTP, "too many early dialogs: what one has said of its media is forgotten");
            }
        }
        self.calls.version = self.calls.version.wrapping_add(1);
    }

    /// An early dialog declines a section. Others may want what the INVITE offered: it is closed when the call is answered.
    pub(super) fn decline_for_now(&mut self, found: Found, number: usize, out: &mut dyn Sink) {
        let handle = self.calls.calls.get(found.call).and_then(|call| call.relays.get(number).copied().flatten());
        let Some(relay) = handle.and_then(|handle| self.calls.relays.get_mut(handle)) else { return };
        if relay.offered {
            self.close_section(found.call, number, out);
            return;
        }
        relay.aimed[found.sender as usize] = None;
        relay.pending = [None; 2];
    }

    /// Whether offer and answer have been exchanged in the dialog that is heard now.
    pub(super) fn has_exchanged(&self, call: Handle) -> bool {
        self.calls
            .calls
            .get(call)
            .is_some_and(|call| call.relays.iter().flatten().any(|handle| self.is_agreed(*handle)))
    }

    /// Whether both parties want the section of this relay.
    fn is_agreed(&self, relay: Handle) -> bool {
        self.calls.relays.get(relay).is_some_and(|relay| relay.aimed.iter().all(Option::is_some))
    }

    /// The first 2xx to an INVITE has no description: what its early dialog has said before holds. Sections that were declined in
    /// there are closed.
    pub(in crate::engine) fn answered_without_description(&mut self, found: Found, out: &mut dyn Sink) {
        let is_its = |early: &Early| early.call == found.call && Some(early.tag) == found.callee;
        if self.calls.early.find(is_its).is_some() {
            self.turn_to_dialog(found, None, out);
        }
        let Some(call) = self.calls.calls.get(found.call).filter(|call| call.early_tag == found.callee) else { return };
        if !self.has_exchanged(found.call) {
            return;
        }
        for (number, handle) in call.relays.clone().into_iter().enumerate() {
            if handle.is_some_and(|handle| !self.is_agreed(handle)) {
                self.close_section(found.call, number, out);
            }
        }
    }
}
