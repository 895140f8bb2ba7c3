//! `plugin_stats`: figures of the calls that run, at intervals and with SIGUSR1, as a line in the log and as a file.
//!
//! The file is that of siproxd 0.8: date, process, a summary, and a line for each stream with its parts between semicolons. It is whole at
//! each moment. A power failure may lose it; the next one comes soon.

use super::EventLoop;
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::stats::{Figures, Stream};
use crate::log_class::{PROCESS, log};
use crate::state;
use crate::time::Instant;
use core::fmt;
use std::path::Path;

/// Where figures go.
#[derive(Clone, Copy, Debug)]
enum Target {
    Log,
    File,
}

const TARGETS: [Target; 2] = [Target::Log, Target::File];

/// When there are to be figures next.
#[derive(Debug)]
pub(super) struct Statistics {
    /// Seconds between two, by [`Target`]; 0 is off, -1 is with a signal alone.
    intervals: [i32; 2],
    due: [Option<Instant>; 2],
    is_failing: bool,
}

impl Statistics {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        let mut this = Self { intervals: [0; 2], due: [None; 2], is_failing: false };
        this.configure(config, now);
        this
    }

    /// Takes the intervals; those that stay go on as they were.
    pub(super) fn configure(&mut self, config: &Config, now: Instant) {
        let is_on = config.has_plugin("plugin_stats");
        let file = if config.plugin_stats_filename.is_some() { config.plugin_stats_to_file } else { 0 };
        for (target, wanted) in TARGETS.into_iter().zip([config.plugin_stats_to_syslog, file]) {
            let wanted = if is_on { wanted } else { 0 };
            if core::mem::replace(&mut self.intervals[target as usize], wanted) != wanted {
                self.due[target as usize] = after(wanted, now);
            }
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.due.into_iter().flatten().min()
    }

    /// Whether a target is to have figures now; with a signal each that is on is.
    fn is_wanted(&mut self, target: Target, by_signal: bool, now: Instant) -> bool {
        let (interval, due) = (self.intervals[target as usize], &mut self.due[target as usize]);
        if due.is_some_and(|due| due <= now) {
            *due = after(interval, now);
            return true;
        }
        by_signal && interval != 0
    }
}

/// When it is time again.
fn after(interval: i32, now: Instant) -> Option<Instant> {
    u32::try_from(interval).ok().filter(|secs| *secs > 0).map(|secs| now.after_secs(secs))
}

impl EventLoop {
    /// Tells figures where it is time, or a signal asks for them.
    pub(super) fn tell_statistics(&mut self, engine: &Engine, by_signal: bool) {
        let now = self.out.now;
        let [log, file] = TARGETS.map(|target| self.statistics.is_wanted(target, by_signal, now));
        if log {
            let Figures { streams, calls, clients, registered } = engine.figures();
            log::info!(
                target: PROCESS,
                "stats: {streams} active streams, {calls} active calls, {clients} active clients, {registered} registered clients"
            );
        }
        if file && let Some(path) = self.config.plugin_stats_filename.clone() {
            self.write_statistics(engine, &path);
        }
    }

    fn write_statistics(&mut self, engine: &Engine, path: &Path) {
        let result = state::put(path, &|out| write_figures(engine, state::unix_now(), out));
        match result {
            Ok(()) => self.statistics.is_failing = false,
            Err(error) => {
                if !core::mem::replace(&mut self.statistics.is_failing, true) {
                    let remedy = state::remedy(&error);
                    log::error!(target: PROCESS, "{}: statistics cannot be written: {error}{remedy}", path.display());
                }
            }
        }
    }
}

/// The text of the file.
fn write_figures(engine: &Engine, unix_now: u64, out: &mut dyn fmt::Write) -> fmt::Result {
    let Figures { streams, calls, clients, registered } = engine.figures();
    write!(
        out,
        "Date: {}\nPID: {}\n\nSummary\n-------\nactive streams:     {streams}\nactive calls:       {calls}\nactive clients:     {clients}\n\
         registered clients: {registered}\n\nRTP details\n-----------\n\
         Header; Client ID; Call-ID; Call direction; Stream direction; local IP; remote IP\n",
        Date(unix_now),
        std::process::id(),
    )?;
    engine.streams(&mut |stream| {
        let Stream { client, call_id, is_call_outgoing, is_outgoing, local, remote } = *stream;
        let direction = |is_outgoing| if is_outgoing { "outgoing" } else { "incoming" };
        let (call, stream) = (direction(is_call_outgoing), direction(is_outgoing));
        write!(out, "Data; {}; {}; {call}; {stream}; ", Field(client), Field(call_id))?;
        for (ip, end) in [(local, "; "), (remote, "\n")] {
            match ip {
                Some(ip) => write!(out, "{ip}{end}")?,
                None => write!(out, "-{end}")?,
            }
        }
        Ok(())
    })
}

/// A text that somebody else has chosen, as one part of a line.
struct Field<'a>(&'a [u8]);

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.0.split_inclusive(|byte| *byte == b';') {
            match part.strip_suffix(b";") {
                Some(before) => write!(f, "{}\\x3b", before.escape_ascii())?,
                None => write!(f, "{}", part.escape_ascii())?,
            }
        }
        if self.0.is_empty() { f.write_str("-") } else { Ok(()) }
    }
}

/// A moment of the wall clock, in seconds since 1970, as `2026-12-01T17:05:00Z` (RFC 3339).
struct Date(u64);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY: u64 = 86_400;
        let (mut days, second) = (self.0 / DAY, self.0 % DAY);
        let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let mut year = 1970;
        while let Some(rest) = days.checked_sub(365 + u64::from(is_leap(year))).filter(|_| year < 9999) {
            (days, year) = (rest, year + 1);
        }
        let mut month = 1;
        for length in [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30] {
            let Some(rest) = days.checked_sub(length) else { break };
            (days, month) = (rest, month + 1);
        }
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", days + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_796_144_700, "2026-12-01T17:05:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(Date(seconds).to_string(), date);
        }
    }

    #[test]
    fn a_text_stays_one_part_of_its_line() {
        assert_eq!(Field(b"a;b\n\x80c;").to_string(), "a\\x3bb\\n\\x80c\\x3b");
        assert_eq!(Field(b"").to_string(), "-");
    }

    #[test]
    fn it_is_time_as_the_directives_say() {
        let at = |secs| Instant::ZERO.after_secs(secs);
        let (mut config, _) = Config::parse(
            Path::new("a.conf"),
            b"if_inbound = a\nif_outbound = b\nload_plugin = plugin_stats.la\nplugin_stats_to_syslog = 10\nplugin_stats_to_file = -1\n\
              plugin_stats_filename = /x\n",
        )
        .expect("a configuration");
        let mut statistics = Statistics::new(&config, at(0));
        let mut wanted = |by_signal, secs| TARGETS.map(|target| statistics.is_wanted(target, by_signal, at(secs)));
        assert_eq!(wanted(false, 9), [false, false]);
        assert_eq!(wanted(false, 11), [true, false]);
        assert_eq!(wanted(false, 20), [false, false]);
        assert_eq!(wanted(true, 20), [true, true]);
        assert_eq!(statistics.next_timeout(), Some(at(21)));
        // A reload that changes nothing of it does not begin anew.
        statistics.configure(&config, at(15));
        assert_eq!(statistics.next_timeout(), Some(at(21)));
        config.plugins.clear();
        statistics.configure(&config, at(15));
        assert_eq!(statistics.next_timeout(), None);
        assert!(!statistics.is_wanted(Target::File, true, at(30)));
    }
}
