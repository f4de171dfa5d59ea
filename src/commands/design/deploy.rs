//! `design deploy`

use super::{
    cluster::{RunArgs, TargetArgs, WriteArgs, shown, tell},
    source::{DesignArgs, SchemaArgs},
};
use crate::{
    api::{
        deploy::{DeployDesign, DeployOptions, Goal, Mode},
        design::{DeployResult, PlanDesign},
    },
    commands::Outcome,
    context::Context,
    error::Result,
    output::{Column, Human, Table, View},
};

/// Deploy a design: write what differs, and nothing else.
///
/// Each design is a set of objects of its own in the cluster, with an inventory, a field manager and
/// revisions to go back to. --dry-run=client needs no cluster: it checks the design, orders what
/// would be written, and says what would be waited for; --dry-run=server asks the API server, too.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design deploy shop.yaml --dry-run=client\n  weftctl design deploy shop.yaml --dry-run=client -o json"
)]
pub(super) struct Deploy {
    /// Only say what would happen: client asks no cluster, server asks whether it would take it
    #[arg(long, value_name = "WHERE", value_parser = ["client", "server"])]
    dry_run: Option<String>,
    /// Delete objects that the design no longer has
    #[arg(long)]
    prune: bool,
    /// Take over objects that exist without this design
    #[arg(long)]
    adopt: bool,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    design: DesignArgs,
    #[command(flatten)]
    schemas: SchemaArgs,
    #[command(flatten)]
    target: TargetArgs,
}

impl View for DeployResult {
    const KIND: &'static str = "DeployResult";

    fn human(&self) -> Human {
        let planned = !self.dry_run.is_empty();
        let mut columns = vec![
            Column::new("ACTION"),
            Column::new("KIND"),
            Column::new("NAMESPACE"),
            Column::new("NAME"),
        ];
        if planned {
            columns.insert(0, Column::new("LEVEL"));
        }
        columns.extend([
            Column::new("CONTEXT").wide(),
            Column::new("API VERSION").wide(),
        ]);
        let offline = self.dry_run == "client";
        columns.extend(if planned {
            vec![
                Column::new("WAITS FOR"),
                Column::new("BECAUSE").wide(),
                if offline {
                    Column::new("REASON").wide()
                } else {
                    Column::new("REASON")
                },
            ]
        } else {
            vec![
                Column::new("READY"),
                Column::new("WAITS FOR"),
                Column::new("REASON"),
            ]
        });
        let mut table = Table::new(columns);
        for resource in &self.resources {
            let mut cells = vec![
                resource.action.to_string(),
                resource.kind.clone(),
                resource.namespace.clone(),
                resource.name.clone(),
            ];
            if planned {
                cells.insert(0, resource.level.to_string());
            }
            cells.extend([resource.context.clone(), resource.api_version.clone()]);
            if planned {
                let waits = resource.waits.iter();
                let (waits, because): (Vec<_>, Vec<_>) = waits
                    .map(|wait| (format!("{} {}", wait.on, wait.until), wait.why.to_string()))
                    .unzip();
                cells.extend([waits.join(", "), because.join(", ")]);
            } else {
                let ready = if resource.ready { "yes" } else { "no" };
                cells.extend([ready.to_owned(), resource.waiting_for.clone()]);
            }
            cells.push(resource.reason.clone());
            table.row(cells);
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
        let actions = match actions.as_slice() {
            [] => "nothing to do".to_owned(),
            actions => actions.join(", "),
        };
        Some(match (self.dry_run.as_str(), self.revision) {
            ("", Some(revision)) => format!("{}: {actions}, revision {revision}", self.design),
            ("", None) => format!("{}: {actions}", self.design),
            _ => format!("plan of {}: {actions} (dry run)", self.design),
        })
    }
}

impl Deploy {
    /// Plans offline, or has it done.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let design = self.design.resolve(cx).await?;
        let schemas = self.schemas.load(cx, &self.design, None).await?;
        let namespace = self.design.namespace(cx);
        if self.dry_run.as_deref() == Some("client") {
            let request = PlanDesign {
                design,
                namespace,
                contexts: self.target.known(cx)?,
                schemas,
            };
            let plan = cx.client().await?.hand_over(request).await?;
            tell(cx, &plan);
            return Ok(plan.into());
        }
        let options = DeployOptions {
            prune: self.prune,
            adopt: self.adopt,
            ..self.run.options(self.write.options())
        };
        let target = self.target.target(cx, namespace)?;
        let request = DeployDesign::new(Goal::Design { design, schemas }, target, options);
        if self.dry_run.is_some() {
            return shown(cx, request, Mode::DryRun).await;
        }
        let destroys = self.prune || request.options.replace;
        self.run.perform(cx, request, destroys).await
    }
}
