//! `trackmill plugin check`: whether this host would take a plugin, and what it is.

mod report;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;

use self::report::Report;
use super::load::{self, LimitArgs};
use crate::command::Exit;
use crate::plugins::{Limits, LoadError, Plugin};

/// Say what a plugin is, and whether the host would take it.
///
/// Everything that the host demands is checked: the world, imports, sizes, compilation, what the plugin
/// says of itself. Nothing of it runs but `describe`. Exit code: 0 the host takes it, 1 it does not, and
/// standard error says why and what to do, 2 wrong usage.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The component, or its text (.wat)
    #[arg(value_name = "PLUGIN.wasm")]
    plugin: PathBuf,
    /// Check these settings against the plugin's schema, too
    #[arg(long, value_name = "CONFIG.json")]
    config: Option<PathBuf>,
    #[command(flatten)]
    limits: LimitArgs,
    /// Print one JSON object, also if the plugin is refused
    #[arg(long)]
    json: bool,
}

/// Checks the plugin and prints what it is.
///
/// # Errors
///
/// Why the host would not take it, or its settings, and what to do.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    let file = args.plugin.display().to_string();
    let checked = check(args).with_context(|| file.clone());
    let mut output = std::io::stdout().lock();
    match checked {
        Ok(report) if args.json => writeln!(output, "{}", report.to_json(&file))?,
        Ok(report) => write!(output, "{file}: {report}")?,
        Err(error) if args.json => {
            let reason = format!("{error:#}");
            let refused = json!({ "file": file, "accepted": false, "reason": reason });
            writeln!(output, "{refused}")?;
            return Ok(Exit::Failed);
        }
        Err(error) => return Err(error),
    }
    Ok(Exit::Complete)
}

fn check(args: &Args) -> anyhow::Result<Report> {
    let bytes = load::read(&args.plugin)?;
    let limits = args.limits.limits();
    let plugin = load::engine(1)?.load(&bytes, &limits);
    let plugin = plugin.map_err(|error| explain(error, &bytes))?;
    let settings = args.config.as_deref();
    let settings = settings
        .map(|path| check_settings(&plugin, path))
        .transpose()?;
    Ok(Report {
        size: bytes.len(),
        plugin,
        limits,
        settings,
    })
}

/// Returns the name of the file.
fn check_settings(plugin: &Plugin, path: &Path) -> anyhow::Result<String> {
    let settings = load::settings(Some(path))?;
    let name = path.display().to_string();
    plugin
        .check_settings(&settings)
        .with_context(|| name.clone())?;
    Ok(name)
}

/// Says whether the limits for interpreters would do.
fn explain(error: LoadError, bytes: &[u8]) -> anyhow::Error {
    let would_do = matches!(&error, LoadError::Refused(refused) if refused.is_about_limits())
        && crate::plugins::scan(bytes, &Limits::interpreter()).is_ok();
    let error = anyhow::Error::from(error);
    if would_do {
        error.context("too large for the usual limits, but not for those of --interpreter")
    } else {
        error
    }
}
