use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{ArgGroup, ValueEnum};

use crate::filter::OnError;

/// Plugins, as the command line names them.
#[derive(Clone, Debug, clap::Args)]
#[command(group(ArgGroup::new("plugins").multiple(true).args(["filter", "inspect"])))]
pub(in crate::command::record) struct PluginArgs {
    /// Send sound through this plugin, with settings from a JSON file; may be repeated, in the order of
    /// the sound. What it changes is encoded anew
    #[arg(long, value_name = "FILE.wasm[=CONFIG.json]")]
    filter: Vec<Choice>,
    /// Let this plugin look at each track; may be repeated. The recording stays as it is, and what the
    /// plugin says goes into a .jsonl file beside it
    #[arg(long, value_name = "FILE.wasm[=CONFIG.json]")]
    inspect: Vec<Choice>,
    /// What becomes of the sound when a filter fails: it goes by the filter, it is silent, its track
    /// ends, or its recording fails
    #[arg(long, value_enum, requires = "filter", default_value = "bypass")]
    on_error: Policy,
    /// Look each second whether the files of plugins or of their settings have changed, and go on with
    /// what is in them
    #[arg(long, requires = "plugins")]
    watch_plugins: bool,
}

/// A plugin and its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) file: PathBuf,
    pub(super) settings: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Policy {
    Bypass,
    Silence,
    StopTrack,
    FailEgress,
}

/// Which plugins the user wants.
#[derive(Clone, Debug)]
pub(in crate::command::record) struct Wanted {
    pub(super) filters: Vec<Choice>,
    pub(super) inspectors: Vec<Choice>,
    pub(super) on_error: OnError,
    pub(super) is_watched: bool,
}

/// Arguments that make no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::command::record) enum PluginError {
    #[error("'{0}' is there more than {MAX_PLUGINS} times")]
    TooMany(&'static str),
}

impl PluginArgs {
    /// Reads the arguments; `None` if the user wants no plugin.
    pub(in crate::command::record) fn wanted(self) -> Result<Option<Wanted>, PluginError> {
        for (option, choices) in [("--filter", &self.filter), ("--inspect", &self.inspect)] {
            if choices.len() > MAX_PLUGINS {
                return Err(PluginError::TooMany(option));
            }
        }
        let has_any = !self.filter.is_empty() || !self.inspect.is_empty();
        Ok(has_any.then_some(Wanted {
            filters: self.filter,
            inspectors: self.inspect,
            on_error: self.on_error.into(),
            is_watched: self.watch_plugins,
        }))
    }
}

impl Choice {
    /// The files that it consists of.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        let settings = self.settings.as_deref();
        std::iter::once(&*self.file).chain(settings)
    }
}

impl FromStr for Choice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        // Names of folders may hold the sign that names of plugins end before.
        let split = text.split_once(PLUGIN_AND_MORE);
        let (file, settings) = match split {
            Some((name, settings)) => (format!("{name}.wasm"), Some(settings.into())),
            None => (text.to_owned(), None),
        };
        Ok(Self {
            file: file.into(),
            settings,
        })
    }
}

impl From<Policy> for OnError {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Bypass => Self::Bypass,
            Policy::Silence => Self::Silence,
            Policy::StopTrack => Self::StopTrack,
            Policy::FailEgress => Self::FailEgress,
        }
    }
}

const PLUGIN_AND_MORE: &str = ".wasm=";
/// Filters, and filters that only look, on each track.
const MAX_PLUGINS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_may_have_settings_and_live_anywhere() {
        for (text, file, settings) in [
            ("gain.wasm", "gain.wasm", None),
            ("gain.wasm=gain.json", "gain.wasm", Some("gain.json")),
            ("a=b/gain.wasm", "a=b/gain.wasm", None),
            ("a=b/gain.wasm=c=d.json", "a=b/gain.wasm", Some("c=d.json")),
            ("gain.wasm=", "gain.wasm", Some("")),
            ("gain", "gain", None),
        ] {
            let choice: Choice = text.parse().unwrap();

            assert_eq!(choice.file, Path::new(file), "{text}");
            assert_eq!(
                choice.settings.as_deref(),
                settings.map(Path::new),
                "{text}"
            );
        }
    }
}
