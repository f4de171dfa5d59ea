//! `system context view`

use super::ContextView;
use crate::{
    commands::{Outcome, completion, name_of},
    context::Context,
    error::{Code, Error, Result},
};

/// Show a named context; without a name the one in use.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl system context view staging\n  weftctl system context view staging -o yaml"
)]
pub(super) struct ViewOne {
    /// The context
    #[arg(add = completion::contexts(), value_parser = name_of("context"))]
    name: Option<String>,
}

impl ViewOne {
    /// Looks it up.
    pub(super) fn run(self, cx: &Context) -> Result<Outcome> {
        let (name, context) = match &self.name {
            Some(name) => (name.as_str(), cx.config.find_context(name)?),
            None => cx.config.named_context()?.ok_or_else(|| {
                Error::new(Code::ContextNotFound, "no context is in use")
                    .hint("choose one: weftctl system context switch NAME")
            })?,
        };
        Ok(ContextView::new(cx, name, context).into())
    }
}
