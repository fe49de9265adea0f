//! The plugin host, with guests that behave and guests that do not.

mod cache;
mod calls;
mod hostile;
mod loading;
mod neighbours;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use trackmill::plugins::contract::{
    AudioFrame, FrameMarks, FrameMeta, PcmFormat, SampleFormat, Samples, TrackInfo, TrackKind,
    TrackSource,
};
use trackmill::plugins::{
    Emission, Engine, EngineSettings, Instance, Limits, LoadError, Opening, Plugin, PluginError,
};
use trackmill_tests::{guest, recorder};

/// One engine for all tests, as in a process that records.
fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let program = recorder::binary().expect("the binary under test");
        let mut settings = EngineSettings::new(program.to_owned());
        // Virtual time runs faster than the clock.
        settings.plugin_share = Duration::from_secs(1_000);
        Engine::new(&settings).expect("an engine")
    })
}

pub(crate) fn load(guest: &str) -> Plugin {
    try_load(guest).expect("a guest that loads")
}

fn try_load(guest: &str) -> Result<Plugin, LoadError> {
    engine().load(&component(guest), &Limits::default())
}

fn component(guest: &str) -> Vec<u8> {
    guest::component(guest).expect("a guest of tests/guests")
}

fn open(plugin: &Plugin) -> Instance {
    try_open(plugin, "", &Limits::default()).expect("a guest that opens")
}

fn open_with(plugin: &Plugin, limits: &Limits) -> Instance {
    try_open(plugin, "", limits).expect("a guest that opens")
}

fn try_open(plugin: &Plugin, settings: &str, limits: &Limits) -> Result<Instance, PluginError> {
    plugin.open(Opening {
        track: track(),
        format: Some(FORMAT),
        settings,
        limits,
        now: start(),
    })
}

/// A frame of 20 ms, stereo; every sample is 0.5.
fn frame(number: u32) -> AudioFrame {
    AudioFrame {
        meta: FrameMeta {
            seq: number.into(),
            pts_us: u64::from(number) * 20_000,
            rtp_timestamp: None,
            lost_before: 0,
            marks: FrameMarks::empty(),
        },
        samples: Samples::Float32(vec![0.5; 1_920]),
    }
}

/// When that frame is handed over.
fn time(frame: u32) -> Instant {
    start() + Duration::from_millis(20) * frame
}

#[expect(
    clippy::disallowed_methods,
    reason = "one instant for all tests, from which virtual time is counted"
)]
pub(crate) fn start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

fn emissions(instance: &mut Instance) -> Vec<Emission> {
    std::iter::from_fn(|| instance.poll_emission()).collect()
}

pub(crate) fn track() -> TrackInfo {
    TrackInfo {
        room_name: "room".to_owned(),
        room_sid: "RM_1".to_owned(),
        participant_identity: "alice".to_owned(),
        participant_name: "Alice".to_owned(),
        participant_attributes: vec![("language".to_owned(), "de".to_owned())],
        track_sid: "TR_1".to_owned(),
        track_name: "voice".to_owned(),
        kind: TrackKind::Audio,
        source: TrackSource::Microphone,
        mime_type: "audio/opus".to_owned(),
    }
}

const FORMAT: PcmFormat = PcmFormat {
    sample_rate: 48_000,
    channels: 2,
    sample_format: SampleFormat::Float32,
    frame_samples: 960,
};
