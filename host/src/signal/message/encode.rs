use livekit_protocol as proto;
use prost::Message as _;
use proto::signal_request::Message;

use super::{Answer, ClientMessage, ParticipantTracks};

impl ClientMessage {
    /// Writes one binary WebSocket message.
    pub fn encode(self) -> Vec<u8> {
        let message = Some(self.into());
        proto::SignalRequest { message }.encode_to_vec()
    }
}

impl From<ClientMessage> for Message {
    fn from(message: ClientMessage) -> Self {
        match message {
            ClientMessage::Answer(answer) => Self::Answer(answer.into()),
            ClientMessage::Subscribe(tracks) => Self::Subscription(subscription(tracks, true)),
            ClientMessage::Unsubscribe(tracks) => Self::Subscription(subscription(tracks, false)),
            ClientMessage::BestQuality(tracks) => Self::TrackSetting(proto::UpdateTrackSettings {
                track_sids: tracks.iter().map(ToString::to_string).collect(),
                disabled: false,
                quality: proto::VideoQuality::High.into(),
                ..Default::default()
            }),
            ClientMessage::SyncState { answer, subscribed } => Self::SyncState(proto::SyncState {
                answer: answer.map(Into::into),
                subscription: Some(subscription(subscribed, true)),
                ..Default::default()
            }),
            ClientMessage::Ping {
                timestamp,
                round_trip,
            } => Self::PingReq(proto::Ping {
                timestamp,
                rtt: round_trip,
            }),
            ClientMessage::LegacyPing { timestamp } => Self::Ping(timestamp),
            ClientMessage::Leave => Self::Leave(proto::LeaveRequest {
                reason: proto::DisconnectReason::ClientInitiated.into(),
                action: proto::leave_request::Action::Disconnect.into(),
                ..Default::default()
            }),
        }
    }
}

impl From<Answer> for proto::SessionDescription {
    fn from(answer: Answer) -> Self {
        Self {
            r#type: "answer".to_owned(),
            sdp: answer.sdp,
            id: answer.offer,
            ..Default::default()
        }
    }
}

/// Names each track twice, bare and under its participant: servers read either.
fn subscription(tracks: Vec<ParticipantTracks>, subscribe: bool) -> proto::UpdateSubscription {
    let participant_tracks: Vec<_> = tracks
        .into_iter()
        .map(proto::ParticipantTracks::from)
        .collect();
    proto::UpdateSubscription {
        track_sids: participant_tracks
            .iter()
            .flat_map(|participant| participant.track_sids.iter().cloned())
            .collect(),
        subscribe,
        participant_tracks,
    }
}

impl From<ParticipantTracks> for proto::ParticipantTracks {
    fn from(tracks: ParticipantTracks) -> Self {
        Self {
            participant_sid: tracks.participant.to_string(),
            track_sids: tracks.tracks.iter().map(ToString::to_string).collect(),
        }
    }
}
