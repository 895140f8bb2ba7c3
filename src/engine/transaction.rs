//! Transactions: what must be known when the answer comes back.
//!
//! ```text
//!   request ──▶ Trying ──1xx──▶ Proceeding ──final──▶ Completed ──▶ gone
//!                  └──────────────final──────────────────▲
//!                  no answer: 408 to the sender, gone
//! ```
//! One entry stands for one request that was forwarded, under the branch of the Via that we put on it. It keeps where the
//! request came from, the Via stack that the far side must not see, and the headers that an answer of our own would copy.
//! ACK has no entry; CANCEL has its own beside that of its INVITE, with the same branch.

use super::binding::{Refresh, UriText};
use super::branch::{BranchKey, LoopPart};
use super::io::{Channel, ConnId, Side};
use super::retransmit::Keep;
use super::sealed_via::Stamp;
use super::stored::Stored;
use crate::limits::MAX_TRANSACTIONS;
use crate::sip::Method;
use crate::table::{Handle, Index, Slab};
use crate::time::{Duration, Instant};
use core::net::SocketAddr;

/// Timer F (RFC 3261 §17.1.2.2): a request but INVITE has no answer after 64 × T1.
const TIMER_F: Duration = Duration::from_millis(32_000);
/// We give up a second before the sender does, so that it hears why.
const GIVE_UP: Duration = Duration::from_millis(31_000);
/// Timer C (RFC 3261 §16.6 step 11): an INVITE that rings is given up after more than three minutes without a response.
const TIMER_C: Duration = Duration::from_secs(185);
/// How long the sender's transaction of a fork waits after the last response: longer than any of its branches, which end it.
const FORK_WAITS: Duration = TIMER_C.saturating_add(TIMER_F).saturating_add(Duration::from_secs(1));
/// Timer K (RFC 3261 §17.1.2.2), T4.
const TIMER_K: Duration = Duration::from_secs(5);
/// Deadlines are rounded up to this, so that one look at the table serves many.
const TICK_MILLIS: u64 = 250;

/// Contacts of one REGISTER that are looked at. A phone sends one or two.
pub(super) const MAX_CONTACTS: usize = 8;

/// How far a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing came back yet.
    Trying,
    /// A provisional response came back.
    Proceeding,
    /// A final response came back.
    Completed,
}

/// What a REGISTER changes once the registrar accepts it.
#[derive(Clone, Debug, Default)]
pub(super) struct Registers {
    /// The bindings it names, and the expiry asked for in seconds.
    pub(super) bindings: heapless::Vec<(Handle, u32), MAX_CONTACTS>,
    /// `Contact: *`: every binding of the address-of-record ends.
    pub(super) removes_all: bool,
    /// Where it binds one Contact and asks for nothing else, and `lan_expires` is set.
    pub(super) refresh: Option<Refresh>,
    /// It has a password, or rather what was computed with one.
    pub(super) has_credentials: bool,
    /// It takes away the Contact with an address that we had before.
    pub(super) leaves: bool,
}

impl Registers {
    /// Whether it only ends bindings.
    pub(super) fn is_end(&self) -> bool {
        self.removes_all || (!self.bindings.is_empty() && self.bindings.iter().all(|(_, secs)| *secs == 0))
    }
}

/// Which part of a fork a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// None: its request goes to one next hop.
    Alone,
    /// The sender's side, with the best final response so far; 0 where there is none.
    Sender { best: u16 },
    /// One phone's side, with the sender's transaction.
    Branch(Handle),
}

impl Part {
    /// The sender's transaction, for a branch.
    pub(super) const fn fork(self) -> Option<Handle> {
        if let Self::Branch(sender) = self { Some(sender) } else { None }
    }

    pub(super) const fn is_sender(self) -> bool {
        matches!(self, Self::Sender { .. })
    }
}

/// One forwarded request.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) key: BranchKey,
    /// The second part of the branch.
    pub(super) loop_part: LoopPart,
    pub(super) method: Method,
    pub(super) state: State,
    /// The status of the final response that was passed on; 0 before.
    pub(super) final_status: u16,
    /// Set by [`Transactions::insert`].
    pub(super) deadline: Instant,
    /// Which server has it now, counted from 0; see [`super::failover`].
    pub(super) attempt: u8,
    /// When that server was given it.
    pub(super) tried_at: Instant,
    /// Whether there is another server after that one.
    pub(super) others: bool,
    /// Whether that one has failed it, and the phone's next copy goes to another.
    pub(super) failed: bool,
    /// Whether the INVITE was cancelled: by Timer C, or with its fork. A CANCEL waits for the first provisional response.
    pub(super) cancelled: bool,
    /// Which part of a fork it is, if any.
    pub(super) part: Part,
    /// Where responses go.
    pub(super) upstream: SocketAddr,
    pub(super) upstream_on: Channel,
    pub(super) from_phone: bool,
    /// Where the request went.
    pub(super) downstream: SocketAddr,
    pub(super) downstream_side: Side,
    /// The socket or connection it went through.
    pub(super) downstream_on: Channel,
    /// Whether the far side sees only our Via, and the stored ones go back into responses.
    pub(super) hidden: bool,
    /// Whether the request had no To tag and may have opened a dialog.
    pub(super) opens_dialog: bool,
    /// When the seal in its Via was made; retransmissions have the same.
    pub(super) stamp: Stamp,
    /// Of a REGISTER: what it changes once it is accepted.
    pub(super) registers: Registers,
    /// Whether the next hop may challenge the request.
    pub(super) own_server: bool,
    /// The call that it belongs to.
    pub(super) call: Option<Handle>,
    /// The request-URI as it was sent, where it was changed or the request is an INVITE: CANCEL and ACK get the same.
    pub(super) request_uri: UriText,
    pub(super) stored: Stored,
    /// A message that may have to be sent again.
    pub(super) kept: Option<Handle>,
}

/// The table. Starts as all zero bytes.
#[derive(Debug)]
pub(super) struct Transactions {
    pub(super) slab: Slab<Transaction, MAX_TRANSACTIONS>,
    /// What is sent again.
    pub(super) kept: Keep,
    by_branch: Index<{ 2 * MAX_TRANSACTIONS }>,
    /// Completed ones, oldest first: these make room when the table is full.
    completed: heapless::Deque<Handle, { 2 * MAX_TRANSACTIONS }>,
    /// The earliest deadline, or an earlier moment; zero where there is none.
    next: Instant,
}

impl Transactions {
    pub(super) const fn new() -> Self {
        Self {
            slab: Slab::new(),
            kept: Keep::new(),
            by_branch: Index::new(),
            completed: heapless::Deque::new(),
            next: Instant::ZERO,
        }
    }

    /// Finds the transaction of our branch `key`: that of CANCEL, or the other one.
    pub(super) fn find(&self, key: &BranchKey, cancel: bool) -> Option<Handle> {
        self.by_branch.lookup(hash_of(key)).find(|handle| {
            self.slab.get(*handle).is_some_and(|t| t.key == *key && (t.method == Method::Cancel) == cancel)
        })
    }

    /// The transaction of `handle`.
    /// Whether `is_meant` holds for one of them.
    pub(super) fn any(&self, is_meant: impl Fn(&Transaction) -> bool) -> bool {
        self.slab.find(is_meant).is_some()
    }

    pub(super) fn get(&self, handle: Handle) -> Option<&Transaction> {
        self.slab.get(handle)
    }

    /// Adds a transaction. In a full table a completed one makes room, for a request inside a dialog any that no call hangs on;
    /// `false` where there is none.
    pub(super) fn insert(&mut self, mut transaction: Transaction, now: Instant) -> bool {
        if self.slab.is_full() && !self.make_room(!transaction.opens_dialog) {
            return false;
        }
        let deadline = round_up(now.after(match (transaction.part, transaction.method) {
            (Part::Sender { .. }, Method::Invite) => FORK_WAITS,
            (Part::Sender { .. }, _) => TIMER_F,
            _ => GIVE_UP,
        }));
        transaction.deadline = deadline;
        let key = transaction.key;
        let Ok(handle) = self.slab.insert(transaction) else { return false };
        self.by_branch.insert(hash_of(&key), handle);
        self.expect(deadline);
        true
    }

    /// Notes a response with `status`.
    pub(super) fn answered(&mut self, handle: Handle, status: u16, now: Instant) {
        let Some(t) = self.slab.get_mut(handle) else { return };
        if status >= 200 {
            let was_completed = t.state == State::Completed;
            t.state = State::Completed;
            if !was_completed {
                t.final_status = status;
            }
            // After the final response to an INVITE its ACK, and retransmitted 2xx, still pass (Timer H, 64 × T1).
            let rest = if t.method == Method::Invite { TIMER_F } else { TIMER_K };
            t.deadline = round_up(now.after(rest));
            let deadline = t.deadline;
            self.expect(deadline);
            if !was_completed {
                self.complete(handle);
            }
        } else {
            if t.state == State::Trying {
                t.state = State::Proceeding;
            }
            // A provisional response holds off the end of an INVITE only; others end with Timer F all the same.
            if t.state == State::Proceeding && t.method == Method::Invite && !t.cancelled {
                t.deadline = round_up(now.after(if t.part.is_sender() { FORK_WAITS } else { TIMER_C }));
            }
        }
    }

    /// The server that has it fails it; another is there.
    pub(super) fn fail(&mut self, handle: Handle) {
        if let Some(t) = self.slab.get_mut(handle) {
            t.failed = true;
        }
    }

    /// There is no other server after all.
    pub(super) fn stay(&mut self, handle: Handle) {
        if let Some(t) = self.slab.get_mut(handle) {
            t.failed = false;
            t.others = false;
        }
    }

    /// The next server has it now. The sender's time goes on as it was.
    pub(super) fn move_on(&mut self, handle: Handle, (to, side): (SocketAddr, Side), others: bool, now: Instant) {
        if let Some(t) = self.slab.get_mut(handle) {
            t.attempt = t.attempt.saturating_add(1);
            t.tried_at = now;
            t.failed = false;
            t.others = others;
            t.downstream = to;
            t.downstream_side = side;
            self.kept.start_again(t.kept, now);
        }
    }

    fn complete(&mut self, handle: Handle) {
        if self.completed.is_full() {
            // The queue is twice the table: at least half of it is stale.
            for _ in 0..self.completed.len() {
                if let Some(old) = self.completed.pop_front()
                    && self.slab.get(old).is_some()
                {
                    let _ = self.completed.push_back(old);
                }
            }
        }
        let _ = self.completed.push_back(handle);
    }

    fn make_room(&mut self, at_any_price: bool) -> bool {
        while let Some(handle) = self.completed.pop_front() {
            if self.remove(handle).is_some() {
                return true;
            }
        }
        // Without its INVITE or BYE a call would neither be answered nor end.
        let others = self.slab.iter().filter(|(_, t)| !matches!(t.method, Method::Invite | Method::Bye));
        let oldest = others.min_by_key(|(_, t)| t.deadline).map(|(handle, _)| handle);
        at_any_price && oldest.and_then(|handle| self.remove(handle)).is_some()
    }

    pub(super) fn remove(&mut self, handle: Handle) -> Option<Transaction> {
        let t = self.slab.remove(handle)?;
        self.by_branch.remove(hash_of(&t.key), handle);
        self.kept.drop(t.kept);
        Some(t)
    }

    fn expect(&mut self, deadline: Instant) {
        if self.next == Instant::ZERO || deadline < self.next {
            self.next = deadline;
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let next = (!self.slab.is_empty() && self.next != Instant::ZERO).then_some(self.next);
        [next, self.kept.next_timeout()].into_iter().flatten().min()
    }

    /// Whether an INVITE of a call waits for its final response.
    pub(super) fn awaits_answer(&self, call: Handle) -> bool {
        let rings = |t: &Transaction| t.call == Some(call) && t.method == Method::Invite && t.state != State::Completed;
        self.slab.find(rings).is_some()
    }

    /// The next INVITE that rings for too long. It is given the time of Timer F to end, once.
    pub(super) fn next_ringing_too_long(&mut self, now: Instant) -> Option<Handle> {
        if self.next == Instant::ZERO || now < self.next {
            return None;
        }
        let rings = |t: &Transaction| t.method == Method::Invite && t.state == State::Proceeding && !t.cancelled;
        let handle = self.slab.find(|t| t.deadline <= now && rings(t) && !t.part.is_sender())?;
        self.cancelled(handle, now);
        Some(handle)
    }

    /// An INVITE is cancelled: once it rings it has the time of Timer F to end.
    pub(super) fn cancelled(&mut self, handle: Handle, now: Instant) {
        let Some(t) = self.slab.get_mut(handle) else { return };
        t.cancelled = true;
        if t.state == State::Proceeding {
            t.deadline = round_up(now.after(TIMER_F));
            let deadline = t.deadline;
            self.expect(deadline);
        }
    }

    /// Removes one transaction whose time is up; `None` when no more is due, and the next deadline is known.
    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<Transaction> {
        if self.next == Instant::ZERO || now < self.next {
            return None;
        }
        if let Some(due) = self.slab.find(|t| t.deadline <= now) {
            return self.remove(due);
        }
        self.next = self.slab.iter().map(|(_, t)| t.deadline).min().unwrap_or(Instant::ZERO);
        None
    }

    /// Removes one transaction that waits for `downstream` in vain, after an ICMP error from there; `None` when only those
    /// are left for which there is another server, and those have failed.
    pub(super) fn pop_unreachable(&mut self, downstream: SocketAddr) -> Option<Transaction> {
        let waits =
            |t: &Transaction| t.downstream == downstream && t.state == State::Trying && !t.downstream_on.is_reliable();
        self.pop_failed(waits)
    }

    /// Removes one transaction whose request went over `conn`, which is gone, and that has no response yet. The response to one that
    /// has may come over another connection (RFC 3261 §18.2.2).
    pub(super) fn pop_broken(&mut self, conn: ConnId) -> Option<Transaction> {
        self.pop_failed(|t| t.downstream_on.conn == Some(conn) && t.state == State::Trying)
    }

    /// Removes one of the transactions that wait in vain. Those that have another server, and whose sender is on UDP and repeats its
    /// request, wait for that.
    fn pop_failed(&mut self, waits: impl Fn(&Transaction) -> bool) -> Option<Transaction> {
        let gives_up = |t: &Transaction| waits(t) && !((t.others || t.failed) && self.comes_again(t));
        if let Some(handle) = self.slab.find(gives_up) {
            return self.remove(handle);
        }
        self.slab.iter_mut().map(|(_, t)| t).filter(|t| waits(t)).for_each(|t| t.failed = true);
        None
    }

    /// Notes that the request went over another connection than was meant.
    pub(super) fn sent_over(&mut self, handle: Handle, channel: Channel) {
        if let Some(t) = self.slab.get_mut(handle) {
            t.downstream_on = channel;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }
}

const fn hash_of(key: &BranchKey) -> u32 {
    u32::from_be_bytes([key[0], key[1], key[2], key[3]])
}

const fn round_up(at: Instant) -> Instant {
    Instant::from_millis(at.as_millis().div_ceil(TICK_MILLIS) * TICK_MILLIS)
}
