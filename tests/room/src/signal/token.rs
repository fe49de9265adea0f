//! Access tokens.

use std::time::Duration;

use livekit_token::{AccessToken, AccessTokenError, VideoGrants};

/// Where a LiveKit server is, and the key pair that it trusts.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    /// WebSocket address, as in `ws://127.0.0.1:7880`.
    pub url: String,
    /// API key.
    pub api_key: String,
    /// API secret.
    pub api_secret: String,
}

/// What a token lets its holder do in the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// Publish, also attributes, and not subscribe. Without a subscriber connection to wait for, the server does
    /// not remove the participant after 60 s.
    Publish,
    /// Subscribe, unseen by the others, as a recorder.
    Record,
}

impl Server {
    /// Signs a token for six hours.
    ///
    /// # Errors
    ///
    /// If the key pair cannot sign.
    pub fn token(
        &self,
        room: &str,
        identity: &str,
        grant: Grant,
    ) -> Result<String, AccessTokenError> {
        let records = grant == Grant::Record;
        let grants = VideoGrants {
            room_join: true,
            room: room.to_owned(),
            can_publish: Some(!records),
            can_publish_data: Some(!records),
            can_update_own_metadata: Some(!records),
            can_subscribe: Some(records),
            hidden: records,
            recorder: records,
            ..VideoGrants::default()
        };
        let token = AccessToken::with_api_key(&self.api_key, &self.api_secret)
            .with_identity(identity)
            .with_ttl(Duration::from_hours(6))
            .with_grants(grants);
        let token = if records {
            token.with_kind("egress")
        } else {
            token
        };
        token.to_jwt()
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Server")
            .field("url", &self.url)
            .field("api_key", &self.api_key)
            .finish_non_exhaustive()
    }
}
