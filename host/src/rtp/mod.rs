//! RTP in order and in time: what lies between decrypted datagrams and depacketizers.
//!
//! ```text
//! datagram ─ receiver (SRTP, statistics, NACK, RTX, PLI, reports) ─► RtpPacket
//!          ─ jitter_buffer (order, gaps) ─ injected (the SFU's own frames) ─ timeline (Pts) ─► depacketize
//! ```

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

mod packet;
mod sender_report;
mod stream_description;

pub use packet::RtpPacket;
pub use receiver::Receiver;
pub use sender_report::SenderReport;
pub use statistics::{Dropped, StreamStatistics};
pub use stream_description::StreamDescription;

#[cfg(test)]
mod tests;
