//! The files of `host/src`, without what does not ship.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One file that ships.
#[derive(Debug)]
pub(super) struct Source {
    /// Below `host/src`, with slashes.
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    /// The folder below `host/src`, or the file's own name if it lies in none.
    pub(super) fn folder(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.trim_end_matches(".rs")
    }

    pub(super) fn is_mod(&self) -> bool {
        self.path.ends_with("/mod.rs")
    }

    /// Lines before the tests at the bottom.
    pub(super) fn shipped(&self) -> impl Iterator<Item = &str> {
        let mut lines = self.text.lines().peekable();
        std::iter::from_fn(move || {
            let line = lines.next()?;
            let is_test_module = line == "#[cfg(test)]"
                && lines
                    .peek()
                    .is_some_and(|next| next.starts_with("mod ") && next.ends_with('{'));
            (!is_test_module).then_some(line)
        })
    }

    /// Shipped lines that are neither blank nor comment, with their numbers.
    pub(super) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.shipped().enumerate();
        lines
            .map(|(index, line)| (index + 1, without_comment(line)))
            .filter(|(_, line)| !line.trim().is_empty())
    }

    /// The top-level modules of the crate that it names.
    pub(super) fn imports(&self) -> BTreeSet<String> {
        let text: String = self.code().map(|(_, line)| format!("{line}\n")).collect();
        let mut imports = BTreeSet::new();
        for behind in text.split("crate::").skip(1) {
            match behind.strip_prefix('{') {
                Some(group) => imports.extend(heads(group)),
                None => imports.extend(identifier(behind)),
            }
        }
        imports
    }

    /// Whether it names something outside of its folder by a path that begins with `super`.
    pub(super) fn reaches_over_its_folder(&self) -> bool {
        let components = self.path.split('/').count();
        let levels = if self.is_mod() {
            components - 1
        } else {
            components
        };
        let path = "super::".repeat(levels.max(1));
        self.code()
            .any(|(_, line)| line.contains(&path) && !line.contains("pub(in super"))
    }
}

/// All files that ship.
pub(super) fn sources() -> impl Iterator<Item = Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/src");
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        let files = read_folder(&folder);
        let tests: BTreeSet<String> = files.iter().flat_map(|file| test_modules(file)).collect();
        for path in files {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            if tests.contains(&*name) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let below = path.strip_prefix(&root).expect("it lies below the root");
            sources.push(Source {
                path: below.to_string_lossy().replace('\\', "/"),
                text: fs::read_to_string(&path).expect("a source file is text"),
            });
        }
    }
    assert!(sources.len() > 50, "the sources are in {}", root.display());
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources.into_iter()
}

fn read_folder(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is readable");
    entries
        .map(|entry| entry.expect("the folder is readable").path())
        .collect()
}

/// Modules in files of their own that are compiled for tests only.
fn test_modules(file: &Path) -> Vec<String> {
    let text = if file.is_file() {
        fs::read_to_string(file).unwrap_or_default()
    } else {
        String::new()
    };
    let mut modules = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]"
            && let Some(declaration) = lines.next()
            && let Some((_, name)) = declaration.trim_end_matches(';').rsplit_once("mod ")
        {
            modules.push(name.to_owned());
        }
    }
    modules
}

fn without_comment(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

/// `a` and `c` of `a::b, c}`.
fn heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut wants_head = true;
    for (index, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => wants_head = true,
            _ if wants_head && !character.is_whitespace() => {
                heads.extend(group.get(index..).and_then(identifier));
                wants_head = false;
            }
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> Option<String> {
    let name: String = text
        .chars()
        .take_while(|character| character.is_alphanumeric() || *character == '_')
        .collect();
    (!name.is_empty()).then_some(name)
}

#[test]
fn imports_are_found_in_groups_and_on_their_own() {
    let source = Source {
        path: "a/b.rs".into(),
        text: "use crate::{x::{y, z}, w};\n// crate::no\nfn f() { crate::v::g() }\n#[cfg(test)]\nmod tests {\n crate::no\n}\n".into(),
    };

    assert_eq!(
        source.imports().into_iter().collect::<Vec<_>>(),
        ["v", "w", "x"]
    );
}
