use std::fmt;

use crate::dial::{Endpoint, EndpointError};

/// Where a LiveKit server is, ready to be dialled: `wss://host[:port][/path]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    endpoint: Endpoint,
    authority: String,
    path: String,
}

/// Why a text is not the URL of a LiveKit server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerUrlError {
    /// It does not begin with a scheme that we know.
    #[error("the server URL {0:?} begins with none of wss://, ws://, https://, http://")]
    Scheme(String),
    /// There is no host in it.
    #[error("the server URL {0:?} names no host")]
    Host(String),
    /// The port is not a number from 1 to 65535.
    #[error("the server URL {0:?} has no valid port")]
    Port(String),
    /// It carries what a server URL cannot carry.
    #[error(
        "the server URL {0:?} has spaces, credentials, a query or a fragment: only scheme, host, port and path belong there"
    )]
    Extra(String),
}

impl ServerUrl {
    /// Reads `wss://…`, `ws://…`, or the same as `https://…`, `http://…`.
    ///
    /// # Errors
    /// Names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, ServerUrlError> {
        let url = text.trim();
        let (is_encrypted, rest) = split_scheme(url)?;
        if rest.contains(|c: char| c.is_whitespace() || c.is_control() || "?#@".contains(c)) {
            return Err(ServerUrlError::Extra(shortened(url)));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let endpoint = Endpoint::parse(is_encrypted, authority).map_err(|error| match error {
            EndpointError::Host => ServerUrlError::Host(shortened(url)),
            EndpointError::Port => ServerUrlError::Port(shortened(url)),
        })?;
        Ok(Self {
            endpoint,
            authority: authority.to_owned(),
            path: path.trim_end_matches('/').to_owned(),
        })
    }

    /// Where the server listens.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The URL of the signalling WebSocket.
    pub fn signal(&self, query: &str) -> String {
        format!("{self}/rtc?{query}")
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.endpoint.is_encrypted {
            "wss"
        } else {
            "ws"
        };
        write!(f, "{scheme}://{}", self.authority)?;
        if self.path.is_empty() {
            return Ok(());
        }
        write!(f, "/{}", self.path)
    }
}

fn split_scheme(url: &str) -> Result<(bool, &str), ServerUrlError> {
    let unknown = || ServerUrlError::Scheme(shortened(url));
    let (scheme, rest) = url.split_once("://").ok_or_else(unknown)?;
    match scheme.to_ascii_lowercase().as_str() {
        "wss" | "https" => Ok((true, rest)),
        "ws" | "http" => Ok((false, rest)),
        _ => Err(unknown()),
    }
}

fn shortened(url: &str) -> String {
    url.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_of_livekit_is_dialled_as_a_websocket() {
        for (given, dialled, host, port) in [
            (
                "wss://x.livekit.cloud",
                "wss://x.livekit.cloud/rtc?q",
                "x.livekit.cloud",
                443,
            ),
            ("https://host:7443/", "wss://host:7443/rtc?q", "host", 7443),
            (
                "ws://127.0.0.1:7880",
                "ws://127.0.0.1:7880/rtc?q",
                "127.0.0.1",
                7880,
            ),
            (
                "HTTP://host/behind/proxy/",
                "ws://host/behind/proxy/rtc?q",
                "host",
                80,
            ),
            ("ws://[::1]:7880", "ws://[::1]:7880/rtc?q", "::1", 7880),
            (" ws://[::1] ", "ws://[::1]/rtc?q", "::1", 80),
        ] {
            let url = ServerUrl::parse(given).unwrap();

            assert_eq!(url.signal("q"), dialled);
            let endpoint = url.endpoint();
            assert_eq!((&*endpoint.host, endpoint.port), (host, port), "{given}");
        }
    }

    #[test]
    fn a_wrong_url_is_refused_with_the_part_that_is_wrong() {
        for (given, complaint) in [
            ("", "begins with none of"),
            ("localhost:7880", "begins with none of"),
            ("ftp://host", "begins with none of"),
            ("ws://", "names no host"),
            ("ws://:7880", "names no host"),
            ("ws://host:0", "no valid port"),
            ("ws://host:99999", "no valid port"),
            ("ws://host:x", "no valid port"),
            ("ws://user:secret@host", "credentials"),
            ("ws://host?x=1", "query"),
        ] {
            let error = ServerUrl::parse(given).unwrap_err().to_string();

            assert!(error.contains(complaint), "{given}: {error}");
        }
    }
}
