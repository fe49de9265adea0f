//! The session in virtual time, against the server's side of the conversation.

mod join;
mod leave;
mod negotiation;
mod properties;
mod reconnect;
mod roster;
mod subscribe;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::media::{RoomName, TrackKind, TrackSource};
use crate::signal::message::{
    Join, Leave, LeaveAction, LeaveReason, Offer, Participant, ParticipantKind, Publication,
    Publisher, Room, ServerMessage,
};
use crate::signal::open::Open;
use crate::signal::open_error::{OpenError, OpenFailure};

/// A session, and the time it lives in.
struct Bench {
    session: Session,
    now: Instant,
}

impl Bench {
    fn new(settings: Settings) -> Self {
        let now = epoch();
        Self {
            session: Session::new(settings, now),
            now,
        }
    }

    /// In the room with Alice, who publishes `TR_mic` and `TR_cam`; the peer connection is up.
    fn in_room() -> Self {
        Self::in_room_with(Settings::default())
    }

    fn in_room_with(settings: Settings) -> Self {
        let mut bench = Self::new(settings);
        bench.input(Input::Opened);
        bench.message(join("PA_rec1", vec![alice()]));
        bench.connect_peer(1);
        bench
    }

    /// Answers the offer without tracks that each new session begins with.
    fn connect_peer(&mut self, offer: u32) {
        self.message(offer_of(offer, "ufrag1", &[]));
        self.input(Input::Answer {
            offer,
            sdp: "answer".to_owned(),
        });
        self.input(Input::PeerConnected);
    }

    fn input(&mut self, input: Input) -> Vec<Output> {
        self.session.handle_input(input, self.now);
        self.outputs()
    }

    fn message(&mut self, message: ServerMessage) -> Vec<Output> {
        self.input(Input::Message(message))
    }

    fn close_socket(&mut self) -> Vec<Output> {
        self.input(Input::SocketClosed {
            reason: "reset".to_owned(),
        })
    }

    fn subscribe(&mut self, track: &str) -> Vec<Output> {
        self.input(Input::Subscribe {
            track: track.into(),
        })
    }

    /// Lets time pass, with every timeout at its moment.
    fn pass(&mut self, duration: Duration) -> Vec<Output> {
        let end = self.now + duration;
        let mut outputs = Vec::new();
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.session.handle_timeout(self.now);
            outputs.extend(self.outputs());
        }
        self.now = end;
        outputs
    }

    /// Lets time pass until the session wants a WebSocket.
    fn pass_until_open(&mut self) -> Open {
        let due = self.session.poll_timeout().expect("an attempt is planned");
        let outputs = self.pass(due - self.now);
        opens(&outputs)
            .pop()
            .unwrap_or_else(|| panic!("no attempt: {outputs:?}"))
    }

    /// Keeps the server talking, so that only the time in question runs out.
    fn pass_with_pongs(&mut self, duration: Duration) -> Vec<Output> {
        let mut outputs = Vec::new();
        let end = self.now + duration;
        while self.now < end {
            let step = (end - self.now).min(Duration::from_secs(1));
            outputs.extend(self.pass(step));
            outputs.extend(self.message(ServerMessage::Other));
        }
        outputs
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.session.poll_output()).collect()
    }
}

#[expect(clippy::disallowed_methods, reason = "virtual time needs an origin")]
fn epoch() -> Instant {
    Instant::now()
}

fn join(us: &str, others: Vec<Participant>) -> ServerMessage {
    ServerMessage::Join(Box::new(Join {
        room: room("demo"),
        participant: us.into(),
        identity: "rec".into(),
        others,
        ping_interval: Duration::from_secs(5),
        ping_timeout: Duration::from_secs(15),
        server: Server::default(),
    }))
}

fn room(name: &str) -> Room {
    Room {
        sid: "RM_1".into(),
        name: RoomName::from(name),
    }
}

fn alice() -> Participant {
    participant("alice", "PA_alice", &["TR_cam", "TR_mic"])
}

/// Tracks named `…cam…` are video.
fn participant(identity: &str, sid: &str, tracks: &[&str]) -> Participant {
    let publisher = Arc::new(Publisher {
        identity: identity.into(),
        sid: sid.into(),
        name: String::new(),
        kind: ParticipantKind::Standard,
        attributes: Arc::default(),
    });
    Participant {
        has_left: false,
        version: 1,
        tracks: tracks
            .iter()
            .map(|track| publication(track, &publisher))
            .collect(),
        publisher,
    }
}

fn publication(track: &str, publisher: &Arc<Publisher>) -> Publication {
    let is_video = track.contains("cam");
    Publication {
        sid: track.into(),
        name: String::new(),
        kind: if is_video {
            TrackKind::Video
        } else {
            TrackKind::Audio
        },
        source: TrackSource::Unknown,
        codec: None,
        is_muted: false,
        width: 0,
        height: 0,
        is_encrypted: false,
        publisher: Arc::clone(publisher),
    }
}

/// An offer with one m-line for each track.
fn offer_of(id: u32, fragment: &str, tracks: &[&str]) -> ServerMessage {
    let mut sdp = format!(
        "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\na=ice-ufrag:{fragment}\r\n"
    );
    for (index, track) in tracks.iter().enumerate() {
        let mid = index + 1;
        sdp += &format!(
            "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:{mid}\r\na=rtpmap:111 opus/48000/2\r\na=ssrc:{mid} cname:x\r\na=msid:x {track}\r\na=sendrecv\r\n"
        );
    }
    ServerMessage::Offer(Offer {
        id,
        sdp,
        tracks: std::iter::empty().collect(),
    })
}

fn leave(action: LeaveAction, reason: LeaveReason) -> ServerMessage {
    ServerMessage::Leave(Leave {
        action,
        reason,
        urls: vec!["wss://elsewhere".to_owned()],
    })
}

fn refused(failure: OpenFailure) -> Input {
    Input::OpenFailed(OpenError::new(failure, "no"))
}

fn events(outputs: &[Output]) -> Vec<Event> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Event(event) => Some(event.clone()),
            _ => None,
        })
        .collect()
}

fn sent(outputs: &[Output]) -> Vec<ClientMessage> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Send(message) => Some(message.clone()),
            _ => None,
        })
        .collect()
}

fn opens(outputs: &[Output]) -> Vec<Open> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Open(open) => Some(open.clone()),
            _ => None,
        })
        .collect()
}

/// Offers and candidates in the order in which the peer connection gets them.
fn for_peer(outputs: &[Output]) -> Vec<String> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Offer(offer) => Some(format!("offer {}", offer.id)),
            Output::Candidate(candidate) => Some(candidate.clone()),
            Output::RestartPeer => Some("restart".to_owned()),
            _ => None,
        })
        .collect()
}

fn end_of(outputs: &[Output]) -> Option<EndReason> {
    events(outputs).into_iter().find_map(|event| match event {
        Event::Ended(reason) => Some(reason),
        _ => None,
    })
}

/// How each planned attempt comes back.
fn reconnections(outputs: &[Output]) -> Vec<Reconnection> {
    events(outputs)
        .into_iter()
        .filter_map(|event| match event {
            Event::Reconnecting { reconnection, .. } => Some(reconnection),
            _ => None,
        })
        .collect()
}
