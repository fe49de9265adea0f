//! Helpers of the integration tests.

pub mod small_disk;
