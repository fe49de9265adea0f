use std::collections::BTreeMap;

use bytes::Bytes;

use super::ParticipantIdentity;

/// What a participant sends to the others beside its media (`publishData` of LiveKit's SDKs). Anybody
/// in the room may send anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataMessage {
    /// What it is about; may be empty.
    pub topic: String,
    /// Who sent it; `None` for the server, and for those who are hidden.
    pub sender: Option<ParticipantIdentity>,
    /// What was sent.
    pub payload: Bytes,
}

/// What the application says of a participant: keys and values.
pub type Attributes = BTreeMap<String, String>;
