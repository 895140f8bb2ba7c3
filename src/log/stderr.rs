//! Lines to stderr, without ever waiting for whoever reads it.
//!
//! A pipe whose reader stalls takes 64 KiB and then blocks its writer. So each piece is written only when the system says
//! that it has room for one; otherwise the rest of the line is lost, and the next line that passes says how many were.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{fstat, makedev};
use std::io::Write as _;
use std::os::fd::AsFd as _;

/// A writable pipe takes this much without blocking (pipe(7): PIPE_BUF).
const PIECE: usize = 4096;

/// `/dev/null`, by whatever name (Linux: Documentation/admin-guide/devices.txt).
const NULL: u64 = makedev(1, 3);

/// What is known of stderr's reader.
#[derive(Debug)]
pub(super) struct Stderr {
    lost: u32,
}

impl Stderr {
    pub(super) const fn new() -> Self {
        Self { lost: 0 }
    }

    /// Writes a line, or counts it as lost.
    pub(super) fn write(&mut self, line: &[u8]) {
        if self.lost > 0 {
            let note = format!("({} log lines were lost here: nobody read them)\n", self.lost);
            if !write_piecewise(note.as_bytes()) {
                self.lost = self.lost.saturating_add(1);
                return;
            }
            self.lost = 0;
        }
        if !write_piecewise(line) {
            self.lost = 1;
        }
    }
}

/// Whether it is `/dev/null`: a supervisor, such as OpenWrt's procd, that keeps what it starts in the foreground and expects
/// the log elsewhere.
pub(super) fn is_unread() -> bool {
    fstat(std::io::stderr().as_fd()).is_ok_and(|ours| ours.st_rdev == NULL)
}

/// Writes as long as there is room; `false` where some is left.
fn write_piecewise(text: &[u8]) -> bool {
    let stderr = std::io::stderr();
    text.chunks(PIECE).all(|piece| {
        let mut fds = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
        let has_room = poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0);
        // Nowhere to complain where stderr is gone.
        has_room && stderr.lock().write_all(piece).is_ok()
    })
}
