//! Rust: cargo for `wasm32-wasip2`, whose linker makes components.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

use super::{output, succeeded};

pub(super) fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    check_target(folder)?;
    let component = compile(folder)?;
    let output = output(folder)?;
    fs::copy(&component, &output).with_context(|| output.display().to_string())?;
    Ok(output)
}

/// Cargo's own words for this are a page of "can't find crate for `core`".
fn check_target(folder: &Path) -> anyhow::Result<()> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    let output = rustc.current_dir(folder).output();
    let output = output.with_context(|| format!("there is no rustc here: {INSTALL_RUST}"))?;
    let libraries = String::from_utf8_lossy(&output.stdout);
    if !Path::new(libraries.trim()).is_dir() {
        bail!("Rust cannot compile for {TARGET} yet: run `rustup target add {TARGET}`");
    }
    Ok(())
}

fn compile(folder: &Path) -> anyhow::Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--target", TARGET]);
    cargo.args(["--config", "profile.release.strip=true"]);
    cargo.arg("--message-format=json-render-diagnostics");
    cargo.current_dir(folder).stderr(Stdio::inherit());
    let (status, messages) = match cargo.output() {
        Ok(output) => (Ok(output.status), output.stdout),
        Err(error) => (Err(error), Vec::new()),
    };
    succeeded("cargo", status, INSTALL_RUST)?;
    component(&messages).context(
        "cargo made no component: Cargo.toml needs `[lib]` with `crate-type = [\"cdylib\"]`",
    )
}

/// The component among the messages of cargo: the last one, because dependencies come first.
fn component(messages: &[u8]) -> Option<PathBuf> {
    let messages = serde_json::Deserializer::from_slice(messages).into_iter::<Value>();
    let files = messages.flatten().flat_map(|message| {
        let files = message.get("filenames").and_then(Value::as_array);
        files.cloned().unwrap_or_default()
    });
    files
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .filter(|file| {
            file.extension()
                .is_some_and(|extension| extension == "wasm")
        })
        .last()
}

const TARGET: &str = "wasm32-wasip2";
const INSTALL_RUST: &str = "install Rust by https://rustup.rs";
