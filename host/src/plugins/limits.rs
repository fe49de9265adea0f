use std::time::Duration;

use wasmtime::ResourceLimiter;

/// What one plugin may use. Every limit holds for one instance, so for one track.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Size of the component or core module, in bytes; 8 MiB.
    pub component_size: usize,
    /// Linear memories and tables of one instance, summed, in bytes; 16 MiB.
    pub memory: usize,
    /// Thread-CPU time of one call; 5 ms. A call that takes half of it is counted as late.
    pub call_deadline: Duration,
    /// Thread-CPU time of `describe`, and of `open` with everything that precedes it; 100 ms.
    pub start_deadline: Duration,
    /// Thread-CPU time a second of wall time; 50 ms, which is 5 % of a core.
    pub cpu_share: Duration,
    /// What the guest may hand over in one call, in bytes; 1 MiB.
    pub hostcall_bytes: usize,
    /// Handles of component-model resources that live at a time; 256.
    pub handles: usize,
    /// Bounds of what it says to the outside.
    pub output: OutputLimits,
    /// Bounds of its compilation.
    pub compilation: CompilationLimits,
    /// Whether `wasi:*` imports are satisfied, by an empty context, or refused.
    pub wasi: Wasi,
}

/// Bounds of what a plugin says to the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimits {
    /// Log lines a second; 100. More are dropped and counted.
    pub logs_per_second: u32,
    /// Bytes of one log line with its fields; 1,024. The rest is cut off.
    pub log_bytes: usize,
    /// Emitted texts, binaries and marks a second; 50. More are refused as `full`.
    pub events_per_second: u32,
    /// Bytes of one of them, with its topic; 16 KiB. Larger ones are refused as `too-large`.
    pub event_bytes: usize,
    /// How many may wait to be taken, and as many log lines; 64. More are refused as `full`.
    pub queue: usize,
    /// Distinct metric names; 32. Others are dropped and counted.
    pub metric_series: usize,
}

/// Bounds of a compilation, which runs in a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CompilationLimits {
    /// CPU time; 20 s. Whole seconds, as `RLIMIT_CPU` has them.
    pub cpu: Duration,
    /// Address space, in bytes; 2 GiB.
    pub memory: u64,
    /// Functions of all modules; 100,000.
    pub functions: u32,
    /// Locals of a function times the depth of its nesting; 1,000,000. What makes a small module
    /// costly to compile.
    pub locals_times_nesting: u64,
    /// Linear memories of all modules; 8.
    pub memories: u32,
}

/// What becomes of `wasi:*` imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wasi {
    /// Satisfied by a context without files, environment, network and time.
    Empty,
    /// Refused by name.
    Deny,
}

impl Limits {
    /// For components that bring an interpreter along (JavaScript, Python): 24 MiB, compiled within
    /// 120 s.
    pub fn interpreter() -> Self {
        Self {
            component_size: 24 * MIB,
            compilation: CompilationLimits {
                cpu: Duration::from_secs(120),
                ..CompilationLimits::default()
            },
            ..Self::default()
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            component_size: 8 * MIB,
            memory: 16 * MIB,
            call_deadline: Duration::from_millis(5),
            start_deadline: Duration::from_millis(100),
            cpu_share: Duration::from_millis(50),
            hostcall_bytes: MIB,
            handles: 256,
            output: OutputLimits::default(),
            compilation: CompilationLimits::default(),
            wasi: Wasi::Empty,
        }
    }
}

impl Default for OutputLimits {
    fn default() -> Self {
        Self {
            logs_per_second: 100,
            log_bytes: 1_024,
            events_per_second: 50,
            event_bytes: 16 * 1_024,
            queue: 64,
            metric_series: 32,
        }
    }
}

impl Default for CompilationLimits {
    fn default() -> Self {
        Self {
            cpu: Duration::from_secs(20),
            memory: 2 << 30,
            functions: 100_000,
            locals_times_nesting: 1_000_000,
            memories: 8,
        }
    }
}

/// Counts the linear memories and tables of a store together: a limit for each alone would let four
/// of 12 MiB pass below one of 16.
#[derive(Debug)]
pub(crate) struct MemoryUse {
    limit: usize,
    used: usize,
    last_growth: usize,
    denied: bool,
}

impl MemoryUse {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            used: 0,
            last_growth: 0,
            denied: false,
        }
    }

    /// Bytes of memories and tables; they never shrink.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Whether growth has ever been denied: what fails afterwards fails for want of memory.
    pub(crate) fn has_denied(&self) -> bool {
        self.denied
    }

    fn grow(&mut self, growth: usize) -> bool {
        let granted = self
            .used
            .checked_add(growth)
            .filter(|used| *used <= self.limit);
        self.denied |= granted.is_none();
        self.last_growth = granted.map_or(0, |_| growth);
        self.used = granted.unwrap_or(self.used);
        granted.is_some()
    }

    fn undo(&mut self) {
        self.used = self.used.saturating_sub(self.last_growth);
        self.last_growth = 0;
    }
}

impl ResourceLimiter for MemoryUse {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.undo();
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let elements = desired.saturating_sub(current);
        Ok(self.grow(elements.saturating_mul(TABLE_ELEMENT_BYTES)))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.undo();
        Ok(())
    }

    fn instances(&self) -> usize {
        MAX_CORE_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }
}

/// Core instances of one component: its own module, adapters and shims.
pub(crate) const MAX_CORE_INSTANCES: usize = 16;
/// Linear memories of one component: its own, and one of an adapter; componentize-qjs composes three.
pub(crate) const MAX_MEMORIES: usize = 4;
/// Tables of one component.
pub(crate) const MAX_TABLES: usize = 8;

/// A pointer.
const TABLE_ELEMENT_BYTES: usize = size_of::<usize>();
const MIB: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_are_summed() {
        let mut memory = MemoryUse::new(16 * MIB);

        assert!(memory.memory_growing(0, 12 * MIB, None).unwrap());
        assert!(!memory.memory_growing(0, 12 * MIB, None).unwrap());
        assert!(memory.table_growing(0, 4 * MIB / 8, None).unwrap());
        assert!(!memory.table_growing(0, 1, None).unwrap());
        assert_eq!(memory.used(), 16 * MIB);
    }

    #[test]
    fn growth_that_fails_afterwards_is_given_back() {
        let mut memory = MemoryUse::new(16 * MIB);
        assert!(memory.memory_growing(MIB, 3 * MIB, None).unwrap());

        memory
            .memory_grow_failed(wasmtime::format_err!("no more pages"))
            .unwrap();

        assert_eq!(memory.used(), 0);
        assert!(!memory.has_denied());
    }

    #[test]
    fn a_denial_is_remembered() {
        let mut memory = MemoryUse::new(MIB);

        assert!(!memory.memory_growing(0, 2 * MIB, None).unwrap());

        assert!(memory.has_denied());
        assert_eq!(memory.used(), 0);
    }
}
