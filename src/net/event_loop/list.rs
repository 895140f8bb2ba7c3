//! Lists in log lines.

use core::fmt;

/// A list for the log.
pub(super) struct List<'a, T>(pub(super) &'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, rest)) = self.0.split_first() else { return f.write_str("none") };
        first.fmt(f)?;
        rest.iter().try_for_each(|item| write!(f, ", {item}"))
    }
}
