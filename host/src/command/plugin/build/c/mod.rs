//! C: bindings by wit-bindgen, a module by clang, a component by wit-component. No C library is needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use wit_bindgen_core::Files;
use wit_component::ComponentEncoder;

use super::{output, tool};
use crate::command::plugin::contract;

pub(super) fn build(folder: &Path, clang: &Path) -> anyhow::Result<PathBuf> {
    let world = world(folder)?;
    write_bindings(folder, world)?;
    compile(folder, world, clang)?;
    let output = output(folder)?;
    let module = fs::read(folder.join(MODULE))?;
    fs::write(&output, encode(&module)?).with_context(|| output.display().to_string())?;
    Ok(output)
}

/// The header a plugin includes says which world it is.
fn world(folder: &Path) -> anyhow::Result<&'static str> {
    let source = fs::read_to_string(folder.join(SOURCE)).context(SOURCE)?;
    let world = ["inspector", "transformer"]
        .into_iter()
        .find(|world| source.contains(&format!("{world}.h\"")));
    world.with_context(|| {
        format!("{SOURCE} includes neither \"bindings/inspector.h\" nor \"bindings/transformer.h\"")
    })
}

fn write_bindings(folder: &Path, world: &str) -> anyhow::Result<()> {
    let bindings = folder.join(BINDINGS);
    fs::create_dir_all(&bindings).with_context(|| bindings.display().to_string())?;
    for (name, contents) in generate(world)?.iter() {
        fs::write(bindings.join(name), contents)?;
    }
    for (name, contents) in LIBRARY {
        fs::write(bindings.join(name), contents)?;
    }
    Ok(())
}

fn generate(world: &str) -> anyhow::Result<Files> {
    let (mut resolve, world) = contract::world(world)?;
    let mut files = Files::default();
    let mut generator = wit_bindgen_c::Opts::default().build();
    generator.generate(&mut resolve, world, &mut files)?;
    Ok(files)
}

fn compile(folder: &Path, world: &str, clang: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(clang);
    command.args(FLAGS).args(["-o", MODULE, SOURCE]);
    for file in [
        &*format!("{world}.c"),
        &format!("{world}_component_type.o"),
        "libc.c",
    ] {
        command.arg(Path::new(BINDINGS).join(file));
    }
    tool(&mut command, folder, INSTALL_CLANG)
}

fn encode(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    ComponentEncoder::default()
        .module(module)
        .and_then(|encoder| encoder.validate(true).encode())
        .context("the module of clang is no plugin")
}

const SOURCE: &str = "plugin.c";
const BINDINGS: &str = "bindings";
const MODULE: &str = "bindings/module.wasm";
const FLAGS: &[&str] = &[
    "--target=wasm32",
    "-ffreestanding",
    "-nostdlib",
    "-O2",
    "-mbulk-memory",
    "-msimd128",
    "-Wall",
    "-Ibindings",
    "-Wl,--no-entry",
    "-Wl,--strip-all",
];
const LIBRARY: &[(&str, &str)] = &[
    ("libc.c", include_str!("libc.c")),
    ("stdlib.h", include_str!("stdlib.h")),
    ("string.h", include_str!("string.h")),
];
const INSTALL_CLANG: &str = "install clang and lld (Debian: apt install clang lld; macOS: brew install \
                             llvm lld), or name it by --clang";
