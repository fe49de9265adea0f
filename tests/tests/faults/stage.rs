//! A simulated server with one room, and what is done there.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use livekit_protocol::signal_request::Message as Request;
use trackmill_room::media::{Media, MediaPacket};
use trackmill_room::publisher::{TrackSid, TrackSpec};
use trackmill_room::room::SimulatedRoom;
use trackmill_room::sfu::Channel;
use trackmill_room::simulation::{Config, Fault, Message, SubscriberState};
use trackmill_tests::media::track;
use trackmill_tests::recorder::{Recorded, Recorder};
use trackmill_tests::{deadline, probe};

/// A server, the only room on it, and one track in that, of alice.
pub(super) struct Stage {
    pub(super) room: SimulatedRoom,
    /// Alice's.
    pub(super) sid: TrackSid,
}

impl Stage {
    /// Alice plays a committed clip.
    pub(super) async fn with(clip: &str) -> anyhow::Result<Self> {
        Self::of(Config::default(), clip).await
    }

    /// … on a server of its own kind.
    pub(super) async fn of(config: Config, clip: &str) -> anyhow::Result<Self> {
        Self::playing(config, track(clip)?).await
    }

    /// … on a server of its own kind, and something of her own.
    pub(super) async fn playing(config: Config, track: TrackSpec) -> anyhow::Result<Self> {
        let room = SimulatedRoom::start(config).await?;
        let sid = room.publish(ROOM, "alice", track).await?;
        Ok(Self { room, sid })
    }

    /// Starts to record alice's track, until she takes it back.
    pub(super) fn record_track(&self) -> anyhow::Result<Recorder> {
        self.record(&["--track", &self.sid.0])
    }

    /// Starts to record everything, until it is stopped.
    pub(super) fn record_all(&self) -> anyhow::Result<Recorder> {
        self.record(&["--all"])
    }

    /// Starts to record alice's track, and waits for the first of it in the file.
    pub(super) async fn recording(&self) -> anyhow::Result<Recorder> {
        let recorder = self.record_track()?;
        recorder.writes(1).await;
        Ok(recorder)
    }

    /// Starts to record with these options.
    pub(super) fn record(&self, options: &[&str]) -> anyhow::Result<Recorder> {
        Recorder::record(self.room.server(), ROOM, options)
    }

    pub(super) async fn publish(&self, identity: &str, clip: &str) -> anyhow::Result<TrackSid> {
        Ok(self.room.publish(ROOM, identity, track(clip)?).await?)
    }

    /// Somebody who publishes says something to everybody in the room.
    pub(super) async fn say(
        &self,
        sender: &'static str,
        topic: &'static str,
        payload: &'static [u8],
    ) -> anyhow::Result<()> {
        self.publish(sender, "opus.ogg").await?;
        let sent = self.room.with(move |room, now| {
            let message = Message {
                channel: Channel::Reliable,
                topic,
                payload,
            };
            room.send_data(ROOM, Some(sender), message, now)
        });
        ensure!(sent.await?? > 0, "nobody hears it");
        Ok(())
    }

    pub(super) async fn fault(&self, fault: Fault) -> anyhow::Result<()> {
        Ok(self.room.fault(fault).await?)
    }

    /// Waits until alice has sent this many packets more.
    pub(super) async fn sends(&self, more: usize) -> anyhow::Result<()> {
        self.sends_of(&self.sid, more).await
    }

    /// Waits until a track has sent this many packets more.
    pub(super) async fn sends_of(&self, sid: &TrackSid, more: usize) -> anyhow::Result<()> {
        let wanted = self.room.sent(sid).await?.len() + more;
        let enough = async || {
            let sent = self.room.sent(sid).await.ok()?;
            (sent.len() >= wanted).then_some(())
        };
        deadline::found(format!("{wanted} packets of {sid}"), enough).await;
        Ok(())
    }

    /// Alice takes her track back, which ends a recording of it.
    pub(super) async fn end(&self, recorder: Recorder) -> anyhow::Result<Recorded> {
        self.room.unpublish(&self.sid).await?;
        recorder.end().await
    }

    /// Somebody takes a track back; waits until nobody is sent anything of it.
    pub(super) async fn unpublish(&self, sid: &TrackSid) -> anyhow::Result<()> {
        self.room.unpublish(sid).await?;
        self.subscriber(format!("the end of {sid}"), |subscriber| {
            !subscriber.tracks.contains(sid)
        })
        .await;
        Ok(())
    }

    /// Waits until somebody who subscribes is like that.
    pub(super) async fn subscriber(
        &self,
        what: impl std::fmt::Display,
        is_it: impl Fn(&SubscriberState) -> bool,
    ) -> SubscriberState {
        deadline::found(what, async || {
            let subscribers = self.room.subscribers().await.ok()?;
            subscribers.into_iter().find(|subscriber| is_it(subscriber))
        })
        .await
    }

    /// Waits until the recorder has answered an offer in another session.
    pub(super) async fn answers_anew(&self, session: &str) {
        self.subscriber("an answer in another session", |subscriber| {
            let mut requests = subscriber.requests.iter();
            subscriber.sid != session && requests.any(|it| matches!(it, Request::Answer(_)))
        })
        .await;
    }

    /// Waits until the recorder is there with another session, and has been sent some of it.
    pub(super) async fn receives_again(&self, session: &str) -> anyhow::Result<()> {
        self.subscriber("another session", |subscriber| {
            subscriber.sid != session && subscriber.tracks.contains(&self.sid)
        })
        .await;
        self.sends(75).await
    }

    /// The one who subscribes.
    pub(super) async fn recorder(&self) -> anyhow::Result<SubscriberState> {
        let subscribers = self.room.subscribers().await?;
        subscribers
            .into_iter()
            .next()
            .context("somebody subscribes")
    }
}

/// A server that may be taken for dead soon, and does not wait long itself.
pub(super) fn impatient() -> Config {
    Config {
        ping_interval: Duration::from_secs(1),
        ping_timeout: Duration::from_secs(2),
        connect_timeout: Duration::from_secs(1),
        ..Config::default()
    }
}

/// The clip of sound from its middle on, which no short recording of it from the start resembles.
pub(super) fn sounds_otherwise() -> anyhow::Result<TrackSpec> {
    let mut spec = track("opus.ogg")?;
    let Media { codec, packets, .. } = &spec.media;
    let rest = &packets[packets.len() / 2..];
    let shifted = rest.iter().map(|packet| MediaPacket {
        at: packet.at - rest[0].at,
        timestamp: packet.timestamp - rest[0].timestamp,
        ..packet.clone()
    });
    let duration = spec.media.duration - rest[0].at;
    spec.media = Media::new(*codec, shifted.collect(), duration)?;
    Ok(spec)
}

/// Six seconds of pictures of a size, with a keyframe every so many.
pub(super) fn vp8(size: &str, keyframes: u32) -> anyhow::Result<Media> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("pictures.ivf");
    let source = format!("testsrc=size={size}:rate=30:duration=6");
    let (keyframes, output) = (keyframes.to_string(), path.display().to_string());
    let input = ["-f", "lavfi", "-i", &source, "-pix_fmt", "yuv420p"];
    let encoder = ["-c:v", "libvpx", "-b:v", "100k", "-g", &keyframes];
    let speed = ["-deadline", "realtime", "-cpu-used", "8"];
    let latency = ["-lag-in-frames", "0", "-auto-alt-ref", "0", &output];
    let options = input.into_iter().chain(encoder).chain(speed);
    probe::ffmpeg(options.chain(latency))?;
    Ok(Media::open(&path)?)
}

/// The room's name.
pub(super) const ROOM: &str = "stage";
