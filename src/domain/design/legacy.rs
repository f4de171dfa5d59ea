//! Designs of the v1alpha2 time: a map of services, one component each.
//!
//! What needs the registry (styles, schema) is left to hydration. Everything without a place in the new
//! form stays under its old name: traits in the component's metadata, other fields in the component.

use std::collections::HashMap;

use serde_json::{Number, Value, json};
use uuid::Uuid;

use super::{Design, Error, FIRST_VERSION, field};
use crate::component::{Component, Object, Pool, Position, TRUE_IS_Y};
use crate::path::Path;

/// Reads a services map.
pub(super) fn read(mut map: Object, ids: &mut dyn FnMut() -> Uuid) -> Result<Design, Error> {
    let root = Path::root();
    let name = field::take_string(&mut map, "name", &root)?.unwrap_or_default();
    let version = field::take_string(&mut map, "version", &root)?;
    let own = map.get("patternID").and_then(Value::as_str);
    let own = own.and_then(|text| Uuid::try_parse(text).ok());
    let id = match own.filter(|id| !id.is_nil()) {
        Some(id) => {
            map.shift_remove("patternID");
            id
        }
        None => field::take_id(&mut map, &root)?.unwrap_or_else(&mut *ids),
    };
    let services = field::take_object(&mut map, "services", &root)?.unwrap_or_default();
    let path = root.join("services");
    let mut components = Vec::with_capacity(services.len());
    let mut keys = Vec::with_capacity(services.len());
    let mut pool = Pool::default();
    for (key, service) in services {
        let component = service_component(&key, service, &path.join(key.as_str()), ids, &mut pool)?;
        components.push(component);
        keys.push(key);
    }
    // What has a place in the new form must fit it, or it could not be read back.
    let mut metadata = field::take_object(&mut map, "metadata", &root)?;
    if let Some(metadata) = &mut metadata {
        super::camel_aliases(metadata, &root.join("metadata"))?;
    }
    field::drop_nulls(&mut map, super::ALWAYS_WRITTEN);
    map.shift_remove("services");
    let mut design = Design {
        id,
        name,
        version: version.unwrap_or_else(|| FIRST_VERSION.to_owned()),
        metadata,
        components,
        relationships: Vec::new(),
        extra: map,
    };
    keep_dependencies_on_keys(&mut design, &keys);
    Ok(design)
}

fn service_component(
    key: &str,
    service: Value,
    path: &Path,
    ids: &mut dyn FnMut() -> Uuid,
    pool: &mut Pool,
) -> Result<Component, Error> {
    let mut service = field::object(service, path)?;
    let kind = field::take_string(&mut service, "type", path)?.filter(|kind| !kind.is_empty());
    let Some(kind) = kind else {
        let path = path.join("type");
        return Err(Error::Missing { path });
    };
    let name = field::take_string(&mut service, "name", path)?.filter(|name| !name.is_empty());
    let api_version = field::take_string(&mut service, "apiVersion", path)?.unwrap_or_default();
    let model = field::take_string(&mut service, "model", path)?.unwrap_or_default();
    let version = field::take_string(&mut service, "version", path)?.unwrap_or_default();
    let namespace = field::take_string(&mut service, "namespace", path)?;
    let labels = field::take_object(&mut service, "labels", path)?;
    let annotations = field::take_object(&mut service, "annotations", path)?;
    let settings = field::take_object(&mut service, "settings", path)?.unwrap_or_default();
    let traits = field::take_object(&mut service, "traits", path)?;
    let depends_on = field::take_list(&mut service, "dependsOn", path)?;
    let id = match field::take_id(&mut service, path)? {
        Some(id) => id,
        None => traits_id(traits.as_ref()).unwrap_or_else(ids),
    };
    let position = position(&mut service, traits.as_ref());

    let mut metadata = known_metadata(&service, traits.as_ref());
    if let Some(value @ Value::Bool(_)) = service.shift_remove("isAnnotation") {
        metadata.insert("isAnnotation".into(), value);
    }
    if let Some(items) = depends_on.filter(|items| !items.is_empty()) {
        if let Some(index) = items.iter().position(|item| !item.is_string()) {
            let path = path.join("dependsOn").join(index);
            return Err(field::wrong(path, "a string", &items[index]));
        }
        metadata.insert("dependsOn".into(), Value::Array(items));
    }
    if let Some(traits) = traits {
        metadata.insert("traits".into(), Value::Object(traits));
    }

    let mut definition = service;
    definition.insert("format".into(), "JSON".into());
    if !model.is_empty() {
        let mut reference = json!({ "name": model });
        if !version.is_empty() {
            reference["model"] = json!({ "version": version });
        }
        definition.insert("modelReference".into(), reference);
    } else if !version.is_empty() {
        definition.insert("modelReference".into(), json!({ "version": version }));
    }
    let kind = renamed_kind(&model, kind);
    let component = json!({ "version": api_version, "kind": kind, "schema": "" });
    definition.insert("component".into(), component);

    let mut component = Component::new(
        id,
        name.unwrap_or_else(|| key.to_owned()),
        pool.share(definition),
        pool.share(metadata),
        configuration(settings, namespace, labels, annotations),
    );
    component.set_position(position);
    Ok(component)
}

/// The kinds that have another name today (reference §5).
fn renamed_kind(model: &str, kind: String) -> String {
    match model {
        "kubernetes" if kind == "Connection" => "KubernetesConnection".into(),
        "aws" | "gcp" => {
            let prefix = model.to_uppercase();
            if kind.starts_with(&prefix) {
                kind
            } else {
                prefix + &kind
            }
        }
        _ => kind,
    }
}

/// The settings, with what stood beside them put into the metadata of the resource.
fn configuration(
    settings: Object,
    namespace: Option<String>,
    labels: Option<Object>,
    annotations: Option<Object>,
) -> Object {
    let mut settings = match joined_keys(Value::Object(settings)) {
        Value::Object(settings) => settings,
        _ => Object::new(),
    };
    let mut added = Object::new();
    if let Some(namespace) = namespace.filter(|namespace| !namespace.is_empty()) {
        added.insert("namespace".into(), namespace.into());
    }
    for (key, map) in [("labels", labels), ("annotations", annotations)] {
        if let Some(map) = map.filter(|map| !map.is_empty()) {
            added.insert(key.into(), Value::Object(map));
        }
    }
    if added.is_empty() {
        return settings;
    }
    match settings.get_mut("metadata") {
        Some(Value::Object(metadata)) => {
            for (key, value) in added {
                match (metadata.get_mut(&key), value) {
                    (Some(Value::Object(own)), Value::Object(more)) => {
                        for (key, value) in more {
                            own.entry(key).or_insert(value);
                        }
                    }
                    (Some(_), _) => {}
                    (None, value) => {
                        metadata.insert(key, value);
                    }
                }
            }
        }
        Some(null @ Value::Null) => *null = Value::Object(added),
        Some(_) => {}
        None => {
            settings.shift_insert(0, "metadata".into(), Value::Object(added));
        }
    }
    settings
}

/// Undoes the readable keys of that time: `image Pull Policy` was written for `imagePullPolicy`.
///
/// Maps whose keys belong to the user are left alone. Recursion is bounded by the reader's depth.
fn joined_keys(value: Value) -> Value {
    const FREE: [&str; 6] = [
        "data",
        "stringData",
        "binaryData",
        "labels",
        "annotations",
        "matchLabels",
    ];
    match value {
        Value::Object(map) => {
            let mut joined = Object::new();
            let taken: Vec<String> = map.keys().cloned().collect();
            for (key, value) in map {
                let short = key.replace(' ', "");
                let key = if is_readable(&key) && !taken.contains(&short) {
                    short
                } else {
                    key
                };
                let value = if FREE.contains(&key.as_str()) {
                    value
                } else {
                    joined_keys(value)
                };
                joined.insert(key, value);
            }
            Value::Object(joined)
        }
        Value::Array(items) => Value::Array(items.into_iter().map(joined_keys).collect()),
        scalar => scalar,
    }
}

/// Tells whether a key is a camelCase name with spaces before its capitals.
fn is_readable(key: &str) -> bool {
    let mut words = key.split(' ');
    let first = words.next().unwrap_or_default();
    let mut more = words.peekable();
    more.peek().is_some()
        && first.starts_with(|letter: char| letter.is_ascii_lowercase())
        && more.all(|word| word.starts_with(|letter: char| letter.is_ascii_uppercase()))
        && key
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_alphanumeric())
}

fn canvas(traits: Option<&Object>) -> Option<&Value> {
    traits?.get("meshmap")
}

fn traits_id(traits: Option<&Object>) -> Option<Uuid> {
    let text = canvas(traits)?.get("id")?.as_str()?;
    Uuid::try_parse(text).ok().filter(|id| !id.is_nil())
}

fn position(service: &mut Object, traits: Option<&Object>) -> Option<Position> {
    let number = |found: &Value, keys: &[&str]| -> Option<Number> {
        let value = keys.iter().find_map(|key| found.get(*key))?;
        value.as_number().cloned()
    };
    let read = |found: &Value| {
        Some(Position {
            x: number(found, &["posX", "x"])?,
            y: number(found, &["posY", "y", TRUE_IS_Y.0])?,
        })
    };
    if let Some(position) = service.get("position").and_then(read) {
        service.shift_remove("position");
        return Some(position);
    }
    canvas(traits)?.get("position").and_then(read)
}

/// The metadata that the old form kept in `meshmodel-metadata`, with its service or in its traits.
fn known_metadata(service: &Object, traits: Option<&Object>) -> Object {
    const KEYS: [&str; 5] = [
        "genealogy",
        "isAnnotation",
        "isNamespaced",
        "isCustomResource",
        "published",
    ];
    let own = service.get("meshmodel-metadata");
    let found = own.or_else(|| canvas(traits)?.get("meshmodel-metadata"));
    let mut metadata = Object::new();
    for key in KEYS {
        match found.and_then(|found| found.get(key)) {
            Some(Value::String(text)) if key != "genealogy" => {
                // Made from a table: TRUE and FALSE.
                if let Ok(flag) = text.to_lowercase().parse::<bool>() {
                    metadata.insert(key.into(), flag.into());
                }
            }
            Some(value @ (Value::Bool(_) | Value::String(_))) => {
                metadata.insert(key.into(), value.clone());
            }
            _ => {}
        }
    }
    metadata
}

/// Dependencies may name the key of a service, which is gone: its id takes that place.
fn keep_dependencies_on_keys(design: &mut Design, keys: &[String]) {
    let places: HashMap<&str, usize> = keys.iter().map(String::as_str).zip(0..).collect();
    let found: Vec<Option<Vec<Value>>> = design
        .components
        .iter()
        .map(|component| {
            let names: Vec<&str> = component.depends_on().collect();
            let by_key = |name: &str| {
                let target = design.components.get(*places.get(name)?)?;
                (target.display_name != name).then(|| target.id.to_string())
            };
            let lost = names.iter().any(|name| by_key(name).is_some());
            lost.then(|| {
                let names = names.iter();
                names
                    .map(|name| by_key(name).unwrap_or_else(|| (*name).to_owned()).into())
                    .collect()
            })
        })
        .collect();
    for (component, names) in design.components.iter_mut().zip(found) {
        if let Some(names) = names {
            component
                .metadata_mut()
                .insert("dependsOn".into(), Value::Array(names));
        }
    }
}
