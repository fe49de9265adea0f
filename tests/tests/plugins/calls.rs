//! What a well-behaved guest gets and gives.

use trackmill::plugins::contract::{EventVerdict, SampleFormat, Samples, TrackEvent, Verdict};
use trackmill::plugins::{Call, EmissionContent, Engine, Kind, Limits, PluginError, Severity};
use trackmill_tests::guest;

use crate::plugins::{emissions, engine, frame, load, open, time, try_open};

#[test]
fn a_transformer_changes_samples() {
    let gain = load("gain");
    let mut track = open(&gain);

    for number in 0..50 {
        let verdict = track.process(&mut frame(number), time(number)).unwrap();

        let Verdict::Replace(Samples::Float32(samples)) = verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!(samples, vec![0.25; 1_920]);
    }

    assert!(track.finish(time(50)).unwrap().is_none());
    let statistics = track.statistics();
    assert_eq!(statistics.frames.count(), 50);
    // Two pages, and the small tables that encoding adds.
    let pages = 2 * 65_536;
    assert!(
        (pages..pages + 1_024).contains(&statistics.memory),
        "{statistics:?}"
    );
    assert_eq!(gain.kind(), Kind::Transformer);
}

#[test]
fn a_plugin_says_what_it_is_and_wants() {
    let plugin = load("gain");

    let declaration = plugin.declaration();

    assert_eq!(declaration.name, "guest");
    assert_eq!(declaration.version, "1.2.3");
    assert_eq!(declaration.wants.sample_format, Some(SampleFormat::Float32));
    assert_eq!(declaration.wants.sample_rate, None);
    assert_eq!(declaration.latency_samples, 0);
}

#[test]
fn an_inspector_is_known_without_running_and_speaks_in_order() {
    let watcher = load("watcher");
    let mut track = open(&watcher);

    for number in 0..3 {
        track.inspect(&mut frame(number), time(number)).unwrap();
    }
    let event = track.on_event(&TrackEvent::Muted, time(3)).unwrap();

    assert_eq!(watcher.kind(), Kind::Inspector);
    assert!(matches!(event, EventVerdict::Pass));
    let said = emissions(&mut track);
    let times: Vec<u64> = said.iter().map(|emission| emission.at_us).collect();
    assert_eq!(times, [0, 20_000, 40_000]);
    assert_eq!(
        said[0].content,
        EmissionContent::Text {
            topic: "guest".to_owned(),
            text: "1.2.3".to_owned(),
        }
    );
}

#[test]
fn a_call_that_the_world_does_not_have_is_an_error() {
    let mut watcher = open(&load("watcher"));
    let mut gain = open(&load("gain"));

    let processed = watcher.process(&mut frame(0), time(0)).unwrap_err();
    let inspected = gain.inspect(&mut frame(0), time(0)).unwrap_err();

    assert_eq!(processed, PluginError::NoSuchCall(Call::Process));
    assert_eq!(inspected, PluginError::NoSuchCall(Call::Inspect));
}

#[test]
fn errors_that_a_plugin_returns_keep_their_kind_and_their_text() {
    let plugin = load("errors");

    let refused = try_open(&plugin, r#"{"guest": true}"#, &Limits::default()).unwrap_err();
    let mut track = open(&plugin);
    let transient = track.process(&mut frame(0), time(0)).unwrap_err();
    let fatal = track.on_event(&TrackEvent::Unmuted, time(1)).unwrap_err();

    assert_eq!(refused, PluginError::Config("guest".to_owned()));
    assert_eq!(transient, PluginError::Transient("guest".to_owned()));
    assert_eq!(fatal, PluginError::Fatal("guest".to_owned()));
    assert_eq!(fatal.severity(), Severity::Fatal);
}

#[test]
fn nothing_runs_after_the_end() {
    let mut track = open(&load("gain"));
    track.finish(time(0)).unwrap();

    let error = track.process(&mut frame(0), time(0)).unwrap_err();

    assert_eq!(error, PluginError::Ended(Call::Process));
}

#[test]
fn a_core_module_becomes_the_component_that_it_describes() {
    let module = guest::core_module("gain").unwrap();

    let plugin = engine().load(&module, &Limits::default()).unwrap();

    let verdict = open(&plugin).process(&mut frame(0), time(0)).unwrap();
    assert_eq!(plugin.kind(), Kind::Transformer);
    assert!(matches!(verdict, Verdict::Replace(_)));
}

#[test]
fn the_same_frames_give_the_same_bytes() {
    let plugin = load("gain");
    let run = || {
        let mut track = open(&plugin);
        let frames = 0..20;
        let verdicts = frames.map(|number| track.process(&mut frame(number), time(number)));
        format!("{:?}", verdicts.collect::<Vec<_>>())
    };

    assert_eq!(run(), run());
}

#[test]
fn bytes_in_use_are_loaded_once() {
    let first = load("errors");
    let compiled = engine().load(&guest::component("errors").unwrap(), &Limits::default());

    let second = compiled.unwrap();

    // The same memory, not only the same plugin.
    assert!(std::ptr::eq(first.declaration(), second.declaration()));
}

/// An engine is shared by threads, and an instance moves to the worker that owns its track.
#[test]
fn engines_are_shared_and_instances_move() {
    fn shared<T: Send + Sync>() {}
    fn moves<T: Send>() {}

    shared::<Engine>();
    shared::<trackmill::plugins::Plugin>();
    moves::<trackmill::plugins::Instance>();
}
