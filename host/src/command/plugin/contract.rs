//! The contract (`wit/`), inside the binary: whoever has the binary can build plugins for it.

use anyhow::Context;
use wit_parser::{Resolve, SourceMap, WorldId};

/// The files of the contract: name and text.
pub(super) const FILES: &[(&str, &str)] = &[
    ("config.wit", include_str!("../../../../wit/config.wit")),
    ("events.wit", include_str!("../../../../wit/events.wit")),
    ("host.wit", include_str!("../../../../wit/host.wit")),
    ("metrics.wit", include_str!("../../../../wit/metrics.wit")),
    ("plugin.wit", include_str!("../../../../wit/plugin.wit")),
    (
        "track-inspector.wit",
        include_str!("../../../../wit/track-inspector.wit"),
    ),
    (
        "track-transformer.wit",
        include_str!("../../../../wit/track-transformer.wit"),
    ),
    ("types.wit", include_str!("../../../../wit/types.wit")),
    ("worlds.wit", include_str!("../../../../wit/worlds.wit")),
];

/// The contract as the tools see it, and one of its worlds.
pub(super) fn world(name: &str) -> anyhow::Result<(Resolve, WorldId)> {
    let mut sources = SourceMap::default();
    for (name, text) in FILES {
        sources.push_str(name, *text);
    }
    let group = sources
        .parse()
        .map_err(|(_, error)| anyhow::anyhow!("the contract does not parse: {error}"))?;
    let mut resolve = Resolve::default();
    let package = resolve
        .push_group(group)
        .map_err(|error| anyhow::anyhow!("the contract does not resolve: {error}"))?;
    let world = resolve
        .select_world(&[package], Some(name))
        .with_context(|| format!("the contract has no world {name}"))?;
    Ok((resolve, world))
}
