//! The process: into the background, privileges, process number file, signals, panics.

#[cfg(feature = "landlock")]
mod confine;
mod crash;
mod later;
mod memory;
mod pid_file;
mod power;
mod privileges;
mod signals;

pub use crash::{keep_crashes_beside, watch_panics};
pub use later::out_of_reach;
pub use memory::resident;
pub use pid_file::PidFile;
pub use power::{Powers, with_net_admin};
pub use privileges::Privileges;
pub use signals::{Signal, Signals, hold as hold_signals};

use nix::unistd;
use std::fs::{File, OpenOptions};
use std::io;

/// The way into the background, prepared while every file is still in reach.
#[derive(Debug)]
pub struct Background {
    null: File,
}

impl Background {
    /// Opens `/dev/null`, which a jail need not have.
    ///
    /// # Errors
    /// Those of the system.
    pub fn prepare() -> io::Result<Self> {
        let null = OpenOptions::new().read(true).write(true).open("/dev/null");
        Ok(Self { null: null.map_err(|error| in_words("/dev/null", error))? })
    }

    /// Goes there: new session, root directory, stdio to `/dev/null`. The calling process ends with code 0.
    ///
    /// Open sockets stay open; [`Signals`] must be made after this, they belong to the process that made them.
    ///
    /// # Errors
    /// Those of the system.
    pub fn enter(&self) -> io::Result<()> {
        let (no_chdir, no_close) = (false, true);
        unistd::daemon(no_chdir, no_close)?;
        unistd::dup2_stdin(&self.null)?;
        unistd::dup2_stdout(&self.null)?;
        unistd::dup2_stderr(&self.null)?;
        Ok(())
    }
}

/// An error with what it is about in front.
fn in_words(what: impl core::fmt::Display, error: impl Into<io::Error>) -> io::Error {
    let error = error.into();
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
