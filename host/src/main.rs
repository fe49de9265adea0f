//! The `trackmill` binary: reads the arguments, sets up logging, calls one command and maps its
//! exit code.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;
use trackmill::command::{Cli, Command, Exit, compile_plugin, plugin, record, recover};

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = set_up_logging(cli.log()) {
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
    match command {
        Command::Record(args) => runtime()?.block_on(record::run(*args)),
        Command::Recover(args) => Ok(recover::run(&args)),
        Command::Plugin(args) => plugin::run(&args),
        Command::CompilePlugin(args) => Ok(compile_plugin::run(&args)),
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.enable_all().build()
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
