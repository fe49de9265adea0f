//! The vocabulary of the data path: the nouns every stage shares. Knows nothing else.

mod access_unit;
mod audio;
mod codec;
mod data;
mod id;
mod time;

pub use access_unit::{AccessUnit, Integrity};
pub use audio::{AudioBlock, AudioFormat, Channels, Marks, SampleRate};
pub use codec::{Codec, TrackKind, TrackSource};
pub use data::{Attributes, DataMessage};
pub use id::{ParticipantIdentity, ParticipantSid, RoomName, RoomSid, SeqNo, Ssrc, TrackSid};
pub use time::{ClockRate, MediaTime, NtpTimestamp, Pts};
