use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The path itself, or the first with `-2`, `-3` … before its extension that is not taken. `None`
/// if 9,999 are.
pub fn vacant(path: &Path, is_taken: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    if !is_taken(path) {
        return Some(path.to_path_buf());
    }
    (2..=MAX_NUMBER)
        .map(|number| numbered(path, number))
        .find(|path| !is_taken(path))
}

/// The name a file has while it is recorded: `alice.ogg.part`.
pub fn spool(file: &Path) -> PathBuf {
    with_suffix(file, SPOOL_SUFFIX)
}

/// The name a recorded file gets when it is finished, `alice.ogg` for `alice.ogg.part`; `None` if
/// this is not the name of a file that is being recorded.
pub fn finished(spool: &Path) -> Option<PathBuf> {
    without_suffix(spool, SPOOL_SUFFIX)
}

/// The name of the manifest beside a file: `alice.ogg.json`.
pub fn manifest(file: &Path) -> PathBuf {
    with_suffix(file, MANIFEST_SUFFIX)
}

/// The file a manifest lies beside: `alice.ogg` for `alice.ogg.json`; `None` if this is not the name
/// of a manifest.
pub fn described(manifest: &Path) -> Option<PathBuf> {
    without_suffix(manifest, MANIFEST_SUFFIX)
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path.file_stem().unwrap_or_default());
    name.push(format!("-{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn without_suffix(path: &Path, suffix: &str) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?.strip_suffix(suffix)?;
    (!name.is_empty()).then(|| path.with_file_name(name))
}

const SPOOL_SUFFIX: &str = ".part";
const MANIFEST_SUFFIX: &str = ".json";
const MAX_NUMBER: u32 = 9_999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_gets_a_number_before_its_extension() {
        for (taken, expected) in [
            (&[][..], Some("a.b/alice.ogg")),
            (&["a.b/alice.ogg"], Some("a.b/alice-2.ogg")),
            (
                &["a.b/alice.ogg", "a.b/alice-2.ogg"],
                Some("a.b/alice-3.ogg"),
            ),
        ] {
            let is_taken = |path: &Path| taken.iter().any(|taken| Path::new(taken) == path);

            let found = vacant(Path::new("a.b/alice.ogg"), is_taken);

            assert_eq!(found.as_deref(), expected.map(Path::new));
        }
        assert_eq!(vacant(Path::new("alice.ogg"), |_| true), None);
    }

    #[test]
    fn spool_and_manifest_stand_beside_the_file() {
        let file = Path::new("a/alice.ogg");

        assert_eq!(spool(file), Path::new("a/alice.ogg.part"));
        assert_eq!(manifest(file), Path::new("a/alice.ogg.json"));
        assert_eq!(finished(&spool(file)).as_deref(), Some(file));
        assert_eq!(described(&manifest(file)).as_deref(), Some(file));
        assert_eq!(finished(file), None);
        assert_eq!(finished(Path::new("a/.part")), None);
    }
}
