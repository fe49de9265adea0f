//! `trackmill plugin run`: plays a file through plugins as the host would, and says what they cost.

mod events;
mod journal;
mod output;
mod report;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;

use self::events::Planned;
use self::journal::Journal;
use self::output::SoundWriter;
use self::report::{Input, Report};
use super::load::{self, BudgetArgs};
use super::player::{Player, StageFiles};
use crate::clock;
use crate::command::Exit;
use crate::demux::SoundFile;
use crate::filter::{Item, TrackEvent};
use crate::media::Marks;

/// Play a file through a plugin exactly as the host would, and say what it did and cost.
///
/// The sound goes through in frames as on a track, in the format the plugin wants, under the same
/// limits; if the plugin fails, the sound goes by it and it is opened again, as in a recording.
/// What it says is printed as it comes, what it logs goes to standard error. The same file,
/// settings and events give the same bytes.
///
/// Events are JSON objects, one a line, each with its time since the beginning:
///
///   {"at_ms": 1200, "event": "muted"}        likewise unmuted, published, unpublished
///   {"at_ms": 0, "event": "message", "topic": "redact", "sender": "host", "text": "…"}
///                                            "base64" instead of "text" for other bytes
///   {"at_ms": 0, "event": "attributes", "attributes": {"language": "de"}}
///   {"at_ms": 0, "event": "other", "name": "…", "data": {}}
///
/// Published comes first and unpublished last without being asked for. An event changes nothing of the
/// sound: a muted track is silent in a room, and here if the file is.
///
/// Exit code: 0 all went well, 1 the plugin failed or refused its settings, 2 wrong usage,
/// 3 it took more CPU time than its share.
#[derive(Clone, Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// The component, or its text (.wat)
    #[arg(value_name = "PLUGIN.wasm")]
    plugin: PathBuf,
    /// WAV of any rate, or Ogg Opus, with one or two channels
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Where the sound goes: .wav, .ogg or .pcm; what is there is replaced
    #[arg(value_name = "OUT", value_parser = output)]
    output: Option<PathBuf>,
    /// The plugin's settings, a JSON object
    #[arg(long, value_name = "CONFIG.json")]
    config: Option<PathBuf>,
    /// What happens to the track meanwhile
    #[arg(long, value_name = "EVENTS.jsonl")]
    events: Option<PathBuf>,
    /// Another plugin behind the first, with its settings; repeatable, in order
    #[arg(long, value_name = "PLUGIN.wasm[=CONFIG.json]", value_parser = StageFiles::parse)]
    then: Vec<StageFiles>,
    /// Take as long as the sound lasts, as on a live track
    #[arg(long)]
    realtime: bool,
    #[command(flatten)]
    budget: BudgetArgs,
    /// Print JSON: an object for each event, as in .events.jsonl beside a recording, then one with
    /// the report
    #[arg(long)]
    json: bool,
}

/// Plays the file and prints what came of it.
///
/// # Errors
///
/// What kept it from being played: a file, the plugin's bytes, its settings, an event.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    let limits = args.budget.limits();
    let first = StageFiles {
        plugin: args.plugin.clone(),
        config: args.config.clone(),
    };
    let files = std::iter::once(&first).chain(&args.then);
    let engine = load::engine(u32::try_from(1 + args.then.len()).unwrap_or(u32::MAX))?;
    let stages = files.map(|files| files.load(&engine, &limits));
    let stages = stages.collect::<anyhow::Result<_>>()?;
    let events = args.events.as_deref().map(events::read).transpose()?;
    let sound = open(&args.input)?;
    let format = sound.format();
    let output = args.output.as_deref();
    let writer = output.map(|path| SoundWriter::create(path, format));
    let session = Session {
        player: Player::new(stages, &limits, format),
        events: with_ends(events.unwrap_or_default()).into(),
        writer: writer.transpose()?,
        journal: Journal::new(args.json),
        clock: Clock::new(args.realtime),
    };
    let (player, journal) = session.play(sound, &args.input)?;
    let input = Input {
        path: &args.input,
        format,
        duration: player.position(),
    };
    let report = Report::new(input, output, &player, &journal, &limits);
    report.print(args.json)?;
    Ok(report.exit())
}

/// A file on its way through plugins.
struct Session {
    player: Player,
    events: VecDeque<Planned>,
    writer: Option<SoundWriter>,
    journal: Journal,
    clock: Clock,
}

impl Session {
    /// Plays all of it.
    fn play(
        mut self,
        mut sound: SoundFile<BufReader<File>>,
        path: &Path,
    ) -> anyhow::Result<(Player, Journal)> {
        let values = sound.format().values(self.player.block());
        let mut pending = Vec::new();
        loop {
            let read = sound.read(&mut pending);
            if read.with_context(|| path.display().to_string())? == 0 {
                break;
            }
            // What may be the last block waits.
            let whole = pending.len().saturating_sub(1) / values * values;
            let rest = pending.split_off(whole);
            for block in pending.chunks(values) {
                self.block(block.to_vec(), Marks::default())?;
            }
            pending = rest;
        }
        if !pending.is_empty() {
            let last = true;
            self.block(
                pending,
                Marks {
                    last,
                    ..Marks::default()
                },
            )?;
        }
        self.end()
    }

    fn block(&mut self, samples: Vec<f32>, marks: Marks) -> anyhow::Result<()> {
        let position = self.player.position();
        let now = self.clock.reach(position);
        self.tell_until(position, now);
        self.player.play(samples, marks, now);
        self.take()
    }

    /// Tells the plugins of what happens before the next block.
    fn tell_until(&mut self, position: Duration, now: Instant) {
        while let Some(planned) = self.events.pop_front_if(|planned| planned.at <= position) {
            self.player.event(planned.at, planned.event, now);
        }
    }

    fn end(mut self) -> anyhow::Result<(Player, Journal)> {
        let position = self.player.position();
        let now = self.clock.reach(position);
        for planned in std::mem::take(&mut self.events) {
            let at = planned.at.min(position);
            self.player.event(at, planned.event, now);
        }
        self.player.finish(now);
        self.take()?;
        if let Some(writer) = self.writer {
            writer.finish()?;
        }
        Ok((self.player, self.journal))
    }

    /// Puts where it belongs what came out of the plugins.
    fn take(&mut self) -> anyhow::Result<()> {
        while let Some(item) = self.player.poll() {
            match item {
                Item::Block(block) | Item::Gap(block) => self.write(&block.samples)?,
                other => self.journal.note(other)?,
            }
        }
        Ok(())
    }

    fn write(&mut self, samples: &[f32]) -> anyhow::Result<()> {
        match &mut self.writer {
            Some(writer) => writer.write(samples),
            None => Ok(()),
        }
    }
}

/// What time it is when a place of the sound is reached.
#[derive(Debug)]
struct Clock {
    start: Instant,
    is_real: bool,
}

impl Clock {
    fn new(is_real: bool) -> Self {
        Self {
            start: clock::now(),
            is_real,
        }
    }

    fn reach(&self, position: Duration) -> Instant {
        let due = self.start + position;
        if self.is_real {
            clock::sleep_until(due);
        }
        due
    }
}

fn open(path: &Path) -> anyhow::Result<SoundFile<BufReader<File>>> {
    let file = || path.display().to_string();
    let opened = File::open(path).with_context(file)?;
    SoundFile::open(BufReader::new(opened)).with_context(file)
}

/// With what the host tells every plugin.
fn with_ends(mut events: Vec<Planned>) -> Vec<Planned> {
    let has = |events: &[Planned], event| events.iter().any(|planned| planned.event == event);
    if !has(&events, TrackEvent::Published) {
        let event = TrackEvent::Published;
        events.insert(
            0,
            Planned {
                at: Duration::ZERO,
                event,
            },
        );
    }
    if !has(&events, TrackEvent::Unpublished) {
        let event = TrackEvent::Unpublished;
        events.push(Planned {
            at: Duration::MAX,
            event,
        });
    }
    events
}

fn output(text: &str) -> Result<PathBuf, &'static str> {
    let path = PathBuf::from(text);
    output::container(&path).map(|_| path)
}

/// Something is printed; whoever reads it may go away.
fn say(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
