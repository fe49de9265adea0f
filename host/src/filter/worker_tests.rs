//! Filter workers with real threads: what is waited for has a deadline.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::worker::{Settings, Workers};
use crate::clock;
use crate::media::{Codec, DataMessage, MediaTime, SeqNo, Ssrc};
use crate::rtc::{Consumer, Interest, Notice};
use crate::rtp::{RtpPacket, SenderReport, StreamStatistics};

#[test]
fn a_hosted_consumer_hears_all_in_order_and_asks_for_keyframes() {
    let workers = workers(Settings::default());
    let (listener, heard) = Listener::new("a");
    let mut proxy = workers.host(Box::new(listener));

    proxy.packet(packet(1));
    proxy.notice(Notice::Muted, clock::now());
    proxy.packet(packet(2));
    expect(&heard, &["a: packet 1", "a: Muted", "a: packet 2"]);
    until(|| proxy.take_keyframe_request());
    proxy.notice(Notice::Ended, clock::now());

    expect(&heard, &["a: Ended"]);
    assert!(heard.recv_timeout(PATIENCE).is_err(), "it is dropped");
}

#[test]
fn a_full_ring_drops_packets_and_counts_them_but_no_notice() {
    let workers = workers(Settings {
        ring: 4,
        ..Settings::default()
    });
    let (mut listener, heard) = Listener::new("slow");
    let (open, gate) = channel();
    listener.gate = Some(gate);
    let mut proxy = workers.host(Box::new(listener));

    proxy.packet(packet(0));
    expect(&heard, &["slow: packet 0"]);
    for number in 1..=10 {
        proxy.packet(packet(number));
    }
    proxy.notice(Notice::Muted, clock::now());
    let retry = proxy.poll_timeout();
    open.send(()).unwrap();
    drop(open);

    assert!(retry.is_some());
    until(|| {
        proxy.handle_timeout(clock::now());
        proxy.poll_timeout().is_none()
    });
    drop(proxy);
    let rest: Vec<String> = heard.iter().collect();
    let is_packet = |said: &&String| said.starts_with("slow: packet");
    assert_eq!(rest.iter().filter(is_packet).count(), 4, "{rest:?}");
    assert!(rest.contains(&"slow: overrun 6".to_owned()), "{rest:?}");
    let end = &rest[rest.len() - 2..];
    assert_eq!(end, ["slow: Muted", "slow: Ended"]);
}

/// What is missing is told where it is missing: behind what was taken, before what comes next.
#[test]
fn a_hole_is_told_in_its_place() {
    let workers = workers(Settings {
        ring: 2,
        ..Settings::default()
    });
    let (mut listener, heard) = Listener::new("slow");
    let (open, gate) = channel();
    listener.gate = Some(gate);
    let mut proxy = workers.host(Box::new(listener));
    proxy.packet(packet(0));
    expect(&heard, &["slow: packet 0"]);

    (1..=9).for_each(|number| proxy.packet(packet(number)));
    drop(open);
    expect(&heard, &["slow: packet 1", "slow: packet 2"]);
    let mut number = 10;
    until(|| {
        proxy.packet(packet(number));
        number += 1;
        heard
            .try_recv()
            .is_ok_and(|said| said.starts_with("slow: overrun"))
    });

    let next = heard.recv_timeout(PATIENCE).unwrap();
    assert!(next.starts_with("slow: packet"), "{next}");
}

/// Messages of the room never take the places of packets.
#[test]
fn data_messages_reach_who_wants_them_and_are_bounded() {
    let workers = workers(Settings::default());
    let (mut listener, heard) = Listener::new("slow");
    let (open, gate) = channel();
    listener.gate = Some(gate);
    let mut proxy = workers.host(Box::new(listener));
    assert_eq!(proxy.interest(), Interest::All);
    proxy.packet(packet(0));
    expect(&heard, &["slow: packet 0"]);

    let message = DataMessage {
        topic: "redact".into(),
        sender: None,
        payload: Bytes::new(),
    };
    let message = Arc::new(message);
    (0..100).for_each(|_| proxy.message(Arc::clone(&message), clock::now()));
    proxy.packet(packet(1));
    drop(open);
    proxy.messages_dropped(4);
    drop(proxy);

    let rest: Vec<String> = heard.iter().collect();
    let count = |what: &str| rest.iter().filter(|said| said.contains(what)).count();
    assert_eq!(count("message on redact"), 64, "{rest:?}");
    assert_eq!(count("packet 1"), 1, "{rest:?}");
    let dropped = rest
        .iter()
        .filter_map(|said| said.strip_prefix("slow: messages dropped "));
    let dropped: Vec<u64> = dropped.map(|count| count.parse().unwrap()).collect();
    assert_eq!(dropped.iter().sum::<u64>(), 36 + 4, "{rest:?}");
}

#[test]
fn a_consumer_that_panics_harms_no_other() {
    let workers = workers(Settings::default());
    let (mut broken, _broken_heard) = Listener::new("broken");
    broken.panics = true;
    let (sound, heard) = Listener::new("sound");
    let mut broken = workers.host(Box::new(broken));
    let mut sound = workers.host(Box::new(sound));

    broken.packet(packet(1));
    until(|| workers.panicked() == 1);
    broken.packet(packet(2));
    sound.packet(packet(3));

    expect(&heard, &["sound: packet 3"]);
}

#[test]
fn timers_fire_without_packets() {
    let workers = workers(Settings::default());
    let (mut listener, heard) = Listener::new("timer");
    listener.due = Some(clock::now() + Duration::from_millis(20));

    let _proxy = workers.host(Box::new(listener));

    expect(&heard, &["timer: due"]);
}

#[test]
fn the_end_of_the_workers_ends_what_they_host() {
    let workers = workers(Settings::default());
    let (listener, heard) = Listener::new("a");
    let mut proxy = workers.host(Box::new(listener));
    proxy.packet(packet(1));

    drop(workers);

    let all: Vec<String> = heard.iter().collect();
    assert_eq!(all, ["a: packet 1", "a: Ended"]);
    proxy.packet(packet(2));
}

/// D2: whoever takes long on a filter worker never holds up the thread that hands it packets.
#[test]
fn a_slow_consumer_does_not_hold_up_the_media_worker() {
    let workers = workers(Settings::default());
    let (mut listener, heard) = Listener::new("stuck");
    let (open, gate) = channel::<()>();
    listener.gate = Some(gate);
    let mut proxy = workers.host(Box::new(listener));
    proxy.packet(packet(0));
    expect(&heard, &["stuck: packet 0"]);

    let begin = clock::now();
    (1..10_000).for_each(|number| proxy.packet(packet(number)));
    let took = clock::now() - begin;

    drop(open);
    assert!(took < Duration::from_secs(1), "{took:?}");
}

fn workers(settings: Settings) -> Workers {
    Workers::start(NonZeroUsize::MIN, settings).unwrap()
}

fn expect(heard: &Receiver<String>, expected: &[&str]) {
    for expected in expected {
        assert_eq!(heard.recv_timeout(PATIENCE).as_deref(), Ok(*expected));
    }
}

fn until(mut is_so: impl FnMut() -> bool) {
    let deadline = clock::now() + PATIENCE;
    while !is_so() {
        assert!(clock::now() < deadline, "it takes too long");
        std::thread::yield_now();
    }
}

fn packet(number: u64) -> RtpPacket {
    RtpPacket {
        ssrc: Ssrc(1),
        sequence_number: SeqNo(number),
        timestamp: MediaTime(number * 960),
        codec: Codec::Opus,
        marker: false,
        arrival: clock::now(),
        payload: Bytes::new(),
    }
}

/// Tells what it hears.
#[derive(Debug)]
struct Listener {
    name: &'static str,
    heard: Sender<String>,
    panics: bool,
    due: Option<Instant>,
    /// It waits here after its first packet.
    gate: Option<Receiver<()>>,
}

impl Listener {
    fn new(name: &'static str) -> (Self, Receiver<String>) {
        let (heard, ears) = channel();
        let listener = Self {
            name,
            heard,
            panics: false,
            due: None,
            gate: None,
        };
        (listener, ears)
    }

    fn say(&self, what: &str) {
        let said = self.heard.send(format!("{}: {what}", self.name));
        assert!(said.is_ok() || self.panics, "the test listens");
    }
}

impl Consumer for Listener {
    fn packet(&mut self, packet: RtpPacket) {
        assert!(!self.panics, "a bug in a consumer");
        self.say(&format!("packet {}", packet.sequence_number));
        if let Some(gate) = self.gate.take() {
            gate.iter().next();
        }
    }

    fn sender_report(&mut self, _: SenderReport) {}

    fn statistics(&mut self, counted: StreamStatistics) {
        self.say(&format!("{} received", counted.received));
    }

    fn notice(&mut self, notice: Notice, _: Instant) {
        self.say(&format!("{notice:?}"));
    }

    fn interest(&self) -> Interest {
        Interest::All
    }

    fn message(&mut self, message: Arc<DataMessage>, _: Instant) {
        self.say(&format!("message on {}", message.topic));
    }

    fn messages_dropped(&mut self, count: u64) {
        self.say(&format!("messages dropped {count}"));
    }

    fn overrun(&mut self, count: u64) {
        self.say(&format!("overrun {count}"));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    fn handle_timeout(&mut self, _: Instant) {
        self.due = None;
        self.say("due");
    }

    fn take_keyframe_request(&mut self) -> bool {
        true
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
