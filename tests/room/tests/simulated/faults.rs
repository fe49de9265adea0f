//! What goes wrong on demand.

use std::time::Duration;

use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
use trackmill_room::network::Conditions;
use trackmill_room::sfu::{Repair, SfuEvent};
use trackmill_room::simulation::{
    Closing, Config, ConnectionId, Fault, Passage, Resume, hostile_offers,
};

use crate::fixtures::is_contiguous;
use crate::visitor::{Visitor, upgrade};

#[test]
fn a_resumed_session_loses_nothing() {
    let (mut visitor, [opus, vp8, _]) = Visitor::joined();
    visitor.subscribe(&[&opus, &vp8], true);
    visitor.run(Duration::from_secs(2));
    let sid = visitor.simulation.subscribers()[0].sid.clone();

    visitor.simulation.fault(Fault::DropSignal, visitor.now);
    visitor.run(Duration::from_secs(4));
    visitor.open(&format!("auto_subscribe=0&reconnect=1&sid={sid}"));
    visitor.send(Request::SyncState(lk::SyncState::default()));
    visitor.run(Duration::from_secs(20));

    assert_eq!(visitor.closed, [Closing::Abrupt]);
    assert!(
        visitor
            .last(|message| matches!(message, Response::Reconnect(_)).then_some(()))
            .is_some()
    );
    for track in [&opus, &vp8] {
        let received = visitor.subscriber.received(track);
        assert!(is_contiguous(&received), "{track}");
        assert!(received.len() > 500, "{track}");
    }
}

#[test]
fn the_token_that_is_sent_opens_the_next_connection() {
    let (mut visitor, _) = Visitor::joined();
    let sid = visitor.simulation.subscribers()[0].sid.clone();
    let refreshed = visitor.last(|message| match message {
        Response::RefreshToken(token) => Some(token.clone()),
        _ => None,
    });

    let upgrade = upgrade(&refreshed.unwrap(), &format!("reconnect=1&sid={sid}"));
    let accepted = visitor
        .simulation
        .accept(ConnectionId(9), &upgrade, visitor.now);

    assert_eq!(accepted, Ok(()));
}

#[test]
fn a_refused_resume_asks_for_a_new_session() {
    let (mut visitor, _) = Visitor::joined();
    let sid = visitor.simulation.subscribers()[0].sid.clone();
    visitor
        .simulation
        .fault(Fault::Resume(Resume::Refused), visitor.now);
    visitor.simulation.fault(Fault::DropSignal, visitor.now);

    visitor.open(&format!("reconnect=1&sid={sid}"));
    visitor.run(Duration::from_millis(10));

    assert_eq!(visitor.left(), Some(lk::leave_request::Action::Reconnect));
    assert_eq!(visitor.closed, [Closing::Abrupt, Closing::Handshake]);
}

#[test]
fn each_way_to_leave_reaches_the_subscriber() {
    use lk::leave_request::Action;
    for action in [Action::Resume, Action::Reconnect, Action::Disconnect] {
        let (mut visitor, _) = Visitor::joined();
        let reason = lk::DisconnectReason::ServerShutdown;

        visitor
            .simulation
            .fault(Fault::Leave(action, reason), visitor.now);
        visitor.run(Duration::from_millis(10));

        assert_eq!(visitor.left(), Some(action));
        let survives = !visitor.simulation.subscribers().is_empty();
        assert_eq!(survives, action == Action::Resume, "{action:?}");
    }
}

#[test]
fn a_server_that_vanished_goes_on_when_it_returns() {
    let (mut visitor, [opus, ..]) = Visitor::joined();
    visitor.subscribe(&[&opus], true);
    visitor.run(Duration::from_secs(1));
    let before = visitor.subscriber.received(&opus).len();

    visitor.simulation.fault(Fault::Vanish, visitor.now);
    visitor.run(Duration::from_secs(4));
    let during = visitor.subscriber.received(&opus).len();
    visitor.simulation.fault(Fault::Return, visitor.now);
    visitor.run(Duration::from_secs(4));

    assert_eq!(before, during);
    assert!(visitor.subscriber.received(&opus).len() > before + 150);
}

#[test]
fn who_joins_can_be_turned_away() {
    let (mut visitor, _) = Visitor::joined();
    let action = lk::leave_request::Action::Reconnect;
    let leave = Some((action, lk::DisconnectReason::ServerShutdown));

    visitor
        .simulation
        .fault(Fault::TurnAway(leave), visitor.now);
    visitor.open("auto_subscribe=0");
    visitor.run(Duration::from_millis(10));

    assert_eq!(visitor.left(), Some(action));
    assert_eq!(visitor.closed, [Closing::Handshake]);
}

#[test]
fn a_peer_connection_that_does_not_come_about_is_told_to_resume() {
    let mut visitor = Visitor::new(Config::default());
    let blocked = Fault::Datagrams(Passage::Blocked);
    visitor.simulation.fault(blocked, visitor.now);

    visitor.open("auto_subscribe=0");
    visitor.run(Duration::from_secs(14));
    assert_eq!(visitor.left(), None);
    visitor.run(Duration::from_secs(2));

    assert_eq!(visitor.left(), Some(lk::leave_request::Action::Resume));
}

#[test]
fn an_offer_that_is_not_answered_ends_the_session() {
    let (mut visitor, [opus, ..]) = Visitor::joined();
    visitor.is_silent = true;

    visitor.subscribe(&[&opus], true);
    visitor.run(Duration::from_secs(14));
    assert_eq!(visitor.left(), None);
    visitor.run(Duration::from_secs(2));

    assert_eq!(visitor.left(), Some(lk::leave_request::Action::Reconnect));
    assert!(visitor.simulation.subscribers().is_empty());
}

#[test]
fn datagrams_can_be_kept_back_while_signalling_goes_on() {
    let (mut visitor, [opus, ..]) = Visitor::joined();
    visitor.subscribe(&[&opus], true);
    visitor.run(Duration::from_secs(1));
    let before = visitor.subscriber.received(&opus).len();

    let blocked = Fault::Datagrams(Passage::Blocked);
    visitor.simulation.fault(blocked, visitor.now);
    visitor.simulation.mute(&opus, visitor.now).unwrap();
    visitor.run(Duration::from_secs(2));

    assert_eq!(visitor.subscriber.received(&opus).len(), before);
    let update = visitor.last(|message| match message {
        Response::Update(update) => Some(update.participants.clone()),
        _ => None,
    });
    assert!(update.unwrap()[0].tracks[0].muted);
}

#[test]
fn without_repairs_losses_stay() {
    let (mut visitor, [opus, ..]) = Visitor::joined();
    visitor.subscribe(&[&opus], true);
    visitor.run(Duration::from_secs(1));

    let loss = Conditions {
        loss: 0.2,
        ..Conditions::default()
    };
    visitor.simulation.fault(Fault::Network(loss), visitor.now);
    let unrepaired = Fault::Repair(Repair::Impossible);
    visitor.simulation.fault(unrepaired, visitor.now);
    visitor.run(Duration::from_secs(4));

    assert!(!is_contiguous(&visitor.subscriber.received(&opus)));
}

#[test]
fn losses_on_the_way_are_asked_for_and_repaired() {
    let (mut visitor, [opus, vp8, _]) = Visitor::joined();
    visitor.subscribe(&[&opus, &vp8], true);
    visitor.run(Duration::from_secs(1));

    let loss = Conditions {
        loss: 0.05,
        ..Conditions::default()
    };
    visitor.simulation.fault(Fault::Network(loss), visitor.now);
    visitor.run(Duration::from_secs(8));
    let healed = Fault::Network(Conditions::default());
    visitor.simulation.fault(healed, visitor.now);
    visitor.run(Duration::from_secs(1));

    let events = &visitor.simulation.subscribers()[0].events;
    let nacked = |event: &SfuEvent| matches!(event, SfuEvent::Nacked(..));
    assert!(events.iter().any(nacked));
    for sid in [&opus, &vp8] {
        assert!(is_contiguous(&visitor.subscriber.received(sid)), "{sid}");
    }
}

#[test]
fn garbage_and_hostile_offers_arrive_as_asked() {
    let (mut visitor, _) = Visitor::joined();
    let good = visitor.last_offer();

    visitor.simulation.fault(Fault::Garbage, visitor.now);
    visitor.simulation.fault(Fault::Truncated, visitor.now);
    for (_, sdp) in hostile_offers(&good) {
        visitor
            .simulation
            .fault(Fault::HostileOffer(sdp), visitor.now);
    }
    visitor.run(Duration::from_secs(1));

    assert_eq!(visitor.damaged, 2);
    assert_eq!(visitor.simulation.subscribers().len(), 1);
}
