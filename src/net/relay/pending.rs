//! Which sockets may have more than was taken from them.

use super::place::SOCKETS;
use crate::limits::MAX_RELAYS;

/// Sockets that used up their batch, one bit each.
#[derive(Debug)]
pub(super) struct Pending {
    words: [u32; MAX_RELAYS * SOCKETS / 32 + 1],
    pub(super) count: usize,
}

impl Default for Pending {
    fn default() -> Self {
        Self { words: [0; MAX_RELAYS * SOCKETS / 32 + 1], count: 0 }
    }
}

impl Pending {
    pub(super) fn mark(&mut self, bit: usize, pending: bool) {
        let Some(word) = self.words.get_mut(bit / 32) else { return };
        let mask = 1 << (bit % 32);
        match (*word & mask != 0, pending) {
            (false, true) => self.count += 1,
            (true, false) => self.count -= 1,
            _ => return,
        }
        *word ^= mask;
    }

    /// The first marked bit that is not below `start`.
    pub(super) fn first_from(&self, start: usize) -> Option<usize> {
        if self.count == 0 {
            return None;
        }
        let mut mask = u32::MAX << (start % 32);
        for (index, word) in self.words.iter().enumerate().skip(start / 32) {
            let found = word & mask;
            if found != 0 {
                return Some(index * 32 + found.trailing_zeros() as usize);
            }
            mask = u32::MAX;
        }
        None
    }
}
