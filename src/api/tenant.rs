//! The wire of `tenant`.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use weft_domain::source::Bundle;

use super::{
    StreamRequest,
    deploy::{DeployOptions, DeploymentStatus, MemberStatus, Mode, Target},
    deployed::EventSummary,
    design::{RolloutStatus, Schemas},
    endpoints,
    operation::Started,
};
use crate::secret::Secret;

pub use weft_domain::{
    check::Finding,
    plan::{Action, Summary},
    resource::{Conflict, Part},
    tenant::{
        hub::Engine,
        monitoring::Outcome,
        node::{Condition, Tally},
        render::{RowCounts, RowProblem as PartProblem},
    },
};

/// Connects to the databases of hubs, and looks at their tables and rows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestConnections {
    /// The hubs, as the caller has read them.
    pub source: Bundle,
    /// The folder, absolute, from which the paths in messages and hubs are.
    pub folder: String,
    /// What the hubs refer to on the caller's machine.
    #[serde(default)]
    pub given: Given,
    /// The cluster with the Secrets that the hubs refer to.
    #[serde(default)]
    pub target: Target,
}

/// Hubs and forms, with what they need of the caller's machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tenants {
    /// The manifests, as the caller has read them.
    pub source: Bundle,
    /// The folder, absolute, from which the paths in messages and hubs are.
    pub folder: String,
    /// What the hubs refer to on the caller's machine.
    #[serde(default)]
    pub given: Given,
    /// The hub that is meant, where there are several.
    #[serde(default)]
    pub hub: Option<String>,
}

/// Reads the hubs and forms that a cluster holds as custom resources.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadManifests {
    /// Which cluster, and the namespace; of several clusters the first.
    #[serde(default)]
    pub target: Target,
}

/// Makes the objects of rows, and writes none of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenderRows {
    /// The hub and its forms.
    pub tenants: Tenants,
    /// The uids of the rows; all unless given.
    #[serde(default)]
    pub rows: Vec<String>,
    /// Values of Secrets in plain text instead of masked.
    #[serde(default)]
    pub include_secrets: bool,
    /// The cluster with the Secrets that the hub refers to, and the namespace of objects that name none.
    #[serde(default)]
    pub target: Target,
}

/// The objects of rows.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RenderedRows {
    /// The hub.
    pub hub: String,
    /// The rows that were looked at.
    pub rows: RowCounts,
    /// The objects, by row, form and entry.
    pub items: Vec<serde_json::Value>,
    /// Why others could not be made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<PartProblem>,
    /// The same, and what is wrong with forms, as errors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<crate::error::Body>,
    /// What looks wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Whether values of Secrets were masked.
    #[serde(default)]
    pub masked: bool,
}

/// Looks for what is wrong with a hub, its forms and its rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LintTenants {
    /// The hub and its forms.
    pub tenants: Tenants,
    /// Leave the database alone.
    #[serde(default)]
    pub offline: bool,
    /// The cluster with the Secrets that the hub refers to, and the namespace of objects that name none.
    #[serde(default)]
    pub target: Target,
    /// Where schemas of custom resources come from.
    #[serde(default)]
    pub schemas: Schemas,
}

/// What is wrong with a hub, its forms and its rows.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LintReport {
    /// The hub.
    pub hub: String,
    /// Whether no finding is an error.
    pub valid: bool,
    /// What was looked at: the hub and its forms.
    pub checked: Vec<String>,
    /// The rows; absent where they were not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowCounts>,
    /// What was found, in the order of the files.
    pub findings: Vec<Finding>,
    /// What was left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Why the table could not be looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<crate::error::Body>,
}

/// Reads how the objects of a hub's rows are.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadTenants {
    /// The name of the hub.
    pub hub: String,
    /// Which clusters.
    #[serde(default)]
    pub target: Target,
}

/// How the objects of a hub's rows are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantStatus {
    /// The hub.
    pub hub: String,
    /// Whether every object is there and ready, in every cluster.
    pub ready: bool,
    /// What was applied, by context.
    pub deployments: Vec<DeploymentStatus>,
    /// What forms have made of rows, by context, row and form.
    pub nodes: Vec<NodeStatus>,
    /// The objects, by context, kind and name.
    pub resources: Vec<MemberStatus>,
    /// The clusters that could not be asked, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<crate::error::Body>,
}

/// How what a form has made of a row is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    /// The kubeconfig context.
    pub context: String,
    /// The uid of the row.
    pub row: String,
    /// The form.
    pub form: String,
    /// How many objects are how.
    #[serde(flatten)]
    pub tally: Tally,
    /// What that says.
    pub conditions: Vec<Condition>,
    /// What the first object that isn't ready waits for, or what is wrong with it; empty where all are.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Reads all about one row.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewTenant {
    /// The name of the hub.
    pub hub: String,
    /// The uid of the row.
    pub row: String,
    /// Which clusters.
    #[serde(default)]
    pub target: Target,
}

/// All about one row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantView {
    /// The hub.
    pub hub: String,
    /// The uid of the row.
    pub row: String,
    /// Whether every object of it is there and ready, in every cluster.
    pub ready: bool,
    /// What forms have made of it.
    pub nodes: Vec<NodeStatus>,
    /// Its objects.
    pub resources: Vec<MemberStatus>,
    /// What happened to them, the newest last.
    pub events: Vec<EventSummary>,
    /// What could not be looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The clusters that could not be asked, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<crate::error::Body>,
}

/// Lists the hubs whose rows clusters hold objects of.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListHubs {
    /// Look into all namespaces.
    #[serde(default)]
    pub all_namespaces: bool,
    /// Which clusters, and the namespace.
    #[serde(default)]
    pub target: Target,
}

/// Hubs whose rows clusters hold objects of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HubList {
    /// The hubs, by context, namespace and name.
    pub items: Vec<HubSummary>,
    /// The clusters that could not be asked, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<crate::error::Body>,
}

/// What a cluster holds of a hub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HubSummary {
    /// The hub.
    pub hub: String,
    /// The kubeconfig context.
    pub context: String,
    /// The namespace that it was applied with.
    pub namespace: String,
    /// Namespace and name of the inventory.
    pub inventory: String,
    /// How many rows have objects.
    pub rows: usize,
    /// The forms that have made them.
    pub forms: Vec<String>,
    /// How many objects there are.
    pub objects: usize,
    /// The newest revision; absent before the first one is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

/// Keeps clusters as the rows of a hub and its forms say, for as long as somebody listens. Answered as a
/// stream of [`WatchPart`]s.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WatchTenants {
    /// The hub and its forms.
    pub tenants: Tenants,
    /// Which clusters.
    #[serde(default)]
    pub target: Target,
    /// What is allowed, and how each pass is done.
    #[serde(default)]
    pub options: DeployOptions,
    /// How many rows may lose their objects in one pass.
    #[serde(default)]
    pub max_delete: Option<MaxDelete>,
    /// How often the rows are read, in seconds; as the hub says unless given.
    #[serde(default)]
    pub interval_seconds: Option<f64>,
    /// How often all rows are read where the hub lets changed ones be read in between, in seconds; as the hub
    /// says unless given.
    #[serde(default)]
    pub full_interval_seconds: Option<f64>,
    /// End after so many passes; never unless given.
    #[serde(default)]
    pub passes: Option<u64>,
    /// How far each pass goes.
    #[serde(default)]
    pub mode: Mode,
}

impl StreamRequest for WatchTenants {
    const PATH: &'static str = "/tenants/watch";
    type Item = WatchPart;
}

/// What comes of watching.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "part")]
pub enum WatchPart {
    /// A pass has ended.
    Pass(Box<TenantPass>),
    /// Something that the user should know.
    Note {
        /// In one sentence.
        message: String,
    },
}

/// One time that a hub's rows were made what clusters hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantPass {
    /// The hub.
    pub hub: String,
    /// The namespace that the set is kept in; of the first context, where each has its own.
    pub namespace: String,
    /// The kubeconfig contexts that were looked at: those that are away are not among them.
    #[serde(default)]
    pub contexts: Vec<String>,
    /// `plan`: it was only looked at; `server`: the API servers were asked whether they would take it. Empty
    /// when it was done.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dry_run: String,
    /// Counts the passes, from 1.
    pub number: u64,
    /// Why there was one.
    pub cause: Cause,
    /// When it began, RFC 3339 UTC.
    #[schemars(with = "String")]
    pub begun_at: jiff::Timestamp,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the rows were read in it, and how.
    pub read: Reading,
    /// How long that took, in seconds; absent where they were not, or not to their end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_seconds: Option<f64>,
    /// The rows; absent before they have been read once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowCounts>,
    /// How many objects had which action.
    pub summary: Summary,
    /// What was written or removed, or could not be.
    pub changes: Vec<ObjectChange>,
    /// How the objects went, by kind and by what happens in a conflict.
    pub attempts: Vec<Attempts>,
    /// The nodes that are not as they were after the pass before.
    pub nodes: Vec<NodeStatus>,
    /// The nodes that are no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<NodeName>,
    /// How many nodes are how, by context.
    pub totals: Vec<NodeTotals>,
    /// How forms stand whose rows change a few at a time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollouts: Vec<RolloutStatus>,
    /// Whether nothing was deleted because too many rows would have lost their objects.
    pub deletion_blocked: bool,
    /// What is wrong with rows: what there is of them stays as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<PartProblem>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<crate::error::Body>,
    /// In how many seconds the rows are read again, at the latest; absent where nobody will.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_seconds: Option<f64>,
}

/// Why there was a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Cause {
    /// It was the first.
    Start,
    /// It was time to read the rows.
    Resync,
    /// Somebody may have changed an object: one was, or watching them has just begun.
    Drift,
    /// Not everything was as it should be.
    Retry,
}

/// Whether rows were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Reading {
    /// They were.
    Done,
    /// It was tried in vain.
    Failed,
    /// Those of the pass before were taken.
    Kept,
}

/// What was done to an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectChange {
    /// Group, kind, namespace and name in one readable word.
    pub id: String,
    /// The kubeconfig context.
    pub context: String,
    /// The kind.
    pub kind: String,
    /// What was done.
    pub action: Action,
    /// Why.
    pub reason: String,
    /// Whether somebody else had changed it: the rows were those of the pass before, and it was as they say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repaired: bool,
    /// The row that it is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// Whether others hold it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub conflicts: bool,
    /// What happens then; absent for what no row wants any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict_policy: Option<Conflict>,
}

/// How objects of one kind went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempts {
    /// The kind.
    pub kind: String,
    /// What happens where others hold their fields.
    pub conflict_policy: Conflict,
    /// How many are as they shall be, those that already were among them.
    pub succeeded: usize,
    /// How many could not be made so.
    pub failed: usize,
}

/// What names a node.
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct NodeName {
    /// The kubeconfig context.
    pub context: String,
    /// The uid of the row.
    pub row: String,
    /// The form.
    pub form: String,
}

/// How many nodes of a hub are how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeTotals {
    /// The kubeconfig context.
    pub context: String,
    /// Those that there shall be.
    pub desired: usize,
    /// Those that are ready.
    pub ready: usize,
    /// Those of which an object failed, or is held by others.
    pub failed: usize,
    /// Those of which something is still to be written.
    pub waiting: usize,
}

/// How many rows may lose their objects in one run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MaxDelete {
    /// So many.
    Rows(usize),
    /// So many of a hundred, and one in any case.
    Percent(f64),
}

impl MaxDelete {
    /// What counts unless the user says otherwise.
    pub const DEFAULT: Self = Self::Percent(10.0);

    /// Returns how many of some rows that is.
    pub fn of(self, rows: usize) -> usize {
        match self {
            Self::Rows(count) => count,
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of rows, and no set has 2^52 of them"
            )]
            Self::Percent(percent) => ((rows as f64 * percent / 100.0) as usize).max(1),
        }
    }
}

impl std::str::FromStr for MaxDelete {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent = text.strip_suffix('%').map(str::parse::<f64>);
        match (percent, text.parse()) {
            (Some(Ok(percent)), _) if (0.0..=100.0).contains(&percent) => {
                Ok(Self::Percent(percent))
            }
            (None, Ok(count)) => Ok(Self::Rows(count)),
            _ => Err("must be a count of rows, or a share such as 25%".to_owned()),
        }
    }
}

impl fmt::Display for MaxDelete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// Values of files and environment variables that hubs refer to, by the reference.
#[derive(Clone, Default)]
pub struct Given(BTreeMap<String, Secret>);

impl Given {
    /// Adds a value.
    pub fn insert(&mut self, reference: String, value: Secret) {
        self.0.insert(reference, value);
    }

    /// Returns a value.
    pub fn get(&self, reference: &str) -> Option<&Secret> {
        self.0.get(reference)
    }
}

/// Without the values, which are secrets.
impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The wire carries the values: the server is the one that needs them.
impl Serialize for Given {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (reference, value) in &self.0 {
            map.serialize_entry(reference, value.expose())?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = BTreeMap::<String, String>::deserialize(deserializer)?;
        let secret = |(reference, value)| (reference, Secret::new(value));
        Ok(Self(values.into_iter().map(secret).collect()))
    }
}

/// What was found behind hubs.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionTestList {
    /// One for each hub whose table could be read.
    pub items: Vec<ConnectionTest>,
    /// Why others could not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<crate::error::Body>,
    /// What looks wrong about the hubs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// What was found behind one hub.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionTest {
    /// The name of the hub.
    pub hub: String,
    /// The file that it was read from.
    pub file: String,
    /// The type of its database.
    pub engine: Engine,
    /// Where the database is, without credentials.
    pub address: String,
    /// The server and its version, such as `PostgreSQL 15.9`.
    pub version: String,
    /// How the connection is protected; absent where it isn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsReport>,
    /// The table or view.
    pub table: String,
    /// Its columns, in its order, and behind them those that are mapped and not there.
    pub columns: Vec<ColumnReport>,
    /// Its rows; absent when columns are missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowsReport>,
    /// How long connecting and looking took, in seconds.
    pub connect_seconds: f64,
    /// How long reading the rows took, in seconds.
    pub read_seconds: f64,
}

/// How a connection is protected.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TlsReport {
    /// The protocol, such as `TLSv1.3`, where the server tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// What of the server's certificate was verified: `nothing`, `authority`, or `host` with both.
    pub verified: Verified,
}

/// What of a server's certificate was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verified {
    /// Nothing: whoever is in between may read.
    Nothing,
    /// That the authority signed it.
    Authority,
    /// That the authority signed it for this host.
    Host,
}

/// A column.
#[derive(Clone, Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ColumnReport {
    /// Its name.
    pub name: String,
    /// Whether the table has it.
    pub found: bool,
    /// Its type, as the database writes it; absent when it isn't there.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_name: Option<String>,
    /// The variables of the templates that it fills.
    pub mapped_by: Vec<String>,
}

/// Counts of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RowsReport {
    /// All.
    pub total: u64,
    /// Those that are switched on.
    pub active: u64,
    /// Those that aren't.
    pub inactive: u64,
    /// Those that can't be used, on or off.
    pub invalid: u64,
    /// What is wrong with the first of these.
    pub problems: Vec<RowProblem>,
    /// Some texts of the column `activate` that say neither yes nor no: their rows are off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unclear: Vec<String>,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RowProblem {
    /// Its place in the order of the uids, from 1.
    pub row: u64,
    /// The text that should name it.
    pub uid: String,
    /// What is wrong.
    pub message: String,
}

endpoints! {
    Post "/tenants/list" ListHubs => HubList;
    Post "/tenants/status" ReadTenants => TenantStatus;
    Post "/tenants/view" ViewTenant => TenantView;
    Post "/tenants/manifests" ReadManifests => Bundle;
    Post "/tenants/render" RenderRows => Started<RenderedRows>;
    Post "/tenants/lint" LintTenants => Started<LintReport>;
    Post "/tenants/test-connections" TestConnections => ConnectionTestList;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_values_travel_and_never_show() {
        let mut given = Given::default();
        given.insert(
            "environment variable PASSWORD".into(),
            Secret::new("hunter2"),
        );
        assert!(!format!("{given:?}").contains("hunter2"));
        let text = serde_json::to_string(&given).unwrap();
        let back: Given = serde_json::from_str(&text).unwrap();
        let value = back.get("environment variable PASSWORD");
        assert_eq!(value.map(Secret::expose), Some("hunter2"));
    }
}
