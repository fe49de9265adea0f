//! Helpers of the integration tests.

pub mod bleeps;
pub mod browser;
pub mod clip;
pub mod deadline;
pub mod file;
pub mod folder;
pub mod fuzz;
pub mod golden;
pub mod guests;
pub mod guest;
pub mod inspect;
pub mod listener;
pub mod media;
pub mod passthrough;
pub mod plugin_command;
pub mod probe;
pub mod recorder;
pub mod servers;
pub mod simulated_room;
pub mod small_disk;
pub mod sound;
pub mod sparse;
pub mod capture;
pub mod depacketized;
pub mod elementary;
pub mod packetize;
