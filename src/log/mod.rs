//! Where log lines go: stderr in the foreground, syslog in the background or where stderr is `/dev/null`, and readers of `debug_port` and of the control socket.
//!
//! The rest of the program uses the macros of the `log` crate with a `target` of [`crate::log_class`]. Errors, warnings and
//! information are always written; debug lines where `debug_level` has the bit of their class and somebody wants them.
//! A line that nobody wants is not formatted. None of the sinks is waited for. Secrets are masked in all of them; a line that comes again
//! and again is counted.

pub mod debug_port;
mod line;
mod repeats;
mod ring;
mod secrets;
mod stderr;
mod syslog;
pub mod tail;

use crate::log_class::{self, PROCESS};
use ::log::{Level, LevelFilter, Log, Metadata, Record};
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed};
use core::time::Duration;
use line::Line;
use repeats::{Count, Repeats};
use ring::Ring;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use stderr::Stderr;
use syslog::Syslog;

/// The one logger, and all of its state.
static LOGGER: Logger = Logger {
    mask: AtomicU32::new(0),
    extra: AtomicU32::new(0),
    to_stderr: AtomicBool::new(true),
    silence: AtomicU8::new(SILENCE_ALL),
    readers: AtomicU32::new(0),
    tails: AtomicU32::new(0),
    has_debug_port: AtomicBool::new(false),
    has_tails: AtomicBool::new(false),
};
/// Where a line is put together. 16 KiB.
static LINE: Mutex<Line> = Mutex::new(Line::new());
static REPEATS: Mutex<Repeats> = Mutex::new(Repeats::new());
/// What readers of the debug port have yet to get. 64 KiB, touched only where there is a debug port or a control socket.
static RING: Mutex<Ring> = Mutex::new(Ring::new());
static STDERR: Mutex<Stderr> = Mutex::new(Stderr::new());
static SYSLOG: Mutex<Syslog> = Mutex::new(Syslog::new());

/// Bytes of static memory that logging takes at most.
pub const STATIC_BYTES: usize = size_of::<Line>() + size_of::<Ring>() + size_of::<Repeats>();

/// The value of `silence_log` that keeps all from syslog.
const SILENCE_ALL: u8 = 4;

/// Starts logging, to stderr. Call once, first of all; a second call changes nothing.
pub fn start() {
    // Only a second call fails, and then the logger is ours already.
    let _ = ::log::set_logger(&LOGGER);
    LOGGER.update();
}

/// Sets the classes of debug lines that are wanted: the bits of `debug_level`.
pub fn set_debug_level(mask: u32) {
    LOGGER.mask.store(mask, Relaxed);
    LOGGER.update();
}

/// Sets the classes that are wanted besides, for a time: their lines are kept for readers still to come.
pub fn set_extra_debug(mask: u32) {
    LOGGER.extra.store(mask, Relaxed);
    LOGGER.update();
}

/// Connects to syslog, where lines go from now on as far as `silence_log` (0 to 4) lets them; stderr goes on as well.
///
/// # Errors
/// There is no syslog to connect to, as in most containers; it is tried again later.
pub fn start_syslog(silence_log: u8) -> Result<(), String> {
    LOGGER.silence.store(silence_log, Relaxed);
    LOGGER.update();
    if silence_log >= SILENCE_ALL {
        return Ok(());
    }
    held(&SYSLOG).connect()
}

/// Whether nobody reads stderr, so that the log belongs to syslog in the foreground, too.
#[must_use]
pub fn is_stderr_unread() -> bool {
    stderr::is_unread()
}

/// Sets what goes to syslog (`silence_log`), where anything does.
pub fn set_silence(silence_log: u8) {
    if !LOGGER.to_stderr.load(Relaxed) {
        LOGGER.silence.store(silence_log, Relaxed);
        LOGGER.update();
    }
}

/// Keeps the last lines from now on, for readers by the control socket.
pub fn keep_for_tails() {
    LOGGER.has_tails.store(true, Relaxed);
}

/// Bytes of lines from before it connected that a reader gets.
const REPLAY: usize = 16 * 1024;

/// Ends logging to stderr, once the process is in the background, or at once where nobody reads that; syslog gets the process number.
pub fn leave_stderr() {
    held(&SYSLOG).set_process_number(std::process::id());
    LOGGER.to_stderr.store(false, Relaxed);
    LOGGER.update();
}

/// Writes how often lines have come again, once that has waited long enough; call now and then.
pub fn turn() {
    LOGGER.write_counts(&mut held(&LINE), Some(since_epoch()));
}

/// Writes an error of several lines to all who may read it, even while another line is being written, as a panic does.
pub fn emergency(text: &str) {
    if LOGGER.to_stderr.load(Relaxed) {
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
    debug_port::last_words(text);
    if LOGGER.to_syslog(Level::Error, PROCESS)
        && let Ok(mut syslog) = SYSLOG.try_lock()
    {
        text.lines().for_each(|line| syslog.write(Level::Error, line));
    }
}

/// Panics do not leave a lock of the logger useless: what it protects is whole at each moment.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Logger {
    /// Debug lines that are wanted, by class.
    mask: AtomicU32,
    /// The same for a time, besides.
    extra: AtomicU32,
    to_stderr: AtomicBool,
    silence: AtomicU8,
    /// Readers of the debug port.
    readers: AtomicU32,
    /// Those of the control socket.
    tails: AtomicU32,
    /// Whether there is a debug port, for readers still to come.
    has_debug_port: AtomicBool,
    /// Whether there may be readers by the control socket.
    has_tails: AtomicBool,
}

/// What a line is worth keeping for: somebody who reads later the last that happened.
const KEPT: Level = Level::Info;

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl Logger {
    /// Lets the macros drop early what nobody wants.
    fn update(&self) {
        let somebody = self.to_stderr.load(Relaxed) || self.is_read(Level::Debug) || self.silence.load(Relaxed) == 0;
        let debug = somebody && self.wanted() != 0;
        ::log::set_max_level(if debug { LevelFilter::Trace } else { LevelFilter::Info });
    }

    /// The classes of debug lines that are wanted now.
    fn wanted(&self) -> u32 {
        self.mask.load(Relaxed) | self.extra.load(Relaxed)
    }

    fn set_debug_port(&self, has_one: bool) {
        self.has_debug_port.store(has_one, Relaxed);
    }

    fn has_readers(&self) -> bool {
        self.readers.load(Relaxed) > 0 || self.tails.load(Relaxed) > 0
    }

    /// Whether somebody reads a line of this level, or may later.
    fn is_read(&self, level: Level) -> bool {
        let may_come = self.has_debug_port.load(Relaxed) || self.has_tails.load(Relaxed);
        self.has_readers() || (may_come && (level <= KEPT || self.extra.load(Relaxed) != 0))
    }

    /// Counts one more reader by the control socket, unless there are `most`.
    fn add_tail(&self, most: u32) -> bool {
        let has_room = self.tails.load(Relaxed) < most;
        if has_room {
            self.tails.fetch_add(1, Relaxed);
            self.update();
        }
        has_room
    }

    fn remove_tail(&self) {
        self.tails.fetch_sub(1, Relaxed);
        self.update();
    }

    fn set_readers(&self, readers: u32) {
        self.readers.store(readers, Relaxed);
        self.update();
    }

    fn to_syslog(&self, level: Level, class: &str) -> bool {
        // What the phones say is too much, and not for everybody who may read the system's log.
        class != log_class::TRAFFIC
            && match self.silence.load(Relaxed) {
                0 => true,
                1 => level <= Level::Info,
                2 => level <= Level::Warn,
                3 => level <= Level::Error,
                _ => false,
            }
    }

    fn is_in_mask(&self, level: Level, class: &str) -> bool {
        level <= Level::Info || self.wanted() & log_class::bit(class) != 0
    }
}

impl Logger {
    /// Hands a line to all who want one of its level and class.
    fn hand_on(&self, line: &Line, level: Level, class: &str) {
        if self.to_stderr.load(Relaxed) {
            held(&STDERR).write(line.whole());
        }
        if self.is_read(level) {
            held(&RING).write(line.whole());
        }
        if self.to_syslog(level, class) {
            held(&SYSLOG).write(level, line.text());
        }
    }

    /// Writes how often lines have come again, of those that are due.
    fn write_counts(&self, line: &mut Line, due: Option<Duration>) -> bool {
        let (mut repeats, mut is_any) = (held(&REPEATS), false);
        while let Some(Count { count, line: text }) = repeats.take(due) {
            let now = since_epoch();
            match text {
                Some(text) => line.format(now, KEPT, PROCESS, &format_args!("came {count} times more: {text}")),
                None => line.format(now, KEPT, PROCESS, &format_args!("the last line came {count} times more")),
            }
            self.hand_on(line, KEPT, PROCESS);
            is_any = true;
        }
        is_any
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let (level, class) = (metadata.level(), metadata.target());
        self.is_in_mask(level, class)
            && (self.to_stderr.load(Relaxed) || self.is_read(level) || self.to_syslog(level, class))
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let (level, class) = (record.level(), record.target());
        let now = since_epoch();
        let mut line = held(&LINE);
        line.format(now, level, class, record.args());
        // Who looks for an error wants what happened in turn.
        let limits = self.wanted() == 0;
        if level <= KEPT && held(&REPEATS).is_again(line.without_time(), limits, now) {
            return;
        }
        // The counts of lines before need the buffer.
        if self.write_counts(&mut line, None) {
            line.format(now, level, class, record.args());
        }
        held(&REPEATS).set(if level <= KEPT { line.without_time() } else { &[] }, now);
        self.hand_on(&line, level, class);
    }

    /// Writes all counts.
    fn flush(&self) {
        self.write_counts(&mut held(&LINE), Some(Duration::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt;

    fn logger(mask: u32, to_stderr: bool, silence: u8, readers: u32) -> Logger {
        Logger {
            mask: AtomicU32::new(mask),
            extra: AtomicU32::new(0),
            to_stderr: AtomicBool::new(to_stderr),
            silence: AtomicU8::new(silence),
            readers: AtomicU32::new(readers),
            has_debug_port: AtomicBool::new(false),
            tails: AtomicU32::new(0),
            has_tails: AtomicBool::new(false),
        }
    }

    fn wants(logger: &Logger, level: Level, class: &str) -> bool {
        logger.enabled(&Metadata::builder().level(level).target(class).build())
    }

    #[test]
    fn debug_lines_go_by_class_and_others_always() {
        let logger = logger(0x4, true, 4, 0);
        assert!(wants(&logger, Level::Debug, log_class::SIP));
        assert!(!wants(&logger, Level::Debug, log_class::REG));
        assert!(wants(&logger, Level::Info, log_class::REG));
    }

    #[test]
    fn in_the_background_debugging_is_for_readers() {
        assert!(!wants(&logger(u32::MAX, false, 1, 0), Level::Debug, log_class::SIP));
        assert!(wants(&logger(u32::MAX, false, 1, 1), Level::Debug, log_class::SIP));
        assert!(wants(&logger(u32::MAX, false, 0, 0), Level::Debug, log_class::SIP));
        assert!(!wants(&logger(u32::MAX, false, 0, 0), Level::Debug, log_class::TRAFFIC));
        assert!(!wants(&logger(0, false, 4, 0), Level::Error, log_class::SIP));
        // For readers still to come, without what costs something for each message.
        let with_port = logger(u32::MAX, false, 4, 0);
        with_port.set_debug_port(true);
        assert!(wants(&with_port, Level::Info, log_class::SIP) && !wants(&with_port, Level::Debug, log_class::SIP));
    }

    #[test]
    fn classes_for_a_time_are_kept_for_readers_to_come() {
        let logger = logger(0x8, false, 4, 0);
        logger.has_tails.store(true, Relaxed);
        assert!(!wants(&logger, Level::Debug, log_class::REG));
        logger.extra.store(0x4, Relaxed);
        assert!(wants(&logger, Level::Debug, log_class::SIP) && wants(&logger, Level::Debug, log_class::REG));
        assert!(!wants(&logger, Level::Debug, log_class::RTP));
        logger.extra.store(0, Relaxed);
        assert!(!wants(&logger, Level::Debug, log_class::SIP));
        logger.readers.store(1, Relaxed);
        assert!(wants(&logger, Level::Debug, log_class::REG) && !wants(&logger, Level::Debug, log_class::SIP));
    }

    #[test]
    fn what_nobody_reads_is_not_put_into_words() {
        struct Words<'a>(&'a core::cell::Cell<u32>);
        impl fmt::Display for Words<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.set(self.0.get() + 1);
                f.write_str("words")
            }
        }
        let written = core::cell::Cell::new(0);
        let log = |logger: &Logger, level: Level| {
            let words = Words(&written);
            logger.log(&Record::builder().level(level).target(log_class::SIP).args(format_args!("{words}")).build());
            written.replace(0)
        };
        let waiting = logger(u32::MAX, false, 4, 0);
        waiting.set_debug_port(true);
        assert_eq!(log(&waiting, Level::Debug), 0);
        assert_eq!(log(&waiting, Level::Info), 1);
        assert_eq!(log(&logger(u32::MAX, false, 4, 1), Level::Debug), 1);
    }

    #[test]
    fn silence_log_filters_syslog() {
        for (silence, level, expected) in [
            (0, Level::Debug, true),
            (1, Level::Debug, false),
            (1, Level::Info, true),
            (2, Level::Info, false),
            (2, Level::Warn, true),
            (3, Level::Warn, false),
            (3, Level::Error, true),
            (4, Level::Error, false),
        ] {
            assert_eq!(logger(0, false, silence, 0).to_syslog(level, log_class::SIP), expected, "{silence} {level}");
        }
    }
}
