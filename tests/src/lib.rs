//! Helpers of the integration tests.

pub mod file;
pub mod probe;
