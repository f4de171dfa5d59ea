//! `design validate`

use super::source::{ClusterArgs, DesignArgs, SchemaArgs};
use crate::{
    api::design::{ValidateDesign, ValidationReport},
    commands::{
        Outcome,
        findings::{self, Checked},
    },
    context::Context,
    error::Result,
    output::{Human, Report, View, human},
};

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
        let verdict = if self.valid { "valid" } else { "not valid" };
        let resources = human::plural(self.resources as usize, "resource");
        let found = human::plural(self.findings.len(), "finding");
        Human::Text(format!(
            "{}{} is {verdict}: {resources} checked against {}, {found}\n",
            findings::text(&self.findings),
            self.design,
            self.model
        ))
    }

    fn names(&self) -> Vec<String> {
        self.checked
            .iter()
            .map(|id| format!("resource/{id}"))
            .collect()
    }

    fn report(&self, report: Report) -> Option<String> {
        let checked = Checked {
            name: &self.design,
            subjects: &self.checked,
            findings: &self.findings,
        };
        checked.report(report)
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
                .load(cx, self.design.source(), Some(&self.cluster))
                .await?,
        };
        let mut report = cx.client().await?.hand_over(request).await?;
        super::tell(cx, &report.notes);
        if self.strict {
            report.valid = findings::be_strict(&mut report.findings);
        }
        let valid = report.valid;
        Ok(Outcome::from(report).answering(valid))
    }
}
