//! What a plugin gets of a track, and what becomes of what it gives.

use trackmill::filter::wasm::Opener;
use trackmill::filter::{Change, Content, Emission, Item, Open, TrackEvent};
use trackmill::media::{AudioFormat, Marks, Pts, SampleRate};
use trackmill::plugins::{Digest, Limits, Metric};
use trackmill_tests::guest;

use super::{MONO, Run, STEREO, filter, with_settings};
use crate::plugins::{load, track};

#[test]
fn a_plugin_gets_its_samples_as_it_wants_them_and_changes_them() {
    for guest in ["gain", "gain_int16"] {
        let mut run = Run::new(vec![filter(guest)]);

        run.blocks(50);
        run.finish();

        assert_eq!(run.sound(), vec![0.25; 50 * 1_920], "{guest}");
        let counts = run.chain.accounts()[0].counts;
        assert_eq!(counts.changed, 50, "{guest}");
        let report = run.report();
        assert_eq!(report.digest, Digest::of(&guest::component(guest).unwrap()));
        assert_eq!(report.version, "1.2.3");
        assert_eq!(report.statistics.frames.count(), 50);
    }
}

#[test]
fn what_a_plugin_passes_goes_on_to_the_bit() {
    // Not one of these is an integer of 16 bits.
    let odd: Vec<f32> = (0..1_920_u16).map(|value| f32::from(value) / 1e7).collect();
    for guest in ["meta", "watcher"] {
        let mut run = Run::new(vec![filter(guest)]);

        run.block(odd.clone(), Marks::default());

        assert_eq!(run.sound(), odd, "{guest}");
    }
}

#[test]
fn a_plugin_is_told_where_each_frame_is_and_what_is_special_about_it() {
    let mut run = Run::new(vec![filter("meta")]);

    run.blocks(9);
    let marks = Marks {
        concealed: true,
        discontinuity: true,
        ..Marks::default()
    };
    run.block(vec![0.0; 1_920], marks);

    let frames = 0..10_u64;
    let told = run.report().metrics;
    let sum = |name: &str| told.get(name).copied();
    assert_eq!(sum("s"), Some(Metric::Counter(frames.clone().sum())));
    assert_eq!(
        sum("p"),
        Some(Metric::Counter(frames.map(|seq| seq * 20_000).sum()))
    );
    assert_eq!(sum("r"), Some(Metric::Counter(10)));
    assert_eq!(sum("l"), Some(Metric::Counter(0)));
    assert_eq!(sum("m"), Some(Metric::Counter(0b101)));
}

#[test]
fn what_a_plugin_says_comes_out_behind_the_frame_it_saw() {
    let mut run = Run::new(vec![filter("speaker")]);

    run.blocks(2);

    let topic = || "guest".to_owned();
    let json = || r#"{"a":1}"#.to_owned();
    let said = [
        Content::Text {
            topic: topic(),
            text: json(),
        },
        Content::Binary {
            topic: topic(),
            data: vec![0xff, 0].into(),
        },
        Content::Mark {
            name: topic(),
            at: Pts(24),
            length: Some(48_000),
            json: json(),
        },
        Content::Mark {
            name: topic(),
            at: Pts(960),
            length: None,
            json: String::new(),
        },
    ];
    // The log line is not among them.
    let second: Vec<_> = run.items.iter().skip(5).collect();
    assert_eq!(second.len(), 5);
    assert!(matches!(second[0], Item::Block(_)));
    for (item, content) in second.iter().skip(1).zip(said) {
        let expected = Item::Emission {
            filter: "guest".into(),
            emission: Emission {
                pts: Pts(960),
                content,
            },
        };
        assert_eq!(**item, expected);
    }
}

#[test]
fn look_ahead_shifts_nothing_and_is_drained_at_the_end() {
    let mut run = Run::of(vec![filter("delay")], MONO);
    let tone: Vec<f32> = (0..9_600_u16).map(|value| f32::from(value) / 1e5).collect();

    for block in tone.chunks(960) {
        run.block(block.to_vec(), Marks::default());
    }
    run.finish();

    assert_eq!(run.sound(), tone);
}

/// P4: a plugin that says nothing of its rate never gets one that the contract does not have.
#[test]
fn p4_a_rate_that_the_contract_does_not_have_is_converted() {
    let rate = SampleRate::HZ_44100;
    let mut run = Run::of(
        vec![filter("gain")],
        AudioFormat::new(rate, STEREO.channels),
    );

    for _ in 0..20 {
        run.block(vec![0.5; 2 * 882], Marks::default());
    }
    run.finish();

    let sound = run.sound();
    assert_eq!(sound.len(), 20 * 2 * 882);
    let middle = &sound[10_000..20_000];
    assert!(middle.iter().all(|sample| (sample - 0.25).abs() < 1e-3));
    assert!(run.switches().is_empty(), "{:?}", run.switches());
}

#[test]
fn settings_that_a_plugin_refuses_are_final() {
    let mut run = Run::new(vec![with_settings("errors", r#"{"guest":true}"#)]);

    run.blocks(500);

    let switches = run.switches();
    assert!(
        matches!(&switches[..], [(0, Change::GivenUp, reason)] if reason.ends_with("settings: guest")),
        "{switches:?}"
    );
}

#[test]
fn errors_that_a_plugin_returns_keep_their_severity() {
    let mut run = Run::new(vec![filter("errors")]);

    run.blocks(2);
    run.chain.event(Pts(run.next), TrackEvent::Muted, run.now);
    run.collect();
    run.blocks(1);

    let counts = run.chain.accounts()[0].counts;
    assert_eq!((counts.transient, counts.fatal), (2, 1), "{counts:?}");
    let switches = run.switches();
    assert!(
        matches!(
            &switches[..],
            [(2, Change::Bypassed, "the filter failed: guest")]
        ),
        "{switches:?}"
    );
}

/// P6: what comes back with the wrong length, or is no number, is silence, and the plugin goes on.
#[test]
fn p6_bad_output_is_silence_and_is_counted() {
    for guest in ["wrong_length", "not_a_number"] {
        let mut run = Run::new(vec![filter(guest)]);

        run.blocks(5);

        assert_eq!(run.levels(), [0.0; 5], "{guest}");
        assert_eq!(run.report().statistics.bad_outputs, 5, "{guest}");
        assert!(run.switches().is_empty(), "{guest}");
    }
}

/// Settings may hold secrets.
#[test]
fn what_is_printed_of_a_filter_does_not_show_its_settings() {
    let settings = r#"{"api_key":"hunter2"}"#;

    let opener = Opener::new(load("gain"), settings.into(), Limits::default(), track());

    let printed = format!("{opener:?}");
    assert!(!printed.contains("hunter2"), "{printed}");
    assert_eq!(opener.name(), "guest");
}
