//! From a file that a plugin's author names to a plugin, as the host loads it, and under which limits.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::plugins::{Engine, EngineSettings, Limits, Metering};

/// What the plugin may use, as an operator may set it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct LimitArgs {
    /// Use the limits for plugins that bring an interpreter along: 24 MiB, compiled within 120 s
    #[arg(long)]
    interpreter: bool,
}

/// What its calls may take, as an operator may set it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct BudgetArgs {
    #[command(flatten)]
    limits: LimitArgs,
    /// CPU time that a call may take; a call that takes longer is a failure
    #[arg(long, value_name = "MS", default_value = "5", value_parser = milliseconds)]
    deadline: Duration,
    /// CPU time that all calls may take, in percent of a core; frames beyond it go by the plugin
    #[arg(long, value_name = "PERCENT", default_value = "5", value_parser = share)]
    cpu_share: Duration,
}

impl LimitArgs {
    pub(super) fn limits(&self) -> Limits {
        if self.interpreter {
            Limits::interpreter()
        } else {
            Limits::default()
        }
    }
}

impl BudgetArgs {
    pub(super) fn limits(&self) -> Limits {
        Limits {
            call_deadline: self.deadline,
            cpu_share: self.cpu_share,
            ..self.limits.limits()
        }
    }
}

/// An engine for so many instances, which compiles as the host does: in a process of this program.
pub(super) fn engine(instances: u32) -> anyhow::Result<Engine> {
    Ok(Engine::new(&settings_of_engine(instances)?)?)
}

/// The same for measuring: it may count, and does not end at what all instances may take together.
pub(super) fn measuring_engine(instances: u32, metering: Metering) -> anyhow::Result<Engine> {
    Ok(Engine::new(&EngineSettings {
        metering,
        plugin_share: Duration::from_secs(1_000),
        ..settings_of_engine(instances)?
    })?)
}

fn settings_of_engine(instances: u32) -> anyhow::Result<EngineSettings> {
    let program = std::env::current_exe().context("where is this program?")?;
    Ok(EngineSettings {
        // A pool has room for plugins of one memory; these few may all be composed of several.
        instances: instances.saturating_mul(4),
        ..EngineSettings::new(program)
    })
}

/// The bytes of a plugin. Text (`.wat`) becomes what it stands for, here and nowhere else.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if path.is_dir() => {
            return Err(error)
                .context("it is a folder: `trackmill plugin build` makes a file of it");
        }
        Err(error) => {
            return Err(error)
                .context("it cannot be read (`trackmill plugin build` makes plugins)");
        }
    };
    if !is_text(path, &bytes) {
        return Ok(bytes);
    }
    match wat::parse_bytes(&bytes) {
        Ok(binary) => Ok(binary.into_owned()),
        Err(mut error) => {
            error.set_path(path);
            bail!("it is no WebAssembly text:\n{error}")
        }
    }
}

/// Settings from a file; an empty object without one.
pub(super) fn settings(path: Option<&Path>) -> anyhow::Result<String> {
    let Some(path) = path else {
        return Ok("{}".to_owned());
    };
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn is_text(path: &Path, bytes: &[u8]) -> bool {
    let is_named_so = path.extension().is_some_and(|extension| extension == "wat");
    is_named_so && !bytes.starts_with(b"\0asm")
}

fn milliseconds(text: &str) -> Result<Duration, &'static str> {
    let millis = text
        .parse()
        .ok()
        .filter(|millis| (1..=60_000).contains(millis));
    let millis = millis.ok_or("expected milliseconds, 1 to 60000")?;
    Ok(Duration::from_millis(millis))
}

/// So much of a second.
fn share(text: &str) -> Result<Duration, &'static str> {
    let percent = text
        .parse()
        .ok()
        .filter(|percent| (1..=100).contains(percent));
    let percent: u64 = percent.ok_or("expected whole percent, 1 to 100")?;
    Ok(Duration::from_millis(percent * 10))
}
