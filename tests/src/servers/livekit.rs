use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Weak};

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use trackmill_room::signal::Server;

use super::installed;
use crate::deadline;

/// A livekit-server of our own on free ports. Killed when dropped.
#[derive(Debug)]
pub struct LiveKit {
    process: Child,
    ports: Ports,
    directory: TempDir,
}

/// What the network lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Everything.
    Open,
    /// No UDP: ICE over TCP only.
    TcpOnly,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    signal: u16,
    tcp: u16,
    udp: u16,
}

impl LiveKit {
    /// The server that all tests share that neither stop nor configure it. It ends with the last of
    /// those that run at a time.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn shared() -> anyhow::Result<Arc<Self>> {
        static SHARED: Mutex<Weak<LiveKit>> = Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(server) = shared.upgrade() {
            return Ok(server);
        }
        let server = Arc::new(Self::start(Network::Open).await?);
        *shared = Arc::downgrade(&server);
        Ok(server)
    }

    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn start(network: Network) -> anyhow::Result<Self> {
        let directory = TempDir::new()?;
        let ports = Ports::free()?;
        std::fs::write(directory.path().join(CONFIG), config(ports, network))?;
        let process = launch(&directory)?;
        let mut server = Self {
            process,
            ports,
            directory,
        };
        server.answers().await?;
        Ok(server)
    }

    /// Ends it at once, as `kill -9` does.
    ///
    /// # Errors
    /// The operating system does not let us.
    pub fn kill(&mut self) -> std::io::Result<()> {
        self.process.kill()?;
        self.process.wait().map(drop)
    }

    /// Starts it again on the same ports after [`kill`](Self::kill), and waits until it answers.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.process = launch(&self.directory)?;
        self.answers().await
    }

    /// Where it is, and the keys it trusts.
    pub fn server(&self) -> Server {
        Server {
            url: format!("ws://127.0.0.1:{}", self.port()),
            api_key: API_KEY.to_owned(),
            api_secret: API_SECRET.to_owned(),
        }
    }

    /// The port of its signalling.
    pub const fn port(&self) -> u16 {
        self.ports.signal
    }

    /// Waits until it serves HTTP.
    async fn answers(&mut self) -> anyhow::Result<()> {
        let port = self.port();
        let log = self.directory.path().join(LOG);
        let process = &mut self.process;
        deadline::found("livekit-server answers", async || {
            let has_ended = process.try_wait().ok().flatten().is_some();
            (has_ended || is_healthy(port).await).then_some(())
        })
        .await;
        let ended = self.process.try_wait()?;
        anyhow::ensure!(
            ended.is_none(),
            "livekit-server ended: {}",
            std::fs::read_to_string(log)?
        );
        Ok(())
    }
}

impl Drop for LiveKit {
    fn drop(&mut self) {
        // It may have ended by itself, which is what is wanted.
        drop(self.kill());
    }
}

impl Ports {
    /// Ports that nobody has at the moment.
    fn free() -> std::io::Result<Self> {
        let (signal, tcp) = (loopback_listener()?, loopback_listener()?);
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(Self {
            signal: signal.local_addr()?.port(),
            tcp: tcp.local_addr()?.port(),
            udp: udp.local_addr()?.port(),
        })
    }
}

fn loopback_listener() -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
}

fn config(ports: Ports, network: Network) -> String {
    let Ports { signal, tcp, udp } = ports;
    let force_tcp = network == Network::TcpOnly;
    format!(
        "port: {signal}
bind_addresses: [127.0.0.1]
keys: {{ {API_KEY}: {API_SECRET} }}
rtc:
  tcp_port: {tcp}
  udp_port: {udp}
  force_tcp: {force_tcp}
  use_external_ip: false
  node_ip: 127.0.0.1
  enable_loopback_candidate: true
logging: {{ level: info }}
"
    )
}

fn launch(directory: &TempDir) -> anyhow::Result<Child> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(directory.path().join(LOG))?;
    Command::new(installed("bin/livekit-server"))
        .arg("--config")
        .arg(directory.path().join(CONFIG))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("cannot run livekit-server; `make setup` installs it")
}

async fn is_healthy(port: u16) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream
            .write_all(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            .await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer.contains("200 OK"))
    };
    ask.await.unwrap_or(false)
}

const API_KEY: &str = "devkey";
const API_SECRET: &str = "secretsecretsecretsecretsecretsecret";
const CONFIG: &str = "livekit.yaml";
const LOG: &str = "livekit.log";
