use std::fmt;
use std::fmt::Write as _;

use http::{HeaderMap, Uri};

use super::format::{Format, Wishes};
use super::headers::Headers;
use super::identity::Identity;
use crate::dial::{Endpoint, EndpointError};

/// A WebSocket server to send sound to: `ws[s]://host[:port][/path][?query]`.
///
/// `Display` hides the values of the query, and `Debug` shows no more: they may be secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    endpoint: Endpoint,
    /// As it was written, but always with a path.
    url: String,
    query: Query,
    wishes: Wishes,
    headers: Headers,
}

/// What happens to the query of a URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Query {
    /// The identity of the track is appended where the URL does not hold it, and the keys `format`,
    /// `channels`, `sample_rate` and `frame` say what is sent. They stay in the URL: a signature over it
    /// stays valid, and the server reads in its own request what it will get.
    #[default]
    Ours,
    /// It is sent as it was written and means nothing to us.
    Theirs,
}

/// Why a text is not the URL of a WebSocket server. Never shows a value that may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It does not begin with the right scheme.
    #[error("a WebSocket URL begins with wss:// or ws://, not with {0:?}")]
    Scheme(String),
    /// There is no host in it.
    #[error("the WebSocket URL {0} names no host")]
    Host(String),
    /// The port is not a number from 1 to 65535.
    #[error("the WebSocket URL {0} has no valid port")]
    Port(String),
    /// There is a user or a password in it.
    #[error(
        "a WebSocket URL carries no user and no password; give them as a header: \"Authorization: Basic …\""
    )]
    Credentials,
    /// There is a `#` in it.
    #[error(
        "the WebSocket URL {0} has a fragment (#), which no server sees; write %23 for a # that is meant"
    )]
    Fragment(String),
    /// There are characters in it that no URL has.
    #[error("the WebSocket URL {0} has characters that must be written as %XX")]
    Characters(String),
    /// A reserved key of the query has a value that we cannot serve.
    #[error(
        "{key}={value} in the WebSocket URL: it can be {allowed}; if the key is meant for the server, have the query left alone"
    )]
    Wish {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it can be.
        allowed: &'static str,
    },
    /// The query asks for Opus and for PCM.
    #[error(
        "the WebSocket URL asks for format=opus and for sample_rate, channels or frame: Opus is sent as it came; leave one out"
    )]
    Contradiction,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// Names the part that is wrong.
    pub fn parse(text: &str, query: Query) -> Result<Self, TargetError> {
        let text = text.trim();
        let (is_encrypted, rest) = split_scheme(text)?;
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(TargetError::Credentials);
        }
        if tail.contains('#') {
            return Err(TargetError::Fragment(redacted(text)));
        }
        let endpoint = Endpoint::parse(is_encrypted, authority).map_err(|error| match error {
            EndpointError::Host => TargetError::Host(redacted(text)),
            EndpointError::Port => TargetError::Port(redacted(text)),
        })?;
        let scheme = if is_encrypted { "wss" } else { "ws" };
        let slash = if tail.starts_with('/') { "" } else { "/" };
        let url = format!("{scheme}://{authority}{slash}{tail}");
        if !url.is_ascii() || Uri::try_from(&url).is_err() {
            return Err(TargetError::Characters(redacted(text)));
        }
        let wishes = match query {
            Query::Ours => wishes(&url)?,
            Query::Theirs => Wishes::default(),
        };
        Ok(Self {
            endpoint,
            url,
            query,
            wishes,
            headers: Headers::default(),
        })
    }

    /// The same server, asked with these headers.
    #[must_use]
    pub fn with_headers(self, headers: Headers) -> Self {
        Self { headers, ..self }
    }

    /// What the URL asks for.
    pub const fn wishes(&self) -> Wishes {
        self.wishes
    }

    /// Where the server listens.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The URL to request for this track.
    pub fn url(&self, identity: &Identity) -> String {
        let mut url = self.url.clone();
        if self.query == Query::Theirs {
            return url;
        }
        let has = |key: &str| pairs(&self.url).any(|(held, _)| held == key);
        for (key, value) in identity.pairs().into_iter().filter(|(key, _)| !has(key)) {
            match url.chars().last() {
                Some('?' | '&') => {}
                _ if url.contains('?') => url.push('&'),
                _ => url.push('?'),
            }
            url.push_str(key);
            url.push('=');
            push_encoded(&mut url, value);
        }
        url
    }

    /// The headers to send along.
    pub fn headers(&self, format: Format) -> HeaderMap {
        self.headers.for_format(format)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted(&self.url))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self}, {:?})", self.headers)
    }
}

fn split_scheme(text: &str) -> Result<(bool, &str), TargetError> {
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    match scheme.to_ascii_lowercase().as_str() {
        "wss" => Ok((true, rest)),
        "ws" => Ok((false, rest)),
        // What stands before a missing :// may be anything, a password too.
        _ => Err(TargetError::Scheme(scheme.chars().take(20).collect())),
    }
}

fn wishes(url: &str) -> Result<Wishes, TargetError> {
    let mut wishes = Wishes::default();
    for (key, value) in pairs(url) {
        let Some(key) = RESERVED.into_iter().find(|reserved| *reserved == key) else {
            continue;
        };
        wishes
            .read(key, value)
            .map_err(|allowed| TargetError::Wish {
                key,
                value: value.chars().take(20).collect(),
                allowed,
            })?;
    }
    if wishes.contradicts_itself() {
        return Err(TargetError::Contradiction);
    }
    Ok(wishes)
}

/// Keys and values of the query, as they are written.
fn pairs(url: &str) -> impl Iterator<Item = (&str, &str)> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The URL as LiveKit shows it: with `{...}` for each value of the query, and no user.
fn redacted(url: &str) -> String {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let place = place.split('#').next().unwrap_or_default();
    let mut shown: String = place
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect();
    for (number, (key, _)) in pairs(url).enumerate().take(20) {
        let separator = if number == 0 { '?' } else { '&' };
        let key: String = key.chars().take(40).collect();
        write!(shown, "{separator}{key}={{...}}").expect("a string takes any text");
    }
    if !query.is_empty() && !shown.contains('?') {
        shown.push_str("?…");
    }
    shown
}

/// Percent-encodes all but the unreserved characters of RFC 3986 §2.3.
fn push_encoded(url: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            write!(url, "%{byte:02X}").expect("a string takes any text");
        }
    }
}

/// Keys of the query that say what is sent.
const RESERVED: [&str; 4] = ["format", "channels", "sample_rate", "frame"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Channels, SampleRate};
    use crate::sink::websocket::{FrameDuration, Wanted};

    #[test]
    fn the_identity_is_appended_where_the_url_does_not_hold_it() {
        let rest = "participant=al%20%C3%A9&participant_sid=PA_1&track=TR_1&egress_id=EG_1";
        for (given, sent) in [
            ("ws://h", format!("ws://h/?room=a%26b&room_sid=RM_1&{rest}")),
            (
                "WSS://h:9/p/",
                format!("wss://h:9/p/?room=a%26b&room_sid=RM_1&{rest}"),
            ),
            (
                "ws://h?room=mine",
                format!("ws://h/?room=mine&room_sid=RM_1&{rest}"),
            ),
            (
                "ws://h/?",
                format!("ws://h/?room=a%26b&room_sid=RM_1&{rest}"),
            ),
            (
                "ws://h/?room&key=s%20e=c&room_sid=",
                format!("ws://h/?room&key=s%20e=c&room_sid=&{rest}"),
            ),
            (
                " ws://[::1]:8080/x?roomy=1 ",
                format!("ws://[::1]:8080/x?roomy=1&room=a%26b&room_sid=RM_1&{rest}"),
            ),
        ] {
            let target = Target::parse(given, Query::Ours).unwrap();

            assert_eq!(target.url(&identity()), sent);
        }
    }

    #[test]
    fn a_query_that_is_theirs_is_neither_read_nor_changed() {
        let target = Target::parse("ws://h/?format=json&channels=stereo", Query::Theirs).unwrap();

        assert_eq!(
            target.url(&identity()),
            "ws://h/?format=json&channels=stereo"
        );
        assert_eq!(target.wishes(), Wishes::default());
    }

    #[test]
    fn reserved_keys_say_what_is_sent_and_stay_in_the_url() {
        let url = "wss://h/?sample_rate=16000&channels=1&frame=40&sig=1";

        let target = Target::parse(url, Query::Ours).unwrap();

        assert_eq!(
            target.wishes().applied_to(Wanted::LIVEKIT),
            Wanted::Pcm {
                rate: SampleRate::HZ_16000,
                channels: Some(Channels::Mono),
                frame: FrameDuration::Ms40,
            }
        );
        assert!(target.url(&identity()).starts_with(url));
    }

    #[test]
    fn a_wrong_url_is_refused_with_the_part_that_is_wrong_and_without_secrets() {
        for (given, complaint) in [
            ("", "begins with wss:// or ws://"),
            ("sesame", "begins with wss:// or ws://"),
            ("https://h", "not with \"https\""),
            ("ws://", "names no host"),
            ("ws:///path", "names no host"),
            ("ws://h:0", "no valid port"),
            ("ws://h:x/?k=sesame", "no valid port"),
            ("ws://me:sesame@h", "Authorization: Basic"),
            ("ws://h/#sesame", "fragment"),
            ("ws://h/a b?k=sesame", "%XX"),
            ("ws://h/é", "%XX"),
            ("ws://h/?sample_rate=44100", "8000, 16000, 24000 or 48000"),
            ("ws://h/?channels=3&k=sesame", "channels=3 in"),
            ("ws://h/?frame=15", "10, 20, 40 or 60"),
            ("ws://h/?format=json", "have the query left alone"),
            ("ws://h/?format=opus&channels=1", "leave one out"),
        ] {
            let error = Target::parse(given, Query::Ours).unwrap_err().to_string();

            assert!(error.contains(complaint), "{given}: {error}");
            assert!(!error.contains("sesame"), "{given}: {error}");
        }
    }

    #[test]
    fn what_is_shown_has_no_values_of_the_query_and_no_headers() {
        let mut headers = Headers::default();
        headers.add("Authorization: sesame").unwrap();
        let target = Target::parse("ws://h/p?token=sesame&flag", Query::Ours)
            .unwrap()
            .with_headers(headers);

        assert_eq!(target.to_string(), "ws://h/p?token={...}&flag={...}");
        assert!(!format!("{target:?}").contains("sesame"), "{target:?}");
        assert_eq!(target.headers(Format::LIVEKIT)["authorization"], "sesame");
    }

    fn identity() -> Identity {
        Identity {
            room: "a&b".into(),
            room_sid: "RM_1".into(),
            participant: "al é".into(),
            participant_sid: "PA_1".into(),
            track: "TR_1".into(),
            egress_id: "EG_1".to_owned(),
        }
    }
}
