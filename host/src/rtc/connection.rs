//! ICE-TCP: one connection a peer, to a passive candidate of the server.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, connect, setsockopt, socket, sockopt,
};

use super::framing::{self, Deframer};

/// A TCP connection that carries datagrams, [RFC 4571](https://www.rfc-editor.org/rfc/rfc4571).
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    remote: SocketAddr,
    progress: Progress,
    deframer: Deframer,
    /// What the kernel did not take yet.
    unsent: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Connecting,
    Connected { local: SocketAddr },
}

impl Connection {
    /// Begins to connect; the socket becomes writable when that has succeeded or failed.
    ///
    /// # Errors
    /// If it fails at once.
    pub(crate) fn dial(remote: SocketAddr) -> io::Result<Self> {
        let family = match remote {
            SocketAddr::V4(_) => AddressFamily::Inet,
            SocketAddr::V6(_) => AddressFamily::Inet6,
        };
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket(family, SockType::Stream, flags, None)?;
        setsockopt(&fd, sockopt::TcpNoDelay, &true)?;
        match connect(fd.as_raw_fd(), &SockaddrStorage::from(remote)) {
            Ok(()) | Err(Errno::EINPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Self {
            stream: fd.into(),
            remote,
            progress: Progress::Connecting,
            deframer: Deframer::default(),
            unsent: Vec::new(),
        })
    }

    /// The server's address.
    pub(crate) const fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Our own address, once connected.
    pub(crate) const fn local(&self) -> Option<SocketAddr> {
        match self.progress {
            Progress::Connecting => None,
            Progress::Connected { local } => Some(local),
        }
    }

    /// For epoll.
    pub(crate) const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Whether we wait to write: while connecting, and while the kernel's buffer is full.
    pub(crate) fn wants_to_write(&self) -> bool {
        self.progress == Progress::Connecting || !self.unsent.is_empty()
    }

    /// Goes on after the socket became writable; our own address, if this is what connected it.
    ///
    /// # Errors
    /// If connecting failed, or the connection is broken.
    pub(crate) fn writable(&mut self) -> io::Result<Option<SocketAddr>> {
        if self.progress != Progress::Connecting {
            self.flush()?;
            return Ok(None);
        }
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        // Some other event may have woken us before it is decided.
        match self.stream.peer_addr() {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(None),
            Err(error) => return Err(error),
        }
        let local = self.stream.local_addr()?;
        self.progress = Progress::Connected { local };
        Ok(Some(local))
    }

    /// Sends a datagram; whether it was taken. One that would make more than 64 KiB wait is not:
    /// like a datagram on a congested path, it is lost whole.
    ///
    /// # Errors
    /// If the connection is broken.
    pub(crate) fn send(&mut self, datagram: &[u8]) -> io::Result<bool> {
        let has_room = self.unsent.len() + datagram.len() <= MAX_UNSENT;
        if self.progress == Progress::Connecting || !has_room {
            return Ok(false);
        }
        if framing::frame(datagram, &mut self.unsent).is_err() {
            return Ok(false);
        }
        self.flush()?;
        Ok(true)
    }

    /// Reads what is there into `buffer`, once, and then the datagrams that are whole.
    ///
    /// # Errors
    /// If the connection is broken; [`io::ErrorKind::UnexpectedEof`] if the server closed it.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        match self.stream.read(buffer) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => {
                self.deframer.push(buffer.get(..length).unwrap_or_default());
                Ok(Received::Bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Received::Nothing),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Received::Nothing),
            Err(error) => Err(error),
        }
    }

    /// The next datagram of what was read.
    pub(crate) fn datagram(&mut self) -> Option<&mut [u8]> {
        self.deframer.pull()
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => drop(self.unsent.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What a read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// Some bytes; there may be more.
    Bytes,
    /// Nothing for now.
    Nothing,
}

const MAX_UNSENT: usize = 64 * 1024;
