//! What the script of a test does: publishers come, mute and leave; things go wrong.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use livekit_protocol as lk;
use lk::participant_info::State as ParticipantState;

use super::publication::{Participant, Publication, State};
use super::{Room, Simulation, Timer, UnknownName, message};
use crate::media::Media;
use crate::publisher::{TrackSid, TrackSpec};
use crate::sfu::Channel;

/// What is said over a data channel.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Which of the two channels carries it.
    pub channel: Channel,
    /// What it is about; may be empty.
    pub topic: &'a str,
    /// What it says, as it is.
    pub payload: &'a [u8],
}

impl Simulation {
    /// Publishes a track; whoever is not in the room joins it.
    pub fn publish(
        &mut self,
        room: &str,
        identity: &str,
        spec: TrackSpec,
        now: Instant,
    ) -> TrackSid {
        self.open_room(room);
        let prefix = if spec.media.codec.is_video() {
            "TR_VC"
        } else {
            "TR_AM"
        };
        let sid = TrackSid(self.new_sid(prefix));
        let participant_sid = self.new_sid("PA_");
        let key = (room.to_owned(), identity.to_owned());
        let participant = self.participants.entry(key).or_insert_with(|| Participant {
            sid: participant_sid,
            room: room.to_owned(),
            identity: identity.to_owned(),
            attributes: BTreeMap::new(),
        });
        let publication = Publication::new(sid.clone(), participant, spec, now);
        self.publications.insert(sid.clone(), publication);
        self.announce(room, identity);
        sid
    }

    /// Mutes a track: a second of made-up silence, then nothing.
    ///
    /// # Errors
    ///
    /// If there is no such track.
    pub fn mute(&mut self, sid: &TrackSid, now: Instant) -> Result<(), UnknownName> {
        self.change(sid, State::Muted)?;
        for subscriber in self.subscribers.values_mut() {
            if let Some(forward) = subscriber.forwards.get_mut(sid) {
                forward.mute(now);
            }
        }
        Ok(())
    }

    /// Unmutes a track; video goes on at its next keyframe.
    ///
    /// # Errors
    ///
    /// If there is no such track.
    pub fn unmute(&mut self, sid: &TrackSid) -> Result<(), UnknownName> {
        self.change(sid, State::Live)?;
        for subscriber in self.subscribers.values_mut() {
            if let Some(forward) = subscriber.forwards.get_mut(sid) {
                forward.unmute();
            }
        }
        Ok(())
    }

    /// Takes a track back: made-up frames for 0.2 s, then the update and the offer without it.
    ///
    /// # Errors
    ///
    /// If there is no such track.
    pub fn unpublish(&mut self, sid: &TrackSid, now: Instant) -> Result<(), UnknownName> {
        let publication = self.publications.get_mut(sid);
        let publication = publication.ok_or_else(|| UnknownName::Track(sid.clone()))?;
        publication.state = State::Ending;
        let subscribers: Vec<_> = self.subscribers.keys().cloned().collect();
        for subscriber in subscribers {
            self.detach(&subscriber, sid, now);
        }
        self.set_timer(now + CLOSING, Timer::EndTrack(sid.clone()));
        Ok(())
    }

    /// Lets a publisher leave with all tracks.
    ///
    /// # Errors
    ///
    /// If nobody of that name is in the room.
    pub fn leave(&mut self, room: &str, identity: &str, now: Instant) -> Result<(), UnknownName> {
        let participant = self.participant(room, identity)?;
        for sid in self.tracks_of(&participant.sid.clone()) {
            self.unpublish(&sid, now)?;
        }
        let (room, identity) = (room.to_owned(), identity.to_owned());
        self.set_timer(now + CLOSING, Timer::Depart { room, identity });
        Ok(())
    }

    /// Plays other media of the same kind on a track, as when the picture size changes or the
    /// publisher falls back to another codec; give media that begins with a keyframe.
    ///
    /// # Errors
    ///
    /// If there is no such track.
    pub fn switch(&mut self, sid: &TrackSid, media: Media) -> Result<(), UnknownName> {
        let publication = self.publications.get_mut(sid);
        let publication = publication.ok_or_else(|| UnknownName::Track(sid.clone()))?;
        let codec = media.codec;
        let has_changed = publication.spec.media.codec != codec;
        publication.switch(media);
        if has_changed {
            let participant_sid = publication.participant_sid.clone();
            for subscriber in self.subscribers.values_mut() {
                subscriber.change_codec(sid, codec);
            }
            self.announce_by_sid(&participant_sid);
        }
        Ok(())
    }

    /// Sends a message of a participant, or of the server, to everyone who subscribes in the room; returns
    /// to how many.
    ///
    /// # Errors
    ///
    /// If nobody of that name is in the room.
    pub fn send_data(
        &mut self,
        room: &str,
        sender: Option<&str>,
        message: Message<'_>,
        now: Instant,
    ) -> Result<usize, UnknownName> {
        let sender = match sender {
            Some(identity) => Some(self.participant(room, identity)?),
            None => None,
        };
        let packet = message::data(sender, message.topic, message.payload);
        Ok(self.send_packet(room, message.channel, &packet, now))
    }

    /// Sends anything at all over a data channel to everyone who subscribes in the room; returns to how
    /// many.
    pub fn send_packet(
        &mut self,
        room: &str,
        channel: Channel,
        packet: &[u8],
        now: Instant,
    ) -> usize {
        let subscribers = self.subscribers.values_mut();
        let there = subscribers.filter(|subscriber| subscriber.room == room);
        there
            .filter_map(|subscriber| {
                let is_sent = subscriber.peer.send_data(channel, packet);
                subscriber.peer.handle_timeout(now);
                is_sent.then_some(())
            })
            .count()
    }

    /// Sets all attributes of a publisher.
    ///
    /// # Errors
    ///
    /// If nobody of that name is in the room.
    pub fn set_attributes(
        &mut self,
        room: &str,
        identity: &str,
        attributes: BTreeMap<String, String>,
    ) -> Result<(), UnknownName> {
        self.participant(room, identity)?;
        let key = (room.to_owned(), identity.to_owned());
        if let Some(participant) = self.participants.get_mut(&key) {
            participant.attributes = attributes;
        }
        self.announce(room, identity);
        Ok(())
    }

    fn participant(&self, room: &str, identity: &str) -> Result<&Participant, UnknownName> {
        let key = (room.to_owned(), identity.to_owned());
        self.participants
            .get(&key)
            .ok_or_else(|| UnknownName::Participant {
                room: room.to_owned(),
                identity: identity.to_owned(),
            })
    }

    /// Tells everyone in the room about a publisher and the tracks that are not ended.
    pub(super) fn announce(&mut self, room: &str, identity: &str) {
        let key = (room.to_owned(), identity.to_owned());
        if let Some(participant) = self.participants.get(&key) {
            let state = ParticipantState::Active;
            let described = self.describe(participant, state);
            self.broadcast(room, &message::update(vec![described]));
        }
    }

    /// Describes a publisher with its tracks.
    pub(super) fn describe(
        &self,
        participant: &Participant,
        state: ParticipantState,
    ) -> lk::ParticipantInfo {
        let tracks = self.publications.values().filter(|publication| {
            publication.participant_sid == participant.sid && publication.state != State::Ended
        });
        message::participant(participant, state, tracks.map(Publication::info).collect())
    }

    /// Runs a timer that is due.
    pub(super) fn run_timer(&mut self, timer: Timer, now: Instant) {
        match timer {
            Timer::Detach { subscriber, track } => {
                if let Some(subscriber) = self.subscribers.get_mut(&subscriber) {
                    subscriber.detach(&track, now);
                }
            }
            Timer::EndTrack(sid) => self.end_track(&sid),
            Timer::Depart { room, identity } => self.depart(room, identity, now),
            Timer::CloseRoom(room) => self.close_room(&room, now),
            Timer::Unanswered { subscriber, offer } => self.unanswered(&subscriber, offer),
            Timer::Unconnected(sid) => self.unconnected(&sid),
            Timer::Forget(sid) => {
                let is_gone = |subscriber: &super::Subscriber| subscriber.connection.is_none();
                if self.subscribers.get(&sid).is_some_and(is_gone) {
                    self.forget(&sid);
                }
            }
        }
    }

    /// Ends a track for one subscriber, with made-up frames.
    pub(super) fn detach(&mut self, subscriber: &str, track: &TrackSid, now: Instant) {
        let forwards = self
            .subscribers
            .get_mut(subscriber)
            .map(|s| &mut s.forwards);
        let Some(forward) = forwards.and_then(|forwards| forwards.get_mut(track)) else {
            return;
        };
        forward.close(now);
        let subscriber = subscriber.to_owned();
        let track = track.clone();
        self.set_timer(now + CLOSING, Timer::Detach { subscriber, track });
    }

    pub(super) fn open_room(&mut self, name: &str) {
        let sid = self.new_sid("RM_");
        let room = self.rooms.entry(name.to_owned()).or_insert(Room {
            sid,
            deserted: None,
        });
        room.deserted = None;
    }

    fn change(&mut self, sid: &TrackSid, state: State) -> Result<(), UnknownName> {
        let publication = self.publications.get_mut(sid);
        let publication = publication.ok_or_else(|| UnknownName::Track(sid.clone()))?;
        publication.state = state;
        let participant_sid = publication.participant_sid.clone();
        self.announce_by_sid(&participant_sid);
        Ok(())
    }

    fn announce_by_sid(&mut self, participant_sid: &str) {
        let mut participants = self.participants.iter();
        let found = participants.find(|(_, participant)| participant.sid == participant_sid);
        if let Some(((room, identity), _)) = found {
            let (room, identity) = (room.clone(), identity.clone());
            self.announce(&room, &identity);
        }
    }

    fn tracks_of(&self, participant_sid: &str) -> Vec<TrackSid> {
        let tracks = self.publications.values().filter(|publication| {
            publication.participant_sid == participant_sid
                && matches!(publication.state, State::Live | State::Muted)
        });
        tracks.map(|publication| publication.sid.clone()).collect()
    }

    fn end_track(&mut self, sid: &TrackSid) {
        let Some(publication) = self.publications.get_mut(sid) else {
            return;
        };
        publication.state = State::Ended;
        let participant_sid = publication.participant_sid.clone();
        self.announce_by_sid(&participant_sid);
    }

    fn depart(&mut self, room: String, identity: String, now: Instant) {
        let Some(participant) = self.participants.remove(&(room.clone(), identity)) else {
            return;
        };
        let state = ParticipantState::Disconnected;
        let gone = message::participant(&participant, state, Vec::new());
        self.broadcast(&room, &message::update(vec![gone]));
        let is_empty = !self.participants.keys().any(|(name, _)| *name == room);
        if let Some(entry) = self.rooms.get_mut(&room).filter(|_| is_empty) {
            entry.deserted = Some(now);
            let at = now + self.config.departure_timeout;
            self.set_timer(at, Timer::CloseRoom(room));
        }
    }

    /// Closes a room in which nobody publishes any more.
    fn close_room(&mut self, name: &str, now: Instant) {
        let deserted = self.rooms.get(name).and_then(|room| room.deserted);
        if deserted.is_none_or(|since| since + self.config.departure_timeout > now) {
            return;
        }
        let action = lk::leave_request::Action::Disconnect;
        let goodbye = message::leave(action, lk::DisconnectReason::RoomClosed);
        self.broadcast(name, &goodbye);
        let gone = self.subscribers.iter();
        let gone = gone.filter(|(_, subscriber)| subscriber.room == name);
        let gone: Vec<_> = gone.map(|(sid, _)| sid.clone()).collect();
        gone.iter().for_each(|sid| self.end_session(sid));
        self.rooms.remove(name);
    }
}

/// How long the made-up frames at the end of a track take.
const CLOSING: Duration = Duration::from_millis(210);
