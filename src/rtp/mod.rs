//! RTP and RTCP as the relay sees them: header checks and the learning of a peer's address. No payload is read.

pub mod latch;

/// What a datagram on a media port looks like (RFC 5761 §4, RFC 7983 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RTP (RFC 3550 §5.1).
    Rtp {
        /// Sequence number.
        sequence: u16,
        /// Synchronisation source.
        ssrc: u32,
    },
    /// RTCP (RFC 3550 §6.4), by its packet type 192 to 223.
    Rtcp,
    /// STUN (RFC 8489).
    Stun,
    /// DTLS.
    Dtls,
    /// Anything else, UDPTL for example.
    Other,
}

impl Kind {
    /// Classifies one datagram.
    #[must_use]
    pub fn of(_datagram: &[u8]) -> Self {
        todo!()
    }
}
