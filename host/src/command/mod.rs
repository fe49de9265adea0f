//! The commands of the binary, one file or folder each; each wires what it needs and nothing else.

pub mod compile_plugin;
pub mod plugin;
pub mod record;
pub mod recover;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Exports the tracks of LiveKit rooms, untouched, to files that survive anything.
#[derive(Clone, Debug, Parser)]
#[command(name = "trackmill", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What to log on standard error: error, warn, info, debug, trace, or directives for modules
    /// [default: warn; under `plugin`, also what plugins log from info on]
    #[arg(long, global = true, env = "TRACKMILL_LOG", value_name = "FILTER")]
    log: Option<String>,
}

impl Cli {
    /// What to log.
    pub fn log(&self) -> &str {
        let usual = match self.command {
            Command::Plugin(_) => "warn,trackmill::plugin=info",
            _ => "warn",
        };
        self.log.as_deref().unwrap_or(usual)
    }
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    #[expect(
        missing_docs,
        reason = "a comment here would replace the one of the arguments"
    )]
    Record(Box<record::Args>),
    #[expect(
        missing_docs,
        reason = "a comment here would replace the one of the arguments"
    )]
    Recover(recover::Args),
    #[expect(
        missing_docs,
        reason = "a comment here would replace the one of the arguments"
    )]
    Plugin(plugin::Args),
    #[command(hide = true)]
    #[expect(
        missing_docs,
        reason = "a comment here would replace the one of the arguments"
    )]
    CompilePlugin(compile_plugin::Args),
}

/// How a command ended, as the shell sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All was done.
    Complete,
    /// Something failed.
    Failed,
    /// The arguments make no sense.
    Usage,
    /// There was nothing to do.
    Nothing,
    /// All was done, but a plugin took more than its share.
    OverBudget,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Complete => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Nothing | Exit::OverBudget => 3,
        })
    }
}
