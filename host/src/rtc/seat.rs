//! One peer on a worker: the pure parts, and the sockets they speak through.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use nix::sys::epoll::EpollFlags;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tracing::{debug, warn};

use super::command::{Opening, PeerCommand};
use super::connection::{Connection, Received};
use super::output::{Output, Route};
use super::peer::{self, Peer};
use super::poller::Token;
use super::silence::Silence;
use super::socket::Udp;
use super::sockets::{Sent, Sockets};
use super::tracks::Tracks;
use super::worker::Shared;
use super::{OfferError, PeerEvent, PeerStatistics, TrackStatistics, Transport, clock};
use crate::media::{Ssrc, TrackKind};
use crate::rtp::StreamDescription;

/// A peer connection with its sockets and consumers.
#[derive(Debug)]
pub(crate) struct Seat {
    slot: u32,
    server: IpAddr,
    peer: Peer,
    sockets: Sockets,
    tracks: Tracks,
    events: mpsc::Sender<PeerEvent>,
    silence: Silence,
    data_dropped: u64,
    unsent: u64,
    events_dropped: u64,
}

/// Whether the worker goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    Continue,
    End,
}

impl Seat {
    /// `None`, and [`PeerEvent::Failed`], if the socket cannot be watched.
    pub(crate) fn new(slot: u32, opening: Opening, shared: &Shared) -> Option<Self> {
        let now = clock::now();
        let (peer, sockets) = match begin(slot, opening.udp, shared, now) {
            Ok(begun) => begun,
            Err(error) => {
                // The channel is empty: the control side hears it, or is gone.
                drop(opening.events.try_send(cannot_begin(&error)));
                return None;
            }
        };
        Some(Self {
            slot,
            server: opening.server,
            peer,
            sockets,
            tracks: Tracks::default(),
            events: opening.events,
            silence: Silence::new(now),
            data_dropped: 0,
            unsent: 0,
            events_dropped: 0,
        })
    }

    /// Datagrams wait on a UDP socket.
    pub(crate) fn udp_readable(&mut self, socket: u8, shared: &mut Shared) {
        for _ in 0..MAX_READS {
            let Some(udp) = self.sockets.udp(socket) else {
                return;
            };
            let local = udp.local();
            let received = shared.batch.receive(udp);
            for (arrival, remote, datagram) in shared.batch.datagrams() {
                let transport = Transport::Udp;
                let route = Route {
                    transport,
                    local,
                    remote,
                };
                self.receive(arrival, route, datagram);
            }
            match received {
                Ok(true) => {}
                Ok(false) => return,
                // It may be about what we sent: datagrams can wait behind it.
                Err(error) => debug!(%error, "Cannot receive."),
            }
        }
        self.come_back(socket, shared);
    }

    /// The TCP connection can be read or written, or has ended.
    pub(crate) fn tcp_ready(&mut self, ready: EpollFlags, shared: &mut Shared) {
        let Some(mut connection) = self.sockets.take_connection() else {
            return;
        };
        let served = self
            .serve(&mut connection, ready, shared)
            .and_then(|()| self.sockets.put_back(connection, &shared.poller));
        if let Err(error) = served {
            debug!(%error, "ICE-TCP closed.");
            self.peer.connection_closed(clock::now());
        }
    }

    /// Runs a command of the control side. Streams and consumers come and go by commands only, so
    /// that what is reported around each is complete.
    pub(crate) fn run(&mut self, command: PeerCommand, shared: &mut Shared) {
        if matches!(command, PeerCommand::Message { .. }) {
            return self.execute(command, shared);
        }
        self.report();
        self.execute(command, shared);
        self.report();
    }

    /// How long datagrams may wait for the most impatient consumer.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.tracks.patience()
    }

    /// Runs what is due and sends what waits; when this is wanted again.
    pub(crate) fn settle(&mut self, now: Instant, shared: &mut Shared) -> Option<Instant> {
        while let Some(report) = self.peer.poll_sender_report() {
            self.tracks.sender_report(report);
        }
        let consumers = self
            .tracks
            .poll(now, |ssrc| self.peer.request_keyframe(ssrc));
        if self.peer.poll_timeout(now).is_some_and(|due| due <= now) {
            self.peer.handle_timeout(now);
        }
        self.perform(now, shared);
        let stall = self.watch_silence(now, shared);
        let peer = self.peer.poll_timeout(now);
        [consumers, stall, peer].into_iter().flatten().min()
    }

    /// Ends the consumers and says good-bye to the server.
    pub(crate) fn close(&mut self, shared: &mut Shared) {
        let now = clock::now();
        self.report();
        self.tracks.end(now);
        self.peer.close(now);
        self.perform(now, shared);
    }

    /// Ends the consumers of a peer that panicked, without touching it again.
    pub(crate) fn crash(&mut self, now: Instant) {
        self.tracks.end(now);
        let reason = "the peer connection hit a bug in trackmill";
        self.say(PeerEvent::Failed(reason.to_owned()));
    }

    fn execute(&mut self, command: PeerCommand, shared: &mut Shared) {
        let now = clock::now();
        match command {
            PeerCommand::AcceptOffer {
                sdp,
                streams,
                answer,
            } => {
                // Nobody waits if the control side gave up.
                drop(answer.send(self.accept_offer(&sdp, &streams, now, shared)));
            }
            PeerCommand::AddCandidate(text) => self.peer.add_remote_candidate(&text, now),
            PeerCommand::Restart => self.restart(now, shared),
            PeerCommand::Attach {
                id,
                track,
                consumer,
            } => self.tracks.attach(id, track, consumer, now),
            PeerCommand::Retarget { id, track } => self.tracks.retarget(id, track, now),
            PeerCommand::Detach { id } => self.tracks.detach(id, now),
            PeerCommand::Notice { track, notice } => self.tracks.notice(&track, &notice, now),
            PeerCommand::Message { message, at } => self.tracks.message(&message, at),
            PeerCommand::MessagesDropped(count) => self.tracks.messages_dropped(count),
            PeerCommand::Statistics(reply) => drop(reply.send(self.statistics())),
            PeerCommand::Close => {}
        }
    }

    /// Tells the consumers what came of their streams.
    fn report(&mut self) {
        self.tracks.report(|ssrc| self.peer.statistics(ssrc));
    }

    /// What is left on a UDP socket waits for the next turn.
    fn come_back(&self, socket: u8, shared: &mut Shared) {
        shared.is_behind = true;
        let token = Token::Udp(self.slot, socket);
        if let Some(udp) = self.sockets.udp(socket)
            && let Err(error) = shared.poller.rearm_edge(udp, token)
        {
            warn!(%error, "Cannot watch a socket any more.");
        }
    }

    fn receive(&mut self, arrival: Instant, route: Route, datagram: &mut [u8]) {
        let ends_stall = self.silence.broken(arrival);
        if ends_stall && self.peer.is_connected() {
            let transport = route.transport;
            self.say(PeerEvent::Connected { transport });
        }
        if let Some(packet) = self.peer.handle_datagram(arrival, route, datagram)
            && let Some(track) = self.tracks.packet(packet)
        {
            self.say(PeerEvent::FirstPacket(track));
        }
    }

    fn serve(
        &mut self,
        connection: &mut Connection,
        ready: EpollFlags,
        shared: &mut Shared,
    ) -> io::Result<()> {
        if ready.contains(EpollFlags::EPOLLOUT)
            && let Some(local) = connection.writable()?
        {
            debug!(%local, remote = %connection.remote(), "ICE-TCP connected.");
            let now = clock::now();
            self.peer.add_local_candidate(local, Transport::Tcp, now);
        }
        if ready.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR) {
            self.read(connection, shared)?;
        }
        Ok(())
    }

    fn read(&mut self, connection: &mut Connection, shared: &mut Shared) -> io::Result<()> {
        let Some(local) = connection.local() else {
            return Ok(());
        };
        let (transport, remote) = (Transport::Tcp, connection.remote());
        let route = Route {
            transport,
            local,
            remote,
        };
        for _ in 0..MAX_READS {
            if connection.receive(shared.batch.bytes())? == Received::Nothing {
                return Ok(());
            }
            let arrival = clock::now();
            while let Some(datagram) = connection.datagram() {
                self.receive(arrival, route, datagram);
            }
        }
        shared.is_behind = true;
        Ok(())
    }

    fn accept_offer(
        &mut self,
        sdp: &str,
        streams: &[StreamDescription],
        now: Instant,
        shared: &Shared,
    ) -> Result<String, OfferError> {
        let answer = self.peer.accept_offer(sdp, streams, now)?;
        let has_video = streams
            .iter()
            .flat_map(|stream| &stream.formats)
            .any(|(_, codec)| codec.kind() == TrackKind::Video);
        if has_video || streams.len() > FEW_STREAMS {
            self.sockets.enlarge(shared.settings.large_receive_buffer);
        }
        self.tracks.describe(streams, now);
        Ok(answer)
    }

    /// Puts a new peer on a new port in the place of this one.
    fn restart(&mut self, now: Instant, shared: &mut Shared) {
        self.peer.close(now);
        self.perform(now, shared);
        self.tracks.restart();
        let begun = Udp::towards(self.server).and_then(|udp| begin(self.slot, udp, shared, now));
        match begun {
            Ok((peer, sockets)) => (self.peer, self.sockets) = (peer, sockets),
            Err(error) => self.say(cannot_begin(&error)),
        }
        self.silence = Silence::new(now);
    }

    /// Does what the peer wants done.
    fn perform(&mut self, now: Instant, shared: &mut Shared) {
        while let Some(output) = self.peer.poll_output() {
            match output {
                Output::Transmit(route, datagram) => self.transmit(route, &datagram, shared),
                Output::Reach(remote) => self.reach(remote, now, shared),
                Output::Dial(remote) => self.dial(remote, now, shared),
                Output::Connected(transport) => {
                    self.silence = Silence::new(now);
                    self.say(PeerEvent::Connected { transport });
                }
                Output::Data(at, packet) => self.data(at, packet),
                Output::Disconnected => self.say(PeerEvent::Disconnected),
                Output::Failed(error) => self.say(PeerEvent::Failed(chain(&error))),
            }
        }
    }

    /// Hands a packet of a data channel to the control side, which can read it, if anybody wants it. What
    /// else there is to say is never held up by it.
    fn data(&mut self, at: Instant, packet: Vec<u8>) {
        if !self.tracks.hear_messages() {
            return;
        }
        let has_room = self.events.capacity() > self.events.max_capacity() / 2;
        if packet.len() <= MAX_DATA && has_room {
            let packet = packet.into();
            return self.say(PeerEvent::Data { at, packet });
        }
        self.data_dropped += 1;
        self.tracks.messages_dropped(1);
    }

    fn transmit(&mut self, route: Route, datagram: &[u8], shared: &Shared) {
        match self.sockets.send(route, datagram, &shared.poller) {
            Sent::Taken => return,
            Sent::Lost => {}
            Sent::HungUp => self.peer.connection_closed(clock::now()),
        }
        self.unsent += 1;
    }

    fn reach(&mut self, remote: SocketAddr, now: Instant, shared: &Shared) {
        if let Some(local) = self.sockets.reach(remote, &shared.poller) {
            self.peer.add_local_candidate(local, Transport::Udp, now);
        }
    }

    fn dial(&mut self, remote: SocketAddr, now: Instant, shared: &Shared) {
        if let Err(error) = self.sockets.dial(remote, &shared.poller) {
            debug!(%remote, %error, "Cannot dial ICE-TCP.");
            self.peer.connection_closed(now);
        }
    }

    /// Reports a stall; when one would be reported next.
    fn watch_silence(&mut self, now: Instant, shared: &Shared) -> Option<Instant> {
        if !self.peer.is_connected() {
            return None;
        }
        let due = self.silence.due(shared.settings.stall_after)?;
        if due > now {
            return Some(due);
        }
        self.silence.report();
        self.say(PeerEvent::Stalled);
        None
    }

    fn statistics(&self) -> PeerStatistics {
        let counters = self.peer.counters();
        let track = |(ssrc, track): (Ssrc, &_)| TrackStatistics {
            track: Clone::clone(track),
            ssrc,
            stream: self.peer.statistics(ssrc),
        };
        PeerStatistics {
            transport: self.peer.transport(),
            tracks: self.tracks.streams().map(track).collect(),
            dropped: self.peer.dropped(),
            unknown: counters.unknown,
            unsent: self.unsent,
            unroutable: counters.unroutable,
            held_back: counters.held_back,
            data_bytes: counters.data_bytes,
            data_dropped: self.data_dropped,
            events_dropped: self.events_dropped,
            consumers_panicked: self.tracks.panicked(),
        }
    }

    fn say(&mut self, event: PeerEvent) {
        if let Err(TrySendError::Full(event)) = self.events.try_send(event) {
            self.events_dropped += 1;
            warn!(
                ?event,
                "Dropped an event: the control side does not read them."
            );
        }
    }
}

/// Makes a peer that speaks through `udp`.
fn begin(slot: u32, udp: Udp, shared: &Shared, now: Instant) -> io::Result<(Peer, Sockets)> {
    let mut random = [0; 12];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| io::Error::other("no randomness"))?;
    let [a, b, c, d, cname @ ..] = random;
    let settings = peer::Settings {
        local: Ssrc(u32::from_be_bytes([a, b, c, d])),
        cname: format!("{:016x}", u64::from_be_bytes(cname)),
        tcp_after: shared.settings.tcp_after,
    };
    let mut peer = Peer::new(settings, now);
    let sockets = Sockets::new(slot, udp, &shared.poller)?;
    for address in sockets.addresses() {
        peer.add_local_candidate(address, Transport::Udp, now);
    }
    Ok((peer, sockets))
}

fn cannot_begin(error: &io::Error) -> PeerEvent {
    PeerEvent::Failed(format!("cannot begin a peer connection: {error}"))
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Bytes of a packet of a data channel: the 15 KiB that LiveKit allows, and what it puts around them.
const MAX_DATA: usize = 16 * 1_024;

/// Reads of one socket in one turn; what is left waits for the next, so that a flood on one peer
/// does not starve the others.
const MAX_READS: usize = 8;

/// Up to here the usual 208 KiB, which are 277 small datagrams, outlast half a second in which the
/// worker does not run. Of 50 audio tracks they hold a tenth, and busy machines do stall so long.
const FEW_STREAMS: usize = 10;
