//! `system operation list`

use crate::{
    api::operation::ListOperations,
    commands::{Outcome, watch::Watch},
    context::Context,
    error::Result,
};

/// List operations, newest first.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl system operation list\n  weftctl system operation list --limit 5 -o json"
)]
pub(super) struct List {
    /// Stop after this many
    #[arg(long, value_name = "COUNT")]
    limit: Option<u32>,
    #[command(flatten)]
    watch: Watch,
}

impl List {
    /// Asks for them.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let request = ListOperations { limit: self.limit };
        self.watch.call(cx, &request).await
    }
}
