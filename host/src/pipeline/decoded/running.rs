use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use super::grid::Grid;
use super::hole::Hole;
use super::outlet::{Opened, Outlet};
use super::steps::{Step, Steps, Unit};
use super::{OnMute, Sound, SoundError, Track, switches};
use crate::bitstream::opus;
use crate::codec::reblock::Reblocker;
use crate::filter::{Chain, Item, TrackEvent};
use crate::media::{AccessUnit, AudioBlock, ClockRate, Codec, MediaTime, NtpTimestamp, Pts};
use crate::mux::Metadata;
use crate::pipeline::destination::{Around, Between};
use crate::pipeline::{Sounds, file};

/// A track that is being decoded.
#[derive(Debug)]
pub(super) struct Running {
    /// The track's SID, for the log.
    name: String,
    codec: Codec,
    /// Ticks of the timeline.
    clock: ClockRate,
    /// Where the track begins on the timeline.
    origin: Pts,
    /// Where the last unit is on it.
    last: Pts,
    /// Where it ends.
    last_end: Pts,
    /// The last unit said only that nothing is sent.
    ends_in_pause: bool,
    steps: Steps,
    grid: Grid,
    reblocker: Reblocker,
    chain: Chain,
    outlet: Opened,
    hole: Hole,
    /// Where the publisher muted it last, and where it was unmuted.
    muted: Option<(u64, Option<u64>)>,
    /// When silence is due if nothing comes.
    fill_at: Option<Instant>,
    /// What is made of the track, without its filters.
    sound: Sound,
    /// How far silence that stands for missing packets stays behind time.
    patience: Duration,
    stretches: Vec<AudioBlock>,
    between: Between,
}

impl Running {
    /// Starts with the first unit.
    pub(super) fn start(
        track: &Track,
        mut sound: Sound,
        first: &AccessUnit,
        around: &mut Around<'_>,
    ) -> Result<Self, SoundError> {
        let codec = track.codec;
        let format = sound.format(codec, first);
        let grid = Grid::new((sound.decoders)(codec, format)?);
        let format = grid.format();
        let anchor = around.timeline.anchor(first.pts);
        around.summary.started_at = anchor;
        let metadata = Metadata {
            codec,
            room: track.source.room.clone(),
            participant: track.source.participant.clone(),
            track: track.source.track.clone(),
            started_at: anchor.map_or(NtpTimestamp(0), |anchor| anchor.ntp),
        };
        let outlet = sound.outlet.open(metadata, format, anchor, around)?;
        let filters = std::mem::take(&mut sound.filters);
        let gaps = sound.outlet.gaps();
        let sounds = around.summary.sound.get_or_insert_default();
        sounds.format = Some(format);
        Ok(Self {
            name: track.source.track.clone(),
            codec,
            clock: codec.clock_rate(),
            origin: first.pts,
            last: Pts(0),
            last_end: Pts(0),
            ends_in_pause: false,
            steps: Steps::default(),
            grid,
            reblocker: Reblocker::new(format, block(format.rate.get())),
            chain: Chain::new(filters, format, gaps),
            outlet,
            hole: Hole::default(),
            muted: None,
            fill_at: None,
            sound,
            patience: track.patience,
            stretches: Vec::new(),
            between: Between::NONE,
        })
    }

    /// The access unit goes onto the grid.
    pub(super) fn unit(&mut self, unit: AccessUnit, around: &mut Around<'_>) {
        let pts = self.place(unit.pts);
        let nothing = pts.since(self.last_end);
        let was_lost = around.summary.close_gap(self.last, nothing);
        let nothing = self.clock.duration(u64::try_from(nothing).unwrap_or(0));
        let gap = self.between.unit(nothing, was_lost);
        let gap = gap.map(|gap| (self.ticks(self.last_end), gap));
        self.last = pts;
        self.last_end = pts.plus(file::sound(self.codec, &unit).unwrap_or(0));
        self.ends_in_pause = self.clock == ClockRate::OPUS && opus::is_dtx(&unit.data);
        let at = self.sample(unit.pts);
        let data = unit.data;
        let bytes = data.len() as u64;
        let rtp_timestamp = around.timeline.timestamp_at(unit.pts).map(MediaTime::wire);
        let unit = Unit {
            at,
            rtp_timestamp,
            data,
        };
        if self.steps.push(Step::Unit(unit)) {
            around.summary.units.written += 1;
            around.summary.bytes += bytes;
        } else {
            around.summary.units.sink_full += 1;
        }
        self.fill_at = Some(around.now + self.patience + self.pace());
        self.work(around);
        if let Some((pts, gap)) = gap {
            self.outlet.note(pts, gap, around);
        }
    }

    /// The units that follow are of another stream.
    pub(super) const fn restart(&mut self) {
        self.between.restart();
    }

    /// Something happened to the track just now.
    pub(super) fn event(&mut self, event: TrackEvent, around: &mut Around<'_>) {
        let at = around.timeline.pts_at(around.now);
        let at = self.sample(at.unwrap_or(self.origin));
        match &event {
            TrackEvent::Muted => {
                self.muted = Some((at, None));
                let soon = around.now + self.pace();
                self.fill_at.get_or_insert(soon);
            }
            TrackEvent::Unmuted => {
                if let Some((_, to @ None)) = &mut self.muted {
                    *to = Some(at);
                }
            }
            _ => {}
        }
        if !self.steps.push_event(at, event) {
            self.sounds(around).events_dropped += 1;
        }
        self.work(around);
    }

    /// The track is gone, perhaps for good: whoever listens hears silence, a file waits for what
    /// comes.
    pub(super) fn interrupt(&mut self) {
        if !self.outlet.is_live() {
            self.fill_at = None;
        }
    }

    /// Packets are missing behind those that came, because the thread was too slow.
    pub(super) fn overrun(&mut self) {
        if self.only_looks() {
            self.hole = Hole::Ahead;
        }
    }

    /// When silence is due, a page is to be closed, or work is left.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        [self.fill_at, self.outlet.flush_at()]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn handle_timeout(&mut self, around: &mut Around<'_>) {
        if self.fill_at.is_some_and(|at| at <= around.now) {
            self.fill(around);
            self.work(around);
        }
        self.outlet.handle_timeout(around);
    }

    /// Puts out all that is left, up to `end` at least.
    pub(super) fn finish(&mut self, end: Pts, around: &mut Around<'_>) {
        let end = self.samples(end.0);
        let is_left_out = self.sound.on_mute == OnMute::Pause && self.is_muted_at(end);
        if end > self.grid.position() && !is_left_out {
            self.steps.push(Step::Silence { until: end });
        }
        while !self.steps.is_empty() {
            self.work(around);
        }
        self.reblocker.flush();
        self.filter(around);
        self.event_now(TrackEvent::Unpublished, around);
        self.chain.finish(around.now);
        self.put_out(around);
        let len = self.grid.position();
        self.outlet.finish(len, around);
        self.fill_at = None;
        self.sounds(around).filters = self.chain.accounts();
    }

    /// What it was made of, for the track to go on with.
    pub(super) fn into_sound(self) -> Sound {
        Sound {
            outlet: self.sound.outlet.settled(self.grid.format()),
            filters: self.chain.into_setups(),
            ..self.sound
        }
    }

    /// From the timeline to the file.
    pub(super) fn place(&self, pts: Pts) -> Pts {
        Pts(u64::try_from(pts.since(self.origin)).unwrap_or(0))
    }

    /// Where the last unit is.
    pub(super) const fn last(&self) -> Pts {
        self.last
    }

    /// Whether its encoder was sending nothing, because there was nothing to hear.
    pub(super) const fn ends_in_pause(&self) -> bool {
        self.ends_in_pause
    }

    /// Where the sound ends, in ticks of the timeline.
    pub(super) fn end(&self) -> Pts {
        let rate = ClockRate::from(self.grid.format().rate);
        Pts(self.clock.ticks(rate.duration(self.grid.position())))
    }

    /// Plans silence up to what is due by now, as long as nothing comes.
    fn fill(&mut self, around: &Around<'_>) {
        let pace = self.pace();
        self.fill_at = Some(around.now + pace);
        let Some(pts) = around.timeline.pts_at(around.now) else {
            return;
        };
        let rate = self.grid.format().rate;
        let due = self.sample(pts).saturating_sub(rate.samples(self.patience));
        let until = match (self.muted, self.sound.on_mute) {
            (Some((_, Some(_))) | None, _) if !self.outlet.is_live() => {
                self.fill_at = None;
                return;
            }
            (Some((from, to)), OnMute::Pause) => self.pause(from, to, due),
            (Some(_) | None, _) => due,
        };
        if self.steps.is_empty() && until > self.grid.position() {
            self.steps.push(Step::Silence { until });
        }
    }

    /// Up to where silence goes on around a mute that is left out.
    fn pause(&mut self, from: u64, to: Option<u64>, due: u64) -> u64 {
        match to {
            Some(to) if due > to => {
                self.steps.push(Step::Jump { to });
                due
            }
            _ => due.min(from),
        }
    }

    /// Does what is to be done, but makes up no more than a second: other tracks wait.
    fn work(&mut self, around: &mut Around<'_>) {
        let mut left = u64::from(self.grid.format().rate.get());
        self.release_events(around);
        while let Some(step) = self.steps.pop() {
            match step {
                Step::Silence { .. } if left == 0 => {
                    self.steps.push_front(step);
                    self.fill_at = Some(around.now + SOON);
                    return;
                }
                Step::Silence { until } => left -= self.silence(until, left, around),
                Step::Jump { to } => self.grid.jump(to),
                Step::Unit(unit) => self.decode(unit, around),
            }
            self.filter(around);
            self.release_events(around);
        }
    }

    /// One block of silence at most; how much it was.
    fn silence(&mut self, until: u64, left: u64, around: &mut Around<'_>) -> u64 {
        let missing = until.saturating_sub(self.grid.position());
        let count = missing.min(left).min(self.block());
        let is_muted = self.is_muted_at(self.grid.position());
        let sounds = around.summary.sound.get_or_insert_default();
        self.grid
            .silence(count, is_muted, sounds, &mut self.stretches);
        if missing > count {
            self.steps.push_front(Step::Silence { until });
        }
        count
    }

    fn decode(&mut self, unit: Unit, around: &mut Around<'_>) {
        let at = unit.at;
        if self.grid.is_far(at) {
            let is_left_out = self.sound.on_mute == OnMute::Pause && self.is_muted_within(at);
            self.steps.push_front(Step::Unit(unit));
            self.steps.push_front(if is_left_out {
                Step::Jump { to: at }
            } else {
                Step::Silence { until: at }
            });
            return;
        }
        let sounds = around.summary.sound.get_or_insert_default();
        self.grid.unit(&unit, sounds, &mut self.stretches);
    }

    /// Sends what the grid gave through the filters.
    fn filter(&mut self, around: &mut Around<'_>) {
        for stretch in self.stretches.drain(..) {
            if let Err(error) = self.reblocker.push(&stretch) {
                debug_assert!(false, "the grid and the reblocker have one format: {error}");
            }
        }
        while let Some(block) = self.reblocker.pull() {
            let is_old = around.is_late && self.only_looks();
            self.chain.bypass(self.hole.covers(block.marks) || is_old);
            self.chain.process(block, around.now);
        }
        self.put_out(around);
    }

    fn put_out(&mut self, around: &mut Around<'_>) {
        while let Some(item) = self.chain.poll() {
            if let Item::Switch(switch) = &item {
                switches::log(&self.name, switch);
            }
            self.outlet.item(item, around);
        }
        if let Some(halt) = self.chain.halt() {
            around.outputs.halt(halt.clone());
        }
    }

    fn release_events(&mut self, around: &mut Around<'_>) {
        while let Some((at, event)) = self.steps.event_at(self.grid.position()) {
            let pts = Pts(self.grid.format().rate.ticks(at));
            self.chain.event(pts, event, around.now);
            self.put_out(around);
        }
    }

    /// What happened up to the end, and that it ended.
    fn event_now(&mut self, event: TrackEvent, around: &mut Around<'_>) {
        let end = self.grid.position();
        while let Some((at, event)) = self.steps.event_at(u64::MAX) {
            let pts = Pts(self.grid.format().rate.ticks(at.min(end)));
            self.chain.event(pts, event, around.now);
        }
        let pts = Pts(self.grid.format().rate.ticks(end));
        self.chain.event(pts, event, around.now);
    }

    /// Whether nobody hears what its filters make of the sound.
    fn only_looks(&self) -> bool {
        self.sound.outlet == Outlet::Nothing
    }

    fn is_muted_at(&self, position: u64) -> bool {
        self.muted
            .is_some_and(|(from, to)| from <= position && to.is_none_or(|to| position < to))
    }

    /// Whether it was muted somewhere between the end of the sound and `until`.
    fn is_muted_within(&self, until: u64) -> bool {
        self.muted
            .is_some_and(|(from, to)| from < until && to.is_none_or(|to| self.grid.position() < to))
    }

    /// Where a place of the timeline is on the grid.
    fn sample(&self, pts: Pts) -> u64 {
        self.samples(self.place(pts).0)
    }

    /// A place of the track in 48 kHz ticks.
    fn ticks(&self, pts: Pts) -> Pts {
        Pts(self.grid.format().rate.ticks(self.samples(pts.0)))
    }

    /// How many samples last so many ticks of the timeline.
    fn samples(&self, ticks: u64) -> u64 {
        let (rate, clock) = (self.grid.format().rate.get(), self.clock.get());
        let samples = u128::from(ticks) * u128::from(rate) / u128::from(clock);
        u64::try_from(samples).unwrap_or(u64::MAX)
    }

    /// How often silence is made.
    fn pace(&self) -> Duration {
        if self.outlet.is_live() {
            LIVE_PACE
        } else {
            FILE_PACE
        }
    }

    fn block(&self) -> u64 {
        block(self.grid.format().rate.get()).get() as u64
    }

    fn sounds<'a>(&self, around: &'a mut Around<'_>) -> &'a mut Sounds {
        around.summary.sound.get_or_insert_default()
    }
}

/// 20 ms.
fn block(rate: u32) -> NonZeroUsize {
    let samples = usize::try_from(rate / 50).unwrap_or(usize::MAX);
    NonZeroUsize::new(samples).unwrap_or(NonZeroUsize::MIN)
}

/// Silence goes out in real time where somebody listens.
const LIVE_PACE: Duration = Duration::from_millis(20);
/// Nobody listens to a file while it is written.
const FILE_PACE: Duration = Duration::from_millis(500);
/// When work that was left is gone on with.
const SOON: Duration = Duration::from_millis(1);
