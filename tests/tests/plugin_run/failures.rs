//! What is said of plugins that fail, and by which exit code.

use trackmill_plugin::testing::{Sound, seconds};

use super::{PATIENT, Stage, example, tone, with_guest};

/// Guests that fail, and what the report must say.
const FAILING: &[(&str, &str)] = &[
    (
        "panic_in_open",
        "trap in `open`: wasm trap: wasm `unreachable`",
    ),
    (
        "panic_in_process",
        "trap in `process`: wasm trap: wasm `unreachable`",
    ),
    (
        "loop_in_process",
        "`process` took more than 5ms of CPU time",
    ),
    ("loop_in_realloc", "`open` took more than 100ms of CPU time"),
    (
        "memory_bomb",
        "more than 16777216 bytes of memory (limit `memory`)",
    ),
    ("wild_list", "out of bounds"),
    ("huge_result", "too much data"),
];

#[test]
fn a_plugin_that_fails_is_exit_code_1_with_where_and_why_and_the_sound_goes_on() {
    let sound = Sound::sine(440.0, seconds(0.2));
    for (name, reason) in FAILING {
        let file = format!("{name}.wasm");

        let run = with_guest(Stage::new(&sound), name).run(&[&file, "in.wav", "out.wav"]);

        assert_eq!(run.said.code, Some(1), "{name}: {:?}", run.said);
        let mut lines = run.said.stdout.lines();
        let verdict = lines.find(|line| line.starts_with("FAILED: guest at 0.000 s: "));
        let verdict = verdict.unwrap_or_else(|| panic!("{name}: {:?}", run.said));
        assert!(verdict.contains(reason), "{name}: {verdict}");
        // As in a recording, the sound is whole.
        let off = run.output().samples.into_iter().zip(&sound.samples);
        let off = off.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off <= 0.5 / 32_768.0, "{name}: {off}");
    }
}

#[test]
fn a_failure_at_the_end_is_one_too() {
    let stage = with_guest(Stage::new(&tone()), "panic_in_finish");

    let run = stage.run(&["panic_in_finish.wasm", "in.wav"]);

    assert_eq!(run.said.code, Some(1), "{:?}", run.said);
    let verdict = run.said.stdout.lines().last().unwrap();
    assert!(
        verdict.starts_with("FAILED: guest in `finish`"),
        "{verdict}"
    );
    assert!(
        run.said.stderr.contains("trap in `finish`"),
        "{}",
        run.said.stderr
    );
}

#[test]
fn a_plugin_that_takes_more_than_its_share_is_exit_code_3() {
    let sound = Sound::sine(440.0, seconds(2.0));
    let options = ["--deadline", "10000", "--cpu-share", "1", "--json"];

    let run = with_guest(Stage::new(&sound), "hog")
        .run(&[&["hog.wasm", "in.wav"], &options[..]].concat());

    assert_eq!(run.said.code, Some(3), "{:?}", run.said);
    let plugin = run.plugin();
    assert_eq!(plugin["cpu"]["over"], true);
    let skipped = plugin["frames"]["skipped"].as_u64().unwrap();
    assert!(skipped > 50, "{plugin}");
}

#[test]
fn bad_output_is_silence_and_is_counted() {
    let stage = with_guest(Stage::new(&tone()), "not_a_number");

    let run = stage.run(
        &[
            &["not_a_number.wasm", "in.wav", "out.wav", "--json"],
            PATIENT,
        ]
        .concat(),
    );

    assert_eq!(run.plugin()["frames"]["bad_outputs"], 50, "{:?}", run.said);
    assert!(run.output().samples.iter().all(|sample| *sample == 0.0));
}

#[test]
fn what_a_plugin_logs_goes_to_standard_error() {
    let stage = with_guest(Stage::new(&Sound::silence(seconds(0.02))), "log_flood");

    let run = stage.run(&[&["log_flood.wasm", "in.wav", "--json"], PATIENT].concat());

    let lines = run
        .said
        .stderr
        .lines()
        .filter(|line| line.contains("A plugin says:"));
    assert_eq!(lines.count(), 64, "{}", run.said.stderr);
    assert_eq!(run.plugin()["lost"]["logs"], 1_000 - 64);
}

#[test]
fn settings_that_are_refused_are_named_with_their_file() {
    let plugin = example("mute-notices");
    let stage = Stage::new(&tone()).with("bad.json", r#"{"type": 5}"#);

    let schema = stage.run(&[plugin.to_str().unwrap(), "in.wav", "--config", "bad.json"]);
    let plugin = example("gain");
    let stage = Stage::new(&tone()).with("bad.json", r#"{"gain_db": 90}"#);
    let its_own = stage.run(&[plugin.to_str().unwrap(), "in.wav", "--config", "bad.json"]);

    assert_eq!(schema.said.code, Some(1));
    let error = schema.said.stderr;
    assert!(
        error.starts_with("error: bad.json: settings: 5 is not of type"),
        "{error}"
    );
    assert_eq!(its_own.said.code, Some(1));
    let verdict = its_own.said.stdout.lines().last().unwrap();
    assert!(
        verdict.contains("gain_db: must lie between -60 and 60"),
        "{verdict}"
    );
}

#[test]
fn what_cannot_be_run_is_told_with_its_file() {
    let plugin = example("gain");
    let plugin = plugin.to_str().unwrap();
    let events = "{\"at_ms\": 0, \"event\": \"muted\"}\n{\"at_ms\": 1, \"event\": \"mutde\"}\n";
    for (arguments, code, reason) in [
        (
            vec!["in.wav", "in.wav"],
            1,
            "in.wav: cannot load the plugin: not a WebAssembly file",
        ),
        (vec![plugin, "no.wav"], 1, "no.wav: No such file"),
        (
            vec![plugin, "noise.bin"],
            1,
            "noise.bin: neither WAV nor Ogg",
        ),
        (
            vec![plugin, "in.wav", "out.mp3"],
            2,
            "ends in .wav, .ogg or .pcm",
        ),
        (vec![plugin], 2, "<IN>"),
        (
            vec![plugin, "in.wav", "--cpu-share", "0"],
            2,
            "whole percent, 1 to 100",
        ),
        (
            vec![plugin, "in.wav", "no/out.wav"],
            1,
            "no/out.wav.part: No such file",
        ),
        (
            vec![plugin, "in.wav", "--events", "events.jsonl"],
            1,
            "events.jsonl, line 2: unknown variant `mutde`",
        ),
    ] {
        let stage = Stage::new(&tone()).with("noise.bin", [7; 100]);

        let run = stage.with("events.jsonl", events).run(&arguments);

        assert_eq!(run.said.code, Some(code), "{arguments:?}: {:?}", run.said);
        assert!(
            run.said.stderr.contains(reason),
            "{arguments:?}: {}",
            run.said.stderr
        );
    }
}
