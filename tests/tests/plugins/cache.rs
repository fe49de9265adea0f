//! Compiled code on disk.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use trackmill::plugins::contract::Verdict;
use trackmill::plugins::{CacheSettings, Engine, EngineSettings, Limits, LoadError, Plugin};
use trackmill_tests::recorder;

use crate::plugins::{component, frame, open, time};

#[test]
fn compiled_code_is_taken_from_the_cache_and_is_readable_by_nobody_else() {
    let directory = tempfile::tempdir().unwrap();
    load(&compiling(directory.path(), KEY)).unwrap();

    // Without a compiler, so what runs is from the cache.
    let plugin = load(&not_compiling(directory.path(), KEY)).unwrap();

    assert!(works(&plugin));
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&entry(directory.path())), 0o600);
}

#[test]
fn a_forged_entry_is_not_taken_and_is_compiled_again() {
    let directory = tempfile::tempdir().unwrap();
    load(&compiling(directory.path(), KEY)).unwrap();
    let entry = entry(directory.path());
    let genuine = std::fs::read(&entry).unwrap();

    for forged in [
        flipped(&genuine, genuine.len() - 1),
        flipped(&genuine, 40),
        flipped(&genuine, 0),
        genuine[32..].to_vec(),
        genuine[..genuine.len() / 2].to_vec(),
        genuine[..16].to_vec(),
        vec![],
    ] {
        std::fs::write(&entry, &forged).unwrap();

        let refused = load(&not_compiling(directory.path(), KEY)).unwrap_err();

        assert!(matches!(refused, LoadError::Compile(_)), "{refused}");
    }
    assert!(works(&load(&compiling(directory.path(), KEY)).unwrap()));
    assert_eq!(std::fs::read(&entry).unwrap(), genuine);
}

#[test]
fn an_entry_of_another_key_or_another_plugin_is_not_taken() {
    let directory = tempfile::tempdir().unwrap();
    load(&compiling(directory.path(), KEY)).unwrap();

    assert!(load(&not_compiling(directory.path(), [2; 32])).is_err());
    let gain = entry(directory.path());
    let engine = compiling(directory.path(), KEY);
    let other = component("lost");
    engine.load(&other, &Limits::default()).unwrap();
    let paths = entries(directory.path());
    let others = paths.iter().find(|path| **path != gain).unwrap();
    std::fs::copy(others, &gain).unwrap();

    assert!(load(&not_compiling(directory.path(), KEY)).is_err());
}

/// Compiled code comes from our own compiler only, never from whoever hands over a plugin.
#[test]
fn compiled_code_is_no_plugin() {
    let directory = tempfile::tempdir().unwrap();
    let engine = compiling(directory.path(), KEY);
    load(&engine).unwrap();
    let file = std::fs::read(entry(directory.path())).unwrap();
    let (_, code) = file.split_at(32);

    for compiled in [&file, code] {
        let refused = engine.load(compiled, &Limits::default()).unwrap_err();

        assert!(
            refused.to_string().contains("compiled code is never taken"),
            "{refused}"
        );
    }
}

fn load(engine: &Engine) -> Result<Plugin, LoadError> {
    engine.load(&component("gain"), &Limits::default())
}

fn works(plugin: &Plugin) -> bool {
    let verdict = open(plugin).process(&mut frame(0), time(0));
    matches!(verdict, Ok(Verdict::Replace(_)))
}

fn compiling(directory: &Path, key: [u8; 32]) -> Engine {
    engine(
        recorder::binary()
            .expect("the binary under test")
            .to_owned(),
        directory,
        key,
    )
}

fn not_compiling(directory: &Path, key: [u8; 32]) -> Engine {
    engine("/nonexistent/trackmill".into(), directory, key)
}

fn engine(program: PathBuf, directory: &Path, key: [u8; 32]) -> Engine {
    let mut settings = EngineSettings::new(program);
    settings.instances = 10;
    settings.cache = Some(CacheSettings {
        directory: directory.to_owned(),
        key,
    });
    Engine::new(&settings).expect("an engine")
}

fn entry(directory: &Path) -> PathBuf {
    let mut entries = entries(directory);
    assert_eq!(entries.len(), 1);
    entries.remove(0)
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("the cache");
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    *bytes.get_mut(at).expect("a byte of the entry") ^= 1;
    bytes
}

const KEY: [u8; 32] = [1; 32];
