//! Random choices: an xorshift generator (Marsaglia 2003) with a seed, so that a simulation can be replayed.

/// The generator. All zero until seeded.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new() -> Self {
        Self(0)
    }

    pub(super) const fn seed(&mut self, seed: u64) {
        // The generator stays at zero for ever if it begins there.
        self.0 = if seed == 0 { 0x9E37_79B9_7F4A_7C15 } else { seed };
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `bound`; 0 where `bound` is 0.
    pub(super) const fn below(&mut self, bound: u32) -> u32 {
        if bound == 0 { 0 } else { ((self.next() >> 32) % bound as u64) as u32 }
    }
}
