//! `tenant status` and `tenant history`: what a cluster keeps of a set of rows.

use crate::{
    api::{
        deploy::{ListRevisions, Target},
        tenant::{NodeStatus, ReadTenants, TenantStatus},
    },
    commands::{
        Outcome,
        design::{cluster::TargetArgs, dated::Dated, source::namespace, status::deployments},
        watch::Watch,
    },
    context::Context,
    error::{Error, Result},
    output::{Column, Human, Table, View, human::plural},
};

/// The set of a hub, by its name alone.
#[derive(clap::Args, Debug)]
pub(super) struct SetArgs {
    /// The name of the hub
    pub(super) hub: String,
    /// The namespace that the set was applied with
    #[arg(short, long)]
    namespace: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
}

impl SetArgs {
    /// Where it is.
    pub(super) fn target(&self, cx: &Context) -> Result<Target> {
        let namespace = namespace(cx, self.namespace.as_deref());
        self.target.target(cx, namespace)
    }
}

/// Show how what was made of a hub's rows is, row by row, and who works on it.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl tenant status shop\n  weftctl tenant status shop --context sandbox -o json\n\nSee also: weftctl tenant view, all about one row."
)]
pub(super) struct Status {
    #[command(flatten)]
    set: SetArgs,
    #[command(flatten)]
    watch: Watch,
}

impl Status {
    /// Asks the clusters.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let request = ReadTenants {
            target: self.set.target(cx)?,
            hub: self.set.hub,
        };
        let watch = &self.watch;
        watch
            .show(cx, &request, |status| {
                let failures = Error::of_bodies(&status.failures);
                (Dated::new(cx, watch, status), failures)
            })
            .await
    }
}

impl View for Dated<TenantStatus> {
    const KIND: &'static str = "TenantStatus";

    fn human(&self) -> Human {
        Human::Table(nodes(&self.value.nodes))
    }

    fn names(&self) -> Vec<String> {
        let nodes = self.value.nodes.iter();
        nodes
            .map(|node| format!("node/{}/{}", node.row, node.form))
            .collect()
    }

    fn summary(&self) -> Option<String> {
        let status = &self.value;
        let ready = status.nodes.iter().filter(|node| node.tally.is_ready());
        let all = plural(status.nodes.len(), "node");
        let deployments = deployments(self, &status.deployments);
        Some(format!(
            "{}: {} ready of {all}{deployments}",
            status.hub,
            ready.count()
        ))
    }
}

/// A line for each node.
pub(super) fn nodes(nodes: &[NodeStatus]) -> Table {
    let mut table = Table::new([
        Column::new("ROW"),
        Column::new("FORM"),
        Column::new("READY"),
        Column::new("STATE"),
        Column::new("REASON"),
        Column::new("CONTEXT").wide(),
    ]);
    for node in nodes {
        let state = node
            .conditions
            .iter()
            .find(|one| one.condition_type == "Ready");
        table.row([
            node.row.as_str(),
            &node.form,
            &format!("{}/{}", node.tally.ready, node.tally.desired),
            state.map_or("", |state| &state.reason),
            &node.reason,
            &node.context,
        ]);
    }
    table
}

/// List what was applied for a hub, newest first.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl tenant history shop\n  weftctl tenant history shop -o json"
)]
pub(super) struct History {
    #[command(flatten)]
    set: SetArgs,
}

impl History {
    /// Asks the clusters.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let request = ListRevisions {
            target: self.set.target(cx)?,
            name: weft_domain::tenant::set_name(&self.set.hub),
        };
        let found = cx.client().await?.call(&request).await?;
        let failures = Error::of_bodies(&found.failures);
        Ok(Outcome::from(found).short_of(failures))
    }
}
