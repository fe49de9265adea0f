//! Bytes → somewhere durable.

pub mod path;
