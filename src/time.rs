//! Time as the engine sees it: an argument, never a clock.

pub use core::time::Duration;

/// A moment of a monotonic clock, in microseconds from an origin that the caller chooses. Signalling counts in milliseconds;
/// jitter would be lost in them.
///
/// Arithmetic is not inlined: with 64 bits it takes 32-bit processors many instructions, and there are 70 places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

impl Instant {
    /// The clock's origin.
    pub const ZERO: Self = Self(0);

    /// The moment `millis` milliseconds after the origin; saturates at the end of time.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// The moment `micros` microseconds after the origin.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Whole milliseconds since the origin.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1000
    }

    /// Microseconds since the origin.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The moment `later` after this one; saturates at the end of time.
    #[inline(never)]
    #[must_use]
    pub const fn after(self, later: Duration) -> Self {
        Self(self.0.saturating_add(micros(later)))
    }

    /// The moment `secs` seconds after this one.
    #[inline(never)]
    #[must_use]
    pub const fn after_secs(self, secs: u32) -> Self {
        Self(self.0.saturating_add(secs as u64 * 1_000_000))
    }

    /// Time from `earlier` to this moment; zero where `earlier` is later.
    #[inline(never)]
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// Whole milliseconds of `duration`; saturates. With 64 bits, where [`Duration::as_millis`] has 128, which take 4 KB to divide and to write.
#[must_use]
pub const fn millis(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1000).saturating_add(duration.subsec_millis() as u64)
}

/// Whole microseconds of `duration`; saturates.
#[must_use]
pub const fn micros(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000).saturating_add(duration.subsec_micros() as u64)
}
