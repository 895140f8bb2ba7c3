//! CSeq (RFC 3261 §20.16).

use super::lex::{Cursor, is_token, number, trim};
use super::start::Method;
use crate::span::Span;

/// A CSeq number is below 2^31 (RFC 3261 §8.1.1.5).
const MAX_NUMBER: u32 = (1 << 31) - 1;

/// A CSeq value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// The number, below 2^31.
    pub number: u32,
    /// The method.
    pub method: Method,
    /// The method as written.
    pub name: Span,
}

impl CSeq {
    /// Parses a value; `None` where it is none.
    #[must_use]
    pub fn parse(bytes: &[u8], span: Span) -> Option<Self> {
        let mut cursor = Cursor::new(bytes, trim(bytes, span));
        let number = number(cursor.take_while(|b| b.is_ascii_digit()).of(bytes), MAX_NUMBER)?;
        let digits_end = cursor.at();
        cursor.skip_blanks();
        let name = cursor.take_while(is_token);
        let apart = name.start > digits_end;
        (apart && !name.is_empty() && cursor.is_at_end()).then(|| Self {
            number,
            method: Method::from_name(name.of(bytes)),
            name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<(u32, Method)> {
        CSeq::parse(text.as_bytes(), Span::from_usize(0, text.len())).map(|c| (c.number, c.method))
    }

    #[test]
    fn reads() {
        assert_eq!(parse("1 INVITE"), Some((1, Method::Invite)));
        assert_eq!(parse(" 0009\r\n \t INVITE "), Some((9, Method::Invite)));
        assert_eq!(parse("2147483647 invite"), Some((2_147_483_647, Method::Other)));
        for bad in ["", "1", "INVITE", "1INVITE", "-1 INVITE", "2147483648 INVITE", "1 INVITE x", "1 IN\"VITE"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
