//! `trackmill plugin …` as a child process, as its users run it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

use crate::recorder;

/// How it ended and what it said.
#[derive(Clone, Debug)]
pub struct Said {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Said {
    /// What it printed last, as JSON: its report. The path is that of a part, `/plugins/0`.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn report(&self, path: &str) -> Value {
        let line = self.stdout.lines().last().expect("a line");
        let value: Value = serde_json::from_str(line).expect("JSON");
        let part = value.pointer(path);
        part.unwrap_or_else(|| panic!("no {path} in {line}"))
            .clone()
    }
}

/// Runs it in a folder, and waits for it. The environment does not count.
///
/// # Errors
/// The binary cannot be built or run, or does not print text.
pub fn run<A: AsRef<OsStr>>(
    folder: &Path,
    arguments: impl IntoIterator<Item = A>,
) -> anyhow::Result<Said> {
    let mut command = Command::new(recorder::binary()?);
    let command = command.arg("plugin").args(arguments).current_dir(folder);
    let output = command.env_remove("TRACKMILL_LOG").output();
    let output = output.context("trackmill does not run")?;
    Ok(Said {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    })
}
