//! Builds guests for the plugin host from fragments in `tests/guests`, without a toolchain.

use std::path::{Path, PathBuf};

use anyhow::Context;
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

/// The world a guest implements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// It only looks.
    Inspector,
    /// It changes sound or events.
    Transformer,
}

/// The component of the fragment `tests/guests/NAME.wat`.
///
/// # Errors
/// The fragment is missing, or no WebAssembly comes of it.
pub fn component(name: &str) -> anyhow::Result<Vec<u8>> {
    let module = core_module(name)?;
    let encoder = ComponentEncoder::default().validate(true).module(&module);
    encoder?.encode().with_context(|| format!("guest {name}"))
}

/// The core module of the fragment `tests/guests/NAME.wat`, with a `component-type` section.
///
/// # Errors
/// The fragment is missing, or no WebAssembly comes of it.
pub fn core_module(name: &str) -> anyhow::Result<Vec<u8>> {
    let path = folder().join(format!("{name}.wat"));
    let fragment = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    of_fragment(&fragment).with_context(|| format!("guest {name}"))
}

/// The same of a fragment's text.
///
/// # Errors
/// No WebAssembly comes of it.
pub fn of_fragment(fragment: &str) -> anyhow::Result<Vec<u8>> {
    let world = if fragment.contains("(func $inspect") {
        World::Inspector
    } else {
        World::Transformer
    };
    let mut module = wat::parse_str(source(fragment, world)?)?;
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit"))?;
    let world = resolve.select_world(&[package], Some(world.name()))?;
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    Ok(module)
}

/// The names of all fragments.
///
/// # Errors
/// The folder cannot be read.
pub fn names() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".wat").map(str::to_owned));
    }
    names.retain(|name| name != "base");
    names.sort();
    Ok(names)
}

impl World {
    fn name(self) -> &'static str {
        match self {
            Self::Inspector => "inspector",
            Self::Transformer => "transformer",
        }
    }

    fn frame_function(self) -> &'static str {
        match self {
            Self::Inspector => "inspect",
            Self::Transformer => "process",
        }
    }
}

fn source(fragment: &str, world: World) -> anyhow::Result<String> {
    let base = std::fs::read_to_string(folder().join("base.wat"))?;
    let missing = DEFAULTS.iter().filter(|(name, _)| {
        !fragment.contains(&format!("(func ${name} ")) && is_of_world(name, world)
    });
    let defaults: String = missing.map(|(_, source)| *source).collect();
    Ok(base
        .replace("{{world}}", world.name())
        .replace("{{frame}}", world.frame_function())
        .replace("{{guest}}", fragment)
        .replace("{{defaults}}", &defaults))
}

fn is_of_world(function: &str, world: World) -> bool {
    !["inspect", "process"].contains(&function) || function == world.frame_function()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guests")
}

/// What a guest does where its fragment says nothing else.
const DEFAULTS: &[(&str, &str)] = &[
    ("describe", "(func $describe (result i32) (i32.const 64))"),
    (
        "open",
        "(func $open (param i32) (result i32)
           (i32.store (i32.const 2052) (call $session (i32.const 1)))
           (call $forget)
           (i32.const 2048))",
    ),
    (
        "process",
        "(func $process (type $frame_call) (call $forget) (i32.const 1024))",
    ),
    (
        "inspect",
        "(func $inspect (type $frame_call) (call $forget) (i32.const 1024))",
    ),
    (
        "on_event",
        "(func $on_event (type $event_call) (call $forget) (i32.const 1024))",
    ),
    (
        "finish",
        "(func $finish (param i32) (result i32) (i32.const 1024))",
    ),
    (
        "realloc",
        "(func $realloc (param i32 i32 i32 i32) (result i32)
           (local $at i32)
           (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
           (global.set $heap (i32.add (local.get $at) (local.get 3)))
           (local.get $at))",
    ),
];
