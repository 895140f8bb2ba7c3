//! Session descriptions (RFC 8866): lines and media sections as spans into the message.
//!
//! A middlebox passes on what it does not understand; this reader therefore only looks at what has to be rewritten and
//! accepts any order of lines. Offsets count from the first byte of the *message*, not of the body.

pub mod rewrite;

use crate::limits::MAX_SECTIONS;
use crate::span::Span;
use core::net::IpAddr;

/// Why a body is not a session description that can be rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SdpError {
    /// Not `v=0`, or a line that is not `x=…`.
    Syntax,
    /// More media sections than [`MAX_SECTIONS`].
    TooManySections,
    /// A section with a port and no address (no `c=` of its own nor of the session), or an address that is no IP address.
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
    /// The address that holds for this section, its own or the session's.
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
    /// The media sections in order.
    pub sections: heapless::Vec<Section, MAX_SECTIONS>,
    /// All of it.
    pub whole: Span,
}

impl Description {
    /// Reads the description that fills `body` of the message `bytes`.
    ///
    /// # Errors
    /// See [`SdpError`].
    pub fn parse(_bytes: &[u8], _body: Span) -> Result<Self, SdpError> {
        todo!()
    }
}
