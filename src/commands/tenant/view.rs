//! `tenant view`: all about one row.

use super::status::{SetArgs, nodes};
use crate::{
    api::tenant::{TenantView, ViewTenant},
    commands::{
        Outcome,
        design::{dated::Dated, events, status::members},
        watch::Watch,
    },
    context::Context,
    error::{Error, Result},
    output::{Human, View},
};

/// Show all about one row: what forms have made of it, its objects, and what happened to them.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl tenant view shop acme\n  weftctl tenant view shop acme --context sandbox -o json"
)]
pub(super) struct ViewOne {
    #[command(flatten)]
    set: SetArgs,
    /// The uid of the row
    row: String,
    #[command(flatten)]
    watch: Watch,
}

impl ViewOne {
    /// Asks the clusters.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let request = ViewTenant {
            target: self.set.target(cx)?,
            hub: self.set.hub,
            row: self.row,
        };
        let watch = &self.watch;
        watch
            .show(cx, &request, |view| {
                let failures = Error::of_bodies(&view.failures);
                (Dated::new(cx, watch, view), failures)
            })
            .await
    }
}

impl View for Dated<TenantView> {
    const KIND: &'static str = "TenantView";

    fn human(&self) -> Human {
        let view = &self.value;
        let mut tables = vec![nodes(&view.nodes), members(self, &view.resources)];
        if !view.events.is_empty() {
            tables.push(events::table(self, &view.events));
        }
        Human::Tables(tables)
    }

    fn names(&self) -> Vec<String> {
        let members = self.value.resources.iter();
        members
            .map(|member| format!("resource/{}", member.id))
            .collect()
    }

    fn summary(&self) -> Option<String> {
        let notes = &self.value.notes;
        (!notes.is_empty()).then(|| notes.join("; "))
    }
}
