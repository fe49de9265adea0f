use std::net::Ipv4Addr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Carries TCP connections to a port of this machine until they are cut.
#[derive(Debug)]
pub struct TcpProxy {
    port: u16,
    cuts: mpsc::Sender<()>,
    _acceptor: JoinSet<()>,
}

impl TcpProxy {
    /// Listens on a free port and carries what comes to `target`.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn to(target: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (cuts, inbox) = mpsc::channel(1);
        let mut acceptor = JoinSet::new();
        acceptor.spawn(accept(listener, target, inbox));
        Ok(Self {
            port,
            cuts,
            _acceptor: acceptor,
        })
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Cuts all connections; new ones are carried as before.
    ///
    /// # Panics
    /// The task that accepts connections has panicked.
    pub async fn cut(&self) {
        let accepted = self.cuts.send(()).await;
        accepted.expect("the acceptor lives as long as this handle");
    }
}

async fn accept(listener: TcpListener, target: u16, mut cuts: mpsc::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((client, _)) = listener.accept() => drop(connections.spawn(carry(client, target))),
            Some(()) = cuts.recv() => connections.shutdown().await,
            else => return,
        }
    }
}

/// Ends with either side; whoever is left sees the connection close.
async fn carry(mut client: TcpStream, target: u16) {
    if let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await {
        drop(copy_bidirectional(&mut client, &mut server).await);
    }
}
