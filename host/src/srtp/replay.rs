//! Which packet indices were seen: the replay list of
//! [RFC 3711 §3.3.2](https://www.rfc-editor.org/rfc/rfc3711#section-3.3.2) as a ring of bits.

/// The newest index that was accepted and which of the `64 * WORDS` up to it were.
#[derive(Clone, Debug)]
pub(super) struct Window<const WORDS: usize> {
    newest: Option<u64>,
    seen: [u64; WORDS],
}

impl<const WORDS: usize> Window<WORDS> {
    /// Indices this far behind the newest are refused.
    pub(super) const SPAN: u64 = 64 * WORDS as u64;

    pub(super) const fn new() -> Self {
        Self {
            newest: None,
            seen: [0; WORDS],
        }
    }

    pub(super) const fn newest(&self) -> Option<u64> {
        self.newest
    }

    /// Whether `index` was neither accepted before nor is too old to tell.
    pub(super) fn is_fresh(&self, index: u64) -> bool {
        let Some(newest) = self.newest else {
            return true;
        };
        index > newest || (newest - index < Self::SPAN && !self.is_seen(index))
    }

    /// Marks `index`, which [`is_fresh`](Self::is_fresh).
    pub(super) fn accept(&mut self, index: u64) {
        match self.newest {
            Some(newest) if index <= newest => {}
            Some(newest) if index - newest < Self::SPAN => {
                for skipped in newest + 1..index {
                    self.set(skipped, false);
                }
                self.newest = Some(index);
            }
            _ => {
                self.seen = [0; WORDS];
                self.newest = Some(index);
            }
        }
        self.set(index, true);
    }

    fn is_seen(&self, index: u64) -> bool {
        self.seen
            .get(Self::word(index))
            .is_some_and(|word| word & bit(index) != 0)
    }

    fn set(&mut self, index: u64, seen: bool) {
        if let Some(word) = self.seen.get_mut(Self::word(index)) {
            *word = if seen {
                *word | bit(index)
            } else {
                *word & !bit(index)
            };
        }
    }

    const fn word(index: u64) -> usize {
        (index / 64 % WORDS as u64) as usize
    }
}

const fn bit(index: u64) -> u64 {
    1 << (index % 64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_window_agrees_with_a_set(steps in prop::collection::vec(-200_i64..200, 1..400)) {
            let mut window = Window::<2>::new();
            let mut seen = BTreeSet::new();
            let mut at = 1_000_u64;
            for step in steps {
                at = at.saturating_add_signed(step);
                let newest = seen.last().copied();
                let is_fresh = newest.is_none_or(|newest| at + 128 > newest) && !seen.contains(&at);

                prop_assert_eq!(window.is_fresh(at), is_fresh, "{} after {:?}", at, newest);

                if is_fresh {
                    window.accept(at);
                    seen.insert(at);
                }
                prop_assert_eq!(window.newest(), seen.last().copied());
            }
        }
    }
}
