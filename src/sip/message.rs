//! A parsed message: spans into the datagram.

use super::header::{Header, HeaderId};
use super::start::{Method, StartLine};
use crate::limits::MAX_HEADER_LINES;
use crate::span::Span;

/// Why a datagram is not a SIP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// No start line of SIP.
    NotSip,
    /// A start line of SIP, but of another version than 2.0.
    Version,
    /// A header line that cannot be read, or no blank line behind the headers.
    Headers,
    /// More header lines than [`MAX_HEADER_LINES`].
    TooManyHeaders,
    /// Content-Length is not a number, contradicts itself, or is larger than what came.
    ContentLength,
}

/// One SIP message.
#[derive(Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    start: StartLine,
    headers: heapless::Vec<Header, MAX_HEADER_LINES>,
    body: Span,
}

/// One element of a header that may hold a comma-separated list.
#[derive(Clone, Copy, Debug)]
pub struct Element {
    /// Index of the header line in [`Message::headers`].
    pub line: usize,
    /// The element without blanks around it.
    pub span: Span,
    /// Index within its line, counted from 0.
    pub index: usize,
    /// The element with what separates it from its neighbours, to be cut out: from its first byte through the comma
    /// behind it, or, for the last of several, from the comma before it; the whole line where it is the only one.
    pub cut: Span,
}

impl<'a> Message<'a> {
    /// Parses one datagram. The bytes are the same afterwards as before.
    ///
    /// # Errors
    /// See [`ParseError`].
    pub fn parse(_bytes: &'a mut [u8]) -> Result<Self, ParseError> {
        todo!()
    }
    /// The whole datagram.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
    /// The bytes of `span`.
    #[must_use]
    pub fn get(&self, span: Span) -> &'a [u8] {
        span.of(self.bytes)
    }
    /// The start line.
    #[must_use]
    pub fn start(&self) -> StartLine {
        self.start
    }
    /// The method of a request, or the method of CSeq of a response.
    #[must_use]
    pub fn method(&self) -> Method {
        todo!()
    }
    /// All header lines in their order.
    #[must_use]
    pub fn headers(&self) -> &[Header] {
        &self.headers
    }
    /// The first line of header `id`.
    #[must_use]
    pub fn header(&self, id: HeaderId) -> Option<&Header> {
        self.headers.iter().find(|h| h.id == id)
    }
    /// The value of the first line of header `id`.
    #[must_use]
    pub fn value(&self, id: HeaderId) -> Option<&'a [u8]> {
        self.header(id).map(|h| self.get(h.value))
    }
    /// The comma-separated elements of all lines of header `id`, in order; commas in quotes and angle brackets do not count.
    pub fn elements(&self, _id: HeaderId) -> impl Iterator<Item = Element> + '_ {
        core::iter::empty()
    }
    /// Offset of the blank line that ends the headers: where a new header line can be inserted.
    #[must_use]
    pub fn end_of_headers(&self) -> u16 {
        todo!()
    }
    /// The body.
    #[must_use]
    pub fn body(&self) -> Span {
        self.body
    }
}
