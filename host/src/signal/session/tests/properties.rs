use proptest::prelude::*;

use super::*;

/// What a server, a network and a user may do, in any order.
#[derive(Clone, Debug)]
enum Step {
    Input(Input),
    Pass(Duration),
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn whatever_happens_the_session_keeps_its_word(steps in prop::collection::vec(step(), 0..80)) {
        let mut bench = Bench::new(Settings::default());
        let mut contract = Contract::default();
        contract.check(&bench.outputs())?;
        for step in steps {
            let outputs = match step {
                Step::Input(input) if contract.allows(&input) => {
                    contract.note(&input);
                    bench.input(input)
                }
                Step::Input(_) => continue,
                Step::Pass(duration) => bench.pass(duration),
            };
            contract.check(&outputs)?;
            prop_assert!(bench.session.poll_timeout().is_none_or(|due| due >= bench.now));
        }
    }
}

/// What the driver relies on.
#[derive(Debug, Default)]
struct Contract {
    socket: SocketState,
    is_over: bool,
    outstanding: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum SocketState {
    #[default]
    Closed,
    Opening,
    Open,
}

impl Contract {
    /// Whether the driver could bring this at all.
    fn allows(&self, input: &Input) -> bool {
        match input {
            Input::Opened | Input::OpenFailed(_) => self.socket == SocketState::Opening,
            Input::Message(_) | Input::SocketClosed { .. } => self.socket == SocketState::Open,
            _ => true,
        }
    }

    fn note(&mut self, input: &Input) {
        match input {
            Input::Opened => self.socket = SocketState::Open,
            Input::OpenFailed(_) | Input::SocketClosed { .. } => self.socket = SocketState::Closed,
            Input::Answer { offer, .. } if self.outstanding == Some(*offer) => {
                self.outstanding = None;
            }
            _ => {}
        }
    }

    fn check(&mut self, outputs: &[Output]) -> Result<(), TestCaseError> {
        for output in outputs {
            prop_assert!(!self.is_over, "after the end: {output:?}");
            match output {
                Output::Open(_) => {
                    prop_assert_eq!(self.socket, SocketState::Closed, "a second socket");
                    self.socket = SocketState::Opening;
                }
                Output::CloseSocket => {
                    self.socket = SocketState::Closed;
                    self.outstanding = None;
                }
                Output::Send(message) => {
                    prop_assert_eq!(
                        self.socket,
                        SocketState::Open,
                        "no socket for {:?}",
                        message
                    )
                }
                Output::Offer(offer) => {
                    prop_assert_eq!(self.socket, SocketState::Open);
                    prop_assert_eq!(self.outstanding, None, "a second offer");
                    self.outstanding = Some(offer.id);
                }
                Output::RestartPeer => self.outstanding = None,
                Output::Event(Event::Ended(_)) => self.is_over = true,
                Output::Candidate(_) | Output::Event(_) => {}
            }
        }
        if self.socket != SocketState::Open {
            self.outstanding = None;
        }
        Ok(())
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..30_000).prop_map(|ms| Step::Pass(Duration::from_millis(ms))),
        6 => Just(Step::Input(Input::Opened)),
        8 => message().prop_map(|message| Step::Input(Input::Message(message))),
        8 => input().prop_map(Step::Input),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let text = || "x".to_owned();
    prop_oneof![
        6 => Just(Input::PeerConnected),
        4 => (0_u32..4).prop_map(move |offer| Input::Answer { offer, sdp: text() }),
        1 => (0_u32..4).prop_map(move |offer| Input::AnswerFailed { offer, reason: text() }),
        1 => Just(Input::PeerFailed { reason: text() }),
        2 => Just(Input::SocketClosed { reason: text() }),
        3 => track().prop_map(|track| Input::Subscribe { track }),
        2 => track().prop_map(|track| Input::Unsubscribe { track }),
        2 => Just(refused(OpenFailure::Unreachable)),
        1 => Just(refused(OpenFailure::NotFound)),
        1 => Just(Input::Leave),
    ]
}

fn message() -> impl Strategy<Value = ServerMessage> {
    let leave_action = prop_oneof![
        Just(LeaveAction::Resume),
        Just(LeaveAction::Reconnect),
        Just(LeaveAction::Disconnect)
    ];
    prop_oneof![
        8 => Just(join("PA_rec", vec![alice()])),
        4 => Just(ServerMessage::Reconnect),
        6 => (0_u32..4, prop::bool::ANY).prop_map(|(id, has_track)| {
            offer_of(id, "u", if has_track { &["TR_mic"] } else { &[] })
        }),
        2 => Just(ServerMessage::Candidate("candidate:1 ufrag u".to_owned())),
        3 => prop::bool::ANY.prop_map(|has_left| {
            ServerMessage::ParticipantUpdate(vec![Participant { has_left, ..alice() }])
        }),
        1 => leave_action.prop_map(|action| leave(action, LeaveReason::ServerShutdown)),
        2 => Just(ServerMessage::RefreshToken("token".into())),
        2 => any::<i64>().prop_map(|timestamp| ServerMessage::Pong { timestamp }),
        1 => Just(ServerMessage::Redirect { url: "ws://x".to_owned() }),
    ]
}

fn track() -> impl Strategy<Value = TrackSid> {
    prop_oneof![
        Just("TR_mic".into()),
        Just("TR_cam".into()),
        Just("TR_x".into())
    ]
}
