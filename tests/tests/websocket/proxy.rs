use std::convert::Infallible;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use trackmill::dial::{DialFailure, Proxy};
use trackmill::sink::websocket::Failure;

use super::server::Server;
use super::*;

#[tokio::test]
async fn a_server_is_reached_through_a_proxy_which_gets_its_credentials() {
    let server = Server::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (sink, sender) = WebSocketSink::new(through(&listener, "me:sesame@", &server));
    let receive = async { server.accept().await.hear_all().await };
    let send = async {
        feed(&sender, 0..100, 640).await;
        drop(sender);
    };

    let (outcome, head, heard, ()) = tokio::join!(sink.run(), relay(&listener), receive, send);

    let head = head.unwrap();
    assert!(is_finished(&outcome), "{:?}", outcome.ending);
    assert_eq!((heard.sound.len(), heard.code), (100, Some(1000)));
    let address = server.listener.local_addr().unwrap();
    assert!(
        head.starts_with(&format!("CONNECT {address} HTTP/1.1\r\n")),
        "{head}"
    );
    assert!(
        head.contains("Proxy-Authorization: Basic bWU6c2VzYW1l\r\n"),
        "{head}"
    );
}

#[tokio::test]
async fn a_proxy_that_lets_nobody_through_is_named_with_what_to_do_and_without_its_password() {
    for (answer, failure, words) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            DialFailure::Proxy(407),
            "check the user and the password",
        ),
        (
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!",
            DialFailure::Proxy(403),
            "ask whoever owns the proxy",
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\n\r\n",
            DialFailure::Proxy(502),
            "the proxy does not reach the server",
        ),
        (
            "SSH-2.0-OpenSSH_9.6\r\n\r\n",
            DialFailure::NotProxy,
            "check the URL of the proxy",
        ),
        ("", DialFailure::NotProxy, "it hung up"),
    ] {
        let server = Server::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut delivery = through(&listener, "me:sesame@", &server);
        delivery.settings.connect_window = Duration::from_millis(300);

        let outcome = tokio::select! {
            outcome = outcome(delivery) => outcome,
            Err(error) = answer_always(&listener, answer) => panic!("{error:#}"),
        };

        let Ending::Failed(Failure::Dial(error)) = &outcome.ending else {
            panic!("{:?}", outcome.ending);
        };
        assert_eq!(error.failure, failure, "{error}");
        let text = error.to_string();
        let proxy = listener.local_addr().unwrap().to_string();
        assert!(text.contains(words) && text.contains(&proxy), "{text}");
        assert!(!text.contains("sesame"), "{text}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_told_from_a_server_that_is_not() {
    let server = Server::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut delivery = through(&listener, "", &server);
    delivery.settings.connect_window = Duration::from_millis(300);
    drop(listener);

    let outcome = outcome(delivery).await;

    let text = outcome.ending.to_string();
    assert!(text.contains("the proxy ws://127.0.0.1"), "{text}");
}

fn through(listener: &TcpListener, credentials: &str, server: &Server) -> Delivery {
    let address = listener.local_addr().expect("an address");
    let proxy = Proxy::parse(&format!("http://{credentials}{address}"));
    let mut delivery = delivery(&server.url(), Settings::default());
    delivery.server.proxy = Some(proxy.expect("a URL"));
    delivery
}

/// A proxy for one connection; what it was asked for.
async fn relay(listener: &TcpListener) -> anyhow::Result<String> {
    let (mut client, _) = listener.accept().await?;
    let head = head(&mut client).await?;
    let address = head.split(' ').nth(1).context("an address")?;
    let mut server = TcpStream::connect(address).await?;
    let answer = b"HTTP/1.1 200 Connection established\r\nVia: us\r\n\r\n";
    client.write_all(answer).await?;
    // How either side hangs up is of no concern here.
    copy_bidirectional(&mut client, &mut server).await.ok();
    Ok(head)
}

async fn head(client: &mut TcpStream) -> anyhow::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    Ok(String::from_utf8(head)?)
}

/// Says `answer` to whoever comes, again and again.
async fn answer_always(listener: &TcpListener, answer: &str) -> anyhow::Result<Infallible> {
    loop {
        let (mut client, _) = listener.accept().await?;
        head(&mut client).await?;
        client.write_all(answer.as_bytes()).await?;
        client.shutdown().await.ok();
    }
}
