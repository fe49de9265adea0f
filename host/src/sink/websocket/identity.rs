use crate::media::{ParticipantIdentity, ParticipantSid, RoomName, RoomSid, TrackSid};

/// Whose sound it is. Told in the query of the URL, and in the `start` text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The room.
    pub room: RoomName,
    /// The server's id of the room.
    pub room_sid: RoomSid,
    /// Who publishes the track.
    pub participant: ParticipantIdentity,
    /// The server's id of the publisher's connection.
    pub participant_sid: ParticipantSid,
    /// The track.
    pub track: TrackSid,
    /// The recording (`EG_…`).
    pub egress_id: String,
}

impl Identity {
    /// Names and values, as both the query and the `start` text have them.
    pub fn pairs(&self) -> [(&'static str, &str); 6] {
        [
            ("room", self.room.as_str()),
            ("room_sid", self.room_sid.as_str()),
            ("participant", self.participant.as_str()),
            ("participant_sid", self.participant_sid.as_str()),
            ("track", self.track.as_str()),
            ("egress_id", &self.egress_id),
        ]
    }
}
