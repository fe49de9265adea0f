use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::Store;
use wasmtime::component::ResourceAny;

use crate::plugins::bindings::{inspector, transformer};
use crate::plugins::bucket::Bucket;
use crate::plugins::contract::{
    AudioFrame, EventVerdict, PcmFormat, Samples, TrackEvent, TrackInfo, Verdict,
};
use crate::plugins::host::State;
use crate::plugins::joint_share::micros;
use crate::plugins::output::check;
use crate::plugins::plugin::{Loaded, World};
use crate::plugins::sandbox::{Sandbox, Spent};
use crate::plugins::settings::Settings;
use crate::plugins::times::Times;
use crate::plugins::{Call, Emission, Limits, Metric, OutputDrops, PluginError};

/// A plugin on one track. Whoever calls it runs guest code, at most for the deadline.
#[derive(Debug)]
pub struct Instance {
    plugin: Arc<Loaded>,
    sandbox: Sandbox,
    guest: Guest,
    limits: Limits,
    share: Bucket,
    /// Frames that passed by since its last call, because its share was used up.
    bypassed: u32,
    has_ended: bool,
    statistics: Statistics,
}

/// What a plugin is opened with.
#[derive(Clone, Debug)]
pub struct Opening<'a> {
    /// The track.
    pub track: TrackInfo,
    /// The format of its frames; none for a video track, of which only events are seen.
    pub format: Option<PcmFormat>,
    /// The settings, a JSON object; empty text for none.
    pub settings: &'a str,
    /// What it may use.
    pub limits: &'a Limits,
    /// The time, any clock that does not run backwards; CPU share and rates are counted by it.
    pub now: Instant,
}

/// What an instance has done so far.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// CPU time of each frame.
    pub frames: Times,
    /// What its frames executed, in wasmtime's unit of fuel; 0 unless the engine counts it.
    pub fuel: u64,
    /// CPU time of everything, `open` included.
    pub total: Duration,
    /// Frames that passed by because the CPU share was used up, its own or that of all instances together.
    pub skipped: u64,
    /// Messages of the room that passed by because the CPU share was used up.
    pub messages_skipped: u64,
    /// Calls that took more than half of their deadline.
    pub late: u64,
    /// Frames that became silence because what came back had the wrong length or format, or was no number.
    pub bad_outputs: u64,
    /// Memories and tables, in bytes.
    pub memory: usize,
    /// What did not get out.
    pub drops: OutputDrops,
}

impl Statistics {
    /// Takes in what another instance of the plugin has done; memory is that of the larger one.
    pub fn add(&mut self, other: &Self) {
        let Self {
            frames,
            fuel,
            total,
            skipped,
            messages_skipped,
            late,
            bad_outputs,
            memory,
            drops,
        } = other;
        self.frames.add_all(frames);
        self.fuel = self.fuel.saturating_add(*fuel);
        self.total += *total;
        self.skipped += skipped;
        self.messages_skipped += messages_skipped;
        self.late += late;
        self.bad_outputs += bad_outputs;
        self.memory = self.memory.max(*memory);
        self.drops.add(drops);
    }
}

/// The guest's exports and its session.
enum Guest {
    Inspector(inspector::Inspector, ResourceAny),
    Transformer(transformer::Transformer, ResourceAny),
}

impl Instance {
    pub(crate) fn open(plugin: Arc<Loaded>, opening: Opening<'_>) -> Result<Self, PluginError> {
        let Opening {
            track,
            format,
            settings,
            limits,
            now,
        } = opening;
        let settings = Settings::parse(settings, &plugin.schema)?;
        let mut sandbox = Sandbox::new(&plugin.engine, limits, settings, plugin.digest, now);
        let limit = limits.start_deadline;
        let (guest, spent) = sandbox.run(Call::Open, limit, |store| {
            Guest::open(&plugin.world, store, &track, format)
        });
        let statistics = Statistics {
            total: spent.time,
            ..Statistics::default()
        };
        Ok(Self {
            plugin,
            sandbox,
            guest: guest??,
            limits: limits.clone(),
            share: Bucket::new(micros(limits.cpu_share), now),
            bypassed: 0,
            has_ended: false,
            statistics,
        })
    }

    /// Hands a frame to a transformer. What comes back has been checked: it has the frame's format and length.
    /// Anything else becomes silence, and so do samples that are no number; both are counted.
    ///
    /// While its CPU share is used up the frame passes by; the plugin learns that from `lost-before` of the
    /// next, to which this adds.
    ///
    /// # Errors
    /// The plugin says so, or it crashed, or took too long: see [`PluginError::severity`].
    pub fn process(
        &mut self,
        frame: &mut AudioFrame,
        now: Instant,
    ) -> Result<Verdict, PluginError> {
        if !self.admit(frame, now) {
            return Ok(Verdict::Pass);
        }
        let frame = &*frame;
        let verdict = self.call(Call::Process, |guest, store| match guest {
            Guest::Transformer(world, session) => {
                let guest = world.trackmill_plugin_track_transformer();
                Some(guest.session().call_process(store, *session, frame))
            }
            Guest::Inspector(..) => None,
        })?;
        let checked = check(verdict, &frame.samples);
        Ok(checked.unwrap_or_else(|| {
            self.statistics.bad_outputs += 1;
            Verdict::Silence
        }))
    }

    /// Shows a frame to an inspector; as [`process`](Self::process), without anything that comes back.
    ///
    /// # Errors
    /// The plugin says so, or it crashed, or took too long: see [`PluginError::severity`].
    pub fn inspect(&mut self, frame: &mut AudioFrame, now: Instant) -> Result<(), PluginError> {
        if !self.admit(frame, now) {
            return Ok(());
        }
        let frame = &*frame;
        self.call(Call::Inspect, |guest, store| match guest {
            Guest::Inspector(world, session) => {
                let guest = world.trackmill_plugin_track_inspector();
                Some(guest.session().call_inspect(store, *session, frame))
            }
            Guest::Transformer(..) => None,
        })
    }

    /// Tells it of an event; an inspector lets all of them pass. Events of its own track are rare, and never
    /// skipped. Messages are as many as the room likes: they pass by while the CPU share is used up.
    ///
    /// # Errors
    /// The plugin says so, or it crashed, or took too long: see [`PluginError::severity`].
    pub fn on_event(
        &mut self,
        event: &TrackEvent,
        now: Instant,
    ) -> Result<EventVerdict, PluginError> {
        self.sandbox.state_mut().set_time(None, now);
        let may_pass = matches!(event, TrackEvent::Message(_)) && !self.has_ended;
        if may_pass && !self.has_share(now) {
            self.statistics.messages_skipped += 1;
            return Ok(EventVerdict::Pass);
        }
        self.call(Call::OnEvent, |guest, store| {
            Some(match guest {
                Guest::Inspector(world, session) => {
                    let guest = world.trackmill_plugin_track_inspector();
                    let told = guest.session().call_on_event(store, *session, event);
                    told.map(|told| told.map(|()| EventVerdict::Pass))
                }
                Guest::Transformer(world, session) => {
                    let guest = world.trackmill_plugin_track_transformer();
                    guest.session().call_on_event(store, *session, event)
                }
            })
        })
    }

    /// Replaces the settings; the plugin reads them at the next `config-changed` event.
    ///
    /// # Errors
    /// They do not fit the schema: the former ones stay.
    pub fn set_settings(&mut self, json: &str) -> Result<(), PluginError> {
        let settings = Settings::parse(json, &self.plugin.schema)?;
        self.sandbox.state_mut().set_settings(settings);
        Ok(())
    }

    /// Ends the track and takes what the plugin still had in hand, which may be less than it declared. Nothing
    /// runs afterwards, whatever comes of it.
    ///
    /// # Errors
    /// The plugin says so, or it crashed, or took too long.
    pub fn finish(&mut self, now: Instant) -> Result<Option<Samples>, PluginError> {
        self.sandbox.state_mut().set_time(None, now);
        let rest = self.call(Call::Finish, |guest, store| {
            Some(match guest {
                Guest::Inspector(world, session) => {
                    let guest = world.trackmill_plugin_track_inspector();
                    let ended = guest.session().call_finish(store, *session);
                    ended.map(|ended| ended.map(|()| None))
                }
                Guest::Transformer(world, session) => {
                    let guest = world.trackmill_plugin_track_transformer();
                    guest.session().call_finish(store, *session)
                }
            })
        });
        self.has_ended = true;
        self.sandbox.state_mut().end_line();
        rest
    }

    /// Takes the oldest text, binary, mark or log line that the plugin has said and nobody has taken.
    pub fn poll_emission(&mut self) -> Option<Emission> {
        self.sandbox.state_mut().outbox.poll()
    }

    /// Its metrics, by name.
    pub fn metrics(&self) -> &BTreeMap<String, Metric> {
        self.sandbox.state().outbox.metrics()
    }

    /// What it has done so far.
    pub fn statistics(&self) -> Statistics {
        let state = self.sandbox.state();
        Statistics {
            memory: state.memory.used(),
            drops: state.outbox.drops(),
            ..self.statistics.clone()
        }
    }

    /// Whether the plugin gets this frame.
    fn admit(&mut self, frame: &mut AudioFrame, now: Instant) -> bool {
        self.sandbox
            .state_mut()
            .set_time(Some(frame.meta.pts_us), now);
        if !self.has_ended && !self.has_share(now) {
            self.bypassed = self.bypassed.saturating_add(1);
            self.statistics.skipped += 1;
            return false;
        }
        let bypassed = std::mem::take(&mut self.bypassed);
        frame.meta.lost_before = frame.meta.lost_before.saturating_add(bypassed);
        true
    }

    /// Whether CPU time is left to it, and to all instances of the plugin.
    fn has_share(&mut self, now: Instant) -> bool {
        self.share.has_any(now) && self.plugin.share.has_any(now)
    }

    /// Runs a function of the guest; `enter` says none where its world does not have it.
    fn call<T>(
        &mut self,
        call: Call,
        enter: impl FnOnce(&Guest, &mut Store<State>) -> Option<wasmtime::Result<Answer<T>>>,
    ) -> Result<T, PluginError> {
        if self.has_ended {
            return Err(PluginError::Ended(call));
        }
        let (guest, limit) = (&self.guest, self.limits.call_deadline);
        let (answer, spent) = self
            .sandbox
            .run(call, limit, |store| enter(guest, store).transpose());
        self.account(call, spent);
        // A trap leaves the instance in a state that nobody knows.
        self.has_ended |= answer.is_err();
        let answer = answer?.ok_or(PluginError::NoSuchCall(call))?;
        Ok(answer?)
    }

    fn account(&mut self, call: Call, spent: Spent) {
        let taken = spent.time;
        self.share.take(u64::from(micros(taken)));
        self.plugin.share.take(taken);
        self.statistics.total += taken;
        self.statistics.late += u64::from(taken > self.limits.call_deadline / 2);
        if matches!(call, Call::Process | Call::Inspect) {
            self.statistics.frames.add(taken);
            self.statistics.fuel = self.statistics.fuel.saturating_add(spent.fuel);
        }
    }
}

impl Guest {
    fn open(
        world: &World,
        mut store: &mut Store<State>,
        track: &TrackInfo,
        format: Option<PcmFormat>,
    ) -> wasmtime::Result<Answer<Self>> {
        Ok(match world {
            World::Inspector(world) => {
                let world = world.instantiate(&mut store)?;
                let session = world.trackmill_plugin_track_inspector().session();
                let session = session.call_open(store, track, format)?;
                session.map(|session| Self::Inspector(world, session))
            }
            World::Transformer(world) => {
                let world = world.instantiate(&mut store)?;
                let session = world.trackmill_plugin_track_transformer().session();
                let session = session.call_open(store, track, format)?;
                session.map(|session| Self::Transformer(world, session))
            }
        })
    }
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Inspector(..) => "Inspector",
            Self::Transformer(..) => "Transformer",
        })
    }
}

/// What a guest returned, in contrast to a trap.
type Answer<T> = Result<T, crate::plugins::contract::PluginError>;
