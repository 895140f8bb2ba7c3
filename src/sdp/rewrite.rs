//! Putting our addresses and ports into a session description.

use super::{Description, Lines, Section, address_in, address_place, attribute, is_ice_attribute, media_line, words};
use crate::family::Family;
use crate::host::Host;
use crate::sip::edit::{EditError, Edits};
use crate::span::Span;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

/// What is to become of one media section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The port stays (it is 0, a declined section).
    Keep,
    /// Media comes to this address and even port of ours, RTCP to the port above.
    Relay(SocketAddr),
    /// The section is declined: port 0.
    Decline,
}

/// Writes our addresses and the ports of `decisions` into the description:
/// - `address`, by which signalling knows us, into `o=`, for which nothing but a change of it would be a new session;
/// - the address of its decision into the `c=` of each section; the session's has the one of the first relayed section, and
///   a section that took the session's and is relayed at another address, of the other family, gets its own. Who is told to send
///   nowhere (0.0.0.0, hold in RFC 2543 style, or `::`) is told so in the family it is spoken to. A second `c=` of the same
///   section is removed;
/// - the port of each `m=` by its decision (sections without a decision are declined); a port of 0 always stays, and a
///   count behind the port is removed, for one pair of ports is relayed;
/// - `a=rtcp:` by the port above, or by the same one where RTP and RTCP had one port (RFC 8035), and, where an address was
///   written, ours; removed where the section is not relayed;
/// - `a=group:BUNDLE` and `a=bundle-only` are removed: each section has its own ports here, and without them the parties use
///   one for each (RFC 9143 §7.4);
/// - ICE attributes (`candidate`, `remote-candidates`, `ice-*`, `end-of-candidates`) are removed: they name addresses that
///   are behind us, and without them the far end falls back to `c=` and `m=` (RFC 8839 §4.2.5);
/// - other attributes that carry addresses are removed: `altc` (RFC 6947), `alt`, `source-filter` (RFC 4570).
///
/// `sdp` was read from the same `bytes`.
///
/// # Errors
/// [`EditError`] where there is no room for the edits.
pub fn rewrite(
    bytes: &[u8],
    sdp: &Description,
    address: IpAddr,
    decisions: &[Decision],
    edits: &mut Edits,
) -> Result<(), EditError> {
    let decision_on = |index: usize| decisions.get(index).copied().unwrap_or(Decision::Decline);
    let relayed_at = |index: usize, section: &Section| match decision_on(index) {
        Decision::Relay(at) if section.port != 0 => Some(at),
        _ => None,
    };
    let mut sections = sdp.sections.iter().enumerate();
    let first = sdp.sections.iter().enumerate().find_map(|(index, section)| relayed_at(index, section));
    let of_session = first.map_or(address, |at| at.host());
    // The address of the section whose lines these are.
    let mut ours = of_session;
    // A `c=` that a section needs, and the place for it: behind `m=`, and `i=` if there is one (RFC 8866 §9).
    let mut owed: Option<(u16, IpAddr)> = None;
    let mut relayed = None;
    let mut is_muxed = false;
    let mut connected = false;
    // Lines to be removed that follow each other are one edit: a phone with many interfaces sends dozens of candidates.
    let mut doomed = Span::default();
    for line in Lines::new(bytes, sdp.whole).flatten() {
        match owed.take() {
            Some((_, address)) if line.kind == b'i' => owed = Some((line.value.end, address)),
            // It has one, by a name.
            Some(_) if line.kind == b'c' => {}
            Some(due) => {
                pay(Some(due), edits)?;
                connected = true;
            }
            None => {}
        }
        match line.kind {
            b'm' => {
                connected = false;
                ours = of_session;
                let Some((index, section)) = sections.next() else {
                    // One more than are relayed.
                    relayed = match media_line(bytes, &line) {
                        Ok(section) => port(bytes, &section, Decision::Decline, edits)?,
                        Err(_) => None,
                    };
                    continue;
                };
                relayed = port(bytes, section, decision_on(index), edits)?;
                if let Some(at) = relayed_at(index, section) {
                    ours = at.host();
                    let is_owed = section.connection.is_none() && ours != of_session;
                    let is_nowhere = section.address.is_some_and(|ip| ip.is_unspecified());
                    let told = if is_nowhere { Family::of(ours).unspecified() } else { ours };
                    owed = is_owed.then_some((line.value.end, told));
                }
                is_muxed = section.rtcp.is_some_and(|rtcp| rtcp.port == section.port);
            }
            b'o' => {
                if let Some(place) = address_place(bytes, line.value) {
                    edits.replace_fmt(place, format_args!("{}", Place(address)))?;
                }
            }
            b'c' if connected => doom(&mut doomed, line.whole, edits)?,
            b'c' => {
                connected = true;
                match address_place(bytes, line.value) {
                    Some(place) if address_in(place.of(bytes)).is_some_and(|address| address.is_unspecified()) => {
                        let nobody = Family::of(ours).unspecified();
                        edits.replace_fmt(place, format_args!("{}", Place(nobody)))?;
                    }
                    Some(place) => edits.replace_fmt(place, format_args!("{}", Place(ours)))?,
                    None => edits.replace_fmt(line.value, format_args!("IN {}", Place(ours)))?,
                }
            }
            b'a' => {
                let (name, place) = attribute(bytes, line.value);
                if name.eq_ignore_ascii_case(b"rtcp") {
                    match relayed.and_then(|port: u16| port.checked_add(u16::from(!is_muxed))) {
                        None => doom(&mut doomed, line.whole, edits)?,
                        Some(port) if words(bytes, place).nth(1).is_some() => {
                            edits.replace_fmt(place, format_args!("{port} IN {}", Place(ours)))?;
                        }
                        Some(port) => edits.replace_fmt(place, format_args!("{port}"))?,
                    }
                } else if is_ice_attribute(name) || is_address_attribute(name) || is_bundle(name, place.of(bytes)) {
                    doom(&mut doomed, line.whole, edits)?;
                }
            }
            _ => {}
        }
    }
    pay(owed, edits)?;
    doom(&mut doomed, Span::default(), edits)
}

/// Puts in the `c=` of a section that has none.
fn pay(owed: Option<(u16, IpAddr)>, edits: &mut Edits) -> Result<(), EditError> {
    let Some((at, address)) = owed else { return Ok(()) };
    edits.replace_fmt(Span::new(at, at), format_args!("\r\nc=IN {}", Place(address)))
}

/// An address as `IP4 192.0.2.1`.
struct Place(IpAddr);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "IP4 {address}"),
            IpAddr::V6(address) => write!(f, "IP6 {address}"),
        }
    }
}

/// Writes the port of one `m=`; returns it where the section is relayed.
fn port(bytes: &[u8], section: &Section, decision: Decision, edits: &mut Edits) -> Result<Option<u16>, EditError> {
    let port = match decision {
        _ if section.port == 0 => return Ok(None),
        Decision::Keep => return Ok(None),
        Decision::Relay(at) => at.port(),
        Decision::Decline => 0,
    };
    let line = Span::new(section.port_place.start, section.whole.end);
    let place = words(bytes, line).next().unwrap_or(section.port_place);
    edits.replace_fmt(place, format_args!("{port}"))?;
    Ok((port != 0).then_some(port))
}

/// Removes `line` together with the lines directly before it in `doomed`; an empty `line` only removes those.
fn doom(doomed: &mut Span, line: Span, edits: &mut Edits) -> Result<(), EditError> {
    if !line.is_empty() && doomed.end == line.start {
        doomed.end = line.end;
        return Ok(());
    }
    let done = core::mem::replace(doomed, line);
    if done.is_empty() { Ok(()) } else { edits.delete(done) }
}

/// Whether the value of the attribute `name` is an address that a relay makes meaningless.
fn is_address_attribute(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 3] = [b"alt", b"altc", b"source-filter"];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Whether the attribute `name` puts several sections on one port (RFC 9143).
fn is_bundle(name: &[u8], value: &[u8]) -> bool {
    let semantics = value.split(|byte| matches!(byte, b' ' | b'\t')).next().unwrap_or_default();
    name.eq_ignore_ascii_case(b"bundle-only")
        || (name.eq_ignore_ascii_case(b"group") && semantics.eq_ignore_ascii_case(b"BUNDLE"))
}

#[cfg(test)]
mod tests;
