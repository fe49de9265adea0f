//! `trackmill plugin build`: from source to a component, whatever the language.

mod c;
mod javascript;
mod rust;

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context, bail};

use crate::command::Exit;

/// Build the plugin of a folder, and say how large it is.
///
/// What lies in the folder says how: Cargo.toml is built by cargo for wasm32-wasip2, package.json by
/// npm and componentize-qjs, and plugin.c by clang. The component lies in the folder afterwards.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Folder of the plugin
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub folder: PathBuf,
    /// The compiler for plugins in C: clang with a wasm32 target, and wasm-ld beside it
    #[arg(long, value_name = "PATH", default_value = "clang")]
    pub clang: PathBuf,
}

/// Builds the plugin and prints where it is.
///
/// # Errors
///
/// What the tool said, or which tool is missing and how to get it.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    let component = build(args)?;
    let bytes = fs::metadata(&component)?.len();
    writeln!(
        std::io::stdout(),
        "{}: {} KiB",
        component.display(),
        bytes.div_ceil(1024)
    )?;
    Ok(Exit::Complete)
}

/// Builds the plugin; returns the path of the component.
///
/// # Errors
///
/// What the tool said, or which tool is missing and how to get it.
pub fn build(args: &Args) -> anyhow::Result<PathBuf> {
    let folder = &args.folder;
    if folder.join("Cargo.toml").is_file() {
        rust::build(folder)
    } else if folder.join("package.json").is_file() {
        javascript::build(folder)
    } else if folder.join("plugin.c").is_file() {
        c::build(folder, &args.clang)
    } else {
        bail!(
            "{} holds no plugin: neither Cargo.toml, package.json nor plugin.c \
             (`trackmill plugin new NAME` makes one)",
            folder.display()
        )
    }
}

/// Runs a tool in a folder, its output for the user to see.
fn tool(command: &mut Command, folder: &Path, remedy: &str) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.current_dir(folder).status();
    succeeded(&name, status, remedy)
}

fn succeeded(name: &str, status: std::io::Result<ExitStatus>, remedy: &str) -> anyhow::Result<()> {
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => bail!("{name} failed: see above"),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("there is no {name} here: {remedy}")
        }
        Err(error) => Err(error).with_context(|| format!("{name} did not start")),
    }
}

/// Where the component of a folder goes: it is called as the folder is.
fn output(folder: &Path) -> anyhow::Result<PathBuf> {
    let whole = folder
        .canonicalize()
        .with_context(|| folder.display().to_string())?;
    let name = whole.file_name().context("the root holds no plugin")?;
    Ok(folder.join(name).with_extension("wasm"))
}
