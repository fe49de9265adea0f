//! Lines in the host's log, with the names of plugin and track.
//!
//! The host cuts a line at 1 KiB, and counts and drops what is beyond 100 lines a second. A panic
//! is logged before the plugin traps.

use crate::imports;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step.
    Trace,
    /// For whoever debugs the plugin.
    Debug,
    /// Something worth knowing happened.
    Info,
    /// Something is worse than it should be.
    Warn,
    /// Something failed.
    Error,
}

/// Writes a line with fields (names and values).
pub fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    imports::log(level, message, fields);
}

/// Whether a line of this level would be written; ask before making an expensive one.
#[must_use]
pub fn log_enabled(level: Level) -> bool {
    imports::log_enabled(level)
}

/// Writes a line at [`Level::Debug`].
pub fn debug(message: &str) {
    log(Level::Debug, message, &[]);
}

/// Writes a line at [`Level::Info`].
pub fn info(message: &str) {
    log(Level::Info, message, &[]);
}

/// Writes a line at [`Level::Warn`].
pub fn warn(message: &str) {
    log(Level::Warn, message, &[]);
}

/// Writes a line at [`Level::Error`].
pub fn error(message: &str) {
    log(Level::Error, message, &[]);
}
