//! A stretch of sound, and what becomes of it.

use std::time::Duration;

use crate::track::Format;

/// A stretch of sound of one track: interleaved 32-bit floats, full scale ±1.0.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    pub(crate) samples: Vec<f32>,
    pub(crate) format: Format,
    pub(crate) number: u64,
    pub(crate) pts: Duration,
    pub(crate) rtp_timestamp: Option<u32>,
    pub(crate) lost_before: u32,
    pub(crate) marks: Marks,
}

impl Frame {
    /// The samples, interleaved: left, right, left, right …
    #[must_use]
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// The samples, to be changed in place; say [`Verdict::Changed`] then.
    pub fn samples_mut(&mut self) -> &mut [f32] {
        &mut self.samples
    }

    /// Rate, channels and length, as `open` was told or the last
    /// [`TrackEvent::FormatChanged`](crate::TrackEvent::FormatChanged).
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Time of its first sample since the start of the recording.
    #[must_use]
    pub const fn pts(&self) -> Duration {
        self.pts
    }

    /// Number of the frame, from 0.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// RTP timestamp of the packet it came in; none for one that the host made up.
    #[must_use]
    pub const fn rtp_timestamp(&self) -> Option<u32> {
        self.rtp_timestamp
    }

    /// Frames that by-passed the plugin since its last call, because it was late or over its share
    /// of CPU.
    #[must_use]
    pub const fn lost_before(&self) -> u32 {
        self.lost_before
    }

    /// What the host knows about the frame.
    #[must_use]
    pub const fn marks(&self) -> Marks {
        self.marks
    }
}

/// What the host knows about a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent marks, as in the contract"
)]
pub struct Marks {
    /// Some of it was lost on the way and made up by the decoder.
    pub concealed: bool,
    /// The publisher sent nothing: it is all zeroes.
    pub silence: bool,
    /// Sound is missing between the frame before and this one.
    pub discontinuity: bool,
    /// The publisher is muted.
    pub muted: bool,
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on as it came, whatever was done to its samples: nothing is copied back.
    Unchanged,
    /// Its samples go on as they are now.
    Changed,
    /// Silence of the same length goes on.
    Silence,
    /// Nothing goes on, where the output allows gaps; else silence.
    Drop,
}
