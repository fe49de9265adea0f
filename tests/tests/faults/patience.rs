//! How long a participant waits before it does something about a silence. `trackmill record` waits
//! for many seconds; here is a participant that does not, in this process.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use livekit_protocol::DisconnectReason;
use livekit_protocol::leave_request::Action;
use tempfile::TempDir;
use tokio::task::JoinSet;
use trackmill::egress::{Disk, Egress, Ending, File, Outcome, Plan, Status, Track};
use trackmill::room::{Config, Credentials, Event, Room, SubscriptionId};
use trackmill::rtc::{self, Workers};
use trackmill::signal::{self, ApiKey, Publication, Reconnection, ServerUrl};
use trackmill::{clock, filter};
use trackmill_room::room::SimulatedRoom;
use trackmill_room::simulation::{Fault, Passage};
use trackmill_tests::deadline;

use super::stage::{ROOM, Stage};
use super::take::Take;

#[tokio::test]
async fn a_way_to_the_server_that_swallows_everything_is_left_by_a_resume() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let media = rtc::Settings {
        stall_after: Duration::from_secs(1),
        ..rtc::Settings::default()
    };
    let mut participant =
        Participant::join(&stage.room, media, signal::Settings::default()).await?;
    participant.record().await?;
    stage.sends(50).await?;
    let session = stage.recorder().await?.sid;

    stage.fault(Fault::Datagrams(Passage::Blocked)).await?;
    let (how, cause) = participant.reconnecting().await;
    assert_eq!(how, Reconnection::Resume);
    assert!(
        cause.contains("the server sends nothing any more"),
        "{cause}"
    );
    stage.fault(Fault::Datagrams(Passage::Open)).await?;
    assert_eq!(participant.reconnected().await, Reconnection::Resume);
    stage.sends(50).await?;
    assert_eq!(stage.recorder().await?.sid, session);
    stage.unpublish(&stage.sid).await?;
    let take = participant.end().await?;

    take.counts_what_is_missing(&stage.room.sent(&stage.sid).await?)?;
    assert_eq!(take.manifest.seams.count, 0);
    Ok(())
}

#[tokio::test]
async fn a_way_that_stays_blocked_is_left_by_a_new_session_in_the_same_file() -> anyhow::Result<()>
{
    let stage = Stage::with("opus.ogg").await?;
    let media = rtc::Settings {
        stall_after: Duration::from_secs(1),
        ..rtc::Settings::default()
    };
    let signal = signal::Settings {
        peer_timeout: Duration::from_secs(1),
        ..signal::Settings::default()
    };
    let mut participant = Participant::join(&stage.room, media, signal).await?;
    participant.record().await?;
    stage.sends(50).await?;
    let session = stage.recorder().await?.sid;

    stage.fault(Fault::Datagrams(Passage::Blocked)).await?;
    assert_eq!(participant.reconnecting().await.0, Reconnection::Resume);
    let (how, cause) = participant.reconnecting().await;
    assert_eq!(how, Reconnection::Full);
    assert!(cause.contains("did not connect within 1 s"), "{cause}");
    // Before that the old session still listens: what it heard then would come behind a loss.
    stage.answers_anew(&session).await;
    stage.fault(Fault::Datagrams(Passage::Open)).await?;
    assert_eq!(participant.reconnected().await, Reconnection::Full);
    stage.receives_again(&session).await?;
    stage.unpublish(&stage.sid).await?;
    let take = participant.end().await?;

    take.goes_on_behind_a_seam(&stage.room.sent(&stage.sid).await?)
}

#[tokio::test]
async fn a_track_that_is_asked_for_too_late_ends_at_once() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let (media, signal) = (rtc::Settings::default(), signal::Settings::default());
    let mut participant = Participant::join(&stage.room, media, signal).await?;
    let publication = participant.publication().await;

    let reason = DisconnectReason::ParticipantRemoved;
    stage
        .fault(Fault::Leave(Action::Disconnect, reason))
        .await?;
    participant.hears(is_end).await;
    participant.begin(publication).await?;
    let outcome = participant.writer.join_next().await.context("a writer")??;

    assert!(outcome.failure.is_none(), "{:?}", outcome.failure);
    assert!(outcome.files.is_empty());
    Ok(())
}

fn is_end(event: &signal::Event) -> Option<()> {
    matches!(event, signal::Event::Ended(_)).then_some(())
}

/// One participant of trackmill, which records one track.
struct Participant {
    room: Room,
    joined: Option<signal::Room>,
    writer: JoinSet<Outcome>,
    subscription: Option<SubscriptionId>,
    disk: Disk,
    folder: TempDir,
}

impl Participant {
    async fn join(
        server: &SimulatedRoom,
        media: rtc::Settings,
        signal: signal::Settings,
    ) -> anyhow::Result<Self> {
        let key = ApiKey {
            key: server.api_key().to_owned(),
            secret: server.api_secret().to_owned(),
        };
        let config = Config {
            url: ServerUrl::parse(server.url())?,
            credentials: Credentials::Key {
                key,
                room: ROOM.into(),
                identity: "participant".into(),
            },
            signal,
        };
        let workers = Workers::start(NonZeroUsize::MIN, &media)?;
        Ok(Self {
            room: Room::join(config, Arc::new(workers)).await?,
            joined: None,
            writer: JoinSet::new(),
            subscription: None,
            disk: Disk::start()?,
            folder: TempDir::new()?,
        })
    }

    /// Records the first track that is published, and waits for its first packet.
    async fn record(&mut self) -> anyhow::Result<()> {
        let publication = self.publication().await;
        self.begin(publication).await?;
        while !matches!(self.next().await, Event::FirstPacket(_)) {}
        Ok(())
    }

    /// Waits for the first track that is published.
    async fn publication(&mut self) -> Publication {
        self.hears(|event| match event {
            signal::Event::Published(publication) => Some(publication.clone()),
            _ => None,
        })
        .await
    }

    /// Begins to record a track.
    async fn begin(&mut self, publication: Publication) -> anyhow::Result<()> {
        let sid = publication.sid.clone();
        let room = self.joined.clone().context("the welcome came first")?;
        let template = self.folder.path().join("take").display().to_string();
        let plan = Plan::untouched(Track { room, publication }, template.parse()?);
        let egress = Egress::new(plan, &filter::Workers::none(), clock::wall_clock());
        self.writer.spawn_on(egress.sink.run(), self.disk.handle());
        self.subscription = Some(self.room.subscribe(sid, egress.consumer).await?);
        Ok(())
    }

    /// Waits until the connection is given up, and tells how it is to go on, and why.
    async fn reconnecting(&mut self) -> (Reconnection, String) {
        self.hears(|event| match event {
            signal::Event::Reconnecting {
                reconnection,
                cause,
                ..
            } => Some((*reconnection, cause.clone())),
            _ => None,
        })
        .await
    }

    /// Waits until the connection is whole again, and tells by what.
    async fn reconnected(&mut self) -> Reconnection {
        self.hears(|event| match event {
            signal::Event::Reconnected(reconnection) => Some(*reconnection),
            _ => None,
        })
        .await
    }

    /// Finishes the file.
    async fn end(&mut self) -> anyhow::Result<Take> {
        let subscription = self.subscription.context("something is recorded")?;
        self.room.unsubscribe(subscription).await;
        self.room.leave().await;
        let outcome = self.writer.join_next().await.context("a writer")??;
        ensure!(outcome.failure.is_none(), "{:?}", outcome.failure);
        let [file] = <[File; 1]>::try_from(outcome.files)
            .map_err(|files| anyhow!("not one file: {files:?}"))?;
        let path = file.path.clone();
        file.publish(&Ending::new(Status::Complete, "the test is over"))?;
        Take::read(path)
    }

    async fn hears<T>(&mut self, select: impl Fn(&signal::Event) -> Option<T>) -> T {
        loop {
            if let Event::Signal(event) = self.next().await
                && let Some(selected) = select(&event)
            {
                return selected;
            }
        }
    }

    /// The next thing that happens.
    async fn next(&mut self) -> Event {
        let event = deadline::until("something happens", self.room.next()).await;
        let event = event.expect("the session goes on");
        if let Event::Signal(signal::Event::Joined(joined)) = &event {
            self.joined = Some(joined.room.clone());
        }
        event
    }
}
