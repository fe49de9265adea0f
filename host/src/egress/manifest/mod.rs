//! The truthful summary of one recorded file, written beside it as `<file>.json`, or of what a
//! server got (architecture.md §6).
//!
//! Names are those of LiveKit's own manifest where it has the field. Positions count from the start
//! of the file; they and durations are nanoseconds. A *draft* (status `recording`) lies beside a
//! file that still grows, so that recovery can tell what the file holds.

mod content;
mod delivery;
mod moment;
mod plugin;
mod sound;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use content::{Gap, GapCause, Jitter, List, Packets, Seam, SeamReason, Size, Span, Units};
pub use delivery::{Delays, Delivery, Dropped};
pub use moment::{Anchor, AnchorOrigin, Moment};
pub use plugin::{Inspector, Metric, Plugin, Unsaid};
pub use sound::{Filter, FilterSwitch, Sound};

use super::{EgressId, Ending, Track};
use crate::media::{AudioFormat, Channels, Codec, SampleRate};
use crate::mux::Container;
use crate::mux::recovery::Repair;
use crate::pipeline::Summary;
use moment::nanoseconds;

/// What is known about one file, see the [module](self).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// What wrote it, with its version.
    pub software: String,
    /// How it ended.
    pub status: Status,
    /// Why it ended; empty while it goes on.
    pub reason: String,
    /// What was recorded. Unknown for a recovered file without a draft.
    #[serde(flatten)]
    pub subject: Option<Subject>,
    /// The file's name, without its directory; empty if it went to a server.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// The file's size, or how many bytes the server got.
    pub bytes: u64,
    /// When the file was begun.
    pub started_at: Option<Moment>,
    /// When it was finished.
    pub ended_at: Option<Moment>,
    /// How long the file plays.
    #[serde(rename = "duration_ns", with = "nanoseconds")]
    pub duration: Duration,
    /// The wall-clock time of position 0 (media.md T1).
    pub anchor: Option<Anchor>,
    /// Packets by what became of them.
    pub packets: Packets,
    /// How unevenly the packets came; `None` if that is unknown.
    #[serde(default)]
    pub jitter: Option<Jitter>,
    /// Access units by what became of them.
    pub units: Units,
    /// How much faster the publisher's media clock runs than its wall clock, in parts per million
    /// (media.md T5). Unknown without sender reports.
    pub drift_ppm: Option<f64>,
    /// Picture sizes, each from where it begins.
    pub sizes: List<Size>,
    /// Where the publisher had muted the track.
    pub mutes: List<Span>,
    /// Where media is missing.
    pub gaps: List<Gap>,
    /// Where the media clock or the stream changed (media.md T4).
    pub seams: List<Seam>,
    /// What became of the sound, if it was decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<Sound>,
    /// The filters that only looked, and what they did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inspectors: Vec<Inspector>,
    /// What became of it on the way to a server, if it went to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
}

impl Manifest {
    /// The manifest of a recording that just starts.
    pub fn draft(subject: Subject, file: &str, started_at: Moment) -> Self {
        Self {
            subject: Some(subject),
            started_at: Some(started_at),
            ..Self::unknown(file)
        }
    }

    /// The manifest of a file of which nothing is known.
    pub fn unknown(file: &str) -> Self {
        Self {
            software: concat!("trackmill ", env!("CARGO_PKG_VERSION")).into(),
            status: Status::Recording,
            reason: String::new(),
            subject: None,
            file: file.into(),
            bytes: 0,
            started_at: None,
            ended_at: None,
            duration: Duration::ZERO,
            anchor: None,
            packets: Packets::default(),
            jitter: None,
            units: Units::default(),
            drift_ppm: None,
            sizes: List::default(),
            mutes: List::default(),
            gaps: List::default(),
            seams: List::default(),
            sound: None,
            inspectors: Vec::new(),
            delivery: None,
        }
    }

    /// Says what the file holds: `bytes` is its size.
    #[must_use]
    pub fn holding(self, summary: &Summary, bytes: u64) -> Self {
        let rate = summary.codec.clock_rate();
        Self {
            bytes,
            duration: summary.duration,
            anchor: summary.started_at.map(Anchor::from),
            packets: Packets::from(summary),
            jitter: summary.jitter.map(Jitter::from),
            units: summary.units.into(),
            drift_ppm: summary.drift_ppm,
            sizes: List::new(&summary.sizes, |size| Size::new(size, rate)),
            mutes: List::new(&summary.mutes, |span| Span::new(span, rate)),
            gaps: List::new(&summary.gaps, |gap| Gap::new(gap, rate)),
            seams: List::new(&summary.seams, |seam| Seam::new(seam, rate)),
            sound: summary.sound.as_ref().and_then(Sound::new),
            ..self
        }
    }

    /// Says what a server got of it.
    #[must_use]
    pub fn delivered(self, delivery: Delivery) -> Self {
        Self {
            delivery: Some(delivery),
            ..self
        }
    }

    /// Says how it ended, and under which name.
    #[must_use]
    pub fn ended(self, ending: &Ending, at: Moment, file: &str) -> Self {
        Self {
            status: ending.status.into(),
            reason: ending.reason.clone(),
            ended_at: Some(at),
            file: file.into(),
            ..self
        }
    }

    /// Says that a crash ended it at `written_at`, and what the repaired file holds.
    #[must_use]
    pub fn recovered(self, repair: &Repair, bytes: u64, written_at: Moment) -> Self {
        Self {
            status: Status::Recovered,
            reason: "the recorder died; the file was made whole afterwards".into(),
            bytes,
            duration: repair.duration,
            ended_at: Some(written_at),
            units: Units {
                written: repair.units,
                ..Units::default()
            },
            ..self
        }
    }

    /// How the samples of the file are laid out, if it holds PCM.
    pub fn samples(&self) -> Option<AudioFormat> {
        self.subject.as_ref()?.samples()
    }

    /// Reads one. Fields of a later version are ignored.
    ///
    /// # Errors
    /// The text is no manifest.
    pub fn from_json(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// Its text, indented for people.
    ///
    /// # Panics
    /// Never: every key is a string.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("every key is a string") + "\n"
    }

    /// Its text on one line, without the line's end.
    ///
    /// # Panics
    /// Never: every key is a string.
    pub fn to_json_line(&self) -> String {
        serde_json::to_string(self).expect("every key is a string")
    }
}

/// How a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It did not end yet.
    Recording,
    /// As it should: the track ended, or somebody stopped it.
    Complete,
    /// Something broke; what came before is in the file.
    Failed,
    /// It was stopped before it had begun.
    Aborted,
    /// A crash cut it short, and it was made whole afterwards.
    Recovered,
}

impl From<super::Status> for Status {
    fn from(status: super::Status) -> Self {
        match status {
            super::Status::Complete => Self::Complete,
            super::Status::Failed => Self::Failed,
            super::Status::Aborted => Self::Aborted,
        }
    }
}

/// What is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The id of the egress (`EG_…`).
    pub egress_id: String,
    /// The room's name.
    pub room_name: String,
    /// The room's SID.
    pub room_id: String,
    /// The publisher's identity.
    pub publisher_identity: String,
    /// The publisher's SID when the recording began.
    pub publisher_id: String,
    /// The track's SID when the recording began.
    pub track_id: String,
    /// `audio` or `video`.
    pub track_kind: String,
    /// `camera`, `microphone`, `screen_share`, `screen_share_audio` or `unknown`.
    pub track_source: String,
    /// `opus`, `h264` …; empty if nothing came that would tell.
    pub codec: String,
    /// `ogg`, `mp4`, `webm`, `wav`, `pcm`, or `websocket`.
    pub container: String,
    /// Samples a second of a file of PCM: a `.pcm` file itself does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_rate: Option<u32>,
    /// Channels of a file of PCM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
}

impl Subject {
    /// Names what a file holds.
    pub fn new(egress: &EgressId, track: &Track, codec: Codec, container: Container) -> Self {
        Self::of(egress, track, Some(codec), container.extension())
    }

    /// Says how the samples of a file of PCM are laid out.
    #[must_use]
    pub fn sampled(self, format: Option<AudioFormat>) -> Self {
        Self {
            sample_rate: format.map(|format| format.rate.get()),
            channels: format.map(|format| format.channels.count()),
            ..self
        }
    }

    /// How the samples of a file of PCM are laid out, if it is one.
    pub fn samples(&self) -> Option<AudioFormat> {
        let rate = SampleRate::new(self.sample_rate?)?;
        Some(AudioFormat::new(rate, Channels::new(self.channels?)?))
    }

    /// Names what a server gets.
    pub fn streamed(egress: &EgressId, track: &Track, codec: Option<Codec>) -> Self {
        Self::of(egress, track, codec, "websocket")
    }

    fn of(egress: &EgressId, track: &Track, codec: Option<Codec>, container: &str) -> Self {
        let Track { room, publication } = track;
        Self {
            egress_id: egress.to_string(),
            room_name: room.name.to_string(),
            room_id: room.sid.to_string(),
            publisher_identity: publication.publisher.identity.to_string(),
            publisher_id: publication.publisher.sid.to_string(),
            track_id: publication.sid.to_string(),
            track_kind: publication.kind.to_string(),
            track_source: publication.source.to_string(),
            codec: codec.map(|codec| codec.to_string()).unwrap_or_default(),
            container: container.into(),
            sample_rate: None,
            channels: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_without_a_subject_is_read_back() {
        let manifest = Manifest::unknown("a.ogg");

        let read = Manifest::from_json(manifest.to_json().as_bytes()).unwrap();

        assert_eq!(read, manifest);
        assert!(!manifest.to_json_line().contains('\n'));
    }
}
