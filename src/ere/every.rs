//! All matches in a text, in time linear in the text.
//!
//! Looking for the longest match may read the text to its end, and find a short one: done anew behind each match that would take quadratic
//! time. So the text is read backwards first. From which steps a match is still reached is known then at every place, a search stops where
//! its match ends, and the next one begins there. That is kept for the places of one block, and made again from what is kept between blocks.

use super::run::{Marks, has, mark};
use super::{Expression, Expressions, Step};
use crate::span::Span;

/// Places in a block, and blocks in a text.
const BLOCK: usize = 64;

/// Bytes of the longest text.
pub const MAX_TEXT: usize = BLOCK * BLOCK;

/// One search. The steps are those of one expression.
struct Search<'a> {
    all: &'a Expressions,
    steps: &'a [Step],
    text: &'a [u8],
    /// The steps from which a match is reached, at the first place of each block.
    borders: [Marks; BLOCK + 1],
    /// The same at each place of one block.
    inner: [Marks; BLOCK],
    /// The number of that block.
    block: usize,
    /// How often the steps have been gone through for one place.
    work: usize,
}

/// The most [`Search::work`] for each place: read backwards, once more for its block and again for the block that a search looks into, and looked at
/// by the search that ends there and by the next.
const MAX_WORK: usize = 6;

impl Expressions {
    /// Calls `took` with each match of an expression, from left to right, until it returns an error. The next one begins behind the
    /// one before, or one byte further where that is empty. A text of more than [`MAX_TEXT`] bytes has none.
    ///
    /// # Errors
    /// That of `took`.
    pub fn every<E>(
        &self,
        expression: Expression,
        text: &[u8],
        took: &mut dyn FnMut(Span) -> Result<(), E>,
    ) -> Result<(), E> {
        let steps = self.steps.get(usize::from(expression.start)..);
        let Some(steps) = steps.and_then(|steps| steps.get(..usize::from(expression.len))) else { return Ok(()) };
        let none = Marks::default();
        let mut search = Search {
            all: self,
            steps,
            text,
            borders: [none; BLOCK + 1],
            inner: [none; BLOCK],
            block: usize::MAX,
            work: 0,
        };
        if text.len() > MAX_TEXT || !search.read_backwards() {
            return Ok(());
        }
        let mut from = 0;
        while from <= text.len() {
            let Some(end) = search.longest(from) else {
                from = from.saturating_add(1);
                continue;
            };
            took(Span::from_usize(from, end))?;
            from = end.max(from.saturating_add(1));
        }
        debug_assert!(search.work <= MAX_WORK * (text.len() + BLOCK), "{} for {} bytes", search.work, text.len());
        Ok(())
    }
}

impl Search<'_> {
    /// Fills in the borders; whether there is a match at all.
    fn read_backwards(&mut self) -> bool {
        let (mut here, mut is_any) = (Marks::default(), false);
        for at in (0..=self.text.len()).rev() {
            here = self.reaching(at, &here);
            is_any |= has(&here, 0);
            if at.is_multiple_of(BLOCK)
                && let Some(border) = self.borders.get_mut(at / BLOCK)
            {
                *border = here;
            }
        }
        is_any
    }

    /// The steps from which a match is reached at `at`, by those at the next place.
    fn reaching(&mut self, at: usize, next: &Marks) -> Marks {
        let (mut here, byte) = (Marks::default(), self.byte(at));
        self.work = self.work.saturating_add(1);
        // What leads back, a repetition, may need another look.
        loop {
            let before = here;
            for (place, step) in self.steps.iter().enumerate().rev() {
                let is_one = match step {
                    Step::Match => true,
                    Step::Byte(_) | Step::Any | Step::Set(_) => {
                        self.all.takes(*step, byte) && has(next, place.saturating_add(1))
                    }
                    _ => self.ways(at, *step).into_iter().flatten().any(|way| has(&here, to(place, way))),
                };
                if is_one {
                    mark(&mut here, place);
                }
            }
            if here == before {
                return here;
            }
        }
    }

    /// The end of the longest match that begins at `from`.
    fn longest(&mut self, from: usize) -> Option<usize> {
        let mut now = Marks::default();
        mark(&mut now, 0);
        let (mut at, mut end) = (from, None);
        loop {
            let viable = self.viable(at);
            now.iter_mut().zip(viable).for_each(|(now, viable)| *now &= viable);
            if now == Marks::default() {
                return end;
            }
            let (mut next, byte) = (Marks::default(), self.byte(at));
            self.work = self.work.saturating_add(1);
            loop {
                let before = now;
                for (place, step) in self.steps.iter().enumerate() {
                    if !has(&now, place) {
                        continue;
                    }
                    match step {
                        Step::Match => end = Some(at),
                        Step::Byte(_) | Step::Any | Step::Set(_) => {
                            if self.all.takes(*step, byte) {
                                mark(&mut next, place.saturating_add(1));
                            }
                        }
                        _ => {
                            let ways = self.ways(at, *step).into_iter().flatten();
                            ways.map(|way| to(place, way))
                                .filter(|step| has(&viable, *step))
                                .for_each(|step| mark(&mut now, step));
                        }
                    }
                }
                if now == before {
                    break;
                }
            }
            (now, at) = (next, at.saturating_add(1));
        }
    }

    /// The steps from which a match is reached at `at`.
    fn viable(&mut self, at: usize) -> Marks {
        let block = at / BLOCK;
        if self.block != block {
            self.block = block;
            let start = block.saturating_mul(BLOCK);
            let mut here = self.borders.get(block.saturating_add(1)).copied().unwrap_or_default();
            for inner in (0..BLOCK).rev() {
                let at = start.saturating_add(inner);
                if at <= self.text.len() {
                    here = self.reaching(at, &here);
                }
                if let Some(place) = self.inner.get_mut(inner) {
                    *place = here;
                }
            }
        }
        self.inner.get(at % BLOCK).copied().unwrap_or_default()
    }

    /// Where a step goes on that takes no byte.
    fn ways(&self, at: usize, step: Step) -> [Option<i16>; 2] {
        match step {
            Step::Jump(way) => [Some(way), None],
            Step::Split(first, second) => [Some(first), Some(second)],
            Step::Begin if at > 0 => [None; 2],
            Step::End if at < self.text.len() => [None; 2],
            _ => [Some(1), None],
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).map(u8::to_ascii_lowercase)
    }
}

fn to(place: usize, way: i16) -> usize {
    place.saturating_add_signed(way.into())
}
