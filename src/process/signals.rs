//! Signals as events.

use crate::log_class::{PROCESS, log};
use nix::sys::signal::{self, SigSet};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::io;
use std::os::fd::{AsRawFd, RawFd};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// End cleanly: SIGTERM, SIGINT.
    Terminate,
    /// Read the configuration again: SIGHUP.
    Hangup,
    /// Say how things are: SIGUSR1.
    Status,
    /// Nothing in this version: SIGUSR2.
    User,
}

/// Keeps the signals that only ask for something from ending the process before [`Signals`] takes them; call first of all.
pub fn hold() {
    let mut set = SigSet::empty();
    for signal in [signal::SIGHUP, signal::SIGUSR1, signal::SIGUSR2] {
        set.add(signal);
    }
    // Where that fails, one that comes this early ends it.
    let _ = set.thread_block();
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
                log::info!(target: PROCESS, "{signal}: reading the configuration again");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_comes_early_is_kept() {
        hold();
        for signal in [signal::SIGUSR1, signal::SIGHUP] {
            signal::raise(signal).expect("a signal");
        }
        let mut signals = Signals::new().expect("a signalfd");
        let mut came = [signals.next(), signals.next()];
        came.sort_by_key(|signal| *signal == Some(Signal::Status));
        assert_eq!(came, [Some(Signal::Hangup), Some(Signal::Status)]);
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
}
