//! Regular expressions: the extended ones of POSIX (IEEE 1003.1 §9.4), over bytes, without regard to case.
//!
//! An expression is compiled into a program of a fixed capacity, which is run in time linear in the text (`run`, and `every` for all matches): no text makes it
//! slow, and nothing is allocated, neither when it is compiled nor when it is run. The match is the leftmost one, and of those the
//! longest, as POSIX wants it; what its groups hold is decided by the alternative that stands first and by the repetition that takes
//! most, where POSIX has a rule for each group.
//!
//! Back-references in expressions are refused: they are no regular language, and what finds them takes exponential time. Multi-character
//! collating elements do not exist in a text of bytes.

mod compile;
mod every;
mod run;

use crate::limits::{MAX_EXPRESSION_SETS, MAX_EXPRESSION_STEPS};

pub use every::MAX_TEXT;
pub use run::Match;

/// The groups that a replacement may name, `\1` to `\9`, and the whole match as 0.
pub const GROUPS: usize = 10;

/// Why a text is no expression that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `\1` to `\9` in the expression itself.
    BackReference,
    /// A parenthesis without its partner.
    Parenthesis,
    /// `[` without `]`, or something between them that is no class, range or character.
    Bracket,
    /// `*`, `+`, `?` or `{` with nothing before it.
    Repetition,
    /// Braces that are no number of repetitions from 0 to 255.
    Braces,
    /// A backslash before a letter or digit, or at the end.
    Escape,
    /// More than the program has room for.
    TooLarge,
}

impl Fault {
    /// What is wrong, in words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::BackReference => {
                "a back-reference (\\1 to \\9) stands in the expression; only what replaces a match may have one"
            }
            Self::Parenthesis => "a parenthesis has no partner; \\( is the character",
            Self::Bracket => {
                "between [ and ] stand characters, ranges such as a-z, and classes such as [:digit:]; one of these is wrong or the ] is missing"
            }
            Self::Repetition => "nothing stands before *, +, ? or {; \\* is the character",
            Self::Braces => "braces hold a number of repetitions, {2}, {2,} or {2,5}, up to 255; \\{ is the character",
            Self::Escape => {
                "POSIX has no such escape; a digit is [0-9] or [[:digit:]], a blank [[:space:]], and \\ stands before punctuation only"
            }
            Self::TooLarge => "too many characters and repetitions in all expressions of this kind",
        }
    }
}

/// One step of a program. Where it goes on is relative to itself, so that a part of a program can be moved and repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// This byte, a letter in lower case.
    Byte(u8),
    /// Any byte.
    Any,
    /// A byte of the set with this number.
    Set(u8),
    /// The beginning of the text.
    Begin,
    /// The end of the text.
    End,
    /// Here a group begins (an even number) or ends.
    Save(u8),
    /// Goes on there.
    Jump(i16),
    /// Goes on at both, at the first one rather.
    Split(i16, i16),
    /// The expression has matched.
    Match,
}

/// A set of bytes, one bit each.
type Set = [u32; 8];

/// Several expressions. Starts as all zero bytes.
#[derive(Clone, Debug, Default)]
pub struct Expressions {
    steps: heapless::Vec<Step, MAX_EXPRESSION_STEPS>,
    sets: heapless::Vec<Set, MAX_EXPRESSION_SETS>,
}

/// One of [`Expressions`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expression {
    start: u16,
    len: u16,
    /// Its groups in parentheses.
    pub groups: u8,
}

impl Expressions {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self { steps: heapless::Vec::new(), sets: heapless::Vec::new() }
    }
}

#[cfg(test)]
mod tests;
