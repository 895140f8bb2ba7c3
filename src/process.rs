//! The process: into the background, privileges, process number file, signals, panics.

use crate::log_class::PROCESS;
use core::fmt::Display;
use nix::sys::signal::{self, SigSet};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{self, Gid, Uid, User};
use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Goes into the background: new session, root directory, stdio to `/dev/null`. The calling process ends with code 0.
///
/// Open sockets stay open; [`Signals`] must be made after this, they belong to the process that made them.
///
/// # Errors
/// Those of the system.
pub fn daemonize() -> io::Result<()> {
    let (chdir, close) = (false, false);
    unistd::daemon(chdir, close)?;
    Ok(())
}

/// The account that the daemon runs as.
#[derive(Clone, Debug)]
pub struct Account {
    name: CString,
    uid: Uid,
    gid: Gid,
}

impl Account {
    /// Looks up `name`, where the process is root and can change to it; `None` where it is not.
    ///
    /// # Errors
    /// There is no such account: to stay root in its place would be wrong.
    pub fn look_up(name: &str) -> io::Result<Option<Self>> {
        if !unistd::geteuid().is_root() {
            log::info!(target: PROCESS, "not started as root: `user = {name}` is ignored");
            return Ok(None);
        }
        let Some(user) = User::from_name(name)? else {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("`user = {name}`: there is no such account")));
        };
        let name = CString::new(name)?;
        Ok(Some(Self { name, uid: user.uid, gid: user.gid }))
    }

    /// Number of the user and of its group.
    #[must_use]
    pub const fn ids(&self) -> (u32, u32) {
        (self.uid.as_raw(), self.gid.as_raw())
    }

    /// Gives up root for good: supplementary groups, group, user.
    ///
    /// # Errors
    /// Any step failed; the process must not go on.
    pub fn become_it(&self) -> io::Result<()> {
        unistd::initgroups(&self.name, self.gid)?;
        unistd::setresgid(self.gid, self.gid, self.gid)?;
        unistd::setresuid(self.uid, self.uid, self.uid)?;
        if !self.uid.is_root() && unistd::setuid(Uid::from_raw(0)).is_ok() {
            return Err(io::Error::other("root came back after it was given up"));
        }
        log::info!(target: PROCESS, "running as user {}, group {}", self.uid, self.gid);
        Ok(())
    }
}

/// The file that holds the process number; removed when this is dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    file: File,
}

impl PidFile {
    /// Writes the number of this process; a file that is there already is replaced.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
        // Never through a link that somebody put there meanwhile: this may run as root.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { path: path.to_owned(), file })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Without root the directory may be out of reach; an empty file misleads nobody either.
        if fs::remove_file(&self.path).is_err() {
            let _ = self.file.set_len(0);
        }
    }
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// End cleanly: SIGTERM, SIGINT.
    Terminate,
    /// Read the configuration again: SIGHUP. This version does not.
    Hangup,
    /// Say how things are: SIGUSR1.
    Status,
    /// Nothing in this version: SIGUSR2.
    User,
}

/// Signals as events of a file descriptor (signalfd(2)): an iterator over those that have come. From its making on, they
/// no longer interrupt anything.
#[derive(Debug)]
pub struct Signals {
    file: SignalFd,
}

impl Signals {
    /// Takes over the signals of this process. SIGPIPE is ignored by the runtime already.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new() -> io::Result<Self> {
        let mut set = SigSet::empty();
        for signal in [signal::SIGTERM, signal::SIGINT, signal::SIGHUP, signal::SIGUSR1, signal::SIGUSR2] {
            set.add(signal);
        }
        set.thread_block()?;
        let file = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { file })
    }
}

impl Iterator for Signals {
    type Item = Signal;

    fn next(&mut self) -> Option<Signal> {
        let number = self.file.read_signal().ok().flatten()?.ssi_signo;
        let signal = i32::try_from(number).ok().and_then(|number| signal::Signal::try_from(number).ok())?;
        Some(match signal {
            signal::SIGTERM | signal::SIGINT => {
                log::info!(target: PROCESS, "{signal}: ending");
                Signal::Terminate
            }
            signal::SIGHUP => {
                log::info!(target: PROCESS, "{signal}: this version reads its configuration at start only");
                Signal::Hangup
            }
            signal::SIGUSR1 => Signal::Status,
            _ => {
                log::info!(target: PROCESS, "{signal} ignored");
                Signal::User
            }
        })
    }
}

impl AsRawFd for Signals {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

/// Sends what a panic has to say to the log instead of stderr alone.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place: &dyn Display = match panic.location() {
            Some(location) => location,
            None => &"an unknown place",
        };
        crate::log::emergency(format_args!("siproxd: bug at {place}: {message}"));
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_comes_and_goes() {
        let path = std::env::temp_dir().join(format!("siproxd-pid-{}", std::process::id()));
        fs::write(&path, "stale").expect("a file");
        let pid_file = PidFile::create(&path).expect("a pid file");
        assert_eq!(fs::read_to_string(&path).expect("its content"), format!("{}\n", std::process::id()));
        drop(pid_file);
        assert!(!path.exists());
    }

    #[test]
    fn signals_are_events() {
        let mut signals = Signals::new().expect("a signalfd");
        assert_eq!(signals.next(), None);
        signal::raise(signal::SIGUSR1).expect("a signal");
        assert_eq!(signals.next(), Some(Signal::Status));
        signal::raise(signal::SIGUSR2).expect("a signal");
        assert_eq!(signals.next(), Some(Signal::User));
        assert_eq!(signals.next(), None);
    }

    #[test]
    fn an_unknown_account_is_an_error_for_root() {
        if unistd::geteuid().is_root() {
            assert!(Account::look_up("no-such-account-here").is_err());
            assert!(Account::look_up("root").expect("root").is_some());
        }
    }
}
