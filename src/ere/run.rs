//! Running a program: all ways through it at once, byte by byte (Thompson's construction, with the groups of each way).

use super::{Expression, Expressions, GROUPS, Step};
use crate::limits::MAX_EXPRESSION;
use crate::span::Span;

/// Where a match and its groups are: the whole one, and `\1` to `\9`; what has not taken part is empty at 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// By the number of the group.
    pub groups: [Span; GROUPS],
}

impl Match {
    /// One without groups.
    #[must_use]
    pub fn of(whole: Span) -> Self {
        let mut found = Self::default();
        found.groups[0] = whole;
        found
    }
}

/// Where each group begins and ends; [`NOWHERE`] where it does not.
type Slots = [u16; 2 * GROUPS];
const NOWHERE: u16 = u16::MAX;

/// Steps of a program, one bit each.
pub(super) type Marks = [u32; MAX_EXPRESSION.div_ceil(32)];

const NONE: Marks = [0; MAX_EXPRESSION.div_ceil(32)];

/// Whether a step is one of these.
pub(super) fn has(marks: &Marks, step: usize) -> bool {
    marks.get(step >> 5).is_some_and(|word| word & 1 << (step & 31) != 0)
}

pub(super) fn mark(marks: &mut Marks, step: usize) {
    if let Some(word) = marks.get_mut(step >> 5) {
        *word |= 1 << (step & 31);
    }
}

/// The ways that have come to the same place in the text, the one that counts more first.
struct Ways {
    list: heapless::Vec<(u16, Slots), MAX_EXPRESSION>,
    seen: Marks,
}

impl Ways {
    const fn new() -> Self {
        Self { list: heapless::Vec::new(), seen: NONE }
    }

    fn clear(&mut self) {
        self.list.clear();
        self.seen = NONE;
    }

    /// Notes a step; whether a way has come to it before.
    fn is_seen(&mut self, step: u16) -> bool {
        let was = has(&self.seen, step.into());
        mark(&mut self.seen, step.into());
        was
    }
}

/// What is left to do of the steps that take no byte.
#[derive(Clone, Copy)]
enum Todo {
    Look(u16),
    /// The slot had this value before.
    PutBack(u8, u16),
}

impl Expressions {
    /// The first match of an expression in `text`, and of those that begin there the longest.
    #[must_use]
    pub fn find(&self, expression: Expression, text: &[u8]) -> Option<Match> {
        let steps = self.steps.get(usize::from(expression.start)..)?.get(..usize::from(expression.len))?;
        // A place in a message has 16 bits, and one number means nowhere.
        let end = u16::try_from(text.len()).ok().filter(|end| *end < NOWHERE)?;
        let (mut first, mut second) = (Ways::new(), Ways::new());
        // They change places for each byte: the references, as they themselves are large.
        let (mut now, mut next) = (&mut first, &mut second);
        let mut best: Option<Slots> = None;
        for at in 0..=end {
            if best.is_none() {
                let mut slots = [NOWHERE; 2 * GROUPS];
                slots[0] = at;
                follow(steps, 0, (at, end), &mut slots, now);
            }
            if now.list.is_empty() && best.is_some() {
                break;
            }
            let byte = text.get(usize::from(at)).map(u8::to_ascii_lowercase);
            next.clear();
            for (place, slots) in &mut now.list {
                // One that began later than a match is none.
                if best.is_some_and(|best| slots[0] > best[0]) {
                    continue;
                }
                let Some(step) = steps.get(usize::from(*place)) else { continue };
                if *step == Step::Match && best.is_none_or(|best| at > best[1] || slots[0] < best[0]) {
                    slots[1] = at;
                    best = Some(*slots);
                }
                if self.takes(*step, byte) {
                    follow(steps, place.saturating_add(1), (at.saturating_add(1), end), slots, next);
                }
            }
            core::mem::swap(&mut now, &mut next);
        }
        let best = best?;
        let mut found = Match::default();
        for (group, pair) in found.groups.iter_mut().zip(best.chunks_exact(2)) {
            if let [start, end] = *pair
                && start != NOWHERE
                && end != NOWHERE
            {
                *group = Span::new(start, end);
            }
        }
        Some(found)
    }
}

impl Expressions {
    /// Whether a step takes this byte, which is in lower case.
    pub(super) fn takes(&self, step: Step, byte: Option<u8>) -> bool {
        match (step, byte) {
            (Step::Byte(wanted), Some(byte)) => wanted == byte,
            (Step::Any, Some(_)) => true,
            (Step::Set(set), Some(byte)) => {
                let words = self.sets.get(usize::from(set));
                let word = words.and_then(|words| words.get(usize::from(byte >> 5)));
                word.is_some_and(|word| word & 1 << (byte & 31) != 0)
            }
            _ => false,
        }
    }
}

type List = heapless::Vec<Todo, { 2 * MAX_EXPRESSION + 1 }>;

/// Adds the way that is at `step` when the text is at `at`: it goes on, without taking a byte, to all the steps that take one.
fn follow(steps: &[Step], step: u16, (at, end): (u16, u16), slots: &mut Slots, ways: &mut Ways) {
    // Each step is looked at once, and adds two.
    let mut todo = List::new();
    let later = |todo: &mut List, one| {
        let _ = todo.push(one);
    };
    later(&mut todo, Todo::Look(step));
    while let Some(one) = todo.pop() {
        let place = match one {
            Todo::PutBack(slot, value) => {
                if let Some(slot) = slots.get_mut(usize::from(slot)) {
                    *slot = value;
                }
                continue;
            }
            Todo::Look(place) => place,
        };
        if ways.is_seen(place) {
            continue;
        }
        let on = |way: i16| Todo::Look(place.saturating_add_signed(way));
        match steps.get(usize::from(place)) {
            Some(Step::Jump(way)) => later(&mut todo, on(*way)),
            Some(Step::Split(first, second)) => {
                later(&mut todo, on(*second));
                later(&mut todo, on(*first));
            }
            Some(Step::Begin) if at == 0 => later(&mut todo, on(1)),
            Some(Step::End) if at == end => later(&mut todo, on(1)),
            Some(Step::Begin | Step::End) | None => {}
            Some(Step::Save(slot)) => {
                if let Some(place) = slots.get_mut(usize::from(*slot)) {
                    later(&mut todo, Todo::PutBack(*slot, *place));
                    *place = at;
                }
                later(&mut todo, on(1));
            }
            // There is a place for each step.
            Some(_) => {
                let _ = ways.list.push((place, *slots));
            }
        }
    }
}
