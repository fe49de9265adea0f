use tokio_tungstenite::tungstenite;
use trackmill::sink::websocket::Text;

use super::server::Server;
use super::*;

#[tokio::test]
async fn a_thousand_messages_arrive_byte_for_byte_and_in_order() {
    let server = Server::start().await;
    let (sink, sender) = WebSocketSink::new(delivery(&server.url(), telling_all()));
    let receive = async { server.accept().await.hear_all().await };
    let send = async {
        feed(&sender, 0..500, 640).await;
        sender.send(mute()).await.unwrap();
        feed(&sender, 500..1_000, 640).await;
        sender
            .send(Message::End("unpublished".to_owned()))
            .await
            .unwrap();
    };

    let (outcome, heard, ()) = tokio::join!(sink.run(), receive, send);

    assert!(
        heard
            .sound
            .iter()
            .enumerate()
            .all(|(number, sound)| { *sound == super::sound(number.try_into().unwrap(), 640) })
    );
    assert_eq!((heard.sound.len(), heard.code), (1_000, Some(1000)));
    let [start, muted, end] = &heard.texts[..] else {
        panic!("{:?}", heard.texts);
    };
    assert_eq!(
        (&start["event"], &start["egress_id"]),
        (&"start".into(), &"EG_1".into())
    );
    assert_eq!(*muted, serde_json::json!({"muted": true}));
    assert_eq!(
        (&end["reason"], &end["audio_messages"]),
        (&"unpublished".into(), &1000.into())
    );
    assert_eq!(outcome.ending, Ending::Finished("unpublished".to_owned()));
    let counters = outcome.counters;
    assert_eq!(
        (counters.audio_messages, counters.text_messages),
        (1_000, 3)
    );
    assert_eq!(
        (counters.audio, counters.dropped()),
        (1_000 * FRAME, Duration::ZERO)
    );
    assert_eq!(
        (counters.connections, counters.unconfirmed),
        (1, Duration::ZERO)
    );
    assert_eq!(outcome.delays.count(), 1_000);
}

#[tokio::test]
async fn the_request_tells_whose_sound_it_is_and_carries_the_headers() {
    let server = Server::start().await;
    let (sink, sender) = WebSocketSink::new(delivery(&server.url(), Settings::default()));
    let receive = async {
        let mut peer = server.accept().await;
        peer.hear_all().await;
        peer
    };
    drop(sender);

    let (outcome, peer) = tokio::join!(sink.run(), receive);

    let identity =
        "room=room&room_sid=RM_1&participant=alice&participant_sid=PA_1&track=TR_1&egress_id=EG_1";
    assert_eq!(peer.path, format!("/sound?key=1&{identity}"));
    assert_eq!(peer.header("authorization"), Some("Bearer sesame"));
    assert_eq!(peer.header("content-type"), Some("audio/x-raw"));
    assert!(is_finished(&outcome), "{:?}", outcome.ending);
}

#[tokio::test]
async fn a_ping_of_the_server_is_answered_at_once_with_its_payload() {
    let server = Server::start().await;
    let (sink, sender) = WebSocketSink::new(delivery(&server.url(), Settings::default()));
    let receive = async {
        let mut peer = server.accept().await;
        peer.ping(b"idle").await;
        let idle = peer.next().await;
        feed(&sender, 0..1, 640).await;
        let sound = peer.next().await;
        peer.ping(b"busy").await;
        let busy = peer.next().await;
        drop(sender);
        peer.hear_all().await;
        (idle, sound, busy)
    };

    let (_, (idle, sound, busy)) = tokio::join!(sink.run(), receive);

    assert_eq!(idle, Some(tungstenite::Message::Pong("idle".into())));
    assert!(matches!(sound, Some(tungstenite::Message::Binary(_))));
    assert_eq!(busy, Some(tungstenite::Message::Pong("busy".into())));
}

#[tokio::test]
async fn a_server_that_talks_without_end_is_not_listened_to_and_hears_everything() {
    let server = Server::start().await;
    let (sink, sender) = WebSocketSink::new(delivery(&server.url(), Settings::default()));
    let receive = async {
        let mut peer = server.accept().await;
        for _ in 0..500 {
            peer.say("words ".repeat(100)).await;
        }
        peer.hear_all().await.sound.len()
    };
    let send = async {
        feed(&sender, 0..100, 640).await;
        drop(sender);
    };

    let (outcome, heard, ()) = tokio::join!(sink.run(), receive, send);

    assert_eq!(heard, 100);
    assert!(is_finished(&outcome), "{:?}", outcome.ending);
}

#[tokio::test]
async fn a_delivery_that_is_given_up_leaves_no_connection_behind() {
    let server = Server::start().await;
    let (sink, sender) = WebSocketSink::new(delivery(&server.url(), Settings::default()));
    let mut run = Box::pin(sink.run());
    let mut peer = tokio::select! {
        outcome = &mut run => panic!("{:?}", outcome.ending),
        peer = server.accept() => peer,
    };

    drop(run);

    assert_eq!(peer.next().await, None);
    assert!(sender.is_closed());
}

#[tokio::test]
async fn progress_can_be_watched() {
    let server = Server::start().await;
    let (sink, sender) = WebSocketSink::new(delivery(&server.url(), Settings::default()));
    let mut progress = sink.progress();
    let receive = async { server.accept().await.hear_all().await };
    let watch = async {
        feed(&sender, 0..10, 640).await;
        let shown = progress.wait_for(|progress| progress.counters.audio_messages >= 9);
        let connections = deadline::until("progress", shown)
            .await
            .unwrap()
            .counters
            .connections;
        drop(sender);
        connections
    };

    let (_, _, connections) = tokio::join!(sink.run(), receive, watch);

    assert_eq!(connections, 1);
}

fn mute() -> Message {
    Message::Text(Text::Muted {
        is_muted: true,
        instead: None,
    })
}
