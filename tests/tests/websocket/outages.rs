use super::server::{Heard, Server};
use super::*;

#[tokio::test]
async fn a_reconnect_keeps_the_order_and_counts_what_may_be_missing() {
    let server = Server::start().await;
    let (sink, sender) = WebSocketSink::new(delivery(&server.url(), telling_all()));
    let receive = async {
        let mut first = server.accept().await;
        let mut numbers = first.hear(300).await.numbers();
        // It dies without a word.
        drop(first);
        let heard = server.accept().await.hear_all().await;
        numbers.extend(heard.numbers());
        (numbers, heard)
    };
    let send = async {
        feed(&sender, 0..1_000, 640).await;
        drop(sender);
    };

    let (outcome, (numbers, heard), ()) = tokio::join!(sink.run(), receive, send);

    assert!(is_finished(&outcome), "{:?}", outcome.ending);
    assert!(
        numbers.is_sorted_by(|a, b| a < b),
        "out of order, or twice: {numbers:?}"
    );
    let counters = outcome.counters;
    assert_eq!((counters.connections, counters.reconnects()), (2, 1));
    // Every message is accounted for: heard, dropped, or handed over to the connection that broke.
    let lost = 1_000 - numbers.len() - messages(counters.dropped());
    assert!(
        lost <= messages(counters.unconfirmed),
        "{lost} {counters:?}"
    );
    assert_eq!(counters.audio, 1_000 * FRAME - counters.dropped());
    assert_eq!(heard.texts[0]["connection"], 2);
    assert_eq!(
        heard.texts[0]["unconfirmed_us"],
        micros(counters.unconfirmed)
    );
}

#[tokio::test]
async fn a_server_that_restarts_is_found_again() {
    let server = Server::start().await;
    let (sink, sender) = WebSocketSink::new(delivery(&server.url(), Settings::default()));
    let address = server.listener.local_addr().unwrap();
    let receive = async {
        feed(&sender, 0..1, 640).await;
        let mut first = server.accept().await;
        first.hear(1).await;
        first.close(1012, "restart").await;
        drop(server);
        feed(&sender, 1..2, 640).await;
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let mut second = Server { listener }.accept().await;
        let heard = second.hear(1).await;
        drop(sender);
        second.hear_all().await;
        heard
    };
    let (outcome, heard) = tokio::join!(sink.run(), receive);

    assert_eq!(heard.numbers(), [1]);
    assert_eq!(outcome.counters.reconnects(), 1);
}

#[tokio::test]
async fn a_slow_reader_misses_the_oldest_sound_and_is_told_so() {
    let server = Server::with_small_buffers();
    let settings = Settings {
        buffer: Duration::from_secs(1),
        ..telling_all()
    };
    let (sink, sender) = WebSocketSink::new(delivery(&server.url(), settings));
    let mut progress = sink.progress();
    let receive = async {
        let mut peer = server.accept().await;
        let stalled =
            progress.wait_for(|progress| progress.counters.dropped_slow > Duration::from_secs(20));
        deadline::until("drops", stalled).await.unwrap();
        peer.hear_all().await
    };
    let send = async {
        feed(&sender, 0..2_000, 3_840).await;
        drop(sender);
    };

    let (outcome, heard, ()) = tokio::join!(sink.run(), receive, send);

    assert!(is_finished(&outcome), "{:?}", outcome.ending);
    let counters = outcome.counters;
    assert_eq!(counters.reconnects(), 0);
    assert!(
        counters.dropped_slow > Duration::from_secs(20),
        "{counters:?}"
    );
    assert_eq!(heard.sound.len() + messages(counters.dropped()), 2_000);
    assert_eq!(told_as_dropped(&heard), micros(counters.dropped()));
    assert_eq!(heard.numbers().last(), Some(&1_999), "the newest is there");
}

#[tokio::test]
async fn a_dead_server_is_left_after_two_missed_pongs() {
    let server = Server::with_small_buffers();
    let settings = Settings {
        ping_interval: Duration::from_millis(500),
        ..telling_all()
    };
    let (sink, sender) = WebSocketSink::new(delivery(&server.url(), settings));
    let receive = async {
        // It neither reads nor hangs up.
        let dead = server.accept().await;
        let mut alive = server.accept().await;
        let heard = alive.hear_all().await;
        drop(dead);
        heard
    };

    let send = async {
        feed(&sender, 0..100, 3_840).await;
        drop(sender);
    };

    let (outcome, heard, ()) = tokio::join!(sink.run(), receive, send);

    assert!(is_finished(&outcome), "{:?}", outcome.ending);
    assert_eq!(outcome.counters.reconnects(), 1);
    assert_eq!(heard.numbers().last(), Some(&99));
    assert!(outcome.counters.unconfirmed > Duration::ZERO);
}

#[tokio::test]
async fn a_server_that_takes_nothing_does_not_hold_up_the_end() {
    let server = Server::with_small_buffers();
    let settings = Settings {
        drain: Duration::from_millis(300),
        ..Settings::default()
    };
    let (sink, sender) = WebSocketSink::new(delivery(&server.url(), settings));
    let send = async {
        feed(&sender, 0..400, 3_840).await;
        drop(sender);
    };

    let (outcome, dead, ()) = tokio::join!(sink.run(), server.accept(), send);

    drop(dead);
    let text = outcome.ending.to_string();
    assert!(text.contains("did not take the last"), "{text}");
    let counters = outcome.counters;
    assert_eq!(counters.audio + counters.dropped(), 400 * FRAME);
    assert_eq!(counters.unconfirmed, counters.audio);
}

fn told_as_dropped(heard: &Heard) -> u64 {
    let dropped = heard.texts.iter().filter(|text| text["event"] == "dropped");
    dropped
        .filter_map(|text| text["duration_us"].as_u64())
        .sum()
}

fn messages(duration: Duration) -> usize {
    usize::try_from(duration.as_millis() / FRAME.as_millis()).expect("few")
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).expect("short")
}
