//! `name-addr` and `addr-spec`: what From, To, Contact, Route … hold (RFC 3261 §20.10, §25.1).

use super::params::{self, Param};
use super::uri::UriError;
use crate::span::Span;

/// A URI with a display name before and header parameters behind it.
#[derive(Clone, Copy, Debug)]
pub struct NameAddr {
    /// The URI, without angle brackets. Without brackets it ends at the first semicolon, comma or question mark.
    pub uri: Span,
    /// Whether angle brackets enclose the URI.
    pub bracketed: bool,
    /// The header parameters, from the first semicolon on.
    pub params: Span,
}

impl NameAddr {
    /// Parses one element.
    ///
    /// # Errors
    /// [`UriError`] where a quote or bracket is not closed or there is no URI.
    pub fn parse(_bytes: &[u8], _span: Span) -> Result<Self, UriError> {
        todo!()
    }
    /// The header parameter called `name`.
    #[must_use]
    pub fn param(&self, bytes: &[u8], name: &[u8]) -> Option<Param> {
        params::find(bytes, self.params, name)
    }
}
