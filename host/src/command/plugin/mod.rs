//! `trackmill plugin`: what a plugin author needs, from an empty folder to a component that was tried.

pub mod bench;
pub mod build;
pub mod check;
pub mod new;
pub mod run;

mod contract;
mod load;
mod player;
mod table;

use clap::Subcommand;

use super::Exit;

/// Make, build and try plugins: WebAssembly components that watch or change sound and events.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    New(new::Args),
    Build(build::Args),
    Check(check::Args),
    Run(Box<run::Args>),
    Bench(Box<bench::Args>),
}

/// Does what was asked.
///
/// # Errors
///
/// What failed, and what to do about it.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::New(args) => new::run(args),
        Command::Build(args) => build::run(args),
        Command::Check(args) => check::run(args),
        Command::Run(args) => run::run(args),
        Command::Bench(args) => bench::run(args),
    }
}
