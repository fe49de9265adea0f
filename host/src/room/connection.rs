use std::collections::BTreeMap;
use std::sync::Arc;
use std::time;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::link::Link;
use super::mailbox::Mailbox;
use super::{Config, Event, SubscriptionId};
use crate::clock;
use crate::media::{Attributes, TrackSid};
use crate::rtc::{Consumer, ConsumerId, Notice, PeerEvent, PeerHandle};
use crate::signal::{
    self, ClientMessage, Input, Open, Output, PeerOffer, Session, Socket, data_message,
};

/// Drives one participant: moves bytes, time and wishes between its session, its WebSocket and its
/// peer connection.
#[derive(Debug)]
pub(super) struct Connection {
    config: Arc<Config>,
    /// Which participant of ours it is.
    number: usize,
    session: Session,
    link: Link,
    peer: PeerHandle,
    peer_events: mpsc::Receiver<PeerEvent>,
    requests: mpsc::Receiver<Request>,
    events: mpsc::Sender<(usize, Event)>,
    subscriptions: BTreeMap<SubscriptionId, Subscription>,
    /// What the session knows to be there, with the attributes of its publisher: only that can be
    /// subscribed to.
    published: BTreeMap<TrackSid, Arc<Attributes>>,
    mailbox: Mailbox,
    is_leaving: bool,
}

/// What a room asks of a connection.
#[derive(Debug)]
pub(super) enum Request {
    Subscribe {
        id: SubscriptionId,
        track: TrackSid,
        consumer: Box<dyn Consumer>,
    },
    Retarget {
        id: SubscriptionId,
        track: TrackSid,
    },
    Notice {
        id: SubscriptionId,
        notice: Notice,
    },
    Unsubscribe {
        id: SubscriptionId,
    },
}

impl Request {
    /// Nobody is there to do it. A consumer that is dropped without a word would look like a crash.
    pub(super) fn decline(self) {
        if let Self::Subscribe { mut consumer, .. } = self {
            consumer.notice(Notice::Ended, clock::now());
        }
    }
}

#[derive(Debug)]
struct Subscription {
    track: TrackSid,
    consumer: ConsumerId,
}

impl Connection {
    pub(super) fn new(
        config: Arc<Config>,
        number: usize,
        (peer, peer_events): (PeerHandle, mpsc::Receiver<PeerEvent>),
        (requests, events): (mpsc::Receiver<Request>, mpsc::Sender<(usize, Event)>),
    ) -> Self {
        let settings = signal::Settings {
            seed: config.signal.seed.wrapping_add(number as u64),
            ..config.signal.clone()
        };
        Self {
            config,
            number,
            session: Session::new(settings, clock::now()),
            link: Link::Down,
            peer,
            peer_events,
            requests,
            events,
            subscriptions: BTreeMap::new(),
            published: BTreeMap::new(),
            mailbox: Mailbox::default(),
            is_leaving: false,
        }
    }

    /// Stays in the room until the session is over; ends at once with a farewell when nobody can
    /// ask for anything any more.
    pub(super) async fn run(mut self) {
        self.carry_out().await;
        while !self.session.is_over() {
            self.wait().await;
            self.carry_out().await;
        }
        self.decline_requests().await;
    }

    /// Waits for the next thing that happens and tells the session.
    async fn wait(&mut self) {
        let deadline = self.session.poll_timeout();
        tokio::select! {
            input = self.link.next() => self.input(input),
            Some(event) = self.peer_events.recv() => self.peer_event(event).await,
            request = self.requests.recv(), if !self.is_leaving => match request {
                Some(request) => self.request(request),
                None => self.leave(),
            },
            () = at(deadline) => self.session.handle_timeout(clock::now()),
        }
    }

    /// Does all that the session wants done.
    async fn carry_out(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Open(open) => self.open(&open),
                Output::Send(message) => self.send(message).await,
                Output::CloseSocket => self.link.close().await,
                Output::RestartPeer => self.restart_peer(),
                Output::Offer(offer) => self.answer(offer).await,
                Output::Candidate(candidate) => self.peer.add_candidate(candidate),
                Output::Event(event) => self.event(event).await,
            }
        }
    }

    async fn send(&mut self, message: ClientMessage) {
        if let Some(broken) = self.link.send(message).await {
            self.input(broken);
        }
    }

    fn open(&mut self, open: &Open) {
        let token = match self.config.credentials.token(self.number, open) {
            Ok(token) => token,
            Err(error) => {
                tracing::error!(%error, "Cannot make an access token.");
                return self.leave();
            }
        };
        let url = open.url.clone().unwrap_or_else(|| self.config.url.clone());
        let query = open.query();
        self.link = Link::Opening(Box::pin(async move {
            Socket::connect(&url, &query, &token).await
        }));
    }

    /// What the peer before it said is of no concern any more.
    fn restart_peer(&mut self) {
        self.peer.restart();
        while self.peer_events.try_recv().is_ok() {}
    }

    async fn answer(&mut self, offer: PeerOffer) {
        let PeerOffer { id, sdp, streams } = offer;
        let input = match self.peer.accept_offer(sdp, streams).await {
            Ok(sdp) => Input::Answer { offer: id, sdp },
            Err(error) => Input::AnswerFailed {
                offer: id,
                reason: error.to_string(),
            },
        };
        self.input(input);
    }

    async fn event(&mut self, event: signal::Event) {
        match &event {
            signal::Event::Published(publication) => {
                let track = publication.sid.clone();
                if self.is_wanted(&track) {
                    self.input(Input::Subscribe {
                        track: track.clone(),
                    });
                }
                let attributes = Arc::clone(&publication.publisher.attributes);
                self.published.insert(track, attributes);
            }
            signal::Event::Unpublished { track, .. } => {
                self.published.remove(track);
            }
            signal::Event::Muted { track, is_muted } => {
                let notice = if *is_muted {
                    Notice::Muted
                } else {
                    Notice::Unmuted
                };
                self.peer.notice(track.clone(), notice);
            }
            signal::Event::AttributesChanged { track, attributes } => {
                self.published.insert(track.clone(), Arc::clone(attributes));
                self.tell_attributes(track);
            }
            _ => {}
        }
        self.emit(Event::Signal(event)).await;
    }

    async fn peer_event(&mut self, event: PeerEvent) {
        match &event {
            PeerEvent::Connected { .. } => self.input(Input::PeerConnected),
            PeerEvent::Failed(reason) => self.input(Input::PeerFailed {
                reason: reason.clone(),
            }),
            // ICE says it late or not at all (webrtc.md 1.2 item 2).
            PeerEvent::Stalled => self.input(Input::PeerFailed {
                reason: "the server sends nothing any more".to_owned(),
            }),
            PeerEvent::FirstPacket(track) => {
                return self.emit(Event::FirstPacket(track.clone())).await;
            }
            PeerEvent::Data { at, packet } => return self.data(*at, packet).await,
            // It may find its way again by itself; if not, it stalls or fails.
            PeerEvent::Disconnected => {}
        }
        self.emit(Event::Peer(event)).await;
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Subscribe {
                id,
                track,
                consumer,
            } => {
                // What was dropped before it came is of no concern to it.
                self.tell_dropped();
                let consumer = self.peer.attach(track.clone(), consumer);
                self.want(id, track, consumer);
            }
            Request::Retarget { id, track } => {
                if let Some(Subscription { consumer, .. }) = self.subscriptions.remove(&id) {
                    self.peer.retarget(consumer, track.clone());
                    self.want(id, track, consumer);
                }
            }
            Request::Notice { id, notice } => {
                if let Some(subscription) = self.subscriptions.get(&id) {
                    self.peer.notice(subscription.track.clone(), notice);
                }
            }
            Request::Unsubscribe { id } => self.unsubscribe(id),
        }
    }

    /// What was asked for meanwhile comes too late.
    async fn decline_requests(&mut self) {
        self.requests.close();
        while let Some(request) = self.requests.recv().await {
            request.decline();
        }
    }

    fn want(&mut self, id: SubscriptionId, track: TrackSid, consumer: ConsumerId) {
        let subscription = Subscription {
            track: track.clone(),
            consumer,
        };
        self.subscriptions.insert(id, subscription);
        self.tell_attributes(&track);
        if self.published.contains_key(&track) {
            self.input(Input::Subscribe { track });
        }
    }

    fn unsubscribe(&mut self, id: SubscriptionId) {
        let Some(Subscription { track, consumer }) = self.subscriptions.remove(&id) else {
            return;
        };
        self.tell_dropped();
        self.peer.detach(consumer);
        if !self.is_wanted(&track) {
            self.input(Input::Unsubscribe { track });
        }
    }

    /// Tells the consumers of a track what the application says of its publisher: what they know of it
    /// may be out of date.
    fn tell_attributes(&self, track: &TrackSid) {
        if let Some(attributes) = self.published.get(track) {
            let notice = Notice::Attributes(Arc::clone(attributes));
            self.peer.notice(track.clone(), notice);
        }
    }

    /// Reads a packet of a data channel, and hands it to all tracks that want it.
    async fn data(&mut self, at: time::Instant, packet: &[u8]) {
        let message = match data_message(packet) {
            Ok(Some(message)) => message,
            Ok(None) => return,
            Err(error) => {
                let what = error.to_string();
                return self
                    .emit(Event::Signal(signal::Event::Ignored { what }))
                    .await;
            }
        };
        if self.mailbox.admit(message.sender.as_ref(), at) {
            self.tell_dropped();
            let is_taken = self.peer.message(Arc::new(message), at);
            self.mailbox.lose(u64::from(!is_taken));
        }
    }

    /// Tells the consumers what they do not get.
    fn tell_dropped(&mut self) {
        let dropped = self.mailbox.take_dropped();
        if dropped > 0 && !self.peer.messages_dropped(dropped) {
            self.mailbox.lose(dropped);
        }
    }

    fn is_wanted(&self, track: &TrackSid) -> bool {
        self.subscriptions
            .values()
            .any(|subscription| subscription.track == *track)
    }

    fn leave(&mut self) {
        self.tell_dropped();
        self.is_leaving = true;
        self.input(Input::Leave);
    }

    fn input(&mut self, input: Input) {
        self.session.handle_input(input, clock::now());
    }

    async fn emit(&mut self, event: Event) {
        // Nobody listens any more when the room is being left.
        drop(self.events.send((self.number, event)).await);
    }
}

/// Never, if there is no deadline.
async fn at(deadline: Option<time::Instant>) {
    match deadline {
        Some(deadline) => sleep_until(Instant::from_std(deadline)).await,
        None => std::future::pending().await,
    }
}
