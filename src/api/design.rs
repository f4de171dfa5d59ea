//! The wire of `design`.

use std::{collections::HashSet, fmt};

use serde::{Deserialize, Serialize};
use weft_domain::{
    overlay::Source,
    source::{Bundle, SourceFile, TextLimits},
};

use super::{endpoints, operation::Started};

pub use weft_domain::{
    check::Finding,
    diff::{FieldChange, ResourceChange},
    overlay::Choice,
    ownership::FieldDrift,
    plan::{Action, Summary, Wait},
    readiness::{EventLine, PodProblem},
    resource::{Conflict, Part},
    tenant::render::{RowCounts, RowProblem},
};

/// Which design is meant.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reference {
    /// A stored one, by name, id, or beginning of an id.
    Stored {
        /// What the user typed.
        name: String,
        /// A version other than the newest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
    /// One that the caller has read from its own machine.
    Inline(Bundle),
}

/// How a design is fitted to where it goes: which of its overlays are laid over it, and what is given
/// for its values.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Fitting {
    /// The overlays, in the order in which they are applied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overlays: Vec<Choice>,
    /// Files of values, read by the caller; later ones win.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<SourceFile>,
    /// Single values, `PATH=VALUE`, which win over files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
    /// Single values that are taken as texts, which win over the others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set_string: Vec<String>,
    /// The limits of the files of values.
    pub limits: TextLimits,
}

impl Fitting {
    /// Tells whether the design is meant as it is written.
    pub fn is_empty(&self) -> bool {
        self.overlays.is_empty()
            && self.values.is_empty()
            && self.set.is_empty()
            && self.set_string.is_empty()
    }

    /// Leaves out what is for other contexts.
    #[must_use]
    pub fn of_context(self, context: &str) -> Self {
        let names = self.overlays_of(context).into_iter();
        let choice = |name| Choice {
            context: None,
            name,
        };
        Self {
            overlays: names.map(choice).collect(),
            ..self
        }
    }

    /// Returns the names of the overlays for a kubeconfig context, each once.
    pub fn overlays_of(&self, context: &str) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for choice in &self.overlays {
            let is_meant = choice
                .context
                .as_deref()
                .is_none_or(|meant| meant == context);
            if is_meant && !names.contains(&choice.name) {
                names.push(choice.name.clone());
            }
        }
        names
    }
}

/// Without the values, which may be secrets.
impl fmt::Debug for Fitting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fitting")
            .field("overlays", &self.overlays)
            .field("values", &self.values.len())
            .field("set", &(self.set.len() + self.set_string.len()))
            .finish_non_exhaustive()
    }
}

/// A field that is not as the design says, and what set or removed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldSource {
    /// The place in the object, such as `spec.template.spec.containers[name=web].image`.
    pub path: String,
    /// The overlay, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay: Option<String>,
    /// The name of the value, if it was `--set`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The file that says so; what is stored has its name and version here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in the file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

impl FieldSource {
    /// Says that something set the field at a path.
    pub fn new(path: String, source: &Source) -> Self {
        let origin = source.origin();
        Self {
            path,
            overlay: source.overlay().map(str::to_owned),
            value: match source {
                Source::Set { name } => Some(name.to_string()),
                Source::Overlay { .. } | Source::Values { .. } => None,
            },
            file: origin.map(|origin| origin.file.to_string()),
            line: origin.and_then(|origin| origin.line),
        }
    }

    /// Returns what set it, in few words: `overlay staging`, `--set image.tag` or `values prod.yaml`.
    pub fn by(&self) -> String {
        match (&self.overlay, &self.value, &self.file) {
            (Some(overlay), ..) => format!("overlay {overlay}"),
            (None, Some(value), _) => format!("--set {value}"),
            (None, None, file) => format!("values {}", file.as_deref().unwrap_or_default()),
        }
    }
}

/// A stored design, as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DesignSummary {
    /// Its id.
    pub id: String,
    /// Its name, unique in a store.
    pub name: String,
    /// Its newest version.
    pub version: String,
    /// The form that it was imported from.
    pub form: String,
    /// How many components it has.
    pub components: u32,
    /// When it was first imported, RFC 3339 UTC.
    #[schemars(with = "String")]
    pub created_at: jiff::Timestamp,
    /// When its newest version was imported, RFC 3339 UTC.
    #[schemars(with = "String")]
    pub updated_at: jiff::Timestamp,
}

/// Stored designs.
pub type DesignList = super::Items<DesignSummary>;

/// Lists stored designs.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListDesigns {
    /// Only those whose name contains this text, in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    /// The order.
    pub sort: Sort,
    /// Leave out this many from the start.
    pub offset: u32,
    /// Stop after this many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Orders of a list of designs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// By name.
    #[default]
    Name,
    /// Oldest first.
    Created,
    /// Longest unchanged first.
    Updated,
}

/// Reads a stored design.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewDesign {
    /// Name, id, or beginning of an id.
    pub design: String,
    /// A version other than the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Reads a design that the caller has on its own machine, as an import would.
#[derive(Debug, Serialize, Deserialize)]
pub struct InspectDesign {
    /// What was read.
    pub source: Bundle,
}

/// A design with its document; values of Secrets are masked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DesignView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The form that it was imported or read from.
    pub form: String,
    /// How many components it has.
    pub components: u32,
    /// When it was first imported, RFC 3339 UTC; absent for one that isn't stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub created_at: Option<jiff::Timestamp>,
    /// When this version was imported, RFC 3339 UTC; absent for one that isn't stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub updated_at: Option<jiff::Timestamp>,
    /// Where it was imported or read from.
    pub origin: String,
    /// All stored versions, oldest first; none for one that isn't stored.
    pub versions: Vec<VersionSummary>,
    /// The design document, in the newest schema version.
    pub design: serde_json::Value,
    /// What could not be mapped, or was left out.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A stored version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionSummary {
    /// The version.
    pub version: String,
    /// When it was imported, RFC 3339 UTC.
    #[schemars(with = "String")]
    pub created_at: jiff::Timestamp,
    /// Where it was imported from.
    pub origin: String,
}

/// Imports a design; a design of the same name gets a new version.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportDesign {
    /// What was read.
    pub source: Bundle,
    /// The name, if not the source's own.
    #[serde(default)]
    pub name: Option<String>,
    /// The namespace that resources are checked in that name none; `default` unless given.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Accept kinds that nobody knows.
    #[serde(default)]
    pub allow_unknown_kinds: bool,
    /// Only say what would happen.
    #[serde(default)]
    pub dry_run: bool,
}

/// What an import did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportResult {
    /// `created`, `configured` (a new version) or `unchanged`.
    pub action: ImportAction,
    /// Why, for `unchanged`.
    pub reason: String,
    /// The design's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The version that is now the newest.
    pub version: String,
    /// The form that was recognised.
    pub form: String,
    /// How many components it has.
    pub components: u32,
    /// Whether nothing was stored because of `--dry-run`.
    pub dry_run: bool,
    /// What could not be mapped, or was left out.
    pub notes: Vec<String>,
}

/// What became of an imported design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ImportAction {
    /// The first version of its name.
    Created,
    /// A new version.
    Configured,
    /// The newest version says the same.
    Unchanged,
}

/// Removes a stored design with all its versions.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteDesign {
    /// Name or id, neither of them shortened.
    pub design: String,
    /// Only say what would happen.
    #[serde(default)]
    pub dry_run: bool,
}

/// What a removal did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeleteResult {
    /// Always `deleted`.
    pub action: String,
    /// The design's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How many versions it had.
    pub versions: u32,
    /// Whether nothing was removed because of `--dry-run`.
    pub dry_run: bool,
}

/// Where the schemas come from, beside the built-in model and the design's own CRDs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Schemas {
    /// Files of CRDs and JSON schemas, read by the caller.
    pub extra: Vec<Bundle>,
    /// Model archives in base64, read by the caller.
    pub archives: Vec<String>,
    /// A model archive in base64, used instead of the built-in one: a cluster's own schemas.
    pub model: Option<String>,
}

/// Checks a design.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidateDesign {
    /// Which one.
    pub design: Reference,
    /// How it is fitted.
    #[serde(default)]
    pub fitting: Fitting,
    /// The namespace of resources that name none; `default` unless given.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Where schemas come from.
    #[serde(default)]
    pub schemas: Schemas,
}

/// What a check of a design found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValidationReport {
    /// The design.
    pub design: String,
    /// The model that was checked against, for example `kubernetes v1.35.4`.
    pub model: String,
    /// Whether there is no finding of severity error.
    pub valid: bool,
    /// How many resources were checked.
    pub resources: u32,
    /// What was found, in the order of the files.
    pub findings: Vec<Finding>,
    /// All resources, for reports that list what passed.
    #[serde(default)]
    pub checked: Vec<String>,
    /// What could not be mapped, or was left out.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Plans a deployment, without a cluster.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanDesign {
    /// Which design.
    pub design: Reference,
    /// How it is fitted, by context.
    #[serde(default)]
    pub fitting: Fitting,
    /// The namespace of resources that name none; `default` unless given.
    #[serde(default)]
    pub namespace: Option<String>,
    /// The kubeconfig contexts it is meant for; none are asked.
    #[serde(default)]
    pub contexts: Vec<String>,
    /// Where schemas come from.
    #[serde(default)]
    pub schemas: Schemas,
}

/// A plan, or what was done of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeployResult {
    /// Name of the design.
    pub design: String,
    /// Its version; absent for one that isn't stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `client`: nothing but the design was looked at; `plan`: the clusters were, too; `server`:
    /// the API servers were asked whether they would take it. Empty when it was done.
    pub dry_run: String,
    /// The revision that the clusters keep of it; absent where nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The kubeconfig contexts.
    pub contexts: Vec<String>,
    /// The namespace of objects that name none, in the first of them; empty for a design.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// How many resources have which action.
    pub summary: Summary,
    /// The resources, in the order in which they are written.
    pub resources: Vec<PlannedResource>,
    /// What may go wrong.
    pub warnings: Vec<Finding>,
    /// What could not be mapped, or was left out.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What went wrong; what was done all the same is in `resources`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<crate::error::Body>,
    /// What the plan was allowed to do; absent where something was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanOptions>,
    /// By context, what tells this plan from another.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub fingerprints: std::collections::BTreeMap<String, String>,
    /// What was waited for in vain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<Blocker>,
    /// The rows of the database; absent for a design.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowCounts>,
    /// How long it took to read them, in seconds; absent in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_seconds: Option<f64>,
    /// What is wrong with rows: what there is of them stays as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<RowProblem>,
    /// How forms stand whose rows change a few at a time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollouts: Vec<RolloutStatus>,
}

/// How a form stands whose rows change a few at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStatus {
    /// The form.
    pub form: String,
    /// The kubeconfig context.
    pub context: String,
    /// How far it is.
    pub phase: RolloutPhase,
    /// How many rows may change at a time.
    pub max_skew: usize,
    /// How many rows it makes something of.
    pub rows: usize,
    /// How many of them are as they shall be.
    pub updated: usize,
    /// How many have begun to change and are not ready.
    pub updating: usize,
    /// Why no further row begins; empty unless it has failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// How far a rollout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum RolloutPhase {
    /// Rows are left.
    InProgress,
    /// A row did not become what it shall be, and no further one begins.
    Failed,
    /// All rows are as they shall be.
    Complete,
}

impl DeployResult {
    /// Adds what was done in another cluster.
    pub fn join(&mut self, other: Self) {
        self.contexts.extend(other.contexts);
        self.resources.extend(other.resources);
        self.failures.extend(other.failures);
        self.fingerprints.extend(other.fingerprints);
        self.blockers.extend(other.blockers);
        self.rollouts.extend(other.rollouts);
        for note in other.notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        let known: HashSet<RowProblem> = self.problems.iter().cloned().collect();
        let more = other.problems.into_iter();
        self.problems
            .extend(more.filter(|problem| !known.contains(problem)));
        self.revision = self.revision.max(other.revision);
        for warning in other.warnings {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        self.summary = Summary::of(self.resources.iter().map(|resource| resource.action));
    }
}

/// What a plan was allowed to do.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct PlanOptions {
    /// Delete members that the design no longer has.
    pub prune: bool,
    /// Take objects over that exist without us.
    pub adopt: bool,
    /// Delete and create anew what can't be changed.
    pub replace: bool,
    /// Take fields from other managers.
    pub force_conflicts: bool,
}

/// Something that did not become ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Blocker {
    /// Group, kind, namespace and name in one readable word.
    pub id: String,
    /// The kubeconfig context.
    pub context: String,
    /// Whether it has failed, so that there was no use in waiting.
    pub failed: bool,
    /// What it waits for, or how it failed.
    pub reason: String,
    /// What happened to it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_event: Option<EventLine>,
    /// Its pods that are in trouble, not more than a few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<BlockedPod>,
}

/// A pod that keeps something from being ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlockedPod {
    /// What is wrong with it.
    #[serde(flatten)]
    pub problem: PodProblem,
    /// What happened to it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_event: Option<EventLine>,
    /// The last lines that its container wrote.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
}

/// A resource of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedResource {
    /// Group, kind, namespace and name in one readable word.
    pub id: String,
    /// The kubeconfig context; empty where no cluster is named.
    pub context: String,
    /// The apiVersion.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// What is done, or was done.
    pub action: Action,
    /// Whether it is ready; `false` in a client dry run, which sees no cluster.
    pub ready: bool,
    /// Why the action.
    pub reason: String,
    /// What is missing for readiness; empty where nothing is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub waiting_for: String,
    /// Whether it will not become ready unless somebody changes something.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// The level: resources of one level are written side by side.
    pub level: u32,
    /// What must be reached before it is written.
    pub waits: Vec<Wait>,
    /// The fields that change; values of Secrets are masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldDrift>,
    /// The fields that overlays and values have set, in the order of the object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_by: Vec<FieldSource>,
    /// Whether the API server could not be asked, because the namespace or kind comes with the design.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_checked_by_server: bool,
    /// The row that it is made of, by an entry of a form; absent in a design.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// What happens where others hold its fields; absent in a design, and for what no row wants any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict_policy: Option<Conflict>,
    /// How long it may take to become ready once it is written, in seconds, and 0 where nobody waits for it;
    /// absent in a design, and for what no row wants any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_within_seconds: Option<u64>,
}

/// Turns a design into files.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenderDesign {
    /// Which design.
    pub design: Reference,
    /// How it is fitted.
    #[serde(default)]
    pub fitting: Fitting,
    /// Into which form.
    pub form: ExportForm,
    /// Values of Secrets in plain text instead of masked.
    #[serde(default)]
    pub include_secrets: bool,
}

/// The forms that a design is exported in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ExportForm {
    /// The design document.
    Design,
    /// Kubernetes manifests, one file.
    Manifest,
    /// A Helm chart.
    Chart,
    /// A folder for `kubectl apply -k`.
    Kustomization,
    /// A package for Artifact Hub.
    ArtifactHub,
}

/// Files of an exported design.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Files {
    /// Name of the design.
    pub design: String,
    /// Its version.
    pub version: String,
    /// Whether values of Secrets were masked.
    pub masked: bool,
    /// The files, by relative path.
    pub files: Vec<File>,
    /// What could not be mapped, or was left out.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct File {
    /// Relative path, `/` between parts.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Compares two designs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiffDesigns {
    /// The older one.
    pub from: Reference,
    /// The newer one.
    pub to: Reference,
    /// How both are fitted; as they are written where it is empty.
    #[serde(default)]
    pub fitting: Fitting,
}

/// How two designs differ; values of Secrets are masked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DesignDiff {
    /// The older one.
    pub from: String,
    /// The newer one.
    pub to: String,
    /// Whether they differ.
    pub differs: bool,
    /// The changed resources.
    pub changes: Vec<DesignChange>,
    /// What only the documents say differently: relationships, metadata, styles.
    #[serde(default)]
    pub document: Vec<FieldChange>,
    /// What could not be mapped, or was left out.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The clusters that could not be compared, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<crate::error::Body>,
}

/// How a resource differs; of one in a cluster also what a deployment would do about it.
// In schemas it has the name of what it grew from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ResourceChange")]
pub struct DesignChange {
    /// The difference.
    #[serde(flatten)]
    pub resource: ResourceChange,
    /// The kubeconfig context, where one side is in a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// What a deployment would do; `failed` where it would be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned: Option<Action>,
    /// Why just that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<ResourceChange> for DesignChange {
    fn from(resource: ResourceChange) -> Self {
        Self {
            resource,
            context: None,
            planned: None,
            reason: None,
        }
    }
}

endpoints! {
    Get "/designs" ListDesigns => DesignList;
    Get "/designs/{design}" ViewDesign => DesignView;
    Delete "/designs/{design}" DeleteDesign => DeleteResult;
    Post "/designs" ImportDesign => Started<ImportResult>;
    Post "/designs/inspect" InspectDesign => DesignView;
    Post "/designs/validate" ValidateDesign => ValidationReport;
    Post "/designs/plan" PlanDesign => DeployResult;
    Post "/designs/render" RenderDesign => Files;
    Post "/designs/diff" DiffDesigns => DesignDiff;
}
