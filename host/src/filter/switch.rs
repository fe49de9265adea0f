use crate::media::Pts;

/// A filter began or ceased to do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// The filter.
    pub filter: String,
    /// Where: 48 kHz ticks since the track's origin.
    pub pts: Pts,
    /// What changed.
    pub change: Change,
    /// Why.
    pub reason: String,
}

/// What changed with a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It failed; sound goes by it until it runs again.
    Bypassed,
    /// It failed; silence stands in until it runs again.
    Silenced,
    /// It runs again.
    Restarted,
    /// It failed once too often, or refuses its settings: it is not opened again.
    GivenUp,
    /// Another filter, or the same with other settings, took its place.
    Replaced,
    /// The one that took its place was given up; the one before is back.
    RolledBack,
    /// It failed, and the track ends therefore.
    StoppedTrack,
    /// It failed, and the egress fails therefore.
    FailedEgress,
}

impl Change {
    /// Its name in manifests and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bypassed => "bypassed",
            Self::Silenced => "silenced",
            Self::Restarted => "restarted",
            Self::GivenUp => "given_up",
            Self::Replaced => "replaced",
            Self::RolledBack => "rolled_back",
            Self::StoppedTrack => "stopped_track",
            Self::FailedEgress => "failed_egress",
        }
    }
}

/// What a filter did, in blocks as it gets them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// It passed them as they came.
    pub passed: u64,
    /// It changed them.
    pub changed: u64,
    /// It made silence of them.
    pub silenced: u64,
    /// It dropped them.
    pub dropped: u64,
    /// They went by it, or were silent, because it was out of order.
    pub missed: u64,
    /// Calls that failed without harm to the session.
    pub transient: u64,
    /// Sessions that died.
    pub fatal: u64,
    /// Sessions opened after one had died.
    pub restarts: u64,
}
