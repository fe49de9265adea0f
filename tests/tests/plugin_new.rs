//! `trackmill plugin new`, `build`, `check` and `run`: from an empty folder to a file that went through the
//! plugin, far from this checkout.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser;
use tempfile::TempDir;
use trackmill::command::{self, Cli, Exit, plugin};
use trackmill_plugin::testing::Sound;
use trackmill_tests::{guests, plugin_command, recorder};
use wit_component::DecodedWasm;

#[test]
fn a_new_plugin_in_rust_passes_its_test_and_works() {
    let directory = TempDir::new().unwrap();
    for kind in ["", "--inspector"] {
        let folder = new(&directory, &format!("rust{kind}"), &[kind]);
        share_compiled_dependencies(&folder);

        let tests = Command::new("cargo")
            .args(["test", "--quiet"])
            .current_dir(&folder)
            .status();

        assert!(tests.unwrap().success(), "{kind}");
        works(&folder, kind);
    }
}

#[test]
fn a_new_plugin_in_c_works() {
    let directory = TempDir::new().unwrap();
    for kind in ["", "--inspector"] {
        let folder = new(&directory, &format!("c{kind}"), &["--lang=c", kind]);

        works(&folder, kind);
    }
}

#[test]
fn a_new_plugin_in_javascript_works() {
    let directory = TempDir::new().unwrap();
    for kind in ["", "--inspector"] {
        let folder = new(&directory, &format!("js{kind}"), &["--lang=js", kind]);
        guests::link_node_modules(&folder).unwrap();

        works(&folder, kind);
    }
}

#[test]
fn what_exists_is_not_overwritten() {
    let directory = TempDir::new().unwrap();
    let folder = new(&directory, "twice", &["--lang=c"]);
    fs::write(folder.join("plugin.c"), "mine").unwrap();

    let error = run(&folder, &["--lang=c"]).unwrap_err();

    assert!(error.to_string().contains("exists already"), "{error}");
    assert_eq!(fs::read_to_string(folder.join("plugin.c")).unwrap(), "mine");
}

#[test]
fn a_folder_without_a_plugin_is_told_so() {
    let directory = TempDir::new().unwrap();

    let error = guests::build(directory.path()).unwrap_err();

    assert!(error.to_string().contains("holds no plugin"), "{error}");
}

#[test]
fn a_mistake_in_c_is_an_error_and_a_missing_clang_names_the_package() {
    let directory = TempDir::new().unwrap();
    let folder = new(&directory, "broken", &["--lang=c"]);
    let build = |clang: &str| {
        plugin::build::build(&plugin::build::Args {
            folder: folder.clone(),
            clang: clang.into(),
        })
    };

    let missing = build("no-such-clang").unwrap_err();
    fs::write(
        folder.join("plugin.c"),
        "#include \"bindings/transformer.h\"\nint x = ;\n",
    )
    .unwrap();
    let broken = build("clang").unwrap_err();

    assert!(
        missing.to_string().contains("apt install clang lld"),
        "{missing}"
    );
    assert!(broken.to_string().contains("clang failed"), "{broken}");
}

#[test]
fn whoever_lacks_rust_or_its_target_is_told_what_to_install() {
    let directory = TempDir::new().unwrap();
    let folder = new(&directory, "unbuilt", &[]);
    let tools = TempDir::new().unwrap();
    let build = || {
        let binary = recorder::binary().unwrap();
        let mut build = Command::new(binary);
        build.args(["plugin", "build"]).arg(&folder);
        let output = build.env("PATH", tools.path()).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };

    let no_rust = build();
    // Where a target is not installed, rustc still says where it would be.
    let rustc = tools.path().join("rustc");
    fs::write(&rustc, "#!/bin/sh\necho /nonexistent/wasm32-wasip2/lib\n").unwrap();
    fs::set_permissions(&rustc, fs::Permissions::from_mode(0o755)).unwrap();
    let no_target = build();

    assert!(
        no_rust.contains("install Rust by https://rustup.rs"),
        "{no_rust}"
    );
    let remedy = "run `rustup target add wasm32-wasip2`";
    assert!(no_target.contains(remedy), "{no_target}");
}

/// Runs `trackmill plugin new`, and returns the folder.
fn new(directory: &TempDir, name: &str, options: &[&str]) -> PathBuf {
    let folder = directory.path().join(name.replace("--", "-"));
    assert_eq!(run(&folder, options).expect("a new folder"), Exit::Complete);
    folder
}

fn run(folder: &Path, options: &[&str]) -> anyhow::Result<Exit> {
    let options = options
        .iter()
        .filter(|option| !option.is_empty())
        .map(Path::new);
    let words = ["trackmill", "plugin", "new"].map(Path::new);
    let words = words.into_iter().chain([folder]).chain(options);
    match Cli::try_parse_from(words)?.command {
        command::Command::Plugin(args) => plugin::run(&args),
        other => panic!("{other:?}"),
    }
}

/// Compiles what the examples were compiled with, where they were: quick, and without network.
fn share_compiled_dependencies(folder: &Path) {
    let lock = guests::examples().join("../Cargo.lock");
    fs::copy(lock, folder.join("Cargo.lock")).expect("a plugin that was just made");
    let config = folder.join(".cargo/config.toml");
    let text = fs::read_to_string(&config).expect("a plugin that was just made");
    let target = format!("[build]\ntarget-dir = {:?}\n", guests::target());
    fs::write(config, format!("{text}\n{target}")).expect("a plugin that was just made");
}

/// What the README says: build it, check it, play the sample through it.
fn works(folder: &Path, kind: &str) {
    let here = |arguments: &[&str]| {
        let said = plugin_command::run(folder, arguments).expect("a binary that runs");
        assert_eq!(said.code, Some(0), "{arguments:?} in {folder:?}: {said:?}");
        said
    };

    let built = here(&["build"]).stdout;

    let (file, _) = built.rsplit_once(": ").expect("a path and a size");
    let bytes = fs::read(folder.join(file)).expect("a plugin that was just made");
    let decoded = wit_component::decode(&bytes).expect("a plugin that was just made");
    assert!(matches!(decoded, DecodedWasm::Component(..)), "{built}");
    if kind.is_empty() {
        here(&["check", file, "--config", "config.json"]);
    }
    let run = [
        "run",
        file,
        "sample.wav",
        "out.wav",
        "--config",
        "config.json",
        "--json",
    ];
    let patience = ["--deadline", "10000", "--cpu-share", "100"];
    let said = here(&[&run[..], &patience].concat());
    let report = |path| said.report(&format!("/report/plugins/0/{path}"));
    assert_eq!(report("errors/fatal"), 0);
    let [before, after] = ["sample.wav", "out.wav"]
        .map(|file| Sound::read_wav(folder.join(file)).expect("a WAV file"));
    assert_eq!(before.samples.len(), after.samples.len());
    if kind == "--inspector" {
        assert_eq!(before, after);
        assert_ne!(report("said/marks"), 0);
    } else {
        assert_eq!(report("frames/changed"), 150);
        assert_ne!(before, after);
    }
}
