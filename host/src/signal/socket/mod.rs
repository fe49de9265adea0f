//! The WebSocket that carries signalling.

#[cfg(test)]
mod tests;

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::message::{ClientMessage, ServerMessage};
use super::open_error::{OpenError, OpenFailure};
use super::server_url::ServerUrl;
use super::token::AccessToken;
use crate::dial::{self, Tls, WebSocket};

/// The WebSocket of a session. Speaks messages; knows nothing of what they mean.
///
/// It belongs in a task of its own, away from media: each poll that reads zeroes the read buffer.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocket,
}

/// Why a WebSocket is of no use any more.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The server closed it.
    #[error("closed by the server{0}")]
    Closed(String),
    /// It broke.
    #[error("{0}")]
    Broken(String),
    /// The server does not read.
    #[error("the server took nothing for {} s", SEND_TIMEOUT.as_secs())]
    Stalled,
}

impl Socket {
    /// Opens the WebSocket of a session; takes 10 s at most.
    ///
    /// # Errors
    /// Tells who has to do what: see [`OpenError`].
    pub async fn connect(
        url: &ServerUrl,
        query: &str,
        token: &AccessToken,
    ) -> Result<Self, OpenError> {
        let request = request(url, query, token)?;
        let stream = dial::connect(request, url.endpoint(), &Tls::system(), None, limits()).await?;
        Ok(Self { stream })
    }

    /// Waits for the next message. Nothing is lost if the wait is given up.
    ///
    /// # Errors
    /// If the WebSocket is of no use any more.
    pub async fn recv(&mut self) -> Result<ServerMessage, SocketError> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Binary(bytes))) => {
                    let message = ServerMessage::decode(&bytes);
                    return Ok(message.unwrap_or_else(ServerMessage::Unreadable));
                }
                Some(Ok(Message::Close(frame))) => {
                    return Err(SocketError::Closed(frame.map_or_else(String::new, told)));
                }
                // Pings are answered by the library; the server sends no text.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Err(SocketError::Closed(String::new())),
            }
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// If the WebSocket is of no use any more, or the server takes nothing for 5 s.
    pub async fn send(&mut self, message: ClientMessage) -> Result<(), SocketError> {
        let message = Message::Binary(message.encode().into());
        match timeout(SEND_TIMEOUT, self.stream.send(message)).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(SocketError::Stalled),
        }
    }

    /// Closes the WebSocket after what was sent; takes 1 s at most.
    pub async fn close(mut self) {
        // Nobody is left who would care whether the server heard it.
        timeout(CLOSE_TIMEOUT, self.stream.close(None)).await.ok();
    }
}

impl From<Error> for SocketError {
    fn from(error: Error) -> Self {
        match error {
            Error::ConnectionClosed | Error::AlreadyClosed => Self::Closed(String::new()),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                Self::Closed(" without a farewell".to_owned())
            }
            error => Self::Broken(error.to_string()),
        }
    }
}

/// What a farewell says, as the end of a sentence.
fn told(frame: CloseFrame) -> String {
    let code = u16::from(frame.code);
    match frame.reason.as_str() {
        "" => format!(" ({code})"),
        reason => format!(" ({code}: {reason})"),
    }
}

fn request(url: &ServerUrl, query: &str, token: &AccessToken) -> Result<Request, OpenError> {
    let not_a_url = |error| OpenError::new(OpenFailure::Rejected, error);
    let mut request = url.signal(query).into_client_request().map_err(not_a_url)?;
    let mut bearer =
        HeaderValue::try_from(format!("Bearer {}", token.as_str().trim())).map_err(|_| {
            let detail = "it has characters that no token has";
            OpenError::new(OpenFailure::Unauthorized, detail)
        })?;
    bearer.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, bearer);
    Ok(request)
}

fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(LARGEST_MESSAGE)
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE))
}

const SEND_TIMEOUT: Duration = Duration::from_secs(5);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// The default of 128 KiB costs 121 KB of memory a room, and is zeroed at every read.
const READ_BUFFER: usize = 4 << 10;
/// The welcome of a room with a thousand participants is about a megabyte.
const LARGEST_MESSAGE: usize = 4 << 20;
