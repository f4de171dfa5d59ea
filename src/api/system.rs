//! The wire of `system`: the server itself and its store.

use serde::{Deserialize, Serialize};

use super::endpoints;

/// Asks who answers.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ReadVersion {}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerVersion {
    /// Version of the program.
    pub version: String,
    /// Commit that it was built from.
    pub commit: String,
}

/// Asks for the state of the server.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ReadStatus {}

/// The state of a running server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerStatus {
    /// Process id.
    pub pid: u32,
    /// Version of the program.
    pub version: String,
    /// When it was started, RFC 3339 UTC.
    #[schemars(with = "String")]
    pub started_at: jiff::Timestamp,
    /// Operations at work.
    pub running_operations: u32,
}

/// Asks the server to finish what is in flight and end.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct StopServer {}

/// Asks for the checks of the store.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct CheckStore {}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// How it came out.
    pub result: CheckResult,
    /// What was seen.
    pub detail: String,
    /// What to type when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckResult {
    /// In order.
    Passed,
    /// Usable, but not as it should be.
    Warning,
    /// Not in order.
    Failed,
}

impl std::fmt::Display for CheckResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Passed => "passed",
            Self::Warning => "warning",
            Self::Failed => "failed",
        })
    }
}

/// The checks that were made.
pub type CheckList = super::Items<Check>;

endpoints! {
    Get "/version" ReadVersion => ServerVersion;
    Get "/status" ReadStatus => ServerStatus;
    Post "/stop" StopServer => ServerStatus;
    Get "/store/check" CheckStore => CheckList;
}
