use std::collections::BTreeMap;

use crate::plugins::{Digest, Metric, Statistics};

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

impl Report {
    /// Adds what a session has cost. Sessions of the same plugin are one report; beyond 16 plugins
    /// in one place, what further ones cost is left out.
    pub(super) fn add_to(reports: &mut Vec<Self>, session: Option<Self>) {
        let Some(session) = session else {
            return;
        };
        let digest = session.digest;
        if let Some(report) = reports.iter_mut().find(|report| report.digest == digest) {
            return report.add(session);
        }
        if reports.len() < MAX_REPORTS {
            reports.push(session);
        }
    }

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
const MAX_REPORTS: usize = 16;
