//! `design undeploy`

use super::cluster::ChangeArgs;
use crate::{
    api::deploy::{DeployOptions, Goal},
    commands::Outcome,
    context::Context,
    error::Result,
};

/// Delete what a design has deployed, its own objects only.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design undeploy shop --dry-run=server\n  weftctl design undeploy shop --context sandbox --dry-run=server"
)]
pub(super) struct Undeploy {
    #[command(flatten)]
    change: ChangeArgs,
}

impl Undeploy {
    /// Has everything deleted.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let goal = |name| Goal::Nothing {
            name,
            release: false,
        };
        self.change.run(cx, DeployOptions::default(), goal).await
    }
}
