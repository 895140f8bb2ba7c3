//! Places in a message, as byte offsets.

/// A half-open range of bytes in a message of at most 65,535 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u16,
    /// Offset behind the last byte.
    pub end: u16,
}

impl Span {
    /// A span from `start` up to, not including, `end`; empty where `end` is smaller.
    #[must_use]
    pub const fn new(start: u16, end: u16) -> Self {
        Self { start, end: if end < start { start } else { end } }
    }

    /// A span from offsets that fit in 16 bits, as all offsets into a message do.
    ///
    /// Offsets beyond 65,535 saturate.
    #[must_use]
    pub fn from_usize(start: usize, end: usize) -> Self {
        let clamp = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        Self::new(clamp(start), clamp(end))
    }

    /// The empty span at `at`.
    #[must_use]
    pub const fn at(at: u16) -> Self {
        Self { start: at, end: at }
    }

    /// Length in bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    /// Whether the span holds no byte.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// Whether `offset` lies inside.
    #[must_use]
    pub const fn contains(self, offset: u16) -> bool {
        self.start <= offset && offset < self.end
    }

    /// The bytes of this span in `bytes`; empty where it does not fit, so that a span of another message cannot panic.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(usize::from(self.start)..usize::from(self.end)).unwrap_or(&[])
    }
}
