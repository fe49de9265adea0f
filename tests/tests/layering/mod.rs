//! The architecture of `host/src`, as far as a machine can hold it (ARCHITECTURE.md).
//!
//! Only code that ships is looked at: comments and tests are left out.

mod source;

use std::collections::BTreeSet;

use source::{Source, sources};

/// Who may import whom, in packet order. `*` is the shell, which wires everything.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("media", &[]),
    ("clock", &["media", "rtp"]),
    ("dial", &[]),
    ("signal", &["dial", "media", "rtp"]),
    ("rtc", &["media", "rtp", "srtp"]),
    ("srtp", &["media"]),
    ("rtp", &["bitstream", "media", "srtp"]),
    ("depacketize", &["bitstream", "media", "rtp"]),
    ("bitstream", &["media"]),
    ("codec", &["bitstream", "media"]),
    (
        "filter",
        &["clock", "codec", "media", "plugins", "rtc", "rtp"],
    ),
    ("mux", &["bitstream", "media"]),
    ("demux", &["codec", "media", "mux"]),
    ("sink", &["dial", "media"]),
    (
        "pipeline",
        &[
            "bitstream",
            "codec",
            "depacketize",
            "filter",
            "media",
            "mux",
            "rtp",
        ],
    ),
    ("room", &["clock", "media", "rtc", "signal"]),
    (
        "egress",
        &[
            "clock", "codec", "filter", "media", "mux", "pipeline", "plugins", "rtc", "rtp",
            "signal", "sink",
        ],
    ),
    ("plugins", &[]),
    ("command", &["*"]),
    ("main", &["*"]),
    ("lib", &[]),
];

/// Drivers: the files, or folders of files, that may touch the world. All others are pure (D1).
const DRIVERS: &[&str] = &[
    "clock.rs",
    "command/",
    "dial/tls.rs",
    "dial/tunnel.rs",
    "dial/upgrade.rs",
    "egress/disk.rs",
    "egress/files.rs",
    "egress/inspector.rs",
    "egress/recorder.rs",
    "egress/recovery.rs",
    "egress/sink.rs",
    "egress/stream/courier.rs",
    "egress/stream/feeder.rs",
    "egress/stream/reason.rs",
    "egress/voice.rs",
    "egress/words.rs",
    "egress/writer.rs",
    "filter/breakers.rs",
    "filter/proxy.rs",
    "filter/worker.rs",
    "main.rs",
    "plugins/cache.rs",
    "plugins/clock.rs",
    "plugins/compile.rs",
    "plugins/engine.rs",
    "plugins/ticker.rs",
    "room/connection.rs",
    "room/link.rs",
    "room/mod.rs",
    "rtc/clock.rs",
    "rtc/command.rs",
    "rtc/connection.rs",
    "rtc/dialer.rs",
    "rtc/handle.rs",
    "rtc/poller.rs",
    "rtc/seat.rs",
    "rtc/socket.rs",
    "rtc/sockets.rs",
    "rtc/worker.rs",
    "signal/socket/",
    "sink/file.rs",
    "sink/lines.rs",
    "sink/spool.rs",
    "sink/websocket/socket.rs",
];

/// What a pure file never mentions.
const IMPURE: &[&str] = &[
    "Arc<Mutex",
    "Instant::now",
    "SystemTime::now",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "async fn",
    "crate::clock",
    "std::env::",
    "std::fs",
    "std::process::Command",
    "std::thread",
    "tokio",
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &[
    "common", "handler", "handlers", "helper", "helpers", "manager", "misc", "types", "util",
    "utils",
];

/// Lines of one file, without its tests.
const MAX_LINES: usize = 450;
/// Lines of code of one file that make a reader wish for two.
const MANY_LINES: usize = 300;

#[test]
fn folders_import_only_what_lies_below_them() {
    let mut wrong = Vec::new();
    for source in sources() {
        let Some((_, allowed)) = MAY_IMPORT
            .iter()
            .find(|(folder, _)| *folder == source.folder())
        else {
            wrong.push(format!(
                "{}: add its folder to MAY_IMPORT, and to ARCHITECTURE.md",
                source.path
            ));
            continue;
        };
        for import in source.imports() {
            if import != source.folder() && !allowed.contains(&"*") && !allowed.contains(&&*import)
            {
                wrong.push(format!("{} imports crate::{import}", source.path));
            }
        }
        if source.reaches_over_its_folder() {
            wrong.push(format!(
                "{} leaves its folder by `super::`: write `crate::…`",
                source.path
            ));
        }
    }
    expect_none(
        &wrong,
        "move the code to the folder that owns the idea, pass the value in as an argument, or, if the \
         line between the folders is better so, change MAY_IMPORT and say why in ARCHITECTURE.md",
    );
}

#[test]
fn all_but_drivers_are_pure() {
    let mut wrong = Vec::new();
    for source in sources().filter(|source| !is_driver(&source.path)) {
        for (number, line) in source.code() {
            for word in IMPURE.iter().filter(|word| line.contains(**word)) {
                wrong.push(format!("{}:{number} mentions {word}", source.path));
            }
        }
    }
    expect_none(
        &wrong,
        "take the time or the bytes as an argument and leave the world to a driver; a file that is \
         a driver belongs into DRIVERS",
    );
}

#[test]
fn every_driver_exists() {
    let paths: Vec<String> = sources().map(|source| source.path).collect();
    let gone = |driver: &&&str| !paths.iter().any(|path| path.starts_with(**driver));
    let wrong: Vec<String> = DRIVERS
        .iter()
        .filter(gone)
        .map(ToString::to_string)
        .collect();
    expect_none(&wrong, "take it out of DRIVERS");
}

#[test]
fn a_folder_has_its_trait_and_its_documentation_in_mod_rs() {
    let sources: Vec<Source> = sources().collect();
    let paths: BTreeSet<&str> = sources.iter().map(|source| &*source.path).collect();
    let mut wrong = Vec::new();
    for source in &sources {
        let name = source.path.trim_end_matches(".rs");
        if paths
            .iter()
            .any(|path| path.starts_with(&format!("{name}/")))
        {
            wrong.push(format!("{}: move it to {name}/mod.rs", source.path));
        }
        let must_document = source.is_mod() || !source.path.contains('/');
        if must_document && !source.text.starts_with("//!") {
            wrong.push(format!(
                "{}: begin it with a `//!` that says what the folder is for",
                source.path
            ));
        }
    }
    expect_none(&wrong, "style.md §2.1");
}

#[test]
fn every_name_says_what_is_inside() {
    let is_empty = |path: &str| {
        path.trim_end_matches(".rs")
            .split('/')
            .any(|name| EMPTY_NAMES.contains(&name))
    };
    let paths = sources().map(|source| source.path);
    let wrong: Vec<String> = paths.filter(|path| is_empty(path)).collect();
    expect_none(&wrong, "name it after what it does");
}

#[test]
fn no_file_is_too_long_to_read() {
    let mut wrong = Vec::new();
    for source in sources() {
        let lines = source.shipped().count();
        let code = source.code().count();
        if lines > MAX_LINES {
            wrong.push(format!("{}: {lines} lines", source.path));
        } else if code > MANY_LINES {
            println!("rather long: {} ({code} lines of code)", source.path);
        }
    }
    expect_none(
        &wrong,
        &format!("split it by ideas: a file has at most {MAX_LINES} lines before its tests"),
    );
}

#[test]
fn the_binary_is_thin() {
    let main = sources().find(|source| source.path == "main.rs");
    let lines = main.map(|main| main.text.lines().count());
    assert!(
        lines <= Some(100),
        "main.rs has {lines:?} lines: move the work to the library"
    );
}

fn is_driver(path: &str) -> bool {
    let holds = |driver: &str| driver.ends_with('/') && path.starts_with(driver);
    DRIVERS
        .iter()
        .any(|driver| path == *driver || holds(driver))
}

fn expect_none(wrong: &[String], remedy: &str) {
    assert!(
        wrong.is_empty(),
        "\n  {}\n\nWhat to do: {remedy}.\n",
        wrong.join("\n  ")
    );
}
