//! Bytes → somewhere durable.
