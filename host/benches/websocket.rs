//! What a message to a WebSocket costs: CPU of the thread that runs the deliveries, by the system's
//! own count, so that a busy machine does not show in it. Receivers read on a thread of their own.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt as _;
use nix::time::{ClockId, clock_gettime};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{self, Runtime};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;
use tokio::time::interval;
use tokio_tungstenite::accept_async;
use trackmill::dial::Tls;
use trackmill::media::Pts;
use trackmill::sink::websocket::{
    Audio, Delivery, Format, Identity, Message, Query, Server, Settings, Target, WebSocketSink,
};

#[expect(clippy::print_stdout, reason = "its figures are for whoever runs it")]
fn main() {
    for connections in [1, 50, 500] {
        let url = receive();
        let (cpu, messages) = runtime().block_on(deliver(&url, connections));
        let micros = cpu.as_secs_f64() * 1e6 / f64::from(messages);
        println!("{connections:>4} connections: {micros:.2} µs a message of {BYTES} bytes");
    }
}

/// Feeds each delivery a message each 20 ms. Returns the CPU time of all, and how many there were.
async fn deliver(url: &str, connections: u32) -> (Duration, u32) {
    let mut deliveries = JoinSet::new();
    let mut feeds = Vec::new();
    for number in 0..connections {
        let (sink, feed) = WebSocketSink::new(delivery(url, number));
        let mut progress = sink.progress();
        deliveries.spawn(sink.run());
        let connected = progress.wait_for(|progress| progress.counters.connections == 1);
        connected.await.expect("a connection");
        feeds.push(feed);
    }
    let mut frames = interval(FRAME);
    let before = cpu_time();
    for frame in 0..FRAMES {
        frames.tick().await;
        send(&feeds, frame).await;
    }
    drop(feeds);
    while deliveries.join_next().await.is_some() {}
    (cpu_time() - before, FRAMES * connections)
}

async fn send(feeds: &[Sender<Message>], frame: u32) {
    let bytes = Bytes::from(vec![0x55; BYTES]);
    for feed in feeds {
        let audio = Audio {
            bytes: bytes.clone(),
            pts: Pts(u64::from(frame) * 960),
            duration: FRAME,
            made_at: now(),
        };
        feed.send(Message::Audio(audio)).await.expect("a delivery");
    }
}

/// Reads whatever comes, on a thread of its own.
fn receive() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let url = format!("ws://{}/", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        runtime().block_on(async {
            let listener = TcpListener::from_std(listener).expect("a listener");
            let mut receivers = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                receivers.spawn(read(tcp));
            }
        });
    });
    url
}

async fn read(tcp: TcpStream) {
    let mut socket = accept_async(tcp).await.expect("a WebSocket");
    while socket.next().await.is_some_and(|message| message.is_ok()) {}
}

fn delivery(url: &str, number: u32) -> Delivery {
    Delivery {
        server: Server {
            target: Target::parse(url, Query::Ours).expect("a URL"),
            tls: Tls::system(),
            proxy: None,
        },
        identity: Identity {
            room: "room".into(),
            room_sid: "RM_1".into(),
            participant: "alice".into(),
            participant_sid: "PA_1".into(),
            track: "TR_1".into(),
            egress_id: format!("EG_{number}"),
        },
        format: Format::LIVEKIT,
        settings: Settings::default(),
    }
}

fn runtime() -> Runtime {
    let mut builder = runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock");
    Duration::from(time)
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// 20 ms at 16 kHz, mono.
const BYTES: usize = 640;
const FRAME: Duration = Duration::from_millis(20);
const FRAMES: u32 = 250;
