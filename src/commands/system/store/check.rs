//! `system store check`

use crate::{
    api::system::{CheckList, CheckResult, CheckStore},
    commands::Outcome,
    context::Context,
    error::Result,
    output::{Human, View},
};

/// Check the store through: exit 1 if something fails.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl system store check\n  weftctl system store check -o json"
)]
pub(super) struct Check {}

impl View for CheckList {
    const KIND: &'static str = "StoreCheck";

    fn human(&self) -> Human {
        Human::Table(super::super::check::table(&self.items))
    }

    fn names(&self) -> Vec<String> {
        self.items
            .iter()
            .map(|item| format!("check/{}", item.name))
            .collect()
    }
}

impl Check {
    /// Asks for the checks.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let list = cx.client().await?.call(&CheckStore {}).await?;
        let good = list
            .items
            .iter()
            .all(|item| item.result != CheckResult::Failed);
        Ok(Outcome::from(list).answering(good))
    }
}
