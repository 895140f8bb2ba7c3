//! Media: session descriptions rewritten, relays opened, aimed and closed (RFC 3264).
//!
//! Both parties of a call have a leg. What party X says in a description aims the leg that faces X; the description goes on
//! to party Y with the address and port of the leg that faces Y. That holds for offers and answers alike. An offer inside
//! a running call takes effect with its answer only, so that a refused one leaves the media as it was.

mod call;
mod early;
mod end;
mod peer;
mod pending;
mod reserve;

pub(super) use early::Early;
pub(super) use end::CallResponse;
pub(super) use peer::{is_link_local_v6, is_private};

use super::Engine;
use super::body::decline_others;
use super::call::{Found, Relay};
use super::cause::Cause;
use super::io::{Leg, RelayCmd, Side, Sink};
use crate::family::Family;
use crate::limits::MAX_SECTIONS;
use crate::log_class::{self as class, log};
use crate::rtp::latch::Peer;
use crate::sdp::rewrite::{Decision, rewrite};
use crate::sdp::{Description, Section};
use crate::sip::Message;
use crate::sip::edit::Edits;
use crate::span::Span;
use crate::table::Handle;
use core::net::{IpAddr, SocketAddr};

/// What a description is in its exchange of offer and answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    /// In a request that may carry an offer.
    Offer,
    /// In a provisional response, in its PRACK, or in a 2xx of an early dialog to anything but its INVITE.
    Answer,
    /// In an ACK: the answer to an offer in the 2xx.
    Acknowledgement,
    /// In any other 2xx.
    FinalAnswer,
}

/// One message with a description on its way.
#[derive(Clone, Copy)]
pub(super) struct Passing<'a> {
    pub(super) msg: &'a Message<'a>,
    /// Where in `msg` it is.
    pub(super) description: Span,
    pub(super) found: Found,
    pub(super) exchange: Exchange,
    /// Whether it is a request with a To tag.
    pub(super) in_dialog: bool,
    /// The address that the sender's signalling comes from.
    pub(super) sender_ip: IpAddr,
}

/// Where a description stands in its call.
#[derive(Clone, Copy)]
struct Step {
    /// Whether the call has been answered before.
    answered: bool,
    /// Whether it is an offer that waits for its answer, since it may be refused and leave things as they are.
    is_new_offer: bool,
    /// Sections that it may have: an answer has those of its offer (RFC 3264 §6).
    sections: usize,
}

impl Passing<'_> {
    /// Whether a section that is declined here is over.
    fn closes(&self) -> bool {
        self.found.same_dialog && matches!(self.exchange, Exchange::FinalAnswer | Exchange::Acknowledgement)
    }
}

impl Engine {
    /// Rewrites the description in a message and aims the relays. `own` is our address towards the receiver.
    pub(super) fn pass_description(
        &mut self,
        passing: &Passing<'_>,
        own: IpAddr,
        edits: &mut Edits,
        out: &mut dyn Sink,
    ) -> Result<(), Cause> {
        let msg = passing.msg;
        let sdp = Description::parse(msg.bytes(), passing.description).map_err(|_| Cause::Description)?;
        // An ACK that comes again answers nothing.
        let is_repeated = passing.exchange == Exchange::Acknowledgement && !self.awaits_answer(passing.found);
        let found = Found { same_dialog: passing.found.same_dialog && !is_repeated, ..passing.found };
        let passing = &Passing { found, ..*passing };
        if passing.exchange == Exchange::Offer {
            self.meet_families(passing, &sdp, out)?;
        }
        decline_others(msg, passing.description, own, edits)?;
        self.turn_to_dialog(passing.found, Some(passing.found.sender), out);
        let Some(call) = self.calls.calls.get_mut(passing.found.call) else { return Err(Cause::CallsFull) };
        let answered = call.answered;
        call.caller_offered |= passing.exchange == Exchange::Offer && !passing.in_dialog;
        let (caller_offered, offered) = (call.caller_offered, call.relays.len());
        let same_dialog = passing.found.same_dialog;
        // What comes again, or from another dialog, answers nothing that waits in this one.
        let is_answer = same_dialog
            && match passing.exchange {
                Exchange::Offer => false,
                Exchange::Answer | Exchange::FinalAnswer => self.has_pending(passing.found),
                Exchange::Acknowledgement => true,
            };
        // An early dialog whose offer has been answered may be refused the next one (RFC 3311 §5.2).
        let may_be_refused = answered || (passing.in_dialog && self.has_exchanged(passing.found.call));
        let answers_invite = caller_offered && !answered && passing.found.sender == Leg::Callee;
        let has_offer = passing.exchange != Exchange::Offer && (is_answer || answers_invite || !same_dialog);
        let sections = if has_offer && !passing.in_dialog { offered } else { MAX_SECTIONS };
        let step = Step { answered, is_new_offer: may_be_refused && !is_answer, sections };
        let mut decisions = heapless::Vec::<Decision, MAX_SECTIONS>::new();
        for (number, section) in sdp.sections.iter().enumerate() {
            let decision = match self.pass_section(passing, number, section, (step, own), out) {
                Ok(decision) => decision,
                // In a dialog, or in a response, only the new section is lost.
                Err(cause) if passing.in_dialog || passing.exchange != Exchange::Offer => {
                    log::warn!(target: class::RTP, "a media section is declined: {}", cause.remedy());
                    Decision::Decline
                }
                Err(cause) => return Err(cause),
            };
            // The description has at most MAX_SECTIONS sections.
            let _ = decisions.push(decision);
        }
        if is_answer {
            self.apply_pending(passing.found, out);
        }
        if passing.closes() {
            // Some leave out what they decline, though each offered section must have its place (RFC 3264 §6).
            let sections = self.calls.calls.get(passing.found.call).map_or(0, |call| call.relays.len());
            for number in sdp.sections.len()..sections {
                self.close_section(passing.found.call, number, out);
            }
        }
        rewrite(msg.bytes(), &sdp, own, &decisions, edits).map_err(|_| Cause::TooLarge)
    }

    fn pass_section(
        &mut self,
        passing: &Passing<'_>,
        number: usize,
        section: &Section,
        (step, own): (Step, IpAddr),
        out: &mut dyn Sink,
    ) -> Result<Decision, Cause> {
        let found = passing.found;
        let receiver = found.sender.other();
        if section.port == 0 {
            if passing.closes() {
                self.close_section(found.call, number, out);
            } else if passing.exchange == Exchange::Answer && found.same_dialog && !step.answered {
                self.decline_for_now(found, number, out);
            }
            return Ok(Decision::Keep);
        }
        if number >= step.sections || !is_relayed(passing.msg.get(section.protocol)) {
            return Ok(Decision::Decline);
        }
        let [sender_side, receiver_side] = [found.sender, receiver].map(|leg| self.side_of_leg(found.call, leg));
        if let Some(family) = self.lacks(sender_side, section) {
            let remedy = Cause::MediaFamily(family).remedy();
            log::warn!(target: class::RTP, "nothing can be sent to the media of {}: {remedy}", passing.sender_ip);
            if passing.exchange == Exchange::Offer {
                return Ok(Decision::Decline);
            }
        }
        let mut peer = self.peer_of(passing.msg.bytes(), section, sender_side, passing.sender_ip);
        let mut families = [Family::of(own); 2];
        families[found.sender as usize] = peer.family.unwrap_or_else(|| self.family_on(sender_side));
        let handle = self.relay_for(found.call, number, families, step.is_new_offer, out)?;
        if let Some(family) = peer.family
            && let Err(cause) = self.add_family(handle, found.sender, family, out)
        {
            // An offer has been refused before: what is said in a response stands.
            log::warn!(target: class::RTP, "nothing can be sent to the media of {}: {}", passing.sender_ip, cause.remedy());
            (peer.rtp, peer.rtcp, peer.family) = (None, None, None);
        }
        // By what the receiver said last, or in signalling.
        let told = self.calls.relays.get(handle).and_then(|relay| relay.family_of(receiver));
        let told = told.and_then(|family| self.own_of(receiver_side, family)).unwrap_or(own);
        self.add_family(handle, receiver, Family::of(told), out)?;
        let Some(relay) = self.calls.relays.get_mut(handle) else { return Err(Cause::PortsExhausted) };
        peer.family = peer.family.or_else(|| relay.family_of(found.sender));
        if section.address.is_some_and(|ip| ip.is_unspecified())
            && let Some(before) = relay.aimed[found.sender as usize]
        {
            // RFC 3264 §8.4: who holds so takes nothing, but its music goes on from where its media has come so far.
            peer.also_allow(&before);
        }
        let port = relay.ports[receiver as usize];
        if found.same_dialog {
            if step.is_new_offer {
                relay.pending[found.sender as usize] = Some(peer);
            } else {
                relay.pending[found.sender as usize] = None;
                relay.offered = false;
                self.calls.version = self.calls.version.wrapping_add(1);
                settle(handle, relay, found.sender, peer, out);
            }
        }
        Ok(Decision::Relay(SocketAddr::new(told, port)))
    }

    /// Sees to it, before anything is changed, that each section of an offer can be spoken to in its family; refuses it where the
    /// sender's side of the router has no address of what all sections want, or no socket can be had for a section that there is.
    fn meet_families(&mut self, passing: &Passing<'_>, sdp: &Description, out: &mut dyn Sink) -> Result<(), Cause> {
        let Found { call, sender, .. } = passing.found;
        let side = self.side_of_leg(call, sender);
        let is_wanted = |section: &Section| section.port != 0 && is_relayed(passing.msg.get(section.protocol));
        let wanted = || sdp.sections.iter().enumerate().filter(|(_, section)| is_wanted(section));
        let mut lacking = wanted().map(|(_, section)| self.lacks(side, section));
        if let Some(family) = lacking.try_fold(None, |_, lacks| lacks.map(Some)).flatten() {
            return Err(Cause::MediaFamily(family));
        }
        for (number, section) in wanted() {
            let relay = self.calls.calls.get(call).and_then(|call| call.relays.get(number).copied().flatten());
            let host = self.host_of(section, side, passing.sender_ip.to_canonical());
            if let Some((relay, host)) = relay.zip(host) {
                self.add_family(relay, sender, Family::of(host), out)?;
            }
        }
        Ok(())
    }

    /// The family of the address that a section names, where we have none of it on `side`.
    fn lacks(&self, side: Side, section: &Section) -> Option<Family> {
        let family = Family::of(section.address.filter(|ip| !ip.is_unspecified())?);
        self.own_of(side, family).is_none().then_some(family)
    }

    fn side_of_leg(&self, call: Handle, leg: Leg) -> Side {
        self.calls.calls.get(call).map_or(Side::Wan, |c| c.sides[leg as usize])
    }
}

/// Whether a section of this transport protocol is relayed: what goes over UDP. `TCP/MSRP`, `TCP/TLS/BFCP`, `DCCP/RTP/AVP` do not.
fn is_relayed(protocol: &[u8]) -> bool {
    const OTHERS: [&[u8]; 3] = [b"TCP", b"DCCP", b"SCTP"];
    let transport = protocol.split(|byte| *byte == b'/').next().unwrap_or_default();
    !OTHERS.iter().any(|other| transport.eq_ignore_ascii_case(other))
}

/// Takes what the party on `leg` said for true.
fn settle(handle: Handle, relay: &mut Relay, leg: Leg, peer: Peer, out: &mut dyn Sink) {
    let other = relay.target(leg.other());
    relay.aimed[leg as usize] = Some(peer);
    if relay.goes_round() {
        log::warn!(target: class::RTP, "both parties of a call have their media at ports of other calls: it could go round, and goes nowhere");
    }
    for (leg, before) in [(leg, None), (leg.other(), other)] {
        // Whether RTCP has a port of its own is for both to say.
        if let Some(peer) = relay.target(leg).filter(|peer| Some(*peer) != before) {
            aim(handle, leg, peer, out);
        }
    }
}

pub(super) fn aim(relay: Handle, leg: Leg, peer: Peer, out: &mut dyn Sink) {
    if let Err(error) = out.relay(RelayCmd::Retarget { relay, leg, peer }) {
        log::warn!(target: class::RTP, "a relay could not be aimed: {error:?}");
    }
}
