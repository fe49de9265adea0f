//! `trackmill record --to`: a real livekit-server, and a receiver written in Python.
#![expect(
    clippy::indexing_slicing,
    reason = "a helper that finds less than a test needs fails the test"
)]

mod delay;
mod endings;
mod files;
mod outages;
mod plugins;
mod receivers;
mod sound;

use std::sync::Arc;

use anyhow::Context as _;
use serde_json::Value;
use trackmill_room::publisher::{Publisher, SentPacket, TrackSid};
use trackmill_tests::media::track;
use trackmill_tests::recorder::{self, Recorded, Recorder};
use trackmill_tests::servers::{Heard, LiveKit, Receiver};
use trackmill_tests::sound::Sound;

use crate::support::{send, settle};

/// A track that plays the clip of sound, and a receiver that gets it.
struct Broadcast {
    publisher: Publisher,
    sid: TrackSid,
    receiver: Receiver,
    /// What the receiver was asked for first.
    connected: Value,
    recorder: Recorder,
    _livekit: Arc<LiveKit>,
}

impl Broadcast {
    /// Publishes the clip in a room of its own, and sends it to a receiver with these options.
    async fn begin(room: &str, options: &[&str]) -> anyhow::Result<Self> {
        Self::to(Receiver::start(&[]).await?, room, options).await
    }

    /// … to a receiver of its own kind.
    async fn to(mut receiver: Receiver, room: &str, options: &[&str]) -> anyhow::Result<Self> {
        // What takes long and blocks comes before what must go on.
        recorder::binary()?;
        let livekit = LiveKit::shared().await?;
        let server = livekit.server();
        let publisher = Publisher::join(&server, room, "alice").await?;
        let sid = publisher.publish(track("opus.ogg")?).await?;
        let url = receiver.url();
        let usual = ["--track", &sid.0, "--json", "--to", &url];
        let recorder = Recorder::record(&server, room, &[&usual, options].concat())?;
        let connected = receiver.event("connected").await?;
        receiver.hears(0, 1).await;
        Ok(Self {
            publisher,
            sid,
            connected,
            receiver,
            recorder,
            _livekit: livekit,
        })
    }

    /// Waits until this many packets more are sent.
    async fn send(&self, more: usize) -> anyhow::Result<()> {
        send(&self.publisher, &self.sid, more).await
    }

    /// Sends nothing more, until all that was sent is through.
    async fn settle(&self) -> anyhow::Result<()> {
        settle(&self.publisher, &self.sid).await
    }

    /// Takes the track back, which ends the recording.
    async fn unpublish(self) -> anyhow::Result<Ended> {
        self.publisher.unpublish(&self.sid).await?;
        let sent = self.publisher.sent(&self.sid).await?;
        Ok(Ended {
            recorded: self.recorder.end().await?,
            sent,
            receiver: self.receiver,
        })
    }
}

/// What is left when the track is over.
struct Ended {
    recorded: Recorded,
    sent: Vec<SentPacket>,
    receiver: Receiver,
}

impl Ended {
    /// What trackmill says of it.
    fn manifest(&self) -> anyhow::Result<Value> {
        let Recorded { stdout, stderr, .. } = &self.recorded;
        serde_json::from_str(stdout).with_context(|| format!("{stdout:?}: {stderr}"))
    }
}

/// The packets from the first that is in the sound on.
fn heard_of<'a>(sent: &'a [SentPacket], sound: &Sound) -> anyhow::Result<&'a [SentPacket]> {
    let [run, ..] = &runs(sent)[..] else {
        anyhow::bail!("nothing was sent");
    };
    let all = Sound::of_packets(run, sound.rate, sound.channels)?;
    let frame = usize::try_from(sound.rate)? / 50;
    let beginning = sound.part(0..15 * frame);
    let places = || (0..run.len()).map(|number| number * frame);
    let best = all.find(&beginning, places());
    anyhow::ensure!(best.likeness > 0.9, "{best:?}");
    // The clip is played in a loop: of places that are alike it is the first.
    let is_alike =
        |place: &usize| all.find(&beginning, [*place].into_iter()).likeness > 0.99 * best.likeness;
    let first = places().find(is_alike).unwrap_or(best.place);
    Ok(&sent[first / frame..])
}

/// Packets that follow each other by their timestamps.
fn runs(sent: &[SentPacket]) -> Vec<&[SentPacket]> {
    let follows = |a: &SentPacket, b: &SentPacket| b.timestamp.wrapping_sub(a.timestamp) == PACKET;
    sent.chunk_by(follows).collect()
}

/// Sound of a clip that was received as PCM of 48 kHz and two channels.
fn stereo(heard: &Heard) -> Sound {
    Sound::of_bytes(&heard.sound, 48_000, 2)
}

/// 20 ms at 48 kHz.
const PACKET: u32 = 960;
