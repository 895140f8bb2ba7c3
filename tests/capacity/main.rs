//! Capacity: what happens when a table is full, from the first entry on.
//!
//! [`sweep`] plays every golden case with each limit at 0, 1, 2 and full; [`tables`] fills by traffic what no directive
//! lowers. Every request gets an answer of `docs/answers.md`, is passed on, waits for a name or is dropped with a line in
//! the log, and in the end every port and relay is back.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod answers;
#[path = "../rig/mod.rs"]
mod rig;
mod sweep;
mod tables;

use core::cell::RefCell;

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps the log lines of this thread's test.
struct Kept;

impl log::Log for Kept {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        LINES.with_borrow_mut(|lines| lines.push(record.args().to_string()));
    }

    fn flush(&self) {}
}

/// Keeps the log from now on; to be called before the first rig is built.
fn keep_log() {
    if log::set_logger(&Kept).is_ok() {
        log::set_max_level(log::LevelFilter::Debug);
    }
}

/// The lines that were logged since they were taken last.
fn logged() -> Vec<String> {
    LINES.take()
}
