//! From the traits of this crate to the exports of a component.

mod component;
mod convert;
mod session;

use std::sync::Once;

pub use component::{Component, Exported};
pub use session::{Inspecting, Session, Transforming};

/// Makes a [`Transformer`](crate::Transformer) the plugin of this crate: `export_transformer!(Gain, name =
/// "gain");`. The version is that of the crate.
#[macro_export]
macro_rules! export_transformer {
    ($plugin:ty, name = $name:expr) => {
        $crate::__export!($plugin, $name, Transforming, transformer);
    };
}

/// Makes an [`Inspector`](crate::Inspector) the plugin of this crate: `export_inspector!(Loudness, name =
/// "loudness");`. The version is that of the crate.
#[macro_export]
macro_rules! export_inspector {
    ($plugin:ty, name = $name:expr) => {
        $crate::__export!($plugin, $name, Inspecting, inspector);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($plugin:ty, $name:expr, $session:ident, $world:ident) => {
        impl $crate::export::Plugin for $plugin {
            type Session = $crate::export::$session<$plugin>;
            const NAME: &'static str = $name;
            const VERSION: &'static str = env!("CARGO_PKG_VERSION");
        }

        // So that whoever compares both can run here what a host runs, whatever its type is called.
        #[cfg(not(target_family = "wasm"))]
        #[doc(hidden)]
        pub fn __run_natively(
            sound: &$crate::testing::Sound,
            settings: &str,
            events: &[(::core::time::Duration, $crate::TrackEvent)],
        ) -> $crate::Result<$crate::testing::Run> {
            $crate::testing::run_with_events::<$plugin>(sound, settings, events)
        }

        // A component has exports; a native build has none, and must not be told that all is unused.
        #[cfg(not(target_family = "wasm"))]
        const _: fn() = $crate::export::use_natively::<$plugin>;
        #[cfg(target_family = "wasm")]
        const _: () = {
            type Component = $crate::export::Component<$plugin>;
    $crate::bindings::plugin::export!(Component with_types_in $crate::bindings::plugin);
    $crate::bindings::$world::export!(Component with_types_in $crate::bindings::$world);
        };
    };
}

/// What the macros above make of a plugin: its name, and its sessions whatever its trait.
pub trait Plugin: 'static {
    /// The plugin on one track.
    type Session: Session;
    /// Name in logs and metrics.
    const NAME: &'static str;
    /// Version of its crate.
    const VERSION: &'static str;
}

/// Does nothing: to be mentioned is to be used.
pub const fn use_natively<P: Plugin>() {}

/// Sends the text of a panic to the host's log, before the trap that comes of it.
fn log_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| crate::host::error(&panic.to_string())));
    });
}
