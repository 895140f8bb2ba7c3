//! Via header elements (RFC 3261 §20.42, RFC 3581).

use super::params::{self, Param};
use super::uri::UriError;
use crate::span::Span;

/// The transport named in a Via.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the standard's")]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
    Other,
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
    pub fn parse(_bytes: &[u8], _span: Span) -> Result<Self, UriError> {
        todo!()
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
