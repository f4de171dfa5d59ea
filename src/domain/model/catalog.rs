//! Looks kinds up in layers: a design's own definitions, then extra schemas, then a model of a whole cluster. The
//! built-in model is only unpacked when the layers above don't know a kind.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::archive::ArchiveError;
use super::builder::BuildError;
use super::{CrdError, CustomKinds, KindInfo, Model, ModelBuilder, ModelInfo, prose, split};
use crate::near::nearest;
use crate::schema::{Library, Schema, standalone};

/// Why a schema file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A custom resource definition is wrong.
    #[error(transparent)]
    Crd(#[from] CrdError),
    /// A model archive is wrong.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// An `OpenAPI` document is wrong.
    #[error(transparent)]
    OpenApi(#[from] BuildError),
    /// A JSON schema neither names its kind nor has a file name that does.
    #[error(
        "{path} does not say which kind it describes: name it <kind>-<group>-<version>.json, \
         or add x-kubernetes-group-version-kind"
    )]
    Nameless {
        /// The file.
        path: String,
    },
    /// It is no schema at all.
    #[error("{path} is not a JSON schema, CustomResourceDefinition or OpenAPI document")]
    NotASchema {
        /// The file.
        path: String,
    },
}

/// Where kinds and schemas are looked up. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Catalog {
    own: Layer,
    extra: Layer,
    /// Schemas that only their file names tell apart, by kind in lower case.
    files: HashMap<String, Vec<File>>,
    base: Base,
}

/// Models of one rank: the first that has a kind is asked.
#[derive(Debug, Clone, Default)]
struct Layer {
    models: Vec<Arc<Model>>,
    /// Which models have a kind, so that a folder of a thousand definitions costs no more than one of ten.
    by_kind: HashMap<String, Vec<usize>>,
}

impl Layer {
    fn add(&mut self, model: Arc<Model>) {
        for info in model.kinds() {
            let having = self.by_kind.entry(info.kind.clone()).or_default();
            if having.last() != Some(&self.models.len()) {
                having.push(self.models.len());
            }
        }
        self.models.push(model);
    }

    fn find<'a>(&'a self, api_version: &str, kind: &str) -> Option<(&'a KindInfo, &'a Model)> {
        self.having(kind)
            .find_map(|model| Some((model.find(api_version, kind)?, model)))
    }

    fn having(&self, kind: &str) -> impl Iterator<Item = &Model> {
        let having = self.by_kind.get(kind).into_iter().flatten();
        having.filter_map(|at| self.models.get(*at).map(AsRef::as_ref))
    }
}

#[derive(Debug, Clone)]
enum Base {
    Nothing,
    Builtin,
    Model(Arc<Model>),
}

/// A schema whose kind is known from its file name: the group perhaps by its first label only.
#[derive(Debug, Clone)]
struct File {
    group: String,
    version: String,
    model: Arc<Model>,
}

impl File {
    fn describes(&self, group: &str, version: &str) -> bool {
        let label = group.split('.').next().unwrap_or_default();
        self.version == version && (self.group == group || self.group == label)
    }
}

impl Default for Catalog {
    fn default() -> Self {
        Self::builtin()
    }
}

impl Catalog {
    /// Knows what the built-in model knows.
    pub fn builtin() -> Self {
        Self::over(Base::Builtin)
    }

    /// Knows what a model knows, of a cluster say, and not the built-in one.
    pub fn of(model: Arc<Model>) -> Self {
        Self::over(Base::Model(model))
    }

    /// Knows nothing.
    pub fn empty() -> Self {
        Self::over(Base::Nothing)
    }

    fn over(base: Base) -> Self {
        Self {
            own: Layer::default(),
            extra: Layer::default(),
            files: HashMap::new(),
            base,
        }
    }

    /// Adds the kinds that a design itself defines. They are asked first.
    pub fn add_own(&mut self, kinds: CustomKinds) {
        let info = ModelInfo::named("design", "Design", "", "design");
        self.own.add(Arc::new(kinds.into_model(info)));
    }

    /// Adds a model, asked after a design's own kinds and before the cluster's.
    pub fn add_model(&mut self, model: Arc<Model>) {
        self.extra.add(model);
    }

    /// Adds a model archive, like [`Catalog::add_model`].
    pub fn add_archive(&mut self, bytes: &[u8]) -> Result<(), CatalogError> {
        self.add_model(Arc::new(Model::from_archive(bytes)?));
        Ok(())
    }

    /// Adds a schema file, like [`Catalog::add_model`]: a custom resource definition or a list of them, an
    /// `OpenAPI` document, or a JSON schema of one kind. Other objects beside the definitions are passed over. The path, relative to the folder of schemas, tells the kind of a JSON
    /// schema that doesn't: `<kind>-<group>-<version>.json`, or `<group>/<kind>_<version>.json`.
    pub fn add_file(&mut self, path: &str, document: &Value) -> Result<(), CatalogError> {
        let info = || ModelInfo::named("schemas", "Schemas", "", "file");
        let is_object = |value: &Value| {
            let has = |key: &str| value.get(key).is_some_and(Value::is_string);
            has("apiVersion") && has("kind")
        };
        if is_object(document) {
            let objects = match document.get("items").and_then(Value::as_array) {
                Some(items) => items.as_slice(),
                None => std::slice::from_ref(document),
            };
            let mut kinds = CustomKinds::default();
            for object in objects.iter().filter(|object| CustomKinds::is_crd(object)) {
                kinds.add_crd(object)?;
            }
            if !kinds.kinds().is_empty() {
                self.add_model(Arc::new(kinds.into_model(info())));
            }
        } else if document.pointer("/components/schemas").is_some()
            || document.get("swagger").is_some()
        {
            let mut builder = ModelBuilder::new(info());
            builder.openapi(path, document)?;
            self.add_model(Arc::new(builder.build()));
        } else if is_schema(document) {
            self.add_schema(path, document, info())?;
        } else {
            return Err(CatalogError::NotASchema {
                path: path.to_owned(),
            });
        }
        Ok(())
    }

    /// Adds the JSON schema of one kind.
    fn add_schema(
        &mut self,
        path: &str,
        document: &Value,
        info: ModelInfo,
    ) -> Result<(), CatalogError> {
        let model = |mut kinds: Vec<KindInfo>| {
            for kind in &mut kinds {
                kind.definition = Some("schema".to_owned());
            }
            let entries = standalone("schema", &prose::without(document), false);
            Arc::new(Model::new(info, kinds, Library::build(entries)))
        };
        let kinds = kinds_of(document);
        if !kinds.is_empty() {
            self.extra.add(model(kinds));
            return Ok(());
        }
        let Some((kind, group, version)) = named_by(path) else {
            return Err(CatalogError::Nameless {
                path: path.to_owned(),
            });
        };
        let file = File {
            model: model(vec![KindInfo {
                group: group.clone(),
                version: version.clone(),
                kind: kind.clone(),
                ..KindInfo::default()
            }]),
            group,
            version,
        };
        self.files.entry(kind).or_default().push(file);
        Ok(())
    }

    /// Finds a kind and its schema.
    pub fn find(&self, api_version: &str, kind: &str) -> Option<(&KindInfo, Schema)> {
        let own = self.own.find(api_version, kind);
        if let Some((info, model)) = own.or_else(|| self.extra.find(api_version, kind)) {
            return Some((info, model.schema_of(info)));
        }
        if let Some(file) = self.file(api_version, kind) {
            let info = file.model.kinds().first()?;
            return Some((info, file.model.schema_of(info)));
        }
        let base = self.base()?;
        let info = base.find(api_version, kind)?;
        Some((info, base.schema_of(info)))
    }

    fn file(&self, api_version: &str, kind: &str) -> Option<&File> {
        if self.files.is_empty() {
            return None;
        }
        let (group, version) = split(api_version);
        let files = self.files.get(&kind.to_lowercase())?;
        files.iter().find(|file| file.describes(group, version))
    }

    /// Returns the schema for the objects of a kind.
    pub fn schema_for(&self, api_version: &str, kind: &str) -> Option<Schema> {
        self.find(api_version, kind).map(|(_, schema)| schema)
    }

    /// Tells whether the objects of a kind live in namespaces, asking each layer until one knows.
    pub fn is_namespaced(&self, api_version: &str, kind: &str) -> Option<bool> {
        self.own
            .having(kind)
            .chain(self.extra.having(kind))
            .find_map(|model| model.is_namespaced(api_version, kind))
            .or_else(|| self.base()?.is_namespaced(api_version, kind))
    }

    /// Says what may have been meant by a kind that is not found.
    pub fn explain(&self, api_version: &str, kind: &str) -> UnknownKind {
        let versions_of = |kind: &str| {
            let mut versions: Vec<String> = Vec::new();
            for info in self.models().flat_map(|model| model.kinds_named(kind)) {
                let version = info.api_version();
                if !versions.contains(&version) {
                    versions.push(version);
                }
            }
            versions
        };
        let served_as = versions_of(kind);
        let nearest = if served_as.is_empty() {
            let kinds = self.models().flat_map(|model| model.kinds());
            nearest(kind, kinds.map(|info| info.kind.as_str()))
        } else {
            None
        };
        UnknownKind {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            nearest: nearest.map(|near| (near.to_owned(), versions_of(near))),
            served_as,
        }
    }

    /// Returns all models, in the order in which they are asked.
    pub fn models(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.layered().chain(self.base())
    }

    /// Returns what could not be checked so far, in any of the models but the built-in one, in which everything can.
    pub fn notes(&self) -> Vec<String> {
        let files = self.files.values().flatten().map(|file| &file.model);
        let base = match &self.base {
            Base::Model(model) => Some(model),
            // Not unpacked just for this: what was not used has no notes.
            Base::Nothing | Base::Builtin => None,
        };
        let mut notes: Vec<String> = self
            .layered()
            .chain(files)
            .chain(base)
            .flat_map(|model| model.notes())
            .collect();
        notes.sort();
        notes.dedup();
        notes
    }

    fn layered(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.own.models.iter().chain(&self.extra.models)
    }

    fn base(&self) -> Option<&Arc<Model>> {
        match &self.base {
            Base::Nothing => None,
            Base::Builtin => Some(Model::builtin()),
            Base::Model(model) => Some(model),
        }
    }
}

/// A kind that no layer knows, and what may have been meant. Displayed as a lowercase fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKind {
    /// The apiVersion that was asked for.
    pub api_version: String,
    /// The kind that was asked for.
    pub kind: String,
    /// Other versions that have this kind.
    pub served_as: Vec<String>,
    /// The nearest kind and its versions, where no version has this one.
    pub nearest: Option<(String, Vec<String>)>,
}

impl fmt::Display for UnknownKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            api_version, kind, ..
        } = self;
        if !self.served_as.is_empty() {
            let versions = self.served_as.join(", ");
            return write!(
                out,
                "{kind} is not known as {api_version}, but as {versions}"
            );
        }
        if api_version.is_empty() {
            write!(out, "unknown kind {kind:?} without an apiVersion")?;
        } else {
            write!(out, "unknown kind {kind:?} in {api_version}")?;
        }
        match &self.nearest {
            Some((near, versions)) if versions.iter().any(|version| version == api_version) => {
                write!(out, ", did you mean {near:?}?")
            }
            Some((near, versions)) => {
                write!(out, ", did you mean {near:?} ({})?", versions.join(", "))
            }
            None => Ok(()),
        }
    }
}

/// Tells whether a document looks like a JSON schema.
fn is_schema(document: &Value) -> bool {
    document.as_object().is_some_and(|schema| {
        !schema.contains_key("apiVersion")
            && [
                "properties",
                "$ref",
                "allOf",
                "anyOf",
                "oneOf",
                "additionalProperties",
                "$schema",
                "type",
            ]
            .iter()
            .any(|key| schema.contains_key(*key))
    })
}

/// Returns the kinds that a JSON schema names, by extension or by what it allows for apiVersion and kind.
fn kinds_of(document: &Value) -> Vec<KindInfo> {
    let identity = |group: &str, version: &str, kind: &str| KindInfo {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        ..KindInfo::default()
    };
    let listed = document
        .get("x-kubernetes-group-version-kind")
        .and_then(Value::as_array);
    let kinds: Vec<KindInfo> = listed
        .into_iter()
        .flatten()
        .filter_map(|one| {
            let part = |key| one.get(key).and_then(Value::as_str);
            Some(identity(
                part("group").unwrap_or_default(),
                part("version")?,
                part("kind")?,
            ))
        })
        .collect();
    if !kinds.is_empty() {
        return kinds;
    }
    let only = |field: &str| {
        let property = document.get("properties")?.get(field)?;
        let allowed = property.get("enum").and_then(Value::as_array);
        match allowed.map(Vec::as_slice) {
            Some([one]) => one.as_str(),
            _ => property.get("const")?.as_str(),
        }
    };
    match (only("apiVersion"), only("kind")) {
        (Some(api_version), Some(kind)) => {
            let (group, version) = split(api_version);
            vec![identity(group, version, kind)]
        }
        _ => Vec::new(),
    }
}

/// Reads kind (in lower case), group and version from the name of a file.
fn named_by(path: &str) -> Option<(String, String, String)> {
    let (folder, file) = path.rsplit_once(['/', '\\']).unwrap_or(("", path));
    let name = file
        .strip_suffix(".json")
        .or_else(|| file.strip_suffix(".yaml"))
        .or_else(|| file.strip_suffix(".yml"))?
        .to_lowercase();
    let is_version = |text: &str| {
        text.strip_prefix('v')
            .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    if let Some((kind, version)) = name
        .rsplit_once('_')
        .filter(|(_, version)| is_version(version))
    {
        let group = folder.rsplit(['/', '\\']).next().unwrap_or_default();
        return Some((kind.to_owned(), group.to_lowercase(), version.to_owned()));
    }
    let (rest, version) = name
        .rsplit_once('-')
        .filter(|(_, version)| is_version(version))?;
    let (kind, group) = rest.split_once('-').unwrap_or((rest, ""));
    Some((kind.to_owned(), group.to_owned(), version.to_owned()))
}
