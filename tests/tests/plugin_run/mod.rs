//! `trackmill plugin run`: what comes out of a file that is played through plugins.

mod determinism;
mod examples;
mod failures;
mod files;

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use trackmill_plugin::testing::{Sound, seconds};
use trackmill_tests::plugin_command::{self, Said};
use trackmill_tests::{guest, guests};

/// A folder with files, and what was run in it.
struct Run {
    folder: TempDir,
    said: Said,
}

/// A folder to run in.
struct Stage(TempDir);

impl Stage {
    /// A folder with `in.wav`.
    fn new(sound: &Sound) -> Self {
        let stage = Self(TempDir::new().expect("a folder"));
        let written = sound.write_wav(stage.0.path().join("in.wav"));
        written.expect("a folder of our own");
        stage
    }

    /// With another file.
    fn with(self, name: &str, contents: impl AsRef<[u8]>) -> Self {
        fs::write(self.0.path().join(name), contents).expect("a folder of our own");
        self
    }

    /// Runs it with these arguments.
    fn run(self, arguments: &[&str]) -> Run {
        let arguments = [&["run"], arguments].concat();
        let said = plugin_command::run(self.0.path(), arguments);
        Run {
            said: said.expect("a binary that runs"),
            folder: self.0,
        }
    }

    /// Plays `in.wav` into `out.wav`, with time for machines that are busy, and demands that all goes
    /// well.
    fn plays(self, plugin: &Path, options: &[&str]) -> Run {
        let plugin = plugin.to_str().expect("a plain path");
        let files = [plugin, "in.wav", "out.wav"];
        let run = self.run(&[&files[..], PATIENT, options, &["--json"]].concat());
        assert_eq!(run.said.code, Some(0), "{:?}", run.said);
        run
    }
}

impl Run {
    /// What came out.
    fn output(&self) -> Sound {
        Sound::read_wav(self.folder.path().join("out.wav")).expect("a WAV file")
    }

    /// The file that came out.
    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(name)).expect("a file")
    }

    /// What was printed as JSON, all but the report.
    fn events(&self) -> Vec<Value> {
        let lines = self.said.stdout.lines();
        let values = lines.map(|line| serde_json::from_str(line).expect("JSON"));
        values
            .filter(|line: &Value| line.get("event").is_some())
            .collect()
    }

    /// The report of the whole run.
    fn report(&self) -> Value {
        self.said.report("/report")
    }

    /// The report of the only, or the first plugin.
    fn plugin(&self) -> Value {
        self.said.report("/report/plugins/0")
    }
}

/// A second of a tone, half as loud as can be.
fn tone() -> Sound {
    Sound::sine(440.0, seconds(1.0))
}

/// Writes a guest of `tests/guests` into the folder.
fn with_guest(stage: Stage, name: &str) -> Stage {
    let component = guest::component(name).expect("a guest of tests/guests");
    stage.with(&format!("{name}.wasm"), component)
}

/// A loaded machine is no fault of a plugin's.
const PATIENT: &[&str] = &["--deadline", "10000", "--cpu-share", "100"];

/// The component of an example in Rust.
fn example(name: &str) -> std::path::PathBuf {
    guests::rust(name)
}
