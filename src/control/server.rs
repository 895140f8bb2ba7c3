//! The daemon's side of the control socket.
//!
//! ```text
//!   connected ──▶ reads ──a whole line──▶ answers ──its last line is written──▶ reads
//!                   │                        │
//!                   └─ silent for IDLE       └─ takes nothing for STALL ──▶ gone
//! ```
//! While a client is answered nothing more is read from it. Each line, read or written, counts against a budget that all clients share; what
//! is left waits for [`PAUSE`], so that neither a long answer nor a flood of requests keeps media waiting.

mod place;

use super::socket::ControlSocket;
use super::{MAX_CLIENTS, MAX_LINE, Source};
use crate::time::{Duration, Instant};
use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use place::{Client, Place, write_error};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

/// Lines, read and written, in one turn.
const BUDGET: usize = 2;

/// Time until the next ones.
const PAUSE: Duration = Duration::from_millis(4);

/// Connections taken in one turn.
const ACCEPT_BUDGET: usize = 8;

/// How long it has to, before it makes room for another.
const SPARE: Duration = Duration::from_secs(1);

/// The socket and its clients, part of the event loop.
#[derive(Debug)]
pub struct Server {
    socket: ControlSocket,
    registry: Registry,
    first_token: usize,
    places: [Place; MAX_CLIENTS],
    /// Whose turn it is first.
    first: usize,
    /// When there is more to do, though nothing comes.
    resume_at: Option<Instant>,
    has_connections: bool,
}

impl Server {
    /// Tokens it takes from the event loop.
    pub const TOKENS: usize = MAX_CLIENTS + 1;

    /// Takes part in the event loop, with [`Self::TOKENS`] tokens from `first_token` on.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(socket: ControlSocket, registry: Registry, first_token: usize) -> io::Result<Self> {
        registry.register(&mut SourceFd(&socket.listener.as_raw_fd()), Token(first_token), Interest::READABLE)?;
        let place = || Place { client: None, output: Vec::with_capacity(MAX_LINE), sent: 0 };
        Ok(Self {
            socket,
            registry,
            first_token,
            places: core::array::from_fn(|_| place()),
            first: 0,
            resume_at: None,
            has_connections: false,
        })
    }

    /// Whether a token is one of its own.
    #[must_use]
    pub const fn has(&self, token: Token) -> bool {
        token.0 >= self.first_token && token.0 < self.first_token + Self::TOKENS
    }

    /// Notes an event of one of its tokens; [`Self::turn`] acts on it.
    pub fn ready(&mut self, event: &Event) {
        match event.token().0.checked_sub(self.first_token + 1) {
            None => self.has_connections = true,
            Some(slot) => {
                let Some(place) = self.places.get_mut(slot) else { return };
                if event.is_write_closed() {
                    // It is gone, not merely silent: whatever is left for it is for nobody.
                    place.clear();
                } else if let Some(client) = &mut place.client {
                    client.is_drained &= !event.is_readable();
                }
            }
        }
    }

    /// When [`Self::turn`] is wanted, though no event comes.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let deadlines = self.places.iter().filter_map(Place::deadline);
        deadlines.chain(self.resume_at).min()
    }

    /// Takes connections and requests, and goes on with answers. Call once in each turn of the event loop.
    pub fn turn(&mut self, now: Instant, source: &mut dyn Source) {
        let may_work = self.resume_at.is_none_or(|at| at <= now);
        if may_work && self.has_connections {
            self.accept(now);
        }
        if !self.has_connections && self.places.iter().all(|place| place.client.is_none()) {
            self.resume_at = None;
            return;
        }
        let mut budget = if may_work { BUDGET } else { 0 };
        for number in (0..MAX_CLIENTS).map(|n| (self.first + n) % MAX_CLIENTS) {
            let Some(place) = self.places.get_mut(number) else { continue };
            place.turn(&mut budget, now, source);
        }
        self.first = (self.first + 1) % MAX_CLIENTS;
        if may_work {
            let has_more = self.has_connections || (budget == 0 && self.places.iter().any(Place::has_work));
            self.resume_at = has_more.then(|| now.after(PAUSE));
        }
    }

    fn accept(&mut self, now: Instant) {
        for _ in 0..ACCEPT_BUDGET {
            match self.socket.listener.accept() {
                Ok((stream, _)) => self.admit(stream, now),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.has_connections = false;
                    return;
                }
                // We are short of descriptors: those that wait are taken with the next one that comes.
                Err(_) => {
                    self.has_connections = false;
                    return;
                }
            }
        }
    }

    fn admit(&mut self, mut stream: UnixStream, now: Instant) {
        // Owner, group and mode of the socket's file have let him in.
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        let free = self.places.iter().position(|place| place.client.is_none());
        let Some(slot) = free.or_else(|| self.least_wanted(now)) else {
            return refuse(&mut stream, "busy", "the daemon has as many clients as it takes; try again");
        };
        let token = Token(self.first_token + 1 + slot);
        let Some(place) = self.places.get_mut(slot) else { return };
        // Before the new one: to close the old stream takes it out of the event loop.
        place.clear();
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.registry.register(&mut SourceFd(&stream.as_raw_fd()), token, interest).is_ok() {
            let (input, job) = (heapless::Vec::new(), None);
            place.client = Some(Client {
                stream,
                input,
                job,
                active: now,
                is_drained: false,
                is_half_closed: false,
                is_leaving: false,
            });
        }
    }

    /// The client that has asked for nothing for longest, if that is long enough.
    fn least_wanted(&self, now: Instant) -> Option<usize> {
        let idle = self.places.iter().enumerate().filter(|(_, place)| !place.is_busy());
        let (slot, since) = idle
            .filter_map(|(slot, place)| Some((slot, place.client.as_ref()?.active)))
            .min_by_key(|(_, since)| *since)?;
        (now.since(since) >= SPARE).then_some(slot)
    }
}

/// Says why there is no place; nothing is waited for.
fn refuse(stream: &mut UnixStream, error: &str, text: &str) {
    let mut line = Vec::new();
    write_error(&mut line, error, text);
    let _ = stream.write(&line);
}

#[cfg(test)]
mod tests;
