//! `tenant render`: what rows and forms make, as manifests.

use super::TenantArgs;
use crate::{
    api::tenant::{RenderRows, RenderedRows},
    commands::{
        Outcome,
        design::{ClusterArgs, render::names_of},
    },
    context::Context,
    error::{Error, Result},
    output::{Human, View},
};

/// Print the objects of rows; nothing is written anywhere.
///
/// It reads the table, and makes the objects of its active rows. What can't be made is named with its row.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl tenant render ./crm\n  weftctl tenant render ./crm --row acme -o json"
)]
pub(super) struct Render {
    #[command(flatten)]
    tenants: TenantArgs,
    /// Only the row with this uid (repeatable)
    #[arg(long = "row", value_name = "UID")]
    rows: Vec<String>,
    /// Values of Secrets in plain text instead of masked
    #[arg(long)]
    include_secrets: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
}

impl Render {
    /// Has them made.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let target = self.cluster.target(cx, self.tenants.namespace(cx))?;
        let request = RenderRows {
            tenants: self.tenants.load(cx, &target).await?,
            rows: self.rows,
            include_secrets: self.include_secrets,
            target,
        };
        let rendered = cx.run(&request).await?;
        for finding in &rendered.findings {
            cx.terminal.warn(finding.to_string());
        }
        let failures = Error::of_bodies(&rendered.failures);
        Ok(Outcome::from(rendered).short_of(failures))
    }
}

impl View for RenderedRows {
    const KIND: &'static str = "RenderedRows";

    fn human(&self) -> Human {
        let documents = self.items.iter().map(weft_domain::yaml::to_string);
        Human::Text(documents.collect::<Vec<_>>().join("---\n"))
    }

    fn names(&self) -> Vec<String> {
        names_of(&self.items)
    }
}
