//! Programs that look at every page, block and element, and complain where players would not.

use std::path::Path;
use std::process::Command;

use anyhow::ensure;

use crate::probe::run;

/// What opusinfo prints about an Ogg file.
///
/// # Errors
/// opusinfo is missing, or warns of anything.
pub fn opusinfo(path: &Path) -> anyhow::Result<String> {
    inspect(Command::new("opusinfo").arg(path))
}

/// What mkvinfo prints about every element of a WebM file.
///
/// # Errors
/// mkvinfo is missing, or warns of anything.
pub fn mkvinfo(path: &Path) -> anyhow::Result<String> {
    let text = inspect(Command::new("mkvinfo").args(["--all"]).arg(path))?;
    ensure!(!text.contains("Unknown element"), "mkvinfo: {text}");
    Ok(text)
}

/// The samples at 48 kHz, two channels, that opusdec makes of an Ogg file.
///
/// # Errors
/// opusdec is missing, or refuses the file.
pub fn opusdec(path: &Path) -> anyhow::Result<Vec<[i16; 2]>> {
    let decoded = run(Command::new("opusdec")
        .args([
            "--quiet",
            "--rate",
            "48000",
            "--force-stereo",
            "--no-dither",
        ])
        .arg(path)
        .arg("-"))?;
    let frames = decoded.stdout.chunks_exact(4);
    Ok(frames
        .filter_map(|frame| frame.first_chunk())
        .map(|[a, b, c, d]| [i16::from_le_bytes([*a, *b]), i16::from_le_bytes([*c, *d])])
        .collect())
}

fn inspect(command: &mut Command) -> anyhow::Result<String> {
    let output = run(command)?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lower = text.to_lowercase();
    ensure!(
        !lower.contains("warning") && !lower.contains("error"),
        "{command:?} complains: {text}"
    );
    Ok(text)
}
