//! `tenant status` and `tenant history`: what a cluster keeps of a set of rows.

use crate::{
    api::deploy::{ListRevisions, ReadSet},
    commands::{
        Outcome,
        design::{cluster::TargetArgs, dated::Dated, source::namespace},
        watch::Watch,
    },
    context::Context,
    error::{Error, Result},
};

/// The set of a hub, by its name alone.
#[derive(clap::Args, Debug)]
struct SetArgs {
    /// The name of the hub
    hub: String,
    /// The namespace that the set was applied with
    #[arg(short, long)]
    namespace: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
}

/// Show how the objects of a hub's rows are, and who works on them.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl tenant status shop\n  weftctl tenant status shop --context sandbox -o json"
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
        let namespace = namespace(cx, self.set.namespace.as_deref());
        let request = ReadSet {
            target: self.set.target.target(cx, namespace)?,
            name: weft_domain::tenant::set_name(&self.set.hub),
        };
        let watch = &self.watch;
        watch
            .show(cx, &request, |status| {
                let failures = status.failures.iter().cloned().map(Error::from).collect();
                (Dated::new(cx, watch, status), failures)
            })
            .await
    }
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
        let namespace = namespace(cx, self.set.namespace.as_deref());
        let request = ListRevisions {
            target: self.set.target.target(cx, namespace)?,
            name: weft_domain::tenant::set_name(&self.set.hub),
        };
        let found = cx.client().await?.call(&request).await?;
        let failures: Vec<Error> = found.failures.iter().cloned().map(Error::from).collect();
        Ok(Outcome::from(found).short_of(failures))
    }
}
