//! Many receivers at once.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;
use trackmill_room::publisher::{Publisher, TrackSid, TrackSpec};
use trackmill_tests::media::{long_packets, track};
use trackmill_tests::recorder::{self, Recorder};
use trackmill_tests::servers::{LiveKit, Receiver};

use crate::support::ON_THE_WAY;

#[tokio::test]
async fn two_hundred_receivers_hear_every_packet() -> anyhow::Result<()> {
    let mut receiver = Receiver::start(&[]).await?;
    let hall = Hall::open("ws-200", 200, &long_packets()?).await?;
    let options = [
        "--all",
        "--json",
        "--format",
        "opus",
        "--to",
        &receiver.url(),
    ];

    let recorder = hall.record(&options)?;
    for _ in 0..200 {
        receiver.event("connected").await?;
    }
    for connection in 0..200 {
        receiver.hears(connection, 1).await;
    }
    sleep(Duration::from_secs(2)).await;
    hall.hold().await?;
    let recorded = recorder.stop().await?;

    assert_eq!(recorded.code, Some(0), "{}", recorded.stderr);
    let manifests: Vec<Value> = recorded
        .stdout
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    assert_eq!(manifests.len(), 200);
    for manifest in &manifests {
        let delivery = &manifest["delivery"];
        assert_eq!(
            delivery["audio_messages"], manifest["packets"]["received"],
            "{manifest}"
        );
        assert_eq!(delivery["dropped"]["slow_server_ns"], 0, "{manifest}");
        assert_eq!(manifest["packets"]["lost"], 0, "{manifest}");
    }
    let told: u64 = manifests
        .iter()
        .filter_map(|manifest| manifest["delivery"]["audio_messages"].as_u64())
        .sum();
    let heard = || (0..200).map(|connection| receiver.heard(connection));
    let heard = heard().map(|heard| heard.map(|heard| heard.messages.len()));
    let heard: usize = heard.sum::<anyhow::Result<usize>>()?;
    assert_eq!(u64::try_from(heard)?, told);
    assert!(heard > 200 * 30, "{heard}");
    Ok(())
}

#[tokio::test]
async fn what_twenty_receivers_that_stall_do_not_read_takes_no_memory() -> anyhow::Result<()> {
    let mut receiver = Receiver::start(&["--small"]).await?;
    let hall = Hall::open("ws-memory", 20, &track("opus.ogg")?).await?;
    let options = ["--all", "--buffer", "1s", "--to", &receiver.url()];
    let recorder = hall.record(&options)?;
    for connection in 0..20 {
        receiver.hears(connection, 192_000).await;
    }

    let before = recorder.memory()?;
    receiver.tell("stall 9").await?;
    sleep(Duration::from_secs(8)).await;
    let after = recorder.memory()?;

    // In eight seconds 30 MB of sound were made; a second of it may wait.
    let grown = after.saturating_sub(before);
    assert!(grown < 12 << 20, "{before} {after}");
    let recorded = recorder.stop().await?;
    assert_eq!(recorded.code, Some(0), "{}", recorded.stderr);
    Ok(())
}

/// Many tracks in one room.
struct Hall {
    livekit: Arc<LiveKit>,
    room: &'static str,
    publisher: Publisher,
    sids: Vec<TrackSid>,
}

impl Hall {
    async fn open(room: &'static str, tracks: usize, clip: &TrackSpec) -> anyhow::Result<Self> {
        recorder::binary()?;
        let livekit = LiveKit::shared().await?;
        let publisher = Publisher::join(&livekit.server(), room, "alice").await?;
        let names = (0..tracks).map(|number| TrackSpec {
            name: format!("microphone {number}"),
            ..clip.clone()
        });
        let sids = publisher.publish_all(names.collect()).await?;
        Ok(Self {
            livekit,
            room,
            publisher,
            sids,
        })
    }

    fn record(&self, options: &[&str]) -> anyhow::Result<Recorder> {
        Recorder::record(&self.livekit.server(), self.room, options)
    }

    /// Nothing more is sent, and all that was is through.
    async fn hold(&self) -> anyhow::Result<()> {
        for sid in &self.sids {
            self.publisher.hold(sid).await?;
        }
        sleep(ON_THE_WAY).await;
        Ok(())
    }
}
