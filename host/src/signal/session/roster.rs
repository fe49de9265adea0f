use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Event, UnpublishReason};
use crate::media::{ParticipantSid, TrackSid};
use crate::signal::message::{Participant, Publication, Publisher};

/// Who else is in the room, and what they publish. Everything it says is in the order of the ids,
/// so that the same room always gives the same events.
#[derive(Debug, Default)]
pub(super) struct Roster {
    /// Our own participant, which the server may list.
    us: Option<ParticipantSid>,
    members: BTreeMap<ParticipantSid, Member>,
}

#[derive(Debug)]
struct Member {
    publisher: Arc<Publisher>,
    version: u32,
    tracks: BTreeMap<TrackSid, Publication>,
}

impl Roster {
    /// Compares everyone in a room that we (re)joined with everyone we knew.
    pub(super) fn replace(
        &mut self,
        us: ParticipantSid,
        participants: Vec<Participant>,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let present: BTreeSet<_> = participants
            .iter()
            .map(|participant| participant.publisher.sid.clone())
            .collect();
        let gone: Vec<_> = self
            .members
            .keys()
            .filter(|sid| !present.contains(*sid))
            .cloned()
            .collect();
        for sid in gone {
            self.remove(&sid, UnpublishReason::GoneMeanwhile, &mut events);
        }
        // Another server may count versions from another start.
        for member in self.members.values_mut() {
            member.version = 0;
        }
        self.us = Some(us);
        self.merge(participants, UnpublishReason::GoneMeanwhile, &mut events);
        events
    }

    /// Takes in the participants that changed.
    pub(super) fn update(&mut self, participants: Vec<Participant>) -> Vec<Event> {
        let mut events = Vec::new();
        self.merge(participants, UnpublishReason::Unpublished, &mut events);
        events
    }

    /// A track that is published.
    pub(super) fn publication(&self, track: &TrackSid) -> Option<&Publication> {
        self.members
            .values()
            .find_map(|member| member.tracks.get(track))
    }

    fn merge(
        &mut self,
        mut participants: Vec<Participant>,
        reason: UnpublishReason,
        events: &mut Vec<Event>,
    ) {
        participants.sort_by(|a, b| a.publisher.sid.cmp(&b.publisher.sid));
        for participant in participants {
            if self.us.as_ref() == Some(&participant.publisher.sid) {
                continue;
            }
            if participant.has_left {
                let sid = &participant.publisher.sid;
                self.remove(sid, UnpublishReason::ParticipantLeft, events);
            } else {
                self.take_in(participant, reason, events);
            }
        }
    }

    fn take_in(
        &mut self,
        participant: Participant,
        reason: UnpublishReason,
        events: &mut Vec<Event>,
    ) {
        let member = self
            .members
            .entry(participant.publisher.sid.clone())
            .or_insert_with(|| Member {
                publisher: Arc::clone(&participant.publisher),
                version: 0,
                tracks: BTreeMap::new(),
            });
        // Updates can overtake each other.
        if participant.version < member.version {
            return;
        }
        let tracks: BTreeMap<_, _> = participant
            .tracks
            .into_iter()
            .map(|track| (track.sid.clone(), track))
            .collect();
        compare(&member.tracks, &tracks, reason, events);
        compare_attributes(member, &participant.publisher, &tracks, events);
        *member = Member {
            publisher: participant.publisher,
            version: participant.version,
            tracks,
        };
    }

    fn remove(&mut self, sid: &ParticipantSid, reason: UnpublishReason, events: &mut Vec<Event>) {
        let Some(member) = self.members.remove(sid) else {
            return;
        };
        compare(&member.tracks, &BTreeMap::new(), reason, events);
        events.push(Event::ParticipantLeft {
            identity: member.publisher.identity.clone(),
            participant: sid.clone(),
        });
    }
}

/// Tells of changed attributes by each track that was there and still is; new ones have them with them.
fn compare_attributes(
    old: &Member,
    new: &Publisher,
    tracks: &BTreeMap<TrackSid, Publication>,
    events: &mut Vec<Event>,
) {
    if old.publisher.attributes == new.attributes {
        return;
    }
    let kept = tracks
        .keys()
        .filter(|track| old.tracks.contains_key(*track));
    events.extend(kept.map(|track| Event::AttributesChanged {
        track: track.clone(),
        attributes: Arc::clone(&new.attributes),
    }));
}

/// What one participant publishes no longer, anew, or with another mute state.
fn compare(
    old: &BTreeMap<TrackSid, Publication>,
    new: &BTreeMap<TrackSid, Publication>,
    reason: UnpublishReason,
    events: &mut Vec<Event>,
) {
    for track in old.keys().filter(|track| !new.contains_key(*track)) {
        events.push(Event::Unpublished {
            track: track.clone(),
            reason,
        });
    }
    for publication in new.values() {
        match old.get(&publication.sid) {
            None => events.push(Event::Published(publication.clone())),
            Some(known) if known.is_muted != publication.is_muted => events.push(Event::Muted {
                track: publication.sid.clone(),
                is_muted: publication.is_muted,
            }),
            Some(_) => {}
        }
    }
}
