//! Start lines and methods (RFC 3261 §7.1, §7.2).

use super::lex::{Cursor, is_blank, is_control, is_token, number, trim};
use super::message::ParseError;
use crate::span::Span;

/// A request's method. An unknown one is a method all the same, and is proxied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum Method {
    Invite,
    Ack,
    Bye,
    Cancel,
    Register,
    Options,
    Prack,
    Update,
    Info,
    Subscribe,
    Notify,
    Refer,
    Message,
    Publish,
    Other,
}

impl Method {
    /// The method written `name`; methods are case-sensitive (RFC 3261 §7.1).
    #[must_use]
    pub fn from_name(name: &[u8]) -> Self {
        match name {
            b"INVITE" => Self::Invite,
            b"ACK" => Self::Ack,
            b"BYE" => Self::Bye,
            b"CANCEL" => Self::Cancel,
            b"REGISTER" => Self::Register,
            b"OPTIONS" => Self::Options,
            b"PRACK" => Self::Prack,
            b"UPDATE" => Self::Update,
            b"INFO" => Self::Info,
            b"SUBSCRIBE" => Self::Subscribe,
            b"NOTIFY" => Self::Notify,
            b"REFER" => Self::Refer,
            b"MESSAGE" => Self::Message,
            b"PUBLISH" => Self::Publish,
            _ => Self::Other,
        }
    }
}

/// The first line of a message.
#[derive(Clone, Copy, Debug)]
pub enum StartLine {
    /// `METHOD request-uri SIP/2.0`
    Request {
        /// What is asked for.
        method: Method,
        /// The method as written.
        name: Span,
        /// The request-URI. One blank stands on each side of it; any more belong to it, and make it unreadable for
        /// [`super::uri::Uri::parse`], so that such a request can still be refused with an answer.
        uri: Span,
    },
    /// `SIP/2.0 status reason`
    Response {
        /// The status code, 100 to 699.
        status: u16,
        /// The reason phrase.
        reason: Span,
    },
}

/// Reads the start line that fills `line`, and whether its version is 2.0.
pub(super) fn parse(bytes: &[u8], line: Span) -> Result<(StartLine, bool), ParseError> {
    if line.of(bytes).iter().copied().any(is_control) {
        return Err(ParseError::NotSip);
    }
    // Blanks behind the version are a common slip (RFC 4475 §3.1.2.11).
    let line = Span::new(line.start, trim(bytes, line).end);
    let parsed = match version(bytes, first_word(bytes, line)) {
        Some(is_2_0) => response(bytes, line).map(|start| (start, is_2_0)),
        None => request(bytes, line),
    };
    parsed.ok_or(ParseError::NotSip)
}

fn response(bytes: &[u8], line: Span) -> Option<StartLine> {
    /// A status is three digits, of the classes 1 to 6 (RFC 3261 §21).
    const STATUS: core::ops::RangeInclusive<u16> = 100..=699;
    let mut cursor = Cursor::new(bytes, line);
    cursor.take_while(|b| !is_blank(b));
    cursor.skip_blanks();
    let digits = cursor.take_while(|b| !is_blank(b));
    let status = u16::try_from(number(digits.of(bytes), u32::from(*STATUS.end()))?).ok()?;
    (digits.len() == 3 && STATUS.contains(&status))
        .then(|| StartLine::Response { status, reason: trim(bytes, cursor.rest()) })
}

fn request(bytes: &[u8], line: Span) -> Option<(StartLine, bool)> {
    let mut cursor = Cursor::new(bytes, line);
    let name = cursor.take_while(is_token);
    if name.is_empty() || !cursor.eat(b' ') {
        return None;
    }
    let rest = cursor.rest();
    let behind_uri = u16::try_from(rest.of(bytes).iter().rposition(|&b| b == b' ')?).ok()?;
    let uri = Span::new(rest.start, rest.start.saturating_add(behind_uri));
    let is_2_0 = version(bytes, Span::new(uri.end.saturating_add(1), rest.end))?;
    let method = Method::from_name(name.of(bytes));
    (!uri.is_empty()).then_some((StartLine::Request { method, name, uri }, is_2_0))
}

fn first_word(bytes: &[u8], line: Span) -> Span {
    Cursor::new(bytes, line).take_while(|b| !is_blank(b))
}

/// Whether `word` is a version of SIP, and if so whether it is 2.0.
fn version(bytes: &[u8], word: Span) -> Option<bool> {
    let (name, number) = word.of(bytes).split_at_checked(4)?;
    (name.eq_ignore_ascii_case(b"SIP/")).then_some(number == b"2.0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Option<(Method, &str, &str, bool)> {
        let bytes = text.as_bytes();
        let of = |span: Span| core::str::from_utf8(span.of(bytes)).unwrap();
        match parse(bytes, Span::from_usize(0, bytes.len())) {
            Ok((StartLine::Request { method, name, uri }, version)) => Some((method, of(name), of(uri), version)),
            _ => None,
        }
    }

    fn response(text: &str) -> Option<(u16, &str, bool)> {
        let bytes = text.as_bytes();
        match parse(bytes, Span::from_usize(0, bytes.len())) {
            Ok((StartLine::Response { status, reason }, version)) => {
                Some((status, core::str::from_utf8(reason.of(bytes)).unwrap(), version))
            }
            _ => None,
        }
    }

    #[test]
    fn requests() {
        assert_eq!(request("INVITE sip:a@h SIP/2.0"), Some((Method::Invite, "INVITE", "sip:a@h", true)));
        assert_eq!(request("!odd'~ x sip/2.0 \t"), Some((Method::Other, "!odd'~", "x", true)));
        assert_eq!(request("ACK sip:a@h SIP/7.0"), Some((Method::Ack, "ACK", "sip:a@h", false)));
        assert_eq!(request("BYE  sip:a; b SIP/2.0"), Some((Method::Bye, "BYE", " sip:a; b", true)));
        for bad in ["", "GET / HTTP/1.1", "INVITE SIP/2.0", "INVITE  SIP/2.0", " A b SIP/2.0", "A b", "A\0 b SIP/2.0"] {
            assert_eq!(request(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn responses() {
        assert_eq!(response("SIP/2.0 200 OK so far"), Some((200, "OK so far", true)));
        assert_eq!(response("sip/2.0 100 "), Some((100, "", true)));
        assert_eq!(response("SIP/2.0 699"), Some((699, "", true)));
        assert_eq!(response("SIP/3.0 200 OK"), Some((200, "OK", false)));
        for bad in ["SIP/2.0", "SIP/2.0 ", "SIP/2.0 099 x", "SIP/2.0 700 x", "SIP/2.0 4294967301 x", "SIP/2.0 0200 x"] {
            assert_eq!(response(bad), None, "{bad:?}");
        }
    }
}
