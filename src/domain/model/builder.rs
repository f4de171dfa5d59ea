//! Makes a model of what an API server publishes about itself: `OpenAPI` v3 documents and discovery.
//!
//! Kinds are those that discovery lists with verbs; definitions are those that they reach. Definitions that several
//! documents share are kept once. The same input, in any order, gives the same model.

use std::collections::{BTreeMap, BTreeSet, btree_map};

use serde_json::Value;

use super::{KindInfo, Model, ModelInfo, Scope, prose};
use crate::path::pointer_token;
use crate::schema::{Entry, Library, definition_name};

/// Why documents cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BuildError {
    /// A document has no schemas.
    #[error("{path} is not an OpenAPI document")]
    NotOpenApi {
        /// Where the document came from.
        path: String,
    },
    /// A document is not a list of what a server has.
    #[error("not a discovery document: {kind:?}")]
    NotDiscovery {
        /// The kind that the document names.
        kind: String,
    },
}

/// Group, version and kind.
type Identity = (String, String, String);

/// Collects documents and makes a [`Model`] of them.
#[derive(Debug)]
pub struct ModelBuilder {
    info: ModelInfo,
    /// By path.
    documents: BTreeMap<String, Document>,
    kinds: BTreeMap<Identity, KindInfo>,
    /// Group to preferred version.
    preferred: BTreeMap<String, String>,
    discovered: bool,
}

#[derive(Debug, Default)]
struct Document {
    schemas: BTreeMap<String, Value>,
    identities: BTreeMap<Identity, String>,
}

impl ModelBuilder {
    /// Starts a model.
    pub fn new(info: ModelInfo) -> Self {
        Self {
            info,
            documents: BTreeMap::new(),
            kinds: BTreeMap::new(),
            preferred: BTreeMap::new(),
            discovered: false,
        }
    }

    /// Adds an `OpenAPI` document, such as `/openapi/v3/apis/apps/v1` serves it; version 2 is understood too. The path
    /// tells documents apart.
    pub fn openapi(&mut self, path: &str, document: &Value) -> Result<(), BuildError> {
        let schemas = document
            .pointer("/components/schemas")
            .or_else(|| document.get("definitions"));
        let schemas = match schemas {
            Some(Value::Object(schemas)) => schemas.iter(),
            // A document of endpoints without bodies, `/openapi/v3/version` say.
            None if document.get("paths").is_some() => return Ok(()),
            _ => {
                return Err(BuildError::NotOpenApi {
                    path: path.to_owned(),
                });
            }
        };
        let added = self.documents.entry(path.to_owned()).or_default();
        for (name, schema) in schemas {
            for identity in identities(schema) {
                match added.identities.entry(identity) {
                    btree_map::Entry::Vacant(vacant) => {
                        vacant.insert(name.clone());
                    }
                    btree_map::Entry::Occupied(mut known) => {
                        // Of several the one that is named like the kind.
                        let kind = known.key().2.clone();
                        if is_named(name, &kind) && !is_named(known.get(), &kind) {
                            known.insert(name.clone());
                        }
                    }
                }
            }
            added.schemas.insert(name.clone(), prose::without(schema));
        }
        Ok(())
    }

    /// Adds a discovery document: an `APIGroupDiscoveryList`, or an `APIVersions`, `APIGroupList` or
    /// `APIResourceList` of servers without aggregated discovery.
    pub fn discovery(&mut self, document: &Value) -> Result<(), BuildError> {
        match text(document, "kind") {
            "APIGroupDiscoveryList" => {
                for group in items(document, "items") {
                    self.group(group);
                }
            }
            "APIResourceList" => {
                let (group, version) = super::split(text(document, "groupVersion"));
                for resource in items(document, "resources") {
                    let (name, kind) = (text(resource, "name"), text(resource, "kind"));
                    if !name.contains('/') {
                        let scope = match resource.get("namespaced") {
                            Some(Value::Bool(true)) => Scope::Namespaced,
                            _ => Scope::Cluster,
                        };
                        self.resource(
                            (group, version, kind),
                            name,
                            "singularName",
                            scope,
                            resource,
                        );
                    }
                }
            }
            "APIGroupList" => {
                for group in items(document, "groups") {
                    let preferred = group
                        .pointer("/preferredVersion/version")
                        .and_then(Value::as_str);
                    if let Some(version) = preferred {
                        self.preferred
                            .insert(text(group, "name").to_owned(), version.to_owned());
                    }
                }
            }
            "APIVersions" => {
                if let Some(version) = texts(document, "versions").into_iter().next() {
                    self.preferred.insert(String::new(), version);
                }
            }
            kind => {
                return Err(BuildError::NotDiscovery {
                    kind: kind.to_owned(),
                });
            }
        }
        self.discovered = true;
        Ok(())
    }

    /// Reads one group of aggregated discovery. Versions come in the order of preference.
    fn group(&mut self, document: &Value) {
        let group = document
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        for (position, served) in items(document, "versions").iter().enumerate() {
            let version = text(served, "version");
            if position == 0 {
                self.preferred.insert(group.to_owned(), version.to_owned());
            }
            for resource in items(served, "resources") {
                let scope = match text(resource, "scope") {
                    "Namespaced" => Scope::Namespaced,
                    _ => Scope::Cluster,
                };
                let kind = resource
                    .pointer("/responseKind/kind")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                let name = text(resource, "resource");
                self.resource(
                    (group, version, kind),
                    name,
                    "singularResource",
                    scope,
                    resource,
                );
            }
        }
    }

    fn resource(
        &mut self,
        (group, version, kind): (&str, &str, &str),
        plural: &str,
        singular: &str,
        scope: Scope,
        document: &Value,
    ) {
        let mut verbs = texts(document, "verbs");
        verbs.sort();
        if verbs.is_empty() || kind.is_empty() || version.is_empty() || plural.is_empty() {
            return;
        }
        let info = KindInfo {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            singular: text(document, singular).to_owned(),
            short_names: texts(document, "shortNames"),
            categories: texts(document, "categories"),
            scope,
            verbs,
            ..KindInfo::default()
        };
        let identity = (group.to_owned(), version.to_owned(), kind.to_owned());
        match self.kinds.entry(identity) {
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert(info);
            }
            // Two resources of one kind: the same one, whatever the order they came in.
            btree_map::Entry::Occupied(mut known) if info.plural < known.get().plural => {
                known.insert(info);
            }
            btree_map::Entry::Occupied(_) => {}
        }
    }

    /// Makes the model. Without discovery every kind that a document describes is taken, its scope unknown.
    pub fn build(mut self) -> Model {
        if !self.discovered {
            self.kinds_of_documents();
        }
        let mut roots: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut described = BTreeMap::new();
        for (identity, info) in &mut self.kinds {
            info.preferred = self.preferred.get(&info.group) == Some(&info.version);
            let own = |path: &str| path.trim_matches('/').ends_with(&document_path(info));
            let candidates = || {
                self.documents.iter().filter_map(|(path, document)| {
                    Some((path.as_str(), document.identities.get(identity)?.as_str()))
                })
            };
            let Some((path, name)) = candidates()
                .find(|(path, _)| own(path))
                .or_else(|| candidates().next())
            else {
                continue;
            };
            // API servers name the definitions of custom kinds like this, and their groups have a dot.
            info.custom = info.group.contains('.') && name == custom_name(info);
            roots.entry(path).or_default().insert(name);
            described.insert(
                identity.clone(),
                (path.to_owned(), name.to_owned(), info.custom),
            );
        }
        let mut library = Shelf::default();
        let mut names = BTreeMap::new();
        for (path, roots) in roots {
            if let Some(document) = self.documents.get(path) {
                for (name, shelved) in library.add(path, document, &roots) {
                    names.insert((path.to_owned(), name), shelved);
                }
            }
        }
        let mut custom = BTreeSet::new();
        for (identity, (path, name, is_custom)) in described {
            let shelved = names.get(&(path, name)).cloned();
            if let (true, Some(name)) = (is_custom, &shelved) {
                custom.insert(name.clone());
            }
            if let Some(info) = self.kinds.get_mut(&identity) {
                info.definition = shelved;
            }
        }
        let entries = library.shelved.into_iter().map(|(name, shelved)| Entry {
            custom: custom.contains(&name),
            text: shelved.text,
            name,
        });
        let kinds = self.kinds.into_values().collect();
        Model::new(self.info, kinds, Library::build(entries.collect()))
    }

    /// Takes the kinds from the documents themselves, without those that are never objects of their own.
    fn kinds_of_documents(&mut self) {
        for document in self.documents.values() {
            for (identity, name) in &document.identities {
                let (group, version, kind) = identity;
                let is_object = document
                    .schemas
                    .get(name)
                    .is_some_and(|schema| schema.pointer("/properties/metadata").is_some());
                let is_meta = name.contains(".apis.meta.") || kind.ends_with("List");
                if is_object && !is_meta {
                    self.kinds
                        .entry(identity.clone())
                        .or_insert_with(|| KindInfo {
                            group: group.clone(),
                            version: version.clone(),
                            kind: kind.clone(),
                            ..KindInfo::default()
                        });
                }
            }
        }
    }
}

/// Definitions of several documents, each under a name of its own.
#[derive(Default)]
struct Shelf {
    shelved: BTreeMap<String, Shelved>,
}

struct Shelved {
    /// As the document had it.
    original: Value,
    text: String,
}

impl Shelf {
    /// Adds what is reached from some definitions of a document, and returns the names it got.
    ///
    /// A definition that is there already is shared, if it and all that it refers to are the same. Otherwise (API
    /// servers of different ages behind one address) the document's own copy gets a name of its own.
    fn add(
        &mut self,
        path: &str,
        document: &Document,
        roots: &BTreeSet<&str>,
    ) -> BTreeMap<String, String> {
        let reached = reach(document, roots);
        let mut own: BTreeSet<&str> = reached
            .keys()
            .copied()
            .filter(|name| {
                self.shelved
                    .get(*name)
                    .is_some_and(|shelved| document.schemas.get(*name) != Some(&shelved.original))
            })
            .collect();
        loop {
            let before = own.len();
            for (name, references) in &reached {
                if self.shelved.contains_key(*name)
                    && references
                        .iter()
                        .any(|reference| own.contains(reference.as_str()))
                {
                    own.insert(name);
                }
            }
            if own.len() == before {
                break;
            }
        }
        let place = path.trim_matches('/').replace('/', ".");
        let names: BTreeMap<String, String> = reached
            .keys()
            .map(|name| {
                let shelved = if own.contains(name) {
                    format!("{name}+{place}")
                } else {
                    (*name).to_owned()
                };
                ((*name).to_owned(), shelved)
            })
            .collect();
        for name in reached.keys() {
            let (Some(schema), Some(shelved)) = (document.schemas.get(*name), names.get(*name))
            else {
                continue;
            };
            if self.shelved.contains_key(shelved) {
                continue;
            }
            let mut renamed = schema.clone();
            prose::each_reference(&mut renamed, &mut |reference| {
                if let Some(name) = definition_name(reference).and_then(|name| names.get(&name)) {
                    let escaped = pointer_token(name);
                    *reference = format!("#/components/schemas/{escaped}");
                }
            });
            self.shelved.insert(
                shelved.clone(),
                Shelved {
                    original: schema.clone(),
                    text: renamed.to_string(),
                },
            );
        }
        names
    }
}

/// Returns the definitions of a document that are reached from some of them, with what each refers to.
fn reach<'a>(
    document: &'a Document,
    roots: &BTreeSet<&'a str>,
) -> BTreeMap<&'a str, BTreeSet<String>> {
    let mut reached = BTreeMap::new();
    let mut waiting: Vec<&str> = roots.iter().copied().collect();
    while let Some(name) = waiting.pop() {
        let Some((name, schema)) = document.schemas.get_key_value(name) else {
            continue;
        };
        if reached.contains_key(name.as_str()) {
            continue;
        }
        let mut references = BTreeSet::new();
        prose::each_reference(&mut schema.clone(), &mut |reference| {
            references.extend(definition_name(reference));
        });
        for reference in &references {
            if let Some((known, _)) = document.schemas.get_key_value(reference) {
                waiting.push(known);
            }
        }
        reached.insert(name.as_str(), references);
    }
    reached
}

/// Returns the group, version and kind of each kind that a schema describes.
fn identities(schema: &Value) -> Vec<Identity> {
    let listed = schema.get("x-kubernetes-group-version-kind");
    let list = match listed {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => &[],
    };
    list.iter()
        .map(|one| {
            let part = |key| text(one, key).to_owned();
            (part("group"), part("version"), part("kind"))
        })
        .filter(|(_, version, kind)| !version.is_empty() && !kind.is_empty())
        .collect()
}

/// Returns the end of the path under which a server publishes the document of a kind.
fn document_path(info: &KindInfo) -> String {
    if info.group.is_empty() {
        format!("api/{}", info.version)
    } else {
        format!("apis/{}/{}", info.group, info.version)
    }
}

/// Returns the name that API servers give to the definition of a custom kind: the group backwards, and so on.
fn custom_name(info: &KindInfo) -> String {
    let mut parts: Vec<&str> = info.group.split('.').rev().collect();
    parts.extend([info.version.as_str(), info.kind.as_str()]);
    parts.join(".")
}

fn is_named(definition: &str, kind: &str) -> bool {
    definition.rsplit('.').next() == Some(kind)
}

fn text<'a>(document: &'a Value, key: &str) -> &'a str {
    document
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn items<'a>(document: &'a Value, key: &str) -> &'a [Value] {
    document
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn texts(document: &Value, key: &str) -> Vec<String> {
    items(document, key)
        .iter()
        .filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}
