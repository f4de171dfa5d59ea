//! `system operation view`

use crate::{
    api::operation::ViewOperation,
    commands::{Outcome, completion, name_of},
    context::Context,
    error::Result,
};

/// Show one operation.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl system operation view $OPERATION\n  weftctl system operation view $OPERATION -o json"
)]
pub(super) struct ViewOne {
    /// Its id
    #[arg(add = completion::operations(), value_parser = name_of("operation"))]
    id: String,
}

impl ViewOne {
    /// Asks for it.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let request = ViewOperation { id: self.id };
        Ok(cx.client().await?.call(&request).await?.into())
    }
}
