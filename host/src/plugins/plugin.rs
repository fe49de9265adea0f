use std::sync::Arc;
use std::time::Instant;

use wasmtime::Store;
use wasmtime::component::{Component, Linker};

use crate::plugins::bindings::{inspector, transformer};
use crate::plugins::contract::{PcmPreference, TrackKind};
use crate::plugins::engine::Engine;
use crate::plugins::host::State;
use crate::plugins::instance::{Instance, Opening};
use crate::plugins::joint_share::JointShare;
use crate::plugins::sandbox::Sandbox;
use crate::plugins::settings::{Schema, Settings};
use crate::plugins::{Call, Digest, Limits, LoadError, PluginError, Scan};

/// A plugin that is ready to be opened on tracks. Clones are the same plugin.
#[derive(Clone, Debug)]
pub struct Plugin(pub(crate) Arc<Loaded>);

/// What a plugin does, which is known before any of it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only looks: it cannot delay or change the output.
    Inspector,
    /// It changes sound or events.
    Transformer,
}

impl Kind {
    /// The name of its world.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inspector => "inspector",
            Self::Transformer => "transformer",
        }
    }
}

/// What a plugin says of itself.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// Its name; not empty.
    pub name: String,
    /// Its version, in its own words.
    pub version: String,
    /// The format it would rather have.
    pub wants: PcmPreference,
    /// The kinds of tracks it is for.
    pub kinds: Vec<TrackKind>,
    /// Delay that it adds, in samples per channel of its own format.
    pub latency_samples: u32,
    /// JSON schema of its settings.
    pub config_schema: Option<String>,
}

/// A plugin as far as all of its instances share it.
pub(crate) struct Loaded {
    pub(crate) engine: Engine,
    pub(crate) digest: Digest,
    pub(crate) scan: Scan,
    pub(crate) world: World,
    /// Bytes of its memories and tables once it had described itself.
    pub(crate) memory: usize,
    pub(crate) declaration: Declaration,
    pub(crate) schema: Schema,
    /// What all of its instances may take.
    pub(crate) share: JointShare,
}

/// A component before it was asked what it is.
pub(crate) struct Linked {
    pub(crate) digest: Digest,
    pub(crate) scan: Scan,
    pub(crate) world: World,
}

/// Linked, with its exports looked up.
pub(crate) enum World {
    Inspector(inspector::InspectorPre<State>),
    Transformer(transformer::TransformerPre<State>),
}

impl Plugin {
    /// What it says of itself.
    pub fn declaration(&self) -> &Declaration {
        &self.0.declaration
    }

    /// What it does.
    pub fn kind(&self) -> Kind {
        match self.0.world {
            World::Inspector(_) => Kind::Inspector,
            World::Transformer(_) => Kind::Transformer,
        }
    }

    /// The SHA-256 of the bytes it was loaded from.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// What its component looks like; of a core module, the component that was made of it.
    pub fn scan(&self) -> &Scan {
        &self.0.scan
    }

    /// Bytes of its memories and tables once it had described itself: the least that an instance takes.
    pub fn memory(&self) -> usize {
        self.0.memory
    }

    /// Begins a track, in a store of its own.
    ///
    /// # Errors
    /// The settings do not fit the schema or the plugin does not like them ([`PluginError::Config`]), or it
    /// fails.
    pub fn open(&self, opening: Opening<'_>) -> Result<Instance, PluginError> {
        Instance::open(self.0.clone(), opening)
    }

    /// Checks settings against the declared schema, without running anything.
    ///
    /// # Errors
    /// They do not fit; the text names the keys.
    pub fn check_settings(&self, json: &str) -> Result<(), PluginError> {
        Settings::parse(json, &self.0.schema).map(|_| ())
    }

    /// Asks a linked component what it is.
    pub(crate) fn new(
        engine: &Engine,
        linked: Linked,
        limits: &Limits,
        now: Instant,
    ) -> Result<Self, LoadError> {
        let Linked {
            digest,
            scan,
            world,
        } = linked;
        let mut sandbox = Sandbox::new(engine, limits, Settings::empty(), digest, now);
        let limit = limits.start_deadline;
        let (described, _) = sandbox.run(Call::Describe, limit, |store| world.describe(store));
        let declaration = described.map_err(LoadError::Describe)?.checked()?;
        let schema = Schema::parse(declaration.config_schema.as_deref());
        Ok(Self(Arc::new(Loaded {
            engine: engine.clone(),
            digest,
            scan,
            world,
            memory: sandbox.state().memory.used(),
            schema: schema.map_err(LoadError::Declaration)?,
            share: engine.joint_share(now),
            declaration,
        })))
    }
}

impl World {
    /// Looks up everything that is imported and exported.
    pub(crate) fn link(
        kind: Kind,
        linker: &Linker<State>,
        component: &Component,
    ) -> wasmtime::Result<Self> {
        let linked = linker.instantiate_pre(component)?;
        Ok(match kind {
            Kind::Inspector => Self::Inspector(inspector::InspectorPre::new(linked)?),
            Kind::Transformer => Self::Transformer(transformer::TransformerPre::new(linked)?),
        })
    }

    fn describe(&self, mut store: &mut Store<State>) -> wasmtime::Result<Declaration> {
        Ok(match self {
            Self::Inspector(world) => {
                let world = world.instantiate(&mut store)?;
                world.trackmill_plugin_plugin().call_describe(store)?.into()
            }
            Self::Transformer(world) => {
                let world = world.instantiate(&mut store)?;
                world.trackmill_plugin_plugin().call_describe(store)?.into()
            }
        })
    }
}

impl Declaration {
    fn checked(self) -> Result<Self, LoadError> {
        let wrong = |what: &str| Err(LoadError::Declaration(what.to_owned()));
        if self.name.trim().is_empty() || self.name.len() > MAX_NAME {
            return wrong("`name` needs 1 to 128 bytes");
        }
        if self.version.len() > MAX_NAME {
            return wrong("`version` has at most 128 bytes");
        }
        if self.kinds.is_empty() || self.kinds.len() > 2 {
            return wrong("`kinds` names audio, video or both");
        }
        if self.latency_samples > MAX_LATENCY {
            return wrong("`latency-samples` is at most 96,000");
        }
        if self
            .wants
            .channels
            .is_some_and(|channels| !(1..=2).contains(&channels))
        {
            return wrong("`wants.channels` is 1 or 2");
        }
        let rates = [8_000, 16_000, 24_000, 48_000];
        if self
            .wants
            .sample_rate
            .is_some_and(|rate| !rates.contains(&rate))
        {
            return wrong("`wants.sample-rate` is 8,000, 16,000, 24,000 or 48,000");
        }
        // 5 ms at 8 kHz to 60 ms at 48 kHz.
        if self
            .wants
            .frame_samples
            .is_some_and(|samples| !(40..=2_880).contains(&samples))
        {
            return wrong("`wants.frame-samples` is 5 to 60 ms");
        }
        Ok(self)
    }
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut loaded = f.debug_struct("Loaded");
        loaded
            .field("digest", &self.digest)
            .field("declaration", &self.declaration);
        loaded.finish_non_exhaustive()
    }
}

impl From<inspector::exports::trackmill::plugin::plugin::Declaration> for Declaration {
    fn from(declared: inspector::exports::trackmill::plugin::plugin::Declaration) -> Self {
        Self {
            name: declared.name,
            version: declared.version,
            wants: declared.wants,
            kinds: declared.kinds,
            latency_samples: declared.latency_samples,
            config_schema: declared.config_schema,
        }
    }
}

impl From<transformer::exports::trackmill::plugin::plugin::Declaration> for Declaration {
    fn from(declared: transformer::exports::trackmill::plugin::plugin::Declaration) -> Self {
        Self {
            name: declared.name,
            version: declared.version,
            wants: declared.wants,
            kinds: declared.kinds,
            latency_samples: declared.latency_samples,
            config_schema: declared.config_schema,
        }
    }
}

const MAX_NAME: usize = 128;
/// Two seconds at 48 kHz.
const MAX_LATENCY: u32 = 96_000;
