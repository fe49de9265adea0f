//! Texts that are kept in `tests/golden/`, because a change of them is a change for users.

use std::fs;
use std::path::Path;

/// Compares `actual` with the golden file of this name. Where they differ, the file is rewritten
/// and the test fails: look at the change with `git diff`, and commit it if it is meant.
///
/// # Panics
/// They differ.
pub fn check(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("golden")
        .join(name);
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if actual == expected {
        return;
    }
    fs::write(&path, actual).expect("the golden file is writable");
    panic!(
        "{} was out of date and is rewritten: look at `git diff`",
        path.display()
    );
}
