//! The kit for trackmill plugins: WebAssembly components that inspect or transform PCM frames and
//! track events before they reach a recording.
//!
//! This crate is a placeholder until the plugin contract lands with the plugin host; it has no items.
