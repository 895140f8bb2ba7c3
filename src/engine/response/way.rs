//! The way back of a response, and the call that it belongs to.

use crate::engine::Engine;
use crate::engine::branch;
use crate::engine::call::{Between, Found};
use crate::engine::hide::{CallId, Way};
use crate::engine::io::{Channel, Leg, Side, Sink};
use crate::engine::message::Received;
use crate::engine::sealed_via::{SealedVia, Vias};
use crate::engine::transaction::{Registers, Transaction};
use crate::host::Host;
use crate::log_class::{self as class, log};
use crate::sip::Method;
use crate::table::Handle;
use crate::time::Instant;
use core::net::SocketAddr;

/// The way back of a response: what its transaction says, or where there is none the seal of our Via.
pub(in crate::engine) struct Back {
    pub(super) transaction: Option<Handle>,
    pub(in crate::engine) to: SocketAddr,
    pub(in crate::engine) on: Channel,
    /// The side that the request came from, and this response goes to.
    pub(in crate::engine) side: Side,
    pub(in crate::engine) downstream: SocketAddr,
    pub(super) downstream_side: Side,
    pub(super) downstream_on: Channel,
    pub(super) opens_dialog: bool,
    /// Whether the next hop may challenge the request.
    pub(super) own_server: bool,
    pub(super) hidden: bool,
    pub(in crate::engine) call: Option<Handle>,
    pub(super) registers: Registers,
    /// Of a REGISTER without a transaction: whether it ends the bindings that its 2xx does not name.
    pub(in crate::engine) unregisters: bool,
    /// The Vias that were hidden, where there is no transaction to keep them.
    pub(super) vias: Vias,
    /// Of a branch of a fork: the sender's transaction, and its own.
    pub(super) fork: Option<(Handle, Handle)>,
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
            own_server: t.own_server,
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
            downstream: SocketAddr::new(sealed.hop, received.from.port()),
            downstream_side: sealed.downstream_side,
            downstream_on: received.on,
            opens_dialog: sealed.opens_dialog,
            own_server: sealed.own_server,
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
    /// The transaction that a response is for, the number of the server that sent it, and the way back.
    pub(in crate::engine) fn way_by_transaction(&self, received: &Received<'_>) -> Option<(Handle, u8, Back)> {
        let method = received.head.cseq.method;
        let (key, attempt, _) = branch::parse(received.branch_text())?;
        let handle = self.transactions.find(&key, method == Method::Cancel)?;
        // RFC 3261 §17.1.3: the method counts too.
        let t = self.transactions.get(handle).filter(|t| t.method == method)?;
        // A server that was left speaks for itself.
        let downstream = if attempt == t.attempt { t.downstream } else { received.from };
        Some((handle, attempt, Back { downstream, ..Back::of(handle, t) }))
    }

    /// The way back of a response that no transaction is there for.
    pub(super) fn way_by_seal(
        &mut self,
        received: &Received<'_>,
        status: u16,
        now: Instant,
        out: &mut dyn Sink,
    ) -> Option<Back> {
        let sealed = self.open_via(received, now)?;
        let is_refusal = received.head.cseq.method == Method::Invite && status >= 300;
        let (phone, is_challenge) = (sealed.upstream.host(), sealed.from_phone && matches!(status, 401 | 407));
        if is_challenge && !self.may_challenge(received, phone, sealed.hop, sealed.own_server) {
            Self::log_foreign_challenge(received, status, sealed.upstream);
            if is_refusal && self.is_from_hop(received, phone, sealed.hop) {
                // It is repeated until it is acknowledged.
                self.send_beside(received, Method::Ack, (received.on, received.from, &[]), out);
            }
            return None;
        }
        if is_refusal && self.is_of_fork(received, &sealed) {
            // Its phone was silent for so long that the branch is over. Others may ring still, or the sender has its answer.
            self.send_beside(received, Method::Ack, (received.on, received.from, &[]), out);
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

    /// Whether a response that no branch is there for belongs to a fork that is.
    fn is_of_fork(&self, received: &Received<'_>, sealed: &SealedVia) -> bool {
        let call_id = received.msg.get(received.head.call_id);
        let secrets = self.secrets(received.from.host());
        let mapped =
            if sealed.from_phone { None } else { self.mapped(received, &secrets, Way::ToWan).unwrap_or_default() };
        let call_id = mapped.as_deref().unwrap_or(call_id);
        let is_sender = |t: &Transaction| {
            t.part.is_sender() && t.upstream == sealed.upstream && t.stored.call_id.of(&t.stored.text) == call_id
        };
        sealed.downstream_side == Side::Lan && self.transactions.slab.find(is_sender).is_some()
    }

    /// The Call-ID of the LAN side, where a response from the WAN has another one.
    pub(super) fn lan_call_id(&self, received: &Received<'_>, back: &Back) -> Option<CallId> {
        if back.downstream_side == Side::Lan || !self.settings().topology_hiding {
            return None;
        }
        let secrets = self.secrets(back.to.host());
        self.mapped(received, &secrets, Way::ToLan).unwrap_or_default()
    }

    /// Which leg of its call faces the sender of a response.
    pub(in crate::engine) fn found_for_response(
        &self,
        received: &Received<'_>,
        back: &Back,
        call: Handle,
    ) -> Option<Found> {
        if back.fork.is_some() {
            let callee = self.between_of_response(received, back).by_to;
            return self.call_of_fork(Some(call), Leg::Callee).map(|found| Found { callee, ..found });
        }
        self.call_of_response(received, back).filter(|found| found.call == call)
    }

    /// The call of a response, by its tags and Call-ID.
    pub(super) fn call_of_response(&self, received: &Received<'_>, back: &Back) -> Option<Found> {
        self.calls.find(&self.between_of_response(received, back), &self.transactions)
    }

    fn between_of_response(&self, received: &Received<'_>, back: &Back) -> Between {
        let mapped = self.lan_call_id(received, back);
        let call_id = mapped.as_deref().unwrap_or(received.msg.get(received.head.call_id));
        self.between(received, call_id, (back.downstream_side, back.downstream.host()), (back.side, back.to.host()))
    }
}
