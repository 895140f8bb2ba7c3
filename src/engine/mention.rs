//! Phones of ours that a message names elsewhere than in Contact: the target of a transfer, an identity, the parties to a call in
//! the NOTIFY behind a busy lamp.
//!
//! Towards the WAN a URI that names a phone of ours at its place on the LAN becomes what the phone's Contact would become (see
//! [`super::contact`]), so that whoever gets it reaches that phone. One that names nobody's place is an identity: only its address
//! is replaced (see [`super::hide`]). Towards a phone a URI with the phone's own token becomes the phone's own again. Another phone's
//! stays as it is: a request for it comes back here, and finds its way by the token.
//!
//! Where URIs are looked for: in the headers of [`HEADERS`], in XML (dialog-info of RFC 4235, reginfo of RFC 3680, pidf of
//! RFC 3863), and in the headers of a fragment (RFC 3420). Bodies also name dialogs: those are mapped as in the headers.

use super::Engine;
use super::binding::Binding;
use super::body::{Kind, find_part};
use super::contact::{Place, named_transport};
use super::hide::{DialogName, Secrets, Way, dialog_in};
use super::io::Side;
use crate::host::Host;
use crate::sip::edit::{EditError, Edits};
use crate::sip::header::Header;
use crate::sip::lex::{is_blank, trim};
use crate::sip::uri::{DEFAULT_PORT, Scheme, Uri};
use crate::sip::via::Transport;
use crate::sip::{HeaderId, Message};
use crate::span::Span;
use core::cell::Cell;
use core::net::SocketAddr;

/// The headers that hold URIs of parties, by each of their names. A header that is not listed loses its LAN addresses, no more.
const HEADERS: [&str; 14] = [
    "Refer-To",             // RFC 3515
    "r",                    // its compact form
    "Referred-By",          // RFC 3892
    "b",                    // its compact form
    "Diversion",            // RFC 5806
    "History-Info",         // RFC 7044
    "P-Preferred-Identity", // RFC 3325
    "P-Asserted-Identity",  // RFC 3325
    "P-Called-Party-ID",    // RFC 7315
    "Remote-Party-ID",      // its forerunner, draft-ietf-sip-privacy
    "Reply-To",             // RFC 3261 §20.31
    "Alert-Info",           // RFC 3261 §20.4
    "Call-Info",            // RFC 3261 §20.9
    "Error-Info",           // RFC 3261 §20.18
];

/// The attributes that hold a Call-ID or a tag (RFC 4235 §4.1, RFC 3680 §5.3).
const DIALOG_ATTRIBUTES: [&str; 4] = ["call-id", "callid", "local-tag", "remote-tag"];

/// A message that crosses between the sides.
pub(super) struct Crossing<'a> {
    way: Way,
    /// The phone that sends it, or gets it.
    phone: SocketAddr,
    /// How the phone sends it.
    by: Transport,
    /// The transport on the WAN, for what goes there.
    leg: Transport,
    secrets: &'a Secrets,
    /// How often the whole table of bindings may still be looked through.
    searches: Cell<u8>,
}

impl<'a> Crossing<'a> {
    /// A message of, or for, the `phone` that is reached by `by`; `leg` is the transport on the WAN.
    pub(super) const fn new(way: Way, phone: SocketAddr, by: Transport, leg: Transport, secrets: &'a Secrets) -> Self {
        Self { way, phone, by, leg, secrets, searches: Cell::new(MAX_SEARCHES) }
    }
}

/// Phones that one message may name by nothing but their address; of more the address is only replaced.
const MAX_SEARCHES: u8 = 32;

/// Where a URI stands, which tells where it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// In a header: in angle brackets, or without its parameters.
    Header,
    /// In XML: the text of an element, or the value of an attribute.
    Xml,
}

impl Engine {
    /// Edits the URIs in the headers of [`HEADERS`].
    ///
    /// # Errors
    /// Only towards the WAN: what is left towards a phone works as it is.
    pub(super) fn mentions_in_headers(
        &self,
        msg: &Message<'_>,
        crossing: &Crossing<'_>,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let mut listed = msg.headers().iter().filter(|header| is_listed(msg.get(header.name)));
        listed.try_for_each(|header| self.mentions(msg.bytes(), header.value, Form::Header, crossing, edits))
    }

    /// Edits the URIs, the Call-IDs and the tags in a body, or in each part of one.
    ///
    /// # Errors
    /// See [`Self::mentions_in_headers`].
    pub(super) fn mentions_in_body(
        &self,
        msg: &Message<'_>,
        crossing: &Crossing<'_>,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let bytes = msg.bytes();
        let mut result = Ok(());
        find_part(msg, &mut |kind, part| {
            result = match kind {
                Kind::Xml => self.mentions(bytes, part, Form::Xml, crossing, edits),
                Kind::Fragment => self.mentions_in_fragment(bytes, part, crossing, edits),
                _ => Ok(()),
            };
            result.is_err()
        });
        result
    }

    /// What names a phone or a dialog in a part of a SIP message, such as the NOTIFY of a transfer has it (RFC 3420).
    fn mentions_in_fragment(
        &self,
        bytes: &[u8],
        part: Span,
        crossing: &Crossing<'_>,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let mut at = usize::from(part.start);
        for text in part.of(bytes).split_inclusive(|b| *b == b'\n') {
            let line = Span::from_usize(at, at + text.len());
            at += text.len();
            let Some(colon) = text.iter().position(|b| *b == b':') else { continue };
            let colon = usize::from(line.start) + colon;
            let name = trim(bytes, Span::from_usize(line.start.into(), colon));
            let value = trim(bytes, Span::from_usize(colon + 1, at));
            let header = Header { id: HeaderId::from_name(name.of(bytes)), line, name, value };
            let plain = Some(DialogName::plain(value)).filter(|_| header.id == HeaderId::CallId);
            if let Some(dialog) = plain.or_else(|| dialog_in(bytes, &header)) {
                self.dialog(bytes, dialog, crossing, edits)?;
            }
            if header.id == HeaderId::Contact || is_listed(name.of(bytes)) {
                self.mentions(bytes, value, Form::Header, crossing, edits)?;
            }
        }
        Ok(())
    }

    /// Edits the URIs in `span`, and in XML the dialogs too.
    fn mentions(
        &self,
        bytes: &[u8],
        span: Span,
        form: Form,
        crossing: &Crossing<'_>,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let text = span.of(bytes);
        let base = usize::from(span.start);
        let mut at = 0;
        while at < text.len() {
            if let Some((len, enclosed)) = uri_at(text, at, form) {
                let whole = Span::from_usize(base + at, base + at + len);
                if let Ok(uri) = Uri::parse(bytes, whole)
                    && !edits.touches(uri.hostport)
                {
                    self.mention(bytes, &uri, (form, enclosed), crossing, edits)?;
                }
                at += len;
            } else if let Some((start, end)) = dialog_attribute(text, at).filter(|_| form == Form::Xml) {
                let name = DialogName::plain(Span::from_usize(base + start, base + end));
                self.dialog(bytes, name, crossing, edits)?;
                at = end;
            } else {
                at += 1;
            }
        }
        Ok(())
    }

    /// Maps a Call-ID or tag in a body.
    fn dialog(
        &self,
        bytes: &[u8],
        name: DialogName,
        crossing: &Crossing<'_>,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        if !self.settings().topology_hiding || (crossing.way == Way::ToLan && !edits.has_room()) {
            return Ok(());
        }
        self.map_span(bytes, name, crossing.secrets, crossing.way, edits)
    }

    fn mention(
        &self,
        bytes: &[u8],
        uri: &Uri,
        (form, enclosed): (Form, bool),
        crossing: &Crossing<'_>,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        if crossing.way == Way::ToWan {
            return match self.place_named(bytes, uri, crossing) {
                Some(place) => self.write_token(bytes, uri, enclosed, (place, crossing.leg), edits),
                None => self.mask(bytes, uri, crossing.way, edits),
            };
        }
        if !edits.has_room() {
            return Ok(());
        }
        let Some(place) =
            self.place_in(bytes, uri).filter(|_| self.is_own_uri(bytes, uri) || self.is_masked(bytes, uri))
        else {
            return self.mask(bytes, uri, crossing.way, edits);
        };
        if place.address.host() != crossing.phone.host() {
            return Ok(());
        }
        if !place.renamed {
            return Self::unmasquerade(bytes, uri, place, edits);
        }
        let user = uri.user.map_or(&[][..], |user| user.of(bytes));
        let named = self.bindings.named(user, &[], Some(place.address), uri.port);
        match named.or_else(|| self.look_through(place.address, crossing)) {
            // In XML these would have to be escaped.
            Some(b) if form == Form::Header || !b.contact.iter().any(|c| matches!(c, b'&' | b'\'')) => {
                edits.replace(Span::new(uri.whole.start, uri.params.end), &b.contact)
            }
            _ => Ok(()),
        }
    }

    /// The binding of a phone at `address`, looked for in the whole table; `None` for an address that is none of a phone, or where one
    /// message names too many.
    fn look_through(&self, address: SocketAddr, crossing: &Crossing<'_>) -> Option<&Binding> {
        if !self.is_lan(address.host()) {
            return None;
        }
        crossing.searches.set(crossing.searches.get().checked_sub(1)?);
        self.bindings.at_address(address)
    }

    /// The place of a phone of ours that a URI names by address, or by the name in its Contact.
    fn place_named(&self, bytes: &[u8], uri: &Uri, crossing: &Crossing<'_>) -> Option<Place> {
        if !matches!(uri.scheme, Scheme::Sip | Scheme::Sips) || self.place_in(bytes, uri).is_some() {
            return None;
        }
        let ip = uri.ip(bytes);
        let address = ip.map(|ip| SocketAddr::new(ip, uri.port.unwrap_or(DEFAULT_PORT)));
        let user = uri.user.map_or(&[][..], |user| user.of(bytes));
        let named = self.bindings.named(user, uri.hostport.of(bytes), address, uri.port);
        if let Some(binding) = named.or_else(|| self.look_through(address?, crossing)) {
            let place = binding.place;
            if ip != Some(place.address.host()) {
                return Some(place);
            }
            let named = named_transport(bytes, uri);
            let transport = named.filter(|t| matches!(t, Transport::Udp | Transport::Tcp)).unwrap_or(place.transport);
            return Some(Place { named, transport, renamed: false, ..place });
        }
        let is_sender = ip == Some(crossing.phone.host()) && ip != self.own(Side::Wan);
        is_sender.then(|| Place::of(bytes, uri, crossing.phone, crossing.by))
    }
}

fn is_listed(name: &[u8]) -> bool {
    HEADERS.iter().any(|listed| listed.len() == name.len() && listed.as_bytes().eq_ignore_ascii_case(name))
}

/// The length of the SIP URI that begins at `at`, and whether parameters behind it are its own.
fn uri_at(text: &[u8], at: usize, form: Form) -> Option<(usize, bool)> {
    let (before, rest) = text.split_at_checked(at)?;
    let scheme = rest.get(..3).filter(|scheme| scheme.eq_ignore_ascii_case(b"sip"))?.len();
    if !matches!(rest.get(scheme..)?, [b':', ..] | [b's' | b'S', b':', ..]) {
        return None;
    }
    // Another scheme that ends like this one, or an escaped URI in a URI.
    if before.last().is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.' | b'%')) {
        return None;
    }
    let enclosed = form == Form::Xml || before.last() == Some(&b'<');
    let ends = |b: &u8| {
        is_blank(*b)
            || matches!(b, b'<' | b'>' | b'"')
            || (form == Form::Xml && *b == b'\'')
            || (!enclosed && matches!(b, b';' | b','))
    };
    Some((rest.iter().position(ends).unwrap_or(rest.len()), enclosed))
}

/// The value of the attribute in [`DIALOG_ATTRIBUTES`] that begins at `at`, without its quotes.
fn dialog_attribute(text: &[u8], at: usize) -> Option<(usize, usize)> {
    if !is_blank(*text.get(at.checked_sub(1)?)?) {
        return None;
    }
    let rest = text.get(at..)?;
    let name = DIALOG_ATTRIBUTES.iter().find(|name| rest.starts_with(name.as_bytes()))?;
    let equals = rest.get(name.len()..)?.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let (quote, value) = equals.split_first().filter(|(quote, _)| matches!(quote, b'"' | b'\''))?;
    let len = value.iter().position(|b| b == quote)?;
    let start = text.len() - value.len();
    Some((start, start + len))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uris(text: &str, form: Form) -> Vec<(&str, bool)> {
        let found = |at| uri_at(text.as_bytes(), at, form).map(|(len, enclosed)| (&text[at..at + len], enclosed));
        (0..text.len()).filter(|at| text.is_char_boundary(*at)).filter_map(found).collect()
    }

    #[test]
    fn uris_in_headers_end_where_they_should() {
        assert_eq!(
            uris("\"sip\" <SIP:a@h;x=1?b=c>;p=sip:q", Form::Header),
            [("SIP:a@h;x=1?b=c", true), ("sip:q", false)]
        );
        assert_eq!(uris("sip:a@h;x, sips:b@h", Form::Header), [("sip:a@h", false), ("sips:b@h", false)]);
        assert!(uris("xsip:a@h <sip2:a> sip %3Csip:a@h", Form::Header).is_empty());
    }

    #[test]
    fn uris_in_xml_end_where_they_should() {
        let text = "<a b='sip:a@h;c=1' d=sip:e@h>sip:f@h;g&amp;i=j</a>";
        assert_eq!(uris(text, Form::Xml), [("sip:a@h;c=1", true), ("sip:e@h", true), ("sip:f@h;g&amp;i=j", true)]);
    }

    #[test]
    fn attributes_that_name_dialogs() {
        let text = "<d call-id = \"a'b\" local-tag='c' xcall-id=\"d\" remote-tag=e callid=\"f";
        let found: Vec<&str> =
            (0..text.len()).filter_map(|at| dialog_attribute(text.as_bytes(), at)).map(|(s, e)| &text[s..e]).collect();
        assert_eq!(found, ["a'b", "c"]);
    }
}
