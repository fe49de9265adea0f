//! A subscriber of a real server, on str0m: none of the code under test.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
use str0m::net::Protocol;
use tokio::net::UdpSocket;
use trackmill_room::publisher::TrackSid;
use trackmill_room::sfu::Datagram;
use trackmill_room::signal::{Client, Grant, Server};
use trackmill_room::subscriber::Subscriber;

/// A participant that listens.
#[derive(Debug)]
pub(crate) struct Listener {
    client: Client,
    socket: UdpSocket,
    subscriber: Subscriber,
    published: Vec<TrackSid>,
    buffer: Vec<u8>,
}

impl Listener {
    pub(crate) async fn join(server: &Server, room: &str) -> Self {
        let token = server.token(room, "listener", Grant::Record);
        let token = token.expect("the key pair can sign");
        let client = Box::pin(Client::connect(&server.url, &token, "")).await;
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let local = socket.local_addr().expect("a bound socket");
        let mut listener = Self {
            client: client.expect("the server lets us in"),
            socket,
            subscriber: Subscriber::new(local, now()),
            published: Vec::new(),
            buffer: vec![0; 2_048],
        };
        listener.listen(Duration::from_millis(500)).await;
        listener
    }

    /// The tracks that the server listed when we joined.
    pub(crate) fn published(&self) -> &[TrackSid] {
        &self.published
    }

    pub(crate) fn payloads(&self, sid: &TrackSid) -> Vec<Bytes> {
        let received = self.subscriber.received(sid).into_iter();
        received.map(|packet| packet.payload).collect()
    }

    pub(crate) async fn subscribe(&mut self, tracks: &[TrackSid]) {
        let track_sids = tracks.iter().map(|sid| sid.0.clone()).collect();
        let request = Request::Subscription(lk::UpdateSubscription {
            track_sids,
            subscribe: true,
            ..lk::UpdateSubscription::default()
        });
        self.send(request).await;
    }

    /// Receives for a while.
    pub(crate) async fn listen(&mut self, duration: Duration) {
        let end = now() + duration;
        while now() < end {
            let deadline = self.subscriber.poll_timeout().min(end);
            tokio::select! {
                message = self.client.receive() => {
                    let message = message.expect("the WebSocket stands");
                    self.handle_message(message).await;
                }
                datagram = self.socket.recv_from(&mut self.buffer) => {
                    let (length, remote) = datagram.expect("the socket works");
                    self.handle_datagram(length, remote);
                }
                () = tokio::time::sleep_until(deadline.into()) => {}
            }
            self.subscriber.handle_timeout(now());
            self.flush().await;
        }
    }

    async fn handle_message(&mut self, message: Response) {
        match message {
            Response::Join(join) => {
                let others = join.other_participants.into_iter();
                let tracks = others.flat_map(|other| other.tracks);
                self.published = tracks.map(|track| TrackSid(track.sid)).collect();
            }
            Response::Offer(offer) => {
                let answer = self.subscriber.answer(&offer.sdp, now());
                let sdp = answer.expect("the offer is acceptable");
                let answer = Request::Answer(lk::SessionDescription {
                    r#type: "answer".into(),
                    sdp,
                    id: offer.id,
                    ..lk::SessionDescription::default()
                });
                self.send(answer).await;
            }
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

    fn handle_datagram(&mut self, length: usize, remote: SocketAddr) {
        let datagram = Datagram {
            protocol: Protocol::Udp,
            remote,
            bytes: self.buffer.iter().take(length).copied().collect(),
        };
        self.subscriber.handle_datagram(&datagram, now());
    }

    async fn flush(&mut self) {
        while let Some(datagram) = self.subscriber.poll_output() {
            let sent = self.socket.send_to(&datagram.bytes, datagram.remote).await;
            sent.expect("the socket works");
        }
    }

    async fn send(&mut self, request: Request) {
        let sent = self.client.send(request).await;
        sent.expect("the WebSocket stands");
    }
}

#[expect(clippy::disallowed_methods, reason = "a real server has real time")]
fn now() -> Instant {
    Instant::now()
}
