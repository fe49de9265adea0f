//! Helpers of the integration tests.

pub mod golden;
pub mod small_disk;
