use std::time::{Duration, Instant};

use wasmtime::{Store, Trap, UpdateDeadline, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::plugins::engine::Engine;
use crate::plugins::error::shorten;
use crate::plugins::host::State;
use crate::plugins::settings::Settings;
use crate::plugins::ticker::{Pace, TICK};
use crate::plugins::{Call, Digest, Limits, Metering, PluginError, clock};

/// A store in which guest code runs, and the only way to run some: under a deadline.
#[derive(Debug)]
pub(crate) struct Sandbox {
    store: Store<State>,
    pace: Pace,
    metering: Metering,
    memory_limit: usize,
}

/// What a call took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spent {
    /// CPU time of the thread.
    pub(crate) time: Duration,
    /// What was executed; 0 unless that is counted.
    pub(crate) fuel: u64,
}

impl Sandbox {
    pub(crate) fn new(
        engine: &Engine,
        limits: &Limits,
        settings: Settings,
        digest: Digest,
        now: Instant,
    ) -> Self {
        let state = State::new(settings, limits, digest.as_bytes(), now);
        let mut store = Store::new(engine.wasmtime(), state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(limits.hostcall_bytes);
        store.set_max_component_handles(limits.handles);
        store.epoch_deadline_callback(|store| Ok(at_deadline(store.data().must_end)));
        Self {
            store,
            pace: engine.pace(),
            metering: engine.metering(),
            memory_limit: limits.memory,
        }
    }

    /// Runs guest code for at most `limit` of CPU time, and tells what it took. Every way into the
    /// guest is one of these: instantiation runs start functions, and handing over an argument runs the
    /// guest's allocator.
    ///
    /// The time is that of the thread, not of the wall: a guest is not to blame for a thread that waits
    /// for a core, and cannot wait for anything itself.
    pub(crate) fn run<T>(
        &mut self,
        call: Call,
        limit: Duration,
        enter: impl FnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> (Result<T, PluginError>, Spent) {
        self.fill_up();
        let start = clock::thread_time();
        self.store.data_mut().must_end = start + limit;
        self.store.set_epoch_deadline(ticks(limit));
        let running = self.pace.enter();
        let result = enter(&mut self.store);
        drop(running);
        let spent = Spent {
            time: clock::thread_time().saturating_sub(start),
            fuel: self.burnt(),
        };
        let result = result.map_err(|error| {
            // What a panic printed last tells the most.
            self.store.data_mut().end_line();
            self.explain(call, limit, &error)
        });
        (result, spent)
    }

    pub(crate) fn state(&self) -> &State {
        self.store.data()
    }

    pub(crate) fn state_mut(&mut self) -> &mut State {
        self.store.data_mut()
    }

    fn fill_up(&mut self) {
        if self.metering == Metering::Fuel {
            let filled = self.store.set_fuel(u64::MAX);
            filled.expect("the engine counts fuel");
        }
    }

    fn burnt(&self) -> u64 {
        match self.metering {
            Metering::Off => 0,
            Metering::Fuel => u64::MAX - self.store.get_fuel().unwrap_or(u64::MAX),
        }
    }

    fn explain(&self, call: Call, limit: Duration, error: &wasmtime::Error) -> PluginError {
        if matches!(error.downcast_ref(), Some(Trap::Interrupt)) {
            return PluginError::Deadline { call, limit };
        }
        let mut reason = reason(error);
        // What a panic says is logged before it traps, and an instance that does not open cannot be asked.
        if let Some(logged) = self.state().outbox.last_log() {
            reason = format!("{reason}; it logged last: {logged}");
        }
        if self.state().memory.has_denied() {
            let limit = self.memory_limit;
            return PluginError::Memory {
                call,
                limit,
                reason,
            };
        }
        PluginError::Trapped { call, reason }
    }
}

/// Whether the guest's time is over, or others have used some of the wall's.
fn at_deadline(must_end: Duration) -> UpdateDeadline {
    match must_end.checked_sub(clock::thread_time()) {
        Some(left) if !left.is_zero() => UpdateDeadline::Continue(ticks(left)),
        _ => UpdateDeadline::Interrupt,
    }
}

/// Ticks after which that much time has passed for sure.
fn ticks(time: Duration) -> u64 {
    let ticks = time.as_nanos().div_ceil(TICK.as_nanos());
    u64::try_from(ticks).unwrap_or(u64::MAX).max(1)
}

fn reason(error: &wasmtime::Error) -> String {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return format!("the plugin exited with status {}", exit.0);
    }
    let cause = error.root_cause().to_string();
    let frames = error
        .downcast_ref::<WasmBacktrace>()
        .map(|trace| trace.frames().iter().filter_map(|frame| frame.func_name()))
        .map(|names| names.collect::<Vec<_>>().join(" < "))
        .filter(|names| !names.is_empty());
    shorten(match frames {
        Some(frames) => format!("{cause} (in {frames})"),
        None => cause,
    })
}
