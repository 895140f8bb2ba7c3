//! Topology hiding: no private address in what goes to the WAN.
//!
//! Via, Contact, Record-Route and SDP are rewritten where they are understood. The start line, every other header and bodies
//! that machines read are searched for addresses of the LAN, and each is replaced by our WAN address.
//!
//! Call-ID and tags name the dialog on both sides, so what is done to them must be undone: an address in one becomes `.x` + a
//! sealed token + `.`, and the token becomes the address again on the way in. A Call-ID from the WAN may by chance hold the
//! very same address; it is kept apart as `.y` + token + `.` on the LAN, so that the mapping has one way back for either.
//! Headers that name another dialog (Replaces) are treated alike.

use super::Engine;
use super::io::Side;
use super::own::UriHost;
use crate::sip::addr::NameAddr;
use crate::sip::edit::{EditError, Edits};
use crate::sip::header::Header;
use crate::sip::token;
use crate::sip::{HeaderId, Message};
use crate::span::Span;
use core::fmt::Write as _;
use core::net::{IpAddr, Ipv4Addr};

/// Longest Call-ID that is rewritten; a longer one passes as it is.
const MAX_CALL_ID: usize = 512;
/// A rewritten Call-ID.
pub(super) type CallId = heapless::Vec<u8, MAX_CALL_ID>;

const LABEL_LAN: &str = "call-id-lan";
const LABEL_WAN: &str = "call-id-wan";
/// Characters of a sealed IPv4 address: 6 bytes of checksum and 4 of address in base32.
const SEALED_LEN: usize = 16;

/// Most IPv6 addresses that are looked for: the phone's, and the router's on the LAN.
const MAX_SECRETS: usize = 8;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    ToWan,
    ToLan,
}

/// The addresses that must not leave: all of the LAN, and the phone's.
pub(super) struct Secrets {
    phone: IpAddr,
    /// IPv6 addresses as text: that of the phone, and the router's on the LAN.
    v6: heapless::Vec<(heapless::String<40>, IpAddr), MAX_SECRETS>,
}

impl Engine {
    /// The addresses that must not leave in a message of the phone at `phone`.
    pub(super) fn secrets(&self, phone: IpAddr) -> Secrets {
        let mut v6 = heapless::Vec::new();
        for ip in core::iter::once(phone).chain(self.addresses.lan().iter().map(|p| p.address)) {
            let mut name = heapless::String::new();
            if ip.is_ipv6() && Some(ip) != self.own(Side::Wan) && write!(name, "{ip}").is_ok() {
                // More addresses on the LAN interface than places: the first ones are those in use.
                let _ = v6.push((name, ip));
            }
        }
        Secrets { phone, v6 }
    }

    /// The length and the address of the secret that begins at `at`, as a whole number: no digit before or behind, but for
    /// those of an escape (`%40`), which is how a Call-ID stands in Refer-To.
    fn secret_at(&self, secrets: &Secrets, text: &[u8], at: usize) -> Option<(usize, IpAddr)> {
        let (before, rest) = text.split_at_checked(at)?;
        if !rest.first()?.is_ascii_hexdigit() {
            return None;
        }
        let escaped = matches!(before, [.., b'%', a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
        if before.last().is_some_and(u8::is_ascii_digit) && !escaped {
            return None;
        }
        if let Some((len, ip)) = dotted_quad(rest) {
            let ip = IpAddr::V4(ip);
            let is_secret = ip == secrets.phone || self.is_lan(ip) || self.addresses.is_on_lan_interface(ip);
            return (is_secret && Some(ip) != self.own(Side::Wan)).then_some((len, ip));
        }
        let is_part = |b: &u8| b.is_ascii_hexdigit() || *b == b':';
        if secrets.v6.is_empty() || (!escaped && before.last().is_some_and(is_part)) {
            return None;
        }
        let (name, ip) = secrets.v6.iter().find(|(name, _)| starts_with(rest, name.as_bytes()))?;
        let goes_on = rest.get(name.len()).is_some_and(is_part);
        (!goes_on).then_some((name.len(), *ip))
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
            if let Some(span) = dialog_in(msg.bytes(), header)
                && !edits.touches(span)
            {
                self.map_span(msg.bytes(), span, secrets, way, edits)?;
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
            let Some((len, _)) = self.secret_at(secrets, text, at) else {
                at += 1;
                continue;
            };
            let start = usize::from(span.start) + at;
            let found = Span::from_usize(start, start + len);
            if !edits.touches(found) {
                edits.replace_fmt(found, format_args!("{}", UriHost(own)))?;
            }
            at += len;
        }
        Ok(())
    }

    /// The Call-ID or tag on the other side; `None` where it is the same.
    pub(super) fn map_call_id(&self, call_id: &[u8], secrets: &Secrets, way: Way) -> Option<CallId> {
        let mut mapped = CallId::new();
        let mut changed = false;
        let mut at = 0;
        while let Some(byte) = call_id.get(at) {
            if let Some((len, text)) = self.mapped_at(call_id, at, secrets, way) {
                mapped.extend_from_slice(text.as_bytes()).ok()?;
                changed = true;
                at += len;
            } else {
                mapped.push(*byte).ok()?;
                at += 1;
            }
        }
        changed.then_some(mapped)
    }

    /// What the tag `tag` of a message that came from `from` and goes to `to` is on the LAN; `None` where it is the same.
    pub(super) fn lan_tag(&self, tag: &[u8], from: Side, to: Side, phone: IpAddr) -> Option<CallId> {
        let crosses = from == Side::Wan && to == Side::Lan && self.settings().topology_hiding;
        if crosses { self.map_call_id(tag, &self.secrets(phone), Way::ToLan) } else { None }
    }

    /// Maps the addresses in one span that names a dialog.
    pub(super) fn map_span(
        &self,
        bytes: &[u8],
        span: Span,
        secrets: &Secrets,
        way: Way,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let text = span.of(bytes);
        let mut at = 0;
        while at < text.len() {
            let Some((len, mapped)) = self.mapped_at(text, at, secrets, way) else {
                at += 1;
                continue;
            };
            let start = usize::from(span.start) + at;
            edits.replace(Span::from_usize(start, start + len), mapped.as_bytes())?;
            at += len;
        }
        Ok(())
    }

    /// The length of what is mapped at `at`, an address or a sealed one, and what it becomes.
    fn mapped_at(&self, text: &[u8], at: usize, secrets: &Secrets, way: Way) -> Option<(usize, heapless::String<24>)> {
        let (mark_out, label_out, mark_in, label_in) = match way {
            Way::ToWan => ('x', LABEL_LAN, 'y', LABEL_WAN),
            Way::ToLan => ('y', LABEL_WAN, 'x', LABEL_LAN),
        };
        let mut mapped = heapless::String::new();
        if let Some((len, IpAddr::V4(ip))) = self.secret_at(secrets, text, at) {
            write!(mapped, ".{mark_out}{}.", self.key.seal(label_out, &ip.octets())).ok()?;
            return Some((len, mapped));
        }
        let ip = Ipv4Addr::from(self.sealed_at(text, at, mark_in, label_in)?);
        write!(mapped, "{ip}").ok()?;
        Some((SEALED_LEN + 3, mapped))
    }

    fn sealed_at(&self, text: &[u8], at: usize, mark: char, label: &str) -> Option<[u8; 4]> {
        let candidate = text.get(at..at + SEALED_LEN + 3)?;
        let inner = candidate.strip_prefix(b".")?.strip_prefix(&[mark as u8])?.strip_suffix(b".")?;
        let content: token::Content = self.key.open(label, inner)?;
        content.as_slice().try_into().ok()
    }
}

/// What of a header names a dialog.
pub(super) fn dialog_in(bytes: &[u8], header: &Header) -> Option<Span> {
    const OTHERS: [&[u8]; 3] = [b"Join", b"Target-Dialog", b"In-Reply-To"];
    /// Headers of the URI in Refer-To; all else in there is no dialog's (RFC 3261 §19.1.1).
    const FIELDS: [&[u8]; 3] = [b"Replaces=", b"Join=", b"Call-ID="];
    match header.id {
        HeaderId::From | HeaderId::To => NameAddr::parse(bytes, header.value).ok()?.param(bytes, b"tag")?.value,
        HeaderId::Replaces => Some(header.value),
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
            Some(Span::from_usize(at, at + len))
        }
        HeaderId::Other if OTHERS.iter().any(|name| header.name.of(bytes).eq_ignore_ascii_case(name)) => {
            Some(header.value)
        }
        _ => None,
    }
}

/// An IPv4 address in its usual form at the beginning of `text`, no digit behind it, and its length.
fn dotted_quad(text: &[u8]) -> Option<(usize, Ipv4Addr)> {
    let mut octets = [0u8; 4];
    let mut at = 0;
    for (number, octet) in octets.iter_mut().enumerate() {
        if number > 0 {
            (text.get(at) == Some(&b'.')).then_some(())?;
            at += 1;
        }
        let digits = text.get(at..)?.iter().take(4).take_while(|b| b.is_ascii_digit()).count();
        let digits = text.get(at..at + digits)?;
        // 010.0.0.2 is no usual form: what it becomes could not be undone.
        if digits.len() > 1 && digits.first() == Some(&b'0') {
            return None;
        }
        *octet = core::str::from_utf8(digits).ok()?.parse().ok()?;
        at += digits.len();
    }
    Some((at, Ipv4Addr::from(octets)))
}

fn starts_with(text: &[u8], name: &[u8]) -> bool {
    text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}
