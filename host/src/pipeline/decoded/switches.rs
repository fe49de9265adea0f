use tracing::{info, warn};

use crate::filter::{Change, Switch};

/// Tells the operator that a filter of a track began or ceased to do its work.
pub(super) fn log(track: &str, switch: &Switch) {
    let Switch {
        filter,
        change,
        reason,
        ..
    } = switch;
    let is_well = matches!(change, Change::Restarted | Change::Replaced);
    let change = change.as_str();
    if is_well {
        info!(track, filter, change, reason, "A filter changed.");
    } else {
        warn!(track, filter, change, reason, "A filter does not work.");
    }
}
