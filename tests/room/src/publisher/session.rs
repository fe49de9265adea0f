//! The driver of a publisher: one task that owns the WebSocket, the UDP socket and the clock.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::command::Command;
use super::peer::Peer;
use super::track::Track;
use super::{PublishError, SentPacket, TrackSid, TrackSpec};
use crate::clock;
use crate::media::Codec;
use crate::signal::{Client, SignalError};

/// A joined participant.
#[derive(Debug)]
pub(super) struct Session {
    client: Client,
    socket: UdpSocket,
    peer: Peer,
    tracks: BTreeMap<TrackSid, Track>,
    /// What the server called the tracks that we asked for: client id → server id.
    granted: BTreeMap<String, TrackSid>,
    requested: u32,
    answered: bool,
    next_ping: Instant,
    buffer: Box<[u8; DATAGRAM]>,
}

/// What the session waits for besides commands.
enum Happening {
    Signal(Result<Box<Response>, SignalError>),
    Datagram(std::io::Result<(usize, SocketAddr)>),
    Due,
}

impl Session {
    /// Connects, and waits until the server lets us in.
    pub(super) async fn join(url: &str, token: &str) -> Result<Self, PublishError> {
        let mut client = Box::pin(Client::connect(url, token, "")).await?;
        let socket = UdpSocket::bind((local_address(url).await?, 0)).await?;
        let joined = tokio::time::timeout(PATIENCE, client.receive())
            .await
            .map_err(|_| PublishError::Timeout("join response"))??;
        let Response::Join(_) = joined else {
            return Err(PublishError::Left(format!("{joined:?}")));
        };
        let now = clock::now();
        Ok(Self {
            peer: Peer::new(socket.local_addr()?, now),
            client,
            socket,
            tracks: BTreeMap::new(),
            granted: BTreeMap::new(),
            requested: 0,
            answered: false,
            next_ping: now + PING_INTERVAL,
            buffer: Box::new([0; DATAGRAM]),
        })
    }

    /// Serves commands and plays the tracks until told to leave, or the server goes away.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        loop {
            let result = tokio::select! {
                command = inbox.recv() => match command {
                    Some(Command::Leave(done)) => return self.leave(done).await,
                    Some(command) => self.execute(command).await,
                    None => return,
                },
                happening = self.next() => self.handle(happening).await,
            };
            if let Err(error) = result {
                tracing::warn!(%error, "The publisher's session ended.");
                return;
            }
        }
    }

    /// Does what the handle asked for; an error that ends the session is returned.
    async fn execute(&mut self, command: Command) -> Result<(), PublishError> {
        // A handle that no longer waits for the result is no reason to stop.
        match command {
            Command::Publish(specs, reply) => drop(reply.send(self.publish(specs).await)),
            Command::Hold(sid, reply) => drop(reply.send(self.hold(sid, true))),
            Command::Release(sid, reply) => drop(reply.send(self.hold(sid, false))),
            Command::Mute(sid, reply) => drop(reply.send(self.mute(sid, true).await)),
            Command::Unmute(sid, reply) => drop(reply.send(self.mute(sid, false).await)),
            Command::Unpublish(sid, reply) => drop(reply.send(self.unpublish(sid).await)),
            Command::Sent(sid, reply) => drop(reply.send(self.sent(sid))),
            Command::Counts(reply) => drop(reply.send(self.counts())),
            Command::Leave(_) => {}
        }
        Ok(())
    }

    async fn publish(&mut self, specs: Vec<TrackSpec>) -> Result<Vec<TrackSid>, PublishError> {
        let mut cids = Vec::new();
        for spec in &specs {
            self.requested += 1;
            let cid = format!("track{}", self.requested);
            let request = Request::AddTrack(spec.add_track_request(&cid));
            self.client.send(request).await?;
            cids.push(cid);
        }
        self.until("track publication", |session| {
            cids.iter().all(|cid| session.granted.contains_key(cid))
        })
        .await?;
        let media: Vec<(String, Codec)> = cids
            .iter()
            .cloned()
            .zip(specs.iter().map(|spec| spec.media.codec))
            .collect();
        let offer = self.peer.add_tracks(&media);
        self.negotiate(offer).await?;
        Ok(self.start(cids, specs))
    }

    /// Remembers the tracks; they play as soon as the connection stands.
    fn start(&mut self, cids: Vec<String>, specs: Vec<TrackSpec>) -> Vec<TrackSid> {
        let mut sids = Vec::new();
        for (cid, spec) in cids.into_iter().zip(specs) {
            let Some(sid) = self.granted.get(&cid) else {
                continue;
            };
            sids.push(sid.clone());
            self.tracks.insert(sid.clone(), Track::new(cid, spec));
        }
        sids
    }

    fn hold(&mut self, sid: TrackSid, held: bool) -> Result<(), PublishError> {
        let track = self.tracks.get_mut(&sid);
        track
            .ok_or(PublishError::UnknownTrack(sid))?
            .silence
            .is_held = held;
        Ok(())
    }

    async fn mute(&mut self, sid: TrackSid, muted: bool) -> Result<(), PublishError> {
        let track = self.tracks.get_mut(&sid);
        let track = track.ok_or_else(|| PublishError::UnknownTrack(sid.clone()))?;
        track.silence.is_muted = muted;
        let request = lk::MuteTrackRequest { sid: sid.0, muted };
        Ok(self.client.send(Request::Mute(request)).await?)
    }

    async fn unpublish(&mut self, sid: TrackSid) -> Result<(), PublishError> {
        let track = self.tracks.get_mut(&sid);
        let track = track.ok_or_else(|| PublishError::UnknownTrack(sid.clone()))?;
        let offer = self.peer.remove_track(&track.cid);
        track.ended = true;
        self.negotiate(offer).await
    }

    fn sent(&self, sid: TrackSid) -> Result<Vec<SentPacket>, PublishError> {
        match self.tracks.get(&sid) {
            Some(track) => Ok(track.sent.clone()),
            None => Err(PublishError::UnknownTrack(sid)),
        }
    }

    fn counts(&self) -> Vec<(TrackSid, u64)> {
        self.tracks
            .iter()
            .map(|(sid, track)| (sid.clone(), track.count))
            .collect()
    }

    async fn leave(&mut self, done: tokio::sync::oneshot::Sender<()>) {
        let goodbye = Request::Leave(lk::LeaveRequest::default());
        if let Err(error) = self.client.send(goodbye).await {
            tracing::debug!(%error, "Nobody to say goodbye to.");
        }
        done.send(()).unwrap_or_default();
    }

    /// Sends an offer and waits for its answer; media goes on meanwhile.
    async fn negotiate(&mut self, offer: Option<String>) -> Result<(), PublishError> {
        let Some(sdp) = offer else {
            return Ok(());
        };
        self.answered = false;
        let offer = lk::SessionDescription {
            r#type: "offer".into(),
            sdp,
            ..lk::SessionDescription::default()
        };
        self.client.send(Request::Offer(offer)).await?;
        self.until("answer", |session| session.answered).await
    }

    /// Goes on until `done`, at most for [`PATIENCE`].
    async fn until(
        &mut self,
        what: &'static str,
        done: impl Fn(&Self) -> bool,
    ) -> Result<(), PublishError> {
        let deadline = clock::now() + PATIENCE;
        while !done(self) {
            if clock::now() > deadline {
                return Err(PublishError::Timeout(what));
            }
            let happening = self.next().await;
            self.handle(happening).await?;
        }
        Ok(())
    }

    /// Waits for the next thing; cancel safe.
    async fn next(&mut self) -> Happening {
        let deadline = self.deadline();
        tokio::select! {
            message = self.client.receive() => Happening::Signal(message.map(Box::new)),
            datagram = self.socket.recv_from(&mut self.buffer[..]) => Happening::Datagram(datagram),
            () = tokio::time::sleep_until(deadline.into()) => Happening::Due,
        }
    }

    fn deadline(&self) -> Instant {
        let media = self.tracks.values().filter_map(Track::next_at).min();
        let timers = self.peer.deadline().min(self.next_ping);
        media.map_or(timers, |at| at.min(timers))
    }

    async fn handle(&mut self, happening: Happening) -> Result<(), PublishError> {
        let now = clock::now();
        match happening {
            Happening::Signal(message) => self.handle_signal(*message?)?,
            Happening::Datagram(Ok((length, from))) => {
                let bytes = self.buffer.get(..length).unwrap_or_default();
                self.peer.handle_datagram(from, bytes, now);
            }
            // An ICMP error of a datagram sent earlier; ICE copes with it.
            Happening::Datagram(Err(error)) => tracing::debug!(%error, "UDP"),
            Happening::Due => {}
        }
        if now >= self.next_ping {
            self.next_ping = now + PING_INTERVAL;
            self.client
                .send(Request::PingReq(lk::Ping::default()))
                .await?;
        }
        self.play(now);
        self.flush().await;
        Ok(())
    }

    fn handle_signal(&mut self, message: Response) -> Result<(), PublishError> {
        match message {
            Response::TrackPublished(published) => {
                let sid = published.track.unwrap_or_default().sid;
                self.granted.insert(published.cid, TrackSid(sid));
            }
            Response::Answer(answer) => {
                self.peer.answer(&answer.sdp)?;
                self.answered = true;
            }
            Response::Trickle(trickle) if trickle.target == lk::SignalTarget::Publisher as i32 => {
                if let Some(candidate) = candidate(&trickle.candidate_init) {
                    self.peer.add_remote_candidate(&candidate);
                }
            }
            Response::Mute(mute) => {
                if let Some(track) = self.tracks.get_mut(&TrackSid(mute.sid)) {
                    track.silence.is_muted = mute.muted;
                }
            }
            Response::Leave(leave) => return Err(PublishError::Left(format!("{leave:?}"))),
            other => tracing::trace!(?other, "Ignored."),
        }
        Ok(())
    }

    fn play(&mut self, now: Instant) {
        if self.peer.is_connected() {
            let wall = clock::wall();
            for track in self.tracks.values_mut() {
                track.play(&mut self.peer, now, wall);
            }
        }
        self.peer.handle_timeout(now);
    }

    async fn flush(&mut self) {
        while let Some(datagram) = self.peer.poll_datagram() {
            let sent = self.socket.send_to(&datagram.bytes, datagram.remote).await;
            if let Err(error) = sent {
                // As lost on a network: the server asks again.
                tracing::debug!(%error, "A datagram was not sent.");
            }
        }
    }
}

/// Finds the address from which this machine reaches the server.
async fn local_address(url: &str) -> Result<std::net::IpAddr, PublishError> {
    let host = url.split("://").last().unwrap_or(url);
    let host = host.split('/').next().unwrap_or(host);
    let host = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:443")
    };
    let probe = UdpSocket::bind("0.0.0.0:0").await?;
    probe.connect(host).await?;
    Ok(probe.local_addr()?.ip())
}

/// Takes the candidate out of a browser's `RTCIceCandidateInit`.
fn candidate(init: &str) -> Option<String> {
    let init: serde_json::Value = serde_json::from_str(init).ok()?;
    let candidate = init.get("candidate")?.as_str()?;
    (!candidate.is_empty()).then(|| candidate.to_owned())
}

const PING_INTERVAL: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(15);
const DATAGRAM: usize = 2_048;
