//! Reading JSON: member by member, as slices of the text.

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use core::fmt;

/// Arrays and objects in one another; with more the text is refused.
const MAX_DEPTH: u8 = 16;

/// It is no JSON, or nested too deep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error;

/// A value, as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// What is between the quotes, escapes and all.
    Text(&'a str),
    /// As it is written.
    Number(&'a str),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
    /// An object with its brackets; see [`members`].
    Object(&'a str),
    /// An array with its brackets; see [`items`].
    Array(&'a str),
}

/// A member of an object: its name as it stands there, and its value.
pub type Member<'a> = (&'a str, Value<'a>);

impl<'a> Value<'a> {
    /// The number where it is whole, not negative and fits.
    #[must_use]
    pub fn number(self) -> Option<u64> {
        match self {
            Self::Number(digits) => digits.parse().ok(),
            _ => None,
        }
    }

    /// The text without its escapes.
    #[must_use]
    pub const fn text(self) -> Option<Unescaped<'a>> {
        match self {
            Self::Text(raw) => Some(Unescaped(raw)),
            _ => None,
        }
    }
}

/// Text whose escapes are undone while it is written out.
#[derive(Clone, Copy, Debug)]
pub struct Unescaped<'a>(&'a str);

impl fmt::Display for Unescaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((plain, escaped)) = rest.split_once('\\') {
            f.write_str(plain)?;
            let mut chars = escaped.chars();
            let c = match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('u') => {
                    let digits = chars.as_str().get(..4).unwrap_or_default();
                    chars = chars.as_str().get(4..).unwrap_or_default().chars();
                    // Half of a surrogate pair stands for nothing: we write none.
                    u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
                }
                Some(other) => other,
                None => break,
            };
            fmt::Write::write_char(f, c)?;
            rest = chars.as_str();
        }
        f.write_str(rest)
    }
}

/// Goes through the members of an object; anything else, and what follows it, is an error.
///
/// # Errors
/// See [`Error`]; members before the fault have been given to `each` by then.
pub fn members<'a>(text: &'a str, each: &mut dyn FnMut(Member<'a>)) -> Result<(), Error> {
    let mut reader = Reader { rest: text };
    reader.object(0, each)?;
    reader.end()
}

/// Goes through the elements of an array.
///
/// # Errors
/// As [`members`].
pub fn items<'a>(text: &'a str, each: &mut dyn FnMut(Value<'a>)) -> Result<(), Error> {
    let mut reader = Reader { rest: text };
    reader.array(0, each)?;
    reader.end()
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn takes(&mut self, c: char) -> bool {
        self.skip_blanks();
        self.rest.strip_prefix(c).map(|rest| self.rest = rest).is_some()
    }

    fn expect(&mut self, c: char) -> Result<(), Error> {
        if self.takes(c) { Ok(()) } else { Err(Error) }
    }

    fn end(&mut self) -> Result<(), Error> {
        self.skip_blanks();
        if self.rest.is_empty() { Ok(()) } else { Err(Error) }
    }

    /// Splits off the first `length` bytes.
    fn split(&mut self, length: usize) -> Result<&'a str, Error> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(Error)?;
        self.rest = rest;
        Ok(head)
    }

    /// Gives the text that `read` goes over.
    fn span(&mut self, read: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<&'a str, Error> {
        let all = self.rest;
        read(self)?;
        all.get(..all.len().saturating_sub(self.rest.len())).ok_or(Error)
    }

    fn value(&mut self, depth: u8) -> Result<Value<'a>, Error> {
        self.skip_blanks();
        match self.rest.chars().next().ok_or(Error)? {
            '{' => self.span(|reader| reader.object(depth, &mut |_| ())).map(Value::Object),
            '[' => self.span(|reader| reader.array(depth, &mut |_| ())).map(Value::Array),
            '"' => self.string().map(Value::Text),
            '-' | '0'..='9' => self.number().map(Value::Number),
            _ => [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)]
                .into_iter()
                .find(|(word, _)| self.rest.starts_with(word))
                .map_or(Err(Error), |(word, value)| self.split(word.len()).map(|_| value)),
        }
    }

    fn object(&mut self, depth: u8, each: &mut dyn FnMut(Member<'a>)) -> Result<(), Error> {
        self.expect('{')?;
        let depth = self.deeper(depth)?;
        if self.takes('}') {
            return Ok(());
        }
        loop {
            self.skip_blanks();
            let name = self.string()?;
            self.expect(':')?;
            each((name, self.value(depth)?));
            if !self.takes(',') {
                return self.expect('}');
            }
        }
    }

    fn array(&mut self, depth: u8, each: &mut dyn FnMut(Value<'a>)) -> Result<(), Error> {
        self.expect('[')?;
        let depth = self.deeper(depth)?;
        if self.takes(']') {
            return Ok(());
        }
        loop {
            each(self.value(depth)?);
            if !self.takes(',') {
                return self.expect(']');
            }
        }
    }

    fn deeper(&self, depth: u8) -> Result<u8, Error> {
        if depth < MAX_DEPTH { Ok(depth.saturating_add(1)) } else { Err(Error) }
    }

    fn string(&mut self) -> Result<&'a str, Error> {
        self.rest = self.rest.strip_prefix('"').ok_or(Error)?;
        let mut at = 0usize;
        loop {
            let tail = self.rest.get(at..).ok_or(Error)?;
            let stop = tail.find(|c: char| c < ' ' || matches!(c, '"' | '\\')).ok_or(Error)?;
            at = at.saturating_add(stop);
            let mut chars = tail.get(stop..).unwrap_or_default().chars();
            match (chars.next(), chars.next()) {
                (Some('"'), _) => {
                    let text = self.split(at)?;
                    self.split(1)?;
                    return Ok(text);
                }
                (Some('\\'), Some('u')) => {
                    let digits = chars.as_str().get(..4).ok_or(Error)?;
                    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                        return Err(Error);
                    }
                    at = at.saturating_add(6);
                }
                (Some('\\'), Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't')) => at = at.saturating_add(2),
                // A control character, or an escape that there is none.
                _ => return Err(Error),
            }
        }
    }

    /// RFC 8259 §6.
    fn number(&mut self) -> Result<&'a str, Error> {
        self.span(|reader| {
            let _ = reader.rest.strip_prefix('-').map(|rest| reader.rest = rest);
            let whole = reader.digits()?;
            if whole.len() > 1 && whole.starts_with('0') {
                return Err(Error);
            }
            if let Some(rest) = reader.rest.strip_prefix('.') {
                reader.rest = rest;
                reader.digits()?;
            }
            if let Some(rest) = reader.rest.strip_prefix(['e', 'E']) {
                reader.rest = rest.strip_prefix(['+', '-']).unwrap_or(rest);
                reader.digits()?;
            }
            Ok(())
        })
    }

    fn digits(&mut self) -> Result<&'a str, Error> {
        let length = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        if length == 0 { Err(Error) } else { self.split(length) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<(String, String)>, Error> {
        let mut found = Vec::new();
        members(text, &mut |(name, value)| {
            let shown = match value {
                Value::Text(_) => value.text().map_or(String::new(), |text| text.to_string()),
                other => format!("{other:?}"),
            };
            found.push((name.to_owned(), shown));
        })?;
        Ok(found)
    }

    #[test]
    fn members_come_in_their_order() {
        let text = r#" { "a" : "x" , "b":-1.5e+3,"c":[1,{"d":[]}] ,"e":{},"f":null,"g":true } "#;
        let found = all(text).expect("JSON");
        let expected = [
            ("a", "x"),
            ("b", "Number(\"-1.5e+3\")"),
            ("c", "Array(\"[1,{\\\"d\\\":[]}]\")"),
            ("e", "Object(\"{}\")"),
            ("f", "Null"),
            ("g", "Bool(true)"),
        ];
        assert!(found.iter().map(|(name, value)| (name.as_str(), value.as_str())).eq(expected), "{found:?}");
        let mut numbers = Vec::new();
        items("[1, 20 ,300]", &mut |value| numbers.extend(value.number())).expect("an array");
        assert_eq!(numbers, [1, 20, 300]);
    }

    #[test]
    fn escapes_are_undone() {
        let found = all(r#"{"a":"\"\\\/\b\f\n\r\t\u00e9\ud800é"}"#).expect("JSON");
        assert_eq!(found[0].1, "\"\\/\u{8}\u{c}\n\r\t\u{e9}\u{fffd}\u{e9}");
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in [
            "",
            "{",
            "}",
            "[]",
            "1",
            "{}x",
            "{} {}",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":-}",
            "{\"a\":1e}",
            "{\"a\":+1}",
            "{\"a\":nul}",
            "{\"a\":[1,]}",
            "{\"a\":[}",
            "{\"a\":{]}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":\"\\u12é4\"}",
            "{\"a\":\"\\",
            "{\"a",
        ] {
            assert_eq!(all(text), Err(Error), "{text:?}");
        }
    }

    #[test]
    fn depth_has_an_end() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(all(&nested(15)).is_ok());
        assert_eq!(all(&nested(16)), Err(Error));
        assert_eq!(all(&nested(100_000)), Err(Error));
    }
}
