//! WASI 0.2 for guests that were built with a standard library: a context with nothing in it. There are
//! no files, no environment and no network; what is printed goes to the plugin's log; clocks show the
//! media time of the frame in hand and random bytes are the same in each run, so that the output stays a
//! function of the input.
//!
//! Streams and polling are our own: the library's would wait on a tokio runtime, and a guest that sleeps
//! would hold up every track of its worker where no deadline can stop it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::sync::io::{poll, streams};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, random, sync};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, DynPollable, StreamError, StreamResult, subscribe,
};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};
use wasmtime_wasi::{
    Deterministic, HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView,
    WasiView,
};

use crate::plugins::host::State;

/// Satisfies the imports that `prescan` lets pass.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    use wasmtime_wasi_io::bindings::wasi::io::error;

    error::add_to_linker::<_, HasSelf<ResourceTable>>(linker, |state| state.ctx().table)?;
    poll::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    streams::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    clocks::wall_clock::add_to_linker::<_, WasiClocks>(linker, State::clocks)?;
    clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(linker, State::clocks)?;
    filesystem::preopens::add_to_linker::<_, WasiFilesystem>(linker, State::filesystem)?;
    sync::filesystem::types::add_to_linker::<_, WasiFilesystem>(linker, State::filesystem)?;
    random::random::add_to_linker::<_, WasiRandom>(linker, State::random)?;
    random::insecure::add_to_linker::<_, WasiRandom>(linker, State::random)?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(linker, State::random)?;
    add_cli_to_linker(linker)
}

fn add_cli_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    cli::environment::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::stdin::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::stdout::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::stderr::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, State::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, State::cli)
}

/// The empty context of one instance, and its clock.
pub(crate) struct Wasi {
    context: WasiCtx,
    resources: ResourceTable,
    clock: MediaClock,
}

impl Wasi {
    /// `seed` is what random bytes are made of.
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        let clock = MediaClock::default();
        let mut resources = ResourceTable::new();
        resources.set_max_capacity(MAX_RESOURCES);
        let (half, _) = seed.split_at(16);
        let number = half
            .iter()
            .fold(0, |number, byte| number << 8 | u128::from(*byte));
        let context = WasiCtxBuilder::new()
            .secure_random(Deterministic::new(seed.to_vec()))
            .insecure_random(Deterministic::new(seed.to_vec()))
            .insecure_random_seed(number)
            .max_random_size(MAX_RANDOM_BYTES)
            .wall_clock(clock.clone())
            .monotonic_clock(clock.clone())
            .build();
        Self {
            context,
            resources,
            clock,
        }
    }

    /// Sets what the clocks show.
    pub(crate) fn set_time(&self, at_us: u64) {
        self.clock.0.store(at_us, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Wasi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wasi").field("clock", &self.clock).finish()
    }
}

/// Shows the media time of the frame in hand, in microseconds; for wall clocks, since 1970.
#[derive(Clone, Debug, Default)]
struct MediaClock(Arc<AtomicU64>);

impl MediaClock {
    fn now(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

impl HostMonotonicClock for MediaClock {
    fn resolution(&self) -> u64 {
        RESOLUTION.as_nanos().try_into().unwrap_or(u64::MAX)
    }

    fn now(&self) -> u64 {
        self.now().as_nanos().try_into().unwrap_or(u64::MAX)
    }
}

impl HostWallClock for MediaClock {
    fn resolution(&self) -> Duration {
        RESOLUTION
    }

    fn now(&self) -> Duration {
        self.now()
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi.context,
            table: &mut self.wasi.resources,
        }
    }
}

impl poll::Host for State {
    fn poll(&mut self, _: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        Err(no_waiting())
    }
}

impl poll::HostPollable for State {
    fn ready(&mut self, _: Resource<DynPollable>) -> wasmtime::Result<bool> {
        Err(no_waiting())
    }

    fn block(&mut self, _: Resource<DynPollable>) -> wasmtime::Result<()> {
        Err(no_waiting())
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        poll_drop(self.ctx().table, pollable)
    }
}

impl streams::Host for State {
    fn convert_stream_error(
        &mut self,
        error: StreamError,
    ) -> wasmtime::Result<streams::StreamError> {
        match error {
            StreamError::Closed => Ok(streams::StreamError::Closed),
            StreamError::LastOperationFailed(error) | StreamError::Trap(error) => Err(error),
        }
    }
}

/// Standard output and error: lines of the plugin's log.
impl streams::HostOutputStream for State {
    fn check_write(&mut self, _: Resource<DynOutputStream>) -> StreamResult<u64> {
        Ok(MAX_WRITE)
    }

    fn write(&mut self, _: Resource<DynOutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        self.print(&bytes);
        Ok(())
    }

    fn blocking_write_and_flush(
        &mut self,
        _: Resource<DynOutputStream>,
        bytes: Vec<u8>,
    ) -> StreamResult<()> {
        self.print(&bytes);
        Ok(())
    }

    fn flush(&mut self, _: Resource<DynOutputStream>) -> StreamResult<()> {
        Ok(())
    }

    fn blocking_flush(&mut self, _: Resource<DynOutputStream>) -> StreamResult<()> {
        Ok(())
    }

    fn write_zeroes(&mut self, _: Resource<DynOutputStream>, _: u64) -> StreamResult<()> {
        Ok(())
    }

    fn blocking_write_zeroes_and_flush(
        &mut self,
        _: Resource<DynOutputStream>,
        _: u64,
    ) -> StreamResult<()> {
        Ok(())
    }

    fn splice(
        &mut self,
        _: Resource<DynOutputStream>,
        _: Resource<DynInputStream>,
        _: u64,
    ) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn blocking_splice(
        &mut self,
        _: Resource<DynOutputStream>,
        _: Resource<DynInputStream>,
        _: u64,
    ) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn subscribe(
        &mut self,
        stream: Resource<DynOutputStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.ctx().table, stream)
    }

    fn drop(&mut self, stream: Resource<DynOutputStream>) -> wasmtime::Result<()> {
        self.ctx().table.delete(stream)?;
        Ok(())
    }
}

/// Standard input: at its end.
impl streams::HostInputStream for State {
    fn read(&mut self, _: Resource<DynInputStream>, _: u64) -> StreamResult<Vec<u8>> {
        Err(StreamError::Closed)
    }

    fn blocking_read(&mut self, _: Resource<DynInputStream>, _: u64) -> StreamResult<Vec<u8>> {
        Err(StreamError::Closed)
    }

    fn skip(&mut self, _: Resource<DynInputStream>, _: u64) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn blocking_skip(&mut self, _: Resource<DynInputStream>, _: u64) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn subscribe(
        &mut self,
        stream: Resource<DynInputStream>,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        subscribe(self.ctx().table, stream)
    }

    fn drop(&mut self, stream: Resource<DynInputStream>) -> wasmtime::Result<()> {
        self.ctx().table.delete(stream)?;
        Ok(())
    }
}

/// The library removes the pollable's own parent where it has one.
fn poll_drop(table: &mut ResourceTable, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
    wasmtime_wasi_io::bindings::wasi::io::poll::HostPollable::drop(table, pollable)
}

fn no_waiting() -> wasmtime::Error {
    wasmtime::format_err!(
        "a plugin cannot wait or sleep: the host calls it when there is something to do"
    )
}

/// Streams, pollables and the like that live at a time.
const MAX_RESOURCES: usize = 256;
/// What one call may ask for.
const MAX_RANDOM_BYTES: u64 = 64 * 1_024;
/// Bytes that standard output takes at once.
const MAX_WRITE: u64 = 4_096;
/// Clocks stand still within a frame.
const RESOLUTION: Duration = Duration::from_millis(20);
