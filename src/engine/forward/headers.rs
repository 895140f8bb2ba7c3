//! What is written into a forwarded request (RFC 3261 §16.6 steps 2 to 8).

use super::Passage;
use crate::engine::Engine;
use crate::engine::branch;
use crate::engine::hide::Way;
use crate::engine::io::{Channel, Side};
use crate::engine::mention::Crossing;
use crate::engine::message::Received;
use crate::engine::own::HostAndPort;
use crate::engine::sealed_via::{SEAL_MARK, Stamp};
use crate::sip::addr::NameAddr;
use crate::sip::edit::{EditError, Edits};
use crate::sip::token::LetterText;
use crate::sip::via::Transport;
use crate::sip::{HeaderId, Method};
use crate::span::Span;
use core::net::SocketAddr;

/// Our own Via of a request.
pub(super) struct OwnVia {
    pub(super) channel: Channel,
    pub(super) branch: branch::Text,
    /// What must come back, sealed; empty where there is no response, or too much to be sealed.
    pub(super) seal: LetterText,
    /// When that was made.
    pub(super) stamp: Stamp,
    /// Whether it stands alone.
    pub(super) hides: bool,
}

impl Engine {
    /// Writes everything but the request-URI and what describes the session, which others have written already.
    pub(super) fn write_headers(
        &self,
        received: &Received<'_>,
        passage: &Passage<'_>,
        via: &OwnVia,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let Passage { hop, own, secrets, call_id, .. } = *passage;
        let OwnVia { channel, branch, seal, hides: hidden, .. } = via;
        let msg = received.msg;
        let head = &received.head;
        let mark = if seal.is_empty() { "" } else { SEAL_MARK };
        let rport = self.settings().rport_towards(hop.side);
        let our_via =
            format_args!("Via: SIP/2.0/{} {};branch={branch}{rport}{mark}{seal}\r\n", channel.name(), HostAndPort(own));
        edits.delete(msg.leading())?;
        edits.delete(blanks_behind(msg, msg.start_line()))?;
        let mut vias = msg.headers().iter().filter(|h| h.id == HeaderId::Via);
        if *hidden {
            if let Some(first) = vias.next() {
                edits.replace_fmt(first.line, our_via)?;
            }
            vias.try_for_each(|via| edits.delete(via.line))?;
        } else if let Some(first) = vias.next() {
            edits.replace_fmt(Span::at(first.line.start), our_via)?;
            head.via.fill_received(msg.bytes(), received.from, edits)?;
        }
        self.write_max_forwards(received, edits)?;
        self.write_route(received, hop.side, edits)?;
        // A NOTIFY may make the dialog of a SUBSCRIBE whose answer is not here yet (RFC 6665 §4.3).
        let may_open = head.to_tag.is_empty() || head.method == Method::Notify;
        if hop.side == Side::Lan && may_open && opens_dialogs(head.method) {
            self.write_record_route(received, own, hop.transport, edits)?;
        }
        if hop.side == Side::Wan && head.method != Method::Register {
            for element in msg.elements(HeaderId::Contact) {
                if let Ok(contact) = NameAddr::parse(msg.bytes(), element.span) {
                    let phone = (received.from, received.on.kind());
                    self.masquerade(msg.bytes(), &contact, phone, hop.transport, edits)?;
                }
            }
        }
        if let Some(call_id) = call_id {
            edits.replace(head.call_id, call_id)?;
        }
        let way = match (received.origin.side(), hop.side) {
            (Side::Lan, Side::Wan) => Some(Way::ToWan),
            (Side::Wan, Side::Lan) => Some(Way::ToLan),
            _ => None,
        };
        if let Some(way) = way {
            if self.settings().topology_hiding {
                self.map_dialogs(msg, secrets, way, edits)?;
                self.mark_tag(received, way, edits)?;
            }
            self.mask_parties(msg.bytes(), head, way, edits)?;
            let phone = if way == Way::ToWan { received.from } else { hop.to };
            let crossing = Crossing::new(way, phone, received.on.kind(), hop.transport, secrets);
            self.mentions_in_headers(msg, &crossing, edits)?;
            self.mentions_in_body(msg, &crossing, edits)?;
        }
        if hop.side == Side::Wan {
            self.write_user_agent(msg, edits)?;
        }
        if *hidden {
            self.scrub(msg, secrets, &[HeaderId::Via], edits)?;
            self.hide_body(msg, secrets, edits)?;
        }
        write_content_length(msg, *channel, edits)
    }

    /// Our Record-Route, so that what the phone sends in this dialog comes back here (RFC 3261 §16.6 step 4).
    fn write_record_route(
        &self,
        received: &Received<'_>,
        own: SocketAddr,
        phone: Transport,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let msg = received.msg;
        let at = msg.header(HeaderId::RecordRoute).map_or(msg.end_of_headers(), |h| h.line.start);
        edits
            .replace_fmt(Span::at(at), format_args!("Record-Route: <sip:{}{};lr>\r\n", HostAndPort(own), phone.param()))
    }

    fn write_max_forwards(&self, received: &Received<'_>, edits: &mut Edits) -> Result<(), EditError> {
        let msg = received.msg;
        let left = received.max_forwards().unwrap_or(crate::engine::message::DEFAULT_MAX_FORWARDS);
        match msg.header(HeaderId::MaxForwards) {
            Some(header) => edits.replace_fmt(header.value, format_args!("{}", left.saturating_sub(1))),
            None => edits.replace_fmt(Span::at(msg.end_of_headers()), format_args!("Max-Forwards: {left}\r\n")),
        }
    }

    /// Removes the Route elements at the top that name us (RFC 3261 §16.4); that of a strict router gives way to the target.
    fn write_route(&self, received: &Received<'_>, side: Side, edits: &mut Edits) -> Result<(), EditError> {
        let bytes = received.msg.bytes();
        // Whoever chose the hop has put a strict router's URI into the request-URI already.
        let is_strict = side == Side::Wan && edits.touches(received.request_uri());
        let strict = self.strict_next_hop(received).filter(|_| is_strict);
        let mut at_top = true;
        received.msg.delete_elements(HeaderId::Route, edits, |element| {
            at_top = at_top && self.is_own_route(bytes, element);
            at_top || strict.as_ref().is_some_and(|(router, _)| router.span == element.span)
        })?;
        if strict.is_some() { self.append_target(received, edits) } else { Ok(()) }
    }
}

/// The blanks behind a request line, a slip that must not be passed on (RFC 4475 §3.1.2.10).
fn blanks_behind(msg: &crate::sip::Message<'_>, line: Span) -> Span {
    let text = msg.get(line).trim_ascii_end();
    Span::from_usize(usize::from(line.start).saturating_add(text.len()), line.end.into())
}

/// Whether a request without a To tag opens a dialog (RFC 3261 §12, RFC 6665 §4.1, RFC 3515).
pub(in crate::engine) const fn opens_dialogs(method: Method) -> bool {
    matches!(method, Method::Invite | Method::Subscribe | Method::Refer | Method::Notify)
}

/// Sets Content-Length to what the body has become; over TCP there must be one (RFC 3261 §18.3).
pub(in crate::engine) fn write_content_length(
    msg: &crate::sip::Message<'_>,
    channel: Channel,
    edits: &mut Edits,
) -> Result<(), EditError> {
    let body = msg.body();
    let length = edits.edited_len(body);
    // A message may say it twice, as long as it says the same.
    let mut lines = msg.headers().iter().filter(|header| header.id == HeaderId::ContentLength);
    if edits.touches(body) {
        lines.try_for_each(|header| edits.replace_fmt(header.value, format_args!("{length}")))
    } else if channel.is_reliable() && lines.next().is_none() {
        edits.replace_fmt(Span::at(msg.end_of_headers()), format_args!("Content-Length: {length}\r\n"))
    } else {
        Ok(())
    }
}
