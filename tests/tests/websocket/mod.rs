//! The WebSocket sink against real servers on loopback (media.md §9).

mod egress;
mod failures;
mod outages;
mod proxy;
mod server;
mod stream;
mod tls;

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use trackmill::dial::Tls;
use trackmill::media::Pts;
use trackmill::sink::websocket::{
    Audio, Delivery, Ending, Format, Headers, Identity, Message, Outcome, Query, Settings, Target,
    Texts, WebSocketSink,
};
use trackmill_tests::deadline;

/// A delivery to a server at `url`.
fn delivery(url: &str, settings: Settings) -> Delivery {
    let mut headers = Headers::default();
    headers
        .add("Authorization: Bearer sesame")
        .expect("a header");
    Delivery {
        server: trackmill::sink::websocket::Server {
            target: Target::parse(url, Query::Ours)
                .expect("a URL")
                .with_headers(headers),
            tls: Tls::system(),
            proxy: None,
        },
        identity: Identity {
            room: "room".into(),
            room_sid: "RM_1".into(),
            participant: "alice".into(),
            participant_sid: "PA_1".into(),
            track: "TR_1".into(),
            egress_id: "EG_1".to_owned(),
        },
        format: Format::LIVEKIT,
        settings,
    }
}

fn telling_all() -> Settings {
    Settings {
        texts: Texts::All,
        ..Settings::default()
    }
}

/// Runs a delivery that nobody feeds.
async fn outcome(delivery: Delivery) -> Outcome {
    let (sink, feed) = WebSocketSink::new(delivery);
    let outcome = deadline::until("the delivery ends", sink.run()).await;
    drop(feed);
    outcome
}

/// Feeds messages of 20 ms with these numbers.
async fn feed(feed: &mpsc::Sender<Message>, numbers: std::ops::Range<u32>, bytes: usize) {
    for number in numbers {
        let message = Message::Audio(Audio {
            bytes: sound(number, bytes),
            pts: Pts(u64::from(number) * 960),
            duration: FRAME,
            made_at: now(),
        });
        // A delivery that has ended takes no more.
        if feed.send(message).await.is_err() {
            return;
        }
    }
}

/// Bytes that no other message has; they begin with the number.
fn sound(number: u32, bytes: usize) -> Bytes {
    let noise = (0_u32..).map(|n| {
        n.wrapping_mul(number)
            .wrapping_mul(0x9e37_79b9)
            .to_be_bytes()[0]
    });
    number
        .to_be_bytes()
        .into_iter()
        .chain(noise)
        .take(bytes)
        .collect()
}

fn number_of(sound: &[u8]) -> u32 {
    let (number, _) = sound.split_first_chunk().expect("a number");
    u32::from_be_bytes(*number)
}

fn is_finished(outcome: &Outcome) -> bool {
    matches!(outcome.ending, Ending::Finished(_))
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

const FRAME: Duration = Duration::from_millis(20);
