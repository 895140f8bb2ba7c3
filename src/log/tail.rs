//! A reader of the log besides those of the debug port: line by line, at its own pace.

use super::{LOGGER, REPLAY, RING, held};

/// Readers of this kind at a time.
pub const MAX_TAILS: u32 = 4;

/// Bytes of a line that are handed on; the rest is cut off.
pub const MAX_TAIL_LINE: usize = 2048;

/// A place in the log. As long as there is one, debug lines are made for it too.
#[derive(Debug)]
pub struct Tail {
    /// The next byte of the ring.
    position: u64,
}

impl Tail {
    /// From the last lines on; `None` where there are as many readers as may be.
    #[must_use]
    pub fn new() -> Option<Self> {
        if !LOGGER.add_tail(MAX_TAILS) {
            return None;
        }
        Some(Self { position: held(&RING).lines_of_last(REPLAY) })
    }

    /// Puts the next line into `line`, without its end; `false` where there is none yet. Who has fallen too far behind goes on with what is
    /// still there.
    pub fn next_line(&mut self, line: &mut heapless::Vec<u8, MAX_TAIL_LINE>) -> bool {
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
        LOGGER.remove_tail();
    }
}
