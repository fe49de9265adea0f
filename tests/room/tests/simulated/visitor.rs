//! A subscribing client of a simulated server, both in virtual time: signalling and media.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
use prost::Message as _;
use str0m::net::Protocol;
use trackmill_room::media::Codec;
use trackmill_room::publisher::TrackSid;
use trackmill_room::sfu::Datagram;
use trackmill_room::signal::{Grant, Server};
use trackmill_room::simulation::{Closing, Config, ConnectionId, Output, Simulation, Upgrade};
use trackmill_room::subscriber::Subscriber;

use crate::fixtures::{self, spec};

/// A server and one client, and the time of both.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) simulation: Simulation,
    pub(crate) subscriber: Subscriber,
    pub(crate) now: Instant,
    /// Every message of the server, in order.
    pub(crate) messages: Vec<(Instant, Response)>,
    /// How the WebSockets ended.
    pub(crate) closed: Vec<Closing>,
    /// Messages that are no protobuf.
    pub(crate) damaged: usize,
    /// Whether it leaves offers unanswered.
    pub(crate) is_silent: bool,
    connection: ConnectionId,
}

impl Visitor {
    /// Creates a server, not joined yet.
    pub(crate) fn new(config: Config) -> Self {
        let now = fixtures::start();
        Self {
            simulation: Simulation::new(config, now),
            subscriber: Subscriber::new(CLIENT, now),
            now,
            messages: Vec::new(),
            closed: Vec::new(),
            damaged: 0,
            is_silent: false,
            connection: ConnectionId(0),
        }
    }

    /// A visitor in a room with an Opus, a VP8 and an H.264 publisher.
    pub(crate) fn joined() -> (Self, [TrackSid; 3]) {
        let mut visitor = Self::new(Config::default());
        let now = visitor.now;
        let mut publish = |identity, codec| {
            let simulation = &mut visitor.simulation;
            simulation.publish("demo", identity, spec(codec), now)
        };
        let tracks = [
            publish("alice", Codec::Opus),
            publish("bob", Codec::Vp8),
            publish("carol", Codec::H264),
        ];
        visitor.join();
        (visitor, tracks)
    }

    /// Joins the room, and waits until the connection stands.
    pub(crate) fn join(&mut self) {
        self.open("auto_subscribe=0");
        self.run(Duration::from_secs(1));
        assert!(self.subscriber.notices().is_connected);
    }

    /// Opens a WebSocket with a good token.
    pub(crate) fn open(&mut self, query: &str) {
        let upgrade = upgrade(&token("recorder"), query);
        self.connection = ConnectionId(self.connection.0 + 1);
        let accepted = self.simulation.accept(self.connection, &upgrade, self.now);
        accepted.expect("the token is good");
    }

    /// Asks for tracks, or no longer.
    pub(crate) fn subscribe(&mut self, tracks: &[&TrackSid], subscribe: bool) {
        let track_sids = tracks.iter().map(|sid| sid.0.clone()).collect();
        self.send(Request::Subscription(lk::UpdateSubscription {
            track_sids,
            subscribe,
            ..lk::UpdateSubscription::default()
        }));
    }

    pub(crate) fn send(&mut self, request: Request) {
        let request = lk::SignalRequest {
            message: Some(request),
        };
        let bytes = request.encode_to_vec();
        self.simulation
            .handle_message(self.connection, &bytes, self.now);
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            while self.step() {}
            let next = self.simulation.next_at().unwrap_or(end);
            let next = next.min(self.subscriber.poll_timeout());
            if next > end || self.now >= end {
                self.now = end;
                return;
            }
            self.now = next.max(self.now + Duration::from_micros(100));
        }
    }

    /// Returns the last message that `select` likes.
    pub(crate) fn last<T>(&self, select: impl Fn(&Response) -> Option<T>) -> Option<T> {
        let mut messages = self.messages.iter().rev();
        messages.find_map(|(_, message)| select(message))
    }

    /// Returns the last offer.
    pub(crate) fn last_offer(&self) -> String {
        let offer = self.last(|message| match message {
            Response::Offer(offer) => Some(offer.sdp.clone()),
            _ => None,
        });
        offer.expect("there was an offer")
    }

    /// Returns how the server last told the visitor to leave.
    pub(crate) fn left(&self) -> Option<lk::leave_request::Action> {
        self.last(|message| match message {
            Response::Leave(leave) => Some(leave.action()),
            _ => None,
        })
    }

    /// Exchanges what both have to say; returns whether the server has to look again.
    fn step(&mut self) -> bool {
        self.simulation.handle_timeout(self.now);
        while let Some(output) = self.simulation.poll_output() {
            match output {
                Output::Message(_, bytes) => self.receive(&bytes),
                Output::Close(_, closing) => self.closed.push(closing),
                Output::Datagram(datagram) => self.deliver(datagram),
            }
        }
        if self.subscriber.poll_timeout() <= self.now {
            self.subscriber.handle_timeout(self.now);
        }
        let mut moved = false;
        while let Some(datagram) = self.subscriber.poll_output() {
            let datagram = from(CLIENT, datagram.bytes);
            self.simulation.handle_datagram(datagram, self.now);
            moved = true;
        }
        moved
    }

    fn deliver(&mut self, datagram: Datagram) {
        let datagram = from(SERVER, datagram.bytes);
        self.subscriber.handle_datagram(&datagram, self.now);
    }

    fn receive(&mut self, bytes: &[u8]) {
        let Ok(response) = lk::SignalResponse::decode(bytes) else {
            self.damaged += 1;
            return;
        };
        let Some(message) = response.message else {
            return;
        };
        self.messages.push((self.now, message.clone()));
        match message {
            Response::Offer(offer) if !self.is_silent => self.answer(&offer),
            Response::Trickle(trickle) => {
                let init: serde_json::Value =
                    serde_json::from_str(&trickle.candidate_init).expect("JSON");
                let candidate = init.get("candidate").and_then(|text| text.as_str());
                let candidate = candidate.expect("a candidate");
                self.subscriber.add_remote_candidate(candidate);
            }
            _ => {}
        }
    }

    fn answer(&mut self, offer: &lk::SessionDescription) {
        let Ok(sdp) = self.subscriber.answer(&offer.sdp, self.now) else {
            return;
        };
        self.send(Request::Answer(lk::SessionDescription {
            r#type: "answer".into(),
            sdp,
            id: offer.id,
            ..lk::SessionDescription::default()
        }));
    }
}

/// A token of the default key pair for the room `demo`.
pub(crate) fn token(identity: &str) -> String {
    let Config {
        api_key,
        api_secret,
        ..
    } = Config::default();
    let server = Server {
        url: String::new(),
        api_key,
        api_secret,
    };
    let token = server.token("demo", identity, Grant::Record);
    token.expect("the key pair can sign")
}

pub(crate) fn upgrade(token: &str, query: &str) -> Upgrade {
    Upgrade {
        path: "/rtc".into(),
        query: query.into(),
        authorization: Some(format!("Bearer {token}")),
    }
}

fn from(remote: SocketAddr, bytes: Vec<u8>) -> Datagram {
    Datagram {
        protocol: Protocol::Udp,
        remote,
        bytes,
    }
}

const LOCALHOST: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const SERVER: SocketAddr = SocketAddr::new(LOCALHOST, 7_882);
const CLIENT: SocketAddr = SocketAddr::new(LOCALHOST, 40_000);
