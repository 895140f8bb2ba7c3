//! One TCP connection: its socket, the beginning of the message that comes in, and what its peer has not taken yet.

use crate::limits::{MAX_PARTS, MAX_STREAM_BYTES, MAX_STREAM_QUEUE};
use crate::net::text::size;
use crate::sip::framing::Framer;
use crate::time::Instant;
use core::net::{IpAddr, SocketAddr};
use socket2::Socket;
use std::io::{self, IoSlice};

/// Buffers grow by this many bytes at least.
const GROWTH: usize = 2048;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: Socket,
    pub(super) local: IpAddr,
    pub(super) remote: SocketAddr,
    pub(super) accepted: bool,
    pub(super) is_open: bool,
    /// There may be something to read.
    pub(super) readable: bool,
    pub(super) framer: Framer,
    /// The beginning of a message.
    pub(super) held: Vec<u8>,
    /// What the peer has not taken yet; the first `taken` bytes it has.
    pub(super) queue: Vec<u8>,
    pub(super) taken: usize,
    /// When it was made, or a message went over it last.
    pub(super) used: Instant,
    /// When anything was sent last.
    pub(super) sent: Instant,
}

impl Connection {
    /// Whether a connection of ours is open now.
    pub(super) fn is_connected(&self) -> io::Result<bool> {
        match self.socket.take_error()? {
            Some(error) => Err(error),
            None => Ok(self.socket.peer_addr().is_ok()),
        }
    }

    /// Sends what the peer takes now and queues the rest.
    pub(super) fn send(&mut self, parts: &[&[u8]], waiting: usize) -> Result<(), &'static str> {
        let mut done = 0;
        if self.is_open && self.queue.is_empty() {
            let slices: heapless::Vec<IoSlice<'_>, MAX_PARTS> = parts.iter().map(|part| IoSlice::new(part)).collect();
            done = unless_busy(|| self.socket.send_vectored(&slices)).map_err(|_| "it is broken")?;
        }
        if done == size(parts) {
            return Ok(());
        }
        for part in parts {
            let rest = part.get(done..).unwrap_or_default();
            done = done.saturating_sub(part.len());
            let others = waiting.saturating_sub(self.queue.capacity());
            if self.queue.len() + rest.len() > MAX_STREAM_QUEUE || !append(&mut self.queue, rest, others) {
                return Err("its peer does not take what it is sent");
            }
        }
        if self.is_open { self.flush().map_err(|_| "it is broken") } else { Ok(()) }
    }

    /// Sends what is queued, as far as the peer takes it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while let Some(rest) = self.queue.get(self.taken..).filter(|rest| !rest.is_empty()) {
            match unless_busy(|| self.socket.send(rest))? {
                0 => return Ok(()),
                count => self.taken += count,
            }
        }
        self.queue = Vec::new();
        self.taken = 0;
        Ok(())
    }
}

/// Bytes sent by `send`, 0 where the socket takes none now.
fn unless_busy(send: impl Fn() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match send() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            result => return result,
        }
    }
}

/// Appends to a buffer while all others hold `others` bytes; `false` where that is more than all may hold together.
pub(super) fn append(buffer: &mut Vec<u8>, bytes: &[u8], others: usize) -> bool {
    let length = buffer.len() + bytes.len();
    if length > buffer.capacity() {
        let wanted = length.next_multiple_of(GROWTH);
        if others + wanted > MAX_STREAM_BYTES || buffer.try_reserve_exact(wanted - buffer.len()).is_err() {
            return false;
        }
    }
    buffer.extend_from_slice(bytes);
    true
}
