//! Files of other kinds, several plugins, and time.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use trackmill_plugin::testing::{Sound, seconds};
use trackmill_tests::probe;

use super::{PATIENT, Run, Stage, example, tone, with_guest};

#[test]
fn opus_goes_in_and_comes_out() {
    let sound = Sound::sine(440.0, seconds(2.0));
    let stage = Stage::new(&sound).with("gain.json", r#"{"gain_db": -6.0206}"#);
    let folder = stage.0.path().to_owned();
    ffmpeg(
        &folder,
        &[
            "-i",
            "in.wav",
            "-af",
            "aformat=channel_layouts=mono",
            "-c:a",
            "libopus",
            "in.ogg",
        ],
    );
    let plugin = example("gain");
    let files = [
        plugin.to_str().unwrap(),
        "in.ogg",
        "out.ogg",
        "--config",
        "gain.json",
    ];

    let run = stage.run(&[&files[..], PATIENT].concat());

    assert_eq!(run.said.code, Some(0), "{:?}", run.said);
    let mut opusdec = Command::new("opusdec");
    let opusdec = opusdec
        .current_dir(&folder)
        .args(["--quiet", "--float", "out.ogg"]);
    probe::run(opusdec.arg("out.wav")).unwrap();
    let output = run.output();
    // The last packet has 20 ms, whatever of it is sound.
    let length = output.samples.len() / usize::from(output.channels);
    assert!(
        (sound.samples.len()..=sound.samples.len() + 960).contains(&length),
        "{length}"
    );
    let level = output.between(0.5..1.5).rms() / sound.rms();
    assert!((level - 0.5).abs() < 0.02, "{level}");
}

#[test]
fn every_rate_and_both_numbers_of_channels_are_played() {
    for (rate, channels, came) in [
        ("8000", "1", 8_000),
        ("16000", "2", 16_000),
        ("24000", "1", 24_000),
        ("44100", "2", 48_000),
        ("22050", "1", 48_000),
        ("96000", "1", 48_000),
    ] {
        let stage = Stage::new(&tone()).with("gain.json", r#"{"gain_db": -6.0206}"#);
        let folder = stage.0.path().to_owned();
        let options = ["-i", "in.wav", "-ar", rate, "-ac", channels, "other.wav"];
        ffmpeg(&folder, &options);
        let before = Sound::read_wav(folder.join("other.wav")).unwrap();
        let plugin = example("gain");
        let files = [
            plugin.to_str().unwrap(),
            "other.wav",
            "out.wav",
            "--config",
            "gain.json",
        ];

        let run = stage.run(&[&files[..], PATIENT].concat());

        assert_eq!(run.said.code, Some(0), "{rate}: {:?}", run.said);
        let output = run.output();
        assert_eq!(
            (output.sample_rate, output.channels.to_string()),
            (came, channels.to_owned())
        );
        let frames = output.samples.len() / usize::from(output.channels);
        assert_eq!(u32::try_from(frames).unwrap(), came, "{rate}");
        let level = output.between(0.2..0.8).rms() / before.between(0.2..0.8).rms();
        assert!((level - 0.5).abs() < 1e-3, "{rate}: {level}");
    }
}

#[test]
fn a_raw_file_is_the_sound_of_a_wav_file() {
    let play = |output| {
        let stage = with_guest(Stage::new(&tone()), "gain");
        let run = stage.run(&[&["gain.wasm", "in.wav", output], PATIENT].concat());
        run.bytes(output)
    };

    let (wav, raw) = (play("out.wav"), play("out.pcm"));

    assert_eq!(raw.len(), 96_000);
    assert!(wav.ends_with(&raw));
}

#[test]
fn plugins_behind_each_other_work_in_their_order() {
    let sound = Sound::silence(seconds(0.8)).then(&Sound::sine(1_000.0, seconds(0.4)));
    let plugins = [example("gain"), example("loudness")];
    let [gain, loudness] = plugins.each_ref().map(|path| path.to_str().unwrap());
    let then = |plugin: &str, config: &str| format!("{plugin}={config}");
    let stage = || {
        let stage = Stage::new(&sound).with("softer.json", r#"{"gain_db": -20}"#);
        stage.with("loud.json", r#"{"loud_dbfs": -12.0}"#)
    };
    let marks = |run: &Run| {
        let events = run.events();
        events
            .iter()
            .filter(|event| event["event"] == "mark")
            .count()
    };

    let behind = then(loudness, "loud.json");
    let options = [
        gain,
        "in.wav",
        "--config",
        "softer.json",
        "--then",
        &behind,
        "--json",
    ];
    let softened = stage().run(&[&options[..], PATIENT].concat());
    let behind = then(gain, "softer.json");
    let options = [
        loudness,
        "in.wav",
        "--config",
        "loud.json",
        "--then",
        &behind,
        "--json",
    ];
    let heard_first = stage().run(&[&options[..], PATIENT].concat());

    assert_eq!(marks(&softened), 0, "{:?}", softened.said);
    assert_eq!(marks(&heard_first), 1, "{:?}", heard_first.said);
    let names = |run: &Run| {
        let report = run.report();
        let plugins = report["plugins"].as_array().unwrap().clone();
        plugins
            .iter()
            .map(|plugin| plugin["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&softened), ["gain", "loudness"]);
    assert_eq!(names(&heard_first), ["loudness", "gain"]);
}

#[test]
fn a_file_that_was_played_can_take_its_own_place() {
    let sound = tone();

    let stage = with_guest(Stage::new(&sound), "gain");
    let run = stage.run(&[&["gain.wasm", "in.wav", "in.wav"], PATIENT].concat());

    assert_eq!(run.said.code, Some(0), "{:?}", run.said);
    let output = Sound::read_wav(run.folder.path().join("in.wav")).unwrap();
    assert!((output.rms() / sound.rms() - 0.5).abs() < 1e-3);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the subject is the time that passes"
)]
fn in_real_time_it_takes_as_long_as_the_sound() {
    let sound = Sound::sine(440.0, seconds(0.5));
    let stage = with_guest(Stage::new(&sound), "gain");
    let start = Instant::now();

    let run = stage.run(&[&["gain.wasm", "in.wav", "--realtime"], PATIENT].concat());

    assert_eq!(run.said.code, Some(0), "{:?}", run.said);
    assert!(start.elapsed() >= Duration::from_millis(500));
}

fn ffmpeg(folder: &Path, arguments: &[&str]) {
    let mut ffmpeg = Command::new("ffmpeg");
    let ffmpeg = ffmpeg.current_dir(folder).args(["-v", "error", "-y"]);
    probe::run(ffmpeg.args(arguments)).expect("a file");
}
