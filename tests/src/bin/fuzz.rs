//! A fuzzer for stable Rust: mutates the corpus of each target for a while.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use trackmill_tests::fuzz::{Mutator, TARGETS, Target, directory, seeds};

/// Feeds every parser with hostile input: mutations of tests/fuzz/corpus.
///
/// An input that breaks a promise is made small and written to tests/fuzz/crashes.
#[derive(Debug, Parser)]
struct Arguments {
    /// One target, instead of all
    #[arg(value_parser = target)]
    target: Option<Target>,
    /// Run these inputs and no others
    inputs: Vec<PathBuf>,
    /// Seconds for each target
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// What the mutations begin with
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the first inputs of every corpus, and run nothing
    #[arg(long)]
    write_seeds: bool,
}

#[expect(clippy::print_stdout, reason = "the result of the program")]
fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.write_seeds {
        return write_seeds().map(|()| ExitCode::SUCCESS);
    }
    for path in &arguments.inputs {
        let target = arguments.target.context("name the target")?;
        (target.run)(&fs::read(path).with_context(|| path.display().to_string())?);
        println!("{}: {} is harmless", target.name, path.display());
    }
    if !arguments.inputs.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    // A panic is a finding here, and reported as one; a minimiser makes hundreds of them.
    panic::set_hook(Box::new(|_| {}));
    let mut exit = ExitCode::SUCCESS;
    for target in TARGETS {
        let is_meant = |wanted: &Target| wanted.name == target.name;
        if arguments.target.as_ref().is_none_or(is_meant) && !fuzz(target, &arguments)? {
            exit = ExitCode::FAILURE;
        }
    }
    Ok(exit)
}

fn target(name: &str) -> Result<Target, String> {
    Target::named(name).ok_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        format!("the targets are {}", names.join(", "))
    })
}

/// Runs one target for its time; whether it kept its promises.
#[expect(clippy::print_stdout, reason = "the result of the program")]
fn fuzz(target: Target, arguments: &Arguments) -> anyhow::Result<bool> {
    let corpus: Vec<Vec<u8>> = target
        .corpus()?
        .into_iter()
        .map(|(_, input)| input)
        .collect();
    let mut mutator = Mutator::new(arguments.seed);
    let watchdog = Watchdog::start(target);
    let end = now() + Duration::from_secs(arguments.seconds);
    let mut runs = 0_u64;
    while now() < end {
        let input = mutator.mutate(&corpus);
        watchdog.begins(&input);
        if let Err(complaint) = run(target, &input) {
            let input = minimise(target, input);
            let path = keep(target, &input)?;
            println!("{}: {complaint}", target.name);
            replay_by(target, &path);
            return Ok(false);
        }
        runs += 1;
    }
    println!("{}: {runs} inputs, no complaint", target.name);
    Ok(true)
}

fn run(target: Target, input: &[u8]) -> Result<(), String> {
    panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input))).map_err(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        text.unwrap_or("a panic without a message").to_owned()
    })
}

/// Takes away what the complaint does not need.
fn minimise(target: Target, mut input: Vec<u8>) -> Vec<u8> {
    let mut piece = input.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at < input.len() {
            let mut shorter = input.clone();
            shorter.drain(at..shorter.len().min(at + piece));
            if run(target, &shorter).is_err() {
                input = shorter;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    input
}

fn keep(target: Target, input: &[u8]) -> anyhow::Result<PathBuf> {
    let folder = directory().join("crashes");
    fs::create_dir_all(&folder)?;
    let sum = input.iter().fold(0_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add((*byte).into())
    });
    let path = folder.join(format!("{}-{sum:08x}", target.name));
    fs::write(&path, input).with_context(|| path.display().to_string())?;
    Ok(path)
}

#[expect(clippy::print_stdout, reason = "the result of the program")]
fn replay_by(target: Target, path: &Path) {
    let name = target.name;
    println!(
        "  cargo run -p trackmill-tests --bin fuzz -- {name} {}",
        path.display()
    );
}

fn write_seeds() -> anyhow::Result<()> {
    for seed in seeds::all()? {
        let target = Target::named(seed.target).context("seeds are of targets")?;
        fs::create_dir_all(target.folder())?;
        fs::write(target.folder().join(&seed.name), &seed.input)?;
    }
    Ok(())
}

/// Ends the process when an input takes very long: nothing else gets out of an endless loop.
struct Watchdog {
    current: Arc<Mutex<(Instant, Vec<u8>)>>,
}

impl Watchdog {
    fn start(target: Target) -> Self {
        let current = Arc::new(Mutex::new((now(), Vec::new())));
        let watched = Arc::downgrade(&current);
        std::thread::spawn(move || {
            while let Some(current) = watched.upgrade() {
                check(
                    target,
                    &current.lock().unwrap_or_else(PoisonError::into_inner),
                );
                std::thread::park_timeout(Duration::from_secs(1));
            }
        });
        Self { current }
    }

    fn begins(&self, input: &[u8]) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.0 = now();
        current.1.clear();
        current.1.extend_from_slice(input);
    }
}

fn check(target: Target, current: &(Instant, Vec<u8>)) {
    if now().saturating_duration_since(current.0) > MOST_TIME {
        give_up(target, &current.1);
    }
}

#[expect(clippy::print_stdout, reason = "the result of the program")]
fn give_up(target: Target, input: &[u8]) -> ! {
    println!("{}: an input takes more than {MOST_TIME:?}", target.name);
    match keep(target, input) {
        Ok(path) => replay_by(target, &path),
        Err(error) => println!("and cannot be kept: {error:#}"),
    }
    std::process::exit(1);
}

#[expect(clippy::disallowed_methods, reason = "a fuzzer runs in real time")]
fn now() -> Instant {
    Instant::now()
}

/// For one input; the longest legal one takes milliseconds.
const MOST_TIME: Duration = Duration::from_secs(20);
