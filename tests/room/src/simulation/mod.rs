//! A LiveKit server in virtual time: signalling, rooms, media and faults without sockets.
//!
//! ```text
//!  WebSockets ── accept, handle_message, disconnected ──►┌────────────┐──► Output::Message, Close
//!  datagrams  ── handle_datagram ───────────────────────►│ Simulation │──► Output::Datagram
//!  the script ── publish, mute, leave, fault ───────────►└────────────┘──► next_at
//! ```
//!
//! Every input is followed by [`Simulation::handle_timeout`] and then by
//! [`Simulation::poll_output`] until that is empty. The same seed, inputs and times give the same
//! outputs, but for the randomness of DTLS.

mod admission;
mod control;
mod deadline;
mod fault;
mod forward;
mod media;
mod message;
mod publication;
mod session;
mod subscriber;
mod subscription;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use livekit_protocol::{DisconnectReason, leave_request, signal_request};

use crate::network::{Conditions, Network, Tally};
use crate::publisher::{SentPacket, TrackSid};
use crate::random::Random;
use crate::sfu::{Datagram, Repair, SfuEvent};
pub use admission::{Refusal, Upgrade};
pub use control::Message;
pub use fault::{Fault, Passage, Resume, Trickle, hostile_offers};
use publication::{Participant, Publication};
use subscriber::Subscriber;

/// How a simulated server is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// The only API key that is accepted.
    pub api_key: String,
    /// Its secret.
    pub api_secret: String,
    /// The UDP address at which the server receives media.
    pub udp: SocketAddr,
    /// The TCP address for ICE-TCP; offered only if given.
    pub tcp: Option<SocketAddr>,
    /// Decides ids, SSRCs and the bad luck of the network.
    pub seed: u64,
    /// The wall time of the first instant.
    pub epoch: SystemTime,
    /// How long a room stays when the last publisher left.
    pub departure_timeout: Duration,
    /// When candidates are trickled.
    pub trickle: Trickle,
    /// How often subscribers have to ping, in whole seconds.
    pub ping_interval: Duration,
    /// After how long without a pong they may take the server for dead, in whole seconds.
    pub ping_timeout: Duration,
    /// How long an offer may go unanswered, and a peer connection unconnected.
    pub connect_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            api_key: "devkey".into(),
            api_secret: "a secret of at least thirty-two bytes".into(),
            udp: SocketAddr::from(([127, 0, 0, 1], 7882)),
            tcp: None,
            seed: 1,
            epoch: SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000),
            departure_timeout: Duration::from_secs(20),
            trickle: Trickle::default(),
            ping_interval: Duration::from_secs(5),
            ping_timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(15),
        }
    }
}

/// Names a WebSocket; chosen by whoever drives the simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// How a WebSocket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// With a close frame, behind all messages.
    Handshake,
    /// The TCP connection breaks.
    Abrupt,
}

/// What comes out of a simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// A binary WebSocket message.
    Message(ConnectionId, Vec<u8>),
    /// The end of a WebSocket.
    Close(ConnectionId, Closing),
    /// A datagram; for TCP without the length in front.
    Datagram(Datagram),
}

/// What a test may want to know about a subscriber.
#[derive(Debug, Clone)]
pub struct SubscriberState {
    /// Identity in the token.
    pub identity: String,
    /// The id of the session, `PA_…`; a full reconnect changes it, a resume does not.
    pub sid: String,
    /// Name of the room.
    pub room: String,
    /// Whether its WebSocket stands.
    pub is_signalling: bool,
    /// The tracks that are offered to it.
    pub tracks: Vec<TrackSid>,
    /// Everything it asked for, in order.
    pub requests: Vec<signal_request::Message>,
    /// The SDP of every offer to it, in order.
    pub offers: Vec<String>,
    /// Everything that happened on its peer connection, in order.
    pub events: Vec<SfuEvent>,
}

/// Why a command cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownName {
    /// No track has this id.
    #[error("no track {0}")]
    Track(TrackSid),
    /// Nobody with this identity is in that room.
    #[error("no participant {identity} in room {room}")]
    Participant {
        /// Which room.
        room: String,
        /// Who.
        identity: String,
    },
}

/// The simulated server.
#[derive(Debug)]
pub struct Simulation {
    config: Config,
    started: Instant,
    random: Random,
    rooms: BTreeMap<String, Room>,
    participants: BTreeMap<(String, String), Participant>,
    publications: BTreeMap<TrackSid, Publication>,
    subscribers: BTreeMap<String, Subscriber>,
    connections: BTreeMap<ConnectionId, String>,
    /// Like pion's multiplexer: by address first, by ICE user name only for unknown addresses.
    addresses: BTreeMap<SocketAddr, String>,
    timers: BTreeMap<(Instant, u64), Timer>,
    timer_count: u64,
    downlink: Network<Datagram>,
    uplink: Network<Datagram>,
    faults: Standing,
    outputs: VecDeque<Output>,
}

/// A room, from the first join on.
#[derive(Debug)]
struct Room {
    sid: String,
    /// When the last publisher left.
    deserted: Option<Instant>,
}

/// Something to do later.
#[derive(Debug)]
enum Timer {
    /// A subscriber's track is through with its made-up frames.
    Detach { subscriber: String, track: TrackSid },
    /// A track is gone; the others are told.
    EndTrack(TrackSid),
    /// A participant left; the others are told.
    Depart { room: String, identity: String },
    /// A room whose last publisher left may be closed.
    CloseRoom(String),
    /// A session whose WebSocket broke is forgotten.
    Forget(String),
    /// A session whose offer was not answered has to begin anew.
    Unanswered { subscriber: String, offer: u32 },
    /// A session whose peer connection does not stand has to try again.
    Unconnected(String),
}

/// Faults that stay until they are taken back.
#[derive(Debug, Default)]
struct Standing {
    resume: Resume,
    refusal: Option<Refusal>,
    subscription: Option<livekit_protocol::SubscriptionError>,
    datagrams: Passage,
    repair: Repair,
    turn_away: Option<(leave_request::Action, DisconnectReason)>,
    vanished: bool,
}

impl Simulation {
    /// Creates a server without rooms.
    #[must_use]
    pub fn new(config: Config, now: Instant) -> Self {
        let mut random = Random::new(config.seed);
        Self {
            started: now,
            downlink: Network::new(Conditions::default(), random.next()),
            uplink: Network::new(Conditions::default(), random.next()),
            random,
            config,
            rooms: BTreeMap::new(),
            participants: BTreeMap::new(),
            publications: BTreeMap::new(),
            subscribers: BTreeMap::new(),
            connections: BTreeMap::new(),
            addresses: BTreeMap::new(),
            timers: BTreeMap::new(),
            timer_count: 0,
            faults: Standing::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes the next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        loop {
            let output = self.outputs.pop_front()?;
            let is_blocked = matches!(output, Output::Datagram(_)) && self.blocks_datagrams();
            if !self.faults.vanished && !is_blocked {
                return Some(output);
            }
        }
    }

    /// Tells whether [`Fault::Vanish`] holds: then [`Self::accept`] has to wait.
    #[must_use]
    pub const fn has_vanished(&self) -> bool {
        self.faults.vanished
    }

    /// Returns when [`Self::handle_timeout`] has to be called at the latest.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        let timers = self.timers.keys().map(|(at, _)| *at);
        let media = self.publications.values().filter_map(Publication::next_at);
        let subscribers = self.subscribers.values().map(Subscriber::next_at);
        let networks = [self.downlink.next_at(), self.uplink.next_at()];
        timers
            .chain(media)
            .chain(subscribers)
            .chain(networks.into_iter().flatten())
            .min()
    }

    /// Describes everyone who subscribes.
    #[must_use]
    pub fn subscribers(&self) -> Vec<SubscriberState> {
        let describe = |(sid, subscriber): (&String, &Subscriber)| SubscriberState {
            identity: subscriber.identity.clone(),
            sid: sid.clone(),
            room: subscriber.room.clone(),
            is_signalling: subscriber.connection.is_some(),
            tracks: subscriber.forwards.keys().cloned().collect(),
            requests: subscriber.requests.clone(),
            offers: subscriber.offers.clone(),
            events: subscriber.events.clone(),
        };
        self.subscribers.iter().map(describe).collect()
    }

    /// Returns what the publisher sent of a track with
    /// [`History::Packets`](crate::publisher::History::Packets), also after its end. Sequence
    /// numbers and timestamps are the publisher's; the subscribers see others.
    ///
    /// # Errors
    ///
    /// If no such track was ever published.
    pub fn sent(&self, sid: &TrackSid) -> Result<Vec<SentPacket>, UnknownName> {
        match self.publications.get(sid) {
            Some(publication) => Ok(publication.sent.clone()),
            None => Err(UnknownName::Track(sid.clone())),
        }
    }

    /// Returns how often subscribers asked for a keyframe of the track.
    ///
    /// # Errors
    ///
    /// If no such track was ever published.
    pub fn keyframe_requests(&self, sid: &TrackSid) -> Result<u64, UnknownName> {
        match self.publications.get(sid) {
            Some(publication) => Ok(publication.keyframe_requests),
            None => Err(UnknownName::Track(sid.clone())),
        }
    }

    /// Returns what the network did to media on its way to the subscribers.
    #[must_use]
    pub const fn downlink(&self) -> Tally {
        self.downlink.tally()
    }

    fn blocks_datagrams(&self) -> bool {
        self.faults.vanished || self.faults.datagrams == Passage::Blocked
    }

    fn wall(&self, now: Instant) -> SystemTime {
        self.config.epoch + now.duration_since(self.started)
    }

    fn set_timer(&mut self, at: Instant, timer: Timer) {
        self.timer_count += 1;
        self.timers.insert((at, self.timer_count), timer);
    }

    /// Makes up an id as LiveKit does: a prefix and twelve letters and digits.
    fn new_sid(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", self.random.text(12))
    }
}
