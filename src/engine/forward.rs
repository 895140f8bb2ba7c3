//! Forwarding a request: what is written into it, what is kept, and off it goes (RFC 3261 §16.6).

use super::answer::Cause;
use super::body::{cut_out, description};
use super::branch::BranchKey;
use super::failover::Spare;
use super::fork::Part;
use super::hide::{Secrets, Way};
use super::io::{Channel, Leg, SendError, Side, Sink};
use super::media::{Exchange, Passing};
use super::mention::Crossing;
use super::message::Received;
use super::own::HostAndPort;
use super::sealed_via::SEAL_MARK;
use super::stored::Stored;
use super::transaction::{Registers, State, Transaction};
use super::{Engine, branch};
use crate::log_class as class;
use crate::sip::addr::NameAddr;
use crate::sip::edit::{EditError, Edits};
use crate::sip::token::LetterText;
use crate::sip::via::Transport;
use crate::sip::{HeaderId, Method};
use crate::span::Span;
use crate::table::Handle;
use crate::time::Instant;
use core::net::SocketAddr;

/// The next hop of a request, and what else belongs to the request.
#[derive(Clone, Debug)]
pub(super) struct Hop {
    pub(super) to: SocketAddr,
    pub(super) side: Side,
    pub(super) transport: Transport,
    /// Further servers, should that one fail.
    pub(super) spare: Spare,
    /// What a REGISTER changes once it is accepted.
    pub(super) registers: Registers,
    /// Whether the next hop may challenge the request.
    pub(super) own_server: bool,
    /// Of a CANCEL or the ACK of a refusal: what its Via has of its INVITE's, with which it is the same.
    pub(super) of_invite: Option<OfInvite>,
    /// Of a branch of a fork: the sender's transaction.
    pub(super) fork: Option<Handle>,
}

/// What the Via of a CANCEL or ACK has of its INVITE's (RFC 3261 §9.1, §17.1.1.3).
#[derive(Clone, Copy, Debug)]
pub(super) struct OfInvite {
    pub(super) loop_part: branch::LoopPart,
    pub(super) opens_dialog: bool,
}

impl Hop {
    /// A hop without anything else.
    pub(super) fn to(to: SocketAddr, side: Side) -> Self {
        Self {
            to,
            side,
            transport: Transport::Udp,
            spare: Spare::default(),
            registers: Registers::default(),
            own_server: true,
            of_invite: None,
            fork: None,
        }
    }

    /// The hop of a CANCEL or ACK whose INVITE has the transaction `t`.
    pub(super) fn of_invite(t: &Transaction) -> Self {
        Self {
            transport: t.downstream_on.kind(),
            own_server: t.own_server,
            fork: t.part.fork(),
            of_invite: Some(OfInvite { loop_part: t.loop_part, opens_dialog: t.opens_dialog }),
            ..Self::to(t.downstream, t.downstream_side)
        }
    }
}

/// One request on its way.
#[derive(Clone, Copy)]
struct Passage<'a> {
    hop: &'a Hop,
    /// Our address on that side.
    own: SocketAddr,
    key: BranchKey,
    /// Its transaction, where it is a retransmission.
    known: Option<Handle>,
    secrets: &'a Secrets,
    /// The Call-ID of the other side, where that differs.
    call_id: Option<&'a [u8]>,
    found: Option<super::call::Found>,
}

/// Our own Via of a request.
struct OwnVia {
    channel: Channel,
    branch: branch::Text,
    /// What must come back, sealed; empty where there is no response, or too much to be sealed.
    seal: LetterText,
    /// Whether it stands alone.
    hides: bool,
}

impl Engine {
    /// Forwards a request, or answers it. `edits` holds what the caller has changed already: request-URI, and the Contacts
    /// of a REGISTER.
    pub(super) fn forward_request(
        &mut self,
        received: &Received<'_>,
        mut hop: Hop,
        edits: &mut Edits,
        now: Instant,
        out: &mut dyn Sink,
    ) {
        let key = branch::key(&self.key, received);
        let is_cancel = received.head.method == Method::Cancel;
        let known = self.transactions.find(&key, is_cancel).filter(|_| received.head.method != Method::Ack);
        if let Some(handle) = known {
            if self.absorb_request(received, handle, out) {
                return;
            }
            self.same_or_next_server(handle, &mut hop, now);
        }
        if let Err(cause) = self.write_and_send(received, &hop, key, known, edits, now, out) {
            self.answer(received, cause, out);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one step of forward_request, which has no state to put them in")]
    pub(super) fn write_and_send(
        &mut self,
        received: &Received<'_>,
        hop: &Hop,
        key: BranchKey,
        known: Option<Handle>,
        edits: &mut Edits,
        now: Instant,
        out: &mut dyn Sink,
    ) -> Result<(), Cause> {
        let msg = received.msg;
        let head = &received.head;
        let own = self.sent_by(hop.side).ok_or(Cause::NoInterface)?;
        if own.is_ipv4() != hop.to.ip().to_canonical().is_ipv4() {
            return Err(Cause::OtherFamily);
        }
        let sender_side = received.origin.side();
        let phone = if sender_side == Side::Lan { received.from.ip() } else { hop.to.ip() };
        let secrets = self.secrets(phone);
        let mapped = self.mapped_call_id(received, sender_side, hop.side, &secrets);
        let call_id = msg.get(head.call_id);
        let lan_call_id = if sender_side == Side::Lan { call_id } else { mapped.as_deref().unwrap_or(call_id) };
        let between = self.between(received, lan_call_id, (sender_side, received.from.ip()), (hop.side, hop.to.ip()));
        let fork = hop.fork.and_then(|sender| self.transactions.get(sender)?.call);
        let (found, is_new) = match self.call_of_fork(fork, Leg::Caller) {
            Some(found) => (Some(found), false),
            None => self.call_of_request(received, &between, known.is_some(), now)?,
        };
        let passage = Passage { hop, own, key, known, secrets: &secrets, call_id: mapped.as_deref(), found };
        let sent = self.pass_on(received, &passage, edits, now, out);
        if let Err(cause) = sent
            && is_new
            && let Some(found) = found
        {
            self.end_call(found.call, cause.remedy(), now, out);
        }
        sent
    }

    fn pass_on(
        &mut self,
        received: &Received<'_>,
        passage: &Passage<'_>,
        edits: &mut Edits,
        now: Instant,
        out: &mut dyn Sink,
    ) -> Result<(), Cause> {
        let Passage { hop, key, known, found, .. } = *passage;
        let msg = received.msg;
        let head = &received.head;
        self.pass_media(received, hop, found, edits, out)?;
        let loop_part = hop.of_invite.map_or_else(|| branch::loop_part(&self.key, received), |invite| invite.loop_part);
        // A CANCEL and an ACK go to the server that has their INVITE now.
        let attempt = self
            .transactions
            .find(&key, false)
            .and_then(|handle| self.transactions.get(handle))
            .map_or(0, |t| t.attempt);
        let large = self.channel_for_large(hop.side, hop.to, msg.bytes().len()).filter(|_| hop.fork.is_none());
        let fallback = hop.spare.or_udp || (hop.transport != Transport::Tcp && large.is_some());
        let channel = match large {
            Some(channel) => Ok(channel),
            None => self.channel_to(hop.side, hop.to, hop.transport, out),
        };
        let channel = match channel {
            Ok(channel) => channel,
            Err(error) => {
                if let Some(handle) = known {
                    self.transactions.remove(handle);
                }
                return Err(self.not_sent(error, hop, now));
            }
        };
        let hidden = hop.side == Side::Wan && self.settings().topology_hiding;
        // The ACK of a 2xx is a request by itself, and has no answer.
        let is_answered = head.method != Method::Ack || hop.of_invite.is_some();
        let stored = if is_answered { Stored::of(received) } else { None };
        let hidden_vias =
            if hidden { stored.as_ref().map(|stored| stored.vias.of(&stored.text)) } else { Some(&[][..]) };
        let call_id = passage.call_id.unwrap_or(msg.get(head.call_id));
        let seal = hidden_vias.filter(|_| is_answered).map(|vias| self.seal_via(received, hop, hidden, vias, call_id));
        let branch = branch::text(&key, attempt, &loop_part);
        let via = OwnVia { channel, branch, seal: seal.unwrap_or_default(), hides: hidden };
        self.write_headers(received, passage, &via, edits).map_err(|_| Cause::TooLarge)?;
        // What is kept of a branch repeats its CANCEL.
        let is_stored = head.method != Method::Ack && !(head.method == Method::Cancel && hop.fork.is_some());
        if is_stored && known.is_none() {
            let mut request_uri = super::binding::UriText::new();
            let is_changed = edits.touches(received.request_uri());
            if (is_changed || head.method == Method::Invite)
                && !edits.render(msg.bytes(), received.request_uri(), &mut request_uri)
            {
                if is_changed {
                    return Err(Cause::TooLarge);
                }
                request_uri.clear();
            }
            let transaction = Transaction {
                state: State::Trying,
                deadline: now,
                final_status: 0,
                tried_at: now,
                failed: false,
                cancelled: false,
                part: hop.fork.map_or(Part::Alone, Part::Branch),
                kept: None,
                key,
                loop_part,
                method: head.method,
                upstream: received.reply_to(),
                upstream_on: received.on,
                from_phone: received.origin.side() == Side::Lan,
                downstream: hop.to,
                downstream_side: hop.side,
                downstream_on: channel,
                attempt,
                others: hop.spare.is_any(),
                hidden,
                opens_dialog: head.to_tag.is_empty() && head.method != Method::Cancel,
                registers: hop.registers.clone(),
                own_server: hop.own_server,
                call: found.filter(|f| f.same_dialog).map(|f| f.call),
                request_uri,
                // Where the Vias pass through, they need not be kept, however many a provider puts on.
                stored: stored.or_else(|| Stored::call_id_only(received).filter(|_| !hidden)).ok_or(Cause::TooLarge)?,
            };
            if self.transactions.insert(transaction, now) {
                self.shortages.over(Cause::TransactionsFull);
            } else if hop.fork.is_some() {
                // Its refusal must not pass by the seal.
                return Err(Cause::TransactionsFull);
            } else {
                self.go_without_transaction(received, &via)?;
            }
        }
        if hop.side == Side::Wan {
            self.buckets.expect(hop.to.ip());
        }
        let parts = edits.parts(msg.bytes());
        let sent = self.send_again(channel, hop.to, &parts, out);
        let opened = self.transactions.find(&key, head.method == Method::Cancel).filter(|_| head.method != Method::Ack);
        match (sent, opened) {
            (Ok(via), Some(handle)) => {
                self.transactions.sent_over(handle, via);
                let is_first = known.is_none();
                if hop.fork.is_some() {
                    self.transactions.branch_sent(&key, head.method, &parts, now);
                } else if is_first
                    && self.transactions.request_sent(handle, fallback, received, now)
                    && self.connections.is_open(via)
                {
                    Self::answer_trying(received, out);
                }
            }
            (Ok(_), None) if hop.fork.is_some() => self.transactions.branch_sent(&key, head.method, &parts, now),
            (Ok(_), None) if head.method == Method::Ack => self.transactions.ack_sent(&key, &parts),
            (Ok(_), None) => {}
            (Err(error), opened) => {
                log::info!(target: class::NET, "{} to {} not sent: {error:?}", received.method_name(), hop.to);
                if let Some(handle) = opened {
                    self.transactions.remove(handle);
                }
                return Err(self.not_sent(error, hop, now));
            }
        }
        Ok(())
    }

    /// Lets a request pass for which the table of transactions has no place, where its Via has all that must come back, and its sender
    /// repeats it should it be lost.
    fn go_without_transaction(&mut self, received: &Received<'_>, via: &OwnVia) -> Result<(), Cause> {
        let is_repeated = !received.on.is_reliable() || via.channel.is_reliable() || !received.head.to_tag.is_empty();
        if via.seal.is_empty() || !is_repeated {
            return Err(Cause::TransactionsFull);
        }
        if self.shortages.begins(Cause::TransactionsFull) {
            log::warn!(target: class::SIP, "the table of transactions is full: requests pass without one, and nobody is told when they get no answer");
        }
        Ok(())
    }

    /// What a request that could not be sent is answered with.
    fn not_sent(&mut self, error: SendError, hop: &Hop, now: Instant) -> Cause {
        match error {
            SendError::NoAddress => Cause::NoInterface,
            SendError::TooLarge => Cause::TooLarge,
            SendError::Busy => Cause::Unreachable,
            SendError::Closed | SendError::Unreachable => {
                self.server_failed(hop.to, now);
                Cause::Unreachable
            }
        }
    }

    /// The Call-ID as the other side knows it, where that differs.
    pub(super) fn mapped_call_id(
        &self,
        received: &Received<'_>,
        from: Side,
        to: Side,
        secrets: &Secrets,
    ) -> Option<super::hide::CallId> {
        let way = match (from, to) {
            (Side::Lan, Side::Wan) => Way::ToWan,
            (Side::Wan, Side::Lan) => Way::ToLan,
            _ => return None,
        };
        if !self.settings().topology_hiding {
            return None;
        }
        self.map_call_id(received.msg.get(received.head.call_id), secrets, way)
    }

    /// The session description of a request, or the reservation for one that will come.
    fn pass_media(
        &mut self,
        received: &Received<'_>,
        hop: &Hop,
        found: Option<super::call::Found>,
        edits: &mut Edits,
        out: &mut dyn Sink,
    ) -> Result<(), Cause> {
        let msg = received.msg;
        let method = received.head.method;
        let Some(found) = found else { return Ok(()) };
        let exchange = match method {
            Method::Invite | Method::Update => Exchange::Offer,
            // It answers the offer in the provisional response that it acknowledges, if there was one (RFC 3262 §5).
            Method::Prack => Exchange::Answer,
            Method::Ack => Exchange::Acknowledgement,
            _ => return Ok(()),
        };
        let Some(description) = description(msg) else {
            let is_first = method == Method::Invite && received.head.to_tag.is_empty();
            return if is_first { self.reserve(found.call, out) } else { Ok(()) };
        };
        let own = self.own(hop.side).ok_or(Cause::NoInterface)?;
        let in_dialog = !received.head.to_tag.is_empty();
        let passing = Passing { msg, description, found, exchange, in_dialog, sender_ip: received.from.ip() };
        match self.pass_description(&passing, own, edits, out) {
            // The ACK itself must arrive, and nobody can be told.
            Err(Cause::Description) if method == Method::Ack => cut_out(msg, edits).map_err(|_| Cause::TooLarge),
            passed => passed,
        }
    }

    fn write_headers(
        &self,
        received: &Received<'_>,
        passage: &Passage<'_>,
        via: &OwnVia,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let Passage { hop, own, secrets, call_id, .. } = *passage;
        let OwnVia { channel, branch, seal, hides: hidden } = via;
        let msg = received.msg;
        let head = &received.head;
        let mark = if seal.is_empty() { "" } else { SEAL_MARK };
        let our_via =
            format_args!("Via: SIP/2.0/{} {};branch={branch};rport{mark}{seal}\r\n", channel.name(), HostAndPort(own));
        edits.delete(msg.leading())?;
        edits.delete(blanks_behind(msg, msg.start_line()))?;
        let mut vias = msg.headers().iter().filter(|h| h.id == HeaderId::Via);
        if *hidden {
            if let Some(first) = vias.next() {
                edits.replace_fmt(first.line, our_via)?;
            }
            vias.try_for_each(|via| edits.delete(via.line))?;
        } else if let Some(first) = vias.next() {
            edits.replace_fmt(Span::at(first.line.start), our_via)?;
            head.via.fill_received(msg.bytes(), received.from, edits)?;
        }
        self.write_max_forwards(received, edits)?;
        self.write_route(received, hop.side, edits)?;
        // A NOTIFY may make the dialog of a SUBSCRIBE whose answer is not here yet (RFC 6665 §4.3).
        let may_open = head.to_tag.is_empty() || head.method == Method::Notify;
        if hop.side == Side::Lan && may_open && opens_dialogs(head.method) {
            self.write_record_route(received, own, hop.transport, edits)?;
        }
        if hop.side == Side::Wan && head.method != Method::Register {
            for element in msg.elements(HeaderId::Contact) {
                if let Ok(contact) = NameAddr::parse(msg.bytes(), element.span) {
                    let phone = (received.from, received.on.kind());
                    self.masquerade(msg.bytes(), &contact, phone, hop.transport, edits)?;
                }
            }
        }
        if let Some(call_id) = call_id {
            edits.replace(head.call_id, call_id)?;
        }
        let way = match (received.origin.side(), hop.side) {
            (Side::Lan, Side::Wan) => Some(Way::ToWan),
            (Side::Wan, Side::Lan) => Some(Way::ToLan),
            _ => None,
        };
        if let Some(way) = way {
            if self.settings().topology_hiding {
                self.map_dialogs(msg, secrets, way, edits)?;
            }
            let phone = if way == Way::ToWan { received.from } else { hop.to };
            let crossing = Crossing { way, phone, by: received.on.kind(), leg: hop.transport, secrets };
            self.mentions_in_headers(msg, &crossing, edits)?;
            self.mentions_in_body(msg, &crossing, edits)?;
        }
        if *hidden {
            self.scrub(msg, secrets, &[HeaderId::Via], edits)?;
            self.hide_body(msg, secrets, edits)?;
        }
        write_content_length(msg, *channel, edits)
    }

    /// Our Record-Route, so that what the phone sends in this dialog comes back here (RFC 3261 §16.6 step 4).
    fn write_record_route(
        &self,
        received: &Received<'_>,
        own: SocketAddr,
        phone: Transport,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let msg = received.msg;
        let at = msg.header(HeaderId::RecordRoute).map_or(msg.end_of_headers(), |h| h.line.start);
        edits
            .replace_fmt(Span::at(at), format_args!("Record-Route: <sip:{}{};lr>\r\n", HostAndPort(own), phone.param()))
    }

    fn write_max_forwards(&self, received: &Received<'_>, edits: &mut Edits) -> Result<(), EditError> {
        let msg = received.msg;
        let left = received.max_forwards().unwrap_or(super::message::DEFAULT_MAX_FORWARDS);
        match msg.header(HeaderId::MaxForwards) {
            Some(header) => edits.replace_fmt(header.value, format_args!("{}", left.saturating_sub(1))),
            None => edits.replace_fmt(Span::at(msg.end_of_headers()), format_args!("Max-Forwards: {left}\r\n")),
        }
    }

    /// Removes the Route elements at the top that name us (RFC 3261 §16.4); that of a strict router gives way to the target.
    fn write_route(&self, received: &Received<'_>, side: Side, edits: &mut Edits) -> Result<(), EditError> {
        let bytes = received.msg.bytes();
        // Whoever chose the hop has put a strict router's URI into the request-URI already.
        let is_strict = side == Side::Wan && edits.touches(received.request_uri());
        let strict = self.strict_next_hop(received).filter(|_| is_strict);
        let mut at_top = true;
        received.msg.delete_elements(HeaderId::Route, edits, |element| {
            at_top = at_top && self.is_own_route(bytes, element);
            at_top || strict.as_ref().is_some_and(|(router, _)| router.span == element.span)
        })?;
        if strict.is_some() { self.append_target(received, edits) } else { Ok(()) }
    }
}

/// The blanks behind a request line, a slip that must not be passed on (RFC 4475 §3.1.2.10).
fn blanks_behind(msg: &crate::sip::Message<'_>, line: Span) -> Span {
    let text = msg.get(line).trim_ascii_end();
    Span::from_usize(usize::from(line.start).saturating_add(text.len()), line.end.into())
}

/// Whether a request without a To tag opens a dialog (RFC 3261 §12, RFC 6665 §4.1, RFC 3515).
pub(super) const fn opens_dialogs(method: Method) -> bool {
    matches!(method, Method::Invite | Method::Subscribe | Method::Refer | Method::Notify)
}

/// Sets Content-Length to what the body has become; over TCP there must be one (RFC 3261 §18.3).
pub(super) fn write_content_length(
    msg: &crate::sip::Message<'_>,
    channel: Channel,
    edits: &mut Edits,
) -> Result<(), EditError> {
    let body = msg.body();
    let length = edits.edited_len(body);
    // A message may say it twice, as long as it says the same.
    let mut lines = msg.headers().iter().filter(|header| header.id == HeaderId::ContentLength);
    if edits.touches(body) {
        lines.try_for_each(|header| edits.replace_fmt(header.value, format_args!("{length}")))
    } else if channel.is_reliable() && lines.next().is_none() {
        edits.replace_fmt(Span::at(msg.end_of_headers()), format_args!("Content-Length: {length}\r\n"))
    } else {
        Ok(())
    }
}
