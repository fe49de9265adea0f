//! Receivers that stall, die and come back.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::time::sleep;
use trackmill_room::publisher::SentPacket;
use trackmill_tests::servers::{Receiver, Text};
use trackmill_tests::sound::Sound;

use super::{Broadcast, heard_of, stereo};

#[tokio::test]
async fn a_receiver_that_comes_back_after_five_seconds_gets_what_it_missed() -> anyhow::Result<()> {
    let mut cast = Broadcast::begin("ws-back", &["--texts", "all"]).await?;
    let port = cast.receiver.port().to_string();
    cast.send(50).await?;
    let before = cast.receiver.heard(0)?;

    cast.receiver.kill().await?;
    sleep(Duration::from_secs(5)).await;
    cast.receiver = Receiver::start(&["--port", &port]).await?;
    cast.receiver.event("connected").await?;
    // Five seconds, and then some.
    cast.receiver.hears(0, 6 * 192_000).await;
    cast.settle().await?;
    let mut ended = cast.unpublish().await?;

    let texts = ended.receiver.texts_until_closed(0).await?;
    let after = ended.receiver.heard(0)?;
    let manifest = ended.manifest()?;
    let delivery = &manifest["delivery"];
    assert_eq!(delivery["connections"], 2, "{manifest}");
    assert_eq!(nanos(delivery, "/dropped/disconnected_ns"), 0, "{manifest}");
    let start = texts[0].json();
    assert_eq!(
        (&start["event"], &start["connection"]),
        (&"start".into(), &2.into())
    );
    // Both connections together have all but what the first may not have read.
    let lasts = (before.sound.len() + after.sound.len()) / 4;
    let sent = heard_of(&ended.sent, &stereo(&before))?.len() * 960;
    let unconfirmed = usize::try_from(nanos(delivery, "/unconfirmed_ns") / 1_000 * 48 / 1_000)?;
    assert!(
        lasts + unconfirmed + 48 >= sent,
        "{lasts} + {unconfirmed} of {sent}: {manifest}"
    );
    // What the second connection got is the end of what was sent, without a hole.
    let sound = stereo(&after);
    let tail = heard_of(&ended.sent, &sound)?;
    assert_eq!(sound.len(), tail.len() * 960);
    assert_eq!(tail.last(), ended.sent.last());
    assert_eq!(ended.recorded.code, Some(0));
    Ok(())
}

#[tokio::test]
async fn a_receiver_that_stays_away_is_given_up_after_the_window() -> anyhow::Result<()> {
    let cast = Broadcast::begin("ws-gone", &["--reconnect-window", "2s"]).await?;

    cast.receiver.kill().await?;
    let recorded = cast.recorder.end().await?;

    assert_eq!(recorded.code, Some(1), "{}", recorded.stderr);
    for words in ["did not come back within", "refused", "attempts"] {
        assert!(
            recorded.stderr.contains(words),
            "{words}: {}",
            recorded.stderr
        );
    }
    let manifest: Value = serde_json::from_str(&recorded.stdout)?;
    assert_eq!(manifest["status"], "failed");
    Ok(())
}

#[tokio::test]
async fn connections_that_break_again_and_again_cost_no_order() -> anyhow::Result<()> {
    let mut cast = Broadcast::begin("ws-abort", &["--format", "opus"]).await?;

    for connection in 1..=3 {
        cast.send(25).await?;
        cast.receiver.tell("abort").await?;
        cast.receiver.event("connected").await?;
        cast.receiver.hears(connection, 1).await;
    }
    cast.settle().await?;
    let ended = cast.unpublish().await?;

    let mut last = 0;
    let mut heard = 0;
    for connection in 0..=3 {
        let here = ended.receiver.heard(connection)?;
        let packets = here.packets();
        heard += packets.len();
        let is_here = |sent: &[SentPacket]| {
            sent.iter()
                .map(|sent| &sent.payload[..])
                .eq(packets.iter().copied())
        };
        let place = ended.sent[last..].windows(packets.len()).position(is_here);
        let place = place.with_context(|| format!("connection {connection} is out of order"))?;
        last += place + packets.len();
    }
    assert_eq!(last, ended.sent.len(), "the last connection has the end");
    let manifest = ended.manifest()?;
    let handed_over = nanos(&manifest, "/delivery/audio_messages");
    let lost = usize::try_from(handed_over)? - heard;
    let unconfirmed = nanos(&manifest, "/delivery/unconfirmed_ns") / FRAME;
    assert!(lost <= usize::try_from(unconfirmed)?, "{lost}: {manifest}");
    assert_eq!(ended.recorded.code, Some(0), "{}", ended.recorded.stderr);
    Ok(())
}

#[tokio::test]
async fn a_receiver_that_stalls_misses_the_oldest_sound_and_is_told_so() -> anyhow::Result<()> {
    let receiver = Receiver::start(&["--small"]).await?;
    let options = ["--texts", "all", "--buffer", "1s"];
    let mut cast = Broadcast::to(receiver, "ws-stall", &options).await?;

    cast.send(25).await?;
    cast.receiver.tell("stall 5").await?;
    cast.send(300).await?;
    cast.settle().await?;
    let mut ended = cast.unpublish().await?;

    let texts = ended.receiver.texts_until_closed(0).await?;
    let heard = ended.receiver.heard(0)?;
    let manifest = ended.manifest()?;
    let dropped = nanos(&manifest, "/delivery/dropped/slow_server_ns");
    assert!(dropped > 1_000_000_000, "{manifest}");
    let frames = usize::try_from(dropped / FRAME)?;
    let all = usize::try_from(nanos(&manifest, "/duration_ns").div_ceil(FRAME))?;
    assert_eq!(heard.messages.len() + frames, all, "{manifest}");
    let told = texts.iter().map(Text::json);
    let told = told.filter(|text| text["event"] == "dropped");
    let told: u64 = told.filter_map(|text| text["duration_us"].as_u64()).sum();
    assert_eq!(told, dropped / 1_000);
    // The newest is there, and the delay is gone.
    let sound = stereo(&heard);
    let end = Sound::of_packets(&ended.sent, 48_000, 2)?;
    let end = end.part(end.len() - 15 * 960..end.len());
    let near = sound.len() - 60 * 960..sound.len() - 14 * 960;
    let found = sound.find(&end, near.step_by(960));
    assert!(found.likeness > 0.95, "{found:?}");
    assert_eq!(ended.recorded.code, Some(0), "{}", ended.recorded.stderr);
    Ok(())
}

/// Nanoseconds of a message.
const FRAME: u64 = 20_000_000;

fn nanos(value: &Value, pointer: &str) -> u64 {
    let found = value.pointer(pointer).and_then(Value::as_u64);
    found.unwrap_or_else(|| panic!("{pointer} in {value}"))
}
