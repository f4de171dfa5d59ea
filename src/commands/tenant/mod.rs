//! `tenant`: rows of a database that become Kubernetes objects.

mod apply;
mod endpoints;
mod export;
mod init;
mod lint;
mod list;
mod metrics;
mod migrate;
mod render;
mod status;
mod test_connection;
mod view;
mod watch;

use std::path::PathBuf;

use weft_domain::source::Bundle;

use super::{
    Outcome,
    design::{
        ClusterArgs,
        dated::Dated,
        source::{SourceArgs, namespace},
    },
    findings, schema,
};
use crate::{
    api::{
        deploy::Target,
        tenant::{
            ConnectionTestList, Given, HubList, LintReport, ReadManifests, RenderedRows,
            TenantPass, TenantStatus, TenantView, Tenants,
        },
    },
    context::Context,
    error::{Code, Error, Result},
    output::Report,
    service::tenant::{credentials, read},
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
    Init(init::Init),
    Lint(lint::Lint),
    Render(render::Render),
    Plan(apply::Plan),
    Apply(apply::Apply),
    Prune(apply::Prune),
    Watch(Box<watch::Watch>),
    Migrate(migrate::Migrate),
    List(list::List),
    View(view::ViewOne),
    Status(status::Status),
    History(status::History),
    Export(export::Export),
    TestConnection(test_connection::TestConnection),
}

impl Tenant {
    /// Runs the verb.
    pub async fn run(self, cx: &Context) -> Result<Outcome> {
        match self.verb {
            Verb::Init(verb) => verb.run(cx),
            Verb::Lint(verb) => verb.run(cx).await,
            Verb::Render(verb) => verb.run(cx).await,
            Verb::Plan(verb) => verb.run(cx).await,
            Verb::Apply(verb) => verb.run(cx).await,
            Verb::Prune(verb) => verb.run(cx).await,
            Verb::Watch(verb) => verb.run(cx).await,
            Verb::Migrate(verb) => verb.run(cx).await,
            Verb::List(verb) => verb.run(cx).await,
            Verb::View(verb) => verb.run(cx).await,
            Verb::Status(verb) => verb.run(cx).await,
            Verb::History(verb) => verb.run(cx).await,
            Verb::Export(verb) => verb.run(cx),
            Verb::TestConnection(verb) => verb.run(cx).await,
        }
    }

    /// Whether the verb answers a question.
    pub fn is_predicate(&self) -> bool {
        matches!(
            self.verb,
            Verb::Lint(_) | Verb::Plan(_) | Verb::TestConnection(_)
        )
    }

    /// The report formats that the verb has beside the common ones.
    pub fn reports(&self) -> &'static [Report] {
        match self.verb {
            Verb::Lint(_) => findings::REPORTS,
            _ => &[],
        }
    }
}

/// Where manifests are.
#[derive(clap::Args, Debug)]
struct PathArgs {
    /// A file or folder with a hub and its forms (LynqHub and LynqForm, TenantRegistry and
    /// TenantTemplate, TenantSet), or - for standard input
    #[arg(value_hint = clap::ValueHint::AnyPath, required_unless_present = "from_cluster")]
    path: Option<String>,
    /// Hub and forms are those that the cluster holds in the namespace, instead of files
    #[arg(long, conflicts_with = "path")]
    from_cluster: bool,
}

impl PathArgs {
    /// Reads the texts.
    async fn load(&self, cx: &Context, target: &Target) -> Result<Bundle> {
        if let Some(path) = &self.path {
            return SourceArgs::default().load(cx, path).await;
        }
        let target = target.clone();
        cx.client().await?.call(&ReadManifests { target }).await
    }

    /// The folder from which relative paths are.
    fn folder() -> Result<PathBuf> {
        std::env::current_dir().map_err(|error| {
            Error::new(Code::Unreadable, "cannot tell the working folder").because(error)
        })
    }
}

/// Where hubs are, and the cluster with the Secrets that they refer to.
#[derive(clap::Args, Debug)]
pub(super) struct HubArgs {
    #[command(flatten)]
    path: PathArgs,
    /// The namespace of Secrets that a hub refers to, if it names none itself
    #[arg(short, long, value_name = "NAME", help_heading = "Cluster options")]
    namespace: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

impl HubArgs {
    /// Reads the texts.
    async fn load(&self, cx: &Context) -> Result<Bundle> {
        self.path.load(cx, &self.target(cx)?).await
    }

    /// The cluster, which is not asked yet.
    fn target(&self, cx: &Context) -> Result<Target> {
        let namespace = namespace(cx, self.namespace.as_deref());
        self.cluster.target(cx, namespace)
    }
}

/// A hub with its forms.
#[derive(clap::Args, Debug)]
pub(super) struct TenantArgs {
    #[command(flatten)]
    path: PathArgs,
    /// The hub that is meant, where there are several
    #[arg(long, value_name = "NAME")]
    hub: Option<String>,
    /// The namespace of objects that name none; the hub's own unless given
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
}

impl TenantArgs {
    fn namespace(&self, cx: &Context) -> Option<String> {
        namespace(cx, self.namespace.as_deref())
    }

    /// Reads the manifests, and what the hub refers to on this machine.
    async fn load(&self, cx: &Context, target: &Target) -> Result<Tenants> {
        let mut tenants = self.read(cx, target).await?;
        self.give(cx, &mut tenants).await?;
        Ok(tenants)
    }

    /// Reads the manifests.
    async fn read(&self, cx: &Context, target: &Target) -> Result<Tenants> {
        Ok(Tenants {
            source: self.path.load(cx, target).await?,
            folder: PathArgs::folder()?.display().to_string(),
            given: Given::default(),
            hub: self.hub.clone(),
        })
    }

    /// Reads what the hub refers to on this machine.
    async fn give(&self, cx: &Context, tenants: &mut Tenants) -> Result<()> {
        let source = tenants.source.clone();
        let hubs = read::hubs(cx.services().await, source, self.hub.clone()).await?;
        let variable = |name: &str| cx.surrounding.variable(name);
        tenants.given = credentials::give(&hubs.items, &PathArgs::folder()?, variable)?;
        if let [only] = hubs.items.as_slice() {
            tenants.hub = Some(only.hub.name.clone());
        }
        Ok(())
    }
}

/// What the commands of this noun print.
pub(super) fn kinds() -> Vec<schema::Kind> {
    vec![
        schema::kind::<HubList>(),
        schema::kind::<export::ExportResult>(),
        schema::kind::<init::InitResult>(),
        schema::kind::<LintReport>(),
        schema::kind::<RenderedRows>(),
        schema::kind::<TenantPass>(),
        schema::kind::<Dated<TenantStatus>>(),
        schema::kind::<Dated<TenantView>>(),
        schema::kind::<ConnectionTestList>(),
    ]
}
