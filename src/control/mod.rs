//! The control socket: what the daemon is asked and told by programs on the same machine, and the commands that do so.
//!
//! A unix stream socket for root, the daemon's own user and its group. Requests and answers are JSON, one object a line, as
//! `docs/control.md` has them. [`server`] is the daemon's side: a fixed number of clients, each with a fixed room for its request and for
//! what it has not read yet; none of them is waited for. Long answers are written piece by piece, a few lines in one turn of the event
//! loop. What the lines say is for [`Source`] to know. [`client`] is the other side, in the same program.

pub mod answer;
pub mod client;
pub mod json;
pub mod request;
pub mod server;
pub mod socket;

use crate::log::tail::Tail;
use crate::reload::Reload;
use json::Line;
use request::{Command, Refusal};
use std::path::{Path, PathBuf};

/// Version of the protocol. It changes only when what there is changes its meaning; what is added does not count.
pub const PROTOCOL: u64 = 1;

/// Bytes of the longest request, with the end of its line.
pub const MAX_REQUEST: usize = 1024;

/// Bytes of the longest line of an answer.
pub const MAX_LINE: usize = 16 * 1024;

/// Clients at a time.
pub const MAX_CLIENTS: usize = 8;

/// Bytes of memory that clients take at most.
pub const BYTES: usize = MAX_CLIENTS * (MAX_REQUEST + MAX_LINE);

/// What tells one daemon from another.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Its name, where it has one.
    pub instance: Option<String>,
    /// Its configuration file.
    pub config: PathBuf,
}

impl Identity {
    /// A daemon with this name and file.
    #[must_use]
    pub fn new(instance: Option<&str>, config: &Path) -> Self {
        let config = std::path::absolute(config).unwrap_or_else(|_| config.to_owned());
        Self { instance: instance.map(str::to_owned), config }
    }
}

/// How far an answer has come.
#[derive(Debug)]
pub struct Job {
    /// What was asked for.
    pub command: Command,
    /// Where in the table the next entry is looked for.
    pub from: usize,
    /// Lines written so far.
    pub lines: u32,
    /// Of [`Command::Log`]: where in the log it is.
    pub tail: Option<Tail>,
    /// Of [`Command::Reload`]: what came of it.
    pub reload: Option<Reload>,
}

impl Job {
    /// An answer of which nothing is written yet.
    #[must_use]
    pub const fn new(command: Command) -> Self {
        Self { command, from: 0, lines: 0, tail: None, reload: None }
    }
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A line was written, and there may be more.
    More,
    /// There is nothing now, but may be later.
    Wait,
    /// There is nothing more: nothing was written.
    Done,
    /// It cannot be done.
    Refused(Refusal),
}

/// Who knows the answers.
pub trait Source {
    /// Writes the next line of an answer, if there is one. A line that begins with [`begin`] is to be finished by the caller.
    fn step(&mut self, job: &mut Job, line: &mut Line<'_>) -> Step;
}

/// Begins a line of an answer with what all of them have.
pub(crate) fn begin(line: &mut Line<'_>, kind: &str) {
    line.value("v", PROTOCOL);
    line.text("type", &kind);
}
