use std::fmt;

/// Why there is no WebSocket to a server, and who has to do what about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialError {
    /// What went wrong.
    pub failure: DialFailure,
    /// The words of the server, of the operating system, or of the TLS library; on one line, short.
    pub detail: String,
}

/// What went wrong while a WebSocket was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialFailure {
    /// The host name does not resolve.
    Name,
    /// No TCP connection.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// No TLS, or a certificate that we do not trust.
    Tls,
    /// The server answered, with this HTTP status, that it does not upgrade the connection.
    Refused(u16),
    /// The proxy answered, with this HTTP status, that it does not let us through.
    Proxy(u16),
    /// Whatever answered in its place is no proxy.
    NotProxy,
    /// Whatever answered does not speak WebSocket, or no subprotocol that we asked for.
    NotWebSocket,
    /// The request cannot be sent.
    Request,
}

/// Whether it makes sense to dial again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request would fail again.
    Never,
    /// Only if it worked before.
    OnceConnected,
    /// It may be over in a moment.
    Always,
}

impl DialError {
    /// What went wrong, and the words for it.
    pub fn new(failure: DialFailure, detail: impl fmt::Display) -> Self {
        Self {
            failure,
            detail: legible(&detail.to_string()),
        }
    }

    /// Whether another attempt may succeed.
    pub const fn retry(&self) -> Retry {
        match self.failure {
            DialFailure::Unreachable
            | DialFailure::TimedOut
            | DialFailure::Proxy(408 | 429 | 500..=599)
            | DialFailure::Refused(408 | 425 | 429 | 500..=599) => Retry::Always,
            // A proxy answers 404 while the server behind it is being replaced.
            DialFailure::Name
            | DialFailure::Tls
            | DialFailure::NotProxy
            | DialFailure::NotWebSocket
            | DialFailure::Refused(100..=399 | 404) => Retry::OnceConnected,
            DialFailure::Proxy(_) | DialFailure::Refused(_) | DialFailure::Request => Retry::Never,
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self.failure {
            DialFailure::Name => "check the URL, and the DNS of this machine",
            DialFailure::Unreachable => {
                "check the host and the port, that the server runs, and that no firewall is between"
            }
            DialFailure::TimedOut => "check the URL, and that no firewall drops the connection",
            DialFailure::Tls => tls_remedy(&self.detail)
                .unwrap_or("check the URL, and the certificate of the server"),
            DialFailure::Proxy(407) => "check the user and the password in the URL of the proxy",
            DialFailure::Proxy(500..=599) => {
                "the proxy does not reach the server; check the URL, and that the server runs"
            }
            DialFailure::Proxy(_) => {
                "ask whoever owns the proxy to let this server through, or go without (NO_PROXY)"
            }
            DialFailure::NotProxy => "check the URL of the proxy",
            DialFailure::Refused(status) => remedy_of_status(status),
            DialFailure::NotWebSocket => "check the URL, and the subprotocol if one is asked for",
            DialFailure::Request => "check the URL and the headers",
        }
    }
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, detail) = (self.failure.what(), self.detail.as_str());
        match (self.failure, detail) {
            (DialFailure::Refused(status), "") => write!(f, "{what} ({status})")?,
            (DialFailure::Refused(status) | DialFailure::Proxy(status), detail) => {
                write!(f, "{what} ({status}: {detail})")?;
            }
            (_, "") => f.write_str(what)?,
            (_, detail) => write!(f, "{what} ({detail})")?,
        }
        write!(f, ": {}", self.remedy())
    }
}

impl std::error::Error for DialError {}

impl DialFailure {
    const fn what(self) -> &'static str {
        match self {
            Self::Name => "the name of the server does not resolve",
            Self::Unreachable => "no connection to the server",
            Self::TimedOut => "the server did not answer in time",
            Self::Tls => "no secure connection to the server",
            Self::Refused(_) => "the server refused the WebSocket",
            Self::Proxy(_) => "the proxy does not let us through to the server",
            Self::NotProxy => "this is not a proxy",
            Self::NotWebSocket => "this is not a WebSocket server",
            Self::Request => "the request cannot be sent",
        }
    }
}

/// The remedy for a complaint of the TLS library that has one in particular.
pub fn tls_remedy(detail: &str) -> Option<&'static str> {
    TLS_REMEDIES
        .iter()
        .find(|(words, _)| detail.contains(words))
        .map(|(_, remedy)| *remedy)
}

/// The beginning of a text that somebody else wrote, on one line, without the tokens that servers
/// repeat in their complaints about them.
pub fn legible(text: &str) -> String {
    let words: Vec<&str> = text
        .split_whitespace()
        .map(|word| match word {
            token if token.starts_with("eyJ") && token.len() > 20 => "…",
            _ => word,
        })
        .collect();
    words
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_DETAIL)
        .collect()
}

const fn remedy_of_status(status: u16) -> &'static str {
    match status {
        300..=399 => "redirects are not followed; write the URL it leads to",
        401 | 403 => "check the Authorization header, or the token in the URL",
        404 | 405 => "check the path of the URL",
        408 | 425 | 429 | 500..=599 => "look at the server's log, and try again later",
        100..=299 => "this path serves no WebSocket; check the URL",
        _ => "check the URL, the headers and the subprotocol",
    }
}

/// Words of rustls that call for one remedy in particular.
const TLS_REMEDIES: [(&str, &str); 4] = [
    (
        "InvalidContentType",
        "the server does not speak TLS on this port; check the port, or write ws:// for wss://",
    ),
    (
        "UnknownIssuer",
        "this machine does not trust who issued the server's certificate; add it to the system's roots",
    ),
    (
        "not valid for name",
        "the server's certificate is for another name; check the host in the URL",
    ),
    (
        "certificate expired",
        "the server's certificate has expired; renew it, or check the clock of this machine",
    ),
];

const LONGEST_DETAIL: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_names_its_remedy_and_whether_to_dial_again() {
        for (failure, detail, remedy, retry) in [
            (DialFailure::Name, "", "the DNS", Retry::OnceConnected),
            (DialFailure::Unreachable, "", "no firewall", Retry::Always),
            (DialFailure::TimedOut, "", "firewall drops", Retry::Always),
            (
                DialFailure::Tls,
                "",
                "the certificate",
                Retry::OnceConnected,
            ),
            (
                DialFailure::Tls,
                "UnknownIssuer",
                "roots",
                Retry::OnceConnected,
            ),
            (
                DialFailure::Tls,
                "certificate expired",
                "renew it",
                Retry::OnceConnected,
            ),
            (
                DialFailure::NotWebSocket,
                "",
                "subprotocol",
                Retry::OnceConnected,
            ),
            (DialFailure::Request, "", "the headers", Retry::Never),
            (
                DialFailure::Refused(200),
                "",
                "no WebSocket",
                Retry::OnceConnected,
            ),
            (
                DialFailure::Refused(302),
                "",
                "not followed",
                Retry::OnceConnected,
            ),
            (DialFailure::Refused(400), "", "the headers", Retry::Never),
            (DialFailure::Refused(401), "", "Authorization", Retry::Never),
            (DialFailure::Refused(403), "", "Authorization", Retry::Never),
            (
                DialFailure::Refused(404),
                "",
                "the path",
                Retry::OnceConnected,
            ),
            (DialFailure::Refused(429), "", "later", Retry::Always),
            (DialFailure::Refused(503), "", "later", Retry::Always),
        ] {
            let error = DialError::new(failure, detail);

            assert!(error.to_string().contains(remedy), "{error}");
            assert_eq!(error.retry(), retry, "{error}");
        }
    }

    #[test]
    fn what_a_proxy_refuses_has_a_remedy_of_its_own() {
        let once = Retry::OnceConnected;
        for (failure, remedy, retry) in [
            (DialFailure::Proxy(407), "the password", Retry::Never),
            (DialFailure::Proxy(403), "who", Retry::Never),
            (
                DialFailure::Proxy(502),
                "that the server runs",
                Retry::Always,
            ),
            (DialFailure::NotProxy, "the URL of the proxy", once),
        ] {
            let error = DialError::new(failure, "");

            assert!(error.to_string().contains(remedy), "{error}");
            assert_eq!(error.retry(), retry, "{error}");
        }
    }

    #[test]
    fn a_refusal_shows_the_status_and_the_words_of_the_server_on_one_line() {
        let words = "no such\r\ntoken eyJhbGciOiJIUzI1NiJ9.e30.c2ln\0";

        let error = DialError::new(DialFailure::Refused(401), words).to_string();

        assert!(error.contains("(401: no such token …)"), "{error}");
    }
}
