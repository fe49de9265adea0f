//! What a plugin costs beside its own work: an item is 20 ms of one track.
//!
//! The examples are built by `trackmill plugin build`, with the flags that `trackmill plugin new` writes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use trackmill::filter::wasm::Opener;
use trackmill::filter::{Chain, Gaps, OnError, Restart, Setup};
use trackmill::media::{AudioBlock, AudioFormat, Channels, Marks, Pts, SampleRate};
use trackmill::plugins::contract::{
    AudioFrame, FrameMarks, FrameMeta, PcmFormat, SampleFormat, Samples, TrackInfo, TrackKind,
    TrackSource,
};
use trackmill::plugins::{Engine, EngineSettings, Instance, Limits, Opening, Plugin};

/// The call alone: samples to the guest, its work, samples back and checked.
#[divan::bench(args = [("gain", 1), ("gain", 2), ("denoise", 1)])]
fn plugin_call(bencher: Bencher<'_, '_>, (name, channels): (&str, usize)) {
    let (plugin, now) = (plugin(name), now());
    let format = format(channels);
    // What the plugin wants: RNNoise knows nothing but 10 ms.
    let length = plugin.declaration().wants.frame_samples.unwrap_or(960);
    bencher
        .counter(ItemsCount::new(FRAMES))
        .with_inputs(|| open(&plugin, format, length, now))
        .bench_local_values(|mut instance| {
            for number in 0..FRAMES as u64 * 960 / u64::from(length) {
                let mut frame = frame(format, length, number);
                let verdict = instance.process(&mut frame, now);
                black_box(verdict.expect("a plugin that works"));
            }
            instance
        });
}

/// The same in a chain: with what it takes to bring the sound into the form that the plugin wants, and
/// back to its place.
#[divan::bench(args = [("gain", 1), ("gain", 2), ("denoise", 1)])]
fn plugin_in_a_chain(bencher: Bencher<'_, '_>, (name, channels): (&str, usize)) {
    let (plugin, now) = (plugin(name), now());
    let format = format(channels);
    bencher
        .counter(ItemsCount::new(FRAMES))
        .with_inputs(|| chain(&plugin, format))
        .bench_local_values(|mut chain| {
            for number in 0..FRAMES as u64 {
                let mut block = AudioBlock::silence(format, Pts(number * 960), 960);
                block.marks = Marks::default();
                block.samples.fill(0.25);
                chain.process(block, now);
                while let Some(item) = chain.poll() {
                    black_box(item);
                }
            }
            chain
        });
}

fn open(plugin: &Plugin, format: AudioFormat, length: u32, now: Instant) -> Instance {
    let opening = Opening {
        track: track(),
        format: Some(PcmFormat {
            sample_rate: format.rate.get(),
            channels: u8::try_from(format.channels.count()).expect("one or two"),
            sample_format: SampleFormat::Float32,
            frame_samples: length,
        }),
        settings: settings(plugin),
        limits: &limits(),
        now,
    };
    plugin.open(opening).expect("a plugin that opens")
}

fn frame(format: AudioFormat, length: u32, number: u64) -> AudioFrame {
    AudioFrame {
        meta: FrameMeta {
            seq: number,
            pts_us: number * u64::from(length) * 1_000 / 48,
            rtp_timestamp: None,
            lost_before: 0,
            marks: FrameMarks::empty(),
        },
        samples: Samples::Float32(vec![0.25; format.values(length as usize)]),
    }
}

fn chain(plugin: &Plugin, format: AudioFormat) -> Chain {
    let settings = settings(plugin).to_owned();
    let setup = Setup {
        open: Box::new(Opener::new(plugin.clone(), settings, limits(), track())),
        on_error: OnError::default(),
        restart: Restart::default(),
        changes: None,
    };
    Chain::new(vec![setup], format, Gaps::Silent)
}

/// The plugin of an example.
fn plugin(name: &str) -> Plugin {
    static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
        let program = env!("CARGO_BIN_EXE_trackmill").into();
        Engine::new(&EngineSettings::new(program)).expect("an engine")
    });
    let component = std::fs::read(build(name)).expect("a component");
    ENGINE.load(&component, &limits()).expect("a plugin")
}

fn build(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples")
        .join(name);
    // Beside the folder of this build, with the settings of a new plugin.
    let program = Path::new(env!("CARGO_BIN_EXE_trackmill"));
    let target = program
        .ancestors()
        .nth(2)
        .expect("target/release/trackmill");
    let status = Command::new(program)
        .args(["plugin", "build"])
        .arg(&folder)
        .env("CARGO_TARGET_DIR", target.join("guests"))
        .env(
            "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS",
            "-Ctarget-feature=+simd128",
        )
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_RELEASE_LTO", "fat")
        .stdout(Stdio::null())
        .status();
    assert!(status.is_ok_and(|status| status.success()), "{name} builds");
    folder.join(name).with_extension("wasm")
}

/// Those that an example demands; `denoise` has none and would refuse any.
fn settings(plugin: &Plugin) -> &'static str {
    match plugin.declaration().name.as_str() {
        "gain" => r#"{"gain_db": -6.0}"#,
        _ => "{}",
    }
}

/// Nothing is measured but the work.
fn limits() -> Limits {
    Limits {
        call_deadline: Duration::from_secs(1),
        cpu_share: Duration::from_secs(1_000),
        ..Limits::default()
    }
}

fn format(channels: usize) -> AudioFormat {
    let channels = Channels::new(channels).expect("one or two");
    AudioFormat::new(SampleRate::HZ_48000, channels)
}

fn track() -> TrackInfo {
    TrackInfo {
        room_name: "room".into(),
        room_sid: "RM_bench".into(),
        participant_identity: "publisher".into(),
        participant_name: "Publisher".into(),
        participant_attributes: Vec::new(),
        track_sid: "TR_bench".into(),
        track_name: "microphone".into(),
        kind: TrackKind::Audio,
        source: TrackSource::Microphone,
        mime_type: "audio/opus".into(),
    }
}

#[expect(clippy::disallowed_methods, reason = "CPU shares are boundless here")]
fn now() -> Instant {
    Instant::now()
}

/// Frames of an iteration, which is a second.
const FRAMES: usize = 50;
