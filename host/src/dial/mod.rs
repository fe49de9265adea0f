//! TCP, TLS and the upgrade to a WebSocket: what signalling and the WebSocket sink share. The way may
//! lead through a proxy.

mod endpoint;
mod error;
mod jitter;
mod proxy;
mod tls;
mod tunnel;
mod upgrade;

pub use endpoint::{Endpoint, EndpointError};
pub use error::{DialError, DialFailure, Retry, legible, tls_remedy};
pub use jitter::Jitter;
pub use proxy::{EnvironmentError, Proxy, ProxyError};
pub use tls::{Tls, TlsError};
pub use upgrade::{WebSocket, connect, limit_send_buffer};
