//! Calls: dialogs with media, from the first INVITE to the answer to BYE.
//!
//! ```text
//!   INVITE passes ──▶ early ──2xx──▶ answered ──BYE answered (2xx, 408, 481), or not at all──▶ gone
//!                       └──final failure of that INVITE, no answer──▶ gone
//! ```
//! A call is found by Call-ID (as the LAN sees it), the caller's tag, and the side each party is on: two phones that talk
//! through their provider are two calls with one Call-ID.

use super::io::{Leg, Side};
use super::media::Early;
use super::random::Random;
use super::transaction::Transactions;
use super::verdict::Fault;
use crate::family::Family;
use crate::limits::{MAX_CALLS, MAX_EARLY, MAX_RELAYS, MAX_SECTIONS};
use crate::rtp::latch::Peer;
use crate::table::{Handle, Index, Slab};
use crate::time::Instant;
use core::net::IpAddr;

/// Keyed hash of Call-ID and caller's tag.
pub(super) type Digest = [u8; 16];

/// A name for log lines.
pub(super) type Name = heapless::Vec<u8, 64>;

/// Of a dialog that began before we did: no CSeq number is so high (RFC 3261 §8.1.1.5).
pub(super) const NO_INVITE: u32 = u32::MAX;

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) digest: Digest,
    /// The side of the caller and of the callee.
    pub(super) sides: [Side; 2],
    /// The addresses their signalling comes from.
    pub(super) parties: [IpAddr; 2],
    /// Whether a 2xx came to the first INVITE.
    pub(super) answered: bool,
    /// When; meaningless before.
    pub(super) answered_at: Instant,
    /// Whether its caller was asked for a password, and it is over by that.
    pub(super) was_challenged: bool,
    /// Whether its first phone has said that it rings.
    pub(super) rings: bool,
    /// When the first BYE passed that has not been refused.
    pub(super) bye_at: Option<Instant>,
    /// What its media came to in the sections that are closed.
    pub(super) past: Past,
    /// Whether it rings several phones, of which the first that answers becomes the callee.
    pub(super) forked: bool,
    /// The tag of the callee that answered, hashed.
    pub(super) callee_tag: Option<Digest>,
    /// Before the answer, the tag of the callee whose early dialog the relays are aimed by, hashed.
    pub(super) early_tag: Option<Digest>,
    /// Whether the first INVITE had the offer.
    pub(super) caller_offered: bool,
    /// CSeq number of the caller's latest INVITE before the answer, or [`NO_INVITE`].
    pub(super) invite_number: u32,
    /// The relay of each media section; `None` for one that is declined.
    pub(super) relays: heapless::Vec<Option<Handle>, MAX_SECTIONS>,
    pub(super) started: Instant,
    /// Until when the parties have said that the session goes on (RFC 4028), whatever its media does while it is held.
    pub(super) refreshed_until: Instant,
    /// What each party knows of the dialog.
    pub(super) halves: [super::hang_up::Half; 2],
    pub(super) names: [Name; 2],
    /// Of its first INVITE, as the LAN sees it, cut; empty where the call began before we did.
    pub(super) call_id: Name,
}

impl Call {
    /// When it was answered; `None` before.
    pub(super) fn answered_since(&self) -> Option<Instant> {
        self.answered.then_some(self.answered_at)
    }
}

/// What the closed media sections of a call came to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Past {
    /// Packets and bytes of each party.
    pub(super) packets: [u32; 2],
    pub(super) bytes: [u64; 2],
    pub(super) strangers: u32,
    /// The gravest fault.
    pub(super) fault: Option<Fault>,
}

/// One relay: the two legs of one media section.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) call: Handle,
    pub(super) sides: [Side; 2],
    pub(super) ports: [u16; 2],
    /// The families each leg is bound to, by [`Family`].
    pub(super) bound: [[bool; 2]; 2],
    /// What an offer said that is not answered yet.
    pub(super) pending: [Option<Peer>; 2],
    /// What each leg has been aimed at.
    pub(super) aimed: [Option<Peer>; 2],
    /// Opened by an offer in a running call that is not answered yet.
    pub(super) offered: bool,
}

impl Relay {
    /// Where the media of the party on `leg` comes from and goes to, with RTCP on the RTP port where both parties take it there. One that
    /// leads to other relays both ways goes nowhere: by a few of those, one packet could go round for ever.
    pub(super) fn target(&self, leg: Leg) -> Option<Peer> {
        let is_muxed = self.aimed.iter().all(|peer| peer.is_some_and(|peer| peer.rtcp_mux));
        let peer = self.aimed[leg as usize]?;
        Some(match peer {
            Peer { terms, .. } if self.goes_round() => Peer { terms, ..Peer::NOWHERE },
            Peer { rtp, .. } if is_muxed => Peer { rtcp: rtp, ..peer },
            peer => peer,
        })
    }

    /// Whether both parties have their media at other relays of ours.
    pub(super) fn goes_round(&self) -> bool {
        self.aimed.iter().all(|peer| peer.as_ref().is_some_and(|peer| peer.ours))
    }

    /// The family by which the party on `leg` names its addresses, by what it said last.
    pub(super) fn family_of(&self, leg: Leg) -> Option<Family> {
        let said = |peer: &Option<Peer>| peer.as_ref().and_then(|peer| peer.family);
        said(&self.pending[leg as usize]).or_else(|| said(&self.aimed[leg as usize]))
    }

    /// Whether what each party said last is not for media both ways.
    pub(super) fn held(&self) -> [bool; 2] {
        self.aimed.each_ref().map(|peer| peer.as_ref().is_some_and(|peer| peer.terms.mute || peer.terms.deaf))
    }
}

/// Calls, relays and the ports they use. Starts as all zero bytes.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) calls: Slab<Call, MAX_CALLS>,
    by_digest: Index<{ 2 * MAX_CALLS }>,
    pub(super) relays: Slab<Relay, MAX_RELAYS>,
    /// What early dialogs have said that are not the one heard now.
    pub(super) early: Slab<Early, MAX_EARLY>,
    pub(super) ports: super::port::Ports,
    /// Changes with what [`super::saved_call`] saves.
    pub(super) version: u32,
}

/// Who a message is between, to find its call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Between {
    /// Keyed hash of Call-ID and From tag.
    pub(super) by_from: Digest,
    /// Keyed hash of Call-ID and To tag, if it has one.
    pub(super) by_to: Option<Digest>,
    pub(super) sender_is_from: bool,
    pub(super) sender: (Side, IpAddr),
    pub(super) receiver: (Side, IpAddr),
}

impl Between {
    /// The party on the LAN that tells one leg of a hairpin from the other.
    fn lan_party(&self) -> IpAddr {
        if self.sender.0 == Side::Lan { self.sender.1 } else { self.receiver.1 }
    }
}

/// A call found for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) call: Handle,
    /// The leg that faces the message's sender.
    pub(super) sender: Leg,
    /// Whether the callee's tag is the one that answered, or none has answered yet.
    pub(super) same_dialog: bool,
    /// The callee's tag in the message, hashed.
    pub(super) callee: Option<Digest>,
}

impl Calls {
    pub(super) const fn new() -> Self {
        Self {
            calls: Slab::new(),
            by_digest: Index::new(),
            relays: Slab::new(),
            early: Slab::new(),
            ports: super::port::Ports::new(),
            version: 0,
        }
    }

    /// Finds the call of a message. `transactions` tell which phones a call rings.
    pub(super) fn find(&self, between: &Between, transactions: &Transactions) -> Option<Found> {
        self.find_caller(between, between.by_from, true, between.by_to, transactions)
            .or_else(|| self.find_caller(between, between.by_to?, false, Some(between.by_from), transactions))
    }

    fn find_caller(
        &self,
        between: &Between,
        caller: Digest,
        from_is_caller: bool,
        callee: Option<Digest>,
        transactions: &Transactions,
    ) -> Option<Found> {
        let sender = if between.sender_is_from == from_is_caller { Leg::Caller } else { Leg::Callee };
        self.by_digest.lookup(hash_of(&caller)).find_map(|handle| {
            let call = self.calls.get(handle)?;
            let lan_party = between.lan_party();
            let is_it = call.digest == caller
                && call.sides[sender as usize] == between.sender.0
                && call.sides[sender.other() as usize] == between.receiver.0
                && (call.sides.iter().zip(&call.parties).any(|(s, ip)| *s == Side::Lan && *ip == lan_party)
                    || (call.forked && !call.answered && transactions.rings(handle, lan_party)));
            let same_dialog = match (call.callee_tag, callee) {
                (Some(answered), tag) => tag == Some(answered),
                (None, _) => true,
            };
            is_it.then_some(Found { call: handle, sender, same_dialog, callee })
        })
    }

    /// Whether there is a call of the same dialog and the same parties.
    pub(super) fn has_twin(&self, call: &Call) -> bool {
        self.by_digest
            .lookup(hash_of(&call.digest))
            .filter_map(|handle| self.calls.get(handle))
            .any(|other| other.digest == call.digest && other.sides == call.sides && other.parties == call.parties)
    }

    /// Adds a call; `None` where the table is full.
    pub(super) fn insert(&mut self, call: Call) -> Option<Handle> {
        let hash = hash_of(&call.digest);
        let handle = self.calls.insert(call).ok()?;
        self.by_digest.insert(hash, handle);
        self.version = self.version.wrapping_add(1);
        Some(handle)
    }

    /// A call without any relay. It makes room for another: nothing but its BYE would ever end it.
    pub(super) fn find_without_media(&self) -> Option<Handle> {
        self.calls.find(|call| call.relays.iter().all(Option::is_none))
    }

    /// Takes a call out. Its relays are closed by the caller of this.
    pub(super) fn remove(&mut self, handle: Handle) -> Option<Call> {
        let call = self.calls.remove(handle)?;
        self.by_digest.remove(hash_of(&call.digest), handle);
        self.forget_early(handle);
        self.version = self.version.wrapping_add(1);
        Some(call)
    }

    /// A free port on the side of each leg.
    pub(super) fn take_ports(
        &mut self,
        sides: [Side; 2],
        shared: bool,
        range: (u16, u16),
        random: &mut Random,
    ) -> Option<[u16; 2]> {
        let (low, high) = range;
        let caller = self.ports.take(sides[0], shared, low, high, random)?;
        match self.ports.take(sides[1], shared, low, high, random) {
            Some(callee) => Some([caller, callee]),
            None => {
                self.ports.give_back(sides[0], caller);
                None
            }
        }
    }
}

fn hash_of(digest: &Digest) -> u32 {
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_without_a_port_on_one_side_keeps_none_on_the_other() {
        let (mut calls, mut random) = (Box::new(Calls::new()), Random::new());
        random.seed(1);
        assert!(calls.ports.claim(Side::Lan, 7070));
        assert_eq!(calls.take_ports([Side::Wan, Side::Lan], false, (7070, 7070), &mut random), None);
        assert_eq!(calls.ports.len(), 1);
        calls.ports.give_back(Side::Lan, 7070);
        assert_eq!(calls.take_ports([Side::Wan, Side::Lan], false, (7070, 7070), &mut random), Some([7070, 7070]));
    }
}
