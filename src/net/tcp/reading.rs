//! What comes over a connection: taken in turn, cut into messages, the rest held until more comes.

use super::connection::append;
use super::{CHUNK, Tcp};
use crate::engine::io::ConnId;
use crate::limits::MAX_DATAGRAM;
use crate::log_class::{NET, TRAFFIC, log};
use crate::net::text::Text;
use crate::sip::framing::Frame;
use crate::time::Instant;
use std::io::{self, Read};

impl Tcp {
    /// A connection that may have something to read; another one each time.
    pub fn next_readable(&mut self) -> Option<ConnId> {
        let from = self.first_place;
        let readable = self.connections.iter().filter(|(_, c)| c.readable && c.is_open).map(|(conn, _)| conn);
        let next = readable.min_by_key(|conn| (conn.index() < from, conn.index()))?;
        self.first_place = next.index() + 1;
        Some(next)
    }

    /// Reads from a connection into `buffer`, of [`MAX_DATAGRAM`] bytes, behind what was held of it. Gives the number of bytes in
    /// the buffer; 0 where there is nothing new, or the connection is over.
    pub fn receive(&mut self, conn: ConnId, buffer: &mut [u8]) -> usize {
        let Some(c) = self.connections.get_mut(conn) else { return 0 };
        let held = c.held.len();
        let Some(room) = buffer.get_mut(held..) else { return 0 };
        let chunk = room.len().min(CHUNK);
        let result = loop {
            match (&c.socket).read(&mut room[..chunk]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        match result {
            Ok(0) => self.close(conn, "by the peer"),
            Ok(count) => {
                buffer[..held].copy_from_slice(&c.held);
                return held + count;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => c.readable = false,
            Err(error) => self.close(conn, &error.to_string()),
        }
        0
    }

    /// The frame that `bytes` of a connection begin with; `None` where there is no whole one, or the connection is over.
    pub fn frame(&mut self, conn: ConnId, bytes: &[u8], now: Instant) -> Option<Frame> {
        let c = self.connections.get_mut(conn)?;
        match c.framer.next(bytes) {
            Ok(Frame::Partial) => None,
            Ok(Frame::Message(length)) => {
                c.used = now;
                let message = bytes.get(..length).unwrap_or(bytes);
                log::debug!(target: TRAFFIC, "{length} bytes from {} (TCP)\n{}", c.remote, Text(&[message]));
                Some(Frame::Message(length))
            }
            Ok(frame) => Some(frame),
            Err(error) => {
                log::info!(target: NET, "connection with {} closed: its bytes are no SIP messages: {error:?}", c.remote);
                self.close(conn, "it cannot be read");
                None
            }
        }
    }

    /// Holds what is left of the bytes of [`Self::receive`] until more come.
    pub fn hold(&mut self, conn: ConnId, rest: &[u8]) {
        let waiting = self.waiting();
        let Some(c) = self.connections.get_mut(conn) else { return };
        let waiting = waiting - c.held.capacity();
        if rest.is_empty() {
            c.held = Vec::new();
            return;
        }
        c.held.clear();
        if rest.len() >= MAX_DATAGRAM || !append(&mut c.held, rest, waiting) {
            self.close(conn, "there is no memory for its messages");
        }
    }
}
