use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Event, Summary};
use crate::filter::Halt;
use crate::media::{AudioFormat, Pts};
use crate::mux::{self, Container};
use crate::rtp::timeline::Anchor;

/// What comes out of a pipeline, in order.
#[derive(Debug)]
pub enum Output {
    /// A file begins.
    Start(Start),
    /// Bytes of the file that began last.
    Bytes(mux::Output),
    /// Sound begins to go out by messages.
    Open(Opening),
    /// Sound for a message.
    Message(Message),
    /// Something that happens beside the sound; for a socket in order with the messages.
    Event(Event),
    /// The file that began last, or the sound, is finished.
    End(Box<Summary>),
    /// A filter failed that may not be passed by: nothing follows.
    Halt(Halt),
}

/// Sound that begins to go out by messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// How their samples are laid out; of Opus packets each says so itself.
    pub format: AudioFormat,
    /// The wall-clock time of position 0.
    pub anchor: Option<Anchor>,
}

/// Sound for one binary message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Interleaved 16-bit little-endian samples, or an Opus packet.
    pub bytes: Bytes,
    /// Where they begin: 48 kHz ticks since the track's origin.
    pub pts: Pts,
    /// How long they last.
    pub duration: Duration,
    /// When they were made.
    pub made_at: Instant,
}

/// A file that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Its kind.
    pub container: Container,
    /// What it says about itself.
    pub metadata: mux::Metadata,
    /// How the samples of a file of PCM are laid out.
    pub samples: Option<AudioFormat>,
}

/// What waits for the sink, and how much it is.
#[derive(Debug)]
pub(super) struct Outputs {
    queue: VecDeque<Output>,
    pub(super) bytes: usize,
    /// How many bytes may wait.
    limit: usize,
    /// A filter asks for the end.
    pub(super) halted: Option<Halt>,
}

impl Outputs {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            queue: VecDeque::new(),
            bytes: 0,
            limit,
            halted: None,
        }
    }

    /// Whether the sink is too slow for more.
    pub(super) const fn is_full(&self) -> bool {
        self.bytes > self.limit
    }

    pub(super) fn halt(&mut self, halt: Halt) {
        self.halted.get_or_insert(halt);
    }

    pub(super) fn push(&mut self, output: Output) {
        self.bytes += size(&output);
        self.queue.push_back(output);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn pop(&mut self) -> Option<Output> {
        let output = self.queue.pop_front()?;
        self.bytes -= size(&output);
        Some(output)
    }
}

fn size(output: &Output) -> usize {
    match output {
        Output::Bytes(mux::Output::Append(bytes) | mux::Output::PatchHead(bytes)) => bytes.len(),
        Output::Message(message) => message.bytes.len(),
        Output::Event(_) => EVENT,
        Output::Start(_) | Output::Open(_) | Output::End(_) | Output::Halt(_) => 0,
    }
}

/// What an event counts for, in bytes.
const EVENT: usize = 256;
