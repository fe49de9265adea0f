//! One task a WebSocket: bytes in, bytes out.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::driver::{Accepted, Event, ToSocket};
use super::upgrade;
use crate::simulation::Closing;

/// Accepts WebSockets until the driver ends.
pub(super) async fn listen(listener: TcpListener, events: mpsc::Sender<Event>) {
    let mut connections = JoinSet::new();
    while !events.is_closed() {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        connections.spawn(serve(stream, events.clone()));
        while connections.try_join_next().is_some() {}
    }
}

/// Serves one connection from its first byte to its last.
async fn serve(mut stream: TcpStream, events: mpsc::Sender<Event>) -> Option<()> {
    let request = upgrade::read(&mut stream).await?;
    let (reply, answer) = oneshot::channel();
    let wish = Event::Upgrade(upgrade::describe(&request), reply);
    events.send(wish).await.ok()?;
    match answer.await.ok()? {
        Ok(accepted) => {
            let id = accepted.id;
            if upgrade::accept(&mut stream, &request).await.is_some() {
                carry(stream, accepted, &events).await;
            }
            events.send(Event::Disconnected(id)).await.ok()
        }
        Err(refusal) => upgrade::refuse(&mut stream, &refusal).await.ok(),
    }
}

/// Carries messages both ways until one side ends.
async fn carry(stream: TcpStream, accepted: Accepted, events: &mpsc::Sender<Event>) -> Option<()> {
    let Accepted { id, mut outbox } = accepted;
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    loop {
        tokio::select! {
            message = socket.next() => match message?.ok()? {
                Message::Binary(bytes) => {
                    events.send(Event::Message(id, bytes.into())).await.ok()?;
                }
                Message::Close(_) => return None,
                _ => {}
            },
            order = outbox.recv() => match order? {
                ToSocket::Send(bytes) => socket.send(Message::Binary(bytes.into())).await.ok()?,
                ToSocket::Close(Closing::Handshake) => return part(socket).await,
                ToSocket::Close(Closing::Abrupt) => return None,
            },
        }
    }
}

/// Says goodbye and waits for the other side's. A connection that is closed with something unread
/// is reset.
async fn part(mut socket: WebSocketStream<TcpStream>) -> Option<()> {
    socket.close(None).await.ok()?;
    let farewell = async { while let Some(Ok(_)) = socket.next().await {} };
    timeout(FAREWELL, farewell).await.ok()
}

const FAREWELL: Duration = Duration::from_secs(1);
