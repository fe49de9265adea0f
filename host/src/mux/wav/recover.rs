//! Makes a file of sound whole: a WAV header says how much there is.

use std::time::Duration;

use super::header::{Header, MAX, is_wav, padding};
use super::sound::Sound;
use crate::media::AudioFormat;
use crate::mux::Output;
use crate::mux::recovery::{Repair, RepairError, Source, Window};

/// Finds out how much sound there is, in whole samples. Units are counted as 20 ms, because their
/// bounds are not in the file.
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
    let block = u64::from(header.sound().block());
    let rest = source.len() - header.len();
    let whole = [rest, rest.saturating_sub(1)]
        .into_iter()
        .filter(|sound| sound + padding(*sound) == rest && sound.is_multiple_of(block))
        .find(|sound| head.starts_with(&header.with_sound(*sound)));
    let sound = whole.unwrap_or(rest - rest % block);
    if sound == 0 {
        return Err(RepairError::NothingWritten("no sound follows the header"));
    }
    let pad = (padding(sound) == 1).then_some(Output::Append([0][..].into()));
    let patch = Output::PatchHead(header.with_sound(sound));
    let outputs = pad.into_iter().chain([patch]);
    let rate = header.sound().format().rate;
    let samples = sound / block;
    Ok(Repair {
        keep: whole.map_or(header.len() + sound, |_| source.len()),
        outputs: if whole.is_some() {
            Vec::new()
        } else {
            outputs.collect()
        },
        duration: rate.duration(samples),
        units: samples.div_ceil(rate.samples(UNIT)),
    })
}

/// Cuts a raw file of PCM behind its last whole sample. Nothing in the file says how samples are laid
/// out: if `format` is not known, it is cut so that it is whole with one channel or two, and how long
/// it plays and how many units it holds is given as zero. Units are counted as 20 ms.
///
/// # Errors
/// [`RepairError::NothingWritten`] if there is no whole sample.
pub fn recover_raw(
    source: &dyn Source,
    format: Option<AudioFormat>,
) -> Result<Repair, RepairError> {
    let block = format.map_or(STEREO, |format| u64::from(Sound::Pcm(format).block()));
    let samples = source.len() / block;
    if samples == 0 {
        return Err(RepairError::NothingWritten("it holds no whole sample"));
    }
    let rate = format.map(|format| format.rate);
    Ok(Repair {
        keep: samples * block,
        outputs: Vec::new(),
        duration: rate.map_or(Duration::ZERO, |rate| rate.duration(samples)),
        units: rate.map_or(0, |rate| samples.div_ceil(rate.samples(UNIT))),
    })
}

fn refuse(source: &dyn Source) -> RepairError {
    if source.len() < MAX as u64 {
        RepairError::NothingWritten("the header is not whole")
    } else {
        RepairError::UnknownFormat
    }
}

const UNIT: Duration = Duration::from_millis(20);

/// Bytes of a 16-bit sample of two channels.
const STEREO: u64 = 4;
