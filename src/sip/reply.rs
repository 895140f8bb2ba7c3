//! Answers of our own (RFC 3261 §8.2.6).

use super::message::Message;
use crate::limits::MAX_REPLY;
use core::fmt;
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
    /// Starts an answer to `request`: the status line, every Via (the top one with `received=` where its sent-by is not
    /// the source address or `rport` is asked for, and `rport=` filled, RFC 3581 §4), From, To, Call-ID and CSeq as they
    /// came. A To without a tag gets `;tag=to_tag` unless `to_tag` is empty.
    ///
    /// # Errors
    /// [`ReplyError`].
    pub fn new(
        _request: &Message<'_>,
        _from: SocketAddr,
        _status: u16,
        _reason: &str,
        _to_tag: &str,
    ) -> Result<Self, ReplyError> {
        todo!()
    }
    /// Adds one header line, `name: value`.
    ///
    /// # Errors
    /// [`ReplyError`].
    pub fn header(&mut self, _name: &str, _value: fmt::Arguments<'_>) -> Result<(), ReplyError> {
        todo!()
    }
    /// Ends the answer with `Content-Length: 0` and gives its bytes.
    ///
    /// # Errors
    /// [`ReplyError`].
    pub fn finish(&mut self) -> Result<&[u8], ReplyError> {
        todo!()
    }
}
