use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::sleep;

/// A livekit-server on this machine, killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Where its signalling listens.
    pub(crate) port: u16,
}

impl Server {
    /// Starts it and waits until it answers.
    pub(crate) async fn start(program: &Path) -> anyhow::Result<Self> {
        let [port, tcp] = free_ports()?;
        let child = Command::new(program)
            .arg("--config-body")
            .arg(configuration(port, tcp, free_udp_ports()?))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}; `make setup` installs it", program.display()))?;
        for _ in 0..ATTEMPTS {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                .await
                .is_ok()
            {
                return Ok(Self { child, port });
            }
            sleep(PAUSE).await;
        }
        anyhow::bail!("livekit-server does not answer on port {port}")
    }

    /// Its process id.
    pub(crate) fn id(&self) -> anyhow::Result<u32> {
        self.child.id().context("livekit-server has ended")
    }
}

/// A few UDP ports for all: livekit-server gives those a large receive buffer, and the ports of
/// single peer connections none, so that it would lose packets before the recorder does.
fn configuration(port: u16, tcp: u16, udp: u16) -> String {
    let last = udp + UDP_PORTS - 1;
    format!(
        "port: {port}
bind_addresses: [127.0.0.1]
keys: {{ {KEY}: {SECRET} }}
rtc: {{ tcp_port: {tcp}, udp_port: {udp}-{last}, use_external_ip: false, node_ip: 127.0.0.1, enable_loopback_candidate: true }}
logging: {{ level: error }}
"
    )
}

/// Ports that nobody listened on a moment ago.
fn free_ports() -> std::io::Result<[u16; 2]> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (first, second) = (bind()?, bind()?);
    Ok([first.local_addr()?.port(), second.local_addr()?.port()])
}

/// The first of [`UDP_PORTS`] that nobody has bound.
fn free_udp_ports() -> anyhow::Result<u16> {
    let is_free = |port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let mut candidates = (33_000..60_000).step_by(UDP_PORTS.into());
    let free = candidates.find(|first| (*first..first + UDP_PORTS).all(is_free));
    free.context("a few free UDP ports in a row")
}

/// The key that everybody here uses.
pub(crate) const KEY: &str = "devkey";
/// Its secret.
pub(crate) const SECRET: &str = "secretsecretsecretsecretsecretsecret";

const UDP_PORTS: u16 = 4;
const ATTEMPTS: usize = 200;
const PAUSE: Duration = Duration::from_millis(50);
