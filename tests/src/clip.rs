//! Real pictures: ffmpeg's test source, encoded and taken apart into access units as a depacketizer
//! would hand them out.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use trackmill::bitstream::{av1, h264, h265};
use trackmill::media::{AccessUnit, Codec, Integrity, Pts};

use crate::probe;

/// An H.264 keyframe with parameter sets of 16 × 16 pixels in Baseline, and a slice that nobody
/// decodes: for tests that look at the file and not at the picture.
pub const TINY_KEYFRAME: &[u8] =
    b"\0\0\0\x15\x67\x42\xc0\x0a\xda\x7b\x01\x10\0\0\x03\0\x10\0\0\x03\
    \x03\xc0\xf1\x22\x6a\0\0\0\x04\x68\xce\x0f\xc8\0\0\0\x02\x65\x88";

/// What to encode. A keyframe comes each second, with its parameter sets.
#[derive(Clone, Copy, Debug)]
pub struct Clip {
    /// H.264, H.265 or AV1.
    pub codec: Codec,
    /// Columns and rows.
    pub size: (u32, u32),
    /// How many pictures, at 30 a second.
    pub frames: u32,
    /// How many B-frames may follow each other.
    pub b_frames: u32,
}

impl Clip {
    /// Two and a half seconds of 320 × 180 as a WebRTC encoder would make them.
    pub const fn of(codec: Codec) -> Self {
        Self {
            codec,
            size: (320, 180),
            frames: 75,
            b_frames: 0,
        }
    }

    /// The access units in the order of decoding; the first picture is shown at 0.
    ///
    /// # Errors
    /// ffmpeg or ffprobe is missing or fails.
    pub fn access_units(self) -> anyhow::Result<Vec<AccessUnit>> {
        let folder = tempfile::tempdir()?;
        let encoded = folder.path().join("encoded.mp4");
        let stream = folder.path().join("stream");
        self.encode(&encoded)?;
        self.extract(&encoded, &stream)?;
        let pictures = self.split(&std::fs::read(stream)?)?;
        let times = presentation_times(&encoded)?;
        ensure!(pictures.len() == times.len(), "one time for each picture");
        let first = times.iter().map(|(pts, _)| *pts).min().unwrap_or(0);
        let units = times
            .iter()
            .zip(pictures)
            .map(|((pts, is_keyframe), data)| AccessUnit {
                pts: Pts((pts - first).unsigned_abs()),
                is_keyframe: *is_keyframe,
                integrity: Integrity::Whole,
                data,
            });
        Ok(units.collect())
    }

    fn encode(self, path: &Path) -> anyhow::Result<()> {
        let (width, height) = self.size;
        let source = format!("testsrc2=size={width}x{height}:rate=30");
        let frames = self.frames.to_string();
        let b_frames = self.b_frames.to_string();
        let quiet = format!("log-level=error:bframes={b_frames}:scenecut=0");
        let encoder = match self.codec {
            Codec::H265 => vec!["libx265", "-preset", "ultrafast", "-x265-params", &quiet],
            Codec::Av1 => vec!["libaom-av1", "-cpu-used", "8", "-usage", "realtime"],
            _ => vec!["libx264", "-preset", "ultrafast", "-bf", &b_frames],
        };
        let arguments = [
            "-f",
            "lavfi",
            "-i",
            &source,
            "-frames:v",
            &frames,
            "-g",
            "30",
        ]
        .into_iter()
        .chain([
            "-pix_fmt",
            "yuv420p",
            "-video_track_timescale",
            "90000",
            "-c:v",
        ])
        .chain(encoder)
        .map(Path::new);
        probe::ffmpeg(arguments.chain([path]))
    }

    /// Writes the bare stream: with parameter sets at each keyframe and delimiters in front of each
    /// picture, or in IVF frames.
    fn extract(self, from: &Path, to: &Path) -> anyhow::Result<()> {
        let (filters, format) = match self.codec {
            Codec::H265 => ("hevc_mp4toannexb,hevc_metadata=aud=insert", "hevc"),
            Codec::Av1 => ("null", "ivf"),
            _ => ("h264_mp4toannexb,h264_metadata=aud=insert", "h264"),
        };
        let arguments = ["-c", "copy", "-bsf:v", filters, "-f", format].map(Path::new);
        probe::ffmpeg(
            [Path::new("-i"), from]
                .into_iter()
                .chain(arguments)
                .chain([to]),
        )
    }

    fn split(self, stream: &[u8]) -> anyhow::Result<Vec<Bytes>> {
        match self.codec {
            Codec::H265 => Ok(split_annex_b(stream, |header| {
                h265::NalType::of(header) == h265::NalType::AccessUnitDelimiter
            })),
            Codec::Av1 => split_ivf(stream),
            _ => Ok(split_annex_b(stream, |header| {
                h264::NalType::of(header) == h264::NalType::AccessUnitDelimiter
            })),
        }
    }
}

/// For each picture in the order of decoding: ticks, and whether it is a keyframe.
fn presentation_times(path: &Path) -> anyhow::Result<Vec<(i64, bool)>> {
    let output = probe::run(
        Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-show_entries",
                "packet=pts,flags",
                "-of",
                "csv=p=0",
            ])
            .arg(path),
    )?;
    let text = String::from_utf8(output.stdout)?;
    text.lines()
        .map(|line| {
            let (pts, flags) = line.split_once(',').context("two columns")?;
            Ok((pts.parse()?, flags.contains('K')))
        })
        .collect()
}

/// NAL units behind start codes → access units of NAL units behind lengths, without delimiters.
fn split_annex_b(stream: &[u8], is_delimiter: impl Fn(u8) -> bool) -> Vec<Bytes> {
    let mut units: Vec<BytesMut> = Vec::new();
    for nal in nal_units(stream) {
        match (nal.first(), units.last_mut()) {
            (Some(header), _) if is_delimiter(*header) => units.push(BytesMut::new()),
            (Some(_), Some(unit)) => {
                unit.put_u32(nal.len().try_into().expect("a NAL unit is short"));
                unit.put_slice(nal);
            }
            _ => {}
        }
    }
    units.into_iter().map(BytesMut::freeze).collect()
}

fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(stream);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let end = bytes.windows(3).position(|window| window == [0, 0, 1]);
        let (nal, behind) = bytes.split_at(end.unwrap_or(bytes.len()));
        rest = end.and_then(|_| behind.get(3..));
        // A start code may have four bytes, and a NAL unit never ends in zero.
        Some(nal.strip_suffix(&[0]).unwrap_or(nal))
    })
}

/// IVF: a head of 32 bytes, then frames behind their size and time.
fn split_ivf(stream: &[u8]) -> anyhow::Result<Vec<Bytes>> {
    let mut rest = stream.get(32..).context("IVF has a head")?;
    let mut units = Vec::new();
    while let Some((head, behind)) = rest.split_first_chunk::<12>() {
        let [a, b, c, d, ..] = *head;
        let len = u32::from_le_bytes([a, b, c, d]).try_into()?;
        let (frame, next) = behind.split_at_checked(len).context("IVF is whole")?;
        let wanted = av1::obus(frame).filter(|obu| obu.kind != av1::ObuType::TemporalDelimiter);
        units.push(wanted.flat_map(|obu| obu.bytes).copied().collect());
        rest = next;
    }
    Ok(units)
}
