//! `trackmill plugin new`: a plugin that builds at once, from an empty folder.

mod project;
mod sample;
mod sdk;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::command::Exit;
use sdk::Sdk;

/// Make a folder with a plugin that builds at once: source, test, sample sound, settings.
///
/// Without --sdk, a plugin in Rust gets the SDK that this trackmill carries as a folder of its own, so
/// that it builds anywhere and fits this version.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Folder to make, which the plugin is named after: lower-case letters, digits and hyphens
    #[arg(value_name = "NAME", value_parser = folder)]
    folder: PathBuf,
    /// Only look at sound and events, and never change them
    #[arg(long)]
    inspector: bool,
    /// Language
    #[arg(long, value_name = "LANGUAGE", default_value = "rust")]
    lang: Language,
    /// Rust: take the SDK from this folder, or this version from the package registry
    #[arg(long, value_name = "PATH|VERSION", value_parser = sdk::parse)]
    sdk: Option<Sdk>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Language {
    Rust,
    C,
    Js,
}

impl Args {
    fn name(&self) -> &str {
        let name = self.folder.file_name().and_then(OsStr::to_str);
        name.expect("the parser of the argument saw a name")
    }
}

/// A file of a new plugin: where in the folder, and what is in it.
#[derive(Debug)]
struct File {
    path: PathBuf,
    contents: Vec<u8>,
}

impl File {
    fn new(path: impl Into<PathBuf>, contents: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            contents: contents.into(),
        }
    }
}

/// Makes the folder, and says what to do next.
///
/// # Errors
///
/// The folder exists already, or cannot be written.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    let folder = args.folder.display();
    if args.folder.exists() {
        bail!("{folder} exists already: choose another name, or remove it");
    }
    for file in project::files(args) {
        write(&args.folder.join(&file.path), &file.contents)?;
    }
    let name = args.name();
    writeln!(
        std::io::stdout(),
        "{folder}/ is a plugin. Next:\n\n  cd {folder}\n  trackmill plugin build\n  \
         trackmill plugin run {name}.wasm sample.wav out.wav --config config.json"
    )?;
    Ok(Exit::Complete)
}

fn write(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    let failed = || path.display().to_string();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(failed)?;
    }
    fs::write(path, contents).with_context(failed)
}

/// Ends in a name that cargo, npm and a file all take.
fn folder(text: &str) -> Result<PathBuf, &'static str> {
    let folder = PathBuf::from(text);
    let name = folder
        .file_name()
        .and_then(OsStr::to_str)
        .unwrap_or_default();
    let starts_well = name.starts_with(|first: char| first.is_ascii_lowercase());
    let fits =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if starts_well && name.chars().all(fits) && name.len() <= 64 {
        Ok(folder)
    } else {
        Err("expected lower-case letters, digits and hyphens, a letter first, such as my-filter")
    }
}
