//! `plugin_stats`: figures of the calls that run, at intervals. They are written at the edge (`net/event_loop/statistics.rs`), which has the
//! clock and the file.

use super::Hook;

pub(super) struct Stats;

impl Hook for Stats {}
