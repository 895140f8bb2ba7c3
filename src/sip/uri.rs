//! SIP URIs (RFC 3261 §19.1).

use super::params::{self, Param};
use crate::span::Span;
use core::net::IpAddr;

/// A URI's scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum Scheme {
    Sip,
    Sips,
    Tel,
    Other,
}

/// The parts of a `sip:` or `sips:` URI; of any other scheme only `scheme` and `whole` mean something.
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
    /// The parameters, from the first semicolon on; empty where there are none.
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
    /// [`UriError`] where there is no scheme, or a SIP URI has no host or a bad port.
    pub fn parse(_bytes: &[u8], _span: Span) -> Result<Self, UriError> {
        todo!()
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

/// The port of SIP over UDP and TCP where none is written (RFC 3261 §19.1.2).
pub const DEFAULT_PORT: u16 = 5060;

/// Reads an IPv4 address, or an IPv6 address with or without brackets.
#[must_use]
pub fn parse_ip(_host: &[u8]) -> Option<IpAddr> {
    todo!()
}
