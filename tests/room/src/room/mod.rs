//! The simulated server on loopback sockets, for demonstrations and end-to-end tests.

mod driver;
mod frame;
mod upgrade;
mod websocket;

use std::net::SocketAddr;
use std::time::Instant;

use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::clock;
use crate::publisher::{SentPacket, TrackSid, TrackSpec};
use crate::signal::Server;
use crate::simulation::{Config, Fault, Simulation, SubscriberState, UnknownName};
use driver::{Driver, Event};

/// A LiveKit server with any number of rooms, simulated.
#[derive(Debug)]
pub struct SimulatedRoom {
    server: Server,
    events: mpsc::Sender<Event>,
    tasks: JoinSet<()>,
}

/// Why a simulated server does not answer.
#[derive(Debug, thiserror::Error)]
pub enum RoomError {
    /// A socket cannot be had.
    #[error("open a socket of the simulated server")]
    Socket(#[from] std::io::Error),
    /// The command names something that is not there.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// The server was closed.
    #[error("the simulated server is closed")]
    Closed,
}

impl SimulatedRoom {
    /// Starts a server whose ports the system chooses.
    ///
    /// # Errors
    ///
    /// If a socket cannot be had.
    pub async fn start(config: Config) -> Result<Self, RoomError> {
        let ip = config.udp.ip();
        Self::start_at(config, SocketAddr::new(ip, 0)).await
    }

    /// Starts a server whose WebSockets are at `signal`; the system chooses the media ports.
    ///
    /// # Errors
    ///
    /// If a socket cannot be had.
    pub async fn start_at(mut config: Config, signal: SocketAddr) -> Result<Self, RoomError> {
        let listener = TcpListener::bind(signal).await?;
        let socket = UdpSocket::bind((config.udp.ip(), 0)).await?;
        config.udp = socket.local_addr()?;
        let media_listener = match &mut config.tcp {
            Some(address) => {
                let listener = TcpListener::bind((address.ip(), 0)).await?;
                *address = listener.local_addr()?;
                Some(listener)
            }
            None => None,
        };
        let server = Server {
            url: format!("ws://{}", listener.local_addr()?),
            api_key: config.api_key.clone(),
            api_secret: config.api_secret.clone(),
        };
        let (events, inbox) = mpsc::channel(EVENTS);
        let simulation = Simulation::new(config, clock::now());
        let mut tasks = JoinSet::new();
        tasks.spawn(Driver::new(simulation, socket, inbox).run());
        tasks.spawn(websocket::listen(listener, events.clone()));
        if let Some(listener) = media_listener {
            tasks.spawn(frame::listen(listener, events.clone()));
        }
        Ok(Self {
            server,
            events,
            tasks,
        })
    }

    /// Returns where the server is and which key pair it accepts.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// Returns the WebSocket address, as in `ws://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.server.url
    }

    /// Returns the accepted API key.
    #[must_use]
    pub fn api_key(&self) -> &str {
        &self.server.api_key
    }

    /// Returns the secret of the API key.
    #[must_use]
    pub fn api_secret(&self) -> &str {
        &self.server.api_secret
    }

    /// Publishes a track in a room; whoever is not there joins.
    ///
    /// # Errors
    ///
    /// If the server is closed.
    pub async fn publish(
        &self,
        room: &str,
        identity: &str,
        track: TrackSpec,
    ) -> Result<TrackSid, RoomError> {
        let (room, identity) = (room.to_owned(), identity.to_owned());
        self.with(move |simulation, now| simulation.publish(&room, &identity, track, now))
            .await
    }

    /// Mutes a track.
    ///
    /// # Errors
    ///
    /// If there is no such track or the server is closed.
    pub async fn mute(&self, sid: &TrackSid) -> Result<(), RoomError> {
        let sid = sid.clone();
        let done = self.with(move |simulation, now| simulation.mute(&sid, now));
        Ok(done.await??)
    }

    /// Unmutes a track.
    ///
    /// # Errors
    ///
    /// If there is no such track or the server is closed.
    pub async fn unmute(&self, sid: &TrackSid) -> Result<(), RoomError> {
        let sid = sid.clone();
        let done = self.with(move |simulation, _| simulation.unmute(&sid));
        Ok(done.await??)
    }

    /// Takes a track back.
    ///
    /// # Errors
    ///
    /// If there is no such track or the server is closed.
    pub async fn unpublish(&self, sid: &TrackSid) -> Result<(), RoomError> {
        let sid = sid.clone();
        let done = self.with(move |simulation, now| simulation.unpublish(&sid, now));
        Ok(done.await??)
    }

    /// Lets a publisher leave.
    ///
    /// # Errors
    ///
    /// If nobody of that name is in the room or the server is closed.
    pub async fn leave(&self, room: &str, identity: &str) -> Result<(), RoomError> {
        let (room, identity) = (room.to_owned(), identity.to_owned());
        let done = self.with(move |simulation, now| simulation.leave(&room, &identity, now));
        Ok(done.await??)
    }

    /// Makes something go wrong, or right again.
    ///
    /// # Errors
    ///
    /// If the server is closed.
    pub async fn fault(&self, fault: Fault) -> Result<(), RoomError> {
        self.with(move |simulation, now| simulation.fault(fault, now))
            .await
    }

    /// Describes everyone who subscribes.
    ///
    /// # Errors
    ///
    /// If the server is closed.
    pub async fn subscribers(&self) -> Result<Vec<SubscriberState>, RoomError> {
        self.with(|simulation, _| simulation.subscribers()).await
    }

    /// Returns what the publisher of a track sent.
    ///
    /// # Errors
    ///
    /// If there was no such track or the server is closed.
    pub async fn sent(&self, sid: &TrackSid) -> Result<Vec<SentPacket>, RoomError> {
        let sid = sid.clone();
        let sent = self.with(move |simulation, _| simulation.sent(&sid));
        Ok(sent.await??)
    }

    /// Does anything else that a [`Simulation`] can do.
    ///
    /// # Errors
    ///
    /// If the server is closed.
    pub async fn with<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Simulation, Instant) -> T + Send + 'static,
    ) -> Result<T, RoomError> {
        let (reply, answer) = oneshot::channel();
        let command = Box::new(move |simulation: &mut Simulation, now| {
            // A caller that no longer waits has lost interest in the result only.
            drop(reply.send(command(simulation, now)));
        });
        let sent = self.events.send(Event::Command(command)).await;
        sent.map_err(|_| RoomError::Closed)?;
        answer.await.map_err(|_| RoomError::Closed)
    }

    /// Ends the server; every connection breaks.
    pub async fn close(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Events that may wait for the driver; when there are more, the sockets wait.
const EVENTS: usize = 256;
