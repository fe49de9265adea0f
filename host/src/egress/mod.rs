//! One recording: its life, its manifest, its tasks.

pub mod manifest;
