//! `debug_port`: the log over TCP, for `netcat ADDRESS PORT`.
//!
//! A reader gets every line from the moment it connects, and the last ones before: those that were written anyway, since without a reader
//! no debug line is made for the port. It is never waited for: who does not read for some seconds, or falls a ring behind, is
//! dropped. What readers send is thrown away; there are no commands.

use super::ring::Ring;
use super::{LOGGER, REPLAY, RING, held};
use crate::log_class::PROCESS;
use core::fmt;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Mutex;
use std::time::Instant;

/// Readers at a time.
pub const MAX_DEBUG_READERS: usize = 4;

/// What the one too many reads.
const REFUSAL: &str =
    "siproxd: as many readers as there is room for are here already; try again when one of them has gone\n";

/// How long a reader may refuse to take what there is.
const STALL: Duration = Duration::from_secs(10);

/// Connections taken in one turn of the event loop, so that a flood of them leaves time for the telephones.
const ACCEPT_BUDGET: usize = 16;

/// Reads of one turn, each of [`DISCARD`] bytes, before a reader counts as one that means to flood us.
const READ_BUDGET: usize = 64;
const DISCARD: usize = 2048;

/// The readers' connections once more, for what a panic has to say while nothing else may be relied on.
static CONNECTIONS: Mutex<[Option<TcpStream>; MAX_DEBUG_READERS]> = Mutex::new([const { None }; MAX_DEBUG_READERS]);

/// Sends text to all readers, behind whatever they have been sent so far; they are not waited for.
pub(super) fn last_words(text: &str) {
    if let Ok(mut connections) = CONNECTIONS.try_lock() {
        for stream in connections.iter_mut().flatten() {
            let _ = stream.write_all(b"\n").and_then(|()| stream.write_all(text.as_bytes()));
        }
    }
}

/// The listener and its readers, part of the event loop.
#[derive(Debug)]
pub struct DebugPort {
    listener: TcpListener,
    readers: [Option<Reader>; MAX_DEBUG_READERS],
    first_token: usize,
}

#[derive(Debug)]
struct Reader {
    stream: TcpStream,
    from: SocketAddr,
    /// The next byte of the ring it gets.
    position: u64,
    /// Since when it takes nothing.
    stalled_at: Option<Instant>,
    /// It will send nothing more; netcat does that when its input ends.
    is_half_closed: bool,
}

/// Why a reader is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Drop {
    Closed,
    Slow,
    Flood,
}

impl fmt::Display for Drop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "it closed the connection",
            Self::Slow => "it does not keep up",
            Self::Flood => "it sends instead of reading",
        })
    }
}

impl DebugPort {
    /// Tokens it takes from the event loop.
    pub const TOKENS: usize = MAX_DEBUG_READERS + 1;

    /// Listens on `address`.
    ///
    /// # Errors
    /// Those of the system: the port is taken, or the address is not ours.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        LOGGER.set_debug_port(true);
        Ok(Self { listener, readers: [const { None }; MAX_DEBUG_READERS], first_token: 0 })
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// Those of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Takes part in the event loop, with [`Self::TOKENS`] tokens from `first_token` on.
    ///
    /// # Errors
    /// Those of the system.
    pub fn register(&mut self, registry: &Registry, first_token: usize) -> io::Result<()> {
        self.first_token = first_token;
        registry.register(&mut SourceFd(&self.listener.as_raw_fd()), Token(first_token), Interest::READABLE)
    }

    /// Listens on `address` from now on, for the readers that come; those it has stay.
    ///
    /// # Errors
    /// Those of the system; it listens where it did before, then.
    pub fn move_to(&mut self, address: SocketAddr, registry: &Registry) -> io::Result<()> {
        let before = self.local_addr()?;
        let token = Token(self.first_token);
        let listen = |address| {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            registry.register(&mut SourceFd(&listener.as_raw_fd()), token, Interest::READABLE)?;
            io::Result::Ok(listener)
        };
        self.listener = match listen(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && before.port() == address.port() => {
                // It may be we who have the port, for all addresses or for one of them. Nobody gets through meanwhile.
                self.listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
                listen(address).or_else(|error| {
                    self.listener = listen(before)?;
                    Err(error)
                })?
            }
            listener => listener?,
        };
        Ok(())
    }

    /// Handles the event of one of its tokens; others are ignored.
    pub fn ready(&mut self, token: usize, registry: &Registry) {
        match token.checked_sub(self.first_token) {
            Some(0) => self.accept(registry),
            Some(n) => {
                let slot = n - 1;
                let fate = match self.readers.get_mut(slot) {
                    Some(Some(reader)) => reader.discard(),
                    _ => return,
                };
                if let Err(reason) = fate {
                    self.drop_reader(slot, reason);
                }
                self.pump();
            }
            None => (),
        }
    }

    /// Hands on to the readers what was logged since; call once in each turn of the event loop. Costs nothing without a reader.
    pub fn pump(&mut self) {
        if self.readers.iter().all(Option::is_none) {
            return;
        }
        let mut fates = [None; MAX_DEBUG_READERS];
        {
            // Nothing may be logged in here: the logger would wait for this very lock.
            let ring = held(&RING);
            for (reader, fate) in self.readers.iter_mut().zip(&mut fates) {
                *fate = reader.as_mut().and_then(|reader| reader.pump(&ring).err());
            }
        }
        for (slot, fate) in fates.into_iter().enumerate() {
            if let Some(reason) = fate {
                self.drop_reader(slot, reason);
            }
        }
    }

    fn accept(&mut self, registry: &Registry) {
        for _ in 0..ACCEPT_BUDGET {
            match self.listener.accept() {
                Ok((stream, from)) => self.admit(stream, from, registry),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // One connection failed, or we are short of descriptors: the next event tries again.
                Err(_) => return,
            }
        }
    }

    fn admit(&mut self, mut stream: TcpStream, from: SocketAddr, registry: &Registry) {
        let place = self.readers.iter().position(Option::is_none);
        // A reader that has closed its side may be gone; it has to make room for one that is there.
        let place = place.or_else(|| self.readers.iter().position(|r| r.as_ref().is_some_and(|r| r.is_half_closed)));
        let Some(slot) = place else {
            log::warn!(target: PROCESS, "debug_port: {from} refused, there are {MAX_DEBUG_READERS} readers already");
            // A new connection takes it at once, or never.
            let _ = stream.set_nonblocking(true).and_then(|()| stream.write_all(REFUSAL.as_bytes()));
            return;
        };
        let token = Token(self.first_token + 1 + slot);
        let banner = concat!("Welcome to the log of siproxd\nsiproxd ", env!("CARGO_PKG_VERSION"), "\n");
        let interest = Interest::READABLE | Interest::WRITABLE;
        // The buffer of a new connection is empty: what it does not take at once, it never takes.
        let started = stream
            .set_nonblocking(true)
            .and_then(|()| stream.write_all(banner.as_bytes()))
            .and_then(|()| registry.register(&mut SourceFd(&stream.as_raw_fd()), token, interest));
        if started.is_err() {
            return;
        }
        if let Some(connection) = held(&CONNECTIONS).get_mut(slot) {
            *connection = stream.try_clone().ok();
        }
        if let Some(place) = self.readers.get_mut(slot) {
            let position = held(&RING).lines_of_last(REPLAY);
            *place = Some(Reader { stream, from, position, stalled_at: None, is_half_closed: false });
        }
        self.count();
        log::info!(target: PROCESS, "debug_port: {from} reads the log");
    }

    fn drop_reader(&mut self, slot: usize, reason: Drop) {
        // Closing both takes it out of the event loop as well.
        if let Some(reader) = self.readers.get_mut(slot).and_then(Option::take) {
            held(&CONNECTIONS).get_mut(slot).and_then(Option::take);
            self.count();
            log::info!(target: PROCESS, "debug_port: {} dropped, {reason}", reader.from);
        }
    }

    fn count(&self) {
        LOGGER.set_readers(self.readers.iter().flatten().count() as u32);
    }
}

impl core::ops::Drop for DebugPort {
    fn drop(&mut self) {
        held(&CONNECTIONS).fill_with(|| None);
        LOGGER.set_readers(0);
        LOGGER.set_debug_port(false);
    }
}

impl Reader {
    /// Writes what it has not got yet, as far as it takes it.
    fn pump(&mut self, ring: &Ring) -> Result<(), Drop> {
        loop {
            let text = ring.from(self.position).ok_or(Drop::Slow)?;
            if text.is_empty() {
                self.stalled_at = None;
                return Ok(());
            }
            match self.stream.write(text) {
                Ok(0) => return Err(Drop::Closed),
                Ok(n) => {
                    self.position += n as u64;
                    self.stalled_at = None;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let since = *self.stalled_at.get_or_insert_with(Instant::now);
                    return if since.elapsed() > STALL { Err(Drop::Slow) } else { Ok(()) };
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(_) => return Err(Drop::Closed),
            }
        }
    }

    /// Throws away what it sends.
    fn discard(&mut self) -> Result<(), Drop> {
        let mut bytes = [0; DISCARD];
        for _ in 0..READ_BUDGET {
            match self.stream.read(&mut bytes) {
                Ok(0) => {
                    self.is_half_closed = true;
                    return Ok(());
                }
                Ok(_) => (),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(_) => return Err(Drop::Closed),
            }
        }
        Err(Drop::Flood)
    }
}

#[cfg(test)]
mod tests;
