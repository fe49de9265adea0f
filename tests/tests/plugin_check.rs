//! `trackmill plugin check`: what the host takes, and what it says of what it does not take.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use trackmill_tests::plugin_command::{self, Said};
use trackmill_tests::{golden, guest, guests};

#[test]
fn a_plugin_is_described_as_documented() {
    let folder = TempDir::new().unwrap();
    write(&folder, "gain.wasm", &guest::component("gain").unwrap());

    let said = check(&folder, &["gain.wasm"]);

    assert_eq!(said.code, Some(0), "{said:?}");
    // Which bytes the guest has is no business of this test.
    let digest = accepted(&folder, &["gain.wasm"])["sha256"].clone();
    let text = said.stdout.replace(digest.as_str().unwrap(), "…");
    golden::check("plugin-check.txt", &text);
}

#[test]
fn components_modules_and_text_are_accepted() {
    let folder = TempDir::new().unwrap();
    let component = guest::component("gain").unwrap();
    write(&folder, "component.wasm", &component);
    write(&folder, "text.wat", text(&component).as_bytes());
    write(&folder, "module.wasm", &guest::core_module("gain").unwrap());
    let watcher = guest::component("watcher").unwrap();
    write(&folder, "watcher.wasm", &watcher);

    for (file, world) in [
        ("component.wasm", "transformer"),
        ("text.wat", "transformer"),
        ("module.wasm", "transformer"),
        ("watcher.wasm", "inspector"),
    ] {
        let found = accepted(&folder, &[file]);

        assert_eq!(found["file"], file);
        assert_eq!(found["world"], world, "{file}");
        assert_eq!(found["contract"], "0.1.0", "{file}");
        assert_eq!(found["name"], "guest", "{file}");
        let imports = found["imports"].as_array().unwrap();
        assert!(
            imports.contains(&"trackmill:plugin/host@0.1.0".into()),
            "{file}"
        );
        assert_eq!(found["memories"]["found"], 1, "{file}");
        assert!(found["functions"]["found"].as_u64() > Some(5), "{file}");
    }
}

/// The examples import `wasi:*`, as everything does that is built for `wasm32-wasip2`.
#[test]
fn guests_in_rust_c_and_javascript_are_accepted() {
    let folder = TempDir::new().unwrap();
    let rust = guests::RUST.iter().map(|name| (*name, guests::rust(name)));
    for (name, path) in rust.chain([("rumble", guests::c()), ("gain-js", guests::javascript())]) {
        let found = accepted(&folder, &[path.to_str().unwrap()]);

        assert_eq!(found["name"], name);
        let kind = match name {
            "loudness" | "voice-activity" => "inspector",
            _ => "transformer",
        };
        assert_eq!(found["world"], kind, "{name}");
        let imports = found["imports"].as_array().unwrap().iter();
        let wasi = imports.filter(|import| import.as_str().unwrap().starts_with("wasi:"));
        assert_eq!(wasi.count() > 5, guests::RUST.contains(&name), "{name}");
        let size = fs::metadata(&path).unwrap().len();
        assert_eq!(found["size"]["found"], size, "{name}");
    }
}

#[test]
fn what_is_no_plugin_is_refused_with_the_reason_and_what_to_do() {
    let folder = no_plugins();
    for (name, reasons) in [
        ("missing.wasm", ["No such file", "`trackmill plugin build`"]),
        ("my-filter", ["it is a folder", "`trackmill plugin build`"]),
        (
            "empty.wasm",
            ["the file is empty", "build the plugin again"],
        ),
        (
            "cut.wasm",
            ["malformed WebAssembly", "copy or build it again"],
        ),
        (
            "plugin.rs",
            ["not a WebAssembly file", "`trackmill plugin build`"],
        ),
        ("gain.cwasm", ["compiled code", "give the component"]),
        (
            "module.wasm",
            ["a core module without", "`trackmill plugin build`"],
        ),
        (
            "nothing.wasm",
            ["neither world", "export `plugin` and either"],
        ),
        ("http.wasm", ["wasi:http/outgoing-handler", "send events"]),
        (
            "future.wasm",
            ["trackmill:plugin@0.2.0", "build it again with the SDK"],
        ),
        (
            "large.wasm",
            ["not for those of --interpreter", "the limit is 8388608"],
        ),
        (
            "huge.wasm",
            ["the limit is 8388608", "make the plugin smaller"],
        ),
        ("wrong.wat", ["no WebAssembly text", "wrong.wat:1:13"]),
        ("loop.wasm", ["failed in `describe`", "more than 100ms"]),
        ("start.wasm", ["failed in `describe`", "more than 100ms"]),
    ] {
        let said = check(&folder, &[name]);
        let json = check(&folder, &[name, "--json"]);

        assert_eq!((said.code, json.code), (Some(1), Some(1)), "{name}");
        let error = format!("error: {name}: ");
        assert!(said.stderr.starts_with(&error), "{}", said.stderr);
        let refused: Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(refused["accepted"], false);
        for reason in reasons {
            assert!(said.stderr.contains(reason), "{name}: {}", said.stderr);
            let found = refused["reason"].as_str().unwrap();
            assert!(found.contains(reason), "{name}: {found}");
        }
    }
    // What the limits for interpreters are for.
    accepted(&folder, &["large.wasm", "--interpreter"]);
}

#[test]
fn settings_are_checked_against_the_schema() {
    let folder = TempDir::new().unwrap();
    let plugin = guests::rust("mute-notices");
    let plugin = plugin.to_str().unwrap();
    write(&folder, "good.json", br#"{"type": "mic"}"#);
    write(&folder, "bad.json", br#"{"type": 5, "other": 1}"#);
    write(&folder, "broken.json", b"{");

    let found = accepted(&folder, &[plugin, "--config", "good.json"]);
    let said = ["bad.json", "broken.json", "missing.json"]
        .map(|file| check(&folder, &[plugin, "--config", file]));

    assert_eq!(found["config"], "good.json");
    assert_eq!(found["config_schema"]["type"], "object");
    let [bad, broken, missing] = said.map(|said| {
        assert_eq!(said.code, Some(1), "{said:?}");
        said.stderr
    });
    assert!(bad.contains("bad.json: settings: "), "{bad}");
    assert!(
        bad.contains("(at /type)") && bad.contains("'other'"),
        "{bad}"
    );
    assert!(
        broken.contains("broken.json: settings: not JSON"),
        "{broken}"
    );
    assert!(missing.contains("missing.json: No such file"), "{missing}");
}

/// A folder with files that are none, or that nobody should run.
fn no_plugins() -> TempDir {
    let folder = TempDir::new().expect("what tests are made of");
    fs::create_dir(folder.path().join("my-filter")).expect("what tests are made of");
    let gain = guest::component("gain").expect("what tests are made of");
    let http = "(component (import \"wasi:http/outgoing-handler@0.2.0\" (instance)))";
    let future =
        "(component (instance $i) (export \"trackmill:plugin/plugin@0.2.0\" (instance $i)))";
    for (name, bytes) in [
        ("empty.wasm", vec![]),
        ("cut.wasm", gain.split_at(gain.len() / 2).0.to_vec()),
        ("plugin.rs", b"fn main() {}".to_vec()),
        ("gain.cwasm", b"\x7fELF\x02\x01\x01".to_vec()),
        (
            "module.wasm",
            wat::parse_str("(module)").expect("what tests are made of"),
        ),
        (
            "nothing.wasm",
            wat::parse_str("(component)").expect("what tests are made of"),
        ),
        (
            "http.wasm",
            wat::parse_str(http).expect("what tests are made of"),
        ),
        (
            "future.wasm",
            wat::parse_str(future).expect("what tests are made of"),
        ),
        ("large.wasm", padded(gain.clone(), 9 << 20)),
        ("huge.wasm", vec![0; 25 << 20]),
        ("wrong.wat", b"(component (instence))".to_vec()),
        (
            "loop.wasm",
            guest::component("loop_in_describe").expect("what tests are made of"),
        ),
        (
            "start.wasm",
            guest::component("loop_in_start").expect("what tests are made of"),
        ),
    ] {
        write(&folder, name, &bytes);
    }
    folder
}

/// The report of a plugin that is accepted.
fn accepted(folder: &TempDir, arguments: &[&str]) -> Value {
    let said = check(folder, &[arguments, &["--json"]].concat());
    assert_eq!(said.code, Some(0), "{arguments:?}: {said:?}");
    assert_eq!(said.report("/accepted"), true);
    said.report("")
}

fn check(folder: &TempDir, arguments: &[&str]) -> Said {
    let arguments = [&["check"], arguments].concat();
    plugin_command::run(folder.path(), arguments).expect("a binary that runs")
}

fn write(folder: &TempDir, name: &str, bytes: &[u8]) {
    fs::write(Path::new(folder.path()).join(name), bytes).expect("a folder of our own");
}

/// The text of a component.
fn text(component: &[u8]) -> String {
    let bytes: String = component
        .iter()
        .map(|byte| format!("\\{byte:02x}"))
        .collect();
    format!("(component binary \"{bytes}\")")
}

/// With a section that nobody reads.
fn padded(mut component: Vec<u8>, size: usize) -> Vec<u8> {
    let value = u32::try_from(size).expect("less than 28 bits");
    component.push(0);
    component.extend((0..4).map(|group| {
        let more = if group < 3 { 0x80 } else { 0 };
        u8::try_from(value >> (7 * group) & 0x7f).expect("seven bits") | more
    }));
    component.extend(b"\x03pad");
    component.resize(component.len() + size - 4, 0);
    component
}
