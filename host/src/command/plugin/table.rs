//! What is said about a plugin, for people: a name and a value a line.

use std::fmt::{self, Display};
use std::time::Duration;

/// Rows whose values stand below each other.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<(String, String)>);

impl Table {
    pub(super) fn row(&mut self, name: impl Into<String>, value: impl Display) {
        self.0.push((name.into(), value.to_string()));
    }

    /// A row each; the name stands in front of the first.
    pub(super) fn rows(&mut self, name: &str, values: impl IntoIterator<Item = impl Display>) {
        for (index, value) in values.into_iter().enumerate() {
            self.row(if index == 0 { name } else { "" }, value);
        }
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|(name, _)| name.chars().count()).max();
        let width = width.unwrap_or(0);
        for (name, value) in &self.0 {
            writeln!(f, "  {name:width$}  {value}")?;
        }
        Ok(())
    }
}

/// 12345 as `12,345`.
pub(super) fn grouped(number: impl Into<u64>) -> String {
    let digits = number.into().to_string();
    let first = digits.len() % 3;
    let groups = digits.char_indices().flat_map(|(index, digit)| {
        let begins_group = index > 0 && index % 3 == first;
        begins_group.then_some(',').into_iter().chain([digit])
    });
    groups.collect()
}

/// Bytes in the unit that a reader thinks in.
pub(super) fn bytes(count: usize) -> String {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    match count {
        0..1_024 => format!("{count} bytes"),
        1_024..1_048_576 => format!("{} KiB", count.div_ceil(1_024)),
        _ => format!("{} MiB", tenths((count * 10).div_ceil(1_048_576))),
    }
}

/// A duration in microseconds, as calls take them.
pub(super) fn micros(time: Duration) -> String {
    let tenths_of_micros = u64::try_from(time.as_nanos() / 100).unwrap_or(u64::MAX);
    if tenths_of_micros < 1_000 {
        format!("{} µs", tenths(tenths_of_micros))
    } else {
        format!("{} µs", grouped(tenths_of_micros / 10))
    }
}

/// `1 frame`, `2 frames`.
pub(super) fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(count))
}

/// 12 as `1.2`, 20 as `2`.
fn tenths(tenths: u64) -> String {
    match (tenths / 10, tenths % 10) {
        (whole, 0) => grouped(whole),
        (whole, rest) => format!("{}.{rest}", grouped(whole)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        for (number, text) in [
            (0_u64, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (65_536, "65,536"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn sizes_have_the_unit_that_a_reader_thinks_in() {
        for (count, text) in [
            (512, "512 bytes"),
            (1_025, "2 KiB"),
            (8 << 20, "8 MiB"),
            ((1 << 20) + (1 << 19), "1.5 MiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn values_stand_below_each_other() {
        let mut table = Table::default();
        table.row("name", 1);
        table.rows("imports", ["a", "b"]);

        assert_eq!(
            table.to_string(),
            "  name     1\n  imports  a\n           b\n"
        );
    }
}
