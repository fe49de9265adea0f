//! A small generator, so that a seed decides everything.

/// `SplitMix64`: short, and good enough for networks and names.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// Starts a sequence; the same seed gives the same numbers.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number.
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from 0 to 2^32 - 1.
    pub(crate) const fn next_u32(&mut self) -> u32 {
        (self.next() >> 32) as u32
    }

    /// Returns a number from 0 to below 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        f64::from(self.next_u32()) / (f64::from(u32::MAX) + 1.0)
    }

    /// Returns letters and digits.
    pub(crate) fn text(&mut self, length: usize) -> String {
        let alphabet = ('A'..='Z').chain('a'..='z').chain('0'..='9');
        (0..length)
            .filter_map(|_| {
                let index = self.next() % 62;
                alphabet.clone().nth(usize::try_from(index).ok()?)
            })
            .collect()
    }
}
