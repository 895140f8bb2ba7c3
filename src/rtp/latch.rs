//! Restricted latching: from where a leg's media is taken, and where it is sent.
//!
//! ```text
//!           announce            RTP from an allowed address
//!   Closed ---------> Open ---------------------------------> Learning
//!                      ^  ^                                      |  MIN_SEQUENTIAL in sequence, one SSRC
//!                      |  +---- out of sequence, other source ---+
//!                      |  announce (new session description)     v
//!                      +-------------------------------------- Locked
//! ```
//! Packets count only from the addresses that signalling allowed (the one in the session description, the signalling
//! peer). While the port is learned the announced address is the destination, so that a peer that keeps to what it
//! announced has media from the first packet. A packet from the announced address and port itself needs no learning, if that
//! address is an allowed one.
//!
//! "In sequence" leaves room for what networks do: a few numbers may be missing, and a packet that comes twice or late neither
//! counts nor spoils what was learned. Nor does one source spoil what another has begun: it gets its turn when that one has been
//! quiet for some packets, so that forged packets can delay the learning but not prevent it.
//!
//! UDPTL is learned like RTP, by rising sequence numbers. The hello of a DTLS handshake makes a peer at once, but only
//! until RTP from another port is learned. RTCP and STUN never make one.
//!
//! Once locked, nothing but a new session description opens it again: not a packet from the announced port, not another SSRC or
//! sequence, which the peer may change as it likes.
//!
//! With learning off ([`Latching::Off`]) media goes where the description says, and comes from any port of an allowed address: for
//! parties that send from one port and receive on another, which restricted latching would send to the wrong one.

use super::Kind;
use super::format::Terms;
use crate::family::Family;
use core::net::{IpAddr, SocketAddr};

/// RTP packets in sequence from one source that make it the peer (RFC 3550 §A.1 asks for two).
pub const MIN_SEQUENTIAL: u8 = 3;

/// Whether the far end's port is learned from what it sends (`rtp_latching`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Latching {
    /// It is, within the rules of this module.
    #[default]
    Restricted,
    /// It is not.
    Off,
}

/// Addresses from which a leg takes media.
pub const MAX_ALLOWED: usize = 4;

/// What signalling says about the far end of one leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Addresses from which media may come; unused places are `None`.
    pub allowed: [Option<IpAddr>; MAX_ALLOWED],
    /// Where it wants RTP, `None` when on hold by 0.0.0.0 or not known yet.
    pub rtp: Option<SocketAddr>,
    /// Where it wants RTCP.
    pub rtcp: Option<SocketAddr>,
    /// Whether it takes RTCP where it takes RTP, should the other party do so too (`a=rtcp-mux`, RFC 5761 §5.1.1).
    pub rtcp_mux: bool,
    /// The family of the address that it named last.
    pub family: Option<Family>,
    /// Whether what it named is a port of another relay of ours: the far end is behind us too.
    pub ours: bool,
    /// What else it said; where media comes from and goes to does not depend on it.
    pub terms: Terms,
}

impl Peer {
    /// From nowhere, to nowhere.
    pub const NOWHERE: Self = Self {
        allowed: [None; MAX_ALLOWED],
        rtp: None,
        rtcp: None,
        rtcp_mux: false,
        family: None,
        ours: false,
        terms: Terms::NOTHING,
    };

    /// Allows what `other` allows too, as far as there is room.
    pub fn also_allow(&mut self, other: &Self) {
        for address in other.allowed.into_iter().flatten() {
            if !self.allowed.contains(&Some(address))
                && let Some(place) = self.allowed.iter_mut().find(|place| place.is_none())
            {
                *place = Some(address);
            }
        }
    }
}

/// What is to be done with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the peer's: relay it.
    Accept,
    /// It is from an address nobody announced: count it, drop it.
    Stranger,
    /// From an allowed address, but another stream than the one that is locked, or not yet believed: drop it.
    Unproven,
}

/// How far a UDPTL sequence number may rise from one datagram to the next; T.38 is slow, so that a gap is a loss.
const MAX_UDPTL_STEP: u16 = 16;

/// The same for RTP while it is learned: 80 ms of audio in packets of 20 ms may be lost in between. A stream that loses one packet of
/// three is learned as fast as it comes.
const MAX_RTP_STEP: u16 = 5;

/// Packets from other sources after which one that has begun to be learned, and has sent nothing more, makes way: with 50 packets a
/// second it holds its place against 800.
const PATIENCE: u8 = 16;

/// The latch of one leg, for RTP and RTCP together. Without allowed addresses it is closed.
#[derive(Clone, Copy, Debug)]
pub struct Latch {
    peer: Peer,
    latching: Latching,
    /// The source that is the peer.
    locked: Option<SocketAddr>,
    /// Whether only a DTLS handshake speaks for `locked`: RTP from elsewhere may still replace it.
    provisional: bool,
    /// The stream that is being learned.
    candidate: Option<Candidate>,
}

/// A stream that is not yet believed.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    /// Its source: a place in [`Peer::allowed`], and the port.
    allowed: u8,
    port: u16,
    /// RTP's synchronisation source; `None` is UDPTL.
    ssrc: Option<u32>,
    /// The last sequence number.
    sequence: u16,
    /// Packets in sequence so far.
    count: u8,
    /// Packets from other sources since its last one.
    others: u8,
}

impl Candidate {
    const fn is_from(&self, allowed: u8, port: u16) -> bool {
        self.allowed == allowed && self.port == port
    }
}

impl Latch {
    /// A closed latch.
    #[must_use]
    pub const fn new(latching: Latching) -> Self {
        Self { peer: Peer::NOWHERE, latching, locked: None, provisional: false, candidate: None }
    }

    /// Takes what a new session description says. The same description again changes nothing; another one re-opens,
    /// unless it leaves the peer that was learned in place: the RTP address is the same, or is the learned one, and the
    /// learned one is still allowed.
    pub fn announce(&mut self, peer: &Peer) {
        self.peer.terms = peer.terms;
        if self.peer == *peer {
            return;
        }
        let same = peer.rtp.is_some() && peer.rtp == self.peer.rtp;
        let stays =
            |locked: &SocketAddr| (same || peer.rtp == Some(*locked)) && peer.allowed.contains(&Some(locked.ip()));
        self.locked = self.locked.filter(stays);
        self.provisional &= self.locked.is_some();
        self.candidate = None;
        self.peer = *peer;
    }

    /// What was announced last.
    #[must_use]
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The peer, where nothing but a new session description can bring another.
    #[must_use]
    pub fn settled(&self) -> Option<SocketAddr> {
        self.locked.filter(|_| !self.provisional)
    }

    /// Judges a datagram that came to the RTP port.
    pub fn rtp(&mut self, from: SocketAddr, kind: Kind) -> Verdict {
        let Some(allowed) = self.allowed(from.ip()) else { return Verdict::Stranger };
        if self.latching == Latching::Off {
            return Verdict::Accept;
        }
        if self.locked == Some(from) {
            if matches!(kind, Kind::Rtp { .. }) {
                self.provisional = false;
                self.candidate = None;
            }
            return Verdict::Accept;
        }
        if self.locked.is_some() && !self.provisional {
            return Verdict::Unproven;
        }
        let announced = self.peer.rtp == Some(from);
        match kind {
            Kind::Rtcp | Kind::Stun if announced => Verdict::Accept,
            Kind::Rtcp | Kind::Stun => Verdict::Unproven,
            _ if announced => self.lock(from, false),
            Kind::Dtls { hello: true } if self.locked.is_none() => self.lock(from, true),
            Kind::Dtls { .. } => Verdict::Unproven,
            Kind::Rtp { sequence, ssrc } => self.learn(from, allowed, Some(ssrc), sequence),
            // What fixed the port by a handshake sends RTP next; UDPTL from elsewhere must not take that over.
            Kind::Other { .. } if self.locked.is_some() => Verdict::Unproven,
            Kind::Other { sequence } => self.learn(from, allowed, None, sequence),
        }
    }

    /// Judges a datagram that came to the RTCP port. RTCP never makes a peer.
    #[must_use]
    pub fn rtcp(&self, from: SocketAddr) -> Verdict {
        if self.allowed(from.ip()).is_none() {
            return Verdict::Stranger;
        }
        // Its port need not be known: many senders' NAT maps RTCP to a port that nobody can announce.
        let peer = self.locked.or(self.peer.rtp).map(|peer| peer.ip());
        if self.peer.rtcp == Some(from) || peer == Some(from.ip()) { Verdict::Accept } else { Verdict::Unproven }
    }

    /// Where RTP for this leg's peer goes.
    #[must_use]
    pub fn rtp_destination(&self) -> Option<SocketAddr> {
        self.locked.or(self.peer.rtp)
    }

    /// Where RTCP for this leg's peer goes: as announced, or above the learned RTP port.
    #[must_use]
    pub fn rtcp_destination(&self) -> Option<SocketAddr> {
        let learned = self.locked.filter(|locked| self.peer.rtp != Some(*locked));
        let Some(rtp) = learned else { return self.peer.rtcp };
        // Both on one port (RFC 5761) stay so.
        if self.peer.rtcp.is_some() && self.peer.rtcp == self.peer.rtp {
            return learned;
        }
        Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?))
    }

    /// The place of `address` in [`Peer::allowed`].
    fn allowed(&self, address: IpAddr) -> Option<u8> {
        let place = self.peer.allowed.iter().position(|allowed| *allowed == Some(address))?;
        u8::try_from(place).ok()
    }

    fn lock(&mut self, from: SocketAddr, provisional: bool) -> Verdict {
        self.locked = Some(from);
        self.provisional = provisional;
        self.candidate = None;
        Verdict::Accept
    }

    fn learn(&mut self, from: SocketAddr, allowed: u8, ssrc: Option<u32>, sequence: u16) -> Verdict {
        let longest = if ssrc.is_some() { MAX_RTP_STEP } else { MAX_UDPTL_STEP };
        let mut count = 1;
        if let Some(known) = &mut self.candidate {
            if !known.is_from(allowed, from.port()) {
                known.others = known.others.saturating_add(1);
                if known.others <= PATIENCE {
                    return Verdict::Unproven;
                }
            } else if known.ssrc == ssrc {
                known.others = 0;
                // What is behind comes again or late.
                if known.sequence.wrapping_sub(sequence) <= longest {
                    return Verdict::Unproven;
                }
                if sequence.wrapping_sub(known.sequence) <= longest {
                    count = known.count.saturating_add(1);
                }
            }
        }
        if count >= MIN_SEQUENTIAL {
            return self.lock(from, false);
        }
        self.candidate = Some(Candidate { allowed, port: from.port(), ssrc, sequence, count, others: 0 });
        Verdict::Unproven
    }
}

impl Default for Latch {
    fn default() -> Self {
        Self::new(Latching::Restricted)
    }
}

#[cfg(test)]
mod tests;
