//! LiveKit signalling: join, subscribe, offer and answer, resume, reconnect.
//!
//! ```text
//!             Input                     Output
//! socket ─► Opened, Message  ┌─────────┐ Open, Send, CloseSocket ─► socket
//! peer   ─► Answer, Peer…    │ Session │ Offer, Candidate, RestartPeer ─► peer
//! user   ─► Subscribe, Leave └─────────┘ Event ─► user
//! ```
//!
//! [`Session`] decides everything and does nothing: no socket, no clock, no task. [`Socket`] is the
//! WebSocket; whoever drives both moves bytes and time between them.

mod session;
mod open;
mod open_error;
mod server_url;
mod end_reason;
mod message;
pub mod sdp;
mod token;
mod socket;

pub use end_reason::EndReason;
pub use message::{
    Answer, ClientMessage, DecodeError, Join, Leave, LeaveAction, LeaveReason, Offer, Participant,
    ParticipantKind, ParticipantTracks, Publication, Publisher, Room, RoomMoved, Server,
    ServerMessage, StreamState, SubscriptionError, data_message,
};
pub use open::{Open, Resume, ResumeReason};
pub use open_error::{OpenError, OpenFailure, Retry};
pub use server_url::{ServerUrl, ServerUrlError};
pub use session::{
    Event, Input, Joined, Moves, Output, PeerOffer, Reconnection, Session, Settings,
    SubscriptionFailure, UnpublishReason,
};
pub use socket::{Socket, SocketError};
pub use token::{AccessToken, ApiKey, Claims, TokenError};
