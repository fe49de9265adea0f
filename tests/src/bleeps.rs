//! The tone by which the example `redact` replaces what is not to be heard.

use std::ops::Range;
use std::path::Path;

use anyhow::Context as _;

use crate::inspect;

/// The left channel of an Ogg file at 48 kHz, by opusdec.
///
/// # Errors
/// opusdec is missing, or refuses the file.
pub fn heard(path: &Path) -> anyhow::Result<Vec<i16>> {
    let samples = inspect::opusdec(path)?.into_iter();
    Ok(samples.map(|[left, _]| left).collect())
}

/// Of every tenth of a second in a stretch, in milliseconds, whether it is a tone of 1 kHz at a tenth of the
/// full scale.
///
/// # Errors
/// The sound ends before the stretch.
pub fn bleeps(heard: &[i16], stretch: Range<usize>) -> anyhow::Result<Vec<bool>> {
    let part = heard.get(stretch.start * SAMPLES_PER_MS..stretch.end * SAMPLES_PER_MS);
    let part = part.context("the sound ends before")?;
    Ok(part
        .chunks_exact(100 * SAMPLES_PER_MS)
        .map(is_bleep)
        .collect())
}

fn is_bleep(tenth: &[i16]) -> bool {
    let signs: Vec<_> = tenth.iter().map(|sample| *sample < 0).collect();
    let crossings = signs.chunk_by(|one, next| one == next).count();
    let level = rms(tenth);
    (198..=202).contains(&crossings) && (0.08..0.12).contains(&level)
}

fn rms(samples: &[i16]) -> f64 {
    let squares = samples
        .iter()
        .map(|sample| (f64::from(*sample) / 32_768.0).powi(2));
    (squares.sum::<f64>() / samples.len() as f64).sqrt()
}

const SAMPLES_PER_MS: usize = 48;
