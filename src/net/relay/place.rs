//! Which socket of which relay an event is for, as it stands in a [`Token`].

use super::TOKEN_FLAG;
use crate::engine::io::Leg;
use crate::limits::MAX_RELAYS;
use mio::Token;

/// Sockets of one relay: two legs, RTP and RTCP.
pub(in crate::net) const SOCKETS: usize = 4;

const INDEX_BITS: u32 = 12;
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;
const _: () = assert!(MAX_RELAYS <= 1 << INDEX_BITS, "the slot's number has 12 bits in a token");

/// One socket of one relay.
///
/// ```text
///   bit 30  29 ........ 14  13 ....... 2   1     0
///   flag    incarnation     slot           leg   RTCP
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) incarnation: u16,
    pub(super) slot: usize,
    pub(super) leg: Leg,
    pub(super) rtcp: bool,
}

impl Place {
    pub(super) fn token(self) -> Token {
        Token(TOKEN_FLAG | usize::from(self.incarnation) << (INDEX_BITS + 2) | self.bit() & (INDEX_MASK << 2 | 3))
    }

    pub(super) fn of(token: Token) -> Self {
        Self::of_bit(((token.0 & !TOKEN_FLAG) >> (INDEX_BITS + 2)) as u16, token.0 & (INDEX_MASK << 2 | 3))
    }

    /// The socket whose [`bit`](Self::bit) is given.
    pub(super) fn of_bit(incarnation: u16, bit: usize) -> Self {
        let leg = if bit & 2 == 0 { Leg::Caller } else { Leg::Callee };
        Self { incarnation, slot: bit / SOCKETS, leg, rtcp: bit & 1 != 0 }
    }

    /// The bit of this socket in a set of all sockets.
    pub(super) fn bit(self) -> usize {
        self.slot * SOCKETS + (self.leg as usize) * 2 + usize::from(self.rtcp)
    }
}
