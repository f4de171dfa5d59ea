//! Secrets inside of manifests and designs: found by kind, masked in outputs, taken out for the store.
//!
//! Secret are the values of `data` and `stringData` of core `Secret` objects, wherever these stand in a
//! document, and the annotation in which `kubectl apply` keeps a copy of the whole object. Keys are not
//! secret: they stay, so that what was taken can be put back in its place. What a patch writes into a
//! Secret is as secret, and so is a value of a design that a placeholder in one of them names.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::component::{Component, Object};
use crate::design::Design;
use crate::overlay::{is_like, names_in};
use crate::path::{Path, Segment};

/// What stands in outputs for a secret value.
pub const MASK: &str = "••••••••";

/// The annotation with a copy of the object as it was applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Values that were taken out of a document, each with its place.
///
/// The serialised form holds them in plain text and is meant for encryption; the debug form has none.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets(Vec<Taken>);

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Taken {
    at: Vec<Step>,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
enum Step {
    Index(usize),
    Key(String),
}

/// A value can't be put back, because its place is gone or taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no empty place for the secret value of {path}")]
pub struct PutBackError {
    /// The place.
    pub path: Path,
}

impl Secrets {
    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns how many values there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} values)", self.0.len())
    }
}

/// Replaces every secret value of a document (manifest, list, or design) by [`MASK`].
pub fn mask(document: &mut Value) {
    for at in places(document) {
        if let Some(value) = find_mut(document, &at) {
            *value = MASK.into();
        }
    }
}

/// Masks a document whose secret values were taken out: [`MASK`] stands in each empty place, so that
/// what is hidden doesn't look as if it weren't there.
pub fn mask_taken(document: &mut Value) {
    let mut search = Search {
        empty: true,
        ..Search::default()
    };
    search.value(document);
    for at in search.found {
        if let Some(value) = find_mut(document, &at) {
            *value = MASK.into();
        }
    }
}

/// Replaces every secret value of a design by [`MASK`].
pub fn mask_design(design: &mut Design) {
    for at in design_places(design) {
        if let Some(value) = find_in_design(design, &at) {
            *value = MASK.into();
        }
    }
}

/// Tells whether a document has secret values.
pub fn holds_secrets(document: &Value) -> bool {
    !places(document).is_empty()
}

/// Tells whether a design has secret values.
pub fn design_holds_secrets(design: &Design) -> bool {
    !design_places(design).is_empty()
}

/// Takes the secret values out of a document; `null` stays in their places.
pub fn take(document: &mut Value) -> Secrets {
    let places = places(document).into_iter();
    let taken = places.filter_map(|at| {
        let value = find_mut(document, &at)?.take();
        Some(Taken { at, value })
    });
    Secrets(taken.collect())
}

/// Takes the secret values out of a design; `null` stays in their places.
pub fn take_design(design: &mut Design) -> Secrets {
    let places = design_places(design).into_iter();
    let taken = places.filter_map(|at| {
        let value = find_in_design(design, &at)?.take();
        Some(Taken { at, value })
    });
    Secrets(taken.collect())
}

/// Puts the values back into the document that they were taken from.
///
/// # Errors
/// When a place is gone or taken; values before it are back then.
pub fn put_back(document: &mut Value, secrets: Secrets) -> Result<(), PutBackError> {
    for taken in secrets.0 {
        put(find_mut(document, &taken.at), &taken.at, taken.value)?;
    }
    Ok(())
}

/// Puts the values back into the design that they were taken from.
///
/// # Errors
/// When a place is gone or taken; values before it are back then.
pub fn put_back_design(design: &mut Design, secrets: Secrets) -> Result<(), PutBackError> {
    for taken in secrets.0 {
        put(find_in_design(design, &taken.at), &taken.at, taken.value)?;
    }
    Ok(())
}

fn put(place: Option<&mut Value>, at: &[Step], value: Value) -> Result<(), PutBackError> {
    match place {
        Some(place @ Value::Null) => {
            *place = value;
            Ok(())
        }
        _ => Err(PutBackError { path: path(at) }),
    }
}

fn path(at: &[Step]) -> Path {
    let segments = at.iter().map(|step| match step {
        Step::Index(index) => Segment::Index(*index),
        Step::Key(key) => Segment::Key(key.clone()),
    });
    segments.collect()
}

fn find_mut<'a>(value: &'a mut Value, at: &[Step]) -> Option<&'a mut Value> {
    at.iter().try_fold(value, |value, step| match step {
        Step::Index(index) => value.get_mut(index),
        Step::Key(key) => value.get_mut(key),
    })
}

/// The places of a design have the paths of its written form.
fn find_in_design<'a>(design: &'a mut Design, at: &[Step]) -> Option<&'a mut Value> {
    let (Step::Key(field), rest) = at.split_first()? else {
        return None;
    };
    match field.as_str() {
        "components" => {
            let ([Step::Index(index), Step::Key(part)], rest) = rest.split_at_checked(2)? else {
                return None;
            };
            let component = design.components.get_mut(*index)?;
            if component_part(component, part).is_some() {
                let (Step::Key(key), rest) = rest.split_first()? else {
                    return None;
                };
                find_mut(component.part_mut(part)?.get_mut(key)?, rest)
            } else {
                find_mut(component.definition_mut().get_mut(part)?, rest)
            }
        }
        "relationships" => {
            let (Step::Index(index), rest) = rest.split_first()? else {
                return None;
            };
            find_mut(design.relationships.get_mut(*index)?, rest)
        }
        "metadata" if design.metadata.is_some() => {
            let (Step::Key(key), rest) = rest.split_first()? else {
                return None;
            };
            find_mut(design.metadata.as_mut()?.get_mut(key)?, rest)
        }
        field => find_mut(design.extra.get_mut(field)?, rest),
    }
}

fn component_part<'a>(component: &'a Component, key: &str) -> Option<&'a Object> {
    let parts = component.parts().into_iter();
    parts
        .filter(|(name, _)| !name.is_empty())
        .find_map(|(name, part)| part.filter(|_| name == key))
}

fn design_places(design: &Design) -> Vec<Vec<Step>> {
    let mut search = Search::default();
    if let Some(metadata) = &design.metadata {
        search.down("metadata", |search| search.object(metadata));
    }
    search.object(&design.extra);
    search.at.push(Step::Key("components".into()));
    for (index, component) in design.components.iter().enumerate() {
        search.at.push(Step::Index(index));
        let secret = is_core_secret(Some(component.api_version()), component.kind());
        for (key, part) in component.parts() {
            let Some(part) = part else { continue };
            if key.is_empty() {
                search.object(part);
                continue;
            }
            search.at.push(Step::Key(key.into()));
            if key == "configuration" && secret {
                search.secret_body(part, true);
            } else if key == "metadata" && secret {
                search.secret_instance(part);
            } else {
                search.object(part);
            }
            search.at.pop();
        }
        search.at.pop();
    }
    search.at.pop();
    search.at.push(Step::Key("relationships".into()));
    for (index, relationship) in design.relationships.iter().enumerate() {
        search.at.push(Step::Index(index));
        search.value(relationship);
        search.at.pop();
    }
    search.at.pop();
    search.named(&design.extra);
    search.found
}

fn places(document: &Value) -> Vec<Vec<Step>> {
    let mut search = Search::default();
    search.value(document);
    if let Value::Object(document) = document {
        search.named(document);
    }
    search.found
}

/// Tells whether this is the Secret of the core API; without a version it is taken for it.
fn is_core_secret(api_version: Option<&str>, kind: &str) -> bool {
    kind == "Secret" && matches!(api_version, None | Some("" | "v1"))
}

/// Walks a document and collects the places of secret values. Recursion is bounded by the reader's depth.
#[derive(Default)]
struct Search {
    at: Vec<Step>,
    found: Vec<Vec<Step>>,
    /// Whether empty places count.
    empty: bool,
    /// The values of a design that secret places name.
    names: BTreeSet<Vec<Step>>,
}

impl Search {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Object(map) => self.object(map),
            Value::Array(items) => self.items(items),
            _ => {}
        }
    }

    fn items(&mut self, items: &[Value]) {
        for (index, item) in items.iter().enumerate() {
            self.at.push(Step::Index(index));
            self.value(item);
            self.at.pop();
        }
    }

    fn down(&mut self, key: &str, visit: impl FnOnce(&mut Self)) {
        self.at.push(Step::Key(key.to_owned()));
        visit(self);
        self.at.pop();
    }

    /// A mapping of any meaning.
    fn object(&mut self, map: &Object) {
        let text = |map: &Object, key: &str| {
            let text = map.get(key).and_then(Value::as_str);
            text.map(str::to_owned)
        };
        let version = text(map, "apiVersion");
        let kind = text(map, "kind").unwrap_or_default();
        if is_core_secret(version.as_deref(), &kind) {
            // A mere reference to a Secret has no metadata; its fields are not secret.
            let whole = version.is_some() && map.get("metadata").is_some_and(Value::is_object);
            return self.secret_body(map, whole);
        }
        if self.patch(map) {
            return;
        }
        let component = map.get("component").and_then(Value::as_object);
        let of_secret = component.is_some_and(|inner| {
            is_core_secret(
                text(inner, "version").as_deref(),
                &text(inner, "kind").unwrap_or_default(),
            )
        });
        // A service of a v1alpha2 design.
        let service = map.contains_key("settings")
            && is_core_secret(version.as_deref(), &text(map, "type").unwrap_or_default());
        let list = kind == "SecretList" && matches!(version.as_deref(), None | Some("" | "v1"));
        for (key, value) in map {
            self.down(key, |search| match (key.as_str(), value) {
                ("configuration", Value::Object(body)) if of_secret => {
                    search.secret_body(body, true);
                }
                ("metadata", Value::Object(metadata)) if of_secret => {
                    search.secret_instance(metadata);
                }
                ("settings", Value::Object(body)) if service => search.secret_body(body, true),
                ("annotations", Value::Object(annotations)) if service => {
                    search.annotations(annotations);
                }
                ("items", Value::Array(items)) if list => {
                    for (index, item) in items.iter().enumerate() {
                        search.at.push(Step::Index(index));
                        match item {
                            Value::Object(item) => search.secret_body(item, true),
                            other => search.value(other),
                        }
                        search.at.pop();
                    }
                }
                _ => search.value(value),
            });
        }
    }

    /// The body of a Secret. Where it is certain to be one, every field that isn't known to be harmless
    /// counts as secret: `stringdata` is a misspelt `stringData`.
    fn secret_body(&mut self, map: &Object, certain: bool) {
        let is_secret = |key: &str| {
            matches!(key, "data" | "stringData")
                || certain
                    && !matches!(
                        key,
                        "apiVersion" | "kind" | "metadata" | "type" | "immutable"
                    )
        };
        for (key, value) in map {
            self.down(key, |search| match (key.as_str(), value) {
                (key, Value::Object(entries)) if is_secret(key) => {
                    for (key, value) in entries {
                        search.down(key, |search| search.leaf(value));
                    }
                }
                // Malformed, and no less secret for that.
                (key, value) if is_secret(key) => search.leaf(value),
                ("metadata", Value::Object(metadata)) => {
                    for (key, value) in metadata {
                        search.down(key, |search| match (key.as_str(), value) {
                            ("annotations", Value::Object(map)) => search.annotations(map),
                            _ => search.value(value),
                        });
                    }
                }
                _ => search.value(value),
            });
        }
    }

    /// The metadata of a component that stands for a Secret, with the live object in it.
    fn secret_instance(&mut self, metadata: &Object) {
        for (key, value) in metadata {
            self.down(key, |search| match (key.as_str(), value) {
                ("instanceDetails", Value::Object(body)) => search.secret_body(body, true),
                _ => search.value(value),
            });
        }
    }

    fn annotations(&mut self, map: &Object) {
        if let Some(value) = map.get(LAST_APPLIED) {
            self.down(LAST_APPLIED, |search| search.leaf(value));
        }
    }

    /// An entry of a list of patches; tells whether it is one that may be for a Secret.
    fn patch(&mut self, map: &Object) -> bool {
        let Some(patch) = map.get("patch") else {
            return false;
        };
        let target = match map.get("target") {
            Some(Value::Object(target)) => Some(target),
            None => None,
            Some(_) => return false,
        };
        let given = |key: &str| target?.get(key)?.as_str();
        let certain = given("kind") == Some("Secret");
        let may_be = given("kind").is_none_or(|glob| is_like("Secret", glob))
            && given("group").is_none_or(|glob| is_like("", glob));
        match patch {
            // It names its object itself, or says that it may be any.
            Value::String(text) if target.is_none() && text.contains("Secret") => {}
            Value::String(text) if target.is_some() && may_be => {
                if !certain && !text.contains("data") && !text.contains("Data") {
                    return false;
                }
            }
            Value::Array(_) | Value::Object(_) if target.is_some() && may_be => {}
            _ => return false,
        }
        self.down("patch", |search| match patch {
            Value::Array(operations) => {
                for (index, operation) in operations.iter().enumerate() {
                    search.at.push(Step::Index(index));
                    search.operation(operation, certain);
                    search.at.pop();
                }
            }
            Value::Object(body) => search.secret_body(body, certain),
            text => search.leaf(text),
        });
        true
    }

    /// An operation of a JSON patch that may be for a Secret.
    fn operation(&mut self, operation: &Value, certain: bool) {
        let path = operation.get("path").and_then(Value::as_str);
        let first = path.unwrap_or_default().trim_start_matches('/');
        let is_secret = match first.split('/').next().unwrap_or_default() {
            "" | "data" | "stringData" => true,
            "metadata" => first.contains("last-applied"),
            "apiVersion" | "kind" | "type" | "immutable" => false,
            _ => certain,
        };
        if let Some(value) = operation.get("value").filter(|_| is_secret) {
            self.down("value", |search| search.leaf(value));
        }
    }

    /// The values of a design, in its sections, that secret places name.
    fn named(&mut self, design: &Object) {
        let mut sections = vec![vec!["values"]];
        let overlays = design.get("overlays").and_then(Value::as_object);
        let overlays = overlays.into_iter().flat_map(Object::keys);
        sections.extend(overlays.map(|name| vec!["overlays", name, "values"]));
        let mut found: Vec<Vec<Step>> = Vec::new();
        for section in sections {
            let Some((first, rest)) = section.split_first() else {
                continue;
            };
            let all = design.get(*first);
            let all = rest.iter().try_fold(all, |all, key| Some(all?.get(*key)));
            let Some(all) = all.flatten() else { continue };
            let at = section.iter().map(|key| Step::Key((*key).to_owned()));
            let at: Vec<Step> = at.collect();
            for name in &self.names {
                let value = name.iter().try_fold(all, |value, step| match step {
                    Step::Index(index) => value.get(index),
                    Step::Key(key) => value.get(key),
                });
                let at = [at.as_slice(), name].concat();
                // A part of what is taken already isn't taken once more.
                let is_part = found.last().is_some_and(|last| at.starts_with(last));
                if !is_part && value.is_some_and(|value| !value.is_null()) {
                    found.push(at);
                }
            }
        }
        self.found.append(&mut found);
    }

    fn leaf(&mut self, value: &Value) {
        if self.empty || !value.is_null() {
            self.found.push(self.at.clone());
            self.names_in(value);
        }
    }

    /// Remembers the values that placeholders in a secret place name.
    fn names_in(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.names.extend(names_in(text).map(|name| {
                let steps = name.segments().iter().map(|segment| match segment {
                    Segment::Index(index) => Step::Index(*index),
                    Segment::Key(key) => Step::Key(key.clone()),
                });
                steps.collect()
            })),
            Value::Array(items) => items.iter().for_each(|item| self.names_in(item)),
            Value::Object(map) => map.values().for_each(|value| self.names_in(value)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Limits, parse_one};
    use serde_json::json;
    use uuid::Uuid;

    const TEXT: &str = include_str!("../../testdata/design/secrets.v1beta3.yaml");

    fn document() -> Value {
        parse_one(TEXT, &Limits::DESIGN).unwrap()
    }

    fn design() -> Design {
        Design::read(document(), &mut || Uuid::from_u128(7)).unwrap()
    }

    fn text(value: &impl Serialize) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[test]
    fn masked_documents_keep_their_keys_and_lose_their_values() {
        let mut masked = document();
        mask(&mut masked);
        let written = text(&masked);
        assert!(!written.contains("CANARY"), "{written}");
        assert_eq!(written.matches("visible").count(), 2);
        let configuration = &masked["components"][0]["configuration"];
        assert_eq!(
            text(&configuration["data"]),
            format!(r#"{{"user":"{MASK}","nothing":null,"password":"{MASK}"}}"#)
        );
        assert_eq!(
            configuration["metadata"]["annotations"]["note"],
            "not secret"
        );

        let mut taken = document();
        assert!(!take(&mut taken).is_empty());
        mask_taken(&mut taken);
        let configuration = &taken["components"][0]["configuration"];
        assert_eq!(configuration["data"]["password"], MASK);
        assert_eq!(configuration["stringData"]["url"], MASK);

        let mut design = design();
        mask_design(&mut design);
        assert_eq!(design.to_value()["components"], {
            let mut design = Design::read(masked, &mut || Uuid::from_u128(7)).unwrap();
            mask_design(&mut design);
            design.to_value()["components"].clone()
        });
        assert!(!text(&design).contains("CANARY"));
    }

    #[test]
    fn secrets_are_found_in_every_form() {
        let secret = |more: Value| {
            let mut secret = json!({"apiVersion": "v1", "kind": "Secret"});
            for (key, value) in more.as_object().unwrap() {
                secret[key] = value.clone();
            }
            secret
        };
        let cases = [
            (secret(json!({"data": {"a": "CANARY"}})), 1),
            (secret(json!({"stringData": {"a": "CANARY", "b": 5}})), 2),
            (secret(json!({"data": "CANARY"})), 1),
            (secret(json!({"data": ["CANARY"]})), 1),
            (secret(json!({"data": {"a": {"b": "CANARY"}}})), 1),
            (secret(json!({"data": null, "stringData": {}})), 0),
            (
                secret(
                    json!({"metadata": {"name": "web"}, "type": "Opaque", "stringdata": {"a": "CANARY"}}),
                ),
                1,
            ),
            (
                json!({"ref": {"apiVersion": "v1", "kind": "Secret", "name": "web"}}),
                0,
            ),
            (secret(json!({"type": "Opaque"})), 0),
            (
                secret(
                    json!({"metadata": {"annotations": {LAST_APPLIED: "{\"data\":\"CANARY\"}"}}}),
                ),
                1,
            ),
            (json!({"kind": "Secret", "data": {"a": "CANARY"}}), 1),
            (
                json!({"apiVersion": "v1", "kind": "SecretList", "items": [{"data": {"a": "CANARY"}}]}),
                1,
            ),
            (
                json!({"apiVersion": "v1", "kind": "List", "items": [secret(json!({"data": {"a": "CANARY"}}))]}),
                1,
            ),
            (json!([secret(json!({"data": {"a": "CANARY"}}))]), 1),
            (
                json!({"services": {"s": {"type": "Secret", "apiVersion": "v1",
                    "settings": {"data": {"a": "CANARY"}},
                    "annotations": {LAST_APPLIED: "CANARY"}}}}),
                2,
            ),
            (
                json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}),
                0,
            ),
            (
                json!({"apiVersion": "x.io/v1", "kind": "Secret", "data": {"a": "b"}}),
                0,
            ),
            (json!("text"), 0),
        ];
        for (document, count) in cases {
            let mut rest = document.clone();
            assert_eq!(holds_secrets(&rest), count > 0, "{document}");
            let secrets = take(&mut rest);
            assert_eq!(secrets.len(), count, "{document}");
            assert!(!rest.to_string().contains("CANARY"), "{rest}");
            assert!(!holds_secrets(&rest) && take(&mut rest.clone()).is_empty());
            put_back(&mut rest, secrets).unwrap();
            assert_eq!(text(&rest), text(&document));
            let mut masked = document.clone();
            mask(&mut masked);
            assert!(!masked.to_string().contains("CANARY"), "{masked}");
        }
    }

    #[test]
    fn what_is_taken_is_stored_apart_and_put_back_exactly() {
        let mut design = design();
        let before = text(&design);
        assert!(design_holds_secrets(&design));
        let secrets = take_design(&mut design);
        assert_eq!(secrets.len(), 8);
        assert!(!design_holds_secrets(&design));
        let stored = crate::yaml::to_string(&design);
        assert!(!stored.contains("CANARY"), "{stored}");
        assert!(!format!("{secrets:?} {design:?}").contains("CANARY"));
        let sealed = serde_json::to_vec(&secrets).unwrap();
        // Another process reads both.
        let mut design = Design::read(parse_one(&stored, &Limits::DESIGN).unwrap(), &mut || {
            panic!("all ids are there")
        })
        .unwrap();
        put_back_design(&mut design, serde_json::from_slice(&sealed).unwrap()).unwrap();
        assert_eq!(text(&design), before);
        // The places are those of the written form, too.
        let mut value = design.to_value();
        let from_value = take(&mut value);
        put_back(&mut value, secrets.clone()).unwrap();
        assert_eq!(text(&value), before);
        assert_eq!(from_value.len(), secrets.len());
    }

    #[test]
    fn a_place_that_is_gone_or_taken_is_an_error() {
        let mut design = design();
        let secrets = take_design(&mut design);
        put_back_design(&mut design, secrets.clone()).unwrap();
        let error = put_back_design(&mut design, secrets.clone()).unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with("no empty place for the secret value of "));
        assert!(!message.contains("CANARY"));
        design.components.clear();
        assert!(put_back_design(&mut design, secrets).is_err());
    }

    /// Designs and manifests of random shape, secrets at random depths.
    #[test]
    fn take_and_put_back_is_the_identity() {
        let mut state = 42_u64;
        let mut below = move |end: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % end
        };
        for round in 0..500 {
            let mut components = Vec::new();
            for _ in 0..below(4) {
                let kind =
                    ["Secret", "ConfigMap", "Secret", "List"][usize::try_from(below(4)).unwrap()];
                let secret = kind == "Secret";
                let value = if secret {
                    format!("CANARY{round}")
                } else {
                    "open".into()
                };
                let mut data = Object::new();
                for _ in 0..below(5) {
                    data.insert(format!("k{}", below(9)), json!(value));
                }
                let mut configuration = json!({"metadata": {"name": "x"}});
                let key = ["data", "stringData"][usize::try_from(below(2)).unwrap()];
                configuration[key] = Value::Object(data.clone());
                if kind == "List" {
                    configuration = json!({"items": [{"apiVersion": "v1", "kind": "Secret",
                        "metadata": {"annotations": {LAST_APPLIED: "CANARY", "a": "b"}},
                        "data": {"z": "CANARY", "a": ["CANARY"]}}, configuration]});
                }
                components.push(json!({"displayName": "x", "configuration": configuration,
                    "component": {"version": "v1", "kind": kind}}));
            }
            let document =
                json!({"schemaVersion": crate::design::SCHEMA_VERSION, "components": components});
            let mut design = Design::read(document, &mut || Uuid::from_u128(3)).unwrap();
            let before = text(&design);
            let mut value = design.to_value();
            let (secrets, of_value) = (take_design(&mut design), take(&mut value));
            assert_eq!(secrets.len(), of_value.len());
            for rest in [text(&design), text(&value)] {
                assert!(!rest.contains("CANARY"), "{rest}");
            }
            put_back_design(&mut design, secrets).unwrap();
            put_back(&mut value, of_value).unwrap();
            assert_eq!((text(&design), text(&value)), (before.clone(), before));
        }
    }

    #[test]
    fn what_patches_write_into_secrets_and_the_values_named_there_are_secret() {
        let text = "\
schemaVersion: designs.meshery.io/v1beta3
name: shop
values: {user: app, db: {password: canary-1, port: 5432}, plain: seen, token: null}
overlays:
  a:
    values: {db: {password: canary-2}, plain: seen}
    patches:
    - apiVersion: v1
      kind: Secret
      metadata: {name: db, labels: {a: seen}}
      stringData: {key: canary-3, url: 'db://${user}:${db.password}@db', t: '${token}'}
    - target: {kind: Secret, name: db}
      patch:
      - {op: add, path: /data/x, value: canary-4}
      - {op: add, path: /metadata/labels/b, value: seen}
    - target: {kind: Secret, name: db}
      patch: 'stringData: {y: canary-5}'
    - target: {name: 'd*'}
      patch: [{op: test, path: /stringData, value: {z: canary-6}}, {op: add, path: /spec/x, value: seen}]
    - target: {kind: 'S*'}
      patch: {data: {z: canary-7}, spec: {b: seen}}
    - patch: |
        apiVersion: v1
        kind: Secret
        metadata: {name: db}
        stringData: {y: canary-8}
    - target: {kind: ConfigMap, name: db}
      patch: [{op: add, path: /data/x, value: seen}]
components: []
relationships: []
";
        let whole = parse_one(text, &Limits::DESIGN).unwrap();
        let mut id = || Uuid::from_u128(7);
        let mut design = Design::read(whole.clone(), &mut id).unwrap();
        let before = design.clone();
        let taken = take_design(&mut design);
        assert_eq!(taken.len(), 11, "{taken:?}");
        let left = design.to_value().to_string();
        assert!(!left.contains("canary"), "{left}");
        assert_eq!(left.matches("seen").count(), 7, "{left}");
        put_back_design(&mut design, taken).unwrap();
        assert_eq!(design, before);

        let mut masked = whole;
        mask(&mut masked);
        let masked = masked.to_string();
        assert!(
            !masked.contains("canary") && masked.contains("5432"),
            "{masked}"
        );
    }
}
