//! What a manifest tells of packets that came again and of streams that changed: `trackmill record`
//! on loopback, in a simulated room.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use livekit_protocol::DisconnectReason;
use livekit_protocol::leave_request::Action;
use trackmill::egress::manifest::{Manifest, SeamReason};
use trackmill_room::media::Media;
use trackmill_room::network::Conditions;
use trackmill_room::publisher::{History, Source, TrackSid, TrackSpec};
use trackmill_room::room::SimulatedRoom;
use trackmill_room::sfu::SfuEvent;
use trackmill_room::simulation::{Config, Fault};
use trackmill_tests::deadline;
use trackmill_tests::recorder::Recorder;
use trackmill_tests::simulated_room::{self, ROOM};

/// Sound by NACK alone, pictures by RTX: of 10 % loss nearly all comes again, and is told.
#[tokio::test]
async fn what_comes_again_on_request_is_told_in_the_manifest() -> anyhow::Result<()> {
    let room = simulated_room::start().await?;
    let recorder = record(&room)?;
    recorder.writes(simulated_room::FILES.len()).await;

    let conditions = Conditions {
        loss: 0.1,
        jitter: Duration::from_millis(5),
        ..Conditions::default()
    };
    room.fault(Fault::Network(conditions)).await?;
    asked_again(&room, 20).await;
    room.fault(Fault::Network(Conditions::default())).await?;
    let recorded = recorder.stop().await?;

    for name in simulated_room::FILES {
        let manifest = read(&recorded.folder().join(name))?;
        let packets = manifest.packets;
        assert!(packets.recovered > 0, "{name}: {packets:?}");
        assert!(packets.lost < packets.recovered, "{name}: {packets:?}");
        let jitter = manifest.jitter.context("packets came")?;
        assert!(!jitter.last.is_zero(), "{name}: {jitter:?}");
        assert!(jitter.last <= jitter.peak, "{name}: {jitter:?}");
        // A picture's packets leave together: what they wait for each other counts too.
        assert!(
            jitter.peak < Duration::from_millis(100),
            "{name}: {jitter:?}"
        );
    }
    Ok(())
}

/// T4: a manifest tells at a seam which track goes on, and why it is another stream.
#[tokio::test]
async fn a_seam_names_the_track_that_was_published_again() -> anyhow::Result<()> {
    let room = SimulatedRoom::start(Config::default()).await?;
    // With this she stays in the room when she takes the other back.
    let stays = clip("vp8.ivf", Source::Camera)?;
    room.publish(ROOM, "alice", stays).await?;
    let before = room.publish(ROOM, "alice", sound()?).await?;
    let mut recorder = record(&room)?;
    recorder.writes(2).await;

    room.unpublish(&before).await?;
    recorder.says("Unpublished").await?;
    let after = room.publish(ROOM, "alice", sound()?).await?;
    grows(&recorder).await;
    let recorded = recorder.stop().await?;

    let told = seams(&recorded.folder().join("alice.ogg"))?;
    assert_eq!(told, [(SeamReason::Republished, Some(after.0))]);
    Ok(())
}

#[tokio::test]
async fn a_seam_names_the_track_behind_a_full_reconnect() -> anyhow::Result<()> {
    let room = SimulatedRoom::start(Config::default()).await?;
    let sid = room.publish(ROOM, "alice", sound()?).await?;
    let recorder = record(&room)?;
    recorder.writes(1).await;

    let leave = Fault::Leave(Action::Reconnect, DisconnectReason::ServerShutdown);
    room.fault(leave).await?;
    grows(&recorder).await;
    let recorded = recorder.stop().await?;

    let told = seams(&recorded.folder().join("alice.ogg"))?;
    assert_eq!(told, [(SeamReason::Reconnected, Some(sid.0))]);
    Ok(())
}

fn record(room: &SimulatedRoom) -> anyhow::Result<Recorder> {
    let output = ["--all", "--output", simulated_room::OUTPUT];
    let options = [&output[..], &["--log", "trackmill=debug"]].concat();
    Recorder::record(room.server(), ROOM, &options)
}

fn seams(file: &Path) -> anyhow::Result<Vec<(SeamReason, Option<String>)>> {
    let seams = read(file)?.seams.first.into_iter();
    Ok(seams.map(|seam| (seam.reason, seam.track_id)).collect())
}

/// Waits until there are two more seconds of sound in the file, than which no one is later.
async fn grows(recorder: &Recorder) {
    let file = recorder.folder().join("alice.ogg.part");
    let length = || file.metadata().map_or(0, |file| file.len());
    let before = length();
    let is_longer = async || (length() > before + TWO_SECONDS).then_some(());
    deadline::found("two more seconds of sound", is_longer).await;
}

fn sound() -> anyhow::Result<TrackSpec> {
    clip("opus.ogg", Source::Microphone)
}

fn clip(name: &str, source: Source) -> anyhow::Result<TrackSpec> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/media");
    Ok(TrackSpec {
        name: name.to_owned(),
        source,
        media: Media::open(folder.join(name))?,
        speed: 1.0,
        history: History::Count,
    })
}

/// Waits until this many packets of each track were asked for again.
async fn asked_again(room: &SimulatedRoom, packets: usize) {
    let what = format_args!("{packets} packets asked for again");
    deadline::found(what, async || {
        let subscribers = room.subscribers().await.ok()?;
        let recorder = subscribers.first()?;
        let is_enough = |sid: &TrackSid| asked(&recorder.events, sid) >= packets;
        recorder.tracks.iter().all(is_enough).then_some(())
    })
    .await;
}

fn asked(events: &[SfuEvent], track: &TrackSid) -> usize {
    let nacks = events.iter().filter_map(|event| match event {
        SfuEvent::Nacked(sid, packets) if sid == track => Some(packets),
        _ => None,
    });
    nacks.sum()
}

fn read(file: &Path) -> anyhow::Result<Manifest> {
    let path = file.with_added_extension("json");
    let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
    Ok(Manifest::from_json(&text)?)
}

/// Of the clip, which has 9 KB a second.
const TWO_SECONDS: u64 = 18_000;
