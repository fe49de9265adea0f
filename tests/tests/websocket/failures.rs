use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use trackmill::dial::DialFailure;
use trackmill::sink::Blame;
use trackmill::sink::websocket::Failure;

use super::server::Server;
use super::*;

#[tokio::test]
async fn a_port_where_nobody_listens_is_tried_for_a_while_and_then_named() {
    let server = Server::start().await;
    let url = server.url();
    let address = server.listener.local_addr().unwrap().to_string();
    drop(server);
    let begun = now();

    let outcome = outcome(delivery(&url, impatient())).await;

    let (failure, text) = dial_failure(&outcome);
    assert_eq!(failure, DialFailure::Unreachable);
    assert!(
        text.contains(&address) && text.contains("refused"),
        "{text}"
    );
    assert!(now() - begun >= impatient().connect_window);
}

#[tokio::test]
async fn a_refusal_of_the_upgrade_is_told_with_the_words_of_the_server() {
    for (answer, failure, words) in [
        (
            "HTTP/1.1 401 Unauthorized\r\nContent-Length: 9\r\n\r\nwho there",
            DialFailure::Refused(401),
            "(401: who there): check the Authorization header",
        ),
        (
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
            DialFailure::Refused(403),
            "(403): check the Authorization header",
        ),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            DialFailure::Refused(404),
            "check the path",
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: https://other/\r\nContent-Length: 0\r\n\r\n",
            DialFailure::Refused(302),
            "it leads to https://other/",
        ),
        (
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
            DialFailure::Refused(503),
            "try again later",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            DialFailure::Refused(200),
            "serves no WebSocket",
        ),
        (
            "SSH-2.0-OpenSSH_9.6\r\n\r\n",
            DialFailure::NotWebSocket,
            "check the URL",
        ),
        ("", DialFailure::NotWebSocket, "hung up"),
    ] {
        let server = Server::start().await;
        let run = outcome(delivery(&server.url(), impatient()));

        let outcome = tokio::select! {
            outcome = run => outcome,
            () = answer_always(&server, answer) => unreachable!("it answers for ever"),
        };

        let (told, text) = dial_failure(&outcome);
        assert_eq!(told, failure, "{text}");
        assert!(text.contains(words), "{text}");
        assert!(!text.contains("sesame"), "{text}");
    }
}

#[tokio::test]
async fn a_name_that_does_not_resolve_ends_it_at_once() {
    // RFC 6761 §6.4: never resolves.
    let outcome = outcome(delivery("ws://nowhere.invalid/", Settings::default())).await;

    let (failure, text) = dial_failure(&outcome);
    assert_eq!(failure, DialFailure::Name);
    assert!(
        text.contains("nowhere.invalid") && text.contains("DNS"),
        "{text}"
    );
}

#[tokio::test]
async fn a_server_without_the_subprotocol_is_refused() {
    let server = Server::start().await;
    let mut headers = Headers::default();
    headers.ask_for_subprotocols(&["pcm.v2"]).unwrap();
    let target = Target::parse(&server.url(), Query::Ours).unwrap();
    let mut delivery = delivery(&server.url(), impatient());
    delivery.server.target = target.with_headers(headers);

    let (outcome, peer) = tokio::join!(outcome(delivery), server.accept());

    assert_eq!(peer.header("sec-websocket-protocol"), Some("pcm.v2"));
    let (failure, text) = dial_failure(&outcome);
    assert_eq!(failure, DialFailure::NotWebSocket);
    assert!(text.to_lowercase().contains("subprotocol"), "{text}");
}

#[tokio::test]
async fn the_close_code_decides_how_it_ends() {
    for (code, wanted) in [
        (1000, Ending::Satisfied("enough".to_owned())),
        (1008, Ending::Failed(refused(1008))),
        (4401, Ending::Failed(refused(4401))),
    ] {
        let server = Server::start().await;
        let (sink, sender) = WebSocketSink::new(delivery(&server.url(), Settings::default()));
        let receive = async {
            let mut peer = server.accept().await;
            peer.hear(10).await;
            peer.close(code, "enough").await;
        };

        // It goes on being fed: writing to a server that has closed must not hide why it did.
        let (outcome, (), ()) = tokio::join!(sink.run(), receive, feed(&sender, 0..5_000, 640));

        assert_eq!(outcome.ending, wanted);
        assert_eq!(outcome.counters.connections, 1);
    }
}

fn refused(code: u16) -> Failure {
    Failure::Refused {
        code,
        reason: "enough".to_owned(),
    }
}

/// The failure of the dial that ended it, and what a user reads.
fn dial_failure(outcome: &Outcome) -> (DialFailure, String) {
    let Ending::Failed(failure) = &outcome.ending else {
        panic!("{:?}", outcome.ending);
    };
    assert_eq!(failure.blame(), Blame::Destination);
    let Failure::Dial(error) = failure else {
        panic!("{failure:?}");
    };
    (error.failure, failure.to_string())
}

/// Says `answer` to whatever comes, again and again.
async fn answer_always(server: &Server, answer: &str) {
    loop {
        let (mut tcp, _) = server.listener.accept().await.expect("a connection");
        let mut request = [0; 4096];
        let length = tcp.read(&mut request).await.expect("a request");
        assert_ne!(length, 0, "no request");
        tcp.write_all(answer.as_bytes())
            .await
            .expect("room for an answer");
        tcp.shutdown().await.ok();
    }
}

fn impatient() -> Settings {
    Settings {
        connect_window: Duration::from_millis(300),
        ..Settings::default()
    }
}
