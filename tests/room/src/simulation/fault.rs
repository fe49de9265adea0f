//! What can go wrong, on demand.

use std::time::Instant;

use livekit_protocol::signal_response::Message;
use livekit_protocol::{DisconnectReason, SubscriptionError, leave_request};

use super::{Closing, Output, Refusal, Simulation, message};
use crate::network::Conditions;
use crate::sfu::Repair;

/// Something that goes wrong for every subscriber of the server.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// RTP and RTCP suffer in both directions; ICE and DTLS do not.
    /// [`Conditions::default`] heals.
    Network(Conditions),
    /// Whether the server sends again what a subscriber asks for; if not, what is lost from now on
    /// stays lost.
    Repair(Repair),
    /// Whether datagrams pass at all, ICE and DTLS included; signalling does.
    Datagrams(Passage),
    /// The WebSockets break without a closing handshake; the sessions can be resumed.
    DropSignal,
    /// The server says that sessions must, or can again, be resumed: [`Resume`].
    Resume(Resume),
    /// The server tells everyone to leave. Media stops when the action is `Disconnect`
    /// or `Reconnect`.
    Leave(leave_request::Action, DisconnectReason),
    /// The server offers new ICE credentials.
    RestartIce,
    /// Whoever joins is told to leave instead of being welcomed; `None` ends it.
    TurnAway(Option<(leave_request::Action, DisconnectReason)>),
    /// Nothing comes from the server and nothing reaches it; no connection is closed, and who
    /// asks for one waits.
    Vanish,
    /// The end of [`Fault::Vanish`].
    Return,
    /// The server starts anew: WebSockets break, all sessions are forgotten, publishers are
    /// back with the same tracks.
    Restart,
    /// Requests for a WebSocket are refused, as with an expired token; `None` ends it.
    Refuse(Option<Refusal>),
    /// Subscriptions are answered with an error and nothing else; `None` ends it.
    RefuseSubscriptions(Option<SubscriptionError>),
    /// One WebSocket message with bytes that are no protobuf.
    Garbage,
    /// One WebSocket message whose protobuf ends too early.
    Truncated,
    /// One offer with this text; the answer to it, if any, is ignored.
    HostileOffer(String),
}

/// Whether datagrams pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Passage {
    /// They do.
    #[default]
    Open,
    /// They vanish without a word, in both directions.
    Blocked,
}

/// What becomes of sessions whose WebSocket broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resume {
    /// They go on.
    #[default]
    Granted,
    /// `Leave(RECONNECT)`: the client has to join anew.
    Refused,
}

/// When the first candidates are trickled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trickle {
    /// Behind the first offer, as it was always seen.
    #[default]
    AfterOffer,
    /// Before the offer to which they belong, as others report it.
    BeforeOffer,
}

impl Simulation {
    /// Makes something go wrong for all subscribers, or right again.
    pub fn fault(&mut self, fault: Fault, now: Instant) {
        match fault {
            Fault::Network(conditions) => {
                self.downlink.change(conditions);
                self.uplink.change(conditions);
            }
            Fault::Repair(repair) => {
                self.faults.repair = repair;
                let subscribers = self.subscribers.values_mut();
                subscribers.for_each(|subscriber| subscriber.peer.set_repair(repair));
            }
            Fault::Datagrams(passage) => self.faults.datagrams = passage,
            Fault::DropSignal => self.drop_signal(now),
            Fault::Resume(resume) => self.faults.resume = resume,
            Fault::Leave(action, reason) => self.dismiss(action, reason),
            Fault::RestartIce => self.restart_ice(now),
            Fault::TurnAway(leave) => self.faults.turn_away = leave,
            Fault::Vanish => self.faults.vanished = true,
            Fault::Return => {
                self.outputs.clear();
                self.faults.vanished = false;
            }
            Fault::Restart => self.restart(now),
            Fault::Refuse(refusal) => self.faults.refusal = refusal,
            Fault::RefuseSubscriptions(error) => self.faults.subscription = error,
            Fault::Garbage => self.send_raw(&[0xff; 16]),
            Fault::Truncated => {
                let mut bytes = message::encode(Message::RefreshToken("cut".repeat(10)));
                bytes.truncate(10);
                self.send_raw(&bytes);
            }
            Fault::HostileOffer(sdp) => {
                self.send_raw(&message::encode(message::hostile_offer(sdp)));
            }
        }
    }

    fn drop_signal(&mut self, now: Instant) {
        let connections: Vec<_> = self.connections.keys().copied().collect();
        for connection in connections {
            self.outputs
                .push_back(Output::Close(connection, Closing::Abrupt));
            self.disconnected(connection, now);
        }
    }

    fn dismiss(&mut self, action: leave_request::Action, reason: DisconnectReason) {
        let goodbye = message::encode(message::leave(action, reason));
        self.send_raw(&goodbye);
        if action != leave_request::Action::Resume {
            let everyone: Vec<_> = self.subscribers.keys().cloned().collect();
            everyone.iter().for_each(|sid| self.end_session(sid));
        }
    }

    fn restart_ice(&mut self, now: Instant) {
        for subscriber in self.subscribers.values_mut() {
            subscriber.peer.restart_ice();
            subscriber.want_offer(now);
        }
    }

    fn restart(&mut self, now: Instant) {
        self.drop_signal(now);
        self.faults.resume = Resume::Granted;
        let everyone: Vec<_> = self.subscribers.keys().cloned().collect();
        everyone.iter().for_each(|sid| self.forget(sid));
    }

    fn send_raw(&mut self, bytes: &[u8]) {
        for connection in self.connections.keys() {
            self.outputs
                .push_back(Output::Message(*connection, bytes.to_vec()));
        }
    }
}

/// Offers that no client may choke on, made from a good one; each with a name.
#[must_use]
pub fn hostile_offers(good: &str) -> Vec<(&'static str, String)> {
    let replace = |from: &str, to: &str| good.replace(from, to);
    vec![
        ("empty", String::new()),
        (
            "no m-line",
            "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n".into(),
        ),
        ("cut in half", good.chars().take(good.len() / 2).collect()),
        ("no fingerprint", replace("a=fingerprint:sha-256 ", "a=x:")),
        ("no credentials", replace("a=ice-", "a=x-")),
        ("every mid the same", replace("a=mid:1", "a=mid:0")),
        (
            "SSRC beyond 32 bits",
            replace("a=ssrc:", "a=ssrc:99999999999999"),
        ),
        (
            "payload type beyond 7 bits",
            replace("a=rtpmap:111", "a=rtpmap:999"),
        ),
        ("control characters", replace("a=mid:0", "a=mid:\u{0}\u{7}")),
        (
            "a million bytes",
            format!("{good}{}", "a=x\r\n".repeat(200_000)),
        ),
        ("a thousand m-lines", thousand_lines(good)),
    ]
}

fn thousand_lines(good: &str) -> String {
    let media: String = (10..1_010)
        .map(|mid| format!("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:{mid}\r\na=sendrecv\r\n"))
        .collect();
    format!("{good}{media}")
}
