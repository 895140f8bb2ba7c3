//! `name-addr` and `addr-spec`: what From, To, Contact, Route … hold (RFC 3261 §20.10, §25.1).

use super::lex::{Cursor, trim};
use super::params::{self, Param};
use super::uri::UriError;
use crate::span::Span;

/// A URI with a display name before and header parameters behind it.
#[derive(Clone, Copy, Debug)]
pub struct NameAddr {
    /// The display name with its quotes; empty where there is none.
    pub display: Span,
    /// The URI, without angle brackets. Without brackets it ends at the first semicolon.
    pub uri: Span,
    /// Whether angle brackets enclose the URI.
    pub bracketed: bool,
    /// The header parameters, from the first semicolon on; empty at the element's end where there are none.
    pub params: Span,
}

impl NameAddr {
    /// Parses one element.
    ///
    /// # Errors
    /// [`UriError`] where a quote or bracket is not closed, there is no URI, or something else than parameters stands
    /// behind the bracket; also where a URI without brackets has a comma or question mark (RFC 3261 §20).
    pub fn parse(bytes: &[u8], span: Span) -> Result<Self, UriError> {
        let span = trim(bytes, span);
        let mut cursor = Cursor::new(bytes, span);
        loop {
            match cursor.peek() {
                Some(b'<') => break,
                Some(b'"') if !cursor.skip_quoted() => return Err(UriError),
                Some(b'"') => {}
                // A semicolon, unlike all else, cannot stand in a display name without quotes.
                Some(b';') | None => return Self::parse_bare(bytes, span),
                Some(_) => cursor.bump(),
            }
        }
        let display = trim(bytes, Span::new(span.start, cursor.at()));
        cursor.bump();
        let uri = cursor.take_while(|b| b != b'>');
        if uri.is_empty() || !cursor.eat(b'>') {
            return Err(UriError);
        }
        cursor.skip_blanks();
        if !matches!(cursor.peek(), None | Some(b';')) {
            return Err(UriError);
        }
        Ok(Self { display, uri, bracketed: true, params: cursor.rest() })
    }

    fn parse_bare(bytes: &[u8], span: Span) -> Result<Self, UriError> {
        let mut cursor = Cursor::new(bytes, span);
        let uri = trim(bytes, cursor.take_while(|b| !matches!(b, b';' | b',' | b'?' | b'"')));
        if uri.is_empty() || !matches!(cursor.peek(), None | Some(b';')) {
            return Err(UriError);
        }
        Ok(Self { display: Span::at(span.start), uri, bracketed: false, params: cursor.rest() })
    }

    /// The header parameter called `name`.
    #[must_use]
    pub fn param(&self, bytes: &[u8], name: &[u8]) -> Option<Param> {
        params::find(bytes, self.params, name)
    }

    /// The value of the `tag` parameter.
    #[must_use]
    pub fn tag<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        Some(self.param(bytes, b"tag")?.value?.of(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Option<(&str, &str, bool, &str)> {
        let addr = NameAddr::parse(text.as_bytes(), Span::from_usize(0, text.len())).ok()?;
        let of = |span: Span| core::str::from_utf8(span.of(text.as_bytes())).unwrap();
        Some((of(addr.display), of(addr.uri), addr.bracketed, of(addr.params)))
    }

    #[test]
    fn with_brackets() {
        assert_eq!(parts("<sip:a@h;lr>;x"), Some(("", "sip:a@h;lr", true, ";x")));
        assert_eq!(parts("A b <sip:h> \r\n ;x=\"<>\""), Some(("A b", "sip:h", true, ";x=\"<>\"")));
        assert_eq!(parts("caller<sip:h>"), Some(("caller", "sip:h", true, "")));
        let quoted = r#" "a \"; <sip:not@me> \\" <sip:h;a?b,c>;tag=1 "#;
        assert_eq!(parts(quoted), Some((r#""a \"; <sip:not@me> \\""#, "sip:h;a?b,c", true, ";tag=1")));
    }

    #[test]
    fn without_brackets_parameters_are_the_headers() {
        assert_eq!(parts("sip:a@h;lr=\"<\""), Some(("", "sip:a@h", false, ";lr=\"<\"")));
        assert_eq!(parts(" sip:h \r\n ; a "), Some(("", "sip:h", false, "; a")));
        assert_eq!(parts("*"), Some(("", "*", false, "")));
    }

    #[test]
    fn tags() {
        let text = b"<sip:a>;Tag = 1;tag=2";
        let addr = NameAddr::parse(text, Span::from_usize(0, text.len())).unwrap();
        assert_eq!(addr.tag(text), Some(&b"1"[..]));
    }

    #[test]
    fn refuses() {
        for text in
            ["", " ", "\"a <sip:h>", "<sip:h", "<>", "a <>", ";x", "<sip:h>x", "\"a\" sip:h", "sip:h?b;c", "sip:h,i"]
        {
            assert_eq!(parts(text), None, "{text:?}");
        }
    }
}
