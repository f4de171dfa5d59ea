//! `system check`, also `doctor`. A local command: it looks at this machine and its settings.

use std::{path::Path, time::Duration};

use serde::Serialize;

use super::server_file::ServerFile;
use crate::{
    api::system::{Check as CheckItem, CheckResult, CheckStore},
    cluster::Cluster,
    commands::{Outcome, design::ClusterArgs},
    config::Config,
    context::Context,
    error::{Code, Error, Result},
    output::{Column, Human, Table, View},
    service::source,
};

/// How long a cluster may take to answer.
const DEADLINE: Duration = Duration::from_secs(3);

/// Check this machine and its settings: exit 1 if something fails.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl system check --offline\n  weftctl doctor -o json --offline"
)]
pub struct Check {
    /// Ask nothing over the network
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
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

fn passed(name: &str, detail: impl Into<String>) -> CheckItem {
    item(name, CheckResult::Passed, detail, None)
}

/// What an error says, with the first thing to type against it.
fn of_error(name: &str, result: CheckResult, error: &Error) -> CheckItem {
    let detail = error.in_one_line();
    item(name, result, detail, error.hints().first().copied())
}

impl Check {
    /// Makes all checks, whatever the first ones say.
    pub async fn run(self, cx: &Context) -> Result<Outcome> {
        let mut items = vec![configuration(cx)];
        items.extend(self.store(cx).await);
        items.push(match ServerFile::read(&cx.home) {
            Ok(Some(file)) => passed("own-server", file.url()),
            Ok(None) => passed("own-server", "not running; commands work without one"),
            Err(error) => of_error("own-server", CheckResult::Failed, &error),
        });
        items.push(program(
            &["helm"],
            "renders charts",
            "install helm to import charts",
        ));
        items.push(program(
            &["kubectl", "kustomize"],
            "renders kustomizations",
            "install kubectl or kustomize to import kustomizations",
        ));
        items.extend(self.clusters(cx).await);
        let good = items.iter().all(|item| item.result != CheckResult::Failed);
        Ok(Outcome::from(SystemCheck { items }).answering(good))
    }

    /// The store, behind the chosen server if one is.
    async fn store(&self, cx: &Context) -> Vec<CheckItem> {
        let server = cx.config.get("server");
        if self.offline && !server.is_empty() {
            let detail = format!("{server} was not asked: --offline");
            return vec![passed("server", detail)];
        }
        let client = match cx.client().await {
            Ok(client) => client,
            Err(error) => return vec![of_error("server", CheckResult::Failed, &error)],
        };
        match client.call(&CheckStore {}).await {
            Ok(store) => store.items,
            Err(error) => vec![of_error("store", CheckResult::Failed, &error)],
        }
    }

    /// The clusters that commands would mean now, all at once.
    async fn clusters(&self, cx: &Context) -> Vec<CheckItem> {
        let kubeconfig = self.cluster.kubeconfig.as_deref();
        let known = match crate::cluster::context_names(kubeconfig) {
            Ok(known) => known,
            Err(error) => {
                let error = Error::from(error);
                return vec![of_error("kubeconfig", CheckResult::Warning, &error)];
            }
        };
        let named = self.cluster.contexts(cx);
        if known.is_empty() && named.is_empty() {
            let detail = "no context; only commands that need a cluster miss it";
            return vec![item("kubeconfig", CheckResult::Warning, detail, None)];
        }
        if self.offline {
            return vec![passed("kubeconfig", known.join(", "))];
        }
        let asked: Vec<Option<&str>> = if named.is_empty() {
            vec![None]
        } else {
            named.iter().map(|name| Some(name.as_str())).collect()
        };
        futures::future::join_all(asked.into_iter().map(|name| cluster(kubeconfig, name))).await
    }
}

/// The configuration, read once more: the command runs whatever is wrong with it.
fn configuration(cx: &Context) -> CheckItem {
    let file = cx.config.file();
    let folder = std::env::current_dir().ok();
    let variable = |name: &str| cx.surrounding.variable(name);
    let read = Config::load(file.to_owned(), folder.as_deref(), variable, &[]);
    let checked = read.and_then(|config| {
        config.require_file()?;
        config.named_context().map(|_| ())
    });
    match checked {
        Ok(()) => passed("configuration", file.display().to_string()),
        Err(error) => of_error("configuration", CheckResult::Failed, &error),
    }
}

/// Looks for the first of some programs that do the same.
fn program(names: &[&str], what: &str, fix: &str) -> CheckItem {
    match names.iter().find_map(|name| source::find_program(name)) {
        Some(path) => passed(names[0], format!("{}; {what}", path.display())),
        None => item(names[0], CheckResult::Warning, "not on the PATH", Some(fix)),
    }
}

/// Asks a cluster for its version; without a name the kubeconfig's current one.
async fn cluster(kubeconfig: Option<&Path>, context: Option<&str>) -> CheckItem {
    let name = context.map_or("cluster".to_owned(), |name| format!("cluster/{name}"));
    // A credential plug-in may take its time.
    let connecting = Cluster::connect(kubeconfig, context, DEADLINE);
    let cluster = match tokio::time::timeout(DEADLINE, connecting).await {
        Ok(Ok(cluster)) => cluster,
        Ok(Err(error)) => return of_error(&name, CheckResult::Warning, &error.into()),
        Err(_) => {
            let detail = format!("no connection within {} s", DEADLINE.as_secs());
            let fix = Code::ClusterUnreachable.entry().hint;
            return item(&name, CheckResult::Warning, detail, Some(fix));
        }
    };
    let name = format!("cluster/{}", cluster.context());
    match cluster.version().await {
        Ok(version) => passed(&name, version),
        Err(error) => of_error(&name, CheckResult::Warning, &error.into()),
    }
}
