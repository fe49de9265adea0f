//! Tracks to publish, and what files hold of them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use ogg::PacketReader;
use tempfile::NamedTempFile;
use trackmill_room::media::Media;
use trackmill_room::publisher::{History, Publisher, SentPacket, Source, TrackSid, TrackSpec};
use trackmill_tests::{deadline, elementary, probe};

/// A committed clip.
pub(crate) fn media(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data/media")
        .join(name)
}

/// A track that plays a committed clip and remembers every packet.
pub(crate) fn track(name: &str) -> anyhow::Result<TrackSpec> {
    let media = Media::open(media(name))?;
    let is_video = media.codec.is_video();
    Ok(TrackSpec {
        name: name.to_owned(),
        source: if is_video {
            Source::Camera
        } else {
            Source::Microphone
        },
        media,
        speed: 1.0,
        history: History::Packets,
    })
}

/// Waits until a track has sent this many packets more.
pub(crate) async fn send(publisher: &Publisher, sid: &TrackSid, more: usize) -> anyhow::Result<()> {
    let wanted = publisher.sent(sid).await?.len() + more;
    deadline::found(format_args!("{wanted} packets of {sid}"), async || {
        let sent = publisher.sent(sid).await;
        sent.map_or(Some(false), |sent| (sent.len() >= wanted).then_some(true))
    })
    .await
    .then_some(())
    .context("the publisher's session ended")
}

/// Compares a file with what was sent, from the file's first packet on: in order, none missing, none
/// changed.
pub(crate) fn compare_opus(file: &Path, sent: &[SentPacket]) -> anyhow::Result<Comparison> {
    let recorded = opus_packets(file)?;
    let of_publisher = recorded.iter().filter(|packet| !is_filler(packet)).count();
    let first = sent.len().checked_sub(of_publisher);
    let first = first.context("more packets recorded than sent")?;
    let mut expected = (first..).zip(&sent[first..]).peekable();
    let mut holes = Vec::new();
    for packet in &recorded {
        if is_filler(packet) {
            holes.push(expected.peek().map_or(sent.len(), |(index, _)| *index));
        } else if let Some((index, sent)) = expected.next() {
            ensure!(
                *packet == sent.payload,
                "packet {index} of {:?} is another one",
                sent.at
            );
        }
    }
    holes.dedup();
    Ok(Comparison { first, holes })
}

/// What of the packets sent is in a file.
pub(crate) struct Comparison {
    /// The index of the first one.
    pub(crate) first: usize,
    /// Before which ones the file has fillers, by their index.
    pub(crate) holes: Vec<usize>,
}

/// Fails unless the file plays as long as it took to send what is in it, give or take 100 ms.
pub(crate) fn lasts_as_sent(file: &Path, sent: &[SentPacket]) -> anyhow::Result<()> {
    let (first, last) = (sent.first(), sent.last());
    let (first, last) = first.zip(last).context("something was sent")?;
    lasts(file, last.at.duration_since(first.at)?)
}

/// Fails unless the file plays this long, give or take 100 ms.
pub(crate) fn lasts(file: &Path, expected: Duration) -> anyhow::Result<()> {
    let probed = probe::ffprobe(file)?;
    let seconds = probed["format"]["duration"]
        .as_str()
        .context("a duration")?;
    let duration = Duration::from_secs_f64(seconds.parse()?);
    let is_near = duration.abs_diff(expected) <= Duration::from_millis(100);
    ensure!(
        is_near,
        "{} lasts {duration:?}, not {expected:?}",
        file.display()
    );
    Ok(())
}

/// The packets of an Ogg file behind its two headers.
pub(crate) fn opus_packets(file: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut reader = PacketReader::new(File::open(file)?);
    let mut packets = Vec::new();
    while let Some(packet) = reader.read_packet()? {
        packets.push(packet.data);
    }
    ensure!(packets.len() > 2, "{} has no sound", file.display());
    Ok(packets.split_off(2))
}

/// Silence and concealment have three bytes and one; no packet of the clip is that short.
fn is_filler(packet: &[u8]) -> bool {
    packet.len() <= 3
}

/// The frames of a WebM file, as ffmpeg reads it.
pub(crate) fn ivf_frames(file: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    elementary::split_ivf(&elementary_stream(file, "null", "ivf")?)
}

/// The stream of a file without the container, as ffmpeg reads it.
pub(crate) fn elementary_stream(
    file: &Path,
    filter: &str,
    format: &str,
) -> anyhow::Result<Vec<u8>> {
    let stream = NamedTempFile::new()?;
    let arguments = ["-c", "copy", "-bsf:v", filter, "-f", format].map(Path::new);
    let input = [Path::new("-i"), file];
    probe::ffmpeg(input.into_iter().chain(arguments).chain([stream.path()]))?;
    Ok(std::fs::read(stream.path())?)
}
