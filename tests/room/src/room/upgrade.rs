//! The HTTP request in front of a WebSocket.
//!
//! It is read by hand, because whether it is accepted is decided by another task, and because
//! a refusal has LiveKit's status and text.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::server::{create_response, write_response};
use tokio_tungstenite::tungstenite::http::Request;

use crate::simulation::{Refusal, Upgrade};

/// Reads a request up to its empty line; `None` if it is none.
pub(super) async fn read(stream: &mut TcpStream) -> Option<Request<()>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == LONGEST_HEAD {
            return None;
        }
        head.push(stream.read_u8().await.ok()?);
    }
    parse(std::str::from_utf8(&head).ok()?)
}

/// Takes out what decides whether the request is accepted.
pub(super) fn describe(request: &Request<()>) -> Upgrade {
    let authorization = request.headers().get("authorization");
    let authorization = authorization.and_then(|value| value.to_str().ok());
    Upgrade {
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        authorization: authorization.map(str::to_owned),
    }
}

/// Answers that the WebSocket begins; `None` if the request was not for one.
pub(super) async fn accept(stream: &mut TcpStream, request: &Request<()>) -> Option<()> {
    let response = create_response(request).ok()?;
    let mut bytes = Vec::new();
    write_response(&mut bytes, &response).ok()?;
    stream.write_all(&bytes).await.ok()
}

/// Answers why there is no WebSocket.
pub(super) async fn refuse(stream: &mut TcpStream, refusal: &Refusal) -> std::io::Result<()> {
    let Refusal { status, body } = refusal;
    let length = body.len();
    let response = format!(
        "HTTP/1.1 {status} Refused\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

fn parse(head: &str) -> Option<Request<()>> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let mut request = Request::builder().method(words.next()?).uri(words.next()?);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        request = request.header(name, value.trim());
    }
    request.body(()).ok()
}

/// Far above what any client sends.
const LONGEST_HEAD: usize = 16 << 10;
