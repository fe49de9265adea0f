//! UDP: one socket a peer, and buffers that belong to the thread.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrIn, SockaddrIn6, SockaddrLike,
    recvmmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use tracing::debug;

use super::clock;

/// A UDP socket bound to one of our addresses.
#[derive(Debug)]
pub(crate) struct Udp {
    socket: UdpSocket,
    local: SocketAddr,
}

impl Udp {
    /// Opens a socket on the address that the route to `server` starts from.
    ///
    /// # Errors
    /// If there is no route, or no port is left.
    pub(crate) fn towards(server: IpAddr) -> io::Result<Self> {
        Self::bind(source(server)?)
    }

    /// Opens a socket on one of our addresses; ICE wants a concrete one. It has a port of its own,
    /// because the server's UDP mux tells peers apart by address (webrtc.md §4.8).
    ///
    /// # Errors
    /// If the address is not ours, or no port is left.
    pub(crate) fn bind(address: IpAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind((address, 0))?;
        socket.set_nonblocking(true)?;
        if let Err(error) = setsockopt(&socket, sockopt::ReceiveTimestampns, &true) {
            debug!(%error, "No kernel timestamps: arrival is when a batch is read.");
        }
        let local = socket.local_addr()?;
        Ok(Self { socket, local })
    }

    /// Asks for a receive buffer of `bytes`; the kernel gives at most `net.core.rmem_max`.
    pub(crate) fn enlarge(&self, bytes: usize) {
        if let Err(error) = setsockopt(&self.socket, sockopt::RcvBuf, &bytes) {
            debug!(%error, "The receive buffer keeps its size.");
        }
    }

    /// Sends a datagram; whether the kernel took it.
    pub(crate) fn send(&self, datagram: &[u8], remote: SocketAddr) -> bool {
        self.socket.send_to(datagram, remote).is_ok()
    }

    /// Its address.
    pub(crate) const fn local(&self) -> SocketAddr {
        self.local
    }
}

impl AsFd for Udp {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The one of our addresses that the route to `remote` starts from.
///
/// # Errors
/// If there is no route.
pub(crate) fn source(remote: IpAddr) -> io::Result<IpAddr> {
    let unspecified: IpAddr = match remote {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let probe = UdpSocket::bind((unspecified, 0))?;
    probe.connect((remote, ANY_PORT))?;
    Ok(probe.local_addr()?.ip())
}

/// The buffers that a thread receives into.
#[derive(Debug)]
pub(crate) struct Batch {
    buffers: Box<[[u8; DATAGRAM]; BATCH]>,
    // One a family: the kernel writes the length of the last address into a header, and nix leaves
    // it there for the next call.
    headers_v4: MultiHeaders<SockaddrIn>,
    headers_v6: MultiHeaders<SockaddrIn6>,
    received: Vec<Received>,
}

#[derive(Clone, Copy, Debug)]
struct Received {
    length: usize,
    remote: SocketAddr,
    arrival: Instant,
}

impl Batch {
    pub(crate) fn new() -> Self {
        let space = || Some(nix::cmsg_space!(TimeSpec));
        Self {
            buffers: vec![[0; DATAGRAM]; BATCH]
                .try_into()
                .unwrap_or_else(|_| Box::new([[0; DATAGRAM]; BATCH])),
            headers_v4: MultiHeaders::preallocate(BATCH, space()),
            headers_v6: MultiHeaders::preallocate(BATCH, space()),
            received: Vec::with_capacity(BATCH),
        }
    }

    /// Reads what is there, up to 32 datagrams; whether there may be more.
    ///
    /// # Errors
    /// What the system says, which may be about an earlier datagram of ours.
    pub(crate) fn receive(&mut self, udp: &Udp) -> io::Result<bool> {
        self.received.clear();
        let (buffers, received) = (&mut self.buffers, &mut self.received);
        let result = match udp.local {
            SocketAddr::V4(_) => read(udp, &mut self.headers_v4, buffers, received),
            SocketAddr::V6(_) => read(udp, &mut self.headers_v6, buffers, received),
        };
        match result {
            Ok(()) => Ok(self.received.len() == BATCH),
            Err(Errno::EAGAIN) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The buffers as one, for a stream. What the last read left in them is overwritten.
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        self.buffers.as_flattened_mut()
    }

    /// The datagrams of the last read: when each arrived, from where, and its bytes.
    pub(crate) fn datagrams(&mut self) -> impl Iterator<Item = (Instant, SocketAddr, &mut [u8])> {
        self.received
            .iter()
            .zip(self.buffers.iter_mut())
            .filter_map(|(received, buffer)| {
                let datagram = buffer.get_mut(..received.length)?;
                Some((received.arrival, received.remote, datagram))
            })
    }
}

fn read<S: SockaddrLike + Copy + Into<Remote>>(
    udp: &Udp,
    headers: &mut MultiHeaders<S>,
    buffers: &mut [[u8; DATAGRAM]; BATCH],
    received: &mut Vec<Received>,
) -> Result<(), Errno> {
    let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
    let (fd, flags) = (udp.socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
    let messages = recvmmsg(fd, headers, slices.iter_mut(), flags, None)?;
    let (now, wall) = (clock::now(), clock::wall());
    received.extend(messages.filter_map(|message| {
        let Remote(remote) = message.address?.into();
        Some(Received {
            length: message.bytes,
            remote,
            arrival: arrival(&message, now, wall),
        })
    }));
    Ok(())
}

/// The address of a sender, of either family.
struct Remote(SocketAddr);

impl From<SockaddrIn> for Remote {
    fn from(address: SockaddrIn) -> Self {
        Self(SocketAddr::V4(address.into()))
    }
}

impl From<SockaddrIn6> for Remote {
    fn from(address: SockaddrIn6) -> Self {
        Self(SocketAddr::V6(address.into()))
    }
}

/// The kernel's timestamp on our monotonic clock; the time of the batch if there is none, or if the
/// wall clock was set meanwhile.
fn arrival<S>(message: &RecvMsg<'_, '_, S>, now: Instant, wall: SystemTime) -> Instant {
    let stamp = message
        .cmsgs()
        .ok()
        .into_iter()
        .flatten()
        .find_map(|cmsg| match cmsg {
            ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
            _ => None,
        });
    stamp
        .and_then(|stamp| wall.duration_since(UNIX_EPOCH + stamp).ok())
        .filter(|age| *age < LONGEST_QUEUE)
        .and_then(|age| now.checked_sub(age))
        .unwrap_or(now)
}

/// The discard port; nothing is sent to it.
const ANY_PORT: u16 = 9;
/// Datagrams read by one call.
const BATCH: usize = 32;
/// More than an Ethernet frame holds.
const DATAGRAM: usize = 1_600;
/// A datagram that waited longer in the kernel is more likely a step of the wall clock.
const LONGEST_QUEUE: Duration = Duration::from_secs(1);
