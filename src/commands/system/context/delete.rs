//! `system context delete`

use super::ContextChange;
use crate::{
    commands::{DryRun, Outcome, completion, confirm, name_of},
    config::edit::{Edit, edit},
    context::Context,
    error::Result,
    output::{Answers, Severity},
};

/// Delete a named context; the server and clusters that it names stay as they are.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl system context delete staging --confirm staging\n  weftctl system context delete spare --confirm spare -o json"
)]
pub(super) struct Delete {
    /// The context
    #[arg(add = completion::contexts(), value_parser = name_of("context"))]
    name: String,
    /// The context's name once more, where nobody can be asked
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    #[command(flatten)]
    dry_run: DryRun,
}

impl Delete {
    /// Asks for the name, then removes the entry.
    pub(super) fn run(self, cx: &Context) -> Result<Outcome> {
        cx.config.find_own_context(&self.name)?;
        let current = cx.config.file_value("current-context").as_deref() == Some(&self.name);
        if !self.dry_run.is_set() {
            let answers = Answers {
                yes: false,
                confirm: self.confirm,
            };
            let question = format!("Delete the context {:?}?", self.name);
            confirm(cx, &answers, &question, Severity::Severe(&self.name))?;
            edit(cx.config.file(), |root| {
                let mut edits = vec![Edit::remove(&["contexts", &self.name])];
                if root["current-context"] == self.name.as_str() {
                    edits.push(Edit::remove(&["current-context"]));
                }
                Ok(edits)
            })?;
        }
        Ok(ContextChange {
            action: "deleted",
            reason: if current {
                "no context is in use now"
            } else {
                "it was not in use"
            }
            .to_owned(),
            name: self.name,
            dry_run: self.dry_run.is_set(),
        }
        .into())
    }
}
