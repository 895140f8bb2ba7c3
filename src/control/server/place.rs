//! One client: what it asks, and what it has not read yet.

use crate::control::json::Line;
use crate::control::request::{Command, Refusal};
use crate::control::{Job, MAX_LINE, MAX_REQUEST, Source, Step, begin};
use crate::time::{Duration, Instant};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

/// How long a client may ask for nothing.
pub(super) const IDLE: Duration = Duration::from_secs(30);

/// How long a client may take nothing of what there is for it.
pub(super) const STALL: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Client {
    pub(super) stream: UnixStream,
    pub(super) input: heapless::Vec<u8, MAX_REQUEST>,
    pub(super) job: Option<Job>,
    /// When it last asked for something, or took something.
    pub(super) active: Instant,
    /// There is nothing more to be read from it now.
    pub(super) is_drained: bool,
    /// It will ask for nothing more.
    pub(super) is_half_closed: bool,
    /// It goes once it has taken what there is.
    pub(super) is_leaving: bool,
}

/// A place for a client; its buffer stays.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) client: Option<Client>,
    /// What it has not taken yet. Has [`MAX_LINE`] from the start, so that it never grows.
    pub(super) output: Vec<u8>,
    /// Bytes of it that are written.
    pub(super) sent: usize,
}

impl Place {
    pub(super) fn clear(&mut self) {
        self.client = None;
        self.output.clear();
        self.sent = 0;
    }

    /// Whether it is answered, or has not taken all of it.
    pub(super) fn is_busy(&self) -> bool {
        !self.output.is_empty() || self.client.as_ref().is_some_and(|client| client.job.is_some())
    }

    /// Whether something can be done for it now.
    pub(super) fn has_work(&self) -> bool {
        let Some(client) = &self.client else { return false };
        self.output.is_empty() && (client.job.is_some() || client.input.contains(&b'\n') || !client.is_drained)
    }

    /// When it is to be gone.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let client = self.client.as_ref()?;
        let patience = match (self.output.is_empty(), &client.job) {
            (false, _) => STALL,
            (true, None) => IDLE,
            (true, Some(_)) => return None,
        };
        Some(client.active.after(patience))
    }

    pub(super) fn turn(&mut self, budget: &mut usize, now: Instant, source: &mut dyn Source) {
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
                Step::Wait => {
                    output.clear();
                    return false;
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
            Ok(command) => client.job = Some(Job::new(command)),
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

pub(super) fn write_error(output: &mut Vec<u8>, error: &str, text: &str) {
    let mut line = Line::new(output, MAX_LINE);
    begin(&mut line, "error");
    line.text("error", &error);
    line.text("text", &text);
    line.text("version", &env!("CARGO_PKG_VERSION"));
    // There is room: it is short, and nothing is written before what waits is taken.
    line.finish();
}
