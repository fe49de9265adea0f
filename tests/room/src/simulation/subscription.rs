//! Which tracks a subscriber asks for.

use std::time::Instant;

use livekit_protocol as lk;

use super::publication::State;
use super::{Simulation, message};
use crate::publisher::TrackSid;
use crate::sfu::OutgoingTrack;

impl Simulation {
    /// Does what a subscriber asks for.
    pub(super) fn update_subscription(
        &mut self,
        sid: &str,
        update: &lk::UpdateSubscription,
        now: Instant,
    ) {
        let listed = update.participant_tracks.iter();
        let listed = listed.flat_map(|tracks| &tracks.track_sids);
        let tracks: Vec<_> = update
            .track_sids
            .iter()
            .chain(listed)
            .map(|sid| TrackSid(sid.clone()))
            .collect();
        if update.subscribe {
            self.subscribe(sid, tracks, now);
        } else {
            for track in &tracks {
                self.detach(sid, track, now);
            }
        }
    }

    /// Offers tracks, or says why not.
    pub(super) fn subscribe(&mut self, sid: &str, tracks: Vec<TrackSid>, now: Instant) {
        for track in tracks {
            let Some(subscriber) = self.subscribers.get_mut(sid) else {
                return;
            };
            let found = self.publications.get(&track);
            let found = found.filter(|found| matches!(found.state, State::Live | State::Muted));
            let refusal = match (self.faults.subscription, found) {
                (Some(error), _) => error,
                (None, None) => lk::SubscriptionError::SeTrackNotfound,
                (None, Some(found)) => {
                    let codec = found.spec.media.codec;
                    let participant_sid = found.participant_sid.clone();
                    let outgoing = OutgoingTrack::new(track, participant_sid, codec);
                    subscriber.subscribe(&outgoing, found.state == State::Muted, now);
                    continue;
                }
            };
            let connection = subscriber.connection;
            self.send_all(connection, vec![message::refused(track.0, refusal)]);
        }
    }

    /// Returns the tracks of a room.
    pub(super) fn live_tracks(&self, room: &str) -> Vec<TrackSid> {
        let tracks = self.publications.values();
        let tracks = tracks.filter(|publication| publication.room == room);
        tracks.map(|publication| publication.sid.clone()).collect()
    }
}
