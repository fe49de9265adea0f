//! Makes new inputs from old ones.

/// Changes inputs at random; the same seed makes the same changes.
#[derive(Clone, Debug)]
pub struct Mutator {
    state: u64,
}

impl Mutator {
    /// Starts a sequence of changes.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A few changes to one of the inputs. `corpus` is not empty.
    pub fn mutate(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.pick(corpus).cloned().unwrap_or_default();
        // Few changes leave more of the structure standing, and get further into a parser.
        let changes = 1 << self.below(5);
        for _ in 0..=self.below(changes) {
            self.change(&mut input, corpus);
        }
        input.truncate(MAX_INPUT);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.offset(input.len());
        match self.below(9) {
            0 => self.flip(input, at),
            1 => self.overwrite(input, at, 1),
            2 => self.integer(input, at),
            3 => self.remove(input, at),
            4 => self.insert(input, at),
            5 => self.repeat(input, at),
            6 => self.splice(input, at, corpus),
            7 => self.nudge(input, at),
            // A torn file is the commonest damage of all.
            _ => input.truncate(at),
        }
    }

    fn flip(&mut self, input: &mut [u8], at: usize) {
        let bit = self.below(8);
        if let Some(byte) = input.get_mut(at) {
            *byte ^= 1 << bit;
        }
    }

    /// Off by one is what bounds are about.
    fn nudge(&mut self, input: &mut [u8], at: usize) {
        let up = self.below(2) == 0;
        if let Some(byte) = input.get_mut(at) {
            *byte = byte.wrapping_add(if up { 1 } else { 0xff });
        }
    }

    fn overwrite(&mut self, input: &mut [u8], at: usize, len: usize) {
        for byte in input.iter_mut().skip(at).take(len) {
            *byte = self.byte();
        }
    }

    /// A number at the edge of its type, of any width and in either byte order.
    fn integer(&mut self, input: &mut [u8], at: usize) {
        let value = self.pick(&INTEGERS).copied().unwrap_or_default();
        let width = 1 << self.below(4);
        let mut bytes = value.to_le_bytes();
        let taken = bytes.get_mut(..width).unwrap_or_default();
        if self.below(2) == 0 {
            taken.reverse();
        }
        for (byte, new) in input.iter_mut().skip(at).zip(taken) {
            *byte = *new;
        }
    }

    fn remove(&mut self, input: &mut Vec<u8>, at: usize) {
        let end = input.len().min(at + self.length());
        input.drain(at..end);
    }

    fn insert(&mut self, input: &mut Vec<u8>, at: usize) {
        let new: Vec<u8> = (0..self.length()).map(|_| self.byte()).collect();
        input.splice(at..at, new);
    }

    fn repeat(&mut self, input: &mut Vec<u8>, at: usize) {
        let end = input.len().min(at + self.length());
        let run = input.get(at..end).unwrap_or_default();
        let copies = run.repeat(1 + self.below(4));
        input.splice(at..at, copies);
    }

    /// Puts a piece of another input over this one, or between its bytes.
    fn splice(&mut self, input: &mut Vec<u8>, at: usize, corpus: &[Vec<u8>]) {
        let other = self.pick(corpus).map_or(&[][..], Vec::as_slice);
        let from = self.offset(other.len());
        let to = other.len().min(from + self.length() * 8);
        let piece = other.get(from..to).unwrap_or_default();
        let end = match self.below(2) {
            0 => at,
            _ => input.len().min(at + piece.len()),
        };
        input.splice(at..end, piece.iter().copied());
    }

    /// A place from 0 to `len`: anywhere, near the beginning, or near the end, where a torn file
    /// is torn.
    fn offset(&mut self, len: usize) -> usize {
        match self.below(3) {
            0 => self.below(len + 1),
            1 => self.below(len.min(NEAR) + 1),
            _ => len - self.below(len.min(NEAR) + 1),
        }
    }

    /// Mostly short.
    fn length(&mut self) -> usize {
        let most = 1 << self.below(9);
        1 + self.below(most)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }

    /// A number below `bound`; 0 if that is 0.
    fn below(&mut self, bound: usize) -> usize {
        let bound = bound.max(1) as u64;
        usize::try_from(self.next() % bound).unwrap_or_default()
    }

    /// `SplitMix64`.
    const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

const INTEGERS: [u64; 14] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x00ff_ffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];
/// Longer than any corpus file.
const MAX_INPUT: usize = 96 << 10;
const NEAR: usize = 768;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_every_change() {
        let corpus = [b"OggS and more".to_vec(), Vec::new()];
        let inputs = |seed| {
            let mut mutator = Mutator::new(seed);
            (0..500)
                .map(|_| mutator.mutate(&corpus))
                .collect::<Vec<_>>()
        };

        assert_eq!(inputs(7), inputs(7));
        assert_ne!(inputs(7), inputs(8));
        assert!(inputs(7).iter().all(|input| input.len() <= MAX_INPUT));
    }
}
