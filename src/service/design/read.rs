//! From a reference to a design or its manifests: stored ones from the store, inline ones from
//! their texts, every error of every file collected, every object with its place.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::Value;
use weft_domain::{
    check::Finding,
    component::ModelReference,
    compose,
    design::{Design, Form as Document, KindFacts},
    path::Path,
    resource::Origin,
    secret::{self, Secrets},
    source::{Bundle, Form},
    yaml::{self, Limits, Positions},
};

use crate::{
    api::design::Reference,
    error::{Code, Error, Place, Result, from},
    service::{Services, compute, source::flag},
    store::{DesignRecord, DesignSummary, SecretBytes, Store},
};

/// A design with what is known of where it comes from.
pub(super) struct Loaded {
    /// The design.
    pub(super) design: Design,
    /// The stored version; none for an inline one.
    pub(super) version: Option<String>,
    /// The form it was read from.
    pub(super) form: String,
    /// Where it was read from.
    pub(super) origin: String,
    /// What was left out.
    pub(super) notes: Vec<String>,
}

impl Loaded {
    /// Name and version, for messages.
    pub(super) fn label(&self) -> String {
        match &self.version {
            Some(version) => format!("{} {version}", self.design.name),
            None => self.design.name.clone(),
        }
    }
}

/// Manifests with their places.
#[derive(Clone)]
pub(in crate::service) struct Manifests {
    /// The design's name.
    pub(in crate::service) name: String,
    /// The stored version; none for an inline design.
    pub(in crate::service) version: Option<String>,
    /// The objects, each with file and line.
    pub(super) objects: Vec<(Value, Origin)>,
    /// Where to look lines and columns up.
    pub(super) places: Places,
    /// What was left out.
    pub(super) notes: Vec<String>,
}

/// Reads a design with its secrets.
pub(super) async fn design(services: &Services, reference: Reference) -> Result<Loaded> {
    match reference {
        Reference::Stored { name, version } => stored(services, &name, version.as_deref()).await,
        Reference::Inline(bundle) => {
            let services = services.clone();
            compute(move || Inline::read(&services, bundle)?.into_design(&services)).await
        }
    }
}

/// Reads the manifests of a design.
pub(in crate::service) async fn manifests(
    services: &Services,
    reference: Reference,
) -> Result<Manifests> {
    match reference {
        Reference::Stored { name, version } => {
            let loaded = stored(services, &name, version.as_deref()).await?;
            compute(move || {
                Ok(Manifests {
                    objects: of_design(&loaded.design, &loaded.label().into(), None)?,
                    name: loaded.design.name,
                    version: loaded.version,
                    places: Places::default(),
                    notes: loaded.notes,
                })
            })
            .await
        }
        Reference::Inline(bundle) => {
            let services = services.clone();
            compute(move || Inline::read(&services, bundle)?.into_manifests()).await
        }
    }
}

/// A design of texts, parsed once, whatever is made of it then.
#[derive(Clone)]
pub(super) struct Inline {
    bundle: Arc<Bundle>,
    content: Content,
    form: Form,
    name: String,
    notes: Vec<String>,
}

/// What the texts hold.
#[derive(Clone)]
enum Content {
    /// A design, with the file and the line where it starts.
    Design(Box<Design>, Arc<str>, u32),
    /// Objects with their places.
    Objects(Vec<(Value, Origin)>),
}

impl Inline {
    /// Parses texts.
    pub(super) fn read(services: &Services, bundle: Bundle) -> Result<Self> {
        let mut texts = Texts::read(&bundle)?;
        let content = if texts.form == Form::Design {
            let (file, line) = texts.start();
            Content::Design(Box::new(texts.design(services, &bundle)?), file, line)
        } else {
            Content::Objects(texts.manifests()?)
        };
        let mut notes = bundle.notes.clone();
        notes.append(&mut texts.notes);
        Ok(Self {
            content,
            form: texts.form,
            name: texts.name,
            notes,
            bundle: Arc::new(bundle),
        })
    }

    /// What the texts are.
    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// The objects.
    pub(super) fn into_manifests(self) -> Result<Manifests> {
        let objects = match self.content {
            Content::Design(design, file, line) => {
                of_design(&design, &file, Some(line)).map_err(|error| error.in_file(&file))?
            }
            Content::Objects(objects) => objects,
        };
        Ok(Manifests {
            name: self.bundle.name.clone(),
            version: None,
            objects,
            places: Places(Some(self.bundle)),
            notes: self.notes,
        })
    }

    /// The design.
    pub(super) fn into_design(self, services: &Services) -> Result<Loaded> {
        let mut design = match self.content {
            Content::Design(design, ..) => *design,
            Content::Objects(objects) => {
                let values = objects.into_iter().map(|(value, _)| value).collect();
                Design::from_manifests(self.name, values, &facts, &mut || services.new_id())?
            }
        };
        if design.name.is_empty() {
            design.name.clone_from(&self.bundle.name);
        }
        Ok(Loaded {
            design,
            version: None,
            form: self.form.name().to_owned(),
            origin: self.bundle.origin.clone(),
            notes: self.notes,
        })
    }
}

/// Manifests of a design; explicit dependencies of components become our annotation.
fn of_design(design: &Design, file: &Arc<str>, line: Option<u32>) -> Result<Vec<(Value, Origin)>> {
    let mut objects: Vec<(Value, Origin)> = Vec::new();
    let mut at = HashMap::new();
    for (index, manifest) in design.resources() {
        at.insert(index, objects.len());
        let origin = Origin {
            file: file.clone(),
            line,
            inside: Path::root()
                .join("components")
                .join(index)
                .join("configuration"),
        };
        objects.push((manifest, origin));
    }
    for dependency in design.depends_on()? {
        let on = dependency.on;
        let (group, _) = weft_domain::resource::split_api_version(&on.api_version);
        let id = [
            Some(group),
            Some(&*on.kind),
            on.namespace.as_deref(),
            Some(&*on.name),
        ];
        let id: Vec<&str> = id
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .collect();
        let object = at
            .get(&dependency.from.component)
            .and_then(|at| objects.get_mut(*at));
        // What has no place for an annotation is found when it is judged.
        if let Some(annotation) = object.and_then(|(object, _)| depends_on(object)) {
            let text = match annotation.as_str() {
                Some(text) => format!("{text},{}", id.join("/")),
                None => id.join("/"),
            };
            *annotation = Value::String(text);
        }
    }
    Ok(objects)
}

/// The place of our annotation in a manifest; none where its metadata has a wrong form.
fn depends_on(object: &mut Value) -> Option<&mut Value> {
    let mut map = object.as_object_mut()?;
    for key in ["metadata", "annotations"] {
        let inner = map.entry(key).or_insert(Value::Null);
        if inner.is_null() {
            *inner = Value::Object(serde_json::Map::new());
        }
        map = inner.as_object_mut()?;
    }
    let annotation = map.entry(weft_domain::resource::DEPENDS_ON);
    Some(annotation.or_insert(Value::Null))
}

async fn stored(services: &Services, name: &str, version: Option<&str>) -> Result<Loaded> {
    let store = super::store_with(services, name).await?;
    let record = store.find_design(name, version).await?;
    of_record(services, store, record).await
}

/// Reads what was found in the store.
pub(super) async fn of_record(
    services: &Services,
    store: &Store,
    record: DesignRecord,
) -> Result<Loaded> {
    let DesignRecord { summary, document } = record;
    let sealed = if summary.has_secrets {
        store.design_secrets(summary.id, &summary.version).await?
    } else {
        None
    };
    let services = services.clone();
    compute(move || unsealed(&services, summary, document, sealed)).await
}

/// Puts the secrets back into a stored document, and reads it.
fn unsealed(
    services: &Services,
    summary: DesignSummary,
    mut document: Value,
    sealed: Option<SecretBytes>,
) -> Result<Loaded> {
    let name = &summary.name;
    if let Some(sealed) = sealed {
        let damaged = |error: &dyn std::fmt::Display| {
            Error::new(Code::StoreDamaged, "the secrets of a design don't fit it")
                .at(Place::object(format!("design {name:?}")))
                .because(error)
        };
        let secrets: Secrets =
            serde_json::from_slice(sealed.expose()).map_err(|error| damaged(&error))?;
        secret::put_back(&mut document, secrets).map_err(|error| damaged(&error))?;
    }
    let mut design = Design::read(document, &mut || services.new_id())?;
    design.version.clone_from(&summary.version);
    Ok(Loaded {
        design,
        version: Some(summary.version),
        form: summary.form,
        origin: summary.origin,
        notes: Vec::new(),
    })
}

fn facts(api_version: &str, kind: &str) -> Option<KindFacts> {
    let model = weft_domain::model::Model::builtin();
    let info = model.find(api_version, kind)?;
    Some(KindFacts {
        namespaced: info.is_namespaced().unwrap_or(true),
        model: ModelReference {
            name: model.name().to_owned(),
            display_name: model.info().display_name.clone(),
            version: model.info().version.clone(),
            model_version: model.version().to_owned(),
            registrant: model.info().registrant.kind.clone(),
            ..ModelReference::default()
        },
        version: "v1.0.0".to_owned(),
    })
}

/// The parsed documents of a bundle.
struct Texts {
    form: Form,
    /// By file and line.
    documents: Vec<(Value, Arc<str>, u32)>,
    name: String,
    files: BTreeMap<String, String>,
    notes: Vec<String>,
}

impl Texts {
    /// Parses every document of every file; all errors are collected.
    fn read(bundle: &Bundle) -> Result<Self> {
        let mut documents = Vec::new();
        let mut errors = Vec::new();
        let design = bundle.form == Form::Design;
        let limits = bundle.limits.over(if design {
            Limits::DESIGN
        } else {
            Limits::STREAM
        });
        // A source of several designs is refused later, by what it is.
        let most = bundle.limits.over(Limits::STREAM).documents;
        let parsed = match bundle.form {
            // The files beside it are texts of their own.
            Form::Compose => bundle.files.get(..1).unwrap_or_default(),
            _ => &bundle.files[..],
        };
        for file in parsed {
            let path: Arc<str> = shown(bundle, &file.path).into();
            for text in yaml::split(&file.text) {
                if documents.len() >= most {
                    errors.push(
                        Error::new(
                            Code::OverLimit,
                            format!("the input has more than {most} documents"),
                        )
                        .at(Place::file(&*path, None))
                        .hint(from::raise(flag::DOCUMENTS)),
                    );
                    break;
                }
                match yaml::parse(&text, &limits) {
                    Ok(Some(value)) => {
                        documents.push((value, path.clone(), first_line(&text)));
                    }
                    Ok(None) => {}
                    Err(error) => errors.push(from::yaml(&error, &path)),
                }
            }
        }
        if let Some(error) = Error::all(errors) {
            return Err(error);
        }
        if documents.is_empty() {
            return Err(
                Error::new(Code::NothingThere, "the source holds no document")
                    .at(Place::file(bundle.origin.clone(), None)),
            );
        }
        let form = match (bundle.form, documents.first()) {
            // What a caller says of its texts is checked.
            (Form::Manifest | Form::Design | Form::Compose, Some((value, ..))) => {
                match Document::of(value) {
                    Some(Document::Design | Document::ServicesMap | Document::Record) => {
                        Form::Design
                    }
                    None if compose::is_compose(value) => Form::Compose,
                    _ => Form::Manifest,
                }
            }
            (form, _) => form,
        };
        let files = bundle
            .files
            .iter()
            .map(|file| (file.path.clone(), file.text.clone()));
        Ok(Self {
            form,
            documents,
            name: bundle.name.clone(),
            files: if form == Form::Compose {
                files.collect()
            } else {
                BTreeMap::new()
            },
            notes: Vec::new(),
        })
    }

    fn start(&self) -> (Arc<str>, u32) {
        match self.documents.first() {
            Some((_, file, line)) => (file.clone(), *line),
            None => ("".into(), 1),
        }
    }

    /// The one design of the source.
    fn design(&mut self, services: &Services, bundle: &Bundle) -> Result<Design> {
        let (file, line) = self.start();
        if self.documents.len() > 1 {
            return Err(Error::new(
                Code::BadDesign,
                format!(
                    "a source holds one design, this one has {} documents",
                    self.documents.len()
                ),
            )
            .at(Place::file(&*file, None)));
        }
        let (value, ..) = self
            .documents
            .pop()
            .ok_or_else(|| Error::internal("a design without document"))?;
        Design::read(value, &mut || services.new_id()).map_err(|error| {
            let at = error
                .path()
                .and_then(|path| Some(positions(bundle, &file, line)?.value(path)));
            let mapped = Error::from(error);
            let mut place = mapped.place().clone();
            place.file = Some(file.to_string());
            place.line = Some(at.map_or(line, |at| at.line));
            place.column = at.map(|at| at.column);
            mapped.at(place)
        })
    }

    /// All objects; lists are taken apart, a Compose file is converted.
    fn manifests(&mut self) -> Result<Vec<(Value, Origin)>> {
        let documents = std::mem::take(&mut self.documents);
        if self.form == Form::Compose {
            let Some((project, file, line)) = documents.into_iter().next() else {
                return Ok(Vec::new());
            };
            let mut notes = Vec::new();
            let environment = match self.files.get(".env") {
                Some(text) => compose::environment(text, &mut notes)
                    .map_err(|error| Error::from(error).at(Place::file(&*file, None)))?,
                None => BTreeMap::new(),
            };
            let name = project
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or(&self.name)
                .to_owned();
            self.name.clone_from(&name);
            let conversion = compose::convert(&project, &name, &self.files, &environment)
                .map_err(|error| Error::from(error).at(Place::file(&*file, None)))?;
            notes.extend(conversion.notes);
            let notes = notes.iter();
            self.notes
                .extend(notes.map(|note| format!("{}: {}", note.path, note.message)));
            let origin = Origin {
                file,
                line: Some(line),
                inside: Path::root(),
            };
            return Ok(conversion
                .manifests
                .into_iter()
                .map(|value| (value, origin.clone()))
                .collect());
        }
        let mut objects = Vec::with_capacity(documents.len());
        let mut errors = Vec::new();
        for (value, file, line) in documents {
            match Document::of(&value) {
                Some(Document::Manifest) => {}
                None if value.get("apiVersion").is_some() || value.get("kind").is_some() => {}
                _ => {
                    errors.push(
                        Error::new(Code::NotAResource, "a document is no Kubernetes object: it has neither apiVersion nor kind")
                            .at(Place::file(&*file, Some(yaml::Location { line, column: 1 }))),
                    );
                    continue;
                }
            }
            let whole = weft_domain::design::flatten_with_paths(value);
            match whole {
                Ok(found) => {
                    objects.extend(found.into_iter().map(|(inside, object)| {
                        let file = file.clone();
                        let line = Some(line);
                        (object, Origin { file, line, inside })
                    }));
                }
                Err(error) => errors.push(Error::from(error).at(Place::file(
                    &*file,
                    Some(yaml::Location { line, column: 1 }),
                ))),
            }
        }
        match Error::all(errors) {
            Some(error) => Err(error),
            None => Ok(objects),
        }
    }
}

/// A file as messages name it: the origin itself for a single file, below it for a folder.
pub(super) fn shown(bundle: &Bundle, path: &str) -> String {
    if bundle.files.len() == 1 || bundle.form == Form::Compose {
        let last = bundle.origin.rsplit('/').next().unwrap_or_default();
        if last == path || bundle.origin == "-" || bundle.origin.contains("://") {
            return bundle.origin.clone();
        }
    }
    match bundle.origin.as_str() {
        "-" | "." => path.to_owned(),
        origin if bundle.form == Form::Manifest || bundle.form == Form::Design => {
            format!("{}/{path}", origin.trim_end_matches('/'))
        }
        _ => path.to_owned(),
    }
}

/// The line of the first content of a document.
pub(super) fn first_line(text: &yaml::Text<'_>) -> u32 {
    let skipped = text
        .text
        .lines()
        .position(|line| {
            let line = line.trim();
            !(line.is_empty()
                || line.starts_with(['#', '%'])
                || line == "---"
                || line.starts_with("--- #"))
        })
        .unwrap_or(0);
    u32::try_from(text.line_offset + skipped + 1).unwrap_or(u32::MAX)
}

/// The texts that objects were read from, so that findings get line and column; none of what is
/// stored.
#[derive(Clone, Default)]
pub(super) struct Places(Option<Arc<Bundle>>);

impl Places {
    /// Replaces the line of each finding by line and column of the field it is about.
    pub(super) fn locate(&self, findings: &mut [Finding]) {
        let texts = match &self.0 {
            Some(bundle) => documents(bundle, findings),
            None => HashMap::new(),
        };
        let mut cache: HashMap<(Arc<str>, Option<u32>), Option<Positions>> = HashMap::new();
        let origins = findings
            .iter()
            .flat_map(|f| [&f.origin, &f.first])
            .flatten();
        for origin in origins {
            // All objects of a document share its places.
            cache.entry(document_of(origin)).or_insert_with(|| {
                let text = texts.get(&*origin.file)?.get(&origin.line?);
                text.map(Positions::of)
            });
        }
        for finding in findings {
            finding.locate(|origin| cache.get(&document_of(origin))?.as_ref());
        }
    }
}

/// The document that an object was read from.
fn document_of(origin: &Origin) -> (Arc<str>, Option<u32>) {
    (origin.file.clone(), origin.line)
}

/// The documents that findings may be about: by file, as messages name it, and first line.
fn documents<'a>(
    bundle: &'a Bundle,
    findings: &[Finding],
) -> HashMap<String, HashMap<u32, yaml::Text<'a>>> {
    if bundle.form == Form::Compose || findings.is_empty() {
        return HashMap::new();
    }
    let lines = |text| yaml::split(text).map(|document| (first_line(&document), document));
    let files = bundle.files.iter();
    files
        .map(|file| (shown(bundle, &file.path), lines(&file.text).collect()))
        .collect()
}

/// The places of one document.
fn positions(bundle: &Bundle, file: &str, line: u32) -> Option<Positions> {
    let mut files = bundle.files.iter();
    let found = files.find(|found| shown(bundle, &found.path) == file)?;
    let text = yaml::split(&found.text).find(|text| first_line(text) == line)?;
    Some(Positions::of(&text))
}
