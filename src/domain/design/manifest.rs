//! From Kubernetes manifests to a design. The way back is `Design::manifests`.
//!
//! Everything of a manifest except `apiVersion`, `kind` and `status` becomes the configuration, as it is.
//! Lists are taken apart; the order of the file is kept.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Design, Error, field};
use crate::component::{Component, ModelReference, Object};
use crate::path::Path;

/// What is known of a kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KindFacts {
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// The model that describes it.
    pub model: ModelReference,
    /// The version of its definition in that model, such as `v1.0.0`.
    pub version: String,
}

impl Design {
    /// Makes a design of manifests; components of kinds that `model` doesn't know have no model.
    ///
    /// # Errors
    /// When an entry isn't a Kubernetes object; the path starts with its index.
    pub fn from_manifests(
        name: impl Into<String>,
        manifests: Vec<Value>,
        model: &dyn Fn(&str, &str) -> Option<KindFacts>,
        ids: &mut dyn FnMut() -> Uuid,
    ) -> Result<Self, Error> {
        let mut design = Self::new(ids(), name);
        let mut kinds: HashMap<(String, String), (Arc<Object>, Arc<Object>)> = HashMap::new();
        for (path, manifest) in flat(manifests)? {
            let Some(mut map) = object_with_kind(manifest, &path)? else {
                continue;
            };
            let api_version = required(&mut map, "apiVersion", &path)?;
            let kind = required(&mut map, "kind", &path)?;
            map.shift_remove("status");
            let display_name = display_name(&map, &path)?;
            let (definition, metadata) = kinds
                .entry((api_version, kind))
                .or_insert_with_key(|(api_version, kind)| {
                    shared_parts(api_version, kind, model(api_version, kind))
                })
                .clone();
            design.components.push(Component::new(
                ids(),
                display_name,
                definition,
                metadata,
                map,
            ));
        }
        Ok(design)
    }
}

/// Takes lists of Kubernetes objects apart, nested ones too; the order is kept.
///
/// # Errors
/// When an entry is no mapping, or the items of a list are no list.
pub fn flatten(manifests: Vec<Value>) -> Result<Vec<Value>, Error> {
    let flat = flat(manifests)?;
    Ok(flat.into_iter().map(|(_, manifest)| manifest).collect())
}

/// Takes one document apart; each object comes with its path in it, the root for a single one.
///
/// # Errors
/// As [`flatten`].
pub fn flatten_with_paths(document: Value) -> Result<Vec<(Path, Value)>, Error> {
    let mut found = Vec::new();
    add_flat(document, Path::root(), &mut found)?;
    Ok(found)
}

/// [`flatten`] with the path of each object in what was given.
fn flat(manifests: Vec<Value>) -> Result<Vec<(Path, Value)>, Error> {
    let mut found = Vec::with_capacity(manifests.len());
    for (index, manifest) in manifests.into_iter().enumerate() {
        add_flat(manifest, Path::root().join(index), &mut found)?;
    }
    Ok(found)
}

/// Recursion is bounded by the reader's depth.
fn add_flat(value: Value, path: Path, found: &mut Vec<(Path, Value)>) -> Result<(), Error> {
    let Value::Object(mut list) = value else {
        if value.is_null() {
            return Ok(()); // An empty document.
        }
        return Err(field::wrong(path, "a mapping", &value));
    };
    let Some((version, kind)) = item_kind(&list) else {
        found.push((path, Value::Object(list)));
        return Ok(());
    };
    let items = field::take_list(&mut list, "items", &path)?.unwrap_or_default();
    let path = path.join("items");
    for (index, mut item) in items.into_iter().enumerate() {
        // The API server leaves both out of the items of typed lists.
        if let (Value::Object(map), false) = (&mut item, kind.is_empty()) {
            for (key, text) in [("kind", &kind), ("apiVersion", &version)] {
                if !map.contains_key(key) {
                    map.shift_insert(0, key.into(), text.as_str().into());
                }
            }
        }
        add_flat(item, path.join(index), found)?;
    }
    Ok(())
}

/// Returns version and kind of the items, when an object is a list; `List` itself has items of any kind.
///
/// An object with a name is no list, whatever its kind is called.
fn item_kind(map: &Object) -> Option<(String, String)> {
    let version = map.get("apiVersion")?.as_str()?;
    let kind = map.get("kind")?.as_str()?.strip_suffix("List")?;
    let named = map.get("metadata").is_some_and(|metadata| {
        metadata
            .get("name")
            .or(metadata.get("generateName"))
            .is_some()
    });
    let is_list = if kind.is_empty() {
        version == "v1"
    } else {
        map.get("items").is_some_and(Value::is_array) && !map.contains_key("spec")
    };
    (is_list && !named).then(|| (version.to_owned(), kind.to_owned()))
}

fn object_with_kind(value: Value, path: &Path) -> Result<Option<Object>, Error> {
    field::object(value, path).map(|map| (!map.is_empty()).then_some(map))
}

fn required(map: &mut Object, key: &str, path: &Path) -> Result<String, Error> {
    let found = field::take_string(map, key, path)?;
    let found = found.filter(|text| !text.is_empty());
    found.ok_or_else(|| Error::Missing {
        path: path.join(key),
    })
}

/// The name, or the prefix that the server makes a name of; empty when there is neither.
fn display_name(map: &Object, path: &Path) -> Result<String, Error> {
    let Some(metadata) = field::check_object(map, "metadata", path)? else {
        return Ok(String::new());
    };
    let path = path.join("metadata");
    for key in ["name", "generateName", "namespace"] {
        field::check_string(metadata, key, &path)?;
    }
    let name = ["name", "generateName"]
        .iter()
        .find_map(|key| metadata.get(*key).and_then(Value::as_str));
    Ok(name.unwrap_or_default().to_owned())
}

/// Definition and metadata of all components of a kind.
fn shared_parts(
    api_version: &str,
    kind: &str,
    facts: Option<KindFacts>,
) -> (Arc<Object>, Arc<Object>) {
    let mut definition = Object::new();
    let mut metadata = Object::new();
    if let Some(facts) = &facts
        && !facts.version.is_empty()
    {
        definition.insert("version".into(), facts.version.as_str().into());
    }
    definition.insert("format".into(), "JSON".into());
    if let Some(facts) = &facts {
        definition.insert("modelReference".into(), facts.model.to_value());
    }
    let component = json!({ "version": api_version, "kind": kind, "schema": "" });
    definition.insert("component".into(), component);
    definition.insert("status".into(), "enabled".into());
    metadata.insert("isAnnotation".into(), false.into());
    if let Some(facts) = facts {
        metadata.insert("isNamespaced".into(), facts.namespaced.into());
    }
    (Arc::new(definition), Arc::new(metadata))
}
