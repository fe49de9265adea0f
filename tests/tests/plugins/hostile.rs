//! What becomes of guests that misbehave (plugins.md §9).

use std::collections::BTreeSet;
use std::time::Duration;

use trackmill::plugins::contract::{EventVerdict, Message, TrackEvent, Verdict};
use trackmill::plugins::{
    Call, CompileError, EmissionContent, Limits, LoadError, PluginError, Severity,
};
use trackmill_tests::guest;

use crate::plugins::{emissions, engine, frame, load, open, open_with, time, try_load, try_open};

/// Guests that fail in their first frame, and what the error must say.
const FAIL_IN_PROCESS: &[(&str, &str)] = &[
    (
        "loop_in_process",
        "`process` took more than 5ms of CPU time",
    ),
    ("memory_bomb", "more than 16777216 bytes of memory"),
    ("table_bomb", "more than 16777216 bytes of memory"),
    ("recursion", "call stack exhausted"),
    ("wild_pointer", "out of bounds"),
    ("wild_list", "out of bounds"),
    ("huge_result", "too much data"),
    ("empty_strings", "too much data"),
    ("handle_bomb", "handle"),
    ("panic_in_process", "unreachable"),
];

/// Those that other tests of this folder, of `filters` or of `pipeline`, are about.
const TESTED_ELSEWHERE: &[&str] = &[
    "delay",
    "epilogue",
    "errors",
    "event_flood",
    "gain",
    "gain_int16",
    "hog",
    "infinite",
    "log_flood",
    "loop_in_describe",
    "loop_in_realloc",
    "loop_in_start",
    "lost",
    "meta",
    "metric_flood",
    "not_a_number",
    "panic_in_finish",
    "panic_in_inspect",
    "panic_in_open",
    "panic_once",
    "speaker",
    "strict",
    "watcher",
    "witness",
    "wrong_length",
];

#[test]
fn every_guest_has_a_test() {
    let failing = FAIL_IN_PROCESS.iter().map(|(name, _)| *name);
    let tested: BTreeSet<&str> = failing.chain(TESTED_ELSEWHERE.iter().copied()).collect();

    let names = guest::names().unwrap();

    let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(names, tested);
}

#[test]
fn a_guest_that_fails_ends_with_the_reason_and_harms_nobody() {
    let gain = load("gain");
    let mut neighbour = open(&gain);

    for (name, reason) in FAIL_IN_PROCESS {
        let mut track = open(&load(name));

        let error = track.process(&mut frame(0), time(0)).unwrap_err();
        let after = track.process(&mut frame(1), time(1)).unwrap_err();

        assert!(error.to_string().contains(reason), "{name}: {error}");
        assert_eq!(error.severity(), Severity::Fatal, "{name}");
        assert_eq!(after, PluginError::Ended(Call::Process), "{name}");
        let verdict = neighbour.process(&mut frame(0), time(0)).unwrap();
        assert!(matches!(verdict, Verdict::Replace(_)), "after {name}");
    }
}

#[test]
fn a_loop_is_stopped_wherever_guest_code_runs() {
    let describe = try_load("loop_in_describe").unwrap_err();
    let start = try_load("loop_in_start").unwrap_err();
    // The argument of `open` is the first that is handed over in the guest's memory.
    let realloc = try_open(&load("loop_in_realloc"), "", &Limits::default()).unwrap_err();

    for error in [describe, start] {
        assert!(
            matches!(error, LoadError::Describe(PluginError::Deadline { .. })),
            "{error}"
        );
    }
    let limit = Duration::from_millis(100);
    let call = Call::Open;
    assert_eq!(realloc, PluginError::Deadline { call, limit });
}

#[test]
fn a_panic_is_an_error_wherever_it_happens() {
    let opened = try_open(&load("panic_in_open"), "", &Limits::default()).unwrap_err();
    let mut track = open(&load("panic_in_finish"));
    let finished = track.finish(time(0)).unwrap_err();

    assert!(matches!(
        opened,
        PluginError::Trapped {
            call: Call::Open,
            ..
        }
    ));
    assert!(matches!(
        finished,
        PluginError::Trapped {
            call: Call::Finish,
            ..
        }
    ));
}

#[test]
fn several_memories_are_summed() {
    let load = |memories, pages| {
        let component = guest::component("gain").unwrap();
        engine().load(
            &with_memories(component, memories, pages),
            &Limits::default(),
        )
    };

    // Both of its memories are below the limit of 256 pages.
    let summed = load(1, 255).unwrap_err();
    let too_many = load(4, 1).unwrap_err();

    assert!(
        matches!(summed, LoadError::Describe(PluginError::Memory { .. })),
        "{summed}"
    );
    assert!(
        too_many.to_string().contains("5 Wasm linear memories"),
        "{too_many}"
    );
    assert!(load(1, 200).is_ok());
}

#[test]
fn floods_are_bounded_and_counted() {
    let mut logs = open_with(&load("log_flood"), &patient());
    logs.process(&mut frame(0), time(0)).unwrap();
    assert_eq!(logs.statistics().drops.logs, 1_000 - 64);
    let lines = emissions(&mut logs);
    assert_eq!(lines.len(), 64);
    let EmissionContent::Log { message, .. } = &lines[0].content else {
        panic!("{lines:?}")
    };
    assert_eq!(message.len(), 1_024);

    let mut events = open_with(&load("event_flood"), &patient());
    events.process(&mut frame(0), time(0)).unwrap();
    assert_eq!(emissions(&mut events).len(), 50);
    assert_eq!(events.statistics().drops.events_full, 950);
    assert_eq!(events.statistics().drops.events_too_large, 1);

    let mut metrics = open_with(&load("metric_flood"), &patient());
    metrics.process(&mut frame(0), time(0)).unwrap();
    assert_eq!(metrics.metrics().len(), 32);
    assert_eq!(metrics.statistics().drops.metrics, 127 - 32);
}

#[test]
fn bad_output_becomes_silence_and_is_counted() {
    for name in ["wrong_length", "not_a_number", "infinite"] {
        let mut track = open(&load(name));

        for number in 0..3 {
            let verdict = track.process(&mut frame(number), time(number)).unwrap();
            assert!(matches!(verdict, Verdict::Silence), "{name}: {verdict:?}");
        }

        assert_eq!(track.statistics().bad_outputs, 3, "{name}");
    }
}

#[test]
fn a_hog_gets_its_share_and_no_more() {
    let hog = load("hog");
    let mut limits = patient();
    limits.cpu_share = Duration::from_millis(50);
    let mut tracks: Vec<_> = (0..10).map(|_| open_with(&hog, &limits)).collect();

    for number in 0..150 {
        for track in &mut tracks {
            track.process(&mut frame(number), time(number)).unwrap();
        }
    }

    for track in &tracks {
        let statistics = track.statistics();
        // A full bucket, three seconds' worth, and what the last call takes beyond it.
        let allowed = Duration::from_millis(50 * 4) + statistics.frames.max();
        let used = statistics.total;
        assert!(
            used <= allowed + Duration::from_millis(20),
            "{statistics:?}"
        );
        assert!(statistics.skipped > 0, "{statistics:?}");
        assert_eq!(statistics.skipped + statistics.frames.count(), 150);
    }
}

#[test]
fn a_guest_learns_how_many_frames_passed_it_by() {
    let limits = Limits {
        cpu_share: Duration::from_micros(1),
        ..Limits::default()
    };
    let mut track = open_with(&load("lost"), &limits);

    track.process(&mut frame(0), time(0)).unwrap();
    track.process(&mut frame(1), time(0)).unwrap();
    track.process(&mut frame(2), time(0)).unwrap();
    let mut later = frame(3);
    later.meta.lost_before = 1;
    track.process(&mut later, time(50 * 3_600)).unwrap();

    assert_eq!(track.statistics().skipped, 2);
    let lines = emissions(&mut track);
    let EmissionContent::Log { message, .. } = &lines.last().unwrap().content else {
        panic!("{lines:?}")
    };
    assert_eq!(message.len(), 3);
}

/// The room may send as many messages as it likes; what happens to its own track a guest always hears.
#[test]
fn messages_pass_by_a_guest_whose_share_is_used_up() {
    let limits = Limits {
        cpu_share: Duration::from_micros(1),
        ..Limits::default()
    };
    let mut track = open_with(&load("gain"), &limits);
    track.process(&mut frame(0), time(0)).unwrap();
    let before = track.statistics().total;

    for _ in 0..100 {
        let message = TrackEvent::Message(Message {
            topic: "flood".to_owned(),
            sender: None,
            payload: vec![0; 15 * 1_024],
        });
        let verdict = track.on_event(&message, time(0)).unwrap();
        assert!(matches!(verdict, EventVerdict::Pass));
    }
    let after = track.statistics();
    track.on_event(&TrackEvent::Muted, time(0)).unwrap();

    assert_eq!((after.messages_skipped, after.total), (100, before));
    assert!(track.statistics().total > before);
}

#[test]
fn a_compile_bomb_is_killed_once_and_then_known() {
    let bomb = compile_bomb();
    let mut limits = Limits::default();
    limits.compilation.cpu = Duration::from_secs(1);
    limits.compilation.locals_times_nesting = u64::MAX;

    let prescan = engine().load(&bomb, &Limits::default()).unwrap_err();
    let killed = engine().load(&bomb, &limits).unwrap_err();
    let known = engine().load(&bomb, &limits).unwrap_err();

    assert!(prescan.to_string().contains("locals"), "{prescan}");
    for error in [killed, known] {
        let LoadError::Compile(CompileError::Time(limit)) = error else {
            panic!("{error}")
        };
        assert_eq!(limit, Duration::from_secs(1));
    }
}

/// Time for guests that do much, in a build without optimisation.
fn patient() -> Limits {
    Limits {
        call_deadline: Duration::from_secs(5),
        cpu_share: Duration::from_secs(60),
        ..Limits::default()
    }
}

/// A small module whose one function has many locals, all live over deeply nested branches.
pub(super) fn compile_bomb() -> Vec<u8> {
    use std::fmt::Write as _;

    let (locals, depth) = (3_000, 900);
    let mut body = String::from("(func $bomb (export \"bomb\") (param i32) (result i32)\n");
    for local in 1..=locals {
        write!(body, "(local $l{local} i32)").expect("a string grows");
    }
    for level in 0..depth {
        let local = level % locals + 1;
        writeln!(
            body,
            "loop local.get 0 br_if 0 local.get {local} local.get 0 i32.add local.set {local}"
        )
        .expect("a string grows");
    }
    body.push_str(&"end ".repeat(depth));
    body.push_str("local.get 1");
    for local in 2..=locals {
        write!(body, " local.get {local} i32.add").expect("a string grows");
    }
    body.push(')');
    guest::of_fragment(&body).expect("a module")
}

/// The component with `count` more core modules, of which each instance has a memory of so many pages.
fn with_memories(mut component: Vec<u8>, count: u8, pages: u8) -> Vec<u8> {
    let module = wat::parse_str(format!("(module (memory {pages}))")).expect("a module");
    let index = core_modules(&component);
    section(&mut component, 1, &module);
    let instances: Vec<u8> = (0..count).flat_map(|_| [0, index, 0]).collect();
    section(&mut component, 2, &[&[count], &instances[..]].concat());
    component
}

/// Appends a section: id, length, contents.
fn section(component: &mut Vec<u8>, id: u8, contents: &[u8]) {
    component.push(id);
    let mut length = contents.len();
    while length >= 0x80 {
        component.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
        length >>= 7;
    }
    component.push(u8::try_from(length).expect("seven bits"));
    component.extend(contents);
}

/// How many core modules a component has.
fn core_modules(component: &[u8]) -> u8 {
    let (_, mut rest) = component.split_at(8);
    let mut modules = 0;
    while let [id, after @ ..] = rest {
        modules += u8::from(*id == 1);
        let (length, contents) = number(after);
        rest = contents.split_at(length).1;
    }
    modules
}

/// The number that bytes begin with, seven bits each, and what follows it.
fn number(bytes: &[u8]) -> (usize, &[u8]) {
    match bytes {
        [byte, rest @ ..] if *byte < 0x80 => (usize::from(*byte), rest),
        [byte, rest @ ..] => {
            let (high, rest) = number(rest);
            (usize::from(byte & 0x7f) | high << 7, rest)
        }
        [] => (0, bytes),
    }
}
