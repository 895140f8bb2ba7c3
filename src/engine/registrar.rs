//! REGISTER: passed on to the phones' provider, or answered here where the domain is ours (RFC 3261 §10).

use super::binding::{Binding, Offer, UriText, aor_text};
use super::cause::Cause;
use super::contact::Place;
use super::counters::Count;
use super::hop::Hop;
use super::hop::Spare;
use super::io::Side;
use super::message::Received;
use super::preference::Preference;
use super::route::Target;
use super::transaction::{MAX_CONTACTS, Registers};
use super::{Engine, Sink};
use crate::host::Host;
use crate::log_class::{self as class, log};
use crate::sip::addr::NameAddr;
use crate::sip::edit::{EditError, Edits};
use crate::sip::seconds::delta_seconds;
use crate::sip::uri::{Scheme, Uri};
use crate::sip::via::Transport;
use crate::sip::{HeaderId, Message};
use crate::span::Span;
use crate::time::Instant;
use core::net::{IpAddr, SocketAddr};

mod by_seal;
mod caching;
mod here;
mod leaving;

/// One Contact of a REGISTER.
struct Contact {
    addr: NameAddr,
    uri: Uri,
    /// Seconds asked for.
    expires: u32,
    place: Place,
    preference: Option<Preference>,
}

/// What a REGISTER asks for.
#[expect(clippy::large_enum_variant, reason = "one lives at a time, on the stack")]
enum Asked {
    /// Nothing to be changed: what is bound?
    Query,
    /// `Contact: *`: remove everything.
    RemoveAll,
    /// Bind or unbind these.
    Contacts(heapless::Vec<Contact, MAX_CONTACTS>),
}

impl Engine {
    /// Takes a phone's REGISTER whose next hop is `target`.
    pub(super) fn register(&mut self, received: &Received<'_>, target: Target, now: Instant, out: &mut dyn Sink) {
        if !self.may_register(received.from.host()) {
            return self.answer(received, Cause::NotAllowed, out);
        }
        let asked = match self.asked(received) {
            Ok(asked) => asked,
            Err(cause) => return self.answer(received, cause, out),
        };
        match (aor_of(received), target) {
            (Ok(aor), Target::Ourselves) => {
                if self.is_admitted(received, &aor, now, out) {
                    self.register_here(received, &asked, &aor, now, out);
                }
            }
            (Ok(aor), Target::Server { to, transport, spare }) => {
                self.register_there(received, (to, transport, spare), &asked, Some(&aor), now, out);
            }
            // Another registrar may make something of a To that is nothing to us (RFC 4475 §3.3.4).
            (Err(_), Target::Server { to, transport, spare }) if has_other_scheme(received) => {
                self.register_there(received, (to, transport, spare), &asked, None, now, out);
            }
            // A phone keeps no registrations.
            (Ok(_), Target::Phone(_)) => self.answer(received, Cause::UnknownUser, out),
            (Err(cause), _) => self.answer(received, cause, out),
        }
    }

    fn asked(&self, received: &Received<'_>) -> Result<Asked, Cause> {
        let msg = received.msg;
        let bytes = msg.bytes();
        let header_expires = msg.value(HeaderId::Expires).and_then(delta_seconds);
        let mut contacts = heapless::Vec::new();
        for element in msg.elements(HeaderId::Contact) {
            if msg.get(element.span) == b"*" {
                // RFC 3261 §10.2.2: only with Expires: 0 and as the only Contact.
                let alone = msg.elements(HeaderId::Contact).count() == 1;
                return if alone && header_expires == Some(0) {
                    Ok(Asked::RemoveAll)
                } else {
                    Err(Cause::Malformed("Contact: * needs Expires: 0 and no other Contact"))
                };
            }
            let addr = NameAddr::parse(bytes, element.span).map_err(|_| Cause::Malformed("Contact cannot be read"))?;
            let uri = Uri::parse(bytes, addr.uri).map_err(|_| Cause::Malformed("Contact cannot be read"))?;
            // One that SIP does not reach is between the phone and its registrar (RFC 3261 §10.2.1).
            if !matches!(uri.scheme, Scheme::Sip | Scheme::Sips) {
                continue;
            }
            let expires = addr
                .param(bytes, b"expires")
                .and_then(|p| p.value)
                .and_then(|v| delta_seconds(v.of(bytes)))
                .or(header_expires)
                .unwrap_or(self.settings().default_expires);
            let preference = addr.param(bytes, b"q").and_then(|p| p.value).and_then(|v| Preference::parse(v.of(bytes)));
            let place = Place::of(bytes, &uri, received.from, received.on.kind());
            let contact = Contact { addr, uri, expires, place, preference };
            contacts.push(contact).map_err(|_| Cause::Malformed("REGISTER has more than 8 Contacts"))?;
        }
        Ok(if contacts.is_empty() { Asked::Query } else { Asked::Contacts(contacts) })
    }

    /// Passes a REGISTER on. The bindings wait for the registrar's answer; without an address-of-record there are none.
    fn register_there(
        &mut self,
        received: &Received<'_>,
        (to, transport, spare): (SocketAddr, Transport, Spare),
        asked: &Asked,
        aor: Option<&[u8]>,
        now: Instant,
        out: &mut dyn Sink,
    ) {
        let msg = received.msg;
        let (mut edits, mut leaves) = (Edits::new(), false);
        let refresh = aor.and_then(|_| self.refresh_of(received, asked)).map(|(refresh, _)| refresh);
        let upstream = refresh.map(|refresh| self.seconds_upstream(refresh));
        if let Asked::Contacts(contacts) = asked {
            let phone = (received.from, received.on.kind());
            if let Some(aor) = aor
                && let Err(cause) = self.make_room_for(msg, contacts, aor, now)
            {
                return self.answer(received, cause, out);
            }
            let written = contacts
                .iter()
                .try_for_each(|c| self.masquerade(msg.bytes(), &c.addr, phone, transport, &mut edits))
                .and_then(|()| self.write_expires(msg, contacts, upstream, &mut edits))
                .and_then(|()| self.leave_old_address(msg, contacts, aor, transport, &mut edits));
            match written {
                Ok(written) => leaves = written,
                Err(_) => return self.answer(received, Cause::TooLarge, out),
            }
        }
        let mut registers = aor.map_or_else(Registers::default, |aor| self.changes(msg, asked, aor));
        (registers.refresh, registers.leaves) = (refresh, leaves);
        registers.has_credentials =
            [HeaderId::Authorization, HeaderId::ProxyAuthorization].iter().any(|id| msg.header(*id).is_some());
        if let (Some(secs), [(_, asked)]) = (upstream, &mut registers.bindings[..]) {
            *asked = secs;
        }
        if let Some(aor) = aor {
            self.refresh_goes_on(received, &registers, aor, now);
        }
        let hop = Hop { registers, transport, spare, ..Hop::to(to, Side::Wan) };
        self.forward_request(received, hop, &mut edits, now, out);
    }

    /// The bindings that a REGISTER changes once it is accepted. The phone may have changed parameters of its Contact.
    fn changes(&mut self, msg: &Message<'_>, asked: &Asked, aor: &[u8]) -> Registers {
        let mut registers = Registers { removes_all: matches!(asked, Asked::RemoveAll), ..Registers::default() };
        let Asked::Contacts(contacts) = asked else { return registers };
        for contact in contacts {
            let offer = offer_of(msg, contact, aor);
            let Some(handle) = self.bindings.find(&offer) else { continue };
            // Both lists have MAX_CONTACTS places.
            let _ = registers.bindings.push((handle, contact.expires));
            if let Some(binding) = self.bindings.get_mut(handle)
                && let Ok(text) = UriText::from_slice(offer.contact)
            {
                binding.move_to(contact.place, text);
            }
        }
        registers
    }

    /// A REGISTER that names no expiry at all asks for `default_expires`; one that is to ask for `secs` does so.
    fn write_expires(
        &self,
        msg: &Message<'_>,
        contacts: &[Contact],
        secs: Option<u32>,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let in_header = msg.header(HeaderId::Expires).map(|header| header.value);
        let in_contacts = contacts.iter().filter_map(|c| c.addr.param(msg.bytes(), b"expires")?.value);
        let mut is_named = false;
        for place in in_header.into_iter().chain(in_contacts) {
            is_named = true;
            if let Some(secs) = secs.filter(|secs| contacts.iter().any(|c| c.expires != *secs)) {
                edits.replace_fmt(place, format_args!("{secs}"))?;
            }
        }
        if is_named {
            return Ok(());
        }
        let end = Span::at(msg.end_of_headers());
        edits.replace_fmt(end, format_args!("Expires: {}\r\n", self.settings().default_expires))
    }

    /// Makes a place for each Contact that is to be bound. A refresh always fits.
    fn make_room_for(
        &mut self,
        msg: &Message<'_>,
        contacts: &[Contact],
        aor: &[u8],
        now: Instant,
    ) -> Result<(), Cause> {
        for contact in contacts.iter().filter(|c| c.expires > 0) {
            let offer = offer_of(msg, contact, aor);
            if offer.contact.len() > crate::limits::MAX_URI {
                return Err(Cause::TooLarge);
            }
            if self.bindings.find(&offer).is_some() {
                continue;
            }
            if self.bindings.len() >= self.settings().max_bindings || self.bindings.offer(&offer, now).is_none() {
                return Err(Cause::BindingsFull);
            }
        }
        self.shortages.over(Cause::BindingsFull);
        Ok(())
    }

    /// Takes the final response to a forwarded REGISTER: bindings become valid with a 2xx and live as long as it says.
    pub(super) fn registered(&mut self, msg: &Message<'_>, status: u16, t: &RegisterAnswered<'_>, now: Instant) {
        let accepted = (200..300).contains(&status);
        if t.registers.leaves && !accepted && !matches!(status, 401 | 407) {
            self.stop_leaving();
        }
        for (handle, asked) in &t.registers.bindings {
            if accepted {
                let granted = if *asked == 0 { 0 } else { self.granted(msg, *handle).unwrap_or(*asked) };
                self.settle(*handle, Some(t.registrar), granted, now);
                self.note_granted(msg, *handle, t.registers, now);
                let contact = self.bindings.get(*handle).and_then(|binding| self.contacts_of(msg, binding).next());
                let gruus = contact.map_or_else(Default::default, |contact| self.gruus_in(msg.bytes(), &contact));
                if let Some(binding) = self.bindings.get_mut(*handle) {
                    binding.registrar_by = t.by;
                    binding.gruus = gruus;
                }
            } else if matches!(status, 401 | 407) {
                // A challenge is only half an answer: all is kept for the REGISTER with credentials.
            } else if self.bindings.get(*handle).is_some_and(|b| !b.valid) {
                self.drop_binding(*handle, "refused by the registrar");
            }
        }
        if let Some(aor) = t.removes_all.filter(|_| accepted) {
            // Anybody may ask a server of his own to forget this account.
            self.remove_all(aor, &|this, b| {
                b.place.address.host() == t.phone || this.is_server_of(b, t.registrar.host())
            });
        }
    }

    /// Gives a binding the expiry that the registrar granted; 0 ends it.
    fn settle(&mut self, handle: crate::table::Handle, registrar: Option<SocketAddr>, granted: u32, now: Instant) {
        if granted == 0 {
            return self.drop_binding(handle, "un-registered");
        }
        let Some(binding) = self.bindings.get(handle) else { return };
        let (was_valid, old) = (binding.valid, binding.registrar);
        if !was_valid {
            log::info!(
                target: class::REG,
                "{} registered: phone {} at {} for {granted} s",
                binding.aor.escape_ascii(),
                binding.place.address,
                Registrar(registrar),
            );
        }
        // The new flow first, so that a refresh at the same server never leaves it without one.
        if let Some(server) = registrar
            && !(was_valid && old == registrar)
            && !self.flows.add(server)
        {
            log::warn!(target: class::REG, "no room to keep the way from {server} open: too many servers");
        }
        if was_valid
            && old != registrar
            && let Some(server) = old
        {
            self.flows.remove(server);
        }
        self.bindings.confirm(handle, registrar, granted, now);
        self.counters.add(Count::Registrations);
    }

    /// The expiry that a 2xx grants to a binding: that of our Contact in it, else its Expires header (RFC 3261 §10.2.4).
    fn granted(&self, msg: &Message<'_>, handle: crate::table::Handle) -> Option<u32> {
        let binding = self.bindings.get(handle)?;
        let secs = |addr: NameAddr| delta_seconds(addr.param(msg.bytes(), b"expires")?.value?.of(msg.bytes()));
        let of_contact = self.contacts_of(msg, binding).find_map(secs);
        of_contact.or_else(|| msg.value(HeaderId::Expires).and_then(delta_seconds))
    }

    /// The Contacts of a response that are those of a binding.
    fn contacts_of<'m>(
        &'m self,
        msg: &'m Message<'_>,
        binding: &'m Binding,
    ) -> impl Iterator<Item = NameAddr> + use<'m> {
        let bytes = msg.bytes();
        msg.elements(HeaderId::Contact).filter_map(move |element| {
            let addr = NameAddr::parse(bytes, element.span).ok()?;
            let uri = Uri::parse(bytes, addr.uri).ok()?;
            let user_matches = uri.user.map_or(&[][..], |u| u.of(bytes)) == binding.contact_user();
            let is_its = match self.place_in(bytes, &uri) {
                Some(place) => place.address == binding.place.address && user_matches,
                None => user_matches && self.is_own_uri(bytes, &uri),
            };
            is_its.then_some(addr)
        })
    }

    /// Ends the bindings of an address-of-record for which `is_meant` holds.
    fn remove_all(&mut self, aor: &[u8], is_meant: &dyn Fn(&Self, &Binding) -> bool) {
        loop {
            let found =
                self.bindings.of_aor(aor).find(|(_, binding)| is_meant(self, binding)).map(|(handle, _)| handle);
            let Some(handle) = found else { return };
            self.drop_binding(handle, "un-registered");
        }
    }

    fn drop_binding(&mut self, handle: crate::table::Handle, why: &str) {
        if let Some(binding) = self.bindings.remove(handle) {
            self.binding_ended(&binding, why);
        }
    }

    /// Lets go of what a binding held.
    pub(super) fn binding_ended(&mut self, binding: &Binding, why: &str) {
        if !binding.valid {
            return;
        }
        self.counters.add(Count::RegistrationsEnded);
        log::info!(target: class::REG, "{}: phone {} {why}", binding.aor.escape_ascii(), binding.place.address);
        if let Some(server) = binding.registrar {
            self.flows.remove(server);
        }
    }

    /// Edits the Contacts of a 2xx to REGISTER back into the phone's; those of other devices stay.
    pub(super) fn unmasquerade_contacts(
        &self,
        msg: &Message<'_>,
        registers: &Registers,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let bytes = msg.bytes();
        for element in msg.elements(HeaderId::Contact) {
            let Ok(addr) = NameAddr::parse(bytes, element.span) else { continue };
            let Ok(uri) = Uri::parse(bytes, addr.uri) else { continue };
            let user = uri.user.map_or(&[][..], |u| u.of(bytes));
            let place = self.place_in(bytes, &uri);
            let of_phone = registers
                .bindings
                .iter()
                .filter_map(|(handle, _)| self.bindings.get(*handle))
                .find(|b| b.contact_user() == user && place.is_none_or(|p| p.address == b.place.address));
            match (place, of_phone) {
                (Some(_), Some(binding)) => edits.replace(uri.whole, &binding.contact)?,
                (Some(place), None) => Self::unmasquerade(bytes, &uri, place, edits)?,
                (None, Some(binding)) if self.is_own_uri(bytes, &uri) => edits.replace(uri.whole, &binding.contact)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// What the transaction of a REGISTER tells when its final response comes.
pub(super) struct RegisterAnswered<'a> {
    pub(super) registrar: SocketAddr,
    /// Who asked.
    pub(super) phone: IpAddr,
    /// How the registrar was reached.
    pub(super) by: Transport,
    pub(super) registers: &'a Registers,
    /// The address-of-record of a `Contact: *`.
    pub(super) removes_all: Option<&'a [u8]>,
}

/// A registrar, for log lines.
struct Registrar(Option<SocketAddr>);

impl core::fmt::Display for Registrar {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Some(server) => write!(f, "{server}"),
            None => f.write_str("this router"),
        }
    }
}

fn offer_of<'m>(msg: &Message<'m>, contact: &Contact, aor: &'m [u8]) -> Offer<'m> {
    Offer {
        aor,
        contact: msg.get(contact.uri.whole),
        contact_user: contact.uri.user.map_or(&[], |user| msg.get(user)),
        place: contact.place,
    }
}

/// The address-of-record of a REGISTER: `user@host` of To.
fn aor_of(received: &Received<'_>) -> Result<UriText, Cause> {
    aor_text(received.msg.bytes(), received.head.to.uri).ok_or(Cause::Malformed("To has no address-of-record"))
}

/// Whether To has neither a SIP nor a `tel:` URI.
fn has_other_scheme(received: &Received<'_>) -> bool {
    Uri::parse(received.msg.bytes(), received.head.to.uri).is_ok_and(|uri| uri.scheme == Scheme::Other)
}
