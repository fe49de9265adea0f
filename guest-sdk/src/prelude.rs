//! What a plugin needs, by one `use trackmill_plugin::prelude::*;`.

pub use crate::config::{self, NoConfig};
pub use crate::host::Level;
pub use crate::{
    Error, EventVerdict, Format, Frame, Inspector, Marks, Message, Result, Track, TrackEvent,
    TrackKind, TrackSource, Transformer, Verdict, Wants, events, export_inspector,
    export_transformer, host, metrics,
};
