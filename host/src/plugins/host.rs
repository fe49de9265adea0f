use std::time::{Duration, Instant};

use wasmtime::component::{HasSelf, Linker};

use crate::plugins::Limits;
use crate::plugins::bindings::{config, events, host, metrics, types};
use crate::plugins::limits::MemoryUse;
use crate::plugins::outbox::{EmissionContent, Outbox};
use crate::plugins::settings::Settings;
use crate::plugins::wasi::Wasi;

/// What the host keeps beside one instance of a plugin.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) memory: MemoryUse,
    pub(crate) outbox: Outbox,
    pub(crate) wasi: Wasi,
    /// Thread-CPU time at which the present call has to be over.
    pub(crate) must_end: Duration,
    settings: Settings,
    printed: Vec<u8>,
    max_line: usize,
}

impl State {
    pub(crate) fn new(settings: Settings, limits: &Limits, seed: &[u8; 32], now: Instant) -> Self {
        Self {
            memory: MemoryUse::new(limits.memory),
            outbox: Outbox::new(limits.output, now),
            wasi: Wasi::new(seed),
            must_end: Duration::ZERO,
            settings,
            printed: Vec::new(),
            max_line: limits.output.log_bytes,
        }
    }

    /// The time of the frame in hand, for whatever the guest says or asks.
    pub(crate) fn set_time(&mut self, at_us: Option<u64>, now: Instant) {
        self.outbox.set_time(at_us, now);
        self.wasi.set_time(self.outbox.at_us());
    }

    pub(crate) fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// What the guest writes to standard output or error: a log line at each line feed.
    pub(crate) fn print(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = self.max_line.saturating_sub(self.printed.len());
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            self.printed.extend(text.iter().take(room));
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    /// Logs what was printed without a line feed.
    pub(crate) fn end_line(&mut self) {
        let line = std::mem::take(&mut self.printed);
        if line.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        self.outbox.log(host::Level::Info, text, Vec::new());
    }
}

/// Satisfies the imports of the contract.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    types::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    host::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    config::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    events::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    metrics::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}

impl types::Host for State {}

impl host::Host for State {
    fn log(&mut self, level: host::Level, message: String, fields: Vec<(String, String)>) {
        if self.log_enabled(level) {
            self.outbox.log(level, message, fields);
        }
    }

    fn log_enabled(&mut self, level: host::Level) -> bool {
        !matches!(level, host::Level::Trace)
    }
}

impl config::Host for State {
    fn get(&mut self, key: String) -> Option<String> {
        self.settings.get(&key)
    }

    fn get_all(&mut self) -> String {
        self.settings.to_string()
    }
}

impl events::Host for State {
    fn emit_text(&mut self, topic: String, text: String) -> Result<(), events::EmitError> {
        self.outbox.emit(EmissionContent::Text { topic, text })
    }

    fn emit_binary(&mut self, topic: String, data: Vec<u8>) -> Result<(), events::EmitError> {
        self.outbox.emit(EmissionContent::Binary { topic, data })
    }

    fn mark(
        &mut self,
        name: String,
        at_us: u64,
        length_us: Option<u64>,
        json: String,
    ) -> Result<(), events::EmitError> {
        self.outbox.emit(EmissionContent::Mark {
            name,
            at_us,
            length_us,
            json,
        })
    }
}

impl metrics::Host for State {
    fn counter_add(&mut self, name: String, value: u64) {
        self.outbox.counter_add(name, value);
    }

    fn gauge_set(&mut self, name: String, value: f64) {
        self.outbox.gauge_set(name, value);
    }

    fn histogram_record(&mut self, name: String, value: f64) {
        self.outbox.histogram_record(name, value);
    }
}
