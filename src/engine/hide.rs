//! Topology hiding: no private address in what goes to the WAN.
//!
//! Via, Contact, Record-Route and SDP are rewritten where they are understood. The start line, every other header and bodies
//! that machines read are searched for addresses of the LAN, and each is replaced by our WAN address. `docs/hiding.md` tells it
//! to users.
//!
//! Call-ID and tags name the dialog on both sides, so what is done to them must be undone: an address in one becomes `.x` + a
//! sealed token + `.`, and the token becomes the address again on the way in, as it was spelled. A Call-ID from the WAN may by
//! chance hold the very same address; it is kept apart as `.y` + token + `.` on the LAN, so that the mapping has one way back for
//! either. Headers that name another dialog (Replaces) are treated alike.

use super::Engine;
use super::io::Side;
use super::media::{is_link_local_v6, is_private};
use super::own::UriHost;
use crate::family::Family;
use crate::sip::addr::NameAddr;
use crate::sip::edit::{EditError, Edits};
use crate::sip::header::Header;
use crate::sip::token;
use crate::sip::{HeaderId, Message};
use crate::span::Span;
use core::fmt::Write as _;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

mod spelling;

use spelling::{Form, Spelled};

/// Longest Call-ID that an address is hidden in; a request with a longer one is answered with 513 (RFC 3261 §21.5.7).
const MAX_CALL_ID: usize = 512;
/// A rewritten Call-ID.
pub(super) type CallId = heapless::Vec<u8, MAX_CALL_ID>;

const LABEL_LAN: &str = "call-id-lan";
const LABEL_WAN: &str = "call-id-wan";

/// Bytes of an address in a Call-ID: a sealed one between `.x` and `.` is the longest.
const MAX_MAPPED: usize = token::MAX_TEXT + 3;
/// What an address in a Call-ID becomes.
type Mapped = heapless::Vec<u8, MAX_MAPPED>;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    ToWan,
    ToLan,
}

/// The addresses that must not leave: all of the LAN, and the phone's.
#[derive(Clone, Copy)]
pub(super) struct Secrets {
    phone: IpAddr,
    /// Whether those of every private network must not leave.
    of_any_network: bool,
}

impl Secrets {
    /// The same, and all private addresses besides.
    pub(super) const fn of_any_network(&self) -> Self {
        Self { phone: self.phone, of_any_network: true }
    }
}

impl Engine {
    /// The addresses that must not leave in a message of the phone at `phone`.
    pub(super) const fn secrets(&self, phone: IpAddr) -> Secrets {
        Secrets { phone, of_any_network: false }
    }

    /// The secret that begins at `at`.
    fn secret_at(&self, secrets: &Secrets, text: &[u8], at: usize, form: Form) -> Option<Spelled> {
        Spelled::at(text, at, form).filter(|spelled| {
            let ip = spelled.ip;
            let is_secret = ip == secrets.phone
                || self.is_lan(ip)
                || self.addresses.is_on_lan_interface(ip)
                || is_link_local_v6(ip)
                || (secrets.of_any_network && is_private(ip));
            is_secret && Some(ip) != self.own_of(Side::Wan, Family::of(ip)) && Some(ip) != self.own(Side::Wan)
        })
    }

    /// Replaces the secrets in the start line and all headers of `msg` but those in `spared` (and what `edits` has taken care of
    /// already). See [`Self::map_dialogs`] for what names a dialog.
    pub(super) fn scrub(
        &self,
        msg: &Message<'_>,
        secrets: &Secrets,
        spared: &[HeaderId],
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let Some(own) = self.own(Side::Wan) else { return Ok(()) };
        let bytes = msg.bytes();
        let first = msg.headers().first().map_or(0, |header| header.line.start);
        self.scrub_span(bytes, Span::new(0, first), secrets, own, edits)?;
        for header in msg.headers() {
            // Credentials are computed over their URI: one changed byte makes them wrong.
            let is_credentials = matches!(header.id, HeaderId::Authorization | HeaderId::ProxyAuthorization);
            // The first Call-ID has been mapped; whoever sends two may not hide an address in the second.
            let is_mapped = msg.header(HeaderId::CallId).is_some_and(|first| first.line == header.line);
            if is_credentials || is_mapped || spared.contains(&header.id) {
                continue;
            }
            self.scrub_span(bytes, header.value, secrets, own, edits)?;
        }
        Ok(())
    }

    /// Maps what names a dialog, but for Call-ID: the tags, and the dialogs in Replaces, Join (RFC 3911), Target-Dialog
    /// (RFC 4538), In-Reply-To and, as headers of its URI, Refer-To.
    pub(super) fn map_dialogs(
        &self,
        msg: &Message<'_>,
        secrets: &Secrets,
        way: Way,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        for header in msg.headers() {
            if let Some(name) = dialog_in(msg.bytes(), header)
                && !edits.touches(name.span)
            {
                self.map_span(msg.bytes(), name, secrets, way, edits)?;
            }
        }
        Ok(())
    }

    /// Replaces the secrets in one span of a message by our address `own`.
    pub(super) fn scrub_span(
        &self,
        bytes: &[u8],
        span: Span,
        secrets: &Secrets,
        own: IpAddr,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let text = span.of(bytes);
        let mut at = 0;
        while at < text.len() {
            let Some(secret) = self.secret_at(secrets, text, at, Form::Any) else {
                at += 1;
                continue;
            };
            let behind = text.get(at + secret.len..).unwrap_or_default();
            let end = at + secret.len + if is_link_local_v6(secret.ip) { zone_length(behind) } else { 0 };
            let own = self.own_of(Side::Wan, Family::of(secret.ip)).unwrap_or(own);
            let is_bracketed =
                at.checked_sub(1).and_then(|at| text.get(at)) == Some(&b'[') && text.get(end) == Some(&b']');
            let brackets = usize::from(is_bracketed && secret.has_colons());
            let base = usize::from(span.start);
            let found = Span::from_usize(base + at - brackets, base + end + brackets);
            if !edits.touches(found) {
                if brackets == 0 && secret.has_colons() {
                    edits.replace_fmt(found, format_args!("{own}"))?;
                } else {
                    edits.replace_fmt(found, format_args!("{}", UriHost(own)))?;
                }
            }
            at = end;
        }
        Ok(())
    }

    /// The Call-ID or tag on the other side; `None` where it is the same.
    ///
    /// # Errors
    /// [`EditError::Full`] where an address is in it and it is longer than [`MAX_CALL_ID`].
    pub(super) fn map_call_id(&self, call_id: &[u8], secrets: &Secrets, way: Way) -> Result<Option<CallId>, EditError> {
        let mapped_at = |at| self.mapped_at(call_id, at, Form::Name, secrets, way);
        let Some(first) = (0..call_id.len()).find(|at| mapped_at(*at).is_some()) else { return Ok(None) };
        let mut mapped = CallId::new();
        let mut write = |text: &[u8]| mapped.extend_from_slice(text).map_err(|_| EditError::Full);
        let (before, _) = call_id.split_at_checked(first).unwrap_or_default();
        write(before)?;
        let mut at = first;
        while let Some(byte) = call_id.get(at) {
            if let Some((len, text)) = mapped_at(at) {
                write(&text)?;
                at += len;
            } else {
                write(&[*byte])?;
                at += 1;
            }
        }
        Ok(Some(mapped))
    }

    /// What the tag `tag` of a message that came from `from` and goes to `to` is on the LAN; `None` where it is the same.
    pub(super) fn lan_tag(&self, tag: &[u8], from: Side, to: Side, phone: IpAddr) -> Option<CallId> {
        let crosses = from == Side::Wan && to == Side::Lan && self.settings().topology_hiding;
        if crosses { self.map_call_id(tag, &self.secrets(phone), Way::ToLan).unwrap_or_default() } else { None }
    }

    /// Maps the addresses in what names a dialog.
    pub(super) fn map_span(
        &self,
        bytes: &[u8],
        name: DialogName,
        secrets: &Secrets,
        way: Way,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let text = name.span.of(bytes);
        let form = if name.in_uri { Form::NameInUri } else { Form::Name };
        let mut at = 0;
        while at < text.len() {
            let Some((len, mapped)) = self.mapped_at(text, at, form, secrets, way) else {
                at += 1;
                continue;
            };
            let start = usize::from(name.span.start) + at;
            edits.replace(Span::from_usize(start, start + len), &mapped)?;
            at += len;
        }
        Ok(())
    }

    /// The length of what is mapped at `at`, an address or a sealed one, and what it becomes.
    fn mapped_at(&self, text: &[u8], at: usize, form: Form, secrets: &Secrets, way: Way) -> Option<(usize, Mapped)> {
        let (mark_out, label_out, mark_in, label_in) = match way {
            Way::ToWan => (b'x', LABEL_LAN, b'y', LABEL_WAN),
            Way::ToLan => (b'y', LABEL_WAN, b'x', LABEL_LAN),
        };
        if let Some(secret) = self.secret_at(secrets, text, at, form) {
            let sealed = self.key.seal(label_out, &packed(&secret)?);
            let mut mapped = Mapped::new();
            for part in [&[b'.', mark_out], sealed.as_bytes(), b"."] {
                mapped.extend_from_slice(part).ok()?;
            }
            return Some((secret.len, mapped));
        }
        let rest = text.get(at..)?.strip_prefix(b".")?.strip_prefix(&[mark_in])?;
        let len = rest.iter().take(token::MAX_TEXT + 1).position(|b| *b == b'.')?;
        let content = self.key.open(label_in, rest.get(..len)?)?;
        Some((len + 3, unpacked(&content)?))
    }
}

/// Length of the zone that `text` begins with: `%eth0`, or `%25eth0` in a URI (RFC 4007 §11, RFC 6874).
fn zone_length(text: &[u8]) -> usize {
    let Some(zone) = text.strip_prefix(b"%") else { return 0 };
    // Another escape, such as `%3B`, is no part of it.
    let zone = match zone {
        [b'2', b'5', ..] => zone,
        [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => return 0,
        zone => zone,
    };
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    1 + zone.iter().take_while(|byte| is_part(byte)).count()
}

/// Marks what is sealed: an IPv6 address in lower case, one in upper case, and an address that is spelled like no other. An IPv4
/// address in its usual form is its four octets.
const IN_LOWER_CASE: u8 = 6;
const IN_UPPER_CASE: u8 = 7;
const AS_WRITTEN: u8 = 0;

/// An address with its spelling; `None` where that is too long to be sealed.
fn packed(secret: &Spelled) -> Option<token::Content> {
    let written = &secret.written[..];
    let spelled = |content: &[u8]| unpacked(content).is_some_and(|text| text == written);
    let content = |mark: u8, rest: &[u8]| {
        let mut content = token::Content::new();
        content.push(mark).ok()?;
        content.extend_from_slice(rest).ok()?;
        Some(content)
    };
    let usual = match secret.ip {
        IpAddr::V4(ip) => [token::Content::from_slice(&ip.octets()).ok(), None],
        IpAddr::V6(ip) => [content(IN_LOWER_CASE, &ip.octets()), content(IN_UPPER_CASE, &ip.octets())],
    };
    let usual = usual.into_iter().flatten().find(|content| spelled(content));
    usual.or_else(|| content(AS_WRITTEN, written))
}

/// The text that [`packed`] was given.
fn unpacked(content: &[u8]) -> Option<Mapped> {
    let mut text = Mapped::new();
    match content {
        // No address of three characters is spelled like no other, so that this is no mark.
        [a, b, c, d] => write!(text, "{}", Ipv4Addr::new(*a, *b, *c, *d)).ok()?,
        [AS_WRITTEN, written @ ..] => text.extend_from_slice(written).ok()?,
        [mark @ (IN_LOWER_CASE | IN_UPPER_CASE), octets @ ..] => {
            write!(text, "{}", Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?)).ok()?;
            if *mark == IN_UPPER_CASE {
                text.make_ascii_uppercase();
            }
        }
        _ => return None,
    }
    Some(text)
}

/// What names a dialog.
#[derive(Clone, Copy)]
pub(super) struct DialogName {
    pub(super) span: Span,
    /// Whether it is a part of a URI, and has escapes.
    pub(super) in_uri: bool,
}

impl DialogName {
    /// A name that stands for itself.
    pub(super) const fn plain(span: Span) -> Self {
        Self { span, in_uri: false }
    }
}

/// What of a header names a dialog.
pub(super) fn dialog_in(bytes: &[u8], header: &Header) -> Option<DialogName> {
    const OTHERS: [&[u8]; 3] = [b"Join", b"Target-Dialog", b"In-Reply-To"];
    /// Headers of the URI in Refer-To; all else in there is no dialog's (RFC 3261 §19.1.1).
    const FIELDS: [&[u8]; 3] = [b"Replaces=", b"Join=", b"Call-ID="];
    match header.id {
        HeaderId::From | HeaderId::To => {
            NameAddr::parse(bytes, header.value).ok()?.param(bytes, b"tag")?.value.map(DialogName::plain)
        }
        HeaderId::Replaces => Some(DialogName::plain(header.value)),
        HeaderId::ReferTo => {
            let text = header.value.of(bytes);
            let is_field = |at: usize| {
                let (before, rest) = text.split_at_checked(at).unwrap_or_default();
                matches!(before.last(), Some(b'?' | b'&')) && FIELDS.iter().any(|name| starts_with(rest, name))
            };
            let at = (0..text.len()).find(|at| is_field(*at))?;
            let value = text.get(at..)?;
            let len = value.iter().position(|b| matches!(b, b'&' | b'>')).unwrap_or(value.len());
            let at = usize::from(header.value.start) + at;
            Some(DialogName { span: Span::from_usize(at, at + len), in_uri: true })
        }
        HeaderId::Other if OTHERS.iter().any(|name| header.name.of(bytes).eq_ignore_ascii_case(name)) => {
            Some(DialogName::plain(header.value))
        }
        _ => None,
    }
}

fn starts_with(text: &[u8], name: &[u8]) -> bool {
    text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_as_it_was_spelled() {
        let long = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff";
        let upper = long.to_uppercase();
        for (text, len) in [
            ("10.0.0.2", 4),
            ("0.0.0.2", 4),
            ("192_168_100_102", 16),
            ("192.168.001.005", 16),
            ("BJC.BGI.B.F", 12),
            ("::ffff:192.168.100.102", 23),
            ("::2", 17),
            ("fd00::2", 17),
            (long, 17),
            (&upper, 17),
            ("fd00:0:0:0:0:0:0:2", 19),
            ("fd00::Ab", 9),
        ] {
            let spelled = Spelled::at(text.as_bytes(), 0, Form::Name).unwrap();
            let content = packed(&spelled).unwrap();
            assert_eq!((content.len(), unpacked(&content).unwrap().as_slice()), (len, text.as_bytes()), "{text}");
        }
        let mixed = long.replace("aaaa", "AAAA");
        assert_eq!(packed(&Spelled::at(mixed.as_bytes(), 0, Form::Name).unwrap()), None);
        assert_eq!(unpacked(&[IN_LOWER_CASE, 1, 2, 3, 4]), None);
        assert_eq!(unpacked(b"9abcde"), None);
    }
}
