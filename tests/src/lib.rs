//! Helpers of the integration tests.

pub mod clip;
pub mod file;
pub mod fuzz;
pub mod inspect;
pub mod probe;
pub mod sparse;
