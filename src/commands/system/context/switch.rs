//! `system context switch`

use super::ContextChange;
use crate::{
    commands::{DryRun, Outcome, completion, name_of},
    config::edit::{Edit, edit},
    context::Context,
    error::Result,
};

/// Use another named context from now on.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl system context switch staging\n  weftctl system context switch staging -o json"
)]
pub(super) struct Switch {
    /// The context
    #[arg(add = completion::contexts(), value_parser = name_of("context"))]
    name: String,
    #[command(flatten)]
    dry_run: DryRun,
}

impl Switch {
    /// Writes the key current-context.
    pub(super) fn run(self, cx: &Context) -> Result<Outcome> {
        cx.config.find_context(&self.name)?;
        let unchanged = cx.config.file_value("current-context").as_deref() == Some(&self.name);
        if !unchanged && !self.dry_run.is_set() {
            let set = Edit::set(&["current-context"], self.name.as_str());
            edit(cx.config.file(), |_| Ok(vec![set]))?;
        }
        Ok(ContextChange {
            action: if unchanged { "unchanged" } else { "configured" },
            reason: if unchanged {
                "it is in use already"
            } else {
                "it is in use now"
            }
            .to_owned(),
            name: self.name,
            dry_run: self.dry_run.is_set(),
        }
        .into())
    }
}
