//! The task that owns the simulation, the clock and the UDP socket.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::net::Protocol;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};

use crate::clock;
use crate::sfu::Datagram;
use crate::simulation::{Closing, ConnectionId, Output, Refusal, Simulation, Upgrade};

/// Something to do with the simulation.
pub(super) type Command = Box<dyn FnOnce(&mut Simulation, Instant) + Send>;

/// What the other tasks tell the driver.
pub(super) enum Event {
    /// Someone wants a WebSocket.
    Upgrade(Upgrade, oneshot::Sender<Result<Accepted, Refusal>>),
    /// A WebSocket brought a message.
    Message(ConnectionId, Vec<u8>),
    /// A WebSocket ended.
    Disconnected(ConnectionId),
    /// An ICE-TCP connection was made; what is sent goes to the channel.
    Connected(SocketAddr, mpsc::Sender<Vec<u8>>),
    /// A datagram came over ICE-TCP.
    Datagram(Datagram),
    /// A test wants something.
    Command(Command),
}

/// The right to a WebSocket, and what to send on it.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) id: ConnectionId,
    pub(super) outbox: mpsc::Receiver<ToSocket>,
}

/// What a WebSocket has to do.
#[derive(Debug)]
pub(super) enum ToSocket {
    Send(Vec<u8>),
    Close(Closing),
}

/// Moves bytes and time between the simulation and the sockets.
#[derive(Debug)]
pub(super) struct Driver {
    simulation: Simulation,
    socket: UdpSocket,
    inbox: mpsc::Receiver<Event>,
    sockets: BTreeMap<ConnectionId, mpsc::Sender<ToSocket>>,
    streams: BTreeMap<SocketAddr, mpsc::Sender<Vec<u8>>>,
    connections: u64,
    /// Requests for a WebSocket that came while the server had vanished.
    held: Vec<(Upgrade, oneshot::Sender<Result<Accepted, Refusal>>)>,
    buffer: Box<[u8; DATAGRAM]>,
}

impl Driver {
    pub(super) fn new(
        simulation: Simulation,
        socket: UdpSocket,
        inbox: mpsc::Receiver<Event>,
    ) -> Self {
        Self {
            simulation,
            socket,
            inbox,
            sockets: BTreeMap::new(),
            streams: BTreeMap::new(),
            connections: 0,
            held: Vec::new(),
            buffer: Box::new([0; DATAGRAM]),
        }
    }

    /// Runs until every handle is gone.
    pub(super) async fn run(mut self) {
        loop {
            let deadline = self.simulation.next_at();
            let deadline = deadline.unwrap_or_else(|| clock::now() + IDLE);
            tokio::select! {
                event = self.inbox.recv() => match event {
                    Some(event) => self.handle(event),
                    None => return,
                },
                datagram = self.socket.recv_from(&mut self.buffer[..]) => self.receive(datagram),
                () = tokio::time::sleep_until(deadline.into()) => {}
            }
            self.simulation.handle_timeout(clock::now());
            self.flush().await;
        }
    }

    fn handle(&mut self, event: Event) {
        let now = clock::now();
        match event {
            Event::Upgrade(upgrade, reply) if self.simulation.has_vanished() => {
                self.held.push((upgrade, reply));
            }
            Event::Upgrade(upgrade, reply) => self.accept(&upgrade, reply, now),
            Event::Message(id, bytes) => self.simulation.handle_message(id, &bytes, now),
            Event::Disconnected(id) => {
                self.sockets.remove(&id);
                self.simulation.disconnected(id, now);
            }
            Event::Connected(remote, outbox) => {
                self.streams.insert(remote, outbox);
            }
            Event::Datagram(datagram) => self.simulation.handle_datagram(datagram, now),
            Event::Command(command) => {
                command(&mut self.simulation, now);
                self.accept_held(now);
            }
        }
    }

    /// The network sends again what a server did not take while it was gone.
    fn accept_held(&mut self, now: Instant) {
        if self.simulation.has_vanished() {
            return;
        }
        for (upgrade, reply) in std::mem::take(&mut self.held) {
            if !reply.is_closed() {
                self.accept(&upgrade, reply, now);
            }
        }
    }

    fn accept(
        &mut self,
        upgrade: &Upgrade,
        reply: oneshot::Sender<Result<Accepted, Refusal>>,
        now: Instant,
    ) {
        self.connections += 1;
        let id = ConnectionId(self.connections);
        let accepted = self.simulation.accept(id, upgrade, now).map(|()| {
            let (inbox, outbox) = mpsc::channel(MESSAGES);
            self.sockets.insert(id, inbox);
            Accepted { id, outbox }
        });
        if reply.send(accepted).is_err() {
            self.handle(Event::Disconnected(id));
        }
    }

    fn receive(&mut self, datagram: std::io::Result<(usize, SocketAddr)>) {
        // An error belongs to a datagram sent earlier: the subscriber's port is closed.
        let Ok((length, remote)) = datagram else {
            return;
        };
        let datagram = Datagram {
            protocol: Protocol::Udp,
            remote,
            bytes: self.buffer.get(..length).unwrap_or_default().to_vec(),
        };
        self.simulation.handle_datagram(datagram, clock::now());
    }

    async fn flush(&mut self) {
        while let Some(output) = self.simulation.poll_output() {
            match output {
                Output::Message(id, bytes) => self.send(id, ToSocket::Send(bytes)),
                Output::Close(id, closing) => {
                    self.send(id, ToSocket::Close(closing));
                    self.sockets.remove(&id);
                }
                Output::Datagram(datagram) => self.transmit(datagram).await,
            }
        }
    }

    /// A socket that does not read for so long is cut off, as the real server does.
    fn send(&mut self, id: ConnectionId, message: ToSocket) {
        let socket = self.sockets.get(&id);
        let sent = socket.map(|socket| socket.try_send(message));
        if matches!(sent, Some(Err(_))) {
            tracing::warn!(?id, "A subscriber does not read its WebSocket.");
            self.sockets.remove(&id);
        }
    }

    /// What cannot be sent is lost, as on a network.
    async fn transmit(&mut self, datagram: Datagram) {
        let lost = if datagram.protocol == Protocol::Udp {
            let sent = self.socket.send_to(&datagram.bytes, datagram.remote);
            sent.await.is_err()
        } else {
            let stream = self.streams.get(&datagram.remote);
            stream.is_none_or(|stream| stream.try_send(datagram.bytes).is_err())
        };
        if lost {
            tracing::debug!(remote = %datagram.remote, "A datagram was not sent.");
        }
    }
}

const DATAGRAM: usize = 2_048;
const MESSAGES: usize = 256;
const IDLE: Duration = Duration::from_secs(1);
