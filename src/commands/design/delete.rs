//! `design delete`

use crate::{
    api::design::{DeleteDesign, DeleteResult},
    commands::{DryRun, Outcome, completion, confirm, name_of},
    context::Context,
    error::Result,
    output::{Answers, Human, Severity, View},
};

/// Delete a stored design with all its versions; what is deployed stays as it is.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design delete shop --yes\n  weftctl design delete spare --dry-run=client"
)]
pub(super) struct Delete {
    /// Name or id
    #[arg(add = completion::stored(), value_parser = name_of("design"))]
    design: String,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

impl View for DeleteResult {
    const KIND: &'static str = "DeleteResult";

    fn human(&self) -> Human {
        let mark = if self.dry_run { " (dry run)" } else { "" };
        let versions = crate::output::human::plural(self.versions as usize, "version");
        Human::Text(format!(
            "deleted design {} with {versions}{mark}\n",
            self.name
        ))
    }

    fn names(&self) -> Vec<String> {
        vec![format!("design/{}", self.name)]
    }
}

impl Delete {
    /// Shows what would go, asks, then deletes that.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let client = cx.client().await?;
        let mut request = DeleteDesign {
            design: self.design,
            dry_run: true,
        };
        let plan = client.call(&request).await?;
        if self.dry_run.is_set() {
            return Ok(plan.into());
        }
        let answers = Answers {
            yes: self.yes,
            confirm: None,
        };
        let versions = crate::output::human::plural(plan.versions as usize, "version");
        let question = format!("Delete the design {} with {versions}?", plan.name);
        confirm(cx, &answers, &question, Severity::Destructive)?;
        // By id: a design of the same name that came meanwhile isn't the one that was shown.
        request.design = plan.id.clone();
        request.dry_run = false;
        Ok(client.call(&request).await?.into())
    }
}
