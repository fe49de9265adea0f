use std::io;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::http::header::LOCATION;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use super::endpoint::Endpoint;
use super::error::{DialError, DialFailure};
use super::proxy::Proxy;
use super::tls::Tls;
use super::tunnel;

/// An open WebSocket, encrypted or not.
pub type WebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens a WebSocket, through a proxy if there is one; takes 10 s at most. Nothing stays open if the
/// wait is given up.
///
/// # Errors
/// Tells who has to do what: see [`DialError`].
pub async fn connect(
    request: Request,
    endpoint: &Endpoint,
    tls: &Tls,
    proxy: Option<&Proxy>,
    config: WebSocketConfig,
) -> Result<WebSocket, DialError> {
    let deadline = Instant::now() + TIMEOUT;
    let tcp = timeout_at(deadline, dial(endpoint, proxy))
        .await
        .map_err(|_| timed_out(endpoint, "the TCP connection"))??;
    let connector = connector(endpoint, tls)?;
    let upgrade = client_async_tls_with_config(request, tcp, Some(config), Some(connector));
    match timeout_at(deadline, Box::pin(upgrade)).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(explain(error, endpoint)),
        Err(_) => Err(timed_out(endpoint, "the WebSocket upgrade")),
    }
}

/// Bounds what the kernel holds for a server that does not read: `bytes`, which Linux doubles.
///
/// # Errors
/// What the operating system says.
pub fn limit_send_buffer(socket: &WebSocket, bytes: usize) -> io::Result<()> {
    let tcp = match socket.get_ref() {
        MaybeTlsStream::Plain(tcp) => tcp,
        MaybeTlsStream::Rustls(tls) => tls.get_ref().0,
        _ => return Ok(()),
    };
    Ok(setsockopt(tcp, sockopt::SndBuf, &bytes)?)
}

async fn dial(endpoint: &Endpoint, proxy: Option<&Proxy>) -> Result<TcpStream, DialError> {
    let Some(proxy) = proxy else {
        return reach(endpoint).await;
    };
    let mut tcp = reach(&proxy.endpoint).await.map_err(|error| DialError {
        detail: format!("the proxy {}", error.detail),
        ..error
    })?;
    tunnel::open(&mut tcp, endpoint, proxy).await?;
    Ok(tcp)
}

/// Connects to the first address of a server that answers.
async fn reach(endpoint: &Endpoint) -> Result<TcpStream, DialError> {
    let addresses: Vec<_> = tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port))
        .await
        .map_err(|error| DialError::new(DialFailure::Name, format!("{}: {error}", endpoint.host)))?
        .collect();
    let tcp = TcpStream::connect(addresses.as_slice())
        .await
        .map_err(|error| unreachable(&error, endpoint))?;
    tcp.set_nodelay(true)
        .map_err(|error| unreachable(&error, endpoint))?;
    Ok(tcp)
}

fn connector(endpoint: &Endpoint, tls: &Tls) -> Result<Connector, DialError> {
    if !endpoint.is_encrypted {
        return Ok(Connector::Plain);
    }
    tls.config()
        .map(Connector::Rustls)
        .map_err(|error| DialError::new(DialFailure::Tls, error))
}

/// Why the upgrade failed.
fn explain(error: Error, endpoint: &Endpoint) -> DialError {
    match error {
        Error::Http(response) => DialError::new(
            DialFailure::Refused(response.status().as_u16()),
            words(&response),
        ),
        Error::Tls(error) => DialError::new(DialFailure::Tls, error),
        Error::Io(error) if endpoint.is_encrypted => DialError::new(DialFailure::Tls, error),
        Error::Io(error) => unreachable(&error, endpoint),
        Error::Protocol(ProtocolError::HandshakeIncomplete) => {
            DialError::new(DialFailure::NotWebSocket, "it hung up during the upgrade")
        }
        Error::Url(error) => DialError::new(DialFailure::Request, error),
        Error::HttpFormat(error) => DialError::new(DialFailure::Request, error),
        error => DialError::new(DialFailure::NotWebSocket, error),
    }
}

/// What a server says that does not upgrade the connection.
fn words(response: &Response) -> String {
    match response.headers().get(LOCATION) {
        Some(location) if response.status().is_redirection() => {
            format!(
                "it leads to {}",
                String::from_utf8_lossy(location.as_bytes())
            )
        }
        _ => {
            let body = response.body().as_deref().unwrap_or_default();
            String::from_utf8_lossy(body).into_owned()
        }
    }
}

fn unreachable(error: &io::Error, endpoint: &Endpoint) -> DialError {
    DialError::new(DialFailure::Unreachable, format!("{endpoint}: {error}"))
}

fn timed_out(endpoint: &Endpoint, what: &str) -> DialError {
    let detail = format!("{endpoint}: {what} took more than {} s", TIMEOUT.as_secs());
    DialError::new(DialFailure::TimedOut, detail)
}

/// For name, TCP, TLS and upgrade together.
const TIMEOUT: Duration = Duration::from_secs(10);
