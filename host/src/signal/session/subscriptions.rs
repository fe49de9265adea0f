use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::SubscriptionFailure;
use super::roster::Roster;
use crate::media::{ParticipantSid, TrackKind, TrackSid};
use crate::signal::message::{ClientMessage, ParticipantTracks, SubscriptionError};

/// Which tracks are wanted, and how far each has come.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    wanted: BTreeMap<TrackSid, State>,
    /// Wanted no longer, and the server does not know it.
    dropped: BTreeMap<TrackSid, ParticipantSid>,
    /// When to tell the server what has gathered.
    flush_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be asked for, this many times without success.
    Queued { tries: u32 },
    /// Asked for; an offer must bring it.
    Requested { tries: u32, deadline: Instant },
    /// In an offer.
    Offered,
    /// Reported as failed. An offer may bring it yet.
    Failed,
}

impl Subscriptions {
    /// Wants a track.
    pub(super) fn want(&mut self, track: TrackSid, flush_at: Instant) {
        self.dropped.remove(&track);
        self.wanted
            .entry(track)
            .or_insert(State::Queued { tries: 0 });
        self.flush_at.get_or_insert(flush_at);
    }

    /// Wants a track of `publisher` no longer.
    pub(super) fn release(
        &mut self,
        track: TrackSid,
        publisher: ParticipantSid,
        flush_at: Instant,
    ) {
        if self.wanted.remove(&track).is_some() {
            self.dropped.insert(track, publisher);
            self.flush_at.get_or_insert(flush_at);
        }
    }

    /// Forgets a track that is no longer published.
    pub(super) fn forget(&mut self, track: &TrackSid) {
        self.wanted.remove(track);
        self.dropped.remove(track);
    }

    /// Asks anew for a track that failed.
    pub(super) fn retry(&mut self, track: &TrackSid, flush_at: Instant) {
        if let Some(state @ State::Failed) = self.wanted.get_mut(track) {
            *state = State::Queued { tries: 0 };
            self.flush_at.get_or_insert(flush_at);
        }
    }

    /// Records a refusal; whether it concerns a track that is wanted.
    pub(super) fn refuse(&mut self, track: &TrackSid) -> bool {
        match self.wanted.get_mut(track) {
            Some(state) => {
                *state = State::Failed;
                true
            }
            None => false,
        }
    }

    /// Records what an offer brings.
    pub(super) fn offered(&mut self, tracks: &[TrackSid]) {
        for track in tracks {
            if let Some(state) = self.wanted.get_mut(track) {
                *state = State::Offered;
            }
        }
    }

    /// The session was resumed: the server remembers, so only what was under way is asked again.
    pub(super) fn resumed(&mut self, flush_at: Instant) {
        for state in self.wanted.values_mut() {
            if matches!(state, State::Requested { .. }) {
                *state = State::Queued { tries: 0 };
            }
        }
        self.flush_at = Some(flush_at);
    }

    /// A new session: the server knows nothing.
    pub(super) fn rejoined(&mut self, flush_at: Instant) {
        self.dropped.clear();
        for state in self.wanted.values_mut() {
            *state = State::Queued { tries: 0 };
        }
        self.flush_at = Some(flush_at);
    }

    /// Everything that is wanted, by participant.
    pub(super) fn all(&self, roster: &Roster) -> Vec<ParticipantTracks> {
        by_participant(self.wanted.keys(), roster)
    }

    /// The messages that tell the server what has gathered, if it is time.
    pub(super) fn flush(
        &mut self,
        roster: &Roster,
        deadline: Instant,
        now: Instant,
    ) -> Vec<ClientMessage> {
        if self.flush_at.is_none_or(|at| now < at) {
            return Vec::new();
        }
        self.flush_at = None;
        let queued = self.request(deadline);
        let video = queued.iter().filter(|track| is_video(track, roster));
        let video: Vec<_> = video.cloned().collect();
        let subscribe = by_participant(queued.iter(), roster);
        let unsubscribe = group(std::mem::take(&mut self.dropped));
        [
            (!unsubscribe.is_empty()).then_some(ClientMessage::Unsubscribe(unsubscribe)),
            (!video.is_empty()).then_some(ClientMessage::BestQuality(video)),
            (!subscribe.is_empty()).then_some(ClientMessage::Subscribe(subscribe)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The tracks that no offer brought in time. Each is asked for a second time first.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<TrackSid> {
        let mut failed = Vec::new();
        for (track, state) in &mut self.wanted {
            let State::Requested { tries, deadline } = *state else {
                continue;
            };
            if now < deadline {
                continue;
            }
            if tries < MAX_TRIES {
                *state = State::Queued { tries };
                self.flush_at = Some(now);
            } else {
                *state = State::Failed;
                failed.push(track.clone());
            }
        }
        failed
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let deadlines = self.wanted.values().filter_map(|state| match state {
            State::Requested { deadline, .. } => Some(*deadline),
            State::Queued { .. } | State::Offered | State::Failed => None,
        });
        deadlines.chain(self.flush_at).min()
    }

    /// Marks what is queued as asked for.
    fn request(&mut self, deadline: Instant) -> BTreeSet<TrackSid> {
        let mut queued = BTreeSet::new();
        for (track, state) in &mut self.wanted {
            if let State::Queued { tries } = *state {
                let tries = tries + 1;
                *state = State::Requested { tries, deadline };
                queued.insert(track.clone());
            }
        }
        queued
    }
}

impl From<SubscriptionError> for SubscriptionFailure {
    fn from(error: SubscriptionError) -> Self {
        Self::Refused(error)
    }
}

fn is_video(track: &TrackSid, roster: &Roster) -> bool {
    roster
        .publication(track)
        .is_some_and(|publication| publication.kind == TrackKind::Video)
}

fn by_participant<'a>(
    tracks: impl Iterator<Item = &'a TrackSid>,
    roster: &Roster,
) -> Vec<ParticipantTracks> {
    group(tracks.filter_map(|track| {
        let publication = roster.publication(track)?;
        Some((track.clone(), publication.publisher.sid.clone()))
    }))
}

fn group(tracks: impl IntoIterator<Item = (TrackSid, ParticipantSid)>) -> Vec<ParticipantTracks> {
    let mut grouped: BTreeMap<ParticipantSid, Vec<TrackSid>> = BTreeMap::new();
    for (track, participant) in tracks {
        grouped.entry(participant).or_default().push(track);
    }
    grouped
        .into_iter()
        .map(|(participant, tracks)| ParticipantTracks {
            participant,
            tracks,
        })
        .collect()
}

/// The first, and one more.
const MAX_TRIES: u32 = 2;
