use std::fmt;

use crate::dial::{DialError, DialFailure, legible, tls_remedy};

/// Why there is no WebSocket to the server, and who has to do what about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenError {
    /// What went wrong.
    pub failure: OpenFailure,
    /// The HTTP status, if the server answered with one.
    pub status: Option<u16>,
    /// The words of the server, of the operating system, or of the TLS library. Never a token.
    pub detail: String,
}

/// What went wrong while a WebSocket was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenFailure {
    /// The host name does not resolve.
    Name,
    /// No TCP connection.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// No TLS, or a certificate that we do not trust.
    Tls,
    /// The server refused the token.
    Unauthorized,
    /// The server refused the request.
    Rejected,
    /// No such room, or no such path.
    NotFound,
    /// The server cannot serve us at the moment.
    Unavailable,
    /// Whatever answered, it was not a LiveKit server.
    NotLiveKit,
}

/// Whether it makes sense to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request would fail again.
    Never,
    /// Only if it worked before.
    OnceJoined,
    /// It may be over in a moment.
    Always,
}

impl OpenError {
    /// An error without an HTTP status.
    pub fn new(failure: OpenFailure, detail: impl fmt::Display) -> Self {
        Self {
            failure,
            status: None,
            detail: legible(&detail.to_string()),
        }
    }

    /// Reads the answer of a server that did not upgrade the connection.
    pub fn from_status(status: u16, body: &[u8]) -> Self {
        let failure = match status {
            401 | 403 => OpenFailure::Unauthorized,
            404 => OpenFailure::NotFound,
            408 | 429 | 500..=599 => OpenFailure::Unavailable,
            400..=499 => OpenFailure::Rejected,
            _ => OpenFailure::NotLiveKit,
        };
        Self {
            failure,
            status: Some(status),
            detail: legible(&String::from_utf8_lossy(body)),
        }
    }

    /// Whether another attempt may succeed.
    pub const fn retry(&self) -> Retry {
        match self.failure {
            OpenFailure::Unauthorized | OpenFailure::Rejected => Retry::Never,
            OpenFailure::Tls | OpenFailure::NotFound | OpenFailure::NotLiveKit => Retry::OnceJoined,
            OpenFailure::Name
            | OpenFailure::Unreachable
            | OpenFailure::TimedOut
            | OpenFailure::Unavailable => Retry::Always,
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        REMEDIES
            .iter()
            .find(|(words, _)| self.detail.contains(words))
            .map(|(_, remedy)| *remedy)
            .or_else(|| tls_remedy(&self.detail))
            .unwrap_or_else(|| self.failure.remedy())
    }
}

impl From<DialError> for OpenError {
    fn from(error: DialError) -> Self {
        let DialError { failure, detail } = error;
        let failure = match failure {
            DialFailure::Name => OpenFailure::Name,
            DialFailure::Unreachable => OpenFailure::Unreachable,
            DialFailure::TimedOut => OpenFailure::TimedOut,
            DialFailure::Tls => OpenFailure::Tls,
            DialFailure::Refused(status) => return Self::from_status(status, detail.as_bytes()),
            // Signalling goes through no proxy.
            DialFailure::Proxy(_) | DialFailure::NotProxy | DialFailure::NotWebSocket => {
                OpenFailure::NotLiveKit
            }
            DialFailure::Request => OpenFailure::Rejected,
        };
        Self::new(failure, detail)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.failure.what())?;
        match (self.status, self.detail.as_str()) {
            (None, "") => {}
            (None, detail) => write!(f, " ({detail})")?,
            (Some(status), "") => write!(f, " ({status})")?,
            (Some(status), detail) => write!(f, " ({status}: {detail})")?,
        }
        write!(f, ": {}", self.remedy())
    }
}

impl std::error::Error for OpenError {}

impl OpenFailure {
    const fn what(self) -> &'static str {
        match self {
            Self::Name => "the name of the server does not resolve",
            Self::Unreachable => "no connection to the server",
            Self::TimedOut => "the server did not answer in time",
            Self::Tls => "no secure connection to the server",
            Self::Unauthorized => "the server refused the token",
            Self::Rejected => "the server refused the request",
            Self::NotFound => "the server knows no such room or path",
            Self::Unavailable => "the server is not available",
            Self::NotLiveKit => "this is not a LiveKit server",
        }
    }

    const fn remedy(self) -> &'static str {
        match self {
            Self::Name => "check the URL, and the DNS of this machine",
            Self::Unreachable => {
                "check the host and the port, that the server runs, and that no firewall is between"
            }
            Self::TimedOut => "check the URL, and that no firewall drops the connection",
            Self::Tls => "check the URL, and the certificate of the server",
            Self::Unauthorized => "check the API key and secret, or whether the token has expired",
            Self::Rejected => "check the URL and the token",
            Self::NotFound => "check the URL, and that the room exists or the server may create it",
            Self::Unavailable => "look at the server's log, and try again later",
            Self::NotLiveKit => "check the URL",
        }
    }
}

/// Words of livekit-server 1.13 that call for one remedy in particular.
const REMEDIES: [(&str, &str); 7] = [
    (
        "invalid API key",
        "the server does not know this API key; check it, and the URL",
    ),
    (
        "signature is invalid",
        "the API secret is not the one of this key on the server",
    ),
    (
        "token is expired",
        "the token has expired; make a new one, and check the clocks",
    ),
    (
        "not valid yet",
        "the token is not valid yet; check the clocks of both machines",
    ),
    ("permissions denied", "the token needs the grant roomJoin"),
    (
        "no permissions to access the room",
        "the token needs the grants roomJoin and room",
    ),
    ("no room name", "the token needs the grant room"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_of_livekit_server_names_its_remedy() {
        for (status, body, remedy) in [
            (401, "invalid API key: nokey", "does not know this API key"),
            (
                401,
                "invalid token: eyJhbGciOiJIUzI1NiJ9.eyJ2aWRlbyI6e319.c2ln, error: token signature is invalid: signature is invalid",
                "the API secret is not the one",
            ),
            (
                401,
                "invalid token: eyJhbGciOiJIUzI1NiJ9.e30.c2ln, error: token has invalid claims: token is expired",
                "make a new one",
            ),
            (
                401,
                "invalid token: eyJhbGciOiJIUzI1NiJ9.e30.c2ln, error: token has invalid claims: token is not valid yet",
                "check the clocks",
            ),
            (401, "permissions denied", "grant roomJoin"),
            (
                401,
                "no permissions to access the room",
                "grants roomJoin and room",
            ),
            (
                401,
                "invalid authorization token",
                "check the API key and secret",
            ),
            (400, "no room name", "grant room"),
            (404, "requested room does not exist", "that the room exists"),
            (503, "", "try again later"),
            (200, "<html>", "check the URL"),
        ] {
            let text = OpenError::from_status(status, body.as_bytes()).to_string();

            assert!(text.contains(remedy), "{text}");
            assert!(text.contains(&status.to_string()), "{text}");
            assert!(!text.contains("eyJ"), "the token is in the error: {text}");
        }
    }

    #[test]
    fn only_what_the_server_said_about_us_is_final() {
        for (status, retry) in [
            (400, Retry::Never),
            (401, Retry::Never),
            (403, Retry::Never),
            (404, Retry::OnceJoined),
            (429, Retry::Always),
            (500, Retry::Always),
            (503, Retry::Always),
            (302, Retry::OnceJoined),
        ] {
            assert_eq!(
                OpenError::from_status(status, b"").retry(),
                retry,
                "{status}"
            );
        }
    }

    #[test]
    fn a_hostile_body_is_cut_and_put_on_one_line() {
        let body = "a\r\nb\0\x1b[31m ".repeat(100_000);

        let text = OpenError::from_status(500, body.as_bytes()).to_string();

        assert!(text.len() < 1000);
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}
