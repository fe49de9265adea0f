//! The files of a new plugin, by language.

use super::{Args, File, Language, sample, sdk};
use crate::command::plugin::contract;

pub(super) fn files(args: &Args) -> Vec<File> {
    let mut files = match args.lang {
        Language::Rust => rust(args),
        Language::C => c(args),
        Language::Js => javascript(args),
    };
    files.push(File::new("sample.wav", sample::wav()));
    files.push(File::new("config.json", config(args)));
    files
}

fn rust(args: &Args) -> Vec<File> {
    let source = if args.inspector {
        include_str!("../template/rust/inspector.rs")
    } else {
        include_str!("../template/rust/transformer.rs")
    };
    let manifest = include_str!("../template/rust/manifest.toml")
        .replace("{{sdk}}", &sdk::dependency(args.sdk.as_ref()));
    let mut files = vec![
        File::new("Cargo.toml", named(args, &manifest)),
        File::new(
            ".cargo/config.toml",
            include_str!("../template/rust/cargo.toml"),
        ),
        File::new("src/lib.rs", named(args, source)),
        File::new(
            "README.md",
            named(args, include_str!("../template/rust/README.md")),
        ),
        File::new(".gitignore", "/target\n/*.wasm\n"),
    ];
    if args.sdk.is_none() {
        files.extend(sdk::carried());
    }
    files
}

fn c(args: &Args) -> Vec<File> {
    let source = if args.inspector {
        include_str!("../template/c/inspector.c").to_owned()
    } else {
        include_str!("../../../../../examples/c/plugin.c").replace(r#""rumble""#, r#""{{name}}""#)
    };
    vec![
        File::new("plugin.c", named(args, &source)),
        File::new(
            "README.md",
            named(args, include_str!("../template/c/README.md")),
        ),
        File::new(".gitignore", "/bindings\n/*.wasm\n"),
    ]
}

fn javascript(args: &Args) -> Vec<File> {
    let (world, source) = if args.inspector {
        (
            "inspector",
            include_str!("../template/js/inspector.js").to_owned(),
        )
    } else {
        let source = include_str!("../../../../../examples/js/plugin.js");
        (
            "transformer",
            source.replace(r#""gain-js""#, r#""{{name}}""#),
        )
    };
    let package = include_str!("../template/js/package.json").replace("{{world}}", world);
    let mut files = vec![
        File::new("plugin.js", named(args, &source)),
        File::new("package.json", named(args, &package)),
        File::new(
            "README.md",
            named(args, include_str!("../template/js/README.md")),
        ),
        File::new(".gitignore", "/node_modules\n/*.wasm\n"),
    ];
    let contract = contract::FILES.iter();
    files.extend(contract.map(|(name, text)| File::new(format!("wit/{name}"), *text)));
    files
}

/// Settings that fit the source.
fn config(args: &Args) -> &'static str {
    match (args.lang, args.inspector) {
        (Language::C, _) => "{}\n",
        (_, true) => "{ \"loud_dbfs\": -12.0 }\n",
        (_, false) => "{ \"gain_db\": -6.0 }\n",
    }
}

fn named(args: &Args, text: &str) -> String {
    text.replace("{{name}}", args.name())
}
