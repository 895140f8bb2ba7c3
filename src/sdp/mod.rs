//! Session descriptions (RFC 8866): lines and media sections as spans into the message.
//!
//! A middlebox passes on what it does not understand; this reader therefore only looks at what has to be rewritten and
//! accepts any order of lines. Offsets count from the first byte of the *message*, not of the body.

pub mod codecs;
pub mod rewrite;
pub mod terms;

use crate::limits::MAX_SECTIONS;
use crate::span::Span;
use core::net::{IpAddr, Ipv4Addr};

/// Why a body is not a session description that can be rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SdpError {
    /// Not `v=0`, or a line that is not `x=…`.
    Syntax,
    /// A section with a port and no address: no `c=` of its own nor of the session, or one of another network.
    NoAddress,
}

/// A `c=` line, or the address part of `o=`.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// Address type and address, `IP4 192.0.2.1`.
    pub place: Span,
    /// The address.
    pub address: IpAddr,
}

/// The direction attribute of a section (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum Direction {
    #[default]
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

/// One media section.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// The whole section, from `m=` to the last byte before the next section.
    pub whole: Span,
    /// The port number of `m=`, without `/count`.
    pub port_place: Span,
    /// The port; 0 is a declined section.
    pub port: u16,
    /// The transport protocol as written (`RTP/AVP`, `udptl`, `TCP/MSRP`).
    pub protocol: Span,
    /// The section's own `c=`, if it has one.
    pub connection: Option<Connection>,
    /// The address that holds for this section, its own or the session's; `None` where that is a host name.
    pub address: Option<IpAddr>,
    /// `a=rtcp:` value: the place of the whole value, port and address (RFC 3605).
    pub rtcp: Option<Rtcp>,
    /// Whether `a=rtcp-mux` is there (RFC 5761).
    pub rtcp_mux: bool,
    /// The direction, its own or the session's.
    pub direction: Direction,
}

/// An `a=rtcp:` attribute.
#[derive(Clone, Copy, Debug)]
pub struct Rtcp {
    /// The value: `port [IN IP4 address]`.
    pub place: Span,
    /// The port.
    pub port: u16,
    /// The address, if written.
    pub address: Option<IpAddr>,
}

/// One session description.
#[derive(Debug)]
pub struct Description {
    /// Address type and address of `o=`.
    pub origin: Option<Connection>,
    /// The session's `c=`.
    pub connection: Option<Connection>,
    /// The media sections in order; of more than [`MAX_SECTIONS`] the first ones.
    pub sections: heapless::Vec<Section, MAX_SECTIONS>,
    /// All of it.
    pub whole: Span,
}

impl Description {
    /// Reads the description that fills `body` of the message `bytes`.
    ///
    /// # Errors
    /// See [`SdpError`].
    pub fn parse(bytes: &[u8], body: Span) -> Result<Self, SdpError> {
        let mut sdp = Self { origin: None, connection: None, sections: heapless::Vec::new(), whole: body };
        let mut versioned = false;
        let mut session = Level::default();
        let mut media = Level::default();
        let mut stranded = false;
        let mut is_full = false;
        for line in Lines::new(bytes, body) {
            let line = line?;
            let value = line.value.of(bytes);
            if line.kind == b'm' {
                let section = media_line(bytes, &line)?;
                if !is_full {
                    stranded |= close(&mut sdp.sections, media, session, line.whole.start);
                }
                media = Level::default();
                is_full |= sdp.sections.push(section).is_err();
                continue;
            }
            if is_full && !matches!(line.kind, b'v' | b'o') {
                continue;
            }
            let level = if sdp.sections.is_empty() { &mut session } else { &mut media };
            match line.kind {
                b'v' if value.trim_ascii() == b"0" => versioned = true,
                b'v' => return Err(SdpError::Syntax),
                b'o' => {
                    let place = address_place(bytes, line.value).ok_or(SdpError::Syntax)?;
                    // A host name is allowed here; only the place matters, for the address is replaced unread.
                    let address = address_in(place.of(bytes)).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
                    sdp.origin.get_or_insert(Connection { place, address });
                }
                b'c' if !level.connected => {
                    level.connected = true;
                    let place = address_place(bytes, line.value);
                    level.is_named = place.is_some_and(|place| words(bytes, place).nth(1).is_some());
                    level.connection =
                        place.and_then(|place| Some(Connection { place, address: address_in(place.of(bytes))? }));
                }
                b'a' => {
                    let (name, place) = attribute(bytes, line.value);
                    if let Some(direction) = direction(name) {
                        level.direction = Some(direction);
                    } else if let Some(section) = sdp.sections.last_mut() {
                        if name.eq_ignore_ascii_case(b"rtcp") {
                            section.rtcp = rtcp(bytes, place);
                        } else if name.eq_ignore_ascii_case(b"rtcp-mux") {
                            section.rtcp_mux = true;
                        }
                    }
                }
                _ => {}
            }
        }
        if !is_full {
            stranded |= close(&mut sdp.sections, media, session, body.end);
        }
        sdp.connection = session.connection;
        match versioned {
            false => Err(SdpError::Syntax),
            true if stranded => Err(SdpError::NoAddress),
            true => Ok(sdp),
        }
    }
}

/// Whether the attribute `name` belongs to ICE (RFC 8839 §5).
#[must_use]
pub fn is_ice_attribute(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 3] = [b"candidate", b"remote-candidates", b"end-of-candidates"];
    const PREFIX: &[u8] = b"ice-";
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
        || name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// What lines before the first section, or of one section, say.
#[derive(Clone, Copy, Default)]
struct Level {
    /// Whether there was a `c=`, readable or not: an unreadable one must not let the session's hold.
    connected: bool,
    connection: Option<Connection>,
    /// Whether it is on the Internet: an address, or the name of a host (RFC 8866 §5.7).
    is_named: bool,
    direction: Option<Direction>,
}

/// Ends the last section before `end` and settles what it takes from the session; `true` where it has a port and no address.
fn close(sections: &mut [Section], media: Level, session: Level, end: u16) -> bool {
    let Some(section) = sections.last_mut() else { return false };
    section.whole = Span::new(section.whole.start, end);
    section.connection = media.connection;
    let holds = if media.connected { media } else { session };
    section.address = holds.connection.map(|connection| connection.address);
    section.direction = media.direction.or(session.direction).unwrap_or_default();
    section.port != 0 && !holds.is_named
}

/// One `x=…` line.
#[derive(Clone, Copy)]
struct Line {
    /// The letter.
    kind: u8,
    /// What follows the `=`, without the line end.
    value: Span,
    /// The line with its line end.
    whole: Span,
}

/// The lines of a description, ended by CRLF, LF or the end of the body; blank lines are passed over.
struct Lines<'a> {
    bytes: &'a [u8],
    rest: Span,
}

impl<'a> Lines<'a> {
    const fn new(bytes: &'a [u8], body: Span) -> Self {
        Self { bytes, rest: body }
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Line, SdpError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.rest.of(self.bytes);
            if rest.is_empty() {
                return None;
            }
            // A lone CR ends a line too: some endpoints read it so, and an address behind it must not slip through.
            let text = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
            let end = match (rest.get(text), rest.get(text.saturating_add(1))) {
                (None, _) => text,
                (Some(b'\r'), Some(b'\n')) => text.saturating_add(2),
                _ => text.saturating_add(1),
            };
            let start = usize::from(self.rest.start);
            let line = rest.get(..text).unwrap_or_default();
            let value = Span::from_usize(start.saturating_add(2), start.saturating_add(text));
            let whole = Span::from_usize(start, start.saturating_add(end));
            self.rest = Span::new(whole.end, self.rest.end);
            match line {
                [kind, b'=', ..] => return Some(Ok(Line { kind: *kind, value, whole })),
                line if line.trim_ascii().is_empty() => {}
                _ => return Some(Err(SdpError::Syntax)),
            }
        }
    }
}

/// The words of `within`: runs of bytes other than blank and tab.
fn words(bytes: &[u8], within: Span) -> impl Iterator<Item = Span> + '_ {
    let mut at = usize::from(within.start);
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    core::iter::from_fn(move || {
        let rest = bytes.get(at..usize::from(within.end))?;
        let start = at.saturating_add(rest.iter().position(|byte| !blank(byte))?);
        let word = bytes.get(start..usize::from(within.end))?;
        at = start.saturating_add(word.iter().position(blank).unwrap_or(word.len()));
        Some(Span::from_usize(start, at))
    })
}

/// From the address type (`IP4`, `IP6`) behind the first `IN` in `value` to its end.
fn address_place(bytes: &[u8], value: Span) -> Option<Span> {
    let is = |word: Span, text: &[u8]| word.of(bytes).eq_ignore_ascii_case(text);
    let pairs = words(bytes, value).zip(words(bytes, value).skip(1));
    let (_, start) =
        pairs.into_iter().find(|(net, kind)| is(*net, b"IN") && (is(*kind, b"IP4") || is(*kind, b"IP6")))?;
    let end = words(bytes, value).last()?;
    Some(Span::new(start.start, end.end))
}

/// The address in `IP4 address[/ttl]`. One of IPv4 that is mapped into IPv6 is that of IPv4: on the wire it is nothing else
/// (RFC 4291 §2.5.5.2).
fn address_in(place: &[u8]) -> Option<IpAddr> {
    let mut words = place.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    let address = words.nth(1)?.split(|byte| *byte == b'/').next()?;
    core::str::from_utf8(address).ok()?.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// Splits the value of `a=` into name and the place of its value, which is empty where there is no colon.
fn attribute(bytes: &[u8], value: Span) -> (&[u8], Span) {
    let text = value.of(bytes);
    let colon = text.iter().position(|byte| *byte == b':');
    let name = text.get(..colon.unwrap_or(text.len())).unwrap_or_default().trim_ascii();
    let after = colon.map_or(text.len(), |colon| colon.saturating_add(1));
    let place = Span::from_usize(usize::from(value.start).saturating_add(after), usize::from(value.end));
    let end = words(bytes, place).last().map_or(place.start, |word| word.end);
    let start = words(bytes, place).next().map_or(place.start, |word| word.start);
    (name, Span::new(start, end))
}

fn direction(name: &[u8]) -> Option<Direction> {
    const NAMES: [(&[u8], Direction); 4] = [
        (b"sendrecv", Direction::SendRecv),
        (b"sendonly", Direction::SendOnly),
        (b"recvonly", Direction::RecvOnly),
        (b"inactive", Direction::Inactive),
    ];
    NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, direction)| *direction)
}

/// Reads `audio 5004[/count] RTP/AVP 0 …`.
fn media_line(bytes: &[u8], line: &Line) -> Result<Section, SdpError> {
    let mut words = words(bytes, line.value).skip(1);
    let (Some(port_and_count), Some(protocol)) = (words.next(), words.next()) else { return Err(SdpError::Syntax) };
    let digits = port_and_count.of(bytes).iter().take_while(|byte| byte.is_ascii_digit()).count();
    let start = usize::from(port_and_count.start);
    let port_place = Span::from_usize(start, start.saturating_add(digits));
    if !matches!(port_and_count.of(bytes).get(digits), None | Some(b'/')) {
        return Err(SdpError::Syntax);
    }
    Ok(Section {
        whole: line.whole,
        port_place,
        port: number(port_place.of(bytes)).ok_or(SdpError::Syntax)?,
        protocol,
        connection: None,
        address: None,
        rtcp: None,
        rtcp_mux: false,
        direction: Direction::default(),
    })
}

/// Reads `port [IN IP4 address]`.
fn rtcp(bytes: &[u8], place: Span) -> Option<Rtcp> {
    let port = number(words(bytes, place).next()?.of(bytes))?;
    let address = address_place(bytes, place).and_then(|place| address_in(place.of(bytes)));
    Some(Rtcp { place, port, address })
}

/// A decimal number of at most 65,535.
fn number(digits: &[u8]) -> Option<u16> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u16::from(byte.wrapping_sub(b'0')));
    let add = |sum: u16, byte: &u8| sum.checked_mul(10)?.checked_add(digit(byte)?);
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}

#[cfg(test)]
mod tests;
