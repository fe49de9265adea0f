//! What a participant on LiveKit's own SDK says beside its media, through a real server.

use std::collections::BTreeMap;

use trackmill::rtc::Interest;
use trackmill_tests::listener::{self, Said};
use trackmill_tests::recorder::Recorder;
use trackmill_tests::servers::{LibWebRtc, LiveKit};
use trackmill_tests::{bleeps, guests};

#[tokio::test]
async fn messages_and_attributes_of_an_sdk_reach_those_who_follow_a_track() -> anyhow::Result<()> {
    let livekit = LiveKit::shared().await?;
    let server = livekit.server();
    let name = "messages";
    let mut alice = LibWebRtc::join(&server, name, "alice", &[]).await?;
    let mut host = LibWebRtc::join(&server, name, "host", &[]).await?;
    alice.tell("attributes language de").await?;
    let published = alice.tell("publish audio").await?;
    let sid = published["sid"].as_str().unwrap().to_owned();
    let mut room = listener::join(&server, name).await?;
    listener::sees(&mut room, &[&sid]).await;
    let ear = listener::follow(&mut room, &sid, Interest::All).await?;
    ear.hears("sound", |said| *said == Said::Packet).await;

    host.tell("data reliable redact from-1-to-2").await?;
    ear.hears("the message", |said| said.is_about("redact"))
        .await;
    alice.tell("data lossy position 7,11").await?;
    alice.tell("attributes language fr").await?;
    host.tell("data reliable last .").await?;
    ear.hears("the last", |said| said.is_about("last")).await;
    let attributes =
        |value: &str| Said::Attributes(BTreeMap::from([("language".to_owned(), value.to_owned())]));
    ear.hears("the attributes", |said| *said == attributes("fr"))
        .await;

    let said = ear.without_packets();
    assert_eq!(said[0], attributes("de"));
    let message = said
        .iter()
        .find_map(|said| said.message().filter(|it| it.topic == "redact"));
    let message = message.unwrap();
    assert_eq!(&message.payload[..], b"from-1-to-2");
    assert_eq!(message.sender, Some("host".into()));
    // A channel that sends each packet once may lose it, though not on this machine as a rule.
    for lossy in said.iter().filter(|said| said.is_about("position")) {
        let lossy = lossy.message().unwrap();
        assert_eq!(
            (&lossy.payload[..], &lossy.sender),
            (&b"7,11"[..], &Some("alice".into()))
        );
    }
    assert_eq!(ear.dropped(), 0);
    Ok(())
}

/// The example `redact` in a live room: what the host names while the track is recorded is a tone.
#[tokio::test]
async fn a_span_that_the_host_names_in_a_live_room_is_not_to_be_heard() -> anyhow::Result<()> {
    let livekit = LiveKit::shared().await?;
    let server = livekit.server();
    let name = "redact";
    let folder = tempfile::tempdir()?;
    let settings = folder.path().join("redact.json");
    std::fs::write(&settings, r#"{"from": "host"}"#)?;
    let filter = format!(
        "{}={}",
        guests::rust("redact").display(),
        settings.display()
    );
    let mut alice = LibWebRtc::join(&server, name, "alice", &[]).await?;
    let mut host = LibWebRtc::join(&server, name, "host", &[]).await?;
    alice.tell("publish audio").await?;

    let options = [
        "--participant",
        "alice",
        "--filter",
        &filter,
        "--duration",
        "7s",
    ];
    let recorder = Recorder::record(&server, name, &options)?;
    recorder.writes(1).await;
    host.tell(r#"data reliable redact {"from_s":4.0,"to_s":5.0}"#)
        .await?;
    alice
        .tell(r#"data reliable redact {"from_s":5.2,"to_s":6.0}"#)
        .await?;
    let recorded = recorder.end().await?;

    let heard = bleeps::heard(&recorded.only_file()?)?;
    let redacted = bleeps::bleeps(&heard, 4_050..4_950)?;
    assert!(redacted.iter().all(|tenth| *tenth), "{redacted:?}");
    for untouched in [2_000..3_900, 5_100..6_000] {
        let tenths = bleeps::bleeps(&heard, untouched)?;
        assert!(tenths.iter().all(|tenth| !tenth), "{tenths:?}");
    }
    Ok(())
}
