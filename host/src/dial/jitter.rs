use std::time::Duration;

/// Makes pauses unequal, so that a thousand clients do not come back at the same moment
/// (splitmix64).
#[derive(Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// Each client should have another seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Up to a quarter longer than `pause`.
    pub fn stretch(&mut self, pause: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let thousandths = (z ^ (z >> 31)) % 250;
        pause + pause.mul_f64(f64::from(u32::try_from(thousandths).unwrap_or(0)) / 1000.0)
    }
}
