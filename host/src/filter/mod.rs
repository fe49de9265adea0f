//! PCM → PCM: what users put between decoder and encoder (plugins.md §2, §3).
//!
//! ```text
//! AudioBlock ─ chain ( link ─ link ─ … ) ─► Item     a link: adapt ─ Filter ─ adapt, and what
//!                                                    becomes of the sound when the filter fails
//! ```
//!
//! A filter never shifts sound: a [`Chain`] gives exactly as many samples as it takes, each at its
//! place on the timeline, whatever a filter's latency, format or fate. Time comes in as an argument.
//! [`wasm`] makes filters of plugins; [`worker`] is where tracks with filters live.

mod adapt;
mod breakers;
mod chain;
mod changes;
mod failure;
#[cfg(test)]
mod chain_tests;
mod known;
mod link;
mod proxy;
mod report;
mod switch;
#[cfg(test)]
mod testing;
pub mod wasm;
pub mod worker;
#[cfg(test)]
mod worker_tests;

use std::time::Instant;

use bytes::Bytes;

pub use breakers::{Breakers, Fuse};
pub use chain::{Chain, Event, Gaps, Halt, Item, Text};
pub use changes::{ChangeError, Changer, Changes, changes};
pub use failure::{OnError, Restart};
pub use link::Setup;
pub use report::{Account, Report};
pub use switch::{Change, Counts, Switch};
pub use worker::Workers;

use crate::media::{AudioBlock, AudioFormat, Channels, Pts, SampleRate, TrackKind};

/// A running filter on one track.
pub trait Filter: std::fmt::Debug + Send {
    /// Takes the next block, which it may change in place, but not in length.
    ///
    /// # Errors
    /// [`FilterError`] says what becomes of the filter; the block's samples are not used then.
    fn process(&mut self, block: &mut AudioBlock, turn: Turn) -> Result<Verdict, FilterError>;

    /// Takes what happened to the track, in order with the blocks.
    ///
    /// # Errors
    /// As for [`process`](Self::process); the event goes on as it is.
    fn event(&mut self, _event: &TrackEvent, _now: Instant) -> Result<EventVerdict, FilterError> {
        Ok(EventVerdict::Pass)
    }

    /// No block follows: what is still inside, at most [`latency`](Self::latency) samples.
    ///
    /// # Errors
    /// As for [`process`](Self::process).
    fn finish(&mut self, _now: Instant) -> Result<Option<Vec<f32>>, FilterError> {
        Ok(None)
    }

    /// By how many samples per channel what comes out is behind what goes in. It never changes.
    fn latency(&self) -> usize {
        0
    }

    /// The next thing it said during the last call.
    fn poll_emission(&mut self) -> Option<Emission> {
        None
    }

    /// What it is and has cost so far, if it is a plugin.
    fn report(&self) -> Option<Report> {
        None
    }
}

/// What a filter has to know of a block beside its sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Number of the block among all that came to this place of the chain, from 0: those that went by
    /// the filter count too.
    pub number: u64,
    /// How many blocks went by the filter since its last call.
    pub lost_before: u32,
    /// The time.
    pub now: Instant,
}

/// Opens sessions of one filter, the first as any later one.
pub trait Open: std::fmt::Debug + Send {
    /// What the filter is called, for people.
    fn name(&self) -> &str;

    /// How the filter would like its sound.
    fn wants(&self) -> Wants {
        Wants::default()
    }

    /// Whether it is for tracks of this kind. A filter that does not say is for sound.
    fn takes(&self, kind: TrackKind) -> bool {
        kind == TrackKind::Audio
    }

    /// A new session, which gets blocks of `block` samples per channel.
    ///
    /// # Errors
    /// [`FilterError::Config`] if it is of no use to try again.
    fn open(
        &mut self,
        format: AudioFormat,
        block: usize,
        now: Instant,
    ) -> Result<Box<dyn Filter>, FilterError>;

    /// A new session on a track without sound, of which it sees events only.
    ///
    /// # Errors
    /// As for [`open`](Self::open); always, if it is for sound only.
    fn open_without_sound(&mut self, _now: Instant) -> Result<Box<dyn Filter>, FilterError> {
        Err(FilterError::Config("it is for sound only".into()))
    }
}

/// How a filter would like its sound; what it leaves open is as the track has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Samples a second; 48 kHz if it leaves that open and the track has 12 or 44.1 kHz.
    pub rate: Option<SampleRate>,
    /// One or two.
    pub channels: Option<Channels>,
    /// Samples per channel of each block; 20 ms if it leaves that open.
    pub block: Option<usize>,
}

/// What becomes of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on as it came, whatever the filter did to the samples.
    Pass,
    /// What the filter left in it goes on.
    Changed,
    /// Silence goes on.
    Silence,
    /// Nothing goes on where the output allows gaps, else silence.
    Drop,
}

/// What becomes of an event on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventVerdict {
    /// It goes on as it came.
    Pass,
    /// This text (a JSON object) goes out in its place.
    Replace(String),
    /// Nothing goes out.
    Drop,
}

/// What happens to a track beside its sound, in order with it.
#[derive(Clone, Debug, PartialEq)]
pub enum TrackEvent {
    /// The track is there: the first that a session hears.
    Published,
    /// The publisher muted it.
    Muted,
    /// The publisher unmuted it.
    Unmuted,
    /// The track's sound is laid out differently from here on.
    FormatChanged(AudioFormat),
    /// The publisher's attributes are these from here on.
    AttributesChanged(Vec<(String, String)>),
    /// The operator changed the filter's settings.
    ConfigChanged,
    /// A data message of the room.
    Message {
        /// Its topic; may be empty.
        topic: String,
        /// Who sent it, if it was a participant.
        sender: Option<String>,
        /// Its content.
        payload: Bytes,
    },
    /// The track ended: the last that a session hears, behind all blocks.
    Unpublished,
    /// Something that later versions know of.
    Other {
        /// What it is.
        name: String,
        /// What there is to say about it.
        json: String,
    },
}

/// Something a filter says to the outside.
#[derive(Clone, Debug, PartialEq)]
pub struct Emission {
    /// The place of the block it had in hand: 48 kHz ticks since the track's origin.
    pub pts: Pts,
    /// What it says.
    pub content: Content,
}

/// What a filter says.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A text on a topic.
    Text {
        /// The topic.
        topic: String,
        /// The text.
        text: String,
    },
    /// Bytes on a topic.
    Binary {
        /// The topic.
        topic: String,
        /// The bytes.
        data: Bytes,
    },
    /// A point or span of the timeline.
    Mark {
        /// What it marks.
        name: String,
        /// Where it begins.
        at: Pts,
        /// How long it is, in 48 kHz ticks.
        length: Option<u64>,
        /// What there is to say about it.
        json: String,
    },
}

/// Why a filter did not do its work (plugins.md P6).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// The operator's settings are wrong; trying again is of no use.
    #[error("the filter refuses its settings: {0}")]
    Config(String),
    /// This call failed, the next may not.
    #[error("the filter failed for a moment: {0}")]
    Transient(String),
    /// The session is dead: it trapped, took too long or too much, or its output is unusable.
    #[error("the filter failed: {0}")]
    Fatal(String),
}
