//! SIP URIs (RFC 3261 §19.1).

use super::lex::{Cursor, number};
use super::params::{self, Param};
use crate::span::Span;
use core::net::{IpAddr, Ipv6Addr};

/// The port of SIP over UDP and TCP where none is written (RFC 3261 §19.1.2).
pub const DEFAULT_PORT: u16 = 5060;

/// A URI's scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum Scheme {
    Sip,
    Sips,
    Tel,
    Other,
}

/// The parts of a `sip:` or `sips:` URI.
///
/// Of a `tel:` URI only `scheme`, `whole`, `user` (the number) and `params` mean something, of any other scheme only
/// `scheme` and `whole`.
#[derive(Clone, Copy, Debug)]
pub struct Uri {
    /// The scheme.
    pub scheme: Scheme,
    /// All of it.
    pub whole: Span,
    /// The user without password and `@`.
    pub user: Option<Span>,
    /// The host; an IPv6 reference with its brackets.
    pub host: Span,
    /// The port, if written.
    pub port: Option<u16>,
    /// Host and port, `host[:port]`.
    pub hostport: Span,
    /// The parameters, from the first semicolon on; empty where there are none, and then where they would begin.
    pub params: Span,
    /// The headers, from the question mark on; empty where there are none.
    pub headers: Span,
}

/// Why a URI cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UriError;

impl Uri {
    /// Parses the URI that fills `span`.
    ///
    /// # Errors
    /// [`UriError`] where there is no scheme, or a SIP URI has no host or a bad port, or a byte stands in it that no
    /// URI has: a blank, a control octet, a quote, an angle bracket.
    pub fn parse(bytes: &[u8], span: Span) -> Result<Self, UriError> {
        let text = span.of(bytes);
        if text.iter().any(|b| *b <= b' ' || matches!(b, b'<' | b'>' | b'"' | 0x7F)) {
            return Err(UriError);
        }
        let mut cursor = Cursor::new(bytes, span);
        let name = cursor.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')).of(bytes);
        if !name.first().is_some_and(u8::is_ascii_alphabetic) || !cursor.eat(b':') || cursor.is_at_end() {
            return Err(UriError);
        }
        let scheme = match name {
            n if n.eq_ignore_ascii_case(b"sip") => Scheme::Sip,
            n if n.eq_ignore_ascii_case(b"sips") => Scheme::Sips,
            n if n.eq_ignore_ascii_case(b"tel") => Scheme::Tel,
            _ => Scheme::Other,
        };
        let end = Span::at(span.end);
        let mut uri =
            Self { scheme, whole: span, user: None, host: end, port: None, hostport: end, params: end, headers: end };
        match scheme {
            Scheme::Sip | Scheme::Sips => uri.parse_sip(bytes, cursor)?,
            Scheme::Tel => {
                uri.user = Some(cursor.take_while(|b| b != b';'));
                uri.params = cursor.rest();
            }
            Scheme::Other => {}
        }
        Ok(uri)
    }

    fn parse_sip(&mut self, bytes: &[u8], mut cursor: Cursor<'_>) -> Result<(), UriError> {
        // The user may contain `;` and `?`, so that only the `@` tells it from the host (RFC 3261 §25.1, user-unreserved).
        let mut ahead = cursor;
        let userinfo = ahead.take_while(|b| b != b'@');
        if ahead.eat(b'@') {
            let user = Cursor::new(bytes, userinfo).take_while(|b| b != b':');
            self.user = (!user.is_empty()).then_some(user);
            cursor = ahead;
        }
        let start = cursor.at();
        self.host = take_host(bytes, &mut cursor)?;
        if cursor.eat(b':') {
            self.port = Some(take_port(bytes, &mut cursor)?);
        }
        self.hostport = Span::new(start, cursor.at());
        if !matches!(cursor.peek(), None | Some(b';' | b'?')) {
            return Err(UriError);
        }
        self.params = cursor.take_while(|b| b != b'?');
        self.headers = cursor.rest();
        Ok(())
    }

    /// The parameter called `name`.
    #[must_use]
    pub fn param(&self, bytes: &[u8], name: &[u8]) -> Option<Param> {
        params::find(bytes, self.params, name)
    }

    /// The host as an address, where it is one.
    #[must_use]
    pub fn ip(&self, bytes: &[u8]) -> Option<IpAddr> {
        parse_ip(self.host.of(bytes))
    }
}

/// Reads an IPv4 address, or an IPv6 address with or without brackets.
#[must_use]
pub fn parse_ip(host: &[u8]) -> Option<IpAddr> {
    match host {
        [b'[', inner @ .., b']'] => parse_ip6(inner).map(IpAddr::V6),
        _ => text(host)?.parse().ok(),
    }
}

fn parse_ip6(host: &[u8]) -> Option<Ipv6Addr> {
    text(host)?.parse().ok()
}

/// Addresses are ASCII and short, all else is none.
fn text(host: &[u8]) -> Option<&str> {
    /// `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`
    const LONGEST: usize = 45;
    if host.len() > LONGEST { None } else { core::str::from_utf8(host).ok() }
}

/// Steps over a host name, an IPv4 address or an IPv6 reference. The underscore, though no host name may have it, is
/// found in the wild.
pub(super) fn take_host(bytes: &[u8], cursor: &mut Cursor<'_>) -> Result<Span, UriError> {
    if cursor.peek() == Some(b'[') {
        let start = cursor.at();
        cursor.take_while(|b| b != b']');
        if !cursor.eat(b']') {
            return Err(UriError);
        }
        let host = Span::new(start, cursor.at());
        return parse_ip(host.of(bytes)).map(|_| host).ok_or(UriError);
    }
    let host = cursor.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    if host.is_empty() { Err(UriError) } else { Ok(host) }
}

/// Steps over a port, 1 to 65,535.
pub(super) fn take_port(bytes: &[u8], cursor: &mut Cursor<'_>) -> Result<u16, UriError> {
    let digits = cursor.take_while(|b| b.is_ascii_digit()).of(bytes);
    let port = number(digits, u32::from(u16::MAX)).and_then(|port| u16::try_from(port).ok());
    port.filter(|&port| port != 0).ok_or(UriError)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Uri, UriError> {
        Uri::parse(text.as_bytes(), Span::from_usize(0, text.len()))
    }

    fn parts(text: &str) -> (Option<&str>, &str, Option<u16>, &str, &str) {
        let uri = parse(text).unwrap();
        let of = |span: Span| core::str::from_utf8(span.of(text.as_bytes())).unwrap();
        (uri.user.map(of), of(uri.host), uri.port, of(uri.params), of(uri.headers))
    }

    #[test]
    fn parts_of_sip_uris() {
        assert_eq!(parts("sip:example.com"), (None, "example.com", None, "", ""));
        assert_eq!(parts("SIP:a:pw@h_1:5061;lr?x=y"), (Some("a"), "h_1", Some(5061), ";lr", "?x=y"));
        assert_eq!(parts("sip:a@h?x=b@c;d"), (Some("a"), "h", None, "", "?x=b@c;d"));
        assert_eq!(parts("sips:%40@[2001:db8::1]:1;a=[::1]"), (Some("%40"), "[2001:db8::1]", Some(1), ";a=[::1]", ""));
        assert_eq!(parts("sip:user;par=u%40example.net@example.com").0, Some("user;par=u%40example.net"));
        assert_eq!(parts("sip:a?b&c=d@example.com"), (Some("a?b&c=d"), "example.com", None, "", ""));
        assert_eq!(parts("sip:@h"), (None, "h", None, "", ""));
    }

    #[test]
    fn hostport_and_params_say_where_to_edit() {
        let uri = parse("sip:a@1.2.3.4:5").unwrap();
        assert_eq!((uri.hostport, uri.params, uri.headers), (Span::new(6, 15), Span::at(15), Span::at(15)));
        assert_eq!(uri.ip(b"sip:a@1.2.3.4:5"), parse_ip(b"1.2.3.4"));
        let text = b"sip:a@h;maddr=1;lr?q";
        let uri = Uri::parse(text, Span::from_usize(0, text.len())).unwrap();
        assert_eq!(uri.hostport, Span::new(6, 7));
        assert_eq!(uri.param(text, b"LR").unwrap().whole, Span::new(15, 18));
        assert_eq!(uri.ip(text), None);
    }

    #[test]
    fn other_schemes_are_kept_whole() {
        assert_eq!(parse("tel:+1-201;ext=5").map(|u| (u.scheme, u.user, u.params)), {
            Ok((Scheme::Tel, Some(Span::new(4, 10)), Span::new(10, 16)))
        });
        assert_eq!(parse("nobodyKnowsThis:totally@opaque").map(|u| u.scheme), Ok(Scheme::Other));
    }

    #[test]
    fn refuses() {
        let bad = ["", "sip", "sip:", ":a", "1sip:a", "*", "sip:a@", "sip:a@b@c", "sip:h:", "sip:h:0", "sip:h:65536"];
        let more = ["sip:h:5x", "sip:a b@h", "sip:h ", "<sip:h>", "sip:h\r\n", "sip:[::1", "sip:[g]", "sip:[1.2.3.4]x"];
        for text in bad.into_iter().chain(more).chain(["sip:h,x", "sip:;lr", "sip:[::1]x", "sip:h/x", "sip:h\0"]) {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn reads_addresses() {
        assert_eq!(parse_ip(b"[::1]"), parse_ip(b"::1"));
        assert!(parse_ip(b"::ffff:1.2.3.4").is_some());
        for bad in [&b"1.2.3"[..], b"1.2.3.4.", b"[1.2.3.4]", b"1.2.3.4:5", b"[::1", b"", b"\xff", b"256.1.1.1"] {
            assert_eq!(parse_ip(bad), None);
        }
    }
}
