//! Where a plugin in Rust has the SDK from.

use std::path::{Path, PathBuf};

use super::File;
use crate::command::plugin::contract;

/// Where the SDK comes from, if it is not the one inside this binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sdk {
    /// A folder of this machine.
    Path(PathBuf),
    /// A version of the package registry.
    Version(String),
}

/// A version starts with a digit; anything else is a folder, which must hold the crate.
pub(super) fn parse(text: &str) -> Result<Sdk, String> {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return Ok(Sdk::Version(text.to_owned()));
    }
    let path = Path::new(text);
    if !path.join("Cargo.toml").is_file() {
        return Err(
            "neither a version nor a folder with the Cargo.toml of trackmill-plugin".into(),
        );
    }
    path.canonicalize()
        .map(Sdk::Path)
        .map_err(|error| error.to_string())
}

/// What stands behind `trackmill-plugin =` in Cargo.toml.
pub(super) fn dependency(sdk: Option<&Sdk>) -> String {
    match sdk {
        None => r#"{ path = "sdk" }"#.to_owned(),
        Some(Sdk::Path(path)) => format!("{{ path = {:?} }}", path.display().to_string()),
        Some(Sdk::Version(version)) => format!("{version:?}"),
    }
}

/// The SDK that this binary carries.
pub(super) fn carried() -> impl Iterator<Item = File> {
    let manifest = MANIFEST.replace("{{version}}", env!("CARGO_PKG_VERSION"));
    let contract = contract::FILES
        .iter()
        .map(|(name, text)| File::new(Path::new("sdk/wit").join(name), *text));
    let sources = SOURCES
        .iter()
        .map(|(path, text)| File::new(Path::new("sdk").join(path), *text));
    sources
        .chain(contract)
        .chain([File::new("sdk/Cargo.toml", manifest)])
}

/// As that of guest-sdk, which leaves versions to the workspace.
const MANIFEST: &str = include_str!("../template/sdk.toml");

macro_rules! sources {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../../guest-sdk/", $path)))),*]
    };
}

/// All files of guest-sdk but its manifest and the contract.
const SOURCES: &[(&str, &str)] = sources![
    "example.rs",
    "src/bindings.rs",
    "src/config.rs",
    "src/error.rs",
    "src/events.rs",
    "src/export/component.rs",
    "src/export/convert.rs",
    "src/export/mod.rs",
    "src/export/session.rs",
    "src/frame.rs",
    "src/host.rs",
    "src/imports.rs",
    "src/lib.rs",
    "src/metrics.rs",
    "src/prelude.rs",
    "src/testing/double.rs",
    "src/testing/mod.rs",
    "src/testing/sound.rs",
    "src/track.rs",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    #[test]
    fn the_sdk_is_carried_whole() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk");
        let mut expected = BTreeSet::new();
        collect(&root, Path::new(""), &mut expected);

        let carried = carried().map(|file| file.path.strip_prefix("sdk").unwrap().to_owned());

        let carried: BTreeSet<_> = carried.collect();
        let missing: Vec<_> = expected.symmetric_difference(&carried).collect();
        assert_eq!(missing, [Path::new("wit/README.md")]);
    }

    fn collect(root: &Path, below: &Path, found: &mut BTreeSet<PathBuf>) {
        for entry in fs::read_dir(root.join(below)).unwrap() {
            let path = below.join(entry.unwrap().file_name());
            if root.join(&path).is_dir() {
                collect(root, &path, found);
            } else {
                found.insert(path);
            }
        }
    }
}
