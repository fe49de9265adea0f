use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
    SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};

use super::format::Format;

/// The headers of an upgrade request that whoever records has chosen. `Debug` shows their names
/// only: any of them may hold a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(HeaderMap);

/// Why a header cannot be sent. Never shows its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It is not of the form `Name: value`.
    #[error("a header is written \"Name: value\"; there is no colon in it")]
    NoColon,
    /// Its name has characters that no name has.
    #[error("{0:?} is not the name of a header")]
    Name(String),
    /// Its value has characters that no value has.
    #[error(
        "the value of the header {0} has line breaks or control characters; was it copied whole?"
    )]
    Value(HeaderName),
    /// The WebSocket handshake has its own.
    #[error("the header {name} belongs to the WebSocket handshake{}", hint(.name))]
    Reserved {
        /// Its name.
        name: HeaderName,
    },
    /// It is not the name of a subprotocol.
    #[error("{0:?} is not the name of a subprotocol: it has spaces, commas or is empty")]
    Subprotocol(String),
}

impl Headers {
    /// Adds a header as curl takes it: `Name: value`.
    ///
    /// # Errors
    /// It cannot be sent.
    pub fn add(&mut self, line: &str) -> Result<(), HeaderError> {
        let (name, value) = line.split_once(':').ok_or(HeaderError::NoColon)?;
        let name = HeaderName::try_from(name.trim())
            .map_err(|_| HeaderError::Name(name.chars().take(60).collect()))?;
        if RESERVED.contains(&name) {
            return Err(HeaderError::Reserved { name });
        }
        let Ok(mut value) = HeaderValue::try_from(value.trim()) else {
            return Err(HeaderError::Value(name));
        };
        value.set_sensitive(true);
        self.0.append(name, value);
        Ok(())
    }

    /// Asks for one of these subprotocols, the best first. A server that speaks none of them is
    /// refused.
    ///
    /// # Errors
    /// One is not the name of a subprotocol.
    pub fn ask_for_subprotocols(&mut self, names: &[&str]) -> Result<(), HeaderError> {
        let no_token = |name: &str| {
            let is_token = |c: char| c.is_ascii_graphic() && !"\"(),/:;<=>?@[\\]{}".contains(c);
            name.is_empty() || !name.chars().all(is_token)
        };
        if let Some(name) = names.iter().find(|name| no_token(name)) {
            return Err(HeaderError::Subprotocol((*name).to_owned()));
        }
        if let Ok(value) = HeaderValue::try_from(names.join(", ")) {
            self.0.insert(SEC_WEBSOCKET_PROTOCOL, value);
        }
        Ok(())
    }

    /// All that go with a request for sound of this format.
    pub(super) fn for_format(&self, format: Format) -> HeaderMap {
        let mut headers = self.0.clone();
        headers
            .entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static(format.content_type()));
        headers
    }
}

fn hint(name: &HeaderName) -> &'static str {
    match *name {
        SEC_WEBSOCKET_PROTOCOL => "; ask for subprotocols by their own option",
        HOST => "; it follows from the URL",
        _ => "",
    }
}

const RESERVED: [HeaderName; 10] = [
    CONNECTION,
    CONTENT_LENGTH,
    HOST,
    SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING,
    UPGRADE,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_sent_but_never_shown() {
        let mut headers = Headers::default();
        headers.add("Authorization: Bearer sesame").unwrap();
        headers.add("x-tenant:acme").unwrap();

        let sent = headers.for_format(Format::LIVEKIT);

        assert_eq!(sent["authorization"], "Bearer sesame");
        assert_eq!(sent["content-type"], "audio/x-raw");
        let shown = format!("{headers:?}");
        assert!(shown.contains("authorization"), "{shown}");
        assert!(
            !shown.contains("sesame") && !shown.contains("acme"),
            "{shown}"
        );
    }

    #[test]
    fn a_content_type_of_ones_own_is_kept() {
        let mut headers = Headers::default();
        headers.add("Content-Type: audio/l16").unwrap();

        assert_eq!(
            headers.for_format(Format::LIVEKIT)["content-type"],
            "audio/l16"
        );
    }

    #[test]
    fn a_header_that_cannot_be_sent_is_refused_without_its_value() {
        for (line, complaint) in [
            ("Bearer sesame", "no colon"),
            ("two words: sesame", "not the name"),
            (": sesame", "not the name"),
            ("Authorization: ses\name", "copied whole"),
            ("Host: sesame", "follows from the URL"),
            ("sec-websocket-protocol: sesame", "their own option"),
            ("Upgrade: sesame", "belongs to the WebSocket handshake"),
        ] {
            let error = Headers::default().add(line).unwrap_err().to_string();

            assert!(error.contains(complaint), "{line}: {error}");
            assert!(!error.contains("sesame"), "{error}");
        }
    }

    #[test]
    fn subprotocols_are_asked_for_in_order() {
        let mut headers = Headers::default();
        headers.ask_for_subprotocols(&["pcm.v2", "pcm"]).unwrap();

        let sent = headers.for_format(Format::Opus);
        assert_eq!(sent["sec-websocket-protocol"], "pcm.v2, pcm");
        assert_eq!(sent["content-type"], "audio/opus");
        assert!(headers.ask_for_subprotocols(&["a b"]).is_err());
        assert!(headers.ask_for_subprotocols(&[""]).is_err());
    }
}
