//! The next hop of a request, as whoever chose it tells [`super::forward`].

use super::branch::LoopPart;
use super::io::Side;
use super::sealed_via::Stamp;
use super::transaction::{Registers, Transaction};
use crate::limits::MAX_NAME_ADDRESSES;
use crate::sip::via::Transport;
use crate::table::Handle;
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
    pub(super) loop_part: LoopPart,
    pub(super) opens_dialog: bool,
    pub(super) stamp: Stamp,
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
            of_invite: Some(OfInvite { loop_part: t.loop_part, opens_dialog: t.opens_dialog, stamp: t.stamp }),
            ..Self::to(t.downstream, t.downstream_side)
        }
    }
}

/// Further servers of a request, should the first one fail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spare {
    pub(super) list: heapless::Vec<SocketAddr, MAX_NAME_ADDRESSES>,
    /// Whether the names of still more are being looked up.
    pub(super) more: bool,
    /// Whether the first one may have the request by UDP if it takes no connection.
    pub(super) or_udp: bool,
}

impl Spare {
    /// Whether there may be another server.
    pub(super) fn is_any(&self) -> bool {
        self.more || !self.list.is_empty()
    }
}
