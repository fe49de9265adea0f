//! epoll, with tokens that say whose descriptor is ready.

use std::io;
use std::os::fd::AsFd;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// The descriptors of one worker. Closing one removes it.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: Epoll,
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        Ok(Self { epoll })
    }

    /// Watches a descriptor.
    pub(crate) fn add(&self, fd: impl AsFd, token: Token, interest: EpollFlags) -> io::Result<()> {
        Ok(self
            .epoll
            .add(fd, EpollEvent::new(interest, token.into()))?)
    }

    /// Changes what a descriptor is watched for.
    pub(crate) fn modify(
        &self,
        fd: impl AsFd,
        token: Token,
        interest: EpollFlags,
    ) -> io::Result<()> {
        let mut event = EpollEvent::new(interest, token.into());
        Ok(self.epoll.modify(fd, &mut event)?)
    }

    /// Watches a descriptor for datagrams that come from now on: it is reported again only when
    /// another has come, so that who reads it to the end is not asked for it once more.
    pub(crate) fn add_edge(&self, fd: impl AsFd, token: Token) -> io::Result<()> {
        self.add(fd, token, EDGE)
    }

    /// Reports a descriptor of [`add_edge`](Self::add_edge) in the next turn if something is left.
    pub(crate) fn rearm_edge(&self, fd: impl AsFd, token: Token) -> io::Result<()> {
        self.modify(fd, token, EDGE)
    }

    /// Waits for events; how many there are.
    pub(crate) fn wait(
        &self,
        events: &mut [EpollEvent],
        timeout: EpollTimeout,
    ) -> nix::Result<usize> {
        self.epoll.wait(events, timeout)
    }
}

/// Whose descriptor it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A command waits.
    Wake,
    /// A UDP socket of the seat in this slot: which of them, 0 to 6.
    Udp(u32, u8),
    /// Its TCP connection.
    Tcp(u32),
}

impl From<Token> for u64 {
    fn from(token: Token) -> Self {
        match token {
            Token::Wake => Self::MAX,
            Token::Udp(slot, socket) => Self::from(slot) << 3 | Self::from(socket & TCP),
            Token::Tcp(slot) => Self::from(slot) << 3 | Self::from(TCP),
        }
    }
}

impl From<u64> for Token {
    fn from(bits: u64) -> Self {
        let [.., low] = bits.to_be_bytes();
        match (u32::try_from(bits >> 3), low & TCP) {
            (Err(_), _) => Self::Wake,
            (Ok(slot), TCP) => Self::Tcp(slot),
            (Ok(slot), socket) => Self::Udp(slot, socket),
        }
    }
}

const EDGE: EpollFlags = EpollFlags::EPOLLIN.union(EpollFlags::EPOLLET);
/// In the lowest three bits, instead of the number of a UDP socket.
const TCP: u8 = 7;

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_datagram_is_reported_once_unless_it_is_asked_for_again() {
        let poller = Poller::new().unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let token = Token::Udp(0, 0);
        let ready = || {
            let mut events = [EpollEvent::empty(); 2];
            poller
                .wait(&mut events, EpollTimeout::from(200_u16))
                .unwrap()
        };
        poller.add_edge(&socket, token).unwrap();

        socket.send_to(b"first", address).unwrap();
        assert_eq!(ready(), 1);
        let mut events = [EpollEvent::empty()];
        let now = poller.wait(&mut events, EpollTimeout::ZERO);
        assert_eq!(now, Ok(0), "nothing has come since");

        poller.rearm_edge(&socket, token).unwrap();
        assert_eq!(ready(), 1, "it is still there");

        socket.send_to(b"second", address).unwrap();
        assert_eq!(ready(), 1);
    }

    #[test]
    fn a_token_survives_the_kernel() {
        for slot in [0, 1, 77, u32::MAX] {
            for token in [
                Token::Wake,
                Token::Udp(slot, 0),
                Token::Udp(slot, 6),
                Token::Tcp(slot),
            ] {
                assert_eq!(Token::from(u64::from(token)), token);
            }
        }
    }
}
