//! What a cluster serves: its kinds and their schemas, as a *model* that fits in one small file.
//!
//! A [`Model`] comes from the built-in file, from an [`archive`](Model::from_archive), from `OpenAPI` documents and
//! discovery ([`ModelBuilder`]), or from custom resource definitions ([`CustomKinds`]). A [`Catalog`] looks kinds
//! up in several of them. Definitions stay text until a document reaches them.

mod archive;
mod builder;
mod catalog;
mod custom;
mod prose;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::archive::ArchiveError;
pub use self::builder::{BuildError, ModelBuilder};
pub use self::catalog::{Catalog, CatalogError, UnknownKind};
pub use self::custom::{CrdError, CustomKinds};
use crate::near::nearest;
use crate::schema::{Library, Schema};

/// Where the objects of a kind live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// In a namespace.
    Namespaced,
    /// In the cluster as a whole.
    Cluster,
    /// A schema alone doesn't tell.
    #[default]
    Unknown,
}

/// One kind in one version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KindInfo {
    /// The API group; empty for the core one.
    pub group: String,
    /// The version inside the group.
    pub version: String,
    /// The kind.
    pub kind: String,
    /// Its name in URLs, such as `deployments`.
    pub plural: String,
    /// Its name in the singular, such as `deployment`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub singular: String,
    /// Short names, such as `deploy`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub short_names: Vec<String>,
    /// Groups of kinds that it is listed with, such as `all`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Where its objects live.
    pub scope: Scope,
    /// What can be done with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verbs: Vec<String>,
    /// Whether this is the version of the group that the server prefers.
    #[serde(skip_serializing_if = "is_false")]
    pub preferred: bool,
    /// Whether a custom resource definition brought it.
    #[serde(skip_serializing_if = "is_false")]
    pub custom: bool,
    /// The name of the definition that describes it, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl KindInfo {
    /// Returns group and version as objects write them, such as `apps/v1` or `v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Tells whether its objects live in namespaces, where that is known.
    pub const fn is_namespaced(&self) -> Option<bool> {
        match self.scope {
            Scope::Namespaced => Some(true),
            Scope::Cluster => Some(false),
            Scope::Unknown => None,
        }
    }

    /// Tells whether something can be done with it.
    pub fn has_verb(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known == verb)
    }

    /// Tells whether objects with this apiVersion are meant.
    pub fn is_version(&self, api_version: &str) -> bool {
        let (group, version) = split(api_version);
        self.group == group && self.version == version
    }

    /// Orders by kind, then group, then version, newest and stablest first.
    fn order(&self, other: &Self) -> Ordering {
        self.kind
            .cmp(&other.kind)
            .then_with(|| self.group.cmp(&other.group))
            .then_with(|| version_rank(&other.version).cmp(&version_rank(&self.version)))
            .then_with(|| self.version.cmp(&other.version))
    }
}

/// Splits an apiVersion into group and version.
fn split(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// Ranks a version as Kubernetes does: `v2` over `v1` over `v1beta2` over `v1alpha1` over anything else.
fn version_rank(version: &str) -> (u8, u32, u32) {
    let parse = || {
        let rest = version.strip_prefix('v')?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (major, rest) = rest.split_at_checked(digits)?;
        let major = major.parse().ok()?;
        if rest.is_empty() {
            return Some((3, major, 0));
        }
        let (stability, minor) = rest
            .strip_prefix("beta")
            .map(|minor| (2, minor))
            .or_else(|| rest.strip_prefix("alpha").map(|minor| (1, minor)))?;
        Some((stability, major, minor.parse().ok()?))
    };
    parse().unwrap_or_default()
}

/// What a model says about itself: the fields of a Meshery `ModelDefinition` that mean something before it is
/// registered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    /// The name, such as `kubernetes`.
    pub name: String,
    /// The name for people.
    pub display_name: String,
    /// One sentence.
    #[serde(default)]
    pub description: String,
    /// The version of this packaging.
    pub version: String,
    /// The technology that is described.
    pub model: Technology,
    /// Where the model came from.
    pub registrant: Registrant,
    /// The category.
    pub category: Category,
    /// The category within the category.
    #[serde(default)]
    pub sub_category: String,
    /// Anything else.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

/// The technology that a model describes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Technology {
    /// Its version; for a cluster, `gitVersion`.
    pub version: String,
}

/// Where a model came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registrant {
    /// The kind of source, such as `kubernetes` or `artifacthub`.
    pub kind: String,
}

/// The category of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    /// Its name.
    pub name: String,
}

impl ModelInfo {
    /// Describes a model of Kubernetes in some version.
    pub fn kubernetes(version: &str) -> Self {
        Self {
            description: "The kinds that a Kubernetes cluster serves.".to_owned(),
            category: Category {
                name: "Orchestration & Management".to_owned(),
            },
            sub_category: "Kubernetes".to_owned(),
            ..Self::named("kubernetes", "Kubernetes", version, "kubernetes")
        }
    }

    /// Describes a model with nothing but its name, version and source.
    pub fn named(name: &str, display_name: &str, version: &str, registrant: &str) -> Self {
        Self {
            name: name.to_owned(),
            display_name: display_name.to_owned(),
            description: String::new(),
            version: "v1.0.0".to_owned(),
            model: Technology {
                version: version.to_owned(),
            },
            registrant: Registrant {
                kind: registrant.to_owned(),
            },
            category: Category {
                name: "Uncategorized".to_owned(),
            },
            sub_category: "Uncategorized".to_owned(),
            metadata: Map::new(),
        }
    }
}

/// The kinds of a technology and their schemas.
#[derive(Debug, Clone)]
pub struct Model {
    info: ModelInfo,
    /// In [`KindInfo::order`].
    kinds: Vec<KindInfo>,
    library: Arc<Library>,
}

impl Model {
    /// Returns the model of a recent Kubernetes that this program carries. Unpacked once, on first use.
    ///
    /// # Panics
    ///
    /// When the file inside the program is damaged; a test reads it.
    pub fn builtin() -> &'static Arc<Self> {
        static BUILTIN: LazyLock<Arc<Model>> = LazyLock::new(|| {
            let bytes = include_bytes!("kubernetes/v1.35.4.model.gz");
            Arc::new(Model::from_archive(bytes).expect("the built-in model is read by a test"))
        });
        &BUILTIN
    }

    fn new(info: ModelInfo, mut kinds: Vec<KindInfo>, library: Library) -> Self {
        kinds.sort_by(KindInfo::order);
        Self {
            info,
            kinds,
            library: Arc::new(library),
        }
    }

    /// Returns what the model says about itself.
    pub const fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Returns the model's name.
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// Returns the version of the technology; for a cluster, `gitVersion`.
    pub fn version(&self) -> &str {
        &self.info.model.version
    }

    /// Returns all kinds, by kind, then group, then version from the newest.
    pub fn kinds(&self) -> &[KindInfo] {
        &self.kinds
    }

    /// Returns the names of all definitions.
    pub fn definitions(&self) -> impl Iterator<Item = &str> {
        self.library.entries().map(|(name, _, _)| name)
    }

    /// Returns the JSON text of a definition.
    pub fn definition(&self, name: &str) -> Option<&str> {
        self.library.text(name)
    }

    /// Finds the kind of an object.
    pub fn find(&self, api_version: &str, kind: &str) -> Option<&KindInfo> {
        let (group, version) = split(api_version);
        self.kinds_named(kind)
            .iter()
            .find(|info| info.group == group && info.version == version)
    }

    /// Returns every group and version that serves a kind.
    pub fn kinds_named(&self, kind: &str) -> &[KindInfo] {
        let start = self.kinds.partition_point(|info| *info.kind < *kind);
        let rest = self.kinds.get(start..).unwrap_or_default();
        let count = rest.partition_point(|info| info.kind == kind);
        rest.get(..count).unwrap_or_default()
    }

    /// Returns the name of the kind nearest to a misspelt one, if one is near enough.
    pub fn nearest_kind(&self, kind: &str) -> Option<&str> {
        nearest(kind, self.kinds.iter().map(|info| info.kind.as_str()))
    }

    /// Tells whether the objects of a kind live in namespaces, where that is known.
    pub fn is_namespaced(&self, api_version: &str, kind: &str) -> Option<bool> {
        self.find(api_version, kind)?.is_namespaced()
    }

    /// Returns the schema of a kind of this model. What it compiles is kept in the model.
    pub fn schema_of(&self, info: &KindInfo) -> Schema {
        Schema::of(&self.library, info.definition.as_deref())
    }

    /// Returns the schema for the objects of a kind, if the model has that kind.
    pub fn schema_for(&self, api_version: &str, kind: &str) -> Option<Schema> {
        Some(self.schema_of(self.find(api_version, kind)?))
    }

    /// Returns what could not be checked, such as patterns in a foreign syntax, as far as it was met until now.
    pub fn notes(&self) -> Vec<String> {
        self.library.notes()
    }
}
