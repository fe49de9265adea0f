use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::*;

#[tokio::test]
async fn messages_go_both_ways_and_the_token_goes_in_the_header_only() {
    let (url, listener) = listen("ws").await;
    let serve = async {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut request = None;
        let mut stream = accept_hdr_async(tcp, record(&mut request)).await.unwrap();
        let ping = stream.next().await.unwrap().unwrap();
        stream.send(Message::Ping(vec![1].into())).await.unwrap();
        stream.send(Message::text("not for us")).await.unwrap();
        stream.send(Message::binary(vec![])).await.unwrap();
        stream.send(Message::binary(vec![0xff])).await.unwrap();
        let close = CloseFrame {
            code: CloseCode::Away,
            reason: "bye".into(),
        };
        stream.close(Some(close)).await.unwrap();
        (request.unwrap(), ping)
    };
    let converse = async {
        let mut socket = connect(&url).await.unwrap();
        socket.send(ClientMessage::Leave).await.unwrap();
        (
            socket.recv().await,
            socket.recv().await,
            socket.recv().await,
        )
    };

    let ((request, sent), (other, unreadable, closed)) = tokio::join!(serve, converse);

    assert_eq!(
        request,
        ("/rtc?protocol=16".to_owned(), "Bearer token".to_owned())
    );
    assert_eq!(sent, Message::binary(ClientMessage::Leave.encode()));
    assert_eq!(other.unwrap(), ServerMessage::Other);
    assert!(matches!(unreadable.unwrap(), ServerMessage::Unreadable(_)));
    let closed = closed.unwrap_err().to_string();
    assert_eq!(closed, "closed by the server (1001: bye)");
}

#[tokio::test]
async fn what_the_server_said_last_is_read_also_when_it_takes_nothing_any_more() {
    let (url, listener) = listen("ws").await;
    let serve = async {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut stream = accept_hdr_async(tcp, record(&mut None)).await.unwrap();
        stream.send(Message::binary(vec![])).await.unwrap();
    };
    let (socket, ()) = tokio::join!(connect(&url), serve);
    let mut socket = socket.unwrap();

    while socket.send(ClientMessage::Leave).await.is_ok() {}

    assert_eq!(socket.recv().await.unwrap(), ServerMessage::Other);
    assert!(socket.recv().await.is_err());
}

#[tokio::test]
async fn a_refusal_carries_the_status_and_the_words_of_the_server() {
    for (answer, status, failure, remedy) in [
        (
            "HTTP/1.1 401 Unauthorized\r\nContent-Length: 24\r\n\r\ninvalid API key: APIwrong",
            Some(401),
            OpenFailure::Unauthorized,
            "does not know this API key",
        ),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            Some(404),
            OpenFailure::NotFound,
            "that the room exists",
        ),
        (
            "HTTP/1.1 503 Service Unavailable\r\n\r\nat capacity",
            Some(503),
            OpenFailure::Unavailable,
            "try again later",
        ),
        (
            "HTTP/1.1 301 Moved Permanently\r\nLocation: /\r\n\r\n",
            Some(301),
            OpenFailure::NotLiveKit,
            "check the URL",
        ),
        (
            "SSH-2.0-OpenSSH_9.6\r\n\r\n",
            None,
            OpenFailure::NotLiveKit,
            "check the URL",
        ),
        ("", None, OpenFailure::NotLiveKit, "check the URL"),
    ] {
        let error = refusal("ws", answer.as_bytes()).await;

        assert_eq!((error.status, error.failure), (status, failure), "{answer}");
        assert!(error.to_string().contains(remedy), "{error}");
    }
}

#[tokio::test]
async fn tls_to_a_plain_port_says_so() {
    let error = refusal("wss", b"HTTP/1.1 400 Bad Request\r\n\r\n").await;

    assert_eq!(error.failure, OpenFailure::Tls);
    assert!(
        error.to_string().contains("write ws:// for wss://"),
        "{error}"
    );
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unreachable() {
    let (url, listener) = listen("ws").await;
    drop(listener);

    let error = connect(&url).await.unwrap_err();

    assert_eq!(error.failure, OpenFailure::Unreachable);
    let text = error.to_string();
    assert!(
        text.contains("refused") && text.contains(&url.to_string()),
        "{text}"
    );
}

#[tokio::test]
async fn a_name_that_does_not_resolve_says_so() {
    // RFC 6761 §6.4: never resolves.
    let url = ServerUrl::parse("ws://nowhere.invalid").unwrap();

    let error = connect(&url).await.unwrap_err();

    assert_eq!(error.failure, OpenFailure::Name);
}

#[tokio::test]
async fn a_token_that_no_header_can_carry_is_refused_without_a_connection() {
    let url = ServerUrl::parse("ws://nowhere.invalid").unwrap();

    let error = Socket::connect(&url, "", &"to\nken".into())
        .await
        .unwrap_err();

    assert_eq!(error.failure, OpenFailure::Unauthorized);
}

#[tokio::test]
async fn a_connection_that_breaks_in_mid_stream_is_told_from_a_farewell() {
    let (url, listener) = listen("ws").await;
    let serve = async {
        let (tcp, _) = listener.accept().await.unwrap();
        accept_hdr_async(tcp, record(&mut None)).await.unwrap();
    };
    let converse = async { connect(&url).await.unwrap().recv().await };

    let ((), broken) = tokio::join!(serve, converse);

    let text = broken.unwrap_err().to_string();
    assert_eq!(text, "closed by the server without a farewell");
}

#[tokio::test]
async fn a_message_beyond_bounds_breaks_the_socket() {
    let (url, listener) = listen("ws").await;
    let serve = async {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut stream = accept_hdr_async(tcp, record(&mut None)).await.unwrap();
        let message = Message::binary(vec![0; LARGEST_MESSAGE + 1]);
        // The client hangs up in the middle of it.
        stream.send(message).await.ok();
    };
    let converse = async { connect(&url).await.unwrap().recv().await };

    let ((), broken) = tokio::join!(serve, converse);

    let text = broken.unwrap_err().to_string();
    assert!(text.contains("too long"), "{text}");
}

#[tokio::test]
async fn a_closed_socket_delivers_first_what_was_sent() {
    let (url, listener) = listen("ws").await;
    let serve = async {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut stream = accept_hdr_async(tcp, record(&mut None)).await.unwrap();
        (stream.next().await, stream.next().await)
    };
    let converse = async {
        let mut socket = connect(&url).await.unwrap();
        socket.send(ClientMessage::Leave).await.unwrap();
        socket.close().await;
    };

    let ((first, second), ()) = tokio::join!(serve, converse);

    let leave = Message::binary(ClientMessage::Leave.encode());
    assert_eq!(first.unwrap().unwrap(), leave);
    assert!(matches!(second.unwrap().unwrap(), Message::Close(_)));
}

/// Why the socket does not open if the server says `answer` to whatever comes.
async fn refusal(scheme: &str, answer: &[u8]) -> OpenError {
    let (url, listener) = listen(scheme).await;
    let serve = async {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert_ne!(tcp.read(&mut request).await.unwrap(), 0, "no request");
        tcp.write_all(answer).await.unwrap();
        tcp.shutdown().await.ok();
    };

    let ((), opened) = tokio::join!(serve, connect(&url));

    opened.expect_err("the server refuses")
}

async fn listen(scheme: &str) -> (ServerUrl, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let url = ServerUrl::parse(&format!("{scheme}://{address}")).unwrap();
    (url, listener)
}

async fn connect(url: &ServerUrl) -> Result<Socket, OpenError> {
    Socket::connect(url, "protocol=16", &"token".into()).await
}

/// Notes the path and the authorization of an upgrade.
#[expect(clippy::result_large_err, reason = "the library's callback type")]
fn record(
    seen: &mut Option<(String, String)>,
) -> impl FnOnce(&server::Request, server::Response) -> Result<server::Response, server::ErrorResponse>
{
    |request, response| {
        let token = request
            .headers()
            .get(AUTHORIZATION)
            .map(|value| value.to_str());
        let path = request.uri().to_string();
        *seen = Some((path, token.unwrap().unwrap().to_owned()));
        Ok(response)
    }
}
