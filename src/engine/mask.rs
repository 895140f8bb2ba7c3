//! `mask_host` and `masked_host`: a phone that is registered here as `user@mask_host` is known outside as `user@masked_host`.
//!
//! Only addresses-of-record of which we are the registrar: the others are their provider's. Towards the WAN the phone's Contact has the
//! masked host in place of our address, with our port and the token, and each URI of the address-of-record itself has it: in From, To,
//! and wherever parties are named (see [`super::mention`]). Towards a phone it is the other way round, so that what a phone has
//! written comes back to it as that. A request from outside for `user@masked_host` is for that phone.

use super::Engine;
use super::binding::{Binding, Bindings, UriText};
use super::hide::Way;
use super::message::Head;
use crate::sip::edit::{EditError, Edits};
use crate::sip::uri::{Scheme, Uri};
use crate::table::Handle;
use crate::time::Instant;
use core::net::SocketAddr;

impl Engine {
    /// The host by which the outside knows the phone with this Contact; `None` where that is our address.
    pub(super) fn masked_contact(&self, bytes: &[u8], contact: &Uri, place: SocketAddr) -> Option<&str> {
        let masks = &self.settings().masked_hosts;
        if masks.is_empty() {
            return None;
        }
        let user = contact.user.map_or(&[][..], |user| user.of(bytes));
        let mut of_contact = self.bindings.of_contact(user, place).peekable();
        of_contact.peek()?;
        // One Contact for an account here and for one of a provider, who knows it by our address: that leads to either.
        of_contact.map(|binding| masks.of_mask(binding.domain()).filter(|_| is_here(binding))).reduce(Option::and)?
    }

    /// Edits the URIs of From and To, where they are an address-of-record with a mask.
    pub(super) fn mask_parties(&self, bytes: &[u8], head: &Head, way: Way, edits: &mut Edits) -> Result<(), EditError> {
        [&head.from, &head.to].into_iter().try_for_each(|party| match Uri::parse(bytes, party.uri) {
            Ok(uri) => self.mask(bytes, &uri, way, edits),
            Err(_) => Ok(()),
        })
    }

    /// Edits the host of a URI that is an address-of-record with a mask into the one by which the side it goes to knows it.
    pub(super) fn mask(&self, bytes: &[u8], uri: &Uri, way: Way, edits: &mut Edits) -> Result<(), EditError> {
        let masks = &self.settings().masked_hosts;
        if masks.is_empty() || edits.touches(uri.hostport) || !matches!(uri.scheme, Scheme::Sip | Scheme::Sips) {
            return Ok(());
        }
        let (Some(user), host) = (uri.user.map(|user| user.of(bytes)), uri.host.of(bytes)) else { return Ok(()) };
        let known_as = match way {
            Way::ToWan => masks.of_mask(host).filter(|_| self.has_account_here(user, host)),
            Way::ToLan => masks.of_masked(host).find(|mask| self.has_account_here(user, mask.as_bytes())),
        };
        match known_as {
            Some(other) => edits.replace(uri.host, other.as_bytes()),
            None => Ok(()),
        }
    }

    /// The live binding of the phone that a URI from outside, or of a phone, names by a masked host.
    pub(super) fn phone_of_masked(&self, bytes: &[u8], uri: &Uri, now: Instant) -> Option<Handle> {
        let user = uri.user?.of(bytes);
        let masks = self.settings().masked_hosts.of_masked(uri.host.of(bytes));
        let aors = masks.filter_map(|mask| account(user, mask.as_bytes()));
        aors.filter_map(|aor| newest(&self.bindings, &aor, now)).next()
    }

    /// Whether the host of a URI is a `masked_host`, as that of a Contact of ours may be.
    pub(super) fn is_masked(&self, bytes: &[u8], uri: &Uri) -> bool {
        self.settings().masked_hosts.of_masked(uri.host.of(bytes)).next().is_some()
    }

    fn has_account_here(&self, user: &[u8], host: &[u8]) -> bool {
        account(user, host).is_some_and(|aor| self.bindings.of_aor(&aor).any(|(_, binding)| is_here(binding)))
    }
}

/// Whether we are the registrar of a binding.
const fn is_here(binding: &Binding) -> bool {
    binding.valid && binding.registrar.is_none()
}

/// The address-of-record as bindings have it.
fn account(user: &[u8], host: &[u8]) -> Option<UriText> {
    let mut aor = UriText::from_slice(user).ok()?;
    aor.push(b'@').ok()?;
    aor.extend_from_slice(host).ok()?;
    aor.get_mut(user.len()..)?.make_ascii_lowercase();
    Some(aor)
}

fn newest(bindings: &Bindings, aor: &[u8], now: Instant) -> Option<Handle> {
    let live = bindings.of_aor(aor).filter(|(_, binding)| is_here(binding) && binding.is_live(now));
    live.max_by_key(|(_, binding)| binding.refreshed).map(|(handle, _)| handle)
}
