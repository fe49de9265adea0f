//! A participant of a real LiveKit server that sends given packets unchanged.
//!
//! What the server does to them on the way: it rewrites sequence numbers, timestamps, payload
//! types and the picture ids of VP8. The VP8 of [`Media`] has no picture ids,
//! so every payload reaches the subscribers byte by byte.

mod command;
mod peer;
mod session;
mod track;

use std::time::SystemTime;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::media::Media;
use crate::signal::{Grant, Server, SignalError};
use command::Command;
use session::Session;

/// What a track is for; LiveKit's `TrackSource`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A microphone.
    Microphone,
    /// A camera.
    Camera,
    /// The picture of a shared screen.
    ScreenShare,
    /// The sound of a shared screen.
    ScreenShareAudio,
}

/// A track to publish.
#[derive(Debug, Clone)]
pub struct TrackSpec {
    /// Name of the track, for people.
    pub name: String,
    /// What the track is for.
    pub source: Source,
    /// What is played, in a loop.
    pub media: Media,
    /// How fast it is played; 1.0 is real time.
    pub speed: f64,
    /// How much is remembered of what was sent.
    pub history: History,
}

/// How much a publisher remembers of what it sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// Every packet; memory grows with time.
    Packets,
    /// Their number only.
    Count,
}

/// The server's id of a track, as in `TR_AMp2CZLYTNe4X9`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackSid(pub String);

impl std::fmt::Display for TrackSid {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A packet as it left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentPacket {
    /// The RTP payload.
    pub payload: Bytes,
    /// RTP sequence number.
    pub sequence_number: u16,
    /// RTP timestamp.
    pub timestamp: u32,
    /// The marker bit.
    pub marker: bool,
    /// Wall time of sending.
    pub at: SystemTime,
}

/// Why publishing failed.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The key pair cannot sign a token.
    #[error("sign the token")]
    Token(#[from] livekit_token::AccessTokenError),
    /// Signalling failed.
    #[error(transparent)]
    Signal(#[from] SignalError),
    /// The UDP socket failed, or the server's host is unknown.
    #[error("network towards the server")]
    Network(#[from] std::io::Error),
    /// The server's answer to our offer cannot be used.
    #[error("unusable answer: {0}")]
    Answer(String),
    /// The server did not react in time.
    #[error("no {0} in time")]
    Timeout(&'static str),
    /// The server told us to leave.
    #[error("server ended the session: {0}")]
    Left(String),
    /// No such track is published.
    #[error("no track {0}")]
    UnknownTrack(TrackSid),
    /// The session ended before the request was done.
    #[error("the session is over")]
    Over,
}

/// A participant in one room of a LiveKit server. Dropping it is an abrupt end without a word.
#[derive(Debug)]
pub struct Publisher {
    commands: mpsc::Sender<Command>,
    _session: JoinSet<()>,
}

impl Publisher {
    /// Joins `room` as `identity`.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached or refuses.
    pub async fn join(server: &Server, room: &str, identity: &str) -> Result<Self, PublishError> {
        let token = server.token(room, identity, Grant::Publish)?;
        Self::join_with_token(&server.url, &token).await
    }

    /// Joins the room that the token names.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached or refuses.
    pub async fn join_with_token(url: &str, token: &str) -> Result<Self, PublishError> {
        let session = Box::pin(Session::join(url, token)).await?;
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let mut tasks = JoinSet::new();
        tasks.spawn(session.run(inbox));
        Ok(Self {
            commands,
            _session: tasks,
        })
    }

    /// Publishes one track and starts to play it.
    ///
    /// # Errors
    ///
    /// If the server refuses the track or the session is over.
    pub async fn publish(&self, track: TrackSpec) -> Result<TrackSid, PublishError> {
        let mut sids = self.publish_all(vec![track]).await?;
        sids.pop().ok_or(PublishError::Over)
    }

    /// Publishes tracks with one offer, and starts to play them; the ids are in the same order.
    ///
    /// # Errors
    ///
    /// If the server refuses a track or the session is over.
    pub async fn publish_all(&self, tracks: Vec<TrackSpec>) -> Result<Vec<TrackSid>, PublishError> {
        self.request(|reply| Command::Publish(tracks, reply))
            .await?
    }

    /// Stops sending a track for a while and tells nobody, so that what was sent has arrived before
    /// signalling says anything. The media goes on silently.
    ///
    /// # Errors
    ///
    /// If there is no such track or the session is over.
    pub async fn hold(&self, sid: &TrackSid) -> Result<(), PublishError> {
        self.request(|reply| Command::Hold(sid.clone(), reply))
            .await?
    }

    /// Sends a held track again.
    ///
    /// # Errors
    ///
    /// If there is no such track or the session is over.
    pub async fn release(&self, sid: &TrackSid) -> Result<(), PublishError> {
        self.request(|reply| Command::Release(sid.clone(), reply))
            .await?
    }

    /// Stops sending a track for a while, and says so. The media goes on silently.
    ///
    /// # Errors
    ///
    /// If there is no such track or the session is over.
    pub async fn mute(&self, sid: &TrackSid) -> Result<(), PublishError> {
        self.request(|reply| Command::Mute(sid.clone(), reply))
            .await?
    }

    /// Sends a muted track again.
    ///
    /// # Errors
    ///
    /// If there is no such track or the session is over.
    pub async fn unmute(&self, sid: &TrackSid) -> Result<(), PublishError> {
        self.request(|reply| Command::Unmute(sid.clone(), reply))
            .await?
    }

    /// Takes a track back; [`Self::sent`] still knows it.
    ///
    /// # Errors
    ///
    /// If there is no such track or the session is over.
    pub async fn unpublish(&self, sid: &TrackSid) -> Result<(), PublishError> {
        self.request(|reply| Command::Unpublish(sid.clone(), reply))
            .await?
    }

    /// Returns what was sent of a track with [`History::Packets`], in order.
    ///
    /// # Errors
    ///
    /// If there is no such track or the session is over.
    pub async fn sent(&self, sid: &TrackSid) -> Result<Vec<SentPacket>, PublishError> {
        self.request(|reply| Command::Sent(sid.clone(), reply))
            .await?
    }

    /// Returns how many packets were sent of every track so far.
    ///
    /// # Errors
    ///
    /// If the session is over.
    pub async fn sent_counts(&self) -> Result<Vec<(TrackSid, u64)>, PublishError> {
        self.request(Command::Counts).await
    }

    /// Says goodbye and ends the session.
    ///
    /// # Errors
    ///
    /// If the session is over already.
    pub async fn leave(self) -> Result<(), PublishError> {
        self.request(Command::Leave).await
    }

    async fn request<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, PublishError> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(command(reply))
            .await
            .map_err(|_| PublishError::Over)?;
        answer.await.map_err(|_| PublishError::Over)
    }
}

/// Commands that may wait while the session negotiates.
const COMMANDS: usize = 16;
