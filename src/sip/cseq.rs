//! CSeq (RFC 3261 §20.16).

use super::start::Method;
use crate::span::Span;

/// A CSeq value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// The number, below 2^31.
    pub number: u32,
    /// The method.
    pub method: Method,
    /// The method as written.
    pub name: Span,
}

impl CSeq {
    /// Parses a value; `None` where it is none.
    #[must_use]
    pub fn parse(_bytes: &[u8], _span: Span) -> Option<Self> {
        todo!()
    }
}
