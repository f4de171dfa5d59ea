//! `design rollback`

use super::cluster::{NamespaceArgs, RunArgs, TargetArgs, tell};
use crate::{
    api::deploy::{DeployDesign, Goal, Mode},
    commands::{Outcome, completion, name_of},
    context::Context,
    error::Result,
};

/// Make the clusters look as an earlier revision says; what it didn't have is deleted.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design rollback shop --to 1 --dry-run=server\n  weftctl design rollback shop --to 1 --context sandbox --dry-run=server"
)]
pub(super) struct Rollback {
    /// The name of the design
    #[arg(add = completion::stored(), value_parser = name_of("design"))]
    name: String,
    /// The number of the revision
    #[arg(long, value_name = "REVISION")]
    to: u64,
    /// Only say what would happen; the cluster is asked either way
    #[arg(long, value_name = "WHERE", value_parser = ["client", "server"])]
    dry_run: Option<String>,
    #[command(flatten)]
    namespace: NamespaceArgs,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    target: TargetArgs,
}

impl Rollback {
    /// Shows what would change, asks, then does just that.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let request = DeployDesign {
            target: self.target.target(cx, self.namespace.get(cx))?,
            goal: Goal::Revision {
                name: self.name,
                number: self.to,
            },
            options: self.run.options(),
            mode: if self.dry_run.is_some() {
                Mode::Plan
            } else {
                Mode::Perform
            },
            expected: std::collections::BTreeMap::new(),
        };
        if self.dry_run.is_some() {
            let plan = cx.run(&request).await?;
            tell(cx, &plan);
            return Ok(plan.into());
        }
        self.run.perform(cx, request, true).await
    }
}
