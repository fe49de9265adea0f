use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::choice::{Choice, Wanted};
use super::mistake::{LoadError, Mistake};
use super::{cache, track};
use crate::clock;
use crate::filter::wasm::Opener;
use crate::filter::{Breakers, FilterError, OnError, Open, Restart, Setup};
use crate::media::{AudioFormat, Channels, SampleRate, TrackKind};
use crate::plugins::contract::TrackInfo;
use crate::plugins::{Digest, Engine, EngineError, EngineSettings, Kind, Limits, Plugin};

/// The plugins that the user named, loaded.
#[derive(Debug)]
pub(in crate::command::record) struct Catalogue {
    loader: Loader,
    filters: Vec<Place>,
    inspectors: Vec<Place>,
    on_error: OnError,
    is_watched: bool,
    breakers: Breakers,
}

/// What a plugin is named for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::command::record) enum Role {
    /// To change sound.
    Filter,
    /// To look.
    Inspector,
}

/// Where in the catalogue a plugin is, and which one.
pub(super) type Placed = (Role, usize, Entry);

/// What is in one place of the order.
#[derive(Debug)]
struct Place {
    entry: Entry,
    /// What was there before its file changed.
    before: Option<Entry>,
}

/// A plugin with its settings, as its files were when they were read.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) choice: Choice,
    plugin: Plugin,
    settings: String,
}

/// Makes plugins of files.
#[derive(Clone, Debug)]
pub(super) struct Loader {
    engine: Engine,
    limits: Limits,
}

impl Catalogue {
    /// Loads all plugins. Waits for the compiler, which can take seconds.
    ///
    /// # Errors
    /// One of them, or its settings, is not as it should be; or the machine is not.
    pub(in crate::command::record) fn load(wanted: &Wanted) -> Result<Self, LoadError> {
        let loader = Loader {
            engine: engine()?,
            limits: Limits::default(),
        };
        Ok(Self {
            filters: loader.load_all(Role::Filter, &wanted.filters)?,
            inspectors: loader.load_all(Role::Inspector, &wanted.inspectors)?,
            loader,
            on_error: wanted.on_error,
            is_watched: wanted.is_watched,
            breakers: Breakers::default(),
        })
    }

    /// What a track gets that goes through all of that role.
    pub(super) fn setups(&self, role: Role, track: &TrackInfo) -> Vec<Setup> {
        let places = self.places(role).iter();
        places
            .map(|place| self.of(role, self.sound_entry(place), track))
            .collect()
    }

    /// What a track gets in one place.
    pub(super) fn setup(&self, role: Role, index: usize, track: &TrackInfo) -> Option<Setup> {
        let place = self.places(role).get(index)?;
        Some(self.of(role, &place.entry, track))
    }

    /// Something else takes a place.
    pub(super) fn replace(&mut self, role: Role, index: usize, entry: Entry) {
        let places = match role {
            Role::Filter => &mut self.filters,
            Role::Inspector => &mut self.inspectors,
        };
        if let Some(place) = places.get_mut(index) {
            place.before = Some(std::mem::replace(&mut place.entry, entry));
        }
    }

    /// All there is, with what makes it anew, if its files are to be watched.
    pub(super) fn watched(&self) -> Option<(Loader, Vec<Placed>)> {
        let of = |role| {
            let places = self.places(role).iter().enumerate();
            places.map(move |(index, place)| (role, index, place.entry.clone()))
        };
        let all = of(Role::Filter).chain(of(Role::Inspector)).collect();
        self.is_watched.then(|| (self.loader.clone(), all))
    }

    fn places(&self, role: Role) -> &[Place] {
        match role {
            Role::Filter => &self.filters,
            Role::Inspector => &self.inspectors,
        }
    }

    /// A track that begins while a new plugin fails everywhere gets what was there before, as those do
    /// that it failed on.
    fn sound_entry<'a>(&self, place: &'a Place) -> &'a Entry {
        let restart = self.restart(place.entry.plugin.digest());
        match &place.before {
            Some(before) if restart.has_blown(clock::now()) => before,
            _ => &place.entry,
        }
    }

    fn of(&self, role: Role, entry: &Entry, track: &TrackInfo) -> Setup {
        Setup {
            open: Box::new(self.loader.opener(entry, track.clone())),
            on_error: match role {
                Role::Filter => self.on_error,
                Role::Inspector => OnError::Bypass,
            },
            restart: self.restart(entry.plugin.digest()),
            changes: None,
        }
    }

    fn restart(&self, plugin: Digest) -> Restart {
        Restart {
            fuse: Some(self.breakers.fuse(TENANT, plugin)),
            ..Restart::default()
        }
    }
}

impl Entry {
    /// The file's name, for the user.
    pub(super) fn name(&self) -> impl std::fmt::Display {
        self.choice.file.display()
    }

    /// Whether both are the same plugin with the same settings.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.plugin.digest() == other.plugin.digest() && self.settings == other.settings
    }
}

/// Settings may hold secrets.
impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut entry = f.debug_struct("Entry");
        entry
            .field("choice", &self.choice)
            .field("plugin", &self.plugin)
            .finish_non_exhaustive()
    }
}

impl Loader {
    fn load_all(&self, role: Role, choices: &[Choice]) -> Result<Vec<Place>, Mistake> {
        let places = choices.iter().map(|choice| {
            let entry = self.load(role, choice)?;
            Ok(Place {
                entry,
                before: None,
            })
        });
        places.collect()
    }

    /// Reads, compiles and tries a plugin. Blocks.
    ///
    /// # Errors
    /// It is not as it should be, or its settings are not.
    pub(super) fn load(&self, role: Role, choice: &Choice) -> Result<Entry, Mistake> {
        let path = &choice.file;
        let bytes = read(path, self.limits.component_size).map_err(|source| Mistake::Plugin {
            path: path.clone(),
            source,
        })?;
        let loaded = self.engine.load(&bytes, &self.limits);
        let plugin = loaded.map_err(|source| Mistake::Load {
            path: path.clone(),
            source,
        })?;
        check_role(role, path, &plugin)?;
        let entry = Entry {
            settings: settings(choice)?,
            choice: choice.clone(),
            plugin,
        };
        self.check_settings(&entry)?;
        self.try_out(&entry)?;
        Ok(entry)
    }

    fn check_settings(&self, entry: &Entry) -> Result<(), Mistake> {
        let checked = entry.plugin.check_settings(&entry.settings);
        checked.map_err(|error| match error {
            crate::plugins::PluginError::Config(reason) => wrong_settings(&entry.choice, reason),
            error => wrong_settings(&entry.choice, error.to_string()),
        })
    }

    /// Opens a session: not all that a plugin demands of its settings is in its schema.
    fn try_out(&self, entry: &Entry) -> Result<(), Mistake> {
        let mut opener = self.opener(entry, track::example());
        let opened = if opener.takes(TrackKind::Audio) {
            let wants = opener.wants();
            let rate = wants.rate.unwrap_or(SampleRate::HZ_48000);
            let channels = wants.channels.unwrap_or(Channels::Mono);
            let usual = usize::try_from(rate.get() / 50).unwrap_or_default();
            let format = AudioFormat::new(rate, channels);
            opener.open(format, wants.block.unwrap_or(usual), clock::now())
        } else {
            opener.open_without_sound(clock::now())
        };
        match opened {
            Ok(_) => Ok(()),
            Err(FilterError::Config(reason)) => Err(wrong_settings(&entry.choice, reason)),
            Err(source) => Err(Mistake::Open {
                path: entry.choice.file.clone(),
                source,
            }),
        }
    }

    fn opener(&self, entry: &Entry, track: TrackInfo) -> Opener {
        let (plugin, settings) = (entry.plugin.clone(), entry.settings.clone());
        Opener::new(plugin, settings, self.limits.clone(), track)
    }
}

/// An engine that compiles in a process of this program, and keeps what it compiles if it can.
fn engine() -> Result<Engine, LoadError> {
    let program = std::env::current_exe().map_err(LoadError::Program)?;
    let settings = EngineSettings {
        cache: cache::settings(),
        ..EngineSettings::new(program)
    };
    match Engine::new(&settings) {
        Err(error @ EngineError::Cache { .. }) => {
            tracing::warn!(%error, "{}", cache::NOT_KEPT);
            let without = EngineSettings {
                cache: None,
                ..settings
            };
            Ok(Engine::new(&without)?)
        }
        made => Ok(made?),
    }
}

fn check_role(role: Role, path: &Path, plugin: &Plugin) -> Result<(), Mistake> {
    let is_it = match role {
        Role::Filter => plugin.kind() == Kind::Transformer,
        Role::Inspector => plugin.kind() == Kind::Inspector,
    };
    if !is_it {
        return Err(Mistake::Role {
            path: path.to_path_buf(),
            wanted: role,
        });
    }
    let hears = crate::plugins::contract::TrackKind::Audio;
    if role == Role::Filter && !plugin.declaration().kinds.contains(&hears) {
        return Err(Mistake::Kind {
            path: path.to_path_buf(),
        });
    }
    Ok(())
}

/// The text of the settings; empty if there are none.
fn settings(choice: &Choice) -> Result<String, Mistake> {
    let Some(path) = &choice.settings else {
        return Ok(String::new());
    };
    let text = read(path, MAX_SETTINGS)
        .and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
    text.map_err(|source| Mistake::Settings {
        path: path.clone(),
        plugin: choice.file.clone(),
        source,
    })
}

fn wrong_settings(choice: &Choice, reason: String) -> Mistake {
    let plugin = choice.file.clone();
    match choice.settings.clone() {
        Some(path) => Mistake::WrongSettings {
            path,
            plugin,
            reason,
        },
        None => Mistake::NoSettings { plugin, reason },
    }
}

/// Reads at most a byte more than there may be: whoever checks the size says what is wrong.
fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    File::open(path)?
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A run is one user's.
const TENANT: &str = "";
/// Bytes of settings; more are no JSON any more.
const MAX_SETTINGS: usize = 1 << 20;
