//! Makes a WAV file whole: its header says how much sound there is.

use super::header::{Header, MAX, is_wav, padding};
use crate::media::ClockRate;
use crate::mux::Output;
use crate::mux::recovery::{Repair, RepairError, Source, Window};

/// Finds out how much sound there is. Units are counted as 20 ms, because their bounds are not in
/// the file.
///
/// # Errors
/// [`RepairError::UnknownFormat`] if trackmill did not write the file,
/// [`RepairError::NothingWritten`] if the header is torn or no sound follows it.
pub fn recover(source: &dyn Source) -> Result<Repair, RepairError> {
    let mut window = Window::new(source, MAX);
    let head = window.up_to(0, MAX)?;
    if !is_wav(head) {
        return Err(RepairError::UnknownFormat);
    }
    let header = Header::parse(head).ok_or_else(|| refuse(source))?;
    let rest = source.len() - header.len();
    if rest == 0 {
        return Err(RepairError::NothingWritten("no sound follows the header"));
    }
    let whole = [rest, rest - 1]
        .into_iter()
        .filter(|sound| sound + padding(*sound) == rest)
        .find(|sound| head.starts_with(&header.with_sound(*sound)));
    let sound = whole.unwrap_or(rest);
    let pad = (padding(sound) == 1).then_some(Output::Append([0][..].into()));
    let patch = Output::PatchHead(header.with_sound(sound));
    let outputs = pad.into_iter().chain([patch]);
    Ok(Repair {
        keep: source.len(),
        outputs: if whole.is_some() {
            Vec::new()
        } else {
            outputs.collect()
        },
        duration: ClockRate::G711.duration(sound),
        units: sound.div_ceil(UNIT),
    })
}

fn refuse(source: &dyn Source) -> RepairError {
    if source.len() < MAX as u64 {
        RepairError::NothingWritten("the header is not whole")
    } else {
        RepairError::UnknownFormat
    }
}

/// 20 ms.
const UNIT: u64 = 160;
