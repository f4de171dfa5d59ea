//! The wire of what reaches clusters: one request, whose goal is a design, an earlier revision, or
//! nothing, and what is read of a set afterwards.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use weft_domain::{plan, resource::Part};

use super::{
    design::{DeployResult, Fitting, Reference, Schemas},
    endpoints,
    operation::Started,
    tenant::{MaxDelete, Tenants},
};

/// What a cluster shall look like afterwards.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Goal {
    /// As a design says.
    Design {
        /// Which one.
        design: Reference,
        /// How it is fitted to each context.
        #[serde(default)]
        fitting: Fitting,
        /// Where schemas come from.
        #[serde(default)]
        schemas: Schemas,
    },
    /// As the rows of a database and the forms of their hub say.
    Rows {
        /// The hub and its forms.
        tenants: Tenants,
        /// How many rows may lose their objects.
        #[serde(default)]
        max_delete: Option<MaxDelete>,
        /// What becomes of objects that have lost their row, or their entry in a form.
        #[serde(default)]
        removal: Removal,
        /// Take over what the operator has made of rows.
        #[serde(default)]
        migrate: bool,
    },
    /// As an earlier revision of the set says.
    Revision {
        /// The name of the design.
        name: String,
        /// The number of the revision.
        number: u64,
    },
    /// Without the set.
    Nothing {
        /// The name of the design.
        name: String,
        /// Let go of the objects instead of deleting them.
        #[serde(default)]
        release: bool,
    },
}

impl Goal {
    /// What an operation is about: the name, or where the design comes from.
    pub fn subject(&self) -> String {
        match self {
            Self::Design { design, .. } => match design {
                Reference::Stored { name, .. } => name.clone(),
                Reference::Inline(bundle) => bundle.origin.clone(),
            },
            Self::Rows { tenants, .. } => tenants.source.origin.clone(),
            Self::Revision { name, .. } | Self::Nothing { name, .. } => name.clone(),
        }
    }

    /// The command that has this goal.
    pub fn action(&self) -> &'static str {
        match self {
            Self::Design { .. } => "design deploy",
            Self::Rows { migrate: true, .. } => "tenant migrate",
            Self::Rows { removal, .. } => match removal {
                Removal::Only => "tenant prune",
                Removal::With | Removal::Never => "tenant apply",
            },
            Self::Revision { .. } => "design rollback",
            Self::Nothing { release: true, .. } => "design release",
            Self::Nothing { release: false, .. } => "design undeploy",
        }
    }
}

/// What becomes of objects that no row and no form want any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Removal {
    /// They go, and the others are written.
    #[default]
    With,
    /// They go, and nothing is written.
    Only,
    /// They stay, and the others are written.
    Never,
}

/// How far a run goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// The cluster is looked at.
    Plan,
    /// The cluster is looked at, and what may not be written is part of the answer instead of an error.
    Compare,
    /// The server is asked whether it would take each change.
    DryRun,
    /// All of it.
    #[default]
    Perform,
}

impl Mode {
    /// What a result says of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plan | Self::Compare => "plan",
            Self::DryRun => "server",
            Self::Perform => "",
        }
    }
}

/// Which clusters, and where the set is kept in them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Target {
    /// Kubeconfig contexts; none means the current one.
    pub contexts: Vec<String>,
    /// A kubeconfig on the server's machine other than its usual one.
    pub kubeconfig: Option<String>,
    /// The namespace of resources that name none; the context's own unless given.
    pub namespace: Option<String>,
    /// Where the inventory is when the set brings its own namespace.
    pub inventory_namespace: Option<String>,
}

impl Target {
    /// The contexts, of which none stands for the current one.
    pub fn each(&self) -> Vec<Option<String>> {
        match self.contexts.as_slice() {
            [] => vec![None],
            several => several.iter().cloned().map(Some).collect(),
        }
    }
}

/// What is allowed, and how it is done.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct DeployOptions {
    /// Delete members that the design no longer has.
    pub prune: bool,
    /// Take objects over that exist without us.
    pub adopt: bool,
    /// Delete and create anew what can't be changed.
    pub replace: bool,
    /// Take fields from other managers.
    pub force_conflicts: bool,
    /// Take fields back that other managers have written since we did.
    pub repair: bool,
    /// How many requests are in flight at a time.
    pub concurrency: usize,
    /// Wait until everything is ready.
    pub wait: bool,
    /// How long, in seconds.
    pub timeout_seconds: f64,
}

impl Default for DeployOptions {
    fn default() -> Self {
        Self {
            prune: false,
            adopt: false,
            replace: false,
            force_conflicts: false,
            repair: false,
            concurrency: 16,
            wait: false,
            timeout_seconds: 300.0,
        }
    }
}

impl DeployOptions {
    /// How long the whole may take.
    pub fn timeout(&self) -> Duration {
        Duration::try_from_secs_f64(self.timeout_seconds).unwrap_or(Duration::from_mins(5))
    }

    /// What the planner may do for a goal.
    pub fn of_plan(&self, goal: &Goal) -> plan::Options {
        let (undeploy, release) = match goal {
            Goal::Nothing { release, .. } => (!release, *release),
            // What the older revision didn't have goes, as after a deploy with --prune.
            Goal::Revision { .. } => (true, false),
            Goal::Rows { removal, .. } => (*removal != Removal::Never, false),
            Goal::Design { .. } => (false, false),
        };
        plan::Options {
            prune: self.prune || undeploy,
            release,
            adopt: self.adopt,
            replace: self.replace,
            force_conflicts: self.force_conflicts,
            repair: self.repair,
            migrate: matches!(goal, Goal::Rows { migrate: true, .. }),
        }
    }
}

/// Makes clusters look as a goal says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeployDesign {
    /// What they shall look like.
    pub goal: Goal,
    /// Which clusters.
    #[serde(default)]
    pub target: Target,
    /// What is allowed.
    #[serde(default)]
    pub options: DeployOptions,
    /// How far it goes.
    #[serde(default)]
    pub mode: Mode,
    /// Another field manager than the set's own, for a set that is new.
    #[serde(default)]
    pub field_manager: Option<String>,
    /// By context, the fingerprint of the plan that the user has seen: another one is not performed.
    #[serde(default)]
    pub expected: BTreeMap<String, String>,
    /// What may be lost; anything unless given.
    #[serde(default)]
    pub consent: Option<Consent>,
}

/// What the user has allowed to be lost, without having seen the plan. What isn't allowed is refused
/// before the first write, so that it can be asked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Consent {
    /// Objects may be deleted, created anew, or let go of.
    pub yes: bool,
    /// The name of the design: with it also what is severe, as [`plan::severe`] tells.
    pub name: Option<String>,
}

impl DeployDesign {
    /// Has it done, whatever the plan.
    pub fn new(goal: Goal, target: Target, options: DeployOptions) -> Self {
        Self {
            goal,
            target,
            options,
            mode: Mode::Perform,
            field_manager: None,
            expected: BTreeMap::new(),
            consent: None,
        }
    }
}

/// Reads how a set is in a cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadSet {
    /// The name of the design.
    pub name: String,
    /// Which clusters.
    #[serde(default)]
    pub target: Target,
}

/// Lists the revisions of a set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListRevisions {
    /// The name of the design.
    pub name: String,
    /// Which clusters.
    #[serde(default)]
    pub target: Target,
}

/// How a set is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DesignStatus {
    /// The design.
    pub design: String,
    /// Whether every member is there and ready, in every cluster.
    pub ready: bool,
    /// What is deployed, by context.
    #[serde(default)]
    pub deployments: Vec<DeploymentStatus>,
    /// The members, by context, kind and name.
    pub resources: Vec<MemberStatus>,
    /// The clusters that could not be asked, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<crate::error::Body>,
}

/// What a cluster keeps of a set beside its members.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentStatus {
    /// The kubeconfig context.
    pub context: String,
    /// Namespace and name of the inventory.
    pub inventory: String,
    /// The newest revision; absent before the first one is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The version of the design in that revision; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When that was deployed, RFC 3339 UTC.
    pub created_at: String,
    /// How that ended: `deployed`, `failed`, `superseded` or `rolled-back`.
    pub outcome: String,
    /// What made it.
    pub cause: String,
    /// Who works on the set now; absent where nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<HolderStatus>,
}

/// Who works on a set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HolderStatus {
    /// User, host and run.
    pub name: String,
    /// Since when, by its own clock, RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// How a member of a set is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// Group, kind, namespace and name in one readable word.
    pub id: String,
    /// The kubeconfig context.
    pub context: String,
    /// The kind.
    pub kind: String,
    /// The namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// Whether it is ready.
    pub ready: bool,
    /// `ready`, `waiting`, `failed` or `terminating`; `missing` when it is not there, `foreign` when
    /// another object has its name.
    #[serde(default)]
    pub state: String,
    /// What it waits for, or what is wrong.
    pub reason: String,
    /// `created` by us, or `adopted`.
    pub origin: String,
    /// When the object was created, RFC 3339 UTC; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub created_at: Option<jiff::Timestamp>,
    /// The row that it was made of, by an entry of a form; absent in a design.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
}

/// A revision of a set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevisionSummary {
    /// The kubeconfig context.
    pub context: String,
    /// Its number.
    pub number: u64,
    /// When it was deployed, RFC 3339 UTC.
    pub created_at: String,
    /// The version of the design.
    pub version: String,
    /// `deployed`, `failed`, `superseded` or `rolled-back`; empty while it is being written.
    pub outcome: String,
    /// How many objects it has.
    pub resources: usize,
    /// What made it.
    pub cause: String,
    /// The overlays that were laid over the design, in their order.
    #[serde(default)]
    pub overlays: Vec<String>,
}

/// The revisions of a set, by context, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevisionList {
    /// The revisions.
    pub items: Vec<RevisionSummary>,
    /// The clusters that could not be asked, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<crate::error::Body>,
}

endpoints! {
    Post "/designs/deploy" DeployDesign => Started<DeployResult>;
    Post "/designs/status" ReadSet => DesignStatus;
    Post "/designs/history" ListRevisions => RevisionList;
}
