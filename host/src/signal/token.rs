use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::media::{ParticipantIdentity, RoomName};

/// A JSON Web Token that admits to a room. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(Arc<str>);

/// A key of the server's API, which makes tokens. Its `Debug` does not show the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Names the key.
    pub key: String,
    /// Proves that we have it.
    pub secret: String,
}

/// What a token says of itself. Nobody has verified it: that is up to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The room it admits to.
    pub room: RoomName,
    /// Who comes with it.
    pub identity: ParticipantIdentity,
    /// From when it is valid.
    pub not_before: SystemTime,
    /// Until when it is valid.
    pub expires: SystemTime,
    /// Whether the others in the room do not see who comes with it.
    pub is_hidden: bool,
}

/// Why a token is of no use, or cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a JSON Web Token of LiveKit.
    #[error("the token is not a LiveKit access token ({0}); was it copied whole?")]
    Malformed(String),
    /// Its time is over.
    #[error("the token expired {} s ago; make a new one", .0.as_secs())]
    Expired(Duration),
    /// Its time has not come.
    #[error("the token is valid in {} s only; check the clock of whoever made it", .0.as_secs())]
    NotYetValid(Duration),
    /// It does not let anyone join.
    #[error("the token lacks the grant {0}; a recorder needs roomJoin, room and canSubscribe")]
    Grant(&'static str),
    /// It does not say who comes with it.
    #[error("the token has no identity (claim sub)")]
    Identity,
    /// There is nothing to sign it with.
    #[error("the API key or the API secret is empty")]
    EmptyKey,
    /// It could not be signed.
    #[error("the token cannot be signed: {0}")]
    Signing(String),
}

impl AccessToken {
    /// Makes the token of a recorder: it sees all, sends nothing, and nobody sees it. It counts
    /// neither for the room's limit of participants nor as a reason to keep the room open.
    ///
    /// It is valid from now (the wall clock that `livekit_token` reads) for `ttl`.
    ///
    /// # Errors
    /// If the key, the room or the identity is empty.
    pub fn of_recorder(
        key: &ApiKey,
        room: &RoomName,
        identity: &ParticipantIdentity,
        ttl: Duration,
    ) -> Result<Self, TokenError> {
        if key.key.is_empty() || key.secret.is_empty() {
            return Err(TokenError::EmptyKey);
        }
        let grants = livekit_token::VideoGrants {
            room_join: true,
            room: room.to_string(),
            can_subscribe: Some(true),
            can_publish: Some(false),
            can_publish_data: Some(false),
            hidden: true,
            recorder: true,
            ..Default::default()
        };
        livekit_token::AccessToken::with_api_key(&key.key, &key.secret)
            .with_identity(identity.as_str())
            .with_kind("egress")
            .with_ttl(ttl)
            .with_grants(grants)
            .to_jwt()
            .map(Self::from)
            .map_err(|error| TokenError::Signing(error.to_string()))
    }

    /// The text of it, for the `Authorization` header only.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads what the token says, and whether a recorder can work with it at all. Does not look at
    /// its times: see [`Claims::check`].
    ///
    /// # Errors
    /// If it is not a token, or lacks a grant that a recorder needs.
    pub fn claims(&self) -> Result<Claims, TokenError> {
        let claims = livekit_token::Claims::from_unverified(self.as_str().trim())
            .map_err(|error| TokenError::Malformed(malformed(&error)))?;
        Claims::try_from(claims)
    }
}

impl Claims {
    /// Whether the token is valid at `now`, give or take the minute that livekit-server allows.
    ///
    /// # Errors
    /// If it has expired, or is not valid yet.
    pub fn check(&self, now: SystemTime) -> Result<(), TokenError> {
        match (
            now.duration_since(self.expires),
            self.not_before.duration_since(now),
        ) {
            (Ok(since), _) if since > LEEWAY => Err(TokenError::Expired(since)),
            (_, Ok(ahead)) if ahead > LEEWAY => Err(TokenError::NotYetValid(ahead)),
            _ => Ok(()),
        }
    }
}

impl TryFrom<livekit_token::Claims> for Claims {
    type Error = TokenError;

    fn try_from(claims: livekit_token::Claims) -> Result<Self, TokenError> {
        let grants = claims.video;
        if !grants.room_join {
            return Err(TokenError::Grant("roomJoin"));
        }
        if grants.room.is_empty() {
            return Err(TokenError::Grant("room"));
        }
        if !grants.can_subscribe() {
            return Err(TokenError::Grant("canSubscribe"));
        }
        if claims.sub.is_empty() {
            return Err(TokenError::Identity);
        }
        Ok(Self {
            room: grants.room.into(),
            identity: claims.sub.into(),
            not_before: unix_time(claims.nbf)?,
            expires: unix_time(claims.exp)?,
            is_hidden: grants.hidden,
        })
    }
}

impl From<String> for AccessToken {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for AccessToken {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({:?}, …)", self.key)
    }
}

/// The innermost cause, without the library's wrapping.
fn malformed(error: &livekit_token::AccessTokenError) -> String {
    match error {
        livekit_token::AccessTokenError::Encoding(source) => source.to_string(),
        other => other.to_string(),
    }
}

fn unix_time(seconds: usize) -> Result<SystemTime, TokenError> {
    u64::try_from(seconds)
        .ok()
        .and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)))
        .ok_or_else(|| TokenError::Malformed("its times are out of range".to_owned()))
}

/// How far the clocks of two machines may be apart.
const LEEWAY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_a_recorder_lets_it_see_all_and_do_nothing() {
        let token = recorder_token(Duration::from_secs(600));

        let claims = livekit_token::TokenVerifier::with_api_key("key", "secret")
            .verify(token.as_str())
            .expect("a valid signature");
        assert_eq!(
            (claims.sub.as_str(), claims.kind.as_str()),
            ("rec", "egress")
        );
        let grants = claims.video;
        assert_eq!(grants.room, "demo");
        assert!(grants.room_join && grants.hidden && grants.recorder && grants.can_subscribe());
        assert!(!grants.can_publish() && !grants.can_publish_data());
        assert_eq!(claims.exp - claims.nbf, 600);
    }

    #[test]
    fn a_token_is_read_without_its_secret() {
        let claims = recorder_token(Duration::from_secs(600)).claims().unwrap();

        assert_eq!(claims.room, "demo".into());
        assert_eq!(claims.identity, "rec".into());
        assert!(claims.is_hidden);
        assert_eq!(claims.expires, claims.not_before + Duration::from_secs(600));
    }

    #[test]
    fn a_token_is_valid_from_its_first_second_to_its_last_give_or_take_a_minute() {
        let claims = recorder_token(Duration::from_secs(600)).claims().unwrap();
        let minute = Duration::from_secs(60);

        assert_eq!(claims.check(claims.not_before), Ok(()));
        assert_eq!(claims.check(claims.not_before - minute), Ok(()));
        assert_eq!(
            claims.check(claims.not_before - 2 * minute),
            Err(TokenError::NotYetValid(2 * minute))
        );
        assert_eq!(claims.check(claims.expires + minute), Ok(()));
        let expired = claims.check(claims.expires + 2 * minute).unwrap_err();
        assert_eq!(
            expired.to_string(),
            "the token expired 120 s ago; make a new one"
        );
    }

    #[test]
    fn a_token_of_no_use_is_refused_with_what_it_lacks() {
        for (claims, lacks) in [
            (r#"{"video":{"room":"x"},"sub":"me"}"#, "grant roomJoin"),
            (r#"{"video":{"roomJoin":true},"sub":"me"}"#, "grant room;"),
            (
                r#"{"video":{"roomJoin":true,"room":"x","canSubscribe":false},"sub":"me"}"#,
                "grant canSubscribe",
            ),
            (r#"{"video":{"roomJoin":true,"room":"x"}}"#, "no identity"),
            (
                r#"{"video":{"roomJoin":true,"room":"x"},"sub":"me","exp":18446744073709551615}"#,
                "out of range",
            ),
            (r#"{"video":7}"#, "not a LiveKit access token"),
            ("7", "not a LiveKit access token"),
        ] {
            let error = unsigned(claims).claims().unwrap_err().to_string();

            assert!(error.contains(lacks), "{claims}: {error}");
        }
    }

    #[test]
    fn what_is_not_a_token_is_refused() {
        for text in [
            "",
            "abc",
            "a.b.c",
            "eyJhbGciOiJIUzI1NiJ9..",
            "\0.\0.\0",
            "é.é.é",
        ] {
            let error = AccessToken::from(text).claims().unwrap_err();

            assert!(matches!(error, TokenError::Malformed(_)), "{text}: {error}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let token = recorder_token(Duration::from_secs(600));

        assert_eq!(format!("{token:?}"), "AccessToken(…)");
        assert!(!format!("{:?}", key()).contains("secret"));
    }

    #[test]
    fn an_empty_key_makes_no_token() {
        let key = ApiKey {
            key: "key".to_owned(),
            secret: String::new(),
        };

        let token = AccessToken::of_recorder(&key, &"demo".into(), &"rec".into(), LEEWAY);

        assert_eq!(token, Err(TokenError::EmptyKey));
    }

    fn recorder_token(ttl: Duration) -> AccessToken {
        AccessToken::of_recorder(&key(), &"demo".into(), &"rec".into(), ttl).expect("a token")
    }

    fn key() -> ApiKey {
        ApiKey {
            key: "key".to_owned(),
            secret: "secret".to_owned(),
        }
    }

    fn unsigned(claims: &str) -> AccessToken {
        let header = base64(br#"{"alg":"HS256","typ":"JWT"}"#);
        format!("{header}.{}.c2ln", base64(claims.as_bytes())).into()
    }

    /// RFC 4648 §5, without padding.
    fn base64(bytes: &[u8]) -> String {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut text = String::new();
        for chunk in bytes.chunks(3) {
            let mut group = [0_u8; 4];
            group[1..=chunk.len()].copy_from_slice(chunk);
            let bits = u32::from_be_bytes(group);
            for index in 0..=chunk.len() {
                let sextet = (bits >> (18 - 6 * index)) & 63;
                text.push(char::from(ALPHABET[usize::try_from(sextet).unwrap()]));
            }
        }
        text
    }
}
