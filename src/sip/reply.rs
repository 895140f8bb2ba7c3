//! Answers of our own (RFC 3261 §8.2.6).

use super::addr::NameAddr;
use super::header::HeaderId;
use super::message::Message;
use super::via;
use crate::limits::MAX_REPLY;
use core::fmt::{self, Write as _};
use core::net::SocketAddr;

/// An answer does not fit in [`MAX_REPLY`] bytes, or the request lacks what an answer must copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyError;

/// One answer being written.
#[derive(Debug)]
pub struct Reply {
    bytes: heapless::Vec<u8, MAX_REPLY>,
}

impl Reply {
    /// Starts an answer to `request`: the status line, every Via (the top one with where the packet came from, RFC 3581 §4),
    /// From, To, Call-ID and CSeq as they came. A To without a tag gets `;tag=to_tag` unless `to_tag` is empty.
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
        let mut reply = Self { bytes: heapless::Vec::new() };
        write!(reply.bytes, "SIP/2.0 {status} {reason}\r\n").map_err(|_| ReplyError)?;
        for (number, element) in request.elements(HeaderId::Via).enumerate() {
            reply.add(b"Via: ")?;
            if number == 0 {
                via::write_received(&mut reply.bytes, request.bytes(), element.span, from).map_err(|_| ReplyError)?;
            } else {
                reply.add(request.get(element.span))?;
            }
            reply.add(b"\r\n")?;
        }
        let copied =
            [("From", HeaderId::From), ("To", HeaderId::To), ("Call-ID", HeaderId::CallId), ("CSeq", HeaderId::CSeq)];
        for (name, id) in copied {
            let header = request.header(id).ok_or(ReplyError)?;
            reply.add(name.as_bytes())?;
            reply.add(b": ")?;
            reply.add(request.get(header.value))?;
            if id == HeaderId::To && !to_tag.is_empty() {
                let to = NameAddr::parse(request.bytes(), header.value).map_err(|_| ReplyError)?;
                if to.param(request.bytes(), b"tag").is_none() {
                    reply.add(b";tag=")?;
                    reply.add(to_tag.as_bytes())?;
                }
            }
            reply.add(b"\r\n")?;
        }
        Ok(reply)
    }

    /// Adds one header line, `name: value`.
    ///
    /// # Errors
    /// [`ReplyError`].
    pub fn header(&mut self, name: &str, value: fmt::Arguments<'_>) -> Result<(), ReplyError> {
        write!(self.bytes, "{name}: {value}\r\n").map_err(|_| ReplyError)
    }

    /// Ends the answer with `Content-Length: 0` and gives its bytes.
    ///
    /// # Errors
    /// [`ReplyError`].
    pub fn finish(&mut self) -> Result<&[u8], ReplyError> {
        self.add(b"Content-Length: 0\r\n\r\n")?;
        Ok(&self.bytes)
    }

    fn add(&mut self, text: &[u8]) -> Result<(), ReplyError> {
        self.bytes.extend_from_slice(text).map_err(|_| ReplyError)
    }
}
