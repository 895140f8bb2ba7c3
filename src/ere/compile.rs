//! From the text of an expression to its program.

use super::{Expression, Expressions, Fault, GROUPS, Set, Step};
use crate::limits::MAX_EXPRESSION;

/// Parentheses within parentheses.
const MAX_DEPTH: u8 = 20;
/// The most repetitions that braces may ask for (`RE_DUP_MAX`).
const MAX_REPETITIONS: u32 = 255;

impl Expressions {
    /// Compiles one more expression.
    ///
    /// # Errors
    /// See [`Fault`]; then there are no more than before.
    pub fn compile(&mut self, text: &str) -> Result<Expression, Fault> {
        let (start, sets) = (self.steps.len(), self.sets.len());
        let mut compiler = Compiler { all: self, text: text.as_bytes(), groups: 0, depth: 0 };
        let compiled = compiler.whole();
        let groups = compiler.groups;
        let len = self.steps.len().saturating_sub(start);
        match compiled {
            Ok(()) if len <= MAX_EXPRESSION => Ok(Expression { start: number(start), len: number(len), groups }),
            compiled => {
                self.steps.truncate(start);
                self.sets.truncate(sets);
                Err(compiled.err().unwrap_or(Fault::TooLarge))
            }
        }
    }
}

/// Programs are far shorter than 2^15 steps.
fn number(place: usize) -> u16 {
    u16::try_from(place).unwrap_or(u16::MAX)
}

/// The way from one step to another.
fn way(from: usize, to: usize) -> i16 {
    let place = |at| i16::try_from(at).unwrap_or(i16::MAX);
    place(to).saturating_sub(place(from))
}

struct Compiler<'a> {
    all: &'a mut Expressions,
    /// What is still to come.
    text: &'a [u8],
    groups: u8,
    depth: u8,
}

impl Compiler<'_> {
    fn whole(&mut self) -> Result<(), Fault> {
        self.alternatives()?;
        if !self.text.is_empty() {
            return Err(Fault::Parenthesis);
        }
        self.push(Step::Match)
    }

    fn len(&self) -> usize {
        self.all.steps.len()
    }

    fn push(&mut self, step: Step) -> Result<(), Fault> {
        self.all.steps.push(step).map_err(|_| Fault::TooLarge)
    }

    fn insert(&mut self, at: usize, step: Step) -> Result<(), Fault> {
        self.all.steps.insert(at, step).map_err(|_| Fault::TooLarge)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let rest = self.text.strip_prefix(&[byte]);
        self.text = rest.unwrap_or(self.text);
        rest.is_some()
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.text.split_first()?;
        self.text = rest;
        Some(*first)
    }

    /// `a|b|c`
    fn alternatives(&mut self) -> Result<(), Fault> {
        let mut start = self.len();
        let mut jumps = heapless::Vec::<usize, 32>::new();
        self.branch()?;
        while self.eat(b'|') {
            let second = self.len().saturating_add(2);
            self.insert(start, Step::Split(1, way(start, second)))?;
            jumps.push(self.len()).map_err(|_| Fault::TooLarge)?;
            self.push(Step::Jump(0))?;
            start = self.len();
            self.branch()?;
        }
        let end = self.len();
        for jump in jumps {
            if let Some(step) = self.all.steps.get_mut(jump) {
                *step = Step::Jump(way(jump, end));
            }
        }
        Ok(())
    }

    /// `abc`
    fn branch(&mut self) -> Result<(), Fault> {
        while !matches!(self.text.first(), None | Some(b'|' | b')')) {
            let start = self.len();
            self.atom()?;
            while self.repetition(start)? {}
        }
        Ok(())
    }

    fn atom(&mut self) -> Result<(), Fault> {
        let Some(byte) = self.next() else { return Ok(()) };
        match byte {
            b'.' => self.push(Step::Any),
            b'^' => self.push(Step::Begin),
            b'$' => self.push(Step::End),
            b'[' => self.bracket(),
            b'(' => self.group(),
            b'*' | b'+' | b'?' | b'{' => Err(Fault::Repetition),
            b'\\' => match self.next() {
                Some(b'1'..=b'9') => Err(Fault::BackReference),
                Some(escaped) if !escaped.is_ascii_alphanumeric() => self.push(Step::Byte(escaped)),
                _ => Err(Fault::Escape),
            },
            byte => self.push(Step::Byte(byte.to_ascii_lowercase())),
        }
    }

    fn group(&mut self) -> Result<(), Fault> {
        self.depth = self.depth.checked_add(1).filter(|depth| *depth < MAX_DEPTH).ok_or(Fault::TooLarge)?;
        self.groups = self.groups.saturating_add(1);
        let number = self.groups;
        let is_kept = usize::from(number) < GROUPS;
        if is_kept {
            self.push(Step::Save(number.saturating_mul(2)))?;
        }
        self.alternatives()?;
        if !self.eat(b')') {
            return Err(Fault::Parenthesis);
        }
        if is_kept {
            self.push(Step::Save(number.saturating_mul(2).saturating_add(1)))?;
        }
        self.depth = self.depth.saturating_sub(1);
        Ok(())
    }

    /// What stands behind an atom whose steps begin at `start`; `false` where that is no repetition.
    fn repetition(&mut self, start: usize) -> Result<bool, Fault> {
        match self.text.first() {
            Some(b'*') => self.star(start)?,
            Some(b'+') => self.again(start)?,
            Some(b'?') => self.option(start)?,
            Some(b'{') => {
                self.eat(b'{');
                self.braces(start)?;
                return Ok(true);
            }
            _ => return Ok(false),
        }
        self.text = self.text.get(1..).unwrap_or_default();
        Ok(true)
    }

    fn star(&mut self, start: usize) -> Result<(), Fault> {
        let end = self.len().saturating_add(2);
        self.insert(start, Step::Split(1, way(start, end)))?;
        self.push(Step::Jump(way(self.len(), start)))
    }

    /// Once more, and again.
    fn again(&mut self, start: usize) -> Result<(), Fault> {
        self.push(Step::Split(way(self.len(), start), 1))
    }

    fn option(&mut self, start: usize) -> Result<(), Fault> {
        let end = self.len().saturating_add(1);
        self.insert(start, Step::Split(1, way(start, end)))
    }

    fn braces(&mut self, start: usize) -> Result<(), Fault> {
        let least = self.count().ok_or(Fault::Braces)?;
        let most = match self.eat(b',') {
            true if self.text.first() == Some(&b'}') => None,
            true => Some(self.count().ok_or(Fault::Braces)?),
            false => Some(least),
        };
        if !self.eat(b'}') || most.is_some_and(|most| most < least) {
            return Err(Fault::Braces);
        }
        let atom = start..self.len();
        for _ in 1..least {
            self.copy(&atom)?;
        }
        match (least, most) {
            (0, None) => return self.star(start),
            (_, None) => return self.again(self.len().saturating_sub(atom.len())),
            (0, Some(0)) => {
                self.all.steps.truncate(start);
                return Ok(());
            }
            _ => {}
        }
        // Those that may be left out, each within the one before; the last step of all is where any of them leads to.
        let optional = most.unwrap_or(least).saturating_sub(least);
        let steps = atom.len().saturating_add(1);
        let first = if least == 0 { start } else { self.len() };
        for done in 0..optional {
            let here = self.len();
            if least == 0 && done == 0 {
                self.insert(start, Step::Split(1, 0))?;
            } else {
                self.push(Step::Split(1, 0))?;
                let moved = if least == 0 { 1 } else { 0 };
                let atom = atom.start.saturating_add(moved)..atom.end.saturating_add(moved);
                self.copy(&atom)?;
            }
            debug_assert!(self.len() == here.saturating_add(if least == 0 && done == 0 { 1 } else { steps }));
        }
        let end = self.len();
        let mut split = first;
        for _ in 0..optional {
            if let Some(step) = self.all.steps.get_mut(split) {
                *step = Step::Split(1, way(split, end));
            }
            split = split.saturating_add(steps);
        }
        Ok(())
    }

    fn count(&mut self) -> Option<u32> {
        let digits = self.text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.text.split_at_checked(digits)?;
        self.text = rest;
        crate::sip::lex::number(digits, MAX_REPETITIONS)
    }

    fn copy(&mut self, steps: &core::ops::Range<usize>) -> Result<(), Fault> {
        for at in steps.clone() {
            let step = self.all.steps.get(at).copied().unwrap_or(Step::Match);
            self.push(step)?;
        }
        Ok(())
    }

    /// `[a-z[:digit:]]`, whose opening bracket has been taken.
    fn bracket(&mut self) -> Result<(), Fault> {
        let is_negated = self.eat(b'^');
        let mut set = Set::default();
        let mut is_first = true;
        while is_first || !self.eat(b']') {
            is_first = false;
            if self.text.starts_with(b"[:") {
                let class = self.named(b':').ok_or(Fault::Bracket)?;
                let holds = class_of(class).ok_or(Fault::Bracket)?;
                (0..=u8::MAX).filter(holds).for_each(|byte| put(&mut set, byte));
                continue;
            }
            let low = self.element()?;
            let is_range = self.text.first() == Some(&b'-') && self.text.get(1).is_some_and(|byte| *byte != b']');
            let high = if is_range {
                self.eat(b'-');
                self.element()?
            } else {
                low
            };
            if low > high {
                return Err(Fault::Bracket);
            }
            (low..=high).for_each(|byte| put(&mut set, byte));
        }
        if is_negated {
            set = set.map(|word| !word);
        }
        let place = match self.all.sets.iter().position(|known| *known == set) {
            Some(place) => place,
            None => {
                self.all.sets.push(set).map_err(|_| Fault::TooLarge)?;
                self.all.sets.len().saturating_sub(1)
            }
        };
        self.push(Step::Set(u8::try_from(place).map_err(|_| Fault::TooLarge)?))
    }

    /// A character between brackets, also as `[.a.]` or `[=a=]`. One has its name in POSIX (IEEE 1003.1 §6.1), as it begins a comment in a
    /// configuration.
    fn element(&mut self) -> Result<u8, Fault> {
        for mark in [b'.', b'='] {
            if self.text.starts_with(&[b'[', mark]) {
                return match self.named(mark) {
                    Some([byte]) => Ok(*byte),
                    Some(b"number-sign") => Ok(b'#'),
                    _ => Err(Fault::Bracket),
                };
            }
        }
        self.next().ok_or(Fault::Bracket)
    }

    /// What stands between `[:` and `:]`.
    fn named(&mut self, mark: u8) -> Option<&[u8]> {
        let inner = self.text.get(2..)?;
        let end = inner.windows(2).position(|pair| pair == [mark, b']'])?;
        self.text = inner.get(end.checked_add(2)?..)?;
        inner.get(..end)
    }
}

/// Puts a byte into a set; a letter in both cases.
fn put(set: &mut Set, byte: u8) {
    for byte in [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()] {
        if let Some(word) = set.get_mut(usize::from(byte >> 5)) {
            *word |= 1 << (byte & 31);
        }
    }
}

/// The bytes of a class, in the POSIX locale. With letters in both cases [:upper:] and [:lower:] are one.
fn class_of(name: &[u8]) -> Option<fn(&u8) -> bool> {
    Some(match name {
        b"alnum" => u8::is_ascii_alphanumeric,
        b"alpha" | b"upper" | b"lower" => u8::is_ascii_alphabetic,
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"print" => |byte| matches!(byte, b' '..=b'~'),
        b"punct" => u8::is_ascii_punctuation,
        b"space" => |byte| matches!(byte, b' ' | b'\t'..=b'\r'),
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => return None,
    })
}
