//! Forwarding a request: what is written into it (`headers`), what is kept, and off it goes (RFC 3261 §16.6).

use super::body::{cut_out, description, obstacle};
use super::branch::BranchKey;
use super::cause::Cause;
use super::hide::{Secrets, Way};
use super::hop::Hop;
use super::io::{Leg, SendError, Side, Sink};
use super::media::{Exchange, Passing};
use super::message::Received;
use super::stored::Stored;
use super::transaction::{Part, State, Transaction};
use super::{Engine, branch};
use crate::host::Host;
use crate::log_class::{self as class, log};
use crate::sip::Method;
use crate::sip::edit::Edits;
use crate::sip::via::Transport;
use crate::table::Handle;
use crate::time::Instant;
use core::net::SocketAddr;

mod headers;

pub(super) use headers::{opens_dialogs, write_content_length};

use headers::OwnVia;

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
        if own.is_ipv4() != hop.to.host().to_canonical().is_ipv4() {
            return Err(Cause::OtherFamily);
        }
        // A binding, or a token, of before the LAN had other addresses.
        if hop.side == Side::Lan && !self.is_place_of_phone(hop.to.host()) {
            return Err(Cause::Unreachable);
        }
        let sender_side = received.origin.side();
        let phone = if sender_side == Side::Lan { received.from.host() } else { hop.to.host() };
        let secrets = self.secrets(phone);
        let mapped = self.mapped_call_id(received, sender_side, hop.side, &secrets)?;
        let call_id = msg.get(head.call_id);
        let lan_call_id = if sender_side == Side::Lan { call_id } else { mapped.as_deref().unwrap_or(call_id) };
        let between =
            self.between(received, lan_call_id, (sender_side, received.from.host()), (hop.side, hop.to.host()));
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
            self.end_call(found.call, format_args!("{}", cause.remedy()), now, out);
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
        let hidden = hop.side == Side::Wan && self.settings().topology_hiding;
        match obstacle(msg) {
            Some(cause) if (found.is_some() && may_describe(head.method)) || (hidden && cause == Cause::Encoding) => {
                // What ends or acknowledges something must arrive, and says so without a body as well.
                if !matches!(head.method, Method::Ack | Method::Bye | Method::Cancel) {
                    return Err(cause);
                }
                cut_out(msg, edits).map_err(|_| Cause::TooLarge)?;
            }
            _ => self.pass_media(received, hop, found, edits, out)?,
        }
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
        // The ACK of a 2xx is a request by itself, and has no answer.
        let is_answered = head.method != Method::Ack || hop.of_invite.is_some();
        let stored = if is_answered { Stored::of(received) } else { None };
        let hidden_vias =
            if hidden { stored.as_ref().map(|stored| stored.vias.of(&stored.text)) } else { Some(&[][..]) };
        let call_id = passage.call_id.unwrap_or(msg.get(head.call_id));
        let stamp = known
            .and_then(|handle| self.transactions.get(handle))
            .map(|t| t.stamp)
            .or(hop.of_invite.map(|invite| invite.stamp))
            .unwrap_or_else(|| self.stamp(now));
        let seal = hidden_vias
            .filter(|_| is_answered && !super::hang_up::is_nowhere(received.on))
            .map(|vias| self.seal_via(received, (hop, stamp), hidden, vias, call_id));
        let branch = branch::text(&key, attempt, &loop_part);
        let via = OwnVia { channel, branch, seal: seal.unwrap_or_default(), stamp, hides: hidden };
        self.write_headers(received, passage, &via, edits).map_err(|_| Cause::TooLarge)?;
        // What is kept of a branch repeats its CANCEL.
        let is_stored = head.method != Method::Ack && !(head.method == Method::Cancel && hop.fork.is_some());
        if is_stored && known.is_none() {
            self.open_transaction(received, passage, &via, (loop_part, attempt), stored, edits, now)?;
        }
        if hop.side == Side::Wan {
            self.buckets.expect(hop.to.host());
        }
        let parts = edits.parts(msg.bytes());
        let sent = self.send_again(channel, hop.to, &parts, out);
        if sent.is_ok() {
            self.note_request(received, found, &parts, now);
        }
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

    /// Notes what the answers to a request need.
    #[expect(clippy::too_many_arguments, reason = "one step of pass_on, which has no state to put them in")]
    fn open_transaction(
        &mut self,
        received: &Received<'_>,
        passage: &Passage<'_>,
        via: &OwnVia,
        (loop_part, attempt): (branch::LoopPart, u8),
        stored: Option<Stored>,
        edits: &Edits,
        now: Instant,
    ) -> Result<(), Cause> {
        let Passage { hop, key, found, .. } = *passage;
        let head = &received.head;
        let mut request_uri = super::binding::UriText::new();
        let is_changed = edits.touches(received.request_uri());
        if (is_changed || head.method == Method::Invite)
            && !edits.render(received.msg.bytes(), received.request_uri(), &mut request_uri)
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
            downstream_on: via.channel,
            attempt,
            others: hop.spare.is_any(),
            hidden: via.hides,
            opens_dialog: head.to_tag.is_empty() && head.method != Method::Cancel,
            stamp: via.stamp,
            registers: hop.registers.clone(),
            own_server: hop.own_server,
            call: found.filter(|f| f.same_dialog).map(|f| f.call),
            request_uri,
            // Where the Vias pass through, they need not be kept, however many a provider puts on.
            stored: stored.or_else(|| Stored::call_id_only(received).filter(|_| !via.hides)).ok_or(Cause::TooLarge)?,
        };
        if self.transactions.insert(transaction, now) {
            self.shortages.over(Cause::TransactionsFull);
            return Ok(());
        }
        if hop.fork.is_some() {
            // Its refusal must not pass by the seal.
            return Err(Cause::TransactionsFull);
        }
        self.go_without_transaction(received, via)
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
    ) -> Result<Option<super::hide::CallId>, Cause> {
        let way = match (from, to) {
            (Side::Lan, Side::Wan) => Way::ToWan,
            (Side::Wan, Side::Lan) => Way::ToLan,
            _ => return Ok(None),
        };
        if !self.settings().topology_hiding {
            return Ok(None);
        }
        self.mapped(received, secrets, way).map_err(|_| Cause::TooLarge)
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
        let passing = Passing { msg, description, found, exchange, in_dialog, sender_ip: received.from.host() };
        match self.pass_description(&passing, own, edits, out) {
            // The ACK itself must arrive, and nobody can be told.
            Err(Cause::Description) if method == Method::Ack => cut_out(msg, edits).map_err(|_| Cause::TooLarge),
            passed => passed,
        }
    }
}

/// Whether a request of this method may carry a session description of its call.
const fn may_describe(method: Method) -> bool {
    matches!(method, Method::Invite | Method::Update | Method::Prack | Method::Ack)
}
