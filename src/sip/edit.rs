//! Edits: a list of splices over the original bytes.
//!
//! What is not edited leaves byte for byte as it came. The result is a list of slices for one scattered send, partly of
//! the original and partly of the arena here; nothing is copied together.

use crate::limits::{EDIT_ARENA, MAX_EDITS, MAX_PARTS};
use crate::span::Span;
use core::fmt;

/// Why an edit was not taken. The list is unchanged then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditError {
    /// More than [`MAX_EDITS`] edits, or [`EDIT_ARENA`] is used up.
    Full,
    /// The span overlaps an earlier edit.
    Overlap,
}

#[derive(Clone, Copy, Debug)]
struct Splice {
    del: Span,
    insert: Span,
}

/// The edits of one message, kept in the order of their place. Starts as all zero bytes.
#[derive(Debug)]
pub struct Edits {
    splices: heapless::Vec<Splice, MAX_EDITS>,
    arena: heapless::Vec<u8, EDIT_ARENA>,
}

/// The slices of an outgoing message.
pub type Parts<'a> = heapless::Vec<&'a [u8], MAX_PARTS>;

impl Edits {
    /// No edits.
    #[must_use]
    pub const fn new() -> Self {
        Self { splices: heapless::Vec::new(), arena: heapless::Vec::new() }
    }
    /// Forgets all edits.
    pub fn clear(&mut self) {
        self.splices.clear();
        self.arena.clear();
    }
    /// Replaces `del` by `insert`; with an empty `del` inserts there, behind earlier insertions at the same place.
    ///
    /// # Errors
    /// See [`EditError`].
    pub fn replace(&mut self, _del: Span, _insert: &[u8]) -> Result<(), EditError> {
        todo!()
    }
    /// Replaces `del` by formatted text.
    ///
    /// # Errors
    /// See [`EditError`].
    pub fn replace_fmt(&mut self, _del: Span, _insert: fmt::Arguments<'_>) -> Result<(), EditError> {
        todo!()
    }
    /// Removes `del`.
    ///
    /// # Errors
    /// See [`EditError`].
    pub fn delete(&mut self, del: Span) -> Result<(), EditError> {
        self.replace(del, b"")
    }
    /// Whether an edit removes or replaces any byte of `span`.
    #[must_use]
    pub fn touches(&self, _span: Span) -> bool {
        todo!()
    }
    /// What `span` comes to after the edits that lie wholly inside it: its length in bytes.
    #[must_use]
    pub fn edited_len(&self, _span: Span) -> usize {
        todo!()
    }
    /// The edited message as slices.
    #[must_use]
    pub fn parts<'a>(&'a self, _original: &'a [u8]) -> Parts<'a> {
        todo!()
    }
}
