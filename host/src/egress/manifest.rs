//! The truthful summary of one recorded file (architecture.md §6).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::media::{
    Codec, ParticipantIdentity, ParticipantSid, RoomName, RoomSid, TrackSid, TrackSource,
};
use crate::mux::Container;

/// What is known about one recorded file, written beside it as `<file>.json`.
///
/// Names are those of LiveKit's own manifest where it has the field. Durations and positions are
/// nanoseconds; positions count from the start of the file. A draft (status `recording`) lies
/// beside a file that is still growing, so that recovery can tell what it holds.
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
    /// The file's name, without its directory.
    pub file: String,
    /// The file's size.
    pub bytes: u64,
    /// The arrival of the first packet that was written. Until there is one, the start of the egress.
    pub started_at: Option<Moment>,
    /// The end of the egress.
    pub ended_at: Option<Moment>,
    /// From start to end by the wall clock.
    #[serde(rename = "duration_ns", with = "nanoseconds")]
    pub duration: Duration,
    /// How long the file plays.
    #[serde(rename = "media_duration_ns", with = "nanoseconds")]
    pub media_duration: Duration,
    /// The wall-clock time of position 0 (media.md T1).
    pub anchor: Option<Anchor>,
    /// What became of the packets.
    pub packets: Packets,
    /// Packets, pictures or audio frames that decode on their own; for audio all of them.
    pub keyframes: u64,
    /// How much faster the publisher's media clock runs than its wall clock, in parts per million
    /// (media.md T5). Unknown without sender reports.
    pub drift_ppm: Option<f64>,
    /// Interarrival jitter at the end, [RFC 3550 §6.4.1](https://www.rfc-editor.org/rfc/rfc3550#section-6.4.1).
    #[serde(rename = "jitter_ns", with = "nanoseconds")]
    pub jitter: Duration,
    /// Width and height, and each change of them.
    pub sizes: Bounded<Size>,
    /// Where the publisher had muted the track.
    pub mutes: Bounded<Span>,
    /// Where nothing came, longer than one access unit.
    pub gaps: Bounded<Gap>,
    /// Where access units with missing packets were written (media.md V2).
    pub damaged: Bounded<Span>,
    /// Where another stream goes on in the same file (media.md T4).
    pub seams: Bounded<Seam>,
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
            media_duration: Duration::ZERO,
            anchor: None,
            packets: Packets::default(),
            keyframes: 0,
            drift_ppm: None,
            jitter: Duration::ZERO,
            sizes: Bounded::default(),
            mutes: Bounded::default(),
            gaps: Bounded::default(),
            damaged: Bounded::default(),
            seams: Bounded::default(),
        }
    }

    /// Says how it ended.
    #[must_use]
    pub fn ended(self, status: Status, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            ..self
        }
    }

    /// Reads one. Fields of a later version are ignored.
    ///
    /// # Errors
    /// The text is no manifest.
    pub fn from_json(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// Its text, for people to read too.
    ///
    /// # Panics
    /// Never: every key is a string.
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("every key is a string");
        text + "\n"
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
    /// Something broke; what was recorded until then is in the file.
    Failed,
    /// It was stopped before anything was recorded.
    Aborted,
    /// It was cut short by a crash; the file was made whole afterwards.
    Recovered,
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
    /// The publisher's SID when the recording started.
    pub publisher_id: String,
    /// The track's SID when the recording started; later ones are in the seams.
    pub track_id: String,
    /// `audio` or `video`.
    pub track_kind: String,
    /// `camera`, `microphone`, `screen_share`, `screen_share_audio` or `unknown`.
    pub track_source: String,
    /// `opus`, `h264` …
    pub codec: String,
    /// `ogg`, `mp4`, `webm` or `wav`.
    pub container: String,
}

impl Subject {
    /// Names what is recorded.
    pub fn new(egress_id: &str, room: (&RoomName, &RoomSid), track: &PublishedTrack<'_>) -> Self {
        Self {
            egress_id: egress_id.into(),
            room_name: room.0.to_string(),
            room_id: room.1.to_string(),
            publisher_identity: track.publisher.to_string(),
            publisher_id: track.publisher_sid.to_string(),
            track_id: track.sid.to_string(),
            track_kind: track.codec.kind().to_string(),
            track_source: track.source.to_string(),
            codec: track.codec.to_string(),
            container: Container::of(track.codec).extension().into(),
        }
    }
}

/// A track and who publishes it.
#[derive(Clone, Copy, Debug)]
pub struct PublishedTrack<'a> {
    /// The track.
    pub sid: &'a TrackSid,
    /// Whose it is.
    pub publisher: &'a ParticipantIdentity,
    /// Which connection of his.
    pub publisher_sid: &'a ParticipantSid,
    /// What it shows.
    pub source: TrackSource,
    /// What it is encoded with.
    pub codec: Codec,
}

/// A point of wall-clock time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "MomentText", from = "MomentText")]
pub struct Moment {
    /// Nanoseconds since 1970.
    pub unix_nanos: u64,
}

/// A JSON number of nanoseconds is more than JavaScript can hold, hence both.
#[derive(Serialize, Deserialize)]
struct MomentText {
    unix_ns: u64,
    iso8601: String,
}

impl From<Moment> for MomentText {
    fn from(moment: Moment) -> Self {
        let nanos = i128::from(moment.unix_nanos);
        let time = jiff::Timestamp::from_nanosecond(nanos).unwrap_or(jiff::Timestamp::MAX);
        Self {
            unix_ns: moment.unix_nanos,
            iso8601: format!("{time:.9}"),
        }
    }
}

impl From<MomentText> for Moment {
    fn from(text: MomentText) -> Self {
        Self {
            unix_nanos: text.unix_ns,
        }
    }
}

/// The wall-clock time of position 0, and where it is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The time.
    pub at: Moment,
    /// Whose clock it is.
    pub origin: AnchorOrigin,
}

/// Whose clock an [`Anchor`] is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnchorOrigin {
    /// The publisher's, by an RTCP sender report.
    SenderReport,
    /// Ours, when the first packet came in.
    Arrival,
}

/// What became of the packets of a track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packets {
    /// Came in, RTX included.
    pub received: u64,
    /// Never came, or too late.
    pub lost: u64,
    /// Of the lost ones: came after they were given up.
    pub late: u64,
    /// Came more than once.
    pub duplicate: u64,
    /// Came by retransmission.
    pub recovered: u64,
    /// Made up by the server (silence, blank pictures) and left out.
    pub injected: u64,
}

/// From some position this size on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Where.
    #[serde(rename = "at_ns", with = "nanoseconds")]
    pub at: Duration,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// A part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Its start.
    #[serde(rename = "from_ns", with = "nanoseconds")]
    pub from: Duration,
    /// Its end.
    #[serde(rename = "to_ns", with = "nanoseconds")]
    pub to: Duration,
}

/// A part of the file for which nothing came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Its start.
    #[serde(rename = "at_ns", with = "nanoseconds")]
    pub at: Duration,
    /// Its length.
    #[serde(rename = "duration_ns", with = "nanoseconds")]
    pub duration: Duration,
    /// Why nothing came.
    pub cause: GapCause,
}

/// Why nothing came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// Packets were lost.
    Loss,
    /// The publisher sent nothing: muted, or discontinuous transmission.
    Pause,
    /// The stream stopped and another went on.
    Seam,
}

/// Where another stream goes on in the same file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seam {
    /// Where.
    #[serde(rename = "at_ns", with = "nanoseconds")]
    pub at: Duration,
    /// Why.
    pub reason: SeamReason,
    /// The SID of the track from here on.
    pub track_id: String,
}

/// Why another stream goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeamReason {
    /// The publisher restarted its stream under another SSRC.
    NewStream,
    /// The media clock jumped (media.md T2).
    ClockJump,
    /// The track was published anew.
    Republished,
    /// Our session was made anew.
    Reconnected,
}

/// The first thousand of a list, and how many there were: a manifest stays small whatever a
/// publisher does for hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounded<T> {
    count: u64,
    first: Vec<T>,
}

impl<T> Bounded<T> {
    const LIMIT: usize = 1_000;

    /// Adds one, or counts it if there is no room.
    pub fn push(&mut self, item: T) {
        self.count += 1;
        if self.first.len() < Self::LIMIT {
            self.first.push(item);
        }
    }

    /// How many were added.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Those that are kept.
    pub fn first(&self) -> &[T] {
        &self.first
    }
}

impl<T> Default for Bounded<T> {
    fn default() -> Self {
        Self {
            count: 0,
            first: Vec::new(),
        }
    }
}

impl<T> Extend<T> for Bounded<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        items.into_iter().for_each(|item| self.push(item));
    }
}

mod nanoseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_its_first_thousand_and_counts_the_rest() {
        let mut list = Bounded::default();

        list.extend(0..1_500);

        assert_eq!(list.count(), 1_500);
        assert_eq!(list.first(), (0..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn a_manifest_without_a_subject_is_read_back() {
        let manifest = Manifest::unknown("a.ogg").ended(Status::Recovered, "after a crash");

        let read = Manifest::from_json(manifest.to_json().as_bytes()).unwrap();

        assert_eq!(read, manifest);
    }
}
