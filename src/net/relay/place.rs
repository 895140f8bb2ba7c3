//! Which socket of which relay an event is for, as it stands in a [`Token`].

use super::TOKEN_FLAG;
use crate::engine::io::Leg;
use crate::family::Family;
use crate::limits::MAX_RELAYS;
use mio::Token;

/// Places for the sockets of one relay: two legs, two families, RTP, RTCP and RTP of the peer alone.
pub(super) const SOCKETS: usize = 16;

const SOCKET_BITS: u32 = SOCKETS.trailing_zeros();

const INDEX_BITS: u32 = 12;
const BIT_MASK: usize = (1 << (INDEX_BITS + SOCKET_BITS)) - 1;
const _: () = assert!(MAX_RELAYS <= 1 << INDEX_BITS, "the slot's number has 12 bits in a token");

/// What is left of a token for the incarnation.
pub(super) const INCARNATIONS: u16 = 0x7fff;

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    /// RTP from anybody.
    Rtp,
    /// RTCP from anybody.
    Rtcp,
    /// RTP from the leg's peer, once it is known; on the port of the first.
    Peer,
}

/// One socket of one relay.
///
/// ```text
///   bit 31  30 ........ 16  15 ....... 4   3     2        1  0
///   flag    incarnation     slot           leg   family   port
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) incarnation: u16,
    pub(super) slot: usize,
    pub(super) leg: Leg,
    pub(super) family: Family,
    pub(super) port: Port,
}

impl Place {
    pub(super) fn token(self) -> Token {
        Token(TOKEN_FLAG | usize::from(self.incarnation) << (INDEX_BITS + SOCKET_BITS) | self.bit() & BIT_MASK)
    }

    pub(super) fn of(token: Token) -> Self {
        Self::of_bit(((token.0 & !TOKEN_FLAG) >> (INDEX_BITS + SOCKET_BITS)) as u16, token.0 & BIT_MASK)
    }

    /// The socket whose [`bit`](Self::bit) is given.
    pub(super) fn of_bit(incarnation: u16, bit: usize) -> Self {
        let leg = if bit & 8 == 0 { Leg::Caller } else { Leg::Callee };
        let family = if bit & 4 == 0 { Family::V4 } else { Family::V6 };
        let port = match bit & 3 {
            0 => Port::Rtp,
            1 => Port::Rtcp,
            _ => Port::Peer,
        };
        Self { incarnation, slot: bit / SOCKETS, leg, family, port }
    }

    /// The bit of this socket in a set of all sockets.
    pub(super) fn bit(self) -> usize {
        self.slot * SOCKETS + (self.leg as usize) * 8 + (self.family as usize) * 4 + self.port as usize
    }
}
