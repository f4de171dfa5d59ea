//! `design release`

use super::cluster::ChangeArgs;
use crate::{
    api::deploy::{DeployOptions, Goal},
    commands::Outcome,
    context::Context,
    error::Result,
};

/// Let go of what a design has deployed: every object stays as it is.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design release shop --dry-run=server\n  weftctl design release shop --context sandbox --dry-run=server"
)]
pub(super) struct Release {
    #[command(flatten)]
    change: ChangeArgs,
}

impl Release {
    /// Has everything let go.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let goal = |name| Goal::Nothing {
            name,
            release: true,
        };
        self.change.run(cx, DeployOptions::default(), goal).await
    }
}
