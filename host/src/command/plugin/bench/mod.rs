//! `trackmill plugin bench`: what a plugin costs, in time, in instructions and in memory.

mod memory;
mod report;
mod sound;

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use self::memory::Resident;
use self::report::Report;
use super::load::{self, LimitArgs};
use super::player::{Player, Stage, StageFiles};
use crate::clock;
use crate::command::Exit;
use crate::filter::{Item, Switch};
use crate::media::{AudioFormat, Channels, Marks, SampleRate};
use crate::plugins::{Limits, Metering, Times};

/// Measure what a plugin costs: CPU time a frame, tracks a core, instructions, memory.
///
/// It hears noise like speech, as fast as it takes it, without the limits of time. Fuel counts what
/// WebAssembly executes: unlike times, it is the same on every machine and in every run. Memory is what
/// each of many instances takes that are open at the same time.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The component, or its text (.wat)
    #[arg(value_name = "PLUGIN.wasm")]
    plugin: PathBuf,
    /// The plugin's settings, a JSON object
    #[arg(long, value_name = "CONFIG.json")]
    config: Option<PathBuf>,
    /// Another plugin, or the same with other settings, and the ratios between them
    #[arg(long, value_name = "PLUGIN.wasm[=CONFIG.json]", value_parser = StageFiles::parse)]
    compare: Option<StageFiles>,
    /// Seconds of sound to play
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Channels of the sound
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    channels: u8,
    /// Instances that are open at the same time to measure memory
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    instances: u32,
    #[command(flatten)]
    limits: LimitArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What a plugin costs.
#[derive(Clone, Debug)]
struct Costs {
    name: String,
    version: String,
    /// CPU time of each of its calls with a frame.
    frames: Times,
    /// CPU time of a second of sound, with what the host does around the calls.
    second: Duration,
    /// What WebAssembly executes in a call with a frame, on average.
    fuel: u64,
    /// What an instance takes.
    resident: Resident,
    /// What its memories and tables have.
    memory: usize,
}

/// Measures and prints.
///
/// # Errors
///
/// A plugin cannot be loaded, refuses its settings, or fails.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    let first = StageFiles {
        plugin: args.plugin.clone(),
        config: args.config.clone(),
    };
    let files: Vec<&StageFiles> = std::iter::once(&first).chain(&args.compare).collect();
    let mut costs = measure(&files, args)?.into_iter();
    let report = Report {
        args,
        costs: costs.next().context("a plugin was named")?,
        other: costs.next(),
    };
    let mut output = std::io::stdout();
    if args.json {
        writeln!(output, "{}", report.to_json())?;
    } else {
        write!(output, "{report}")?;
    }
    Ok(Exit::Complete)
}

fn measure(files: &[&StageFiles], args: &Args) -> anyhow::Result<Vec<Costs>> {
    let limits = boundless(args.limits.limits());
    let format = args.format();
    let plugins = u32::try_from(files.len()).unwrap_or(u32::MAX);
    // As many again come first, and one plays.
    let instances = args.instances.saturating_mul(2 * plugins);
    let engine = load::measuring_engine(instances.saturating_add(1), Metering::Off)?;
    let stages = files.iter().map(|files| files.load(&engine, &limits));
    let stages = stages.collect::<anyhow::Result<Vec<_>>>()?;
    let measured = stages.iter().map(|stage| {
        memory::of_an_instance(stage, &limits, (format, clock::now()), args.instances)
    });
    let measured = measured.collect::<anyhow::Result<Vec<_>>>()?;
    let residents: Vec<Resident> = measured.into_iter().map(|it| it.resident).collect();
    let metered = load::measuring_engine(1, Metering::Fuel)?;
    let stages = stages.iter().zip(files).zip(residents);
    let costs = stages.map(|((stage, files), resident)| {
        let counted = files.load(&metered, &limits)?;
        let counted = play(&counted, &limits, format, FUEL_SECONDS.min(args.seconds))?;
        let played = play(stage, &limits, format, args.seconds)?;
        let declaration = stage.plugin.declaration();
        Ok(Costs {
            name: declaration.name.clone(),
            version: declaration.version.clone(),
            second: played.cpu / args.seconds,
            fuel: counted.fuel / counted.frames.count().max(1),
            frames: played.frames,
            resident,
            memory: played.memory,
        })
    });
    costs.collect()
}

/// What playing took.
struct Played {
    frames: Times,
    fuel: u64,
    memory: usize,
    cpu: Duration,
}

fn play(
    stage: &Stage,
    limits: &Limits,
    format: AudioFormat,
    seconds: u32,
) -> anyhow::Result<Played> {
    let sound = sound::second(format);
    let mut player = Player::new(vec![stage.clone()], limits, format);
    let (start, values) = (clock::now(), format.values(player.block()));
    // What is opened costs once, and is not what is asked for.
    play_block(&mut player, vec![0.0; values], start)?;
    let before = clock::thread_time();
    for _ in 0..seconds {
        for block in sound.chunks_exact(values) {
            play_block(&mut player, block.to_vec(), start)?;
        }
    }
    let cpu = clock::thread_time().saturating_sub(before);
    let report = player.outcome().find_map(|(_, _, report)| report);
    let Some(report) = report else {
        bail!("{} never ran", stage.plugin.declaration().name);
    };
    let statistics = report.statistics;
    Ok(Played {
        frames: statistics.frames,
        fuel: statistics.fuel,
        memory: statistics.memory,
        cpu,
    })
}

fn play_block(player: &mut Player, samples: Vec<f32>, start: Instant) -> anyhow::Result<()> {
    let now = start + player.position();
    player.play(samples, Marks::default(), now);
    while let Some(item) = player.poll() {
        if let Item::Switch(Switch { filter, reason, .. }) = item {
            bail!("{filter} fails: {reason}");
        }
    }
    Ok(())
}

impl Args {
    fn format(&self) -> AudioFormat {
        let channels = Channels::new(self.channels.into()).unwrap_or(Channels::Mono);
        AudioFormat::new(SampleRate::HZ_48000, channels)
    }
}

/// Limits of time would measure the limits.
fn boundless(limits: Limits) -> Limits {
    Limits {
        call_deadline: Duration::from_secs(10),
        start_deadline: Duration::from_secs(10),
        cpu_share: Duration::from_secs(1_000),
        ..limits
    }
}

/// Instructions are the same in every second.
const FUEL_SECONDS: u32 = 10;
