//! Loads one recording process with Opus tracks that come through a real livekit-server, and
//! prints what a packet and a track cost it.
//!
//! ```text
//! trackmill-load ─┬─ livekit-server
//!                 ├─ trackmill-load publish   two processes, each with half of the rooms
//!                 └─ trackmill-load record    the process that is measured
//! ```
//!
//! The two roles are the same program, so that one build serves all. Everything stays on the
//! loopback interface, ends by itself, and leaves nothing behind.

mod case;
mod measure;
mod process;
mod publish;
mod record;
mod server;
mod usage;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use case::Case;

/// Measures one recording process under load.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    settings: Settings,
}

/// What is measured, and how long.
#[derive(Debug, clap::Args)]
struct Settings {
    /// Rooms x tracks in each, e.g. 10x50; 1,000 tracks at most. May be repeated
    #[arg(long = "case", value_name = "ROOMSxTRACKS", default_values = ["1x50", "4x50", "200x1"])]
    cases: Vec<Case>,
    /// Seconds to measure for, once every track is being recorded
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=300))]
    seconds: u64,
    /// The livekit-server program
    #[arg(long, default_value = "livekit-server")]
    server: PathBuf,
}

/// What a process started by this program does.
#[derive(Debug, Subcommand)]
enum Role {
    /// Publishes Opus until its standard input ends.
    #[command(hide = true)]
    Publish(publish::Args),
    /// Records every track of its rooms until its standard input ends.
    #[command(hide = true)]
    Record(record::Args),
}

fn main() -> anyhow::Result<()> {
    let Cli { role, settings } = Cli::parse();
    match role {
        // A publisher is better off with one thread; the recorder runs as `trackmill record` does.
        Some(Role::Publish(args)) => one_thread()?.block_on(publish::run(args)),
        Some(Role::Record(args)) => all_threads()?.block_on(record::run(args)),
        None => one_thread()?.block_on(measure_all(&settings)),
    }
}

/// Measures one case after the other; each has a server, publishers and a recorder of its own.
async fn measure_all(settings: &Settings) -> anyhow::Result<()> {
    let alone = Box::pin(measure::measure(Case::ONE_TRACK, SHORT, settings)).await?;
    say(measure::Figures::HEAD);
    for case in &settings.cases {
        let window = Duration::from_secs(settings.seconds);
        let figures = Box::pin(measure::measure(*case, window, settings)).await?;
        say(&figures.row(alone.resident));
    }
    say(measure::Figures::LEGEND);
    Ok(())
}

fn one_thread() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

fn all_threads() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

#[expect(clippy::print_stdout, reason = "the result of the program")]
fn say(line: &str) {
    println!("{line}");
}

/// Memory needs no long window.
const SHORT: Duration = Duration::from_secs(3);
