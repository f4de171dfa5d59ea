//! `system operation cancel`

use crate::{api::operation::CancelOperation, commands::Outcome, context::Context, error::Result};

/// Cancel a running operation; one that has ended stays as it is.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl system operation cancel $OPERATION\n  weftctl system operation cancel $OPERATION -o json"
)]
pub(super) struct Cancel {
    /// Its id
    id: String,
}

impl Cancel {
    /// Asks for it.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let request = CancelOperation { id: self.id };
        Ok(cx.client().await?.call(&request).await?.into())
    }
}
