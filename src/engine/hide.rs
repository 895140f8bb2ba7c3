//! Topology hiding: no private address in what goes to the WAN.
//!
//! Via, Contact, Record-Route and SDP are rewritten where they are understood. Every other header is searched for the literal
//! addresses of the phone and of the router on the LAN, as whole tokens, and each is replaced by our WAN address.
//!
//! Call-ID names the dialog on both sides, so what is done to it must be undone: an address in it becomes `.x` + a sealed
//! token + `.`, and the token becomes the address again on the way in. A Call-ID from the WAN may by chance hold the very
//! same address; it is kept apart as `.y` + token + `.` on the LAN, so that the mapping has one way back for either.

use super::Engine;
use super::io::Side;
use super::media::has_description;
use super::own::UriHost;
use crate::sip::edit::{EditError, Edits};
use crate::sip::token;
use crate::sip::{HeaderId, Message};
use crate::span::Span;
use core::fmt::Write as _;
use core::net::IpAddr;

/// Longest Call-ID that is rewritten; a longer one passes as it is.
const MAX_CALL_ID: usize = 512;
/// A rewritten Call-ID.
pub(super) type CallId = heapless::Vec<u8, MAX_CALL_ID>;

const LABEL_LAN: &str = "call-id-lan";
const LABEL_WAN: &str = "call-id-wan";
/// Characters of a sealed IPv4 address: 6 bytes of checksum and 4 of address in base32.
const SEALED_LEN: usize = 16;

/// Most addresses that are looked for: the phone's, and the router's on the LAN.
const MAX_SECRETS: usize = 8;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    ToWan,
    ToLan,
}

/// The addresses that must not leave, as text.
pub(super) struct Secrets(heapless::Vec<(heapless::String<40>, IpAddr), MAX_SECRETS>);

impl Secrets {
    /// The length and the address of the secret that begins at `at`, as a whole token: no digit or dot before or behind.
    fn at(&self, text: &[u8], at: usize) -> Option<(usize, IpAddr)> {
        let rest = text.get(at..)?;
        let is_part = |b: &u8| b.is_ascii_digit() || *b == b'.';
        if !rest.first()?.is_ascii_hexdigit() || at.checked_sub(1).and_then(|i| text.get(i)).is_some_and(is_part) {
            return None;
        }
        let (name, ip) = self.0.iter().find(|(name, _)| rest.starts_with(name.as_bytes()))?;
        let behind = rest.get(name.len()..)?;
        let goes_on = match behind {
            [b, ..] if b.is_ascii_digit() => true,
            [b'.', b, ..] => b.is_ascii_digit(),
            _ => false,
        };
        (!goes_on).then_some((name.len(), *ip))
    }
}

impl Engine {
    /// The addresses that must not leave in a message of the phone at `phone`.
    pub(super) fn secrets(&self, phone: IpAddr) -> Secrets {
        let mut list = heapless::Vec::new();
        for ip in core::iter::once(phone).chain(self.addresses.lan().iter().map(|p| p.address)) {
            let mut name = heapless::String::new();
            if Some(ip) != self.own(Side::Wan) && write!(name, "{ip}").is_ok() {
                // More addresses on the LAN interface than places: the first ones are those in use.
                let _ = list.push((name, ip));
            }
        }
        Secrets(list)
    }

    /// Replaces the secrets in all headers of `msg` but those in `spared` (and what `edits` has taken care of already).
    pub(super) fn scrub(
        &self,
        msg: &Message<'_>,
        secrets: &Secrets,
        spared: &[HeaderId],
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let Some(own) = self.own(Side::Wan) else { return Ok(()) };
        for header in msg.headers() {
            // Credentials are computed over their URI: one changed byte makes them wrong.
            let is_credentials = matches!(header.id, HeaderId::Authorization | HeaderId::ProxyAuthorization);
            if is_credentials || header.id == HeaderId::CallId || spared.contains(&header.id) {
                continue;
            }
            self.scrub_span(msg.bytes(), header.value, secrets, own, edits)?;
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
            let Some((len, _)) = secrets.at(text, at) else {
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

    /// Replaces the secrets in a description that no call has rewritten: of a call that is over, in a refusal, or in the answer
    /// to OPTIONS. Media is not relayed for it; without a relay (`rtp_proxy_enable = 0`) none is touched.
    pub(super) fn hide_description(
        &self,
        msg: &Message<'_>,
        secrets: &Secrets,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let is_done = edits.touches(msg.body()) || !self.settings().rtp_proxy_enable;
        match self.own(Side::Wan) {
            Some(own) if !is_done && has_description(msg) => {
                self.scrub_span(msg.bytes(), msg.body(), secrets, own, edits)
            }
            _ => Ok(()),
        }
    }

    /// The Call-ID on the other side; `None` where it is the same.
    pub(super) fn map_call_id(&self, call_id: &[u8], secrets: &Secrets, way: Way) -> Option<CallId> {
        let (mark_out, label_out, mark_in, label_in) = match way {
            Way::ToWan => (b'x', LABEL_LAN, b'y', LABEL_WAN),
            Way::ToLan => (b'y', LABEL_WAN, b'x', LABEL_LAN),
        };
        let mut mapped = CallId::new();
        let mut changed = false;
        let mut at = 0;
        while let Some(byte) = call_id.get(at) {
            if let Some((len, ip)) = secrets.at(call_id, at)
                && let IpAddr::V4(ip) = ip
            {
                mapped.extend_from_slice(&[b'.', mark_out]).ok()?;
                mapped.extend_from_slice(self.key.seal(label_out, &ip.octets()).as_bytes()).ok()?;
                mapped.push(b'.').ok()?;
                changed = true;
                at += len;
            } else if let Some(octets) = self.sealed_at(call_id, at, mark_in, label_in) {
                let [a, b, c, d] = octets;
                let mut text = heapless::String::<15>::new();
                write!(text, "{a}.{b}.{c}.{d}").ok()?;
                mapped.extend_from_slice(text.as_bytes()).ok()?;
                changed = true;
                at += SEALED_LEN + 3;
            } else {
                mapped.push(*byte).ok()?;
                at += 1;
            }
        }
        changed.then_some(mapped)
    }

    fn sealed_at(&self, text: &[u8], at: usize, mark: u8, label: &str) -> Option<[u8; 4]> {
        let candidate = text.get(at..at + SEALED_LEN + 3)?;
        let inner = candidate.strip_prefix(&[b'.', mark])?.strip_suffix(b".")?;
        let content: token::Content = self.key.open(label, inner)?;
        content.as_slice().try_into().ok()
    }
}
