use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::anyhow;
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until};

use super::args::Job;
use super::follow::{Action, Follow, RecordingId};
use super::plugins::Plugins;
use super::progress::Display;
use super::results::Results;
use super::stop::StopSignals;
use crate::clock;
use crate::command::Exit;
use crate::egress::{
    Destination, Egress, EgressId, Ending, Outcome, Plan, Reason, Sink, Status, Track,
};
use crate::filter;
use crate::pipeline;
use crate::room::{self, Room, SubscriptionId};
use crate::rtc::{Notice, Workers};
use crate::signal::{self, EndReason, Publication};

/// One run of the command: carries out what [`Follow`] plans.
#[derive(Debug)]
pub(super) struct Run {
    room: Room,
    /// Where we are; `None` before we are let in.
    joined: Option<signal::Room>,
    follow: Follow,
    destination: Destination,
    display: Display,
    ticks: Option<Interval>,
    homes: Homes,
    plugins: Plugins,
    sinks: JoinSet<(RecordingId, Outcome)>,
    subscriptions: BTreeMap<RecordingId, SubscriptionId>,
    /// To say why a recording ends.
    reasons: BTreeMap<RecordingId, Reason>,
    results: Results,
    is_leaving: bool,
}

/// Where the parts of a recording live.
#[derive(Debug)]
pub(super) struct Homes {
    /// Consumers.
    pub(super) media: Arc<Workers>,
    /// Consumers that decode.
    pub(super) filters: Arc<filter::Workers>,
    /// What writes files. What feeds servers lives on the runtime of the command.
    pub(super) disk: Handle,
}

impl Run {
    /// Begins to join the room; `news` is said first.
    pub(super) async fn begin(
        job: Job,
        plugins: Plugins,
        homes: Homes,
        news: &[String],
    ) -> anyhow::Result<Self> {
        let display = Display::new(job.report.progress);
        news.iter().for_each(|line| display.say(line));
        let room = Room::join(job.room, Arc::clone(&homes.media)).await?;
        Ok(Self {
            room,
            joined: None,
            follow: Follow::new(job.selection, job.follow, clock::now()),
            destination: job.destination,
            ticks: display.interval().map(ticks),
            display,
            homes,
            plugins,
            sinks: JoinSet::new(),
            subscriptions: BTreeMap::new(),
            reasons: BTreeMap::new(),
            results: Results::new(job.report.json),
            is_leaving: false,
        })
    }

    /// Records until nothing is left to be recorded.
    pub(super) async fn complete(mut self, stop: &mut StopSignals) -> anyhow::Result<Exit> {
        while !self.is_leaving {
            self.wait(stop).await;
            while let Some(action) = self.follow.poll_action() {
                self.act(action).await;
            }
        }
        let left = match self.destination {
            Destination::Files(_) => {
                "files are left as they lie; make them whole by `trackmill recover`"
            }
            Destination::Stream(_) => "what waited for its server is lost",
        };
        tokio::select! {
            exit = self.finish() => Ok(exit),
            name = stop.next() => anyhow::bail!("{name} again: {left}"),
        }
    }

    async fn wait(&mut self, stop: &mut StopSignals) {
        let deadline = self.follow.poll_timeout();
        // In this order: when a session ends, so do its sinks, and it knows why.
        tokio::select! {
            biased;
            name = stop.next() => {
                self.display.say(&format!("{name}: finishing; once more ends at once"));
                self.follow.stop(&Ending::new(Status::Complete, format!("stopped by {name}")));
            }
            Some(event) = self.room.next() => self.event(&event),
            Some(done) = self.sinks.join_next() => self.done(done).await,
            news = self.plugins.next() => self.display.say(&news),
            () = tick(&mut self.ticks) => self.display.refresh(clock::now()),
            () = at(deadline) => self.follow.handle_timeout(clock::now()),
        }
    }

    fn event(&mut self, event: &room::Event) {
        match event {
            room::Event::FirstPacket(_) => self.follow.first_packet(clock::now()),
            room::Event::Peer(event) => tracing::info!(?event, "Peer connection."),
            room::Event::Signal(event) => {
                self.note(event);
                self.follow.handle_event(event, clock::now());
            }
        }
    }

    /// What the user should know of what signalling says.
    fn note(&mut self, event: &signal::Event) {
        match event {
            signal::Event::Joined(joined) => {
                tracing::info!(room = %joined.room.name, sid = %joined.room.sid, "Joined.");
                self.joined = Some(joined.room.clone());
            }
            signal::Event::Reconnecting { cause, .. } => {
                self.display.say(&format!("reconnecting: {cause}"));
            }
            signal::Event::Reconnected(_) => self.display.say("reconnected"),
            signal::Event::SubscriptionFailed { track, reason } => {
                self.display.say(&format!("{track}: {reason}"));
            }
            signal::Event::Ended(reason) => self.ended(reason),
            event => tracing::debug!(?event, "Signalling."),
        }
    }

    fn ended(&mut self, reason: &EndReason) {
        if reason.is_expected() {
            self.display.say(&reason.to_string());
        } else {
            self.results.fail(reason.clone());
        }
    }

    async fn act(&mut self, action: Action) {
        match action {
            Action::Start(id, publication) => self.start(id, publication).await,
            Action::Retarget(id, publication) => {
                if let Some(subscription) = self.subscriptions.get(&id) {
                    let subscription = *subscription;
                    self.room
                        .retarget(subscription, publication.sid.clone())
                        .await;
                    self.tell_mute(subscription, &publication).await;
                }
            }
            Action::Interrupt(id) => {
                if let Some(subscription) = self.subscriptions.get(&id) {
                    self.room.notice(*subscription, Notice::Interrupted).await;
                }
            }
            Action::End(id, ending) => {
                if let Some(reason) = self.reasons.remove(&id) {
                    reason.tell(&ending);
                }
                self.results.ending(id, ending);
                if let Some(subscription) = self.subscriptions.remove(&id) {
                    self.room.unsubscribe(subscription).await;
                }
            }
            Action::Refuse(publication, why) => {
                let who = &publication.publisher.identity;
                let text = format!("cannot record track {} of {who}: {why}", publication.sid);
                self.results.fail(anyhow!(text));
            }
            Action::LeaveOut(publication, why) => {
                let who = &publication.publisher.identity;
                let text = format!("leaving out track {} of {who}: {why}", publication.sid);
                self.display.say(&text);
            }
            Action::Leave => self.is_leaving = true,
        }
    }

    async fn start(&mut self, id: RecordingId, publication: Publication) {
        let Some(room) = self.joined.clone() else {
            return;
        };
        if !self.room.has_room_for_another() {
            let text = "a token allows one participant, which receives 50 tracks at most: \
                        give --api-key and --api-secret to record more";
            self.results.fail(anyhow!(text));
            return self.follow.abort(id);
        }
        let track = Track { room, publication };
        let name = name(&track);
        let publication = track.publication.clone();
        let attached = self.plugins.attach(id, &track);
        attached.news.iter().for_each(|news| self.display.say(news));
        let plan = Plan {
            id: EgressId::random(),
            track,
            pipeline: pipeline::Settings::default(),
            filters: attached.filters,
            destination: self.destination.clone(),
        };
        let (workers, wall) = (&self.homes.filters, clock::wall_clock());
        let egress = Egress::new(plan, workers, wall);
        let egress = egress.inspected(attached.inspectors, workers, wall);
        self.display
            .begin(id, name, egress.progress, egress.delivery);
        self.reasons.insert(id, egress.reason);
        self.begin_sink(id, egress.sink);
        let sid = publication.sid.clone();
        let consumer = Egress::everybody(egress.consumer, egress.inspectors);
        match self.room.subscribe(sid, consumer).await {
            Ok(subscription) => {
                self.subscriptions.insert(id, subscription);
                self.tell_mute(subscription, &publication).await;
            }
            Err(error) => {
                self.results.fail(error);
                self.follow.abort(id);
            }
        }
    }

    fn begin_sink(&mut self, id: RecordingId, sink: Sink) {
        let blocks = matches!(sink, Sink::Files(_));
        let run = async move { (id, sink.run().await) };
        if blocks {
            self.sinks.spawn_on(run, &self.homes.disk);
        } else {
            self.sinks.spawn(run);
        }
    }

    /// The events only tell of changes.
    async fn tell_mute(&mut self, subscription: SubscriptionId, publication: &Publication) {
        let notice = if publication.is_muted {
            Notice::Muted
        } else {
            Notice::Unmuted
        };
        self.room.notice(subscription, notice).await;
    }

    async fn done(&mut self, done: Result<(RecordingId, Outcome), JoinError>) {
        match done {
            Ok((id, outcome)) => {
                match &outcome.ending {
                    _ if outcome.failure.is_some() => self.follow.abort(id),
                    Some(ending) => self.follow.end(id, ending.clone()),
                    None => {}
                }
                self.display.end(id);
                self.plugins.detach(id);
                self.results.outcome(id, outcome, &self.display).await;
            }
            Err(error) => self.results.fail(error),
        }
    }

    /// Leaves the room and waits for the sinks.
    async fn finish(&mut self) -> Exit {
        self.room.leave().await;
        while let Some(done) = self.sinks.join_next().await {
            self.done(done).await;
        }
        self.results.exit(self.follow.started(), &self.display)
    }
}

/// How a track is called on the terminal.
fn name(track: &Track) -> String {
    let publication = &track.publication;
    let who = &publication.publisher.identity;
    format!("{who} {} {}", publication.source, publication.sid)
}

fn ticks(period: std::time::Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

async fn tick(ticks: &mut Option<Interval>) {
    match ticks {
        Some(ticks) => drop(ticks.tick().await),
        None => std::future::pending().await,
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
