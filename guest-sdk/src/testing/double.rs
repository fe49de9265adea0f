//! Stand-ins for the host's functions: they record, one thread (one test) apart from the other.

use std::cell::RefCell;
use std::time::Duration;

use super::{Mark, Said, Text};
use crate::events::EmitError;
use crate::host::Level;

/// Forgets what was said before.
pub(super) fn reset(settings: &str) {
    with(|double| {
        *double = Double {
            settings: settings.to_owned(),
            ..Double::default()
        };
    });
}

/// A frame of this time is in hand.
pub(super) fn at(now: Duration) {
    with(|double| double.now = now);
}

pub(super) fn take() -> Said {
    with(|double| std::mem::take(&mut double.said))
}

pub(crate) fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    let fields = fields
        .iter()
        .map(|(name, value)| format!(" {name}={value}"));
    let line = message.to_owned() + &fields.collect::<String>();
    with(|double| double.said.logs.push((level, line)));
}

pub(crate) const fn log_enabled(_: Level) -> bool {
    true
}

pub(crate) fn config() -> String {
    with(|double| double.settings.clone())
}

pub(crate) fn emit_text(topic: &str, text: &str) -> Result<(), EmitError> {
    fits(text.len())?;
    with(|double| {
        double.said.texts.push(Text {
            at: double.now,
            topic: topic.to_owned(),
            text: text.to_owned(),
        });
    });
    Ok(())
}

pub(crate) fn emit_binary(topic: &str, data: &[u8]) -> Result<(), EmitError> {
    fits(data.len())?;
    with(|double| double.said.binaries.push((topic.to_owned(), data.to_vec())));
    Ok(())
}

pub(crate) fn mark(
    name: &str,
    at: Duration,
    length: Option<Duration>,
    json: &str,
) -> Result<(), EmitError> {
    fits(json.len())?;
    with(|double| {
        double.said.marks.push(Mark {
            name: name.to_owned(),
            at,
            length,
            json: json.to_owned(),
        });
    });
    Ok(())
}

pub(crate) fn counter_add(name: &str, value: u64) {
    with(|double| *double.said.counters.entry(name.to_owned()).or_default() += value);
}

pub(crate) fn gauge_set(name: &str, value: f64) {
    with(|double| double.said.gauges.insert(name.to_owned(), value));
}

pub(crate) fn histogram_record(name: &str, value: f64) {
    with(|double| {
        let values = double.said.histograms.entry(name.to_owned());
        values.or_default().push(value);
    });
}

#[derive(Debug, Default)]
struct Double {
    settings: String,
    now: Duration,
    said: Said,
}

thread_local! {
    static DOUBLE: RefCell<Double> = RefCell::default();
}

fn with<T>(act: impl FnOnce(&mut Double) -> T) -> T {
    DOUBLE.with_borrow_mut(act)
}

const fn fits(bytes: usize) -> Result<(), EmitError> {
    if bytes > MAX_EVENT {
        return Err(EmitError::TooLarge);
    }
    Ok(())
}

/// The host's default for one event.
const MAX_EVENT: usize = 16 * 1024;
