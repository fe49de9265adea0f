//! What a file holds of what was published: packet by packet for Opus, picture by picture for
//! video.

use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use ogg::PacketReader;
use serde_json::Value;
use tempfile::NamedTempFile;
use trackmill_room::publisher::SentPacket;

use crate::elementary::{split_annex_b, split_ivf};
use crate::probe;

/// Where the file's runs of packets are in what was sent: each run is in the order of sending, none
/// missing, none changed. Between two runs the file has fillers.
///
/// # Errors
/// The file has something that was not sent like that, or cannot be read.
pub fn opus_runs(file: &Path, sent: &[SentPacket]) -> anyhow::Result<Vec<Range<usize>>> {
    let recorded = opus_packets(file)?;
    let runs = recorded
        .split(|packet| is_filler(packet))
        .filter(|run| !run.is_empty());
    let mut rest = sent;
    let mut found = Vec::new();
    // The clip is played in a loop; a run is its last occurrence before the next run.
    for run in runs.rev() {
        let is_run = |sent: &[SentPacket]| sent.iter().map(|sent| &sent.payload).eq(run);
        let start = rest.windows(run.len()).rposition(is_run);
        let start = start.with_context(|| {
            format!(
                "{} packets in {} were not sent like that",
                run.len(),
                file.display()
            )
        })?;
        found.insert(0, start..start + run.len());
        rest = rest.split_at(start).0;
    }
    Ok(found)
}

/// Fails unless the file plays as long as it took to send what is in it, give or take 100 ms.
///
/// # Errors
/// It does not, or ffprobe refuses it.
pub fn lasts_as_sent(file: &Path, sent: &[SentPacket]) -> anyhow::Result<()> {
    let (first, last) = (sent.first(), sent.last());
    let (first, last) = first.zip(last).context("something was sent")?;
    lasts(file, last.at.duration_since(first.at)?)
}

/// How long ffprobe says that a file plays.
///
/// # Errors
/// ffprobe refuses it.
pub fn duration(file: &Path) -> anyhow::Result<Duration> {
    let probed = probe::ffprobe(file)?;
    let seconds = probed.pointer("/format/duration").and_then(Value::as_str);
    let seconds = seconds.context("a duration")?;
    Ok(Duration::from_secs_f64(seconds.parse()?))
}

/// The packets of an Ogg file behind its two headers.
///
/// # Errors
/// It is no Ogg file, or has no packets.
pub fn opus_packets(file: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut reader = PacketReader::new(File::open(file)?);
    let mut packets = Vec::new();
    while let Some(packet) = reader.read_packet()? {
        packets.push(packet.data);
    }
    ensure!(packets.len() > 2, "{} has no sound", file.display());
    Ok(packets.split_off(2))
}

/// The frames of a WebM file, as ffmpeg reads it.
///
/// # Errors
/// ffmpeg refuses it.
pub fn ivf_frames(file: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    split_ivf(&elementary_stream(file, "null", "ivf")?)
}

/// The stream of a file without the container, as ffmpeg reads it.
///
/// # Errors
/// ffmpeg refuses it.
pub fn elementary_stream(file: &Path, filter: &str, format: &str) -> anyhow::Result<Vec<u8>> {
    let stream = NamedTempFile::new()?;
    let arguments = ["-c", "copy", "-bsf:v", filter, "-f", format].map(Path::new);
    let input = [Path::new("-i"), file];
    probe::ffmpeg(input.into_iter().chain(arguments).chain([stream.path()]))?;
    Ok(std::fs::read(stream.path())?)
}

/// Joins the payloads of each picture; `strip` takes the payload descriptor away.
#[must_use]
pub fn pictures(packets: &[SentPacket], strip: fn(&[u8]) -> Vec<u8>) -> Vec<Vec<u8>> {
    let pictures = packets.split_inclusive(|packet| packet.marker);
    let join = |packets: &[SentPacket]| {
        packets
            .iter()
            .flat_map(|packet| strip(&packet.payload))
            .collect()
    };
    pictures.map(join).collect()
}

/// The slices of an Annex B stream: a picture each in our clip.
#[must_use]
pub fn slices(stream: &[u8]) -> Vec<Vec<u8>> {
    let nals = split_annex_b(stream, |_| true);
    nals.into_iter()
        .flatten()
        .filter(|nal| is_slice(nal))
        .collect()
}

/// The slices that were sent, put together again (RFC 6184 §5.6, §5.8). Not those of the clip: a
/// publisher that runs late passes packets over.
///
/// # Panics
/// A fragment came before the first of its slice.
#[must_use]
pub fn sent_slices(packets: &[SentPacket]) -> Vec<Vec<u8>> {
    let mut nals: Vec<Vec<u8>> = Vec::new();
    for packet in packets {
        match &packet.payload[..] {
            [indicator, head, body @ ..] if indicator & 0x1f == FRAGMENT => {
                if head & 0x80 != 0 {
                    nals.push(vec![indicator & 0xe0 | head & 0x1f]);
                }
                let nal = nals.last_mut().expect("a fragment follows its first");
                nal.extend_from_slice(body);
            }
            // Parameter sets are aggregated; slices of our clip are not.
            nal => nals.push(nal.to_vec()),
        }
    }
    nals.retain(|nal| is_slice(nal));
    nals
}

/// Fails unless the file plays this long, give or take 100 ms.
///
/// # Errors
/// It does not, or ffprobe refuses it.
pub fn lasts(file: &Path, expected: Duration) -> anyhow::Result<()> {
    let duration = duration(file)?;
    let is_near = duration.abs_diff(expected) <= Duration::from_millis(100);
    ensure!(
        is_near,
        "{} lasts {duration:?}, not {expected:?}",
        file.display()
    );
    Ok(())
}

/// Silence and concealment have three bytes and one; no packet of the clip is that short.
#[must_use]
pub fn is_filler(packet: &[u8]) -> bool {
    packet.len() <= 3
}

fn is_slice(nal: &[u8]) -> bool {
    nal.first()
        .is_some_and(|header| matches!(header & 0x1f, 1 | 5))
}

/// FU-A.
const FRAGMENT: u8 = 28;
