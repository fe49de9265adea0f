use livekit_protocol as proto;
use prost::Message as _;
use proto::data_packet::Value;

use super::DecodeError;
use crate::media::DataMessage;

/// Reads a packet of the data channels `_reliable` and `_lossy`. `None` for what is no message of a user:
/// streams, calls, chat, metrics, and what is encrypted end to end.
///
/// # Errors
/// If it is not a `DataPacket`.
pub fn data_message(packet: &[u8]) -> Result<Option<DataMessage>, DecodeError> {
    let length = packet.len();
    let packet =
        proto::DataPacket::decode(packet).map_err(|source| DecodeError::Data { length, source })?;
    let Some(Value::User(user)) = packet.value else {
        return Ok(None);
    };
    Ok(Some(DataMessage {
        topic: user.topic.unwrap_or_default(),
        // Servers leave it empty for themselves.
        sender: Some(packet.participant_identity)
            .filter(|identity| !identity.is_empty())
            .map(Into::into),
        payload: user.payload.into(),
    }))
}
