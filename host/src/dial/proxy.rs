use std::fmt;
use std::net::IpAddr;

use data_encoding::BASE64;

use super::endpoint::{Endpoint, EndpointError};

/// An HTTP proxy that lets through to other servers by CONNECT
/// ([RFC 9110 §9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6)).
///
/// `Display` and `Debug` show neither user nor password.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Where it listens.
    pub(super) endpoint: Endpoint,
    /// `user:password` in Base64.
    credentials: Option<String>,
}

/// Why a text is not the URL of a proxy. Never shows what may be a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// It is another kind of proxy.
    #[error("a proxy is written http://[user:password@]host:port; {0}:// is not supported")]
    Scheme(String),
    /// There is no host in it, or there is more in it.
    #[error("a proxy is written http://[user:password@]host:port; there is no valid host")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error(
        "a proxy is written http://[user:password@]host:port; the port is not a number from 1 to 65535"
    )]
    Port,
}

/// A variable of the environment that names no proxy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{variable} in the environment: {source}; name another one by --proxy, or list the server in NO_PROXY"
)]
pub struct EnvironmentError {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong with its value.
    pub source: ProxyError,
}

impl Proxy {
    /// Reads `http://[user[:password]@]host[:port]`; user and password are percent-encoded. Without a
    /// scheme it is the same, without a port it is 80.
    ///
    /// # Errors
    /// Names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        if !scheme.eq_ignore_ascii_case("http") {
            // What stands before a :// that is out of place may be a password.
            let scheme = scheme
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .take(10);
            return Err(ProxyError::Scheme(scheme.collect()));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, authority) = match rest.rsplit_once('@') {
            Some((credentials, authority)) => (Some(credentials), authority),
            None => (None, rest),
        };
        let endpoint = Endpoint::parse(false, authority).map_err(|error| match error {
            EndpointError::Host => ProxyError::Host,
            EndpointError::Port => ProxyError::Port,
        })?;
        Ok(Self {
            endpoint,
            credentials: credentials.map(encoded),
        })
    }

    /// The proxy that the environment names for a server, as most programs read it: `HTTPS_PROXY` for
    /// wss, `HTTP_PROXY` for ws, `ALL_PROXY` for both; none for what `NO_PROXY` lists, nor for this
    /// machine. Each name also in lower case, which goes first. `variable` gives their values.
    ///
    /// # Errors
    /// The variable names no proxy that can be used.
    pub fn of_environment(
        server: &Endpoint,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, EnvironmentError> {
        let set = |name| {
            let value = variable(name).filter(|value| !value.trim().is_empty())?;
            Some((name, value))
        };
        let excluded = ["no_proxy", "NO_PROXY"].into_iter().find_map(set);
        if is_local(&server.host) || excluded.is_some_and(|(_, list)| lists(&list, server)) {
            return Ok(None);
        }
        let names = if server.is_encrypted {
            ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        } else {
            ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
        };
        let Some((variable, url)) = names.into_iter().find_map(set) else {
            return Ok(None);
        };
        let proxy = Self::parse(&url);
        let proxy = proxy.map_err(|source| EnvironmentError { variable, source })?;
        Ok(Some(proxy))
    }

    /// What to ask it for.
    pub(super) fn request(&self, server: &Endpoint) -> String {
        let Endpoint { host, port, .. } = server;
        let host = if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        let authorization = match &self.credentials {
            Some(credentials) => format!("Proxy-Authorization: Basic {credentials}\r\n"),
            None => String::new(),
        };
        format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n{authorization}\r\n")
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Endpoint { host, port, .. } = &self.endpoint;
        if host.contains(':') {
            write!(f, "http://[{host}]:{port}")
        } else {
            write!(f, "http://{host}:{port}")
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// User and password as `Proxy-Authorization` wants them (RFC 7617 §2).
fn encoded(credentials: &str) -> String {
    let decoded = match credentials.split_once(':') {
        Some((user, password)) => [&decoded(user)[..], b":", &decoded(password)].concat(),
        None => [&decoded(credentials)[..], b":"].concat(),
    };
    BASE64.encode(&decoded)
}

/// Without its percent signs; those that stand for nothing stay.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let hex = after.split_first_chunk::<2>().filter(|_| *byte == b'%');
        let decoded = hex.and_then(|(digits, after)| Some((value(*digits)?, after)));
        let (byte, after) = decoded.unwrap_or((*byte, after));
        bytes.push(byte);
        rest = after;
    }
    bytes
}

fn value(digits: [u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? << 4 | low?).ok()
}

fn is_local(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    address.is_ok_and(|address| address.is_loopback())
        || host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
}

/// Whether a server is in a list such as `example.com,.corp,10.0.0.0/8,[::1]:8080`.
fn lists(list: &str, server: &Endpoint) -> bool {
    let entries = list.split([',', ' ']).filter(|entry| !entry.is_empty());
    let mut entries = entries.map(|entry| entry.trim_start_matches("*."));
    entries.any(|entry| entry == "*" || is_in_network(entry, server) || is_named(entry, server))
}

fn is_named(entry: &str, server: &Endpoint) -> bool {
    let Ok(named) = Endpoint::parse(server.is_encrypted, entry.trim_start_matches('.')) else {
        return false;
    };
    let has_port = entry
        .rsplit_once(':')
        .is_some_and(|(before, port)| !port.contains(']') && !before.contains("::"));
    if has_port && named.port != server.port {
        return false;
    }
    let (name, host) = (
        named.host.to_ascii_lowercase(),
        server.host.to_ascii_lowercase(),
    );
    host.strip_suffix(&name)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn is_in_network(entry: &str, server: &Endpoint) -> bool {
    let network = entry.split_once('/').and_then(|(address, bits)| {
        let address: IpAddr = address.parse().ok()?;
        Some((address, bits.parse().ok()?))
    });
    match (network, server.host.parse()) {
        (Some((IpAddr::V4(network), bits @ 0..=32)), Ok(IpAddr::V4(host))) => {
            let differ = u64::from(network.to_bits() ^ host.to_bits());
            differ >> (32 - bits) == 0
        }
        (Some((IpAddr::V6(network), bits @ 0..=128)), Ok(IpAddr::V6(host))) => {
            let differ = network.to_bits() ^ host.to_bits();
            differ.checked_shr(128 - bits).is_none_or(|left| left == 0)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_asked_for_the_server_with_its_credentials_which_are_never_shown() {
        for (text, shown, authorization) in [
            ("http://proxy:3128", "http://proxy:3128", None),
            ("HTTP://proxy.corp/", "http://proxy.corp:80", None),
            ("proxy:8080", "http://proxy:8080", None),
            ("http://[::1]:3128", "http://[::1]:3128", None),
            (
                "http://aladdin:opensesame@proxy:1",
                "http://proxy:1",
                Some("YWxhZGRpbjpvcGVuc2VzYW1l"),
            ),
            ("http://me@proxy:1", "http://proxy:1", Some("bWU6")),
            (
                "http://a%40b:p%3A%2Fx%@proxy:1",
                "http://proxy:1",
                Some("YUBiOnA6L3gl"),
            ),
        ] {
            let proxy = Proxy::parse(text).unwrap();

            let authorization = authorization
                .map(|value| format!("Proxy-Authorization: Basic {value}\r\n"))
                .unwrap_or_default();
            assert_eq!(
                proxy.request(&server("wss", "host")),
                format!("CONNECT host:443 HTTP/1.1\r\nHost: host:443\r\n{authorization}\r\n")
            );
            assert_eq!(proxy.to_string(), shown);
            assert_eq!(format!("{proxy:?}"), format!("Proxy({shown})"));
        }
        let request = Proxy::parse("proxy")
            .unwrap()
            .request(&server("ws", "[::2]:9"));
        assert!(
            request.starts_with("CONNECT [::2]:9 HTTP/1.1\r\n"),
            "{request}"
        );
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_its_password() {
        for (text, complaint) in [
            ("socks5://proxy:1080", "socks5:// is not supported"),
            ("https://me:sesame@proxy", "https:// is not supported"),
            ("me:sesame://proxy", "is not supported"),
            ("http://", "no valid host"),
            ("http://me:sesame@", "no valid host"),
            ("http://me:sesame@proxy/path", "no valid host"),
            ("http://me:sesame@proxy:x", "the port"),
        ] {
            let error = Proxy::parse(text).unwrap_err().to_string();

            assert!(error.contains(complaint), "{text}: {error}");
            assert!(!error.contains("sesame"), "{text}: {error}");
        }
    }

    #[test]
    fn the_environment_names_a_proxy_by_what_the_server_speaks() {
        let all = ("ALL_PROXY", "all:1");
        let http = ("HTTP_PROXY", "plain:1");
        let https = ("HTTPS_PROXY", "tls:1");
        for (variables, scheme, named) in [
            (&[][..], "wss", None),
            (&[all], "ws", Some("all")),
            (&[all, http, https], "ws", Some("plain")),
            (&[all, http, https], "wss", Some("tls")),
            (&[all, http], "wss", Some("all")),
            (&[https], "ws", None),
            (&[https, ("https_proxy", "lower:1")], "wss", Some("lower")),
            (&[https, ("https_proxy", "")], "wss", Some("tls")),
            (&[https, ("NO_PROXY", "host")], "wss", None),
            (&[https, ("no_proxy", "other")], "wss", Some("tls")),
        ] {
            let proxy = Proxy::of_environment(&server(scheme, "host"), among(variables));

            let host = proxy.unwrap().map(|proxy| proxy.endpoint.host);
            assert_eq!(host.as_deref(), named, "{variables:?} {scheme}");
        }
    }

    #[test]
    fn a_variable_that_names_none_is_named_with_the_way_out() {
        let socks = [("ALL_PROXY", "socks5://me:sesame@proxy")];

        let error = Proxy::of_environment(&server("ws", "host"), among(&socks)).unwrap_err();

        let error = error.to_string();
        assert!(error.starts_with("ALL_PROXY in the environment"), "{error}");
        assert!(
            error.contains("--proxy") && error.contains("NO_PROXY"),
            "{error}"
        );
        assert!(!error.contains("sesame"), "{error}");
    }

    #[test]
    fn servers_that_are_listed_or_here_are_reached_without_a_proxy() {
        for (list, host, is_listed) in [
            ("", "localhost", true),
            ("", "a.LOCALHOST:9", true),
            ("", "127.0.0.2", true),
            ("", "[::1]", true),
            ("", "localhost.example", false),
            ("*", "host", true),
            ("example.com", "example.com", true),
            ("example.com", "a.Example.com", true),
            ("example.com", "notexample.com", false),
            (".example.com", "a.example.com", true),
            ("*.example.com", "a.example.com", true),
            ("x, example.com", "example.com", true),
            ("example.com:9", "example.com:9", true),
            ("example.com:9", "example.com", false),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("0.0.0.0/0", "10.1.2.3", true),
            ("10.0.0.0/33", "10.0.0.0", false),
            ("fd00::/8", "[fd12::1]", true),
            ("fd00::/8", "[fe00::1]", false),
            ("[fd12::1]:9", "[fd12::1]:9", true),
            ("[fd12::1]", "[fd12::1]:9", true),
        ] {
            let variables = [("NO_PROXY", list), ("HTTP_PROXY", "proxy")];

            let proxy = Proxy::of_environment(&server("ws", host), among(&variables));

            assert_eq!(proxy.unwrap().is_none(), is_listed, "{list} {host}");
        }
    }

    fn among(variables: &[(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        move |name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    }

    fn server(scheme: &str, authority: &str) -> Endpoint {
        Endpoint::parse(scheme == "wss", authority).unwrap()
    }
}
