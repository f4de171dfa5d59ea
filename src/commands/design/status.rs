//! `design status`

use super::cluster::SetArgs;
use crate::{
    api::deploy::{DesignStatus, ReadSet},
    commands::{Outcome, watch::Watch},
    context::Context,
    error::Result,
    output::{Column, Human, Table, View},
};

/// Show how the objects of a deployed design are.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design status shop\n  weftctl design status shop --context sandbox -o json"
)]
pub(super) struct Status {
    #[command(flatten)]
    set: SetArgs,
    #[command(flatten)]
    watch: Watch,
}

impl View for DesignStatus {
    const KIND: &'static str = "DesignStatus";

    fn human(&self) -> Human {
        let mut table = Table::new([
            Column::new("KIND"),
            Column::new("NAMESPACE"),
            Column::new("NAME"),
            Column::new("READY"),
            Column::new("REASON"),
            Column::new("ORIGIN").wide(),
            Column::new("CONTEXT").wide(),
        ]);
        for member in &self.resources {
            table.row([
                member.kind.as_str(),
                &member.namespace,
                &member.name,
                if member.ready { "yes" } else { "no" },
                &member.reason,
                &member.origin,
                &member.context,
            ]);
        }
        Human::Table(table)
    }

    fn names(&self) -> Vec<String> {
        self.resources
            .iter()
            .map(|member| format!("resource/{}", member.id))
            .collect()
    }

    fn summary(&self) -> Option<String> {
        let ready = self.resources.iter().filter(|member| member.ready).count();
        let all = crate::output::human::plural(self.resources.len(), "object");
        Some(format!("{}: {ready} ready of {all}", self.design))
    }
}

impl Status {
    /// Asks the clusters.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let request = ReadSet {
            target: self.set.target(cx)?,
            name: self.set.name,
        };
        self.watch.call(cx, &request).await
    }
}
