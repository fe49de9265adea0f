//! What of WebAssembly no plugin may use: it would cost memory, or hide work from deadlines (plugins.md §4).

use trackmill::plugins::Limits;
use trackmill_tests::guest;

use crate::plugins::engine;

#[test]
fn proposals_that_are_off_are_refused_and_simd_is_not() {
    for (fragment, reason) in [
        (
            "(func $threads (drop (i32.atomic.load (i32.const 0))))",
            "threads",
        ),
        ("(table $long i64 1 funcref)", "memory64"),
        ("(memory $second 1)", "memories of one module: 2"),
        ("(tag $exception)", "exception"),
        ("(func $tail (result i32) (return_call $tail))", "tail call"),
        ("(type $object (struct (field i32)))", "gc"),
    ] {
        let module = guest::of_fragment(fragment).unwrap();

        let error = engine().load(&module, &Limits::default()).unwrap_err();

        let text = error.to_string().to_lowercase();
        assert!(text.contains(reason), "{fragment}: {error}");
    }
    let simd = "(func $simd (drop (i32x4.splat (i32.const 1))))";
    let module = guest::of_fragment(simd).unwrap();
    assert!(engine().load(&module, &Limits::default()).is_ok());
}
