use std::fmt;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether it speaks TLS.
    pub is_encrypted: bool,
    /// Its host as a resolver takes it: without the brackets of an IPv6 address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// What is wrong with a `host[:port]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// There is no host, or one with characters that no host has.
    #[error("there is no valid host in it")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("its port is not a number from 1 to 65535")]
    Port,
}

impl Endpoint {
    /// Reads the `host[:port]` of a URL; without a port it is 443 or 80.
    ///
    /// # Errors
    /// Names the part that is wrong.
    pub fn parse(is_encrypted: bool, authority: &str) -> Result<Self, EndpointError> {
        let (host, port) = split_port(authority);
        if host.is_empty() || !host.chars().all(is_host_character) {
            return Err(EndpointError::Host);
        }
        let port = match (port.map(str::parse), is_encrypted) {
            (Some(Ok(port @ 1..)), _) => port,
            (Some(_), _) => return Err(EndpointError::Port),
            (None, true) => 443,
            (None, false) => 80,
        };
        Ok(Self {
            is_encrypted,
            host: host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port,
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_encrypted { "wss" } else { "ws" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// Splits `host:port`; the colons inside the brackets of an IPv6 address are not the port's.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

const fn is_host_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '[' | ']')
}
