//! `system check`, also `doctor`. A local command: it looks at this machine and its settings.

use std::time::Duration;

use serde::Serialize;

use super::server_file::ServerFile;
use crate::{
    api::system::{Check as CheckItem, CheckResult, CheckStore},
    commands::Outcome,
    context::Context,
    error::Result,
    output::{Column, Human, Table, View},
    service::source,
};

/// Check this machine and its settings: exit 1 if something fails.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl system check --offline\n  weftctl doctor -o json --offline"
)]
pub struct Check {
    /// Ask nothing over the network
    #[arg(long)]
    offline: bool,
}

/// What was checked.
#[derive(Serialize, schemars::JsonSchema)]
pub struct SystemCheck {
    items: Vec<CheckItem>,
}

impl View for SystemCheck {
    const KIND: &'static str = "SystemCheck";

    fn human(&self) -> Human {
        Human::Table(table(&self.items))
    }

    fn names(&self) -> Vec<String> {
        self.items
            .iter()
            .map(|item| format!("check/{}", item.name))
            .collect()
    }
}

/// Checks as rows, for every command that has some.
pub(super) fn table(items: &[CheckItem]) -> Table {
    let mut table = Table::new([
        Column::new("CHECK"),
        Column::new("RESULT"),
        Column::new("DETAIL"),
        Column::new("FIX"),
    ]);
    for item in items {
        table.row([
            item.name.as_str(),
            &item.result.to_string(),
            &item.detail,
            item.fix.as_deref().unwrap_or(""),
        ]);
    }
    table
}

fn item(
    name: &str,
    result: CheckResult,
    detail: impl Into<String>,
    fix: Option<&str>,
) -> CheckItem {
    CheckItem {
        name: name.to_owned(),
        result,
        detail: detail.into(),
        fix: fix.map(str::to_owned),
    }
}

impl Check {
    /// Makes all checks, whatever the first ones say.
    pub async fn run(self, cx: &Context) -> Result<Outcome> {
        let mut items = vec![item(
            "configuration",
            CheckResult::Passed,
            cx.config.file().display().to_string(),
            None,
        )];
        let client = cx.client().await;
        match client {
            Ok(client) => match client.call(&CheckStore {}).await {
                Ok(store) => items.extend(store.items),
                Err(error) => items.push(CheckItem {
                    name: "store".to_owned(),
                    result: CheckResult::Failed,
                    detail: error.to_string(),
                    fix: error.hints().first().map(|hint| (*hint).to_owned()),
                }),
            },
            Err(error) => items.push(item("server", CheckResult::Failed, error.to_string(), None)),
        }
        items.push(match ServerFile::read(&cx.home) {
            Ok(Some(file)) => item("own-server", CheckResult::Passed, file.url(), None),
            Ok(None) => item(
                "own-server",
                CheckResult::Passed,
                "not running; commands work without one",
                None,
            ),
            Err(error) => item("own-server", CheckResult::Failed, error.to_string(), None),
        });
        for (program, what, fix) in [
            ("helm", "renders charts", "install helm to import charts"),
            (
                "kubectl",
                "renders kustomizations",
                "install kubectl or kustomize to import kustomizations",
            ),
        ] {
            items.push(match source::find_program(program) {
                Some(path) => item(
                    program,
                    CheckResult::Passed,
                    format!("{}; {what}", path.display()),
                    None,
                ),
                None => item(program, CheckResult::Warning, "not on the PATH", Some(fix)),
            });
        }
        items.extend(self.clusters(cx).await);
        let good = items.iter().all(|item| item.result != CheckResult::Failed);
        Ok(Outcome::from(SystemCheck { items }).answering(good))
    }

    async fn clusters(&self, _cx: &Context) -> Vec<CheckItem> {
        let contexts = match crate::cluster::context_names(None) {
            Ok(contexts) if contexts.is_empty() => {
                return vec![item(
                    "kubeconfig",
                    CheckResult::Warning,
                    "no context; only commands that need a cluster miss it",
                    None,
                )];
            }
            Ok(contexts) => contexts,
            Err(error) => {
                return vec![item(
                    "kubeconfig",
                    CheckResult::Warning,
                    error.to_string(),
                    Some("kubectl config view"),
                )];
            }
        };
        if self.offline {
            return vec![item(
                "kubeconfig",
                CheckResult::Passed,
                contexts.join(", "),
                None,
            )];
        }
        let mut items = Vec::new();
        for context in contexts {
            let asked =
                crate::cluster::Cluster::connect(None, Some(&context), Duration::from_secs(3))
                    .await;
            let name = format!("cluster/{context}");
            items.push(match asked {
                Ok(cluster) => match cluster.version().await {
                    Ok(version) => item(&name, CheckResult::Passed, version, None),
                    Err(error) => item(
                        &name,
                        CheckResult::Warning,
                        error.to_string(),
                        Some("kubectl version"),
                    ),
                },
                Err(error) => item(
                    &name,
                    CheckResult::Warning,
                    error.to_string(),
                    Some("kubectl config view"),
                ),
            });
        }
        items
    }
}
