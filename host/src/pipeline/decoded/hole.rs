use crate::media::Marks;

/// Packets that were dropped because the thread was too slow. Sound is made up in their place, which
/// filters that only look need not see: they are told what they missed instead (plugins.md P2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hole {
    #[default]
    None,
    /// It is yet to come: what is in hand lies before it.
    Ahead,
    Inside,
}

impl Hole {
    /// Whether the next block is made up in its place.
    pub(super) const fn covers(&mut self, block: Marks) -> bool {
        let is_made_up = block.concealed || block.silence;
        *self = match (*self, is_made_up) {
            (Self::None, _) | (Self::Inside, false) => Self::None,
            (Self::Ahead, false) => Self::Ahead,
            (Self::Ahead | Self::Inside, true) => Self::Inside,
        };
        matches!(self, Self::Inside)
    }
}
