//! One interface for both traits, so that the calling convention and the tests know only one.

use crate::{
    EventVerdict, Format, Frame, Inspector, Result, Track, TrackEvent, TrackKind, Transformer,
    Verdict, Wants, config,
};

/// A plugin on one track, whether it transforms or inspects.
pub trait Session: Sized + 'static {
    /// The PCM it would rather have.
    const WANTS: Wants;
    /// The tracks it can be attached to.
    const KINDS: &'static [TrackKind];
    /// JSON schema of its settings.
    const CONFIG_SCHEMA: Option<&'static str>;

    /// Delay it adds, in samples per channel.
    fn latency() -> u32;
    /// Starts on a track, with settings as JSON.
    ///
    /// # Errors
    ///
    /// What the plugin says, or which setting is wrong.
    fn open(track: &Track, format: Format, settings: &str) -> Result<Self>;
    /// Works on, or looks at, a frame.
    ///
    /// # Errors
    ///
    /// What the plugin says.
    fn process(&mut self, frame: &mut Frame) -> Result<Verdict>;
    /// Hears of an event.
    ///
    /// # Errors
    ///
    /// What the plugin says.
    fn on_event(&mut self, event: &TrackEvent) -> Result<EventVerdict>;
    /// Ends.
    ///
    /// # Errors
    ///
    /// What the plugin says.
    fn finish(&mut self) -> Result<Option<Vec<f32>>>;
}

/// A [`Transformer`] at work.
#[expect(
    missing_debug_implementations,
    reason = "the plugin inside need not have one"
)]
pub struct Transforming<T>(T);

impl<T: Transformer> Session for Transforming<T> {
    const WANTS: Wants = T::WANTS;
    const KINDS: &'static [TrackKind] = &[TrackKind::Audio];
    const CONFIG_SCHEMA: Option<&'static str> = T::CONFIG_SCHEMA;

    fn latency() -> u32 {
        T::latency()
    }

    fn open(track: &Track, format: Format, settings: &str) -> Result<Self> {
        T::open(track, format, config::parse(settings)?).map(Self)
    }

    fn process(&mut self, frame: &mut Frame) -> Result<Verdict> {
        self.0.process(frame)
    }

    fn on_event(&mut self, event: &TrackEvent) -> Result<EventVerdict> {
        self.0.on_event(event)
    }

    fn finish(&mut self) -> Result<Option<Vec<f32>>> {
        self.0.finish()
    }
}

/// An [`Inspector`] at work: lets everything pass.
#[expect(
    missing_debug_implementations,
    reason = "the plugin inside need not have one"
)]
pub struct Inspecting<T>(T);

impl<T: Inspector> Session for Inspecting<T> {
    const WANTS: Wants = T::WANTS;
    const KINDS: &'static [TrackKind] = T::KINDS;
    const CONFIG_SCHEMA: Option<&'static str> = T::CONFIG_SCHEMA;

    fn latency() -> u32 {
        0
    }

    fn open(track: &Track, format: Format, settings: &str) -> Result<Self> {
        T::open(track, format, config::parse(settings)?).map(Self)
    }

    fn process(&mut self, frame: &mut Frame) -> Result<Verdict> {
        self.0.inspect(frame).map(|()| Verdict::Unchanged)
    }

    fn on_event(&mut self, event: &TrackEvent) -> Result<EventVerdict> {
        self.0.on_event(event).map(|()| EventVerdict::Pass)
    }

    fn finish(&mut self) -> Result<Option<Vec<f32>>> {
        self.0.finish().map(|()| None)
    }
}
