//! The argument that names a design, and the flags that say how a source is read. Sources are
//! read on the caller's machine: this part of a command is local and calls `service::source`.

use std::path::{Path, PathBuf};

use weft_domain::source::{Bundle, Source, TextLimits, looks_like_path};

use crate::{
    api::design::{Reference, Schemas},
    commands::completion,
    context::Context,
    error::{Code, Error, Result},
    output::Progress,
    service::{model, source},
};

/// How a source is read.
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = "Source options")]
pub(crate) struct SourceArgs {
    /// The namespace that charts are rendered for, and of resources that name none
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    /// A values file for a chart; may be repeated
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    values: Vec<PathBuf>,
    /// A value for a chart; may be repeated
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// The repository of a chart that is named without one
    #[arg(long, value_name = "URL")]
    repo: Option<String>,
    /// The version of a chart
    #[arg(long, value_name = "VERSION", hide_short_help = true)]
    chart_version: Option<String>,
    /// Speak to a chart registry on this machine without TLS
    #[arg(long, hide_short_help = true)]
    plain_http: bool,
    /// The release name that a chart is rendered with, if not the chart's own
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    release_name: Option<String>,
    /// How large a source may be, for example 512MiB
    #[arg(long, value_name = "SIZE", value_parser = size, hide_short_help = true)]
    max_input_size: Option<u64>,
    /// How many files a folder may have
    #[arg(long, value_name = "COUNT", hide_short_help = true)]
    max_files: Option<usize>,
    /// How large an archive may become
    #[arg(long, value_name = "SIZE", value_parser = size, hide_short_help = true)]
    max_unpacked_size: Option<u64>,
    /// How many entries an archive may have
    #[arg(long, value_name = "COUNT", hide_short_help = true)]
    max_archive_entries: Option<usize>,
    /// How many times larger than itself an archive may become
    #[arg(long, value_name = "COUNT", hide_short_help = true)]
    max_archive_ratio: Option<u64>,
    /// How large one document may be
    #[arg(long, value_name = "SIZE", value_parser = size, hide_short_help = true)]
    max_document_size: Option<u64>,
    /// How many nodes one document may have, aliases expanded
    #[arg(long, value_name = "COUNT", hide_short_help = true)]
    max_nodes: Option<usize>,
    /// How many documents a source may have
    #[arg(long, value_name = "COUNT", hide_short_help = true)]
    max_documents: Option<usize>,
}

/// Reads a size: a number of bytes, or with KiB, MiB, GiB.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => {
            return Err("a size is a number of bytes, or a number with KiB, MiB or GiB".to_owned());
        }
    };
    let number: Option<u64> = number.parse().ok();
    number
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| "a size is a number such as 64MiB".to_owned())
}

/// The namespace of a flag, else the configured one.
pub(super) fn namespace(cx: &Context, flag: Option<&str>) -> Option<String> {
    let namespace = flag.unwrap_or_else(|| cx.config.get("namespace"));
    (!namespace.is_empty()).then(|| namespace.to_owned())
}

impl SourceArgs {
    /// The namespace: the flag's, else the configured one.
    pub(crate) fn namespace(&self, cx: &Context) -> Option<String> {
        namespace(cx, self.namespace.as_deref())
    }

    /// Reads a source.
    ///
    /// # Errors
    /// When it can't be read, or rendered.
    pub(crate) async fn load(&self, cx: &Context, argument: &str) -> Result<Bundle> {
        let source: Source = argument
            .parse()
            .map_err(|error| Error::new(Code::Usage, format!("cannot read the source: {error}")))?;
        let progress = Progress::new(cx.terminal.clone());
        let step = progress.step(format!("reading {}", weft_domain::source::mask(argument)));
        let loaded = source::load(&source, &self.options(cx), cx.cancel.clone()).await;
        let mut bundle =
            loaded.map_err(|error| cx.interrupted().unwrap_or_else(|| error.into()))?;
        step.done();
        bundle.limits = self.texts();
        Ok(bundle)
    }

    /// How files, archives and charts are read.
    fn options(&self, cx: &Context) -> source::Options {
        let defaults = source::Limits::default();
        source::Options {
            values: self.values.clone(),
            set: self.set.clone(),
            repo: self.repo.clone(),
            release: self.release_name.clone(),
            version: self.chart_version.clone(),
            plain_http: self.plain_http,
            namespace: self.namespace(cx),
            timeout: cx.request_timeout(),
            limits: source::Limits {
                input: self.max_input_size.unwrap_or(defaults.input),
                files: self.max_files.unwrap_or(defaults.files),
                unpacked: self.max_unpacked_size.unwrap_or(defaults.unpacked),
                entries: self.max_archive_entries.unwrap_or(defaults.entries),
                ratio: self.max_archive_ratio.unwrap_or(defaults.ratio),
                ..defaults
            },
            ..source::Options::default()
        }
    }

    /// The limits of the texts that were read.
    fn texts(&self) -> TextLimits {
        TextLimits {
            document_bytes: self
                .max_document_size
                .map(|size| usize::try_from(size).unwrap_or(usize::MAX)),
            nodes: self.max_nodes,
            documents: self.max_documents,
        }
    }
}

/// The stored design that an argument names, if it is no path: its name, or `design/NAME` as
/// `-o name` prints it.
pub(super) fn stored_name(argument: &str) -> Option<&str> {
    if !looks_like_path(argument) {
        return Some(argument);
    }
    let name = argument.strip_prefix("design/")?;
    (!looks_like_path(name) && !Path::new(argument).exists()).then_some(name)
}

/// The design that a command is about.
#[derive(clap::Args, Debug)]
pub(crate) struct DesignArgs {
    /// A stored name or id, or a path: what has a slash or a file extension, or is -
    #[arg(required_unless_present = "file", add = completion::designs())]
    design: Option<String>,
    /// A path, whatever it looks like
    #[arg(short, long, conflicts_with = "design", value_hint = clap::ValueHint::AnyPath)]
    file: Option<String>,
    /// A stored version other than the newest
    #[arg(long, conflicts_with = "file")]
    version: Option<String>,
    #[command(flatten)]
    source: SourceArgs,
}

impl DesignArgs {
    /// The namespace of resources that name none.
    pub(crate) fn namespace(&self, cx: &Context) -> Option<String> {
        self.source.namespace(cx)
    }

    /// The reference: by name for stored ones, read here otherwise.
    ///
    /// # Errors
    /// When a path can't be read.
    pub(crate) async fn resolve(&self, cx: &Context) -> Result<Reference> {
        if let Some(file) = &self.file {
            return Ok(Reference::Inline(self.source.load(cx, file).await?));
        }
        let name = self.design.clone().unwrap_or_default();
        if let (Some(stored), None) = (stored_name(&name), &self.source.repo) {
            return Ok(Reference::Stored {
                name: stored.to_owned(),
                version: self.version.clone(),
            });
        }
        if self.version.is_some() {
            return Err(Error::new(
                Code::Usage,
                "--version goes with a stored design, not with a path",
            ));
        }
        Ok(Reference::Inline(self.source.load(cx, &name).await?))
    }
}

/// Where schemas come from, beside the built-in model and the design's own CRDs.
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = "Schema options")]
pub(crate) struct SchemaArgs {
    /// Files or folders of CRDs, JSON schemas or model archives; may be repeated
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    schema_dir: Vec<PathBuf>,
}

impl SchemaArgs {
    /// Reads them.
    ///
    /// # Errors
    /// When a file can't be read.
    pub(crate) async fn load(
        &self,
        cx: &Context,
        design: &DesignArgs,
        cluster: Option<&ClusterArgs>,
    ) -> Result<Schemas> {
        let (options, texts) = (design.source.options(cx), design.source.texts());
        let loaded =
            source::load_schemas(&self.schema_dir, &options, texts, cx.cancel.clone()).await;
        let mut schemas =
            loaded.map_err(|error| cx.interrupted().unwrap_or_else(|| error.into()))?;
        let contexts = cluster.map(|cluster| cluster.contexts(cx));
        match (cluster, contexts.as_deref()) {
            (None, _) | (_, None | Some([])) => {}
            (Some(cluster), Some([context])) => {
                let kubeconfig = cluster.kubeconfig.as_deref();
                let timeout = cx.request_timeout();
                let progress = Progress::new(cx.terminal.clone());
                let step = progress.step(format!("reading the schemas of {context}"));
                let model = model::of_cluster(kubeconfig, Some(context), timeout, |_, _| {});
                let model = cx.until_cancelled(model).await?;
                step.done();
                schemas.model = Some(model::encode(&model.to_archive()));
            }
            (_, Some(several)) => {
                let message = format!("checked against one cluster at a time, not {several:?}");
                return Err(Error::new(Code::Usage, message).hint("name one with --context"));
            }
        }
        Ok(schemas)
    }
}

/// Which cluster is meant.
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = "Cluster options")]
pub(crate) struct ClusterArgs {
    /// A kubeconfig context; may be repeated
    #[arg(long, value_name = "NAME", add = completion::kubeconfig_contexts())]
    context: Vec<String>,
    /// Another kubeconfig than KUBECONFIG or ~/.kube/config
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub kubeconfig: Option<PathBuf>,
}

impl ClusterArgs {
    /// Whether one is named on the command line.
    pub(super) fn is_given(&self) -> bool {
        !self.context.is_empty() || self.kubeconfig.is_some()
    }

    /// The contexts, each looked up in the kubeconfig; the clusters are not asked.
    ///
    /// # Errors
    /// When one of them isn't there.
    pub(crate) fn known(&self, cx: &Context) -> Result<Vec<String>> {
        let contexts = self.contexts(cx);
        if !cx.config.get("server").is_empty() {
            // The clusters are the server's.
            return match &self.kubeconfig {
                None => Ok(contexts),
                Some(_) => Err(Error::new(
                    Code::Usage,
                    "--kubeconfig is a file of this machine, and --server acts on another",
                )),
            };
        }
        if !contexts.is_empty() {
            model::find_contexts(self.kubeconfig.as_deref(), &contexts)?;
        }
        Ok(contexts)
    }

    /// The contexts: flags, then `WEFT_CONTEXT`, then the clusters of the named context in use.
    pub(crate) fn contexts(&self, cx: &Context) -> Vec<String> {
        if !self.context.is_empty() {
            return self.context.clone();
        }
        match cx.surrounding.variable("WEFT_CONTEXT") {
            Some(names) => names
                .split(',')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            None => match cx.config.current_context() {
                Some((_, context)) => context.clusters.clone(),
                None => Vec::new(),
            },
        }
    }
}
