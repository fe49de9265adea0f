//! Where each sample of the file is, in a few bytes a sample.

use super::timeline::Timing;

/// The index of a file: fragments of samples, delta coded as
/// [LEB128](https://en.wikipedia.org/wiki/LEB128) numbers, 4 to 5 bytes a sample.
///
/// ```text
/// fragment: bytes since the previous one's end │ bytes │ samples
/// sample:   size ‖ is keyframe ‖ has offset │ duration − the previous one's │ offset, if it has one
/// ```
#[derive(Debug, Default)]
pub(super) struct Index {
    fragments: Vec<u8>,
    samples: Vec<u8>,
    sample_count: u32,
    /// Ticks.
    duration: u64,
    /// Where the last fragment's data ends.
    end: u64,
    last_duration: u32,
}

/// Where the data of a fragment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) sample_count: u32,
}

/// What the index keeps of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) size: u32,
    pub(super) timing: Timing,
}

impl Index {
    /// Adds a fragment whose data begins at `offset`, behind all before it; gives the bytes of it.
    pub(super) fn push_fragment(
        &mut self,
        offset: u64,
        entries: impl Iterator<Item = Entry>,
    ) -> u64 {
        let sample_count = self.sample_count;
        let mut len = 0;
        for entry in entries {
            len += u64::from(entry.size);
            self.push(entry);
        }
        put_number(&mut self.fragments, offset - self.end);
        put_number(&mut self.fragments, len);
        put_number(
            &mut self.fragments,
            (self.sample_count - sample_count).into(),
        );
        self.end = offset + len;
        len
    }

    /// The fragments in order.
    pub(super) fn fragments(&self) -> impl Iterator<Item = Extent> {
        let mut rest = self.fragments.as_slice();
        let mut end = 0;
        std::iter::from_fn(move || {
            let offset = end + take_number(&mut rest)?;
            let len = take_number(&mut rest)?;
            end = offset + len;
            Some(Extent {
                offset,
                len,
                sample_count: u32::try_from(take_number(&mut rest)?).ok()?,
            })
        })
    }

    /// The samples in order.
    pub(super) fn samples(&self) -> impl Iterator<Item = Entry> {
        let mut rest = self.samples.as_slice();
        let mut duration = 0;
        std::iter::from_fn(move || {
            let first = take_number(&mut rest)?;
            duration += unzigzag(take_number(&mut rest)?);
            let offset = match first & 1 {
                0 => 0,
                _ => unzigzag(take_number(&mut rest)?),
            };
            Some(Entry {
                size: u32::try_from(first >> 2).ok()?,
                timing: Timing {
                    duration: u32::try_from(duration).ok()?,
                    composition_offset: i32::try_from(offset).ok()?,
                    is_keyframe: first & 2 != 0,
                },
            })
        })
    }

    /// How many samples there are.
    pub(super) const fn sample_count(&self) -> u32 {
        self.sample_count
    }

    /// How long they last, in ticks.
    pub(super) const fn duration(&self) -> u64 {
        self.duration
    }

    /// How much memory it takes.
    pub(super) const fn memory(&self) -> usize {
        self.fragments.capacity() + self.samples.capacity()
    }

    fn push(&mut self, entry: Entry) {
        let Entry { size, timing } = entry;
        let has_offset = timing.composition_offset != 0;
        let flags = u64::from(timing.is_keyframe) << 1 | u64::from(has_offset);
        put_number(&mut self.samples, u64::from(size) << 2 | flags);
        let change = i64::from(timing.duration) - i64::from(self.last_duration);
        put_number(&mut self.samples, zigzag(change));
        if has_offset {
            put_number(&mut self.samples, zigzag(timing.composition_offset.into()));
        }
        self.last_duration = timing.duration;
        self.sample_count += 1;
        self.duration += u64::from(timing.duration);
    }
}

/// Appends seven bits a byte, the lowest first; the top bit says that more follow.
fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while let Some(rest) = std::num::NonZeroU64::new(number >> 7) {
        out.push(low_bits(number) | 0x80);
        number = rest.get();
    }
    out.push(low_bits(number));
}

/// Takes one number from the front; `None` at the end.
fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(number)
}

const fn low_bits(number: u64) -> u8 {
    (number & 0x7f) as u8
}

/// Small numbers of either sign → small numbers: 0, −1, 1, −2 … → 0, 1, 2, 3 …
const fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_went_in_comes_out(
            fragments in prop::collection::vec(
                (0..1u64 << 40, prop::collection::vec(entry(), 1..9)), 0..20,
            ),
        ) {
            let mut index = Index::default();
            let mut expected = Vec::new();
            let mut end = 0;
            for (gap, entries) in &fragments {
                let len = entries.iter().map(|entry| u64::from(entry.size)).sum::<u64>();
                let sample_count = u32::try_from(entries.len()).unwrap();
                expected.push(Extent { offset: end + gap, len, sample_count });
                index.push_fragment(end + gap, entries.iter().copied());
                end += gap + len;
            }

            let entries: Vec<Entry> = fragments.into_iter().flat_map(|(_, e)| e).collect();
            prop_assert_eq!(index.samples().collect::<Vec<_>>(), entries);
            prop_assert_eq!(index.fragments().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_usual_sample_takes_at_most_five_bytes() {
        let mut index = Index::default();
        let entries = (0..10_000u32).map(|number| Entry {
            size: 3_000 + number,
            timing: Timing {
                duration: 3_000 + number % 60,
                composition_offset: 0,
                is_keyframe: number % 60 == 0,
            },
        });

        index.push_fragment(48, entries);

        assert!(index.samples.len() <= 50_000, "{}", index.samples.len());
    }

    fn entry() -> impl Strategy<Value = Entry> {
        (
            any::<(u32, u32, bool)>(),
            prop_oneof![Just(0), any::<i32>()],
        )
            .prop_map(
                |((size, duration, is_keyframe), composition_offset)| Entry {
                    size,
                    timing: Timing {
                        duration,
                        composition_offset,
                        is_keyframe,
                    },
                },
            )
    }
}
