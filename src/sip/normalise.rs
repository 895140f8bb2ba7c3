//! The pre-pass that makes legal but unusual header lines readable for the splitter, and takes itself back.
//!
//! `httparse` does not read three things that SIP allows: folded lines, blanks before the colon, and control octets in a
//! quoted pair (RFC 3261 §7.3.1, §25.1). Each has a spelling of the same length that it does read. Positions found in
//! that spelling hold for the original too, which is restored from a log.

use super::lex::{is_control, is_token};
use crate::limits::MAX_NORMALISED;

/// More than [`MAX_NORMALISED`] bytes would have to change. The block is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooManyChanges;

/// Stands for a masked control octet; a legal byte of a quoted pair.
const MASK: u8 = b'?';

/// What was changed: the places with the bytes that stood there.
#[derive(Debug)]
pub(super) struct Undo(heapless::Vec<(u16, u8), MAX_NORMALISED>);

impl Undo {
    /// Whether nothing was changed.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts back what was changed in `block`.
    pub(super) fn put_back(self, block: &mut [u8]) {
        for (at, byte) in self.0 {
            if let Some(place) = block.get_mut(usize::from(at)) {
                *place = byte;
            }
        }
    }
}

/// Normalises the header lines with which `block` begins, up to the blank line; what follows is not looked at.
pub(super) fn normalise(block: &mut [u8]) -> Result<Undo, TooManyChanges> {
    let mut pass = Pass { block, at: 0, undo: Undo(heapless::Vec::new()) };
    match pass.run() {
        Some(()) => Ok(pass.undo),
        None => {
            let Pass { block, undo, .. } = pass;
            undo.put_back(block);
            Err(TooManyChanges)
        }
    }
}

struct Pass<'a> {
    block: &'a mut [u8],
    at: usize,
    undo: Undo,
}

/// The methods give `None` where the log is full.
impl Pass<'_> {
    fn run(&mut self) -> Option<()> {
        while !self.is_blank_line() {
            self.name()?;
            self.value()?;
        }
        Some(())
    }

    /// Moves the colon up to the name.
    fn name(&mut self) -> Option<()> {
        let start = self.at;
        self.skip_while(is_token);
        let name_end = self.at;
        self.skip_while(|b| b == b' ' || b == b'\t');
        if self.peek(0) == Some(b':') && start < name_end && name_end < self.at {
            self.set(self.at, b' ')?;
            self.set(name_end, b':')?;
        }
        Some(())
    }

    /// Joins the lines of one value, and goes behind its last line end.
    fn value(&mut self) -> Option<()> {
        // In angle brackets there is a URI, and no quoted string: what a value is split into knows none there either.
        let (mut quoted, mut bracketed) = (false, false);
        while let Some(byte) = self.peek(0) {
            match byte {
                b'"' if !bracketed => quoted = !quoted,
                b'<' if !quoted => bracketed = true,
                b'>' if !quoted => bracketed = false,
                b'\\' if quoted => match self.peek(1) {
                    // A line end cannot be quoted, and stays one.
                    None | Some(b'\r' | b'\n') => {}
                    Some(escaped) => {
                        self.at = self.at.saturating_add(1);
                        if is_control(escaped) {
                            self.set(self.at, MASK)?;
                        }
                    }
                },
                b'\n' => {
                    if !matches!(self.peek(1), Some(b' ' | b'\t')) {
                        self.at = self.at.saturating_add(1);
                        return Some(());
                    }
                    let before = self.at.saturating_sub(1);
                    if self.block.get(before) == Some(&b'\r') {
                        self.set(before, b' ')?;
                    }
                    self.set(self.at, b' ')?;
                }
                _ => {}
            }
            self.at = self.at.saturating_add(1);
        }
        Some(())
    }

    /// Whether the headers end here, as they do also at the end of the block.
    fn is_blank_line(&self) -> bool {
        matches!((self.peek(0), self.peek(1)), (None | Some(b'\n'), _) | (Some(b'\r'), Some(b'\n')))
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.block.get(self.at.checked_add(ahead)?).copied()
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.peek(0).is_some_and(&wanted) {
            self.at = self.at.saturating_add(1);
        }
    }

    fn set(&mut self, at: usize, byte: u8) -> Option<()> {
        let place = self.block.get_mut(at)?;
        self.undo.0.push((u16::try_from(at).ok()?, *place)).ok()?;
        *place = byte;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn normalised(text: &[u8]) -> Vec<u8> {
        let mut block = text.to_vec();
        let undo = normalise(&mut block).unwrap();
        let result = block.clone();
        assert_eq!(undo.is_empty(), result == text);
        undo.put_back(&mut block);
        assert_eq!(block, text);
        result
    }

    #[test]
    fn joins_folded_lines() {
        assert_eq!(normalised(b"A: b\r\n c\n\td\r\n\r\n x\r\n y"), b"A: b   c \td\r\n\r\n x\r\n y");
        assert_eq!(normalised(b"A:\r\n \r\nB: c\r\n\r\n"), b"A:   \r\nB: c\r\n\r\n");
    }

    #[test]
    fn moves_the_colon_to_the_name() {
        assert_eq!(normalised(b"A \t : b : c\r\nD: e : f\r\n\r\n"), b"A:\t   b : c\r\nD: e : f\r\n\r\n");
        assert_eq!(normalised(b" : b\r\n\r\n"), b" : b\r\n\r\n");
        assert_eq!(normalised(b"A b : c\r\n\r\n"), b"A b : c\r\n\r\n");
    }

    #[test]
    fn masks_control_octets_only_in_quoted_pairs() {
        assert_eq!(
            normalised(b"A: \"\\\x00\\\"\\\x7f\\\t\x01\" \\\x01\r\n\r\n"),
            b"A: \"\\?\\\"\\?\\\t\x01\" \\\x01\r\n\r\n"
        );
        let bracketed = b"A: <\"\\\x01\">, \"<\\\x01>\"\r\n\r\n";
        assert_eq!(normalised(bracketed), b"A: <\"\\\x01\">, \"<\\?>\"\r\n\r\n");
        assert_eq!(normalised(b"A: \"\\\r\n b\r\nC: \\\x01\r\n\r\n"), b"A: \"\\   b\r\nC: \\\x01\r\n\r\n");
    }

    #[test]
    fn gives_up_when_the_log_is_full() {
        let text = b"A: b".iter().copied().chain(b"\r\n c".repeat(MAX_NORMALISED)).collect::<Vec<_>>();
        let mut block = text.clone();
        assert_eq!(normalise(&mut block).err(), Some(TooManyChanges));
        assert_eq!(block, text);
    }

    proptest! {
        #[test]
        fn what_was_changed_is_put_back(
            text in proptest::collection::vec(
                prop_oneof![proptest::sample::select(b"A: \t\r\n\"\\\x00\x7f".to_vec()), any::<u8>()],
                0..600,
            )
        ) {
            normalised(&text);
        }
    }
}
