use std::collections::BTreeMap;

use super::Counts;
use crate::plugins::{Digest, Metric, Statistics};

/// What the filter in one place of a chain did.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// What it is called; the last one if it was replaced.
    pub filter: String,
    /// What it did with its blocks.
    pub counts: Counts,
    /// The plugins that it was, in the order in which they took its place: the first 16.
    pub plugins: Vec<Report>,
}

/// What a plugin is, and what it has cost on a track, all of its sessions together.
#[derive(Clone, Debug)]
pub struct Report {
    /// The SHA-256 of its bytes.
    pub digest: Digest,
    /// Its version, in its own words.
    pub version: String,
    /// What its calls took and what did not get out; memory is that of the largest session.
    pub statistics: Statistics,
    /// Its metrics by name, at most as many as one session may have.
    pub metrics: BTreeMap<String, Metric>,
}

impl Account {
    /// Adds what a session has cost. Those of one plugin are one report.
    pub(super) fn add(&mut self, session: Option<Report>) {
        let Some(session) = session else {
            return;
        };
        let mut plugins = self.plugins.iter_mut();
        if let Some(report) = plugins.find(|report| report.digest == session.digest) {
            report.add(session);
        } else if self.plugins.len() < MAX_PLUGINS {
            self.plugins.push(session);
        }
    }
}

impl Report {
    fn add(&mut self, session: Self) {
        let most = self.metrics.len().max(session.metrics.len());
        self.statistics.add(&session.statistics);
        for (name, metric) in session.metrics {
            if let Some(sum) = self.metrics.get_mut(&name) {
                sum.add(metric);
            } else if self.metrics.len() < most {
                self.metrics.insert(name, metric);
            } else {
                self.statistics.drops.metrics += 1;
            }
        }
    }
}

/// More builds of a plugin than a recording sees, unless somebody writes one while he listens.
const MAX_PLUGINS: usize = 16;
