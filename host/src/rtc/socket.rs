//! UDP: one socket a peer, and buffers that belong to the thread.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrIn, SockaddrIn6, SockaddrLike,
    recvmmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;

use super::clock;

/// Opens a socket on the address that the route to `server` starts from, with a port of its own:
/// the server's UDP mux tells peers apart by address (webrtc.md §4.8), and ICE wants a concrete one.
///
/// # Errors
/// If there is no route, or no port is left.
pub(crate) fn open(server: IpAddr) -> io::Result<UdpSocket> {
    let unspecified: IpAddr = match server {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let probe = UdpSocket::bind((unspecified, 0))?;
    probe.connect((server, ANY_PORT))?;
    let socket = UdpSocket::bind((probe.local_addr()?.ip(), 0))?;
    socket.set_nonblocking(true)?;
    if let Err(error) = setsockopt(&socket, sockopt::ReceiveTimestampns, &true) {
        tracing::debug!(%error, "No kernel timestamps: arrival is when a batch is read.");
    }
    Ok(socket)
}

/// Asks for a receive buffer of `bytes`; the kernel gives at most `net.core.rmem_max`.
pub(crate) fn enlarge(socket: &UdpSocket, bytes: usize) {
    if let Err(error) = setsockopt(socket, sockopt::RcvBuf, &bytes) {
        tracing::debug!(%error, "The receive buffer keeps its size.");
    }
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
    /// If the socket is broken. An ICMP error of an earlier datagram is not an error.
    pub(crate) fn receive(&mut self, socket: &UdpSocket, family: Family) -> io::Result<bool> {
        self.received.clear();
        let result = match family {
            Family::V4 => read(
                socket,
                &mut self.headers_v4,
                &mut self.buffers,
                |remote| SocketAddr::V4((*remote).into()),
                &mut self.received,
            ),
            Family::V6 => read(
                socket,
                &mut self.headers_v6,
                &mut self.buffers,
                |remote| SocketAddr::V6((*remote).into()),
                &mut self.received,
            ),
        };
        match result {
            Ok(()) => Ok(self.received.len() == BATCH),
            Err(Errno::EAGAIN) => Ok(false),
            Err(Errno::EINTR | Errno::ECONNREFUSED) => Ok(true),
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

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl From<IpAddr> for Family {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

fn read<S: SockaddrLike + Copy>(
    socket: &UdpSocket,
    headers: &mut MultiHeaders<S>,
    buffers: &mut [[u8; DATAGRAM]; BATCH],
    address: impl Fn(&S) -> SocketAddr,
    received: &mut Vec<Received>,
) -> Result<(), Errno> {
    let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
    let flags = MsgFlags::MSG_DONTWAIT;
    let messages = recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), flags, None)?;
    let (now, wall) = (clock::now(), clock::wall());
    received.extend(messages.map(|message| Received {
        length: message.bytes,
        remote: message.address.as_ref().map_or(NOWHERE, &address),
        arrival: arrival(&message, now, wall),
    }));
    Ok(())
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
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
/// Datagrams read by one call.
const BATCH: usize = 32;
/// More than an Ethernet frame holds.
const DATAGRAM: usize = 1_600;
/// A datagram that waited longer in the kernel is more likely a step of the wall clock.
const LONGEST_QUEUE: Duration = Duration::from_secs(1);
