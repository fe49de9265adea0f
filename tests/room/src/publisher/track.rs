//! One published track: what it plays and what it sent.

use std::time::{Instant, SystemTime};

use livekit_protocol as lk;

use super::peer::Peer;
use super::{History, SentPacket, Source, TrackSpec};
use crate::media::Player;

/// A track of a session.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) cid: String,
    pub(super) silence: Silence,
    pub(super) ended: bool,
    pub(super) sent: Vec<SentPacket>,
    pub(super) count: u64,
    spec: TrackSpec,
    player: Option<Player>,
}

/// Why packets pass unsent.
#[derive(Debug)]
pub(super) struct Silence {
    /// The server knows.
    pub(super) is_muted: bool,
    /// Nobody knows.
    pub(super) is_held: bool,
}

impl Track {
    pub(super) const fn new(cid: String, spec: TrackSpec) -> Self {
        Self {
            cid,
            silence: Silence {
                is_muted: false,
                is_held: false,
            },
            ended: false,
            sent: Vec::new(),
            count: 0,
            spec,
            player: None,
        }
    }

    /// Returns when the next packet is due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let player = self.player.as_ref().filter(|_| !self.ended)?;
        Some(player.next_at())
    }

    /// Sends what is due; a muted or held track lets its packets pass unsent.
    pub(super) fn play(&mut self, peer: &mut Peer, now: Instant, wall: SystemTime) {
        if self.ended {
            return;
        }
        let spec = &self.spec;
        let player = self
            .player
            .get_or_insert_with(|| Player::new(spec.media.clone(), spec.speed, now));
        while let Some(packet) = player.pull(now) {
            if self.silence.is_muted || self.silence.is_held {
                continue;
            }
            let Some(header) = peer.send(&self.cid, &packet, now) else {
                continue;
            };
            self.count += 1;
            if self.spec.history == History::Packets {
                self.sent.push(SentPacket::new(&packet, header, wall));
            }
        }
    }
}

impl TrackSpec {
    /// Asks the server to accept the track, under our name `cid`.
    pub(super) fn add_track_request(&self, cid: &str) -> lk::AddTrackRequest {
        let codec = self.media.codec;
        let kind = if codec.is_video() {
            lk::TrackType::Video
        } else {
            lk::TrackType::Audio
        };
        let layers = codec.is_video().then(|| lk::VideoLayer {
            quality: lk::VideoQuality::High.into(),
            width: WIDTH,
            height: HEIGHT,
            ..lk::VideoLayer::default()
        });
        lk::AddTrackRequest {
            cid: cid.to_owned(),
            name: self.name.clone(),
            r#type: kind.into(),
            source: self.source.to_livekit().into(),
            width: if codec.is_video() { WIDTH } else { 0 },
            height: if codec.is_video() { HEIGHT } else { 0 },
            layers: layers.into_iter().collect(),
            simulcast_codecs: vec![lk::SimulcastCodec {
                codec: codec.name().to_owned(),
                cid: cid.to_owned(),
                ..lk::SimulcastCodec::default()
            }],
            disable_red: true,
            ..lk::AddTrackRequest::default()
        }
    }
}

impl Source {
    pub(crate) const fn to_livekit(self) -> lk::TrackSource {
        match self {
            Self::Microphone => lk::TrackSource::Microphone,
            Self::Camera => lk::TrackSource::Camera,
            Self::ScreenShare => lk::TrackSource::ScreenShare,
            Self::ScreenShareAudio => lk::TrackSource::ScreenShareAudio,
        }
    }
}

/// Size of the committed test pictures; the server needs some value.
const WIDTH: u32 = 320;
const HEIGHT: u32 = 180;
