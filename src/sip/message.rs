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
    /// Parses one datagram. The bytes are the same afterwards as before. What stands behind the body as Content-Length
    /// has it is cut off (RFC 3261 §18.3).
    ///
    /// # Errors
    /// See [`ParseError`].
    pub fn parse(bytes: &'a mut [u8]) -> Result<Self, ParseError> {
        // Empty lines before the start line are for whoever kept a stream alive (RFC 3261 §7.5).
        let begin = bytes.iter().position(|b| !matches!(b, b'\r' | b'\n')).ok_or(ParseError::NotSip)?;
        let line_len =
            bytes.get(begin..).and_then(|rest| rest.iter().position(|b| *b == b'\n')).ok_or(ParseError::NotSip)?;
        let line_end = begin.saturating_add(line_len);
        let (start, is_2_0) = super::start::parse(bytes, super::lex::trim(bytes, Span::from_usize(begin, line_end)))?;
        if !is_2_0 {
            return Err(ParseError::Version);
        }
        let block = line_end.saturating_add(1);
        let mut headers = heapless::Vec::new();
        let body_start = split(bytes, block, &mut headers)?;
        let mut message = Self { bytes, start, headers, body: Span::default() };
        message.body = message.find_body(body_start)?;
        message.bytes = message.bytes.get(..usize::from(message.body.end)).unwrap_or(message.bytes);
        Ok(message)
    }

    fn find_body(&self, start: usize) -> Result<Span, ParseError> {
        let there = self.bytes.len().saturating_sub(start);
        let mut length = None;
        for header in self.headers.iter().filter(|h| h.id == HeaderId::ContentLength) {
            let number = super::lex::number(self.get(header.value), u32::MAX).ok_or(ParseError::ContentLength)?;
            if length.is_some_and(|other| other != number) {
                return Err(ParseError::ContentLength);
            }
            length = Some(number);
        }
        let length = length.map_or(Ok(there), usize::try_from).map_err(|_| ParseError::ContentLength)?;
        if length > there {
            return Err(ParseError::ContentLength);
        }
        Ok(Span::from_usize(start, start.saturating_add(length)))
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
        match self.start {
            StartLine::Request { method, .. } => method,
            StartLine::Response { .. } => self
                .header(HeaderId::CSeq)
                .and_then(|h| super::cseq::CSeq::parse(self.bytes, h.value))
                .map_or(Method::Other, |cseq| cseq.method),
        }
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
    pub fn elements(&self, id: HeaderId) -> impl Iterator<Item = Element> + '_ {
        let lines = self.headers.iter().enumerate().filter(move |(_, h)| h.id == id);
        lines.flat_map(move |(line, header)| List {
            bytes: self.bytes,
            header: *header,
            line,
            at: header.value.start,
            index: 0,
            done: false,
        })
    }
    /// Offset of the blank line that ends the headers: where a new header line can be inserted.
    #[must_use]
    pub fn end_of_headers(&self) -> u16 {
        self.headers.last().map_or(self.body.start, |h| h.line.end)
    }
    /// The body.
    #[must_use]
    pub fn body(&self) -> Span {
        self.body
    }
}

/// Splits the header block that begins at `block` into lines; gives the offset of the body.
fn split(
    bytes: &[u8],
    block: usize,
    headers: &mut heapless::Vec<Header, MAX_HEADER_LINES>,
) -> Result<usize, ParseError> {
    let text = bytes.get(block..).ok_or(ParseError::Headers)?;
    let mut found = [httparse::EMPTY_HEADER; MAX_HEADER_LINES];
    let (len, found) = match httparse::parse_headers(text, &mut found) {
        Ok(httparse::Status::Complete(done)) => done,
        Ok(httparse::Status::Partial) => return Err(ParseError::Headers),
        Err(httparse::Error::TooManyHeaders) => return Err(ParseError::TooManyHeaders),
        Err(_) => return Err(ParseError::Headers),
    };
    let mut at = block;
    for header in found {
        let name_len = header.name.len();
        let value_at = offset_in(bytes, header.value, at.saturating_add(name_len));
        let value_end = value_at.saturating_add(header.value.len());
        let end = bytes
            .get(value_end..)
            .and_then(|rest| rest.iter().position(|b| *b == b'\n'))
            .map_or(bytes.len(), |n| value_end.saturating_add(n).saturating_add(1));
        let line = Header {
            id: HeaderId::from_name(header.name.as_bytes()),
            line: Span::from_usize(at, end),
            name: Span::from_usize(at, at.saturating_add(name_len)),
            value: Span::from_usize(value_at, value_end),
        };
        headers.push(line).map_err(|_| ParseError::TooManyHeaders)?;
        at = end;
    }
    Ok(block.saturating_add(len))
}

/// Where `part`, a slice of `bytes`, begins; `or` where it is empty.
fn offset_in(bytes: &[u8], part: &[u8], or: usize) -> usize {
    if part.is_empty() {
        return or.saturating_add(1);
    }
    (part.as_ptr() as usize).saturating_sub(bytes.as_ptr() as usize)
}

/// The elements of one header line.
struct List<'a> {
    bytes: &'a [u8],
    header: Header,
    line: usize,
    at: u16,
    index: usize,
    done: bool,
}

impl Iterator for List<'_> {
    type Item = Element;

    fn next(&mut self) -> Option<Element> {
        if self.done {
            return None;
        }
        let value = self.header.value;
        let start = self.at;
        let end = element_end(self.bytes, start, value.end);
        let is_last = end >= value.end;
        self.done = is_last;
        self.at = end.saturating_add(1);
        let span = super::lex::trim(self.bytes, Span::new(start, end));
        let index = self.index;
        self.index = index.saturating_add(1);
        let cut = match (index, is_last) {
            (0, true) => self.header.line,
            (_, true) => Span::new(start.saturating_sub(1), value.end),
            (_, false) => {
                let next = super::lex::trim(self.bytes, Span::new(self.at, value.end)).start;
                Span::new(span.start, next)
            }
        };
        Some(Element { line: self.line, span, index, cut })
    }
}

/// Where the element that begins at `at` ends: at a comma outside quotes and angle brackets.
fn element_end(bytes: &[u8], at: u16, end: u16) -> u16 {
    let (mut quoted, mut bracketed, mut escaped) = (false, false, false);
    for (offset, byte) in (at..end).zip(Span::new(at, end).of(bytes)) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if !bracketed => quoted = !quoted,
            b'<' if !quoted => bracketed = true,
            b'>' if !quoted => bracketed = false,
            b',' if !quoted && !bracketed => return offset,
            _ => {}
        }
    }
    end
}
