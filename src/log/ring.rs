//! The last 64 KiB of log text, for readers that are at different places.

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
