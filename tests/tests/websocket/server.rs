use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};
use trackmill_tests::deadline;

use super::number_of;

/// A receiver of sound, as its author would write it.
pub(super) struct Server {
    pub(super) listener: TcpListener,
}

/// One connection of a [`Server`].
pub(super) struct Peer<S = TcpStream> {
    pub(super) socket: WebSocketStream<S>,
    /// Path and query of the request, and its headers in lower case.
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
}

/// What a [`Peer`] heard.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) sound: Vec<Bytes>,
    pub(super) texts: Vec<serde_json::Value>,
    /// The close code, if there was a farewell.
    pub(super) code: Option<u16>,
}

impl Server {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        Self { listener }
    }

    /// Its kernel holds next to nothing for it.
    pub(super) fn with_small_buffers() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4 << 10).expect("a size");
        let any = "127.0.0.1:0".parse().expect("an address");
        socket.bind(any).expect("a port");
        let listener = socket.listen(16).expect("a listener");
        Self { listener }
    }

    pub(super) fn url(&self) -> String {
        let address = self.listener.local_addr().expect("an address");
        format!("ws://{address}/sound?key=1")
    }

    pub(super) async fn accept(&self) -> Peer {
        let (tcp, _) = deadline::until("a connection", self.listener.accept())
            .await
            .expect("a connection");
        Peer::upgrade(tcp).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(super) async fn upgrade(stream: S) -> Self {
        let (mut path, mut headers) = (String::new(), Vec::new());
        #[expect(clippy::result_large_err, reason = "the library wants it so")]
        let look = |request: &Request, response: Response| {
            path = request.uri().to_string();
            for (name, value) in request.headers() {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                headers.push((name.to_string(), value));
            }
            Ok(response)
        };
        let upgrade = accept_hdr_async(stream, look);
        let socket = deadline::until("the upgrade", Box::pin(upgrade))
            .await
            .expect("a WebSocket");
        Self {
            socket,
            path,
            headers,
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(held, _)| held == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The next message; `None` when the connection is over.
    pub(super) async fn next(&mut self) -> Option<Message> {
        let next = deadline::until("a message", self.socket.next()).await;
        next.and_then(Result::ok)
    }

    /// Reads so many binary messages, and what comes between.
    pub(super) async fn hear(&mut self, messages: usize) -> Heard {
        let mut heard = Heard::default();
        while heard.sound.len() < messages {
            let message = self.next().await.expect("more messages");
            heard.take(message);
        }
        heard
    }

    /// Reads to the end.
    pub(super) async fn hear_all(&mut self) -> Heard {
        let mut heard = Heard::default();
        while let Some(message) = self.next().await {
            heard.take(message);
        }
        heard
    }

    pub(super) async fn close(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        self.socket.close(Some(frame)).await.expect("a farewell");
        // The answer, and what was under way.
        self.hear_all().await;
    }

    pub(super) async fn say(&mut self, words: String) {
        self.socket.send(Message::text(words)).await.expect("words");
    }

    pub(super) async fn ping(&mut self, payload: &'static [u8]) {
        let ping = Message::Ping(Bytes::from_static(payload));
        self.socket.send(ping).await.expect("a ping");
    }
}

impl Heard {
    pub(super) fn numbers(&self) -> Vec<u32> {
        self.sound.iter().map(|sound| number_of(sound)).collect()
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Binary(sound) => self.sound.push(sound),
            Message::Text(text) => {
                let text = serde_json::from_str(&text).expect("texts are JSON");
                self.texts.push(text);
            }
            Message::Close(frame) => self.code = frame.map(|frame| frame.code.into()),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}
