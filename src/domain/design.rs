//! Designs: named sets of component instances, read from every schema version and written as the newest.
//!
//! The stored form is the user's form: unknown fields stay, nothing is defaulted, nothing reduced. Ids are
//! passed in. Relationships are kept as values. Reading takes a parsed document and reports what is wrong
//! with its path, so that the caller can point at the line.

pub(crate) mod field;
mod form;
mod legacy;
mod manifest;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use uuid::Uuid;

pub use form::{
    Form, is_chart_metadata, is_design, is_kustomization, is_manifest, is_record, is_services_map,
};
pub use manifest::{KindFacts, flatten, flatten_with_paths};

use crate::component::{Component, Object, Pool};
use crate::path::Path;
use crate::yaml;

/// The schema version that is written.
pub const SCHEMA_VERSION: &str = "designs.meshery.io/v1beta3";

/// The schema versions that are read, beside services maps, which have none.
pub const SCHEMA_VERSIONS: &[&str] = &["designs.meshery.io/v1beta1", "designs.meshery.io/v1beta3"];

/// The fields that every written design has.
const ALWAYS_WRITTEN: &[&str] = &[
    "id",
    "name",
    "schemaVersion",
    "version",
    "components",
    "relationships",
];

/// The version of a design that was never saved.
pub const FIRST_VERSION: &str = "0.0.1";

/// A design.
///
/// Its debug form leaves the configurations out, which may hold secrets.
#[derive(Clone, PartialEq)]
pub struct Design {
    /// The id.
    pub id: Uuid,
    /// The name; empty when the document has none.
    pub name: String,
    /// The version, `0.0.1` when the document has none.
    pub version: String,
    /// The metadata, resolved aliases among it.
    pub metadata: Option<Object>,
    /// The components, in the order of the document.
    pub components: Vec<Component>,
    /// The relationships, in camelCase but otherwise as they were read.
    pub relationships: Vec<Value>,
    /// The other fields: preferences and unknown ones.
    pub extra: Object,
}

/// Why a document is not taken as a design.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The document is something else.
    #[error(
        "neither a design with a schema version ({}) nor a map of services",
        SCHEMA_VERSIONS.join(", ")
    )]
    NotADesign,
    /// A schema version of the future, or of another thing.
    #[error("the schema version {found:?} is not known; known are {}", known.join(", "))]
    SchemaVersion {
        /// Where it stands.
        path: Path,
        /// The version.
        found: String,
        /// The versions that are read there.
        known: &'static [&'static str],
    },
    /// A known field with a value of a wrong type.
    #[error("{path} must be {expected}, not {found}")]
    Type {
        /// Where it stands.
        path: Path,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A field without which the rest has no meaning.
    #[error("{path} is missing")]
    Missing {
        /// Where it should stand.
        path: Path,
    },
    /// An id that isn't a UUID.
    #[error("{path} must be a UUID, not {found:?}")]
    Id {
        /// Where it stands.
        path: Path,
        /// What stands there.
        found: String,
    },
    /// A dependency on a component that the design doesn't have.
    #[error("{path} names {found:?}, and no component of the design is called so")]
    Dependency {
        /// Where it stands in the design as it is written, not as it was read.
        path: Path,
        /// The name.
        found: String,
    },
    /// The text inside of a record can't be read.
    #[error("the design inside of {path}, line {}", source.location.line)]
    Text {
        /// The field that holds the text.
        path: Path,
        /// What is wrong; places count from the start of the inner text.
        source: yaml::Error,
    },
    /// The text inside of a record is no design.
    #[error("the design inside of {path}")]
    Inner {
        /// The field that holds the text.
        path: Path,
        /// What is wrong; its path is one of the inner text.
        source: Box<Error>,
    },
}

impl Error {
    /// Returns the place of the problem in the document that was read.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::NotADesign => None,
            Self::SchemaVersion { path, .. }
            | Self::Type { path, .. }
            | Self::Missing { path }
            | Self::Id { path, .. }
            | Self::Dependency { path, .. }
            | Self::Text { path, .. }
            | Self::Inner { path, .. } => Some(path),
        }
    }
}

/// A component as the end of a dependency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The index among the components of the design.
    pub component: usize,
    /// The `apiVersion` of its resource.
    pub api_version: String,
    /// The kind of its resource.
    pub kind: String,
    /// The namespace of its resource, if the user chose one.
    pub namespace: Option<String>,
    /// The name of its resource; empty when the server makes it.
    pub name: String,
}

/// One component that has to wait for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// What waits.
    pub from: Target,
    /// What comes first.
    pub on: Target,
}

impl Design {
    /// Makes an empty design.
    pub fn new(id: Uuid, name: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            version: FIRST_VERSION.to_owned(),
            metadata: None,
            components: Vec::new(),
            relationships: Vec::new(),
            extra: Object::new(),
        }
    }

    /// Reads a design of any known form: v1beta1, v1beta3, a services map, or a stored record of one.
    ///
    /// Where the document has no id, or the nil id, one comes from `ids`.
    ///
    /// # Errors
    /// When the document is something else, or a known field is wrong; with its path.
    pub fn read(value: Value, ids: &mut dyn FnMut() -> Uuid) -> Result<Self, Error> {
        if is_record(&value) {
            return read_record(value, ids);
        }
        match value {
            Value::Object(map) if map.get("schemaVersion").is_some_and(|v| !v.is_null()) => {
                read_document(map, ids)
            }
            value if is_services_map(&value) => match value {
                Value::Object(map) => legacy::read(map, ids),
                _ => Err(Error::NotADesign),
            },
            _ => Err(Error::NotADesign),
        }
    }

    /// Returns the document, in the newest schema version.
    ///
    /// # Panics
    /// Never: a design is made of JSON values and strings, which always have this form.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("a design is made of JSON values and strings")
    }

    /// Removes what the registry can give back (schemas, capabilities, models for their references).
    ///
    /// Done before a design is exchanged, on request: what a user brought is stored as it is.
    pub fn dehydrate(&mut self) {
        let mut pool = Pool::default();
        for component in &mut self.components {
            component.dehydrate(&mut pool);
        }
    }

    /// Returns the manifests of the resources, in the order of the design.
    ///
    /// Annotations and ignored components have none.
    pub fn manifests(&self) -> Vec<Value> {
        self.resources().map(|(_, manifest)| manifest).collect()
    }

    /// Returns the index of each component that becomes a resource, with its manifest.
    pub fn resources(&self) -> impl Iterator<Item = (usize, Value)> {
        let deployable = self.components.iter().enumerate();
        deployable
            .filter(|(_, component)| component.is_deployable())
            .map(|(index, component)| (index, component.manifest()))
    }

    /// Takes other manifests for the components that become resources, by their indexes; components
    /// of which none is left are removed. Returns the indexes that the components had which stay.
    pub fn set_resources(
        &mut self,
        manifests: impl IntoIterator<Item = (usize, Value)>,
    ) -> Vec<usize> {
        let mut manifests: HashMap<usize, Value> = manifests.into_iter().collect();
        let mut kept = Vec::with_capacity(self.components.len());
        let mut index = 0;
        self.components.retain_mut(|component| {
            let manifest = manifests.remove(&index);
            let stays = manifest.is_some() || !component.is_deployable();
            if let Some(manifest) = manifest {
                component.set_manifest(manifest);
            }
            if stays {
                kept.push(index);
            }
            index += 1;
            stays
        });
        kept
    }

    /// Returns the dependencies that components declare, in the order of the design.
    ///
    /// A dependency names an id, a display name or the name of a resource, the first of these that fits;
    /// a name that several components have means all of them. Ends that are not deployed are left out.
    ///
    /// # Errors
    /// [`Error::Dependency`] when nothing is called so.
    pub fn depends_on(&self) -> Result<Vec<Dependency>, Error> {
        let mut found = Vec::new();
        if self
            .components
            .iter()
            .all(|component| component.depends_on().next().is_none())
        {
            return Ok(found);
        }
        let names = Names::of(self);
        for (index, component) in self.components.iter().enumerate() {
            for (position, name) in component.depends_on().enumerate() {
                let targets = names.find(name);
                if targets.is_empty() {
                    let path = Path::root().join("components").join(index);
                    return Err(Error::Dependency {
                        path: path.join("metadata").join("dependsOn").join(position),
                        found: name.to_owned(),
                    });
                }
                let alone = targets.len() == 1;
                for &on in targets {
                    let itself = on == index && !alone;
                    let ends = (
                        component.is_deployable(),
                        self.components[on].is_deployable(),
                    );
                    if !itself && ends == (true, true) {
                        found.push(Dependency {
                            from: self.target(index),
                            on: self.target(on),
                        });
                    }
                }
            }
        }
        Ok(found)
    }

    fn target(&self, index: usize) -> Target {
        let component = &self.components[index];
        Target {
            component: index,
            api_version: component.api_version().to_owned(),
            kind: component.kind().to_owned(),
            namespace: component.namespace().map(str::to_owned),
            name: component.name().unwrap_or_default().to_owned(),
        }
    }

    /// Returns the ids that several components have, with their indexes.
    pub fn duplicate_ids(&self) -> Vec<(Uuid, Vec<usize>)> {
        let mut places: HashMap<Uuid, Vec<usize>> = HashMap::new();
        for (index, component) in self.components.iter().enumerate() {
            places.entry(component.id).or_default().push(index);
        }
        let mut found: Vec<_> = places.into_iter().filter(|(_, at)| at.len() > 1).collect();
        found.sort_by_key(|(_, at)| at.first().copied());
        found
    }
}

/// The components by everything that a dependency may call them.
struct Names<'a> {
    ids: HashMap<Uuid, Vec<usize>>,
    displayed: HashMap<&'a str, Vec<usize>>,
    resources: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Names<'a> {
    fn of(design: &'a Design) -> Self {
        let mut names = Self {
            ids: HashMap::new(),
            displayed: HashMap::new(),
            resources: HashMap::new(),
        };
        for (index, component) in design.components.iter().enumerate() {
            names.ids.entry(component.id).or_default().push(index);
            let display_name = component.display_name.as_str();
            names.displayed.entry(display_name).or_default().push(index);
            if let Some(name) = component.name() {
                names.resources.entry(name).or_default().push(index);
            }
        }
        names
    }

    fn find(&self, name: &str) -> &[usize] {
        let id = Uuid::try_parse(name).ok();
        id.and_then(|id| self.ids.get(&id))
            .or_else(|| self.displayed.get(name))
            .or_else(|| self.resources.get(name))
            .map_or(&[], Vec::as_slice)
    }
}

impl fmt::Debug for Design {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Design")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("version", &self.version)
            .field("components", &self.components)
            .field("relationships", &self.relationships.len())
            .finish_non_exhaustive()
    }
}

/// The document form, in the newest schema version.
impl Serialize for Design {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("schemaVersion", SCHEMA_VERSION)?;
        map.serialize_entry("version", &self.version)?;
        if let Some(metadata) = &self.metadata {
            map.serialize_entry("metadata", metadata)?;
        }
        for (key, value) in &self.extra {
            let written = match key.as_str() {
                "metadata" => self.metadata.is_some(),
                key => ALWAYS_WRITTEN.contains(&key),
            };
            if !written {
                map.serialize_entry(key, value)?;
            }
        }
        map.serialize_entry("components", &self.components)?;
        map.serialize_entry("relationships", &self.relationships)?;
        map.end()
    }
}

fn read_document(mut map: Object, ids: &mut dyn FnMut() -> Uuid) -> Result<Design, Error> {
    let root = Path::root();
    if let Some(version) = field::take_string(&mut map, "schemaVersion", &root)? {
        field::known_version(&version, SCHEMA_VERSIONS, &root)?;
    }
    field::rename(
        &mut map,
        &[
            ("created_at", "createdAt"),
            ("updated_at", "updatedAt"),
            ("deleted_at", "deletedAt"),
            ("user_id", "userId"),
            ("organization_id", "organizationId"),
        ],
    );
    let id = field::take_id(&mut map, &root)?.unwrap_or_else(&mut *ids);
    let name = field::take_string(&mut map, "name", &root)?.unwrap_or_default();
    let version = field::take_string(&mut map, "version", &root)?;
    let mut metadata = field::take_object(&mut map, "metadata", &root)?;
    if let Some(metadata) = &mut metadata {
        camel_aliases(metadata, &root.join("metadata"))?;
    }
    let mut pool = Pool::default();
    let path = root.join("components");
    let components = field::take_list(&mut map, "components", &root)?.unwrap_or_default();
    let components = components
        .into_iter()
        .enumerate()
        .map(|(index, value)| Component::read(value, &path.join(index), ids, &mut pool))
        .collect::<Result<_, _>>()?;
    let path = root.join("relationships");
    let relationships = field::take_list(&mut map, "relationships", &root)?.unwrap_or_default();
    let relationships = relationships
        .into_iter()
        .enumerate()
        .map(|(index, value)| relationship(value, &path.join(index)))
        .collect::<Result<_, _>>()?;
    field::drop_nulls(&mut map, ALWAYS_WRITTEN);
    Ok(Design {
        id,
        name,
        version: version
            .filter(|version| !version.is_empty())
            .unwrap_or_else(|| FIRST_VERSION.to_owned()),
        metadata,
        components,
        relationships,
        extra: map,
    })
}

/// Resolved aliases were written in `snake_case`.
fn camel_aliases(metadata: &mut Object, path: &Path) -> Result<(), Error> {
    field::rename(metadata, &[("resolved_aliases", "resolvedAliases")]);
    let path = path.join("resolvedAliases");
    match metadata.get_mut("resolvedAliases") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(aliases)) => {
            for alias in aliases.values_mut().filter_map(Value::as_object_mut) {
                field::rename(
                    alias,
                    &[
                        ("relationship_id", "relationshipId"),
                        ("alias_component_id", "aliasComponentId"),
                        ("immediate_parent_id", "immediateParentId"),
                        ("immediate_ref_field_path", "immediateRefFieldPath"),
                        ("resolved_parent_id", "resolvedParentId"),
                        ("resolved_ref_field_path", "resolvedRefFieldPath"),
                    ],
                );
            }
            Ok(())
        }
        Some(found) => Err(field::wrong(path, "a mapping", found)),
    }
}

/// Gives a relationship of a known version the casing of the version that is stamped on it.
fn relationship(value: Value, path: &Path) -> Result<Value, Error> {
    const NEWEST: &str = "relationships.meshery.io/v1beta2";
    const KNOWN: [&str; 4] = [
        "relationships.meshery.io/v1alpha3",
        "relationships.meshery.io/v1beta1",
        NEWEST,
        "relationships.meshery.io/v1beta3",
    ];
    let mut map = field::object(value, path)?;
    match map.get_mut("schemaVersion") {
        None | Some(Value::Null) => {}
        Some(Value::String(version)) if KNOWN.contains(&version.as_str()) => {
            NEWEST.clone_into(version);
        }
        Some(Value::String(_)) => return Ok(Value::Object(map)),
        Some(found) => return Err(field::wrong(path.join("schemaVersion"), "a string", found)),
    }
    field::rename(
        &mut map,
        &[
            ("sub_type", "subType"),
            ("created_at", "createdAt"),
            ("updated_at", "updatedAt"),
            ("deleted_at", "deletedAt"),
            ("evaluation_query", "evaluationQuery"),
        ],
    );
    if let Some(Value::Object(styles)) = map
        .get_mut("metadata")
        .and_then(|metadata| metadata.get_mut("styles"))
    {
        field::camel_styles(styles);
    }
    let selectors = map.get_mut("selectors").and_then(Value::as_array_mut);
    let sides = selectors.into_iter().flatten().flat_map(|selector| {
        let selector = selector.as_object_mut();
        selector
            .into_iter()
            .flat_map(serde_json::Map::values_mut)
            .filter_map(Value::as_object_mut)
            .flat_map(serde_json::Map::values_mut)
            .filter_map(Value::as_array_mut)
            .flatten()
    });
    for item in sides.filter_map(Value::as_object_mut) {
        field::rename(item, &[("match_strategy_matrix", "matchStrategyMatrix")]);
    }
    Ok(Value::Object(map))
}

/// Reads the design inside of a stored record; what else the record says stays with its store.
fn read_record(value: Value, ids: &mut dyn FnMut() -> Uuid) -> Result<Design, Error> {
    let root = Path::root();
    let mut record = field::object(value, &root)?;
    let key = if record.get("patternFile").is_some_and(|v| !v.is_null()) {
        "patternFile"
    } else {
        "pattern_file"
    };
    let path = root.join(key);
    let inner = match record.shift_remove(key) {
        Some(Value::String(text)) => {
            yaml::parse_one(&text, &yaml::Limits::DESIGN).map_err(|source| Error::Text {
                path: path.clone(),
                source,
            })?
        }
        Some(value) => value,
        None => return Err(Error::Missing { path }),
    };
    // A record inside of a record would be one more level for every one that is taken off.
    let has_id = |value: &Value| {
        let id = value.get("id").or_else(|| value.get("patternID"));
        id.and_then(Value::as_str).is_some_and(|id| !id.is_empty())
    };
    let own = has_id(&inner);
    let read = if is_record(&inner) {
        Err(Error::NotADesign)
    } else {
        Design::read(inner, ids)
    };
    let mut design = read.map_err(|source| Error::Inner {
        path,
        source: Box::new(source),
    })?;
    let id = field::take_id(&mut record, &root)?;
    if let (Some(id), false) = (id, own) {
        design.id = id;
    }
    if let (Some(name), true) = (
        field::take_string(&mut record, "name", &root)?,
        design.name.is_empty(),
    ) {
        design.name = name;
    }
    Ok(design)
}

/// Returns the version that a design gets when it is saved again: the one after the highest.
pub fn next_version(stored: &[String]) -> String {
    let mut next = highest_version(stored).map_or_else(|| FIRST_VERSION.to_owned(), successor);
    while stored.contains(&next) {
        next = successor(&next);
    }
    next
}

/// Returns the highest of some versions.
pub fn highest_version(stored: &[String]) -> Option<&str> {
    let stored = stored.iter().map(String::as_str);
    stored.max_by(|a, b| compare_versions(a, b))
}

/// Orders versions: by their numbers, a release after its pre-releases.
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    fn parts(version: &str) -> (&str, Option<&str>) {
        let version = version.trim().trim_start_matches(['v', 'V']);
        let version = version.split('+').next().unwrap_or_default();
        match version.split_once('-') {
            Some((core, before)) => (core, Some(before)),
            None => (version, None),
        }
    }
    let ((core_a, before_a), (core_b, before_b)) = (parts(a), parts(b));
    compare_numbers(core_a, core_b).then_with(|| match (before_a, before_b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => compare_numbers(a, b),
    })
}

/// Orders texts with dots between: numbers by value and before words, an absent one as zero.
fn compare_numbers(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let (one, other) = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (one, other) => (one.unwrap_or("0"), other.unwrap_or("0")),
        };
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let order = match (is_number(one), is_number(other)) {
            (true, true) => {
                let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
                (one.len(), one).cmp(&(other.len(), other))
            }
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => one.cmp(other),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// Returns the version after another.
///
/// The patch number goes up by one; a pre-release becomes its release. Of other texts the last number goes
/// up, and where there is none the versions start from [`FIRST_VERSION`].
fn successor(version: &str) -> String {
    let version = version.trim();
    let (prefix, rest) = match version.strip_prefix(['v', 'V']) {
        Some(rest) => (&version[..1], rest),
        None => ("", version),
    };
    let core_end = rest.find(['-', '+']).unwrap_or(rest.len());
    let (core, suffix) = rest.split_at(core_end);
    let mut parts: Vec<&str> = core.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if parts.len() <= 3 && parts.iter().all(is_number) {
        parts.resize(3, "0");
        let patch = if suffix.starts_with('-') {
            parts[2].to_owned()
        } else {
            incremented(parts[2])
        };
        return format!("{prefix}{}.{}.{patch}", parts[0], parts[1]);
    }
    let Some(end) = version.rfind(|c: char| c.is_ascii_digit()).map(|i| i + 1) else {
        return FIRST_VERSION.to_owned();
    };
    let start = version[..end]
        .rfind(|c: char| !c.is_ascii_digit())
        .map_or(0, |i| {
            i + version[i..].chars().next().map_or(1, char::len_utf8)
        });
    format!(
        "{}{}{}",
        &version[..start],
        incremented(&version[start..end]),
        &version[end..]
    )
}

/// A number of any length, plus one.
fn incremented(digits: &str) -> String {
    let kept = digits.trim_end_matches('9');
    let nines = "0".repeat(digits.len() - kept.len());
    match kept.as_bytes().last() {
        Some(last) => format!("{}{}{nines}", &kept[..kept.len() - 1], char::from(last + 1)),
        None => format!("1{nines}"),
    }
}
