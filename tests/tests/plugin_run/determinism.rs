//! The same sound, settings and events give the same bytes: each time, and natively as in the host.

use std::time::Duration;

use trackmill::codec::sample::to_i16;
use trackmill_plugin::testing::{self, Sound, seconds};
use trackmill_plugin::{Message, TrackEvent};

use super::{Run, Stage, example};

// The sources of the examples, compiled for this machine.
#[path = "../../../examples/denoise/src/lib.rs"]
mod denoise;
#[path = "../../../examples/gain/src/lib.rs"]
mod gain;
#[path = "../../../examples/loudness/src/lib.rs"]
mod loudness;
#[path = "../../../examples/mute-notices/src/lib.rs"]
mod mute_notices;
#[path = "../../../examples/redact/src/lib.rs"]
mod redact;
#[path = "../../../examples/voice-activity/src/lib.rs"]
mod voice_activity;

#[test]
fn the_same_input_gives_the_same_bytes_twice() {
    for (plugin, settings) in [
        ("gain", GAIN),
        ("denoise", "{}"),
        ("redact", REDACT),
        ("voice-activity", "{}"),
    ] {
        for output in ["out.wav", "out.ogg"] {
            let play = || {
                let stage = Stage::new(&speech()).with("config.json", settings);
                let stage = stage.with("events.jsonl", EVENTS);
                let plugin = example(plugin);
                let arguments = [plugin.to_str().unwrap(), "in.wav", output];
                stage.run(&[&arguments[..], super::PATIENT, OPTIONS, &["--json"]].concat())
            };

            let (first, second) = (play(), play());

            assert_eq!(first.said.code, Some(0), "{:?}", first.said);
            assert_eq!(first.events(), second.events(), "{plugin}");
            assert!(
                first.bytes(output) == second.bytes(output),
                "{plugin} {output}"
            );
        }
    }
}

#[test]
fn gain_is_the_same_natively() {
    let (native, hosted) = both("gain", gain::__run_natively, GAIN);

    assert_same_sound(&native, &hosted, Tolerance::None);
}

/// Its neural net runs with other instructions here, of which some round differently.
#[test]
fn denoise_is_the_same_natively_but_for_rounding() {
    let (native, hosted) = both("denoise", denoise::__run_natively, "{}");

    assert_same_sound(&native, &hosted, Tolerance::OneStep);
}

#[test]
fn redact_is_the_same_natively() {
    let (native, hosted) = both("redact", redact::__run_natively, REDACT);

    assert_same_sound(&native, &hosted, Tolerance::None);
    assert!(
        native
            .verdicts
            .contains(&trackmill_plugin::Verdict::Changed)
    );
}

#[test]
fn loudness_says_the_same_natively() {
    let (native, hosted) = both(
        "loudness",
        loudness::__run_natively,
        r#"{"loud_dbfs": -30.0}"#,
    );

    let marks = native
        .said
        .marks
        .iter()
        .map(|mark| (micros(mark.at), mark.json.clone()));
    let marks: Vec<_> = marks.collect();
    let theirs = hosted
        .events()
        .into_iter()
        .filter(|it| it["event"] == "mark");
    let theirs: Vec<_> = theirs
        .map(|it| (it["mark_us"].as_u64().unwrap(), it["data"].to_string()))
        .collect();
    assert!(!marks.is_empty());
    assert_eq!(theirs, marks);
    let windows = &native.said.histograms["loudness_dbfs_windows"];
    let theirs = &hosted.plugin()["metrics"]["loudness_dbfs_windows"];
    assert_eq!(theirs["count"], windows.len());
    assert_eq!(theirs["sum"], windows.iter().sum::<f64>());
    assert_same_sound(&native, &hosted, Tolerance::None);
}

#[test]
fn voice_activity_says_the_same_natively() {
    let (native, hosted) = both("voice-activity", voice_activity::__run_natively, "{}");

    let texts = native.said.texts.iter();
    let texts: Vec<_> = texts
        .map(|text| (micros(text.at), text.topic.clone(), text.text.clone()))
        .collect();
    let theirs = hosted
        .events()
        .into_iter()
        .filter(|it| it["event"] == "plugin");
    let theirs: Vec<_> = theirs
        .map(|it| {
            let topic = it["topic"].as_str().unwrap().to_owned();
            (it["at_us"].as_u64().unwrap(), topic, it["data"].to_string())
        })
        .collect();
    assert!(!texts.is_empty());
    assert_eq!(theirs, texts);
}

#[test]
fn mute_notices_says_the_same_natively() {
    let (native, hosted) = both("mute-notices", mute_notices::__run_natively, "{}");

    let verdicts = native.event_verdicts.into_iter();
    let replaced = verdicts.filter_map(|verdict| match verdict {
        trackmill_plugin::EventVerdict::Replace(text) => Some(text),
        _ => None,
    });
    let replaced: Vec<_> = replaced.collect();
    let theirs = hosted
        .events()
        .into_iter()
        .filter(|it| it["event"] == "replaced");
    let theirs: Vec<_> = theirs.map(|it| it["data"].to_string()).collect();
    assert_eq!(replaced.len(), 2);
    assert_eq!(theirs, replaced);
}

/// An example, compiled for this machine.
type Native = fn(&Sound, &str, &[(Duration, TrackEvent)]) -> trackmill_plugin::Result<testing::Run>;

/// Runs a plugin here and in the host.
fn both(name: &str, run: Native, settings: &str) -> (testing::Run, Run) {
    let sound = speech();
    let message = TrackEvent::Message(Message {
        topic: "redact".into(),
        sender: Some("host".into()),
        payload: r#"{"from_s": 0.5, "to_s": 1.25}"#.into(),
    });
    let events = [
        (seconds(0.0), TrackEvent::Published),
        (seconds(0.1), message),
        (seconds(0.3), TrackEvent::Muted),
        (seconds(0.45), TrackEvent::Unmuted),
    ];
    let mut native = run(&sound, settings, &events).expect("a run");
    // A host takes the latency off.
    let latency = native.output.samples.len() - sound.samples.len();
    native.output.samples.drain(..latency);
    let hosted = Stage::new(&sound).with("config.json", settings);
    let hosted = hosted.with("events.jsonl", EVENTS);
    let hosted = hosted.plays(&example(name), OPTIONS);
    (native, hosted)
}

/// Two seconds in which somebody speaks up twice.
fn speech() -> Sound {
    let pause = || Sound::noise(0.01, seconds(0.4));
    let word = |hertz| {
        let mut word = Sound::sine(hertz, seconds(0.6));
        let noise = Sound::noise(0.3, seconds(0.6));
        for (sample, noise) in word.samples.iter_mut().zip(&noise.samples) {
            *sample = *sample * 0.4 + noise;
        }
        word
    };
    pause().then(&word(180.0)).then(&pause()).then(&word(220.0))
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Tolerance {
    None,
    /// A step of 16 bits.
    OneStep,
}

fn assert_same_sound(native: &testing::Run, hosted: &Run, tolerance: Tolerance) {
    let ours = native.output.samples.iter().map(|sample| to_i16(*sample));
    let ours: Vec<i16> = ours.collect();
    let file = hosted.bytes("out.wav");
    let data = file.split_at(file.len() - ours.len() * 2).1;
    let (theirs, _) = data.as_chunks::<2>();
    let theirs = theirs.iter().map(|bytes| i16::from_le_bytes(*bytes));
    let off = ours.iter().zip(theirs).map(|(a, b)| a.abs_diff(b)).max();
    let most = if tolerance == Tolerance::None { 0 } else { 1 };
    assert!(off <= Some(most), "{off:?} steps of 16 bits");
    assert!(
        ours.iter().any(|sample| *sample != 0),
        "silence is no proof"
    );
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).expect("a short time")
}

const GAIN: &str = r#"{"gain_db": -4.3}"#;
const REDACT: &str = r#"{"from": "host"}"#;
const EVENTS: &str = r#"{"at_ms": 0, "event": "published"}
{"at_ms": 100, "event": "message", "topic": "redact", "sender": "host", "text": "{\"from_s\": 0.5, \"to_s\": 1.25}"}
{"at_ms": 300, "event": "muted"}
{"at_ms": 450, "event": "unmuted"}
"#;
const OPTIONS: &[&str] = &["--config", "config.json", "--events", "events.jsonl"];
