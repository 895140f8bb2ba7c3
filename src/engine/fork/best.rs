//! The responses of a fork: what passes, what is kept, and the best of it (RFC 3261 §16.7).

use super::super::branch::BranchKey;
use super::super::cause::Cause;
use super::super::io::{Leg, Side};
use super::super::message::Received;
use super::super::transaction::Part;
use super::super::transaction::{State, Transaction, Transactions};
use super::super::{Engine, Sink};
use crate::host::Host;
use crate::log_class::{self as class, log};
use crate::sip::edit::Edits;
use crate::sip::{HeaderId, Method};
use crate::table::Handle;
use crate::time::Instant;

/// Which response of several is the better one, the lowest first (RFC 3261 §16.7 step 6). A phone that is silent says less than one
/// that refuses.
const fn rank(status: u16) -> u16 {
    match status {
        600.. => 0,
        401 | 407 | 415 | 420 | 484 => 400,
        408 => 402,
        400..=499 => 401,
        _ => status / 100 * 100,
    }
}

const fn is_challenge(status: u16) -> bool {
    matches!(status, 401 | 407)
}

impl Transactions {
    /// Takes the ACK of a fork's final response; `false` where there is none, or its ACK goes on to a phone.
    pub(in super::super) fn is_answer_of_fork_acknowledged(&mut self, key: &BranchKey) -> bool {
        let Some(sender) = self.sender(key) else { return false };
        let accepted = self.get(sender).is_some_and(|t| (200..300).contains(&t.final_status));
        if !accepted {
            self.stop(sender);
        }
        !accepted
    }

    fn set_best(&mut self, sender: Handle, status: u16) {
        if let Some(t) = self.slab.get_mut(sender) {
            t.part = Part::Sender { best: status };
        }
    }

    /// Whether a branch may still bring a final response that is waited for.
    fn waits_for_branch(&self, sender: Handle, cancelled: bool) -> bool {
        self.slab
            .find(|t| {
                t.part == Part::Branch(sender)
                    && t.state != State::Completed
                    && !(cancelled && t.state == State::Trying)
            })
            .is_some()
    }
}

impl Engine {
    /// Takes a response on a branch before it is written; `true` where it ends here.
    pub(in super::super) fn ends_on_branch(
        &mut self,
        received: &Received<'_>,
        status: u16,
        branch: Handle,
        now: Instant,
        out: &mut dyn Sink,
    ) -> bool {
        let Some(t) = self.transactions.get(branch) else { return true };
        if self.own(if t.from_phone { Side::Lan } else { Side::Wan }).is_none() {
            // The phone repeats it, and the address may be back then.
            log::info!(target: class::NET, "response {status} to {} not sent: no address", t.upstream);
            return true;
        }
        let is_invite = t.method == Method::Invite;
        let (was_silent, was_over) = (t.state == State::Trying, t.state == State::Completed);
        let sender = t.part.fork().and_then(|sender| self.transactions.get(sender));
        let is_answered = sender.is_none_or(|t| t.state == State::Completed);
        match status {
            100..200 => {
                let (cancelled, sender) = (t.cancelled, t.part.fork());
                self.transactions.answered(branch, status, now);
                if is_invite && cancelled && was_silent {
                    self.cancel_branch(branch, now, out);
                } else if is_invite && !cancelled {
                    self.transactions.forget(branch);
                }
                if let Some(sender) = sender.filter(|_| !is_answered && is_invite) {
                    self.transactions.answered(sender, status, now);
                }
                status == 100 || is_answered || cancelled || was_over
            }
            200..300 if is_invite => false,
            _ => {
                if is_invite {
                    self.send_beside(received, Method::Ack, (t.downstream_on, t.downstream, &t.request_uri), out);
                }
                if is_answered {
                    self.transactions.answered(branch, status, now);
                    self.transactions.forget(branch);
                }
                is_answered || was_over
            }
        }
    }

    /// Keeps a final response that is no 2xx, as `edits` have made it; without them one of our own with its status.
    pub(in super::super) fn collect(
        &mut self,
        received: &Received<'_>,
        (sender, branch): (Handle, Handle),
        status: u16,
        edits: Option<&Edits>,
        now: Instant,
        out: &mut dyn Sink,
    ) {
        self.transactions.answered(branch, status, now);
        self.transactions.forget(branch);
        if let Some(Part::Sender { best }) = self.transactions.get(sender).map(|t| t.part) {
            // What one phone says of itself says nothing about this router; it is written so already.
            let status = if status == 503 { 500 } else { status };
            let msg = received.msg;
            if best == 0 || rank(status) < rank(best) {
                self.transactions.set_best(sender, status);
                match edits {
                    Some(edits) => self.transactions.keep_best(sender, &edits.parts(msg.bytes())),
                    None => self.transactions.forget(sender),
                }
            } else if is_challenge(status) && is_challenge(best) {
                let kept = self.transactions.best(sender);
                if let (Some(kept), Some(edits)) = (kept, edits) {
                    join_challenges(kept, received, edits);
                }
            }
        }
        if status >= 600
            && let Some(t) = self.transactions.slab.get_mut(sender)
        {
            t.cancelled = true;
            self.cancel_branches(sender, now, out);
        }
        self.end_if_over(sender, now, out);
    }

    /// A 2xx has gone to the sender: for the others it is over.
    pub(in super::super) fn accepted_on_branch(
        &mut self,
        branch: Handle,
        status: u16,
        now: Instant,
        out: &mut dyn Sink,
    ) {
        let Some(t) = self.transactions.get(branch) else { return };
        let (Some(sender), phone, call) = (t.part.fork(), t.downstream.host(), t.call) else { return };
        self.transactions.forget(branch);
        if let Some(call) = call.and_then(|call| self.calls.calls.get_mut(call))
            && !call.answered
        {
            call.parties[Leg::Callee as usize] = phone;
        }
        if self.transactions.get(sender).is_some_and(|t| t.state != State::Completed) {
            self.transactions.answered(sender, status, now);
        }
        self.cancel_branches(sender, now, out);
    }

    /// A final response on a branch is not for the sender: what we say in its place counts.
    pub(in super::super) fn refused_on_branch(
        &mut self,
        (sender, branch): (Handle, Handle),
        status: u16,
        cause: Cause,
        now: Instant,
        out: &mut dyn Sink,
    ) {
        self.transactions.answered(branch, status, now);
        self.transactions.forget(branch);
        self.note_failure(sender, cause);
        self.end_if_over(sender, now, out);
    }

    /// A branch has ended without a response.
    pub(in super::super) fn branch_failed(
        &mut self,
        sender: Handle,
        t: &Transaction,
        cause: Cause,
        now: Instant,
        out: &mut dyn Sink,
    ) {
        if !t.cancelled {
            log::warn!(target: class::SIP, "no answer from phone {}: {}", t.downstream, cause.remedy());
        }
        self.note_failure(sender, cause);
        self.end_if_over(sender, now, out);
    }

    /// Counts what we say of a phone that cannot be reached as its response.
    pub(super) fn note_failure(&mut self, sender: Handle, cause: Cause) {
        let Some(t) = self.transactions.get(sender) else { return };
        let Part::Sender { best } = t.part else { return };
        let wording = cause.wording(t.from_phone);
        if t.state == State::Completed || (best != 0 && rank(best) <= rank(wording.status)) {
            return;
        }
        let reply = t.stored.reply(wording.status, wording.reason, wording.warning, &self.tag_of(&t.key));
        self.transactions.set_best(sender, wording.status);
        match reply {
            Some(reply) => self.transactions.keep_best(sender, &[&reply]),
            None => self.transactions.forget(sender),
        }
    }

    /// Sends the best response once no branch is waited for.
    pub(super) fn end_if_over(&mut self, sender: Handle, now: Instant, out: &mut dyn Sink) {
        let Some(t) = self.transactions.get(sender) else { return };
        let Part::Sender { best } = t.part else { return };
        if t.state == State::Completed || self.transactions.waits_for_branch(sender, t.cancelled) {
            return;
        }
        let (via, to, call) = (t.upstream_on, t.upstream, t.call);
        // A phone that says nothing more has not refused the call: the caller has ended it.
        let is_terminated = t.cancelled && matches!(best, 0 | 408);
        let (status, reason) = if is_terminated { (487, "Request Terminated") } else { (best, "Not Answered") };
        let own = t.stored.reply(status, reason, None, &self.tag_of(&t.key));
        let kept = self.transactions.best(sender).filter(|_| !is_terminated).map(|kept| kept.clone());
        let bytes = kept.as_deref().or(own.as_deref()).unwrap_or_default();
        if let Err(error) = self.send_again(via, to, &[bytes], out) {
            log::info!(target: class::NET, "response {status} to {to} not sent: {error:?}");
        }
        self.transactions.response_sent(sender, status, &[bytes], now);
        self.transactions.answered(sender, status, now);
        if let Some(call) = call.filter(|call| self.calls.calls.get(*call).is_some_and(|c| !c.answered)) {
            self.end_call(call, format_args!("not answered ({status})"), now, out);
        }
    }
}

/// Puts the challenges of a response into the one that is passed on (RFC 3261 §16.7 step 7). What finds no place is left out.
fn join_challenges<const N: usize>(kept: &mut heapless::Vec<u8, N>, received: &Received<'_>, edits: &Edits) {
    let msg = received.msg;
    let Some(end) = kept.windows(4).position(|text| text == b"\r\n\r\n") else { return };
    let challenges =
        msg.headers().iter().filter(|h| matches!(h.id, HeaderId::WwwAuthenticate | HeaderId::ProxyAuthenticate));
    for header in challenges {
        let before = kept.len();
        if !edits.render(msg.bytes(), header.line, kept) {
            kept.truncate(before);
            return;
        }
        let added = kept.len() - before;
        if let Some(behind) = kept.get_mut(end + 2..) {
            behind.rotate_right(added);
        }
    }
}
