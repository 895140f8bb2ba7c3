//! We are the registrar (RFC 3261 §10.3): all changes that a REGISTER asks for are made, or none.

use super::super::binding::{RequestMark, UriText};
use super::super::cause::Cause;
use super::super::message::Received;
use super::super::{Engine, Sink};
use super::{Asked, Contact, offer_of};
use crate::host::Host;
use crate::sip::reply::Reply;
use crate::time::{Instant, millis};

/// The shortest registration that a phone may ask us for, in seconds: enough to keep a NAT on the LAN open, and phones that ask
/// for less wear out a small router. RFC 3261 §10.3 step 7 lets a registrar choose it, up to an hour.
const MIN_EXPIRES: u32 = 60;

impl Engine {
    /// We are the registrar: changes the bindings and answers with what is bound now (RFC 3261 §10.3).
    pub(super) fn register_here(
        &mut self,
        received: &Received<'_>,
        asked: &Asked,
        aor: &[u8],
        now: Instant,
        out: &mut dyn Sink,
    ) {
        let changed = match asked {
            Asked::Query => Ok(()),
            Asked::RemoveAll => self.remove_all_here(received, aor),
            Asked::Contacts(contacts) => self.bind_here(received, contacts, aor, now),
        };
        if let Err(cause) = changed {
            return self.answer(received, cause, out);
        }
        self.refusals.forget(aor, received.from.host());
        let tag = self.to_tag(received);
        let written = Reply::new(received.msg, received.from, 200, "OK", &tag).and_then(|mut reply| {
            for (_, b) in self.bindings.iter().filter(|(_, b)| b.valid && b.aor == aor && b.expires_at > now) {
                // A URI of a request that parsed is text; escaping changes only what is none.
                let secs = millis(b.expires_at.since(now)).div_ceil(1000);
                let contact = b.contact.escape_ascii();
                match b.preference {
                    Some(q) => reply.header("Contact", format_args!("<{contact}>;expires={secs};q={q}"))?,
                    None => reply.header("Contact", format_args!("<{contact}>;expires={secs}"))?,
                }
            }
            Self::send_reply(received, &mut reply, out)
        });
        if written.is_err() {
            self.answer(received, Cause::TooLarge, out);
        }
    }

    fn remove_all_here(&mut self, received: &Received<'_>, aor: &[u8]) -> Result<(), Cause> {
        let mark = self.mark_of(received);
        if self.bindings.of_aor(aor).any(|(_, b)| b.request.is_some_and(|last| !mark.may_follow(&last))) {
            return Err(Cause::OutOfOrder);
        }
        self.remove_all(aor, &|_, binding| binding.registrar.is_none());
        Ok(())
    }

    fn bind_here(
        &mut self,
        received: &Received<'_>,
        contacts: &[Contact],
        aor: &[u8],
        now: Instant,
    ) -> Result<(), Cause> {
        let msg = received.msg;
        // Who asks for nothing gets `default_expires`, however short.
        let shortest = MIN_EXPIRES.min(self.settings().default_expires);
        if contacts.iter().any(|c| (1..shortest).contains(&c.expires)) {
            return Err(Cause::IntervalTooBrief(shortest));
        }
        let mark = self.mark_of(received);
        let is_late = |c: &Contact| {
            let last = self.bindings.find(&offer_of(msg, c, aor)).and_then(|handle| self.bindings.get(handle)?.request);
            last.is_some_and(|last| !mark.may_follow(&last))
        };
        if contacts.iter().any(is_late) {
            return Err(Cause::OutOfOrder);
        }
        self.make_room_for(msg, contacts, aor, now)?;
        for contact in contacts {
            let offer = offer_of(msg, contact, aor);
            let Some(handle) = self.bindings.find(&offer) else { continue };
            if let Some(binding) = self.bindings.get_mut(handle)
                && let Ok(text) = UriText::from_slice(offer.contact)
            {
                binding.request = Some(mark);
                binding.preference = contact.preference;
                binding.move_to(contact.place, text);
            }
            self.settle(handle, None, contact.expires, now);
        }
        Ok(())
    }

    fn mark_of(&self, received: &Received<'_>) -> RequestMark {
        let hash = |label, span| {
            let hash = self.key.hash(label, &[span]);
            *hash.first_chunk().unwrap_or(&[0; 8])
        };
        let msg = received.msg;
        RequestMark {
            call_id: hash("register-call-id", msg.get(received.head.call_id)),
            cseq: received.head.cseq.number,
            whole: hash("register", msg.bytes()),
        }
    }
}
