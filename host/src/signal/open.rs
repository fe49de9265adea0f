use std::fmt::Write as _;

use super::server_url::ServerUrl;
use super::token::AccessToken;
use crate::media::ParticipantSid;

/// A WebSocket to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Counts the sessions that were tried, from 1; a resume belongs to the session it resumes.
    ///
    /// Whoever makes tokens may give each session an identity of its own: the server remembers for
    /// five minutes by room and identity that UDP failed, and would then offer TCP only.
    pub attempt: u32,
    /// The session to go on with; `None` to join afresh.
    pub resume: Option<Resume>,
    /// The newest token the server gave us. A resume must use it, or for want of it the token of
    /// the session; a fresh join may.
    pub token: Option<AccessToken>,
    /// Where the server sent us, if not to where we were told to go first.
    pub url: Option<ServerUrl>,
}

/// A session to be resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Our participant in it.
    pub participant: ParticipantSid,
    /// What broke.
    pub reason: ResumeReason,
}

/// Why a session is resumed (`livekit.ReconnectReason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResumeReason {
    /// The WebSocket broke.
    SignalDisconnected,
    /// The peer connection broke.
    SubscriberFailed,
}

impl Open {
    /// The query of the request: protocol, no automatic subscription, no pauses, what to resume.
    ///
    /// No `sdk`: an unknown one gets no dummy packets for muted tracks, no change of codec in
    /// mid-stream, and ICE over TCP.
    pub fn query(&self) -> String {
        let mut query = format!(
            "protocol={PROTOCOL}&auto_subscribe=0&adaptive_stream=0&subscriber_allow_pause=0&version={}",
            env!("CARGO_PKG_VERSION")
        );
        if let Some(resume) = &self.resume {
            query.push_str("&reconnect=1&sid=");
            push_encoded(&mut query, resume.participant.as_str());
            query.push_str("&reconnect_reason=");
            query.push(resume.reason.number());
        }
        query
    }
}

impl ResumeReason {
    const fn number(self) -> char {
        match self {
            Self::SignalDisconnected => '1',
            Self::SubscriberFailed => '3',
        }
    }
}

/// Percent-encodes all but unreserved characters,
/// [RFC 3986 §2.1](https://www.rfc-editor.org/rfc/rfc3986#section-2.1).
fn push_encoded(query: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            query.push(char::from(byte));
        } else {
            write!(query, "%{byte:02X}").expect("a string takes every write");
        }
    }
}

/// The dual peer connection protocol with `Leave` actions, regions and `RoomMoved`; 17 would add
/// packet trailers.
const PROTOCOL: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_asks_for_no_automatic_subscription() {
        let query = open(None).query();

        assert!(
            query.starts_with("protocol=16&auto_subscribe=0&"),
            "{query}"
        );
        assert!(!query.contains("reconnect"), "{query}");
    }

    #[test]
    fn a_resume_names_the_session_whatever_the_server_called_it() {
        let resume = Resume {
            participant: "PA_x&auto_subscribe=1".into(),
            reason: ResumeReason::SubscriberFailed,
        };

        let query = open(Some(resume)).query();

        let end = "&reconnect=1&sid=PA_x%26auto_subscribe%3D1&reconnect_reason=3";
        assert!(query.ends_with(end), "{query}");
    }

    fn open(resume: Option<Resume>) -> Open {
        Open {
            attempt: 1,
            resume,
            token: None,
            url: None,
        }
    }
}
