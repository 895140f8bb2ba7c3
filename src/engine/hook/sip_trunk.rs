//! `plugin_siptrunk`: a block of numbers belongs to one account.
//!
//! The provider sends calls for any number of the block to the account's Contact, without the token that tells the phone. The number is
//! looked for in the request-URI, then in To. The phone of the account gets the request-URI as it came, so that it sees the number.

use super::{At, Hook, Unknown};
use crate::engine::Engine;
use crate::sip::uri::Uri;
use crate::table::Handle;
use crate::time::Instant;

pub(super) struct SipTrunk;

impl Hook for SipTrunk {
    fn unknown<'a>(&self, at: &At<'a>) -> Unknown<'a> {
        let bytes = at.bytes();
        let uris = [at.received.request_uri(), at.received.head.to.uri];
        let users = uris.into_iter().filter_map(|uri| Some(Uri::parse(bytes, uri).ok()?.user?.of(bytes)));
        let found = users.into_iter().find_map(|user| Some((user, at.settings().trunks.first_match(user, 0)?.1)));
        match found.and_then(|(user, account)| at.engine.phone_of_trunk(account, user, at.now)) {
            Some(phone) => Unknown::Phone(phone),
            None => Unknown::Pass,
        }
    }
}

impl Engine {
    /// The phone of a trunk's account that a number is for: of several the one that has the number in its Contact, else the one that
    /// is preferred, or was refreshed last.
    fn phone_of_trunk(&self, account: &[u8], number: &[u8], now: Instant) -> Option<Handle> {
        let live = self.bindings.of_aor(account).filter(|(_, binding)| binding.is_live(now));
        live.max_by_key(|(_, binding)| (binding.contact_user() == number, binding.rank())).map(|(handle, _)| handle)
    }
}
