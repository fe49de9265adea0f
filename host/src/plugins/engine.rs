use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use wasmtime::component::Linker;
use wasmtime::{
    Config, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy, WasmFeatures,
};

use crate::plugins::cache::{Artefact, Cache};
use crate::plugins::compile::Compiler;
use crate::plugins::host::{self, State};
use crate::plugins::joint_share::JointShare;
use crate::plugins::limits::{MAX_CORE_INSTANCES, MAX_MEMORIES, MAX_TABLES};
use crate::plugins::plugin::{Linked, Loaded, World};
use crate::plugins::prescan::{Form, Scan, scan};
use crate::plugins::ticker::{Pace, Ticker};
use crate::plugins::{
    CacheSettings, CompilationLimits, CompileError, Digest, Limits, LoadError, Metering, Plugin,
    Wasi, wasi,
};

/// Loads and runs plugins; one a process. Clones are the same engine.
#[derive(Clone, Debug)]
pub struct Engine(Arc<Shared>);

/// What an engine is made for.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// The `trackmill` binary, which compiles in a process of its own.
    pub program: PathBuf,
    /// How many instances, so plugins times tracks, may run at a time; 2,000. Each takes 4 GiB of address
    /// space, and none of memory until it runs.
    pub instances: u32,
    /// The most that [`Limits::memory`] may be, in bytes; 256 MiB.
    pub max_memory: usize,
    /// Thread-CPU time a second of wall time of all instances of one plugin together; three quarters of what
    /// the machine has. What [`Limits::cpu_share`] allows each of 200 tracks is ruinous for the others.
    pub plugin_share: Duration,
    /// Where compiled code is kept; none compiles again after each start.
    pub cache: Option<CacheSettings>,
    /// What is counted while plugins run; nothing, but for whoever compares them.
    pub metering: Metering,
}

/// Why no engine can be made: this machine or its configuration has to change.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The machine lacks something, such as address space.
    #[error("cannot run plugins on this machine: {0}")]
    Machine(String),
    /// The directory of compiled code cannot be used.
    #[error("cannot use {} for compiled plugins: {source}", directory.display())]
    Cache {
        /// The directory.
        directory: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

#[derive(Debug)]
struct Shared {
    engine: wasmtime::Engine,
    ticker: Ticker,
    plugin_share: Duration,
    compiler: Compiler,
    metering: Metering,
    cache: Option<Cache>,
    /// What is in use, so that a component is compiled and linked once for all of its tracks.
    loaded: Mutex<BTreeMap<(Digest, Wasi), Weak<Loaded>>>,
    /// What is known not to compile within which limits, so that it costs its 20 s once.
    hopeless: Mutex<BTreeMap<(Digest, CompilationLimits), CompileError>>,
}

impl EngineSettings {
    /// The defaults, and no cache.
    pub fn new(program: PathBuf) -> Self {
        Self {
            program,
            instances: 2_000,
            max_memory: 256 << 20,
            plugin_share: three_quarters_of_the_machine(),
            cache: None,
            metering: Metering::Off,
        }
    }
}

impl Engine {
    /// Reserves address space and starts the ticker. Warns if the system allows fewer instances than
    /// were asked for.
    ///
    /// # Errors
    /// The machine lacks address space, or the cache cannot be opened.
    pub fn new(settings: &EngineSettings) -> Result<Self, EngineError> {
        warn_of_few_mappings(settings.instances);
        let mut config = compiler_config(settings.metering);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(settings)));
        let engine = wasmtime::Engine::new(&config).map_err(machine_error)?;
        let cache = settings.cache.as_ref().map(|cache| open(cache, &engine));
        let ticker = Ticker::start(&engine).map_err(|error| machine_error(error.into()))?;
        Ok(Self(Arc::new(Shared {
            cache: cache.transpose()?,
            compiler: Compiler::new(settings.program.clone(), settings.metering),
            metering: settings.metering,
            loaded: Mutex::default(),
            hopeless: Mutex::default(),
            ticker,
            plugin_share: settings.plugin_share,
            engine,
        })))
    }

    /// Makes a plugin of a component, or of a core module with a `component-type` section. Bytes of
    /// which a plugin is in use are that plugin. Waits for the compiler, which can take seconds: not for
    /// a thread that carries media.
    ///
    /// # Errors
    /// The bytes are no plugin for this host, they do not compile within the limits, or `describe` fails.
    pub fn load(&self, bytes: &[u8], limits: &Limits) -> Result<Plugin, LoadError> {
        let digest = Digest::of(bytes);
        let scanned = scan(bytes, limits)?;
        if let Some(plugin) = self.in_use(digest, limits.wasi) {
            return Ok(plugin);
        }
        if let Some(error) = self.known_failure(digest, limits) {
            return Err(error.into());
        }
        let (scan, compiled) = match scanned.form {
            Form::Component(_) => (scanned, self.component(digest, bytes, limits)),
            Form::CoreModule => self.core_module(digest, bytes, limits)?,
        };
        let Form::Component(kind) = scan.form else {
            return Err(LoadError::Link("encoding made no component".to_owned()));
        };
        let component = compiled.inspect_err(|error| self.remember(digest, limits, error))?;
        let linker = self.linker(limits.wasi).map_err(link_error)?;
        let linked = Linked {
            digest,
            scan,
            world: World::link(kind, &linker, &component).map_err(link_error)?,
        };
        let plugin = Plugin::new(self, linked, limits, now())?;
        let mut loaded = lock(&self.0.loaded);
        loaded.retain(|_, plugin| plugin.strong_count() > 0);
        loaded.insert((digest, limits.wasi), Arc::downgrade(&plugin.0));
        Ok(plugin)
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.0.engine
    }

    pub(crate) fn metering(&self) -> Metering {
        self.0.metering
    }

    /// What all instances of a plugin may take together.
    pub(crate) fn joint_share(&self, now: Instant) -> JointShare {
        JointShare::new(self.0.plugin_share, now)
    }

    /// What a call of a guest tells that it runs.
    pub(crate) fn pace(&self) -> Pace {
        self.0.ticker.pace()
    }

    fn core_module(
        &self,
        digest: Digest,
        module: &[u8],
        limits: &Limits,
    ) -> Result<Compiled, LoadError> {
        let encoded = self.0.compiler.encode(module, &limits.compilation);
        let component = encoded.inspect_err(|error| self.remember(digest, limits, error))?;
        // The adapters that encoding adds are small, so the size of the module is what counts.
        let scan = scan(&component, limits)?;
        Ok((scan, self.component(digest, &component, limits)))
    }

    /// The compiled component, from the cache or by the compiler.
    fn component(
        &self,
        digest: Digest,
        component: &[u8],
        limits: &Limits,
    ) -> Result<wasmtime::component::Component, CompileError> {
        let cached = self.0.cache.as_ref().and_then(|cache| cache.get(digest));
        if let Some(Ok(component)) = cached.map(|code| code.load(&self.0.engine)) {
            return Ok(component);
        }
        let code = self.0.compiler.compile(component, &limits.compilation)?;
        let component = self.load_code(&code)?;
        if let Some(cache) = &self.0.cache {
            cache.put(digest, &code);
        }
        Ok(component)
    }

    fn load_code(&self, code: &Artefact) -> Result<wasmtime::component::Component, CompileError> {
        let loaded = code.load(&self.0.engine);
        // The compiler is another build of trackmill, or the plugin needs more than an instance may have.
        loaded.map_err(|error| CompileError::Refused(format!("{error:#}")))
    }

    fn linker(&self, wasi: Wasi) -> wasmtime::Result<Linker<State>> {
        let mut linker = Linker::new(&self.0.engine);
        host::add_to_linker(&mut linker)?;
        if wasi == Wasi::Empty {
            wasi::add_to_linker(&mut linker)?;
        }
        Ok(linker)
    }

    fn in_use(&self, digest: Digest, wasi: Wasi) -> Option<Plugin> {
        let loaded = lock(&self.0.loaded);
        loaded.get(&(digest, wasi))?.upgrade().map(Plugin)
    }

    fn known_failure(&self, digest: Digest, limits: &Limits) -> Option<CompileError> {
        let hopeless = lock(&self.0.hopeless);
        hopeless.get(&(digest, limits.compilation)).cloned()
    }

    fn remember(&self, digest: Digest, limits: &Limits, error: &CompileError) {
        if !error.is_lasting() {
            return;
        }
        let mut hopeless = lock(&self.0.hopeless);
        if hopeless.len() >= MAX_HOPELESS {
            hopeless.pop_first();
        }
        hopeless.insert((digest, limits.compilation), error.clone());
    }
}

type Compiled = (Scan, Result<wasmtime::component::Component, CompileError>);

/// What machine code is made for: the same in the compiler's process and in ours, or nothing loads.
pub(crate) fn compiler_config(metering: Metering) -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .concurrency_support(false)
        .epoch_interruption(true)
        .consume_fuel(metering == Metering::Fuel)
        .max_wasm_stack(MAX_STACK)
        .wasm_features(FORBIDDEN, false)
        .wasm_component_model(true)
        .wasm_simd(true)
        .wasm_relaxed_simd(true)
        .relaxed_simd_deterministic(true)
        .memory_reservation(4 << 30)
        .wasm_backtrace_max_frames(NonZeroUsize::new(16));
    config
}

fn pool(settings: &EngineSettings) -> PoolingAllocationConfig {
    let instances = settings.instances;
    let per_instance = |most: usize| u32::try_from(most).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        // Most have a module, an adapter and two shims, one memory and one or two tables.
        .total_core_instances(instances.saturating_mul(4))
        .total_memories(instances.saturating_mul(5) / 4)
        .total_tables(instances.saturating_mul(2))
        .max_core_instances_per_component(per_instance(MAX_CORE_INSTANCES))
        .max_memories_per_component(per_instance(MAX_MEMORIES))
        .max_tables_per_component(per_instance(MAX_TABLES))
        .max_memory_size(settings.max_memory)
        .table_elements(MAX_TABLE_ELEMENTS)
        .linear_memory_keep_resident(0)
        .table_keep_resident(0);
    pool
}

fn open(settings: &CacheSettings, engine: &wasmtime::Engine) -> Result<Cache, EngineError> {
    Cache::open(settings, engine).map_err(|source| EngineError::Cache {
        directory: settings.directory.clone(),
        source,
    })
}

fn three_quarters_of_the_machine() -> Duration {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    Duration::from_millis(750) * u32::try_from(cores).unwrap_or(u32::MAX)
}

fn warn_of_few_mappings(instances: u32) {
    let Ok(allowed) = std::fs::read_to_string("/proc/sys/vm/max_map_count") else {
        return;
    };
    let allowed = allowed.trim().parse().unwrap_or(u64::MAX);
    if let Some(advice) = mappings_advice(instances, allowed) {
        tracing::warn!(advice, "Fewer plugin instances fit than are configured.");
    }
}

/// What to set where the system allows too few mappings for that many instances.
fn mappings_advice(instances: u32, allowed: u64) -> Option<String> {
    let needed = u64::from(instances) * MAPPINGS_PER_INSTANCE + OTHER_MAPPINGS;
    (needed > allowed).then(|| {
        let fit = allowed.saturating_sub(OTHER_MAPPINGS) / MAPPINGS_PER_INSTANCE;
        format!(
            "vm.max_map_count is {allowed}, enough for about {fit} instances; \
             for {instances}, run `sysctl -w vm.max_map_count={needed}`"
        )
    })
}

/// What these guard is whole at any time, even if a thread died.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For the rate limits of what `describe` says, which nobody reads.
#[expect(clippy::disallowed_methods, reason = "loading waits for a compiler")]
fn now() -> Instant {
    Instant::now()
}

fn machine_error(error: wasmtime::Error) -> EngineError {
    EngineError::Machine(format!("{error:#}"))
}

fn link_error(error: wasmtime::Error) -> LoadError {
    LoadError::Link(format!("{error:#}"))
}

/// What no toolchain for plugins needs, and what would cost memory or hide work from deadlines. Several
/// memories in a module are what the engine's own adapters between the parts of a component have; of a
/// guest's modules, the scan refuses them.
const FORBIDDEN: WasmFeatures = WasmFeatures::THREADS
    .union(WasmFeatures::SHARED_EVERYTHING_THREADS)
    .union(WasmFeatures::MEMORY64)
    .union(WasmFeatures::GC)
    .union(WasmFeatures::EXCEPTIONS)
    .union(WasmFeatures::STACK_SWITCHING)
    .union(WasmFeatures::TAIL_CALL);
/// Bytes of the guest's stack.
const MAX_STACK: usize = 256 * 1_024;
/// Functions that can be called by pointer; large interpreters have 16,000.
const MAX_TABLE_ELEMENTS: usize = 20_000;
/// Measured: 65,530 mappings are enough for 15,800 instances.
const MAPPINGS_PER_INSTANCE: u64 = 4;
/// Of the rest of the process.
const OTHER_MAPPINGS: u64 = 2_300;
/// Remembered failures; an error has some hundred bytes.
const MAX_HOPELESS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_mappings_are_told_with_what_to_set() {
        assert_eq!(mappings_advice(15_800, 65_530), None);

        let advice = mappings_advice(20_000, 65_530).unwrap();

        assert!(advice.contains("about 15807 instances"), "{advice}");
        assert!(advice.contains("vm.max_map_count=82300"), "{advice}");
    }
}
