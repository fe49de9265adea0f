//! ICE-TCP: datagrams with their length in front ([RFC 4571](https://www.rfc-editor.org/rfc/rfc4571)).

use str0m::net::Protocol;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::driver::Event;
use crate::sfu::Datagram;

/// Accepts media connections until the driver ends.
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

async fn serve(stream: TcpStream, events: mpsc::Sender<Event>) -> Option<()> {
    let remote = stream.peer_addr().ok()?;
    let (mut reader, writer) = stream.into_split();
    let (inbox, outbox) = mpsc::channel(DATAGRAMS);
    events.send(Event::Connected(remote, inbox)).await.ok()?;
    let mut sending = JoinSet::new();
    sending.spawn(send(writer, outbox));
    while let Some(bytes) = read(&mut reader).await {
        let datagram = Datagram {
            protocol: Protocol::Tcp,
            remote,
            bytes,
        };
        events.send(Event::Datagram(datagram)).await.ok()?;
    }
    None
}

async fn read(reader: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let length = reader.read_u16().await.ok()?;
    let mut bytes = vec![0; usize::from(length)];
    reader.read_exact(&mut bytes).await.ok()?;
    Some(bytes)
}

async fn send(mut writer: OwnedWriteHalf, mut outbox: mpsc::Receiver<Vec<u8>>) -> Option<()> {
    loop {
        let bytes = outbox.recv().await?;
        let length = u16::try_from(bytes.len()).ok()?;
        writer.write_u16(length).await.ok()?;
        writer.write_all(&bytes).await.ok()?;
    }
}

const DATAGRAMS: usize = 256;
