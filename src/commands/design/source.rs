//! The argument that names a design, and the flags that say how a source is read. Sources are
//! read on the caller's machine: this part of a command is local and calls `service::source`.

use std::path::{Path, PathBuf};

use weft_domain::{
    overlay::Choice,
    source::{Bundle, Form, Source, TextLimits, looks_like_path},
};

use crate::{
    api::{
        deploy::Target,
        design::{Fitting, Reference, Schemas},
    },
    commands::completion,
    context::Context,
    error::{Code, Error, Place, Result},
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
    /// A file with values of the design or chart; may be repeated
    ///
    /// Later files win over earlier ones.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    values: Vec<PathBuf>,
    /// A value of the design or chart; may be repeated
    ///
    /// It wins over those of files. What is typed is seen by others: secrets belong into files.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// A value that is always taken as text; may be repeated
    #[arg(long, value_name = "PATH=VALUE", hide_short_help = true)]
    set_string: Vec<String>,
    /// The repository of a chart that is named without one
    #[arg(long, value_name = "URL", hide_short_help = true)]
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
    #[command(flatten)]
    limits: LimitArgs,
}

/// How much of a source is read.
#[expect(
    clippy::struct_field_names,
    reason = "these are the names of the flags"
)]
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = "Source options")]
pub(crate) struct LimitArgs {
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
pub(crate) fn namespace(cx: &Context, flag: Option<&str>) -> Option<String> {
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
        let options = self.options(cx);
        let load = async |source: &Source| source::load(source, &options, cx.cancel.clone()).await;
        read(cx, argument, self.texts(), load).await
    }

    /// Refuses values for what is taken as it is written.
    ///
    /// # Errors
    /// When some are given, and it is no chart.
    pub(crate) fn refuse_values(&self, source: &Bundle) -> Result<()> {
        let given = [
            (!self.values.is_empty(), "--values"),
            (!self.set.is_empty(), "--set"),
            (!self.set_string.is_empty(), "--set-string"),
        ];
        let given = given.into_iter().find(|(is_given, _)| *is_given);
        match given {
            Some((_, flag)) if source.form != Form::Chart => Err(Error::new(
                Code::Usage,
                format!("{flag} is for a chart here: a design keeps its values open"),
            )
            .at(Place::file(source.origin.clone(), None))
            .hint(format!(
                "give it when the design is used: weftctl design render NAME {flag} …"
            ))),
            _ => Ok(()),
        }
    }

    /// Reads what is given for the values of a design.
    async fn values(&self, cx: &Context) -> Result<Fitting> {
        let read = source::load_values(&self.values, &self.options(cx), cx.cancel.clone()).await;
        Ok(Fitting {
            overlays: Vec::new(),
            values: read.map_err(|error| cx.interrupted().unwrap_or_else(|| error.into()))?,
            set: self.set.clone(),
            set_string: self.set_string.clone(),
            limits: self.texts(),
        })
    }

    /// How files, archives and charts are read.
    fn options(&self, cx: &Context) -> source::Options {
        source::Options {
            values: self.values.clone(),
            set: self.set.clone(),
            set_string: self.set_string.clone(),
            repo: self.repo.clone(),
            release: self.release_name.clone(),
            version: self.chart_version.clone(),
            plain_http: self.plain_http,
            namespace: self.namespace(cx),
            timeout: cx.request_timeout(),
            limits: self.limits.limits(),
            ..source::Options::default()
        }
    }

    /// The limits of the texts that were read.
    fn texts(&self) -> TextLimits {
        self.limits.texts()
    }
}

impl LimitArgs {
    fn limits(&self) -> source::Limits {
        let defaults = source::Limits::default();
        source::Limits {
            input: self.max_input_size.unwrap_or(defaults.input),
            files: self.max_files.unwrap_or(defaults.files),
            unpacked: self.max_unpacked_size.unwrap_or(defaults.unpacked),
            entries: self.max_archive_entries.unwrap_or(defaults.entries),
            ratio: self.max_archive_ratio.unwrap_or(defaults.ratio),
            ..defaults
        }
    }

    fn texts(&self) -> TextLimits {
        TextLimits {
            document_bytes: self
                .max_document_size
                .map(|size| usize::try_from(size).unwrap_or(usize::MAX)),
            nodes: self.max_nodes,
            documents: self.max_documents,
        }
    }

    /// Reads the definitions of a source.
    ///
    /// # Errors
    /// When it can't be read.
    pub(crate) async fn definitions(&self, cx: &Context, argument: &str) -> Result<Bundle> {
        let options = source::Options {
            timeout: cx.request_timeout(),
            limits: self.limits(),
            ..source::Options::default()
        };
        let load = async |source: &Source| {
            source::load_definitions(source, &options, cx.cancel.clone()).await
        };
        read(cx, argument, self.texts(), load).await
    }
}

/// Reads a source in some way, and says so meanwhile.
async fn read(
    cx: &Context,
    argument: &str,
    limits: TextLimits,
    load: impl AsyncFnOnce(&Source) -> Result<Bundle, source::Error>,
) -> Result<Bundle> {
    let source: Source = argument
        .parse()
        .map_err(|error| Error::new(Code::Usage, format!("cannot read the source: {error}")))?;
    let progress = Progress::new(cx.terminal.clone());
    let step = progress.step(format!("reading {}", weft_domain::source::mask(argument)));
    let loaded = load(&source).await;
    let bundle = loaded.map_err(|error| cx.interrupted().unwrap_or_else(|| error.into()))?;
    step.done();
    Ok(Bundle { limits, ..bundle })
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

/// Which overlays are laid over designs.
#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = "Source options")]
pub(crate) struct OverlayArgs {
    /// An overlay of the design; may be repeated
    ///
    /// They are applied in their order, CONTEXT=NAME for one kubeconfig context only.
    #[arg(long, value_name = "[CONTEXT=]NAME", value_parser = clap::value_parser!(Choice))]
    overlay: Vec<Choice>,
}

impl OverlayArgs {
    /// The chosen overlays: those of the flags, else those of the named context in use. Where no
    /// cluster is meant there are no contexts, and only flags count.
    fn choose(&self, cx: &Context, contexts: Option<&[String]>) -> Result<Vec<Choice>> {
        if self.overlay.is_empty() {
            let entry = cx.config.current_context();
            return Ok(match (contexts, entry) {
                (Some(contexts), Some((_, entry))) => entry.overlays_for(contexts),
                _ => Vec::new(),
            });
        }
        let refuse = |choice: &Choice, why: &str| {
            Error::new(Code::Usage, format!("--overlay {choice}: {why}"))
        };
        let errors = self.overlay.iter().filter_map(|choice| {
            let context = choice.context.as_ref()?;
            match contexts {
                None => Some(
                    refuse(choice, "no context is meant here")
                        .hint(format!("give the overlay alone: --overlay {}", choice.name)),
                ),
                Some([]) => Some(
                    refuse(choice, "it is for a context that isn't named")
                        .hint(format!("name it: --context {context}")),
                ),
                Some(all) if !all.contains(context) => {
                    let meant = all.iter().map(String::as_str);
                    Some(
                        refuse(choice, "the run is not for this context")
                            .did_you_mean(context, meant)
                            .hint(format!("it is for {}", all.join(", "))),
                    )
                }
                Some(_) => None,
            }
        });
        match Error::all(errors) {
            Some(error) => Err(error),
            None => Ok(self.overlay.clone()),
        }
    }

    /// How designs are fitted; values are left to charts where there is nothing else.
    pub(super) async fn fitting(
        &self,
        cx: &Context,
        source: &SourceArgs,
        designs: &[&Reference],
        contexts: Option<&[String]>,
    ) -> Result<Fitting> {
        let overlays = self.choose(cx, contexts)?;
        let is_chart = |design: &&Reference| matches!(design, Reference::Inline(bundle) if bundle.form == Form::Chart);
        if designs.iter().all(is_chart) {
            return Ok(Fitting {
                overlays,
                ..Fitting::default()
            });
        }
        Ok(Fitting {
            overlays,
            ..source.values(cx).await?
        })
    }
}

/// The argument that names a design.
#[derive(clap::Args, Debug)]
pub(crate) struct ReferenceArgs {
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

impl ReferenceArgs {
    /// The reference: by name for stored ones, read here otherwise.
    ///
    /// # Errors
    /// When a path can't be read.
    async fn resolve(&self, cx: &Context) -> Result<Reference> {
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

    /// The reference of a design that is taken as it is written.
    ///
    /// # Errors
    /// When a path can't be read, or values are given for what is no chart.
    pub(crate) async fn resolve_plain(&self, cx: &Context) -> Result<Reference> {
        let reference = self.resolve(cx).await?;
        if let Reference::Inline(bundle) = &reference {
            self.source.refuse_values(bundle)?;
        }
        Ok(reference)
    }
}

/// The design that a command is about, and how it is fitted.
#[derive(clap::Args, Debug)]
pub(crate) struct DesignArgs {
    #[command(flatten)]
    reference: ReferenceArgs,
    #[command(flatten)]
    overlays: OverlayArgs,
}

impl DesignArgs {
    /// The namespace of resources that name none.
    pub(crate) fn namespace(&self, cx: &Context) -> Option<String> {
        self.reference.source.namespace(cx)
    }

    /// The reference: by name for stored ones, read here otherwise.
    ///
    /// # Errors
    /// When a path can't be read.
    pub(crate) async fn resolve(&self, cx: &Context) -> Result<Reference> {
        self.reference.resolve(cx).await
    }

    /// How its sources are read.
    pub(crate) const fn source(&self) -> &SourceArgs {
        &self.reference.source
    }

    /// How the design is fitted to contexts, of which none stands for the current one; without
    /// contexts no cluster is meant.
    ///
    /// # Errors
    /// When an overlay is for another context, or a file of values can't be read.
    pub(crate) async fn fitting(
        &self,
        cx: &Context,
        design: &Reference,
        contexts: Option<&[String]>,
    ) -> Result<Fitting> {
        let source = &self.reference.source;
        self.overlays.fitting(cx, source, &[design], contexts).await
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
        source: &SourceArgs,
        cluster: Option<&ClusterArgs>,
    ) -> Result<Schemas> {
        let (options, texts) = (source.options(cx), source.texts());
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

    /// The clusters, and the namespace of what names none; none is asked.
    ///
    /// # Errors
    /// When one of them isn't there.
    pub(crate) fn target(&self, cx: &Context, namespace: Option<String>) -> Result<Target> {
        Ok(Target {
            contexts: self.known(cx)?,
            kubeconfig: self
                .kubeconfig
                .as_ref()
                .map(|path| path.display().to_string()),
            namespace,
            inventory_namespace: None,
        })
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
