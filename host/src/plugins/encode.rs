use wit_component::ComponentEncoder;

/// Makes a component of a core module that tells its world in a `component-type` section, as guests
/// built for `wasm32-unknown-unknown` do.
///
/// Runs in the compiler's process: the encoder was not written for strangers' bytes.
pub(crate) fn encode(module: &[u8]) -> Result<Vec<u8>, String> {
    let encoded = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode());
    encoded.map_err(|error| format!("cannot make a component of the core module: {error:#}"))
}
