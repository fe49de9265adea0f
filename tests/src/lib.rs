//! Helpers of the integration tests.

pub mod file;
pub mod inspect;
pub mod probe;
pub mod fuzz;
