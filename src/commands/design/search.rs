//! `design search`

use crate::{
    api::design::{ListDesigns, Sort},
    commands::{Outcome, watch::Watch},
    context::Context,
    error::Result,
};

/// Search the stored designs by name, in any case.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design search shop\n  weftctl design search shop -o name"
)]
pub(super) struct Search {
    /// Part of the name
    text: String,
    /// The order
    #[arg(long, value_enum, default_value = "name", value_name = "KEY")]
    sort_by: Sort,
    /// Stop after this many
    #[arg(long, value_name = "COUNT")]
    limit: Option<u32>,
    #[command(flatten)]
    watch: Watch,
}

impl Search {
    /// Asks for them.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let request = ListDesigns {
            search: Some(self.text),
            sort: self.sort_by,
            offset: 0,
            limit: self.limit,
        };
        self.watch.call(cx, &request).await
    }
}
