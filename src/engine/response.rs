//! Responses: back along the way of their request (RFC 3261 §16.7).
//!
//! A response passes only with a Via of ours on top, whose branch names a transaction or whose seal opens. Both are keyed, so that
//! nobody can know one to whom no request of ours went.

use super::body::{cut_out, description};
use super::call::Found;
use super::forward::opens_dialogs;
use super::hide::Way;
use super::io::{Channel, Leg, SendError, Side, Sink};
use super::media::{CallResponse, Exchange, Passing};
use super::mention::Crossing;
use super::message::Received;
use super::own::HostAndPort;
use super::registrar::RegisterAnswered;
use super::sealed_via::{SealedVia, Vias};
use super::stored::Stored;
use super::transaction::{Registers, Transaction};
use super::{Engine, branch};
use crate::log_class as class;
use crate::sip::addr::NameAddr;
use crate::sip::edit::{EditError, Edits};
use crate::sip::via::Transport;
use crate::sip::{HeaderId, Method, StartLine};
use crate::span::Span;
use crate::table::Handle;
use crate::time::Instant;
use core::net::SocketAddr;

/// The way back of a response: what its transaction says, or where there is none the seal of our Via.
pub(super) struct Back {
    transaction: Option<Handle>,
    pub(super) to: SocketAddr,
    pub(super) on: Channel,
    /// The side that the request came from, and this response goes to.
    pub(super) side: Side,
    downstream: SocketAddr,
    downstream_side: Side,
    downstream_on: Channel,
    opens_dialog: bool,
    hidden: bool,
    call: Option<Handle>,
    registers: Registers,
    /// Of a REGISTER without a transaction: whether it ends the bindings that its 2xx does not name.
    pub(super) unregisters: bool,
    /// The Vias that were hidden, where there is no transaction to keep them.
    vias: Vias,
    /// Of a branch of a fork: the sender's transaction, and its own.
    fork: Option<(Handle, Handle)>,
}

impl Back {
    fn of(handle: Handle, t: &Transaction) -> Self {
        Self {
            transaction: Some(handle),
            to: t.upstream,
            on: t.upstream_on,
            side: if t.from_phone { Side::Lan } else { Side::Wan },
            downstream: t.downstream,
            downstream_side: t.downstream_side,
            downstream_on: t.downstream_on,
            opens_dialog: t.opens_dialog,
            hidden: t.hidden,
            call: t.call,
            registers: t.registers.clone(),
            unregisters: false,
            vias: Vias::new(),
            fork: t.part.fork().map(|sender| (sender, handle)),
        }
    }

    fn of_seal(sealed: SealedVia, on: Channel, received: &Received<'_>) -> Self {
        Self {
            transaction: None,
            to: sealed.upstream,
            on,
            side: if sealed.from_phone { Side::Lan } else { Side::Wan },
            downstream: received.from,
            downstream_side: sealed.downstream_side,
            downstream_on: received.on,
            opens_dialog: sealed.opens_dialog,
            hidden: sealed.hidden,
            call: None,
            registers: Registers::default(),
            unregisters: sealed.unregisters,
            vias: sealed.vias,
            fork: None,
        }
    }
}

impl Engine {
    /// Takes a response, from whomever.
    pub(super) fn response(&mut self, received: &Received<'_>, now: Instant, out: &mut dyn Sink) {
        let msg = received.msg;
        let StartLine::Response { status, .. } = msg.start() else { return };
        let back = match self.way_by_transaction(received) {
            Some((handle, attempt, back)) => {
                if (back.fork.is_some() && self.ends_on_branch(received, status, handle, now, out))
                    || self.is_kept_from_phone(received, status, attempt, handle, now, out)
                    || self.absorb_response(handle, status, out)
                    || self.is_too_late(received, status, handle)
                    || self.is_foreign_challenge(received, status, handle, now, out)
                {
                    return;
                }
                Some(back)
            }
            None if self.is_of_own_cancel(received) => return,
            None => self.way_by_seal(received, status, out),
        };
        let Some(back) = back else {
            log::debug!(target: class::PROXY, "response {status} from {} dropped: it answers no request of ours", received.from);
            return;
        };
        if self.own(back.side).is_none() {
            // The address may come back before the peer gives up repeating it; until then nothing would be hidden.
            log::info!(target: class::NET, "response {status} to {} not sent: {:?}", back.to, SendError::NoAddress);
            return;
        }
        let mut edits = Edits::new();
        if let Err(error) = self.write_response(received, status, &back, &mut edits, out) {
            log::warn!(target: class::SIP, "response {status} from {} dropped: {error:?}", received.from);
            if let Some(fork) = back.fork.filter(|_| status >= 300) {
                self.collect(received, fork, status, None, now, out);
            }
            return;
        }
        if let Some(fork) = back.fork
            && status >= 300
        {
            return self.collect(received, fork, status, Some(&edits), now, out);
        }
        let parts = edits.parts(msg.bytes());
        if let Err(error) = self.send_again(back.on, back.to, &parts, out) {
            log::info!(target: class::NET, "response {status} to {} not sent: {error:?}", back.to);
        }
        if let Some(handle) = back.transaction {
            self.transactions.response_sent(back.fork.map_or(handle, |(sender, _)| sender), status, &parts, now);
            self.transactions.answered(handle, status, now);
            if back.fork.is_some() && status >= 200 {
                self.accepted_on_branch(handle, status, now, out);
            }
        }
        if status >= 200 {
            self.final_response(received, status, &back, now, out);
        }
    }

    /// The transaction that a response is for, the number of the server that sent it, and the way back.
    fn way_by_transaction(&self, received: &Received<'_>) -> Option<(Handle, u8, Back)> {
        let method = received.head.cseq.method;
        let (key, attempt, _) = branch::parse(received.branch_text())?;
        let handle = self.transactions.find(&key, method == Method::Cancel)?;
        // RFC 3261 §17.1.3: the method counts too.
        let t = self.transactions.get(handle).filter(|t| t.method == method)?;
        // A server that was left speaks for itself.
        let downstream = if attempt == t.attempt { t.downstream } else { received.from };
        Some((handle, attempt, Back { downstream, ..Back::of(handle, t) }))
    }

    /// Whether a final response has been passed on, and this is neither that one again nor a 2xx of another branch (RFC 3261 §16.7
    /// step 5, RFC 6026 §7.2).
    fn is_too_late(&self, received: &Received<'_>, status: u16, handle: Handle) -> bool {
        let is_late = self.transactions.get(handle).is_some_and(|t| {
            let is_accepted = t.method == Method::Invite && (200..300).contains(&status);
            t.final_status != 0 && status != t.final_status && !is_accepted
        });
        if is_late {
            log::debug!(target: class::PROXY, "response {status} from {} dropped: the final one is through", received.from);
        }
        is_late
    }

    /// The way back of a response that no transaction is there for.
    fn way_by_seal(&mut self, received: &Received<'_>, status: u16, out: &mut dyn Sink) -> Option<Back> {
        let sealed = self.open_via(received)?;
        let is_from_wan = sealed.from_phone && sealed.downstream_side == Side::Wan;
        if is_from_wan && matches!(status, 401 | 407) && !self.may_challenge(received, sealed.hop, sealed.own_server) {
            Self::log_foreign_challenge(received, status, sealed.upstream);
            return None;
        }
        let on = match self.channel_to(sealed.upstream_local, sealed.upstream, sealed.upstream_by, out) {
            Ok(channel) => channel,
            Err(error) => {
                log::info!(target: class::NET, "response {status} to {} not sent: {error:?}", sealed.upstream);
                return None;
            }
        };
        let mut back = Back::of_seal(sealed, on, received);
        back.call = self.call_of_response(received, &back).filter(|found| found.same_dialog).map(|found| found.call);
        Some(back)
    }

    /// What a final response changes besides being passed on.
    fn final_response(&mut self, received: &Received<'_>, status: u16, back: &Back, now: Instant, out: &mut dyn Sink) {
        let msg = received.msg;
        let head = &received.head;
        if head.method == Method::Register {
            let aor = match back.transaction.and_then(|handle| self.transactions.get(handle)) {
                Some(t) => NameAddr::parse(&t.stored.text, t.stored.to)
                    .ok()
                    .and_then(|to| super::binding::aor_text(&t.stored.text, to.uri)),
                None => super::binding::aor_text(msg.bytes(), head.to.uri),
            };
            if let Some(domain) = aor.as_ref().filter(|_| (200..300).contains(&status)) {
                let domain = domain.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
                self.note_servers(received, domain, back.downstream.ip(), now, out);
            }
            if back.transaction.is_none() {
                if let Some(aor) = aor.filter(|_| (200..300).contains(&status)) {
                    self.registered_by_seal(received, &aor, back, now);
                }
                return;
            }
            let answered = RegisterAnswered {
                registrar: back.downstream,
                by: received.on.kind(),
                registers: &back.registers,
                removes_all: aor.as_deref().filter(|_| back.registers.removes_all),
            };
            return self.registered(msg, status, &answered, now);
        }
        if let Some(call) = back.call {
            // The tag that requests will be found by is hashed with the Call-ID of the LAN side.
            let call_id = self.lan_call_id(received, back);
            let to_tag = (!head.to_tag.is_empty()).then(|| {
                let tag = msg.get(head.to_tag);
                let on_lan = self.lan_tag(tag, back.downstream_side, back.side, back.to.ip());
                let call_id = call_id.as_deref().unwrap_or(msg.get(head.call_id));
                self.key.hash("call", &[call_id, on_lan.as_deref().unwrap_or(tag)])
            });
            let asked_by = self.found_for_response(received, back, call).map(|found| found.sender.other());
            let response = CallResponse { method: head.method, status, number: head.cseq.number, to_tag, asked_by };
            self.call_answered(call, &response, now, out);
        }
    }

    /// The Call-ID of the LAN side, where a response from the WAN has another one.
    fn lan_call_id(&self, received: &Received<'_>, back: &Back) -> Option<super::hide::CallId> {
        if back.downstream_side == Side::Lan || !self.settings().topology_hiding {
            return None;
        }
        let secrets = self.secrets(back.to.ip());
        self.map_call_id(received.msg.get(received.head.call_id), &secrets, Way::ToLan)
    }

    fn write_response(
        &mut self,
        received: &Received<'_>,
        status: u16,
        back: &Back,
        edits: &mut Edits,
        out: &mut dyn Sink,
    ) -> Result<(), EditError> {
        let msg = received.msg;
        self.pass_answer(received, status, back, edits, out);
        edits.delete(msg.leading())?;
        if status == 503 {
            // RFC 3261 §16.7 step 6: what one server says of itself says nothing about this router.
            edits.replace(msg.start_line(), b"SIP/2.0 500 Server Internal Error")?;
        }
        match (back.downstream_side, back.side) {
            (Side::Wan, _) => self.write_to_phone(received, status, back, edits)?,
            (Side::Lan, Side::Wan) => self.write_to_wan(received, back, edits)?,
            (Side::Lan, Side::Lan) => edits.delete(received.head.via_element.cut)?,
        }
        super::forward::write_content_length(msg, back.on, edits)
    }

    /// From the WAN to a phone: the Vias, From, To and Call-ID that it knows come back.
    fn write_to_phone(
        &self,
        received: &Received<'_>,
        status: u16,
        back: &Back,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let msg = received.msg;
        let head = &received.head;
        if back.hidden {
            let stored = back.transaction.and_then(|handle| self.transactions.get(handle)).map(|t| &t.stored);
            let stored_vias = stored.map_or(&back.vias[..], |stored| stored.vias.of(&stored.text));
            let mut vias = msg.headers().iter().filter(|h| h.id == HeaderId::Via);
            if let Some(first) = vias.next() {
                edits.replace(first.line, stored_vias)?;
            }
            vias.try_for_each(|via| edits.delete(via.line))?;
            match stored {
                Some(stored) => self.put_back_names(received, stored, edits)?,
                // The URIs of From and To stay as they are: tags and Call-ID name the dialog (RFC 3261 §12).
                None => self.map_back_call_id(received, back, Way::ToLan, edits)?,
            }
        } else {
            edits.delete(head.via_element.cut)?;
        }
        let secrets = self.secrets(back.to.ip());
        if back.hidden && self.settings().topology_hiding {
            self.map_dialogs(msg, &secrets, Way::ToLan, edits)?;
        }
        let (by, leg) = (back.on.kind(), received.on.kind());
        let crossing = Crossing { way: Way::ToLan, phone: back.to, by, leg, secrets: &secrets };
        self.mentions_in_headers(msg, &crossing, edits)?;
        self.mentions_in_body(msg, &crossing, edits)?;
        if head.method == Method::Register {
            if (200..300).contains(&status) {
                self.unmasquerade_contacts(msg, &back.registers, edits)?;
                self.shorten_expiry(msg, &back.registers, edits)?;
            }
        } else if back.opens_dialog
            && opens_dialogs(head.method)
            && (101..300).contains(&status)
            && !head.to_tag.is_empty()
        {
            self.append_record_route(received, back.on.kind(), edits)?;
        }
        Ok(())
    }

    /// Edits From, To and Call-ID into what the phone wrote.
    fn put_back_names(&self, received: &Received<'_>, stored: &Stored, edits: &mut Edits) -> Result<(), EditError> {
        let (msg, head) = (received.msg, &received.head);
        self.put_back(msg, HeaderId::From, stored.from.of(&stored.text), edits)?;
        self.put_back(msg, HeaderId::CallId, stored.call_id.of(&stored.text), edits)?;
        // The tag of To is the far end's; the name and the URI may have been changed.
        if let Ok(sent) = NameAddr::parse(&stored.text, stored.to)
            && let Some(to) = msg.header(HeaderId::To)
        {
            let sent_start = Span::new(stored.to.start, sent.uri.end).of(&stored.text);
            let start = Span::new(to.value.start, head.to.uri.end);
            if msg.get(start) != sent_start && head.to.bracketed == sent.bracketed {
                edits.replace(start, sent_start)?;
            }
        }
        Ok(())
    }

    /// Edits the Call-ID into that of the side that a response goes to.
    fn map_back_call_id(
        &self,
        received: &Received<'_>,
        back: &Back,
        way: Way,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let phone = if way == Way::ToLan { back.to.ip() } else { back.downstream.ip() };
        let call_id = received.head.call_id;
        match self.map_call_id(received.msg.get(call_id), &self.secrets(phone), way) {
            Some(mapped) => edits.replace(call_id, &mapped),
            None => Ok(()),
        }
    }

    fn put_back(
        &self,
        msg: &crate::sip::Message<'_>,
        id: HeaderId,
        value: &[u8],
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        match msg.header(id) {
            Some(header) if msg.get(header.value) != value => edits.replace(header.value, value),
            _ => Ok(()),
        }
    }

    /// Our Record-Route behind all others: the phone reverses the list (RFC 3261 §12.1.2), we are its first hop.
    fn append_record_route(
        &self,
        received: &Received<'_>,
        phone: Transport,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let msg = received.msg;
        let Some(own) = self.sent_by(Side::Lan) else { return Ok(()) };
        let last = msg.headers().iter().rfind(|h| h.id == HeaderId::RecordRoute);
        let at = last.map_or(msg.end_of_headers(), |h| h.line.end);
        edits
            .replace_fmt(Span::at(at), format_args!("Record-Route: <sip:{}{};lr>\r\n", HostAndPort(own), phone.param()))
    }

    /// From a phone to the WAN: nothing private leaves. Via, From, To, Call-ID and the other Record-Routes came from there.
    fn write_to_wan(&self, received: &Received<'_>, back: &Back, edits: &mut Edits) -> Result<(), EditError> {
        let msg = received.msg;
        let bytes = msg.bytes();
        edits.delete(received.head.via_element.cut)?;
        msg.delete_elements(HeaderId::RecordRoute, edits, |element| self.is_own_route(bytes, element))?;
        let StartLine::Response { status, .. } = msg.start() else { return Ok(()) };
        for element in msg.elements(HeaderId::Contact) {
            let Ok(contact) = NameAddr::parse(bytes, element.span) else { continue };
            // The Contacts of a redirection are other places, unless they are on the LAN (RFC 3261 §21.3).
            if !(300..400).contains(&status) || self.is_on_lan(bytes, &contact, back.downstream) {
                let phone = (back.downstream, back.downstream_on.kind());
                self.masquerade(bytes, &contact, phone, back.on.kind(), edits)?;
            }
        }
        let secrets = self.secrets(received.from.ip());
        let (by, leg) = (back.downstream_on.kind(), back.on.kind());
        let crossing = Crossing { way: Way::ToWan, phone: back.downstream, by, leg, secrets: &secrets };
        let is_hidden = self.settings().topology_hiding;
        if is_hidden {
            match back.transaction.and_then(|handle| self.transactions.get(handle)) {
                Some(t) => self.put_back(msg, HeaderId::CallId, t.stored.call_id.of(&t.stored.text), edits)?,
                None => self.map_back_call_id(received, back, Way::ToWan, edits)?,
            }
            self.map_dialogs(msg, &secrets, Way::ToWan, edits)?;
        }
        self.mentions_in_headers(msg, &crossing, edits)?;
        if is_hidden {
            const FROM_WAN: [HeaderId; 4] = [HeaderId::Via, HeaderId::From, HeaderId::To, HeaderId::RecordRoute];
            self.scrub(msg, &secrets, &FROM_WAN, edits)?;
        }
        let mut body = self.mentions_in_body(msg, &crossing, edits);
        if is_hidden && body.is_ok() {
            body = self.hide_body(msg, &secrets, edits);
        }
        if body.is_err() {
            log::warn!(target: class::SIP, "body of the {status} from {} cut out: too many addresses in it", received.from);
            cut_out(msg, edits)?;
        }
        Ok(())
    }

    /// The session description of a response. One that cannot be passed on is cut out: the response itself must arrive.
    fn pass_answer(
        &mut self,
        received: &Received<'_>,
        status: u16,
        back: &Back,
        edits: &mut Edits,
        out: &mut dyn Sink,
    ) {
        let msg = received.msg;
        let Some(call) = back.call else { return };
        let Some(description) = description(msg).filter(|_| status < 300) else { return };
        let Some(mut found) = self.found_for_response(received, back, call) else { return };
        // A retransmitted 2xx to the first INVITE is no new offer.
        found.same_dialog &=
            !self.calls.calls.get(call).is_some_and(|c| {
                c.answered && found.sender == Leg::Callee && received.head.cseq.number == c.invite_number
            });
        let Some(own) = self.own(back.side) else { return };
        let exchange = if status < 200 { Exchange::Answer } else { Exchange::FinalAnswer };
        let sender_ip = received.from.ip();
        let passing = Passing { msg, description, found, exchange, in_dialog: false, sender_ip };
        if let Err(cause) = self.pass_description(&passing, own, edits, out) {
            log::warn!(target: class::RTP, "description in the {status} from {} cut out: {}", received.from, cause.remedy());
            edits.clear();
            // Two edits fit into an empty list.
            let _ = cut_out(msg, edits);
        }
    }

    /// Which leg of its call faces the sender of a response.
    fn found_for_response(&self, received: &Received<'_>, back: &Back, call: Handle) -> Option<Found> {
        if back.fork.is_some() {
            return self.call_of_fork(Some(call), Leg::Callee);
        }
        self.call_of_response(received, back).filter(|found| found.call == call)
    }

    /// The call of a response, by its tags and Call-ID.
    fn call_of_response(&self, received: &Received<'_>, back: &Back) -> Option<Found> {
        let mapped = self.lan_call_id(received, back);
        let call_id = mapped.as_deref().unwrap_or(received.msg.get(received.head.call_id));
        let between =
            self.between(received, call_id, (back.downstream_side, back.downstream.ip()), (back.side, back.to.ip()));
        self.calls.find(&between, &self.transactions)
    }
}
