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
//! announced has media from the first packet. A packet from the announced address and port itself needs no learning.

use super::Kind;
use core::net::{IpAddr, SocketAddr};

/// RTP packets in sequence from one source that make it the peer (RFC 3550 §A.1 asks for two).
pub const MIN_SEQUENTIAL: u8 = 3;

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

/// The latch of one leg, for RTP and RTCP together.
#[derive(Clone, Copy, Debug)]
pub struct Latch {
    // filled in by the implementation
    _private: (),
}

impl Latch {
    /// A closed latch.
    #[must_use]
    pub const fn new() -> Self {
        Self { _private: () }
    }
    /// Takes what a new session description says. The same description again changes nothing; another one re-opens.
    pub fn announce(&mut self, _peer: &Peer) {
        todo!()
    }
    /// Judges a datagram that came to the RTP port.
    pub fn rtp(&mut self, _from: SocketAddr, _kind: Kind) -> Verdict {
        todo!()
    }
    /// Judges a datagram that came to the RTCP port. RTCP never makes a peer.
    pub fn rtcp(&mut self, _from: SocketAddr) -> Verdict {
        todo!()
    }
    /// Where RTP for this leg's peer goes.
    #[must_use]
    pub fn rtp_destination(&self) -> Option<SocketAddr> {
        todo!()
    }
    /// Where RTCP for this leg's peer goes: as announced, or above the learned RTP port.
    #[must_use]
    pub fn rtcp_destination(&self) -> Option<SocketAddr> {
        todo!()
    }
}
