//! Responses: back along the way of their request (RFC 3261 §16.7).
//!
//! A response passes only with a Via of ours on top, whose branch names a transaction or whose seal opens. Both are keyed, so that
//! nobody can know one to whom no request of ours went.

use super::Engine;
use super::body::{cut_out, description, obstacle};
use super::io::{Leg, SendError, Sink};
use super::media::{CallResponse, Exchange, Passing};
use super::message::Received;
use super::registrar::RegisterAnswered;
use crate::host::Host;
use crate::log_class::{self as class, log};
use crate::sip::addr::NameAddr;
use crate::sip::edit::Edits;
use crate::sip::{Method, StartLine};
use crate::table::Handle;
use crate::time::Instant;

mod headers;
mod way;

pub(super) use way::Back;

/// From here on a provisional response says that somebody is called (RFC 3261 §21.1).
const RINGING: u16 = 180;

impl Engine {
    /// Takes a response, from whomever.
    pub(super) fn response(&mut self, received: &Received<'_>, now: Instant, out: &mut dyn Sink) {
        let msg = received.msg;
        let StartLine::Response { status, .. } = msg.start() else { return };
        let back = match self.way_by_transaction(received) {
            Some((handle, _, back)) if super::hang_up::is_nowhere(back.on) => {
                return self.own_bye_answered(handle, status, now);
            }
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
            None => self.way_by_seal(received, status, now, out),
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
            let is_first = status >= 200 && self.transactions.get(handle).is_some_and(|t| t.final_status == 0);
            if is_first {
                self.after_hooks(handle, status, now);
                self.note_register_answered(handle, status, msg);
            }
            self.transactions.response_sent(back.fork.map_or(handle, |(sender, _)| sender), status, &parts, now);
            self.transactions.answered(handle, status, now);
            if back.fork.is_some() && status >= 200 {
                self.accepted_on_branch(handle, status, now, out);
            }
        }
        if status >= 200 {
            self.final_response(received, status, &back, now, out);
            if status < 300 {
                self.note_accepted(received, &back, &parts, now);
            }
        }
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
                self.note_servers(received, domain, back.downstream.host(), now, out);
            }
            if back.transaction.is_none() {
                if let Some(aor) = aor.filter(|_| (200..300).contains(&status)) {
                    self.refusals.forget(&aor, back.to.host());
                    self.registered_by_seal(received, &aor, back, now);
                }
                return;
            }
            let answered = RegisterAnswered {
                registrar: back.downstream,
                phone: back.to.host(),
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
                let on_lan = self.lan_tag(tag, back.downstream_side, back.side, back.to.host());
                let call_id = call_id.as_deref().unwrap_or(msg.get(head.call_id));
                self.key.hash("call", &[call_id, on_lan.as_deref().unwrap_or(tag)])
            });
            let asked_by = self.found_for_response(received, back, call).map(|found| found.sender.other());
            let response = CallResponse { method: head.method, status, number: head.cseq.number, to_tag, asked_by };
            self.call_answered(call, &response, now, out);
        }
    }

    /// The first phone of a call has said that it rings, or that it lets something be heard before the answer.
    fn rings(&mut self, call: Handle) {
        let Some(call) = self.calls.calls.get_mut(call).filter(|call| !call.rings && !call.answered) else { return };
        call.rings = true;
        let [from, to] = call.names.each_ref().map(|name| name.escape_ascii());
        log::info!(target: class::SIP, "call from {from} to {to} rings");
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
        if status >= 300 {
            return;
        }
        let Some(mut found) = self.found_for_response(received, back, call) else { return };
        let Some(c) = self.calls.calls.get(call) else { return };
        let (answered, is_invite) = (c.answered, received.head.method == Method::Invite);
        let is_first = is_invite && found.sender == Leg::Callee && received.head.cseq.number == c.invite_number;
        if is_first && (RINGING..200).contains(&status) {
            self.rings(call);
        }
        // A retransmitted 2xx is no new offer, and no answer to the one that was made since.
        let is_repeated =
            back.transaction.and_then(|handle| self.transactions.get(handle)).is_some_and(|t| t.final_status != 0);
        found.same_dialog &= !(answered && is_first || is_repeated);
        let obstacle = obstacle(msg);
        if let Some(cause) = obstacle {
            log::warn!(target: class::RTP, "body of the {status} from {} cut out: {}", received.from, cause.remedy());
            // Two edits fit into an empty list.
            let _ = cut_out(msg, edits);
        }
        let Some(description) = description(msg).filter(|_| obstacle.is_none()) else {
            if status >= 200 && is_first && found.same_dialog {
                self.answered_without_description(found, out);
            }
            return;
        };
        let Some(own) = self.own(back.side) else { return };
        // What answers PRACK or UPDATE in one early dialog ends no section of the others.
        let is_final = status >= 200 && (answered || is_invite);
        let exchange = if is_final { Exchange::FinalAnswer } else { Exchange::Answer };
        let sender_ip = received.from.host();
        let passing = Passing { msg, description, found, exchange, in_dialog: false, sender_ip };
        if let Err(cause) = self.pass_description(&passing, own, edits, out) {
            log::warn!(target: class::RTP, "description in the {status} from {} cut out: {}", received.from, cause.remedy());
            edits.clear();
            // Two edits fit into an empty list.
            let _ = cut_out(msg, edits);
        }
    }
}
