//! Lookup by hash: open addressing over the numbers of a slab's slots.

use super::Handle;

/// A multimap from 32-bit hashes to handles, with `N` places, a power of two and at least twice the entries it is given.
///
/// The constructor is `const` and all zero. Whoever looks up compares the real key himself: two keys may share a hash.
#[derive(Debug)]
pub struct Index<const N: usize> {
    places: [Place; N],
    len: u16,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    hash: u32,
    handle: Handle,
    /// 0 empty, 1 taken. A removal moves later entries up instead of leaving a mark.
    taken: u8,
}

impl<const N: usize> Default for Index<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Index<N> {
    const MASK: usize = N - 1;

    /// An empty index.
    #[must_use]
    pub const fn new() -> Self {
        assert!(N.is_power_of_two(), "places are found by masking");
        Self { places: [Place { hash: 0, handle: Handle::from_parts(0, 0), taken: 0 }; N], len: 0 }
    }

    /// Adds an entry; `false` where all places are taken.
    pub fn insert(&mut self, hash: u32, handle: Handle) -> bool {
        if usize::from(self.len) >= N {
            return false;
        }
        let mut at = hash as usize & Self::MASK;
        while self.places[at].taken != 0 {
            at = (at + 1) & Self::MASK;
        }
        self.places[at] = Place { hash, handle, taken: 1 };
        self.len += 1;
        true
    }

    /// The handles entered under `hash`.
    pub fn lookup(&self, hash: u32) -> impl Iterator<Item = Handle> + '_ {
        (0..N)
            .map(move |step| &self.places[(hash as usize).wrapping_add(step) & Self::MASK])
            .take_while(|place| place.taken != 0)
            .filter(move |place| place.hash == hash)
            .map(|place| place.handle)
    }

    /// Removes the entry of `handle` under `hash`; `false` where there is none.
    pub fn remove(&mut self, hash: u32, handle: Handle) -> bool {
        let start = hash as usize & Self::MASK;
        for step in 0..N {
            let at = (start + step) & Self::MASK;
            let place = self.places[at];
            if place.taken == 0 {
                return false;
            }
            if place.hash == hash && place.handle == handle {
                self.close_gap(at);
                self.len -= 1;
                return true;
            }
        }
        false
    }

    /// Moves up the entries behind `gap` that would no longer be found from their first place.
    fn close_gap(&mut self, mut gap: usize) {
        self.places[gap].taken = 0;
        let mut at = gap;
        loop {
            at = (at + 1) & Self::MASK;
            let place = self.places[at];
            if place.taken == 0 {
                return;
            }
            let first = place.hash as usize & Self::MASK;
            let distance_to_gap = at.wrapping_sub(gap) & Self::MASK;
            let distance_to_first = at.wrapping_sub(first) & Self::MASK;
            if distance_to_first >= distance_to_gap {
                self.places[gap] = place;
                self.places[at].taken = 0;
                gap = at;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is inserted and removed in whatever order: the index finds what a plain list finds.
        #[test]
        fn agrees_with_a_list(steps in proptest::collection::vec((any::<bool>(), 0u32..12, 0u16..6), 0..200)) {
            let mut index = Index::<16>::new();
            let mut list: Vec<(u32, Handle)> = Vec::new();
            for (insert, hash, number) in steps {
                let handle = Handle::from_parts(number, 1);
                if insert && list.len() < 16 {
                    prop_assert!(index.insert(hash, handle));
                    list.push((hash, handle));
                } else {
                    let at = list.iter().position(|entry| *entry == (hash, handle));
                    prop_assert_eq!(index.remove(hash, handle), at.is_some());
                    if let Some(at) = at { list.remove(at); }
                }
                for hash in 0..12 {
                    let mut found: Vec<_> = index.lookup(hash).collect();
                    let mut wanted: Vec<_> = list.iter().filter(|e| e.0 == hash).map(|e| e.1).collect();
                    found.sort();
                    wanted.sort();
                    prop_assert_eq!(found, wanted);
                }
            }
        }
    }
}
