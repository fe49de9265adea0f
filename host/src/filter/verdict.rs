use super::{FilterError, Verdict};
use crate::media::AudioBlock;

/// What a filter made of a block must be as long, and sound.
pub(super) fn check(
    verdict: Verdict,
    block: &AudioBlock,
    values: usize,
) -> Result<Verdict, FilterError> {
    if verdict != Verdict::Changed {
        return Ok(verdict);
    }
    if block.samples.len() != values {
        let found = block.samples.len();
        let reason = format!("{found} values came out of a block of {values}");
        return Err(FilterError::Fatal(reason));
    }
    if block.samples.iter().any(|sample| !sample.is_finite()) {
        let reason = "a sample that came out is not a number, or infinite";
        return Err(FilterError::Fatal(reason.into()));
    }
    Ok(verdict)
}
