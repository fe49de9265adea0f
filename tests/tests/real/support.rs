//! Tracks to publish, and what files hold of them.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use ogg::PacketReader;
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::time::sleep;
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

/// Sends nothing more of a track, until all that was sent is through.
///
/// The server drops what it takes from its queues after a track was muted or taken back (`PubMute`
/// and `CloseWithFlush` in `pkg/sfu/downtrack.go`), and signalling overtakes media in there. Of 27
/// mutes and 54 unpublishings in full flow, nearly half of them beside four busy loops a core, 12
/// cost a packet or two; the oldest of those had been sent 16 ms before. Behind a settled track
/// nothing is left to be dropped, and a test can demand everything.
pub(crate) async fn settle(publisher: &Publisher, sid: &TrackSid) -> anyhow::Result<()> {
    publisher.hold(sid).await?;
    sleep(ON_THE_WAY).await;
    Ok(())
}

/// Where the file's runs of packets are in what was sent: each run is in the order of sending, none
/// missing, none changed. Between two runs the file has fillers.
pub(crate) fn opus_runs(file: &Path, sent: &[SentPacket]) -> anyhow::Result<Vec<Range<usize>>> {
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
pub(crate) fn lasts_as_sent(file: &Path, sent: &[SentPacket]) -> anyhow::Result<()> {
    let (first, last) = (sent.first(), sent.last());
    let (first, last) = first.zip(last).context("something was sent")?;
    lasts(file, last.at.duration_since(first.at)?)
}

/// Fails unless the file plays this long, give or take 100 ms.
pub(crate) fn lasts(file: &Path, expected: Duration) -> anyhow::Result<()> {
    let duration = duration(file)?;
    let is_near = duration.abs_diff(expected) <= Duration::from_millis(100);
    ensure!(
        is_near,
        "{} lasts {duration:?}, not {expected:?}",
        file.display()
    );
    Ok(())
}

/// How long ffprobe says that a file plays.
pub(crate) fn duration(file: &Path) -> anyhow::Result<Duration> {
    let probed = probe::ffprobe(file)?;
    let seconds = probed.pointer("/format/duration").and_then(Value::as_str);
    let seconds = seconds.context("a duration")?;
    Ok(Duration::from_secs_f64(seconds.parse()?))
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

/// How long anything takes through a server on a loaded machine, and then some.
pub(crate) const ON_THE_WAY: Duration = Duration::from_millis(200);

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
