//! RTP in order and in time: what lies between decrypted datagrams and depacketizers.
//!
//! ```text
//! datagram ─ receiver (SRTP, statistics, NACK, RTX, PLI, reports) ─► RtpPacket
//!          ─ jitter_buffer (order, gaps) ─ injected (the SFU's own frames) ─ timeline (Pts) ─► depacketize
//! ```

mod packet;
mod stream_description;
mod sender_report;
mod restart;
mod receiver;
mod header;
mod streams;
mod stream;
mod media_clock;
mod reception;
mod nack;
mod keyframe;
mod rtcp;
mod statistics;
pub mod jitter_buffer;
pub mod injected;
pub mod timeline;

pub use jitter_buffer::JitterBuffer;
pub use packet::RtpPacket;
pub use receiver::Receiver;
pub use restart::{Restart, RestartCause};
pub use sender_report::SenderReport;
pub use statistics::{Dropped, StreamStatistics};
pub use stream_description::StreamDescription;
pub use timeline::Timeline;

#[cfg(test)]
mod tests;
