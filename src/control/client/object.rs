//! A JSON object of an answer, whose members are looked up by name. What is not there is empty.

use crate::control::json::{self, Value};

/// An object as it stands in its line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object<'a>(&'a str);

impl<'a> Object<'a> {
    /// Takes a line, with the members of these names; `None` where it is no object. A line is long for a small router: it is read but once.
    pub(super) fn parse_with<const N: usize>(
        line: &'a str,
        wanted: [&str; N],
    ) -> Option<(Self, [Option<Value<'a>>; N])> {
        let mut found = [None; N];
        json::members(line, &mut |(name, value)| {
            if let Some((place, _)) = found.iter_mut().zip(wanted).find(|(_, wanted)| *wanted == name) {
                *place = Some(value);
            }
        })
        .ok()?;
        Some((Self(line), found))
    }

    /// Takes a line.
    #[cfg(test)]
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        Self::parse_with(line, []).map(|(object, _)| object)
    }

    /// Goes through all members.
    pub(super) fn each(&self, take: &mut dyn FnMut(&'a str, Value<'a>)) {
        // It was read before.
        let _ = json::members(self.0, &mut |(name, value)| take(name, value));
    }

    pub(super) fn get(&self, wanted: &str) -> Option<Value<'a>> {
        let mut found = None;
        self.each(&mut |name, value| {
            if name == wanted {
                found = Some(value);
            }
        });
        found
    }

    /// A text, or a number as it is written. What would not be shown but obeyed by a terminal is replaced: phones choose their names.
    pub(super) fn text(&self, name: &str) -> String {
        match self.get(name) {
            Some(Value::Number(digits)) => digits.to_owned(),
            Some(value) => plain(value),
            None => String::new(),
        }
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.number()
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some(Value::Bool(true))
    }

    pub(super) fn object(&self, name: &str) -> Self {
        match self.get(name) {
            Some(Value::Object(text)) => Self(text),
            _ => Self("{}"),
        }
    }

    /// The elements of an array: texts as they are, objects to be taken apart.
    pub(super) fn items(&self, name: &str) -> Vec<Value<'a>> {
        let mut found = Vec::new();
        if let Some(Value::Array(text)) = self.get(name) {
            let _ = json::items(text, &mut |value| found.push(value));
        }
        found
    }

    /// The texts of an array, one behind the other.
    pub(super) fn list(&self, name: &str) -> String {
        self.items(name).into_iter().map(plain).collect::<Vec<_>>().join(", ")
    }
}

/// A text without control characters.
pub(super) fn plain(value: Value<'_>) -> String {
    let text = value.text().map_or_else(String::new, |text| text.to_string());
    text.replace(|c: char| c.is_control() && c != '\t', "\u{fffd}")
}

impl<'a> From<Value<'a>> for Object<'a> {
    fn from(value: Value<'a>) -> Self {
        Self(if let Value::Object(text) = value { text } else { "{}" })
    }
}
