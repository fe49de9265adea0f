//! Plugins as components, built once a test process from `examples/`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use anyhow::Context;
use trackmill::command::plugin::build;

/// The folders of `examples/` with a plugin in Rust.
pub const RUST: &[&str] = &[
    "denoise",
    "gain",
    "loudness",
    "mute-notices",
    "redact",
    "voice-activity",
];

/// The component of an example in Rust. The first call builds all of them.
///
/// # Panics
///
/// The example is none, or cargo fails: its words are on standard error.
#[must_use]
pub fn rust(example: &str) -> PathBuf {
    static BUILT: LazyLock<Result<(), String>> =
        LazyLock::new(|| build_rust().map_err(|error| format!("{error:#}")));
    assert!(RUST.contains(&example), "{example} is not in guests::RUST");
    if let Err(error) = &*BUILT {
        panic!("{error}");
    }
    let name = example.replace('-', "_");
    target()
        .join("wasm32-wasip2/release")
        .join(name)
        .with_extension("wasm")
}

/// The component of the example in C, built by `trackmill plugin build`.
///
/// # Panics
///
/// It cannot be built; `make setup` installs clang.
#[must_use]
pub fn c() -> PathBuf {
    static BUILT: LazyLock<PathBuf> =
        LazyLock::new(|| build(&examples().join("c")).expect("the example in C builds"));
    BUILT.clone()
}

/// The component of the example in JavaScript, built by `trackmill plugin build`.
///
/// # Panics
///
/// It cannot be built; `make setup` installs npm and componentize-qjs.
#[must_use]
pub fn javascript() -> PathBuf {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = examples().join("js");
        link_node_modules(&folder).expect("a link to the packages of `make setup`");
        build(&folder).expect("the example in JavaScript builds")
    });
    BUILT.clone()
}

/// Builds the plugin of a folder as `trackmill plugin build` does.
///
/// # Errors
///
/// What the tool said.
pub fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    build::build(&build::Args {
        folder: folder.to_path_buf(),
        clang: "clang".into(),
    })
}

/// Gives a folder the packages that `make setup` installed, so that npm needs no network.
///
/// # Errors
///
/// They are not installed.
pub fn link_node_modules(folder: &Path) -> anyhow::Result<()> {
    let (from, to) = (
        crate::servers::installed("js/node_modules"),
        folder.join("node_modules"),
    );
    anyhow::ensure!(
        from.is_dir(),
        "{} is missing: run `make setup`",
        from.display()
    );
    if to.symlink_metadata().is_err() {
        std::os::unix::fs::symlink(&from, &to).with_context(|| to.display().to_string())?;
    }
    Ok(())
}

/// Where guests are built: beside the folder of this program, whose lock cargo may hold.
///
/// # Panics
///
/// This is no program of cargo.
#[must_use]
pub fn target() -> PathBuf {
    let program = std::env::current_exe().expect("a process knows its executable");
    let folder = program.parent().expect("a program lies in a folder");
    // Tests lie one deeper than programs.
    let profile = match folder.ends_with("deps") {
        true => folder.parent(),
        false => Some(folder),
    };
    let target = profile.and_then(Path::parent);
    target.expect("cargo builds in target/debug").join("guests")
}

/// The folder of all examples.
#[must_use]
pub fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

fn build_rust() -> anyhow::Result<()> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--locked",
        "--release",
        "--quiet",
        "--target",
        "wasm32-wasip2",
    ]);
    for setting in SETTINGS {
        cargo.args(["--config", setting]);
    }
    for example in RUST {
        cargo.args(["--package", example]);
    }
    // What cargo told this test must not confuse the other cargo.
    cargo
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS");
    cargo.arg("--target-dir").arg(target());
    let status = cargo.current_dir(examples()).stdin(Stdio::null()).status();
    anyhow::ensure!(
        status.context("cargo")?.success(),
        "the examples do not build: see above"
    );
    Ok(())
}

/// As in the template of `trackmill plugin new`, so that both share what they compile.
const SETTINGS: &[&str] = &[
    "profile.release.codegen-units=1",
    "profile.release.debug=false",
    "profile.release.lto='fat'",
    "profile.release.strip=true",
    "target.wasm32-wasip2.rustflags=['-C', 'target-feature=+simd128']",
];
