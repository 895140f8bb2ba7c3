//! Syslog through `/dev/log`, facility daemon (RFC 3164). Never waited for.
//!
//! A syslog that starts again makes its socket anew: the line that fails is sent again over a new connection, and what is lost until there
//! is one is counted, and said with the first line that arrives.

use ::log::Level;
use core::fmt::{self, Display, Write as _};
use core::time::Duration;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use syslog::{Error, Facility, LogFormat, Logger, LoggerBackend, Severity};

/// Pause between two attempts to connect, so that a missing syslog costs nothing.
const RETRY: Duration = Duration::from_secs(1);

/// Bytes of the longest message (RFC 3164 §4.1), its head left out.
const MAX_MESSAGE: usize = 900;

const NAME: &str = "siproxd";

/// Where syslog takes lines (syslog(3)).
const DEV_LOG: &str = "/dev/log";

/// Bytes in front of a message: priority, time, name, process number.
const MAX_HEAD: usize = 64;

/// The connection, which is made anew when it fails.
pub(super) struct Syslog {
    logger: Option<Logger<LoggerBackend, Format>>,
    tried_at: Option<Instant>,
    /// Lines that did not arrive since the last one that did.
    lost: u32,
    is_first: bool,
}

impl Syslog {
    pub(super) const fn new() -> Self {
        Self { logger: None, tried_at: None, lost: 0, is_first: true }
    }

    /// Connects, or says why not.
    pub(super) fn connect(&mut self) -> Result<(), String> {
        self.tried_at = Some(Instant::now());
        let format = Format { process_number: std::process::id() };
        let logger = match datagram() {
            Ok(socket) => Logger::new(LoggerBackend::Unix(socket), format),
            // Others that the crate knows, a stream among them; connecting to one may wait, so that is for the start alone.
            Err(_) if self.is_first => syslog::unix(format).map_err(|error| error.to_string())?,
            Err(error) => return Err(error.to_string()),
        };
        // A syslog that does not read must not stop the telephones.
        match &logger.backend {
            LoggerBackend::Unix(socket) => socket.set_nonblocking(true),
            LoggerBackend::UnixStream(stream) => stream.get_ref().set_nonblocking(true),
            _ => Ok(()),
        }
        .map_err(|error| error.to_string())?;
        self.is_first = false;
        self.logger = Some(logger);
        Ok(())
    }

    pub(super) fn set_process_number(&mut self, number: u32) {
        if let Some(logger) = &mut self.logger {
            logger.formatter.process_number = number;
        }
    }

    /// Sends one message; it is counted as lost where syslog is not there or does not read.
    pub(super) fn write(&mut self, level: Level, text: &str) {
        let mut note = heapless::String::<64>::new();
        if self.lost > 0 {
            let _ = write!(note, "({} log lines were lost here: syslog took none)", self.lost);
        }
        let arrived = (note.is_empty() || self.send(Level::Warn, &note)) && self.send(level, text);
        self.lost = if arrived { 0 } else { self.lost.saturating_add(1) };
    }

    /// Sends a message, over a new connection where the old one is gone; whether it was taken.
    fn send(&mut self, level: Level, text: &str) -> bool {
        match self.try_send(level, text) {
            Some(is_taken) => is_taken,
            None => self.is_connected_again() && self.try_send(level, text) == Some(true),
        }
    }

    fn is_connected_again(&mut self) -> bool {
        self.tried_at.is_none_or(|at| at.elapsed() >= RETRY) && self.connect().is_ok()
    }

    /// Whether the connection takes a message; `None` where there is none.
    fn try_send(&mut self, level: Level, text: &str) -> Option<bool> {
        let logger = self.logger.as_mut()?;
        let text = text.get(..text.floor_char_boundary(MAX_MESSAGE)).unwrap_or(text);
        let sent = match level {
            Level::Error => logger.err(text),
            Level::Warn => logger.warning(text),
            Level::Info => logger.info(text),
            Level::Debug | Level::Trace => logger.debug(text),
        };
        match sent {
            Ok(()) => Some(true),
            // It is there, and does not read.
            Err(Error::Io(error) | Error::Write(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                Some(false)
            }
            Err(_) => {
                self.logger = None;
                None
            }
        }
    }
}

/// A datagram socket at `/dev/log`, where nearly every syslog has one. It never waits.
fn datagram() -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(DEV_LOG)?;
    Ok(socket)
}

/// RFC 3164 §4.1 without the host, as libc's syslog(3) writes it. The crate's own brings in a whole calendar, 50 KiB
/// on MIPS, and reads its pattern again for every message.
#[derive(Clone)]
struct Format {
    process_number: u32,
}

impl LogFormat<&str> for Format {
    fn format<W: Write>(&self, out: &mut W, severity: Severity, message: &str) -> syslog::Result<()> {
        let priority = Facility::LOG_DAEMON as u8 | severity as u8;
        let now = Time(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        let mut line = heapless::String::<{ MAX_HEAD + MAX_MESSAGE }>::new();
        // All that fits the socket's message goes in one piece; the caller has seen to the length.
        let _ = write!(line, "<{priority}>{now} {NAME}[{}]: {message}", self.process_number);
        out.write_all(line.as_bytes()).map_err(Error::Write)
    }
}

/// Time since the epoch as `Mmm dd hh:mm:ss` (RFC 3164 §4.1.2), in UTC as musl's syslog(3). OpenWrt's logd cuts the time
/// off by its length, so that it cannot be left out.
struct Time(Duration);

impl Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let seconds = self.0.as_secs();
        let (days, second) = ((seconds / 86_400) as u32, (seconds % 86_400) as u32);
        let (month, day) = month_and_day(days);
        let month = NAMES.get(month).copied().unwrap_or_default();
        write!(f, "{month} {day:2} {:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
    }
}

/// Month from 0 and day from 1 of the Gregorian calendar, `days` after 1 January 1970.
fn month_and_day(days: u32) -> (usize, u32) {
    const DAYS_IN_4_YEARS: u32 = 4 * 365 + 1;
    const DAYS_IN_100_YEARS: u32 = 25 * DAYS_IN_4_YEARS - 1;
    const DAYS_IN_400_YEARS: u32 = 4 * DAYS_IN_100_YEARS + 1;
    /// From 1 March 1600: with February last, a leap day ends its year, its century and its 400 years.
    const DAYS_TO_EPOCH: u32 = 135_080;
    /// From March on every five months have 153 days, in the same order.
    const DAYS_IN_5_MONTHS: u32 = 153;

    let day = days.saturating_add(DAYS_TO_EPOCH) % DAYS_IN_400_YEARS;
    let day = day - (day / DAYS_IN_100_YEARS).min(3) * DAYS_IN_100_YEARS;
    let day = day % DAYS_IN_4_YEARS;
    let day = day - (day / 365).min(3) * 365;
    let month = (5 * day + 2) / DAYS_IN_5_MONTHS;
    let first = (DAYS_IN_5_MONTHS * month + 2) / 5;
    (((month + 2) % 12) as usize, day - first + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_as_the_standard_writes_it() {
        // Each as date(1) says it.
        for (seconds, text) in [
            (0, "Jan  1 00:00:00"),
            (951_782_399, "Feb 28 23:59:59"),
            (951_782_400, "Feb 29 00:00:00"),
            (951_868_800, "Mar  1 00:00:00"),
            (1_785_542_399, "Jul 31 23:59:59"),
            (2_147_483_648, "Jan 19 03:14:08"),
            (4_107_542_400, "Mar  1 00:00:00"),
        ] {
            assert_eq!(Time(Duration::from_secs(seconds)).to_string(), text);
        }
    }

    #[test]
    fn every_day_of_400_years_follows_its_predecessor() {
        const LENGTHS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let (mut year, mut month, mut day) = (1970_u32, 0, 1);
        for days in 0..146_097 {
            assert_eq!(month_and_day(days), (month, day), "day {days}, {year}");
            let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
            day += 1;
            if day > LENGTHS[month] + u32::from(month == 1 && is_leap) {
                (month, day) = ((month + 1) % 12, 1);
                year += u32::from(month == 0);
            }
        }
    }

    #[test]
    fn a_message_has_priority_time_name_and_number() {
        let mut sent = Vec::new();
        Format { process_number: 4711 }.format(&mut sent, Severity::LOG_WARNING, "hello").expect("room");
        let sent = String::from_utf8(sent).expect("text");
        // Facility daemon is 3, warning is 4 (RFC 3164 §4.1.1).
        assert!(sent.starts_with("<28>") && sent.ends_with(" siproxd[4711]: hello"), "{sent}");
        assert_eq!(sent.len(), "<28>Jan  1 00:00:00 siproxd[4711]: hello".len());
    }
}
