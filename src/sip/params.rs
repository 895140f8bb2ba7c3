//! `;name=value` parameters, of URIs and of headers alike.

use super::lex::{Cursor, trim};
use crate::span::Span;

/// One parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// From the semicolon to the end of the value.
    pub whole: Span,
    /// The name.
    pub name: Span,
    /// The value with its quotes, if it has one.
    pub value: Option<Span>,
}

/// The parameters in `span`, which begins at the first semicolon (or blanks before it), in order.
///
/// Blanks and folds around the semicolon and the equals sign are no part of name and value. A parameter without a name
/// is passed over.
pub fn iter(bytes: &[u8], span: Span) -> impl Iterator<Item = Param> + '_ {
    let mut cursor = Cursor::new(bytes, span);
    cursor.find_unquoted(b';');
    core::iter::from_fn(move || {
        while !cursor.is_at_end() {
            let semicolon = cursor.at();
            cursor.bump();
            let text = trim(bytes, cursor.find_unquoted(b';'));
            let mut inner = Cursor::new(bytes, text);
            let name = trim(bytes, inner.find_unquoted(b'='));
            let value = inner.eat(b'=').then(|| trim(bytes, inner.rest()));
            if !name.is_empty() {
                return Some(Param { whole: Span::new(semicolon, text.end), name, value });
            }
        }
        None
    })
}

/// The first parameter called `name`, in any case.
#[must_use]
pub fn find(bytes: &[u8], span: Span, name: &[u8]) -> Option<Param> {
    iter(bytes, span).find(|param| param.name.of(bytes).eq_ignore_ascii_case(name))
}

/// `value` without the quotes around it; quoted pairs inside are left as they are.
#[must_use]
pub fn unquoted(bytes: &[u8], value: Span) -> Span {
    match value.of(bytes) {
        [b'"', .., b'"'] => Span::new(value.start.saturating_add(1), value.end.saturating_sub(1)),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(bytes: &[u8]) -> Vec<(String, String, Option<String>)> {
        let text = |span: Span| String::from_utf8_lossy(span.of(bytes)).into_owned();
        iter(bytes, Span::from_usize(0, bytes.len()))
            .map(|p| (text(p.whole), text(p.name), p.value.map(text)))
            .collect()
    }

    #[test]
    fn names_with_and_without_value() {
        let want = [(";lr", "lr", None), (";a=", "a", Some("")), (";b=c=d", "b", Some("c=d"))];
        let want: Vec<_> = want.map(|(w, n, v)| (w.into(), n.into(), v.map(Into::into))).into();
        assert_eq!(listed(b";lr;;a=;b=c=d;"), want);
        assert!(listed(b"").is_empty() && listed(b"x").is_empty() && listed(b";").is_empty());
    }

    #[test]
    fn blanks_folds_and_quotes() {
        let found = listed(b" ; a \r\n = \t\"x;\\\"y\" ; tag\r\n\t=1");
        assert_eq!(found[0], ("; a \r\n = \t\"x;\\\"y\"".into(), "a".into(), Some("\"x;\\\"y\"".into())));
        assert_eq!(found[1], ("; tag\r\n\t=1".into(), "tag".into(), Some("1".into())));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn finds_in_any_case() {
        let bytes = b";Tag=1;tag=2";
        let found = find(bytes, Span::from_usize(0, bytes.len()), b"TAG").unwrap();
        assert_eq!(found.value.unwrap().of(bytes), b"1");
        assert_eq!(find(bytes, Span::new(0, 12), b"ta"), None);
    }

    #[test]
    fn takes_quotes_off() {
        assert_eq!(unquoted(b"\"ab\"", Span::new(0, 4)), Span::new(1, 3));
        assert_eq!(unquoted(b"\"", Span::new(0, 1)), Span::new(0, 1));
        assert_eq!(unquoted(b"ab", Span::new(0, 2)), Span::new(0, 2));
    }
}
