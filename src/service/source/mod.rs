//! Reading a design's source on the caller's machine.
//!
//! [`load`] turns a [`Source`] into a [`Bundle`] of texts: it reads files, folders, standard input and
//! addresses, unpacks archives, and lets `helm`, `kubectl` or `kustomize` render what only they can.
//! This is a local step (see `design.md` §2.1): nothing here passes the router, and nothing here knows
//! what a design is. Every input has a limit that holds while reading; cancelling or dropping the
//! future ends child processes and removes temporary files.

mod archive;
mod chart;
mod compose;
mod definitions;
mod error;
mod fetch;
mod file;
mod kustomize;
mod process;

use std::ffi::OsString;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use weft_domain::source::{self, Bundle, Form, Source, SourceFile, TextLimits};

pub use definitions::load_definitions;
pub use error::{Class, Error, flag};

use crate::api::design::Schemas;
use archive::{Opened, Tree};
use compose::Beside;

/// How a source is read. Not printable, as environments and values hold secrets.
#[derive(Clone)]
pub struct Options {
    /// Values files for a chart, later ones win.
    pub values: Vec<PathBuf>,
    /// Single values for a chart, `key=value`.
    pub set: Vec<String>,
    /// Single values for a chart that are taken as texts.
    pub set_string: Vec<String>,
    /// The namespace that a chart is rendered for.
    pub namespace: Option<String>,
    /// The release name that a chart is rendered with; the chart's name by default.
    pub release: Option<String>,
    /// The version of a chart from a registry or repository; the newest by default.
    pub version: Option<String>,
    /// The address of a chart repository; the source is then a chart's name.
    pub repo: Option<String>,
    /// Whether an OCI registry on this machine is spoken to without TLS.
    pub plain_http: bool,
    /// The limits of the input.
    pub limits: Limits,
    /// The time allowed for one call to a remote host. Local files, streams and tools may take
    /// as long as they like.
    pub timeout: Duration,
    /// How the network is used.
    pub network: Network,
    /// The environment of this process, from which child processes get what they need.
    pub environment: Vec<(OsString, OsString)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            set: Vec::new(),
            set_string: Vec::new(),
            namespace: None,
            release: None,
            version: None,
            repo: None,
            plain_http: false,
            limits: Limits::default(),
            timeout: Duration::from_mins(5),
            network: Network::default(),
            environment: std::env::vars_os().collect(),
        }
    }
}

impl Options {
    /// Lists the flags that were given and that only a chart can use. Designs have values too.
    fn chart_flags(&self) -> Vec<&'static str> {
        let given = [
            (self.release.is_some(), flag::RELEASE),
            (self.version.is_some(), flag::VERSION),
            (self.repo.is_some(), flag::REPO),
            (self.plain_http, flag::PLAIN_HTTP),
        ];
        given
            .into_iter()
            .filter_map(|(given, flag)| given.then_some(flag))
            .collect()
    }
}

/// The limits of the input (`cli-conventions.md` §11).
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of one input: a file, a folder's files together, a body, a tool's output.
    pub input: u64,
    /// Files of one folder.
    pub files: usize,
    /// Bytes of an archive once it is unpacked.
    pub unpacked: u64,
    /// How many times larger than itself an archive may become, above 1 MiB.
    pub ratio: u64,
    /// Entries of an archive.
    pub entries: usize,
    /// Bytes of a path in an archive.
    pub path: usize,
    /// Bytes of a path's component in an archive.
    pub component: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            input: 256 << 20,
            files: 50_000,
            unpacked: 100 << 20,
            ratio: 100,
            entries: 100_000,
            path: 4096,
            component: 255,
        }
    }
}

/// How the network is used.
#[derive(Clone, Debug)]
pub struct Network {
    /// The time allowed for a connection.
    pub connect: Duration,
    /// The time allowed between two pieces of an answer.
    pub idle: Duration,
    /// Redirects in a row.
    pub redirects: u32,
    /// Attempts after the first one.
    pub retries: u32,
    /// The first pause between two attempts; it doubles each time and is shortened at random.
    pub pause: Duration,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            redirects: 5,
            retries: 5,
            pause: Duration::from_millis(400),
        }
    }
}

/// Finds a program on the PATH of this process.
pub fn find_program(name: &str) -> Option<PathBuf> {
    process::find_in(&std::env::var_os("PATH")?, name)
}

/// Reads what `--schema-dir` names: files and folders of CRDs and JSON schemas, and model archives.
///
/// # Errors
/// When one of them can't be read.
pub async fn load_schemas(
    paths: &[PathBuf],
    options: &Options,
    texts: TextLimits,
    cancel: CancellationToken,
) -> Result<Schemas, Error> {
    let mut schemas = Schemas::default();
    for path in paths {
        let source = Source::Path(path.clone());
        let work = Work::of(&source, options, cancel.clone());
        let mut archives = Vec::new();
        match file::look(path)? {
            file::Place::Folder => {
                let mut names = file::names(path)?;
                names.sort_unstable();
                names.retain(|name| is_model(name));
                archives.extend(names.into_iter().map(|name| path.join(name)));
            }
            file::Place::File if is_model(&file::file_name(path)) => archives.push(path.clone()),
            _ => {}
        }
        for archive in &archives {
            let bytes = file::read_file(&work, archive).await?;
            schemas.archives.push(weft_domain::base64::encode(&bytes));
        }
        if archives.first() == Some(path) {
            continue;
        }
        match work.read(&source).await {
            Ok(mut bundle) => {
                bundle.limits = texts;
                schemas.extra.push(bundle);
            }
            // A folder of archives has no texts.
            Err(Error::Empty { .. }) if !archives.is_empty() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(schemas)
}

/// Reads files of values, for designs that are no charts.
///
/// # Errors
/// When one of them can't be read, or is over a limit.
pub async fn load_values(
    paths: &[PathBuf],
    options: &Options,
    cancel: CancellationToken,
) -> Result<Vec<SourceFile>, Error> {
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let work = Work {
            origin: path.display().to_string(),
            options,
            cancel: cancel.clone(),
        };
        let bytes = match file::look(path)? {
            file::Place::Pipe => file::read_pipe(&work, path).await?,
            file::Place::File | file::Place::Folder => file::read_file(&work, path).await?,
        };
        let label = path.display().to_string();
        let text = file::decode(&label, bytes)?;
        files.push(SourceFile { path: label, text });
    }
    Ok(files)
}

/// Tells a model archive by its name: what is compressed and not a compressed text or folder.
fn is_model(name: &str) -> bool {
    let inner = name.to_lowercase();
    let inner = inner.strip_suffix(".gz").map(Path::new);
    inner.is_some_and(|inner| {
        let extension = inner.extension().and_then(|extension| extension.to_str());
        !matches!(extension, Some("tar" | "yaml" | "yml" | "json"))
    })
}

/// Reads a source and whatever belongs to it.
///
/// Cancelling ends the reading with [`Error::Cancelled`].
pub async fn load(
    source: &Source,
    options: &Options,
    cancel: CancellationToken,
) -> Result<Bundle, Error> {
    let work = Work::of(source, options, cancel);
    let bundle = work.read(source).await?;
    let flags = options.chart_flags();
    if bundle.form != Form::Chart && !flags.is_empty() {
        return Err(Error::NotAChart {
            origin: work.origin,
            flags,
        });
    }
    Ok(bundle)
}

/// One call of [`load`].
struct Work<'a> {
    origin: String,
    options: &'a Options,
    cancel: CancellationToken,
}

/// Bytes whose meaning is not known yet.
struct Input {
    /// The path for messages.
    label: String,
    bytes: Vec<u8>,
    /// The folder of the local file that they are from.
    folder: Option<PathBuf>,
}

impl Input {
    /// Makes an input with nothing beside it.
    fn alone(label: String, bytes: Vec<u8>) -> Self {
        Self {
            label,
            bytes,
            folder: None,
        }
    }

    /// Returns the suggested name of the bundle.
    fn name(&self) -> String {
        source::stem(&self.label).to_owned()
    }
}

impl<'a> Work<'a> {
    fn of(source: &Source, options: &'a Options, cancel: CancellationToken) -> Self {
        Self {
            origin: source.origin(),
            options,
            cancel,
        }
    }

    async fn read(&self, source: &Source) -> Result<Bundle, Error> {
        match (source, &self.options.repo) {
            (Source::Path(path), Some(repo)) => chart::from_repository(self, path, repo).await,
            (_, Some(_)) => Err(Error::Flag {
                flag: flag::REPO,
                reason: format!(
                    "takes the name of a chart beside it, which {} is not",
                    self.origin
                ),
            }),
            (Source::Stdin, None) => {
                let bytes = file::read_stdin(self).await?;
                self.content(Input::alone("stdin".to_owned(), bytes)).await
            }
            (Source::Path(path), None) => match file::look(path)? {
                file::Place::Folder => self.folder(path).await,
                file::Place::File => self.file(path).await,
                file::Place::Pipe => {
                    let bytes = file::read_pipe(self, path).await?;
                    let label = file::file_name(path);
                    self.content(Input::alone(label, bytes)).await
                }
            },
            (Source::Url(url), None) => {
                let fetched = fetch::fetch(self, url).await?;
                self.content(Input::alone(fetched.name, fetched.bytes))
                    .await
            }
            (Source::Chart { reference }, None) => chart::from_registry(self, reference).await,
        }
    }

    async fn file(&self, path: &Path) -> Result<Bundle, Error> {
        let label = file::file_name(path);
        let named = [label.as_str()];
        if source::is_chart_folder(named) {
            return chart::from_folder(self, file::parent(path)).await;
        }
        if source::is_kustomization(named) {
            return kustomize::from_folder(self, file::parent(path)).await;
        }
        let bytes = file::read_file(self, path).await?;
        let folder = Some(file::parent(path).to_path_buf());
        let input = Input::alone(label, bytes);
        self.content(Input { folder, ..input }).await
    }

    async fn folder(&self, path: &Path) -> Result<Bundle, Error> {
        let names = file::names(path)?;
        if source::is_chart_folder(names.iter().map(String::as_str)) {
            return chart::from_folder(self, path).await;
        }
        if source::is_kustomization(names.iter().map(String::as_str)) {
            return kustomize::from_folder(self, path).await;
        }
        let name = file::folder_name(path);
        let folder = path.to_path_buf();
        let (limits, origin) = (self.options.limits.clone(), self.origin.clone());
        self.blocking(move |cancel| {
            let read = file::read_folder(&folder, &origin, &limits, &cancel)?;
            assemble(name, origin, read, Beside::Folder(folder))
        })
        .await
    }

    /// Finds out what some bytes are, and reads what belongs to them.
    async fn content(&self, mut input: Input) -> Result<Bundle, Error> {
        let limits = self.options.limits.clone();
        let what = input.label.clone();
        let bytes = std::mem::take(&mut input.bytes);
        let opened = self
            .blocking(move |cancel| archive::open(bytes, &what, &limits, &cancel))
            .await?;
        match opened {
            Opened::Text(bytes) => self.text(Input { bytes, ..input }).await,
            Opened::Archive(tree) => self.tree(&input, tree).await,
        }
    }

    async fn text(&self, input: Input) -> Result<Bundle, Error> {
        let name = input.name();
        let Input {
            label,
            bytes,
            folder,
        } = input;
        let text = file::decode(&label, bytes)?;
        if text.trim().is_empty() {
            return Err(Error::Empty {
                what: self.origin.clone(),
                missing: "nothing",
                notes: Vec::new(),
            });
        }
        let form = source::recognise(&text)
            .or_else(|| source::is_compose_name(&label).then_some(Form::Compose))
            .unwrap_or(Form::Manifest);
        let main = SourceFile { path: label, text };
        let origin = self.origin.clone();
        match form {
            Form::Kustomization => kustomize::from_text(self, name, main).await,
            Form::Compose => {
                let (name, beside) = match folder {
                    // `compose.yaml` says nothing; its folder is the project's name.
                    Some(folder) if source::is_compose_name(&main.path) => {
                        (file::folder_name(&folder), Beside::Folder(folder))
                    }
                    Some(folder) => (name, Beside::Folder(folder)),
                    None => (name, Beside::Nowhere),
                };
                self.blocking(move |_| Ok(compose::gather(name, origin, main, &beside, Vec::new())))
                    .await
            }
            form => Ok(Bundle::new(name, origin, form, vec![main])),
        }
    }

    async fn tree(&self, input: &Input, tree: Tree) -> Result<Bundle, Error> {
        let top = || {
            tree.keys()
                .map(String::as_str)
                .filter(|path| !path.contains('/'))
        };
        if source::is_chart_folder(top()) {
            return chart::from_tree(self, tree).await;
        }
        let name = input.name();
        if source::is_kustomization(top()) {
            return kustomize::from_tree(self, name, tree).await;
        }
        if top().any(|path| path == "oci-layout") {
            return Err(Error::Compression {
                what: input.label.clone(),
                format: "an OCI image layout",
            });
        }
        let origin = self.origin.clone();
        self.blocking(move |_| {
            let read = file::read_tree(&tree, &origin)?;
            assemble(name, origin, read, Beside::Tree(tree))
        })
        .await
    }

    /// Awaits something until it is done or cancelled.
    async fn guard<T>(&self, future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(self.cancelled()),
            outcome = future => outcome,
        }
    }

    /// Does blocking work on a thread of its own, which is told to stop when nobody waits for it any more.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(CancellationToken) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let token = self.cancel.child_token();
        let _stop = token.clone().drop_guard();
        let task = tokio::task::spawn_blocking(move || work(token));
        self.guard(async {
            match task.await {
                Ok(outcome) => outcome,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_shut_down) => Err(self.cancelled()),
                },
            }
        })
        .await
    }

    fn cancelled(&self) -> Error {
        Error::Cancelled {
            origin: self.origin.clone(),
        }
    }
}

/// The texts of a folder or an archive.
struct Read {
    files: Vec<SourceFile>,
    notes: Vec<String>,
}

/// Decides what the files of a folder or an archive are together.
fn assemble(name: String, origin: String, read: Read, beside: Beside) -> Result<Bundle, Error> {
    let Read { files, mut notes } = read;
    let (overlays, files) = take_overlays(files, &mut notes);
    let (values, files) = take_values(files);
    let bundle = together(name, origin, files, notes, beside)?;
    Ok(Bundle {
        overlays,
        values,
        ..bundle
    })
}

/// Takes the files of overlays out of those of a folder.
fn take_overlays(
    files: Vec<SourceFile>,
    notes: &mut Vec<String>,
) -> (Vec<SourceFile>, Vec<SourceFile>) {
    let is_beside = |file: &SourceFile| source::is_in_overlays(&file.path);
    let (mut overlays, files): (Vec<_>, Vec<_>) = files.into_iter().partition(is_beside);
    overlays.retain(|file| {
        let is_named = source::overlay_of(&file.path).is_some();
        if !is_named {
            notes.push(format!(
                "{} belongs to no overlay and was left out; put it into overlays/NAME",
                file.path
            ));
        }
        is_named
    });
    (overlays, files)
}

/// Takes the file that declares values out of those of a folder.
fn take_values(mut files: Vec<SourceFile>) -> (Option<SourceFile>, Vec<SourceFile>) {
    let at = files.iter().position(|file| {
        let form = source::recognise(&file.text);
        source::is_values(&file.path) && !matches!(form, Some(Form::Manifest | Form::Design))
    });
    (at.map(|at| files.remove(at)), files)
}

/// Decides what the files of a folder or an archive are together, without overlays and values.
fn together(
    name: String,
    origin: String,
    files: Vec<SourceFile>,
    mut notes: Vec<String>,
    beside: Beside,
) -> Result<Bundle, Error> {
    let mut composes = Vec::new();
    let mut others = Vec::new();
    let mut forms = Vec::new();
    for file in files {
        let form = source::recognise(&file.text);
        let last = file.path.rsplit('/').next().unwrap_or(&file.path);
        if form == Some(Form::Compose) || (form.is_none() && source::is_compose_name(last)) {
            composes.push(file);
        } else {
            forms.extend(form);
            others.push(file);
        }
    }
    if !composes.is_empty() && forms.is_empty() {
        let at = compose::main_file(&composes).ok_or_else(|| Error::SeveralCompose {
            folder: origin.clone(),
            files: composes.iter().map(|file| file.path.clone()).collect(),
        })?;
        let mut main = composes.remove(at);
        let (beside, path) = beside.enter(&main.path);
        main.path = path;
        let mut bundle = compose::gather(name, origin, main, &beside, notes);
        for other in composes {
            if !bundle.files.iter().any(|file| file.path == other.path) {
                bundle.notes.push(format!(
                    "{} is another compose file and was not merged",
                    other.path
                ));
            }
        }
        return Ok(bundle);
    }
    for file in composes {
        notes.push(format!(
            "{} is a compose file and was left out; import it by itself",
            file.path
        ));
    }
    let is_design = !forms.is_empty() && forms.iter().all(|form| *form == Form::Design);
    let form = if is_design {
        Form::Design
    } else {
        Form::Manifest
    };
    Ok(Bundle {
        notes,
        ..Bundle::new(name, origin, form, others)
    })
}

#[cfg(all(test, unix))]
mod tests;
