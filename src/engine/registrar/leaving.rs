//! Leaving an address by which the Internet knew us: registrars keep a Contact with it until it expires, and somebody else may have it by
//! then.

use super::super::Engine;
use super::super::io::Side;
use super::super::own::HostAndPort;
use super::{Contact, offer_of};
use crate::sip::Message;
use crate::sip::edit::{EditError, Edits};
use crate::sip::via::Transport;
use crate::span::Span;
use crate::time::Instant;
use core::net::{IpAddr, SocketAddr};

impl Engine {
    /// Notes that the Internet does not know us by `before` any more, if that is so.
    pub(in crate::engine) fn note_left(&mut self, before: Option<IpAddr>, now: Instant) {
        if let Some(before) = before.filter(|before| self.own(Side::Wan) != Some(*before)) {
            self.left.set((before, now));
        }
    }

    /// Has the registrar forget our old address, where somebody else may be called now (RFC 3261 §10.2.2): the same Contact with it, for no
    /// time. Credentials do not cover it (RFC 7616 §3.4.3). `true` where that was written.
    pub(super) fn leave_old_address(
        &self,
        msg: &Message<'_>,
        contacts: &[Contact],
        aor: Option<&[u8]>,
        leg: Transport,
        edits: &mut Edits,
    ) -> Result<bool, EditError> {
        let (Some(&(old, left)), [contact], Some(aor)) = (self.left.get(), contacts, aor) else { return Ok(false) };
        let binding = self.bindings.find(&offer_of(msg, contact, aor)).and_then(|handle| self.bindings.get(handle));
        let (bytes, Contact { uri, place, .. }) = (msg.bytes(), contact);
        let is_there = binding.is_some_and(|b| b.valid && b.refreshed < left && b.place == *place);
        let is_other = self.masked_contact(bytes, uri, place.address).is_some() || self.own(Side::Wan) == Some(old);
        // One that names another transport is left to its expiry.
        if !is_there || is_other || place.named.is_some_and(|named| named != leg) {
            return Ok(false);
        }
        let at = Span::at(msg.end_of_headers());
        let end = if uri.params.is_empty() { uri.hostport.end } else { uri.params.end };
        let own = SocketAddr::new(old, self.settings().sip_listen_port);
        let transport = if place.named.is_none() && leg == Transport::Tcp { ";transport=tcp" } else { "" };
        edits.replace(at, b"Contact: <")?;
        edits.replace(at, Span::new(uri.whole.start, uri.hostport.start).of(bytes))?;
        edits.replace_fmt(at, format_args!("{}", HostAndPort(own)))?;
        edits.replace(at, Span::new(uri.hostport.end, end).of(bytes))?;
        edits.replace_fmt(at, format_args!("{transport};sx={}>;expires=0\r\n", self.seal(*place)))?;
        Ok(true)
    }

    /// A registrar does not answer to that, or refuses it.
    pub(in crate::engine) fn stop_leaving(&mut self) {
        if let Some(&(old, _)) = self.left.get() {
            self.left.set((old, Instant::ZERO));
        }
    }
}
