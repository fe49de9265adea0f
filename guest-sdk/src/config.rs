//! The operator's settings for this plugin and track.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::imports;

/// The settings of a plugin that has none: any setting is refused by name.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

/// Reads the settings again, after [`TrackEvent::ConfigChanged`](crate::TrackEvent::ConfigChanged).
///
/// # Errors
///
/// [`Error::Config`] with the key that is missing, unknown or of the wrong type.
pub fn read<C: DeserializeOwned>() -> Result<C> {
    parse(&imports::config())
}

/// Reads settings from JSON, and names the key that is wrong.
pub(crate) fn parse<C: DeserializeOwned>(json: &str) -> Result<C> {
    // By way of a value, because errors of text tell a line and a column that the operator never saw.
    let value: Value =
        serde_json::from_str(json).map_err(|error| Error::config("settings", error))?;
    serde_path_to_error::deserialize(value).map_err(|error| {
        let reason = error.inner().to_string();
        Error::config(key(&error.path().to_string(), &reason), reason)
    })
}

/// The path to what is wrong; what is not there has none, but is named in the reason.
fn key(path: &str, reason: &str) -> String {
    let named = reason.split('`').nth(1).unwrap_or("settings");
    match (path, reason.starts_with("missing field")) {
        ("." | "?", _) => named.to_owned(),
        (_, true) => format!("{path}.{named}"),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what cannot be read matters")]
    struct Equalizer {
        bands: Vec<Band>,
        bypass: Option<bool>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only what cannot be read matters")]
    struct Band {
        gain_db: f32,
    }

    #[test]
    fn an_error_names_the_key() {
        for (json, expected) in [
            ("{}", "bands: missing field `bands`"),
            (
                r#"{"bands": [{"gain_db": 1.0}, {"gain_db": "loud"}]}"#,
                "bands[1].gain_db: invalid type: string \"loud\", expected f32",
            ),
            (
                r#"{"bands": [{}]}"#,
                "bands[0].gain_db: missing field `gain_db`",
            ),
            (
                r#"{"bands": [], "bypas": true}"#,
                "bypas: unknown field `bypas`, expected `bands` or `bypass`",
            ),
            ("", "settings: EOF while parsing a value at line 1 column 0"),
        ] {
            let error = parse::<Equalizer>(json).unwrap_err();

            assert_eq!(error.to_string(), expected, "{json}");
        }
    }

    #[test]
    fn a_plugin_without_settings_refuses_any() {
        let error = parse::<NoConfig>(r#"{"gain_db": 1}"#).unwrap_err();

        assert!(error.to_string().starts_with("gain_db: unknown field"));
        assert!(parse::<NoConfig>("{}").is_ok());
    }
}
