//! The simulated server on sockets.

use std::time::Duration;

use livekit_protocol::signal_response::Message as Response;
use trackmill_room::media::Codec;
use trackmill_room::room::SimulatedRoom;
use trackmill_room::signal::{Client, Grant, Server, SignalError};
use trackmill_room::simulation::{Config, Fault};

use crate::fixtures::spec;

#[tokio::test]
async fn a_client_joins_and_gets_an_offer() {
    let room = SimulatedRoom::start(Config::default()).await.unwrap();
    let sid = room
        .publish("demo", "alice", spec(Codec::Opus))
        .await
        .unwrap();

    let mut client = connect(room.server()).await.unwrap();

    let Response::Join(join) = next(&mut client).await else {
        panic!("the first message is not the join response");
    };
    assert_eq!(join.other_participants[0].tracks[0].sid, sid.0);
    let Response::RefreshToken(_) = next(&mut client).await else {
        panic!("the second message is no token");
    };
    let Response::Offer(offer) = next(&mut client).await else {
        panic!("the third message is no offer");
    };
    assert!(offer.sdp.contains("m=application"));
    room.close().await;
}

#[tokio::test]
async fn a_wrong_key_is_refused_with_status_and_text() {
    let room = SimulatedRoom::start(Config::default()).await.unwrap();
    let server = Server {
        api_key: "nokey".into(),
        ..room.server().clone()
    };

    let refused = connect(&server).await.unwrap_err();

    let SignalError::Refused { status, body } = refused else {
        panic!("{refused}");
    };
    assert_eq!((status, &*body), (401, "invalid API key: nokey"));
}

#[tokio::test]
async fn a_dropped_websocket_breaks_without_a_goodbye() {
    let room = SimulatedRoom::start(Config::default()).await.unwrap();
    let mut client = connect(room.server()).await.unwrap();
    next(&mut client).await;

    room.fault(Fault::DropSignal).await.unwrap();

    let broken = loop {
        if let Err(error) = client.receive().await {
            break error;
        }
    };
    assert!(matches!(broken, SignalError::Broken(_)), "{broken}");
    let subscribers = room.subscribers().await.unwrap();
    assert!(!subscribers[0].is_signalling);
}

async fn connect(server: &Server) -> Result<Client, SignalError> {
    let token = server.token("demo", "recorder", Grant::Record);
    let token = token.expect("the key pair can sign");
    Box::pin(Client::connect(&server.url, &token, "")).await
}

async fn next(client: &mut Client) -> Response {
    let message = tokio::time::timeout(Duration::from_secs(5), client.receive()).await;
    let message = message.expect("the server answers in time");
    message.expect("the connection stands")
}
