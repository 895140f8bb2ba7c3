//! Packets that wait for their time: one fixed pool for all relays, with a queue for each direction in it.
//!
//! A queue is a chain of places, in the order of sequence numbers. What has no place is the caller's to send at once.

use crate::limits::MAX_HELD_DATAGRAM;
use crate::rtp::quality::MAX_MISORDER;
use crate::time::Instant;

/// A place's number plus one; zero is none.
type Link = u16;

/// One direction's packets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Queue {
    first: Link,
    last: Link,
    /// Packets in it.
    pub(super) length: u16,
}

/// What is known of a packet that waits.
#[derive(Clone, Copy, Debug)]
struct Entry {
    due: Instant,
    ssrc: u32,
    sequence: u16,
    length: u16,
    next: Link,
}

impl Entry {
    /// Whether a packet goes before this one: it is of the same source, and its number is a little lower.
    const fn is_after(&self, sequence: u16, ssrc: u32) -> bool {
        self.ssrc == ssrc && matches!(self.sequence.wrapping_sub(sequence), 1..=MAX_MISORDER)
    }
}

/// All places. They are made as they are needed, within the room that is reserved: no page before its use.
#[derive(Debug)]
pub(super) struct Pool {
    entries: Vec<Entry>,
    packets: Vec<[u8; MAX_HELD_DATAGRAM]>,
    /// The chain of places that were used and are not.
    free: Link,
    /// Packets that wait.
    pub(super) held: usize,
    room: usize,
}

impl Pool {
    /// A pool with room for that many packets.
    pub(super) fn new(room: usize) -> Self {
        let room = room.min(usize::from(Link::MAX));
        Self { entries: Vec::with_capacity(room), packets: Vec::with_capacity(room), free: 0, held: 0, room }
    }

    /// Has room for that many packets at least.
    pub(super) fn make_room(&mut self, room: usize) {
        self.room = self.room.max(room.min(usize::from(Link::MAX)));
        self.entries.reserve_exact(self.room - self.entries.len());
        self.packets.reserve_exact(self.room - self.packets.len());
    }

    /// Places, taken or not.
    pub(super) const fn room(&self) -> usize {
        self.room
    }

    /// Puts a packet into its place in a queue; `false` where there is none in the pool, or the packet is too long.
    pub(super) fn put(&mut self, queue: &mut Queue, packet: &[u8], sequence: u16, ssrc: u32, due: Instant) -> bool {
        let Ok(length) = u16::try_from(packet.len()) else { return false };
        if packet.len() > MAX_HELD_DATAGRAM || self.held >= self.room {
            return false;
        }
        let before = self.place(queue, sequence, ssrc);
        let next = before.map_or(queue.first, |before| self.next(before));
        // Whoever is behind does not wait for it.
        let due = self.entry(next).map_or(due, |behind| due.min(behind.due));
        let Some(link) = self.take(Entry { due, ssrc, sequence, length, next }, packet) else { return false };
        match before.and_then(|before| self.entry_mut(before)) {
            Some(before) => before.next = link,
            None => queue.first = link,
        }
        if next == 0 {
            queue.last = link;
        }
        queue.length += 1;
        true
    }

    /// When the first packet of a queue is due.
    pub(super) fn first_due(&self, queue: &Queue) -> Option<Instant> {
        self.entry(queue.first).map(|entry| entry.due)
    }

    /// Whether a packet would be the first of a queue.
    pub(super) fn goes_first(&self, queue: &Queue, sequence: u16, ssrc: u32) -> bool {
        self.entry(queue.first).is_none_or(|entry| entry.is_after(sequence, ssrc))
    }

    /// Takes the first packet out of a queue. It is read before anything is put in.
    pub(super) fn pop(&mut self, queue: &mut Queue) -> Option<&[u8]> {
        let link = queue.first;
        let free = self.free;
        let entry = self.entry_mut(link)?;
        let (length, next) = (entry.length, entry.next);
        entry.next = free;
        self.free = link;
        self.held -= 1;
        *queue = Queue { first: next, last: if next == 0 { 0 } else { queue.last }, length: queue.length - 1 };
        self.packets.get(index(link)?)?.get(..usize::from(length))
    }

    /// Forgets the packets of a queue.
    pub(super) fn clear(&mut self, queue: &mut Queue) {
        while self.pop(queue).is_some() {}
    }

    /// The packet that one goes behind; `None` where it is the first.
    fn place(&self, queue: &Queue, sequence: u16, ssrc: u32) -> Option<Link> {
        if self.entry(queue.last).is_some_and(|last| !last.is_after(sequence, ssrc)) {
            return Some(queue.last);
        }
        let (mut before, mut link) = (None, queue.first);
        while let Some(entry) = self.entry(link)
            && !entry.is_after(sequence, ssrc)
        {
            (before, link) = (Some(link), entry.next);
        }
        before
    }

    /// Takes a place for a packet.
    fn take(&mut self, entry: Entry, packet: &[u8]) -> Option<Link> {
        let mut link = self.free;
        if link == 0 {
            self.entries.push(entry);
            self.packets.push([0; MAX_HELD_DATAGRAM]);
            link = Link::try_from(self.entries.len()).ok()?;
        } else {
            self.free = self.next(link);
            *self.entry_mut(link)? = entry;
        }
        self.packets.get_mut(index(link)?)?.get_mut(..packet.len())?.copy_from_slice(packet);
        self.held += 1;
        Some(link)
    }

    fn entry(&self, link: Link) -> Option<&Entry> {
        self.entries.get(index(link)?)
    }

    fn entry_mut(&mut self, link: Link) -> Option<&mut Entry> {
        self.entries.get_mut(index(link)?)
    }

    fn next(&self, link: Link) -> Link {
        self.entry(link).map_or(0, |entry| entry.next)
    }
}

/// A place's number.
fn index(link: Link) -> Option<usize> {
    usize::from(link).checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    /// Puts a packet in that holds its own number.
    fn put(pool: &mut Pool, queue: &mut Queue, ssrc: u32, sequence: u16, due: u64) -> bool {
        pool.put(queue, &sequence.to_be_bytes(), sequence, ssrc, at(due))
    }

    /// Empties a queue: when each packet was due, and its number.
    fn drain(pool: &mut Pool, queue: &mut Queue) -> Vec<(u64, u16)> {
        core::iter::from_fn(|| {
            let due = pool.first_due(queue)?.as_millis();
            let packet = pool.pop(queue).expect("there is one");
            Some((due, u16::from_be_bytes(packet.try_into().expect("two bytes"))))
        })
        .collect()
    }

    #[test]
    fn packets_leave_by_their_numbers() {
        let (mut pool, mut queue) = (Pool::new(8), Queue::default());
        for (sequence, due) in [(65_534, 10), (1, 70), (65_535, 30), (0, 50), (0, 50), (65_500, 90)] {
            assert!(put(&mut pool, &mut queue, 1, sequence, due));
        }
        assert!(pool.goes_first(&queue, 65_499, 1) && !pool.goes_first(&queue, 65_501, 1));
        assert!(!pool.goes_first(&queue, 65_499, 2), "nothing is known of another source");
        assert_eq!(queue.length, 6);
        let left = drain(&mut pool, &mut queue);
        assert_eq!(left, [(10, 65_500), (10, 65_534), (30, 65_535), (50, 0), (50, 0), (70, 1)]);
        assert_eq!((pool.held, queue.length), (0, 0));
        assert!(pool.goes_first(&queue, 5, 1));
    }

    #[test]
    fn another_source_and_a_new_beginning_go_behind() {
        let (mut pool, mut queue) = (Pool::new(8), Queue::default());
        for (ssrc, sequence, due) in [(1, 500, 10), (2, 3, 20), (2, 2, 15), (1, 300, 30), (1, 499, 40)] {
            assert!(put(&mut pool, &mut queue, ssrc, sequence, due));
        }
        let numbers: Vec<_> = drain(&mut pool, &mut queue).into_iter().map(|(_, sequence)| sequence).collect();
        assert_eq!(numbers, [500, 2, 3, 300, 499]);
    }

    #[test]
    fn a_full_pool_takes_nothing_and_a_cleared_queue_gives_its_places_back() {
        let (mut pool, mut one, mut other) = (Pool::new(3), Queue::default(), Queue::default());
        assert!(put(&mut pool, &mut one, 1, 1, 0) && put(&mut pool, &mut other, 1, 1, 0));
        assert!(put(&mut pool, &mut one, 1, 2, 0));
        assert!(!put(&mut pool, &mut other, 1, 2, 0));
        assert_eq!((one.length, other.length), (2, 1));
        pool.clear(&mut one);
        assert_eq!((pool.held, one.length), (1, 0));
        assert!(put(&mut pool, &mut other, 1, 2, 0) && put(&mut pool, &mut other, 1, 3, 0));
        assert!(!put(&mut pool, &mut one, 1, 4, 0));
        assert_eq!(drain(&mut pool, &mut other).len(), 3);
        assert!(!pool.put(&mut one, &[0; MAX_HELD_DATAGRAM + 1], 1, 1, at(0)), "too long");
        assert!(pool.put(&mut one, &[7; MAX_HELD_DATAGRAM], 1, 1, at(0)));
        assert_eq!(pool.pop(&mut one), Some(&[7; MAX_HELD_DATAGRAM][..]));
        assert!(!Pool::new(0).put(&mut one, &[], 1, 1, at(0)));
    }

    proptest! {
        #[test]
        fn no_packet_is_lost_or_doubled(steps in prop::collection::vec((0usize..3, 0u16..12, any::<bool>()), 0..300)) {
            let (mut pool, mut queues) = (Pool::new(20), [Queue::default(); 3]);
            let mut lengths = [0usize; 3];
            for (queue, sequence, puts) in steps {
                if puts {
                    let took = put(&mut pool, &mut queues[queue], 1, sequence, sequence.into());
                    prop_assert_eq!(took, lengths.iter().sum::<usize>() < 20);
                    lengths[queue] += usize::from(took);
                } else {
                    let first = pool.first_due(&queues[queue]);
                    prop_assert_eq!(pool.pop(&mut queues[queue]).is_some(), lengths[queue] > 0);
                    lengths[queue] = lengths[queue].saturating_sub(1);
                    prop_assert!(first <= pool.first_due(&queues[queue]) || lengths[queue] == 0);
                }
                prop_assert_eq!(pool.held, lengths.iter().sum::<usize>());
                prop_assert_eq!(queues.map(|queue| usize::from(queue.length)), lengths);
            }
            for (queue, length) in queues.iter_mut().zip(lengths) {
                let left = drain(&mut pool, queue);
                prop_assert_eq!(left.len(), length);
                prop_assert!(left.is_sorted());
            }
        }
    }
}
