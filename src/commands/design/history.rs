//! `design history`

use super::cluster::SetArgs;
use crate::{
    api::deploy::{ListRevisions, RevisionList},
    commands::Outcome,
    context::Context,
    error::{Error, Result},
    output::{Column, Human, Table, View},
};

/// List the revisions of a deployed design, newest first.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design history shop\n  weftctl design history shop -o json"
)]
pub(super) struct History {
    #[command(flatten)]
    set: SetArgs,
}

impl View for RevisionList {
    const KIND: &'static str = "RevisionList";

    fn human(&self) -> Human {
        let mut table = Table::new([
            Column::new("REVISION"),
            Column::new("OUTCOME"),
            Column::new("VERSION"),
            Column::new("OBJECTS"),
            Column::new("CREATED"),
            Column::new("CAUSE"),
            Column::new("CONTEXT").wide(),
            Column::new("OVERLAYS").wide(),
        ]);
        for revision in &self.items {
            table.row([
                revision.number.to_string(),
                revision.outcome.clone(),
                revision.version.clone(),
                revision.resources.to_string(),
                revision.created_at.clone(),
                revision.cause.clone(),
                revision.context.clone(),
                revision.overlays.join(","),
            ]);
        }
        Human::Table(table)
    }

    fn names(&self) -> Vec<String> {
        self.items
            .iter()
            .map(|revision| format!("revision/{}", revision.number))
            .collect()
    }

    fn summary(&self) -> Option<String> {
        self.items.is_empty().then(|| "no revisions".to_owned())
    }
}

impl History {
    /// Asks the clusters.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let request = ListRevisions {
            target: self.set.target(cx)?,
            name: self.set.name,
        };
        let found = cx.client().await?.call(&request).await?;
        let failures = Error::of_bodies(&found.failures);
        Ok(Outcome::from(found).short_of(failures))
    }
}
