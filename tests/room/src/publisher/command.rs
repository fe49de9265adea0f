//! What a [`Publisher`](super::Publisher) asks of its session.

use tokio::sync::oneshot;

use super::{PublishError, SentPacket, TrackSid, TrackSpec};

/// Where the result of a command goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, PublishError>>;

/// One request, and where its result goes.
#[derive(Debug)]
pub(super) enum Command {
    Publish(Vec<TrackSpec>, Reply<Vec<TrackSid>>),
    Hold(TrackSid, Reply<()>),
    Release(TrackSid, Reply<()>),
    Mute(TrackSid, Reply<()>),
    Unmute(TrackSid, Reply<()>),
    Unpublish(TrackSid, Reply<()>),
    Sent(TrackSid, Reply<Vec<SentPacket>>),
    Counts(oneshot::Sender<Vec<(TrackSid, u64)>>),
    Leave(oneshot::Sender<()>),
}
