//! `tenant list`: the hubs whose rows clusters hold objects of.

use crate::{
    api::tenant::{HubList, ListHubs},
    commands::{
        Outcome,
        design::{cluster::TargetArgs, source::namespace},
        watch::Watch,
    },
    context::Context,
    error::{Error, Result},
    output::{Column, Human, Table, View},
};

/// List the hubs whose rows a cluster holds objects of.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl tenant list --context sandbox\n  weftctl tenant list -A --context sandbox -o json"
)]
pub(super) struct List {
    /// The namespace that they were applied with
    #[arg(short, long, value_name = "NAME", conflicts_with = "all_namespaces")]
    namespace: Option<String>,
    /// Those of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    watch: Watch,
}

impl List {
    /// Asks the clusters.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let namespace = namespace(cx, self.namespace.as_deref());
        let request = ListHubs {
            all_namespaces: self.all_namespaces,
            target: self.target.target(cx, namespace)?,
        };
        let show = |hubs: HubList| {
            let failures = Error::of_bodies(&hubs.failures);
            (hubs, failures)
        };
        self.watch.show(cx, &request, show).await
    }
}

impl View for HubList {
    const KIND: &'static str = "HubList";

    fn human(&self) -> Human {
        let mut table = Table::new([
            Column::new("HUB"),
            Column::new("NAMESPACE"),
            Column::new("ROWS"),
            Column::new("FORMS"),
            Column::new("OBJECTS"),
            Column::new("REVISION"),
            Column::new("INVENTORY").wide(),
            Column::new("CONTEXT").wide(),
        ]);
        for hub in &self.items {
            table.row([
                hub.hub.clone(),
                hub.namespace.clone(),
                hub.rows.to_string(),
                hub.forms.join(", "),
                hub.objects.to_string(),
                hub.revision
                    .map_or_else(String::new, |number| number.to_string()),
                hub.inventory.clone(),
                hub.context.clone(),
            ]);
        }
        Human::Table(table)
    }

    fn names(&self) -> Vec<String> {
        let hubs = self.items.iter();
        hubs.map(|hub| format!("hub/{}", hub.hub)).collect()
    }
}
