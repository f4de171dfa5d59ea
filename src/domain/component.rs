//! A component instance: one element of a design.
//!
//! Instances of one kind differ in their name, configuration and place on the canvas; the rest (model,
//! capabilities, schema, metadata) is usually the same, so it is kept once and shared. Everything that the
//! user wrote is kept, known or not; what has no value here is written back as it was read.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use crate::design::{Error, field};
use crate::path::Path;

/// A mapping of a document, in its own order.
pub type Object = Map<String, Value>;

/// The schema version that is written into components.
pub const SCHEMA_VERSION: &str = "components.meshery.io/v1beta2";

/// The schema versions of components that are read.
pub const SCHEMA_VERSIONS: &[&str] = &[
    "components.meshery.io/v1beta1",
    "components.meshery.io/v1beta2",
    "components.meshery.io/v1beta3",
];

/// The fields that every written component has.
const ALWAYS_WRITTEN: &[&str] = &["id", "schemaVersion", "displayName"];

/// In YAML an unquoted key `y` is the boolean, so that a position reads as `x` and `true`.
pub(crate) const TRUE_IS_Y: (&str, &str) = ("true", "y");

/// The status of components that are left out of a deployment.
const IGNORED: &str = "ignored";

/// An element of a design.
///
/// Its debug form names it and leaves the configuration out, which may hold secrets.
#[derive(Clone, PartialEq)]
pub struct Component {
    /// The id of this instance.
    pub id: Uuid,
    /// The name that people see; also the name of the resource when the configuration has none.
    pub display_name: String,
    /// The body of the manifest: all of it except `apiVersion`, `kind` and `status`.
    pub configuration: Option<Object>,
    /// The fields that are not instance data: model, component, capabilities, status and unknown ones.
    definition: Arc<Object>,
    metadata: Option<Arc<Object>>,
    /// Without the position.
    styles: Option<Arc<Object>>,
    position: Option<Position>,
}

/// The place of a component on the canvas, the numbers as the user wrote them.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Position {
    /// To the right.
    pub x: Number,
    /// Downwards.
    pub y: Number,
}

/// The identity of a model, as components refer to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelReference {
    /// The id, where one is known.
    pub id: Option<Uuid>,
    /// The name, such as `kubernetes`.
    pub name: String,
    /// The version of the definition, such as `v1.0.0`.
    pub version: String,
    /// The name that people see.
    pub display_name: String,
    /// The version of the technology, such as `v1.35.0`.
    pub model_version: String,
    /// Where the model comes from, such as `kubernetes` or `artifacthub`.
    pub registrant: String,
}

impl ModelReference {
    /// Returns the form that stands in documents; what is empty is left out.
    pub fn to_value(&self) -> Value {
        let mut map = Object::new();
        if let Some(id) = self.id {
            map.insert("id".into(), id.to_string().into());
        }
        for (key, text) in [
            ("name", &self.name),
            ("version", &self.version),
            ("displayName", &self.display_name),
        ] {
            if !text.is_empty() {
                map.insert(key.into(), text.as_str().into());
            }
        }
        for (key, inner, text) in [
            ("model", "version", &self.model_version),
            ("registrant", "kind", &self.registrant),
        ] {
            if !text.is_empty() {
                map.insert(key.into(), serde_json::json!({ inner: text }));
            }
        }
        Value::Object(map)
    }
}

impl Component {
    /// Makes a component of what all instances of its kind share.
    ///
    /// `definition` has the fields beside id, display name, metadata, styles and configuration.
    pub(crate) fn new(
        id: Uuid,
        display_name: String,
        definition: Arc<Object>,
        metadata: Arc<Object>,
        configuration: Object,
    ) -> Self {
        Self {
            id,
            display_name,
            configuration: Some(configuration),
            definition,
            metadata: Some(metadata),
            styles: None,
            position: None,
        }
    }

    /// Reads a component of its own; where it has no id, one comes from `ids`.
    ///
    /// # Errors
    /// When a known field has a wrong type, or what is to be deployed has no kind.
    pub fn from_value(value: Value, ids: &mut dyn FnMut() -> Uuid) -> Result<Self, Error> {
        Self::read(value, &Path::root(), ids, &mut Pool::default())
    }

    /// Returns the document form, as in the components of a design.
    ///
    /// # Panics
    /// Never: a component is made of JSON values and strings, which always have this form.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("a component is made of JSON values and strings")
    }

    /// Reads one entry of `components`, which stands at `path`.
    ///
    /// # Errors
    /// When a known field has a wrong type, or what is to be deployed has no kind. A version may be
    /// missing until the registry gives it: services maps often had none.
    pub(crate) fn read(
        value: Value,
        path: &Path,
        ids: &mut dyn FnMut() -> Uuid,
        pool: &mut Pool,
    ) -> Result<Self, Error> {
        let mut map = field::object(value, path)?;
        field::rename(&mut map, &[("model_reference", "modelReference")]);
        // Inside of designs the two have kept their old names (reference §5).
        field::rename(
            &mut map,
            &[("createdAt", "created_at"), ("updatedAt", "updated_at")],
        );
        if let Some(version) = field::take_string(&mut map, "schemaVersion", path)? {
            field::known_version(&version, SCHEMA_VERSIONS, path)?;
        }
        let id = field::take_id(&mut map, path)?.unwrap_or_else(ids);
        let display_name = field::take_string(&mut map, "displayName", path)?.unwrap_or_default();
        let configuration = field::take_object(&mut map, "configuration", path)?;
        let metadata = field::take_object(&mut map, "metadata", path)?;
        if let Some(metadata) = &metadata {
            check_metadata(metadata, &path.join("metadata"))?;
        }
        let mut styles = field::take_object(&mut map, "styles", path)?;
        let position = styles.as_mut().and_then(|styles| {
            field::camel_styles(styles);
            if let Some(Value::Object(position)) = styles.get_mut("position") {
                field::rename(position, &[TRUE_IS_Y]);
            }
            take_position(styles)
        });
        field::drop_nulls(&mut map, ALWAYS_WRITTEN);
        for key in ["version", "description", "format", "status"] {
            field::check_string(&map, key, path)?;
        }
        for key in ["model", "modelReference"] {
            field::check_object(&map, key, path)?;
        }
        if let Some(inner) = field::check_object(&map, "component", path)? {
            let path = path.join("component");
            for key in ["version", "kind", "schema"] {
                field::check_string(inner, key, &path)?;
            }
        }
        let component = Self {
            id,
            display_name,
            configuration,
            definition: pool.share(map),
            metadata: metadata.map(|map| pool.share(map)),
            styles: styles.map(|map| pool.share(map)),
            position,
        };
        if component.is_deployable() && component.kind().is_empty() {
            return Err(Error::Missing {
                path: path.join("component").join("kind"),
            });
        }
        Ok(component)
    }

    /// Returns the `apiVersion` of the resource, such as `apps/v1`; empty where none is known.
    pub fn api_version(&self) -> &str {
        self.inner("version")
    }

    /// Returns the kind of the resource, such as `Deployment`.
    pub fn kind(&self) -> &str {
        self.inner("kind")
    }

    /// Returns the JSON Schema that the component brought with it, as text; empty when dehydrated.
    pub fn schema(&self) -> &str {
        self.inner("schema")
    }

    fn inner(&self, key: &str) -> &str {
        let component = self.definition.get("component");
        component
            .and_then(|component| component.get(key))
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Returns the status as it was written, such as `enabled`.
    pub fn status(&self) -> Option<&str> {
        self.definition.get("status").and_then(Value::as_str)
    }

    /// Tells whether the component is for the eye only and never deployed.
    pub fn is_annotation(&self) -> bool {
        self.flag("isAnnotation") == Some(true)
    }

    /// Tells whether the kind lives in namespaces, if the document says so.
    pub fn is_namespaced(&self) -> Option<bool> {
        self.flag("isNamespaced")
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.metadata.as_ref()?.get(key)?.as_bool()
    }

    /// Tells whether the component becomes a manifest: neither an annotation nor ignored.
    pub fn is_deployable(&self) -> bool {
        !self.is_annotation() && self.status() != Some(IGNORED)
    }

    /// Returns the name of the model, wherever it stands.
    pub fn model_name(&self) -> Option<&str> {
        self.reference()?.get("name")?.as_str()
    }

    /// Returns the version of the technology that the model describes.
    pub fn model_version(&self) -> Option<&str> {
        self.reference()?.get("model")?.get("version")?.as_str()
    }

    fn reference(&self) -> Option<&Value> {
        ["modelReference", "model"]
            .iter()
            .filter_map(|key| self.definition.get(*key))
            .find(|value| value.get("name").is_some_and(Value::is_string))
    }

    /// Returns the names or ids of the components that come before this one, as they were written.
    pub fn depends_on(&self) -> impl Iterator<Item = &str> {
        self.metadata
            .as_ref()
            .and_then(|metadata| metadata.get("dependsOn"))
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice)
            .iter()
            .filter_map(Value::as_str)
    }

    /// Returns the name of the resource: the one of the configuration, or else the display name.
    ///
    /// Where the configuration leaves the name to the server (`generateName`) there is none.
    pub fn name(&self) -> Option<&str> {
        let metadata = self.resource_metadata();
        match metadata.and_then(|metadata| metadata.get("name")) {
            Some(Value::String(name)) => Some(name),
            _ => self.added_name(),
        }
    }

    /// Returns the namespace of the resource, if the user chose one.
    pub fn namespace(&self) -> Option<&str> {
        self.resource_metadata()?.get("namespace")?.as_str()
    }

    fn resource_metadata(&self) -> Option<&Object> {
        self.configuration.as_ref()?.get("metadata")?.as_object()
    }

    /// The name that the manifest gets from the display name.
    fn added_name(&self) -> Option<&str> {
        let named = self.resource_metadata().is_some_and(|metadata| {
            metadata.contains_key("name") || metadata.contains_key("generateName")
        });
        (!named && !self.display_name.is_empty()).then_some(&self.display_name)
    }

    /// Returns the metadata of the component (not of its resource).
    pub fn metadata(&self) -> Option<&Object> {
        self.metadata.as_deref()
    }

    /// Returns the metadata of the component for changes, which other components don't see.
    pub fn metadata_mut(&mut self) -> &mut Object {
        Arc::make_mut(self.metadata.get_or_insert_default())
    }

    /// Returns the styles without the position.
    pub fn styles(&self) -> Option<&Object> {
        self.styles.as_deref()
    }

    /// Returns the styles without the position for changes, which other components don't see.
    pub fn styles_mut(&mut self) -> &mut Object {
        Arc::make_mut(self.styles.get_or_insert_default())
    }

    /// Returns the place on the canvas.
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// Moves the component on the canvas.
    pub fn set_position(&mut self, position: Option<Position>) {
        if position.is_some() {
            self.styles_mut().shift_remove("position");
        }
        self.position = position;
    }

    /// Returns the remaining fields: model, component, capabilities, status and unknown ones.
    pub fn definition(&self) -> &Object {
        &self.definition
    }

    /// Returns the remaining fields for changes, which other components don't see.
    pub fn definition_mut(&mut self) -> &mut Object {
        Arc::make_mut(&mut self.definition)
    }

    /// Returns the manifest of the resource.
    ///
    /// The namespace is never invented, and the name only added where the configuration has none.
    pub fn manifest(&self) -> Value {
        let mut map = Object::new();
        map.insert("apiVersion".into(), self.api_version().into());
        map.insert("kind".into(), self.kind().into());
        let name = self.added_name();
        if let Some(name) = name
            && self.resource_metadata().is_none()
        {
            map.insert("metadata".into(), serde_json::json!({ "name": name }));
        }
        for (key, value) in self.configuration.iter().flatten() {
            if matches!(key.as_str(), "apiVersion" | "kind" | "status") {
                continue;
            }
            match (key.as_str(), value, name) {
                ("metadata", Value::Object(metadata), Some(name)) => {
                    let mut metadata = metadata.clone();
                    metadata.shift_insert(0, "name".into(), name.into());
                    map.insert(key.clone(), Value::Object(metadata));
                }
                ("metadata", Value::Null, Some(_)) => {}
                _ => {
                    map.insert(key.clone(), value.clone());
                }
            }
        }
        Value::Object(map)
    }

    /// Takes another manifest for the resource. One that says the same changes nothing.
    pub(crate) fn set_manifest(&mut self, manifest: Value) {
        if manifest == self.manifest() {
            return;
        }
        let Value::Object(mut manifest) = manifest else {
            return;
        };
        for (field, key) in [("apiVersion", "version"), ("kind", "kind")] {
            let Some(new) = manifest.shift_remove(field) else {
                continue;
            };
            let old = self.definition.get("component").and_then(|c| c.get(key));
            if old != Some(&new)
                && let Some(component) = self.definition_mut().get_mut("component")
                && let Some(component) = component.as_object_mut()
            {
                component.insert(key.to_owned(), new);
            }
        }
        self.configuration = Some(manifest);
    }

    /// Removes what the registry can give back: schema and capabilities, and the model for its reference.
    pub(crate) fn dehydrate(&mut self, pool: &mut Pool) {
        let bulky = |key: &str| {
            let value = self.definition.get(key);
            value.is_some_and(|value| !value.is_null())
        };
        if !bulky("capabilities") && !bulky("model") && self.schema().is_empty() {
            return;
        }
        let definition = self.definition_mut();
        if let Some(Value::Object(component)) = definition.get_mut("component")
            && let Some(schema) = component.get_mut("schema")
        {
            *schema = "".into();
        }
        if let Some(capabilities) = definition.get_mut("capabilities") {
            *capabilities = Value::Null;
        }
        if let Some(model) = definition.get_mut("model").map(Value::take)
            && let Value::Object(model) = model
            && !model.is_empty()
        {
            let reference = reference_of(&model);
            definition.insert("modelReference".into(), reference);
        }
        self.definition = pool.share(std::mem::take(self.definition_mut()));
    }

    /// Visits the parts that hold free values, each with its path below the component.
    pub(crate) fn parts(&self) -> [(&'static str, Option<&Object>); 4] {
        [
            ("", Some(&self.definition)),
            ("metadata", self.metadata.as_deref()),
            ("styles", self.styles.as_deref()),
            ("configuration", self.configuration.as_ref()),
        ]
    }

    /// Returns the part that holds the field `key` of the document, for changes.
    pub(crate) fn part_mut(&mut self, key: &str) -> Option<&mut Object> {
        match key {
            "metadata" => self.metadata.as_mut().map(Arc::make_mut),
            "styles" => self.styles.as_mut().map(Arc::make_mut),
            "configuration" => self.configuration.as_mut(),
            _ => None,
        }
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component")
            .field("id", &self.id)
            .field("display_name", &self.display_name)
            .field("api_version", &self.api_version())
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}

/// The document form: known fields first, then the others in the order in which they were read.
impl Serialize for Component {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("schemaVersion", SCHEMA_VERSION)?;
        map.serialize_entry("displayName", &self.display_name)?;
        for (key, value) in self.definition.iter() {
            let written = match key.as_str() {
                "metadata" => self.metadata.is_some(),
                "styles" => self.styles.is_some(),
                "configuration" => self.configuration.is_some(),
                key => ALWAYS_WRITTEN.contains(&key),
            };
            if !written {
                map.serialize_entry(key, value)?;
            }
        }
        if let Some(metadata) = &self.metadata {
            map.serialize_entry("metadata", &**metadata)?;
        }
        if self.styles.is_some() || self.position.is_some() {
            map.serialize_entry("styles", &Styles(self))?;
        }
        if let Some(configuration) = &self.configuration {
            map.serialize_entry("configuration", configuration)?;
        }
        map.end()
    }
}

struct Styles<'a>(&'a Component);

impl Serialize for Styles<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.0.styles.iter().flat_map(|styles| styles.iter()) {
            map.serialize_entry(key, value)?;
        }
        if let Some(position) = &self.0.position {
            map.serialize_entry("position", position)?;
        }
        map.end()
    }
}

fn check_metadata(metadata: &Object, path: &Path) -> Result<(), Error> {
    for key in ["isAnnotation", "isNamespaced"] {
        match metadata.get(key) {
            None | Some(Value::Null | Value::Bool(_)) => {}
            Some(found) => return Err(field::wrong(path.join(key), "a boolean", found)),
        }
    }
    let path = path.join("dependsOn");
    match metadata.get("dependsOn") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(items)) => match items.iter().position(|item| !item.is_string()) {
            Some(index) => Err(field::wrong(path.join(index), "a string", &items[index])),
            None => Ok(()),
        },
        Some(found) => Err(field::wrong(path, "a list", found)),
    }
}

/// Takes the position out of the styles, if it is one and nothing else.
fn take_position(styles: &mut Object) -> Option<Position> {
    let found = styles.get("position")?.as_object()?;
    let (Some(Value::Number(x)), Some(Value::Number(y)), 2) =
        (found.get("x"), found.get("y"), found.len())
    else {
        return None;
    };
    let position = Position {
        x: x.clone(),
        y: y.clone(),
    };
    styles.shift_remove("position");
    Some(position)
}

/// The identity of an embedded model.
fn reference_of(model: &Object) -> Value {
    let mut reference = Object::new();
    for key in ["id", "name", "version", "displayName", "model"] {
        if let Some(value) = model.get(key) {
            reference.insert(key.into(), value.clone());
        }
    }
    if let Some(kind) = model.get("registrant").and_then(|value| value.get("kind")) {
        reference.insert("registrant".into(), serde_json::json!({ "kind": kind }));
    }
    Value::Object(reference)
}

/// Mappings that were seen before, so that equal ones are kept once.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    seen: HashMap<u64, Vec<Arc<Object>>>,
}

impl Pool {
    /// Returns the mapping, shared with all equal ones; the order of keys counts.
    pub(crate) fn share(&mut self, map: Object) -> Arc<Object> {
        let mut hasher = DefaultHasher::new();
        hash_object(&map, &mut hasher);
        let seen = self.seen.entry(hasher.finish()).or_default();
        if let Some(found) = seen.iter().find(|found| same_object(found, &map)) {
            return Arc::clone(found);
        }
        let new = Arc::new(map);
        seen.push(Arc::clone(&new));
        new
    }
}

fn hash_object(map: &Object, hasher: &mut DefaultHasher) {
    map.len().hash(hasher);
    for (key, value) in map {
        key.hash(hasher);
        hash_value(value, hasher);
    }
}

fn hash_value(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Object(map) => hash_object(map, hasher),
        Value::Array(items) => {
            items.len().hash(hasher);
            for item in items {
                hash_value(item, hasher);
            }
        }
        scalar => scalar.hash(hasher),
    }
}

fn same_object(a: &Object, b: &Object) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|(a, b)| a.0 == b.0 && same_value(a.1, b.1))
}

fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => same_object(a, b),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b))
        }
        _ => a == b,
    }
}
