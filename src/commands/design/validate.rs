//! `design validate`

use super::source::{ClusterArgs, DesignArgs, SchemaArgs};
use crate::{
    api::design::{ValidateDesign, ValidationReport},
    commands::Outcome,
    context::Context,
    error::Result,
    output::{Human, Report, View},
};
use weft_domain::check::Severity;

mod report;

/// The report formats of this command.
pub(super) const REPORTS: &[Report] = &[Report::Junit, Report::Sarif];

/// Check a design against the schemas of its kinds: exit 1 if it is not valid.
///
/// Without --context the built-in Kubernetes model counts, with it the cluster's own schemas.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design validate shop.yaml\n  weftctl design validate shop.yaml -o sarif\n\nMore formats: junit, sarif."
)]
pub(super) struct Validate {
    /// Count warnings as errors
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    design: DesignArgs,
    #[command(flatten)]
    schemas: SchemaArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
}

impl View for ValidationReport {
    const KIND: &'static str = "ValidationReport";

    fn human(&self) -> Human {
        Human::Text(report::text(self))
    }

    fn names(&self) -> Vec<String> {
        self.checked
            .iter()
            .map(|id| format!("resource/{id}"))
            .collect()
    }

    fn report(&self, report: Report) -> Option<String> {
        match report {
            Report::Junit => Some(report::junit(self)),
            Report::Sarif => Some(report::sarif(self)),
            Report::Markdown => None,
        }
    }
}

impl Validate {
    /// Asks for the findings.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let design = self.design.resolve(cx).await?;
        let contexts = self.cluster.contexts(cx);
        let request = ValidateDesign {
            fitting: match contexts.as_slice() {
                [] => self.design.fitting(cx, &design, None).await?,
                [context, ..] => {
                    let fitting = self.design.fitting(cx, &design, Some(&contexts)).await?;
                    fitting.of_context(context)
                }
            },
            design,
            namespace: self.design.namespace(cx),
            schemas: self
                .schemas
                .load(cx, &self.design, Some(&self.cluster))
                .await?,
        };
        let mut report = cx.client().await?.hand_over(request).await?;
        super::tell(cx, &report.notes);
        if self.strict {
            for finding in &mut report.findings {
                finding.severity = Severity::Error;
            }
            report.valid = report.findings.is_empty();
        }
        let valid = report.valid;
        Ok(Outcome::from(report).answering(valid))
    }
}
