//! RTP in order and in time: what lies between decrypted datagrams and depacketizers.
//!
//! ```text
//! datagram ─ receiver (SRTP, statistics, NACK, RTX, PLI, reports) ─► RtpPacket
//!          ─ jitter_buffer (order, gaps) ─ injected (the SFU's own frames) ─ timeline (Pts) ─► depacketize
//! ```

pub mod injected;
mod packet;
mod sender_report;
mod stream_description;

pub use packet::RtpPacket;
pub use sender_report::SenderReport;
pub use stream_description::StreamDescription;
