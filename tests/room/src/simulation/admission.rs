//! Who may open a WebSocket: the checks, and the words, of livekit-server v1.13.5.

use livekit_token::{AccessTokenError, Claims, TokenVerifier};

/// The HTTP request that wants to become a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// Path of the request, without the query.
    pub path: String,
    /// The query, as it is.
    pub query: String,
    /// The header `Authorization`.
    pub authorization: Option<String>,
}

/// The answer to a request that is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status code.
    pub status: u16,
    /// The text.
    pub body: String,
}

/// Someone with a valid token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guest {
    pub(super) room: String,
    pub(super) identity: String,
    pub(super) is_hidden: bool,
    /// The participant whose session is to be resumed.
    pub(super) resumes: Option<String>,
    pub(super) subscribes_to_all: bool,
}

/// Checks a request against the key pair.
pub(super) fn admit(upgrade: &Upgrade, key: &str, secret: &str) -> Result<Guest, Refusal> {
    if upgrade.path != "/rtc" {
        return refuse(404, "404 page not found");
    }
    let token = token(upgrade).ok_or_else(|| refusal(401, NO_PERMISSION))?;
    let claims = verify(token, key, secret)?;
    if !claims.video.room_join {
        return refuse(401, "permissions denied");
    }
    if claims.video.room.is_empty() {
        return refuse(400, "no room name");
    }
    let resumes = parameter(&upgrade.query, "reconnect") == Some("1");
    let sid = parameter(&upgrade.query, "sid").filter(|_| resumes);
    Ok(Guest {
        room: claims.video.room,
        identity: claims.sub,
        is_hidden: claims.video.hidden,
        resumes: sid.map(str::to_owned),
        subscribes_to_all: parameter(&upgrade.query, "auto_subscribe") == Some("1"),
    })
}

fn token(upgrade: &Upgrade) -> Option<&str> {
    match &upgrade.authorization {
        Some(header) => Some(header.strip_prefix("Bearer ").unwrap_or(header)),
        None => parameter(&upgrade.query, "access_token"),
    }
}

fn verify(token: &str, key: &str, secret: &str) -> Result<Claims, Refusal> {
    let unverified = Claims::from_unverified(token);
    let unverified = unverified.map_err(|_| refusal(401, "invalid authorization token"))?;
    if unverified.iss != key {
        return refuse(401, &format!("invalid API key: {}", unverified.iss));
    }
    let verified = TokenVerifier::with_api_key(key, secret).verify(token);
    verified.map_err(|error| {
        let is_expired = match &error {
            AccessTokenError::Encoding(cause) => cause.to_string() == "ExpiredSignature",
            _ => false,
        };
        let cause = if is_expired {
            "token has invalid claims: token is expired"
        } else {
            "token signature is invalid: signature is invalid"
        };
        refusal(401, &format!("invalid token: {token}, error: {cause}"))
    })
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

fn refuse<T>(status: u16, body: &str) -> Result<T, Refusal> {
    Err(refusal(status, body))
}

fn refusal(status: u16, body: &str) -> Refusal {
    Refusal {
        status,
        body: body.to_owned(),
    }
}

const NO_PERMISSION: &str = "no permissions to access the room";
