//! `design plan`

use super::{
    cluster::{TargetArgs, tell, with_failures},
    deploy::field_manager,
    source::{DesignArgs, SchemaArgs},
};
use crate::{
    api::deploy::{DeployDesign, DeployOptions, Goal, Mode},
    commands::Outcome,
    context::Context,
    error::Result,
};

/// Show what a deployment would change: exit 1 if anything would.
///
/// It reads the cluster and compares. What only the server can judge, such as validation and admission,
/// is asked by design deploy --dry-run=server.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design plan settings.yaml --context sandbox\n  weftctl design plan settings.yaml --prune -o json"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Plan {
    /// Delete objects that the design no longer has
    #[arg(long)]
    prune: bool,
    /// Take over objects that exist without this design
    #[arg(long)]
    adopt: bool,
    /// Delete and create anew what can't be changed
    #[arg(long)]
    replace: bool,
    /// Take fields over that other managers own
    #[arg(long)]
    force_conflicts: bool,
    /// Another field manager than one for this design alone, when it is deployed for the first time
    #[arg(long, value_name = "NAME", value_parser = field_manager, hide_short_help = true)]
    field_manager: Option<String>,
    #[command(flatten)]
    design: DesignArgs,
    #[command(flatten)]
    schemas: SchemaArgs,
    #[command(flatten)]
    target: TargetArgs,
}

impl Plan {
    /// Looks at the clusters.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let target = self.target.target(cx, self.design.namespace(cx))?;
        let design = self.design.resolve(cx).await?;
        let contexts = Some(target.contexts.as_slice());
        let goal = Goal::Design {
            fitting: self.design.fitting(cx, &design, contexts).await?,
            design,
            schemas: self.schemas.load(cx, self.design.source(), None).await?,
        };
        let options = DeployOptions {
            prune: self.prune,
            adopt: self.adopt,
            replace: self.replace,
            force_conflicts: self.force_conflicts,
            ..DeployOptions::default()
        };
        let mut request = DeployDesign::new(goal, target, options);
        request.mode = Mode::Plan;
        request.field_manager = self.field_manager;
        let plan = cx.run(&request).await?;
        tell(cx, &plan);
        let same = !plan.resources.iter().any(|one| one.action.is_change());
        Ok(with_failures(plan).answering(same))
    }
}
