//! Where the sound goes: a WAV, Ogg or raw file, written by the muxers of the recorder.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use bytes::Bytes;

use crate::codec::encode::{OpusEncoder, Settings};
use crate::codec::resample::Converter;
use crate::codec::sample::to_s16le;
use crate::media::{AccessUnit, AudioFormat, Codec, Integrity, NtpTimestamp, Pts, SampleRate};
use crate::mux::{self, Container, Metadata, Muxer, Output};

/// A file of sound that grows. It gets its name when it is whole, in place of what had it.
#[derive(Debug)]
pub(super) struct SoundWriter {
    draft: PathBuf,
    target: PathBuf,
    file: File,
    muxer: Box<dyn Muxer>,
    coder: Coder,
    format: AudioFormat,
    /// Samples per channel that are in the muxer.
    written: u64,
    /// Samples per channel that came, at the rate they came.
    taken: u64,
}

#[derive(Debug)]
enum Coder {
    /// 16-bit samples.
    Pcm,
    /// Opus, at 48 kHz, in whole frames.
    Opus {
        encoder: Box<OpusEncoder>,
        converter: Box<Converter>,
        pending: Vec<f32>,
    },
}

/// What a file of this name holds.
pub(super) fn container(path: &Path) -> Result<Container, &'static str> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension {
        Some("wav") => Ok(Container::Wav),
        Some("pcm") => Ok(Container::Pcm),
        Some("ogg" | "opus") => Ok(Container::Ogg),
        _ => Err("expected a name that ends in .wav, .ogg or .pcm"),
    }
}

impl SoundWriter {
    /// Begins a file of sound that comes in this format.
    pub(super) fn create(target: &Path, format: AudioFormat) -> anyhow::Result<Self> {
        let container = container(target).map_err(anyhow::Error::msg)?;
        let metadata = metadata();
        let (muxer, coder) = match mux::for_pcm(container, format, &metadata) {
            Some(muxer) => (muxer, Coder::Pcm),
            None => (mux::for_codec(container, metadata), opus(format)?),
        };
        let mut draft = target.as_os_str().to_owned();
        draft.push(".part");
        let draft = PathBuf::from(draft);
        let file = File::create(&draft).with_context(|| draft.display().to_string())?;
        Ok(Self {
            draft,
            target: target.to_owned(),
            file,
            muxer,
            coder,
            format,
            written: 0,
            taken: 0,
        })
    }

    /// Adds interleaved samples behind those that came.
    pub(super) fn write(&mut self, samples: &[f32]) -> anyhow::Result<()> {
        self.taken += (samples.len() / self.format.channels.count()) as u64;
        match &mut self.coder {
            Coder::Pcm => {
                let len = (samples.len() / self.format.channels.count()) as u64;
                self.unit(s16le(samples), len)
            }
            Coder::Opus {
                converter, pending, ..
            } => {
                converter.push(samples, pending);
                self.encode()
            }
        }
    }

    /// Ends the file and gives it its name.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        let end = self.end()?;
        self.muxer.finish(end);
        self.drain()?;
        fs::rename(&self.draft, &self.target).with_context(|| self.target.display().to_string())
    }

    /// Where the sound ends, once all of it is in the muxer.
    fn end(&mut self) -> anyhow::Result<Pts> {
        let ticks = self.format.rate.ticks(self.taken);
        let Coder::Opus {
            encoder,
            converter,
            pending,
        } = &mut self.coder
        else {
            return Ok(Pts(ticks));
        };
        converter.flush(pending);
        // Its last sound comes out behind what the encoder looks ahead.
        let end = ticks + encoder.delay() as u64;
        let left = usize::try_from(end.saturating_sub(self.written)).unwrap_or(0);
        let left = encoder
            .format()
            .values(left.next_multiple_of(encoder.frame()));
        pending.resize(left, 0.0);
        self.encode()?;
        Ok(Pts(end))
    }

    /// Encodes whole frames of what waits.
    fn encode(&mut self) -> anyhow::Result<()> {
        loop {
            let Coder::Opus {
                encoder, pending, ..
            } = &mut self.coder
            else {
                return Ok(());
            };
            let values = encoder.format().values(encoder.frame());
            let Some(frame) = pending.get(..values) else {
                return Ok(());
            };
            let packet = encoder.encode(frame)?;
            let len = encoder.frame() as u64;
            pending.drain(..values);
            self.unit(packet, len)?;
        }
    }

    /// Writes a unit of `len` samples per channel.
    fn unit(&mut self, data: Bytes, len: u64) -> anyhow::Result<()> {
        let rate = match &self.coder {
            Coder::Pcm => self.format.rate,
            Coder::Opus { encoder, .. } => encoder.format().rate,
        };
        let pts = Pts(rate.ticks(self.written));
        self.written += len;
        self.muxer.write(&AccessUnit {
            pts,
            is_keyframe: true,
            integrity: Integrity::Whole,
            data,
        })?;
        self.drain()
    }

    fn drain(&mut self) -> anyhow::Result<()> {
        while let Some(output) = self.muxer.poll_output() {
            let written = match output {
                Output::Append(bytes) => self.file.write_all(&bytes),
                Output::PatchHead(bytes) => self.patch(&bytes),
            };
            written.with_context(|| self.draft.display().to_string())?;
        }
        Ok(())
    }

    fn patch(&mut self, head: &[u8]) -> std::io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(head)?;
        self.file.seek(SeekFrom::End(0))?;
        Ok(())
    }
}

fn opus(from: AudioFormat) -> anyhow::Result<Coder> {
    let to = AudioFormat::new(SampleRate::HZ_48000, from.channels);
    Ok(Coder::Opus {
        encoder: Box::new(OpusEncoder::new(to, Settings::default())?),
        converter: Box::new(Converter::new(from, to)),
        pending: Vec::new(),
    })
}

/// Neither names nor a date: the same sound is the same file.
fn metadata() -> Metadata {
    Metadata {
        codec: Codec::Opus,
        room: String::new(),
        participant: String::new(),
        track: String::new(),
        started_at: NtpTimestamp(0),
    }
}

fn s16le(samples: &[f32]) -> Bytes {
    let mut bytes = Vec::new();
    to_s16le(samples, &mut bytes);
    bytes.into()
}
