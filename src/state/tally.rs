//! What became of the lines of a registration file.

use crate::engine::{RestoreError, Restored};
use core::fmt;

/// What became of the lines of a file.
#[derive(Debug, Default)]
pub struct Tally {
    bindings: usize,
    calls: usize,
    expired: usize,
    full: usize,
    foreign: usize,
    double: usize,
    unreadable: usize,
    /// There was more than is read.
    is_cut: bool,
}

impl Tally {
    /// Nothing read yet, of a file that is too large where `is_cut`.
    pub(super) fn of_file(is_cut: bool) -> Self {
        Self { is_cut, ..Self::default() }
    }

    /// Whether nothing has been read yet.
    pub(super) const fn is_empty(&self) -> bool {
        self.bindings + self.calls + self.expired + self.full == 0 && self.is_clean()
    }

    /// Whether all lines were such as we write.
    pub(super) const fn is_clean(&self) -> bool {
        self.foreign + self.double + self.unreadable == 0 && !self.is_cut
    }

    pub(super) const fn count(&mut self, result: Result<Restored, RestoreError>) {
        match result {
            Ok(Restored::Binding) => self.bindings += 1,
            Ok(Restored::Call) => self.calls += 1,
            Err(RestoreError::Expired) => self.expired += 1,
            Err(RestoreError::Full) => self.full += 1,
            Err(RestoreError::Foreign) => self.foreign += 1,
            Err(RestoreError::Double) => self.double += 1,
            Err(RestoreError::Syntax) => self.unreadable += 1,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} registrations taken back, {} calls, {} expired", self.bindings, self.calls, self.expired)?;
        for (count, what) in [
            (self.full, "without room"),
            (self.foreign, "with addresses or ports that cannot be right"),
            (self.double, "there twice"),
            (self.unreadable, "lines not understood"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        f.write_str(if self.is_cut { ", and the file is too large: the rest of it was not read" } else { "" })
    }
}
