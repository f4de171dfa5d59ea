//! `tenant plan`, `tenant apply` and `tenant prune`: what rows and forms make, in clusters.

use std::path::PathBuf;

use super::{TenantArgs, metrics::MetricsFile};
use crate::{
    api::{
        deploy::{DeployDesign, DeployOptions, Goal, Mode, Removal},
        tenant::MaxDelete,
    },
    commands::{
        Outcome,
        design::{
            cluster::{MayArgs, RunArgs, TargetArgs, finished, shown, tell, with_failures},
            deploy::saved,
        },
    },
    context::Context,
    error::Result,
};

/// Show what would change, by row and object: exit 1 if anything would.
///
/// It reads the table, makes the objects of its active rows, and compares them with the cluster.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl tenant plan ./crm\n  weftctl tenant plan ./crm -o json > plan.json"
)]
pub(super) struct Plan {
    #[command(flatten)]
    tenants: TenantArgs,
    #[command(flatten)]
    may: MayArgs,
    #[command(flatten)]
    target: TargetArgs,
}

impl Plan {
    /// Looks at the rows and the clusters.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let target = self.target.target(cx, self.tenants.namespace(cx))?;
        let goal = Goal::Rows {
            tenants: self.tenants.load(cx, &target).await?,
            max_delete: None,
            removal: Removal::With,
            migrate: false,
        };
        let mut request = DeployDesign::new(goal, target, self.may.options());
        request.mode = Mode::Plan;
        let plan = cx.run(&request).await?;
        tell(cx, &plan);
        let same = !plan.resources.iter().any(|one| one.action.is_change());
        Ok(with_failures(plan).answering(same))
    }
}

/// Make the cluster hold the objects of all active rows, and no others.
///
/// Rows that are gone or switched off lose their objects, at most a tenth of them in one run unless
/// --max-delete says otherwise. A row that can't be used keeps what it has, and the others go on. It waits
/// until every object is ready, has failed, or its time is over.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl tenant apply ./crm --yes\n  weftctl tenant apply ./crm --dry-run=server\n  weftctl tenant apply ./crm --max-delete 25% --metrics-file crm.prom"
)]
pub(super) struct Apply {
    #[command(flatten)]
    tenants: TenantArgs,
    /// Only say what would be done: plan from what is seen in the cluster, or ask the API server, too
    #[arg(long, value_name = "WHERE", value_parser = ["client", "server"])]
    dry_run: Option<String>,
    /// Do exactly what a plan of tenant plan -o json says, or nothing
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with_all = ["adopt", "replace", "force_conflicts", "dry_run"])]
    plan: Option<PathBuf>,
    /// End when everything is written
    #[arg(long)]
    no_wait: bool,
    /// How many rows may lose their objects: a count, or a share as 25%; 10% unless given, and none when no
    /// row is active
    #[arg(long, value_name = "ROWS")]
    max_delete: Option<MaxDelete>,
    /// Write metrics of the run to a file, for a collector of text files; what they counted there goes on
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with = "dry_run")]
    metrics_file: Option<PathBuf>,
    #[command(flatten)]
    may: MayArgs,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    target: TargetArgs,
}

impl Apply {
    /// Has it done.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let target = self.target.target(cx, self.tenants.namespace(cx))?;
        let goal = Goal::Rows {
            tenants: self.tenants.load(cx, &target).await?,
            max_delete: self.max_delete,
            removal: Removal::With,
            migrate: false,
        };
        let options = DeployOptions {
            wait: !self.no_wait,
            ..self.run.options(self.may.options())
        };
        let mut request = DeployDesign::new(goal, target, options);
        match self.dry_run.as_deref() {
            None => {}
            Some("server") => return shown(cx, request, Mode::DryRun).await,
            Some(_) => return shown(cx, request, Mode::Plan).await,
        }
        if let Some(file) = &self.plan {
            saved(file)?.apply(&mut request)?;
        }
        let destroys = self.plan.is_none();
        let Some(file) = &self.metrics_file else {
            return self.run.perform(cx, request, destroys).await;
        };
        let report = MetricsFile::open(file, cx, &request)?;
        let action = request.goal.action();
        let result = self.run.performed(cx, request, destroys).await;
        report.write(&result)?;
        Ok(finished(cx, result?, action))
    }
}

/// Remove what has lost its row, or its entry in a form; write nothing else.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl tenant prune ./crm\n  weftctl tenant prune ./crm --max-delete 25% --yes"
)]
pub(super) struct Prune {
    #[command(flatten)]
    tenants: TenantArgs,
    /// Only say what would go: plan from what is seen in the cluster, or ask the API server, too
    #[arg(long, value_name = "WHERE", value_parser = ["client", "server"])]
    dry_run: Option<String>,
    /// How many rows may lose their objects: a count, or a share as 25%; 10% unless given, and none when no
    /// row is active
    #[arg(long, value_name = "ROWS")]
    max_delete: Option<MaxDelete>,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    target: TargetArgs,
}

impl Prune {
    /// Has it done.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let target = self.target.target(cx, self.tenants.namespace(cx))?;
        let goal = Goal::Rows {
            tenants: self.tenants.load(cx, &target).await?,
            max_delete: self.max_delete,
            removal: Removal::Only,
            migrate: false,
        };
        let request = DeployDesign::new(goal, target, self.run.options(DeployOptions::default()));
        match self.dry_run.as_deref() {
            None => self.run.perform(cx, request, true).await,
            Some("server") => shown(cx, request, Mode::DryRun).await,
            Some(_) => shown(cx, request, Mode::Plan).await,
        }
    }
}
