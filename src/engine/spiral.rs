//! `obscure_loops`: a call that leaves and comes back to the same PBX (a spiral, RFC 3261 §6) is two calls for it.
//!
//! Both have the same Call-ID and the same tags, which few user agents bear. So the second has a mark on its Call-ID towards the LAN, and
//! on the tag of the PBX as its callee towards the WAN, by which the way back is known:
//!
//! ```text
//!   PBX, first call        WAN            PBX, second call
//!   X, from a, to ?    ──▶ X, a, ?    ──▶ X+m, from a, to ?     an INVITE of which the first passage still waits for its answer
//!   X, to b+m          ◀── X, b+m     ◀── X+m, to b             responses
//!   X, from a, to b+m  ──▶ X, a, b+m  ──▶ X+m, from a, to b     requests of the caller
//!   X, from b+m, to a  ◀── X, b+m, a  ◀── X+m, from b, to a     requests of the callee
//! ```
//! Nothing else is touched, and nothing is kept: a mark is a keyed hash of what it stands behind, which nobody else can make.

use super::Engine;
use super::hide::{CallId, Secrets, Way};
use super::io::Side;
use super::message::Received;
use crate::sip::Method;
use crate::sip::addr::NameAddr;
use crate::sip::edit::{EditError, Edits};
use crate::sip::token::hex;
use crate::span::Span;

/// What a mark begins with.
const MARK: &[u8] = b"-sx";
/// Bytes of the hash in a mark, which has twice as many letters.
const HASH: usize = 8;
/// Bytes of a mark.
const MARK_LEN: usize = MARK.len() + 2 * HASH;

impl Engine {
    fn spiral_mark(&self, text: &[u8]) -> heapless::Vec<u8, MARK_LEN> {
        let hash = self.key.hash("spiral", &[text]);
        let mut mark = heapless::Vec::new();
        // It is of that length.
        let _ = mark.extend_from_slice(MARK);
        let _ = mark.extend_from_slice(hex(hash.first_chunk::<HASH>().unwrap_or(&[0; HASH])).as_bytes());
        mark
    }

    /// What stands before a mark of ours; `None` where there is none.
    fn unmarked<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        if !self.settings().obscure_loops {
            return None;
        }
        let (plain, mark) = text.split_at_checked(text.len().checked_sub(MARK_LEN)?)?;
        (mark.starts_with(MARK) && self.spiral_mark(plain) == mark).then_some(plain)
    }

    /// The Call-ID `call_id` of a message from the WAN with a mark, where it is of the second call of a spiral.
    fn with_mark(&self, received: &Received<'_>, call_id: &[u8]) -> Result<Option<CallId>, EditError> {
        if !self.is_second_call(received, call_id) {
            return Ok(None);
        }
        let mut marked = CallId::from_slice(call_id).map_err(|_| EditError::Full)?;
        marked.extend_from_slice(&self.spiral_mark(call_id)).map_err(|_| EditError::Full)?;
        Ok(Some(marked))
    }

    /// The Call-ID on the other side, with what hides addresses and with marks; `None` where it is the same.
    pub(super) fn mapped(
        &self,
        received: &Received<'_>,
        secrets: &Secrets,
        way: Way,
    ) -> Result<Option<CallId>, EditError> {
        let written = received.msg.get(received.head.call_id);
        if way == Way::ToLan {
            let mapped = self.map_call_id(written, secrets, way)?;
            let marked = self.with_mark(received, mapped.as_deref().unwrap_or(written))?;
            return Ok(marked.or(mapped));
        }
        let plain = self.unmarked(written);
        let mapped = self.map_call_id(plain.unwrap_or(written), secrets, way)?;
        Ok(match (mapped, plain) {
            (None, Some(plain)) => Some(CallId::from_slice(plain).map_err(|_| EditError::Full)?),
            (mapped, _) => mapped,
        })
    }

    /// Whether a message from the WAN is of the second call of a spiral, whose Call-ID was `call_id` on the LAN.
    fn is_second_call(&self, received: &Received<'_>, call_id: &[u8]) -> bool {
        if !self.settings().obscure_loops || received.head.method == Method::Register {
            return false;
        }
        let own_tag = received.msg.get(own_tag(received));
        if !own_tag.is_empty() {
            return self.unmarked(own_tag).is_some();
        }
        // It is new: did we send it, and wait for its answer?
        let from_tag = received.msg.get(received.head.from_tag);
        !received.request_uri().is_empty()
            && self.transactions.any(|t| {
                let stored = &t.stored;
                let sent_tag = NameAddr::parse(&stored.text, stored.from)
                    .ok()
                    .and_then(|from| from.param(&stored.text, b"tag")?.value)
                    .map(|tag| tag.of(&stored.text));
                t.from_phone
                    && t.downstream_side == Side::Wan
                    && stored.call_id.of(&stored.text) == call_id
                    && sent_tag == Some(from_tag)
            })
    }

    /// The tag of a message from the WAN as the phone knows its own; `None` where it is the same.
    pub(super) fn tag_without_mark<'m>(&self, received: &Received<'m>, tag: Span) -> Option<&'m [u8]> {
        if tag == own_tag(received) { self.unmarked(received.msg.get(tag)) } else { None }
    }

    /// Edits the tag of our party: towards the LAN its mark goes, towards the WAN one comes where the Call-ID has one.
    pub(super) fn mark_tag(&self, received: &Received<'_>, way: Way, edits: &mut Edits) -> Result<(), EditError> {
        let msg = received.msg;
        match way {
            Way::ToLan => {
                let tag = own_tag(received);
                match self.unmarked(msg.get(tag)) {
                    Some(plain) if !edits.touches(tag) => edits
                        .delete(Span::from_usize(usize::from(tag.start).saturating_add(plain.len()), tag.end.into())),
                    _ => Ok(()),
                }
            }
            Way::ToWan if self.unmarked(msg.get(received.head.call_id)).is_some() => {
                let is_request = !received.request_uri().is_empty();
                let tag = if is_request { received.head.from_tag } else { received.head.to_tag };
                if tag.is_empty() { Ok(()) } else { edits.replace(Span::at(tag.end), &self.spiral_mark(msg.get(tag))) }
            }
            Way::ToWan => Ok(()),
        }
    }
}

/// The tag of the phone in a message from the WAN: To of a request, From of a response.
fn own_tag(received: &Received<'_>) -> Span {
    if received.request_uri().is_empty() { received.head.from_tag } else { received.head.to_tag }
}
