//! GRUUs (RFC 5627): URIs of one phone, from its registrar.
//!
//! A phone may write one as its Contact. It leads through its provider, so that it leaves as it is. A provider resolves it to the
//! Contact that we gave it; one that does not, and passes the GRUU on, reaches that phone and none of its neighbours.

use super::Engine;
use super::binding::Binding;
use crate::host::Host;
use crate::sip::addr::NameAddr;
use crate::sip::params;
use crate::sip::uri::Uri;
use crate::span::Span;
use crate::table::Handle;
use crate::time::Instant;
use core::net::IpAddr;

/// Hashes of the GRUUs of a binding: the public and the last temporary one; zero where there is none.
pub(super) type Gruus = [[u8; 8]; 2];

impl Engine {
    /// The GRUUs in a Contact of a 2xx to REGISTER (RFC 5627 §4.2).
    pub(super) fn gruus_in(&self, bytes: &[u8], contact: &NameAddr) -> Gruus {
        [&b"pub-gruu"[..], b"temp-gruu"].map(|name| {
            let value = contact.param(bytes, name).and_then(|param| param.value);
            let uri = value.and_then(|value| Uri::parse(bytes, params::unquoted(bytes, value)).ok());
            uri.and_then(|uri| self.hash_of_gruu(bytes, &uri)).unwrap_or_default()
        })
    }

    /// The phone of a GRUU.
    pub(super) fn phone_of_gruu(&self, bytes: &[u8], uri: &Uri, now: Instant) -> Option<Handle> {
        let hash = self.hash_of_gruu(bytes, uri)?;
        self.bindings.iter().find(|(_, b)| b.is_live(now) && b.gruus.contains(&hash)).map(|(handle, _)| handle)
    }

    /// Whether a URI is a GRUU of the phone at `phone`.
    pub(super) fn is_gruu(&self, bytes: &[u8], uri: &Uri, phone: IpAddr) -> bool {
        let is_of = |hash| move |b: &Binding| b.place.address.host() == phone && b.gruus.contains(&hash);
        self.hash_of_gruu(bytes, uri).map(is_of).is_some_and(|is_it| self.bindings.iter().any(|(_, b)| is_it(b)))
    }

    /// A hash of what tells a GRUU from others: user, host and `gr`; `None` for what is no GRUU.
    fn hash_of_gruu(&self, bytes: &[u8], uri: &Uri) -> Option<[u8; 8]> {
        let gr = uri.param(bytes, b"gr")?.value.unwrap_or(Span::at(uri.whole.end));
        let mut host = heapless::Vec::<u8, { crate::limits::MAX_NAME }>::from_slice(uri.host.of(bytes)).ok()?;
        host.make_ascii_lowercase();
        let hash = self.key.hash("gruu", &[uri.user?.of(bytes), &host, gr.of(bytes)]);
        hash.first_chunk().copied()
    }
}
