//! Compiles in a child process: a valid module of five kilobytes can keep a compiler busy for a minute, and
//! by the compiler's own policy that is no bug.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};

use nix::sched::{CloneFlags, unshare};
use rustix::process::{Resource, Rlimit, Signal, nice, setrlimit};

use crate::plugins::cache::Artefact;
use crate::plugins::encode::encode;
use crate::plugins::engine::compiler_config;
use crate::plugins::{CompilationLimits, CompileError};

/// What the child process does with its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Makes a component of a core module.
    Encode,
    /// Makes machine code of a component.
    Compile(Metering),
}

/// What machine code counts while it runs, beside the ticks of its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metering {
    /// Nothing.
    Off,
    /// What it executes, in wasmtime's unit of fuel: the same each time, and slower.
    Fuel,
}

/// Starts child processes that compile, one at a time.
#[derive(Debug)]
pub(crate) struct Compiler {
    program: PathBuf,
    metering: Metering,
    turn: Mutex<()>,
}

impl Compiler {
    /// `program` is the `trackmill` binary.
    pub(crate) fn new(program: PathBuf, metering: Metering) -> Self {
        Self {
            program,
            metering,
            turn: Mutex::new(()),
        }
    }

    /// The component of a core module.
    pub(crate) fn encode(
        &self,
        module: &[u8],
        limits: &CompilationLimits,
    ) -> Result<Vec<u8>, CompileError> {
        self.run(Task::Encode, module, limits)
    }

    /// The machine code of a component.
    pub(crate) fn compile(
        &self,
        component: &[u8],
        limits: &CompilationLimits,
    ) -> Result<Artefact, CompileError> {
        self.run(Task::Compile(self.metering), component, limits)
            .map(Artefact::just_compiled)
    }

    fn run(
        &self,
        task: Task,
        input: &[u8],
        limits: &CompilationLimits,
    ) -> Result<Vec<u8>, CompileError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut child = self.start(task, limits).map_err(process_error)?;
        let talked = talk(&mut child, input);
        // What was said tells more than a pipe that broke because its reader died.
        let status = child.wait().map_err(process_error)?;
        let (output, complaint) = talked.map_err(process_error)?;
        if status.success() {
            return Ok(output);
        }
        Err(explain(status, &complaint, limits))
    }

    fn start(&self, task: Task, limits: &CompilationLimits) -> std::io::Result<Child> {
        Command::new(&self.program)
            .arg("compile-plugin")
            .args((task == Task::Encode).then_some("--encode"))
            .args((task == Task::Compile(Metering::Fuel)).then_some("--fuel"))
            .args(["--cpu-seconds", &limits.cpu.as_secs().max(1).to_string()])
            .args(["--memory-bytes", &limits.memory.to_string()])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }
}

/// Hands the input over, then takes all output, then the complaint: the child reads everything before it
/// writes, and what it complains of fits into a pipe.
fn talk(child: &mut Child, input: &[u8]) -> std::io::Result<(Vec<u8>, String)> {
    let (Some(mut stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Ok(Default::default());
    };
    // Whoever dies of a limit does not read to the end.
    let written = stdin.write_all(input);
    drop(stdin);
    let mut output = Vec::new();
    stdout.take(MAX_OUTPUT).read_to_end(&mut output)?;
    let mut complaint = Vec::new();
    stderr.take(MAX_COMPLAINT).read_to_end(&mut complaint)?;
    if !output.is_empty() {
        written?;
    }
    Ok((
        output,
        String::from_utf8_lossy(&complaint).trim().to_owned(),
    ))
}

fn explain(status: ExitStatus, complaint: &str, limits: &CompilationLimits) -> CompileError {
    let signal = status.signal();
    let is = |wanted: Signal| signal == Some(wanted.as_raw());
    if is(Signal::XCPU) || is(Signal::KILL) || is(Signal::ALARM) {
        return CompileError::Time(limits.cpu);
    }
    if OUT_OF_MEMORY.iter().any(|words| complaint.contains(words)) {
        return CompileError::Memory(limits.memory);
    }
    if let Some(signal) = signal {
        return CompileError::Refused(format!("the compiler died of signal {signal}: {complaint}"));
    }
    if status.code() == Some(PANICKED) {
        return CompileError::Refused(format!("the compiler gave up on it: {complaint}"));
    }
    match complaint.strip_prefix(REFUSED) {
        Some(reason) => CompileError::Refused(reason.trim().to_owned()),
        None => CompileError::Process(format!("{status}: {complaint}")),
    }
}

fn process_error(error: std::io::Error) -> CompileError {
    CompileError::Process(error.to_string())
}

/// What the child process does: limits itself, then reads `input` to its end, then writes `output`. The
/// limits hold for the whole process.
///
/// # Errors
/// What to print and exit with; the parent process makes a [`CompileError`] of it.
pub fn compile_for_parent(
    task: Task,
    limits: &CompilationLimits,
    mut input: impl Read,
    mut output: impl Write,
) -> Result<(), String> {
    confine(limits).map_err(|error| format!("cannot limit the compiler: {error}"))?;
    let mut bytes = Vec::new();
    let read = input.read_to_end(&mut bytes);
    read.map_err(|error| format!("cannot read the plugin: {error}"))?;
    let made = match task {
        Task::Encode => encode(&bytes),
        Task::Compile(metering) => compile(&bytes, metering),
    };
    let made = made.map_err(|reason| format!("{REFUSED} {reason}"))?;
    let written = output.write_all(&made).and_then(|()| output.flush());
    written.map_err(|error| format!("cannot hand the code over: {error}"))
}

fn compile(component: &[u8], metering: Metering) -> Result<Vec<u8>, String> {
    let engine = wasmtime::Engine::new(&compiler_config(metering));
    let engine = engine.map_err(|error| format!("{error:#}"))?;
    let code = engine.precompile_component(component);
    code.map_err(|error| format!("{error:#}"))
}

fn confine(limits: &CompilationLimits) -> std::io::Result<()> {
    let seconds = limits.cpu.as_secs().max(1);
    // The hard limit kills with another signal, should the first be caught.
    limit(Resource::Cpu, seconds, seconds + 1)?;
    limit(Resource::As, limits.memory, limits.memory)?;
    limit(Resource::Core, 0, 0)?;
    nice(NICENESS)?;
    // Ends a process that waits: its CPU time stands still.
    nix::unistd::alarm::set(u32::try_from(seconds.saturating_mul(PATIENCE)).unwrap_or(u32::MAX));
    // No network; where the system does not allow it, the other limits still hold.
    if let Err(error) = unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET) {
        tracing::debug!(%error, "The compiler keeps the network.");
    }
    Ok(())
}

fn limit(resource: Resource, soft: u64, hard: u64) -> std::io::Result<()> {
    let limit = Rlimit {
        current: Some(soft),
        maximum: Some(hard),
    };
    Ok(setrlimit(resource, limit)?)
}

/// How a process ends that panicked: a compiler meets what it was not written for.
const PANICKED: i32 = 101;
/// Begins what the child says of the plugin, in contrast to what it says of itself.
const REFUSED: &str = "refused:";
/// How Rust's allocator complains before it aborts, the compiler where it can go on, and the system.
const OUT_OF_MEMORY: [&str; 3] = [
    "memory allocation of",
    "out of memory (failed to allocate",
    "Cannot allocate memory",
];
/// Media comes first.
const NICENESS: i32 = 10;
/// A process of low priority may wait for a core this many times as long as it computes.
const PATIENCE: u64 = 10;
/// Machine code of the largest interpreters has a tenth of it.
const MAX_OUTPUT: u64 = 512 << 20;
const MAX_COMPLAINT: u64 = 8 * 1_024;
