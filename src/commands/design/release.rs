//! `design release`

use super::cluster::{NamespaceArgs, RunArgs, TargetArgs, tell};
use crate::{
    api::deploy::{DeployDesign, Goal, Mode},
    commands::{Outcome, completion, name_of},
    context::Context,
    error::Result,
};

/// Let go of what a design has deployed: every object stays as it is.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design release shop --dry-run=server\n  weftctl design release shop --context sandbox --dry-run=server"
)]
pub(super) struct Release {
    /// The name of the design
    #[arg(add = completion::stored(), value_parser = name_of("design"))]
    name: String,
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

impl Release {
    /// Shows what would change, asks, then does just that.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let request = DeployDesign {
            target: self.target.target(cx, self.namespace.get(cx))?,
            goal: Goal::Nothing {
                name: self.name,
                release: true,
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
