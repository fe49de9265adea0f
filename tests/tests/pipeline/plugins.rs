//! A plugin that traps, under each policy: what is in the file, in the manifest, in the events.

use std::time::Duration;

use serde_json::{Value, json};
use trackmill::egress::manifest::Manifest;
use trackmill::filter::{Halt, OnError, Setup};
use trackmill::mux::Container;
use trackmill::pipeline::decoded::{Outlet, Sound, Work};
use trackmill::pipeline::{Output, Summary};
use trackmill::plugins::{Digest, Metric};
use trackmill_tests::guest;

use super::recording::Recording;
use super::sender::Sender;
use crate::filters::filter;

/// The recording goes on, by the sound as it came.
#[test]
fn a_trap_is_bypassed_until_the_plugin_runs_again() {
    let take = Take::of("panic_once", OnError::Bypass);

    take.assert_levels(&[(25, HALF), (5, FULL), (70, HALF)]);
    assert_eq!(take.halt, None);
    assert_eq!(take.changes(), [("bypassed", 500), ("restarted", 600)]);
    take.assert_manifest(&json!({ "changed": 95, "missed": 5, "fatal_errors": 1, "restarts": 1 }));
}

/// The recording goes on, without a sound that the filter has not seen.
#[test]
fn a_trap_is_silence_until_the_plugin_runs_again() {
    let take = Take::of("panic_once", OnError::Silence);

    take.assert_levels(&[(25, HALF), (5, SILENCE), (70, HALF)]);
    assert_eq!(take.halt, None);
    assert_eq!(take.changes(), [("silenced", 500), ("restarted", 600)]);
    take.assert_manifest(&json!({ "changed": 95, "missed": 5, "fatal_errors": 1, "restarts": 1 }));
}

#[test]
fn a_trap_may_end_the_track_or_fail_the_egress() {
    for (on_error, change) in [
        (OnError::StopTrack, "stopped_track"),
        (OnError::FailEgress, "failed_egress"),
    ] {
        let take = Take::of("panic_once", on_error);

        take.assert_levels(&[(25, HALF), (1, SILENCE)]);
        let (Some(Halt::Track(reason)) | Some(Halt::Egress(reason))) = &take.halt else {
            panic!("{on_error:?} halts");
        };
        assert!(reason.contains("trap in `process`"), "{reason}");
        let is_track = matches!(take.halt, Some(Halt::Track(_)));
        assert_eq!(is_track, on_error == OnError::StopTrack);
        assert_eq!(take.changes(), [(change, 500)]);
        take.assert_manifest(
            &json!({ "changed": 25, "missed": 1, "fatal_errors": 1, "restarts": 0 }),
        );
    }
}

/// One that traps again and again is given up, and the recording is whole.
#[test]
fn a_plugin_that_always_traps_costs_nothing_but_itself() {
    let take = Take::of("panic_in_process", OnError::Bypass);

    take.assert_levels(&[(100, FULL)]);
    let changes: Vec<_> = take
        .changes()
        .into_iter()
        .map(|(change, _)| change)
        .collect();
    let again = ["bypassed", "restarted"].repeat(3);
    assert_eq!(changes[..6], again);
    assert_eq!(changes[6..], ["given_up"]);
    take.assert_manifest(&json!({ "changed": 0, "missed": 100, "fatal_errors": 4, "restarts": 3 }));
}

/// What a frame was made of is told with it: the timestamp of its packet, or that there was none.
#[test]
fn a_plugin_is_told_which_packet_a_frame_came_in_and_which_came_in_none() {
    let mut recording = Recording::decoding(Sound {
        filters: vec![filter("meta")],
        ..Sound::new(Outlet::Nothing)
    });
    let mut sent = Sender::new(recording.start).send(50);
    let lost = sent.remove(20);
    let timestamps: u64 = sent.iter().map(|packet| packet.timestamp.0).sum();
    recording.packets(sent);

    let Some(Output::End(summary)) = recording.finish_other().pop() else {
        panic!("the end comes last");
    };

    let sound = summary.sound.expect("it was decoded");
    let told = &sound.filters[0].plugins[0].metrics;
    assert_eq!(sound.concealed, 960, "{lost:?}");
    assert_eq!(told["r"], Metric::Counter(49));
    assert_eq!(told["t"], Metric::Counter(timestamps));
    let concealed = 0b1;
    assert_eq!(told["m"], Metric::Counter(concealed));
}

/// A track of two seconds that went through a plugin into a WAV file.
struct Take {
    guest: &'static str,
    samples: Vec<i16>,
    events: Vec<Value>,
    halt: Option<Halt>,
    summary: Summary,
}

impl Take {
    fn of(guest: &'static str, on_error: OnError) -> Self {
        let plugin = Setup {
            on_error,
            ..filter(guest)
        };
        let mut recording = Recording::decoding(Sound {
            filters: vec![plugin],
            ..Sound::new(Outlet::Pcm {
                container: Container::Wav,
                format: Work::default(),
            })
        });
        recording.packets(Sender::new(recording.start).send(100));
        let other = std::mem::take(&mut recording.other);

        let (file, summary) = recording.finish_one();

        let events = other.iter().filter_map(|output| match output {
            Output::Event(event) => event.to_json_line(),
            _ => None,
        });
        Self {
            guest,
            samples: samples(file.bytes.bytes(), &summary),
            events: events
                .map(|line| serde_json::from_str(&line).expect("JSON"))
                .collect(),
            halt: other.into_iter().find_map(|output| match output {
                Output::Halt(halt) => Some(halt),
                _ => None,
            }),
            summary,
        }
    }

    /// Fails unless the file consists of so many blocks of each level.
    fn assert_levels(&self, expected: &[(usize, f64)]) {
        let expected = expected
            .iter()
            .flat_map(|(count, level)| vec![*level; *count]);
        let expected: Vec<f64> = expected.collect();
        let found: Vec<f64> = self.samples.chunks(960).map(rms).collect();
        assert_eq!(found.len(), expected.len());
        let lasts = 20 * u64::try_from(expected.len()).expect("few");
        assert_eq!(self.summary.duration, Duration::from_millis(lasts));
        // The decoder has to settle, and its delay blurs the edges.
        for (number, (found, expected)) in found.iter().zip(&expected).enumerate().skip(2) {
            assert!(
                (found - expected).abs() < 0.02,
                "block {number}: {found}, not {expected}"
            );
        }
    }

    /// What the events say that happened to the filter, and at which millisecond.
    fn changes(&self) -> Vec<(&str, u64)> {
        let changes = self
            .events
            .iter()
            .filter(|event| event["event"] == "filter");
        changes
            .map(|event| {
                assert_eq!(event["filter"], "guest");
                let at = event["at_us"].as_u64().expect("a place");
                (event["change"].as_str().expect("a change"), at / 1_000)
            })
            .collect()
    }

    /// Fails unless the manifest says what the plugin was and did, and the same of its changes as the
    /// events do.
    fn assert_manifest(&self, expected: &Value) {
        let manifest = Manifest::unknown("a.wav").holding(&self.summary, 0);
        let manifest: Value = serde_json::from_str(&manifest.to_json()).expect("JSON");
        let filter = &manifest["sound"]["filters"][0];
        for (key, value) in expected.as_object().expect("an object") {
            assert_eq!(filter[key], *value, "{key}: {filter}");
        }
        let component = guest::component(self.guest).expect("a guest");
        let plugin = &filter["plugins"][0];
        assert_eq!(
            plugin["digest"],
            format!("sha256:{}", Digest::of(&component))
        );
        assert_eq!(plugin["version"], "1.2.3");
        let called = filter["changed"]
            .as_u64()
            .zip(filter["fatal_errors"].as_u64());
        let called = called.map(|(changed, died)| changed + died);
        assert_eq!(plugin["frames"].as_u64(), called);
        for time in ["frame_p50_ns", "frame_p99_ns", "frame_max_ns", "cpu_ns"] {
            assert!(plugin[time].as_u64() > Some(0), "{time}: {plugin}");
        }
        assert!(
            plugin["peak_memory"].as_u64() >= Some(2 * 65_536),
            "{plugin}"
        );
        let switches = manifest["sound"]["switches"]["first"]
            .as_array()
            .expect("a list");
        let switches = switches.iter().map(|switch| {
            let at = switch["at_ns"].as_u64().expect("a place");
            (switch["change"].as_str().expect("a change"), at / 1_000_000)
        });
        assert!(switches.eq(self.changes()), "{manifest}");
    }
}

/// The samples of a WAV file, which end it.
fn samples(file: &[u8], summary: &Summary) -> Vec<i16> {
    let count = usize::try_from(summary.duration.as_millis()).expect("short") * 48;
    let bytes = &file[file.len() - 2 * count..];
    let pairs = bytes.chunks_exact(2);
    pairs
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect()
}

fn rms(samples: &[i16]) -> f64 {
    let squares = samples.iter().map(|sample| f64::from(*sample).powi(2));
    let count = u32::try_from(samples.len()).expect("few");
    (squares.sum::<f64>() / f64::from(count)).sqrt() / f64::from(i16::MAX)
}

/// How loud the sender is, and what the plugin makes of it.
const FULL: f64 = 0.5 * std::f64::consts::FRAC_1_SQRT_2;
const HALF: f64 = FULL / 2.0;
const SILENCE: f64 = 0.0;
