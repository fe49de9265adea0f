//! `trackmill plugin bench`: figures that a build without optimisation can prove. How quick a plugin is
//! stands in `host/docs/performance.md`.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;
use trackmill_tests::plugin_command::{self, Said};
use trackmill_tests::{guest, guests};

#[test]
fn fuel_is_the_same_each_time_and_grows_with_the_work() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("gain.json"), r#"{"gain_db": -6.0}"#).unwrap();
    let gain = guests::rust("gain");
    let fuel = |channels| {
        let options = ["--config", "gain.json", "--channels", channels];
        let report = report(
            &folder,
            &[&[gain.to_str().unwrap()], &options[..], QUICK].concat(),
        );
        report["plugin"]["fuel"].as_u64().unwrap()
    };

    let (mono, again, stereo) = (fuel("1"), fuel("1"), fuel("2"));

    assert_eq!(mono, again);
    // A sample is at least an instruction, four at a time.
    assert!(mono > 960 / 4 && stereo > mono * 3 / 2, "{mono} {stereo}");
}

#[test]
fn two_plugins_are_compared() {
    let folder = TempDir::new().unwrap();
    for name in ["gain", "hog"] {
        let component = guest::component(name).unwrap();
        fs::write(folder.path().join(format!("{name}.wasm")), component).unwrap();
    }
    let quick = [&["gain.wasm", "--compare", "hog.wasm"], QUICK].concat();

    let report = report(&folder, &quick);
    let text = bench(&folder, &quick).stdout;

    let [gain, hog] = ["plugin", "compared"].map(|key| &report[key]);
    for costs in [gain, hog] {
        assert_eq!(costs["frames"], 51);
        let [p50, p99, max] = ["p50", "p99", "max"].map(|key| costs["frame_ns"][key].as_f64());
        assert!(p50 > Some(0.0) && p50 <= p99 && p99 <= max, "{costs}");
        assert!(costs["tracks_a_core"].as_f64() > Some(0.0), "{costs}");
        // Two pages, and the small tables that encoding adds.
        let reserved = costs["memory"]["reserved"].as_u64().unwrap();
        assert!((131_072..132_096).contains(&reserved), "{costs}");
    }
    // A page of the system at least, and no more than the two of the guest.
    let resident = gain["memory"]["resident"].as_u64().unwrap();
    assert!((4_096..=131_072).contains(&resident), "{gain}");
    let loops = hog["fuel"].as_f64().unwrap() / gain["fuel"].as_f64().unwrap();
    assert!(loops > 1_000.0, "{report}");
    let ratio = report["ratios"]["fuel a frame"].as_f64().unwrap();
    assert!((ratio / loops - 1.0).abs() < 1e-9, "{report}");
    assert!(
        text.contains("fuel a frame") && text.contains("tracks a core"),
        "{text}"
    );
}

#[test]
fn a_plugin_that_fails_cannot_be_measured() {
    let folder = TempDir::new().unwrap();
    let component = guest::component("panic_in_process").unwrap();
    fs::write(folder.path().join("bad.wasm"), component).unwrap();

    let said = bench(&folder, &[&["bad.wasm"], QUICK].concat());

    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.stderr.starts_with("error: not all of 8 instances"),
        "{said:?}"
    );
}

fn report(folder: &TempDir, arguments: &[&str]) -> Value {
    let said = bench(folder, &[arguments, &["--json"]].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
    serde_json::from_str(&said.stdout).expect("JSON")
}

fn bench(folder: &TempDir, arguments: &[&str]) -> Said {
    let arguments = [&["bench"], arguments].concat();
    plugin_command::run(folder.path(), arguments).expect("a binary that runs")
}

const QUICK: &[&str] = &["--seconds", "1", "--instances", "4"];
