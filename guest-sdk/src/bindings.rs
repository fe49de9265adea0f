//! What `wit-bindgen` makes of the contract: the calling convention, not for plugins.
//!
//! One world an exported interface, because the two worlds of the contract would both define the macro
//! that exports `plugin`. The linker joins the worlds again that a plugin exports.

/// What a plugin calls, and the types.
pub mod imports {
    wit_bindgen::generate!({
        inline: "package trackmill:sdk-imports;
            world sdk-imports {
                include trackmill:plugin/imports@0.1.0;
                import trackmill:plugin/types@0.1.0;
            }",
        path: "wit",
        generate_all,
    });
}

/// Who a plugin is.
pub mod plugin {
    wit_bindgen::generate!({
        inline: "package trackmill:sdk-plugin;
            world sdk-plugin { export trackmill:plugin/plugin@0.1.0; }",
        path: "wit",
        with: { "trackmill:plugin/types@0.1.0": super::imports::trackmill::plugin::types },
        pub_export_macro: true,
        generate_all,
    });
}

/// The session of a transformer.
pub mod transformer {
    wit_bindgen::generate!({
        inline: "package trackmill:sdk-transformer;
            world sdk-transformer { export trackmill:plugin/track-transformer@0.1.0; }",
        path: "wit",
        with: { "trackmill:plugin/types@0.1.0": super::imports::trackmill::plugin::types },
        pub_export_macro: true,
        generate_all,
    });
}

/// The session of an inspector.
pub mod inspector {
    wit_bindgen::generate!({
        inline: "package trackmill:sdk-inspector;
            world sdk-inspector { export trackmill:plugin/track-inspector@0.1.0; }",
        path: "wit",
        with: { "trackmill:plugin/types@0.1.0": super::imports::trackmill::plugin::types },
        pub_export_macro: true,
        generate_all,
    });
}
