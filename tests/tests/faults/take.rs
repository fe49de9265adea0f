//! What a recorder left behind, beside what was sent.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use trackmill::egress::manifest::{Manifest, SeamReason, Status};
use trackmill::sink::path;
use trackmill_room::publisher::SentPacket;
use trackmill_tests::passthrough::{is_filler, ivf_frames, opus_packets, opus_runs, pictures};
use trackmill_tests::probe;
use trackmill_tests::recorder::Recorded;

/// A file and its manifest.
pub(super) struct Take {
    pub(super) path: PathBuf,
    pub(super) manifest: Manifest,
}

/// The files of a recorder for which all went well.
pub(super) fn takes(recorded: &Recorded) -> anyhow::Result<Vec<Take>> {
    let files = recorded.complete()?.into_iter();
    files.map(Take::read).collect()
}

/// The only file of a recorder for which all went well.
pub(super) fn only_take(recorded: &Recorded) -> anyhow::Result<Take> {
    Take::read(recorded.only_file()?)
}

impl Take {
    /// Reads a manifest, and decodes its file without an error.
    pub(super) fn read(path: PathBuf) -> anyhow::Result<Self> {
        let text = std::fs::read(path::manifest(&path))?;
        let manifest = Manifest::from_json(&text)?;
        ensure!(manifest.status == Status::Complete, "{manifest:?}");
        ensure!(manifest.bytes == path.metadata()?.len(), "{manifest:?}");
        probe::decode(&path)?;
        Ok(Self { path, manifest })
    }

    /// Fails unless a file of sound holds every packet up to the last that was sent, with nothing
    /// between, before or behind them, and says so.
    pub(super) fn holds_all_sound(&self, sent: &[SentPacket]) -> anyhow::Result<()> {
        let runs = opus_runs(&self.path, sent)?;
        ensure!(runs.len() == 1, "{runs:?} of {}", sent.len());
        ensure!(runs[0].end == sent.len(), "{runs:?} of {}", sent.len());
        self.lost_nothing()?;
        ensure!(
            self.media_packets() == runs[0].len() as u64,
            "{runs:?}: {:?}",
            self.manifest
        );
        self.lasts(&sent[runs[0].clone()], Duration::from_millis(20))
    }

    /// Fails unless a file of VP8 holds every picture up to the last that was sent, and says so.
    pub(super) fn holds_all_pictures(&self, sent: &[SentPacket]) -> anyhow::Result<()> {
        let sent = vp8_pictures(sent);
        let frames = ivf_frames(&self.path)?;
        ensure!(
            sent.ends_with(&frames),
            "{} frames of {}",
            frames.len(),
            sent.len()
        );
        self.lost_nothing()?;
        ensure!(
            self.manifest.units.written == frames.len() as u64,
            "{:?}",
            self.manifest
        );
        Ok(())
    }

    /// Fails unless the last pictures of a file of VP8 are the last that were sent.
    pub(super) fn ends_with_pictures(
        &self,
        sent: &[SentPacket],
        count: usize,
    ) -> anyhow::Result<()> {
        let sent = vp8_pictures(sent);
        let frames = ivf_frames(&self.path)?;
        ensure!(
            frames.len() >= count && sent.len() >= count,
            "{} frames",
            frames.len()
        );
        let last = &sent[sent.len() - count..];
        ensure!(
            frames.ends_with(last),
            "{} frames end otherwise",
            frames.len()
        );
        Ok(())
    }

    /// Where in what was sent the sound of the file is, packet by packet. Some may be missing, but
    /// none is out of order, and none was not sent.
    pub(super) fn sound_in(&self, sent: &[SentPacket]) -> anyhow::Result<Vec<usize>> {
        let mut rest = sent;
        let mut found = Vec::new();
        let recorded = opus_packets(&self.path)?;
        // From the end, because the clip is played in a loop and the recorder came later.
        for packet in recorded.iter().rev().filter(|packet| !is_filler(packet)) {
            let index = rest.iter().rposition(|sent| sent.payload == *packet);
            let index = index.context("a packet that was not sent, or not in this order")?;
            found.push(index);
            rest = &rest[..index];
        }
        found.reverse();
        Ok(found)
    }

    /// Fails unless the packets that are not in a file of sound, of those that were sent since it
    /// began, are what the manifest says is lost.
    pub(super) fn counts_what_is_missing(&self, sent: &[SentPacket]) -> anyhow::Result<u64> {
        let found = self.sound_in(sent)?;
        ensure!(
            found.last() == Some(&(sent.len() - 1)),
            "the last packet is missing"
        );
        let since = &sent[found[0]..];
        let missing = (since.len() - found.len()) as u64;
        let Manifest { packets, gaps, .. } = &self.manifest;
        ensure!(
            packets.lost == missing,
            "{missing} are missing: {packets:?}"
        );
        let in_gaps: u64 = gaps.first.iter().map(|gap| gap.packets).sum();
        ensure!(in_gaps == missing, "{missing} are missing: {gaps:?}");
        self.lasts(since, Duration::from_millis(20))?;
        Ok(missing)
    }

    /// Fails unless a file of sound has two runs of what was sent, the second up to the end, and
    /// the stream of another connection behind its only seam.
    pub(super) fn goes_on_behind_a_seam(&self, sent: &[SentPacket]) -> anyhow::Result<()> {
        let runs = opus_runs(&self.path, sent)?;
        let last = runs.last().context("runs")?;
        ensure!(last.end == sent.len(), "{runs:?} of {}", sent.len());
        ensure!(
            total(&runs) == self.media_packets(),
            "{runs:?}: {:?}",
            self.manifest
        );
        let Manifest { packets, seams, .. } = &self.manifest;
        ensure!(packets.lost == 0, "{packets:?}");
        let reasons: Vec<_> = seams.first.iter().map(|seam| seam.reason).collect();
        ensure!(reasons == [SeamReason::Reconnected], "{seams:?}");
        // The seam is where the first packet of the new stream arrived (media.md T4).
        self.lasts(&sent[runs[0].start..], Duration::from_millis(250))
    }

    /// The publisher's packets, all of which came.
    pub(super) const fn media_packets(&self) -> u64 {
        self.manifest.packets.received - self.manifest.packets.injected
    }

    /// Fails unless it plays as long as the media clock of the packets in it says.
    pub(super) fn lasts(&self, sent: &[SentPacket], tolerance: Duration) -> anyhow::Result<()> {
        let (first, last) = sent
            .first()
            .zip(sent.last())
            .context("something was sent")?;
        let ticks = last.timestamp.wrapping_sub(first.timestamp) + OPUS_PACKET;
        let expected = Duration::from_secs(ticks.into()) / OPUS_CLOCK;
        let lasts = self.manifest.duration;
        let is_near = lasts.abs_diff(expected) <= tolerance;
        ensure!(
            is_near,
            "{} lasts {lasts:?}, not {expected:?}",
            self.path.display()
        );
        Ok(())
    }

    fn lost_nothing(&self) -> anyhow::Result<()> {
        let Manifest {
            packets,
            gaps,
            seams,
            ..
        } = &self.manifest;
        ensure!(packets.lost + packets.malformed == 0, "{packets:?}");
        ensure!(gaps.count + seams.count == 0, "{gaps:?}, {seams:?}");
        Ok(())
    }
}

/// The pictures of our VP8, whose payload descriptors have one byte (RFC 7741 §4.2).
pub(super) fn vp8_pictures(sent: &[SentPacket]) -> Vec<Vec<u8>> {
    pictures(sent, |payload| payload[1..].to_vec())
}

/// Whether the runs of a file are one behind the other in what was sent.
pub(super) fn total(runs: &[Range<usize>]) -> u64 {
    runs.iter().map(|run| run.len() as u64).sum()
}

/// Samples at 48 kHz: the clip's packets have 20 ms.
const OPUS_PACKET: u32 = 960;
const OPUS_CLOCK: u32 = 48_000;
