//! Use cases of `system` that the server answers.

use super::Services;
use crate::{
    api::system::{Check, CheckList, CheckResult, ServerStatus, ServerVersion},
    error::Result,
    store,
};

/// Version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Commit that this program was built from; `unknown` outside of a checkout.
pub const COMMIT: &str = match option_env!("WEFT_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// Who answers.
pub fn version() -> ServerVersion {
    ServerVersion {
        version: VERSION.to_owned(),
        commit: COMMIT.to_owned(),
    }
}

/// The state of this server.
pub fn status(services: &Services) -> ServerStatus {
    ServerStatus {
        pid: std::process::id(),
        version: VERSION.to_owned(),
        started_at: services.started_at(),
        running_operations: services.operations().running(),
    }
}

/// Tells the server to end.
pub fn stop(services: &Services) -> ServerStatus {
    let status = status(services);
    services.stopping().cancel();
    status
}

impl From<store::Check> for Check {
    fn from(check: store::Check) -> Self {
        let fix = check.fix.map(|fix| match fix {
            store::Fix::Recover => "weftctl system store recover".to_owned(),
            store::Fix::Restrict(path) => format!("chmod go-rwx {}", path.display()),
            store::Fix::RestoreKey(path) => {
                format!("put the right key file back: {}", path.display())
            }
            store::Fix::FreeSpace => "free disk space".to_owned(),
            store::Fix::Upgrade => "use a newer version of weftctl".to_owned(),
        });
        Self {
            name: check.name.to_owned(),
            result: if check.passed {
                CheckResult::Passed
            } else {
                CheckResult::Failed
            },
            detail: check.detail,
            fix,
        }
    }
}

/// Checks the store.
///
/// # Errors
/// None so far: what can't be checked is a failed check.
pub async fn check_store(services: &Services) -> Result<CheckList> {
    let checks = store::check(&services.store_options()).await;
    Ok(CheckList {
        items: checks.into_iter().map(Check::from).collect(),
    })
}
