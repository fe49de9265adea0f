//! Helpers of the integration tests.

pub mod capture;
pub mod depacketized;
pub mod elementary;
pub mod fuzz;
pub mod packetize;
