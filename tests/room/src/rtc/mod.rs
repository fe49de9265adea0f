//! What every peer connection of this crate is made of, whichever end it plays.

mod codecs;
mod dtls;
mod transport;

pub(crate) use codecs::{payload_types, register};
pub(crate) use dtls::provider;
pub use transport::Datagram;
pub(crate) use transport::Transport;
