//! Walking over bytes: blanks, tokens, quoted strings (RFC 3261 §25.1).

use crate::span::Span;

/// Whether `b` is linear white space. Line ends count, since inside a header value they can only be folds.
pub(crate) const fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

/// Whether `b` may stand in a `token`.
pub(crate) const fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

/// Whether `b` is a control octet other than the tab.
pub(crate) const fn is_control(b: u8) -> bool {
    b.is_ascii_control() && b != b'\t'
}

/// Reads the decimal number that fills `digits`; `None` where it is none or above `max`.
pub(crate) fn number(digits: &[u8], max: u32) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u32, |sum, b| {
        let digit = b.is_ascii_digit().then(|| b.wrapping_sub(b'0'))?;
        sum.checked_mul(10)?.checked_add(u32::from(digit)).filter(|&sum| sum <= max)
    })
}

/// `span` without the blanks at both ends.
pub(crate) fn trim(bytes: &[u8], span: Span) -> Span {
    let mut cursor = Cursor::new(bytes, span);
    cursor.skip_blanks();
    let Span { start, mut end } = cursor.rest();
    while end > start && bytes.get(usize::from(end.saturating_sub(1))).copied().is_some_and(is_blank) {
        end = end.saturating_sub(1);
    }
    Span::new(start, end)
}

/// A place in the bytes of one span, which moves forward only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: u16,
    end: u16,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8], span: Span) -> Self {
        let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        let end = span.end.min(len);
        Self { bytes, at: span.start.min(end), end }
    }

    pub(crate) const fn at(&self) -> u16 {
        self.at
    }

    /// What is still to come.
    pub(crate) const fn rest(&self) -> Span {
        Span { start: self.at, end: self.end }
    }

    pub(crate) const fn is_at_end(&self) -> bool {
        self.at >= self.end
    }

    // Once for each byte of a message: a call would cost more than it does.
    #[inline(always)]
    pub(crate) fn peek(&self) -> Option<u8> {
        if self.is_at_end() { None } else { self.bytes.get(usize::from(self.at)).copied() }
    }

    // Once for each byte of a message: a call would cost more than it does.
    #[inline(always)]
    pub(crate) fn bump(&mut self) {
        if !self.is_at_end() {
            self.at = self.at.saturating_add(1);
        }
    }

    /// Steps over `byte` if it comes next, and says whether it did.
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        if next {
            self.bump();
        }
        next
    }

    /// Steps over `byte` and the blanks on both sides of it; stays where it is when there is no such byte.
    pub(crate) fn eat_spaced(&mut self, byte: u8) -> bool {
        let before = self.at;
        self.skip_blanks();
        if !self.eat(byte) {
            self.at = before;
            return false;
        }
        self.skip_blanks();
        true
    }

    /// Steps over the bytes for which `wanted` holds.
    pub(crate) fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> Span {
        let start = self.at;
        while self.peek().is_some_and(&wanted) {
            self.bump();
        }
        Span::new(start, self.at)
    }

    pub(crate) fn skip_blanks(&mut self) {
        self.take_while(is_blank);
    }

    /// Steps over a quoted string whose opening quote comes next; `false`, and at the end, where it is not closed.
    pub(crate) fn skip_quoted(&mut self) -> bool {
        self.bump();
        while let Some(b) = self.peek() {
            self.bump();
            match b {
                b'"' => return true,
                b'\\' => self.bump(),
                _ => {}
            }
        }
        false
    }

    /// Steps to the first `byte` outside quoted strings, or to the end.
    pub(crate) fn find_unquoted(&mut self, byte: u8) -> Span {
        let start = self.at;
        while let Some(b) = self.peek() {
            if b == byte {
                break;
            }
            if b == b'"' {
                self.skip_quoted();
            } else {
                self.bump();
            }
        }
        Span::new(start, self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Span {
        Span::from_usize(0, bytes.len())
    }

    #[test]
    fn numbers_have_a_ceiling_and_no_sign() {
        assert_eq!(number(b"0042", 100), Some(42));
        for bad in [&b""[..], b"-1", b"+1", b" 1", b"101", b"99999999999999999999"] {
            assert_eq!(number(bad, 100), None);
        }
        assert_eq!(number(b"4294967295", u32::MAX), Some(u32::MAX));
        assert_eq!(number(b"4294967296", u32::MAX), None);
    }

    #[test]
    fn trims_folds() {
        let bytes = b" \r\n\ta b\r\n ";
        assert_eq!(trim(bytes, all(bytes)).of(bytes), b"a b");
        assert!(trim(b" \t", all(b" \t")).is_empty());
    }

    #[test]
    fn quotes_hide_what_is_looked_for() {
        let bytes = br#"a"\";" ;b"#;
        let mut cursor = Cursor::new(bytes, all(bytes));
        assert_eq!(cursor.find_unquoted(b';').of(bytes), br#"a"\";" "#);
        assert_eq!(cursor.rest().of(bytes), b";b");
        let open = br#""a\"#;
        assert!(!Cursor::new(open, all(open)).skip_quoted());
    }

    #[test]
    fn a_span_beyond_the_bytes_is_cut() {
        let mut cursor = Cursor::new(b"ab", Span::new(1, 9));
        assert_eq!(cursor.rest(), Span::new(1, 2));
        cursor.bump();
        cursor.bump();
        assert_eq!((cursor.at(), cursor.peek()), (2, None));
        assert!(Cursor::new(b"ab", Span::new(7, 9)).is_at_end());
    }
}
