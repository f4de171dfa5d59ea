//! `tenant lint`

use super::TenantArgs;
use crate::{
    api::tenant::{LintReport, LintTenants},
    commands::{
        Outcome,
        design::{
            ClusterArgs,
            source::{SchemaArgs, SourceArgs},
            tell,
        },
        findings::{self, Checked},
    },
    context::Context,
    error::{Error, Result},
    output::{Human, Report, View, human},
};

/// Check a hub, its forms and all rows of its table: exit 1 if something is wrong.
///
/// Columns and their types, variables of templates, and the objects of every active row: their names,
/// labels and fields. Nothing is asked of a cluster, except for Secrets that the hub refers to.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl tenant lint ./crm\n  weftctl tenant lint ./crm --offline --strict\n  weftctl tenant lint ./crm -o sarif\n\nMore formats: junit, sarif."
)]
pub(super) struct Lint {
    #[command(flatten)]
    tenants: TenantArgs,
    /// Leave the database alone: only hub and forms are held against each other
    #[arg(long, conflicts_with = "schema_dir")]
    offline: bool,
    /// Count warnings as errors
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    schemas: SchemaArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
}

impl Lint {
    /// Asks for the findings.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let target = self.cluster.target(cx, self.tenants.namespace(cx))?;
        let mut tenants = self.tenants.read(cx, &target).await?;
        // Hub and forms can be looked at without what the database asks for.
        let missing = if self.offline {
            None
        } else {
            self.tenants.give(cx, &mut tenants).await.err()
        };
        let request = LintTenants {
            target,
            tenants,
            offline: self.offline || missing.is_some(),
            schemas: self.schemas.load(cx, &SourceArgs::default(), None).await?,
        };
        let mut report = cx.run(&request).await?;
        if let Some(missing) = missing {
            report.valid = false;
            report.failures.push(missing.into());
        }
        tell(cx, &report.notes);
        if self.strict {
            report.valid = findings::be_strict(&mut report.findings);
        }
        let valid = report.valid;
        let failures = Error::of_bodies(&report.failures);
        Ok(Outcome::from(report).answering(valid).short_of(failures))
    }
}

impl View for LintReport {
    const KIND: &'static str = "LintReport";

    fn human(&self) -> Human {
        let verdict = if self.valid { "valid" } else { "not valid" };
        let checked = match &self.rows {
            Some(rows) => human::plural(rows.read, "row"),
            None => "no rows".to_owned(),
        };
        let found = human::plural(self.findings.len(), "finding");
        Human::Text(format!(
            "{}{} is {verdict}: {} with {checked} checked, {found}\n",
            findings::text(&self.findings),
            self.hub,
            self.checked.join(", "),
        ))
    }

    fn names(&self) -> Vec<String> {
        let checked = self.checked.iter();
        let names = checked.map(|subject| match subject.split_once('/') {
            Some((kind, name)) => format!("{}/{name}", kind.to_lowercase()),
            None => subject.clone(),
        });
        names.collect()
    }

    fn report(&self, report: Report) -> Option<String> {
        let checked = Checked {
            name: &self.hub,
            subjects: &self.checked,
            findings: &self.findings,
        };
        checked.report(report)
    }
}
