//! `model generate`. A local command: it asks a cluster with the caller's own kubeconfig.

use std::path::PathBuf;

use serde::Serialize;

use crate::{
    commands::{DryRun, Outcome, design::ClusterArgs},
    context::Context,
    error::{Code, Error, Place, Result},
    output::{Human, Progress, View, human},
    service::model,
};

/// Generate a model from a running system.
#[derive(clap::Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Generate {
    #[command(subcommand)]
    from: From,
}

#[derive(clap::Subcommand, Debug)]
enum From {
    Kubernetes(Kubernetes),
}

/// From a cluster's API server: every kind that it serves, CRDs included, with its schema.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl model generate kubernetes --context sandbox --to sandbox.model.gz\n  weftctl model generate kubernetes --context sandbox --to sandbox.model.gz --force -o json"
)]
pub(super) struct Kubernetes {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// The file to write
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    to: PathBuf,
    /// Overwrite the file
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

/// A model that was generated.
#[derive(Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct GenerateResult {
    /// `created` or `replaced`.
    action: &'static str,
    /// Why, or what it means.
    reason: &'static str,
    /// Name of the model.
    name: String,
    /// Version of the technology.
    version: String,
    /// How many kinds it has.
    kinds: usize,
    /// How many of them are custom resources.
    custom: usize,
    /// The file.
    file: String,
    /// Its size in bytes.
    size: usize,
    /// Whether nothing was written because of `--dry-run`.
    dry_run: bool,
}

impl View for GenerateResult {
    const KIND: &'static str = "GenerateResult";

    fn human(&self) -> Human {
        let mark = if self.dry_run { " (dry run)" } else { "" };
        Human::Text(format!(
            "{} {}: model {} {}, {} ({} custom), {}{mark}\n",
            self.action,
            self.file,
            self.name,
            self.version,
            human::plural(self.kinds, "kind"),
            self.custom,
            human::size(self.size as u64),
        ))
    }

    fn names(&self) -> Vec<String> {
        vec![format!("model/{}", self.name)]
    }
}

impl Generate {
    /// Runs the source's command.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        match self.from {
            From::Kubernetes(source) => source.run(cx).await,
        }
    }
}

impl Kubernetes {
    async fn run(self, cx: &Context) -> Result<Outcome> {
        let place = || Place::file(self.to.display().to_string(), None);
        let exists = self.to.exists();
        if exists && !self.force {
            return Err(
                Error::new(Code::FileExists, "a file that would be overwritten exists").at(place()),
            );
        }
        cx.config.named_context()?;
        let contexts = self.cluster.contexts(cx);
        if contexts.len() > 1 {
            return Err(Error::new(
                Code::Usage,
                "a model comes from one cluster: name one --context",
            ));
        }
        let progress = Progress::new(cx.terminal.clone());
        let step = progress.step("asking the API server for its schemas");
        let model = model::of_cluster(
            self.cluster.kubeconfig.as_deref(),
            contexts.first().map(String::as_str),
            cx.request_timeout(),
            |done, total| step.set(done, total),
        )
        .await?;
        let bytes = model.to_archive();
        step.finish("read the schemas");
        let dry_run = self.dry_run.is_set();
        if !dry_run {
            crate::config::edit::write_atomically(&self.to, &bytes).map_err(|error| {
                Error::new(Code::FileNotWritten, "cannot write the model")
                    .at(place())
                    .because(error)
            })?;
        }
        Ok(GenerateResult {
            action: if exists { "replaced" } else { "created" },
            reason: "design commands read it with --schema-dir",
            dry_run,
            name: model.name().to_owned(),
            version: model.version().to_owned(),
            kinds: model.kinds().len(),
            custom: model.kinds().iter().filter(|kind| kind.custom).count(),
            file: self.to.display().to_string(),
            size: bytes.len(),
        }
        .into())
    }
}
