//! What a user or an operator can get wrong: a text that names the cause and the remedy, and an exit
//! code.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use trackmill_room::publisher::Publisher;
use trackmill_room::signal::{Grant, Server};
use trackmill_tests::media::track;
use trackmill_tests::recorder::{Recorded, Recorder};
use trackmill_tests::servers::LiveKit;

const FAILED: i32 = 1;
const USAGE: i32 = 2;
const NOTHING: i32 = 3;

#[tokio::test]
async fn a_wrong_secret_is_named() -> anyhow::Result<()> {
    let livekit = LiveKit::shared().await?;
    let api_secret = "another".repeat(6);
    let server = Server {
        api_secret,
        ..livekit.server()
    };

    let recorded = Recorder::record(&server, "room", &["--all"])?.end().await?;

    fails(
        &recorded,
        FAILED,
        &["refused the token", "API secret is not the one of this key"],
    );
    Ok(())
}

#[tokio::test]
async fn an_unknown_key_is_named() -> anyhow::Result<()> {
    let livekit = LiveKit::shared().await?;
    let api_key = "unknown".to_owned();
    let server = Server {
        api_key,
        ..livekit.server()
    };

    let recorded = Recorder::record(&server, "room", &["--all"])?.end().await?;

    fails(
        &recorded,
        FAILED,
        &["refused the token", "does not know this API key"],
    );
    Ok(())
}

#[tokio::test]
async fn an_expired_token_fails_as_one_does_that_the_server_refuses() -> anyhow::Result<()> {
    let access = ["--url", "ws://127.0.0.1:1", "--token", EXPIRED];

    let recorded = Recorder::start(&[&access[..], &["--all"]].concat())?
        .end()
        .await?;

    fails(&recorded, FAILED, &["the token expired", "make a new one"]);
    Ok(())
}

#[tokio::test]
async fn a_token_of_another_key_is_named() -> anyhow::Result<()> {
    let livekit = LiveKit::shared().await?;
    let url = livekit.server().url;
    let stranger = server_at(&url, "another".repeat(6));
    let token = stranger.token("room", "me", Grant::Record)?;

    let recorded = Recorder::start(&["--url", &url, "--token", &token, "--all"])?
        .end()
        .await?;

    fails(
        &recorded,
        FAILED,
        &["refused the token", "API secret is not the one of this key"],
    );
    Ok(())
}

#[tokio::test]
async fn what_is_missing_is_named_with_its_variable() -> anyhow::Result<()> {
    let url = ["--url", "ws://127.0.0.1:1"];
    let key = ["--api-key", "devkey"];
    for (given, missing) in [
        (&[][..], &["--url", "LIVEKIT_URL"][..]),
        (&url, &["--api-key", "LIVEKIT_API_KEY", "LIVEKIT_TOKEN"]),
        (
            &[url, key].concat(),
            &["--api-secret", "LIVEKIT_API_SECRET", "LIVEKIT_TOKEN"],
        ),
    ] {
        let recorded = Recorder::start(&[given, &["--all"]].concat())?
            .end()
            .await?;

        fails(&recorded, USAGE, missing);
    }
    Ok(())
}

#[tokio::test]
async fn a_malformed_token_is_refused_before_anything_else() -> anyhow::Result<()> {
    let access = ["--url", "ws://127.0.0.1:1", "--token", "no.token"];

    let recorded = Recorder::start(&[&access[..], &["--all"]].concat())?
        .end()
        .await?;

    fails(&recorded, USAGE, &["token"]);
    assert!(!recorded.stderr.contains("no.token"), "{}", recorded.stderr);
    Ok(())
}

#[tokio::test]
async fn a_token_that_cannot_subscribe_is_refused_before_anything_else() -> anyhow::Result<()> {
    let livekit = LiveKit::shared().await?;
    let token = livekit.server().token("room", "me", Grant::Publish)?;
    let access = ["--url", &livekit.server().url, "--token", &token];

    let recorded = Recorder::start(&[&access[..], &["--all"]].concat())?
        .end()
        .await?;

    fails(&recorded, USAGE, &["canSubscribe"]);
    Ok(())
}

#[tokio::test]
async fn a_track_that_nobody_publishes_is_exit_code_3() -> anyhow::Result<()> {
    let livekit = LiveKit::shared().await?;
    let options = ["--track", "TR_nobody", "--wait", "1s"];

    let recorded = Recorder::record(&livekit.server(), "no-track", &options)?
        .end()
        .await?;

    fails(&recorded, NOTHING, &["no such track", "check --room"]);
    Ok(())
}

#[tokio::test]
async fn an_unknown_host_is_named() -> anyhow::Result<()> {
    let recorded = record_at("ws://no-such-host.invalid").await?;

    fails(
        &recorded,
        FAILED,
        &["no-such-host.invalid", "check the URL"],
    );
    Ok(())
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_named() -> anyhow::Result<()> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await?
        .local_addr()?
        .port();

    let recorded = record_at(&format!("ws://127.0.0.1:{port}")).await?;

    fails(
        &recorded,
        FAILED,
        &[
            "no connection to the server",
            "refused",
            "check the host and the port",
        ],
    );
    Ok(())
}

#[tokio::test]
async fn tls_on_a_plain_port_is_named() -> anyhow::Result<()> {
    let livekit = LiveKit::shared().await?;

    let recorded = record_at(&format!("wss://127.0.0.1:{}", livekit.port())).await?;

    fails(&recorded, FAILED, &["TLS", "ws://"]);
    Ok(())
}

#[tokio::test]
async fn a_server_of_something_else_is_named() -> anyhow::Result<()> {
    let something_else = "not a LiveKit server";
    let answers: [(&[u8], &str); 3] = [
        (b"\x00\x01SSH-2.0-OpenSSH_9.6\r\n\r\n", something_else),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            something_else,
        ),
        (
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "404",
        ),
    ];
    for (answer, named) in answers {
        let server = Stranger::that_answers(answer).await?;

        let recorded = record_at(&server.url).await?;

        fails(&recorded, FAILED, &[named, "check the URL"]);
    }
    Ok(())
}

#[tokio::test]
async fn an_output_that_cannot_be_written_is_named() -> anyhow::Result<()> {
    let livekit = LiveKit::shared().await?;
    let server = livekit.server();
    let publisher = Publisher::join(&server, "unwritable", "alice").await?;
    let sid = publisher.publish(track("opus.ogg")?).await?;

    // Not even root can write below a file.
    let options = ["--track", &sid.0, "--output", "/dev/null/x"];
    let recorded = Recorder::record(&server, "unwritable", &options)?
        .end()
        .await?;

    fails(&recorded, FAILED, &["/dev/null"]);
    Ok(())
}

async fn record_at(url: &str) -> anyhow::Result<Recorded> {
    let server = server_at(url, "secret".repeat(6));
    Recorder::record(&server, "room", &["--all"])?.end().await
}

fn server_at(url: &str, api_secret: String) -> Server {
    Server {
        url: url.to_owned(),
        api_key: "devkey".to_owned(),
        api_secret,
    }
}

fn fails(recorded: &Recorded, code: i32, texts: &[&str]) {
    let stderr = &recorded.stderr;
    assert_eq!(recorded.code, Some(code), "{stderr}");
    for text in texts {
        assert!(stderr.contains(text), "no {text:?} in: {stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

/// A server of something else.
struct Stranger {
    url: String,
    _task: JoinSet<()>,
}

impl Stranger {
    /// Gives the same answer to whatever anyone says.
    async fn that_answers(answer: &'static [u8]) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("ws://{}", listener.local_addr()?);
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Whoever asks need not wait for the answer.
                drop(reply(stream, answer).await);
            }
        });
        Ok(Self { url, _task: task })
    }
}

async fn reply(mut stream: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    let mut question = [0; 4_096];
    if stream.read(&mut question).await? == 0 {
        return Ok(());
    }
    stream.write_all(answer).await?;
    stream.shutdown().await
}

/// Signed for room `x` until 2001.
const EXPIRED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJkZXZrZXkiLCJzdWIiOiJyZWNvcmRlciI\
    sIm5iZiI6MTAwMDAwMDAwMCwiZXhwIjoxMDAwMDAzNjAwLCJ2aWRlbyI6eyJyb29tSm9pbiI6dHJ1ZSw\
    icm9vbSI6IngiLCJjYW5TdWJzY3JpYmUiOnRydWV9fQ.5E_w-2raivmdl9fCxli3eLqY7ErNTBU08Gbt\
    tTHDPlA";
