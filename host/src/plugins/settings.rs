use std::fmt;
use std::sync::Arc;

use jsonschema::{PatternOptions, Validator};
use serde_json::{Map, Value};

use crate::plugins::PluginError;

/// The settings of one plugin on one track: a JSON object.
#[derive(Clone, Debug)]
pub(crate) struct Settings(Arc<Map<String, Value>>);

impl Settings {
    /// No settings.
    pub(crate) fn empty() -> Self {
        Self(Arc::new(Map::new()))
    }

    /// Reads them; no text at all is an empty object.
    pub(crate) fn parse(json: &str, schema: &Schema) -> Result<Self, PluginError> {
        let json = if json.trim().is_empty() { "{}" } else { json };
        let value: Value = serde_json::from_str(json)
            .map_err(|error| PluginError::Config(format!("not JSON: {error}")))?;
        schema.check(&value)?;
        match value {
            Value::Object(settings) => Ok(Self(Arc::new(settings))),
            other => Err(PluginError::Config(format!(
                "expected a JSON object, found {other}"
            ))),
        }
    }

    /// One of them: a string as it is, anything else as JSON.
    pub(crate) fn get(&self, key: &str) -> Option<String> {
        self.0.get(key).map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }
}

/// All of them as one JSON object.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_string(&*self.0).map_err(|_| fmt::Error)?;
        f.write_str(&json)
    }
}

/// What the plugin says of its settings.
#[derive(Clone, Debug)]
pub(crate) struct Schema(Option<Arc<Validator>>);

impl Schema {
    /// Reads a declared schema. References outside of it are refused, and patterns are matched in linear
    /// time, because a stranger wrote both.
    pub(crate) fn parse(declared: Option<&str>) -> Result<Self, String> {
        let Some(declared) = declared else {
            return Ok(Self(None));
        };
        let schema: Value = serde_json::from_str(declared)
            .map_err(|error| format!("`config-schema` is not JSON: {error}"))?;
        let validator = jsonschema::options()
            .with_pattern_options(PatternOptions::regex())
            .build(&schema)
            .map_err(|error| format!("`config-schema` is no JSON schema: {error}"))?;
        Ok(Self(Some(Arc::new(validator))))
    }

    fn check(&self, settings: &Value) -> Result<(), PluginError> {
        let Some(validator) = &self.0 else {
            return Ok(());
        };
        let wrong: Vec<String> = validator
            .iter_errors(settings)
            .take(MAX_ERRORS)
            .map(|error| match error.instance_path().to_string().as_str() {
                "" => error.to_string(),
                path => format!("{error} (at {path})"),
            })
            .collect();
        if wrong.is_empty() {
            return Ok(());
        }
        Err(PluginError::Config(wrong.join("; ")))
    }
}

/// More than this many mistakes are one large one.
const MAX_ERRORS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const GAIN: &str = r#"{
        "type": "object",
        "properties": {"gain_db": {"type": "number", "maximum": 40}, "name": {"type": "string"}},
        "required": ["gain_db"],
        "additionalProperties": false
    }"#;

    #[test]
    fn settings_that_fit_the_schema_are_handed_over() {
        let schema = Schema::parse(Some(GAIN)).unwrap();

        let settings = Settings::parse(r#"{"gain_db": -6.5, "name": "a"}"#, &schema).unwrap();

        assert_eq!(settings.get("gain_db").as_deref(), Some("-6.5"));
        assert_eq!(settings.get("name").as_deref(), Some("a"));
        assert_eq!(settings.get("other"), None);
        assert_eq!(settings.to_string(), r#"{"gain_db":-6.5,"name":"a"}"#);
    }

    #[test]
    fn settings_that_do_not_fit_are_refused_by_key() {
        let schema = Schema::parse(Some(GAIN)).unwrap();

        for (json, reason) in [
            ("{}", "\"gain_db\" is a required property"),
            (r#"{"gain_db": "loud"}"#, "(at /gain_db)"),
            (r#"{"gain_db": 1, "gian": 2}"#, "'gian'"),
            ("[]", "not of type \"object\""),
            ("{", "not JSON"),
        ] {
            let error = Settings::parse(json, &schema).unwrap_err();
            assert!(error.to_string().contains(reason), "{json}: {error}");
        }
    }

    #[test]
    fn without_a_schema_any_object_will_do() {
        let schema = Schema::parse(None).unwrap();

        assert!(Settings::parse("", &schema).is_ok());
        assert!(Settings::parse(r#"{"a": [1]}"#, &schema).is_ok());
        assert!(Settings::parse("1", &schema).is_err());
    }

    #[test]
    fn a_schema_that_is_none_or_refers_elsewhere_is_refused() {
        for schema in [
            "{",
            r#"{"type": 5}"#,
            r#"{"$ref": "https://example.com/schema.json"}"#,
            r#"{"$ref": "file:///etc/passwd"}"#,
        ] {
            assert!(Schema::parse(Some(schema)).is_err(), "{schema}");
        }
    }
}
