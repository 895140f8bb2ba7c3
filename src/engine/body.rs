//! Bodies: where the session description is, and what must not leave in any of them.
//!
//! A description is the whole body, or one part of a multipart body, which may be in another one (RFC 5621). Those of calls are
//! rewritten in `media`; one that belongs to no call of ours (a phone's answer to OPTIONS) still must not tell the WAN a private
//! address.

use super::Engine;
use super::cause::Cause;
use super::hide::Secrets;
use super::io::Side;
use crate::limits::MAX_SECTIONS;
use crate::log_class::{self as class, log};
use crate::sdp::Description;
use crate::sdp::rewrite::{Decision, rewrite};
use crate::sip::edit::{EditError, Edits};
use crate::sip::lex::trim;
use crate::sip::{HeaderId, Message, params};
use crate::span::Span;
use core::net::IpAddr;

/// Parts within parts that are looked into; what is deeper is unreadable.
const MAX_NESTING: u8 = 4;

/// What a body is, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A session description.
    Description,
    /// A description of other media than the session's (RFC 3959 §4).
    EarlySession,
    /// Lines of one that tell more of ICE (RFC 8840 §9).
    Candidates,
    Xml,
    /// A SIP message or the beginning of one (RFC 3420), or lines of the same form (RFC 3842).
    Fragment,
    /// What people read.
    Text,
    /// What may be any of these, encrypted (RFC 3261 §23).
    Enveloped,
    /// What may hold addresses and cannot be searched: encoded, of two types at once, or too deep within other parts.
    Unreadable,
    Other,
}

impl Kind {
    /// What the value of a Content-Type names.
    fn of(value: &[u8]) -> Self {
        let (kind, sub) = type_in(value);
        let is = |known: (&str, &str)| {
            kind.eq_ignore_ascii_case(known.0.as_bytes()) && sub.eq_ignore_ascii_case(known.1.as_bytes())
        };
        const FRAGMENTS: [(&str, &str); 3] =
            [("message", "sipfrag"), ("message", "sip"), ("application", "simple-message-summary")];
        const XML: &[u8] = b"+xml";
        let is_xml = sub.len().checked_sub(XML.len()).and_then(|at| sub.get(at..));
        match () {
            () if is(("application", "sdp")) => Self::Description,
            () if is(("application", "trickle-ice-sdpfrag")) => Self::Candidates,
            () if is(("application", "pkcs7-mime")) => Self::Enveloped,
            // RFC 7303 §4.2
            () if is_xml.is_some_and(|end| end.eq_ignore_ascii_case(XML)) => Self::Xml,
            () if sub.eq_ignore_ascii_case(b"xml") => Self::Xml,
            () if FRAGMENTS.into_iter().any(is) => Self::Fragment,
            () if kind.eq_ignore_ascii_case(b"text") && !sub.is_empty() => Self::Text,
            () => Self::Other,
        }
    }
}

/// Type and subtype of a Content-Type, around whose slash blanks may stand (RFC 3261 §25.1).
fn type_in(value: &[u8]) -> (&[u8], &[u8]) {
    let name = value.split(|b| *b == b';').next().unwrap_or_default();
    let mut halves = name.splitn(2, |b| *b == b'/').map(<[u8]>::trim_ascii);
    (halves.next().unwrap_or_default(), halves.next().unwrap_or_default())
}

/// What the headers say of a body, or of one part.
#[derive(Clone, Copy, Default)]
struct Head {
    content_type: Option<Span>,
    /// Whether there are two different types.
    is_torn: bool,
    /// Compressed, or the like.
    is_encoded: bool,
    /// As letters and digits (RFC 2045 §6).
    is_spelled: bool,
    is_early: bool,
}

impl Head {
    fn of(msg: &Message<'_>) -> Self {
        let mut head = Self::default();
        msg.headers().iter().for_each(|header| head.take(msg.bytes(), msg.get(header.name), header.value));
        head
    }

    /// Takes what one header says.
    fn take(&mut self, bytes: &[u8], name: &[u8], value: Span) {
        let text = value.of(bytes).trim_ascii();
        let is_one_of = |plain: &[&str]| plain.iter().any(|plain| text.eq_ignore_ascii_case(plain.as_bytes()));
        match HeaderId::from_name(name) {
            HeaderId::ContentType => {
                self.is_torn |= self.content_type.is_some_and(|before| before.of(bytes).trim_ascii() != text);
                self.content_type = Some(value);
            }
            HeaderId::ContentEncoding => self.is_encoded |= !text.is_empty() && !is_one_of(&["identity"]),
            HeaderId::Other if name.eq_ignore_ascii_case(b"Content-Transfer-Encoding") => {
                self.is_spelled |= !is_one_of(&["binary", "8bit", "7bit"]);
            }
            HeaderId::Other if name.eq_ignore_ascii_case(b"Content-Disposition") => {
                let disposition = text.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
                self.is_early |= disposition.eq_ignore_ascii_case(b"early-session");
            }
            _ => {}
        }
    }

    fn kind(&self, bytes: &[u8]) -> Kind {
        let kind = self.content_type.map_or(Kind::Other, |value| Kind::of(value.of(bytes)));
        let is_searched = matches!(kind, Kind::Description | Kind::Xml | Kind::Fragment);
        match kind {
            _ if self.is_torn => Kind::Unreadable,
            _ if self.is_encoded && kind != Kind::Text => Kind::Unreadable,
            _ if self.is_spelled && is_searched => Kind::Unreadable,
            Kind::Description if self.is_early => Kind::EarlySession,
            kind => kind,
        }
    }

    /// The boundary between the parts.
    fn boundary<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let value = self.content_type.filter(|value| type_in(value.of(bytes)).0.eq_ignore_ascii_case(b"multipart"))?;
        let boundary = params::find(bytes, value, b"boundary")?.value?;
        Some(params::unquoted(bytes, boundary).of(bytes))
    }
}

/// Where the session description of a message is: its first, should it have several.
pub(super) fn description(msg: &Message<'_>) -> Option<Span> {
    find_part(msg, &mut |kind, _| kind == Kind::Description)
}

/// The first part of a body that `wanted` picks; a body that is not multipart is its own only part.
pub(super) fn find_part(msg: &Message<'_>, wanted: &mut dyn FnMut(Kind, Span) -> bool) -> Option<Span> {
    if msg.body().is_empty() {
        return None;
    }
    find_within(msg.bytes(), msg.body(), &Head::of(msg), MAX_NESTING, wanted)
}

/// The first part that `wanted` picks of what is in `content`, by its `head`.
fn find_within(
    bytes: &[u8],
    content: Span,
    head: &Head,
    depth: u8,
    wanted: &mut dyn FnMut(Kind, Span) -> bool,
) -> Option<Span> {
    let kind = head.kind(bytes);
    match (head.boundary(bytes).filter(|_| kind != Kind::Unreadable), depth.checked_sub(1)) {
        (Some(boundary), Some(depth)) => find_between(bytes, content, boundary, depth, wanted),
        (Some(_), None) => wanted(Kind::Unreadable, content).then_some(content),
        (None, _) => wanted(kind, content).then_some(content),
    }
}

/// The first part that `wanted` picks of those between the boundaries (RFC 2046 §5.1.1).
fn find_between(
    bytes: &[u8],
    body: Span,
    boundary: &[u8],
    depth: u8,
    wanted: &mut dyn FnMut(Kind, Span) -> bool,
) -> Option<Span> {
    let mut head = Head::default();
    // The header that the next line may go on with, its name and its value.
    let mut header: Option<(Span, Span)> = None;
    let (mut in_head, mut content, mut at) = (false, None, usize::from(body.start));
    for line in body.of(bytes).split_inclusive(|b| *b == b'\n') {
        let (start, end) = (at, at + line.len());
        at = end;
        let text = line.trim_ascii_end();
        let text_end = start + text.len();
        let rest = text.strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary)).map(<[u8]>::trim_ascii);
        if rest.is_some_and(|rest| matches!(rest, b"" | b"--")) {
            let part = content.take().map(|from| Span::from_usize(from, start));
            if let Some(found) = part.and_then(|part| find_within(bytes, part, &head, depth, wanted)) {
                return Some(found);
            }
            (head, header, in_head) = (Head::default(), None, rest == Some(b""));
        } else if in_head {
            if let Some((_, value)) = &mut header
                && matches!(line.first(), Some(b' ' | b'\t'))
                && !text.is_empty()
            {
                value.end = Span::from_usize(start, text_end).end;
                continue;
            }
            if let Some((name, value)) = header.take() {
                head.take(bytes, name.of(bytes), value);
            }
            if text.is_empty() {
                in_head = false;
                content = Some(end);
            } else if let Some(colon) = text.iter().position(|b| *b == b':') {
                let name = trim(bytes, Span::from_usize(start, start + colon));
                header = Some((name, Span::from_usize(start + colon + 1, text_end)));
            }
        }
    }
    // The last boundary is missing: the part goes on to the end.
    let part = content.map(|from| Span::from_usize(from, body.end.into()));
    part.and_then(|part| find_within(bytes, part, &head, depth, wanted))
}

/// Why a message must not pass on the way of descriptions: what is in it may be one, and cannot be rewritten.
pub(super) fn obstacle(msg: &Message<'_>) -> Option<Cause> {
    let mut cause = None;
    find_part(msg, &mut |kind, _| {
        cause = match kind {
            Kind::Unreadable => Some(Cause::Encoding),
            Kind::Enveloped => Some(Cause::Description),
            _ => cause,
        };
        cause == Some(Cause::Encoding)
    });
    cause
}

/// Declines the media of all descriptions in a message but `main`, the one that is relayed: there is one session (RFC 3264 §4).
/// `own` is our address towards the receiver.
pub(super) fn decline_others(msg: &Message<'_>, main: Span, own: IpAddr, edits: &mut Edits) -> Result<(), Cause> {
    let mut result = Ok(());
    find_part(msg, &mut |kind, part| {
        if part != main && matches!(kind, Kind::Description | Kind::EarlySession) {
            log::info!(target: class::RTP, "a message has several session descriptions: media is relayed by the first");
            let sdp = Description::parse(msg.bytes(), part).map_err(|_| Cause::Description);
            result = sdp.and_then(|sdp| rewrite(msg.bytes(), &sdp, own, &[], edits).map_err(|_| Cause::TooLarge));
        }
        result.is_err()
    });
    result
}

impl Engine {
    /// Takes private addresses out of a body on its way to the WAN. A description that no call has rewritten gets our address,
    /// and none that is relayed; what cannot be read is cut out. Text that people read passes as it is.
    pub(super) fn hide_body(&self, msg: &Message<'_>, secrets: &Secrets, edits: &mut Edits) -> Result<(), EditError> {
        let Some(own) = self.own(Side::Wan) else { return Ok(()) };
        if !self.settings().rtp_proxy_enable && description(msg).is_some() {
            return Ok(());
        }
        // All between the texts: the other parts, their headers, and what is in no part.
        let mut start = msg.body().start;
        let mut result = Ok(true);
        find_part(msg, &mut |kind, part| {
            if !matches!(kind, Kind::Xml | Kind::Fragment | Kind::Enveloped | Kind::Other) {
                result = self.scrub_span(msg.bytes(), Span::new(start, part.start), secrets, own, edits).map(|()| true);
                start = part.end;
            }
            if result.is_ok() {
                result = match kind {
                    Kind::Description | Kind::EarlySession => self.hide_description(msg, part, secrets, own, edits),
                    Kind::Candidates => self.hide_lines(msg, part, secrets, own, edits).map(|()| true),
                    Kind::Unreadable => Ok(false),
                    _ => Ok(true),
                };
            }
            result != Ok(true)
        });
        if !result? {
            return cut_out(msg, edits);
        }
        self.scrub_span(msg.bytes(), Span::new(start, msg.body().end), secrets, own, edits)
    }

    /// See [`Self::hide_body`]; whether the description could be read.
    fn hide_description(
        &self,
        msg: &Message<'_>,
        part: Span,
        secrets: &Secrets,
        own: IpAddr,
        edits: &mut Edits,
    ) -> Result<bool, EditError> {
        if !edits.touches(part) {
            let Ok(sdp) = Description::parse(msg.bytes(), part) else { return Ok(false) };
            rewrite(msg.bytes(), &sdp, own, &[Decision::Keep; MAX_SECTIONS], edits)?;
        }
        self.hide_lines(msg, part, secrets, own, edits).map(|()| true)
    }

    /// Replaces every private address in the lines of a description: nobody out there has a use for one, whichever network a phone
    /// has it from.
    fn hide_lines(
        &self,
        msg: &Message<'_>,
        part: Span,
        secrets: &Secrets,
        own: IpAddr,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let secrets = secrets.of_any_network();
        let mut start = usize::from(part.start);
        for line in part.of(msg.bytes()).split_inclusive(|b| matches!(b, b'\r' | b'\n')) {
            // The colon behind an attribute's name is none of an IPv6 address.
            let value = start + line.iter().position(|b| *b == b':').map_or(0, |colon| colon + 1);
            let end = start + line.len();
            for (from, to) in [(start, value), (value, end)] {
                self.scrub_span(msg.bytes(), Span::from_usize(from, to), &secrets, own, edits)?;
            }
            start = end;
        }
        Ok(())
    }
}

/// Takes the body out of a message that must arrive all the same, with the edits that are in it.
pub(super) fn cut_out(msg: &Message<'_>, edits: &mut Edits) -> Result<(), EditError> {
    edits.cut(msg.body())?;
    let of_it = |id| matches!(id, HeaderId::ContentType | HeaderId::ContentEncoding);
    msg.headers().iter().filter(|header| of_it(header.id)).try_for_each(|header| edits.delete(header.line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(content_type: &str, body: &str) -> Option<String> {
        let head = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nc: ";
        let mut bytes = format!("{head}{content_type}\r\n\r\n{body}").into_bytes();
        let msg = Message::parse(&mut bytes).unwrap();
        description(&msg).map(|span| String::from_utf8_lossy(msg.get(span)).into_owned())
    }

    #[test]
    fn kinds() {
        for (value, kind) in [
            ("application/sdp", Kind::Description),
            ("Application/dialog-info+XML; charset=x", Kind::Xml),
            ("text/xml", Kind::Xml),
            ("message/sipfrag;version=2.0", Kind::Fragment),
            ("text/plain", Kind::Text),
            ("text;branch=z9hG4bK", Kind::Other),
            ("application / SDP ; charset=x", Kind::Description),
            ("application/pkcs7-mime; smime-type=enveloped-data", Kind::Enveloped),
            ("application/sdp/x", Kind::Other),
            ("xml", Kind::Other),
            ("application/xml-dtd", Kind::Other),
            ("message/sipfragment", Kind::Other),
            ("", Kind::Other),
        ] {
            assert_eq!(Kind::of(value.as_bytes()), kind, "{value}");
        }
    }

    #[test]
    fn whole_bodies_and_parts() {
        assert_eq!(found("Application/SDP;charset=x", "v=0\r\n").as_deref(), Some("v=0\r\n"));
        assert_eq!(found("text/plain", "v=0\r\n"), None);
        assert_eq!(found("application/sdp", ""), None);
        let parts = "ignored\r\n--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b\r\nc : application/sdp\r\n\r\nv=0\r\n--b--\r\n";
        assert_eq!(found("multipart/mixed; boundary=\"b\"", parts).as_deref(), Some("v=0\r\n"));
        assert_eq!(found("multipart/mixed;boundary=b", &parts[..parts.len() - 7]).as_deref(), Some("v=0\r\n"));
        assert_eq!(found("multipart/mixed", parts), None);
        assert_eq!(found("multipart/mixed;boundary=c", parts), None);
    }
}
