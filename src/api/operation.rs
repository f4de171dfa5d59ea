//! Operations: work that outlives its request. `POST` answers with an [`Operation`]; its events
//! stream until it ends; it can be cancelled; its outcome is kept.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::endpoints;
use crate::error::Error;

/// An operation that was started, and the type of its outcome.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Started<T> {
    /// The operation.
    pub id: String,
    #[serde(skip)]
    outcome: std::marker::PhantomData<fn() -> T>,
}

impl<T> Started<T> {
    /// Names an operation whose outcome is a `T`.
    pub fn new(id: String) -> Self {
        Self {
            id,
            outcome: std::marker::PhantomData,
        }
    }
}

/// How far an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// At work.
    Running,
    /// Ended with an outcome.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Ended because it was cancelled.
    Cancelled,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        })
    }
}

/// An operation, running or done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Its id.
    pub id: String,
    /// What it does, for example `design import`.
    pub action: String,
    /// What it does it to.
    pub subject: String,
    /// How far it is.
    pub state: State,
    /// When it was started, RFC 3339 UTC.
    #[schemars(with = "String")]
    pub started_at: jiff::Timestamp,
    /// When it ended, RFC 3339 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ended_at: Option<jiff::Timestamp>,
    /// Why it failed, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What an operation says while it runs; numbered from 1, so that a reader can resume.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum Event {
    /// A step has begun.
    Step {
        /// What is done, for example `reading 3 files`.
        message: String,
    },
    /// Part of a step is done.
    Progress {
        /// How many.
        done: u64,
        /// Of how many.
        total: u64,
    },
    /// Something that the user should know.
    Warning {
        /// One sentence.
        message: String,
    },
    /// The end: the outcome. No event follows.
    Succeeded {
        /// The outcome, of the type that the started operation names.
        outcome: serde_json::Value,
    },
    /// The end: why it failed. No event follows.
    Failed {
        /// The error.
        error: Error,
    },
}

impl Event {
    /// Whether no event follows.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Succeeded { .. } | Self::Failed { .. })
    }
}

/// Lists operations, newest first.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListOperations {
    /// Stop after this many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Reads one operation.
#[derive(Debug, Serialize, Deserialize)]
pub struct ViewOperation {
    /// Its id.
    pub id: String,
}

/// Cancels an operation; one that has ended stays as it is.
#[derive(Debug, Serialize, Deserialize)]
pub struct CancelOperation {
    /// Its id.
    pub id: String,
}

/// The list of operations.
pub type OperationList = super::Items<Operation>;

/// The path of an operation's event stream, below [`super::BASE`].
pub const EVENTS: &str = "/operations/{id}/events";

endpoints! {
    Get "/operations" ListOperations => OperationList;
    Get "/operations/{id}" ViewOperation => Operation;
    Delete "/operations/{id}" CancelOperation => Operation;
}

/// A request whose reply is a started operation.
pub trait LongRequest: super::Request<Reply = Started<Self::Outcome>> {
    /// What the operation gives in the end.
    type Outcome: Serialize + DeserializeOwned + Send + 'static;
}

impl<R, T> LongRequest for R
where
    R: super::Request<Reply = Started<T>>,
    T: Serialize + DeserializeOwned + Send + 'static,
{
    type Outcome = T;
}
