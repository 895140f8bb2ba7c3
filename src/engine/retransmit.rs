//! Messages kept to be sent again (RFC 3261 §17), where a reliable leg meets an unreliable one.
//!
//! Between two legs over UDP the ends repair what is lost: each retransmission passes. An end on TCP does not repeat anything, so
//! that for the leg on UDP we do it:
//!
//! ```text
//!   request from TCP to UDP   Timer A or E, until a response comes
//!   refusal of an INVITE from TCP to UDP   Timer G, until its ACK comes
//!   refusal from UDP to TCP, again   the ACK that was passed on, again
//!   request to several phones   Timer A or E on each branch, Timer G towards the sender
//! ```
//! The last answer to a request over UDP is kept as well: a retransmission gets it, byte by byte, and goes no further.
//!
//! A transaction has at most one message here. With all places taken, answers make room for what has a timer; a message that finds
//! no place, or is longer than [`MAX_KEPT_BYTES`], is sent once, and a retransmission of its request is forwarded.

use super::Engine;
use super::branch::BranchKey;
use super::io::{Channel, ConnId, Side, Sink};
use super::message::{Provenance, Received};
use super::transaction::{State, Transaction, Transactions};
use crate::limits::{MAX_KEPT, MAX_KEPT_BYTES};
use crate::log_class::{self as class, log};
use crate::sip::Method;
use crate::table::{Handle, Slab};
use crate::time::{Duration, Instant};
use core::net::SocketAddr;

/// T1 (RFC 3261 §17.1.1.1): an estimate of the round-trip time.
const T1: Duration = Duration::from_millis(500);
/// T2 (RFC 3261 §17.1.2.2): the longest time between two retransmissions, but of an INVITE.
const T2: Duration = Duration::from_secs(4);

/// What a kept message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A request as it came. It is handled again as if its sender had repeated it, so that it finds its way to another server as
    /// such a repetition does (see [`super::failover`]).
    Request,
    /// The same of one that went over TCP for its length alone; it goes by UDP if the connection breaks.
    Fallback,
    /// The ACK of a refused INVITE, to a next hop on UDP.
    Ack,
    /// The final response, to a sender on UDP.
    Answer,
    /// A request on one branch of a fork, or the CANCEL of an INVITE there, as it left.
    Branch,
    /// The best final response of a fork so far.
    Best,
}

#[derive(Debug)]
struct Kept {
    owner: Handle,
    kind: Kind,
    /// Where it is sent; of a request, where it came from.
    via: Channel,
    to: SocketAddr,
    /// When it is sent again, and how long it is from there to the next time; `None` where only the peer brings it about.
    timer: Option<(Instant, Duration)>,
    longest: Duration,
    bytes: heapless::Vec<u8, MAX_KEPT_BYTES>,
}

/// The kept messages. Starts as all zero bytes.
#[derive(Debug)]
pub(super) struct Keep {
    slab: Slab<Kept, MAX_KEPT>,
}

impl Keep {
    pub(super) const fn new() -> Self {
        Self { slab: Slab::new() }
    }

    pub(super) fn drop(&mut self, kept: Option<Handle>) {
        if let Some(handle) = kept {
            self.slab.remove(handle);
        }
    }

    /// Another server has it now, which gets it as often as the one before.
    pub(super) fn start_again(&mut self, kept: Option<Handle>, now: Instant) {
        if let Some(kept) = kept.and_then(|kept| self.slab.get_mut(kept))
            && kept.timer.is_some()
        {
            kept.timer = Some((now.after(T1), T1));
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.slab.iter().filter_map(|(_, kept)| Some(kept.timer?.0)).min()
    }
}

/// The legs of a transaction: whether the sender and the next hop are on TCP.
const fn legs(t: &Transaction) -> (bool, bool) {
    (t.upstream_on.is_reliable(), t.downstream_on.is_reliable())
}

impl Transactions {
    /// A request was sent for the first time. Says whether its sender, who would repeat it, is to get a 100 at once, since no repetition
    /// is needed.
    pub(super) fn request_sent(
        &mut self,
        handle: Handle,
        fallback: bool,
        received: &Received<'_>,
        now: Instant,
    ) -> bool {
        let Some(t) = self.slab.get(handle) else { return false };
        let is_invite = t.method == Method::Invite;
        let source = (received.on, received.from);
        let bytes = [received.original];
        let longest = if is_invite { Duration::MAX } else { T2 };
        let (legs, others) = (legs(t), t.others);
        match legs {
            (true, false) => self.keep(handle, Kind::Request, source, Some((now.after(T1), T1)), longest, &bytes),
            (_, true) if fallback => self.keep(handle, Kind::Fallback, source, None, longest, &bytes),
            (true, true) if others => self.keep(handle, Kind::Request, source, None, longest, &bytes),
            _ => {}
        }
        legs == (false, true) && is_invite
    }

    /// The server of a request has failed it: if its sender does not repeat it, we do, now.
    pub(super) fn repeat_now(&mut self, now: Instant) {
        for (_, t) in self.slab.iter().filter(|(_, t)| t.failed && t.state == State::Trying) {
            if let Some(kept) = t.kept.and_then(|kept| self.kept.slab.get_mut(kept))
                && kept.kind == Kind::Request
            {
                kept.timer = Some((now, T1));
            }
        }
    }

    /// Whether a request comes again, should its server fail: its sender repeats it, or we do.
    pub(super) fn comes_again(&self, t: &Transaction) -> bool {
        let kept = t.kept.and_then(|kept| self.kept.slab.get(kept));
        !t.upstream_on.is_reliable() || kept.is_some_and(|kept| kept.kind == Kind::Request)
    }

    /// The ACK of a refused INVITE was sent.
    pub(super) fn ack_sent(&mut self, key: &BranchKey, parts: &[&[u8]]) {
        let Some(handle) = self.find(key, false) else { return };
        let Some(t) = self.slab.get(handle).filter(|t| t.method == Method::Invite) else { return };
        let (via, to) = (t.downstream_on, t.downstream);
        match legs(t) {
            (true, false) => self.keep(handle, Kind::Ack, (via, to), None, T2, parts),
            _ => {
                self.stop(handle);
            }
        }
    }

    /// What is kept is sent again on demand only.
    pub(super) fn stop(&mut self, handle: Handle) {
        let kept = self.slab.get(handle).and_then(|t| t.kept);
        if let Some(kept) = kept.and_then(|kept| self.kept.slab.get_mut(kept)) {
            kept.timer = None;
        }
    }

    /// A response was sent on.
    pub(super) fn response_sent(&mut self, handle: Handle, status: u16, parts: &[&[u8]], now: Instant) {
        let Some(t) = self.slab.get(handle) else { return };
        let is_invite = t.method == Method::Invite;
        let (via, to) = (t.upstream_on, t.upstream);
        if status < 200 {
            if let Some(kept) = t.kept.and_then(|kept| self.kept.slab.get_mut(kept))
                && kept.kind == Kind::Request
            {
                // RFC 3261 §17.1.1.2 and §17.1.2.2.
                kept.timer = (!is_invite).then(|| (now.after(T2), T2));
            }
            return;
        }
        // What a phone answers with 2xx to INVITE it repeats itself until the ACK, whatever the transport (RFC 3261 §13.3.1.4).
        let is_accepted = is_invite && status < 300;
        match legs(t) {
            (true, _) => self.forget(handle),
            (false, _) if is_accepted => self.forget(handle),
            (false, reliable) => {
                let is_ours = reliable || t.part.is_sender();
                let timer = (is_invite && is_ours).then(|| (now.after(T1), T1));
                self.keep(handle, Kind::Answer, (via, to), timer, T2, parts);
            }
        }
    }

    /// A request was sent on a branch of a fork, or the CANCEL of an INVITE: over UDP it is sent again until it is answered.
    pub(super) fn branch_sent(&mut self, key: &BranchKey, method: Method, parts: &[&[u8]], now: Instant) {
        let Some(handle) = self.find(key, false) else { return };
        let Some(t) = self.slab.get(handle) else { return };
        let (via, to) = (t.downstream_on, t.downstream);
        if !via.is_reliable() {
            let longest = if method == Method::Invite { Duration::MAX } else { T2 };
            self.keep(handle, Kind::Branch, (via, to), Some((now.after(T1), T1)), longest, parts);
        }
    }

    /// Whether a branch that says nothing gets its request again without the sender's help.
    pub(super) fn is_repeated(&self, handle: Handle) -> bool {
        let is_reliable = self.slab.get(handle).is_some_and(|t| t.downstream_on.is_reliable());
        is_reliable || self.kept_as(handle, Kind::Branch).is_some()
    }

    /// Keeps the best final response of a fork.
    pub(super) fn keep_best(&mut self, sender: Handle, parts: &[&[u8]]) {
        let Some(t) = self.slab.get(sender) else { return };
        self.keep(sender, Kind::Best, (t.upstream_on, t.upstream), None, T2, parts);
    }

    /// The best final response of a fork, if it could be kept.
    pub(super) fn best(&mut self, sender: Handle) -> Option<&mut heapless::Vec<u8, MAX_KEPT_BYTES>> {
        let kept = self.kept.slab.get_mut(self.slab.get(sender)?.kept?)?;
        (kept.kind == Kind::Best).then_some(&mut kept.bytes)
    }

    /// Drops what is kept of a transaction.
    pub(super) fn forget(&mut self, handle: Handle) {
        if let Some(t) = self.slab.get_mut(handle) {
            self.kept.drop(t.kept.take());
        }
    }

    fn keep(
        &mut self,
        owner: Handle,
        kind: Kind,
        (via, to): (Channel, SocketAddr),
        timer: Option<(Instant, Duration)>,
        longest: Duration,
        parts: &[&[u8]],
    ) {
        self.forget(owner);
        let mut bytes = heapless::Vec::new();
        if parts.iter().any(|part| bytes.extend_from_slice(part).is_err()) {
            return log::debug!(target: class::SIP, "message to {to} is too long to be kept");
        }
        if self.kept.slab.is_full() {
            let spare = self.kept.slab.find(|kept| kept.kind == Kind::Answer && kept.timer.is_none());
            let spare = spare.filter(|_| kind != Kind::Answer || timer.is_some());
            let Some(spare) = spare.and_then(|spare| Some(self.kept.slab.get(spare)?.owner)) else {
                return log::debug!(target: class::SIP, "no room to keep a message to {to}");
            };
            self.forget(spare);
        }
        let kept = self.kept.slab.insert(Kept { owner, kind, via, to, timer, longest, bytes });
        if let (Ok(kept), Some(t)) = (kept, self.slab.get_mut(owner)) {
            t.kept = Some(kept);
        }
    }

    /// What is kept of a transaction, if it is of one of these kinds.
    fn kept_as(&self, handle: Handle, kind: Kind) -> Option<&Kept> {
        let kept = self.slab.get(handle)?.kept?;
        self.kept.slab.get(kept).filter(|kept| kept.kind == kind)
    }

    /// Turns a request whose connection broke into one for UDP; `None` when there is no more such.
    fn fall_back(&mut self, conn: ConnId, now: Instant) -> Option<Handle> {
        let handle = self.slab.iter().find_map(|(handle, t)| {
            let broken = t.downstream_on.conn == Some(conn) && t.state == State::Trying;
            (broken && self.kept_as(handle, Kind::Fallback).is_some()).then_some(handle)
        })?;
        let t = self.slab.get_mut(handle)?;
        t.downstream_on = Channel::on(t.downstream_side);
        log::info!(target: class::NET, "no connection to {}: a large request goes by UDP", t.downstream);
        let kept = self.kept.slab.get_mut(t.kept?)?;
        kept.kind = Kind::Request;
        kept.timer = Some((now, T1));
        Some(handle)
    }
}

impl Engine {
    /// Sends again what is due.
    pub(super) fn retransmit(&mut self, now: Instant, out: &mut dyn Sink) {
        let is_due = |kept: &Kept| kept.timer.is_some_and(|(due, _)| due <= now);
        while let Some(due) = self.transactions.kept.slab.find(is_due) {
            let Some(kept) = self.transactions.kept.slab.get_mut(due) else { return };
            let interval = kept.timer.map_or(T1, |(_, interval)| interval).saturating_mul(2).min(kept.longest);
            kept.timer = Some((now.after(interval), interval));
            if matches!(kept.kind, Kind::Answer | Kind::Branch) {
                // The next time is soon.
                let _ = out.send(kept.via, kept.to, &[&kept.bytes]);
                continue;
            }
            let (on, from, mut bytes) = (kept.via, kept.to, kept.bytes.clone());
            let Some(t) = self.transactions.slab.get(kept.owner) else { return };
            let interface = if t.from_phone { Side::Lan } else { Side::Wan };
            if legs(t) != (true, false) {
                // Once: its sender repeats it, or the connection carries it.
                kept.timer = None;
            }
            self.datagram(Provenance { on, interface, from, meant_for: None }, &mut bytes, now, out);
        }
    }

    /// Takes a request that is known already. `true` where it needs to go no further: its next hop has it for certain, or has answered.
    pub(super) fn absorb_request(&mut self, received: &Received<'_>, handle: Handle, out: &mut dyn Sink) -> bool {
        let Some(t) = self.transactions.get(handle) else { return false };
        if let Some(kept) = self.transactions.kept_as(handle, Kind::Answer) {
            // If it is lost again, the sender asks again.
            let _ = out.send(kept.via, kept.to, &[&kept.bytes]);
            return true;
        }
        if t.failed {
            return false;
        }
        let is_reliable = t.downstream_on.is_reliable();
        match (t.method, t.state) {
            (Method::Invite, State::Proceeding) => Self::answer_trying(received, out),
            (Method::Invite, State::Trying) if is_reliable => {
                // Before, the connection may still fail, and the repetition go to another server.
                if self.connections.is_open(t.downstream_on) {
                    Self::answer_trying(received, out);
                }
            }
            // The next hop retransmits its final response by itself, until it has the ACK (RFC 3261 §17.2.1).
            (Method::Invite, State::Completed) => {}
            _ => return is_reliable || t.part.is_sender(),
        }
        true
    }

    /// Takes a response that may be a retransmission. `true` where its request's sender, who is on TCP, has it already.
    pub(super) fn absorb_response(&self, handle: Handle, status: u16, out: &mut dyn Sink) -> bool {
        let Some(t) = self.transactions.get(handle) else { return false };
        let is_accepted = t.method == Method::Invite && status < 300;
        if t.state != State::Completed || is_accepted || legs(t) != (true, false) {
            return false;
        }
        if let Some(ack) = self.transactions.kept_as(handle, Kind::Ack) {
            // If it is lost again, the response comes again.
            let _ = out.send(ack.via, ack.to, &[&ack.bytes]);
        }
        true
    }

    /// The connection that a request was put on for its length alone, if there is one: an open one with its next hop (RFC 3261
    /// §18.1.1).
    pub(super) fn channel_for_large(&self, side: Side, to: SocketAddr, length: usize) -> Option<Channel> {
        let found = (length > LARGE).then(|| self.connections.find_open(to))?;
        log::debug!(target: class::NET, "{length} bytes to {to} on the {} go over TCP", side.name());
        found
    }

    /// Turns to UDP the requests that were put on a connection for their length, which broke; they are due now. `false` where there are
    /// none.
    pub(super) fn fall_back(&mut self, conn: ConnId, now: Instant) -> bool {
        let mut any = false;
        while self.transactions.fall_back(conn, now).is_some() {
            any = true;
        }
        any
    }
}

/// Bytes from which on a request should not go by UDP: with less than 200 to spare, where the path's MTU is not known to be more
/// (RFC 3261 §18.1.1).
pub(super) const LARGE: usize = 1300;
