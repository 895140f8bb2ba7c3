//! Contact URIs: what the WAN sees in place of a phone's own, and the way back.
//!
//! `sip:alice@10.0.0.2:5060;line=7` becomes `sip:alice@WAN:5060;line=7;sx=TOKEN`. The token seals the phone's address and port
//! (see [`crate::sip::token`]), so that user and parameters come back as the phone wrote them, several phones on one
//! account are told apart, a restart loses nothing, and a stranger can neither read nor invent it.

use super::Engine;
use super::io::Side;
use super::own::HostAndPort;
use crate::host::Host;
use crate::sip::addr::NameAddr;
use crate::sip::edit::{EditError, Edits};
use crate::sip::token;
use crate::sip::uri::{DEFAULT_PORT, Scheme, Uri};
use crate::sip::via::Transport;
use crate::span::Span;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The URI parameter that holds a token, with what stands before its value.
pub(super) const TOKEN_MARK: &[u8] = b";sx=";
const TOKEN_NAME: &[u8] = b"sx";
const TOKEN_LABEL: &str = "contact";

/// Where a phone takes requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) address: SocketAddr,
    /// How it takes them: as its Contact says, else as that came.
    pub(super) transport: Transport,
    /// What its Contact says.
    pub(super) named: Option<Transport>,
    /// Its Contact named another host than the packet's source, a domain name for example: then only the binding
    /// knows what stood there.
    pub(super) renamed: bool,
}

impl Place {
    /// Where a phone that sent `uri` as its Contact, from the address `from` by the transport `by`, takes requests.
    pub(super) fn of(bytes: &[u8], uri: &Uri, from: SocketAddr, by: Transport) -> Self {
        let named = named_transport(bytes, uri);
        let transport = named.filter(|t| matches!(t, Transport::Udp | Transport::Tcp)).unwrap_or(by);
        match uri.ip(bytes) {
            Some(ip) if ip == from.host() => {
                let address = SocketAddr::new(ip, uri.port.unwrap_or(DEFAULT_PORT));
                Self { address, transport, named, renamed: false }
            }
            _ => Self { address: from, transport, named, renamed: true },
        }
    }

    /// The flags of a token, from the lowest bit: renamed, TCP, and in two bits what the Contact names.
    fn flags(self) -> u8 {
        let named = match self.named {
            None => 0,
            Some(Transport::Udp) => 1,
            Some(Transport::Tcp) => 2,
            Some(Transport::Tls | Transport::Other) => 3,
        };
        u8::from(self.renamed) | u8::from(self.transport == Transport::Tcp) << 1 | named << 2
    }

    const fn from_flags(flags: u8, address: SocketAddr) -> Self {
        let named = match (flags >> 2) & 3 {
            0 => None,
            1 => Some(Transport::Udp),
            2 => Some(Transport::Tcp),
            _ => Some(Transport::Other),
        };
        let transport = if flags & 2 == 0 { Transport::Udp } else { Transport::Tcp };
        Self { address, transport, named, renamed: flags & 1 != 0 }
    }
}

impl Engine {
    /// The token of a place.
    pub(super) fn seal(&self, place: Place) -> token::Text {
        let mut content = heapless::Vec::<u8, { token::MAX_CONTENT }>::new();
        // A flag, a port and the longest address are 19 bytes.
        let _ = content.push(place.flags());
        let _ = content.extend_from_slice(&place.address.port().to_be_bytes());
        let _ = match place.address.host() {
            IpAddr::V4(ip) => content.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => content.extend_from_slice(&ip.octets()),
        };
        self.key.seal(TOKEN_LABEL, &content)
    }

    /// The place in a token; `None` for what is no token of ours.
    pub(super) fn open(&self, text: &[u8]) -> Option<Place> {
        let content = self.key.open(TOKEN_LABEL, text)?;
        let (flags, rest) = content.split_first()?;
        let (port, ip) = rest.split_first_chunk::<2>()?;
        let ip = if let Ok(v4) = <[u8; 4]>::try_from(ip) {
            IpAddr::V4(Ipv4Addr::from(v4))
        } else {
            IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(ip).ok()?))
        };
        Some(Place::from_flags(*flags, SocketAddr::new(ip, u16::from_be_bytes(*port))))
    }

    /// The place that a URI's token seals.
    pub(super) fn place_in(&self, bytes: &[u8], uri: &Uri) -> Option<Place> {
        self.open(uri.param(bytes, TOKEN_NAME)?.value?.of(bytes))
    }

    /// Edits a phone's Contact into what the WAN may see. Without a WAN address nothing is changed; nothing is sent then.
    /// `from` is the phone; `by` is how it sent the Contact, and `leg` the transport on the WAN, which the Contact has to name.
    pub(super) fn masquerade(
        &self,
        bytes: &[u8],
        contact: &NameAddr,
        (from, by): (SocketAddr, Transport),
        leg: Transport,
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let Ok(uri) = Uri::parse(bytes, contact.uri) else { return Ok(()) };
        if !matches!(uri.scheme, Scheme::Sip | Scheme::Sips) || self.is_gruu(bytes, &uri, from.host()) {
            return Ok(());
        }
        self.write_token(bytes, &uri, contact.bracketed, (Place::of(bytes, &uri, from, by), leg), edits)
    }

    /// Edits a URI into the one by which the WAN reaches `place`; `enclosed` is whether its parameters are its own where it stands, so
    /// that it needs no angle brackets.
    pub(super) fn write_token(
        &self,
        bytes: &[u8],
        uri: &Uri,
        enclosed: bool,
        (place, leg): (Place, Transport),
        edits: &mut Edits,
    ) -> Result<(), EditError> {
        let Some(own) = self.sent_by(Side::Wan) else { return Ok(()) };
        let token = self.seal(place);
        if !enclosed {
            edits.replace(Span::at(uri.whole.start), b"<")?;
        }
        match self.masked_contact(bytes, uri, place.address) {
            Some(host) => edits.replace_fmt(uri.hostport, format_args!("{host}:{}", own.port()))?,
            None => edits.replace_fmt(uri.hostport, format_args!("{}", HostAndPort(own)))?,
        }
        let end = if uri.params.is_empty() { uri.hostport.end } else { uri.params.end };
        match (place.named, leg) {
            (None, Transport::Tcp) => edits.replace(Span::at(end), b";transport=tcp")?,
            (Some(Transport::Udp), Transport::Tcp) => name_transport(bytes, uri, "tcp", edits)?,
            (Some(Transport::Tcp), Transport::Udp) => name_transport(bytes, uri, "udp", edits)?,
            _ => {}
        }
        edits.replace_fmt(Span::at(end), format_args!(";sx={token}"))?;
        if !enclosed {
            edits.replace(Span::at(uri.whole.end), b">")?;
        }
        Ok(())
    }

    /// Whether a Contact names the phone itself, or another place on the LAN.
    pub(super) fn is_on_lan(&self, bytes: &[u8], contact: &NameAddr, phone: SocketAddr) -> bool {
        let ip = Uri::parse(bytes, contact.uri).ok().and_then(|uri| uri.ip(bytes));
        ip.is_some_and(|ip| ip == phone.host() || self.is_lan(ip))
    }

    /// Edits a URI of ours back into the phone's: the address from the token, and the token away.
    pub(super) fn unmasquerade(bytes: &[u8], uri: &Uri, place: Place, edits: &mut Edits) -> Result<(), EditError> {
        edits.replace_fmt(uri.hostport, format_args!("{}", HostAndPort(place.address)))?;
        match (place.named, uri.param(bytes, b"transport")) {
            (None, Some(ours)) => edits.delete(ours.whole)?,
            (Some(Transport::Udp), _) => name_transport(bytes, uri, "udp", edits)?,
            (Some(Transport::Tcp), _) => name_transport(bytes, uri, "tcp", edits)?,
            _ => {}
        }
        match uri.param(bytes, TOKEN_NAME) {
            Some(param) => edits.delete(param.whole),
            None => Ok(()),
        }
    }
}

/// The transport that a URI names.
pub(super) fn named_transport(bytes: &[u8], uri: &Uri) -> Option<Transport> {
    let value = uri.param(bytes, b"transport")?.value?.of(bytes);
    Some(match value {
        name if name.eq_ignore_ascii_case(b"udp") => Transport::Udp,
        name if name.eq_ignore_ascii_case(b"tcp") => Transport::Tcp,
        name if name.eq_ignore_ascii_case(b"tls") => Transport::Tls,
        _ => Transport::Other,
    })
}

/// Edits the transport that a URI names; where it names that one already, it stays as written.
fn name_transport(bytes: &[u8], uri: &Uri, name: &str, edits: &mut Edits) -> Result<(), EditError> {
    match uri.param(bytes, b"transport") {
        Some(param) if param.value.is_some_and(|v| v.of(bytes).eq_ignore_ascii_case(name.as_bytes())) => Ok(()),
        Some(param) => edits.replace_fmt(param.whole, format_args!(";transport={name}")),
        None => edits.replace_fmt(Span::at(uri.hostport.end), format_args!(";transport={name}")),
    }
}
