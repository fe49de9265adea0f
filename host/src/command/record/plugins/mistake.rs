use std::io;
use std::path::PathBuf;

use super::catalogue::Role;
use crate::filter::FilterError;
use crate::plugins::{self, EngineError};

/// Why a run with plugins cannot begin.
#[derive(Debug, thiserror::Error)]
pub(in crate::command::record) enum LoadError {
    /// The user has to change something.
    #[error(transparent)]
    Mistake(#[from] Mistake),
    /// This machine cannot run plugins at all.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The path of this program is unknown.
    #[error("cannot find this program, which compiles plugins: {0}")]
    Program(io::Error),
}

/// What is wrong with a file that was named.
#[derive(Debug, thiserror::Error)]
pub(in crate::command::record) enum Mistake {
    #[error("cannot read {}: {source}: name a plugin, as `trackmill plugin build` makes them", path.display())]
    Plugin { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Load {
        path: PathBuf,
        source: plugins::LoadError,
    },
    #[error("{} {}", path.display(), wrong_option(*.wanted))]
    Role { path: PathBuf, wanted: Role },
    #[error("{} is for pictures only: '--filter' is for sound", path.display())]
    Kind { path: PathBuf },
    #[error("cannot read {}, the settings of {}: {source}", path.display(), plugin.display())]
    Settings {
        path: PathBuf,
        plugin: PathBuf,
        source: io::Error,
    },
    #[error("{}, the settings of {}: {reason}", path.display(), plugin.display())]
    WrongSettings {
        path: PathBuf,
        plugin: PathBuf,
        reason: String,
    },
    #[error("{} wants settings ({reason}): write them into a JSON file, and name it behind '=': {}=CONFIG.json", plugin.display(), plugin.display())]
    NoSettings { plugin: PathBuf, reason: String },
    #[error("{} cannot be opened on a track: {source}", path.display())]
    Open { path: PathBuf, source: FilterError },
}

/// What to do about a plugin of the other kind.
const fn wrong_option(wanted: Role) -> &'static str {
    match wanted {
        Role::Filter => "only looks at a track: give it to '--inspect' instead of '--filter'",
        Role::Inspector => "changes a track: give it to '--filter' instead of '--inspect'",
    }
}
