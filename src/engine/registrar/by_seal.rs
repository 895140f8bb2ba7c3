//! The 2xx of a REGISTER that no transaction is there for: the table was full, or siproxd has been started anew since.
//!
//! What the REGISTER asked for is not known. But the 2xx names the Contacts that are bound now (RFC 3261 §10.3 step 8), and ours
//! have the phones' places sealed in them.
//!
//! A 2xx can be sent again, by the registrar or whoever has recorded it, also after the phone has un-registered: for as long as the seal
//! is good, a minute, that binds the same address-of-record to the same phone, in at most as many places as one REGISTER has.

use super::super::Engine;
use super::super::binding::Offer;
use super::super::message::Received;
use super::super::response::Back;
use super::super::transaction::MAX_CONTACTS;
use super::UriText;
use crate::host::Host;
use crate::sip::HeaderId;
use crate::sip::addr::NameAddr;
use crate::sip::edit::Edits;
use crate::sip::seconds::delta_seconds;
use crate::sip::uri::Uri;
use crate::span::Span;
use crate::table::Handle;
use crate::time::Instant;

impl Engine {
    /// Binds what a 2xx names of the phone that it goes to, and ends what it does not name where the phone has asked for that.
    pub(in super::super) fn registered_by_seal(
        &mut self,
        received: &Received<'_>,
        aor: &[u8],
        back: &Back,
        now: Instant,
    ) {
        let mut bound = heapless::Vec::<Handle, MAX_CONTACTS>::new();
        for element in received.msg.elements(HeaderId::Contact).take(MAX_CONTACTS) {
            if let Some(handle) = self.bind_by_seal(received, element.span, aor, back, now) {
                // As many places as Contacts that are looked at.
                let _ = bound.push(handle);
            }
        }
        if !back.unregisters {
            return;
        }
        loop {
            let mut of_aor = self.bindings.of_aor(aor);
            let over = of_aor.find(|(handle, b)| b.place.address.host() == back.to.host() && !bound.contains(handle));
            let Some(handle) = over.map(|(handle, _)| handle) else { return };
            drop(of_aor);
            self.drop_binding(handle, "un-registered");
        }
    }

    fn bind_by_seal(
        &mut self,
        received: &Received<'_>,
        contact: Span,
        aor: &[u8],
        back: &Back,
        now: Instant,
    ) -> Option<Handle> {
        let bytes = received.msg.bytes();
        let addr = NameAddr::parse(bytes, contact).ok()?;
        let uri = Uri::parse(bytes, addr.uri).ok()?;
        // The account's other phones have REGISTERs of their own.
        let place = self.place_in(bytes, &uri).filter(|place| place.address.host() == back.to.host())?;
        let mut edits = Edits::new();
        let mut text = UriText::new();
        Self::unmasquerade(bytes, &uri, place, &mut edits).ok()?;
        if !edits.render(bytes, uri.whole, &mut text) {
            return None;
        }
        let contact_user = uri.user.map_or(&[][..], |user| user.of(bytes));
        let offer = Offer { aor, contact: &text, contact_user, place };
        let of_contact = addr.param(bytes, b"expires").and_then(|param| delta_seconds(param.value?.of(bytes)));
        let granted = of_contact
            .or_else(|| received.msg.value(HeaderId::Expires).and_then(delta_seconds))
            .unwrap_or(self.settings().default_expires);
        // One seal opens for as many 2xx as the registrar cares to send.
        let of_phone = self.bindings.of_aor(aor).filter(|(_, b)| b.place.address.host() == back.to.host()).count();
        let is_full = self.bindings.len() >= self.settings().max_bindings || of_phone >= MAX_CONTACTS;
        let handle = match self.bindings.find(&offer) {
            Some(handle) => handle,
            None if is_full || granted == 0 => return None,
            None => self.bindings.offer(&offer, now)?,
        };
        self.settle(handle, Some(back.downstream), granted, now);
        if let Some(binding) = self.bindings.get_mut(handle) {
            binding.registrar_by = received.on.kind();
        }
        Some(handle)
    }
}
