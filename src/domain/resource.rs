//! Resources: the objects that are to be written, with identity, policies and dependencies.
//!
//! Whatever touches a cluster becomes a [`ResourceSet`] first. Reading one checks what every later
//! step relies on: that each object can be named, that no two are the same one, and that our own
//! annotations mean something. All problems of all objects come back as findings; an object without
//! an identity is left out of the set, every other one is in it. Objects are moved, not copied, and
//! stay as they were written, but for `stringData` of a `Secret`, which is folded into `data` here
//! and nowhere else.

use std::borrow::{Borrow, Cow};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::base64;
use crate::check::{Finding, Rule};
use crate::duration;
use crate::near;
use crate::path::{Path, Segment};

/// The readable identity of a resource: `apps/Deployment/shop/web`, `Service/shop/web`,
/// `Namespace/shop`.
///
/// Group, kind, namespace and name; the core group and the namespace of what has none are left out.
/// The version is no part of it: one object has as many versions as the API serves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId(Arc<str>);

impl ResourceId {
    /// Makes the id of an object.
    pub fn new(group: &str, kind: &str, namespace: Option<&str>, name: &str) -> Self {
        Self(id_text(group, kind, namespace, name).into())
    }

    /// Returns its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for ResourceId {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl Borrow<str> for ResourceId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for ResourceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for ResourceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl schemars::JsonSchema for ResourceId {
    fn schema_name() -> Cow<'static, str> {
        "ResourceId".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }

    fn inline_schema() -> bool {
        true
    }
}

fn id_text(group: &str, kind: &str, namespace: Option<&str>, name: &str) -> String {
    let namespace = namespace.unwrap_or_default();
    let mut text =
        String::with_capacity(group.len() + kind.len() + namespace.len() + name.len() + 3);
    for part in [group, kind, namespace] {
        if !part.is_empty() {
            text.push_str(part);
            text.push('/');
        }
    }
    text.push_str(name);
    text
}

/// Where an object was read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The file, as the user named it; what is stored has its name and version here.
    pub file: Arc<str>,
    /// The line where the object's document starts, from 1; none where there is no text.
    pub line: Option<u32>,
    /// The place of the object in its document: the root, an item of a list, part of a design.
    pub inside: Path,
    /// The row that it was made of, by an entry of a form.
    pub part: Option<Arc<Part>>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        match self.line {
            Some(line) => write!(f, ":{line}"),
            None => Ok(()),
        }
    }
}

/// The annotation of [`Creation`].
pub const CREATION_POLICY: &str = "weftctl.dev/creation-policy";
/// The annotation of [`Deletion`].
pub const DELETION_POLICY: &str = "weftctl.dev/deletion-policy";
/// The annotation of [`Conflict`].
pub const CONFLICT_POLICY: &str = "weftctl.dev/conflict-policy";
/// The annotation of [`Patch`].
pub const PATCH_STRATEGY: &str = "weftctl.dev/patch-strategy";
/// The annotation of [`Policies::ignore_fields`]: paths with commas between.
pub const IGNORE_FIELDS: &str = "weftctl.dev/ignore-fields";
/// The annotation of [`Policies::wait`].
pub const WAIT: &str = "weftctl.dev/wait";
/// The annotation of [`Policies::deadline`].
pub const DEADLINE: &str = "weftctl.dev/deadline";
/// The annotation of [`Policies::adopt`].
pub const ADOPT: &str = "weftctl.dev/adopt";
/// The annotation of [`Policies::replace`].
pub const REPLACE: &str = "weftctl.dev/replace";
/// The annotation of [`Phase`].
pub const PHASE: &str = "weftctl.dev/phase";
/// The annotation of [`Cleanup`].
pub const CLEANUP: &str = "weftctl.dev/cleanup";
/// The annotation of explicit dependencies: `[group/]Kind/[namespace/]name` with commas between.
pub const DEPENDS_ON: &str = "weftctl.dev/depends-on";
/// The annotation of [`DependencyFailure`].
pub const ON_DEPENDENCY_FAILURE: &str = "weftctl.dev/on-dependency-failure";
/// The annotation of [`Part::form`].
pub const FORM: &str = "weftctl.dev/form";
/// The annotation of [`Part::row`].
pub const ROW: &str = "weftctl.dev/row";
/// The annotation of [`Part::entry`].
pub const ENTRY: &str = "weftctl.dev/entry";

const PREFIX: &str = "weftctl.dev/";

/// The annotations that steer how an object is treated: name, values, and what they mean.
pub const ANNOTATIONS: &[(&str, &str, &str)] = &[
    (
        CREATION_POLICY,
        "WhenNeeded | Once",
        "write it whenever it differs, or once and never again",
    ),
    (
        DELETION_POLICY,
        "Delete | Retain",
        "what prune and undeploy do; a PersistentVolumeClaim is retained unless this says Delete",
    ),
    (
        CONFLICT_POLICY,
        "Stuck | Force",
        "refuse fields that other managers hold, or take them over",
    ),
    (
        PATCH_STRATEGY,
        "apply | merge | replace",
        "how it is written once it exists",
    ),
    (
        IGNORE_FIELDS,
        "spec.replicas,spec.x[*].y",
        "fields that are left to others",
    ),
    (WAIT, "true | false", "whether its readiness is awaited"),
    (
        DEADLINE,
        "90s, 5m",
        "how long it may take to become ready, instead of --timeout",
    ),
    (
        ADOPT,
        "true | false",
        "take it over where it exists without the design",
    ),
    (
        REPLACE,
        "true | false",
        "delete and create it anew where it cannot be changed",
    ),
    (
        PHASE,
        "before | after",
        "a Job that runs before or after the rest, again when it changed or failed",
    ),
    (
        CLEANUP,
        "Never | OnSuccess",
        "whether the Job of a phase is deleted once it has succeeded",
    ),
    (
        DEPENDS_ON,
        "[group/]Kind/[namespace/]name,…",
        "what must be ready before it is written",
    ),
    (
        ON_DEPENDENCY_FAILURE,
        "Skip | Proceed",
        "whether it is left alone or written nevertheless when one of these fails",
    ),
];

/// When an object is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Creation {
    /// Whenever it differs from what is wanted.
    #[default]
    WhenNeeded,
    /// Once, and never again.
    Once,
}

/// What happens to an object that is no longer wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Deletion {
    /// It is deleted.
    #[default]
    Delete,
    /// It stays; the default of a `PersistentVolumeClaim`.
    Retain,
}

/// What happens when somebody else owns a field.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
pub enum Conflict {
    /// The object is left alone and the conflict reported.
    #[default]
    Stuck,
    /// The field is taken over.
    Force,
}

/// How an object is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Patch {
    /// By server-side apply.
    #[default]
    Apply,
    /// By a merge patch.
    Merge,
    /// As a whole.
    Replace,
}

/// When a `Job` runs, seen from the rest of its set. It runs again whenever it has changed, or has
/// failed the last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Before everything that it doesn't depend on itself.
    Before,
    /// After everything that doesn't depend on it, once the workloads are ready.
    After,
}

/// What happens to the `Job` of a phase once it has succeeded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Cleanup {
    /// It stays.
    #[default]
    Never,
    /// It is deleted.
    OnSuccess,
}

/// What happens to an object when something that it explicitly depends on has failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum DependencyFailure {
    /// It is left as it is.
    #[default]
    Skip,
    /// It is written nevertheless.
    Proceed,
}

/// How one resource is treated; from its annotations.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policies {
    /// When it is written.
    pub creation: Creation,
    /// What happens when it is no longer wanted.
    pub deletion: Deletion,
    /// What happens when somebody else owns a field.
    pub conflict: Conflict,
    /// How it is written.
    pub patch: Patch,
    /// Paths of fields that are left to others, as `spec.replicas`, `spec.list[0].x` or
    /// `metadata.annotations["a/b"]`; a `$.` before it is dropped.
    pub ignore_fields: Vec<String>,
    /// Whether its readiness is awaited.
    pub wait: bool,
    /// How long it may take to become ready, where that differs from the rest.
    pub deadline: Option<Duration>,
    /// Whether it is taken over where it exists without us.
    #[serde(default)]
    pub adopt: bool,
    /// Whether it is deleted and created anew where it cannot be changed.
    #[serde(default)]
    pub replace: bool,
    /// When it runs, if it is a `Job` with a place of its own.
    #[serde(default)]
    pub phase: Option<Phase>,
    /// What happens to it then.
    #[serde(default)]
    pub cleanup: Cleanup,
    /// What happens when something that it depends on has failed.
    #[serde(default)]
    pub on_dependency_failure: DependencyFailure,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            creation: Creation::default(),
            deletion: Deletion::default(),
            conflict: Conflict::default(),
            patch: Patch::default(),
            ignore_fields: Vec::new(),
            wait: true,
            deadline: None,
            adopt: false,
            replace: false,
            phase: None,
            cleanup: Cleanup::default(),
            on_dependency_failure: DependencyFailure::default(),
        }
    }
}

/// An annotation with a value that it cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("annotation {annotation} is {value:?}, which is not {allowed}")]
pub struct PolicyError {
    /// The annotation.
    pub annotation: &'static str,
    /// Its value.
    pub value: String,
    /// The values that it may have, as a phrase.
    pub allowed: String,
}

impl Policies {
    /// Reads the policies of an object from its annotations; each bad one comes back as an error
    /// and leaves the default.
    pub fn read(kind: &str, annotations: Option<&Map<String, Value>>) -> (Self, Vec<PolicyError>) {
        let mut errors = Vec::new();
        let mut policies = Self::default();
        if kind == "PersistentVolumeClaim" {
            policies.deletion = Deletion::Retain;
        }
        let Some(annotations) = annotations else {
            return (policies, errors);
        };
        let mut set = |annotation: &'static str,
                       apply: &mut dyn FnMut(&str) -> Result<(), String>| {
            let Some(value) = annotations.get(annotation).and_then(Value::as_str) else {
                return;
            };
            if let Err(allowed) = apply(value.trim()) {
                errors.push(PolicyError {
                    annotation,
                    value: value.to_owned(),
                    allowed,
                });
            }
        };
        set(CREATION_POLICY, &mut |value| {
            let choices = [
                ("WhenNeeded", Creation::WhenNeeded),
                ("Once", Creation::Once),
            ];
            choose(value, &choices).map(|chosen| policies.creation = chosen)
        });
        set(DELETION_POLICY, &mut |value| {
            let choices = [("Delete", Deletion::Delete), ("Retain", Deletion::Retain)];
            choose(value, &choices).map(|chosen| policies.deletion = chosen)
        });
        set(CONFLICT_POLICY, &mut |value| {
            let choices = [("Stuck", Conflict::Stuck), ("Force", Conflict::Force)];
            choose(value, &choices).map(|chosen| policies.conflict = chosen)
        });
        set(PATCH_STRATEGY, &mut |value| {
            let choices = [
                ("apply", Patch::Apply),
                ("merge", Patch::Merge),
                ("replace", Patch::Replace),
            ];
            choose(value, &choices).map(|chosen| policies.patch = chosen)
        });
        let choices = [("true", true), ("false", false)];
        set(WAIT, &mut |value| {
            choose(value, &choices).map(|chosen| policies.wait = chosen)
        });
        set(ADOPT, &mut |value| {
            choose(value, &choices).map(|chosen| policies.adopt = chosen)
        });
        set(REPLACE, &mut |value| {
            choose(value, &choices).map(|chosen| policies.replace = chosen)
        });
        let runs = || match kind {
            "Job" => Ok(()),
            _ => Err(format!("for a {kind}: only a Job runs in a phase")),
        };
        set(PHASE, &mut |value| {
            let choices = [("before", Phase::Before), ("after", Phase::After)];
            runs()?;
            choose(value, &choices).map(|chosen| policies.phase = Some(chosen))
        });
        set(CLEANUP, &mut |value| {
            let choices = [("Never", Cleanup::Never), ("OnSuccess", Cleanup::OnSuccess)];
            runs()?;
            choose(value, &choices).map(|chosen| policies.cleanup = chosen)
        });
        set(ON_DEPENDENCY_FAILURE, &mut |value| {
            let choices = [
                ("Skip", DependencyFailure::Skip),
                ("Proceed", DependencyFailure::Proceed),
            ];
            choose(value, &choices).map(|chosen| policies.on_dependency_failure = chosen)
        });
        // What runs again is made anew: the template of a Job cannot be changed.
        policies.replace |= policies.phase.is_some() && !annotations.contains_key(REPLACE);
        set(IGNORE_FIELDS, &mut |value| {
            let paths = value.split(',').map(|path| field_path(path.trim()));
            let paths = paths.collect::<Option<Vec<_>>>();
            policies.ignore_fields = paths.ok_or("a list of paths such as spec.replicas")?;
            Ok(())
        });
        set(DEADLINE, &mut |value| {
            let deadline = duration::parse(value).ok_or(duration::EXPECTED)?;
            policies.deadline = Some(deadline);
            Ok(())
        });
        (policies, errors)
    }
}

fn choose<T: Copy>(value: &str, choices: &[(&str, T)]) -> Result<T, String> {
    if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == value) {
        return Ok(*choice);
    }
    let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
    let (last, rest) = names.split_last().unwrap_or((&"", &[]));
    Err(format!("{} or {last}", rest.join(", ")))
}

/// Returns a path without its `$.`, when its steps are keys, `[0]`, `[*]` or `["key"]`.
fn field_path(text: &str) -> Option<String> {
    let path = text.strip_prefix('$').unwrap_or(text);
    let path = path.strip_prefix('.').unwrap_or(path);
    let mut rest = path;
    let mut first = true;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let quote = inner.chars().next().filter(|c| matches!(c, '"' | '\''));
            let end = match quote {
                Some(quote) => inner[1..].find(quote)? + 2,
                None => inner.find(']')?,
            };
            let step = &inner[..end];
            let is_index =
                step == "*" || (!step.is_empty() && step.bytes().all(|b| b.is_ascii_digit()));
            if quote.is_none() && !is_index {
                return None;
            }
            rest = inner[end..].strip_prefix(']')?;
        } else {
            let key = if first { rest } else { rest.strip_prefix('.')? };
            let end = key.find(['.', '[']).unwrap_or(key.len());
            if end == 0 || key[..end].contains(|c: char| c.is_whitespace() || c == ']') {
                return None;
            }
            rest = &key[end..];
        }
        first = false;
    }
    (!path.is_empty()).then(|| path.to_owned())
}

/// The place of a resource in a set that is made of rows: what goes wrong there stays there.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
pub struct Part {
    /// The name of the form.
    pub form: String,
    /// The uid of the row.
    pub row: String,
    /// The id of the entry of the form.
    pub entry: String,
}

impl Part {
    /// Returns the form and the row.
    pub fn node(&self) -> (&str, &str) {
        (&self.form, &self.row)
    }

    /// Reads the annotations of an object; nothing where one is missing.
    pub fn read(annotations: Option<&Map<String, Value>>) -> Option<Self> {
        let annotations = annotations?;
        let text = |key| annotations.get(key).and_then(Value::as_str);
        Some(Self {
            form: text(FORM)?.to_owned(),
            row: text(ROW)?.to_owned(),
            entry: text(ENTRY)?.to_owned(),
        })
    }

    /// Tells whether two belong to the same row and form.
    pub fn is_beside(&self, other: &Self) -> bool {
        (&self.form, &self.row) == (&other.form, &other.row)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {:?}, {}/{}", self.row, self.form, self.entry)
    }
}

/// An object that is to be written.
#[derive(Clone, PartialEq)]
pub struct Resource {
    /// Its identity.
    pub id: ResourceId,
    /// The object.
    pub object: Value,
    /// Its `apiVersion`, as written.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// The namespace that it goes to: the written one, else the default; none when cluster-scoped.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// How it is treated.
    pub policies: Policies,
    /// The resources of the set that it explicitly depends on.
    pub depends_on: Vec<ResourceId>,
    /// What it is made of, in a set that is made of rows.
    pub part: Option<Part>,
    /// Where it was read.
    pub origin: Option<Origin>,
}

impl Resource {
    /// Returns it without content: what names it, and our own annotations.
    #[must_use]
    pub fn bare(&self) -> Self {
        let metadata = self.object.get("metadata");
        let mut kept = Map::new();
        for key in ["name", "namespace"] {
            if let Some(value) = metadata.and_then(|metadata| metadata.get(key)) {
                kept.insert(key.to_owned(), value.clone());
            }
        }
        let annotations = metadata.and_then(|metadata| metadata.get("annotations")?.as_object());
        let ours = annotations.into_iter().flatten();
        let ours = ours.filter(|(key, _)| key.starts_with("weftctl.dev/"));
        let ours: Map<String, Value> = ours
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if !ours.is_empty() {
            kept.insert("annotations".to_owned(), Value::Object(ours));
        }
        let mut object = Map::new();
        object.insert("apiVersion".to_owned(), self.api_version.clone().into());
        object.insert("kind".to_owned(), self.kind.clone().into());
        object.insert("metadata".to_owned(), Value::Object(kept));
        Self {
            object: Value::Object(object),
            policies: Policies {
                // Every other one would take what isn't named away.
                patch: Patch::Apply,
                ..self.policies.clone()
            },
            ..self.clone()
        }
    }
}

/// Without the object, which may be a `Secret`.
impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource")
            .field("id", &self.id)
            .field("api_version", &self.api_version)
            .field("policies", &self.policies)
            .field("depends_on", &self.depends_on)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

impl Resource {
    /// Returns its API group, moved kinds in their present one.
    pub fn group(&self) -> &str {
        canonical_group(split_api_version(&self.api_version).0, &self.kind)
    }

    /// Returns its annotations.
    pub fn annotations(&self) -> Option<&Map<String, Value>> {
        self.object.get("metadata")?.get("annotations")?.as_object()
    }
}

/// Splits an `apiVersion` into group and version; the core group is empty.
pub fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.rsplit_once('/').unwrap_or(("", api_version))
}

/// Returns the group that a kind lives in now.
///
/// `extensions/v1beta1` and `apps/v1` are two doors to one `Deployment`.
pub fn canonical_group<'a>(group: &'a str, kind: &str) -> &'a str {
    match (group, kind) {
        ("extensions", "Deployment" | "DaemonSet" | "ReplicaSet") => "apps",
        ("extensions", "Ingress" | "NetworkPolicy") => "networking.k8s.io",
        ("extensions", "PodSecurityPolicy") => "policy",
        ("events.k8s.io", "Event") => "",
        _ => group,
    }
}

/// The groups that every API server serves by itself.
const BUILT_IN_GROUPS: &[&str] = &[
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "extensions",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// Tells whether the API server serves a group by itself, so that its objects act on their own.
pub fn is_built_in_group(group: &str) -> bool {
    BUILT_IN_GROUPS.contains(&group)
}

/// Resources, each with an identity of its own, in the order in which they were read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ResourceSet {
    resources: Vec<Resource>,
    index: HashMap<ResourceId, usize>,
    withheld: Withheld,
}

/// Parts of a set that could not be made. Their members are neither written nor removed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Withheld {
    forms: HashMap<String, String>,
    rows: HashMap<String, String>,
    parts: HashMap<Part, String>,
}

impl Withheld {
    /// Withholds everything of a form.
    pub fn form(&mut self, form: impl Into<String>, why: impl Into<String>) {
        self.forms.entry(form.into()).or_insert_with(|| why.into());
    }

    /// Withholds everything of a row.
    pub fn row(&mut self, row: impl Into<String>, why: impl Into<String>) {
        self.rows.entry(row.into()).or_insert_with(|| why.into());
    }

    /// Withholds one entry of a form for one row.
    pub fn part(&mut self, part: Part, why: impl Into<String>) {
        self.parts.entry(part).or_insert_with(|| why.into());
    }

    /// Returns why a part is withheld; nothing when it isn't.
    pub fn why(&self, part: &Part) -> Option<&str> {
        let why = self.parts.get(part);
        let why = why.or_else(|| self.rows.get(&part.row));
        why.or_else(|| self.forms.get(&part.form))
            .map(String::as_str)
    }

    /// Tells whether nothing is withheld.
    pub fn is_empty(&self) -> bool {
        self.forms.is_empty() && self.rows.is_empty() && self.parts.is_empty()
    }
}

/// Tells whether a kind (`apiVersion`, `kind`) is namespaced; `None` when the kind isn't known.
pub type Scope<'a> = &'a dyn Fn(&str, &str) -> Option<bool>;

impl ResourceSet {
    /// Makes a set of objects, and reports everything that is wrong with them.
    ///
    /// The scope of a kind whose `CustomResourceDefinition` is among the objects is read from that.
    /// A kind that nobody knows is taken as namespaced when it gives a namespace or there is a
    /// default one. Of two objects with one identity the first stays.
    pub fn from_manifests(
        manifests: Vec<(Value, Origin)>,
        scope: Scope<'_>,
        default_namespace: Option<&str>,
    ) -> (Self, Vec<Finding>) {
        let defined = defined_scopes(&manifests);
        let mut set = Self {
            resources: Vec::with_capacity(manifests.len()),
            index: HashMap::with_capacity(manifests.len()),
            withheld: Withheld::default(),
        };
        let mut findings = Vec::new();
        let mut dependent = Vec::new();
        for (object, origin) in manifests {
            let mut reader = Reader {
                defined: &defined,
                scope,
                default_namespace,
                origin: &origin,
                subject: String::new(),
                findings: &mut findings,
            };
            let Some(resource) = reader.resource(object) else {
                continue;
            };
            match set.index.entry(resource.id.clone()) {
                Entry::Vacant(free) => {
                    free.insert(set.resources.len());
                    let annotations = resource.annotations();
                    if annotations.is_some_and(|all| all.contains_key(DEPENDS_ON)) {
                        dependent.push(set.resources.len());
                    }
                    set.resources.push(resource);
                }
                Entry::Occupied(first) => {
                    let message = format!("{} is defined twice", resource.id);
                    let mut finding = Finding::new(Rule::DuplicateIdentity, message)
                        .of(&resource)
                        .at(&["metadata", "name"])
                        .hint("remove or rename one of the two");
                    let first = set.resources.get(*first.get());
                    finding.first = first.and_then(|first| first.origin.clone());
                    findings.push(finding);
                }
            }
        }
        set.resolve_dependencies(&dependent, &mut findings);
        (set, findings)
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.resources.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// Returns all of them, in the order in which they were read.
    pub fn iter(&self) -> std::slice::Iter<'_, Resource> {
        self.resources.iter()
    }

    /// Returns one by its place.
    pub fn get(&self, index: usize) -> Option<&Resource> {
        self.resources.get(index)
    }

    /// Returns one by its id.
    pub fn by_id(&self, id: &ResourceId) -> Option<&Resource> {
        self.get(self.position(id.as_str())?)
    }

    /// Returns the place of one by its id.
    pub fn position(&self, id: &str) -> Option<usize> {
        self.index.get(id).copied()
    }

    /// Returns the place of one by the parts of its id.
    pub fn find(
        &self,
        group: &str,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Option<usize> {
        self.position(&id_text(group, kind, namespace, name))
    }

    /// Returns the same set without some parts, which could not be made.
    #[must_use]
    pub fn without(self, withheld: Withheld) -> Self {
        let is_made = |resource: &Resource| {
            let part = resource.part.as_ref();
            part.is_none_or(|part| withheld.why(part).is_none())
        };
        let resources: Vec<Resource> = self.resources.into_iter().filter(is_made).collect();
        let ids = resources.iter().map(|resource| resource.id.clone());
        Self {
            index: ids.zip(0..).collect(),
            resources,
            withheld,
        }
    }

    /// Returns the parts that could not be made.
    pub fn withheld(&self) -> &Withheld {
        &self.withheld
    }

    /// Gives up the set for its resources.
    pub fn into_resources(self) -> Vec<Resource> {
        self.resources
    }

    /// Resolves what the resources at these places explicitly depend on.
    fn resolve_dependencies(&mut self, dependent: &[usize], findings: &mut Vec<Finding>) {
        if dependent.is_empty() {
            return;
        }
        let mut names = Names::of(self);
        let mut resolved = Vec::with_capacity(dependent.len());
        for &index in dependent {
            let Some(resource) = self.resources.get(index) else {
                continue;
            };
            let text = resource.annotations().and_then(|all| all.get(DEPENDS_ON));
            let text = text.and_then(Value::as_str).unwrap_or_default();
            let (mut seen, mut depends_on) = (HashSet::new(), Vec::new());
            for part in text.split(',').map(str::trim) {
                match names.resolve(part, resource) {
                    Ok(found) => {
                        let new = found
                            .into_iter()
                            .filter(|other| seen.insert(other.id.as_str()));
                        depends_on.extend(new.map(|other| other.id.clone()));
                    }
                    Err(finding) => {
                        let place = ["metadata", "annotations", DEPENDS_ON];
                        findings.push(finding.of(resource).at(&place));
                    }
                }
            }
            resolved.push((index, depends_on));
        }
        for (index, depends_on) in resolved {
            self.resources[index].depends_on = depends_on;
        }
    }
}

/// Returns as much of the id that a set would give an object as the object tells.
pub fn subject(object: &Value, scope: Scope<'_>, default_namespace: Option<&str>) -> String {
    let text = |path: &[&str]| dig(object, path).and_then(Value::as_str);
    let api_version = text(&["apiVersion"]).unwrap_or_default();
    let kind = text(&["kind"]).unwrap_or_default();
    let written = text(&["metadata", "namespace"]).filter(|text| !text.is_empty());
    let namespaced = scope(api_version, kind) != Some(false);
    let namespace = written.or(default_namespace).filter(|_| namespaced);
    let parts = [
        Some(canonical_group(split_api_version(api_version).0, kind)),
        Some(kind),
        namespace,
        text(&["metadata", "name"]),
    ];
    let parts = parts.into_iter().flatten().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("/")
}

/// Finds resources as dependencies name them.
struct Names<'a> {
    /// By kind, namespace and name; several where groups have a kind of one name.
    exact: HashMap<(&'a str, &'a str, &'a str), Vec<&'a Resource>>,
    /// Name and id by kind.
    by_kind: HashMap<&'a str, Vec<(&'a str, &'a str)>>,
    budget: usize,
}

impl<'a> Names<'a> {
    fn of(set: &'a ResourceSet) -> Self {
        let mut names = Self {
            exact: HashMap::with_capacity(set.len()),
            by_kind: HashMap::new(),
            budget: NEAR_MISS_BUDGET,
        };
        for resource in set {
            let kind = resource.kind.as_str();
            let namespace = resource.namespace.as_deref().unwrap_or_default();
            let exact = names.exact.entry((kind, namespace, &resource.name));
            exact.or_default().push(resource);
            let by_kind = names.by_kind.entry(kind).or_default();
            by_kind.push((&resource.name, resource.id.as_str()));
        }
        names
    }

    /// Returns what a dependency of a resource names: without a namespace in that of the resource
    /// or in none, without a group in the core group or, there failing, in any.
    fn resolve(
        &mut self,
        text: &str,
        resource: &Resource,
    ) -> Result<Vec<&'a Resource>, Box<Finding>> {
        let wanted = Dependency::parse(text).ok_or_else(|| {
            let error = PolicyError {
                annotation: DEPENDS_ON,
                value: text.to_owned(),
                allowed: "of the form [group/]Kind/[namespace/]name".to_owned(),
            };
            Box::new(Finding::new(Rule::InvalidPolicy, error.to_string()))
        })?;
        let own = resource.namespace.as_deref().unwrap_or_default();
        let namespaces = match wanted.namespace {
            Some(namespace) => vec![namespace],
            None if own.is_empty() => vec![own],
            None => vec![own, ""],
        };
        let named = namespaces
            .iter()
            .filter_map(|namespace| self.exact.get(&(wanted.kind, *namespace, wanted.name)));
        let mut found: Vec<&Resource> = named.flatten().copied().collect();
        match wanted.group {
            Some(group) => found.retain(|other| other.group() == group),
            None if found.iter().any(|other| other.group().is_empty()) => {
                found.retain(|other| other.group().is_empty());
            }
            None => {}
        }
        if !found.is_empty() {
            return Ok(found);
        }
        let known = self.by_kind.get(wanted.kind).into_iter().flatten();
        let near = near::several(wanted.name, known.copied(), &mut self.budget);
        let message = format!("depends on {text:?}, which is not defined here");
        let finding = Finding::new(Rule::UnknownDependency, message);
        Err(Box::new(finding.did_you_mean(&near)))
    }
}

impl<'a> IntoIterator for &'a ResourceSet {
    type Item = &'a Resource;
    type IntoIter = std::slice::Iter<'a, Resource>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// How many names are compared at most in search of near misses.
pub(crate) const NEAR_MISS_BUDGET: usize = 50_000;

/// What [`DEPENDS_ON`] says.
struct Dependency<'a> {
    group: Option<&'a str>,
    kind: &'a str,
    namespace: Option<&'a str>,
    name: &'a str,
}

impl<'a> Dependency<'a> {
    /// Groups are written in lower case and kinds are not, which tells `apps/Deployment/web` from
    /// `Service/shop/web`.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts: Vec<&str> = text.split('/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return None;
        }
        let is_kind = |part: &str| part.bytes().any(|byte| byte.is_ascii_uppercase());
        let group = match parts.len() {
            3 if !is_kind(parts[0]) => Some(parts.remove(0)),
            4 => Some(parts.remove(0)),
            _ => None,
        };
        let (kind, namespace, name) = match parts[..] {
            [kind, name] => (kind, None, name),
            [kind, namespace, name] => (kind, Some(namespace), name),
            _ => return None,
        };
        Some(Self {
            group: group.map(|group| canonical_group(group, kind)),
            kind,
            namespace,
            name,
        })
    }
}

/// Returns whether the kinds that the objects themselves define are namespaced.
fn defined_scopes(manifests: &[(Value, Origin)]) -> HashMap<(String, String), bool> {
    let mut scopes = HashMap::new();
    for (object, _) in manifests {
        if let Some((group, kind)) = defined_kind(object) {
            let scope = dig(object, &["spec", "scope"]).and_then(Value::as_str);
            if let Some(scope) = scope {
                let defined = (group.to_owned(), kind.to_owned());
                scopes.insert(defined, scope == "Namespaced");
            }
        }
    }
    scopes
}

/// Returns group and kind that a `CustomResourceDefinition` defines.
pub(crate) fn defined_kind(object: &Value) -> Option<(&str, &str)> {
    if object.get("kind")? != "CustomResourceDefinition" {
        return None;
    }
    let group = dig(object, &["spec", "group"])?.as_str()?;
    Some((group, dig(object, &["spec", "names", "kind"])?.as_str()?))
}

/// Reads one object.
struct Reader<'a> {
    defined: &'a HashMap<(String, String), bool>,
    scope: Scope<'a>,
    default_namespace: Option<&'a str>,
    origin: &'a Origin,
    /// What the object is called in findings, as far as known.
    subject: String,
    findings: &'a mut Vec<Finding>,
}

impl Reader<'_> {
    fn report(&mut self, rule: Rule, message: String, path: &[&str]) {
        let finding = Finding::new(rule, message).from(self.origin).at(path);
        self.findings.push(finding.subject(&self.subject));
    }

    fn resource(&mut self, mut object: Value) -> Option<Resource> {
        let (kind, api_version, name) = self.identity(&object)?;
        let group = canonical_group(split_api_version(&api_version).0, &kind);
        let namespace = self.namespace(&object, &api_version, &kind);
        let id = ResourceId::new(group, &kind, namespace.as_deref(), &name);
        id.as_str().clone_into(&mut self.subject);
        if let Err(expected) = check_name(group, &kind, &name) {
            let message = format!("the name {name:?} is not {expected}");
            self.report(Rule::InvalidName, message, &["metadata", "name"]);
        }
        self.metadata(&object);
        let annotations = dig(&object, &["metadata", "annotations"]);
        let annotations = annotations.and_then(Value::as_object);
        let (policies, errors) = Policies::read(&kind, annotations);
        let part = Part::read(annotations);
        for error in errors {
            let place = ["metadata", "annotations", error.annotation];
            self.report(Rule::InvalidPolicy, error.to_string(), &place);
        }
        if group.is_empty() && kind == "Secret" {
            fold_string_data(&mut object);
        }
        Some(Resource {
            id,
            object,
            api_version,
            kind,
            namespace,
            name,
            policies,
            depends_on: Vec::new(),
            part,
            origin: Some(self.origin.clone()),
        })
    }

    /// Returns kind, `apiVersion` and name, or reports all of them that are missing.
    fn identity(&mut self, object: &Value) -> Option<(String, String, String)> {
        if !object.is_object() {
            let message = "the document is not a mapping, so it is no object".to_owned();
            self.report(Rule::InvalidIdentity, message, &[]);
            return None;
        }
        let kind = self.text(object, "kind", "kind", &["kind"]);
        if let Some(kind) = kind {
            kind.clone_into(&mut self.subject);
        }
        let api_version = self.text(object, "apiVersion", "apiVersion", &["apiVersion"]);
        let name = self.name(object);
        if let (Some(kind), Some(name)) = (kind, name) {
            self.subject = id_text("", kind, None, name);
        }
        let (kind, api_version) = (kind?, api_version?);
        let mut sound = true;
        if !is_kind(kind) {
            let message = format!("kind {kind:?} is not a name of letters and digits");
            self.report(Rule::InvalidIdentity, message, &["kind"]);
            sound = false;
        }
        let (group, version) = split_api_version(api_version);
        let sound_group = group.is_empty() && !api_version.starts_with('/') || is_subdomain(group);
        if !sound_group || !is_label(version) {
            let message = format!("apiVersion {api_version:?} is not VERSION or GROUP/VERSION");
            self.report(Rule::InvalidIdentity, message, &["apiVersion"]);
            sound = false;
        }
        let name = name?;
        sound.then(|| (kind.to_owned(), api_version.to_owned(), name.to_owned()))
    }

    fn name<'v>(&mut self, object: &'v Value) -> Option<&'v str> {
        let metadata = match object.get("metadata") {
            Some(Value::Object(metadata)) => Some(metadata),
            Some(Value::Null) | None => None,
            Some(_) => {
                let message = "metadata is not a mapping".to_owned();
                self.report(Rule::InvalidIdentity, message, &["metadata"]);
                return None;
            }
        };
        let given =
            |field| metadata.is_some_and(|all| all.get(field).is_some_and(|v| !v.is_null()));
        if !given("name") && given("generateName") {
            let message = "generateName makes a new object on every write".to_owned();
            let finding = Finding::new(Rule::GeneratedName, message)
                .from(self.origin)
                .at(&["metadata", "generateName"])
                .subject(&self.subject)
                .hint("give the object a metadata.name");
            self.findings.push(finding);
            return None;
        }
        let metadata = object.get("metadata").unwrap_or(&Value::Null);
        self.text(metadata, "name", "metadata.name", &["metadata", "name"])
    }

    fn text<'v>(
        &mut self,
        value: &'v Value,
        field: &str,
        called: &str,
        path: &[&str],
    ) -> Option<&'v str> {
        let (rule, message) = match value.get(field) {
            Some(Value::String(text)) if !text.is_empty() => return Some(text),
            Some(Value::String(_)) => (Rule::MissingIdentity, format!("{called} is empty")),
            Some(Value::Null) | None => (Rule::MissingIdentity, format!("{called} is missing")),
            Some(other) => {
                let message = format!("{called} is {}, not a string", describe(other));
                (Rule::InvalidIdentity, message)
            }
        };
        self.report(rule, message, path);
        None
    }

    /// Returns the namespace that the object goes to.
    fn namespace(&mut self, object: &Value, api_version: &str, kind: &str) -> Option<String> {
        let path = ["metadata", "namespace"];
        let written = match dig(object, &["metadata", "namespace"]) {
            Some(Value::String(text)) => Some(text.as_str()).filter(|text| !text.is_empty()),
            Some(Value::Null) | None => None,
            Some(other) => {
                let message = format!("metadata.namespace is {}, not a string", describe(other));
                self.report(Rule::InvalidName, message, &path);
                None
            }
        };
        let group = split_api_version(api_version).0;
        let defined = if self.defined.is_empty() {
            None
        } else {
            let defined = (group.to_owned(), kind.to_owned());
            self.defined.get(&defined).copied()
        };
        let namespaced = defined.or_else(|| (self.scope)(api_version, kind));
        if let (Some(written), Some(false)) = (written, namespaced) {
            let message = format!("a {kind} lives in no namespace, so {written:?} has no effect");
            self.report(Rule::NamespaceIgnored, message, &path);
        }
        if namespaced == Some(false) {
            return None;
        }
        if let Some(written) = written.filter(|written| !is_label(written)) {
            let message = format!("the namespace {written:?} is not {LABEL}");
            self.report(Rule::InvalidName, message, &path);
        }
        written.or(self.default_namespace).map(str::to_owned)
    }

    /// Checks labels and annotations.
    fn metadata(&mut self, object: &Value) {
        for field in ["labels", "annotations"] {
            let is_label = field == "labels";
            let what = field.strip_suffix('s').unwrap_or(field);
            let entries = match dig(object, &["metadata", field]) {
                Some(Value::Object(entries)) => entries,
                Some(Value::Null) | None => continue,
                Some(_) => {
                    let message = format!("metadata.{field} is not a mapping");
                    self.report(Rule::InvalidLabel, message, &["metadata", field]);
                    continue;
                }
            };
            let mut size = 0;
            for (key, value) in entries {
                let path = ["metadata", field, key];
                let sound = if is_label {
                    is_qualified_name(key)
                } else {
                    is_qualified_name(&key.to_ascii_lowercase())
                };
                if !sound {
                    let message = format!("the {what} key {key:?} is not [PREFIX/]NAME");
                    self.report(Rule::InvalidLabel, message, &path);
                }
                match value {
                    Value::String(text) if is_label && !is_label_value(text) => {
                        let message = format!(
                            "the value {text:?} of the label {key:?} is not at most 63 letters, \
                             digits, '-', '_' or '.'"
                        );
                        self.report(Rule::InvalidLabel, message, &path);
                    }
                    Value::String(text) => size += key.len() + text.len(),
                    other => {
                        let message = format!(
                            "the value of the {what} {key:?} is {}, not a string",
                            describe(other)
                        );
                        self.report(Rule::InvalidLabel, message, &path);
                    }
                }
                if !is_label {
                    self.own_annotation(key);
                }
            }
            if !is_label && size > ANNOTATIONS_SIZE {
                let message = format!(
                    "the annotations take {size} bytes, more than the {ANNOTATIONS_SIZE} that \
                     Kubernetes allows"
                );
                self.report(Rule::InvalidLabel, message, &["metadata", field]);
            }
        }
    }

    /// A misspelt policy would be ignored in silence, which costs data when it says `Retain`.
    fn own_annotation(&mut self, key: &str) {
        let Some(name) = key.strip_prefix(PREFIX) else {
            return;
        };
        let ours = ANNOTATIONS.iter().map(|(known, ..)| *known);
        let is_ours = ours.clone().any(|known| known == key);
        let ours = ours.filter_map(|known| Some((known.strip_prefix(PREFIX)?, known)));
        let near = near::several(name, ours, &mut ANNOTATIONS.len());
        if !near.is_empty() && !is_ours {
            let finding = Finding::new(
                Rule::UnknownAnnotation,
                format!("nothing reads the annotation {key:?}"),
            );
            let finding = finding
                .from(self.origin)
                .at(&["metadata", "annotations", key]);
            self.findings
                .push(finding.subject(&self.subject).did_you_mean(&near));
        }
    }
}

/// What all annotations of an object may take together.
const ANNOTATIONS_SIZE: usize = 256 << 10;

/// Returns what a value is, as a phrase.
pub(crate) fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

const LABEL: &str = "an RFC 1123 label (at most 63 lower-case letters, digits or '-', with a letter \
                     or digit at both ends)";
const SERVICE_LABEL: &str = "an RFC 1035 label (at most 63 lower-case letters, digits or '-', \
                             starting with a letter)";
const SUBDOMAIN: &str = "an RFC 1123 subdomain (at most 253 lower-case letters, digits, '-' or '.', \
                         with a letter or digit at both ends of each part)";
const CRON_JOB: &str = "an RFC 1123 subdomain of at most 52 characters, which leaves room for the \
                        names of its jobs";
const PATH_SEGMENT: &str = "a name that can stand in a path ('.', '..', '/' and '%' cannot)";

/// Checks a name by the rule of its kind; what it should be comes back as a phrase.
fn check_name(group: &str, kind: &str, name: &str) -> Result<(), &'static str> {
    let (sound, expected) = match (group, kind) {
        ("", "Service") => (
            is_label(name) && name.starts_with(|c: char| c.is_ascii_lowercase()),
            SERVICE_LABEL,
        ),
        ("", "Namespace") => (is_label(name), LABEL),
        ("batch", "CronJob") => (is_subdomain(name) && name.len() <= 52, CRON_JOB),
        ("rbac.authorization.k8s.io" | "certificates.k8s.io" | "apiregistration.k8s.io", _)
        | ("networking.k8s.io", "IPAddress") => (is_path_segment(name), PATH_SEGMENT),
        _ => (is_subdomain(name), SUBDOMAIN),
    };
    if sound { Ok(()) } else { Err(expected) }
}

fn is_path_segment(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '%'])
}

fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_label_shape(text.as_bytes())
}

fn is_label_shape(text: &[u8]) -> bool {
    let is_end = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.first().is_some_and(is_end)
        && text.last().is_some_and(is_end)
        && text.iter().all(|byte| is_end(byte) || *byte == b'-')
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(|part| is_label_shape(part.as_bytes()))
}

fn is_kind(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= 63
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn is_qualified_name(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && !name.is_empty() && is_label_value(name),
        None => !key.is_empty() && is_label_value(key),
    }
}

fn is_label_value(text: &str) -> bool {
    let text = text.as_bytes();
    text.len() <= 63
        && text.first().is_none_or(u8::is_ascii_alphanumeric)
        && text.last().is_none_or(u8::is_ascii_alphanumeric)
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// Moves the strings of `stringData` into `data`, where they win, as in the API server.
///
/// What is no string stays, for the schema to complain about.
fn fold_string_data(object: &mut Value) {
    let Some(secret) = object.as_object_mut() else {
        return;
    };
    let folds = match secret.get("stringData") {
        Some(Value::Null) => true,
        Some(Value::Object(strings)) => strings.values().all(Value::is_string),
        _ => false,
    };
    let into = matches!(
        secret.get("data"),
        None | Some(Value::Null | Value::Object(_))
    );
    if !folds || !into {
        return;
    }
    let Some(Value::Object(strings)) = secret.shift_remove("stringData") else {
        return;
    };
    if !matches!(secret.get("data"), Some(Value::Object(_))) {
        secret.insert("data".to_owned(), Value::Object(Map::new()));
    }
    if let Some(Value::Object(data)) = secret.get_mut("data") {
        for (key, value) in strings {
            let text = value.as_str().unwrap_or_default();
            data.insert(key, Value::String(base64::encode(text.as_bytes())));
        }
    }
}

/// Follows keys down; unlike a JSON pointer it allocates nothing on the way.
pub(crate) fn dig<'a>(value: &'a Value, keys: &[&str]) -> Option<&'a Value> {
    keys.iter().try_fold(value, |value, key| value.get(*key))
}

/// Makes a path of keys.
pub(crate) fn keys(path: &[&str]) -> Path {
    let keys = path.iter().map(|key| Segment::Key((*key).to_owned()));
    Path::from(keys.collect::<Vec<_>>())
}

/// Reads a set from a text, as the tests of this crate need it.
#[cfg(test)]
pub(crate) fn read(text: &str, default_namespace: Option<&str>) -> (ResourceSet, Vec<Finding>) {
    let scope = |api_version: &str, kind: &str| {
        let cluster = [
            "APIService",
            "ClusterRole",
            "ClusterRoleBinding",
            "CustomResourceDefinition",
            "FlowSchema",
            "IngressClass",
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "Namespace",
            "PersistentVolume",
            "PriorityClass",
            "PriorityLevelConfiguration",
            "RuntimeClass",
            "StorageClass",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
            "VolumeAttributesClass",
        ];
        is_built_in_group(split_api_version(api_version).0).then(|| !cluster.contains(&kind))
    };
    let limits = crate::yaml::Limits::STREAM;
    let mut manifests = Vec::new();
    for document in crate::yaml::split(text) {
        let object = crate::yaml::parse(&document, &limits).expect("a test writes YAML");
        let origin = Origin {
            file: "shop.yaml".into(),
            line: u32::try_from(document.line_offset + 1).ok(),
            inside: Path::root(),
            part: None,
        };
        manifests.extend(object.map(|object| (object, origin)));
    }
    ResourceSet::from_manifests(manifests, &scope, default_namespace)
}

/// Renders findings one a line, as `rule resource path: message (hint)`.
#[cfg(test)]
pub(crate) fn shown(findings: &[Finding]) -> Vec<String> {
    let shown = findings.iter().map(|finding| {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let hint = finding.hint.as_ref();
        let hint = hint.map_or_else(String::new, |hint| format!(" ({hint})"));
        format!(
            "{} {} {}: {}{hint}",
            finding.rule,
            or_dash(&finding.resource),
            or_dash(&finding.path),
            finding.message
        )
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(set: &ResourceSet) -> Vec<&str> {
        set.iter().map(|resource| resource.id.as_str()).collect()
    }

    /// One object with these lines in its metadata.
    fn object(api_version: &str, kind: &str, metadata: &str) -> String {
        format!("apiVersion: {api_version}\nkind: {kind}\nmetadata: {{{metadata}}}\n")
    }

    fn rules(text: &str) -> Vec<&'static str> {
        let (_, findings) = read(text, Some("shop"));
        findings.iter().map(|finding| finding.rule.name()).collect()
    }

    #[test]
    fn ids_leave_out_what_an_object_does_not_have() {
        let cases = [
            (
                "apps/v1",
                "Deployment",
                "name: web, namespace: shop",
                "apps/Deployment/shop/web",
            ),
            (
                "v1",
                "Service",
                "name: web, namespace: shop",
                "Service/shop/web",
            ),
            ("v1", "Service", "name: web", "Service/default/web"),
            ("v1", "Namespace", "name: shop", "Namespace/shop"),
            (
                "v1",
                "Namespace",
                "name: shop, namespace: shop",
                "Namespace/shop",
            ),
            (
                "rbac.authorization.k8s.io/v1",
                "ClusterRole",
                "name: 'system:x'",
                "rbac.authorization.k8s.io/ClusterRole/system:x",
            ),
            (
                "extensions/v1beta1",
                "Deployment",
                "name: web",
                "apps/Deployment/default/web",
            ),
            (
                "example.com/v1",
                "Thing",
                "name: x",
                "example.com/Thing/default/x",
            ),
        ];
        for (api_version, kind, metadata, id) in cases {
            let (set, _) = read(&object(api_version, kind, metadata), Some("default"));
            assert_eq!(ids(&set), [id]);
            let index = set.position(id);
            assert_eq!(index, Some(0), "{id}");
        }
        let (set, _) = read(&object("v1", "Service", "name: web"), None);
        assert_eq!(ids(&set), ["Service/web"]);
    }

    #[test]
    fn a_kind_that_the_set_defines_has_the_scope_of_its_definition() {
        let definition = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
                          metadata: {name: things.example.com}\n\
                          spec: {group: example.com, scope: Cluster, names: {kind: Thing}}\n---\n";
        let text = definition.to_owned() + &object("example.com/v1", "Thing", "name: x");
        let (set, findings) = read(&text, Some("shop"));
        assert_eq!(ids(&set)[1], "example.com/Thing/x");
        assert_eq!(findings, []);
    }

    #[test]
    fn every_missing_part_of_an_identity_is_reported_at_once() {
        let (set, findings) = read(
            "metadata: {namespace: shop}\n---\n- a\n---\nkind: [x]\napiVersion: 1\nmetadata: {name: ''}\n\
             ---\nkind: Pod\napiVersion: v1\nmetadata: 3\n---\nkind: Pod\napiVersion: v1\n",
            None,
        );
        assert!(set.is_empty());
        assert_eq!(
            shown(&findings),
            [
                "missing-identity - kind: kind is missing",
                "missing-identity - apiVersion: apiVersion is missing",
                "missing-identity - metadata.name: metadata.name is missing",
                "invalid-identity - -: the document is not a mapping, so it is no object",
                "invalid-identity - kind: kind is a list, not a string",
                "invalid-identity - apiVersion: apiVersion is a number, not a string",
                "missing-identity - metadata.name: metadata.name is empty",
                "invalid-identity Pod metadata: metadata is not a mapping",
                "missing-identity Pod metadata.name: metadata.name is missing",
            ]
        );
        assert_eq!(findings[3].line, Some(2));
        assert_eq!(findings[3].file.as_deref(), Some("shop.yaml"));
    }

    #[test]
    fn impossible_kinds_and_versions_are_refused() {
        for (api_version, kind) in [
            ("/v1", "Pod"),
            ("apps/", "Deployment"),
            ("a/b/v1", "Pod"),
            ("Apps/v1", "Deployment"),
            ("v1", "Po/d"),
            ("v1", "1Pod"),
            ("v 1", "Pod"),
        ] {
            let text = object(&format!("'{api_version}'"), kind, "name: x");
            assert_eq!(rules(&text), ["invalid-identity"], "{api_version} {kind}");
        }
    }

    #[test]
    fn generate_name_is_refused_with_a_hint() {
        let (_, findings) = read(&object("v1", "Pod", "generateName: x-"), None);
        assert_eq!(
            shown(&findings),
            [
                "generated-name Pod metadata.generateName: generateName makes a new object on every \
              write (give the object a metadata.name)"
            ]
        );
        assert_eq!(
            rules(&object("v1", "Pod", "generateName: x-, name: x-1")),
            [""; 0]
        );
    }

    #[test]
    fn names_follow_the_rule_of_their_kind() {
        let (long, longer) = ("a".repeat(63), "a".repeat(64));
        let rbac = "rbac.authorization.k8s.io/v1";
        let cases: &[(&str, &str, &str, bool)] = &[
            ("v1", "ConfigMap", "a.b-c.0", true),
            ("v1", "ConfigMap", "A", false),
            ("v1", "ConfigMap", "a_b", false),
            ("v1", "ConfigMap", "-a", false),
            ("v1", "ConfigMap", "a..b", false),
            ("v1", "ConfigMap", "a:b", false),
            ("v1", "ConfigMap", &longer, true),
            ("v1", "ConfigMap", &"a".repeat(254), false),
            ("v1", "Service", "web-1", true),
            ("v1", "Service", "1web", false),
            ("v1", "Service", "a.b", false),
            ("v1", "Service", &long, true),
            ("v1", "Service", &longer, false),
            ("v1", "Namespace", "1shop", true),
            ("v1", "Namespace", "a.b", false),
            ("batch/v1", "CronJob", &long[..52], true),
            ("batch/v1", "CronJob", &long[..53], false),
            (rbac, "ClusterRole", "system:node", true),
            (rbac, "RoleBinding", "A b", true),
            (rbac, "Role", "..", false),
            (rbac, "Role", "a/b", false),
            (
                "apiregistration.k8s.io/v1",
                "APIService",
                "v1.metrics.k8s.io",
                true,
            ),
            ("networking.k8s.io/v1", "IPAddress", "2001:db8::1", true),
            ("example.com/v1", "Thing", "a:b", false),
        ];
        for (api_version, kind, name, sound) in cases {
            let expected: &[&str] = if *sound { &[] } else { &["invalid-name"] };
            let text = object(api_version, kind, &format!("name: '{name}'"));
            assert_eq!(rules(&text), expected, "{kind} {name}");
        }
        let text = object("v1", "Pod", "name: a, namespace: A.b");
        assert_eq!(rules(&text), ["invalid-name"]);
        let text = object("v1", "Pod", "name: a, namespace: 7");
        assert_eq!(rules(&text), ["invalid-name"]);
    }

    #[test]
    fn a_namespace_on_what_lives_in_none_is_a_warning() {
        let (_, findings) = read(
            &object("v1", "PersistentVolume", "name: a, namespace: b"),
            None,
        );
        assert_eq!(
            shown(&findings),
            [
                "namespace-ignored PersistentVolume/a metadata.namespace: a PersistentVolume lives in \
              no namespace, so \"b\" has no effect"
            ]
        );
        assert_eq!(findings[0].severity, crate::check::Severity::Warning);
    }

    #[test]
    fn one_identity_twice_names_both_places() {
        let text = [
            object("apps/v1", "Deployment", "name: web"),
            object(
                "extensions/v1beta1",
                "Deployment",
                "name: web, namespace: shop",
            ),
            object("apps/v1", "Deployment", "name: web, namespace: other"),
        ];
        let (set, findings) = read(&text.join("---\n"), Some("shop"));
        assert_eq!(
            ids(&set),
            ["apps/Deployment/shop/web", "apps/Deployment/other/web"]
        );
        assert_eq!(
            shown(&findings),
            [
                "duplicate-identity apps/Deployment/shop/web metadata.name: apps/Deployment/shop/web \
              is defined twice (remove or rename one of the two)"
            ]
        );
        assert_eq!(
            findings[0].first,
            set.get(0).and_then(|first| first.origin.clone())
        );
        assert_eq!(findings[0].line, Some(4));
        // Without a default namespace the two may be different ones.
        assert_eq!(read(&text.join("---\n"), None).0.len(), 3);
    }

    #[test]
    fn labels_and_annotations_have_a_syntax() {
        let sound = [
            "labels: {a: '', A/B: x}",
            "labels: {example.com/a_b.c: v1.2_3-x}",
            "annotations: {Example.COM/a: any thing at all}",
            "labels: ~",
        ];
        for metadata in sound {
            let text = object("v1", "Pod", &format!("name: a, {metadata}"));
            let expected: &[&str] = if metadata.contains("A/B") {
                &["invalid-label"]
            } else {
                &[]
            };
            assert_eq!(rules(&text), expected, "{metadata}");
        }
        let long = format!("labels: {{a: {}}}", "x".repeat(64));
        let large = format!("annotations: {{a: '{}'}}", "x".repeat(256 << 10));
        let bad = [
            "labels: {a b: c}",
            "labels: {/a: c}",
            "labels: {a/: c}",
            "labels: {a/b/c: d}",
            "labels: {-a: c}",
            "labels: {a: -c}",
            "labels: {a: b c}",
            "labels: {a: true}",
            "labels: {a: 1}",
            "labels: [a]",
            "annotations: {a: 1}",
            "annotations: {'': b}",
            &long,
            &large,
        ];
        for metadata in bad {
            let text = object("v1", "Pod", &format!("name: a, {metadata}"));
            assert_eq!(rules(&text), ["invalid-label"], "{metadata:.40}");
        }
    }

    #[test]
    fn annotations_set_policies() {
        let text = object(
            "v1",
            "Pod",
            "name: a, annotations: {weftctl.dev/creation-policy: Once, \
             weftctl.dev/deletion-policy: Retain, weftctl.dev/conflict-policy: Force, \
             weftctl.dev/patch-strategy: replace, weftctl.dev/wait: 'false', \
             weftctl.dev/deadline: 1m30s, weftctl.dev/adopt: 'true', weftctl.dev/replace: 'true', \
             weftctl.dev/ignore-fields: '$.spec.replicas, metadata.annotations[\"a.b/c\"],x[0].y[*]'}",
        );
        let (set, findings) = read(&text, None);
        assert_eq!(findings, []);
        let policies = set.get(0).map(|resource| resource.policies.clone());
        let fields = [
            "spec.replicas",
            "metadata.annotations[\"a.b/c\"]",
            "x[0].y[*]",
        ];
        assert_eq!(
            policies,
            Some(Policies {
                creation: Creation::Once,
                deletion: Deletion::Retain,
                conflict: Conflict::Force,
                patch: Patch::Replace,
                ignore_fields: fields.map(str::to_owned).to_vec(),
                wait: false,
                deadline: Some(Duration::from_secs(90)),
                adopt: true,
                replace: true,
                phase: None,
                cleanup: Cleanup::Never,
                on_dependency_failure: DependencyFailure::default(),
            })
        );
    }

    #[test]
    fn a_job_has_a_phase_and_nothing_else_has() {
        let annotations =
            "name: a, annotations: {weftctl.dev/phase: before, weftctl.dev/cleanup: OnSuccess}";
        let (set, findings) = read(&object("batch/v1", "Job", annotations), None);
        assert_eq!(findings, []);
        let policies = &set.get(0).expect("a job").policies;
        let found = (policies.phase, policies.cleanup, policies.replace);
        assert_eq!(found, (Some(Phase::Before), Cleanup::OnSuccess, true));
        let (set, findings) = read(&object("v1", "Pod", annotations), None);
        let said = shown(&findings).concat();
        assert!(said.contains("only a Job runs in a phase"), "{said}");
        assert_eq!(
            set.get(0).map(|resource| resource.policies.phase),
            Some(None)
        );
    }

    #[test]
    fn a_claim_is_retained_unless_it_says_otherwise() {
        let deletion = |metadata: &str| {
            let (set, _) = read(&object("v1", "PersistentVolumeClaim", metadata), None);
            set.get(0).map(|resource| resource.policies.deletion)
        };
        assert_eq!(deletion("name: a"), Some(Deletion::Retain));
        let said = "name: a, annotations: {weftctl.dev/deletion-policy: Delete}";
        assert_eq!(deletion(said), Some(Deletion::Delete));
    }

    #[test]
    fn a_bad_policy_names_annotation_value_and_choices() {
        let cases = [
            (
                "creation-policy",
                "once",
                "\"once\", which is not WhenNeeded or Once",
            ),
            (
                "deletion-policy",
                "Keep",
                "\"Keep\", which is not Delete or Retain",
            ),
            ("conflict-policy", "", "\"\", which is not Stuck or Force"),
            (
                "patch-strategy",
                "x",
                "\"x\", which is not apply, merge or replace",
            ),
            ("wait", "yes", "\"yes\", which is not true or false"),
            ("adopt", "1", "\"1\", which is not true or false"),
            ("replace", "yes", "\"yes\", which is not true or false"),
            (
                "deadline",
                "5",
                "\"5\", which is not a duration such as 90s or 5m",
            ),
            (
                "deadline",
                "0s",
                "\"0s\", which is not a duration such as 90s or 5m",
            ),
            (
                "deadline",
                "-5s",
                "\"-5s\", which is not a duration such as 90s or 5m",
            ),
            (
                "deadline",
                "99999999999999999999h",
                "\"99999999999999999999h\", which is not a duration such as 90s or 5m",
            ),
            (
                "ignore-fields",
                "a,,b",
                "\"a,,b\", which is not a list of paths such as spec.replicas",
            ),
            (
                "ignore-fields",
                "a[b]",
                "\"a[b]\", which is not a list of paths such as spec.replicas",
            ),
            (
                "ignore-fields",
                "a[\"b",
                "\"a[\\\"b\", which is not a list of paths such as spec.replicas",
            ),
            (
                "depends-on",
                "web",
                "\"web\", which is not of the form [group/]Kind/[namespace/]name",
            ),
            (
                "depends-on",
                "Pod/",
                "\"Pod/\", which is not of the form [group/]Kind/[namespace/]name",
            ),
        ];
        for (name, value, message) in cases {
            let metadata = format!("name: a, annotations: {{weftctl.dev/{name}: '{value}'}}");
            let (_, findings) = read(&object("v1", "Pod", &metadata), None);
            let expected = format!(
                "invalid-policy Pod/a metadata.annotations[\"weftctl.dev/{name}\"]: annotation \
                 weftctl.dev/{name} is {message}"
            );
            assert_eq!(shown(&findings), [expected]);
        }
    }

    #[test]
    fn a_misspelt_policy_is_not_ignored_in_silence() {
        let text = object(
            "v1",
            "Pod",
            "name: a, annotations: {weftctl.dev/deletion-polcy: Retain}",
        );
        let (_, findings) = read(&text, None);
        assert_eq!(
            shown(&findings),
            [
                "unknown-annotation Pod/a metadata.annotations[\"weftctl.dev/deletion-polcy\"]: \
              nothing reads the annotation \"weftctl.dev/deletion-polcy\" (did you mean \
              weftctl.dev/deletion-policy?)"
            ]
        );
        let ours = object(
            "v1",
            "Pod",
            "name: a, annotations: {weftctl.dev/origin: adopted}",
        );
        assert_eq!(read(&ours, None).1, []);
    }

    #[test]
    fn explicit_dependencies_are_found_in_every_form() {
        let others = [
            object("v1", "Service", "name: db, namespace: shop"),
            object("v1", "Service", "name: db, namespace: other"),
            object("apps/v1", "Deployment", "name: db, namespace: shop"),
            object("example.com/v1", "Service", "name: db, namespace: shop"),
            object("v1", "Namespace", "name: shop"),
        ]
        .join("---\n");
        let cases: &[(&str, &[&str])] = &[
            ("Service/db", &["Service/shop/db"]),
            ("Service/other/db", &["Service/other/db"]),
            ("apps/Deployment/db", &["apps/Deployment/shop/db"]),
            ("Deployment/db", &["apps/Deployment/shop/db"]),
            ("extensions/Deployment/db", &["apps/Deployment/shop/db"]),
            ("apps/Deployment/shop/db", &["apps/Deployment/shop/db"]),
            ("example.com/Service/db", &["example.com/Service/shop/db"]),
            ("Namespace/shop", &["Namespace/shop"]),
            (
                "Service/db, Namespace/shop,Service/db",
                &["Service/shop/db", "Namespace/shop"],
            ),
        ];
        for (text, expected) in cases {
            let metadata = format!(
                "name: a, namespace: shop, annotations: {{weftctl.dev/depends-on: '{text}'}}"
            );
            let text = format!("{others}---\n{}", object("v1", "Pod", &metadata));
            let (set, findings) = read(&text, None);
            assert_eq!(findings, [], "{metadata}");
            let depends_on = set.iter().last().map(|pod| &pod.depends_on);
            let depends_on: Vec<_> = depends_on.into_iter().flatten().collect();
            assert_eq!(
                depends_on.iter().map(|id| id.as_str()).collect::<Vec<_>>(),
                *expected
            );
        }
    }

    #[test]
    fn an_unknown_dependency_has_near_misses() {
        let text = object("v1", "Service", "name: orders-db, namespace: shop")
            + "---\n"
            + &object(
                "v1",
                "Pod",
                "name: a, namespace: shop, annotations: {weftctl.dev/depends-on: Service/order-db}",
            );
        assert_eq!(
            shown(&read(&text, None).1),
            [
                "unknown-dependency Pod/shop/a metadata.annotations[\"weftctl.dev/depends-on\"]: \
              depends on \"Service/order-db\", which is not defined here (did you mean \
              Service/shop/orders-db?)"
            ]
        );
    }

    #[test]
    fn string_data_is_folded_and_wins() {
        let secret = |rest: &str| {
            let text = object("v1", "Secret", "name: a") + rest;
            let (set, _) = read(&text, None);
            let mut object = set.into_resources().remove(0).object;
            let object = object.as_object_mut().expect("a secret is a mapping");
            object.retain(|key, _| key.ends_with("ata") && key != "metadata");
            serde_json::to_string(object).expect("a value has a JSON form")
        };
        let cases = [
            ("stringData: {a: x}\n", r#"{"data":{"a":"eA=="}}"#),
            (
                "stringData: {a: x}\ndata: {a: AAAA, b: BBBB}\n",
                r#"{"data":{"a":"eA==","b":"BBBB"}}"#,
            ),
            ("stringData: {a: ''}\ndata: ~\n", r#"{"data":{"a":""}}"#),
            ("data: {b: BBBB}\n", r#"{"data":{"b":"BBBB"}}"#),
            // What Kubernetes would refuse is left for its schema to say so.
            ("stringData: {a: 1}\n", r#"{"stringData":{"a":1}}"#),
            (
                "stringData: {a: b}\ndata: []\n",
                r#"{"stringData":{"a":"b"},"data":[]}"#,
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(secret(text), expected);
        }
        let (set, _) = read(
            "apiVersion: x.io/v1\nkind: Secret\nmetadata: {name: a}\nstringData: {a: b}\n",
            None,
        );
        assert!(
            set.get(0)
                .is_some_and(|other| other.object.get("stringData").is_some())
        );
    }

    #[test]
    fn the_debug_form_shows_no_secret() {
        let text = object("v1", "Secret", "name: a") + "stringData: {key: hunter2}\n";
        let shown = format!("{:?}", read(&text, None).0);
        assert!(
            !shown.contains("hunter2") && !shown.contains(&base64::encode(b"hunter2")),
            "{shown}"
        );
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let cases = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ];
        for (text, encoded) in cases {
            assert_eq!(base64::encode(text.as_bytes()), encoded);
        }
        assert_eq!(base64::encode(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn an_object_is_not_changed_by_reading() {
        let text = object(
            "v1",
            "Service",
            "name: a, annotations: {weftctl.dev/wait: 'false'}",
        );
        let (set, _) = read(&text, Some("shop"));
        let resource = set.get(0).expect("it is in the set");
        let limits = crate::yaml::Limits::STREAM;
        assert_eq!(
            Ok(resource.object.clone()),
            crate::yaml::parse_one(&text, &limits)
        );
        assert_eq!(resource.namespace.as_deref(), Some("shop"));
    }
}
