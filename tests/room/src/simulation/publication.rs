//! The publishers of a simulated room and their tracks.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use livekit_protocol as lk;

use crate::media::{Media, MediaPacket, Player};
use crate::publisher::{History, SentPacket, TrackSid, TrackSpec};

/// Someone who publishes.
#[derive(Debug)]
pub(super) struct Participant {
    pub(super) sid: String,
    pub(super) room: String,
    pub(super) identity: String,
    pub(super) attributes: BTreeMap<String, String>,
}

/// A published track.
#[derive(Debug)]
pub(super) struct Publication {
    pub(super) sid: TrackSid,
    pub(super) participant_sid: String,
    pub(super) room: String,
    pub(super) spec: TrackSpec,
    pub(super) state: State,
    pub(super) sent: Vec<SentPacket>,
    pub(super) count: u64,
    pub(super) keyframe_requests: u64,
    last_keyframe_on_request: Option<Instant>,
    player: Player,
}

/// Whether a track sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Live,
    Muted,
    /// Taken back, but the others are not told yet.
    Ending,
    Ended,
}

impl Publication {
    pub(super) fn new(
        sid: TrackSid,
        participant: &Participant,
        spec: TrackSpec,
        now: Instant,
    ) -> Self {
        Self {
            sid,
            participant_sid: participant.sid.clone(),
            room: participant.room.clone(),
            player: Player::new(spec.media.clone(), spec.speed, now),
            spec,
            state: State::Live,
            sent: Vec::new(),
            count: 0,
            keyframe_requests: 0,
            last_keyframe_on_request: None,
        }
    }

    /// Returns when the next packet is due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let plays = matches!(self.state, State::Live | State::Muted);
        plays.then(|| self.player.next_at())
    }

    /// Takes the packets that are due; those of a muted track pass unsent.
    pub(super) fn pull(&mut self, now: Instant, wall: SystemTime) -> Vec<MediaPacket> {
        let mut due = Vec::new();
        while self.next_at().is_some_and(|at| at <= now) {
            let packet = self.player.pull(now);
            due.extend(packet.filter(|_| self.state == State::Live));
        }
        for packet in &due {
            self.remember(packet, wall);
        }
        due
    }

    /// Plays something else from `now` on; timestamps go on growing.
    pub(super) fn switch(&mut self, media: Media) {
        self.spec.media = media.clone();
        self.player.switch(media);
    }

    /// Passes a request on to the publisher, who sends a keyframe next; not more than one a second.
    pub(super) fn make_keyframe(&mut self, now: Instant) {
        let last = self.last_keyframe_on_request;
        if last.is_none_or(|last| now >= last + KEYFRAME_THROTTLE) {
            self.last_keyframe_on_request = Some(now);
            self.player.repeat_keyframe();
        }
    }

    /// Describes the track to the others.
    pub(super) fn info(&self) -> lk::TrackInfo {
        let codec = self.spec.media.codec;
        let (kind, width, height) = if codec.is_video() {
            (lk::TrackType::Video, 320, 180)
        } else {
            (lk::TrackType::Audio, 0, 0)
        };
        lk::TrackInfo {
            sid: self.sid.0.clone(),
            r#type: kind.into(),
            name: self.spec.name.clone(),
            muted: self.state == State::Muted,
            source: self.spec.source.to_livekit().into(),
            mime_type: codec.mime_type().into(),
            width,
            height,
            codecs: vec![lk::SimulcastCodecInfo {
                mime_type: codec.mime_type().into(),
                ..lk::SimulcastCodecInfo::default()
            }],
            ..lk::TrackInfo::default()
        }
    }

    fn remember(&mut self, packet: &MediaPacket, wall: SystemTime) {
        let sequence_number = u16::try_from(self.count & 0xffff).unwrap_or_default();
        self.count += 1;
        if self.spec.history == History::Packets {
            let header = (sequence_number, packet.timestamp);
            self.sent.push(SentPacket::new(packet, header, wall));
        }
    }
}

/// How often LiveKit passes a request on.
const KEYFRAME_THROTTLE: Duration = Duration::from_secs(1);
