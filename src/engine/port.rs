//! RTP ports: which even ports of `rtp_port_low`..`rtp_port_high` are in use, on either side.

use super::io::Side;
use super::random::Random;

/// One bit for each even port.
const WORDS: usize = 65_536 / 2 / 32;

/// The ports in use. Starts as all zero bytes; 8 KiB.
#[derive(Debug)]
pub(super) struct Ports {
    used: [[u32; WORDS]; 2],
}

impl Ports {
    pub(super) const fn new() -> Self {
        Self { used: [[0; WORDS]; 2] }
    }

    /// A random free even port in `low..=high` on `side`, now in use; `None` where there is none. Where both sides are one
    /// address (`shared`) a port is free only if neither side uses it.
    pub(super) fn take(&mut self, side: Side, shared: bool, low: u16, high: u16, random: &mut Random) -> Option<u16> {
        let count = u32::from(high.checked_sub(low)?) / 2 + 1;
        let start = random.below(count);
        let port = (0..count)
            .map(|step| low.saturating_add((((start + step) % count) * 2) as u16))
            .find(|port| !(self.is_used(side, *port) || shared && self.is_used(other(side), *port)))?;
        self.set(side, port, true);
        Some(port)
    }

    /// Takes this very port; `false` where it is in use.
    pub(super) fn claim(&mut self, side: Side, port: u16) -> bool {
        let is_free = !self.is_used(side, port);
        self.set(side, port, true);
        is_free
    }

    /// Gives a port back.
    pub(super) fn give_back(&mut self, side: Side, port: u16) {
        self.set(side, port, false);
    }

    /// Whether a relay of ours has `port` on `side`, for RTP or RTCP.
    pub(super) fn holds(&self, side: Side, port: u16) -> bool {
        self.is_used(side, port)
    }

    /// Number of ports in use, on both sides together.
    pub(super) fn len(&self) -> usize {
        self.used.iter().flatten().map(|word| word.count_ones() as usize).sum()
    }

    fn is_used(&self, side: Side, port: u16) -> bool {
        let (word, bit) = place(port);
        self.used[side as usize].get(word).is_some_and(|w| w & bit != 0)
    }

    fn set(&mut self, side: Side, port: u16, used: bool) {
        let (word, bit) = place(port);
        if let Some(w) = self.used[side as usize].get_mut(word) {
            *w = if used { *w | bit } else { *w & !bit };
        }
    }
}

const fn place(port: u16) -> (usize, u32) {
    let number = port as usize / 2;
    (number / 32, 1 << (number % 32))
}

const fn other(side: Side) -> Side {
    match side {
        Side::Lan => Side::Wan,
        Side::Wan => Side::Lan,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_is_given_once_and_can_be_given_again() {
        let (mut ports, mut random) = (Ports::new(), Random::new());
        random.seed(1);
        let mut all: Vec<_> = core::iter::from_fn(|| ports.take(Side::Wan, false, 7070, 7088, &mut random)).collect();
        all.sort_unstable();
        assert_eq!(all, (7070..=7088).step_by(2).collect::<Vec<u16>>());
        assert_eq!(ports.take(Side::Lan, true, 7070, 7088, &mut random), None, "one address, one set of ports");
        assert!(ports.take(Side::Lan, false, 7070, 7088, &mut random).is_some());
        ports.give_back(Side::Wan, 7074);
        assert_eq!(ports.take(Side::Wan, false, 7070, 7088, &mut random), Some(7074));
    }
}
