//! `design events`

use super::{cluster::SetArgs, dated::Dated};
use crate::{
    api::deployed::{EventList, EventSummary, ListEvents},
    commands::{Outcome, watch::Watch},
    context::Context,
    error::{Error, Result},
    output::{Column, Human, Table, View},
};

/// Show what happened to the objects of a deployed design, and to what belongs to them.
///
/// What belongs to an object is found by owner references: the replica sets and pods of a Deployment,
/// and so on. The newest event is the last. Clusters keep events for an hour or so.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl design events settings --context sandbox\n  weftctl design events settings --context sandbox --types Warning -o json"
)]
pub(super) struct Events {
    /// Only events of these types
    #[arg(long, value_name = "TYPE", value_delimiter = ',', ignore_case = true, value_parser = ["Normal", "Warning"])]
    types: Vec<String>,
    #[command(flatten)]
    set: SetArgs,
    #[command(flatten)]
    watch: Watch,
}

impl View for Dated<EventList> {
    const KIND: &'static str = "EventList";

    fn human(&self) -> Human {
        Human::Table(table(self, &self.value.items))
    }

    fn names(&self) -> Vec<String> {
        let events = self.value.items.iter();
        events
            .map(|event| format!("event/{}", event.name))
            .collect()
    }

    fn summary(&self) -> Option<String> {
        let mut said = self.value.notes.clone();
        if self.value.items.is_empty() {
            said.push("no events".to_owned());
        }
        (!said.is_empty()).then(|| said.join("; "))
    }
}

/// A line for each event.
pub(in crate::commands) fn table<T>(dated: &Dated<T>, events: &[EventSummary]) -> Table {
    let mut table = Table::new([
        Column::new("LAST SEEN"),
        Column::new("TYPE"),
        Column::new("REASON"),
        Column::new("OBJECT"),
        Column::new("COUNT"),
        Column::new("MESSAGE"),
        Column::new("NAMESPACE").wide(),
        Column::new("MEMBER").wide(),
        Column::new("CONTEXT").wide(),
    ]);
    for event in events {
        table.row([
            dated.age(event.last_seen),
            event.event_type.clone(),
            event.reason.clone(),
            format!("{}/{}", event.kind, event.object),
            event.count.to_string(),
            event.message.clone(),
            event.namespace.clone(),
            event.member.clone(),
            event.context.clone(),
        ]);
    }
    table
}

impl Events {
    /// Asks the clusters.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let request = ListEvents {
            target: self.set.target(cx)?,
            name: self.set.name,
            types: self.types,
        };
        let watch = &self.watch;
        watch
            .show(cx, &request, |events| {
                let failures = Error::of_bodies(&events.failures);
                (Dated::new(cx, watch, events), failures)
            })
            .await
    }
}
