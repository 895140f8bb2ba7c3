//! Rules of a hook: a regular expression each, and the text that belongs to it.

use super::Text;
use crate::ere::{Expression, Expressions, Fault, Match};
use crate::limits::{MAX_RULE_TEXT, MAX_RULES};
use crate::sip::edit::EditError;
use crate::span::Span;

/// The rules of one hook, in their order.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    expressions: Expressions,
    list: heapless::Vec<Rule, MAX_RULES>,
    texts: heapless::Vec<u8, MAX_RULE_TEXT>,
}

#[derive(Clone, Copy, Debug)]
struct Rule {
    expression: Expression,
    text: Span,
}

/// Why a rule is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// Its expression.
    Expression(Fault),
    /// There is no room for it.
    Full,
    /// Its text names a group that the expression has not.
    NoSuchGroup(u8),
}

impl Rules {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self { expressions: Expressions::new(), list: heapless::Vec::new(), texts: heapless::Vec::new() }
    }

    /// Adds a rule with the text that replaces what matches, in which `\1` to `\9` are what the groups hold.
    ///
    /// # Errors
    /// See [`RuleError`]; the rules before it stay.
    pub fn push_replacement(&mut self, pattern: &str, text: &str) -> Result<(), RuleError> {
        let expression = self.push(pattern, text)?;
        let named = pieces(text.as_bytes()).filter_map(|piece| piece.group);
        match named.max().filter(|group| *group > expression.groups) {
            Some(group) => {
                self.list.pop();
                Err(RuleError::NoSuchGroup(group))
            }
            None => Ok(()),
        }
    }

    /// Adds a rule with any text.
    ///
    /// # Errors
    /// See [`RuleError`]; the rules before it stay.
    pub fn push(&mut self, pattern: &str, text: &str) -> Result<Expression, RuleError> {
        let expression = self.expressions.compile(pattern).map_err(RuleError::Expression)?;
        let start = self.texts.len();
        self.texts.extend_from_slice(text.as_bytes()).map_err(|_| RuleError::Full)?;
        let text = Span::from_usize(start, self.texts.len());
        self.list.push(Rule { expression, text }).map_err(|_| RuleError::Full)?;
        Ok(expression)
    }

    /// Number of rules.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The text of the first rule from `from` on that matches, with its number. One that is too long to be changed matches none.
    pub(super) fn first_match(&self, text: &[u8], from: usize) -> Option<(usize, &[u8])> {
        if text.len() > super::MAX_TEXT {
            return None;
        }
        let mut rules = self.list.iter().enumerate().skip(from);
        let (number, rule) = rules.find(|(_, rule)| self.expressions.find(rule.expression, text).is_some())?;
        Some((number, rule.text.of(&self.texts)))
    }

    /// Writes what rule `number` makes of a text into `new`; whether it matches. One with groups replaces the first match, as
    /// siproxd 0.8 does, and one without replaces all.
    pub(super) fn apply(&self, number: usize, text: &[u8], new: &mut Text) -> Result<bool, EditError> {
        new.clear();
        let Some(rule) = self.list.get(number) else { return Ok(false) };
        let (expression, replacement) = (rule.expression, rule.text.of(&self.texts));
        let (mut copied, mut matches) = (0, false);
        let mut put = |found: &Match| {
            matches = true;
            add(new, Span::new(copied, found.groups[0].start).of(text))?;
            copied = found.groups[0].end;
            replace(replacement, found, text, new)
        };
        if expression.groups > 0 {
            self.expressions.find(expression, text).map_or(Ok(()), |found| put(&found))?;
        } else {
            self.expressions.every(expression, text, &mut |whole| put(&Match::of(whole)))?;
        }
        add(new, text.get(usize::from(copied)..).unwrap_or_default())?;
        Ok(matches)
    }
}

fn add(new: &mut Text, text: &[u8]) -> Result<(), EditError> {
    new.extend_from_slice(text).map_err(|_| EditError::Full)
}

fn replace(replacement: &[u8], found: &Match, text: &[u8], new: &mut Text) -> Result<(), EditError> {
    pieces(replacement).try_for_each(|piece| {
        add(new, piece.literal)?;
        let group = piece.group.and_then(|group| found.groups.get(usize::from(group)));
        add(new, group.map_or(&[][..], |group| group.of(text)))
    })
}

/// A part of a replacement, and the group behind it.
struct Piece<'a> {
    literal: &'a [u8],
    group: Option<u8>,
}

fn pieces(text: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let at = rest.windows(2).position(|pair| matches!(pair, [b'\\', b'1'..=b'9']));
        let (literal, behind) = rest.split_at_checked(at.unwrap_or(rest.len()))?;
        rest = behind.get(2..).unwrap_or_default();
        Some(Piece { literal, group: behind.get(1).map(|digit| digit.wrapping_sub(b'0')) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(rules: &[(&str, &str)], number: usize, text: &str) -> Option<String> {
        let mut all = Rules::new();
        rules.iter().for_each(|(pattern, text)| all.push_replacement(pattern, text).expect("a rule"));
        let mut new = Text::new();
        let matches = all.apply(number, text.as_bytes(), &mut new).expect("it fits");
        matches.then(|| String::from_utf8(new.to_vec()).expect("UTF-8"))
    }

    #[test]
    fn what_replaces() {
        let one = |pattern, replacement, text| made(&[(pattern, replacement)], 0, text);
        assert_eq!(one("^(sips?:)00", "\\1+", "sip:0041@h").as_deref(), Some("sip:+41@h"));
        assert_eq!(one("a", "bb", "banana").as_deref(), Some("bbbnbbnbb"));
        assert_eq!(one("(a)", "\\1\\1", "banana").as_deref(), Some("baanana"));
        assert_eq!(one("x*", "-", "ab").as_deref(), Some("-a-b-"));
        assert_eq!(one("b$", "", "ab").as_deref(), Some("a"));
        assert_eq!(one("^a", "x", "aa").as_deref(), Some("xa"));
        assert_eq!(one("(b)(c)?", "<\\2\\1\\x\\", "ab").as_deref(), Some("a<b\\x\\"));
        assert_eq!(one("x", "y", "ab"), None);
        assert_eq!(made(&[("A*c|a", "-")], 0, &"a".repeat(4096)), Some("-".repeat(4096)));
        assert_eq!(made(&[("a", "b"), ("b", "c")], 1, "ab").as_deref(), Some("ac"));
        assert_eq!(made(&[("a", "b")], 1, "ab"), None);
    }

    #[test]
    fn what_is_refused() {
        let mut rules = Rules::new();
        assert_eq!(rules.push_replacement("(a)", "\\2"), Err(RuleError::NoSuchGroup(2)));
        assert_eq!(rules.push_replacement("(a", "x"), Err(RuleError::Expression(Fault::Parenthesis)));
        assert_eq!(rules.push_replacement("a", &"x".repeat(MAX_RULE_TEXT + 1)), Err(RuleError::Full));
        assert!(rules.is_empty());
        (0..MAX_RULES).for_each(|_| rules.push_replacement("a", "b").expect("there is room"));
        assert_eq!((rules.push_replacement("a", "b"), rules.len()), (Err(RuleError::Full), MAX_RULES));
    }

    #[test]
    fn what_grows_too_long_is_an_error() {
        let mut rules = Rules::new();
        rules.push_replacement("a", "bbbb").expect("a rule");
        let text = vec![b'a'; super::super::MAX_TEXT / 2];
        assert_eq!(rules.apply(0, &text, &mut Text::new()), Err(EditError::Full));
    }
}
