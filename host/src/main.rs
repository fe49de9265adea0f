//! The `trackmill` binary: reads the arguments, sets up logging, calls one command and maps its
//! exit code.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use trackmill::command::{Exit, record};

/// Exports the tracks of LiveKit rooms, untouched, to files that survive anything.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// What to log on standard error: error, warn, info, debug, trace, or directives for modules
    #[arg(
        long,
        global = true,
        env = "TRACKMILL_LOG",
        value_name = "FILTER",
        default_value = "warn"
    )]
    log: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    Record(Box<record::Args>),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = set_up_logging(&cli.log) {
        report(&error);
        return Exit::Usage.into();
    }
    match run(cli.command) {
        Ok(exit) => exit.into(),
        Err(error) => {
            report(&error);
            Exit::Failed.into()
        }
    }
}

fn run(command: Command) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match command {
            Command::Record(args) => record::run(*args).await,
        }
    })
}

fn set_up_logging(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}

#[expect(
    clippy::print_stderr,
    reason = "errors go to whoever started the command"
)]
fn report(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}
