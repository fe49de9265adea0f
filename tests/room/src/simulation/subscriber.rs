//! One subscriber: its signalling session, its peer connection and the tracks on their way to it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use livekit_protocol as lk;
use lk::signal_request::Message as Request;

use super::ConnectionId;
use super::forward::Forward;
use crate::media::{Codec, MediaPacket};
use crate::publisher::TrackSid;
use crate::sfu::{Offer, OutgoingTrack, SfuEvent, SfuOutput, SfuPeer};

/// A participant that subscribes.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) room: String,
    pub(super) identity: String,
    /// `None` while the WebSocket is broken.
    pub(super) connection: Option<ConnectionId>,
    pub(super) peer: SfuPeer,
    pub(super) forwards: BTreeMap<TrackSid, Forward>,
    pub(super) requests: Vec<Request>,
    pub(super) offers: Vec<String>,
    pub(super) events: Vec<SfuEvent>,
    negotiation: Negotiation,
}

/// When the next offer leaves; one at a time is under way.
#[derive(Debug, Default)]
struct Negotiation {
    due: Option<Instant>,
    last: Option<Instant>,
    outstanding: Option<u32>,
    /// Whether something changed while an offer was under way.
    changed: bool,
}

impl Subscriber {
    pub(super) fn new(
        room: String,
        identity: String,
        connection: ConnectionId,
        peer: SfuPeer,
    ) -> Self {
        Self {
            room,
            identity,
            connection: Some(connection),
            peer,
            forwards: BTreeMap::new(),
            requests: Vec::new(),
            offers: Vec::new(),
            events: Vec::new(),
            negotiation: Negotiation::default(),
        }
    }

    /// Adds a track to the next offer; does nothing if it is there already.
    pub(super) fn subscribe(&mut self, track: &OutgoingTrack, muted: bool, now: Instant) {
        if self.forwards.contains_key(&track.sid) {
            return;
        }
        let mut forward = Forward::new(track.sid.clone(), track.codec);
        if muted {
            forward.pause();
        }
        self.forwards.insert(track.sid.clone(), forward);
        self.peer.add_track(track);
        self.want_offer(now);
    }

    /// Ends a track once its made-up frames are through.
    pub(super) fn detach(&mut self, sid: &TrackSid, now: Instant) {
        if let Some(mut forward) = self.forwards.remove(sid) {
            // They are through by now, unless whoever drives the simulation is late.
            forward.play(&mut self.peer, now);
            self.peer.handle_timeout(now);
            self.peer.remove_track(sid);
            self.want_offer(now);
        }
    }

    /// Schedules an offer: soon after a quiet time, later in a burst of changes.
    pub(super) fn want_offer(&mut self, now: Instant) {
        let negotiation = &mut self.negotiation;
        if negotiation.outstanding.is_some() {
            negotiation.changed = true;
            return;
        }
        let is_quiet = negotiation.last.is_none_or(|last| now - last > DEBOUNCE);
        let delay = if is_quiet { FAST_DEBOUNCE } else { DEBOUNCE };
        negotiation.due.get_or_insert(now + delay);
    }

    /// Returns the offer that is due.
    pub(super) fn due_offer(&mut self, now: Instant) -> Option<Offer> {
        self.negotiation.due.take_if(|due| *due <= now)?;
        Some(self.offer(now))
    }

    /// Writes an offer at once.
    pub(super) fn offer(&mut self, now: Instant) -> Offer {
        let offer = self.peer.offer();
        self.offers.push(offer.sdp.clone());
        self.negotiation = Negotiation {
            due: None,
            last: Some(now),
            outstanding: Some(offer.id),
            changed: false,
        };
        offer
    }

    /// Takes the answer; one to an older offer is ignored.
    pub(super) fn answer(&mut self, answer: &lk::SessionDescription, now: Instant) {
        // Clients that do not number their answers send zero.
        let is_current = answer.id == 0 || self.negotiation.outstanding == Some(answer.id);
        if self.negotiation.outstanding.is_none() || !is_current {
            tracing::debug!(id = answer.id, "Answer to no offer.");
            return;
        }
        self.negotiation.outstanding = None;
        if let Err(error) = self.peer.answer(&answer.sdp) {
            tracing::warn!(%error, identity = self.identity, "Unusable answer.");
        }
        if self.negotiation.changed {
            self.negotiation.changed = false;
            self.want_offer(now);
        }
        self.peer.handle_timeout(now);
    }

    /// Whether this offer still waits for its answer.
    pub(super) fn awaits_answer(&self, offer: u32) -> bool {
        self.negotiation.outstanding == Some(offer)
    }

    /// A resumed session begins with an offer that restarts ICE.
    pub(super) fn resume(&mut self, connection: ConnectionId) {
        self.connection = Some(connection);
        self.negotiation.outstanding = None;
        self.peer.restart_ice();
    }

    /// Forwards packets of a publisher, if the track is subscribed. Returns whether that has to
    /// wait for a keyframe.
    pub(super) fn forward(
        &mut self,
        sid: &TrackSid,
        packets: &[MediaPacket],
        now: Instant,
    ) -> bool {
        let Some(forward) = self.forwards.get_mut(sid) else {
            return false;
        };
        for packet in packets {
            forward.forward(packet, &mut self.peer, now);
        }
        forward.awaits_keyframe() && self.peer.can_send(sid)
    }

    /// The next packets of a track are of another codec; its m-line stays as it is.
    pub(super) fn change_codec(&mut self, sid: &TrackSid, codec: Codec) {
        if let Some(forward) = self.forwards.get_mut(sid) {
            forward.change_codec(codec);
            self.peer.change_codec(sid, codec);
        }
    }

    /// Applies the subscriber's own settings of a track.
    pub(super) fn apply(&mut self, settings: &lk::UpdateTrackSettings) {
        for sid in &settings.track_sids {
            match self.forwards.get_mut(&TrackSid(sid.clone())) {
                Some(forward) if settings.disabled => forward.pause(),
                Some(forward) => forward.unmute(),
                None => {}
            }
        }
    }

    /// Runs everything that is due.
    pub(super) fn run(&mut self, now: Instant) {
        for forward in self.forwards.values_mut() {
            forward.play(&mut self.peer, now);
        }
        self.peer.handle_timeout(now);
    }

    /// Takes the next output of the peer connection.
    pub(super) fn poll_output(&mut self) -> Option<SfuOutput> {
        self.peer.poll_output()
    }

    /// Returns when something is due.
    pub(super) fn next_at(&self) -> Instant {
        let injections = self.forwards.values().filter_map(Forward::next_at);
        injections
            .chain(self.negotiation.due)
            .fold(self.peer.poll_timeout(), Instant::min)
    }
}

impl OutgoingTrack {
    pub(super) const fn new(sid: TrackSid, participant_sid: String, codec: Codec) -> Self {
        Self {
            sid,
            participant_sid,
            codec,
        }
    }
}

/// LiveKit waits this long after the first change of a quiet time,
const FAST_DEBOUNCE: Duration = Duration::from_millis(10);
/// and this long when an offer was sent just before.
const DEBOUNCE: Duration = Duration::from_millis(150);
