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
    /// The UDP socket of the seat in this slot.
    Udp(u32),
    /// Its TCP connection.
    Tcp(u32),
}

impl From<Token> for u64 {
    fn from(token: Token) -> Self {
        match token {
            Token::Wake => Self::MAX,
            Token::Udp(slot) => Self::from(slot) << 1,
            Token::Tcp(slot) => Self::from(slot) << 1 | 1,
        }
    }
}

impl From<u64> for Token {
    fn from(bits: u64) -> Self {
        match (u32::try_from(bits >> 1), bits & 1) {
            (Err(_), _) => Self::Wake,
            (Ok(slot), 0) => Self::Udp(slot),
            (Ok(slot), _) => Self::Tcp(slot),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_the_kernel() {
        for slot in [0, 1, 77, u32::MAX] {
            for token in [Token::Wake, Token::Udp(slot), Token::Tcp(slot)] {
                assert_eq!(Token::from(u64::from(token)), token);
            }
        }
    }
}
