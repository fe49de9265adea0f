//! The kit for trackmill plugins: WebAssembly components that inspect or transform the sound and
//! the events of a recorded track.
//!
//! A plugin is a `cdylib` crate with one type, one trait and one macro. This is a whole one, with
//! its test:
//!
//! ```
#![doc = include_str!("../example.rs")]
//! ```
//!
//! * [`Transformer`] changes sound or events; [`Inspector`] only looks, and can therefore neither
//!   delay nor change a recording.
//! * [`events`], [`metrics`] and [`host`] are what a plugin can say; [`config`] is what it is told.
//!   There is no clock, randomness, file or socket: the same input gives the same output.
//! * Filters with feedback (`y = x + 0.99 * y`) end in denormal numbers when the sound falls silent, and
//!   WebAssembly cannot flush them to zero: such a frame takes a dozen times as long, and may cost the
//!   plugin its deadline. Add a number that nobody hears, such as `1e-20`, to what is fed back.
//! * [`testing`] plays sound through the plugin under plain `cargo test`.
//!
//! `trackmill plugin new NAME` makes such a crate, `trackmill plugin build` the component.

pub mod config;
pub mod events;
pub mod host;
pub mod metrics;
pub mod prelude;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

mod error;
mod frame;
mod track;

#[doc(hidden)]
pub mod bindings;
#[doc(hidden)]
pub mod export;
mod imports;

pub use error::{Error, Result};
pub use frame::{Frame, Marks, Verdict};
pub use track::{EventVerdict, Format, Message, Track, TrackEvent, TrackKind, TrackSource, Wants};

use serde::de::DeserializeOwned;

/// A plugin that changes the sound of a track, or the events on their way to the sink.
///
/// The host makes one value for each track. Calls come one at a time, each with a deadline (5 ms
/// unless the operator says otherwise); a frame that would be too late goes on unchanged.
pub trait Transformer: Sized + 'static {
    /// The operator's settings, read from JSON; [`config::NoConfig`] if there are none.
    type Config: DeserializeOwned;

    /// The PCM the plugin would rather have; the host converts.
    const WANTS: Wants = Wants::float32();

    /// JSON schema of the settings, by which the host checks them before any track.
    const CONFIG_SCHEMA: Option<&'static str> = None;

    /// Starts on a track.
    ///
    /// # Errors
    ///
    /// [`Error::config`] for settings that make no sense: it names the key to the operator.
    fn open(track: &Track, format: Format, config: Self::Config) -> Result<Self>;

    /// Works on a frame, and says what becomes of it.
    ///
    /// # Errors
    ///
    /// [`Error::transient`] if only this frame failed, [`Error::fatal`] if the plugin cannot go on.
    fn process(&mut self, frame: &mut Frame) -> Result<Verdict>;

    /// Hears of an event, in order with the frames, and says what becomes of it.
    ///
    /// # Errors
    ///
    /// As [`Self::process`].
    fn on_event(&mut self, _event: &TrackEvent) -> Result<EventVerdict> {
        Ok(EventVerdict::Pass)
    }

    /// Hands out what is still inside: interleaved samples, at most [`Self::latency`] per channel.
    ///
    /// # Errors
    ///
    /// As [`Self::process`].
    fn finish(&mut self) -> Result<Option<Vec<f32>>> {
        Ok(None)
    }

    /// Delay between input and output, in samples per channel at the rate the plugin gets; the host
    /// shifts time stamps by it.
    fn latency() -> u32 {
        0
    }
}

/// A plugin that only looks: the host never waits for it, and a file it watches stays bit-exact.
///
/// The host makes one value for each track. Calls come one at a time; a plugin that is too slow
/// misses frames ([`Frame::lost_before`]).
pub trait Inspector: Sized + 'static {
    /// The operator's settings, read from JSON; [`config::NoConfig`] if there are none.
    type Config: DeserializeOwned;

    /// The PCM the plugin would rather have; the host converts.
    const WANTS: Wants = Wants::float32();

    /// The tracks it can watch. On a video track there are events but no frames, and
    /// [`Self::open`] gets [`Format::NONE`].
    const KINDS: &'static [TrackKind] = &[TrackKind::Audio];

    /// JSON schema of the settings, by which the host checks them before any track.
    const CONFIG_SCHEMA: Option<&'static str> = None;

    /// Starts on a track.
    ///
    /// # Errors
    ///
    /// [`Error::config`] for settings that make no sense: it names the key to the operator.
    fn open(track: &Track, format: Format, config: Self::Config) -> Result<Self>;

    /// Looks at a frame.
    ///
    /// # Errors
    ///
    /// [`Error::transient`] if only this frame failed, [`Error::fatal`] if the plugin cannot go on.
    fn inspect(&mut self, frame: &Frame) -> Result<()>;

    /// Hears of an event, in order with the frames.
    ///
    /// # Errors
    ///
    /// As [`Self::inspect`].
    fn on_event(&mut self, _event: &TrackEvent) -> Result<()> {
        Ok(())
    }

    /// Says what is left to say.
    ///
    /// # Errors
    ///
    /// As [`Self::inspect`].
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}
