//! The plugins of `examples/`: each is a component of the world it says, and short enough to copy from.

use std::fs;
use std::path::Path;

use trackmill_tests::guests;
use wit_component::DecodedWasm;

#[test]
fn every_example_in_rust_is_a_component_of_its_world() {
    for (example, world) in WORLDS {
        let (exports, bytes) = decode(&guests::rust(example));

        expect_world(example, world, &exports);
        assert!(bytes < 700_000, "{example} has {bytes} bytes");
    }
    assert_eq!(WORLDS.map(|(example, _)| example), guests::RUST);
}

#[test]
fn the_example_in_c_is_a_component_of_its_world() {
    let (exports, bytes) = decode(&guests::c());

    expect_world("c", "transformer", &exports);
    assert!(bytes < 50_000, "{bytes} bytes");
}

#[test]
fn the_example_in_javascript_is_a_component_of_its_world() {
    let (exports, bytes) = decode(&guests::javascript());

    expect_world("js", "transformer", &exports);
    assert!(bytes < 3_000_000, "{bytes} bytes");
}

#[test]
fn the_table_of_examples_is_true_and_none_is_long() {
    let table = fs::read_to_string(guests::examples().join("README.md")).unwrap();
    let rust = guests::RUST.iter().map(|name| (*name, "src/lib.rs"));
    for (name, source) in rust.chain([("c", "plugin.c"), ("js", "plugin.js")]) {
        let lines = lines(&guests::examples().join(name).join(source));

        assert!(lines <= 80, "{name} has {lines} lines of code");
        let row = table
            .lines()
            .find(|line| line.starts_with(&format!("| [`{name}`]")));
        let row = row.unwrap_or_else(|| panic!("examples/README.md has no row for {name}"));
        assert!(
            row.ends_with(&format!("| {lines} |")),
            "{name} has {lines} lines: {row}"
        );
    }
}

/// Lines of code: no comments, no blank ones, no tests.
fn lines(source: &Path) -> usize {
    let text = fs::read_to_string(source).expect("an example has its source");
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    code.lines().filter(is_code).count()
}

/// What a component exports of ours, and its size.
fn decode(component: &Path) -> (Vec<String>, usize) {
    let bytes =
        fs::read(component).unwrap_or_else(|error| panic!("{}: {error}", component.display()));
    let decoded = wit_component::decode(&bytes).expect("WebAssembly");
    let DecodedWasm::Component(resolve, world) = decoded else {
        panic!("{} is no component", component.display())
    };
    let exports = resolve
        .worlds
        .get(world)
        .expect("its own world")
        .exports
        .keys();
    (
        exports.map(|key| resolve.name_world_key(key)).collect(),
        bytes.len(),
    )
}

fn expect_world(example: &str, world: &str, exports: &[String]) {
    let session = format!("trackmill:plugin/track-{world}@0.1.0");
    // componentize-qjs exports its own `init` as well.
    let ours = exports.iter().filter(|name| name.contains('/'));
    let mut sorted: Vec<&String> = ours.collect();
    sorted.sort();
    assert_eq!(
        sorted,
        ["trackmill:plugin/plugin@0.1.0", &session],
        "{example}"
    );
}

const WORLDS: [(&str, &str); 6] = [
    ("denoise", "transformer"),
    ("gain", "transformer"),
    ("loudness", "inspector"),
    ("mute-notices", "transformer"),
    ("redact", "transformer"),
    ("voice-activity", "inspector"),
];
