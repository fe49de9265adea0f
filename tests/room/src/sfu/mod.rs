//! The subscriber connection as LiveKit's SFU serves it: offers shaped like pion's, media, repairs.

mod answer;
mod injected;
mod offer;
mod peer;
mod sender;

pub use injected::{Injected, Injection};
pub use offer::Offer;
pub use peer::{OutgoingTrack, SfuConfig, SfuError, SfuEvent, SfuOutput, SfuPeer};
