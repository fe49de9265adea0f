use std::fmt;

use serde_json::{Value, json};

use crate::command::plugin::table::{Table, bytes, counted, grouped};
use crate::plugins::contract::{PcmPreference, SampleFormat, TrackKind};
use crate::plugins::{Limits, Plugin};

/// What there is to say of a plugin that the host would take.
#[derive(Debug)]
pub(super) struct Report {
    /// Bytes of the file.
    pub(super) size: usize,
    pub(super) plugin: Plugin,
    pub(super) limits: Limits,
    /// The file of settings that fit.
    pub(super) settings: Option<String>,
}

impl Report {
    /// For machines: one object.
    pub(super) fn to_json(&self, file: &str) -> Value {
        let (scan, declared) = (self.plugin.scan(), self.plugin.declaration());
        let schema = declared.config_schema.as_deref();
        let schema = schema.and_then(|schema| serde_json::from_str::<Value>(schema).ok());
        let used = |found: u64, limit: u64| json!({ "found": found, "limit": limit });
        let compilation = &self.limits.compilation;
        json!({
            "file": file,
            "accepted": true,
            "name": declared.name,
            "version": declared.version,
            "world": self.plugin.kind().as_str(),
            "contract": scan.contract,
            "kinds": declared.kinds.iter().map(|kind| kind_name(*kind)).collect::<Vec<_>>(),
            "wants": {
                "sample_format": declared.wants.sample_format.map(format_name),
                "sample_rate": declared.wants.sample_rate,
                "channels": declared.wants.channels,
                "frame_samples": declared.wants.frame_samples,
            },
            "latency_samples": declared.latency_samples,
            "config_schema": schema,
            "config": self.settings,
            "imports": scan.imports,
            "sha256": self.plugin.digest().to_string(),
            "size": used(self.size as u64, self.limits.component_size as u64),
            "memory": used(self.plugin.memory() as u64, self.limits.memory as u64),
            "memories": used(scan.memories.into(), compilation.memories.into()),
            "functions": used(scan.functions.into(), compilation.functions.into()),
            "locals_times_nesting":
                used(scan.locals_times_nesting, compilation.locals_times_nesting),
        })
    }

    fn identity(&self, table: &mut Table) {
        let declared = self.plugin.declaration();
        let kinds = declared.kinds.iter().map(|kind| kind_name(*kind));
        table.row(
            "plugin",
            format_args!("{} {}", declared.name, declared.version),
        );
        table.row("tracks", kinds.collect::<Vec<_>>().join(", "));
        table.row("wants", wants(&declared.wants));
        table.row(
            "latency",
            counted(declared.latency_samples.into(), "sample"),
        );
        let schema = declared.config_schema.as_deref().map(one_line);
        let schema = schema.as_deref().unwrap_or("any JSON object: no schema");
        table.row("settings", schema);
        if let Some(file) = &self.settings {
            table.row("", format_args!("{file} fits"));
        }
        table.rows("imports", imports(&self.plugin.scan().imports));
        table.row("sha256", self.plugin.digest());
    }

    fn limits(&self, table: &mut Table) {
        let (scan, limits) = (self.plugin.scan(), &self.limits);
        let mut of = |name: &str, found: String, limit: String| {
            table.row(name, format_args!("{found} of {limit}"));
        };
        of("size", bytes(self.size), bytes(limits.component_size));
        let memory = format!("{} at the start", bytes(limits.memory));
        of("memory", bytes(self.plugin.memory()), memory);
        let compilation = &limits.compilation;
        of(
            "memories",
            grouped(scan.memories),
            grouped(compilation.memories),
        );
        of(
            "functions",
            grouped(scan.functions),
            grouped(compilation.functions),
        );
        of(
            "locals × nesting",
            grouped(scan.locals_times_nesting),
            grouped(compilation.locals_times_nesting),
        );
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let world = self.plugin.kind().as_str();
        let contract = self.plugin.scan().contract.as_deref().unwrap_or("?");
        writeln!(f, "a {world} for trackmill:plugin@{contract}, accepted\n")?;
        let mut table = Table::default();
        self.identity(&mut table);
        self.limits(&mut table);
        write!(f, "{table}")
    }
}

fn wants(wants: &PcmPreference) -> String {
    let format = format_name(wants.sample_format.unwrap_or(SampleFormat::Int16));
    let rate = wants.sample_rate.map_or_else(
        || "the track's rate".to_owned(),
        |rate| format!("{} Hz", grouped(rate)),
    );
    let channels = match wants.channels {
        Some(1) => "mono",
        Some(_) => "stereo",
        None => "its channels",
    };
    let frames = wants.frame_samples.map_or_else(
        || "20 ms".to_owned(),
        |samples| counted(samples.into(), "sample"),
    );
    format!("{format}, {rate}, {channels}, frames of {frames}")
}

/// A schema may have been written over several lines.
fn one_line(json: &str) -> String {
    let schema = serde_json::from_str::<Value>(json);
    schema.map_or_else(|_| json.to_owned(), |schema| schema.to_string())
}

/// A standard library imports a dozen interfaces of WASI whatever it is used for.
fn imports(names: &[String]) -> Vec<String> {
    let (wasi, ours): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.starts_with("wasi:"));
    let mut imports: Vec<String> = ours.into_iter().cloned().collect();
    if !wasi.is_empty() {
        let count = wasi.len();
        imports.push(format!(
            "{count} of wasi, which lead nowhere (--json has them all)"
        ));
    }
    imports
}

const fn kind_name(kind: TrackKind) -> &'static str {
    match kind {
        TrackKind::Audio => "audio",
        TrackKind::Video => "video",
    }
}

const fn format_name(format: SampleFormat) -> &'static str {
    match format {
        SampleFormat::Int16 => "int16",
        SampleFormat::Float32 => "float32",
    }
}
