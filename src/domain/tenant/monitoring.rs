//! What `tenant watch` and `tenant apply --metrics-file` measure, and what is made of it.
//!
//! Each metric is defined once, in [`METRICS`]; [`dashboard`](mod@dashboard) and [`alerts`](mod@alerts) compose
//! their queries from these definitions, so that neither can ask for a series that nobody writes. How values get
//! into them is for others. Names and labels that begin with `lynqnode_`, `hub_`, `apply_` and `lynqform_` are those
//! of the operator, for its users' dashboards and rules; they never change. Our own begin with `weftctl_tenant_`.

pub mod alerts;
pub mod dashboard;
mod panel;
mod query;
#[cfg(test)]
mod tests;

/// The definition of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name; that of a histogram without `_bucket`, `_count` and `_sum`.
    pub name: &'static str,
    /// What it says, in one sentence.
    pub help: &'static str,
    /// How its values move.
    pub kind: Kind,
    /// The names of its labels, in the order in which values are given.
    pub labels: &'static [&'static str],
    /// The upper bounds of a histogram's buckets, rising, without infinity; empty for other kinds.
    pub buckets: &'static [f64],
}

/// How the values of a metric move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only up, from zero at each start.
    Counter,
    /// Up and down.
    Gauge,
    /// Counts by bucket, and a sum.
    Histogram,
}

/// How something ended: the values of the label `result`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All of it was done.
    Success,
    /// Some of it was done, and the rest failed.
    PartialFailure,
    /// Nothing was done.
    Error,
    /// Only the status was looked at, which is for the duration of a node's reconciliation alone.
    StatusOnly,
}

/// What became of rows: the values of the label `state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowState {
    /// All rows that the source gave.
    Read,
    /// Those that are switched on and usable.
    Active,
    /// Those that are switched off.
    Inactive,
    /// Those that are switched on and not usable, such as one without a name.
    Invalid,
}

/// The state of a condition: the values of [`NODE_CONDITION`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionStatus {
    /// It does not hold.
    False,
    /// It holds.
    True,
    /// Nobody knows.
    Unknown,
}

/// How far a rollout is: the values of [`ROLLOUT_PHASE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloutPhase {
    /// Nothing to roll out.
    Idle,
    /// Nodes are being updated.
    InProgress,
    /// It missed its deadline.
    Failed,
    /// All nodes are updated and ready.
    Complete,
}

impl Outcome {
    /// Returns the value of the label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::PartialFailure => "partial_failure",
            Self::Error => "error",
            Self::StatusOnly => "status_only",
        }
    }
}

impl RowState {
    /// Returns the value of the label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Invalid => "invalid",
        }
    }
}

impl ConditionStatus {
    /// Returns the value of the metric.
    pub const fn value(self) -> u8 {
        match self {
            Self::False => 0,
            Self::True => 1,
            Self::Unknown => 2,
        }
    }
}

impl RolloutPhase {
    /// Returns the value of the metric.
    pub const fn value(self) -> u8 {
        match self {
            Self::Idle => 0,
            Self::InProgress => 1,
            Self::Failed => 2,
            Self::Complete => 3,
        }
    }
}

/// The type of the condition that says whether a node is ready, as a value of the label `type`.
pub const READY: &str = "Ready";

/// The labels of a node.
const NODE: &[&str] = &["lynqnode", "namespace"];
/// The labels of a hub.
const HUB: &[&str] = &["hub", "namespace"];
/// The labels of a form.
const FORM: &[&str] = &["form", "namespace"];

/// How long the reconciliation of one node took.
pub const RECONCILE_DURATION: Metric = histogram(
    "lynqnode_reconcile_duration_seconds",
    "How long the reconciliation of one node took, by its result.",
    &["result"],
    &[0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0],
);
/// The ready objects of a node.
pub const RESOURCES_READY: Metric = gauge(
    "lynqnode_resources_ready",
    "Objects of the node that are ready.",
    NODE,
);
/// The objects that a node shall have.
pub const RESOURCES_DESIRED: Metric = gauge(
    "lynqnode_resources_desired",
    "Objects that the node shall have.",
    NODE,
);
/// The failed objects of a node.
pub const RESOURCES_FAILED: Metric = gauge(
    "lynqnode_resources_failed",
    "Objects of the node that failed, those in conflict among them.",
    NODE,
);
/// The objects of a node that others own.
pub const RESOURCES_CONFLICTED: Metric = gauge(
    "lynqnode_resources_conflicted",
    "Objects of the node that were not written because somebody else owns them.",
    NODE,
);
/// A condition of a node; see [`ConditionStatus`].
pub const NODE_CONDITION: Metric = gauge(
    "lynqnode_condition_status",
    "A condition of the node: 0 is False, 1 is True, 2 is Unknown.",
    &["lynqnode", "namespace", "type"],
);
/// Why a node is degraded, if it is.
pub const NODE_DEGRADED: Metric = gauge(
    "lynqnode_degraded_status",
    "Whether the node is degraded for this reason: 1 if so, else 0.",
    &["lynqnode", "namespace", "reason"],
);
/// Conflicts that a node met.
pub const CONFLICTS: Metric = counter(
    "lynqnode_conflicts_total",
    "Conflicts with other owners that the node met.",
    &["lynqnode", "namespace", "resource_kind", "conflict_policy"],
);
/// The nodes that a hub shall have.
pub const HUB_DESIRED: Metric = gauge(
    "hub_desired",
    "Nodes that the hub shall have: its active rows times its forms.",
    HUB,
);
/// The ready nodes of a hub.
pub const HUB_READY: Metric = gauge("hub_ready", "Nodes of the hub that are ready.", HUB);
/// The failed nodes of a hub.
pub const HUB_FAILED: Metric = gauge("hub_failed", "Nodes of the hub that failed.", HUB);
/// Attempts to apply an object.
pub const APPLY_ATTEMPTS: Metric = counter(
    "apply_attempts_total",
    "Attempts to apply an object, those that found nothing to write among them.",
    &["kind", "result", "conflict_policy"],
);
/// The nodes that a rollout is busy with.
pub const ROLLOUT_UPDATING: Metric = gauge(
    "lynqform_rollout_updating_nodes",
    "Nodes of the form that are being updated now.",
    FORM,
);
/// How far a rollout is; see [`RolloutPhase`].
pub const ROLLOUT_PHASE: Metric = gauge(
    "lynqform_rollout_phase",
    "How far the form's rollout is: 0 is idle, 1 in progress, 2 failed, 3 complete.",
    FORM,
);
/// The share of a form's nodes that are updated.
pub const ROLLOUT_PROGRESS: Metric = gauge(
    "lynqform_rollout_progress",
    "Nodes of the form that are updated, in percent.",
    FORM,
);

/// Whether the last read of a datasource succeeded.
pub const DATASOURCE_UP: Metric = gauge(
    "weftctl_tenant_datasource_up",
    "Whether the last read of the hub's rows succeeded: 1 if so, else 0.",
    HUB,
);
/// How long successful reads took.
pub const QUERY_DURATION: Metric = histogram(
    "weftctl_tenant_datasource_query_duration_seconds",
    "How long a successful read of the hub's rows took.",
    HUB,
    &[
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    ],
);
/// The rows of the last successful read; see [`RowState`].
pub const ROWS: Metric = gauge(
    "weftctl_tenant_datasource_rows",
    "Rows of the last successful read: all that were read, and of these the active, inactive and invalid ones.",
    &["hub", "namespace", "state"],
);
/// Reads that failed.
pub const DATASOURCE_ERRORS: Metric = counter(
    "weftctl_tenant_datasource_errors_total",
    "Reads of the hub's rows that failed or broke off.",
    HUB,
);
/// Passes over a hub; see [`Outcome`].
pub const PASSES: Metric = counter(
    "weftctl_tenant_passes_total",
    "Passes over the hub, by their result.",
    &["hub", "namespace", "result"],
);
/// When a pass last succeeded.
pub const LAST_SUCCESS: Metric = gauge(
    "weftctl_tenant_last_success_timestamp_seconds",
    "When the last successful pass over the hub ended, in seconds since 1970; 0 while there was none.",
    HUB,
);
/// Whether the guard against mass deletion holds a hub's deletions back.
pub const DELETION_BLOCKED: Metric = gauge(
    "weftctl_tenant_deletion_blocked",
    "Whether the last pass wanted to delete more than it may, and so deleted nothing: 1 if so, else 0.",
    HUB,
);
/// Objects that are wanted no more.
pub const ORPHANS: Metric = counter(
    "weftctl_tenant_orphans_total",
    "Objects that no row wants any more: deleted, or left behind with orphan marks.",
    HUB,
);
/// Repairs of objects that somebody changed or deleted.
pub const DRIFT: Metric = counter(
    "weftctl_tenant_drift_total",
    "Objects that somebody had changed or deleted, and that were repaired.",
    &["hub", "namespace", "kind"],
);
/// What waits to be reconciled.
pub const QUEUE_DEPTH: Metric = gauge(
    "weftctl_tenant_watch_queue_depth",
    "Nodes of the hub that wait to be reconciled.",
    HUB,
);

/// All metrics: those of the operator in the order of its documentation, then our own.
pub const METRICS: &[&Metric] = &[
    &RECONCILE_DURATION,
    &RESOURCES_READY,
    &RESOURCES_DESIRED,
    &RESOURCES_FAILED,
    &RESOURCES_CONFLICTED,
    &NODE_CONDITION,
    &NODE_DEGRADED,
    &CONFLICTS,
    &HUB_DESIRED,
    &HUB_READY,
    &HUB_FAILED,
    &APPLY_ATTEMPTS,
    &ROLLOUT_UPDATING,
    &ROLLOUT_PHASE,
    &ROLLOUT_PROGRESS,
    &DATASOURCE_UP,
    &QUERY_DURATION,
    &ROWS,
    &DATASOURCE_ERRORS,
    &PASSES,
    &LAST_SUCCESS,
    &DELETION_BLOCKED,
    &ORPHANS,
    &DRIFT,
    &QUEUE_DEPTH,
];

const fn counter(
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
) -> Metric {
    Metric {
        name,
        help,
        kind: Kind::Counter,
        labels,
        buckets: &[],
    }
}

const fn gauge(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Metric {
    Metric {
        name,
        help,
        kind: Kind::Gauge,
        labels,
        buckets: &[],
    }
}

const fn histogram(
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    buckets: &'static [f64],
) -> Metric {
    Metric {
        name,
        help,
        kind: Kind::Histogram,
        labels,
        buckets,
    }
}
