//! The bytes of a unit that is spread over packets.

use bytes::{Bytes, BytesMut};

/// Payloads in a row. A single one is not copied.
#[derive(Debug, Default)]
pub(super) enum Gathered {
    /// None yet.
    #[default]
    Empty,
    /// One, as it came.
    One(Bytes),
    /// Several, copied.
    Many(BytesMut),
}

impl Gathered {
    pub(super) fn push(&mut self, payload: Bytes) {
        *self = match std::mem::take(self) {
            Self::Empty => Self::One(payload),
            Self::One(first) => {
                let mut joined = BytesMut::with_capacity(4 * first.len() + payload.len());
                joined.extend_from_slice(&first);
                joined.extend_from_slice(&payload);
                Self::Many(joined)
            }
            Self::Many(mut joined) => {
                joined.extend_from_slice(&payload);
                Self::Many(joined)
            }
        };
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::One(first) => first.len(),
            Self::Many(joined) => joined.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn truncate(&mut self, length: usize) {
        match self {
            Self::Empty => {}
            Self::One(first) => first.truncate(length),
            Self::Many(joined) => joined.truncate(length),
        }
    }

    pub(super) fn freeze(self) -> Bytes {
        match self {
            Self::Empty => Bytes::new(),
            Self::One(first) => first,
            Self::Many(joined) => joined.freeze(),
        }
    }
}
