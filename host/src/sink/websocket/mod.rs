//! Sound and words → a WebSocket, as LiveKit's track egress sends them, and better.
//!
//! ```text
//!  filter worker                     a task of the egress
//!  Message ──► bounded channel ──► ┌─────────────┐ Dial, HangUp ─► ┌────────┐
//!  Audio, Text, Anchor, End        │   Session   │ Frame ────────► │ socket │ ─► server
//!                                  │ (10 s held) │ ◄──── Connected, Pong, Disconnected
//!                                  └─────────────┘                 └────────┘
//! ```
//!
//! [`Session`] decides everything and does nothing; [`WebSocketSink`] moves bytes and time.
//!
//! # What a server sees
//!
//! * The upgrade request: the URL as it was written, with the query parameters `room`, `room_sid`,
//!   `participant`, `participant_sid`, `track` and `egress_id` where it does not hold them; the
//!   configured headers; `Content-Type: audio/x-raw` (`audio/opus` for Opus).
//! * Binary messages: one PCM frame each (signed 16-bit little-endian, interleaved), or one Opus
//!   packet each. Silence goes on while the track is muted.
//! * Text messages: see [`Texts`]. Each stands in order with the sound it describes.
//! * A ping each 15 s; its own pings are answered at once.
//! * Close 1000 at the end.
//!
//! # What a server can say
//!
//! * Close 1000: it has heard enough; the recording is complete.
//! * Close 1008 or 4000 … 4999: it does not want it; the recording has failed for its reason.
//! * Any other end: it is coming back. Sound waits for it, and the oldest is dropped when too much
//!   waits.
//!
//! # What can be lost
//!
//! A message is in one of three places. What *waits* here survives a reconnect. What was *handed
//! over* to the operating system is not sent again, because the server may have read it: if the
//! connection breaks, what no pong has confirmed is counted as [`Counters::unconfirmed`] and named in
//! the next `start`. What was *dropped* because too much waited is counted by [`DropReason`].

mod format;
mod headers;
mod identity;
mod message;
mod outcome;
mod session;
mod socket;
mod target;
mod text;

pub use format::{Format, FrameDuration, Wanted, Wishes};
pub use headers::{HeaderError, Headers};
pub use identity::Identity;
pub use message::{Anchor, AnchorOrigin, Audio, Message, Opening, Text};
pub use outcome::{Counters, Delays, DropReason, Ending, Failure, Outcome, Progress};
pub use session::{Disconnect, Event, Frame, Input, Output, Session, Settings};
pub use socket::{Delivery, Server, Watch, WebSocketSink};
pub use target::{Query, Target, TargetError};
pub use text::Texts;
