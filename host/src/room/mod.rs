//! One participant in one room, shared by its egresses (D8).
//!
//! ```text
//! egress ─ subscribe, retarget, unsubscribe ─► Room ─ requests ─► connection 0 (1, 2 …: 50 tracks each)
//!        ◄──────────── Event ───────────────┘      ◄─ events ──┘  signal::Session ─ socket
//!                                                                 rtc::PeerHandle ─ media worker
//! ```

mod connection;
mod credentials;
mod link;
mod mailbox;
mod seats;

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::media::TrackSid;
use crate::rtc::{self, Consumer, Notice, Workers};
use crate::signal::{self, ServerUrl};
use connection::{Connection, Request};
use seats::Seats;

pub use credentials::Credentials;

/// A room that we are in, hidden, to receive tracks of it.
///
/// The first participant tells what happens in the room. Above 50 tracks further ones join, because
/// the cost of a packet grows with the m-lines of its peer connection.
#[derive(Debug)]
pub struct Room {
    config: Arc<Config>,
    workers: Arc<Workers>,
    server: IpAddr,
    connections: Vec<mpsc::Sender<Request>>,
    tasks: JoinSet<()>,
    seats: Seats,
    events: mpsc::Receiver<(usize, Event)>,
    /// Events that came while a request waited for its connection: a connection that cannot tell what
    /// happens takes no requests.
    backlog: VecDeque<(usize, Event)>,
    events_of_connections: mpsc::Sender<(usize, Event)>,
}

/// Which room, and how to be in it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The LiveKit server.
    pub url: ServerUrl,
    /// What lets us in.
    pub credentials: Credentials,
    /// How long to wait for what.
    pub signal: signal::Settings,
}

/// What happens in a room.
#[derive(Clone, Debug)]
pub enum Event {
    /// What signalling says.
    Signal(signal::Event),
    /// Packets of a track that was subscribed to are coming.
    FirstPacket(TrackSid),
    /// What the media plane says of the connection, for the log.
    Peer(rtc::PeerEvent),
}

/// A consumer of a track of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionId(u64);

/// Why a room cannot be joined at all. Whether the server lets us in comes as an [`Event`].
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The server's name does not resolve.
    #[error("cannot resolve the server's name {host}: check the URL, and the DNS of this machine")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        source: std::io::Error,
    },
    /// No socket towards the server.
    #[error(transparent)]
    Peer(#[from] rtc::OpenError),
}

impl Room {
    /// Begins to join; [`Event::Signal`] says how it goes.
    ///
    /// # Errors
    /// The server's name does not resolve, or there is no route to it.
    pub async fn join(config: Config, workers: Arc<Workers>) -> Result<Self, JoinError> {
        let server = resolve(&config.url).await?;
        let (events_of_connections, events) = mpsc::channel(EVENT_QUEUE);
        let mut room = Self {
            config: Arc::new(config),
            workers,
            server,
            connections: Vec::new(),
            tasks: JoinSet::new(),
            seats: Seats::default(),
            events,
            backlog: VecDeque::new(),
            events_of_connections,
        };
        room.connect()?;
        Ok(room)
    }

    /// Waits for what happens next. `None` after [`signal::Event::Ended`] of the first participant.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let (connection, event) = match self.backlog.pop_front() {
                Some(event) => event,
                None => self.events.recv().await?,
            };
            if connection == 0 || concerns_tracks(&event) {
                return Some(event);
            }
        }
    }

    /// Gives the packets of a published track to `consumer`.
    ///
    /// # Errors
    /// A further participant was needed and cannot be had.
    pub async fn subscribe(
        &mut self,
        track: TrackSid,
        consumer: Box<dyn Consumer>,
    ) -> Result<SubscriptionId, JoinError> {
        let (id, seat) = self.seats.take();
        while self.connections.len() <= seat {
            self.connect()?;
        }
        self.request(id, |id| Request::Subscribe {
            id,
            track,
            consumer,
        })
        .await;
        Ok(id)
    }

    /// Gives a consumer the packets of another track: its publisher published anew.
    pub async fn retarget(&mut self, id: SubscriptionId, track: TrackSid) {
        self.request(id, |id| Request::Retarget { id, track }).await;
    }

    /// Tells a consumer something.
    pub async fn notice(&mut self, id: SubscriptionId, notice: Notice) {
        self.request(id, |id| Request::Notice { id, notice }).await;
    }

    /// Ends a consumer: it hears [`Notice::Ended`].
    pub async fn unsubscribe(&mut self, id: SubscriptionId) {
        self.request(id, |id| Request::Unsubscribe { id }).await;
        self.seats.give_back(id);
    }

    /// Whether another track can be had with these credentials.
    pub fn has_room_for_another(&self) -> bool {
        self.config.credentials.can_join_twice() || self.seats.next() == 0
    }

    /// Says goodbye and waits until it is said. Consumers that are left hear [`Notice::Ended`].
    pub async fn leave(&mut self) {
        self.connections.clear();
        // A connection whose events nobody takes could not come to its end.
        self.events.close();
        while self.tasks.join_next().await.is_some() {}
    }

    /// Lets another participant join.
    fn connect(&mut self) -> Result<(), JoinError> {
        let number = self.connections.len();
        let (peer, peer_events) = self.workers.open(self.server)?;
        let (requests, inbox) = mpsc::channel(REQUEST_QUEUE);
        let outbox = self.events_of_connections.clone();
        let connection = Connection::new(
            Arc::clone(&self.config),
            number,
            (peer, peer_events),
            (inbox, outbox),
        );
        self.tasks.spawn(connection.run());
        self.connections.push(requests);
        Ok(())
    }

    async fn request(
        &mut self,
        id: SubscriptionId,
        request: impl FnOnce(SubscriptionId) -> Request,
    ) {
        let seat = self.seats.seat_of(id);
        let connection = seat.and_then(|seat| self.connections.get(seat));
        let place = match connection.cloned() {
            Some(connection) => self.place(connection).await,
            None => None,
        };
        match place {
            Some(place) => drop(place.send(request(id))),
            None => {
                tracing::debug!(%id, "The participant has left already.");
                request(id).decline();
            }
        }
    }

    /// Waits for a place among the requests of a connection, and takes in what happens meanwhile;
    /// `None` if it has ended.
    async fn place(
        &mut self,
        connection: mpsc::Sender<Request>,
    ) -> Option<mpsc::OwnedPermit<Request>> {
        let mut place = pin!(connection.reserve_owned());
        loop {
            let has_room = self.backlog.len() < MAX_BACKLOG;
            tokio::select! {
                biased;
                place = &mut place => return place.ok(),
                Some(event) = self.events.recv(), if has_room => self.backlog.push_back(event),
            }
        }
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What a further participant says that the first one does not.
const fn concerns_tracks(event: &Event) -> bool {
    match event {
        Event::FirstPacket(_) => true,
        Event::Signal(event) => matches!(event, signal::Event::SubscriptionFailed { .. }),
        Event::Peer(_) => false,
    }
}

async fn resolve(url: &ServerUrl) -> Result<IpAddr, JoinError> {
    let failed = |source| JoinError::Resolve {
        host: url.endpoint().host.clone(),
        source,
    };
    let mut addresses = tokio::net::lookup_host((&*url.endpoint().host, url.endpoint().port))
        .await
        .map_err(failed)?;
    let first = addresses.next().ok_or(std::io::ErrorKind::NotFound);
    first
        .map(|address| address.ip())
        .map_err(|kind| failed(kind.into()))
}

/// Requests that may wait for a connection; whoever asks waits when it is full.
const REQUEST_QUEUE: usize = 64;
/// Events that may wait for whoever uses the room; connections wait when it is full.
const EVENT_QUEUE: usize = 256;
/// Events that may wait besides: more than the largest room tells while another participant joins.
const MAX_BACKLOG: usize = 16_384;
