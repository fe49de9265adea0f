//! User-supplied WebAssembly, from bytes to calls: an [`Engine`] a process, a [`Plugin`] a component, an
//! [`Instance`] a track. Knows nothing of filters, codecs or files.
//!
//! ```text
//! bytes ─► prescan ─► [encode] ─► compile ─► cache ─► Plugin ── open ─► Instance
//!           sizes,     core module  child      HMAC      describe,         own store: deadline,
//!           imports,   → component  process               schema           memory, CPU share;
//!           world                                                          process · on_event · finish
//! ```
//!
//! What a guest can reach is in `host` (the contract) and `wasi` (an empty context). The only way into
//! a guest is `Sandbox::run`, which sets its deadline.

mod bindings;
mod bucket;
mod cache;
mod clock;
mod compile;
mod digest;
mod encode;
mod engine;
mod error;
mod host;
mod instance;
mod joint_share;
mod limits;
mod outbox;
mod output;
mod plugin;
mod prescan;
mod sandbox;
mod settings;
mod ticker;
mod times;
mod wasi;

pub use cache::CacheSettings;
pub use compile::{Metering, Task, compile_for_parent};
pub use digest::{Digest, DigestError};
pub use engine::{Engine, EngineError, EngineSettings};
pub use error::{Call, CompileError, LoadError, PluginError, Severity};
pub use instance::{Instance, Opening, Statistics};
pub use limits::{CompilationLimits, Limits, OutputLimits, Wasi};
pub use outbox::{Emission, EmissionContent, LogLevel, Metric, OutputDrops};
pub use plugin::{Declaration, Kind, Plugin};
pub use prescan::{Form, Scan, ScanError, scan};
pub use times::Times;

/// The types of the contract, as `wit/` has them.
pub mod contract {
    pub use crate::plugins::bindings::types::{
        AudioFrame, EventVerdict, FrameMarks, FrameMeta, Message, PcmFormat, PcmPreference,
        PluginError, SampleFormat, Samples, TrackEvent, TrackInfo, TrackKind, TrackSource, Verdict,
    };
}
