//! Media and names that the tests share.

use std::time::Instant;

use bytes::Bytes;
use trackmill_room::media::{Codec, Media};
use trackmill_room::publisher::{History, SentPacket, Source, TrackSpec};
use trackmill_room::subscriber::Received;

pub(crate) fn media(codec: Codec) -> Media {
    Media::sample(codec).expect("the committed media is readable")
}

/// A track that remembers what it sent.
pub(crate) fn spec(codec: Codec) -> TrackSpec {
    TrackSpec {
        name: codec.name().into(),
        source: if codec.is_video() {
            Source::Camera
        } else {
            Source::Microphone
        },
        media: media(codec),
        speed: 1.0,
        history: History::Packets,
    }
}

/// Virtual time has to start somewhere.
#[expect(
    clippy::disallowed_methods,
    reason = "virtual time starts at some instant"
)]
pub(crate) fn start() -> Instant {
    Instant::now()
}

pub(crate) fn payloads(received: &[Received]) -> Vec<Bytes> {
    let payload = |packet: &Received| packet.payload.clone();
    received.iter().map(payload).collect()
}

pub(crate) fn sent_payloads(sent: &[SentPacket]) -> Vec<Bytes> {
    sent.iter().map(|packet| packet.payload.clone()).collect()
}

/// Whether no sequence number is missing.
pub(crate) fn is_contiguous(received: &[Received]) -> bool {
    let next = received.iter().skip(1);
    received
        .iter()
        .zip(next)
        .all(|(packet, next)| packet.sequence_number + 1 == next.sequence_number)
}
