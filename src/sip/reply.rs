//! Answers of our own (RFC 3261 §8.2.6).

use super::addr::NameAddr;
use super::header::HeaderId;
use super::message::Message;
use super::via::Via;
use crate::limits::MAX_REPLY;
use crate::span::Span;
use core::fmt::{self, Write as _};
use core::net::SocketAddr;

/// An answer does not fit in [`MAX_REPLY`] bytes, or the request lacks what an answer must copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyError;

/// One answer being written.
#[derive(Debug)]
pub struct Reply {
    bytes: heapless::Vec<u8, MAX_REPLY>,
    finished: bool,
}

impl Reply {
    /// Starts an answer to `request`: the status line, every Via (the top one with `received=` where its sent-by is not
    /// the source address or `rport` is asked for, and `rport=` filled, RFC 3581 §4), From, To, Call-ID and CSeq as they
    /// came. A To without a tag gets `;tag=to_tag` unless `to_tag` is empty. A 100 also has the Timestamp that came.
    ///
    /// # Errors
    /// [`ReplyError`].
    pub fn new(
        request: &Message<'_>,
        from: SocketAddr,
        status: u16,
        reason: &str,
        to_tag: &str,
    ) -> Result<Self, ReplyError> {
        let has_all = COPIED.iter().all(|(_, id)| request.value(*id).is_some_and(|value| !value.is_empty()));
        let via = request.elements(HeaderId::Via).next().map(|top| Via::parse(request.bytes(), top.span));
        if !has_all || !matches!(via, Some(Ok(_))) {
            return Err(ReplyError);
        }
        Self::to_malformed(request, from, status, reason, to_tag)
    }

    /// Starts an answer as [`Self::new`] does, to a request that may lack what an answer must copy: what there is is
    /// copied, and a top Via that cannot be read as it came.
    ///
    /// # Errors
    /// [`ReplyError`], also where there is no Via.
    pub fn to_malformed(
        request: &Message<'_>,
        from: SocketAddr,
        status: u16,
        reason: &str,
        to_tag: &str,
    ) -> Result<Self, ReplyError> {
        let mut reply = Self { bytes: heapless::Vec::new(), finished: false };
        reply.line(format_args!("SIP/2.0 {status} {reason}"))?;
        reply.vias(request, from)?;
        for (name, id) in COPIED {
            let Some(header) = request.header(id).filter(|header| !header.value.is_empty()) else { continue };
            reply.write(format_args!("{name}: "))?;
            reply.append(request.get(header.value))?;
            if id == HeaderId::To && !to_tag.is_empty() && !is_tagged(request, header.value) {
                reply.write(format_args!(";tag={to_tag}"))?;
            }
            reply.append(b"\r\n")?;
        }
        if status == TRYING {
            reply.timestamp(request)?;
        }
        Ok(reply)
    }

    /// Adds one header line, `name: value`.
    ///
    /// # Errors
    /// [`ReplyError`], also where the value has a line end; the answer is as before then.
    pub fn header(&mut self, name: &str, value: fmt::Arguments<'_>) -> Result<(), ReplyError> {
        let mark = self.bytes.len();
        let result = self.line(format_args!("{name}: {value}"));
        if result.is_err() {
            self.bytes.truncate(mark);
        }
        result
    }

    /// Adds header lines, or a piece of one, from messages that were parsed.
    ///
    /// # Errors
    /// [`ReplyError`].
    pub fn raw(&mut self, text: &[u8]) -> Result<(), ReplyError> {
        self.append(text)
    }

    /// Ends the answer with `Content-Length: 0` and gives its bytes.
    ///
    /// # Errors
    /// [`ReplyError`].
    pub fn finish(&mut self) -> Result<&[u8], ReplyError> {
        if !self.finished {
            self.append(b"Content-Length: 0\r\n\r\n")?;
            self.finished = true;
        }
        Ok(&self.bytes)
    }

    fn vias(&mut self, request: &Message<'_>, from: SocketAddr) -> Result<(), ReplyError> {
        let top = request.elements(HeaderId::Via).next().ok_or(ReplyError)?;
        let via = Via::parse(request.bytes(), top.span);
        for (index, header) in request.headers().iter().enumerate().filter(|(_, header)| header.id == HeaderId::Via) {
            if header.value.is_empty() {
                continue;
            }
            self.append(b"Via: ")?;
            let mut rest = header.value;
            if index == top.line
                && let Ok(via) = via
            {
                via.write_received(request.bytes(), from, &mut self.bytes).map_err(|_| ReplyError)?;
                rest = Span::new(top.span.end, header.value.end);
            }
            self.append(request.get(rest))?;
            self.append(b"\r\n")?;
        }
        Ok(())
    }

    /// RFC 3261 §8.2.6.1.
    fn timestamp(&mut self, request: &Message<'_>) -> Result<(), ReplyError> {
        let is_timestamp = |name: Span| request.get(name).eq_ignore_ascii_case(b"Timestamp");
        let Some(header) = request.headers().iter().find(|header| is_timestamp(header.name)) else { return Ok(()) };
        self.append(b"Timestamp: ")?;
        self.append(request.get(header.value))?;
        self.append(b"\r\n")
    }

    fn line(&mut self, text: fmt::Arguments<'_>) -> Result<(), ReplyError> {
        let mark = self.bytes.len();
        self.write(text)?;
        // What a stranger sent may have found its way into the text.
        if self.bytes.iter().skip(mark).any(|b| matches!(b, b'\r' | b'\n')) {
            return Err(ReplyError);
        }
        self.append(b"\r\n")
    }

    fn write(&mut self, text: fmt::Arguments<'_>) -> Result<(), ReplyError> {
        self.bytes.write_fmt(text).map_err(|_| ReplyError)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), ReplyError> {
        self.bytes.extend_from_slice(bytes).map_err(|_| ReplyError)
    }
}

fn is_tagged(request: &Message<'_>, to: Span) -> bool {
    NameAddr::parse(request.bytes(), to).is_ok_and(|to| to.param(request.bytes(), b"tag").is_some())
}

/// 100 Trying.
const TRYING: u16 = 100;
/// What an answer copies besides the Vias, in the order of an answer (RFC 3261 §8.2.6.2).
const COPIED: [(&str, HeaderId); 4] =
    [("From", HeaderId::From), ("To", HeaderId::To), ("Call-ID", HeaderId::CallId), ("CSeq", HeaderId::CSeq)];

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: &str = "192.0.2.1:5062";
    const HEAD: &str = "INVITE sip:b@h SIP/2.0\r\n";

    fn reply(headers: &str, status: u16, tag: &str) -> Result<String, ReplyError> {
        let mut bytes = format!("{HEAD}{headers}\r\n").into_bytes();
        let message = Message::parse(&mut bytes).unwrap();
        let mut reply = Reply::new(&message, FROM.parse().unwrap(), status, "Why Not", tag)?;
        reply.header("Retry-After", format_args!("{}", 5))?;
        assert_eq!(reply.header("X", format_args!("a\r\nb")), Err(ReplyError));
        reply.finish()?;
        Ok(String::from_utf8(reply.finish()?.to_vec()).unwrap())
    }

    #[test]
    fn copies_what_an_answer_must_have() {
        let headers = "v: SIP/2.0/UDP h;rport , SIP/2.0/UDP i\r\nCSeq: 1\r\n INVITE\r\nVia:\r\nVia: SIP/2.0/UDP j\r\n\
                       Max-Forwards: 70\r\nTimestamp: 54\r\ni: c@d\r\nf: <sip:a>;tag=1\r\nt: \"B;tag=x\" <sip:b>\r\n";
        let want = "Via: SIP/2.0/UDP h;rport=5062;received=192.0.2.1 , SIP/2.0/UDP i\r\nVia: SIP/2.0/UDP j\r\n\
                    From: <sip:a>;tag=1\r\nTo: \"B;tag=x\" <sip:b>;tag=T\r\nCall-ID: c@d\r\nCSeq: 1\r\n INVITE\r\n";
        let end = "Retry-After: 5\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(reply(headers, 480, "T").unwrap(), format!("SIP/2.0 480 Why Not\r\n{want}{end}"));
        let trying = format!("SIP/2.0 100 Why Not\r\n{}Timestamp: 54\r\n{end}", want.replace(";tag=T", ""));
        assert_eq!(reply(headers, 100, "").unwrap(), trying);
    }

    #[test]
    fn a_malformed_request_gets_back_what_it_has() {
        let mut bytes = format!("{HEAD}Via: SIP/7.0/UDP h;rport\r\nCSeq: x\r\nTo: \"b\r\n\r\n").into_bytes();
        let message = Message::parse(&mut bytes).unwrap();
        let mut reply = Reply::to_malformed(&message, FROM.parse().unwrap(), 400, "Bad", "T").unwrap();
        let want =
            "SIP/2.0 400 Bad\r\nVia: SIP/7.0/UDP h;rport\r\nTo: \"b;tag=T\r\nCSeq: x\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(reply.finish().unwrap(), want.as_bytes());
    }

    #[test]
    fn a_tag_in_to_stays() {
        let headers = "v: SIP/2.0/UDP h\r\nCSeq: 1 BYE\r\ni: c\r\nf: <sip:a>;tag=1\r\nt: sip:b;TAG=2\r\n";
        assert!(reply(headers, 481, "T").unwrap().contains("\r\nTo: sip:b;TAG=2\r\n"));
    }

    #[test]
    fn needs_the_mandatory_headers_and_room() {
        let lines = ["v: SIP/2.0/UDP h\r\n", "f: a:b\r\n", "t: a:b\r\n", "i: c\r\n", "CSeq: 1 BYE\r\n"];
        assert!(reply(&lines.concat(), 400, "").is_ok());
        for missing in 0..lines.len() {
            let some: String = lines.iter().enumerate().filter(|(i, _)| *i != missing).map(|(_, l)| *l).collect();
            assert_eq!(reply(&some, 400, ""), Err(ReplyError));
        }
        let long = format!("{}v: SIP/2.0/UDP {}\r\n", lines.concat(), "h".repeat(MAX_REPLY));
        assert_eq!(reply(&long, 400, ""), Err(ReplyError));
    }
}
