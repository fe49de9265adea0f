//! The plugins of `examples/` as the host runs them. Those in Rust are built for `wasm32-wasip2`, so that they
//! import WASI, and get nothing by it.

use trackmill_plugin::testing::{Sound, seconds};
use trackmill_tests::guests;

use super::{Stage, example, tone};

#[test]
fn gain_makes_it_softer() {
    let sound = tone();

    let run = Stage::new(&sound)
        .with("gain.json", r#"{"gain_db": -6.0206}"#)
        .plays(&example("gain"), &["--config", "gain.json"]);

    let output = run.output();
    assert_eq!(output.samples.len(), sound.samples.len());
    assert!((output.rms() / sound.rms() - 0.5).abs() < 1e-3);
    let plugin = run.plugin();
    assert_eq!(
        (&plugin["name"], &plugin["kind"]),
        (&"gain".into(), &"transformer".into())
    );
    assert_eq!(plugin["frames"]["changed"], 50);
    assert_eq!(plugin["frames"]["passed"], 0);
    let memory = plugin["memory"]["peak"].as_u64().unwrap();
    assert!((1 << 16..16 << 20).contains(&memory), "{memory}");
    let [p50, p99, max] = ["p50", "p99", "max"].map(|key| plugin["frame_ns"][key].as_u64());
    assert!(p50 > Some(0) && p50 <= p99 && p99 <= max, "{plugin}");
}

#[test]
fn denoise_takes_noise_away_and_leaves_time_alone() {
    let noise = Sound::noise(0.1, seconds(2.0));

    let run = Stage::new(&noise).plays(&example("denoise"), &[]);

    let output = run.output();
    // Its latency is taken off, so that nothing is late.
    assert_eq!(output.samples.len(), noise.samples.len());
    let (before, after) = (
        noise.between(1.0..2.0).rms(),
        output.between(1.0..2.0).rms(),
    );
    assert!(after < before / 10.0, "{before} became {after}");
    // Its frames have 10 ms.
    assert_eq!(run.plugin()["frames"]["changed"], 200);
}

#[test]
fn loudness_marks_what_is_too_loud_where_it_is() {
    let sound = Sound::silence(seconds(0.8)).then(&Sound::sine(1_000.0, seconds(0.4)));

    let run = Stage::new(&sound)
        .with("loud.json", r#"{"loud_dbfs": -12.0}"#)
        .plays(&example("loudness"), &["--config", "loud.json"]);

    let events = run.events();
    let marks: Vec<_> = events.iter().filter(|it| it["event"] == "mark").collect();
    let [mark] = &marks[..] else {
        panic!("{events:?}")
    };
    assert_eq!(mark["plugin"], "loudness");
    assert_eq!(mark["name"], "too-loud");
    assert_eq!(
        (&mark["mark_us"], &mark["length_us"]),
        (&800_000.into(), &400_000.into())
    );
    let plugin = run.plugin();
    assert_eq!(plugin["said"]["marks"], 1);
    assert_eq!(plugin["metrics"]["loudness_dbfs_windows"]["count"], 3);
    let last = plugin["metrics"]["loudness_dbfs"].as_f64().unwrap();
    assert!((last + 9.03).abs() < 0.01, "{last}");
    // An inspector lets everything pass.
    let off = run.output().samples.into_iter().zip(&sound.samples);
    let off = off.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off <= 0.5 / 32_768.0, "{off}");
}

#[test]
fn voice_activity_says_when_somebody_speaks() {
    let background = |length| Sound::noise(0.002, seconds(length));
    let word = Sound::sine(200.0, seconds(0.5));
    let sound = background(1.0).then(&word).then(&background(1.0));

    let run = Stage::new(&sound).plays(&example("voice-activity"), &[]);

    let said: Vec<_> = run
        .events()
        .into_iter()
        .filter(|it| it["event"] == "plugin")
        .collect();
    let said: Vec<_> = said
        .iter()
        .map(|it| {
            (
                it["topic"].as_str().unwrap(),
                it["data"]["at_s"].as_f64().unwrap(),
            )
        })
        .collect();
    assert_eq!(said, [("speech-start", 1.0), ("speech-stop", 1.5)]);
    assert_eq!(run.plugin()["said"]["texts"], 2);
}

#[test]
fn redact_bleeps_what_a_message_names() {
    let sound = tone();
    let message = r#"{"at_ms": 100, "event": "message", "topic": "redact", "sender": "host",
        "text": "{\"from_s\": 0.4, \"to_s\": 0.8}"}"#;

    let run = Stage::new(&sound)
        .with("from.json", r#"{"from": "host"}"#)
        .with("events.jsonl", message.replace('\n', " "))
        .plays(
            &example("redact"),
            &["--config", "from.json", "--events", "events.jsonl"],
        );

    let output = run.output();
    assert!((output.between(0.4..0.8).rms() - 0.1).abs() < 1e-3);
    for untouched in [0.0..0.4, 0.8..1.0] {
        let (ours, theirs) = (output.between(untouched.clone()), sound.between(untouched));
        assert!((ours.rms() - theirs.rms()).abs() < 1e-4);
    }
    // The message does not go out.
    assert_eq!(run.report()["events"]["dropped"], 1);
    assert_eq!(run.plugin()["frames"]["changed"], 20);
    assert_eq!(run.plugin()["frames"]["passed"], 30);
}

#[test]
fn mute_notices_are_in_the_tenants_words() {
    let events = r#"{"at_ms": 0, "event": "muted"}
{"at_ms": 400, "event": "unmuted"}"#;

    let run = Stage::new(&tone())
        .with("type.json", r#"{"type": "mic"}"#)
        .with("events.jsonl", events)
        .plays(
            &example("mute-notices"),
            &["--config", "type.json", "--events", "events.jsonl"],
        );

    let replaced: Vec<_> = run
        .events()
        .into_iter()
        .filter(|it| it["event"] == "replaced")
        .collect();
    let replaced: Vec<_> = replaced
        .iter()
        .map(|it| (it["at_us"].as_u64().unwrap(), it["data"].to_string()))
        .collect();
    let notice = |on: &str| format!(r#"{{"on":{on},"speaker":"tester","type":"mic"}}"#);
    assert_eq!(replaced, [(0, notice("false")), (400_000, notice("true"))]);
}

#[test]
fn c_takes_the_rumble_out() {
    let mut sound = Sound::sine(440.0, seconds(1.0));
    // A constant offset is the lowest rumble there is.
    sound
        .samples
        .iter_mut()
        .for_each(|sample| *sample = *sample * 0.5 + 0.25);

    let run = Stage::new(&sound).plays(&guests::c(), &[]);

    let output = run.output().between(0.5..1.0);
    let mean = output.samples.iter().sum::<f32>() / output.samples.len() as f32;
    assert!(mean.abs() < 1e-3, "{mean}");
    assert!(
        (output.rms() - 0.25 / 2_f64.sqrt()).abs() < 5e-3,
        "{}",
        output.rms()
    );
}

#[test]
fn javascript_makes_it_softer() {
    let sound = Sound::sine(440.0, seconds(0.2));

    let run = Stage::new(&sound)
        .with("gain.json", r#"{"gain_db": -6.0206}"#)
        .plays(
            &guests::javascript(),
            // Machine code for an interpreter takes a while.
            &["--config", "gain.json", "--interpreter"],
        );

    assert!((run.output().rms() / sound.rms() - 0.5).abs() < 1e-3);
    assert_eq!(run.plugin()["frames"]["changed"], 10);
}
