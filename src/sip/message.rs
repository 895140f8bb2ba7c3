//! A parsed message: spans into the datagram.

use super::cseq::CSeq;
use super::edit::{EditError, Edits};
use super::header::{Header, HeaderId};
use super::lex::{Cursor, is_token, number, trim};
use super::normalise::normalise;
use super::start::{self, Method, StartLine};
use crate::limits::{MAX_DATAGRAM, MAX_HEADER_LINES};
use crate::span::Span;

/// Why a datagram is not a SIP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// No start line of SIP.
    NotSip,
    /// A start line of SIP, but of another version than 2.0.
    Version,
    /// A header line that cannot be read, or a datagram that ends within one.
    Headers,
    /// No empty line behind the headers: the datagram ends with the last of them.
    NoEmptyLine,
    /// More header lines than [`MAX_HEADER_LINES`].
    TooManyHeaders,
    /// Content-Length is not a number, contradicts itself, or is larger than what came.
    ContentLength,
}

/// One SIP message.
#[derive(Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    start_line: Span,
    start: StartLine,
    headers: Headers,
    end_of_headers: u16,
    body: Span,
}

type Headers = heapless::Vec<Header, MAX_HEADER_LINES>;

/// One element of a header that may hold a comma-separated list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// Index of the header line in [`Message::headers`].
    pub line: usize,
    /// The element without blanks around it.
    pub span: Span,
    /// Index within its line, counted from 0.
    pub index: usize,
    /// The element with what separates it from its neighbours, to be cut out: from its first byte to the next element,
    /// or, for the last of several, from the end of the one before; the whole line where it is the only one.
    ///
    /// Cutting out one element, or several from the front but not all, leaves a list; [`Message::delete_elements`] copes
    /// with any choice.
    pub cut: Span,
}

impl<'a> Message<'a> {
    /// Parses one datagram. The bytes are the same afterwards as before.
    ///
    /// The headers that every message must have are not asked for here. Empty lines before the start line are passed
    /// over (RFC 3261 §7.5). Without a Content-Length the body is all the rest; what comes behind a shorter one is no
    /// part of the message (RFC 3261 §18.3).
    ///
    /// # Errors
    /// See [`ParseError`].
    pub fn parse(bytes: &'a mut [u8]) -> Result<Self, ParseError> {
        match Self::parse_head(bytes)? {
            (_, Some(fault)) => Err(fault),
            (message, None) => Ok(message),
        }
    }

    /// Parses one datagram as [`Self::parse`] does, but returns a message of which only the version or the Content-Length is
    /// wrong, or the empty line missing, together with that fault, so that its sender can be answered. Its body is then all
    /// the rest.
    ///
    /// # Errors
    /// See [`ParseError`].
    pub fn parse_head(bytes: &'a mut [u8]) -> Result<(Self, Option<ParseError>), ParseError> {
        if bytes.len() > MAX_DATAGRAM {
            return Err(ParseError::NotSip);
        }
        let all = Span::from_usize(0, bytes.len());
        let mut cursor = Cursor::new(bytes, all);
        cursor.take_while(|b| b == b'\r' || b == b'\n');
        let line = cursor.take_while(|b| b != b'\n');
        if !cursor.eat(b'\n') {
            return Err(ParseError::NotSip);
        }
        let start_line = trim_line_end(bytes, line);
        let (start, is_2_0) = start::parse(bytes, start_line)?;
        let block = cursor.rest();
        let (split, has_empty_line) = split(bytes, block)?;
        let (headers, end_of_headers, rest) = split;

        let bytes: &'a [u8] = bytes;
        let rest = Span::new(rest, all.end);
        let (body, fault) = match body(bytes, &headers, rest) {
            _ if !is_2_0 => (rest, Some(ParseError::Version)),
            _ if !has_empty_line => (rest, Some(ParseError::NoEmptyLine)),
            Ok(body) => (body, None),
            Err(fault) => (rest, Some(fault)),
        };
        let bytes = bytes.get(..usize::from(body.end)).unwrap_or(bytes);
        Ok((Self { bytes, start_line, start, headers, end_of_headers, body }, fault))
    }

    /// The datagram up to the end of the body.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The bytes of `span`.
    #[must_use]
    pub fn get(&self, span: Span) -> &'a [u8] {
        span.of(self.bytes)
    }

    /// The empty lines before the start line, which are not to be passed on.
    #[must_use]
    pub fn leading(&self) -> Span {
        Span::new(0, self.start_line.start)
    }

    /// The start line.
    #[must_use]
    pub fn start(&self) -> StartLine {
        self.start
    }

    /// The whole start line without its line end.
    #[must_use]
    pub fn start_line(&self) -> Span {
        self.start_line
    }

    /// The method of a request, or the method of CSeq of a response.
    #[must_use]
    pub fn method(&self) -> Method {
        match self.start {
            StartLine::Request { method, .. } => method,
            StartLine::Response { .. } => self.cseq().map_or(Method::Other, |cseq| cseq.method),
        }
    }

    /// The CSeq, if there is one and it can be read.
    #[must_use]
    pub fn cseq(&self) -> Option<CSeq> {
        CSeq::parse(self.bytes, self.header(HeaderId::CSeq)?.value)
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
        let lines = self.headers.iter().enumerate().filter(move |(_, header)| header.id == id);
        lines.flat_map(|(line, header)| LineElements::new(self.bytes, line, header))
    }

    /// Deletes the elements of header `id` that `unwanted` picks; a line that keeps none is deleted whole.
    ///
    /// # Errors
    /// See [`EditError`]; a part of the deletions may have been entered by then.
    pub fn delete_elements(
        &self,
        id: HeaderId,
        edits: &mut Edits,
        mut unwanted: impl FnMut(&Element) -> bool,
    ) -> Result<(), EditError> {
        let mut lines = self.headers.iter().enumerate().filter(|(_, header)| header.id == id);
        lines.try_for_each(|(line, header)| self.delete_elements_of(line, header, edits, &mut unwanted))
    }

    /// Deletes the elements of one header that `unwanted` picks, the `line`th of all; the line where it keeps none.
    ///
    /// # Errors
    /// As [`Self::delete_elements`].
    pub fn delete_elements_of(
        &self,
        line: usize,
        header: &Header,
        edits: &mut Edits,
        unwanted: &mut dyn FnMut(&Element) -> bool,
    ) -> Result<(), EditError> {
        // The end of the last element that stays, and whether anything was cut out behind it.
        let mut kept: Option<u16> = None;
        let mut tail = false;
        for element in LineElements::new(self.bytes, line, header) {
            if unwanted(&element) {
                tail = true;
                continue;
            }
            if tail {
                // Those before are cut out from the end of the last one kept, or from the line's first element.
                let cut = match kept {
                    Some(end) => Span::new(end, separator_start(self.bytes, end, element.span.start)),
                    None => Span::new(header.value.start, element.span.start),
                };
                edits.delete(cut)?;
            }
            kept = Some(element.span.end);
            tail = false;
        }
        if tail {
            edits.delete(kept.map_or(header.line, |end| Span::new(end, header.value.end)))?;
        }
        Ok(())
    }

    /// Offset of the blank line that ends the headers: where a new header line can be inserted.
    #[must_use]
    pub fn end_of_headers(&self) -> u16 {
        self.end_of_headers
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> Span {
        self.body
    }
}

/// The place of the last comma between two elements.
fn separator_start(bytes: &[u8], from: u16, to: u16) -> u16 {
    let gap = Span::new(from, to).of(bytes);
    let comma = gap.iter().rposition(|&b| b == b',').and_then(|at| u16::try_from(at).ok());
    comma.map_or(from, |at| from.saturating_add(at))
}

/// `line`, which ends at its LF, without the CR before that.
fn trim_line_end(bytes: &[u8], line: Span) -> Span {
    let end = if line.of(bytes).ends_with(b"\r") { line.end.saturating_sub(1) } else { line.end };
    Span::new(line.start, end)
}

/// The header lines, and the offsets of the blank line and of what follows it.
type Split = (Headers, u16, u16);

/// Splits the header lines with which `block` begins, and tells whether there is an empty line behind them.
fn split(bytes: &mut [u8], block: Span) -> Result<(Split, bool), ParseError> {
    let (offset, end) = (block.start, usize::from(block.end));
    let block = bytes.get_mut(usize::from(offset)..end).ok_or(ParseError::Headers)?;
    match split_any(block, offset) {
        Err(ParseError::Headers) => {}
        result => return result.map(|split| (split, true)),
    }
    // Two line feeds for the last CRLF make a line end and an empty line.
    let [.., last @ b'\r', b'\n'] = &mut *block else { return Err(ParseError::Headers) };
    *last = b'\n';
    let result = split_any(block, offset);
    if let [.., last, _] = block {
        *last = b'\r';
    }
    result.map(|split| (split, false))
}

/// Splits what may have to be normalised.
fn split_any(block: &mut [u8], offset: u16) -> Result<Split, ParseError> {
    match split_plain(block, offset) {
        Err(ParseError::Headers) => {}
        result => return result,
    }
    let undo = normalise(block).map_err(|_| ParseError::Headers)?;
    if undo.is_empty() {
        return Err(ParseError::Headers);
    }
    let result = split_plain(block, offset);
    undo.put_back(block);
    result
}

fn split_plain(block: &[u8], offset: u16) -> Result<Split, ParseError> {
    let mut found = [httparse::EMPTY_HEADER; MAX_HEADER_LINES];
    let (len, found) = match httparse::parse_headers(block, &mut found) {
        Ok(httparse::Status::Complete(result)) => result,
        Err(httparse::Error::TooManyHeaders) => return Err(ParseError::TooManyHeaders),
        Ok(httparse::Status::Partial) | Err(_) => return Err(ParseError::Headers),
    };
    let head = block.get(..len).unwrap_or(block);
    let blank_line = if head.ends_with(b"\r\n") { 2 } else { 1 };
    let place = |text: &[u8]| {
        let start = (text.as_ptr() as usize).saturating_sub(block.as_ptr() as usize);
        let start = start.saturating_add(offset.into());
        Span::from_usize(start, start.saturating_add(text.len()))
    };
    let end = Span::from_usize(0, len.saturating_add(offset.into())).end;
    let end_of_headers = end.saturating_sub(blank_line);

    let mut headers = Headers::new();
    let mut line_end = end_of_headers;
    for header in found.iter().rev() {
        // A name in HTTP may have some characters that one in SIP may not (RFC 3261 §25.1, token).
        if !header.name.bytes().all(is_token) {
            return Err(ParseError::Headers);
        }
        let name = place(header.name.as_bytes());
        let line = Span::new(name.start, line_end);
        let id = HeaderId::from_name(header.name.as_bytes());
        let header = Header { id, line, name, value: place(header.value) };
        headers.push(header).map_err(|_| ParseError::TooManyHeaders)?;
        line_end = line.start;
    }
    headers.reverse();
    Ok((headers, end_of_headers, end))
}

/// What of `rest` is the body.
fn body(bytes: &[u8], headers: &[Header], rest: Span) -> Result<Span, ParseError> {
    let mut length = None;
    for header in headers.iter().filter(|header| header.id == HeaderId::ContentLength) {
        let value = number(header.value.of(bytes), u32::MAX).ok_or(ParseError::ContentLength)?;
        if length.is_some_and(|earlier| earlier != value) {
            return Err(ParseError::ContentLength);
        }
        length = Some(value);
    }
    let Some(length) = length else { return Ok(rest) };
    let end = u16::try_from(length).ok().and_then(|length| rest.start.checked_add(length));
    let end = end.filter(|&end| end <= rest.end).ok_or(ParseError::ContentLength)?;
    Ok(Span::new(rest.start, end))
}

/// The elements of one header line.
struct LineElements<'a> {
    bytes: &'a [u8],
    line: usize,
    header: &'a Header,
    cursor: Cursor<'a>,
    index: usize,
    before: Option<Span>,
    next: Option<Span>,
}

impl<'a> LineElements<'a> {
    fn new(bytes: &'a [u8], line: usize, header: &'a Header) -> Self {
        let mut cursor = Cursor::new(bytes, header.value);
        let next = next_element(bytes, &mut cursor);
        Self { bytes, line, header, cursor, index: 0, before: None, next }
    }
}

impl Iterator for LineElements<'_> {
    type Item = Element;

    fn next(&mut self) -> Option<Element> {
        let span = self.next?;
        self.next = next_element(self.bytes, &mut self.cursor);
        let cut = match (self.before, self.next) {
            (_, Some(next)) => Span::new(span.start, next.start),
            (Some(before), None) => Span::new(before.end, self.header.value.end),
            (None, None) => self.header.line,
        };
        let element = Element { line: self.line, span, index: self.index, cut };
        self.before = Some(span);
        self.index = self.index.saturating_add(1);
        Some(element)
    }
}

/// Steps over the next element that is not empty.
fn next_element(bytes: &[u8], cursor: &mut Cursor<'_>) -> Option<Span> {
    while !cursor.is_at_end() {
        let start = cursor.at();
        while let Some(byte) = cursor.peek() {
            match byte {
                b',' => break,
                b'"' => {
                    cursor.skip_quoted();
                }
                b'<' => {
                    cursor.take_while(|b| b != b'>');
                }
                _ => cursor.bump(),
            }
        }
        let element = trim(bytes, Span::new(start, cursor.at()));
        cursor.bump();
        if !element.is_empty() {
            return Some(element);
        }
    }
    None
}

#[cfg(test)]
mod tests;
