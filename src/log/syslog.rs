//! Syslog through `/dev/log`, facility daemon (RFC 3164). Never waited for.

use ::log::Level;
use core::time::Duration;
use std::time::Instant;
use syslog::{Error, Facility, Formatter3164, Logger, LoggerBackend};

/// Pause between two attempts to connect, so that a missing syslog costs nothing.
const RETRY: Duration = Duration::from_secs(1);

/// Bytes of the longest message (RFC 3164 §4.1), its head left out.
const MAX_MESSAGE: usize = 900;

const NAME: &str = "siproxd";

/// The connection, which is made anew when it fails.
pub(super) struct Syslog {
    logger: Option<Logger<LoggerBackend, Formatter3164>>,
    tried_at: Option<Instant>,
}

impl Syslog {
    pub(super) const fn new() -> Self {
        Self { logger: None, tried_at: None }
    }

    /// Connects, or says why not.
    pub(super) fn connect(&mut self) -> Result<(), String> {
        self.tried_at = Some(Instant::now());
        let formatter = Formatter3164 {
            facility: Facility::LOG_DAEMON,
            hostname: None,
            process: NAME.to_owned(),
            pid: std::process::id(),
        };
        let logger = syslog::unix(formatter).map_err(|error| error.to_string())?;
        // A syslog that does not read must not stop the telephones.
        match &logger.backend {
            LoggerBackend::Unix(socket) => socket.set_nonblocking(true),
            LoggerBackend::UnixStream(stream) => stream.get_ref().set_nonblocking(true),
            _ => Ok(()),
        }
        .map_err(|error| error.to_string())?;
        self.logger = Some(logger);
        Ok(())
    }

    pub(super) fn set_process_number(&mut self, number: u32) {
        if let Some(logger) = &mut self.logger {
            logger.formatter.pid = number;
        }
    }

    /// Sends one message; it is lost where syslog is not there or does not read.
    pub(super) fn write(&mut self, level: Level, text: &str) {
        if self.logger.is_none() {
            if self.tried_at.is_some_and(|at| at.elapsed() < RETRY) {
                return;
            }
            if self.connect().is_err() {
                return;
            }
        }
        let Some(logger) = &mut self.logger else { return };
        let text = text.get(..text.floor_char_boundary(MAX_MESSAGE)).unwrap_or(text);
        let sent = match level {
            Level::Error => logger.err(text),
            Level::Warn => logger.warning(text),
            Level::Info => logger.info(text),
            Level::Debug | Level::Trace => logger.debug(text),
        };
        if let Err(Error::Io(error) | Error::Write(error)) = sent
            && error.kind() != std::io::ErrorKind::WouldBlock
        {
            self.logger = None;
        }
    }
}
