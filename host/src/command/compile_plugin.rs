//! `trackmill compile-plugin`: what the plugin loader runs as a child process. Nothing for users.

use crate::command::Exit;
use crate::plugins::{CompilationLimits, Metering, Task, compile_for_parent};

/// Reads a plugin from standard input and writes machine code to standard output.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Makes a component of a core module instead
    #[arg(long)]
    encode: bool,
    /// Makes machine code that counts what it executes
    #[arg(long, conflicts_with = "encode")]
    fuel: bool,
    /// CPU time, in whole seconds
    #[arg(long)]
    cpu_seconds: u64,
    /// Address space, in bytes
    #[arg(long)]
    memory_bytes: u64,
}

/// Compiles or encodes within the limits; what is wrong goes to standard error.
pub fn run(args: &Args) -> Exit {
    let limits = CompilationLimits {
        cpu: std::time::Duration::from_secs(args.cpu_seconds),
        memory: args.memory_bytes,
        ..CompilationLimits::default()
    };
    let task = match (args.encode, args.fuel) {
        (true, _) => Task::Encode,
        (false, true) => Task::Compile(Metering::Fuel),
        (false, false) => Task::Compile(Metering::Off),
    };
    let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
    match compile_for_parent(task, &limits, input, output) {
        Ok(()) => Exit::Complete,
        Err(reason) => {
            complain(&reason);
            Exit::Failed
        }
    }
}

#[expect(clippy::print_stderr, reason = "the parent process reads it")]
fn complain(reason: &str) {
    eprintln!("{reason}");
}
