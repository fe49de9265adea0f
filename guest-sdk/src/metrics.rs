//! Figures for the operator, exported under the plugin's name; at most 32 names unless the operator
//! says otherwise.

use crate::imports;

/// Adds to a counter.
pub fn counter_add(name: &str, value: u64) {
    imports::counter_add(name, value);
}

/// Sets a gauge.
pub fn gauge_set(name: &str, value: f64) {
    imports::gauge_set(name, value);
}

/// Records a value in a histogram.
pub fn histogram_record(name: &str, value: f64) {
    imports::histogram_record(name, value);
}
