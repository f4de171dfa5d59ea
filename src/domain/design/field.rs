//! Taking known fields out of a mapping, with the place of the one that has a wrong type.
//!
//! `null` counts as absent everywhere, and stays in the mapping so that it is written back.

use serde_json::Value;
use uuid::Uuid;

use super::Error;
use crate::component::Object;
use crate::path::Path;

pub(crate) fn wrong(path: Path, expected: &'static str, found: &Value) -> Error {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    };
    Error::Type {
        path,
        expected,
        found,
    }
}

pub(crate) fn object(value: Value, path: &Path) -> Result<Object, Error> {
    match value {
        Value::Object(map) => Ok(map),
        found => Err(wrong(path.clone(), "a mapping", &found)),
    }
}

fn take_if_set(map: &mut Object, key: &str) -> Option<Value> {
    match map.get(key) {
        None | Some(Value::Null) => None,
        Some(_) => map.shift_remove(key),
    }
}

pub(crate) fn take_string(
    map: &mut Object,
    key: &str,
    path: &Path,
) -> Result<Option<String>, Error> {
    match take_if_set(map, key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(found) => Err(wrong(path.join(key), "a string", &found)),
    }
}

pub(crate) fn take_object(
    map: &mut Object,
    key: &str,
    path: &Path,
) -> Result<Option<Object>, Error> {
    match take_if_set(map, key) {
        None => Ok(None),
        Some(value) => object(value, &path.join(key)).map(Some),
    }
}

pub(crate) fn take_list(
    map: &mut Object,
    key: &str,
    path: &Path,
) -> Result<Option<Vec<Value>>, Error> {
    match take_if_set(map, key) {
        None => Ok(None),
        Some(Value::Array(items)) => Ok(Some(items)),
        Some(found) => Err(wrong(path.join(key), "a list", &found)),
    }
}

/// Drops what is left of fields that were taken: the nulls.
pub(crate) fn drop_nulls(map: &mut Object, keys: &[&str]) {
    for key in keys {
        map.shift_remove(*key);
    }
}

/// Takes the `id`; the empty text and the nil id stand for none.
pub(crate) fn take_id(map: &mut Object, path: &Path) -> Result<Option<Uuid>, Error> {
    match take_string(map, "id", path)? {
        None => Ok(None),
        Some(text) if text.is_empty() => Ok(None),
        Some(text) => match Uuid::try_parse(&text) {
            Ok(id) => Ok((!id.is_nil()).then_some(id)),
            Err(_) => Err(Error::Id {
                path: path.join("id"),
                found: text,
            }),
        },
    }
}

pub(crate) fn check_string(map: &Object, key: &str, path: &Path) -> Result<(), Error> {
    match map.get(key) {
        None | Some(Value::Null | Value::String(_)) => Ok(()),
        Some(found) => Err(wrong(path.join(key), "a string", found)),
    }
}

pub(crate) fn check_object<'a>(
    map: &'a Object,
    key: &str,
    path: &Path,
) -> Result<Option<&'a Object>, Error> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(inner)) => Ok(Some(inner)),
        Some(found) => Err(wrong(path.join(key), "a mapping", found)),
    }
}

/// Checks the schema version of the mapping at `path`.
pub(crate) fn known_version(
    found: &str,
    known: &'static [&'static str],
    path: &Path,
) -> Result<(), Error> {
    if known.contains(&found) {
        return Ok(());
    }
    Err(Error::SchemaVersion {
        path: path.join("schemaVersion"),
        found: found.to_owned(),
        known,
    })
}

/// Gives keys their new names in place; where both stand, the old one is left alone.
pub(crate) fn rename(map: &mut Object, names: &[(&str, &str)]) {
    let new_name = |map: &Object, key: &str| {
        let (_, new) = names.iter().find(|(old, _)| *old == key)?;
        (!map.contains_key(*new)).then(|| (*new).to_owned())
    };
    if !names.iter().any(|(old, _)| map.contains_key(*old)) {
        return;
    }
    let old = std::mem::take(map);
    let renamed: Vec<_> = old.keys().map(|key| new_name(&old, key)).collect();
    for ((key, value), renamed) in old.into_iter().zip(renamed) {
        map.insert(renamed.unwrap_or(key), value);
    }
}

/// Gives the kebab-case keys of styles that are known their camelCase names.
pub(crate) fn camel_styles(styles: &mut Object) {
    let names: Vec<(String, String)> = styles
        .keys()
        .filter(|key| key.contains('-'))
        .map(|key| (key.clone(), camel(key)))
        .filter(|(_, name)| STYLES.contains(&name.as_str()))
        .collect();
    let names: Vec<(&str, &str)> = names.iter().map(|(a, b)| (&**a, &**b)).collect();
    rename(styles, &names);
}

fn camel(kebab: &str) -> String {
    let mut name = String::with_capacity(kebab.len());
    let mut raise = false;
    for letter in kebab.chars() {
        if letter == '-' {
            raise = true;
        } else if raise {
            name.extend(letter.to_uppercase());
            raise = false;
        } else {
            name.push(letter);
        }
    }
    name
}

/// The styles of components and edges whose names have several words.
const STYLES: &[&str] = &[
    "activeBgColor",
    "activeBgOpacity",
    "activeBgSize",
    "arrowScale",
    "backgroundBlacken",
    "backgroundClip",
    "backgroundColor",
    "backgroundFit",
    "backgroundHeightRelativeTo",
    "backgroundImage",
    "backgroundOffsetX",
    "backgroundOffsetY",
    "backgroundOpacity",
    "backgroundPositionX",
    "backgroundPositionY",
    "backgroundWidthRelativeTo",
    "bodyText",
    "bodyTextBackgroundColor",
    "bodyTextColor",
    "bodyTextDecoration",
    "bodyTextFontSize",
    "bodyTextFontWeight",
    "bodyTextHorizontalAlign",
    "bodyTextMaxWidth",
    "bodyTextOpacity",
    "bodyTextVerticalAlign",
    "bodyTextWrap",
    "borderColor",
    "borderOpacity",
    "borderStyle",
    "borderWidth",
    "curveStyle",
    "edgeAnimation",
    "fontFamily",
    "fontSize",
    "fontStyle",
    "fontWeight",
    "lineCap",
    "lineColor",
    "lineOpacity",
    "lineStyle",
    "menuBackgroundColor",
    "menuBackgroundOpacity",
    "menuForgroundColor",
    "midTargetArrowColor",
    "midTargetArrowFill",
    "midTargetArrowShape",
    "outsideTextureBgColor",
    "outsideTextureBgOpacity",
    "primaryColor",
    "secondaryColor",
    "selectionBoxBorderWidth",
    "selectionBoxColor",
    "selectionBoxOpacity",
    "shapePolygonPoints",
    "sourceLabel",
    "svgColor",
    "svgComplete",
    "svgWhite",
    "targetArrowColor",
    "targetArrowFill",
    "targetArrowShape",
    "targetLabel",
    "textHalign",
    "textOpacity",
    "textTransform",
    "textValign",
    "zIndex",
];
