//! Via header elements (RFC 3261 §20.42, RFC 3581).

use super::edit::{EditError, Edits};
use super::lex::{Cursor, is_token, trim};
use super::params::{self, Param};
use super::uri::{UriError, parse_ip, take_host, take_port};
use crate::host::Host;
use crate::span::Span;
use core::fmt::{self, Write as _};
use core::net::SocketAddr;

/// The transport named in a Via.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
    Other,
}

impl Transport {
    /// The parameter that a URI has for this transport, if it needs one (RFC 3261 §19.1.2).
    #[must_use]
    pub const fn param(self) -> &'static str {
        if matches!(self, Self::Tcp) { ";transport=tcp" } else { "" }
    }
}

/// One Via element.
#[derive(Clone, Copy, Debug)]
pub struct Via {
    /// All of it.
    pub whole: Span,
    /// The transport.
    pub transport: Transport,
    /// The host of sent-by; an IPv6 reference with its brackets.
    pub host: Span,
    /// The port of sent-by, if written.
    pub port: Option<u16>,
    /// Host and port.
    pub sent_by: Span,
    /// The parameters, from the first semicolon on (an empty span behind sent-by where there are none).
    pub params: Span,
}

impl Via {
    /// Parses one element.
    ///
    /// # Errors
    /// [`UriError`] where protocol, version, transport or sent-by cannot be read.
    pub fn parse(bytes: &[u8], span: Span) -> Result<Self, UriError> {
        let whole = trim(bytes, span);
        let mut cursor = Cursor::new(bytes, whole);
        let protocol = cursor.take_while(is_token);
        let slash = cursor.eat_spaced(b'/');
        let version = cursor.take_while(is_token);
        if !slash || !protocol.of(bytes).eq_ignore_ascii_case(b"SIP") || version.of(bytes) != b"2.0" {
            return Err(UriError);
        }
        if !cursor.eat_spaced(b'/') {
            return Err(UriError);
        }
        let transport = match cursor.take_while(is_token).of(bytes) {
            b"" => return Err(UriError),
            name if name.eq_ignore_ascii_case(b"UDP") => Transport::Udp,
            name if name.eq_ignore_ascii_case(b"TCP") => Transport::Tcp,
            name if name.eq_ignore_ascii_case(b"TLS") => Transport::Tls,
            _ => Transport::Other,
        };
        let transport_end = cursor.at();
        cursor.skip_blanks();
        let host = take_host(bytes, &mut cursor)?;
        if host.start == transport_end {
            return Err(UriError);
        }
        let port = if cursor.eat_spaced(b':') { Some(take_port(bytes, &mut cursor)?) } else { None };
        let sent_by = Span::new(host.start, cursor.at());
        cursor.skip_blanks();
        let params = match cursor.peek() {
            None => Span::at(sent_by.end),
            Some(b';') => cursor.rest(),
            Some(_) => return Err(UriError),
        };
        if !ends_where_it_ends(bytes, params) {
            return Err(UriError);
        }
        Ok(Self { whole, transport, host, port, sent_by, params })
    }

    /// The parameter called `name`.
    #[must_use]
    pub fn param(&self, bytes: &[u8], name: &[u8]) -> Option<Param> {
        params::find(bytes, self.params, name)
    }

    /// The branch.
    #[must_use]
    pub fn branch<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        Some(self.param(bytes, b"branch")?.value?.of(bytes))
    }

    /// Fills in where the message came from: `received=` where sent-by is not the literal address of `from` or `rport` is
    /// asked for, and `rport=` where that is (RFC 3261 §18.2.1, RFC 3581 §4).
    ///
    /// What the sender put there itself is overwritten, since only the receiver knows.
    ///
    /// # Errors
    /// See [`EditError`]; a part of the edits may have been entered by then.
    pub fn fill_received(&self, bytes: &[u8], from: SocketAddr, edits: &mut Edits) -> Result<(), EditError> {
        self.received(bytes, from, &mut |del, text| edits.replace_fmt(del, text))
    }

    /// Writes the element, filled in as by [`Self::fill_received`], behind what is in `out`.
    ///
    /// # Errors
    /// [`EditError::Full`] where `out` cannot hold it; a part may have been written by then.
    pub fn write_received<const N: usize>(
        &self,
        bytes: &[u8],
        from: SocketAddr,
        out: &mut heapless::Vec<u8, N>,
    ) -> Result<(), EditError> {
        let mut at = self.whole.start;
        self.received(bytes, from, &mut |del, text| {
            out.extend_from_slice(Span::new(at, del.start).of(bytes)).map_err(|_| EditError::Full)?;
            at = del.end;
            out.write_fmt(text).map_err(|_| EditError::Full)
        })?;
        out.extend_from_slice(Span::new(at, self.whole.end).of(bytes)).map_err(|_| EditError::Full)
    }

    /// Tells `edit`, from left to right, what to put where.
    fn received(
        &self,
        bytes: &[u8],
        from: SocketAddr,
        edit: &mut dyn FnMut(Span, fmt::Arguments<'_>) -> Result<(), EditError>,
    ) -> Result<(), EditError> {
        let ip = from.host().to_canonical();
        let is = |param: &Param, name: &[u8]| param.name.of(bytes).eq_ignore_ascii_case(name);
        let sent_from_there = parse_ip(self.host.of(bytes)).is_some_and(|host| host.to_canonical() == ip);
        let mut received_due = !sent_from_there || self.param(bytes, b"rport").is_some();
        let mut rport_due = true;
        for param in params::iter(bytes, self.params) {
            let received = is(&param, b"received");
            if received && received_due {
                edit(param.whole, format_args!(";received={ip}"))?;
                received_due = false;
            } else if is(&param, b"rport") && rport_due {
                edit(param.whole, format_args!(";rport={}", from.port()))?;
                rport_due = false;
            } else if received || is(&param, b"rport") {
                edit(param.whole, format_args!(""))?;
            }
        }
        if received_due {
            edit(Span::at(self.whole.end), format_args!(";received={ip}"))?;
        }
        Ok(())
    }
}

/// Whether the parameters hide no comma: behind a quote or a `<` that stays open, what we or others write after the element
/// would be a part of it.
fn ends_where_it_ends(bytes: &[u8], params: Span) -> bool {
    let mut cursor = Cursor::new(bytes, params);
    loop {
        match cursor.peek() {
            None => return true,
            Some(b'<' | b'>') => return false,
            Some(b'"') if !cursor.skip_quoted() => return false,
            Some(b'"') => {}
            Some(_) => cursor.bump(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: &str = "192.0.2.1:5062";

    fn parse(text: &str) -> Result<Via, UriError> {
        Via::parse(text.as_bytes(), Span::from_usize(0, text.len()))
    }

    fn filled(text: &str, from: &str) -> String {
        let from = from.parse().unwrap();
        let via = parse(text).unwrap();
        let mut out = heapless::Vec::<u8, 256>::new();
        via.write_received(text.as_bytes(), from, &mut out).unwrap();
        let mut edits = Edits::new();
        via.fill_received(text.as_bytes(), from, &mut edits).unwrap();
        assert_eq!(edits.parts(text.as_bytes()).concat(), out[..]);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn reads() {
        let text = "SIP / 2.0\r\n / uDp\t[2001:db8::1] : 5061 ; Branch = z9hG4bK1\r\n ;lr";
        let via = parse(text).unwrap();
        let of = |span: Span| core::str::from_utf8(span.of(text.as_bytes())).unwrap();
        assert_eq!((via.transport, of(via.host), via.port), (Transport::Udp, "[2001:db8::1]", Some(5061)));
        assert_eq!(of(via.sent_by), "[2001:db8::1] : 5061");
        assert_eq!(via.branch(text.as_bytes()), Some(&b"z9hG4bK1"[..]));
        let via = parse(" SIP/2.0/TLS-SCTP h ").unwrap();
        assert_eq!((via.transport, via.port, via.params), (Transport::Other, None, Span::at(19)));
    }

    #[test]
    fn refuses() {
        let bad = ["", "SIP/2.0/UDP", "SIP/2.0/UDP ", "SIP/7.0/UDP h", "HTTP/2.0/UDP h", "SIP/2.0 UDP h", "SIP/2.0/ h"];
        let more =
            ["SIP/2.0/UDP[::1]", "SIP/2.0/UDP h:", "SIP/2.0/UDP h:0", "SIP/2.0/UDP h x", "SIP/2.0/UDP ;branch=1"];
        let more = more.into_iter().chain(["SIP/2.0/UDP h;a=\"b", "SIP/2.0/UDP h;a=<b", "SIP/2.0/UDP h;a=b>;c"]);
        for text in bad.into_iter().chain(more) {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn received_where_sent_by_is_not_the_source() {
        assert_eq!(filled("SIP/2.0/UDP 192.0.2.1:5060;branch=1", FROM), "SIP/2.0/UDP 192.0.2.1:5060;branch=1");
        assert_eq!(filled("SIP/2.0/UDP h", FROM), "SIP/2.0/UDP h;received=192.0.2.1");
        assert_eq!(filled("SIP/2.0/UDP 192.0.2.9;a", FROM), "SIP/2.0/UDP 192.0.2.9;a;received=192.0.2.1");
        assert_eq!(filled("SIP/2.0/UDP [2001:DB8:0::1]", "[2001:db8::1]:5060"), "SIP/2.0/UDP [2001:DB8:0::1]");
        assert_eq!(filled("SIP/2.0/UDP 192.0.2.1", "[::ffff:192.0.2.1]:5060"), "SIP/2.0/UDP 192.0.2.1");
    }

    #[test]
    fn rport_asks_for_both() {
        let want = "SIP/2.0/UDP 192.0.2.1;rport=5062;branch=1;received=192.0.2.1";
        assert_eq!(filled("SIP/2.0/UDP 192.0.2.1;rport;branch=1", FROM), want);
        assert_eq!(filled("SIP/2.0/UDP h ; rport =", FROM), "SIP/2.0/UDP h ;rport=5062;received=192.0.2.1");
    }

    #[test]
    fn what_the_sender_filled_in_is_overwritten() {
        let lie = "SIP/2.0/UDP h;received=10.0.0.1;rport=1;received=10.0.0.2;RPORT;x";
        assert_eq!(filled(lie, FROM), "SIP/2.0/UDP h;received=192.0.2.1;rport=5062;x");
        assert_eq!(filled("SIP/2.0/UDP 192.0.2.1;received=10.0.0.1;x", FROM), "SIP/2.0/UDP 192.0.2.1;x");
    }
}
