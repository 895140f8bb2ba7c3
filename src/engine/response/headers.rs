//! What is written into a response on its way back.

use super::Back;
use crate::engine::Engine;
use crate::engine::body::cut_out;
use crate::engine::forward::{opens_dialogs, write_content_length};
use crate::engine::hide::Way;
use crate::engine::io::{Side, Sink};
use crate::engine::mention::Crossing;
use crate::engine::message::Received;
use crate::engine::own::HostAndPort;
use crate::engine::stored::Stored;
use crate::host::Host;
use crate::log_class::{self as class, log};
use crate::sip::addr::NameAddr;
use crate::sip::edit::{EditError, Edits};
use crate::sip::via::Transport;
use crate::sip::{HeaderId, Method, StartLine};
use crate::span::Span;

impl Engine {
    /// Writes a response for the side that it goes to.
    pub(super) fn write_response(
        &mut self,
        received: &Received<'_>,
        status: u16,
        back: &Back,
        edits: &mut Edits,
        out: &mut dyn Sink,
    ) -> Result<(), EditError> {
        let msg = received.msg;
        self.pass_answer(received, status, back, edits, out);
        edits.delete(msg.leading())?;
        if status == 503 {
            // RFC 3261 §16.7 step 6: what one server says of itself says nothing about this router.
            edits.replace(msg.start_line(), b"SIP/2.0 500 Server Internal Error")?;
        }
        if back.side == Side::Lan {
            self.drop_foreign_challenges(received, back.to.host(), (back.downstream.host(), back.own_server), edits)?;
        }
        match (back.downstream_side, back.side) {
            (Side::Wan, _) => self.write_to_phone(received, status, back, edits)?,
            (Side::Lan, Side::Wan) => self.write_to_wan(received, back, edits)?,
            (Side::Lan, Side::Lan) => edits.delete(received.head.via_element.cut)?,
        }
        write_content_length(msg, back.on, edits)
    }

    /// From the WAN to a phone: the Vias, From, To and Call-ID that it knows come back.
    fn write_to_phone(
        &self,
        received: &Received<'_>,
        status: u16,
        back: &Back,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let msg = received.msg;
        let head = &received.head;
        if back.hidden {
            let stored = back.transaction.and_then(|handle| self.transactions.get(handle)).map(|t| &t.stored);
            let stored_vias = stored.map_or(&back.vias[..], |stored| stored.vias.of(&stored.text));
            let mut vias = msg.headers().iter().filter(|h| h.id == HeaderId::Via);
            if let Some(first) = vias.next() {
                edits.replace(first.line, stored_vias)?;
            }
            vias.try_for_each(|via| edits.delete(via.line))?;
            match stored {
                Some(stored) => self.put_back_names(received, stored, edits)?,
                // The URIs of From and To stay as they are: tags and Call-ID name the dialog (RFC 3261 §12).
                None => self.map_back_call_id(received, back, Way::ToLan, edits)?,
            }
        } else {
            edits.delete(head.via_element.cut)?;
        }
        let secrets = self.secrets(back.to.host());
        if back.hidden && self.settings().topology_hiding {
            self.map_dialogs(msg, &secrets, Way::ToLan, edits)?;
            self.mark_tag(received, Way::ToLan, edits)?;
        }
        self.mask_parties(msg.bytes(), head, Way::ToLan, edits)?;
        let (by, leg) = (back.on.kind(), received.on.kind());
        let crossing = Crossing::new(Way::ToLan, back.to, by, leg, &secrets);
        self.mentions_in_headers(msg, &crossing, edits)?;
        self.mentions_in_body(msg, &crossing, edits)?;
        if head.method == Method::Register {
            if (200..300).contains(&status) {
                self.unmasquerade_contacts(msg, &back.registers, edits)?;
                self.shorten_expiry(msg, &back.registers, edits)?;
            }
        } else if back.opens_dialog
            && opens_dialogs(head.method)
            && (101..300).contains(&status)
            && !head.to_tag.is_empty()
        {
            self.append_record_route(received, back.on.kind(), edits)?;
        }
        Ok(())
    }

    /// Edits From, To and Call-ID into what the phone wrote.
    fn put_back_names(&self, received: &Received<'_>, stored: &Stored, edits: &mut Edits) -> Result<(), EditError> {
        let (msg, head) = (received.msg, &received.head);
        self.put_back(msg, HeaderId::From, stored.from.of(&stored.text), edits)?;
        self.put_back(msg, HeaderId::CallId, stored.call_id.of(&stored.text), edits)?;
        // The tag of To is the far end's; the name and the URI may have been changed.
        if let Ok(sent) = NameAddr::parse(&stored.text, stored.to)
            && let Some(to) = msg.header(HeaderId::To)
        {
            let sent_start = Span::new(stored.to.start, sent.uri.end).of(&stored.text);
            let start = Span::new(to.value.start, head.to.uri.end);
            if msg.get(start) != sent_start && head.to.bracketed == sent.bracketed {
                edits.replace(start, sent_start)?;
            }
        }
        Ok(())
    }

    /// Edits the Call-ID into that of the side that a response goes to.
    fn map_back_call_id(
        &self,
        received: &Received<'_>,
        back: &Back,
        way: Way,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let phone = if way == Way::ToLan { back.to.host() } else { back.downstream.host() };
        let call_id = received.head.call_id;
        match self.mapped(received, &self.secrets(phone), way)? {
            Some(mapped) => edits.replace(call_id, &mapped),
            None => Ok(()),
        }
    }

    fn put_back(
        &self,
        msg: &crate::sip::Message<'_>,
        id: HeaderId,
        value: &[u8],
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        match msg.header(id) {
            Some(header) if msg.get(header.value) != value => edits.replace(header.value, value),
            _ => Ok(()),
        }
    }

    /// Our Record-Route behind all others: the phone reverses the list (RFC 3261 §12.1.2), we are its first hop.
    fn append_record_route(
        &self,
        received: &Received<'_>,
        phone: Transport,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let msg = received.msg;
        let Some(own) = self.sent_by(Side::Lan) else { return Ok(()) };
        let last = msg.headers().iter().rfind(|h| h.id == HeaderId::RecordRoute);
        let at = last.map_or(msg.end_of_headers(), |h| h.line.end);
        edits
            .replace_fmt(Span::at(at), format_args!("Record-Route: <sip:{}{};lr>\r\n", HostAndPort(own), phone.param()))
    }

    /// From a phone to the WAN: nothing private leaves. Via, From, To, Call-ID and the other Record-Routes came from there.
    fn write_to_wan(&self, received: &Received<'_>, back: &Back, edits: &mut Edits) -> Result<(), EditError> {
        let msg = received.msg;
        let bytes = msg.bytes();
        edits.delete(received.head.via_element.cut)?;
        msg.delete_elements(HeaderId::RecordRoute, edits, |element| self.is_own_route(bytes, element))?;
        let StartLine::Response { status, .. } = msg.start() else { return Ok(()) };
        for element in msg.elements(HeaderId::Contact) {
            let Ok(contact) = NameAddr::parse(bytes, element.span) else { continue };
            // The Contacts of a redirection are other places, unless they are on the LAN (RFC 3261 §21.3).
            if !(300..400).contains(&status) || self.is_on_lan(bytes, &contact, back.downstream) {
                let phone = (back.downstream, back.downstream_on.kind());
                self.masquerade(bytes, &contact, phone, back.on.kind(), edits)?;
            }
        }
        let secrets = self.secrets(received.from.host());
        self.mask_parties(bytes, &received.head, Way::ToWan, edits)?;
        let (by, leg) = (back.downstream_on.kind(), back.on.kind());
        let crossing = Crossing::new(Way::ToWan, back.downstream, by, leg, &secrets);
        let is_hidden = self.settings().topology_hiding;
        if is_hidden {
            match back.transaction.and_then(|handle| self.transactions.get(handle)) {
                Some(t) => self.put_back(msg, HeaderId::CallId, t.stored.call_id.of(&t.stored.text), edits)?,
                None => self.map_back_call_id(received, back, Way::ToWan, edits)?,
            }
            self.map_dialogs(msg, &secrets, Way::ToWan, edits)?;
            self.mark_tag(received, Way::ToWan, edits)?;
        }
        self.mentions_in_headers(msg, &crossing, edits)?;
        self.write_user_agent(msg, edits)?;
        if is_hidden {
            const FROM_WAN: [HeaderId; 4] = [HeaderId::Via, HeaderId::From, HeaderId::To, HeaderId::RecordRoute];
            self.scrub(msg, &secrets, &FROM_WAN, edits)?;
        }
        let mut body = self.mentions_in_body(msg, &crossing, edits);
        if is_hidden && body.is_ok() {
            body = self.hide_body(msg, &secrets, edits);
        }
        if body.is_err() {
            log::warn!(target: class::SIP, "body of the {status} from {} cut out: too many addresses in it", received.from);
            cut_out(msg, edits)?;
        }
        Ok(())
    }
}
