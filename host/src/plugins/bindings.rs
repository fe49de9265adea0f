//! Rust's view of the contract in `wit/`, generated. The types of both worlds are the same ones.

#[expect(missing_docs, reason = "generated; the contract documents its items")]
pub(crate) mod inspector {
    wasmtime::component::bindgen!({ path: "../wit", world: "trackmill:plugin/inspector" });
}

pub(crate) mod transformer {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "trackmill:plugin/transformer",
        with: {
            "trackmill:plugin/types": super::inspector::trackmill::plugin::types,
            "trackmill:plugin/host": super::inspector::trackmill::plugin::host,
            "trackmill:plugin/config": super::inspector::trackmill::plugin::config,
            "trackmill:plugin/events": super::inspector::trackmill::plugin::events,
            "trackmill:plugin/metrics": super::inspector::trackmill::plugin::metrics,
        },
    });
}

pub(crate) use inspector::trackmill::plugin::{config, events, host, metrics, types};
