//! Every limit can be set, for each plugin by itself, and does what it says (plugins.md §4).

use std::time::Duration;

use trackmill::plugins::{EmissionContent, Instance, Limits, LoadError, PluginError};

use crate::plugins::{component, emissions, engine, frame, load, open_with, time, try_open};

#[test]
fn what_a_plugin_is_made_of_is_bounded_as_it_is_set() {
    for (set, reason) in [
        (
            (|limits| limits.component_size = 100) as fn(&mut Limits),
            "and the limit is 100;",
        ),
        (
            |limits| limits.compilation.functions = 3,
            "and the limit is 3;",
        ),
        (
            |limits| limits.compilation.memories = 0,
            "memories: 1, and the limit is 0;",
        ),
        (
            |limits| limits.compilation.locals_times_nesting = 0,
            "locals",
        ),
        (
            |limits| limits.memory = 0x1_0000,
            "more than 65536 bytes of memory",
        ),
    ] {
        let mut limits = Limits::default();
        set(&mut limits);

        // Nobody else loads this guest: one that is in use is not looked at again.
        let error = engine().load(&component("epilogue"), &limits).unwrap_err();

        assert!(error.to_string().contains(reason), "{reason}: {error}");
    }
}

/// The compiler of a plugin gets no more memory than is set, and says so.
#[test]
fn the_memory_of_the_compiler_is_bounded_as_it_is_set() {
    let mut limits = Limits::default();
    limits.compilation.memory = 1 << 20;

    let error = engine().load(&component("speaker"), &limits).unwrap_err();

    let LoadError::Compile(error) = error else {
        panic!("{error}")
    };
    let text = error.to_string();
    assert!(text.contains("more than 1048576 bytes of memory"), "{text}");
    assert!(text.contains("`compilation.memory`"), "{text}");
}

#[test]
fn the_time_of_calls_is_bounded_as_it_is_set() {
    let limits = Limits {
        call_deadline: Duration::from_millis(2),
        start_deadline: Duration::from_millis(30),
        ..Limits::default()
    };

    let mut looping = open_with(&load("loop_in_process"), &limits);
    let call = looping.process(&mut frame(0), time(0)).unwrap_err();
    let start = try_open(&load("loop_in_realloc"), "", &limits).unwrap_err();

    let limit = |error| match error {
        PluginError::Deadline { limit, .. } => limit,
        other => panic!("{other}"),
    };
    assert_eq!(limit(call), Duration::from_millis(2));
    assert_eq!(limit(start), Duration::from_millis(30));
    // More than half of the deadline counts as late.
    assert_eq!(looping.statistics().late, 1);
}

#[test]
fn what_a_call_hands_over_is_bounded_as_it_is_set() {
    let few_bytes = Limits {
        hostcall_bytes: 1_024,
        ..Limits::default()
    };
    let no_handle = Limits {
        handles: 0,
        ..Limits::default()
    };
    let gain = load("gain");

    let too_much = open_with(&gain, &few_bytes).process(&mut frame(0), time(0));
    let too_many = try_open(&gain, "", &no_handle).unwrap_err().to_string();

    let too_much = too_much.unwrap_err().to_string();
    assert!(too_much.contains("too much data"), "{too_much}");
    assert!(too_many.contains("handle"), "{too_many}");
}

#[test]
fn what_is_said_is_bounded_as_it_is_set() {
    let mut limits = patient();
    limits.output.logs_per_second = 5;
    limits.output.log_bytes = 10;
    let logs = flood("log_flood", &limits);
    assert_eq!(logs, [("log", 10); 5]);

    let mut limits = patient();
    limits.output.events_per_second = 7;
    assert_eq!(flood("event_flood", &limits).len(), 7);
    limits.output.queue = 3;
    assert_eq!(flood("event_flood", &limits).len(), 3);
    limits.output.event_bytes = 4;
    assert_eq!(flood("event_flood", &limits), []);

    let mut limits = patient();
    limits.output.metric_series = 2;
    assert_eq!(flooded("metric_flood", &limits).metrics().len(), 2);
}

/// What a guest said in one frame: of what kind, and how long.
fn flood(guest: &str, limits: &Limits) -> Vec<(&'static str, usize)> {
    let said = emissions(&mut flooded(guest, limits)).into_iter();
    let said = said.map(|emission| match emission.content {
        EmissionContent::Log { message, .. } => ("log", message.len()),
        EmissionContent::Text { text, .. } => ("text", text.len()),
        other => panic!("{other:?}"),
    });
    said.collect()
}

fn flooded(guest: &str, limits: &Limits) -> Instance {
    let mut track = open_with(&load(guest), limits);
    track
        .process(&mut frame(0), time(0))
        .expect("a frame is taken");
    track
}

/// Time for guests that do much, in a build without optimisation.
fn patient() -> Limits {
    Limits {
        call_deadline: Duration::from_secs(5),
        cpu_share: Duration::from_secs(60),
        ..Limits::default()
    }
}
