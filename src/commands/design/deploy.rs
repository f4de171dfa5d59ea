//! `design deploy`
//!
//! Only the plan without a cluster so far; the apply engine adds the rest behind the same view.

use super::source::{ClusterArgs, DesignArgs, SchemaArgs};
use crate::{
    api::design::{DeployResult, PlanDesign},
    commands::Outcome,
    context::Context,
    error::Result,
    output::{Column, Human, Table, View},
};

/// Plan the deployment of a design.
///
/// --dry-run=client needs no cluster: it checks the design, orders what would be written, and
/// says what would be waited for.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design deploy shop.yaml --dry-run=client\n  weftctl design deploy shop.yaml --dry-run=client -o json"
)]
pub(super) struct Deploy {
    /// Only plan: client asks no cluster
    #[arg(long, value_name = "WHERE", value_parser = ["client"], required = true)]
    dry_run: String,
    #[command(flatten)]
    design: DesignArgs,
    #[command(flatten)]
    schemas: SchemaArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
}

impl View for DeployResult {
    const KIND: &'static str = "DeployResult";

    fn human(&self) -> Human {
        let mut table = Table::new([
            Column::new("LEVEL"),
            Column::new("ACTION"),
            Column::new("KIND"),
            Column::new("NAMESPACE"),
            Column::new("NAME"),
            Column::new("CONTEXT").wide(),
            Column::new("API VERSION").wide(),
            Column::new("WAITS FOR"),
            Column::new("BECAUSE").wide(),
            Column::new("REASON").wide(),
        ]);
        for resource in &self.resources {
            let waits = resource.waits.iter();
            let (waits, because): (Vec<_>, Vec<_>) = waits
                .map(|wait| (format!("{} {}", wait.on, wait.until), wait.why.to_string()))
                .unzip();
            table.row([
                resource.level.to_string(),
                resource.action.to_string(),
                resource.kind.clone(),
                resource.namespace.clone(),
                resource.name.clone(),
                resource.context.clone(),
                resource.api_version.clone(),
                waits.join(", "),
                because.join(", "),
                resource.reason.clone(),
            ]);
        }
        Human::Table(table)
    }

    fn names(&self) -> Vec<String> {
        self.resources
            .iter()
            .map(|resource| format!("resource/{}", resource.id))
            .collect()
    }

    fn summary(&self) -> Option<String> {
        let counts = self.summary.counts();
        let actions: Vec<String> = counts
            .map(|(action, count)| format!("{count} {action}"))
            .collect();
        Some(format!(
            "plan of {}: {} (dry run)",
            self.design,
            actions.join(", ")
        ))
    }
}

impl Deploy {
    /// Asks for the plan.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let request = PlanDesign {
            design: self.design.resolve(cx).await?,
            namespace: self.design.namespace(cx),
            contexts: self.cluster.known(cx)?,
            schemas: self.schemas.load(cx, &self.design, None).await?,
        };
        let plan = cx.client().await?.hand_over(request).await?;
        super::tell(cx, &plan.notes);
        for warning in &plan.warnings {
            cx.terminal.warn(warning.to_string());
        }
        Ok(plan.into())
    }
}
