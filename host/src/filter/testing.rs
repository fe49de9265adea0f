//! Filters that do as a test tells them.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::{
    Content, Emission, EventVerdict, Filter, FilterError, Open, TrackEvent, Turn, Verdict, Wants,
};
use crate::media::{AudioBlock, AudioFormat, Pts};

/// What a test says to each block.
pub(super) type Script =
    Arc<dyn Fn(u64, &mut AudioBlock) -> Result<Verdict, FilterError> + Send + Sync>;

/// Opens [`Scripted`] filters.
#[derive(Clone)]
pub(super) struct Opener {
    pub(super) name: &'static str,
    pub(super) wants: Wants,
    pub(super) latency: usize,
    pub(super) script: Script,
    /// The first sessions that cannot be opened.
    pub(super) refusals: Arc<Mutex<Vec<FilterError>>>,
    pub(super) log: Arc<Mutex<Log>>,
}

/// What all sessions of an opener saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    pub(super) opened: Vec<(AudioFormat, usize)>,
    pub(super) blocks: Vec<(Pts, usize)>,
    pub(super) numbers: Vec<u64>,
    pub(super) lost_before: u32,
    pub(super) events: Vec<TrackEvent>,
    /// Blocks and events by a letter each.
    pub(super) order: String,
    pub(super) finished: usize,
}

/// A filter by a script, behind a delay line.
pub(super) struct Scripted {
    opener: Opener,
    count: u64,
    line: Vec<f32>,
    said: Vec<Emission>,
}

impl Opener {
    pub(super) fn new(
        name: &'static str,
        script: impl Fn(u64, &mut AudioBlock) -> Result<Verdict, FilterError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            wants: Wants::default(),
            latency: 0,
            script: Arc::new(script),
            refusals: Arc::default(),
            log: Arc::default(),
        }
    }

    /// A filter that multiplies.
    pub(super) fn gain(name: &'static str, factor: f32) -> Self {
        Self::new(name, move |_, block| {
            block
                .samples
                .iter_mut()
                .for_each(|sample| *sample *= factor);
            Ok(Verdict::Changed)
        })
    }

    fn session(&self, line: Vec<f32>) -> Scripted {
        Scripted {
            opener: self.clone(),
            count: 0,
            line,
            said: Vec::new(),
        }
    }

    fn refusal(&self) -> Option<FilterError> {
        self.refusals.lock().unwrap().pop()
    }

    fn note(&self, what: impl FnOnce(&mut Log)) {
        what(&mut self.log.lock().unwrap());
    }

    pub(super) fn log(&self) -> Log {
        self.log.lock().unwrap().clone()
    }
}

impl Open for Opener {
    fn name(&self) -> &str {
        self.name
    }

    fn wants(&self) -> Wants {
        self.wants
    }

    fn open(
        &mut self,
        format: AudioFormat,
        block: usize,
        _now: Instant,
    ) -> Result<Box<dyn Filter>, FilterError> {
        if let Some(error) = self.refusal() {
            return Err(error);
        }
        self.note(|log| log.opened.push((format, block)));
        let line = vec![0.0; format.values(self.latency)];
        Ok(Box::new(self.session(line)))
    }

    fn open_without_sound(&mut self, _: Instant) -> Result<Box<dyn Filter>, FilterError> {
        match self.refusal() {
            Some(error) => Err(error),
            None => Ok(Box::new(self.session(Vec::new()))),
        }
    }
}

impl Filter for Scripted {
    fn process(&mut self, block: &mut AudioBlock, turn: Turn) -> Result<Verdict, FilterError> {
        self.opener.note(|log| {
            log.blocks.push((block.pts, block.len_per_channel()));
            log.numbers.push(turn.number);
            log.lost_before += turn.lost_before;
            log.order.push('b');
        });
        self.count += 1;
        let verdict = (self.opener.script)(self.count - 1, block)?;
        let len = block.samples.len();
        self.line.append(&mut block.samples);
        block.samples = self.line.drain(..len).collect();
        Ok(verdict)
    }

    fn event(&mut self, event: &TrackEvent, _now: Instant) -> Result<EventVerdict, FilterError> {
        self.opener.note(|log| {
            log.events.push(event.clone());
            log.order.push(letter(event));
        });
        match event {
            TrackEvent::Message { topic, .. } if topic == "echo" => {
                self.said.push(Emission {
                    pts: Pts(0),
                    content: Content::Text {
                        topic: "echo".into(),
                        text: "heard".into(),
                    },
                });
                Ok(EventVerdict::Drop)
            }
            TrackEvent::Other { name, json } if name == "replace" => {
                Ok(EventVerdict::Replace(json.clone()))
            }
            _ => Ok(EventVerdict::Pass),
        }
    }

    fn finish(&mut self, _now: Instant) -> Result<Option<Vec<f32>>, FilterError> {
        self.opener.note(|log| log.finished += 1);
        Ok(Some(std::mem::take(&mut self.line)))
    }

    fn latency(&self) -> usize {
        self.opener.latency
    }

    fn poll_emission(&mut self) -> Option<Emission> {
        self.said.pop()
    }
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.opener.name)
    }
}

fn letter(event: &TrackEvent) -> char {
    match event {
        TrackEvent::Published => 'p',
        TrackEvent::Muted => 'm',
        TrackEvent::Unmuted => 'n',
        TrackEvent::Unpublished => 'u',
        _ => '?',
    }
}

#[expect(clippy::disallowed_methods, reason = "virtual time starts anywhere")]
pub(super) fn any_instant() -> Instant {
    Instant::now()
}
