//! Bodies: where the session description is, and what must not leave in any of them.
//!
//! A description is the whole body, or one part of a multipart body (RFC 5621). Those of calls are rewritten in `media`; one
//! that belongs to no call of ours (a phone's answer to OPTIONS) still must not tell the WAN a private address.

use super::Engine;
use super::hide::Secrets;
use super::io::Side;
use crate::limits::MAX_SECTIONS;
use crate::sdp::Description;
use crate::sdp::rewrite::{Decision, rewrite};
use crate::sip::edit::{EditError, Edits};
use crate::sip::{HeaderId, Message, params};
use crate::span::Span;

const SDP: &[u8] = b"application/sdp";

/// What a body is, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A session description.
    Description,
    Xml,
    /// A SIP message or the beginning of one (RFC 3420), or lines of the same form (RFC 3842).
    Fragment,
    /// What people read.
    Text,
    Other,
}

impl Kind {
    /// What the value of a Content-Type names.
    fn of(value: &[u8]) -> Self {
        const FRAGMENTS: [&[u8]; 3] = [b"message/sipfrag", b"message/sip", b"application/simple-message-summary"];
        let name = value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
        let ends_with = |end: &[u8]| {
            name.len().checked_sub(end.len()).and_then(|at| name.get(at..)).is_some_and(|n| n.eq_ignore_ascii_case(end))
        };
        match name {
            n if n.eq_ignore_ascii_case(SDP) => Self::Description,
            // RFC 7303 §4.2
            _ if ends_with(b"+xml") || ends_with(b"/xml") => Self::Xml,
            n if FRAGMENTS.iter().any(|fragment| n.eq_ignore_ascii_case(fragment)) => Self::Fragment,
            n if is_type(n, b"text/") => Self::Text,
            _ => Self::Other,
        }
    }
}

/// Where the session description of a message is.
pub(super) fn description(msg: &Message<'_>) -> Option<Span> {
    find_part(msg, &mut |kind, _| kind == Kind::Description)
}

/// The first part of a body that `wanted` picks; a body that is not multipart is its own only part.
pub(super) fn find_part(msg: &Message<'_>, wanted: &mut dyn FnMut(Kind, Span) -> bool) -> Option<Span> {
    let header = msg.header(HeaderId::ContentType)?;
    let (value, body) = (msg.get(header.value), msg.body());
    if body.is_empty() {
        return None;
    }
    if !is_type(value, b"multipart/") {
        return wanted(Kind::of(value), body).then_some(body);
    }
    let boundary = params::find(msg.bytes(), header.value, b"boundary")?.value?;
    find_part_within(msg.bytes(), body, params::unquoted(msg.bytes(), boundary).of(msg.bytes()), wanted)
}

/// Whether `value` of a Content-Type begins with `name`, in any case.
fn is_type(value: &[u8], name: &[u8]) -> bool {
    value.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

/// The content of the first part that `wanted` picks (RFC 2046 §5.1.1).
fn find_part_within(
    bytes: &[u8],
    body: Span,
    boundary: &[u8],
    wanted: &mut dyn FnMut(Kind, Span) -> bool,
) -> Option<Span> {
    let text = body.of(bytes);
    let (mut kind, mut in_headers, mut content, mut at) = (Kind::Other, false, None, 0);
    for line in text.split_inclusive(|b| *b == b'\n') {
        let (start, end) = (at, at + line.len());
        at = end;
        let line = line.trim_ascii_end();
        let rest = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary));
        if rest.is_some_and(|rest| matches!(rest.trim_ascii(), b"" | b"--")) {
            if let Some(part) = content.map(|from| place(body, from, start)).filter(|part| wanted(kind, *part)) {
                return Some(part);
            }
            (kind, in_headers, content) = (Kind::Other, true, None);
        } else if in_headers && line.is_empty() {
            in_headers = false;
            content = Some(end);
        } else if in_headers {
            let mut halves = line.splitn(2, |b| *b == b':');
            let name = halves.next().unwrap_or_default().trim_ascii();
            if HeaderId::from_name(name) == HeaderId::ContentType
                && let Some(value) = halves.next()
            {
                kind = Kind::of(value);
            }
        }
    }
    // The last boundary is missing: the part goes on to the end.
    content.map(|from| place(body, from, text.len())).filter(|part| wanted(kind, *part))
}

fn place(body: Span, from: usize, to: usize) -> Span {
    let base = usize::from(body.start);
    Span::from_usize(base + from, base + to)
}

impl Engine {
    /// Takes private addresses out of a body on its way to the WAN. A description that no call has rewritten gets our address,
    /// and none that is relayed; one that cannot be read is cut out. Text that people read passes as it is.
    pub(super) fn hide_body(&self, msg: &Message<'_>, secrets: &Secrets, edits: &mut Edits) -> Result<(), EditError> {
        let Some(own) = self.own(Side::Wan) else { return Ok(()) };
        if let Some(place) = description(msg) {
            if !self.settings().rtp_proxy_enable {
                return Ok(());
            }
            if !edits.touches(place) {
                match Description::parse(msg.bytes(), place) {
                    Ok(sdp) => rewrite(msg.bytes(), &sdp, own, &[Decision::Keep; MAX_SECTIONS], edits)?,
                    Err(_) => cut_out(msg, edits)?,
                }
            }
        }
        // All between the texts: the other parts, their headers, and what is in no part.
        let mut start = msg.body().start;
        let mut result = Ok(());
        find_part(msg, &mut |kind, part| {
            if kind == Kind::Text {
                result = self.scrub_span(msg.bytes(), Span::new(start, part.start), secrets, own, edits);
                start = part.end;
            }
            result.is_err()
        });
        result?;
        self.scrub_span(msg.bytes(), Span::new(start, msg.body().end), secrets, own, edits)
    }
}

/// Takes the body out of a message that must arrive all the same, with the edits that are in it.
pub(super) fn cut_out(msg: &Message<'_>, edits: &mut Edits) -> Result<(), EditError> {
    edits.cut(msg.body())?;
    msg.header(HeaderId::ContentType).map_or(Ok(()), |header| edits.delete(header.line))
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
