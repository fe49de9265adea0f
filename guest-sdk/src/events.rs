//! What a plugin says to the outside: to the WebSocket in order with the sound, or into a `.jsonl`
//! file beside the recording.
//!
//! The host stamps each message with the time of the frame in hand. At most 16 KiB each and 50 a second
//! unless the operator says otherwise.

use std::time::Duration;

use crate::imports;

/// Why something was not sent. None of it harms the track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// The queue or the rate is at its limit: try again with a later frame, or let it go.
    #[error("the queue for events is full: emit fewer, or later")]
    Full,
    /// More than 16 KiB.
    #[error("the event is larger than 16 KiB")]
    TooLarge,
    /// The operator did not allow it here, or the sink cannot carry it.
    #[error("the operator does not allow this plugin to emit")]
    NotAllowed,
}

/// Sends a text, usually JSON, under a topic.
///
/// # Errors
///
/// [`EmitError`] says why it was not taken; with `?` it becomes a transient error.
pub fn emit_text(topic: &str, text: &str) -> Result<(), EmitError> {
    imports::emit_text(topic, text)
}

/// Sends bytes under a topic.
///
/// # Errors
///
/// [`EmitError`] says why they were not taken; with `?` it becomes a transient error.
pub fn emit_binary(topic: &str, data: &[u8]) -> Result<(), EmitError> {
    imports::emit_binary(topic, data)
}

/// Marks a point or, with a length, a span on the time line of the recording. It may lie before the
/// frame in hand. `json` is an object with whatever belongs to it, or empty.
///
/// # Errors
///
/// [`EmitError`] says why it was not taken; with `?` it becomes a transient error.
pub fn mark(
    name: &str,
    at: Duration,
    length: Option<Duration>,
    json: &str,
) -> Result<(), EmitError> {
    imports::mark(name, at, length, json)
}
