use std::fmt::{self, Display};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Args, Costs};
use crate::command::plugin::table::{bytes, grouped, micros};

/// What one plugin costs, or two.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) args: &'a Args,
    pub(super) costs: Costs,
    pub(super) other: Option<Costs>,
}

/// One figure.
struct Figure {
    name: &'static str,
    /// What is compared.
    value: fn(&Costs) -> f64,
    /// How it is written.
    text: fn(&Costs) -> String,
}

/// In the order of the report.
const FIGURES: [Figure; 7] = [
    Figure {
        name: "a frame, p50",
        value: |costs| nanos(costs.frames.quantile(0.5)),
        text: |costs| micros(costs.frames.quantile(0.5)),
    },
    Figure {
        name: "a frame, p99",
        value: |costs| nanos(costs.frames.quantile(0.99)),
        text: |costs| micros(costs.frames.quantile(0.99)),
    },
    Figure {
        name: "20 ms, with the host",
        value: |costs| nanos(costs.second / 50),
        text: |costs| micros(costs.second / 50),
    },
    Figure {
        name: "tracks a core",
        value: Costs::tracks_a_core,
        text: |costs| format!("{:.0}", costs.tracks_a_core()),
    },
    Figure {
        name: "fuel a frame",
        value: |costs| float(costs.fuel),
        text: |costs| grouped(costs.fuel),
    },
    Figure {
        name: "its own memory",
        value: |costs| float(costs.resident.guests),
        text: |costs| size(costs.resident.guests),
    },
    Figure {
        name: "memory beside it",
        value: |costs| float(costs.resident.host),
        text: |costs| size(costs.resident.host),
    },
];

impl Figure {
    /// That of another plugin, and how many times that of the first it is.
    fn compared(&self, costs: &Costs, other: &Costs) -> String {
        let ratio = (self.value)(other) / (self.value)(costs);
        let digits = if ratio < 0.1 { 4 } else { 2 };
        format!("  {:>12}  × {ratio:.digits$}", (self.text)(other))
    }
}

impl Costs {
    /// How many tracks a core would carry that did nothing but filter.
    fn tracks_a_core(&self) -> f64 {
        1.0 / self.second.as_secs_f64().max(1e-9)
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "version": self.version,
            "frames": self.frames.count(),
            "frame_ns": {
                "p50": nanos(self.frames.quantile(0.5)),
                "p99": nanos(self.frames.quantile(0.99)),
                "max": nanos(self.frames.max()),
            },
            "second_ns": nanos(self.second),
            "tracks_a_core": self.tracks_a_core(),
            "fuel": self.fuel,
            "memory": {
                "resident": self.resident.guests,
                "beside": self.resident.host,
                "reserved": self.memory,
            },
        })
    }
}

impl Report<'_> {
    /// For machines: one object.
    pub(super) fn to_json(&self) -> Value {
        let ratios = self.other.as_ref().map(|other| {
            let ratios = FIGURES.iter().map(|figure| {
                let ratio = (figure.value)(other) / (figure.value)(&self.costs);
                (figure.name.to_owned(), json!(ratio))
            });
            Value::Object(ratios.collect())
        });
        json!({
            "seconds": self.args.seconds,
            "channels": self.args.channels,
            "instances": self.args.instances,
            "optimised": !cfg!(debug_assertions),
            "plugin": self.costs.to_json(),
            "compared": self.other.as_ref().map(Costs::to_json),
            "ratios": ratios,
        })
    }
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Args {
            seconds, channels, ..
        } = self.args;
        let Costs { name, version, .. } = &self.costs;
        writeln!(
            f,
            "{name} {version}: {seconds} s of 48 kHz, channels: {channels}"
        )?;
        if let Some(Costs { name, version, .. }) = &self.other {
            writeln!(f, "against {name} {version}")?;
        }
        writeln!(f)?;
        for figure in &FIGURES {
            let own = (figure.text)(&self.costs);
            write!(f, "  {:20}  {own:>12}", figure.name)?;
            let other = self.other.as_ref();
            let other = other.map(|other| figure.compared(&self.costs, other));
            write!(f, "{}", other.unwrap_or_default())?;
            writeln!(f)?;
        }
        if cfg!(debug_assertions) {
            writeln!(
                f,
                "\nThis trackmill was built without optimisation: its own part is too large."
            )?;
        }
        Ok(())
    }
}

fn nanos(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

fn size(count: u64) -> String {
    bytes(usize::try_from(count).unwrap_or(usize::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn float(count: u64) -> f64 {
    count as f64
}
