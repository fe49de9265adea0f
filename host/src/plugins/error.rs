use std::fmt;
use std::time::Duration;

use crate::plugins::bindings::types;
use crate::plugins::prescan::ScanError;

/// Why a plugin cannot be loaded. Nothing of the kind goes away by itself: the file or a limit has to
/// change.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LoadError {
    /// The bytes alone tell that it is no plugin for this host.
    #[error("cannot load the plugin: {0}")]
    Refused(ScanError),
    /// It does not compile.
    #[error("cannot compile the plugin: {0}")]
    Compile(CompileError),
    /// What was compiled cannot be loaded or linked.
    #[error("cannot link the plugin: {0}")]
    Link(String),
    /// It failed while it said what it is.
    #[error("the plugin failed in `describe`: {0}")]
    Describe(PluginError),
    /// What it says of itself makes no sense.
    #[error("the plugin's declaration is wrong: {0}")]
    Declaration(String),
}

impl From<ScanError> for LoadError {
    fn from(error: ScanError) -> Self {
        Self::Refused(error)
    }
}

impl From<CompileError> for LoadError {
    fn from(error: CompileError) -> Self {
        Self::Compile(error)
    }
}

/// Why a plugin does not compile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The compiler says why.
    #[error("{0}")]
    Refused(String),
    /// It took too much CPU time.
    #[error(
        "the compiler was stopped after {0:?} of CPU time (limit `compilation.cpu`): simplify the plugin, \
         or raise the limit for those you trust"
    )]
    Time(Duration),
    /// It took too much memory.
    #[error(
        "the compiler needed more than {0} bytes of memory (limit `compilation.memory`): simplify the \
         plugin, or raise the limit for those you trust"
    )]
    Memory(u64),
    /// The process could not be run, which is not the plugin's fault.
    #[error("cannot run the compiler: {0}")]
    Process(String),
}

impl CompileError {
    /// Whether the same bytes would fail again, so that there is no point in trying.
    pub(crate) fn is_lasting(&self) -> bool {
        !matches!(self, Self::Process(_))
    }
}

/// Why a call of a plugin failed. What it means for the plugin is its [`severity`](Self::severity).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PluginError {
    /// The settings are wrong, says the plugin or its schema.
    #[error("settings: {0}")]
    Config(String),
    /// This call failed, the plugin's state is sound.
    #[error("{0}")]
    Transient(String),
    /// The plugin says that it cannot go on.
    #[error("{0}")]
    Fatal(String),
    /// It crashed.
    #[error("trap in `{call}`: {reason}")]
    Trapped {
        /// Where.
        call: Call,
        /// Why, with the guest's frames.
        reason: String,
    },
    /// It took too long.
    #[error(
        "`{call}` took more than {limit:?} of CPU time (limits `call_deadline`, `start_deadline`)"
    )]
    Deadline {
        /// Where.
        call: Call,
        /// How long it may take.
        limit: Duration,
    },
    /// It failed after it was denied memory.
    #[error(
        "failed in `{call}` after it asked for more than {limit} bytes of memory (limit `memory`): {reason}"
    )]
    Memory {
        /// Where.
        call: Call,
        /// How much it may have, in bytes.
        limit: usize,
        /// How it failed.
        reason: String,
    },
    /// It was called once more after it had crashed, run out of time or finished.
    #[error("`{0}` of a plugin that has ended: open it again")]
    Ended(Call),
    /// The host called what this world does not have, or before the plugin was opened.
    #[error("this plugin has no `{0}`")]
    NoSuchCall(Call),
}

/// What a failed call means for the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Somebody has to change the settings: no retry.
    Config,
    /// Only this call failed.
    Transient,
    /// The instance is of no use any more: the failure policy applies.
    Fatal,
}

impl PluginError {
    /// What it means for the plugin.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Config(_) => Severity::Config,
            Self::Transient(_) => Severity::Transient,
            Self::Fatal(_)
            | Self::Trapped { .. }
            | Self::Deadline { .. }
            | Self::Memory { .. }
            | Self::Ended(_)
            | Self::NoSuchCall(_) => Severity::Fatal,
        }
    }
}

impl From<types::PluginError> for PluginError {
    fn from(error: types::PluginError) -> Self {
        match error {
            types::PluginError::Config(text) => Self::Config(shorten(text)),
            types::PluginError::Transient(text) => Self::Transient(shorten(text)),
            types::PluginError::Fatal(text) => Self::Fatal(shorten(text)),
        }
    }
}

/// A guest's text can have a mebibyte.
pub(crate) fn shorten(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    text.shrink_to_fit();
    text
}

const MAX_TEXT: usize = 2_048;

/// A function of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Its instantiation, which can run a start function.
    Instantiate,
    /// Tells what it is.
    Describe,
    /// Begins a track.
    Open,
    /// Changes a frame.
    Process,
    /// Looks at a frame.
    Inspect,
    /// Something happened to the track.
    OnEvent,
    /// Ends a track.
    Finish,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Instantiate => "instantiate",
            Self::Describe => "describe",
            Self::Open => "open",
            Self::Process => "process",
            Self::Inspect => "inspect",
            Self::OnEvent => "on-event",
            Self::Finish => "finish",
        })
    }
}
