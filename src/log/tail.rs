//! A reader of the log besides those of the debug port: line by line, at its own pace.

use super::{LOGGER, REPLAY, RING, held};

/// Readers of this kind at a time.
pub const MAX_TAILS: u32 = 4;

/// Bytes of a line that are handed on; the rest is cut off.
pub const MAX_TAIL_LINE: usize = 2048;

/// A place in the log. As long as there is one without an end, debug lines are made for it too.
#[derive(Debug)]
pub struct Tail {
    /// The next byte of the ring.
    position: u64,
    /// Where it ends, if it does.
    end: Option<u64>,
}

impl Tail {
    /// From the last lines on; `None` where there are as many readers as may be.
    #[must_use]
    pub fn new() -> Option<Self> {
        if !LOGGER.add_tail(MAX_TAILS) {
            return None;
        }
        Some(Self { position: held(&RING).lines_of_last(REPLAY), end: None })
    }

    /// The lines that are kept now, those behind `position` alone where that is known. It is no reader: nothing is made for it.
    #[must_use]
    pub fn behind(position: u64) -> Self {
        let ring = held(&RING);
        Self { position: ring.lines_behind(position), end: Some(ring.end()) }
    }

    /// The place behind the last line, as a number of bytes since the start.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Whether nothing more will come.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.end.is_some_and(|end| self.position >= end)
    }

    /// Puts the next line into `line`, without its end; `false` where there is none yet. Who has fallen too far behind goes on with what is
    /// still there.
    pub fn next_line(&mut self, line: &mut heapless::Vec<u8, MAX_TAIL_LINE>) -> bool {
        if self.is_over() {
            return false;
        }
        let ring = held(&RING);
        if ring.from(self.position).is_none() {
            self.position = ring.lines_of_last(REPLAY);
        }
        line.clear();
        // The text stands in two pieces where the ring wraps. Only whole lines are written into it.
        while let Some(text) = ring.from(self.position).filter(|text| !text.is_empty()) {
            let end = text.iter().position(|byte| *byte == b'\n');
            let piece = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
            let room = line.capacity() - line.len();
            let _ = line.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
            self.position += piece.len() as u64;
            if end.is_some() {
                self.position += 1;
                return true;
            }
        }
        false
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        if self.end.is_none() {
            LOGGER.remove_tail();
        }
    }
}
