//! Framing: where one message ends and the next begins in a byte stream (RFC 3261 §18.3).
//!
//! ```text
//!   CRLF …            ──▶ Blank, or Ping with the fourth byte of CRLFCRLF
//!   head, blank line  ──▶ its Content-Length tells how much body follows ──▶ Message
//! ```
//! A [`Framer`] looks at each byte of a head once, however many pieces the head comes in. It keeps offsets and no bytes: the caller
//! shows it everything that was not consumed yet, again from the same place.

use super::header::HeaderId;
use super::lex::{is_blank, is_token, number};
use crate::limits::MAX_DATAGRAM;

/// Two line ends: who sends them wants one back (RFC 5626 §4.4.1).
pub const PING: &[u8; 4] = b"\r\n\r\n";

/// What a stream begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A whole message of so many bytes.
    Message(usize),
    /// The last of so many bytes completes a ping (RFC 5626 §4.4.1), which wants a pong.
    Ping(usize),
    /// So many bytes of line ends between messages, of no meaning (RFC 3261 §7.5).
    Blank(usize),
    /// Nothing whole yet; fewer than [`MAX_DATAGRAM`] bytes are kept until more come.
    Partial,
}

/// Why a stream cannot be read any further. No later byte can be trusted to begin a message: the connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FramingError {
    /// No start line of SIP.
    NotSip,
    /// Content-Length is not a number, or there are two that differ.
    ContentLength,
    /// More than [`MAX_DATAGRAM`] bytes in one message.
    TooLarge,
}

/// Finds the messages of one connection, in the order of their bytes. Starts as all zero bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Framer {
    /// Bytes of [`PING`] that came directly before.
    ping: u8,
    /// Where the first line begins whose end was not seen yet.
    line: usize,
    /// Bytes from there on that hold no line end.
    scanned: usize,
    /// Length of the message, once its head was read; 0 before.
    length: usize,
}

impl Framer {
    /// A framer at the beginning of a stream.
    #[must_use]
    pub const fn new() -> Self {
        Self { ping: 0, line: 0, scanned: 0, length: 0 }
    }

    /// Tells what `bytes` begin with: all that came and was not consumed. What is returned with a length has to be consumed before
    /// the next call.
    ///
    /// A message without a Content-Length has no body: the header is mandatory on a stream (RFC 3261 §20.14), but who leaves it out of
    /// a request without a body is understood all the same.
    ///
    /// # Errors
    /// See [`FramingError`].
    pub fn next(&mut self, bytes: &[u8]) -> Result<Frame, FramingError> {
        if self.line == 0 {
            match bytes.first() {
                None => return Ok(Frame::Partial),
                Some(b'\r' | b'\n') => return Ok(self.blank(bytes)),
                Some(&first) if !is_token(first) => return Err(FramingError::NotSip),
                Some(_) => self.ping = 0,
            }
        }
        if self.length == 0 {
            match self.head(bytes)? {
                Some(length) => self.length = length,
                None if bytes.len() >= MAX_DATAGRAM => return Err(FramingError::TooLarge),
                None => return Ok(Frame::Partial),
            }
        }
        if bytes.len() < self.length {
            return Ok(Frame::Partial);
        }
        let length = self.length;
        *self = Self::new();
        Ok(Frame::Message(length))
    }

    /// Steps over line ends between messages.
    fn blank(&mut self, bytes: &[u8]) -> Frame {
        let mut length = 0usize;
        for byte in bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')) {
            length = length.saturating_add(1);
            let expected = PING.get(usize::from(self.ping));
            // A CR that does not fit begins another ping.
            self.ping = if expected == Some(byte) { self.ping.saturating_add(1) } else { u8::from(*byte == b'\r') };
            if usize::from(self.ping) == PING.len() {
                self.ping = 0;
                return Frame::Ping(length);
            }
        }
        Frame::Blank(length)
    }

    /// The length of the message, once its whole head is there.
    fn head(&mut self, bytes: &[u8]) -> Result<Option<usize>, FramingError> {
        loop {
            let rest = bytes.get(self.line..).unwrap_or_default();
            let unseen = rest.get(self.scanned..).unwrap_or_default();
            let Some(end) = unseen.iter().position(|b| *b == b'\n') else {
                self.scanned = rest.len();
                return Ok(None);
            };
            let line = rest.get(..self.scanned.saturating_add(end)).unwrap_or_default();
            if self.line == 0 && !is_start_line(line) {
                return Err(FramingError::NotSip);
            }
            let is_end = matches!(line, b"" | b"\r");
            self.line = self.line.saturating_add(line.len()).saturating_add(1);
            self.scanned = 0;
            if is_end {
                let body = content_length(bytes.get(..self.line).unwrap_or_default())?;
                let length = self.line.saturating_add(body);
                return if length > MAX_DATAGRAM { Err(FramingError::TooLarge) } else { Ok(Some(length)) };
            }
        }
    }
}

/// Whether a line is one that a request or a response begins with. Of which version is for the parser to judge.
fn is_start_line(line: &[u8]) -> bool {
    const PROTOCOL: &[u8] = b"SIP/";
    let line = line.trim_ascii_end();
    let version = line.rsplit(|b| is_blank(*b)).next().unwrap_or_default();
    let begins = |text: &[u8]| text.get(..PROTOCOL.len()).is_some_and(|text| text.eq_ignore_ascii_case(PROTOCOL));
    begins(line) || begins(version)
}

/// The Content-Length in a head, 0 where it has none.
fn content_length(head: &[u8]) -> Result<usize, FramingError> {
    let mut length = None;
    let mut rest = head;
    while !rest.is_empty() {
        let line;
        (line, rest) = split_line(rest);
        let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
        let (name, value) = line.split_at_checked(colon).unwrap_or((line, &[]));
        if HeaderId::from_name(name.trim_ascii_end()) != HeaderId::ContentLength {
            continue;
        }
        let digits = value.strip_prefix(b":").unwrap_or_default().trim_ascii();
        let value = number(digits, u32::MAX).ok_or(FramingError::ContentLength)?;
        if length.is_some_and(|earlier| earlier != value) {
            return Err(FramingError::ContentLength);
        }
        length = Some(value);
    }
    // What does not fit is too large in any case.
    Ok(usize::try_from(length.unwrap_or(0)).unwrap_or(usize::MAX))
}

/// Splits off the first line with the folded ones that belong to it (RFC 3261 §7.3.1).
fn split_line(head: &[u8]) -> (&[u8], &[u8]) {
    let ends = head.iter().zip(head.iter().skip(1)).position(|(a, b)| *a == b'\n' && !matches!(b, b' ' | b'\t'));
    head.split_at_checked(ends.map_or(head.len(), |at| at.saturating_add(1))).unwrap_or((head, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All frames of `pieces`, shown one after the other; messages as text.
    fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<String>, FramingError> {
        let (mut framer, mut held, mut frames) = (Framer::new(), Vec::new(), Vec::new());
        for piece in pieces {
            held.extend_from_slice(piece);
            loop {
                let length = match framer.next(&held)? {
                    Frame::Message(length) => {
                        frames.push(String::from_utf8_lossy(&held[..length]).into_owned());
                        length
                    }
                    Frame::Ping(length) => {
                        frames.push("ping".to_owned());
                        length
                    }
                    Frame::Blank(length) => length,
                    Frame::Partial => break,
                };
                assert!(length > 0);
                held.drain(..length);
            }
        }
        Ok(frames)
    }

    fn all(text: &str) -> Result<Vec<String>, FramingError> {
        frames([text.as_bytes()])
    }

    const OPTIONS: &str = "OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n";
    const MESSAGE: &str = "MESSAGE sip:a SIP/2.0\r\nX: 1\r\n l: 9\r\nl : \r\n 7\r\n\r\nab\r\n\r\ny";
    const RESPONSE: &str = "SIP/2.0 200 OK\r\ncontent-LENGTH:1\r\nContent-Length:  01\r\n\r\n\n";
    const BARE: &str = "OPTIONS sip:b SIP/2.0\nVia: x\n\n";

    #[test]
    fn tells_pipelined_messages_apart() {
        let stream = [OPTIONS, MESSAGE, RESPONSE, BARE, OPTIONS].concat();
        assert_eq!(all(&stream).unwrap(), [OPTIONS, MESSAGE, RESPONSE, BARE, OPTIONS]);
    }

    #[test]
    fn a_ping_is_two_line_ends() {
        assert_eq!(all("\r\n").unwrap(), [""; 0]);
        assert_eq!(all("\r\n\r\n").unwrap(), ["ping"]);
        assert_eq!(all(&format!("\r\n{OPTIONS}\r\n\r\n{OPTIONS}\r\n")).unwrap(), [OPTIONS, "ping", OPTIONS]);
        assert_eq!(all("\r\n\r\r\n\r\n\n\r\n").unwrap(), ["ping"]);
    }

    #[test]
    fn refuses_what_is_no_sip() {
        for text in ["GET / HTTP/1.1\r\n", "\x16\x03\x01", "INVITE sip:a\r\n", " INVITE sip:a SIP/2.0\r\n", "\0\0"] {
            assert_eq!(all(text), Err(FramingError::NotSip), "{text:?}");
        }
        assert_eq!(all("OPTIONS sip:a SIP/7.0\r\n\r\n").unwrap().len(), 1);
    }

    #[test]
    fn refuses_lengths_that_mean_nothing() {
        for length in ["", "x", "-1", "1, 1", "1 1", "4294967296", "1\r\nl: 2", "0x1"] {
            let text = format!("OPTIONS sip:a SIP/2.0\r\nContent-Length: {length}\r\n\r\n");
            assert_eq!(all(&text), Err(FramingError::ContentLength), "{length:?}");
        }
    }

    #[test]
    fn a_message_has_a_ceiling() {
        let head = |length| format!("OPTIONS sip:a SIP/2.0\r\nl: {length:5}\r\n\r\n");
        let room = MAX_DATAGRAM - head(0).len();
        assert_eq!(all(&(head(room) + &"x".repeat(room))).unwrap().len(), 1);
        assert_eq!(all(&head(room + 1)), Err(FramingError::TooLarge));
        assert_eq!(all(&head(u32::MAX as usize)), Err(FramingError::TooLarge));
        let endless = format!("OPTIONS sip:a SIP/2.0\r\nX: {}", "x".repeat(MAX_DATAGRAM));
        assert_eq!(all(&endless[..MAX_DATAGRAM - 1]).unwrap(), [""; 0]);
        assert_eq!(all(&endless[..MAX_DATAGRAM]), Err(FramingError::TooLarge));
    }

    proptest! {
        /// However a stream is cut, the same frames come out of it.
        #[test]
        fn cuts_make_no_difference(
            which in proptest::collection::vec(0usize..7, 1..12),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
        ) {
            let parts = [OPTIONS, MESSAGE, RESPONSE, BARE, "\r\n", "\r\n\r\n", "\n\r"];
            let stream: String = which.iter().map(|n| parts[*n]).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|w| &stream.as_bytes()[w[0]..w[1]]);
            prop_assert_eq!(frames(pieces), all(&stream));
        }

        /// Whatever comes: no panic, and each step goes forward.
        #[test]
        fn survives_anything(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = frames([&bytes[..]]);
            let mut stream = OPTIONS.as_bytes()[..24].to_vec();
            stream.extend(bytes);
            let _ = frames(stream.chunks(3));
        }
    }
}
