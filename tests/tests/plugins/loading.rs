//! What is no plugin, and what the error says.

use trackmill::plugins::{Limits, LoadError, ScanError, Wasi, scan};
use trackmill_tests::guest;

use crate::plugins::engine;

#[test]
fn what_is_no_plugin_is_refused_with_the_cause_and_the_remedy() {
    let gain = guest::component("gain").unwrap();
    let truncated = gain[..gain.len() / 2].to_vec();
    for (bytes, reason) in [
        (vec![], "the file is empty"),
        (b"#!/bin/sh".to_vec(), "not a WebAssembly file"),
        (
            b"\x7fELF\x02\x01\x01".to_vec(),
            "compiled code is never taken",
        ),
        (truncated, "malformed WebAssembly"),
        (
            vec![0; 100 << 20],
            "bytes: 104857600, and the limit is 8388608",
        ),
        (wat("(module)"), "trackmill plugin build"),
        (
            wat("(component (core module (memory 1) (memory 1)))"),
            "memories of one module: 2, and the limit is 1",
        ),
        (wat("(component)"), "it exports: nothing"),
        (
            exporting("wasi:cli/run@0.2.0"),
            "it exports: wasi:cli/run@0.2.0",
        ),
        (
            exporting("trackmill:plugin/plugin@0.2.0"),
            "built for trackmill:plugin@0.2.0, and this host knows 0.1.0",
        ),
        (
            importing("wasi:http/outgoing-handler@0.2.0"),
            "imports `wasi:http/outgoing-handler@0.2.0`, and no plugin gets a network",
        ),
        (
            importing("wasi:sockets/tcp@0.2.0"),
            "no plugin gets a network",
        ),
        (
            importing("wasi:keyvalue/store@0.2.0"),
            "which no plugin gets",
        ),
        (
            importing("acme:secrets/vault"),
            "imports `acme:secrets/vault`",
        ),
    ] {
        let error = engine().load(&bytes, &Limits::default()).unwrap_err();

        assert!(matches!(error, LoadError::Refused(_)), "{reason}: {error}");
        assert!(error.to_string().contains(reason), "{reason}: {error}");
    }
}

#[test]
fn wasi_is_refused_by_name_where_it_is_denied() {
    let limits = Limits {
        wasi: Wasi::Deny,
        ..Limits::default()
    };

    let refused = engine()
        .load(&importing("wasi:cli/stdout@0.2.3"), &limits)
        .unwrap_err();
    let allowed = engine().load(&importing("wasi:cli/stdout@0.2.3"), &Limits::default());

    assert!(
        refused
            .to_string()
            .contains("`wasi:cli/stdout@0.2.3`, and `wasi: deny`"),
        "{refused}"
    );
    // It passes that check, and fails for want of a world.
    let LoadError::Refused(ScanError::World { .. }) = allowed.unwrap_err() else {
        panic!("another error")
    };
}

#[test]
fn bytes_that_are_cut_or_changed_never_panic() {
    let gain = guest::component("gain").unwrap();
    let whole = scan(&gain, &Limits::default()).unwrap();

    for end in 0..gain.len() {
        // Nothing is missed but the names at its end.
        if let Ok(cut) = scan(&gain[..end], &Limits::default()) {
            assert_eq!(cut, whole, "{end}");
        }
    }
    let changed = (0..gain.len()).filter(|at| {
        let mut bytes = gain.clone();
        bytes[*at] ^= 0x80;
        scan(&bytes, &Limits::default()).is_err()
    });
    assert!(changed.count() > 0);
}

fn importing(name: &str) -> Vec<u8> {
    wat(&format!("(component (import \"{name}\" (instance)))"))
}

fn exporting(name: &str) -> Vec<u8> {
    wat(&format!(
        "(component (instance $i) (export \"{name}\" (instance $i)))"
    ))
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("WebAssembly text")
}
