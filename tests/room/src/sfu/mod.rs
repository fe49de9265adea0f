//! The subscriber connection as LiveKit's SFU serves it: offers shaped like pion's, media, repairs.

mod answer;
mod events;
mod injected;
mod interface;
mod offer;
mod peer;
mod sender;

pub use injected::{Injected, Injection};
pub use interface::{Channel, OutgoingTrack, Repair, SfuConfig, SfuError, SfuEvent, SfuOutput};
pub use offer::Offer;
pub use peer::SfuPeer;

pub use crate::rtc::Datagram;
