//! `design rollback`

use super::cluster::{ChangeArgs, WriteArgs};
use crate::{api::deploy::Goal, commands::Outcome, context::Context, error::Result};

/// Make the clusters look as an earlier revision says; what it didn't have is deleted.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design rollback shop --to 1 --dry-run=server\n  weftctl design rollback shop --to 1 --context sandbox --dry-run=server"
)]
pub(super) struct Rollback {
    /// The number of the revision
    #[arg(long, value_name = "REVISION")]
    to: u64,
    #[command(flatten)]
    write: WriteArgs,
    #[command(flatten)]
    change: ChangeArgs,
}

impl Rollback {
    /// Has the revision deployed.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let goal = |name| Goal::Revision {
            name,
            number: self.to,
        };
        self.change.run(cx, self.write.options(), goal).await
    }
}
