//! The programs that judge our files (media.md §11). A missing program fails the test.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, ensure};
use serde_json::Value;

/// What ffprobe says about a file: `streams` with counted frames, `format` and `packets`.
///
/// # Errors
/// ffprobe is missing, or refuses the file.
pub fn ffprobe(path: &Path) -> anyhow::Result<Value> {
    let sections = ["-show_streams", "-show_format", "-show_packets"];
    let output = run(Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-of", "json"])
        .args(sections)
        .arg(path))?;
    serde_json::from_slice(&output.stdout).context("ffprobe did not print JSON")
}

/// Width and height of the last picture that ffprobe decodes.
///
/// # Errors
/// ffprobe is missing, or refuses the file.
pub fn last_picture(path: &Path) -> anyhow::Result<(u32, u32)> {
    let output = run(Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0", "-show_frames"])
        .args(["-show_entries", "frame=width,height", "-of", "csv=p=0"])
        .arg(path))?;
    let text = String::from_utf8(output.stdout)?;
    let last = text.lines().rev().find_map(|line| line.split_once(','));
    let (width, height) = last.context("ffprobe shows no picture")?;
    Ok((width.parse()?, height.trim_end_matches(',').parse()?))
}

/// Decodes every frame with ffmpeg, which stops at the first error, and counts them.
///
/// # Errors
/// ffmpeg is missing or found anything to complain about.
pub fn decode(path: &Path) -> anyhow::Result<u64> {
    let output = run(Command::new("ffmpeg")
        .args(["-v", "error", "-xerror", "-err_detect", "explode", "-i"])
        .arg(path)
        .args([
            "-map",
            "0",
            "-fps_mode",
            "passthrough",
            "-f",
            "framecrc",
            "-",
        ]))?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    ensure!(complaints.is_empty(), "ffmpeg complains: {complaints}");
    let lines = String::from_utf8(output.stdout).context("framecrc is text")?;
    let frames = lines.lines().filter(|line| !line.starts_with('#')).count();
    Ok(frames.try_into()?)
}

/// What mediainfo says about a file: one object a track under `/media/track`.
///
/// # Errors
/// mediainfo is missing, or refuses the file.
pub fn mediainfo(path: &Path) -> anyhow::Result<Value> {
    let output = run(Command::new("mediainfo").arg("--Output=JSON").arg(path))?;
    serde_json::from_slice(&output.stdout).context("mediainfo did not print JSON")
}

/// Runs ffmpeg quietly, to make test material.
///
/// # Errors
/// ffmpeg is missing or fails.
pub fn ffmpeg<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> anyhow::Result<()> {
    run(Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y"])
        .args(arguments))
    .map(drop)
}

/// Runs a program that must be there and succeed.
///
/// # Errors
/// It is missing (`make setup` installs it) or fails; the message holds what it printed.
pub fn run(command: &mut Command) -> anyhow::Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot run {program}; `make setup` installs it"))?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} failed: {complaints}");
    Ok(output)
}
