//! The tone by which the example `redact` replaces what is not to be heard.

use std::ops::Range;
use std::path::Path;

use crate::inspect;

/// The left channel of an Ogg file at 48 kHz, by opusdec.
///
/// # Errors
/// opusdec is missing, or refuses the file.
pub fn heard(path: &Path) -> anyhow::Result<Vec<i16>> {
    let samples = inspect::opusdec(path)?.into_iter();
    Ok(samples.map(|[left, _]| left).collect())
}

/// Whether a stretch, in seconds, is nothing but a tone of 1 kHz at a tenth of the full scale.
///
/// # Panics
/// The sound ends before the stretch.
#[must_use]
pub fn is_bleep(heard: &[i16], stretch: Range<f64>) -> bool {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a recording of some seconds"
    )]
    let place = |seconds: f64| (seconds * 48_000.0) as usize;
    let part = heard.get(place(stretch.start)..place(stretch.end));
    let part = part.expect("the recording is that long");
    part.chunks_exact(4_800).all(|tenth| {
        let crossings = tenth
            .windows(2)
            .filter(|pair| matches!(pair, [a, b] if (*a < 0) != (*b < 0)));
        let level = rms(tenth);
        (198..=202).contains(&crossings.count()) && (0.08..0.12).contains(&level)
    })
}

fn rms(samples: &[i16]) -> f64 {
    let squares = samples
        .iter()
        .map(|sample| (f64::from(*sample) / 32_768.0).powi(2));
    (squares.sum::<f64>() / samples.len() as f64).sqrt()
}
