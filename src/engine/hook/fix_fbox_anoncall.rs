//! `plugin_fix_fbox_anoncall`: a FRITZ!Box that hides its number does so in Contact, too, where its provider looks for the account.
//!
//! The user of its Contact becomes that of the account it has registered: by the parameter `uniq` that both Contacts have, where just one account
//! has it, or by To.

use super::{At, Did, Hook};
use crate::engine::binding::Binding;
use crate::engine::guard::Origin;
use crate::host::Host;
use crate::sip::addr::NameAddr;
use crate::sip::edit::{EditError, Edits};
use crate::sip::uri::Uri;
use crate::sip::{HeaderId, Method};
use crate::span::Span;

pub(super) struct FixFboxAnoncall;

impl Hook for FixFboxAnoncall {
    fn before(&self, at: &At<'_>, edits: &mut Edits) -> Result<Did, EditError> {
        let received = at.received;
        let is_listed = at.settings().fbox.iter().any(|network| network.contains(received.from.host()));
        if received.origin != Origin::Phone || !is_listed || received.head.method == Method::Register {
            return Ok(Did::Nothing);
        }
        let Some((user, account)) = contact(at).and_then(|uri| Some((uri.user?, account_of(at, &uri)?))) else {
            return Ok(Did::Nothing);
        };
        edits.replace(user, account).map(|()| Did::Changed)
    }
}

/// The first Contact.
fn contact(at: &At<'_>) -> Option<Uri> {
    let element = at.received.msg.elements(HeaderId::Contact).next()?;
    Uri::parse(at.bytes(), NameAddr::parse(at.bytes(), element.span).ok()?.uri).ok()
}

/// The user of the account of a phone's Contact that none of its accounts has.
fn account_of<'a>(at: &At<'a>, uri: &Uri) -> Option<&'a [u8]> {
    let bytes = at.bytes();
    let user = uri.user?.of(bytes);
    let its = || {
        let bindings = at.engine.bindings.iter().map(|(_, binding)| binding);
        bindings.filter(|b| b.is_live(at.now) && b.place.address.host() == at.received.from.host())
    };
    if its().any(|b| b.contact_user() == user) {
        return None;
    }
    let uniq = uri.param(bytes, b"uniq").and_then(|param| param.value).map(|value| value.of(bytes));
    if let Some(uniq) = uniq {
        let mut same = its().filter(|b| uniq_of(b) == Some(uniq));
        if let (Some(only), None) = (same.next(), same.next()) {
            return Some(only.contact_user());
        }
    }
    let to = Uri::parse(bytes, at.received.head.to.uri).ok()?.user?.of(bytes);
    its().find(|b| b.contact_user() == to).map(Binding::contact_user)
}

/// The parameter `uniq` of a Contact that is registered.
fn uniq_of(binding: &Binding) -> Option<&[u8]> {
    let uri = Uri::parse(&binding.contact, Span::from_usize(0, binding.contact.len())).ok()?;
    Some(uri.param(&binding.contact, b"uniq")?.value?.of(&binding.contact))
}
