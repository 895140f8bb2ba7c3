//! Requests: who sent it, who is it for, may it pass (RFC 3261 §16.3 to §16.5).
//!
//! [`super::forward`] then writes and sends it.

use super::branch::BranchKey;
use super::cause::Cause;
use super::contact::Place;
use super::guard::Origin;
use super::hop::Hop;
use super::io::{Side, Sink};
use super::message::{Provenance, Received};
use super::reach::Reach;
use super::route::{Target, Unroutable};
use super::{Engine, branch};
use crate::host::Host;
use crate::log_class as class;
use crate::sip::addr::NameAddr;
use crate::sip::edit::Edits;
use crate::sip::uri::{Scheme, Uri};
use crate::sip::via::Via;
use crate::sip::{HeaderId, Message, Method};
use crate::span::Span;
use crate::time::Instant;

impl Engine {
    /// Takes a request from a phone or from a server we know. `interface` is where it came in by.
    pub(super) fn request(&mut self, received: &Received<'_>, interface: Side, now: Instant, out: &mut dyn Sink) {
        if let Err(cause) = self.check(received) {
            // RFC 3261 §11: an OPTIONS that may go no further is answered by whoever it reached.
            if cause == Cause::TooManyHops && received.head.method == Method::Options {
                return self.answer_options(received, out);
            }
            return self.answer(received, cause, out);
        }
        match (received.head.method, received.origin) {
            (_, Origin::Stranger) => {
                log::debug!(target: class::ACL, "{} from stranger {} dropped", received.method_name(), received.from);
            }
            (Method::Cancel, _) if self.cancel(received, now, out) => {}
            (Method::Ack, _) if self.acknowledge(received, now, out) => {}
            (_, Origin::Phone) => self.serve_phone(received, interface, now, out),
            (_, Origin::Known) => self.serve_wan(received, now, out),
        }
    }

    /// RFC 3261 §16.3: reasonable syntax, URI scheme, Max-Forwards, loop detection, Proxy-Require.
    fn check(&self, received: &Received<'_>) -> Result<(), Cause> {
        let msg = received.msg;
        let uri = Uri::parse(msg.bytes(), received.request_uri())
            .map_err(|_| Cause::Malformed("the request-URI cannot be read"))?;
        // RFC 3261 §19.1.1. A user agent that took us for the originator might obey them.
        if !uri.headers.is_empty() {
            return Err(Cause::Malformed("the request-URI has header fields"));
        }
        if received.origin == Origin::Phone && !msg.elements(HeaderId::Contact).all(|c| is_contact(msg, c.span)) {
            return Err(Cause::Malformed("Contact cannot be read"));
        }
        // What asks for secrecy starts no dialog in the clear, whatever the next hop is (RFC 3261 §26.2.2).
        let is_secret = uri.scheme == Scheme::Sips && received.head.to_tag.is_empty();
        let is_routed = msg.header(HeaderId::Route).is_some() || self.outbound_proxy(received).is_some();
        if uri.scheme != Scheme::Sip && (is_secret || !is_routed) {
            return Err(Cause::Scheme);
        }
        if received.max_forwards()? == 0 {
            return Err(Cause::TooManyHops);
        }
        if self.is_loop(received) {
            return Err(Cause::Loop);
        }
        // ACK and CANCEL take the way of their INVITE, whatever they ask for (RFC 3261 §8.2.2.3).
        let asks = !matches!(received.head.method, Method::Ack | Method::Cancel);
        if asks && msg.elements(HeaderId::ProxyRequire).next().is_some() {
            return Err(Cause::Extension);
        }
        Ok(())
    }

    /// Whether one of the Vias is ours and says that the request was here with the same target.
    fn is_loop(&self, received: &Received<'_>) -> bool {
        let bytes = received.msg.bytes();
        let part = crate::sip::token::hex(&branch::loop_part(&self.key, received));
        received.msg.elements(HeaderId::Via).any(|element| {
            Via::parse(bytes, element.span)
                .ok()
                .and_then(|via| branch::parse(via.branch(bytes)?))
                .is_some_and(|(_, _, theirs)| theirs == part.as_bytes())
        })
    }

    fn serve_phone(&mut self, received: &Received<'_>, interface: Side, now: Instant, out: &mut dyn Sink) {
        if received.head.method == Method::Register && self.answer_refresh(received, now, out) {
            return;
        }
        let target = match self.route(received, now, out) {
            Ok(target) => target,
            Err(Unroutable::Because(cause)) => return self.answer(received, cause, out),
            // The copy of one that is under way comes again by itself; one that waited would outlive its transaction.
            Err(Unroutable::Pending) if self.is_under_way(received) => return,
            Err(Unroutable::Pending) => {
                let Received { on, from, meant_for, .. } = *received;
                if !self.parked.push(Provenance { on, interface, from, meant_for }, received.original) {
                    if received.on.is_reliable() {
                        // No retransmission will bring it back.
                        return self.answer(received, Cause::TransactionsFull, out);
                    }
                    log::debug!(target: class::PROXY, "{} from {} waits for its retransmission", received.method_name(), received.from);
                }
                return;
            }
        };
        match target {
            _ if received.head.method == Method::Register => self.register(received, target, now, out),
            Target::Ourselves => self.serve_own_domain(received, now, out),
            Target::Phone(place) => self.send_to_place(received, place, now, out),
            Target::Server { to, transport, spare } => {
                let reach = self.reach(received, to, now);
                if reach == Reach::Refused {
                    return self.answer(received, Cause::DomainNotAllowed, out);
                }
                let hop =
                    Hop { transport, spare, own_server: reach == Reach::Account, ..Hop::to(to, self.side_of(to)) };
                let mut edits = Edits::new();
                let written = self.route_strictly(received, self.side_of(to), &mut edits);
                if written.and_then(|()| self.drop_own_maddr(received, &mut edits)).is_err() {
                    return self.answer(received, Cause::TooLarge, out);
                }
                self.forward_request(received, hop, &mut edits, now, out);
            }
        }
    }

    /// A phone's request to one of our own addresses: for another phone, or for ourselves.
    fn serve_own_domain(&mut self, received: &Received<'_>, now: Instant, out: &mut dyn Sink) {
        let bytes = received.msg.bytes();
        let Ok(uri) = Uri::parse(bytes, received.request_uri()) else { return };
        let Some(user) = uri.user.map(|span| span.of(bytes)) else {
            return match received.head.method {
                Method::Options => self.answer_options(received, out),
                _ => self.answer(received, Cause::UnknownUser, out),
            };
        };
        if self.repeat_on_branches(received, now, out) {
            return;
        }
        // Bindings of our own come first, whatever server keeps the others: a phone may register anywhere as anybody.
        match self.phone_of_masked(bytes, &uri, now).or_else(|| self.bindings.lookup(user, None, now)) {
            Some(handle) => self.send_to_bindings(received, user, handle, now, out),
            None if self.ask_of_unknown(received, now, out) => {}
            None => {
                let cause = if self.bindings.knows(user) { Cause::NotRegistered } else { Cause::UnknownUser };
                self.answer(received, cause, out);
            }
        }
    }

    /// A request from a server on the WAN: for a phone by our token in the request-URI, else by its user, else by To.
    fn serve_wan(&mut self, received: &Received<'_>, now: Instant, out: &mut dyn Sink) {
        let bytes = received.msg.bytes();
        let Ok(uri) = Uri::parse(bytes, received.request_uri()) else { return };
        let user = uri.user.map(|span| span.of(bytes));
        if let Some(place) = self.place_in(bytes, &uri) {
            return self.send_to_place(received, place, now, out);
        }
        if user.is_none() && received.head.method == Method::Options {
            return self.answer_options(received, out);
        }
        if self.repeat_on_branches(received, now, out) {
            return;
        }
        if let Some((user, phone)) = user.and_then(|user| Some((user, self.phone_of_masked(bytes, &uri, now)?))) {
            return self.send_to_bindings(received, user, phone, now, out);
        }
        if let Some(phone) = self.phone_of_gruu(bytes, &uri, now) {
            return self.send_to_binding(received, phone, now, out);
        }
        let to_user = Uri::parse(bytes, received.head.to.uri).ok().and_then(|uri| uri.user).map(|span| span.of(bytes));
        let found = [user, to_user]
            .into_iter()
            .flatten()
            .find_map(|user| Some((user, self.bindings.lookup(user, Some(received.from.host()), now)?)));
        match (found, user) {
            (Some((user, handle)), _) => self.send_to_bindings(received, user, handle, now, out),
            (None, _) if self.ask_of_unknown(received, now, out) => {}
            (None, Some(user)) if self.bindings.knows(user) => self.answer(received, Cause::NotRegistered, out),
            (None, _) => self.answer(received, Cause::UnknownUser, out),
        }
    }

    /// Sends a request whose request-URI is one that we handed out. In a dialog it becomes exactly what the phone wrote;
    /// outside of one there must be a live binding, and a user that the provider changed becomes the phone's again.
    fn send_to_place(&mut self, received: &Received<'_>, place: Place, now: Instant, out: &mut dyn Sink) {
        let bytes = received.msg.bytes();
        let Ok(uri) = Uri::parse(bytes, received.request_uri()) else { return };
        let user = uri.user.map_or(&[][..], |span| span.of(bytes));
        let binding = self.bindings.at_place(user, place, now);
        let in_dialog = !received.head.to_tag.is_empty();
        if binding.is_none() && !in_dialog {
            return self.answer(received, Cause::NotRegistered, out);
        }
        let mut edits = Edits::new();
        let stored = binding.and_then(|handle| self.bindings.get(handle)).filter(|b| {
            if in_dialog {
                place.renamed && b.contact_user() == user
            } else {
                b.contact_user() != user || place.renamed
            }
        });
        let written = match stored {
            Some(b) => edits.replace(uri.whole, &b.contact),
            None => Self::unmasquerade(bytes, &uri, place, &mut edits),
        };
        if written.is_err() {
            return self.answer(received, Cause::TooLarge, out);
        }
        self.send_to_phone(received, place, &mut edits, now, out);
    }

    /// Sends a request to the phone of a binding, with its Contact as request-URI (RFC 3261 §16.5).
    pub(super) fn send_to_binding(
        &mut self,
        received: &Received<'_>,
        handle: crate::table::Handle,
        now: Instant,
        out: &mut dyn Sink,
    ) {
        let Some(binding) = self.bindings.get(handle) else { return };
        let place = binding.place;
        let mut edits = Edits::new();
        if edits.replace(received.request_uri(), &binding.contact).is_err() {
            return self.answer(received, Cause::TooLarge, out);
        }
        self.send_to_phone(received, place, &mut edits, now, out);
    }

    /// Sends a request to the phone of a binding with the request-URI that it came with.
    pub(super) fn send_as_it_is(
        &mut self,
        received: &Received<'_>,
        handle: crate::table::Handle,
        now: Instant,
        out: &mut dyn Sink,
    ) {
        let Some(binding) = self.bindings.get(handle) else { return };
        self.send_to_phone(received, binding.place, &mut Edits::new(), now, out);
    }

    fn send_to_phone(
        &mut self,
        received: &Received<'_>,
        place: Place,
        edits: &mut Edits,
        now: Instant,
        out: &mut dyn Sink,
    ) {
        let Place { address: to, transport, .. } = place;
        // No phone keeps another one's account.
        let own_server = received.origin != Origin::Phone;
        self.forward_request(received, Hop { transport, own_server, ..Hop::to(to, Side::Lan) }, edits, now, out);
    }

    /// CANCEL goes where its INVITE went; `false` for one whose INVITE has no transaction here. That is routed as its INVITE was, which
    /// may have passed without (RFC 3261 §16.10).
    fn cancel(&mut self, received: &Received<'_>, now: Instant, out: &mut dyn Sink) -> bool {
        let key = branch::key(&self.key, received);
        if self.cancel_fork(received, &key, now, out) {
            return true;
        }
        let Some((hop, mut edits)) = self.invite_hop(received, &key) else { return false };
        self.forward_request(received, hop, &mut edits, now, out);
        true
    }

    /// The ACK of a final response other than 2xx goes where its INVITE went (RFC 3261 §17.1.1.3); `false` for that of a 2xx,
    /// which is routed like any request.
    fn acknowledge(&mut self, received: &Received<'_>, now: Instant, out: &mut dyn Sink) -> bool {
        let key = branch::key(&self.key, received);
        if self.transactions.is_answer_of_fork_acknowledged(&key) {
            return true;
        }
        if received.msg.get(received.head.to_tag) == self.tag_of(&key).as_bytes() {
            // It acknowledges an answer of our own, and ends here.
            return true;
        }
        // A 2xx is acknowledged end to end, even by one who keeps the branch of the INVITE.
        let t = self.transactions.find(&key, false).and_then(|handle| self.transactions.get(handle));
        let is_accepted = t.is_some_and(|t| (200..300).contains(&t.final_status));
        let Some((hop, mut edits)) = self.invite_hop(received, &key).filter(|_| !is_accepted) else { return false };
        self.forward_request(received, hop, &mut edits, now, out);
        true
    }

    /// Whether a request is a copy of one that was forwarded, and not long ago.
    pub(super) fn is_under_way(&self, received: &Received<'_>) -> bool {
        let is_cancel = received.head.method == Method::Cancel;
        self.transactions.find(&branch::key(&self.key, received), is_cancel).is_some()
    }

    /// The hop of the INVITE with the same branch, and the edits that give the same request-URI as it had.
    fn invite_hop(&self, received: &Received<'_>, key: &BranchKey) -> Option<(Hop, Edits)> {
        let t = self.transactions.get(self.transactions.find(key, false)?).filter(|t| !t.part.is_sender())?;
        let mut edits = Edits::new();
        if !t.request_uri.is_empty() {
            edits.replace(received.request_uri(), &t.request_uri).ok()?;
        }
        Some((Hop::of_invite(t), edits))
    }
}

/// Whether `span` holds what a Contact may hold: an address that can be replaced by ours, or the `*` of a REGISTER.
fn is_contact(msg: &Message<'_>, span: Span) -> bool {
    let parsed = NameAddr::parse(msg.bytes(), span).and_then(|addr| Uri::parse(msg.bytes(), addr.uri));
    parsed.is_ok() || msg.get(span) == b"*"
}
