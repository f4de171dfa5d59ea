//! `tenant migrate`: from the operator to a set of our own.

use std::path::{Path, PathBuf};

use super::TenantArgs;
use crate::{
    api::{
        deploy::{DeployDesign, DeployOptions, Goal, Mode, Removal},
        design::File,
    },
    commands::{
        Outcome,
        design::cluster::{RunArgs, TargetArgs, finished, shown},
        files::{Shape, Target},
    },
    context::Context,
    error::Result,
    service::tenant::read,
};

/// Take over what the operator has made of rows; nothing is deleted, created anew or restarted.
///
/// The objects keep their identity: the operator's fields become ours, and its labels, annotations and owner
/// references go, so that they outlive its own resources. What it has not made is not taken. Stop the operator
/// before, or it puts its marks on again. Afterwards its resources can be deleted, whose finalizers are taken
/// off, and tenant apply or tenant watch goes on with the files that --to has written.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl tenant migrate ./crm --context sandbox --dry-run=client\n  weftctl tenant migrate ./crm --context sandbox --to ./migrated --yes"
)]
pub(super) struct Migrate {
    #[command(flatten)]
    tenants: TenantArgs,
    /// Only say what would be done: plan from what is seen in the cluster, or ask the API server, too
    #[arg(long, value_name = "WHERE", value_parser = ["client", "server"])]
    dry_run: Option<String>,
    /// Write hub and forms into this folder, under the names that they have now
    #[arg(long, value_name = "FOLDER", value_hint = clap::ValueHint::DirPath)]
    to: Option<PathBuf>,
    /// Replace files that are there
    #[arg(long, requires = "to")]
    force: bool,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    target: TargetArgs,
}

impl Migrate {
    /// Has it done.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let target = self.target.target(cx, self.tenants.namespace(cx))?;
        let tenants = self.tenants.load(cx, &target).await?;
        let mut files = Vec::new();
        if self.to.is_some() {
            let (services, source) = (cx.services().await, tenants.source.clone());
            files = read::renamed(services, source, tenants.hub.clone()).await?;
        }
        let goal = Goal::Rows {
            tenants,
            max_delete: None,
            removal: Removal::Never,
            migrate: true,
        };
        let options = self.run.options(DeployOptions::default());
        let request = DeployDesign::new(goal, target, options);
        match self.dry_run.as_deref() {
            None => {}
            Some("server") => return shown(cx, request, Mode::DryRun).await,
            Some(_) => return shown(cx, request, Mode::Plan).await,
        }
        if let Some(to) = &self.to {
            // Before anything else: without them nobody could go on.
            self.write(to, &files)?;
        }
        let action = request.goal.action();
        let result = self.run.performed(cx, request, false).await?;
        Ok(finished(cx, result, action))
    }

    fn write(&self, to: &Path, files: &[File]) -> Result<()> {
        let target = Target {
            to,
            shape: Shape::Folder,
            force: self.force,
            private: false,
        };
        target.write(files)
    }
}
