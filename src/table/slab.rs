//! A slab: slots with generational handles.
//!
//! The constructor is `const` and all its defined bytes are zero, so that a static slab costs no byte of the file and no
//! page of memory until a slot is first used.

use core::fmt;

/// Names one entry of a [`Slab`]; stale once the entry is removed, and then matches nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Handle {
    index: u16,
    generation: u16,
}

impl Handle {
    /// The slot's number, below the slab's capacity.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }

    /// How often the slot was emptied before this entry, modulo 65,536.
    #[must_use]
    pub const fn generation(self) -> u16 {
        self.generation
    }

    /// A handle from its parts, for tables beside the slab that share its numbers.
    #[must_use]
    pub const fn from_parts(index: u16, generation: u16) -> Self {
        Self { index, generation }
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index, self.generation)
    }
}

#[derive(Debug)]
struct Slot<T> {
    generation: u16,
    /// Next free slot + 1, while this one is free; 0 ends the list.
    next_free: u16,
    value: Option<T>,
}

/// At most `N` entries (below 65,535) of `T`.
#[derive(Debug)]
pub struct Slab<T, const N: usize> {
    slots: heapless::Vec<Slot<T>, N>,
    /// First free slot + 1; 0 where none is.
    first_free: u16,
    len: u16,
}

impl<T, const N: usize> Default for Slab<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Slab<T, N> {
    /// An empty slab.
    #[must_use]
    pub const fn new() -> Self {
        assert!(N < u16::MAX as usize, "free-list links are 16 bits");
        Self { slots: heapless::Vec::new(), first_free: 0, len: 0 }
    }

    /// Number of entries.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is no entry.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether no entry can be added.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.len as usize >= N
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// The value comes back where the slab is full.
    pub fn insert(&mut self, value: T) -> Result<Handle, T> {
        let index = self.first_free.checked_sub(1).unwrap_or(self.slots.len() as u16);
        if usize::from(index) == self.slots.len()
            && self.slots.push(Slot { generation: 1, next_free: 0, value: None }).is_err()
        {
            return Err(value);
        }
        let Some(slot) = self.slots.get_mut(usize::from(index)) else { return Err(value) };
        self.first_free = core::mem::take(&mut slot.next_free);
        slot.value = Some(value);
        self.len += 1;
        Ok(Handle { index, generation: slot.generation })
    }

    /// Takes an entry out.
    pub fn remove(&mut self, handle: Handle) -> Option<T> {
        let slot = self.slots.get_mut(handle.index())?;
        if slot.generation != handle.generation {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        slot.next_free = self.first_free;
        self.first_free = handle.index + 1;
        self.len -= 1;
        Some(value)
    }

    /// The entry of `handle`.
    #[must_use]
    pub fn get(&self, handle: Handle) -> Option<&T> {
        let slot = self.slots.get(handle.index())?;
        if slot.generation == handle.generation { slot.value.as_ref() } else { None }
    }

    /// The entry of `handle`, to change it.
    pub fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        let slot = self.slots.get_mut(handle.index())?;
        if slot.generation == handle.generation { slot.value.as_mut() } else { None }
    }

    /// All entries in the order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = (Handle, &T)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            Some((Handle { index: index as u16, generation: slot.generation }, slot.value.as_ref()?))
        })
    }

    /// The first entry in slot `index` or behind it.
    #[must_use]
    pub fn first_from(&self, index: usize) -> Option<(Handle, &T)> {
        let mut slots = self.slots.iter().enumerate().skip(index);
        slots.find_map(|(index, slot)| {
            Some((Handle { index: index as u16, generation: slot.generation }, slot.value.as_ref()?))
        })
    }

    /// All entries, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Handle, &mut T)> {
        self.slots.iter_mut().enumerate().filter_map(|(index, slot)| {
            Some((Handle { index: index as u16, generation: slot.generation }, slot.value.as_mut()?))
        })
    }

    /// The first entry for which `wanted` holds.
    pub fn find(&self, mut wanted: impl FnMut(&T) -> bool) -> Option<Handle> {
        self.iter().find(|(_, value)| wanted(value)).map(|(handle, _)| handle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_handle_matches_nothing() {
        let mut slab = Slab::<u8, 2>::new();
        let first = slab.insert(1).expect("room");
        assert_eq!(slab.remove(first), Some(1));
        let second = slab.insert(2).expect("room");
        assert_eq!(first.index(), second.index());
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get(second), Some(&2));
    }

    #[test]
    fn a_full_slab_gives_the_value_back() {
        let mut slab = Slab::<u8, 2>::new();
        let first = slab.insert(1).expect("room");
        slab.insert(2).expect("room");
        assert!(slab.is_full());
        assert_eq!(slab.insert(3), Err(3));
        slab.remove(first);
        assert!(slab.insert(3).is_ok());
        assert_eq!(slab.iter().map(|(_, v)| *v).collect::<Vec<_>>(), [3, 2]);
    }

    #[test]
    fn every_entry_is_met_once_from_slot_to_slot() {
        let mut slab = Slab::<u8, 8>::new();
        let handles: Vec<Handle> = (0..6).map(|value| slab.insert(value).expect("room")).collect();
        for gone in [0, 3, 5] {
            slab.remove(handles[gone]);
        }
        let (mut from, mut met) = (0, Vec::new());
        while let Some((handle, value)) = slab.first_from(from) {
            assert_eq!(handle, handles[usize::from(*value)]);
            met.push(*value);
            from = handle.index() + 1;
        }
        assert_eq!(met, [1, 2, 4]);
        assert_eq!(slab.first_from(usize::MAX), None);
    }

    #[test]
    fn an_empty_slab_of_nothing_takes_nothing() {
        assert_eq!(Slab::<u8, 0>::new().insert(1), Err(1));
    }
}
