//! TCP, TLS and the upgrade to a WebSocket: what signalling and the WebSocket sink share.

mod endpoint;
mod error;
mod jitter;
mod tls;
mod upgrade;

pub use endpoint::{Endpoint, EndpointError};
pub use error::{DialError, DialFailure, Retry, legible, tls_remedy};
pub use jitter::Jitter;
pub use tls::{Tls, TlsError};
pub use upgrade::{WebSocket, connect, limit_send_buffer};
