//! Media: session descriptions rewritten, relays opened, aimed and closed (RFC 3264).
//!
//! Both parties of a call have a leg. What party X says in a description aims the leg that faces X; the description goes on
//! to party Y with the address and port of the leg that faces Y. That holds for offers and answers alike. An offer inside
//! a running call takes effect with its answer only, so that a refused one leaves the media as it was.

use super::call::{Between, Call, Found, Name, Relay};
use super::cause::Cause;
use super::io::{Leg, LegCounters, RelayCmd, RelayError, Side, Sink};
use super::message::Received;
use super::{Engine, log_call_end};
use crate::limits::{MAX_CALLS, MAX_SECTIONS};
use crate::log_class as class;
use crate::rtp::latch::{MAX_ALLOWED, Peer};
use crate::sdp::rewrite::{Decision, rewrite};
use crate::sdp::{Description, Section};
use crate::sip::edit::Edits;
use crate::sip::{Message, Method};
use crate::span::Span;
use crate::table::Handle;
use crate::time::Instant;
use core::net::{IpAddr, SocketAddr};

/// Ports that may turn out to be taken by other programs before a call is refused.
const MAX_PORT_TRIES: usize = 16;

/// What a description is in its exchange of offer and answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    /// In a request that may carry an offer.
    Offer,
    /// In a provisional response, or in its PRACK.
    Answer,
    /// In an ACK: the answer to an offer in the 2xx.
    Acknowledgement,
    /// In a 2xx.
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

impl Engine {
    /// Whom a message is between. `call_id` is the Call-ID as the LAN sees it.
    pub(super) fn between(
        &self,
        received: &Received<'_>,
        call_id: &[u8],
        sender: (Side, IpAddr),
        receiver: (Side, IpAddr),
    ) -> Between {
        let msg = received.msg;
        let digest = |tag: Span| {
            let on_lan = self.lan_tag(msg.get(tag), sender.0, receiver.0, receiver.1);
            self.key.hash("call", &[call_id, on_lan.as_deref().unwrap_or(msg.get(tag))])
        };
        let head = &received.head;
        Between {
            by_from: digest(head.from_tag),
            by_to: (!head.to_tag.is_empty()).then(|| digest(head.to_tag)),
            sender_is_from: !received.request_uri().is_empty(),
            sender,
            receiver,
        }
    }

    /// The call of a request, made for an offer where there is none yet, and whether it was made now. A retransmission
    /// whose call is over gets none.
    pub(super) fn call_of_request(
        &mut self,
        received: &Received<'_>,
        between: &Between,
        is_retransmission: bool,
        now: Instant,
    ) -> Result<(Option<Found>, bool), Cause> {
        if !self.settings().rtp_proxy_enable {
            return Ok((None, false));
        }
        let head = &received.head;
        let found = self.calls.find(between, &self.transactions);
        // An UPDATE with an offer is one of the messages that a call is first heard of by, after a restart (RFC 3311 §5.1).
        let in_dialog = !head.to_tag.is_empty();
        let updates = head.method == Method::Update && in_dialog && super::body::description(received.msg).is_some();
        if head.method != Method::Invite && (found.is_some() || !updates) {
            return Ok((found, false));
        }
        if let Some(found) = found {
            if let Some(call) = self.calls.calls.get_mut(found.call)
                && !call.answered
                && found.sender == Leg::Caller
            {
                call.invite_number = head.cseq.number;
            }
            return Ok((Some(found), false));
        }
        if is_retransmission {
            return Ok((None, false));
        }
        if self.calls.calls.len() >= self.settings().max_calls.min(MAX_CALLS) {
            let idle = self.calls.find_without_media().ok_or(Cause::CallsFull)?;
            self.calls.remove(idle);
        }
        let name = |addr: Span| {
            let text = received.msg.get(addr);
            Name::from_slice(text.get(..text.len().min(64)).unwrap_or_default()).unwrap_or_default()
        };
        // An offer with a To tag and no call is in a dialog that began before we did: its sender counts as the caller.
        let call = Call {
            digest: between.by_from,
            sides: [between.sender.0, between.receiver.0],
            parties: [between.sender.1, between.receiver.1],
            answered: in_dialog,
            forked: false,
            callee_tag: between.by_to,
            invite_number: if in_dialog { super::call::NO_INVITE } else { head.cseq.number },
            relays: heapless::Vec::new(),
            started: now,
            names: [name(head.from.uri), name(head.to.uri)],
        };
        let handle = self.calls.insert(call).ok_or(Cause::CallsFull)?;
        self.shortages.over(Cause::CallsFull);
        Ok((Some(Found { call: handle, sender: Leg::Caller, same_dialog: true }), true))
    }

    /// Reserves relay ports for an INVITE without a description: the callee will offer (RFC 3261 §13.2.1).
    pub(super) fn reserve(&mut self, call: Handle, out: &mut dyn Sink) -> Result<(), Cause> {
        match self.calls.calls.get(call) {
            Some(c) if c.relays.is_empty() => self.relay_for(call, 0, out).map(|_| ()),
            _ => Ok(()),
        }
    }

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
        let answered = self.calls.calls.get(passing.found.call).is_some_and(|c| c.answered);
        let is_answer = match passing.exchange {
            Exchange::Offer => false,
            Exchange::Answer | Exchange::FinalAnswer => self.has_pending(passing.found),
            Exchange::Acknowledgement => true,
        };
        let mut decisions = heapless::Vec::<Decision, MAX_SECTIONS>::new();
        for (number, section) in sdp.sections.iter().enumerate() {
            let decision = match self.pass_section(passing, number, section, answered, is_answer, out) {
                Ok(decision) => decision,
                // Inside a running call only the new section is lost.
                Err(cause) if answered => {
                    log::warn!(target: class::RTP, "a media section is declined: {}", cause.remedy());
                    Decision::Decline
                }
                Err(cause) => return Err(cause),
            };
            // The description has at most MAX_SECTIONS sections.
            let _ = decisions.push(decision);
        }
        if is_answer {
            self.apply_pending(passing.found.call, out);
        }
        rewrite(msg.bytes(), &sdp, own, &decisions, edits).map_err(|_| Cause::TooLarge)
    }

    fn pass_section(
        &mut self,
        passing: &Passing<'_>,
        number: usize,
        section: &Section,
        answered: bool,
        is_answer: bool,
        out: &mut dyn Sink,
    ) -> Result<Decision, Cause> {
        let found = passing.found;
        if section.port == 0 {
            if passing.exchange == Exchange::FinalAnswer && found.same_dialog {
                self.close_section(found.call, number, out);
            }
            return Ok(Decision::Keep);
        }
        let protocol = passing.msg.get(section.protocol);
        if protocol.get(..3).is_some_and(|p| p.eq_ignore_ascii_case(b"TCP")) {
            return Ok(Decision::Decline);
        }
        let handle = self.relay_for(found.call, number, out)?;
        let sender_side = self.side_of_leg(found.call, found.sender);
        let peer = self.peer_of(section, sender_side, passing.sender_ip);
        let Some(relay) = self.calls.relays.get_mut(handle) else { return Err(Cause::PortsExhausted) };
        let port = relay.ports[found.sender.other() as usize];
        if found.same_dialog {
            // An early dialog whose offer has been answered may be refused the next one (RFC 3311 §5.2).
            let is_new_offer = answered || (passing.in_dialog && relay.aimed.iter().all(Option::is_some));
            if is_new_offer && !is_answer {
                relay.pending[found.sender as usize] = Some(peer);
            } else {
                relay.pending[found.sender as usize] = None;
                relay.offered = false;
                relay.aimed[found.sender as usize] = Some(peer);
                self.calls.version = self.calls.version.wrapping_add(1);
                aim(handle, found.sender, peer, out);
            }
        }
        Ok(Decision::Relay(port))
    }

    fn side_of_leg(&self, call: Handle, leg: Leg) -> Side {
        self.calls.calls.get(call).map_or(Side::Wan, |c| c.sides[leg as usize])
    }

    /// What a section says about where its party's media comes from and goes to. From the WAN nothing is believed that would
    /// send media into the LAN.
    fn peer_of(&self, section: &Section, side: Side, signalling: IpAddr) -> Peer {
        let is_usable = |ip: &IpAddr| match side {
            Side::Lan => self.is_lan(*ip) || *ip == signalling,
            Side::Wan => *ip == signalling || self.is_on_wan(ip.to_canonical()),
        };
        let announced = section.address.filter(|ip| !ip.is_unspecified()).filter(is_usable);
        let rtcp_port = match section.rtcp {
            Some(rtcp) => rtcp.port,
            None if section.rtcp_mux => section.port,
            None => section.port.saturating_add(1),
        };
        let rtcp_ip = section.rtcp.and_then(|r| r.address).filter(is_usable).or(announced);
        let mut allowed = [None; MAX_ALLOWED];
        allowed[0] = announced;
        allowed[1] = Some(signalling).filter(|ip| Some(*ip) != announced);
        Peer {
            allowed,
            rtp: announced.map(|ip| SocketAddr::new(ip, section.port)),
            rtcp: rtcp_ip.map(|ip| SocketAddr::new(ip, rtcp_port)),
        }
    }

    /// Whether an address that somebody on the WAN names can be on the WAN: it must be nobody's but one host's, and not on
    /// the LAN. A private one can only be there if ours there is private too (RFC 1918, RFC 6598).
    pub(super) fn is_on_wan(&self, ip: IpAddr) -> bool {
        let is_private = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => {
                let [a, b, ..] = ip.octets();
                ip.is_private() || ip.is_link_local() || (a == 100 && (64..128).contains(&b))
            }
            IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
        };
        let is_single = match ip {
            IpAddr::V4(v4) => !v4.is_broadcast() && v4.octets()[0] != 0,
            IpAddr::V6(v6) => !v6.is_unspecified(),
        };
        let ours_is_private = self.addresses.of(Side::Wan).is_some_and(is_private);
        is_single
            && !ip.is_multicast()
            && !ip.is_loopback()
            && !self.is_lan(ip)
            && !self.addresses.is_on_lan_interface(ip)
            && (ours_is_private || !is_private(ip))
    }

    /// The relay of a section, opened if it has none.
    fn relay_for(&mut self, call: Handle, number: usize, out: &mut dyn Sink) -> Result<Handle, Cause> {
        let Some(c) = self.calls.calls.get(call) else { return Err(Cause::CallsFull) };
        if let Some(Some(handle)) = c.relays.get(number) {
            return Ok(*handle);
        }
        let (sides, answered) = (c.sides, c.answered);
        let handle = self.open_relay(call, sides, answered, out)?;
        if let Some(c) = self.calls.calls.get_mut(call) {
            while c.relays.len() <= number && c.relays.push(None).is_ok() {}
            if let Some(place) = c.relays.get_mut(number) {
                *place = Some(handle);
            }
        }
        Ok(handle)
    }

    fn open_relay(
        &mut self,
        call: Handle,
        sides: [Side; 2],
        offered: bool,
        out: &mut dyn Sink,
    ) -> Result<Handle, Cause> {
        let range = (self.settings().rtp_port_low, self.settings().rtp_port_high);
        let shared = self.addresses.of(Side::Lan) == self.addresses.of(Side::Wan);
        let relay = Relay { call, sides, ports: [0; 2], pending: [None; 2], aimed: [None; 2], offered };
        let handle = self.calls.relays.insert(relay).map_err(|_| Cause::CallsFull)?;
        let mut taken = heapless::Vec::<(Side, u16), { 2 * MAX_PORT_TRIES }>::new();
        let mut opened = Err(Cause::PortsExhausted);
        for _ in 0..MAX_PORT_TRIES {
            let Some(ports) = self.calls.take_ports(sides, shared, range, &mut self.random) else { break };
            match out.relay(RelayCmd::Open { relay: handle, sides, ports }) {
                Ok(_) => {
                    opened = Ok(ports);
                    break;
                }
                Err(RelayError::PortTaken(leg)) => {
                    // Kept back until the search ends, so that it is not tried again; the good one goes back at once.
                    let (bad, good) = (leg as usize, leg.other() as usize);
                    let _ = taken.push((sides[bad], ports[bad]));
                    self.calls.ports.give_back(sides[good], ports[good]);
                }
                Err(error) => {
                    self.calls.ports.give_back(sides[0], ports[0]);
                    self.calls.ports.give_back(sides[1], ports[1]);
                    opened = Err(match error {
                        RelayError::NoAddress(_) => Cause::NoInterface,
                        _ => Cause::PortsExhausted,
                    });
                    break;
                }
            }
        }
        for (side, port) in taken {
            self.calls.ports.give_back(side, port);
        }
        match opened {
            Ok(ports) => {
                if let Some(relay) = self.calls.relays.get_mut(handle) {
                    relay.ports = ports;
                }
                self.shortages.over(Cause::PortsExhausted);
                log::debug!(target: class::RTP, "relay opened on ports {} and {}", ports[0], ports[1]);
                Ok(handle)
            }
            Err(cause) => {
                self.calls.relays.remove(handle);
                Err(cause)
            }
        }
    }

    /// Whether the other party's offer waits for an answer.
    fn has_pending(&self, found: Found) -> bool {
        let Some(call) = self.calls.calls.get(found.call) else { return false };
        let other = found.sender.other() as usize;
        call.relays.iter().flatten().any(|h| self.calls.relays.get(*h).is_some_and(|r| r.pending[other].is_some()))
    }

    /// The offer is answered: what it said takes effect.
    fn apply_pending(&mut self, call: Handle, out: &mut dyn Sink) {
        let Some(c) = self.calls.calls.get(call) else { return };
        for handle in c.relays.iter().flatten() {
            let Some(relay) = self.calls.relays.get_mut(*handle) else { continue };
            relay.offered = false;
            for leg in [Leg::Caller, Leg::Callee] {
                if let Some(peer) = relay.pending[leg as usize].take() {
                    relay.aimed[leg as usize] = Some(peer);
                    self.calls.version = self.calls.version.wrapping_add(1);
                    aim(*handle, leg, peer, out);
                }
            }
        }
    }

    /// The offer of a request is refused, the sender of which is on the leg `from` if that is known: the media stays as it was. An
    /// offer that crossed it lives on (RFC 3261 §14.1).
    pub(super) fn discard_pending(&mut self, call: Handle, from: Option<Leg>, now: Instant, out: &mut dyn Sink) {
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
            self.end_call(call, "its only offer was refused", now, out);
        }
    }

    /// A final response to a request of this call: what becomes of its media. `number` and `to_tag` are the response's.
    pub(super) fn call_answered(&mut self, call: Handle, response: &CallResponse, now: Instant, out: &mut dyn Sink) {
        let Some(c) = self.calls.calls.get_mut(call) else { return };
        let is_success = (200..300).contains(&response.status);
        match response.method {
            Method::Invite if is_success && !c.answered => {
                c.answered = true;
                c.callee_tag = response.to_tag;
                let names = &c.names;
                log::info!(target: class::SIP, "call from {} to {} answered", names[0].escape_ascii(), names[1].escape_ascii());
            }
            Method::Invite if !is_success && !c.answered && response.number == c.invite_number => {
                self.end_call(call, "not answered", now, out);
            }
            Method::Invite | Method::Update | Method::Prack if !is_success => {
                self.discard_pending(call, response.asked_by, now, out);
            }
            // In an early dialog it ends that one alone; the INVITE is answered all the same (RFC 3261 §15).
            Method::Bye if c.answered && (is_success || matches!(response.status, 408 | 481)) => {
                self.end_call(call, "hung up", now, out);
            }
            _ => {}
        }
    }

    /// Ends a call: every relay is closed, every port given back.
    pub(super) fn end_call(&mut self, handle: Handle, why: &str, now: Instant, out: &mut dyn Sink) {
        let mut total = [LegCounters::default(); 2];
        let sections = self.calls.calls.get(handle).map_or(0, |c| c.relays.len());
        for number in 0..sections {
            let counted = self.close_section(handle, number, out);
            for (sum, leg) in total.iter_mut().zip(counted) {
                sum.packets = sum.packets.saturating_add(leg.packets);
                sum.bytes = sum.bytes.saturating_add(leg.bytes);
                sum.strangers = sum.strangers.saturating_add(leg.strangers);
            }
        }
        if let Some(call) = self.calls.remove(handle) {
            log_call_end(&call, why, total, now);
        }
    }

    fn close_section(&mut self, call: Handle, number: usize, out: &mut dyn Sink) -> [LegCounters; 2] {
        let Some(place) = self.calls.calls.get_mut(call).and_then(|c| c.relays.get_mut(number)) else {
            return Default::default();
        };
        let Some(handle) = place.take() else { return Default::default() };
        self.close_relay(handle, out)
    }

    fn close_relay(&mut self, handle: Handle, out: &mut dyn Sink) -> [LegCounters; 2] {
        let Some(relay) = self.calls.relays.remove(handle) else { return Default::default() };
        for (side, port) in relay.sides.iter().zip(relay.ports) {
            self.calls.ports.give_back(*side, port);
        }
        out.relay(RelayCmd::Close { relay: handle }).unwrap_or_default()
    }

    /// A relay has carried nothing for `rtp_timeout`: it is closed, and with the last one its call. While it rings there need be no
    /// media.
    pub(super) fn media_idle(&mut self, relay: Handle, now: Instant, out: &mut dyn Sink) {
        let Some(call) = self.calls.relays.get(relay).map(|r| r.call) else { return };
        let Some(c) = self.calls.calls.get(call) else { return };
        if !c.answered && self.transactions.awaits_answer(call) {
            return;
        }
        let others = c.relays.iter().flatten().any(|h| *h != relay);
        if !others {
            return self.end_call(call, "no media for rtp_timeout seconds", now, out);
        }
        if let Some(number) = c.relays.iter().position(|h| *h == Some(relay)) {
            self.close_section(call, number, out);
        }
    }
}

/// A final response, as far as media is concerned.
pub(super) struct CallResponse {
    pub(super) method: Method,
    pub(super) status: u16,
    /// CSeq number.
    pub(super) number: u32,
    /// Keyed hash of Call-ID and To tag.
    pub(super) to_tag: Option<super::call::Digest>,
    /// The leg of the request's sender.
    pub(super) asked_by: Option<Leg>,
}

pub(super) fn aim(relay: Handle, leg: Leg, peer: Peer, out: &mut dyn Sink) {
    if let Err(error) = out.relay(RelayCmd::Retarget { relay, leg, peer }) {
        log::warn!(target: class::RTP, "a relay could not be aimed: {error:?}");
    }
}
