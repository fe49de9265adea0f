//! LiveKit's signalling: tokens, and one WebSocket as a client holds it.

mod client;
mod token;

pub use client::{Client, SignalError};
pub use token::{Grant, Server};
