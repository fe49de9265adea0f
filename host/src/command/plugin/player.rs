//! Plays sound through plugins as the host does: the same chain, the same limits, the same policies. Time is
//! that of the sound, so that a plugin has as much of it as on a track.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::load;
use crate::filter::wasm::Opener;
use crate::filter::{Chain, Counts, Gaps, Item, OnError, Report, Restart, Setup, TrackEvent};
use crate::media::{AudioBlock, AudioFormat, ClockRate, Marks, Pts};
use crate::plugins::contract::{TrackInfo, TrackKind, TrackSource};
use crate::plugins::{Engine, Limits, Plugin};

/// A plugin with its settings.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) plugin: Plugin,
    pub(super) settings: String,
}

/// A plugin with its settings, as files: `PLUGIN.wasm[=CONFIG.json]`.
#[derive(Clone, Debug)]
pub(super) struct StageFiles {
    pub(super) plugin: PathBuf,
    pub(super) config: Option<PathBuf>,
}

/// Plugins in order, and how far the sound has come.
#[derive(Debug)]
pub(super) struct Player {
    chain: Chain,
    stages: Vec<Stage>,
    format: AudioFormat,
    /// Samples per channel that went in.
    played: u64,
}

impl StageFiles {
    /// Reads what stands behind an option.
    pub(super) fn parse(text: &str) -> Result<Self, std::convert::Infallible> {
        // Names of folders may hold the sign that names of plugins end before.
        let end = [".wasm=", ".wat="].iter().find_map(|end| {
            let at = text.find(end)?;
            text.split_at_checked(at + end.len() - 1)
        });
        let (plugin, config) = end.unwrap_or((text, ""));
        Ok(Self {
            plugin: plugin.into(),
            config: config.strip_prefix('=').map(PathBuf::from),
        })
    }

    /// Loads the plugin, and checks the settings against its schema.
    pub(super) fn load(&self, engine: &Engine, limits: &Limits) -> anyhow::Result<Stage> {
        let file = || self.plugin.display().to_string();
        let bytes = load::read(&self.plugin).with_context(file)?;
        let plugin = engine.load(&bytes, limits).with_context(file)?;
        if !plugin.declaration().kinds.contains(&TrackKind::Audio) {
            bail!(
                "{} is for video tracks only, and a file is played as sound",
                file()
            );
        }
        let settings = load::settings(self.config.as_deref())?;
        let checked = plugin.check_settings(&settings);
        checked.with_context(|| self.said_by())?;
        Ok(Stage { plugin, settings })
    }

    /// Where the settings come from.
    fn said_by(&self) -> String {
        let config = self.config.as_deref().map(Path::display);
        config.map_or_else(
            || format!("{} without --config", self.plugin.display()),
            |config| config.to_string(),
        )
    }
}

impl Player {
    /// Opens nothing yet: plugins are opened with the first sound.
    pub(super) fn new(stages: Vec<Stage>, limits: &Limits, format: AudioFormat) -> Self {
        let setups = stages.iter().map(|stage| Setup {
            open: Box::new(Opener::new(
                stage.plugin.clone(),
                stage.settings.clone(),
                limits.clone(),
                track(),
            )),
            on_error: OnError::default(),
            restart: Restart::default(),
            changes: None,
        });
        Self {
            chain: Chain::new(setups.collect(), format, Gaps::Silent),
            stages,
            format,
            played: 0,
        }
    }

    /// Samples per channel that go in at a time: 20 ms.
    pub(super) fn block(&self) -> usize {
        (self.format.rate.get() / 50) as usize
    }

    /// Where the next sound goes.
    pub(super) fn position(&self) -> Duration {
        self.format.rate.duration(self.played)
    }

    /// Plays the next block, which is the last if it is marked so.
    pub(super) fn play(&mut self, samples: Vec<f32>, marks: Marks, now: Instant) {
        let block = AudioBlock {
            format: self.format,
            pts: Pts(self.format.rate.ticks(self.played)),
            rtp_timestamp: None,
            marks,
            samples,
        };
        self.played += block.len_per_channel() as u64;
        self.chain.process(block, now);
    }

    /// Tells the plugins of an event before the next block.
    pub(super) fn event(&mut self, at: Duration, event: TrackEvent, now: Instant) {
        let pts = Pts(ClockRate::OPUS.ticks(at));
        self.chain.event(pts, event, now);
    }

    /// No sound follows.
    pub(super) fn finish(&mut self, now: Instant) {
        self.chain.finish(now);
    }

    /// The next thing that comes out.
    pub(super) fn poll(&mut self) -> Option<Item> {
        self.chain.poll()
    }

    /// What each plugin did and cost, in order; no cost if it never opened.
    pub(super) fn outcome(&self) -> impl Iterator<Item = (&Plugin, Counts, Option<Report>)> {
        let stages = self.stages.iter().map(|stage| &stage.plugin);
        stages.zip(self.chain.accounts()).map(|(plugin, account)| {
            // Nothing takes a plugin's place here.
            let report = account.plugins.into_iter().next();
            (plugin, account.counts, report)
        })
    }
}

/// The track that plugins are told of: that of the SDK's tests.
fn track() -> TrackInfo {
    TrackInfo {
        room_name: "test".into(),
        room_sid: "RM_test".into(),
        participant_identity: "tester".into(),
        participant_name: "Tester".into(),
        participant_attributes: Vec::new(),
        track_sid: "TR_test".into(),
        track_name: "microphone".into(),
        kind: TrackKind::Audio,
        source: TrackSource::Unknown,
        mime_type: "audio/opus".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_may_have_settings_and_live_anywhere() {
        for (text, plugin, config) in [
            ("gain.wasm", "gain.wasm", None),
            ("gain.wasm=gain.json", "gain.wasm", Some("gain.json")),
            ("gain.wat=gain.json", "gain.wat", Some("gain.json")),
            ("a=b/gain.wasm=c=d.json", "a=b/gain.wasm", Some("c=d.json")),
            ("a=b", "a=b", None),
        ] {
            let Ok(files) = StageFiles::parse(text);

            assert_eq!(files.plugin, Path::new(plugin), "{text}");
            assert_eq!(files.config.as_deref(), config.map(Path::new), "{text}");
        }
    }
}
