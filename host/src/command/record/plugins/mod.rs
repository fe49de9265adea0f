//! The plugins of a run: which ones, on which tracks, and what becomes of them when their files
//! change.
//!
//! ```text
//! arguments ─► Wanted ─► Catalogue ( files ─► plugins::Engine ) ─► Plugins ─ attach ─► each track
//!                            Watcher ─ what changed ──────────────────┘ └─ changes ─► those that run
//! ```

mod cache;
mod catalogue;
mod choice;
mod mistake;
mod track;
mod watcher;

use std::collections::BTreeMap;

pub(super) use catalogue::Catalogue;
pub(super) use choice::{PluginArgs, PluginError, Wanted};
pub(super) use mistake::LoadError;

use super::follow::RecordingId;
use crate::egress::Track;
use crate::filter::{ChangeError, Changer, Setup, changes};
use crate::media::TrackKind;
use crate::plugins::contract::TrackInfo;
use catalogue::Role;
use watcher::{News, Watcher};

/// The plugins of a run, and the tracks that they are on.
#[derive(Debug)]
pub(super) struct Plugins {
    /// `None` if the user wants none.
    catalogue: Option<Catalogue>,
    watcher: Option<Watcher>,
    tracks: BTreeMap<RecordingId, OnTrack>,
    /// Somebody was told that pictures go by filters.
    has_told_of_pictures: bool,
}

/// What a track goes through.
#[derive(Debug, Default)]
pub(super) struct Attached {
    /// In order.
    pub(super) filters: Vec<Setup>,
    /// Each by itself.
    pub(super) inspectors: Vec<Setup>,
    /// What the user should know.
    pub(super) news: Option<&'static str>,
}

/// A track with plugins.
#[derive(Debug)]
struct OnTrack {
    info: TrackInfo,
    filters: Vec<Changer>,
    inspectors: Vec<Changer>,
}

impl Plugins {
    /// Those of a catalogue. Files are watched if that is wanted.
    pub(super) fn new(catalogue: Option<Catalogue>) -> Self {
        Self {
            watcher: catalogue.as_ref().and_then(Watcher::start),
            catalogue,
            tracks: BTreeMap::new(),
            has_told_of_pictures: false,
        }
    }

    /// Opens no plugin yet, but says which a track gets.
    pub(super) fn attach(&mut self, id: RecordingId, track: &Track) -> Attached {
        let Some(catalogue) = &self.catalogue else {
            return Attached::default();
        };
        let info = track::info(track);
        let (filters, to_filters) = attach(catalogue, Role::Filter, &info);
        let (inspectors, to_inspectors) = attach(catalogue, Role::Inspector, &info);
        let on_track = OnTrack {
            info,
            filters: to_filters,
            inspectors: to_inspectors,
        };
        self.tracks.insert(id, on_track);
        let goes_by = track.publication.kind == TrackKind::Video && !filters.is_empty();
        let is_news = goes_by && !std::mem::replace(&mut self.has_told_of_pictures, true);
        Attached {
            filters,
            inspectors,
            news: is_news.then_some(PICTURES),
        }
    }

    /// A track is over.
    pub(super) fn detach(&mut self, id: RecordingId) {
        self.tracks.remove(&id);
    }

    /// Waits until a file has changed, and has tracks go on with what is in it. What came of that, for
    /// the user.
    pub(super) async fn next(&mut self) -> String {
        let news = match &mut self.watcher {
            Some(watcher) => watcher.next().await,
            None => None,
        };
        match (news, &mut self.catalogue) {
            (Some(News::Changed(role, index, entry)), Some(catalogue)) => {
                let text = format!("{} has changed: tracks go on with it", entry.name());
                catalogue.replace(role, index, *entry);
                change(catalogue, &self.tracks, role, index);
                text
            }
            (Some(News::Refused(why)), _) => why,
            _ => std::future::pending().await,
        }
    }
}

/// What a track gets, and the ways to change it.
fn attach(catalogue: &Catalogue, role: Role, info: &TrackInfo) -> (Vec<Setup>, Vec<Changer>) {
    let setups = catalogue.setups(role, info).into_iter();
    let attached = setups.map(|setup| {
        let (changer, changes) = changes();
        let changes = Some(changes);
        (Setup { changes, ..setup }, changer)
    });
    attached.unzip()
}

/// Has all tracks go on with what is in one place of the catalogue.
fn change(
    catalogue: &Catalogue,
    tracks: &BTreeMap<RecordingId, OnTrack>,
    role: Role,
    index: usize,
) {
    for track in tracks.values() {
        let changers = match role {
            Role::Filter => &track.filters,
            Role::Inspector => &track.inspectors,
        };
        let setup = catalogue.setup(role, index, &track.info);
        let changed = changers.get(index).zip(setup);
        if let Some(Err(error @ ChangeError::Full)) = changed.map(|(it, setup)| it.replace(setup)) {
            let track = &track.info.track_sid;
            tracing::warn!(%track, %error, "A track does not go on with the new plugin.");
        }
    }
}

/// What the user is told when the first track of pictures meets filters.
const PICTURES: &str = "tracks of pictures are recorded as they come: --filter is for sound";
