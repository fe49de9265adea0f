//! The host's functions: the real ones in a component, test doubles in a native test.

#[cfg(target_family = "wasm")]
pub(crate) use guest::*;

#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::testing::double::*;

#[cfg(target_family = "wasm")]
mod guest {
    use std::time::Duration;

    use crate::bindings::imports::trackmill::plugin::{config as settings, events, host, metrics};
    use crate::events::EmitError;
    use crate::host::Level;

    pub(crate) fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        host::log(level.into(), message, &fields);
    }

    pub(crate) fn log_enabled(level: Level) -> bool {
        host::log_enabled(level.into())
    }

    pub(crate) fn config() -> String {
        settings::get_all()
    }

    pub(crate) fn emit_text(topic: &str, text: &str) -> Result<(), EmitError> {
        Ok(events::emit_text(topic, text)?)
    }

    pub(crate) fn emit_binary(topic: &str, data: &[u8]) -> Result<(), EmitError> {
        Ok(events::emit_binary(topic, data)?)
    }

    pub(crate) fn mark(
        name: &str,
        at: Duration,
        length: Option<Duration>,
        json: &str,
    ) -> Result<(), EmitError> {
        let length = length.map(microseconds);
        Ok(events::mark(name, microseconds(at), length, json)?)
    }

    pub(crate) use metrics::{counter_add, gauge_set, histogram_record};

    /// Which suffice for half a million years.
    fn microseconds(duration: Duration) -> u64 {
        u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
    }

    impl From<Level> for host::Level {
        fn from(level: Level) -> Self {
            match level {
                Level::Trace => Self::Trace,
                Level::Debug => Self::Debug,
                Level::Info => Self::Info,
                Level::Warn => Self::Warn,
                Level::Error => Self::Error,
            }
        }
    }

    impl From<events::EmitError> for EmitError {
        fn from(error: events::EmitError) -> Self {
            match error {
                events::EmitError::Full => Self::Full,
                events::EmitError::TooLarge => Self::TooLarge,
                events::EmitError::NotAllowed => Self::NotAllowed,
            }
        }
    }
}
