//! `;name=value` parameters, of URIs and of headers alike.

use crate::span::Span;

/// One parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// From the semicolon to the end of the value.
    pub whole: Span,
    /// The name.
    pub name: Span,
    /// The value with its quotes, if it has one.
    pub value: Option<Span>,
}

/// The parameters in `span`, which begins at the first semicolon (or blanks before it), in order.
pub fn iter(_bytes: &[u8], _span: Span) -> impl Iterator<Item = Param> + '_ {
    core::iter::empty()
}

/// The first parameter called `name`, in any case.
#[must_use]
pub fn find(_bytes: &[u8], _span: Span, _name: &[u8]) -> Option<Param> {
    todo!()
}
