//! What participants say to each other beside their media, and what the application says of them, reaches
//! those who follow a track: over sockets, through media workers and the simulated room.

use std::collections::BTreeMap;

use trackmill::room::{Event, Room};
use trackmill::rtc::Interest;
use trackmill::signal;
use trackmill_room::publisher::TrackSid;
use trackmill_room::room::SimulatedRoom;
use trackmill_room::sfu::{Channel, SfuEvent};
use trackmill_room::simulation::Message;
use trackmill_tests::listener::{self, Ear, Said};
use trackmill_tests::{deadline, media};

#[tokio::test]
async fn messages_of_the_room_reach_who_wants_them_with_topic_and_sender() -> anyhow::Result<()> {
    let mut stage = Stage::new().await?;
    let ear = stage.follow(Interest::All).await?;
    let deaf = stage.follow(Interest::Media).await?;
    ear.hears("sound", |said| *said == Said::Packet).await;
    stage.channels_open().await;

    stage
        .say(Channel::Reliable, Some("bob"), "redact", b"from 1 to 2")
        .await?;
    stage.say(Channel::Reliable, None, "", b"").await?;
    stage.garbage().await?;
    let too_large = vec![7; 16 * 1_024];
    stage
        .say(Channel::Reliable, Some("bob"), "large", &too_large)
        .await?;
    stage
        .say(
            Channel::Reliable,
            Some("alice"),
            "last",
            &too_large[1_024..],
        )
        .await?;
    ear.hears("the last", |said| said.is_about("last")).await;

    let heard = ear.without_packets();
    let about: Vec<_> = heard.iter().filter_map(Said::message).collect();
    let [first, second, last] = &about[..] else {
        panic!("not three messages: {about:?}");
    };
    assert_eq!(
        (&*first.topic, &first.payload[..]),
        ("redact", &b"from 1 to 2"[..])
    );
    assert_eq!(first.sender, Some("bob".into()));
    assert_eq!((&*second.topic, second.payload.len()), ("", 0));
    assert_eq!(second.sender, None);
    assert_eq!(
        (last.payload.len(), &last.sender),
        (15 * 1_024, &Some("alice".into()))
    );
    assert_eq!(ear.dropped(), 1, "the one that was too large");
    assert_eq!(deaf.without_packets(), [Said::Attributes(BTreeMap::new())]);
    Ok(())
}

#[tokio::test]
async fn whoever_floods_the_room_is_cut_short_and_the_others_are_heard() -> anyhow::Result<()> {
    let mut stage = Stage::new().await?;
    let ear = stage.follow(Interest::Messages).await?;
    stage.channels_open().await;

    let mut sent = 0;
    for _ in 0..300 {
        sent += stage
            .say(Channel::Reliable, Some("bob"), "flood", b"!")
            .await?;
    }
    stage
        .say(Channel::Reliable, Some("alice"), "redact", b"")
        .await?;
    ear.hears("alice", |said| said.is_about("redact")).await;

    let flood = ear
        .without_packets()
        .iter()
        .filter(|said| said.is_about("flood"))
        .count();
    assert_eq!(sent, 300);
    // A slow machine may take more than a second.
    assert!((50..300).contains(&flood), "{flood}");
    assert_eq!(flood as u64 + ear.dropped(), 300);
    assert!(!ear.without_packets().is_empty() && ear.packets() == 0);
    Ok(())
}

#[tokio::test]
async fn attributes_of_a_publisher_are_told_at_first_and_when_they_change() -> anyhow::Result<()> {
    let mut stage = Stage::new().await?;
    stage.set_attributes("alice", "language", "de").await?;
    deadline::found("the change", async || {
        let event = stage.room.next().await?;
        matches!(
            event,
            Event::Signal(signal::Event::AttributesChanged { .. })
        )
        .then_some(())
    })
    .await;
    let ear = stage.follow(Interest::Media).await?;
    ear.hears("sound", |said| *said == Said::Packet).await;

    stage.set_attributes("bob", "language", "en").await?;
    stage.set_attributes("alice", "language", "fr").await?;
    let attributes =
        |value: &str| Said::Attributes(BTreeMap::from([("language".to_owned(), value.to_owned())]));
    ear.hears("the change", |said| *said == attributes("fr"))
        .await;

    assert_eq!(ear.without_packets(), [attributes("de"), attributes("fr")]);
    Ok(())
}

/// A server with a room in which alice and bob publish, and a recorder in it.
struct Stage {
    server: SimulatedRoom,
    alice: TrackSid,
    room: Room,
}

impl Stage {
    async fn new() -> anyhow::Result<Self> {
        let server = SimulatedRoom::start(trackmill_room::simulation::Config::default()).await?;
        let alice = server
            .publish(ROOM, "alice", media::track("opus.ogg")?)
            .await?;
        let bob = server
            .publish(ROOM, "bob", media::track("opus.ogg")?)
            .await?;
        let mut room = listener::join(server.server(), ROOM).await?;
        listener::sees(&mut room, &[&alice.0, &bob.0]).await;
        Ok(Self {
            server,
            alice,
            room,
        })
    }

    /// Follows alice's track.
    async fn follow(&mut self, interest: Interest) -> anyhow::Result<Ear> {
        listener::follow(&mut self.room, &self.alice.0, interest).await
    }

    /// Sends a message; how many got it.
    async fn say(
        &self,
        channel: Channel,
        sender: Option<&'static str>,
        topic: &'static str,
        payload: &[u8],
    ) -> anyhow::Result<usize> {
        let payload = payload.to_vec();
        let sent = self.server.with(move |server, now| {
            let message = Message {
                channel,
                topic,
                payload: &payload,
            };
            server.send_data(ROOM, sender, message, now)
        });
        Ok(sent.await??)
    }

    async fn garbage(&self) -> anyhow::Result<()> {
        let garbage = [0xff; 100];
        self.server
            .with(move |server, now| server.send_packet(ROOM, Channel::Lossy, &garbage, now))
            .await?;
        Ok(())
    }

    async fn set_attributes(
        &self,
        identity: &'static str,
        key: &str,
        value: &str,
    ) -> anyhow::Result<()> {
        let attributes = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let set = self
            .server
            .with(move |server, _| server.set_attributes(ROOM, identity, attributes));
        Ok(set.await??)
    }

    /// Sound may come before they are open.
    async fn channels_open(&self) {
        let opened = |label: &str| SfuEvent::ChannelOpen(label.to_owned());
        let both = [opened("_reliable"), opened("_lossy")];
        deadline::found("data channels", async || {
            let subscribers = self.server.subscribers().await.ok()?;
            let is_there = |event| subscribers.iter().any(|each| each.events.contains(event));
            both.iter().all(is_there).then_some(())
        })
        .await;
    }
}

const ROOM: &str = "room";
