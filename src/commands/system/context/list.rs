//! `system context list`

use super::{ContextList, ContextView};
use crate::{commands::Outcome, context::Context};

/// List the named contexts.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl system context list\n  weftctl system context list -o name"
)]
pub(super) struct List {}

impl List {
    /// Lists them by name.
    pub(super) fn run(cx: &Context) -> Outcome {
        let contexts = cx.config.contexts().iter();
        let items = contexts
            .map(|(name, context)| ContextView::new(cx, name, context))
            .collect();
        ContextList { items }.into()
    }
}
