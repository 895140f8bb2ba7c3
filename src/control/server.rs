//! The daemon's side of the control socket.
//!
//! ```text
//!   connected ──▶ reads ──a whole line──▶ answers ──its last line is written──▶ reads
//!                   │                        │
//!                   └─ silent for IDLE       └─ takes nothing for STALL ──▶ gone
//! ```
//! While a client is answered nothing more is read from it. Each line, read or written, counts against a budget that all clients share; what
//! is left waits for [`PAUSE`], so that neither a long answer nor a flood of requests keeps media waiting.

use super::json::Line;
use super::peer::Peer;
use super::request::{Command, Refusal};
use super::socket::ControlSocket;
use super::{Job, MAX_CLIENTS, MAX_LINE, MAX_REQUEST, Source, Step, begin};
use crate::log_class::PROCESS;
use crate::time::{Duration, Instant};
use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

/// Lines, read and written, in one turn.
const BUDGET: usize = 2;

/// Time until the next ones.
const PAUSE: Duration = Duration::from_millis(1);

/// Connections taken in one turn.
const ACCEPT_BUDGET: usize = 8;

/// How long a client may ask for nothing.
const IDLE: Duration = Duration::from_secs(30);

/// How long it has to, before it makes room for another.
const SPARE: Duration = Duration::from_secs(1);

/// How long a client may take nothing of what there is for it.
const STALL: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Client {
    stream: UnixStream,
    input: heapless::Vec<u8, MAX_REQUEST>,
    job: Option<Job>,
    /// When it last asked for something, or took something.
    active: Instant,
    /// There is nothing more to be read from it now.
    is_drained: bool,
    /// It will ask for nothing more.
    is_half_closed: bool,
    /// It goes once it has taken what there is.
    is_leaving: bool,
}

/// A place for a client; its buffer stays.
#[derive(Debug)]
struct Place {
    client: Option<Client>,
    /// What it has not taken yet. Has [`MAX_LINE`] from the start, so that it never grows.
    output: Vec<u8>,
    /// Bytes of it that are written.
    sent: usize,
}

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
    /// The last user that was refused.
    refused: Option<u32>,
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
            refused: None,
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
        let Some(peer) = Peer::of(&stream).filter(|_| stream.set_nonblocking(true).is_ok()) else { return };
        if !peer.is_allowed() {
            if self.refused.replace(peer.user) != Some(peer.user) {
                let Peer { user, group, process } = peer;
                log::warn!(target: PROCESS, "control socket: process {process} of user {user}, group {group} refused");
            }
            return refuse(&mut stream, "denied", "only root, and the daemon's user and group, may talk to it");
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

fn write_error(output: &mut Vec<u8>, error: &str, text: &str) {
    let mut line = Line::new(output, MAX_LINE);
    begin(&mut line, "error");
    line.text("error", &error);
    line.text("text", &text);
    line.text("version", &env!("CARGO_PKG_VERSION"));
    // There is room: it is short, and nothing is written before what waits is taken.
    line.finish();
}

impl Place {
    fn clear(&mut self) {
        self.client = None;
        self.output.clear();
        self.sent = 0;
    }

    /// Whether it is answered, or has not taken all of it.
    fn is_busy(&self) -> bool {
        !self.output.is_empty() || self.client.as_ref().is_some_and(|client| client.job.is_some())
    }

    /// Whether something can be done for it now.
    fn has_work(&self) -> bool {
        let Some(client) = &self.client else { return false };
        self.output.is_empty() && (client.job.is_some() || client.input.contains(&b'\n') || !client.is_drained)
    }

    /// When it is to be gone.
    fn deadline(&self) -> Option<Instant> {
        let client = self.client.as_ref()?;
        let patience = match (self.output.is_empty(), client.job) {
            (false, _) => STALL,
            (true, None) => IDLE,
            (true, Some(_)) => return None,
        };
        Some(client.active.after(patience))
    }

    fn turn(&mut self, budget: &mut usize, now: Instant, source: &mut dyn Source) {
        if self.client.is_none() {
            return;
        }
        let mut fate = self.write(now);
        while fate.is_ok() && *budget > 0 && self.output.is_empty() {
            if !self.work(now, source) {
                break;
            }
            *budget -= 1;
            fate = self.write(now);
        }
        fate = fate.and_then(|()| self.write(now));
        let is_late = self.deadline().is_some_and(|at| at <= now);
        if fate.is_err() || is_late {
            self.clear();
        }
    }

    /// Does one piece of work, if there is any: goes on with an answer, or reads a request.
    fn work(&mut self, now: Instant, source: &mut dyn Source) -> bool {
        let Self { client: Some(client), output, .. } = self else { return false };
        if client.is_leaving {
            return false;
        }
        if let Some(job) = &mut client.job {
            let mut line = Line::new(output, MAX_LINE);
            match source.step(job, &mut line) {
                Step::More => {
                    // One that does not fit is left out, and not counted.
                    job.lines = job.lines.saturating_add(line.finish().into());
                }
                Step::Refused(refusal) => {
                    client.job = None;
                    output.clear();
                    let (error, text) = refusal.words();
                    write_error(output, error, text);
                }
                Step::Done => {
                    let (name, lines) = (job.command.name(), job.lines);
                    client.job = None;
                    output.clear();
                    let mut line = Line::new(output, MAX_LINE);
                    begin(&mut line, "end");
                    line.text("command", &name);
                    line.value("lines", lines);
                    line.finish();
                }
            }
            return true;
        }
        let Some(request) = client.request(now) else { return false };
        match request {
            Ok(command) => client.job = Some(Job { command, from: 0, lines: 0 }),
            Err(refusal) => {
                let (error, text) = refusal.words();
                write_error(output, error, text);
                client.is_leaving = refusal.is_final();
            }
        }
        true
    }

    /// Writes what it takes.
    ///
    /// # Errors
    /// It is gone, or is to go.
    fn write(&mut self, now: Instant) -> Result<(), ()> {
        let Some(client) = &mut self.client else { return Ok(()) };
        while let Some(rest) = self.output.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match client.stream.write(rest) {
                Ok(0) => return Err(()),
                Ok(length) => {
                    self.sent += length;
                    client.active = now;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(()),
            }
        }
        self.output.clear();
        self.sent = 0;
        let is_done = client.is_half_closed && client.job.is_none() && client.input.is_empty();
        if client.is_leaving || is_done { Err(()) } else { Ok(()) }
    }
}

impl Client {
    /// The next request, if a whole one has come.
    fn request(&mut self, now: Instant) -> Option<Result<Command, Refusal>> {
        if !self.input.contains(&b'\n') {
            self.read();
        }
        let Some(end) = self.input.iter().position(|byte| *byte == b'\n') else {
            if self.input.is_full() {
                return Some(Err(Refusal::TooLong));
            }
            if self.is_half_closed {
                // The rest of a line: whoever sent it is gone.
                self.input.clear();
                self.is_leaving = true;
            }
            return None;
        };
        self.active = now;
        let request = Command::parse(self.input.get(..end).unwrap_or_default().trim_ascii());
        let rest = end + 1;
        self.input.copy_within(rest.., 0);
        self.input.truncate(self.input.len() - rest);
        Some(request)
    }

    fn read(&mut self) {
        let mut bytes = [0; MAX_REQUEST];
        while !self.input.is_full() {
            let room = self.input.capacity() - self.input.len();
            let Some(space) = bytes.get_mut(..room) else { return };
            match self.stream.read(space) {
                Ok(0) => {
                    (self.is_drained, self.is_half_closed) = (true, true);
                    return;
                }
                Ok(length) => {
                    // As much as there is room for was asked for.
                    let _ = self.input.extend_from_slice(space.get(..length).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.is_drained = true;
                    self.is_half_closed |= error.kind() != io::ErrorKind::WouldBlock;
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
