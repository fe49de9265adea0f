//! What a user can get wrong with plugins: told before anything is joined, with what to do.

use std::process::Command;

use tempfile::TempDir;
use trackmill_tests::guest;
use trackmill_tests::recorder::{self, Recorder};

#[tokio::test]
async fn each_mistake_is_named_with_its_remedy() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    for guest in ["gain", "watcher", "strict", "errors", "panic_in_open"] {
        let path = folder.path().join(format!("{guest}.wasm"));
        std::fs::write(path, guest::component(guest)?)?;
    }
    for (name, text) in [
        ("text.wasm", "(module)"),
        ("half.json", "{"),
        ("loud.json", r#"{"level": "loud"}"#),
        ("odd.json", r#"{"level": 1, "lvl": 2}"#),
        ("guest.json", r#"{"guest": true}"#),
    ] {
        std::fs::write(folder.path().join(name), text)?;
    }
    let at = |text: &str| text.replace('/', &format!("{}/", folder.path().display()));

    for (arguments, reasons) in MISTAKES {
        let arguments = at(arguments);
        let arguments: Vec<&str> = NOWHERE.into_iter().chain(arguments.split(' ')).collect();

        let recorded = Recorder::start(&arguments)?.end().await?;

        let stderr = &recorded.stderr;
        assert_eq!(recorded.code, Some(2), "{arguments:?}: {stderr}");
        for reason in *reasons {
            assert!(
                stderr.contains(reason),
                "no {reason:?} for {arguments:?} in: {stderr}"
            );
        }
    }
    Ok(())
}

/// What is given, where `/` stands for the folder of the test, and what the error says of it.
const MISTAKES: &[(&str, &[&str])] = &[
    (
        "--filter /none.wasm",
        &["cannot read", "none.wasm", "trackmill plugin build"],
    ),
    (
        "--filter /text.wasm",
        &["text.wasm: cannot load the plugin"],
    ),
    (
        "--filter /gain.wasm@sha256:0000000000000000000000000000000000000000000000000000000000000000",
        &[
            "gain.wasm has the digest",
            "not 0000",
            "not the plugin that was named",
        ],
    ),
    ("--filter /gain.wasm@sha256:abc", &["64 hexadecimal digits"]),
    (
        "--filter /watcher.wasm",
        &["only looks at a track: give it to '--inspect'"],
    ),
    (
        "--inspect /gain.wasm",
        &["changes a track: give it to '--filter'"],
    ),
    (
        "--filter /gain.wasm=/none.json",
        &["cannot read", "none.json, the settings of"],
    ),
    (
        "--filter /gain.wasm=/half.json",
        &["half.json, the settings of", "not JSON"],
    ),
    (
        "--filter /strict.wasm=/loud.json",
        &["loud.json", "(at /level)"],
    ),
    ("--filter /strict.wasm=/odd.json", &["odd.json", "'lvl'"]),
    (
        "--filter /strict.wasm",
        &["strict.wasm wants settings", "\"level\"", "=CONFIG.json"],
    ),
    (
        "--filter /errors.wasm=/guest.json",
        &["guest.json, the settings of", ": guest"],
    ),
    (
        "--filter /panic_in_open.wasm",
        &["cannot be opened on a track", "trap in `open`"],
    ),
    (
        "--on-error silence",
        &["--filter <FILE.wasm[=CONFIG.json]>"],
    ),
    ("--watch-plugins", &["--filter <FILE.wasm[=CONFIG.json]>"]),
];

/// Whoever has no place for compiled plugins, or none for the key that proves whose they are, waits for
/// the compiler and is told.
#[test]
fn without_a_cache_plugins_are_compiled_at_each_start() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    std::fs::write(folder.path().join("gain.wasm"), guest::component("gain")?)?;
    std::fs::write(folder.path().join("half.json"), "{")?;
    let home = folder.path().join("home");
    for (cache, state) in [("/dev/null/cache", None), ("", Some("/dev/null/state"))] {
        let mut command = Command::new(recorder::binary()?);
        command
            .arg("record")
            .args(NOWHERE)
            .args(["--filter", "gain.wasm=half.json"]);
        command
            .env_remove("XDG_CACHE_HOME")
            .env_remove("XDG_STATE_HOME");
        command.env("XDG_CACHE_HOME", cache).env("HOME", &home);
        if let Some(state) = state {
            command.env("XDG_STATE_HOME", state);
        }

        let output = command.current_dir(folder.path()).output()?;

        let stderr = String::from_utf8(output.stderr)?;
        assert!(stderr.contains("Compiled plugins are not kept"), "{stderr}");
        assert!(stderr.contains("not JSON"), "it went on: {stderr}");
    }
    Ok(())
}

/// A server that nobody reaches: whoever tries to fails, with another exit code.
const NOWHERE: [&str; 9] = [
    "--url",
    "ws://127.0.0.1:1",
    "--api-key",
    "key",
    "--api-secret",
    "a-secret-of-32-bytes-or-some-more",
    "--room",
    "room",
    "--all",
];
