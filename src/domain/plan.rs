//! Plans: what is to be done to a cluster, in which order, and what is waited for.
//!
//! Pure: what is wanted and what was observed go in, steps come out; what is shown is what is done.
//! Order is not waiting. References, and most of what is here, only order the writes; a step waits
//! only for its namespace, the definition or server of its kind, the pods behind a webhook, and what
//! it explicitly depends on. Webhook configurations are written last, after everything that doesn't
//! depend on them and when their backends are ready: until then nothing can be refused because a
//! webhook doesn't answer yet.

mod changes;
#[cfg(test)]
mod cluster_tests;
mod decide;
mod immutable;
mod observation;
mod prune;
mod severity;
mod standing;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

use serde_json::Value;

use crate::check::{Finding, Rule, definitions};
use crate::graph::{CycleError, Graph, Order, Strength};
use crate::inventory::{ContentHash, Member, MemberOrigin, content_hash};
use crate::ownership::{FieldConflict, FieldDrift, Owner};
use crate::reference::{Workloads, collect};
use crate::resource::{
    Creation, DEPENDS_ON, Phase, Resource, ResourceId, ResourceSet, dig, is_built_in_group,
    split_api_version,
};

use self::decide::Decider;
pub use self::decide::outgoing;
pub use self::observation::{Checked, Content, LiveObjects, Observation, Options, Packed};
pub use self::prune::{Outlives, not_ours, outlives};
pub use self::severity::{MANY, severe};
pub use self::standing::{
    ADOPTED, ORIGIN, ORPHANED, ORPHANED_AT, ORPHANED_REASON, Orphaning, Orphanings, RETAINED_BY,
};

/// What is done to an object.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It doesn't exist and is created.
    Created,
    /// It exists and is changed.
    Configured,
    /// It is as it should be; nothing is written.
    Unchanged,
    /// It exists, cannot be changed, and is deleted and created anew.
    Replaced,
    /// It exists without us and becomes ours.
    Adopted,
    /// It is no longer wanted and is deleted.
    Pruned,
    /// It is no longer wanted and left to others.
    Released,
    /// It is left alone.
    Skipped,
    /// It was tried in vain.
    Failed,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Created,
        Self::Configured,
        Self::Unchanged,
        Self::Replaced,
        Self::Adopted,
        Self::Pruned,
        Self::Released,
        Self::Skipped,
        Self::Failed,
    ];

    /// Whether something is done, or was tried in vain.
    pub const fn is_change(self) -> bool {
        !matches!(self, Self::Unchanged | Self::Skipped)
    }

    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Replaced => "replaced",
            Self::Adopted => "adopted",
            Self::Pruned => "pruned",
            Self::Released => "released",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The state that a wait waits for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
pub enum Until {
    /// A namespace that takes objects.
    Active,
    /// A definition whose kind can be written.
    #[serde(rename = "Established and discoverable")]
    Established,
    /// An API service that answers.
    Available,
    /// Whatever ready means for the kind.
    Ready,
    /// Nothing of that name any more.
    Gone,
    /// An object, in whatever state.
    There,
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "Active",
            Self::Established => "Established and discoverable",
            Self::Available => "Available",
            Self::Ready => "Ready",
            Self::There => "there",
            Self::Gone => "Gone",
        })
    }
}

/// Why something is waited for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The object lives in that namespace.
    Namespace,
    /// It defines the kind of the object.
    Definition,
    /// It serves the kind of the object.
    ApiService,
    /// It answers the webhook that the object calls.
    WebhookBackend,
    /// Its phase is before that of the object.
    Phase,
    /// The object says that it depends on it.
    DependsOn,
    /// It is the object itself, which is being deleted.
    Terminating,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Namespace => "it holds the object",
            Self::Definition => "it defines the kind",
            Self::ApiService => "it serves the kind",
            Self::WebhookBackend => "it answers the webhook",
            Self::Phase => "its phase comes before",
            Self::DependsOn => "the object depends on it",
            Self::Terminating => "it is being deleted",
        })
    }
}

/// Something that must be so before a step.
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
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// The resource that is waited for.
    pub on: ResourceId,
    /// Its state.
    pub until: Until,
    /// The reason.
    pub why: Why,
}

/// What is done to one resource.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Step {
    /// The resource.
    pub id: ResourceId,
    /// Its place in the set; a member that is no longer desired has none, nor has what was read again.
    #[serde(skip)]
    pub index: Option<usize>,
    /// Its level, from 1: everything that it needs has a lower one.
    pub level: usize,
    /// What is done.
    pub action: Action,
    /// What is waited for before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Wait>,
    /// Why just this is done.
    pub reason: String,
    /// The fields that change, as far as that is known before. Values of Secrets are masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldDrift>,
    /// What the object must still be when it is written; without one it must not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precondition: Option<Precondition>,
    /// Whether fields are taken from others. Only ever together with the precondition, so that nothing
    /// else is taken than what was seen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// The tools whose fields are made ours before the write, as an adoption does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub migrate: Vec<String>,
    /// Whether the object is let go of so that the set can take it back, or is taken back so.
    #[serde(skip)]
    pub retained: bool,
    /// Whether the object has the marks of one that a set has let go of, whichever that was.
    #[serde(skip)]
    pub orphaned: bool,
    /// Only what makes the object a member is written: it was created once, and its content is its own.
    #[serde(skip)]
    pub bare: bool,
    /// Whether a dry run on the server says nothing of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_checked_by_server: bool,
    /// What must be found out before this can be relied on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub need: Option<Need>,
    /// Why nothing at all may be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocking: Option<Refusal>,
    /// The member that it is once it is written, of a desired one that isn't refused. Its uid is that of
    /// the object that was seen; none of what is created, which the answer to the write tells.
    #[serde(skip)]
    pub member: Option<Member>,
}

impl Step {
    /// Returns what of a resource is written.
    pub fn written<'r>(&self, resource: &'r Resource) -> Cow<'r, Resource> {
        if self.bare {
            Cow::Owned(resource.bare())
        } else {
            Cow::Borrowed(resource)
        }
    }

    /// Makes a step that creates.
    fn new(id: ResourceId, index: Option<usize>, level: usize) -> Self {
        Self {
            id,
            index,
            level,
            action: Action::Created,
            waits: Vec::new(),
            reason: String::new(),
            changes: Vec::new(),
            precondition: None,
            force: false,
            migrate: Vec::new(),
            retained: false,
            orphaned: false,
            bare: false,
            not_checked_by_server: false,
            need: None,
            blocking: None,
            member: None,
        }
    }

    /// Returns whether the object is made by us or taken over.
    pub fn origin(&self) -> MemberOrigin {
        let member = self.member.as_ref();
        member.map_or(MemberOrigin::Created, |member| member.origin)
    }

    fn refuse(&mut self, reason: String, refusal: Refusal) {
        self.action = Action::Failed;
        self.reason = reason;
        self.blocking = Some(refusal);
        self.member = None;
        self.migrate.clear();
    }
}

/// Which object, in which state, a write means.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct Precondition {
    /// Its uid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Its version as seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
}

impl Precondition {
    /// Reads a live object.
    pub fn of(live: &Value) -> Self {
        let text = |key| dig(live, &["metadata", key]).and_then(Value::as_str);
        Self {
            uid: text("uid").map(str::to_owned),
            resource_version: text("resourceVersion").map(str::to_owned),
        }
    }
}

/// What must be found out before a step can be relied on.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(tag = "need", rename_all = "camelCase")]
pub enum Need {
    /// What the server answers to a dry run of the write: only it can compare.
    Check {
        /// The fields in question.
        places: Vec<String>,
    },
    /// What lives in the namespace, or is of the kind.
    Contents,
}

/// Why an object may not be written.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(tag = "refusal", rename_all = "camelCase")]
pub enum Refusal {
    /// It belongs to another set.
    OwnedBySet {
        /// The id of that.
        set: String,
    },
    /// It exists without us.
    Exists {
        /// Who wrote it.
        owners: Vec<Owner>,
    },
    /// It would have to be created anew.
    Immutable {
        /// The fields that cannot be changed.
        fields: Vec<String>,
    },
    /// Others hold fields that would change.
    Conflict {
        /// Who holds which.
        conflicts: Vec<FieldConflict>,
    },
}

/// How many steps do what.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "each is the count of the action of its name")]
pub struct Summary {
    pub created: usize,
    pub configured: usize,
    pub unchanged: usize,
    pub replaced: usize,
    pub adopted: usize,
    pub pruned: usize,
    pub released: usize,
    pub skipped: usize,
    pub failed: usize,
}

impl Summary {
    /// Counts actions.
    pub fn of(actions: impl IntoIterator<Item = Action>) -> Self {
        let mut summary = Self::default();
        for action in actions {
            *summary.count(action) += 1;
        }
        summary
    }

    /// Returns each action that occurs, with its count.
    pub fn counts(mut self) -> impl Iterator<Item = (Action, usize)> {
        let counts = Action::ALL.map(|action| (action, *self.count(action)));
        counts.into_iter().filter(|(_, count)| *count > 0)
    }

    fn count(&mut self, action: Action) -> &mut usize {
        match action {
            Action::Created => &mut self.created,
            Action::Configured => &mut self.configured,
            Action::Unchanged => &mut self.unchanged,
            Action::Replaced => &mut self.replaced,
            Action::Adopted => &mut self.adopted,
            Action::Pruned => &mut self.pruned,
            Action::Released => &mut self.released,
            Action::Skipped => &mut self.skipped,
            Action::Failed => &mut self.failed,
        }
    }
}

/// What is to be done, in order.
#[derive(
    Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The steps by level, then by kind and id: those of desired objects in the order of writing, then
    /// those of members that are no longer desired, what others need last. What a level removes is to be
    /// gone before the next one begins.
    pub steps: Vec<Step>,
    /// What looks wrong about the order.
    pub warnings: Vec<Finding>,
    /// The members that are no longer desired and don't exist, or aren't ours any more: for
    /// [`Parent::shrink`](crate::inventory::Parent::shrink).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<ResourceId>,
}

impl Plan {
    /// Returns the steps of each level, with its number.
    pub fn levels(&self) -> impl Iterator<Item = (usize, &[Step])> {
        let levels = self.steps.chunk_by(|a, b| a.level == b.level);
        levels.filter_map(|steps| Some((steps.first()?.level, steps)))
    }

    /// Counts the actions.
    pub fn summary(&self) -> Summary {
        Summary::of(self.steps.iter().map(|step| step.action))
    }

    /// Returns what only the server can compare: each needs a dry run of its write, and a new plan.
    pub fn needs_check(&self) -> Vec<ResourceId> {
        self.needs(|need| matches!(need, Need::Check { .. }))
    }

    /// Returns the namespaces and definitions whose contents must be known to remove them: list these,
    /// and plan again.
    pub fn needs_contents(&self) -> Vec<ResourceId> {
        self.needs(|need| matches!(need, Need::Contents))
    }

    fn needs(&self, is_asked: impl Fn(&Need) -> bool) -> Vec<ResourceId> {
        let steps = self.steps.iter();
        let steps = steps.filter(|step| step.need.as_ref().is_some_and(&is_asked));
        steps.map(|step| step.id.clone()).collect()
    }

    /// Returns why nothing may be written, with the object of each reason; nothing when all is well.
    pub fn refusals(&self) -> impl Iterator<Item = (&Step, &Refusal)> {
        let steps = self.steps.iter();
        steps.filter_map(|step| Some((step, step.blocking.as_ref()?)))
    }

    /// Leaves what is desired as it is; only what no longer is goes.
    pub fn only_prune(&mut self) {
        let desired = self.steps.iter_mut().filter(|step| step.index.is_some());
        for step in desired.filter(|step| step.action.is_change()) {
            step.action = Action::Skipped;
            "not written: only what is no longer wanted goes".clone_into(&mut step.reason);
            step.blocking = None;
            step.member = None;
        }
    }

    /// Hashes what is desired, so that two plans of the same are known.
    pub fn content(&self) -> ContentHash {
        let desired = self.steps.iter().filter(|step| step.index.is_some());
        let mut desired: Vec<_> = desired
            .map(|step| {
                let hash = step.member.as_ref().and_then(|member| member.hash.as_ref());
                (step.id.as_str(), hash.map(ContentHash::as_str))
            })
            .collect();
        desired.sort_unstable();
        content_hash(
            &desired
                .into_iter()
                .map(|(id, hash)| serde_json::json!([id, hash]))
                .collect(),
        )
    }

    /// Returns the desired members, for [`Parent::grow`](crate::inventory::Parent::grow).
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.steps.iter().filter_map(|step| step.member.as_ref())
    }
}

/// What is known of the world when a plan is made.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Observed<'a> {
    /// Nothing was looked at: every object is taken as new, as in a client-side dry run.
    #[default]
    Nothing,
    /// What was seen of a cluster, and what is allowed there.
    Cluster(&'a Observation, Options),
}

/// Explicit dependencies that go in a circle; nothing can be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("dependencies go in a circle: {}", shown(.cycles))]
pub struct DependencyCycle {
    /// The circles, each with its first resource only once.
    pub cycles: Vec<Vec<ResourceId>>,
    /// The same as findings, one at the first resource of each.
    pub findings: Vec<Finding>,
}

fn shown(cycles: &[Vec<ResourceId>]) -> String {
    let cycles = cycles.iter().map(|cycle| circle(cycle));
    cycles.collect::<Vec<_>>().join("; ")
}

/// Writes a circle as `a → b → a`.
fn circle(cycle: &[ResourceId]) -> String {
    let ids = cycle.iter().chain(cycle.first()).map(ResourceId::as_str);
    ids.collect::<Vec<_>>().join(" → ")
}

/// Plans what makes the world as desired.
///
/// # Errors
/// When explicit dependencies, namespaces and definitions go in a circle. Circles of references are
/// broken instead, since references only order the writes.
pub fn plan(desired: &ResourceSet, observed: &Observed<'_>) -> Result<Plan, DependencyCycle> {
    let builder = Builder::new(desired);
    let order = builder.graph.order();
    let order = order.map_err(|error| builder.cycle(&error))?;
    let (mut waits, warnings) = builder.waits(&order);
    let decider = match observed {
        Observed::Nothing => None,
        Observed::Cluster(seen, options) => Some(Decider::new(seen, *options)),
    };
    let mut steps = Vec::with_capacity(desired.len());
    let (mut level, mut last) = (0, 0);
    for node in order.nodes {
        let Some(resource) = builder.resource(node) else {
            continue;
        };
        // The barrier has a level of its own, which nobody shall see.
        if order.level[node] != last {
            last = order.level[node];
            level += 1;
        }
        let mut step = Step::new(resource.id.clone(), Some(builder.nodes[node]), level);
        step.waits = std::mem::take(&mut waits[node]);
        match &decider {
            None if resource.policies.creation == Creation::Once => {
                "new, and left alone from then on (creation policy Once)"
                    .clone_into(&mut step.reason);
            }
            None => "new".clone_into(&mut step.reason),
            Some(decider) => decider.decide(resource, &mut step),
        }
        steps.push(step);
    }
    let mut plan = Plan {
        steps,
        warnings,
        gone: Vec::new(),
    };
    if let Observed::Cluster(seen, options) = observed {
        prune::leftovers(&mut plan, desired, seen, *options);
    }
    Ok(plan)
}

/// The place of a kind among those of its level; unknown kinds come after the workloads.
fn rank(group: &str, kind: &str) -> usize {
    /// Definitions and limits before what they limit, configuration before what reads it, services
    /// before pods (which get their addresses as variables), traffic and interception last.
    const RANKS: &[&str] = &[
        "Namespace",
        "NetworkPolicy",
        "ResourceQuota",
        "LimitRange",
        "PodDisruptionBudget",
        "CustomResourceDefinition",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "IngressClass",
        "ServiceAccount",
        "Secret",
        "ConfigMap",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
        "Service",
        "DaemonSet",
        "Pod",
        "ReplicationController",
        "ReplicaSet",
        "Deployment",
        "StatefulSet",
        "Job",
        "CronJob",
        "",
        "HorizontalPodAutoscaler",
        "Ingress",
        "APIService",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    ];
    let known = is_built_in_group(group);
    let kind = if known { kind } else { "" };
    let place = |wanted: &str| RANKS.iter().position(|known| *known == wanted);
    place(kind).or_else(|| place("")).unwrap_or(RANKS.len())
}

fn is_webhook(resource: &Resource) -> bool {
    matches!(
        resource.kind.as_str(),
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration"
    ) && resource.group() == "admissionregistration.k8s.io"
}

/// How many workloads behind one webhook are waited for at most.
const BACKENDS: usize = 16;

/// A state that one resource waits for in another.
struct Condition {
    node: usize,
    dependency: usize,
    until: Until,
    why: Why,
}

/// Nodes between others, without a resource.
#[derive(Clone, Copy)]
enum Barrier {
    /// Before webhook configurations, after everything that doesn't depend on one of those.
    Webhooks,
    /// After the jobs of the first phase.
    Begun,
    /// Before the jobs of the last phase.
    Done,
}

impl Barrier {
    const ALL: [Self; 3] = [Self::Webhooks, Self::Begun, Self::Done];
}

/// Tells whether a resource is at work once it is ready, rather than only there.
fn does_work(resource: &Resource) -> bool {
    let known = is_built_in_group(resource.group());
    let kind = resource.kind.as_str();
    !known
        || matches!(
            kind,
            "Deployment"
                | "StatefulSet"
                | "DaemonSet"
                | "ReplicaSet"
                | "ReplicationController"
                | "Pod"
                | "Job"
        )
}

/// Gathers the edges of a set.
///
/// Nodes are the resources by rank and id, and a few [barriers](Barrier) that have no resource.
struct Builder<'a> {
    set: &'a ResourceSet,
    /// The resource of each node.
    nodes: Vec<usize>,
    /// The node of each resource.
    node_of: Vec<usize>,
    graph: Graph,
    conditions: Vec<Condition>,
}

impl<'a> Builder<'a> {
    fn new(set: &'a ResourceSet) -> Self {
        let mut sorted: Vec<_> = set
            .iter()
            .enumerate()
            .map(|(index, resource)| {
                let rank = rank(resource.group(), &resource.kind);
                (rank, resource.id.as_str(), index)
            })
            .collect();
        sorted.sort_unstable();
        let nodes: Vec<usize> = sorted.into_iter().map(|(.., index)| index).collect();
        let mut node_of = vec![0; nodes.len()];
        for (node, &index) in nodes.iter().enumerate() {
            node_of[index] = node;
        }
        let mut builder = Self {
            set,
            graph: Graph::new(nodes.len() + Barrier::ALL.len()),
            nodes,
            node_of,
            conditions: Vec::new(),
        };
        builder.connect();
        builder.bar_phases();
        builder.bar_webhooks();
        builder
    }

    fn resource(&self, node: usize) -> Option<&'a Resource> {
        self.set.get(*self.nodes.get(node)?)
    }

    /// Says that a resource depends on another, and what it waits for there.
    fn depend(&mut self, index: usize, on: usize, strength: Strength, wait: Option<(Until, Why)>) {
        let (node, dependency) = (self.node_of[index], self.node_of[on]);
        self.graph.depend(node, dependency, strength);
        if let Some((until, why)) = wait.filter(|_| node != dependency) {
            self.conditions.push(Condition {
                node,
                dependency,
                until,
                why,
            });
        }
    }

    fn connect(&mut self) {
        let set = self.set;
        let definitions = definitions(set);
        let servers = servers(set);
        let mut backends = Backends::default();
        let mut found = Vec::new();
        for (index, resource) in set.iter().enumerate() {
            let namespace = resource.namespace.as_deref();
            let holder = namespace.and_then(|name| set.find("", "Namespace", None, name));
            if let Some(on) = holder {
                let wait = (Until::Active, Why::Namespace);
                self.depend(index, on, Strength::Firm, Some(wait));
            }
            let kind = (resource.group(), resource.kind.as_str());
            if let Some(&on) = definitions.get(&kind) {
                let wait = (Until::Established, Why::Definition);
                self.depend(index, on, Strength::Firm, Some(wait));
                // Whoever converts must answer before another version can be written.
                for &workload in backends.of(set, on) {
                    let wait = (Until::Ready, Why::WebhookBackend);
                    self.depend(index, workload, Strength::Soft, Some(wait));
                }
            }
            if let Some(&on) = servers.get(&split_api_version(&resource.api_version)) {
                let wait = (Until::Available, Why::ApiService);
                self.depend(index, on, Strength::Firm, Some(wait));
            }
            found.clear();
            collect(kind.0, kind.1, &resource.object, &mut found);
            for reference in &found {
                let namespace = reference.namespace(namespace);
                let on = set.find(reference.group, reference.kind, namespace, reference.name);
                if let Some(on) = on {
                    self.depend(index, on, Strength::Soft, None);
                }
            }
            // An API service becomes available only with its pods, so they come before it.
            if is_webhook(resource) || is_server(resource) {
                let wait = is_webhook(resource).then_some((Until::Ready, Why::WebhookBackend));
                for &workload in backends.of(set, index) {
                    self.depend(index, workload, Strength::Soft, wait);
                }
            }
            for id in &resource.depends_on {
                if let Some(on) = set.position(id.as_str()) {
                    let until = set.get(on).map_or(Until::Ready, until);
                    let wait = (until, Why::DependsOn);
                    self.depend(index, on, Strength::Firm, Some(wait));
                }
            }
        }
    }

    /// Returns the nodes of the resources that are so.
    fn nodes_that(&self, is_so: impl Fn(&Resource) -> bool) -> Vec<usize> {
        let nodes = 0..self.nodes.len();
        let is_so = |&node: &usize| self.resource(node).is_some_and(&is_so);
        nodes.filter(is_so).collect()
    }

    /// Puts nodes behind a barrier, and everything that doesn't depend on them before it.
    fn bar(&mut self, barrier: Barrier, nodes: &[usize]) -> Vec<usize> {
        if nodes.is_empty() {
            return Vec::new();
        }
        let barrier = self.nodes.len() + barrier as usize;
        let behind = self.graph.dependents(nodes);
        let before: Vec<usize> = (0..self.nodes.len()).filter(|&n| !behind[n]).collect();
        for &node in &before {
            self.graph.depend(barrier, node, Strength::Soft);
        }
        for &node in nodes {
            self.graph.depend(node, barrier, Strength::Soft);
        }
        before
    }

    fn bar_webhooks(&mut self) {
        let webhooks = self.nodes_that(is_webhook);
        self.bar(Barrier::Webhooks, &webhooks);
    }

    /// Puts the jobs of phases into their places. What a job of the first phase needs comes before it,
    /// what needs a job of the last one comes after that; everything else waits for the first ones to
    /// succeed, and is waited for by the last ones as far as it does work.
    fn bar_phases(&mut self) {
        let of = |phase| move |resource: &Resource| resource.policies.phase == Some(phase);
        let first = self.nodes_that(of(Phase::Before));
        if !first.is_empty() {
            let needed = self.graph.dependencies(&first);
            let after = (0..self.nodes.len()).filter(|&node| !needed[node]);
            let after: Vec<usize> = after.collect();
            let barrier = self.nodes.len() + Barrier::Begun as usize;
            for &job in &first {
                self.graph.depend(barrier, job, Strength::Firm);
                for &node in &after {
                    self.wait(node, job);
                }
            }
            for node in after {
                self.graph.depend(node, barrier, Strength::Firm);
            }
        }
        let last = self.nodes_that(of(Phase::After));
        for node in self.bar(Barrier::Done, &last) {
            if self.resource(node).is_some_and(does_work) {
                for &job in &last {
                    self.wait(job, node);
                }
            }
        }
    }

    /// Says that a resource of one phase waits for one of another.
    fn wait(&mut self, node: usize, dependency: usize) {
        self.conditions.push(Condition {
            node,
            dependency,
            until: Until::Ready,
            why: Why::Phase,
        });
    }

    /// Returns what each node waits for, and warns of what it cannot wait for.
    fn waits(&self, order: &Order) -> (Vec<Vec<Wait>>, Vec<Finding>) {
        let mut waits: Vec<Vec<Wait>> = vec![Vec::new(); self.nodes.len()];
        let mut warnings = Vec::new();
        let mut seen = HashSet::with_capacity(self.conditions.len());
        for condition in &self.conditions {
            let edge = (condition.node, condition.dependency);
            if !seen.insert(edge) {
                continue;
            }
            let resources = (self.resource(edge.0), self.resource(edge.1));
            let (Some(resource), Some(on)) = resources else {
                continue;
            };
            if order.dropped.binary_search(&edge).is_ok() {
                let message = format!(
                    "is written before {} is {}, because that depends on it",
                    on.id, condition.until
                );
                warnings.push(Finding::new(Rule::WaitDropped, message).of(resource));
            } else {
                waits[edge.0].push(Wait {
                    on: on.id.clone(),
                    until: condition.until,
                    why: condition.why,
                });
            }
        }
        (waits, warnings)
    }

    fn cycle(&self, error: &CycleError) -> DependencyCycle {
        let mut cycles = Vec::new();
        let mut findings = Vec::new();
        for cycle in &error.cycles {
            let resources = cycle.iter().filter_map(|&node| self.resource(node));
            let resources: Vec<&Resource> = resources.collect();
            let ids: Vec<ResourceId> = resources.iter().map(|r| r.id.clone()).collect();
            if let Some(first) = resources.first() {
                let message = format!("depends on itself: {}", circle(&ids));
                let finding = Finding::new(Rule::DependencyCycle, message).of(first);
                let place = ["metadata", "annotations", DEPENDS_ON];
                findings.push(finding.at(&place));
            }
            cycles.push(ids);
        }
        DependencyCycle { cycles, findings }
    }
}

/// The workloads behind the services that resources have the API server call, read once each.
#[derive(Default)]
struct Backends<'a> {
    workloads: Option<Workloads<'a>>,
    known: HashMap<usize, Vec<usize>>,
}

impl<'a> Backends<'a> {
    fn of(&mut self, set: &'a ResourceSet, index: usize) -> &[usize] {
        let workloads = &mut self.workloads;
        self.known.entry(index).or_insert_with(|| {
            let Some(resource) = set.get(index) else {
                return Vec::new();
            };
            let mut found = Vec::new();
            collect(
                resource.group(),
                &resource.kind,
                &resource.object,
                &mut found,
            );
            let mut backends = Vec::new();
            for reference in found.iter().filter(|found| found.kind == "Service") {
                let namespace = reference.namespace(resource.namespace.as_deref());
                let service = set.find(reference.group, reference.kind, namespace, reference.name);
                if let Some(service) = service.and_then(|service| set.get(service)) {
                    let workloads = workloads.get_or_insert_with(|| Workloads::of(set));
                    let behind = workloads.behind(service).resources;
                    backends.extend(behind.into_iter().take(BACKENDS));
                }
            }
            backends.sort_unstable();
            backends.dedup();
            backends
        })
    }
}

/// Returns the groups and versions that other servers than the API server itself serve.
fn servers(set: &ResourceSet) -> HashMap<(&str, &str), usize> {
    let servers = set.iter().enumerate();
    let servers = servers.filter(|(_, resource)| is_server(resource));
    servers
        .filter_map(|(index, resource)| {
            let text = |path: &[&str]| dig(&resource.object, path).and_then(Value::as_str);
            Some((
                (text(&["spec", "group"])?, text(&["spec", "version"])?),
                index,
            ))
        })
        .collect()
}

fn is_server(resource: &Resource) -> bool {
    resource.kind == "APIService" && resource.group() == "apiregistration.k8s.io"
}

/// Returns what it means that a resource is there for those that depend on it.
fn until(resource: &Resource) -> Until {
    match (resource.group(), resource.kind.as_str()) {
        ("", "Namespace") => Until::Active,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => Until::Established,
        ("apiregistration.k8s.io", "APIService") => Until::Available,
        _ if !resource.policies.wait => Until::There,
        _ => Until::Ready,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{read, shown};

    fn objects(lines: &[&str]) -> String {
        let documents = lines.iter().map(|line| format!("---\n{{{line}}}\n"));
        documents.collect::<Vec<_>>().concat()
    }

    fn planned(lines: &[&str]) -> Plan {
        let (set, findings) = read(&objects(lines), Some("shop"));
        assert_eq!(shown(&findings), [""; 0]);
        plan(&set, &Observed::Nothing).expect("there is no circle")
    }

    /// The ids of each level.
    fn levels(plan: &Plan) -> Vec<Vec<&str>> {
        let levels = plan.levels().enumerate().map(|(at, (number, steps))| {
            assert_eq!(number, at + 1);
            steps.iter().map(|step| step.id.as_str()).collect()
        });
        levels.collect()
    }

    /// The waits of each step that has some, as `id: on until why`.
    fn waits(plan: &Plan) -> Vec<String> {
        let waits = plan.steps.iter().flat_map(|step| {
            step.waits
                .iter()
                .map(|wait| format!("{}: {} {}, {}", step.id, wait.on, wait.until, wait.why))
        });
        waits.collect()
    }

    const NAMESPACE: &str = "apiVersion: v1, kind: Namespace, metadata: {name: shop}";
    const DEFINITION: &str = "apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, \
        metadata: {name: things.example.com}, spec: {group: example.com, scope: Namespaced, \
        names: {kind: Thing}, conversion: {strategy: Webhook, webhook: {clientConfig: {service: \
        {name: hook, namespace: shop}}}}}";
    const THING: &str = "apiVersion: example.com/v1, kind: Thing, metadata: {name: t}";
    const SERVICE: &str = "apiVersion: v1, kind: Service, metadata: {name: hook}, \
        spec: {selector: {app: hook}}";
    const WEBHOOK: &str = "apiVersion: admissionregistration.k8s.io/v1, \
        kind: ValidatingWebhookConfiguration, metadata: {name: hook}, webhooks: [{name: a.b.c, \
        clientConfig: {service: {name: hook, namespace: shop}}}]";

    fn deployment(annotations: &str) -> String {
        format!(
            "apiVersion: apps/v1, kind: Deployment, metadata: {{name: hook, annotations: \
             {{{annotations}}}}}, spec: {{template: {{metadata: {{labels: {{app: hook}}}}, spec: \
             {{serviceAccountName: hook, volumes: [{{configMap: {{name: c}}}}]}}}}}}"
        )
    }

    #[test]
    fn references_order_writes_and_nobody_waits_for_them() {
        let plan = planned(&[
            "apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}, \
             spec: {defaultBackend: {service: {name: hook}}}",
            &deployment(""),
            "apiVersion: v1, kind: ConfigMap, metadata: {name: c}",
            SERVICE,
            "apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny}",
        ]);
        assert_eq!(
            levels(&plan),
            [
                vec![
                    "networking.k8s.io/NetworkPolicy/shop/deny",
                    "ConfigMap/shop/c",
                    "Service/shop/hook"
                ],
                vec![
                    "apps/Deployment/shop/hook",
                    "networking.k8s.io/Ingress/shop/i"
                ],
            ]
        );
        assert_eq!(waits(&plan), [""; 0]);
        assert_eq!(plan.warnings, []);
    }

    #[test]
    fn namespaces_definitions_and_explicit_dependencies_are_waited_for() {
        let plan = planned(&[
            "apiVersion: v1, kind: Pod, metadata: {name: p, annotations: {weftctl.dev/depends-on: \
             'Thing/t, Namespace/shop, CustomResourceDefinition/things.example.com'}}",
            THING,
            DEFINITION,
            NAMESPACE,
        ]);
        assert_eq!(
            levels(&plan),
            [
                vec![
                    "Namespace/shop",
                    "apiextensions.k8s.io/CustomResourceDefinition/things.example.com",
                ],
                vec!["example.com/Thing/shop/t"],
                vec!["Pod/shop/p"],
            ]
        );
        let definition = "apiextensions.k8s.io/CustomResourceDefinition/things.example.com \
                          Established and discoverable";
        assert_eq!(
            waits(&plan),
            [
                "example.com/Thing/shop/t: Namespace/shop Active, it holds the object".to_owned(),
                format!("example.com/Thing/shop/t: {definition}, it defines the kind"),
                "Pod/shop/p: Namespace/shop Active, it holds the object".to_owned(),
                "Pod/shop/p: example.com/Thing/shop/t Ready, the object depends on it".to_owned(),
                format!("Pod/shop/p: {definition}, the object depends on it"),
            ]
        );
    }

    #[test]
    fn jobs_of_phases_run_before_and_after_everything_that_does_not_need_them() {
        let job = |name: &str, phase: &str, more: &str| {
            format!(
                "apiVersion: batch/v1, kind: Job, metadata: {{name: {name}, annotations: \
                 {{weftctl.dev/phase: {phase}}}}}, spec: {{template: {{spec: {{{more}}}}}}}"
            )
        };
        let plan = planned(&[
            &job(
                "migrate",
                "before",
                "volumes: [{configMap: {name: settings}}]",
            ),
            &job("smoke", "after", ""),
            &deployment(""),
            SERVICE,
            "apiVersion: v1, kind: ConfigMap, metadata: {name: settings}",
            "apiVersion: v1, kind: ConfigMap, metadata: {name: other}",
            NAMESPACE,
            WEBHOOK,
        ]);
        assert_eq!(
            levels(&plan),
            [
                vec!["Namespace/shop"],
                vec!["ConfigMap/shop/settings"],
                vec!["batch/Job/shop/migrate"],
                vec![
                    "ConfigMap/shop/other",
                    "Service/shop/hook",
                    "apps/Deployment/shop/hook"
                ],
                vec!["admissionregistration.k8s.io/ValidatingWebhookConfiguration/hook"],
                vec!["batch/Job/shop/smoke"],
            ]
        );
        let phases = waits(&plan);
        let phases = phases
            .iter()
            .filter(|wait| wait.ends_with("its phase comes before"));
        let phases: Vec<&str> = phases
            .map(|wait| wait.split(", ").next().unwrap_or(""))
            .collect();
        let migrate = "batch/Job/shop/migrate Ready";
        assert_eq!(
            phases,
            [
                format!("ConfigMap/shop/other: {migrate}"),
                format!("Service/shop/hook: {migrate}"),
                format!("apps/Deployment/shop/hook: {migrate}"),
                format!(
                    "admissionregistration.k8s.io/ValidatingWebhookConfiguration/hook: {migrate}"
                ),
                format!("batch/Job/shop/smoke: {migrate}"),
                "batch/Job/shop/smoke: apps/Deployment/shop/hook Ready".to_owned(),
            ]
        );
        assert_eq!(plan.warnings, []);
    }

    #[test]
    fn webhooks_come_last_and_wait_for_their_backends() {
        let plan = planned(&[WEBHOOK, SERVICE, &deployment(""), THING, DEFINITION]);
        assert_eq!(
            levels(&plan),
            [
                vec!["Service/shop/hook", "apps/Deployment/shop/hook"],
                vec!["apiextensions.k8s.io/CustomResourceDefinition/things.example.com"],
                vec!["example.com/Thing/shop/t"],
                vec!["admissionregistration.k8s.io/ValidatingWebhookConfiguration/hook"],
            ]
        );
        assert_eq!(
            waits(&plan),
            [
                "example.com/Thing/shop/t: apiextensions.k8s.io/CustomResourceDefinition/\
                 things.example.com Established and discoverable, it defines the kind",
                "example.com/Thing/shop/t: apps/Deployment/shop/hook Ready, it answers the webhook",
                "admissionregistration.k8s.io/ValidatingWebhookConfiguration/hook: \
                 apps/Deployment/shop/hook Ready, it answers the webhook",
            ]
        );
    }

    #[test]
    fn what_depends_on_a_webhook_comes_after_it() {
        let late = "apiVersion: v1, kind: ConfigMap, metadata: {name: late, annotations: \
                    {weftctl.dev/depends-on: ValidatingWebhookConfiguration/hook}}";
        let plan = planned(&[late, WEBHOOK, SERVICE, NAMESPACE]);
        assert_eq!(
            levels(&plan),
            [
                vec!["Namespace/shop"],
                vec!["Service/shop/hook"],
                vec!["admissionregistration.k8s.io/ValidatingWebhookConfiguration/hook"],
                vec!["ConfigMap/shop/late"],
            ]
        );
    }

    #[test]
    fn a_backend_that_depends_on_its_webhook_is_not_waited_for_but_warned_of() {
        let backend = deployment("weftctl.dev/depends-on: ValidatingWebhookConfiguration/hook");
        let plan = planned(&[WEBHOOK, SERVICE, &backend]);
        let last = levels(&plan).pop();
        assert_eq!(last, Some(vec!["apps/Deployment/shop/hook"]));
        assert_eq!(
            shown(&plan.warnings),
            [
                "wait-dropped admissionregistration.k8s.io/ValidatingWebhookConfiguration/hook -: is \
              written before apps/Deployment/shop/hook is Ready, because that depends on it"
            ]
        );
    }

    #[test]
    fn objects_of_another_server_wait_until_it_answers() {
        let service = "apiVersion: apiregistration.k8s.io/v1, kind: APIService, \
                       metadata: {name: v1.example.com}, spec: {group: example.com, version: v1, \
                       service: {name: hook, namespace: shop}}";
        let plan = planned(&[THING, service, SERVICE, &deployment("")]);
        assert_eq!(
            levels(&plan),
            [
                vec!["Service/shop/hook", "apps/Deployment/shop/hook"],
                vec!["apiregistration.k8s.io/APIService/v1.example.com"],
                vec!["example.com/Thing/shop/t"],
            ]
        );
        assert_eq!(
            waits(&plan),
            [
                "example.com/Thing/shop/t: apiregistration.k8s.io/APIService/v1.example.com \
              Available, it serves the kind"
            ]
        );
    }

    #[test]
    fn a_circle_of_explicit_dependencies_is_refused_by_name() {
        let map = |name: &str, on: &str| {
            format!(
                "apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}, annotations: \
                 {{weftctl.dev/depends-on: '{on}'}}}}"
            )
        };
        let own = "apiVersion: v1, kind: Namespace, metadata: {name: shop, annotations: \
                   {weftctl.dev/depends-on: ConfigMap/shop/x}}";
        let cases: &[(&[&str], &str)] = &[
            (
                &[
                    &map("a", "ConfigMap/b"),
                    &map("b", "ConfigMap/c"),
                    &map("c", "ConfigMap/a"),
                ],
                "ConfigMap/shop/a → ConfigMap/shop/b → ConfigMap/shop/c → ConfigMap/shop/a",
            ),
            (
                &[&map("a", "ConfigMap/a")],
                "ConfigMap/shop/a → ConfigMap/shop/a",
            ),
            // A namespace cannot depend on what lives in it.
            (
                &[own, "apiVersion: v1, kind: ConfigMap, metadata: {name: x}"],
                "Namespace/shop → ConfigMap/shop/x → Namespace/shop",
            ),
        ];
        for (lines, circle) in cases {
            let (set, _) = read(&objects(lines), Some("shop"));
            let error = plan(&set, &Observed::Nothing).expect_err("it is a circle");
            assert_eq!(
                error.to_string(),
                format!("dependencies go in a circle: {circle}")
            );
            let finding = &error.findings[0];
            assert_eq!(finding.message, format!("depends on itself: {circle}"));
            assert_eq!(
                (finding.rule, finding.line),
                (Rule::DependencyCycle, Some(1))
            );
        }
    }

    #[test]
    fn a_circle_of_references_is_broken() {
        let plan = planned(&[
            "apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c}, spec: {volumeName: v}",
            "apiVersion: v1, kind: PersistentVolume, metadata: {name: v}, \
             spec: {claimRef: {name: c, namespace: shop}}",
        ]);
        assert_eq!(
            levels(&plan),
            [["PersistentVolume/v"], ["PersistentVolumeClaim/shop/c"]]
        );
        assert_eq!(plan.warnings, []);
    }

    #[test]
    fn the_plan_does_not_depend_on_the_order_of_the_input() {
        let backend = deployment("");
        let mut lines = vec![
            NAMESPACE,
            DEFINITION,
            THING,
            SERVICE,
            WEBHOOK,
            &backend,
            "apiVersion: v1, kind: Secret, metadata: {name: s, annotations: \
             {kubernetes.io/service-account.name: hook}}",
            "apiVersion: v1, kind: ServiceAccount, metadata: {name: hook}, secrets: [{name: s}]",
        ];
        let steps = |lines: &[&str]| {
            let mut steps = planned(lines).steps;
            for step in &mut steps {
                step.index = None;
            }
            steps
        };
        let first = steps(&lines);
        for turn in 0..lines.len() {
            lines.rotate_left(1);
            lines.swap(0, turn);
            assert_eq!(steps(&lines), first);
        }
    }

    #[test]
    fn without_a_cluster_everything_is_created() {
        let plan = planned(&[NAMESPACE, SERVICE]);
        let summary = plan.summary();
        assert_eq!(
            summary,
            Summary {
                created: 2,
                ..Summary::default()
            }
        );
        assert_eq!(summary.counts().collect::<Vec<_>>(), [(Action::Created, 2)]);
        let json = serde_json::to_value(&plan.steps[1]).expect("a step has a JSON form");
        let expected = serde_json::json!({
            "id": "Service/shop/hook",
            "level": 2,
            "action": "created",
            "waits": [{"on": "Namespace/shop", "until": "Active", "why": "namespace"}],
            "reason": "new",
        });
        assert_eq!(json, expected);
        assert_eq!(planned(&[]), Plan::default());
    }

    #[test]
    fn names_of_actions_are_those_of_their_json() {
        for action in Action::ALL {
            let json = serde_json::to_string(&action).expect("a name has a JSON form");
            assert_eq!(json, format!("\"{action}\""));
        }
    }
}
