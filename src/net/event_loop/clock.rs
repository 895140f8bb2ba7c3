//! The monotonic clock as the engine counts it.

use crate::time::{Duration, Instant};

/// The engine's clock starts here and not at zero, which stands for `never` in zeroed tables.
const EPOCH: Duration = Duration::from_secs(1);

/// The clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: std::time::Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { start: std::time::Instant::now() }
    }

    pub(super) fn now(&self) -> Instant {
        Instant::ZERO.after(EPOCH.saturating_add(self.start.elapsed()))
    }
}
