//! What came of a reload of the configuration, for the log and for whoever asked for it.

use crate::config::keys::When;
use crate::config::{Change, Report};
use crate::log_class::{CONFIG, log};
use core::fmt;

/// What a reload came to. Shown as lines of text.
#[derive(Clone, Debug, Default)]
pub struct Reload {
    /// What is wrong with the new configuration; with an error nothing of it was applied.
    pub report: Report,
    /// What acts from now on.
    pub applied: Vec<Change>,
    /// What acts after a restart only; the old value stays until then.
    pub restart: Vec<Change>,
}

impl Reload {
    /// A reload that succeeded.
    pub(crate) fn of(report: Report, changes: impl Iterator<Item = (When, Change)>) -> Self {
        let mut this = Self { report, ..Self::default() };
        for (when, change) in changes {
            match when {
                When::Reload => this.applied.push(change),
                When::Restart => this.restart.push(change),
            }
        }
        this
    }

    /// Whether the new configuration acts; else all is as it was.
    #[must_use]
    pub fn is_applied(&self) -> bool {
        !self.report.is_fatal()
    }

    /// Writes it into the log.
    pub(crate) fn log(&self) {
        self.report.log();
        for change in &self.restart {
            log::warn!(target: CONFIG, "{}", Restart(change));
        }
        for change in &self.applied {
            log::info!(target: CONFIG, "reload: {change}");
        }
        if self.is_applied() {
            log::info!(target: CONFIG, "{}", self.summary());
        } else {
            log::error!(target: CONFIG, "{}", self.summary());
        }
    }

    /// What it came to, in one line.
    pub(crate) fn summary(&self) -> String {
        let file = match self.report.file.as_os_str().is_empty() {
            true => "no configuration file".to_owned(),
            false => self.report.file.display().to_string(),
        };
        match (self.is_applied(), self.applied.len(), self.restart.len()) {
            (false, ..) => "reload: nothing has changed, the old configuration stays".to_owned(),
            (true, 0, 0) => format!("reload: {file} says what it said before; password file and names were read again"),
            (true, applied, 0) => format!("reload: {file} is applied, {applied} directives changed"),
            (true, applied, waiting) => {
                format!("reload: {file} is applied, {applied} directives changed, {waiting} wait for a restart")
            }
        }
    }
}

impl fmt::Display for Reload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.report.fmt(f)?;
        self.restart.iter().try_for_each(|change| writeln!(f, "{}", Restart(change)))?;
        self.applied.iter().try_for_each(|change| writeln!(f, "reload: {change}"))?;
        writeln!(f, "{}", self.summary())
    }
}

/// A change that waits.
struct Restart<'a>(&'a Change);

impl fmt::Display for Restart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change { name, old, new } = self.0;
        let shown = |text| if str::is_empty(text) { "nothing" } else { text };
        write!(f, "reload: `{name}` needs a restart: {} stays until then, {} waits", shown(old), shown(new))
    }
}
