//! A value that is set at start.

/// A place for one value. Empty, its bytes are zero or undefined, so that it may stand in a static of zero pages; an
/// `Option` would not do, its `None` is often another number than zero.
#[derive(Debug)]
pub struct Late<T>(heapless::Vec<T, 1>);

impl<T> Late<T> {
    /// An empty place.
    #[must_use]
    pub const fn new() -> Self {
        Self(heapless::Vec::new())
    }

    /// Puts `value` in, in place of what was there.
    pub fn set(&mut self, value: T) {
        self.0.clear();
        // Cannot fail: the only place was cleared.
        let _ = self.0.push(value);
    }

    /// The value, if there is one.
    #[must_use]
    pub fn get(&self) -> Option<&T> {
        self.0.first()
    }
}

impl<T> Default for Late<T> {
    fn default() -> Self {
        Self::new()
    }
}
