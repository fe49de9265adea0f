//! The corpus of every fuzz target, run once more: what was found once stays fixed.

use std::fs;

use trackmill_tests::fuzz::{TARGETS, directory};

#[test]
fn every_input_of_every_corpus_is_harmless() -> anyhow::Result<()> {
    for target in TARGETS {
        for (path, input) in target.corpus()? {
            // Cargo shows this beside a panic only.
            println!("{}", path.display());
            (target.run)(&input);
        }
    }
    Ok(())
}

#[test]
fn every_corpus_is_that_of_a_target() -> anyhow::Result<()> {
    for entry in fs::read_dir(directory().join("corpus"))? {
        let name = entry?.file_name();
        let is_known = TARGETS.iter().any(|target| *target.name == *name);
        assert!(is_known, "nothing runs {}", name.display());
    }
    Ok(())
}
