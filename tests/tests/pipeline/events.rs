//! What happens beside the sound reaches filters in order with it, in virtual time.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use trackmill::filter::{
    EventVerdict, Filter, FilterError, OnError, Open, Restart, Setup, TrackEvent, Turn, Verdict,
};
use trackmill::media::{AudioBlock, AudioFormat};
use trackmill::pipeline::decoded::{Outlet, Sound};

use super::recording::Recording;
use super::sender::Sender;

/// A message comes between the sound that was on its way when it arrived: what it says of a place on the
/// time line can be acted on.
#[test]
fn a_message_comes_with_the_sound_that_came_with_it() {
    let (ear, sound) = listening();
    let mut recording = Recording::decoding(sound);
    let mut sender = Sender::new(recording.start);

    recording.packets(sender.send(50));
    // One packet is late, so that sound waits in the jitter buffer.
    let mut rest = sender.send(50);
    let late = rest.remove(2);
    let (during, after) = rest.split_at(5);
    recording.packets(during.iter().cloned());
    recording.pipeline.event(message("now"), recording.now);
    recording.packets([trackmill::rtp::RtpPacket {
        arrival: recording.now,
        ..late
    }]);
    recording.packets(after.iter().cloned());
    recording.finish_other();

    let heard = ear.heard();
    assert_eq!(heard.first(), Some(&Heard::Event(TrackEvent::Published)));
    assert_eq!(heard.last(), Some(&Heard::Event(TrackEvent::Unpublished)));
    let place = heard
        .iter()
        .position(|heard| *heard == Heard::Event(message("now")));
    let place = place.expect("it heard the message");
    // The last packet before it had come at 1.10 s.
    assert_eq!(
        heard[place - 1],
        Heard::Block {
            at_ms: 1_080,
            lost_before: 0
        }
    );
    assert_eq!(
        heard[place + 1],
        Heard::Block {
            at_ms: 1_100,
            lost_before: 0
        }
    );
    assert_eq!(heard.len(), 100 + 3);
}

/// What happens before the first packet waits for it, and is bounded.
#[test]
fn what_happens_before_there_is_sound_is_heard_first() {
    let (ear, sound) = listening();
    let mut recording = Recording::decoding(sound);
    let sender = Sender::new(recording.start).send(5);

    for number in 0..70 {
        recording
            .pipeline
            .event(message(&number.to_string()), recording.now);
    }
    recording.packets(sender);
    let mut outputs = recording.finish_other();

    let heard = ear.heard();
    assert_eq!(heard.first(), Some(&Heard::Event(TrackEvent::Published)));
    for number in 0..64 {
        let expected = Heard::Event(message(&number.to_string()));
        assert_eq!(heard[1 + number], expected);
    }
    assert_eq!(
        heard[65],
        Heard::Block {
            at_ms: 0,
            lost_before: 0
        }
    );
    let Some(trackmill::pipeline::Output::End(summary)) = outputs.pop() else {
        panic!("the end comes last");
    };
    let sounds = summary.sound.expect("it was decoded");
    assert_eq!(sounds.events_dropped, 6);
}

/// P2: what a thread that is too slow drops, a filter that only looks is told of; it does not look at
/// what is made up in its place.
#[test]
fn p2_sound_that_was_dropped_before_a_filter_that_only_looks_is_told_to_it() {
    let (ear, sound) = listening();
    let mut recording = Recording::decoding(sound);
    let mut sender = Sender::new(recording.start);

    recording.packets(sender.send(50));
    let dropped = sender.send(25).len() as u64;
    recording.pipeline.overrun(dropped);
    recording.packets(sender.send(50));
    // What is lost on the way is another matter.
    sender.send(2);
    recording.packets(sender.send(10));
    recording.finish_other();

    let heard = ear.heard();
    let missed = heard.iter().filter_map(|heard| match heard {
        Heard::Block { at_ms, lost_before } if *lost_before > 0 => Some((*at_ms, *lost_before)),
        _ => None,
    });
    assert_eq!(missed.collect::<Vec<_>>(), [(1_500, 25)]);
    let blocks = heard
        .iter()
        .filter(|heard| matches!(heard, Heard::Block { .. }));
    assert_eq!(blocks.count(), 50 + 50 + 2 + 10);
}

fn message(topic: &str) -> TrackEvent {
    TrackEvent::Message {
        topic: topic.to_owned(),
        sender: Some("host".to_owned()),
        payload: Bytes::from_static(b"{}"),
    }
}

/// A filter that only looks, and where it writes down what it heard.
fn listening() -> (Ear, Sound) {
    let ear = Ear::default();
    let sound = Sound {
        filters: vec![Setup {
            open: Box::new(ear.clone()),
            on_error: OnError::Bypass,
            restart: Restart::default(),
            changes: None,
        }],
        ..Sound::new(Outlet::Nothing)
    };
    (ear, sound)
}

/// Writes down what it hears.
#[derive(Clone, Debug, Default)]
struct Ear(Arc<Mutex<Vec<Heard>>>);

#[derive(Clone, Debug, PartialEq)]
enum Heard {
    Block { at_ms: u128, lost_before: u32 },
    Event(TrackEvent),
}

impl Ear {
    fn heard(&self) -> Vec<Heard> {
        self.0.lock().expect("one thread").clone()
    }

    fn note(&self, heard: Heard) {
        self.0.lock().expect("one thread").push(heard);
    }
}

impl Open for Ear {
    fn name(&self) -> &str {
        "ear"
    }

    fn open(
        &mut self,
        _: AudioFormat,
        _: usize,
        _: Instant,
    ) -> Result<Box<dyn Filter>, FilterError> {
        Ok(Box::new(self.clone()))
    }
}

impl Filter for Ear {
    fn process(&mut self, block: &mut AudioBlock, turn: Turn) -> Result<Verdict, FilterError> {
        let lost_before = turn.lost_before;
        let at = Duration::from_micros(block.pts.0 * 1_000 / 48);
        let at_ms = at.as_millis();
        self.note(Heard::Block { at_ms, lost_before });
        Ok(Verdict::Pass)
    }

    fn event(&mut self, event: &TrackEvent, _: Instant) -> Result<EventVerdict, FilterError> {
        self.note(Heard::Event(event.clone()));
        Ok(EventVerdict::Pass)
    }
}
