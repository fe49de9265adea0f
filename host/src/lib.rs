//! Exports the tracks of LiveKit rooms, untouched, to files that survive anything.
//!
//! The data path, in the order a packet meets it:
//!
//! ```text
//!   control (tokio)                               media workers (one epoll thread a core)
//! ┌──────────────────────────────────┐   ┌───────────────────────────────────────────────────┐
//! │ command ─► egress                 │   │ rtc   sockets ⇄ str0m (ICE, DTLS, SCTP) · srtp     │
//! │              │                    │   │   │ RtpPacket                                     │
//! │            room ─ signal          │◄─►│ pipeline   rtp (order, gaps, timeline)             │
//! └──────────────────────────────────┘   │   │        depacketize → access unit               │
//!   disk thread                          │   ├─────── mux → bytes                            │
//! ┌──────────────────────────────────┐   │   └ (on a filter worker) codec → filter → codec, mux│
//! │ sink: spool file                  │◄──┤                                                   │
//! └──────────────────────────────────┘   └───────────────────────────────────────────────────┘
//! ```
//!
//! Modules are declared in that order; start with [`media`] (the nouns) and [`pipeline`] (the
//! path). `ARCHITECTURE.md` has the invariants.

pub mod media;
pub mod clock;
pub mod dial;

// The data path.
pub mod signal;
pub mod rtc;
pub mod srtp;
pub mod rtp;
pub mod depacketize;
pub mod bitstream;
pub mod codec;
pub mod filter;
pub mod mux;
pub mod sink;
pub mod pipeline;
pub mod room;
pub mod egress;

// Guests.
pub mod plugins;

// Files, for tools.
pub mod demux;

// The shell.
pub mod command;
