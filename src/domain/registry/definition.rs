//! One definition: a document that says what a model, a component, a relationship or a kind of connections is.
//!
//! Every published schema version is read. The older ones write some fields in `snake_case`, styles in
//! `kebab-case`; [`Definition::newest`] gives all of them the spelling of the newest. What is not known stays as it is.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::check::{Finding, Rule, Severity};
use crate::component;
use crate::near::nearest;
use crate::path::Path;
use crate::resource::Origin;
use crate::schema::{Options, Schema};
use crate::yaml;

/// What a document defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DefinitionKind {
    /// A technology.
    Model,
    /// A kind of things in a technology.
    Component,
    /// What components have to do with each other.
    Relationship,
    /// A kind of connections.
    Connection,
}

impl DefinitionKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Model,
        Self::Component,
        Self::Relationship,
        Self::Connection,
    ];

    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "Model",
            Self::Component => "Component",
            Self::Relationship => "Relationship",
            Self::Connection => "Connection",
        }
    }

    /// Returns the `schemaVersion`s that are read, the one that is written last.
    pub const fn schema_versions(self) -> &'static [&'static str] {
        match self {
            Self::Model => &[
                "models.meshery.io/v1beta1",
                "models.meshery.io/v1beta3",
                "models.meshery.io/v1beta2",
            ],
            Self::Component => component::SCHEMA_VERSIONS,
            Self::Relationship => &[
                "relationships.meshery.io/v1alpha3",
                "relationships.meshery.io/v1beta1",
                "relationships.meshery.io/v1beta2",
                "relationships.meshery.io/v1beta3",
            ],
            Self::Connection => &[
                "connections.meshery.io/v1beta1",
                "connections.meshery.io/v1beta2",
                "connections.meshery.io/v1beta3",
            ],
        }
    }

    /// Returns the `schemaVersion` that is written.
    pub const fn newest(self) -> &'static str {
        let versions = self.schema_versions();
        versions[versions.len() - 1]
    }

    /// What a good definition says beside what it must.
    const fn expected(self) -> &'static [&'static str] {
        match self {
            Self::Model => &["version", "displayName", "category", "subCategory"],
            Self::Component | Self::Relationship => &["version", "model"],
            Self::Connection => &["type", "subType"],
        }
    }

    fn shape(self) -> &'static Schema {
        static SHAPES: LazyLock<[Schema; 4]> = LazyLock::new(|| {
            let shapes = yaml::parse_one(include_str!("shapes.yaml"), &yaml::Limits::DESIGN);
            let shapes = shapes.unwrap_or_default();
            DefinitionKind::ALL.map(|kind| {
                let mut shape = shapes.clone();
                shape["$ref"] = format!("#/definitions/{}", kind.name()).into();
                Schema::from_json(&shape)
            })
        });
        &SHAPES[self as usize]
    }
}

/// A document that says it is a definition, in a version that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the schema version {version:?} is not known")]
pub struct UnknownVersion {
    /// What it says.
    pub version: String,
    /// What it may mean.
    pub near: Option<&'static str>,
}

/// A definition as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// What it defines.
    pub kind: DefinitionKind,
    /// The document.
    pub body: Map<String, Value>,
}

/// The fields of older versions that have another spelling now, in every object that has a spelling of ours.
const RENAMED: [(&str, &str); 17] = [
    ("created_at", "createdAt"),
    ("updated_at", "updatedAt"),
    ("deleted_at", "deletedAt"),
    ("components_count", "componentsCount"),
    ("relationships_count", "relationshipsCount"),
    ("organization_id", "organizationId"),
    ("user_id", "userId"),
    ("sub_type", "subType"),
    ("credential_id", "credentialId"),
    ("connection_id", "connectionId"),
    ("resolved_parent_id", "resolvedParentId"),
    ("relationship_id", "relationshipId"),
    ("immediate_parent_id", "immediateParentId"),
    ("alias_component_id", "aliasComponentId"),
    ("immediate_ref_field_path", "immediateRefFieldPath"),
    ("resolved_ref_field_path", "resolvedRefFieldPath"),
    ("transition_map", "transitionMap"),
];

/// Where objects with such fields are, and those with styles.
const OBJECTS: [&[&str]; 6] = [
    &[],
    &["registrant"],
    &["model"],
    &["model", "registrant"],
    &["modelReference"],
    &["modelReference", "registrant"],
];
const STYLES: [&[&str]; 2] = [&["styles"], &["metadata", "styles"]];

impl Definition {
    /// Takes a document; none where it says that it is something else.
    ///
    /// # Errors
    /// When it is a definition of a version that is not known.
    pub fn read(document: Value) -> Result<Option<Self>, UnknownVersion> {
        let Value::Object(body) = document else {
            return Ok(None);
        };
        let Some(version) = body.get("schemaVersion").and_then(Value::as_str) else {
            return Ok(None);
        };
        let known = DefinitionKind::ALL.into_iter();
        let kind = known
            .clone()
            .find(|kind| kind.schema_versions().contains(&version));
        if let Some(kind) = kind {
            return Ok(Some(Self { kind, body }));
        }
        let all = known.flat_map(|kind| kind.schema_versions().iter().copied());
        Err(UnknownVersion {
            version: version.to_owned(),
            near: nearest(version, all),
        })
    }

    /// Returns the text at some keys, in the spelling of the newest version; empty where there is none.
    pub fn text(&self, keys: &[&str]) -> &str {
        let mut keys = keys.iter();
        let first = keys.next().and_then(|key| field(&self.body, key));
        let value = keys.try_fold(first, |value, key| {
            Some(
                value
                    .and_then(Value::as_object)
                    .and_then(|map| field(map, key)),
            )
        });
        value.flatten().and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns what findings call it: `Model/acme-queue`, `Component/Queue`.
    pub fn subject(&self) -> String {
        let name = match self.kind {
            DefinitionKind::Model => self.text(&["name"]).to_owned(),
            DefinitionKind::Component => self.text(&["component", "kind"]).to_owned(),
            DefinitionKind::Connection => self.text(&["kind"]).to_owned(),
            DefinitionKind::Relationship => {
                let parts = ["kind", "type", "subType"].map(|key| self.text(&[key]));
                let parts = parts.into_iter().filter(|part| !part.is_empty());
                parts.collect::<Vec<_>>().join("-").to_lowercase()
            }
        };
        format!("{}/{name}", self.kind.name())
    }

    /// Returns the name of the model that it says it belongs to; empty where it says none.
    pub fn model(&self) -> &str {
        let own = self.text(&["model", "name"]);
        if own.is_empty() {
            self.text(&["modelReference", "name"])
        } else {
            own
        }
    }

    /// Whether it is there for the eye only.
    pub fn is_annotation(&self) -> bool {
        let metadata = self.body.get("metadata");
        metadata.and_then(|metadata| metadata.get("isAnnotation")) == Some(&Value::Bool(true))
    }

    /// Returns it in the spelling of the newest version, which it then says. All other fields stay as they are.
    pub fn newest(&self) -> Map<String, Value> {
        let mut body = self.spelt();
        body.insert("schemaVersion".to_owned(), self.kind.newest().into());
        body
    }

    fn spelt(&self) -> Map<String, Value> {
        let mut body = Value::Object(self.body.clone());
        let mut rename = |path: &[&str], spelling: &dyn Fn(&str) -> Option<String>| {
            let found = path
                .iter()
                .try_fold(&mut body, |value, key| value.get_mut(key));
            if let Some(Value::Object(map)) = found {
                renamed(map, spelling);
            }
        };
        for path in OBJECTS {
            rename(path, &|key| current(key).map(str::to_owned));
        }
        for path in STYLES {
            rename(path, &camel);
        }
        match body {
            Value::Object(body) => body,
            _ => Map::new(),
        }
    }

    /// Says what is wrong with it by itself.
    pub fn check(&self, origin: &Origin) -> Vec<Finding> {
        let subject = self.subject();
        let spelt = Value::Object(self.spelt());
        let mut found = Vec::new();
        let options = Options {
            bare: true,
            ..Options::default()
        };
        self.kind
            .shape()
            .check_with(&spelt, options, &mut |mut violation| {
                violation.path = self.written(&violation.path);
                found.push(Finding::of_violation(violation, &subject, origin));
            });
        for key in self.kind.expected() {
            let is_there = match *key {
                "model" => !self.model().is_empty(),
                key => spelt.get(key).is_some_and(|value| !value.is_null()),
            };
            if !is_there {
                let mut finding = Finding::new(Rule::MissingField, format!("{key:?} is missing"));
                finding.severity = Severity::Warning;
                found.push(finding.subject(&subject).from(origin));
            }
        }
        found
    }

    /// The path of a field as the document spells it.
    fn written(&self, path: &Path) -> Path {
        let mut written = Path::root();
        let mut map = Some(&self.body);
        for segment in path.segments() {
            let key = segment.key().map(|key| match map {
                Some(object) if !object.contains_key(key) => {
                    let is_it = |known: &&String| {
                        current(known) == Some(key) || camel(known).as_deref() == Some(key)
                    };
                    object.keys().find(is_it).map_or(key, String::as_str)
                }
                _ => key,
            });
            map = map
                .zip(key)
                .and_then(|(object, key)| object.get(key)?.as_object());
            match key {
                Some(key) => written.push(key),
                None => written.push(segment.clone()),
            }
        }
        written
    }
}

/// A field by its newest spelling.
fn field<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    map.get(key).or_else(|| {
        let old = RENAMED.iter().find(|(_, new)| *new == key);
        old.and_then(|(old, _)| map.get(*old))
    })
}

fn current(key: &str) -> Option<&'static str> {
    let known = RENAMED.iter().find(|(old, _)| *old == key);
    known.map(|(_, new)| *new)
}

/// `primary-color` as `primaryColor`.
fn camel(key: &str) -> Option<String> {
    let (first, rest) = key.split_once('-')?;
    let mut spelt = first.to_owned();
    for part in rest.split('-') {
        let mut letters = part.chars();
        spelt.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        spelt.push_str(letters.as_str());
    }
    Some(spelt)
}

/// Renames keys in their places. What is there in both spellings stays.
fn renamed(map: &mut Map<String, Value>, spelling: &dyn Fn(&str) -> Option<String>) {
    if !map.keys().any(|key| spelling(key).is_some()) {
        return;
    }
    let before = std::mem::take(map);
    let names: Vec<String> = before.keys().cloned().collect();
    for (key, value) in before {
        let new = spelling(&key).filter(|new| !names.contains(new));
        map.insert(new.unwrap_or(key), value);
    }
}
