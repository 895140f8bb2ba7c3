//! What the records of one name say, in a fixed space.

use super::name::Name;
use crate::limits::{MAX_NAME_ADDRESSES, MAX_NAME_RECORDS, MAX_RECORD_NAMES};
use crate::span::Span;
use core::net::IpAddr;

/// A transport of SIP (RFC 3261 §18, §26.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
}

/// Addresses of one name.
pub(super) type Addresses = heapless::Vec<IpAddr, MAX_NAME_ADDRESSES>;

/// The records of one name and type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a table of equal places")]
pub(super) enum Records {
    /// A or AAAA.
    Addresses(Addresses),
    /// SRV or NAPTR.
    Pointers(Pointers),
}

/// SRV or NAPTR records: what leads to another name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pointers {
    list: heapless::Vec<Pointer, MAX_NAME_RECORDS>,
    /// The names that the list points to.
    names: heapless::Vec<u8, MAX_RECORD_NAMES>,
}

/// One SRV (RFC 2782) or NAPTR record (RFC 3403).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    /// The lowest goes first: the priority of SRV, the order of NAPTR.
    pub(super) priority: u16,
    /// Of SRV: the share of those with this priority. Of NAPTR its preference: the lowest goes first.
    pub(super) weight: u16,
    /// Of SRV: the port.
    pub(super) port: u16,
    /// Of NAPTR: the transport of its service.
    pub(super) transport: Transport,
    name: Span,
}

impl Pointer {
    pub(super) const fn srv(priority: u16, weight: u16, port: u16) -> Self {
        Self { priority, weight, port, transport: Transport::Udp, name: Span::at(0) }
    }

    pub(super) const fn naptr(order: u16, preference: u16, transport: Transport) -> Self {
        Self { priority: order, weight: preference, port: 0, transport, name: Span::at(0) }
    }
}

impl Pointers {
    /// Adds a record that points to `target`, nowhere for `None`. What is over the capacity is the end of the list.
    pub(super) fn push(&mut self, pointer: Pointer, target: Option<&Name>) {
        let start = self.names.len();
        if !self.list.is_full() && self.names.extend_from_slice(target.map_or(&[], Name::as_bytes)).is_ok() {
            let _ = self.list.push(Pointer { name: Span::from_usize(start, self.names.len()), ..pointer });
        }
    }

    /// The records in the order in which they came.
    pub(super) fn list(&self) -> &heapless::Vec<Pointer, MAX_NAME_RECORDS> {
        &self.list
    }

    /// The name that a record of this list points to; empty where that is nowhere.
    pub(super) fn target(&self, pointer: &Pointer) -> &[u8] {
        pointer.name.of(&self.names)
    }
}
