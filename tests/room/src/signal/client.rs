//! One signalling WebSocket, from the client's side.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use livekit_protocol::{SignalRequest, SignalResponse, signal_request, signal_response};
use prost::Message as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// A connected signalling WebSocket.
#[derive(Debug)]
pub struct Client {
    socket: Box<WebSocketStream<MaybeTlsStream<TcpStream>>>,
}

/// Why signalling failed.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// The server answered the upgrade with an HTTP error.
    #[error("server refused with status {status}: {body}")]
    Refused {
        /// HTTP status code.
        status: u16,
        /// What the server said, as text.
        body: String,
    },
    /// The server did not answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The connection broke.
    #[error("signalling connection broke")]
    Broken(#[source] Box<tungstenite::Error>),
    /// The server closed the connection.
    #[error("signalling connection closed")]
    Closed,
    /// A message is not a `SignalResponse`.
    #[error("damaged signalling message")]
    Damaged(#[from] prost::DecodeError),
}

impl Client {
    /// Opens `url` + `/rtc` with version 16 of the protocol and no automatic subscriptions.
    ///
    /// `query` is appended as it is, for instance `&reconnect=1&sid=PA_x`.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached or refuses.
    pub async fn connect(url: &str, token: &str, query: &str) -> Result<Self, SignalError> {
        let url = format!("{url}/rtc?protocol=16&auto_subscribe=0&adaptive_stream=0{query}");
        let mut request = url.into_client_request().map_err(refusal)?;
        if let Ok(value) = HeaderValue::from_str(&format!("Bearer {token}")) {
            request.headers_mut().insert("Authorization", value);
        }
        // The default read buffer is 128 KiB, zeroed by every poll: too much for 1,000 sockets.
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(BUFFER);
        let connect = tokio_tungstenite::connect_async_with_config(request, Some(config), true);
        let (socket, _) = tokio::time::timeout(CONNECT_TIMEOUT, Box::pin(connect))
            .await
            .map_err(|_| SignalError::Timeout(CONNECT_TIMEOUT))?
            .map_err(refusal)?;
        Ok(Self {
            socket: Box::new(socket),
        })
    }

    /// Waits for the next message; messages with unknown content are skipped.
    ///
    /// Cancel safe: no message is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// If the connection ends or a message is damaged.
    pub async fn receive(&mut self) -> Result<signal_response::Message, SignalError> {
        loop {
            let message = self.socket.next().await.ok_or(SignalError::Closed)?;
            let bytes = match message.map_err(broken)? {
                Message::Binary(bytes) => bytes,
                Message::Close(_) => return Err(SignalError::Closed),
                Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {
                    continue;
                }
            };
            if let Some(message) = SignalResponse::decode(bytes)?.message {
                return Ok(message);
            }
        }
    }

    /// Sends one message.
    ///
    /// # Errors
    ///
    /// If the connection ended.
    pub async fn send(&mut self, message: signal_request::Message) -> Result<(), SignalError> {
        let request = SignalRequest {
            message: Some(message),
        };
        let bytes = request.encode_to_vec();
        self.socket
            .send(Message::Binary(bytes.into()))
            .await
            .map_err(broken)
    }

    /// Sends bytes that need not be a message.
    ///
    /// # Errors
    ///
    /// If the connection ended.
    pub async fn send_raw(&mut self, bytes: Vec<u8>) -> Result<(), SignalError> {
        self.socket
            .send(Message::Binary(bytes.into()))
            .await
            .map_err(broken)
    }
}

fn broken(error: tungstenite::Error) -> SignalError {
    SignalError::Broken(Box::new(error))
}

fn refusal(error: tungstenite::Error) -> SignalError {
    match error {
        tungstenite::Error::Http(response) => SignalError::Refused {
            status: response.status().as_u16(),
            body: String::from_utf8_lossy(response.body().as_deref().unwrap_or_default())
                .into_owned(),
        },
        error => broken(error),
    }
}

const BUFFER: usize = 4 << 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
