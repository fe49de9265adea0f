//! `trackmill record`: joins a room and exports its tracks to files.

mod args;
mod follow;
mod leftovers;
mod outputs;
mod plugins;
mod progress;
mod results;
mod run;
mod stop;

pub use args::Args;

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::Exit;
use crate::clock;
use crate::egress::Disk;
use crate::filter;
use crate::rtc::{self, Workers};
use args::Job;
use plugins::{Catalogue, LoadError, Plugins};
use run::{Homes, Run};
use stop::StopSignals;

/// Records until what was asked for is over.
///
/// # Errors
/// The token has expired, the room cannot be joined, or a file cannot be written; the text says why and who has to act.
pub async fn run(args: Args) -> anyhow::Result<Exit> {
    let job = match args.job() {
        Ok(job) => job,
        Err(error) => return Ok(usage(&error)),
    };
    let wanted = job.plugins.clone();
    let loaded = spawn_blocking(move || wanted.as_ref().map(Catalogue::load).transpose()).await?;
    let catalogue = match loaded {
        Ok(catalogue) => catalogue,
        Err(LoadError::Mistake(mistake)) => return Ok(usage(&mistake)),
        Err(error) => return Err(error.into()),
    };
    // No mistake of the command line's: it fails as if the server had refused it.
    job.room.credentials.check(clock::wall())?;
    Box::pin(record(job, catalogue)).await
}

async fn record(job: Job, catalogue: Option<Catalogue>) -> anyhow::Result<Exit> {
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let workers = Arc::new(Workers::start(threads, &rtc::Settings::default())?);
    let filters = Arc::new(if catalogue.is_some() || job.destination.is_decoded() {
        filter::Workers::start(threads, filter::worker::Settings::default())?
    } else {
        filter::Workers::none()
    });
    let disk = Disk::start()?;
    let destination = job.destination.clone();
    let recovered = spawn_blocking(move || leftovers::recover(&destination)).await?;
    let mut stop = StopSignals::install()?;
    let homes = Homes {
        media: Arc::clone(&workers),
        filters: Arc::clone(&filters),
        disk: disk.handle().clone(),
    };
    let run = Run::begin(job, Plugins::new(catalogue), homes, &recovered).await?;
    let exit = Box::pin(run.complete(&mut stop)).await;
    // The last owner waits for the threads, which must not happen on the runtime.
    spawn_blocking(move || drop((workers, filters, disk))).await?;
    exit
}

#[expect(
    clippy::print_stderr,
    reason = "the user's mistake, told as clap tells its own"
)]
fn usage(error: &dyn std::error::Error) -> Exit {
    eprintln!("error: {error}\n\nFor more information, try 'trackmill record --help'.");
    Exit::Usage
}
