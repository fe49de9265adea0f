use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until};

use super::args::{Job, Report};
use super::follow::{Action, Follow, RecordingId};
use super::progress::Display;
use super::stop::StopSignals;
use crate::clock;
use crate::command::Exit;
use crate::egress::{Egress, EgressId, Ending, Outcome, Plan, Status, Track};
use crate::media::TrackSid;
use crate::pipeline;
use crate::rtc::{Notice, Workers};
use crate::room::{self, Room, SubscriptionId};
use crate::signal::{self, Publication};
use crate::sink::SyncPolicy;
use crate::sink::path::Template;

/// One run of the command: carries out what [`Follow`] plans.
#[derive(Debug)]
pub(super) struct Run {
    room: Room,
    /// Where we are; `None` before we are let in.
    joined: Option<signal::Room>,
    follow: Follow,
    output: Template,
    report: Report,
    display: Display,
    writers: JoinSet<(RecordingId, Outcome)>,
    subscriptions: BTreeMap<RecordingId, SubscriptionId>,
    tracks: BTreeMap<RecordingId, Vec<TrackSid>>,
    endings: BTreeMap<RecordingId, Ending>,
    outcomes: Vec<(RecordingId, Outcome)>,
    signals: StopSignals,
    /// Why the session ended, if it was not we who left.
    refused: Option<signal::EndReason>,
    is_leaving: bool,
}
