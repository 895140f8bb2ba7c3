//! A connection to the daemon, and how long is waited for it: so long for each line, or so long for all.

use core::fmt;
use core::time::Duration;
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

/// How long the daemon may take for a line.
const PER_LINE: Duration = Duration::from_secs(10);

/// How long is waited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    time: Duration,
    /// Whether that is for all of the answers, and not for each line.
    for_all: bool,
}

impl Patience {
    /// As `--timeout` says.
    pub(super) fn new(seconds: Option<u64>) -> Self {
        Self { time: seconds.map_or(PER_LINE, Duration::from_secs), for_all: seconds.is_some() }
    }
}

/// What is said once it has come to its end.
impl fmt::Display for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the daemon does not answer within {} seconds", self.time.as_secs())
    }
}

/// A connection that ends with [`io::ErrorKind::WouldBlock`] when it takes too long.
#[derive(Debug)]
pub(super) struct Patient {
    stream: UnixStream,
    patience: Patience,
    /// When all of the answers must be here.
    end: Option<Instant>,
}

impl Patient {
    /// Connects to a socket.
    pub(super) fn connect(path: &Path, patience: Patience) -> io::Result<Self> {
        let end = Instant::now() + patience.time;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_read_timeout(Some(patience.time))?;
        // A daemon that stands still takes nobody once its queue is full; the time for writing is that for connecting, too.
        socket.set_write_timeout(Some(patience.time))?;
        socket.connect(&SockAddr::unix(path)?)?;
        Ok(Self { stream: OwnedFd::from(socket).into(), patience, end: patience.for_all.then_some(end) })
    }

    pub(super) const fn patience(&self) -> Patience {
        self.patience
    }

    /// Has the time for all begin now.
    pub(super) fn begin(&mut self) {
        self.end = self.patience.for_all.then(|| Instant::now() + self.patience.time);
    }

    /// Waits without an end from now on.
    pub(super) fn wait_for_ever(&mut self) -> io::Result<()> {
        self.end = None;
        self.stream.set_read_timeout(None)
    }

    pub(super) fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request)
    }
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(end) = self.end {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.stream.set_read_timeout(Some(left))?;
        }
        self.stream.read(buffer)
    }
}
