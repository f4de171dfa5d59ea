//! Reading values of the tree: what the place allows, or an error that names the place.
//! Compose lets most scalars be written as text too (a variable always ends as one), so these do.

use serde_json::{Map, Value};

use super::{Error, MOST_ITEMS, words};

/// Builds the error for a value that does not belong there.
pub(super) fn invalid(path: &str, expected: &'static str, value: &Value) -> Error {
    let shown = match value {
        Value::String(text) => format!("'{}'", words::shorten(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
        other => other.to_string(),
    };
    Error::Invalid {
        path: path.to_owned(),
        expected,
        value: shown,
    }
}

/// Writes a scalar as text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        // A whole number with a fraction of zero is how YAML 1.2 readers give `0440` back.
        Value::Number(number) if number.is_f64() => {
            let text = number.to_string();
            Some(text.strip_suffix(".0").map_or(text.clone(), str::to_owned))
        }
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Reads a text or any other scalar.
pub(super) fn text(path: &str, value: &Value) -> Result<String, Error> {
    scalar(value).ok_or_else(|| invalid(path, "a text", value))
}

/// Reads a truth value.
pub(super) fn flag(path: &str, value: &Value) -> Result<bool, Error> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" | "1" => Ok(true),
            "false" | "no" | "off" | "n" | "0" | "" => Ok(false),
            _ => Err(invalid(path, "true or false", value)),
        },
        _ => Err(invalid(path, "true or false", value)),
    }
}

/// Reads a whole number that is not negative and fits a 32-bit field of Kubernetes.
pub(super) fn count(path: &str, value: &Value) -> Result<u32, Error> {
    scalar(value)
        .and_then(|text| text.trim().parse::<u32>().ok())
        .filter(|number| i32::try_from(*number).is_ok())
        .ok_or_else(|| invalid(path, "a whole number", value))
}

/// Reads a mapping.
pub(super) fn mapping<'a>(path: &str, value: &'a Value) -> Result<&'a Map<String, Value>, Error> {
    value
        .as_object()
        .ok_or_else(|| invalid(path, "a mapping", value))
}

/// Reads a list.
pub(super) fn list<'a>(path: &str, value: &'a Value) -> Result<&'a [Value], Error> {
    let items = value
        .as_array()
        .ok_or_else(|| invalid(path, "a list", value))?;
    if items.len() > MOST_ITEMS {
        return Err(invalid(path, "a list of at most 10000 items", value));
    }
    Ok(items)
}

/// Reads a list of texts, or a single one.
pub(super) fn texts(path: &str, value: &Value) -> Result<Vec<String>, Error> {
    match value {
        Value::Array(_) => list(path, value)?
            .iter()
            .enumerate()
            .map(|(index, item)| text(&format!("{path}[{index}]"), item))
            .collect(),
        other => Ok(vec![text(path, other)?]),
    }
}

/// Reads pairs written as a mapping or as a list of `key=value`; a key alone has no value.
pub(super) fn pairs(path: &str, value: &Value) -> Result<Vec<(String, Value)>, Error> {
    match value {
        Value::Object(entries) => Ok(entries
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let item = text(&format!("{path}[{index}]"), item)?;
                Ok(match item.split_once('=') {
                    Some((key, value)) => (key.to_owned(), Value::from(value)),
                    None => (item, Value::Null),
                })
            })
            .collect(),
        other => Err(invalid(path, "a mapping or a list of key=value", other)),
    }
}
