//! Media workers on loopback sockets, against a sending str0m behind real UDP and TCP sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::num::NonZeroUsize;
use std::sync::mpsc as sync;
use std::time::{Duration, Instant};

use str0m::media::{MediaKind, Mid};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::framing::{Deframer, frame};
use super::sfu::Sfu;
use super::{
    Consumer, Notice, OfferError, PeerEvent, PeerHandle, Settings, Transport, Workers, clock,
};
use crate::rtp::{Restart, RestartCause, RtpPacket, SenderReport, StreamStatistics};

/// A server on its own thread, with one audio track. It sends a packet every 5 ms once connected.
struct Server {
    offers: sync::Receiver<(String, Vec<crate::rtp::StreamDescription>)>,
    answers: sync::Sender<String>,
    /// A message pauses it; the end of the channel is its own.
    pause: sync::Sender<Duration>,
}

struct Sockets {
    udp: Option<UdpSocket>,
    listener: TcpListener,
    tcp: Option<(TcpStream, SocketAddr)>,
    deframer: Deframer,
}

impl Server {
    fn start(offered: Transport) -> Self {
        let (offer, offers) = sync::channel();
        let (answers, answer) = sync::channel::<String>();
        let (pause, pauses) = sync::channel();
        std::thread::spawn(move || {
            let mut sockets = Sockets::open(offered);
            let mut sfu = Sfu::new(clock::now());
            match &sockets.udp {
                Some(udp) => sfu.add_udp(udp.local_addr().unwrap()),
                None => sfu.add_tcp(sockets.listener.local_addr().unwrap()),
            };
            let (text, mid) = sfu.publish("TR_a", MediaKind::Audio);
            offer.send((text, sfu.streams())).unwrap();
            sfu.accept_answer(&answer.recv().unwrap(), clock::now());
            sockets.run(&mut sfu, mid, &pauses);
        });
        Self {
            offers,
            answers,
            pause,
        }
    }

    async fn negotiate(&self, peer: &PeerHandle) {
        let (offer, streams) = self.offers.recv().unwrap();
        let answer = peer.accept_offer(offer, streams).await.unwrap();
        self.answers.send(answer).unwrap();
    }
}

impl Sockets {
    fn open(offered: Transport) -> Self {
        let udp = (offered == Transport::Udp).then(|| {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            udp.set_nonblocking(true).unwrap();
            udp
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self {
            udp,
            listener,
            tcp: None,
            deframer: Deframer::default(),
        }
    }

    fn run(&mut self, sfu: &mut Sfu, mid: Mid, pauses: &sync::Receiver<Duration>) {
        let mut sequence_number = 0;
        loop {
            match pauses.try_recv() {
                Ok(pause) => clock::sleep(pause),
                Err(sync::TryRecvError::Disconnected) => return,
                Err(sync::TryRecvError::Empty) => {}
            }
            let now = clock::now();
            self.receive(sfu, now);
            sfu.handle_timeout(now);
            if sfu.is_connected {
                sfu.send(now, mid, sequence_number, &sequence_number.to_be_bytes());
                sequence_number += 1;
            }
            while let Some(transmit) = sfu.transmits.pop_front() {
                self.transmit(transmit.destination, &transmit.contents);
            }
            clock::sleep(Duration::from_millis(5));
        }
    }

    fn receive(&mut self, sfu: &mut Sfu, now: Instant) {
        let mut buffer = [0; 2_000];
        if let Some(udp) = &self.udp {
            while let Ok((length, remote)) = udp.recv_from(&mut buffer) {
                let path = (remote, udp.local_addr().unwrap());
                sfu.receive(now, Transport::Udp, path, &buffer[..length]);
            }
        }
        if let Ok((stream, remote)) = self.listener.accept() {
            stream.set_nonblocking(true).unwrap();
            self.tcp = Some((stream, remote));
        }
        let Some((stream, remote)) = &mut self.tcp else {
            return;
        };
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            self.deframer.push(&buffer[..length]);
            while let Some(datagram) = self.deframer.pull() {
                let path = (*remote, stream.local_addr().unwrap());
                sfu.receive(now, Transport::Tcp, path, datagram);
            }
        }
    }

    fn transmit(&mut self, destination: SocketAddr, datagram: &[u8]) {
        if let Some(udp) = &self.udp {
            udp.send_to(datagram, destination).ok();
        }
        if let Some((stream, _)) = &mut self.tcp {
            let mut framed = Vec::new();
            frame(datagram, &mut framed).unwrap();
            match stream.write_all(&framed) {
                Err(error) if error.kind() != ErrorKind::BrokenPipe => panic!("{error}"),
                _ => {}
            }
        }
    }
}

/// Passes on what it hears.
#[derive(Debug)]
struct Recorder(mpsc::UnboundedSender<Heard>);

#[derive(Debug, PartialEq)]
enum Heard {
    Packet(u64),
    Notice(Notice),
    /// What the media plane counted.
    Received(u64),
    Timeout,
}

impl Consumer for Recorder {
    fn packet(&mut self, packet: RtpPacket) {
        let payload = packet.payload.as_ref().try_into().unwrap();
        self.0.send(Heard::Packet(u64::from_be_bytes(payload))).ok();
    }

    fn sender_report(&mut self, _: SenderReport) {}

    fn statistics(&mut self, counted: StreamStatistics) {
        self.0.send(Heard::Received(counted.received)).ok();
    }

    fn notice(&mut self, notice: Notice, _: Instant) {
        self.0.send(Heard::Notice(notice)).ok();
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn handle_timeout(&mut self, _: Instant) {
        self.0.send(Heard::Timeout).ok();
    }

    fn take_keyframe_request(&mut self) -> bool {
        false
    }
}

#[expect(clippy::disallowed_methods, reason = "a test reads all of it")]
fn recorder() -> (Box<Recorder>, mpsc::UnboundedReceiver<Heard>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Box::new(Recorder(sender)), receiver)
}

fn workers(settings: &Settings) -> Workers {
    Workers::start(NonZeroUsize::MIN, settings).unwrap()
}

fn open(workers: &Workers) -> (PeerHandle, mpsc::Receiver<PeerEvent>) {
    workers.open(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap()
}

async fn next<T>(receiver: impl Future<Output = Option<T>>) -> T {
    timeout(Duration::from_secs(30), receiver)
        .await
        .unwrap()
        .unwrap()
}

/// Reads on until `count` packets came; the notices between them.
async fn packets(
    heard: &mut mpsc::UnboundedReceiver<Heard>,
    count: usize,
) -> (Vec<u64>, Vec<Notice>) {
    let (mut packets, mut notices) = (Vec::new(), Vec::new());
    while packets.len() < count {
        match next(heard.recv()).await {
            Heard::Packet(number) => packets.push(number),
            Heard::Notice(notice) => notices.push(notice),
            Heard::Received(_) => {}
            Heard::Timeout => panic!("none was asked for"),
        }
    }
    (packets, notices)
}

async fn records_over(transport: Transport) {
    let workers = workers(&Settings::default());
    let (peer, mut events) = open(&workers);
    let server = Server::start(transport);
    let (consumer, mut heard) = recorder();
    peer.attach("TR_a".into(), consumer);

    server.negotiate(&peer).await;
    let (numbers, notices) = packets(&mut heard, 50).await;

    assert!(numbers.is_sorted_by(|a, b| a + 1 == *b), "{numbers:?}");
    assert_eq!(notices, []);
    assert_eq!(
        next(events.recv()).await,
        PeerEvent::Connected { transport }
    );
    assert_eq!(
        next(events.recv()).await,
        PeerEvent::FirstPacket("TR_a".into())
    );
    let statistics = peer.statistics().await;
    assert_eq!(statistics.transport, Some(transport));
    assert_eq!(statistics.held_back, 0);
}

#[tokio::test]
async fn a_track_is_received_over_udp() {
    records_over(Transport::Udp).await;
}

#[tokio::test]
async fn a_track_is_received_over_ice_tcp() {
    records_over(Transport::Tcp).await;
}

#[tokio::test]
async fn a_full_reconnect_keeps_its_consumers() {
    let workers = workers(&Settings::default());
    let (peer, _events) = open(&workers);
    let (consumer, mut heard) = recorder();
    peer.attach("TR_a".into(), consumer);
    let first = Server::start(Transport::Udp);
    first.negotiate(&peer).await;
    packets(&mut heard, 5).await;

    peer.restart();
    let second = Server::start(Transport::Udp);
    second.negotiate(&peer).await;

    let restart = Restart {
        track: "TR_a".into(),
        cause: RestartCause::Reconnected,
    };
    let told = Heard::Notice(Notice::Restarted(restart));
    let (mut packets_before, mut counted) = (5, 0);
    loop {
        match next(heard.recv()).await {
            Heard::Packet(_) => packets_before += 1,
            Heard::Received(count) => counted = count,
            other => break assert_eq!(other, told),
        }
    }
    assert_eq!(counted, packets_before);
    let (numbers, _) = packets(&mut heard, 5).await;
    assert_eq!(numbers[0], 0);
}

#[tokio::test]
async fn a_dead_line_is_reported_as_a_stall() {
    let settings = Settings {
        stall_after: Duration::from_millis(300),
        ..Settings::default()
    };
    let workers = workers(&settings);
    let (peer, mut events) = open(&workers);
    let server = Server::start(Transport::Udp);
    server.negotiate(&peer).await;
    let transport = Transport::Udp;
    assert_eq!(
        next(events.recv()).await,
        PeerEvent::Connected { transport }
    );

    drop(server);

    while next(events.recv()).await != PeerEvent::Stalled {}
}

#[tokio::test]
async fn the_end_of_a_stall_is_reported_as_a_connection() {
    let stall_after = Duration::from_millis(300);
    let settings = Settings {
        stall_after,
        ..Settings::default()
    };
    let workers = workers(&settings);
    let (peer, mut events) = open(&workers);
    let server = Server::start(Transport::Udp);
    server.negotiate(&peer).await;
    while !matches!(next(events.recv()).await, PeerEvent::Connected { .. }) {}

    server.pause.send(2 * stall_after).unwrap();

    while next(events.recv()).await != PeerEvent::Stalled {}
    while !matches!(next(events.recv()).await, PeerEvent::Connected { .. }) {}
}

#[tokio::test]
async fn the_end_of_the_workers_ends_everything() {
    let workers = workers(&Settings::default());
    let (peer, mut events) = open(&workers);
    let (consumer, mut heard) = recorder();
    let id = peer.attach("TR_a".into(), consumer);

    drop(workers);

    assert_eq!(next(heard.recv()).await, Heard::Notice(Notice::Ended));
    assert_eq!(events.recv().await, None);
    let answer = peer.accept_offer(String::new(), vec![]).await;
    assert_eq!(answer, Err(OfferError::Closed));
    peer.detach(id);
}

#[tokio::test]
async fn dropping_the_handle_ends_its_consumers() {
    let workers = workers(&Settings::default());
    let (peer, mut events) = open(&workers);
    let (consumer, mut heard) = recorder();
    peer.attach("TR_a".into(), consumer);

    drop(peer);

    assert_eq!(next(heard.recv()).await, Heard::Notice(Notice::Ended));
    assert_eq!(heard.recv().await, None);
    assert_eq!(events.recv().await, None);
}

#[tokio::test]
async fn notices_reach_the_consumers_of_their_track() {
    let workers = workers(&Settings::default());
    let (peer, _events) = open(&workers);
    let (consumer, mut heard) = recorder();
    let id = peer.attach("TR_a".into(), consumer);

    peer.notice("TR_b".into(), Notice::Muted);
    peer.notice("TR_a".into(), Notice::Unmuted);
    peer.detach(id);

    assert_eq!(next(heard.recv()).await, Heard::Notice(Notice::Unmuted));
    assert_eq!(next(heard.recv()).await, Heard::Notice(Notice::Ended));
    assert_eq!(heard.recv().await, None);
}
