//! How a stream can end, and what a user is told.

use trackmill_room::publisher::Publisher;
use trackmill_tests::media::track;
use trackmill_tests::recorder::Recorder;
use trackmill_tests::servers::{LiveKit, Receiver};

use super::Broadcast;

#[tokio::test]
async fn a_receiver_that_has_heard_enough_ends_it_as_it_should() -> anyhow::Result<()> {
    let mut cast = Broadcast::begin("ws-1000", &[]).await?;

    cast.send(25).await?;
    cast.receiver.tell("close 1000 that will do").await?;
    let recorded = cast.recorder.end().await?;

    assert_eq!(recorded.code, Some(0), "{}", recorded.stderr);
    let told = "the server closed the connection (that will do)";
    assert!(recorded.stderr.contains(told), "{}", recorded.stderr);
    let manifest: serde_json::Value = serde_json::from_str(&recorded.stdout)?;
    assert_eq!(
        (&manifest["status"], &manifest["reason"]),
        (&"complete".into(), &told.into())
    );
    assert!(
        manifest["packets"]["received"].as_u64() > Some(20),
        "{manifest}"
    );
    Ok(())
}

#[tokio::test]
async fn a_receiver_that_wants_none_of_it_fails_it_with_its_own_words() -> anyhow::Result<()> {
    for code in [1008, 4401] {
        let mut cast = Broadcast::begin(&format!("ws-{code}"), &["--texts", "all"]).await?;

        let close = format!("close {code} who are you?");
        cast.receiver.tell(&close).await?;
        let recorded = cast.recorder.end().await?;

        assert_eq!(recorded.code, Some(1), "{}", recorded.stderr);
        for words in [&format!("code {code}"), "(who are you?)", "ws://127.0.0.1"] {
            assert!(
                recorded.stderr.contains(words),
                "{words}: {}",
                recorded.stderr
            );
        }
        let manifest: serde_json::Value = serde_json::from_str(&recorded.stdout)?;
        assert_eq!(manifest["status"], "failed");
        assert_eq!(manifest["delivery"]["connections"], 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_receiver_that_lets_nobody_in_is_named_at_once_and_secrets_are_not() -> anyhow::Result<()>
{
    let mut receiver = Receiver::start(&[]).await?;
    receiver.tell("refuse 401").await?;
    let livekit = LiveKit::shared().await?;
    let server = livekit.server();
    let publisher = Publisher::join(&server, "ws-401", "alice").await?;
    publisher.publish(track("opus.ogg")?).await?;

    let url = format!("{}?token=sesame", receiver.url());
    let options = [
        "--all",
        "--to",
        &url,
        "--header",
        "Authorization: Bearer sesame",
    ];
    let recorder = Recorder::record(&server, "ws-401", &options)?;
    let recorded = recorder.end().await?;

    assert_eq!(recorded.code, Some(1), "{}", recorded.stderr);
    for words in ["401", "check the Authorization header", "token={...}"] {
        assert!(
            recorded.stderr.contains(words),
            "{words}: {}",
            recorded.stderr
        );
    }
    assert!(!recorded.stderr.contains("sesame"), "{}", recorded.stderr);
    Ok(())
}

#[tokio::test]
async fn pictures_are_left_out_and_named() -> anyhow::Result<()> {
    let mut receiver = Receiver::start(&[]).await?;
    let livekit = LiveKit::shared().await?;
    let server = livekit.server();
    let publisher = Publisher::join(&server, "ws-video", "alice").await?;
    let video = publisher.publish(track("vp8.ivf")?).await?;
    let url = receiver.url();

    let options = ["--track", &video.0, "--to", &url];
    let refused = Recorder::record(&server, "ws-video", &options)?
        .end()
        .await?;
    let recorder = Recorder::record(&server, "ws-video", &["--all", "--to", &url])?;
    publisher.publish(track("opus.ogg")?).await?;
    receiver.event("connected").await?;
    receiver.hears(0, 10_000).await;
    let recorded = recorder.stop().await?;

    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert_eq!(recorded.code, Some(0), "{}", recorded.stderr);
    for stderr in [&refused.stderr, &recorded.stderr] {
        let told = format!("track {video} of alice: a WebSocket takes sound only");
        assert!(stderr.contains(&told), "{stderr}");
    }
    assert!(recorded.complete()?.is_empty(), "no file is written");
    Ok(())
}
