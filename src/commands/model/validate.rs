//! `model validate`. A local command: it only looks at files.

use std::fmt::Write;

use crate::{
    api::model::ModelReport,
    commands::{
        Outcome,
        design::{source::LimitArgs, tell},
        findings::{self, Checked},
    },
    context::Context,
    error::Result,
    output::{Human, Report, View, human::plural},
    service::registry,
};

/// Check models: exit 1 if they are not valid.
///
/// A source is a file, a folder, an archive, or an image that holds one, with models, components, relationships and
/// kinds of connections in any schema version; what is below the folder of a model belongs to it.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl model validate ./acme-queue\n  weftctl model validate acme-queue.tar.gz -o sarif\n\nMore formats: junit, sarif."
)]
pub(super) struct Validate {
    /// A file, folder, archive or http(s) address, or - for standard input
    #[arg(value_name = "SOURCE", value_hint = clap::ValueHint::AnyPath)]
    source: String,
    /// Count warnings as errors
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    limits: LimitArgs,
}

impl Validate {
    /// Looks at the definitions.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let bundle = self.limits.definitions(cx, &self.source).await?;
        let mut report = registry::validate(bundle).await?;
        tell(cx, &report.notes);
        if self.strict {
            report.valid = findings::be_strict(&mut report.findings);
        }
        let valid = report.valid;
        Ok(Outcome::from(report).answering(valid))
    }
}

impl View for ModelReport {
    const KIND: &'static str = "ModelReport";

    fn human(&self) -> Human {
        let mut text = findings::text(&self.findings);
        for model in &self.models {
            let counts = [
                plural(model.components, "component"),
                plural(model.relationships, "relationship"),
                plural(model.connections, "connection kind"),
            ];
            let _ = writeln!(
                text,
                "{} {}: {}",
                model.name,
                model.version,
                counts.join(", ")
            );
        }
        let verdict = if self.valid { "valid" } else { "not valid" };
        let found = plural(self.findings.len(), "finding");
        let models = plural(self.models.len(), "model");
        let _ = writeln!(text, "{verdict}: {models}, {found}");
        Human::Text(text)
    }

    fn names(&self) -> Vec<String> {
        let models = self.models.iter();
        models
            .map(|model| format!("model/{}", model.name))
            .collect()
    }

    fn report(&self, report: Report) -> Option<String> {
        let name = match self.models.as_slice() {
            [only] => only.name.as_str(),
            _ => "models",
        };
        let checked = Checked {
            name,
            subjects: &self.checked,
            findings: &self.findings,
        };
        checked.report(report)
    }
}
