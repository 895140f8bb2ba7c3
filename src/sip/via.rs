//! Via header elements (RFC 3261 §20.42, RFC 3581).

use super::edit::{EditError, Edits};
use super::lex::{Cursor, is_blank, is_token, number, trim};
use super::params::{self, Param};
use super::uri::UriError;
use crate::span::Span;
use core::fmt::Write as _;
use core::net::{IpAddr, SocketAddr};

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
    fn from_name(name: &[u8]) -> Self {
        match name {
            n if n.eq_ignore_ascii_case(b"UDP") => Self::Udp,
            n if n.eq_ignore_ascii_case(b"TCP") => Self::Tcp,
            n if n.eq_ignore_ascii_case(b"TLS") => Self::Tls,
            _ => Self::Other,
        }
    }
}

/// One Via element.
#[derive(Clone, Copy, Debug)]
pub struct Via {
    /// The transport.
    pub transport: Transport,
    /// The host of sent-by; an IPv6 reference with its brackets.
    pub host: Span,
    /// The port of sent-by, if written.
    pub port: Option<u16>,
    /// The parameters, from the first semicolon on (an empty span behind sent-by where there are none).
    pub params: Span,
}

impl Via {
    /// Parses one element.
    ///
    /// # Errors
    /// [`UriError`] where protocol, version, transport or sent-by cannot be read.
    pub fn parse(bytes: &[u8], span: Span) -> Result<Self, UriError> {
        let mut cursor = Cursor::new(bytes, trim(bytes, span));
        let name = cursor.take_while(is_token);
        let slash = cursor.eat_spaced(b'/');
        let version = cursor.take_while(is_token);
        let slashes = slash && cursor.eat_spaced(b'/');
        let transport = cursor.take_while(is_token).of(bytes);
        let is_sip = name.of(bytes).eq_ignore_ascii_case(b"SIP") && version.of(bytes) == b"2.0";
        if !is_sip || !slashes || transport.is_empty() {
            return Err(UriError);
        }
        cursor.skip_blanks();
        let host = if cursor.peek() == Some(b'[') {
            let inner = cursor.take_while(|b| b != b']');
            if !cursor.eat(b']') {
                return Err(UriError);
            }
            Span::new(inner.start, cursor.at())
        } else {
            cursor.take_while(|b| !is_blank(b) && !matches!(b, b':' | b';' | b','))
        };
        if host.is_empty() {
            return Err(UriError);
        }
        cursor.skip_blanks();
        let port = if cursor.eat(b':') {
            cursor.skip_blanks();
            let digits = cursor.take_while(|b| b.is_ascii_digit());
            let port = number(digits.of(bytes), u32::from(u16::MAX)).filter(|n| *n > 0).ok_or(UriError)?;
            Some(u16::try_from(port).map_err(|_| UriError)?)
        } else {
            None
        };
        cursor.skip_blanks();
        if !cursor.is_at_end() && cursor.peek() != Some(b';') {
            return Err(UriError);
        }
        Ok(Self { transport: Transport::from_name(transport), host, port, params: cursor.rest() })
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
}

/// What of a Via element is replaced to say where its packet came from, in the order of place.
struct Filling {
    /// The old `received`, and the old `rport`: cut out.
    cuts: [Option<Span>; 2],
    /// What is added at the end.
    text: heapless::String<80>,
}

/// RFC 3261 §18.2.1 and RFC 3581 §4: `received` where sent-by is another address or `rport` is asked for; `rport` filled
/// where it is asked for.
fn filling(bytes: &[u8], element: Span, from: SocketAddr) -> Option<Filling> {
    let via = Via::parse(bytes, element).ok()?;
    let received = via.param(bytes, b"received");
    let rport = via.param(bytes, b"rport");
    let is_source = super::uri::parse_ip(via.host.of(bytes)) == Some(from.ip());
    let mut text = heapless::String::new();
    if !is_source || rport.is_some() {
        match from.ip() {
            IpAddr::V4(ip) => write!(text, ";received={ip}").ok()?,
            IpAddr::V6(ip) => write!(text, ";received={ip}").ok()?,
        }
    }
    if rport.is_some() {
        write!(text, ";rport={}", from.port()).ok()?;
    }
    let mut cuts = [received.map(|p| p.whole), rport.map(|p| p.whole)];
    cuts.sort_by_key(|cut| cut.map_or(u16::MAX, |span| span.start));
    Some(Filling { cuts, text })
}

/// Edits the Via `element` to say where its packet came from.
///
/// # Errors
/// [`EditError`] where there is no room.
pub fn fill_received(bytes: &[u8], element: Span, from: SocketAddr, edits: &mut Edits) -> Result<(), EditError> {
    let Some(filling) = filling(bytes, element, from) else { return Ok(()) };
    filling.cuts.into_iter().flatten().try_for_each(|cut| edits.delete(cut))?;
    edits.replace(Span::at(element.end), filling.text.as_bytes())
}

/// The text does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// Writes the Via `element` with where its packet came from.
///
/// # Errors
/// [`NoRoom`].
pub fn write_received<const N: usize>(
    out: &mut heapless::Vec<u8, N>,
    bytes: &[u8],
    element: Span,
    from: SocketAddr,
) -> Result<(), NoRoom> {
    let mut add = |text: &[u8]| out.extend_from_slice(text).map_err(|_| NoRoom);
    let Some(filling) = filling(bytes, element, from) else { return add(element.of(bytes)) };
    let mut at = element.start;
    for cut in filling.cuts.into_iter().flatten() {
        add(Span::new(at, cut.start).of(bytes))?;
        at = cut.end;
    }
    add(Span::new(at, element.end).of(bytes))?;
    add(filling.text.as_bytes())
}
