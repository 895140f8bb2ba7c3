//! Cancelling the branches of a fork (RFC 3261 §9.1, §16.10).

use super::super::branch::{self, BranchKey};
use super::super::message::Received;
use super::super::transaction::Part;
use super::super::transaction::{State, Transactions};
use super::super::{Engine, Sink};
use crate::log_class::{self as class, log};
use crate::sip::Method;
use crate::sip::reply::Reply;
use crate::table::Handle;
use crate::time::Instant;

impl Transactions {
    /// The next branch that is to be cancelled.
    fn next_to_cancel(&self, sender: Handle) -> Option<Handle> {
        self.slab.find(|t| {
            t.part == Part::Branch(sender) && t.method == Method::Invite && t.state != State::Completed && !t.cancelled
        })
    }
}

impl Engine {
    /// Takes the CANCEL of a forked INVITE (RFC 3261 §9.2, §16.10); `false` where there is none.
    pub(in super::super) fn cancel_fork(
        &mut self,
        received: &Received<'_>,
        key: &BranchKey,
        now: Instant,
        out: &mut dyn Sink,
    ) -> bool {
        let Some(sender) = self.transactions.sender(key) else { return false };
        let Some(t) = self.transactions.slab.get_mut(sender).filter(|t| t.method == Method::Invite) else {
            return false;
        };
        let is_open = t.state != State::Completed;
        t.cancelled |= is_open;
        let sent = Reply::new(received.msg, received.from, 200, "OK", &self.tag_of(key))
            .and_then(|mut reply| Self::send_reply(received, &mut reply, out));
        if sent.is_err() {
            log::warn!(target: class::SIP, "CANCEL from {} is too large to be answered", received.from);
        }
        if is_open {
            self.cancel_branches(sender, now, out);
            self.end_if_over(sender, now, out);
        }
        true
    }

    pub(super) fn cancel_branches(&mut self, sender: Handle, now: Instant, out: &mut dyn Sink) {
        while let Some(branch) = self.transactions.next_to_cancel(sender) {
            self.cancel_branch(branch, now, out);
        }
    }

    /// Cancels a branch: now if its phone rings, else with the first response that comes.
    pub(super) fn cancel_branch(&mut self, branch: Handle, now: Instant, out: &mut dyn Sink) {
        self.transactions.cancelled(branch, now);
        // It is not sent again; what is kept next is the CANCEL.
        self.transactions.forget(branch);
        let rings = self.transactions.get(branch).is_some_and(|t| t.state == State::Proceeding);
        if rings && self.send_cancel(branch, now, out).is_none() {
            log::warn!(target: class::SIP, "an INVITE cannot be cancelled: too much of it to be kept");
        }
    }

    /// Whether a response is to a CANCEL of our own: it ends here, and the CANCEL is not sent again.
    pub(in super::super) fn is_of_own_cancel(&mut self, received: &Received<'_>) -> bool {
        if received.head.cseq.method != Method::Cancel {
            return false;
        }
        let Some((key, ..)) = branch::parse(received.branch_text()) else { return false };
        let Some(branch) = self.transactions.find(&key, false) else { return false };
        let is_ours = self.transactions.get(branch).is_some_and(|t| t.cancelled);
        if is_ours {
            self.transactions.forget(branch);
        }
        is_ours
    }
}
