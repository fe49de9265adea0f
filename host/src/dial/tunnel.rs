use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::endpoint::Endpoint;
use super::error::{DialError, DialFailure};
use super::proxy::Proxy;

/// Asks a proxy for a connection to a server. What follows on `tcp` is the server's.
pub(super) async fn open(
    tcp: &mut TcpStream,
    server: &Endpoint,
    proxy: &Proxy,
) -> Result<(), DialError> {
    let broken = |error| DialError::new(DialFailure::Unreachable, format!("{proxy}: {error}"));
    tcp.write_all(proxy.request(server).as_bytes())
        .await
        .map_err(broken)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        // Byte by byte: what comes behind the head is not ours.
        match tcp.read_u8().await {
            Ok(byte) if head.len() < LONGEST_HEAD => head.push(byte),
            Ok(_) => return Err(no_proxy(proxy, "its answer has no end")),
            Err(_) if head.is_empty() => return Err(no_proxy(proxy, "it hung up")),
            Err(error) => return Err(broken(error)),
        }
    }
    judge(&head, proxy)
}

/// What the proxy answered.
fn judge(head: &[u8], proxy: &Proxy) -> Result<(), DialError> {
    let head = String::from_utf8_lossy(head);
    let line = head.lines().next().unwrap_or_default();
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| {
        let (_, status) = rest.split_once(' ')?;
        let (code, words) = status.split_once(' ').unwrap_or((status, ""));
        Some((code.parse().ok()?, words))
    });
    match status {
        Some((200..=299, _)) => Ok(()),
        Some((code, words)) => {
            let detail = format!("{proxy}: {words}");
            Err(DialError::new(DialFailure::Proxy(code), detail))
        }
        None => Err(no_proxy(proxy, "it does not speak HTTP")),
    }
}

fn no_proxy(proxy: &Proxy, why: &str) -> DialError {
    DialError::new(DialFailure::NotProxy, format!("{proxy}: {why}"))
}

/// Longer than any proxy has to say.
const LONGEST_HEAD: usize = 8 << 10;
