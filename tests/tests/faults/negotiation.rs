//! Offers come early, again, wrong or for nothing.

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use livekit_protocol::SubscriptionError;
use livekit_protocol::signal_request::Message as Request;
use trackmill_room::simulation::{
    Config, Fault, Passage, SubscriberState, Trickle, hostile_offers,
};
use trackmill_tests::recorder::Recorded;

use super::stage::{Stage, impatient};
use super::take::only_take;

#[tokio::test]
async fn candidates_may_come_before_their_offer() -> anyhow::Result<()> {
    let config = Config {
        trickle: Trickle::BeforeOffer,
        ..Config::default()
    };
    let stage = Stage::of(config, "opus.ogg").await?;

    let recorder = stage.recording().await?;
    let recorded = stage.end(recorder).await?;

    let sent = stage.room.sent(&stage.sid).await?;
    only_take(&recorded)?.holds_all_sound(&sent)
}

#[tokio::test]
async fn an_ice_restart_costs_nothing() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let recorder = stage.recording().await?;

    for _ in 0..2 {
        let before = answers(&stage.recorder().await?);
        stage.fault(Fault::RestartIce).await?;
        stage
            .subscriber("another answer", |subscriber| answers(subscriber) > before)
            .await;
        stage.sends(40).await?;
    }
    let offers = stage.recorder().await?.offers;
    let recorded = stage.end(recorder).await?;

    let credentials = offers.iter().filter_map(|offer| ufrag(offer));
    let credentials: std::collections::BTreeSet<_> = credentials.collect();
    assert_eq!(credentials.len(), 3);
    assert!(
        !recorded.stderr.contains("reconnecting"),
        "{}",
        recorded.stderr
    );
    let sent = stage.room.sent(&stage.sid).await?;
    only_take(&recorded)?.holds_all_sound(&sent)
}

#[tokio::test]
async fn no_hostile_offer_ends_a_recording() -> anyhow::Result<()> {
    let names = hostile_offers("").into_iter().map(|(name, _)| name);
    for attacked in try_join_all(names.map(attack)).await? {
        let name = attacked.name;
        let survived = attacked.survived().await;
        survived.with_context(|| format!("an offer: {name}"))?;
    }
    Ok(())
}

#[tokio::test]
async fn a_refused_subscription_fails_with_its_cause() -> anyhow::Result<()> {
    for (error, text) in [
        (
            SubscriptionError::SeCodecUnsupported,
            "codec that cannot be recorded",
        ),
        (
            SubscriptionError::SeTrackNotfound,
            "does not find the track",
        ),
        (SubscriptionError::SeUnknown, "refused the subscription"),
    ] {
        let stage = Stage::with("opus.ogg").await?;
        stage.fault(Fault::RefuseSubscriptions(Some(error))).await?;

        let recorded = stage.record_track()?.end().await?;

        assert_eq!(recorded.code, Some(1), "{}", recorded.stderr);
        assert!(recorded.stderr.contains(text), "{}", recorded.stderr);
        assert_eq!(std::fs::read_dir(recorded.folder())?.count(), 0);
    }
    Ok(())
}

#[tokio::test]
async fn a_refused_track_does_not_harm_the_others() -> anyhow::Result<()> {
    let stage = Stage::with("opus.ogg").await?;
    let mut recorder = stage.record_all()?;
    recorder.writes(1).await;

    let error = SubscriptionError::SeUnknown;
    stage.fault(Fault::RefuseSubscriptions(Some(error))).await?;
    let refused = stage.publish("bob", "vp8.ivf").await?;
    recorder
        .says(&format!("{refused}: the server refused"))
        .await?;
    stage.sends(25).await?;
    stage.unpublish(&stage.sid).await?;
    let recorded = recorder.stop().await?;

    assert_eq!(recorded.code, Some(1), "{}", recorded.stderr);
    let name = format!("alice-microphone-{}.ogg", stage.sid);
    let sent = stage.room.sent(&stage.sid).await?;
    super::take::Take::read(recorded.folder().join(name))?.holds_all_sound(&sent)
}

#[tokio::test]
async fn an_offer_that_is_never_followed_by_a_connection_is_tried_again() -> anyhow::Result<()> {
    let stage = Stage::of(impatient(), "opus.ogg").await?;
    stage.fault(Fault::Datagrams(Passage::Blocked)).await?;

    let mut recorder = stage.record_track()?;
    // The server's patience is over first; a new attempt meets the same silence.
    recorder.says("ConnectionTimeout").await?;
    recorder.says("ConnectionTimeout").await?;
    stage.fault(Fault::Datagrams(Passage::Open)).await?;
    recorder.writes(1).await;
    let recorded = stage.end(recorder).await?;

    let sent = stage.room.sent(&stage.sid).await?;
    only_take(&recorded)?.holds_all_sound(&sent)
}

/// A recording with a hostile offer in the middle of it.
struct Attacked {
    name: &'static str,
    stage: Stage,
    recorded: Recorded,
}

/// Records through the hostile offer of that name, and on in the same session or in another one.
async fn attack(name: &'static str) -> anyhow::Result<Attacked> {
    let stage = Stage::with("opus.ogg").await?;
    let recorder = stage.recording().await?;
    let session = stage.recorder().await?;
    let good = session.offers.last().cloned().unwrap_or_default();
    let hostile = hostile_offers(&good)
        .into_iter()
        .find(|(other, _)| *other == name);
    let (_, sdp) = hostile.context("it has this name whatever the good one")?;

    let before = answers(&session);
    stage.fault(Fault::HostileOffer(sdp)).await?;
    stage
        .subscriber(format!("a reaction to {name}"), |subscriber| {
            if subscriber.sid == session.sid {
                answers(subscriber) > before
            } else {
                subscriber.tracks.contains(&stage.sid)
            }
        })
        .await;
    stage.sends(75).await?;
    let recorded = stage.end(recorder).await?;
    Ok(Attacked {
        name,
        stage,
        recorded,
    })
}

impl Attacked {
    async fn survived(&self) -> anyhow::Result<()> {
        let stderr = &self.recorded.stderr;
        ensure!(!stderr.contains("panicked"), "{stderr}");
        let take = only_take(&self.recorded)?;
        let sent = self.stage.room.sent(&self.stage.sid).await?;
        let is_whole = match take.manifest.seams.count {
            0 => take.holds_all_sound(&sent),
            _ => take.goes_on_behind_a_seam(&sent),
        };
        is_whole.with_context(|| stderr.clone())
    }
}

fn answers(subscriber: &SubscriberState) -> usize {
    let requests = subscriber.requests.iter();
    requests
        .filter(|request| matches!(request, Request::Answer(_)))
        .count()
}

fn ufrag(offer: &str) -> Option<&str> {
    offer
        .lines()
        .find_map(|line| line.strip_prefix("a=ice-ufrag:"))
}
