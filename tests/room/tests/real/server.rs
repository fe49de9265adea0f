//! A livekit-server of our own, on free ports of the loopback interface.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::process::{Child, Command};
use trackmill_room::signal::Server;

/// A running livekit-server; dropping it kills the process.
#[derive(Debug)]
pub(crate) struct LiveKit {
    address: Server,
    _process: Child,
}

impl LiveKit {
    /// Starts the server that `make setup` installed, and waits until it answers.
    pub(crate) async fn start() -> Self {
        let [signal, media] = [free_tcp_port().await, free_tcp_port().await];
        let configuration = format!(
            "port: {signal}\nbind_addresses: [127.0.0.1]\nkeys: {{ {KEY}: {SECRET} }}\n\
             rtc: {{ tcp_port: {media}, udp_port: {}, use_external_ip: false, \
             node_ip: 127.0.0.1, enable_loopback_candidate: true }}\n",
            free_udp_port().await,
        );
        let process = Command::new(program())
            .args(["--config-body", &configuration])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("livekit-server is installed; `make setup` does it");
        wait_for(signal).await;
        Self {
            address: Server {
                url: format!("ws://127.0.0.1:{signal}"),
                api_key: KEY.into(),
                api_secret: SECRET.into(),
            },
            _process: process,
        }
    }

    pub(crate) const fn address(&self) -> &Server {
        &self.address
    }
}

/// Where `make setup` puts it.
fn program() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let cache = std::env::var_os("TRACKMILL_CACHE").map(PathBuf::from);
    cache
        .unwrap_or_else(|| home().join(".cache/trackmill"))
        .join("bin/livekit-server")
}

async fn wait_for(port: u16) {
    let connect = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), connect).await;
    waited.expect("livekit-server answers within 20 s");
}

async fn free_tcp_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let address = listener.and_then(|listener| listener.local_addr());
    address.expect("a free port").port()
}

async fn free_udp_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").await;
    let address = socket.and_then(|socket| socket.local_addr());
    address.expect("a free port").port()
}

const KEY: &str = "devkey";
const SECRET: &str = "secretsecretsecretsecretsecretsecret";
