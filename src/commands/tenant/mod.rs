//! `tenant`: rows of a database that become Kubernetes objects.

mod test_connection;

use std::path::PathBuf;

use weft_domain::source::Bundle;

use super::{
    Outcome,
    design::{
        ClusterArgs,
        source::{SourceArgs, namespace},
    },
    schema,
};
use crate::{
    api::{deploy::Target, tenant::ConnectionTestList},
    context::Context,
    error::{Code, Error, Result},
};

/// Turn rows of a database into Kubernetes objects.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Tenant {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    TestConnection(test_connection::TestConnection),
}

impl Tenant {
    /// Runs the verb.
    pub async fn run(self, cx: &Context) -> Result<Outcome> {
        match self.verb {
            Verb::TestConnection(verb) => verb.run(cx).await,
        }
    }

    /// Whether the verb answers a question.
    pub fn is_predicate(&self) -> bool {
        match self.verb {
            Verb::TestConnection(_) => true,
        }
    }
}

/// Where hubs are, and the cluster with the Secrets that they refer to.
#[derive(clap::Args, Debug)]
pub(super) struct HubArgs {
    /// A file or folder with hubs (LynqHub, TenantRegistry), or - for standard input
    #[arg(value_hint = clap::ValueHint::AnyPath)]
    path: String,
    /// The namespace of Secrets that a hub refers to, if it names none itself
    #[arg(short, long, value_name = "NAME", help_heading = "Cluster options")]
    namespace: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

impl HubArgs {
    /// Reads the texts.
    async fn load(&self, cx: &Context) -> Result<Bundle> {
        SourceArgs::default().load(cx, &self.path).await
    }

    /// The cluster, which is not asked yet.
    fn target(&self, cx: &Context) -> Result<Target> {
        let namespace = namespace(cx, self.namespace.as_deref());
        self.cluster.target(cx, namespace)
    }

    /// The folder from which relative paths are.
    fn folder() -> Result<PathBuf> {
        std::env::current_dir().map_err(|error| {
            Error::new(Code::Unreadable, "cannot tell the working folder").because(error)
        })
    }
}

/// What the commands of this noun print.
pub(super) fn kinds() -> Vec<schema::Kind> {
    vec![schema::kind::<ConnectionTestList>()]
}
