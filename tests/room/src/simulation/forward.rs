//! One track on its way to one subscriber: when it is forwarded, and what is made up instead.

use std::time::Instant;

use crate::media::{Codec, MediaPacket};
use crate::publisher::TrackSid;
use crate::sfu::{Injected, Injection, SfuPeer};

/// A track that a subscriber asked for.
#[derive(Debug)]
pub(super) struct Forward {
    sid: TrackSid,
    codec: Codec,
    phase: Phase,
    last_timestamp: Option<u32>,
    injection: Option<Injection>,
}

/// Whether real packets pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Video begins at a keyframe.
    AwaitingKeyframe,
    Forwarding,
    /// Muted by the publisher, or disabled by the subscriber.
    Silent,
    /// Unsubscribed or unpublished.
    Closing,
}

impl Forward {
    pub(super) const fn new(sid: TrackSid, codec: Codec) -> Self {
        Self {
            sid,
            codec,
            phase: Phase::AwaitingKeyframe,
            last_timestamp: None,
            injection: None,
        }
    }

    /// Forwards a packet of the publisher if it may pass.
    pub(super) fn forward(&mut self, packet: &MediaPacket, peer: &mut SfuPeer, now: Instant) {
        let passes = match self.phase {
            Phase::Forwarding => true,
            Phase::AwaitingKeyframe => packet.starts_keyframe,
            Phase::Silent | Phase::Closing => false,
        };
        if passes && peer.send(&self.sid, packet, now).is_some() {
            self.phase = Phase::Forwarding;
            self.last_timestamp = Some(packet.timestamp);
        }
    }

    /// Tells whether nothing passes before a keyframe.
    pub(super) fn awaits_keyframe(&self) -> bool {
        self.phase == Phase::AwaitingKeyframe
    }

    /// The next packets are of another codec.
    pub(super) const fn change_codec(&mut self, codec: Codec) {
        self.codec = codec;
    }

    /// The publisher muted: a second of made-up silence follows the last packet.
    pub(super) fn mute(&mut self, now: Instant) {
        if self.phase != Phase::Closing {
            self.phase = Phase::Silent;
            self.inject(Injected::Mute, now);
        }
    }

    /// The publisher unmuted, or the subscriber enabled the track again.
    pub(super) fn unmute(&mut self) {
        if self.phase == Phase::Silent {
            self.phase = Phase::AwaitingKeyframe;
            self.injection = None;
        }
    }

    /// The subscriber disabled the track for a while; nothing is made up.
    pub(super) fn pause(&mut self) {
        if self.phase != Phase::Closing {
            self.phase = Phase::Silent;
        }
    }

    /// The track ends for this subscriber, with a few made-up frames.
    pub(super) fn close(&mut self, now: Instant) {
        if self.phase != Phase::Closing {
            self.phase = Phase::Closing;
            self.inject(Injected::Close, now);
        }
    }

    /// Sends the made-up frames that are due.
    pub(super) fn play(&mut self, peer: &mut SfuPeer, now: Instant) {
        let Some(injection) = &mut self.injection else {
            return;
        };
        while let Some(packet) = injection.pull(now) {
            peer.send_injected(&self.sid, &packet, now);
            self.last_timestamp = Some(packet.timestamp);
        }
    }

    /// Returns when the next made-up frame is due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.injection.as_ref()?.next_at()
    }

    /// A track of which nothing was sent has nothing to be continued.
    fn inject(&mut self, reason: Injected, now: Instant) {
        let injection = |last| Injection::new(reason, self.codec, last, now);
        self.injection = self.last_timestamp.map(injection);
    }
}
