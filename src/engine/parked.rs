//! Requests that wait for a name.
//!
//! A request whose next hop must be looked up is kept here and handled again, as if it had just arrived, when the resolver
//! knows more. With all places taken it is dropped, and the sender's retransmission brings it back.

use super::message::Provenance;
use crate::limits::{MAX_PARKED, MAX_PARKED_BYTES};
use core::net::SocketAddr;

/// One waiting request, as it came.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) provenance: Provenance,
    pub(super) bytes: heapless::Vec<u8, MAX_PARKED_BYTES>,
}

/// All waiting requests. Starts as all zero bytes.
#[derive(Debug)]
pub(super) struct Parked {
    /// One of them is being handled again.
    pub(super) is_resumed: bool,
    list: heapless::Vec<Waiting, MAX_PARKED>,
}

impl Parked {
    pub(super) const fn new() -> Self {
        Self { is_resumed: false, list: heapless::Vec::new() }
    }

    /// Keeps a request; `false` where it is too large or all places are taken. A retransmission takes no second place.
    pub(super) fn push(&mut self, provenance: Provenance, bytes: &[u8]) -> bool {
        if self.holds(provenance.from, bytes) {
            return true;
        }
        let Ok(bytes) = heapless::Vec::from_slice(bytes) else { return false };
        self.list.push(Waiting { provenance, bytes }).is_ok()
    }

    /// Whether a request is a copy of one that waits.
    pub(super) fn holds(&self, from: SocketAddr, bytes: &[u8]) -> bool {
        self.list.iter().any(|w| w.provenance.from == from && w.bytes == bytes)
    }

    /// Number of waiting requests.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Takes the request that waits longest.
    pub(super) fn pop(&mut self) -> Option<Waiting> {
        (!self.list.is_empty()).then(|| self.list.remove(0))
    }
}
