use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, ensure};

/// So many rooms with so many tracks each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) rooms: usize,
    pub(crate) tracks: usize,
}

impl Case {
    /// The least there is.
    pub(crate) const ONE_TRACK: Self = Self {
        rooms: 1,
        tracks: 1,
    };

    /// All tracks of all rooms.
    pub(crate) const fn total(self) -> usize {
        self.rooms * self.tracks
    }
}

impl FromStr for Case {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (rooms, tracks) = text.split_once('x').context("expected e.g. 10x50")?;
        let (rooms, tracks) = (rooms.parse()?, tracks.parse()?);
        ensure!((1..=MAX_TRACKS).contains(&rooms), "1 to {MAX_TRACKS} rooms");
        ensure!(
            (1..=MAX_TRACKS / rooms).contains(&tracks),
            "1 to {MAX_TRACKS} tracks in all"
        );
        Ok(Self { rooms, tracks })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}x{}", self.rooms, self.tracks))
    }
}

/// More than that is no load that one machine can make.
const MAX_TRACKS: usize = 1_000;
