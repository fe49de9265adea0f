use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::signal::{ClientMessage, Input, OpenError, Socket, SocketError};

/// The WebSocket of a session, or the lack of one.
pub(super) enum Link {
    Down,
    Opening(Pin<Box<dyn Future<Output = Result<Socket, OpenError>> + Send>>),
    Up(Box<Socket>),
}

impl Link {
    /// Waits for what happens to it. Nothing is lost if the wait is given up.
    pub(super) async fn next(&mut self) -> Input {
        match self {
            Self::Down => std::future::pending().await,
            Self::Opening(opening) => match opening.await {
                Ok(socket) => {
                    *self = Self::Up(Box::new(socket));
                    Input::Opened
                }
                Err(error) => {
                    *self = Self::Down;
                    Input::OpenFailed(error)
                }
            },
            Self::Up(socket) => match socket.recv().await {
                Ok(message) => Input::Message(message),
                Err(error) => self.broken(&error),
            },
        }
    }

    /// Sends a message if it is up; what happened instead if the server does not take it.
    pub(super) async fn send(&mut self, message: ClientMessage) -> Option<Input> {
        let Self::Up(socket) = self else { return None };
        match socket.send(message).await.err()? {
            stalled @ SocketError::Stalled => Some(self.broken(&stalled)),
            // What the server said last may still lie there to be read, such as why it hung up;
            // behind it, `next` finds out the same.
            SocketError::Closed(_) | SocketError::Broken(_) => None,
        }
    }

    /// Closes it after what was sent.
    pub(super) async fn close(&mut self) {
        if let Self::Up(socket) = std::mem::replace(self, Self::Down) {
            socket.close().await;
        }
    }

    fn broken(&mut self, error: &dyn fmt::Display) -> Input {
        *self = Self::Down;
        Input::SocketClosed {
            reason: error.to_string(),
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "Down",
            Self::Opening(_) => "Opening",
            Self::Up(_) => "Up",
        })
    }
}
