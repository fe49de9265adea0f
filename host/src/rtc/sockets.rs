//! The sockets that one peer speaks through.

use std::io;
use std::net::SocketAddr;

use nix::sys::epoll::EpollFlags;
use tracing::debug;

use super::Transport;
use super::connection::Connection;
use super::output::Route;
use super::poller::{Poller, Token};
use super::socket::{self, Udp};

/// UDP sockets, one for each of our addresses that a route to the server starts from (most often
/// one), and at most one ICE-TCP connection.
#[derive(Debug)]
pub(crate) struct Sockets {
    slot: u32,
    udp: Vec<Udp>,
    tcp: Option<Connection>,
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The kernel took it.
    Taken,
    /// It is lost: there is no such way, or no room.
    Lost,
    /// It is lost, and so is the connection.
    HungUp,
}

impl Sockets {
    /// Begins with one UDP socket.
    ///
    /// # Errors
    /// If it cannot be watched.
    pub(crate) fn new(slot: u32, udp: Udp, poller: &Poller) -> io::Result<Self> {
        poller.add_edge(&udp, Token::Udp(slot, 0))?;
        Ok(Self {
            slot,
            udp: vec![udp],
            tcp: None,
        })
    }

    /// The UDP socket that an event is about.
    pub(crate) fn udp(&self, index: u8) -> Option<&Udp> {
        self.udp.get(usize::from(index))
    }

    /// Our UDP addresses.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.udp.iter().map(Udp::local)
    }

    /// Asks for receive buffers of `bytes`.
    pub(crate) fn enlarge(&self, bytes: usize) {
        for udp in &self.udp {
            udp.enlarge(bytes);
        }
    }

    /// Opens another UDP socket if the way to `remote` starts from an address without one:
    /// signalling and media may run over different networks. Its address.
    pub(crate) fn reach(&mut self, remote: SocketAddr, poller: &Poller) -> Option<SocketAddr> {
        let index = u8::try_from(self.udp.len()).ok()?;
        let address = socket::source(remote.ip())
            .inspect_err(|error| debug!(%remote, %error, "There is no route to a candidate."))
            .ok()?;
        let is_open = self.addresses().any(|local| local.ip() == address);
        if is_open || index >= MAX_UDP {
            return None;
        }
        let token = Token::Udp(self.slot, index);
        let udp = Udp::bind(address)
            .and_then(|udp| poller.add_edge(&udp, token).map(|()| udp))
            .inspect_err(|error| debug!(%address, %error, "Cannot open another socket."))
            .ok()?;
        let local = udp.local();
        self.udp.push(udp);
        Some(local)
    }

    /// Begins an ICE-TCP connection in place of the one before.
    ///
    /// # Errors
    /// If it fails at once.
    pub(crate) fn dial(&mut self, remote: SocketAddr, poller: &Poller) -> io::Result<()> {
        let connection = Connection::dial(remote)?;
        let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT;
        poller.add(connection.stream(), Token::Tcp(self.slot), interest)?;
        self.tcp = Some(connection);
        Ok(())
    }

    /// Takes the connection out, to read from it; [`put_back`](Self::put_back) follows unless it
    /// has ended.
    pub(crate) fn take_connection(&mut self) -> Option<Connection> {
        self.tcp.take()
    }

    /// Keeps a connection, and watches for what it waits for.
    ///
    /// # Errors
    /// If it cannot be watched; it is closed then.
    pub(crate) fn put_back(&mut self, connection: Connection, poller: &Poller) -> io::Result<()> {
        let interest = match connection.wants_to_write() {
            true => EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT,
            false => EpollFlags::EPOLLIN,
        };
        poller.modify(connection.stream(), Token::Tcp(self.slot), interest)?;
        self.tcp = Some(connection);
        Ok(())
    }

    /// Sends a datagram.
    pub(crate) fn send(&mut self, route: Route, datagram: &[u8], poller: &Poller) -> Sent {
        match route.transport {
            Transport::Udp => self.send_udp(route, datagram),
            Transport::Tcp => self.send_tcp(route, datagram, poller),
        }
    }

    fn send_udp(&self, route: Route, datagram: &[u8]) -> Sent {
        let mut sockets = self.udp.iter();
        let is_taken = sockets
            .find(|udp| udp.local() == route.local)
            .is_some_and(|udp| udp.send(datagram, route.remote));
        match is_taken {
            true => Sent::Taken,
            false => Sent::Lost,
        }
    }

    fn send_tcp(&mut self, route: Route, datagram: &[u8], poller: &Poller) -> Sent {
        let is_way = |connection: &mut Connection| connection.local() == Some(route.local);
        let Some(mut connection) = self.tcp.take_if(is_way) else {
            return Sent::Lost;
        };
        let sent = connection.send(datagram);
        match sent.and_then(|is_taken| self.put_back(connection, poller).map(|()| is_taken)) {
            Ok(true) => Sent::Taken,
            Ok(false) => Sent::Lost,
            Err(error) => {
                debug!(remote = %route.remote, %error, "ICE-TCP closed.");
                Sent::HungUp
            }
        }
    }
}

/// UDP sockets of a peer; the poller has room for seven.
const MAX_UDP: u8 = 4;
