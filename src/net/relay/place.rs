//! Which socket of which relay an event is for, as it stands in a [`Token`].

use super::TOKEN_FLAG;
use crate::engine::io::Leg;
use crate::family::Family;
use crate::limits::MAX_RELAYS;
use mio::Token;

/// Places for the sockets of one relay: two legs, two families, RTP and RTCP.
pub(in crate::net) const SOCKETS: usize = 8;

const SOCKET_BITS: u32 = SOCKETS.trailing_zeros();

const INDEX_BITS: u32 = 12;
const BIT_MASK: usize = (1 << (INDEX_BITS + SOCKET_BITS)) - 1;
const _: () = assert!(MAX_RELAYS <= 1 << INDEX_BITS, "the slot's number has 12 bits in a token");

/// One socket of one relay.
///
/// ```text
///   bit 31  30 ........ 15  14 ....... 3   2     1        0
///   flag    incarnation     slot           leg   family   RTCP
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) incarnation: u16,
    pub(super) slot: usize,
    pub(super) leg: Leg,
    pub(super) family: Family,
    pub(super) rtcp: bool,
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
        let leg = if bit & 4 == 0 { Leg::Caller } else { Leg::Callee };
        let family = if bit & 2 == 0 { Family::V4 } else { Family::V6 };
        Self { incarnation, slot: bit / SOCKETS, leg, family, rtcp: bit & 1 != 0 }
    }

    /// The bit of this socket in a set of all sockets.
    pub(super) fn bit(self) -> usize {
        self.slot * SOCKETS + (self.leg as usize) * 4 + (self.family as usize) * 2 + usize::from(self.rtcp)
    }
}
