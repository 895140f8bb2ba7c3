//! The last 64 KiB of log text, for readers that are at different places, and those still to come.

/// Bytes that a reader may lag behind; then it is dropped.
pub(super) const RING: usize = 64 * 1024;

/// Text under a running number for each byte. All its bytes are zero at first.
pub(super) struct Ring {
    bytes: [u8; RING],
    /// Bytes written so far.
    end: u64,
}

impl Ring {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; RING], end: 0 }
    }

    /// Where the next byte will stand.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// Appends, over the oldest text.
    pub(super) fn write(&mut self, text: &[u8]) {
        for part in text.chunks(RING) {
            let at = self.offset(self.end);
            let (first, second) = part.split_at(part.len().min(RING - at));
            if let Some(room) = self.bytes.get_mut(at..at + first.len()) {
                room.copy_from_slice(first);
            }
            if let Some(room) = self.bytes.get_mut(..second.len()) {
                room.copy_from_slice(second);
            }
            self.end += part.len() as u64;
        }
    }

    /// What stands from `position` on, up to the end or the point where the ring wraps; `None` where it is overwritten.
    pub(super) fn from(&self, position: u64) -> Option<&[u8]> {
        let lag = usize::try_from(self.end.checked_sub(position)?).ok().filter(|lag| *lag <= RING)?;
        let at = self.offset(position);
        self.bytes.get(at..at + lag.min(RING - at))
    }

    /// Where the lines begin that stand in the last `bytes`.
    pub(super) fn lines_of_last(&self, bytes: usize) -> u64 {
        let Some(from) = self.end.checked_sub(bytes.min(RING) as u64).filter(|from| *from > 0) else { return 0 };
        let mut position = from;
        while let Some(text) = self.from(position).filter(|text| !text.is_empty()) {
            match text.iter().position(|byte| *byte == b'\n') {
                // What stands behind a line's end within a message is indented.
                Some(at) => {
                    position += at as u64 + 1;
                    if self.from(position).is_none_or(|text| text.first() != Some(&b'\t')) {
                        break;
                    }
                }
                None => position += text.len() as u64,
            }
        }
        position
    }

    /// Where the lines behind `position` begin: all that there are, where it is 0, overwritten, or not there yet.
    pub(super) fn lines_behind(&self, position: u64) -> u64 {
        let Some(before) = position.checked_sub(1) else { return self.lines_of_last(RING) };
        match (self.from(position), self.from(before)) {
            (None, _) => self.lines_of_last(RING),
            // A number of another run of the program may stand for the middle of a line.
            (Some(_), Some(text)) if text.first() != Some(&b'\n') => {
                self.lines_of_last(usize::try_from(self.end - position).unwrap_or(RING))
            }
            _ => position,
        }
    }

    const fn offset(&self, position: u64) -> usize {
        (position % RING as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_out_in_order_over_the_wrap() {
        let mut ring = Box::new(Ring::new());
        let mut position = ring.end();
        let mut written = 0u32;
        let mut seen = Vec::new();
        while written < 30_000 {
            ring.write(format!("{written}\n").as_bytes());
            written += 1;
            if written.is_multiple_of(100) {
                while let Some(text) = ring.from(position).filter(|text| !text.is_empty()) {
                    seen.extend_from_slice(text);
                    position += text.len() as u64;
                }
            }
        }
        let expected: String = (0..written).map(|n| format!("{n}\n")).collect();
        assert!(seen == expected.as_bytes());
    }

    #[test]
    fn the_last_lines_are_whole() {
        let mut ring = Box::new(Ring::new());
        assert_eq!(ring.lines_of_last(10), 0);
        ring.write(b"one\ntwo\n");
        assert_eq!(ring.lines_of_last(100), 0);
        assert_eq!(ring.from(ring.lines_of_last(6)), Some(&b"two\n"[..]));
        assert_eq!(ring.from(ring.lines_of_last(1)), Some(&b""[..]));
        ring.write(b"a message\n\tof two lines\nend\n");
        assert_eq!(ring.from(ring.lines_of_last(20)), Some(&b"end\n"[..]));
        // Over the wrap.
        ring.write(&[b'x'; RING - 20]);
        ring.write(b"\nlast line that goes over the wrap\n");
        let mut text = Vec::new();
        let mut position = ring.lines_of_last(40);
        while let Some(part) = ring.from(position).filter(|part| !part.is_empty()) {
            text.extend_from_slice(part);
            position += part.len() as u64;
        }
        assert_eq!(text, b"last line that goes over the wrap\n");
    }

    #[test]
    fn lines_behind_a_place() {
        let mut ring = Box::new(Ring::new());
        assert_eq!(ring.lines_behind(0), 0);
        ring.write(b"one\ntwo\nthree\n");
        for (position, from) in [(0, 0), (4, 4), (5, 8), (8, 8), (14, 14), (15, 0), (u64::MAX, 0)] {
            assert_eq!(ring.lines_behind(position), from, "{position}");
        }
        ring.write(&[b'x'; RING - 10]);
        ring.write(b"\nlast\n");
        // `one` is overwritten, and its end is not.
        assert_eq!((ring.lines_behind(0), ring.lines_behind(4)), (14, 14));
        assert_eq!(ring.lines_behind(ring.end() - 5), ring.end() - 5);
    }

    #[test]
    fn who_lags_too_far_is_told_so() {
        let mut ring = Box::new(Ring::new());
        ring.write(&[1; RING]);
        assert_eq!(ring.from(0).map(<[u8]>::len), Some(RING));
        ring.write(&[2]);
        assert_eq!(ring.from(0), None);
        assert_eq!(ring.from(1).map(<[u8]>::len), Some(RING - 1));
        assert_eq!(ring.from(ring.end()), Some(&[][..]));
        assert_eq!(ring.from(ring.end() + 1), None);
    }
}
