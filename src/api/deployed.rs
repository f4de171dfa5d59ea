//! The wire of what is read of deployed designs: differences, events and logs.

use serde::{Deserialize, Serialize};

use super::{
    StreamRequest,
    deploy::Target,
    design::{DesignDiff, Fitting, Reference},
    endpoints,
    operation::Started,
};
use crate::error::Error;

/// Compares a design with what clusters have of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiffDeployed {
    /// The design.
    pub design: Reference,
    /// How it is fitted to each cluster.
    #[serde(default)]
    pub fitting: Fitting,
    /// Which clusters.
    #[serde(default)]
    pub target: Target,
    /// Tell of objects that the design no longer has, too.
    #[serde(default)]
    pub prune: bool,
}

/// Compares two revisions that clusters keep of a deployed design.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiffRevisions {
    /// The name of the design.
    pub name: String,
    /// Which clusters.
    #[serde(default)]
    pub target: Target,
    /// The number of the older one.
    pub from: u64,
    /// The number of the newer one; the newest unless given.
    #[serde(default)]
    pub to: Option<u64>,
}

/// Lists the events of what a deployed design consists of.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListEvents {
    /// The name of the design.
    pub name: String,
    /// Which clusters.
    #[serde(default)]
    pub target: Target,
    /// Only these types, such as `Warning`; all of them when there are none.
    #[serde(default)]
    pub types: Vec<String>,
}

/// Events, the newest last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventList {
    /// The events.
    pub items: Vec<EventSummary>,
    /// What could not be looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The clusters that could not be asked, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<crate::error::Body>,
}

/// Something that happened to an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventSummary {
    /// The kubeconfig context.
    pub context: String,
    /// The name of the event.
    pub name: String,
    /// When it happened last, RFC 3339 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub last_seen: Option<jiff::Timestamp>,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The reason in one word.
    pub reason: String,
    /// The kind of the object.
    pub kind: String,
    /// Its namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Its name.
    pub object: String,
    /// The id of the member that it is or belongs to.
    pub member: String,
    /// How often it happened.
    pub count: u64,
    /// What happened.
    pub message: String,
}

/// Reads what the containers of a deployed design wrote. Answered as a stream of [`LogPart`]s.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadLogs {
    /// The name of the design.
    pub name: String,
    /// Which clusters.
    #[serde(default)]
    pub target: Target,
    /// Only pods of these: `KIND/NAME`, or ids as [`MemberStatus`](super::deploy::MemberStatus) has
    /// them.
    #[serde(default)]
    pub resources: Vec<String>,
    /// Only containers of this name.
    #[serde(default)]
    pub container: Option<String>,
    /// How many lines of each container, from the end; all unless given.
    #[serde(default)]
    pub tail: Option<u64>,
    /// Only lines that are younger, in seconds.
    #[serde(default)]
    pub since_seconds: Option<u64>,
    /// What the containers wrote before they were restarted.
    #[serde(default)]
    pub previous: bool,
    /// Go on as lines come, until all pods have ended.
    #[serde(default)]
    pub follow: bool,
    /// How many containers are followed at most.
    #[serde(default = "most_followed")]
    pub most_followed: usize,
}

/// How many containers are followed at most, unless said otherwise.
pub const MOST_FOLLOWED: usize = 50;

fn most_followed() -> usize {
    MOST_FOLLOWED
}

impl StreamRequest for ReadLogs {
    const PATH: &'static str = "/designs/logs";
    type Item = LogPart;
}

/// A part of the logs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "is")]
pub enum LogPart {
    /// A container whose lines may come. Without `follow` all of them come before the first line.
    Source(LogSource),
    /// A line.
    Line(LogEntry),
    /// Something that the reader should know, such as a container that has not started.
    Note {
        /// One sentence.
        message: String,
    },
    /// The log of a container, or all logs of a cluster, cannot be read; the others go on.
    Unreadable {
        /// Why.
        error: Error,
    },
}

/// A container that writes.
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct LogSource {
    /// The kubeconfig context.
    pub context: String,
    /// The namespace of the pod.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
}

/// A line that a container wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogEntry {
    /// Who wrote it.
    #[serde(flatten)]
    pub source: LogSource,
    /// When, as its node says, RFC 3339; absent where it doesn't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The line.
    pub line: String,
}

endpoints! {
    Post "/designs/diff/deployed" DiffDeployed => Started<DesignDiff>;
    Post "/designs/events" ListEvents => EventList;
    Post "/designs/diff/revisions" DiffRevisions => DesignDiff;
}
