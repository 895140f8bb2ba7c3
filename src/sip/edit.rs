//! Edits: a list of splices over the original bytes.
//!
//! What is not edited leaves byte for byte as it came. The result is a list of slices for one scattered send, partly of
//! the original and partly of the arena here; nothing is copied together.

use crate::limits::{EDIT_ARENA, MAX_EDITS, MAX_PARTS};
use crate::span::Span;
use core::fmt::{self, Write as _};

/// Why an edit was not taken. The list is unchanged then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditError {
    /// More than [`MAX_EDITS`] edits, or [`EDIT_ARENA`] is used up.
    Full,
    /// The span overlaps an earlier edit.
    Overlap,
}

/// Edits that are left while [`Edits::has_room`] says so: one optional change, Record-Route and Content-Length.
const RESERVED_EDITS: usize = 8;
/// Bytes that are left then: a stored URI, and those headers.
const RESERVED_BYTES: usize = 512;

#[derive(Clone, Copy, Debug)]
struct Splice {
    del: Span,
    insert: Span,
}

impl Splice {
    const fn is_deletion(&self) -> bool {
        self.insert.is_empty() && !self.del.is_empty()
    }
}

/// The edits of one message, kept in the order of their place. Starts as all zero bytes.
#[derive(Debug)]
pub struct Edits {
    splices: heapless::Vec<Splice, MAX_EDITS>,
    arena: heapless::Vec<u8, EDIT_ARENA>,
}

/// The slices of an outgoing message.
pub type Parts<'a> = heapless::Vec<&'a [u8], MAX_PARTS>;

impl Default for Edits {
    fn default() -> Self {
        Self::new()
    }
}

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

    /// Replaces `del` by `insert`; with an empty `del` inserts there, behind earlier insertions at the same place and
    /// before what replaces the bytes from there on.
    ///
    /// # Errors
    /// See [`EditError`].
    pub fn replace(&mut self, del: Span, insert: &[u8]) -> Result<(), EditError> {
        let mark = self.arena.len();
        self.arena.extend_from_slice(insert).map_err(|_| EditError::Full)?;
        self.splice(del, mark)
    }

    /// Replaces `del` by formatted text.
    ///
    /// # Errors
    /// See [`EditError`].
    pub fn replace_fmt(&mut self, del: Span, insert: fmt::Arguments<'_>) -> Result<(), EditError> {
        let mark = self.arena.len();
        if self.arena.write_fmt(insert).is_err() {
            self.arena.truncate(mark);
            return Err(EditError::Full);
        }
        self.splice(del, mark)
    }

    /// Removes `del`. What is removed already may be removed again, also in part.
    ///
    /// # Errors
    /// See [`EditError`].
    pub fn delete(&mut self, del: Span) -> Result<(), EditError> {
        if del.is_empty() {
            return Ok(());
        }
        let overlapping = self.overlapping(del);
        let Some(splices) = self.splices.get(overlapping.clone()).filter(|splices| !splices.is_empty()) else {
            return self.splice(del, self.arena.len());
        };
        if !splices.iter().all(Splice::is_deletion) {
            return Err(EditError::Overlap);
        }
        let union = splices
            .iter()
            .fold(del, |union, splice| Span::new(union.start.min(splice.del.start), union.end.max(splice.del.end)));
        if let Some(first) = self.splices.get_mut(overlapping.start) {
            first.del = union;
        }
        for _ in overlapping.clone().skip(1) {
            self.splices.remove(overlapping.start.saturating_add(1));
        }
        Ok(())
    }

    /// Removes `span` with all that was put into it. An edit that reaches out of it stays, and is an error.
    ///
    /// # Errors
    /// See [`EditError`].
    pub fn cut(&mut self, span: Span) -> Result<(), EditError> {
        self.splices.retain(|s| s.del.start < span.start || s.del.end > span.end);
        self.arena.truncate(self.splices.iter().map(|s| s.insert.end.into()).max().unwrap_or(0));
        self.delete(span)
    }

    /// Whether some more edits fit: those that a proxy cannot do without, behind those that are optional.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.splices.len() <= MAX_EDITS - RESERVED_EDITS && self.arena.len() <= EDIT_ARENA - RESERVED_BYTES
    }

    /// Whether an edit removes or replaces any byte of `span`.
    #[must_use]
    pub fn touches(&self, span: Span) -> bool {
        let splices = self.splices.get(self.overlapping(span)).unwrap_or_default();
        splices.iter().any(|splice| !splice.del.is_empty())
    }

    /// Where the edit ends that removes or replaces the byte at `offset`: the place from which to go on looking.
    #[must_use]
    pub fn covers(&self, offset: u16) -> Option<u16> {
        let before = self.splices.partition_point(|splice| splice.del.start <= offset);
        let splice = self.splices.get(before.checked_sub(1)?)?;
        splice.del.contains(offset).then_some(splice.del.end)
    }

    /// What `span` comes to after the edits that lie wholly inside it: its length in bytes.
    ///
    /// Insertions at its two ends count as inside.
    #[must_use]
    pub fn edited_len(&self, span: Span) -> usize {
        let inside = self.splices.iter().filter(|s| span.start <= s.del.start && s.del.end <= span.end);
        inside.fold(span.len(), |len, s| len.saturating_add(s.insert.len()).saturating_sub(s.del.len()))
    }

    /// Writes what `span` of the original has become into `out`; `false` where it does not fit.
    pub fn render<const N: usize>(&self, original: &[u8], span: Span, out: &mut heapless::Vec<u8, N>) -> bool {
        let inside = self.splices.iter().filter(|s| span.start <= s.del.start && s.del.end <= span.end);
        let mut at = span.start;
        let mut add = |text: &[u8]| out.extend_from_slice(text).is_ok();
        for splice in inside {
            if !add(Span::new(at, splice.del.start).of(original)) || !add(splice.insert.of(&self.arena)) {
                return false;
            }
            at = splice.del.end;
        }
        add(Span::new(at, span.end).of(original))
    }

    /// Length of the whole edited message in bytes.
    #[must_use]
    pub fn len(&self, original: &[u8]) -> usize {
        self.parts(original).iter().fold(0, |len, part| len.saturating_add(part.len()))
    }

    /// Whether there are no edits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.splices.is_empty()
    }

    /// The edited message as slices, none of them empty.
    #[must_use]
    pub fn parts<'a>(&'a self, original: &'a [u8]) -> Parts<'a> {
        let mut parts = Parts::new();
        let mut add = |part: &'a [u8]| {
            if !part.is_empty() {
                let fits = parts.push(part).is_ok();
                debug_assert!(fits, "a splice makes two parts at most");
            }
        };
        let mut rest = original;
        let mut at = 0u16;
        for splice in &self.splices {
            let kept = usize::from(splice.del.start.saturating_sub(at));
            let (before, behind) = rest.split_at_checked(kept).unwrap_or((rest, &[]));
            add(before);
            add(splice.insert.of(&self.arena));
            rest = behind.get(splice.del.len()..).unwrap_or_default();
            at = splice.del.end;
        }
        add(rest);
        parts
    }

    /// Applies the edits to the message that they are for; `false` where it grows too long, and then it may be anything.
    pub fn apply<const N: usize>(&self, bytes: &mut heapless::Vec<u8, N>) -> bool {
        // It is moved to the end of the room that it may need, and from there on to its place, part by part.
        let before = bytes.len();
        let room = self.splices.iter().fold(0, |room: usize, splice| room.saturating_add(splice.insert.len()));
        if bytes.resize(before.saturating_add(room), 0).is_err() {
            return false;
        }
        bytes.copy_within(..before, room);
        let (mut at, mut written) = (0, 0usize);
        let keep = |bytes: &mut [u8], written: &mut usize, from: usize, to: usize| {
            let (from, to) = (from.saturating_add(room), to.saturating_add(room));
            bytes.copy_within(from..to, *written);
            *written = written.saturating_add(to.saturating_sub(from));
        };
        for splice in &self.splices {
            keep(bytes, &mut written, at, splice.del.start.into());
            at = splice.del.end.into();
            for byte in splice.insert.of(&self.arena) {
                if let Some(place) = bytes.get_mut(written) {
                    *place = *byte;
                }
                written = written.saturating_add(1);
            }
        }
        keep(bytes, &mut written, at, before);
        bytes.truncate(written);
        true
    }

    /// Enters a splice whose text is the arena's end from `mark` on; takes the text back where that fails.
    fn splice(&mut self, del: Span, mark: usize) -> Result<(), EditError> {
        let del = Span::new(del.start, del.end);
        let insert = Span::from_usize(mark, self.arena.len());
        if del.is_empty() && insert.is_empty() {
            return Ok(());
        }
        let result = if self.overlapping(del).is_empty() {
            let key = |splice: &Splice| (splice.del.start, !splice.del.is_empty());
            let new = Splice { del, insert };
            let place = self.splices.partition_point(|splice| key(splice) <= key(&new));
            self.splices.insert(place, new).map_err(|_| EditError::Full)
        } else {
            Err(EditError::Overlap)
        };
        if result.is_err() {
            self.arena.truncate(mark);
        }
        result
    }

    /// The splices that reach into `span`, or for an empty span those that remove bytes on both sides of it.
    fn overlapping(&self, span: Span) -> core::ops::Range<usize> {
        // An insertion at an end of `span` is beside it, one further in is not.
        let from = self.splices.partition_point(|s| s.del.end <= span.start);
        let to = self.splices.partition_point(|s| s.del.start < span.end);
        from..to.max(from)
    }
}

#[cfg(test)]
mod tests;
