//! From a reference to a design or its manifests: stored ones from the store, inline ones from
//! their texts, every error of every file collected, every object with its place.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::Value;
use weft_domain::{
    check::Finding,
    component::{ModelReference, Object},
    compose,
    design::{Design, Form as Document, KindFacts},
    overlay::{Applied, Provenance},
    path::{Path, Segment},
    resource::Origin,
    secret::{self, Secrets},
    source::{Bundle, Form},
    yaml::{self, Limits, Positions},
};

use super::fit::{self, Sections, Written};
use crate::{
    api::design::{Fitting, Reference},
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
        label(&self.design.name, self.version.as_deref())
    }
}

fn label(name: &str, version: Option<&str>) -> String {
    match version {
        Some(version) => format!("{name} {version}"),
        None => name.to_owned(),
    }
}

/// Manifests with their places.
pub(in crate::service) struct Manifests {
    /// The design's name.
    pub(in crate::service) name: String,
    /// The stored version; none for an inline design.
    pub(in crate::service) version: Option<String>,
    /// The objects, each with file and line.
    pub(in crate::service) objects: Vec<(Value, Origin)>,
    /// What overlays and values have set in them.
    pub(super) provenance: Provenance,
    /// What looks wrong about overlays and values.
    pub(super) findings: Vec<Finding>,
    /// Where to look lines and columns up.
    pub(in crate::service) places: Places,
    /// What was left out.
    pub(in crate::service) notes: Vec<String>,
}

impl Manifests {
    /// Objects that were made of rows by forms; the forms are what can be pointed at.
    pub(in crate::service) fn made(
        name: String,
        objects: Vec<(Value, Origin)>,
        places: Places,
        notes: Vec<String>,
    ) -> Self {
        Self {
            name,
            version: None,
            objects,
            provenance: Provenance::default(),
            findings: Vec::new(),
            places,
            notes,
        }
    }
}

/// Reads a design with its secrets, as it is written.
pub(super) async fn design(services: &Services, reference: Reference) -> Result<Loaded> {
    let read = read(services, reference, &Fitting::default()).await?;
    let services = services.clone();
    compute(move || read.into_design(&services)).await
}

/// Reads a design with its secrets, and what is given for its values. A chart has taken its values
/// when it was rendered.
pub(in crate::service) async fn read(
    services: &Services,
    reference: Reference,
    fitting: &Fitting,
) -> Result<Read> {
    let mut read = match reference {
        Reference::Stored { name, version } => {
            let store = super::store_with(services, &name).await?;
            let record = store.find_design(&name, version.as_deref()).await?;
            of_record(services, store, record).await?
        }
        Reference::Inline(bundle) => {
            let services = services.clone();
            compute(move || Read::new(&services, bundle)).await?
        }
    };
    if read.form != Form::Chart.name() || read.version.is_some() {
        read.sections.give(fitting)?;
    }
    Ok(read)
}

/// A design, parsed once, whatever is made of it then.
#[derive(Clone)]
pub(in crate::service) struct Read {
    content: Content,
    sections: Sections,
    form: String,
    name: String,
    /// Where it was read from.
    origin: String,
    /// The stored version; none for an inline one.
    version: Option<String>,
    notes: Vec<String>,
    places: Places,
    fitted: Fitted,
}

/// What the design is made of.
#[derive(Clone)]
enum Content {
    /// A design, with the file, and the line where it starts.
    Design(Box<Design>, Arc<str>, Option<u32>),
    /// Objects with their places.
    Objects(Vec<(Value, Origin)>),
}

/// What came of overlays and values.
#[derive(Clone, Default)]
struct Fitted {
    provenance: Provenance,
    findings: Vec<Finding>,
    /// The indexes that the components had which are left.
    kept: Vec<usize>,
}

impl Read {
    /// Parses texts.
    pub(super) fn new(services: &Services, bundle: Bundle) -> Result<Self> {
        let mut texts = Texts::read(&bundle)?;
        let (content, sections) = if texts.form == Form::Design {
            let (file, line) = texts.start();
            let is_record = texts.is_record();
            let mut design = texts.design(services, &bundle)?;
            let has_sections = fit::SECTIONS.map(|key| design.extra.contains_key(key));
            let written = Written {
                file: &file,
                line: Some(line),
                // A record has the design as a text inside of it.
                positions: (has_sections.contains(&true) && !is_record)
                    .then(|| positions(&bundle, &file, line))
                    .flatten(),
            };
            let sections = Sections::of_bundle(&bundle, &design.extra, &written)?;
            let of_files = sections.of_files().clone();
            design.extra.extend(of_files);
            (
                Content::Design(Box::new(design), file, Some(line)),
                sections,
            )
        } else {
            let objects = texts.manifests()?;
            let written = Written {
                file: &bundle.origin.as_str().into(),
                line: None,
                positions: None,
            };
            let sections = Sections::of_bundle(&bundle, &Object::new(), &written)?;
            (Content::Objects(objects), sections)
        };
        let mut notes = bundle.notes.clone();
        notes.append(&mut texts.notes);
        Ok(Self {
            content,
            sections,
            form: texts.form.name().to_owned(),
            name: texts.name,
            origin: bundle.origin.clone(),
            version: None,
            notes,
            places: Places(Some(Arc::new(bundle))),
            fitted: Fitted::default(),
        })
    }

    /// What the texts are.
    pub(super) fn is_design(&self) -> bool {
        self.form == Form::Design.name()
    }

    /// The name of the design.
    pub(in crate::service) fn name(&self) -> &str {
        match &self.content {
            Content::Design(design, ..) if !design.name.is_empty() => &design.name,
            _ => self.places.name().unwrap_or(&self.name),
        }
    }

    /// Fills values in and lays overlays over the design. What was read before is then used up.
    ///
    /// # Errors
    /// With everything that doesn't fit.
    pub(in crate::service) fn fitted(mut self, overlays: &[String]) -> Result<Self> {
        let is_idle = self.sections.are_idle(overlays);
        let mut kept = Vec::new();
        let applied = match &mut self.content {
            Content::Design(design, ..) if is_idle => {
                Sections::take_from(&mut design.extra);
                Applied::default()
            }
            Content::Objects(_) if is_idle => Applied::default(),
            Content::Objects(objects) => self.sections.apply(objects, overlays)?,
            Content::Design(design, file, line) => {
                let mut objects: Vec<_> = design
                    .resources()
                    .map(|(index, manifest)| (manifest, origin_of(index, file, *line)))
                    .collect();
                let applied = self.sections.apply(&mut objects, overlays)?;
                let objects = objects.into_iter();
                kept = design.set_resources(
                    objects.filter_map(|(manifest, origin)| Some((index_of(&origin)?, manifest))),
                );
                Sections::take_from(&mut design.extra);
                applied
            }
        };
        let removed = applied.provenance.removed();
        let removed = removed
            .iter()
            .map(|(id, by)| format!("{id} is left out by {by}"));
        self.notes.extend(removed);
        self.fitted = Fitted {
            provenance: applied.provenance,
            findings: applied.warnings.into_iter().map(fit::finding).collect(),
            kept,
        };
        // They are applied.
        self.sections = Sections::default();
        Ok(self)
    }

    /// The objects.
    pub(in crate::service) fn into_manifests(self) -> Result<Manifests> {
        let name = self.name().to_owned();
        let objects = match self.content {
            Content::Design(design, file, line) => {
                let origin = |index: usize| {
                    let kept = self.fitted.kept.get(index);
                    origin_of(kept.copied().unwrap_or(index), &file, line)
                };
                of_design(&design, &origin).map_err(|error| match line {
                    Some(_) => error.in_file(&file),
                    None => error,
                })?
            }
            Content::Objects(objects) => objects,
        };
        Ok(Manifests {
            name,
            version: self.version,
            objects,
            provenance: self.fitted.provenance,
            findings: self.fitted.findings,
            places: self.places,
            notes: self.notes,
        })
    }

    /// The design, with what looks wrong about its overlays among the notes.
    pub(super) fn into_design(self, services: &Services) -> Result<Loaded> {
        let name = self.name().to_owned();
        let mut design = match self.content {
            Content::Design(design, ..) => *design,
            Content::Objects(objects) => {
                let values = objects.into_iter().map(|(value, _)| value).collect();
                let mut ids = || services.new_id();
                let mut design = Design::from_manifests(self.name, values, &facts, &mut ids)?;
                design.extra.extend(self.sections.of_files().clone());
                design
            }
        };
        if design.name.is_empty() {
            design.name = name;
        }
        let mut notes = self.notes;
        let mut findings = self.fitted.findings;
        self.places.locate(&mut findings);
        notes.extend(findings.iter().map(ToString::to_string));
        Ok(Loaded {
            design,
            version: self.version,
            form: self.form,
            origin: self.origin,
            notes,
        })
    }
}

/// Where a component of a design stands.
fn origin_of(index: usize, file: &Arc<str>, line: Option<u32>) -> Origin {
    Origin {
        file: file.clone(),
        line,
        inside: Path::root()
            .join("components")
            .join(index)
            .join("configuration"),
        part: None,
    }
}

/// The component that stands there.
fn index_of(origin: &Origin) -> Option<usize> {
    match origin.inside.segments() {
        [_, Segment::Index(index), ..] => Some(*index),
        _ => None,
    }
}

/// Manifests of a design; explicit dependencies of components become our annotation.
fn of_design(design: &Design, origin: &dyn Fn(usize) -> Origin) -> Result<Vec<(Value, Origin)>> {
    let mut objects: Vec<(Value, Origin)> = Vec::new();
    let mut at = HashMap::new();
    for (index, manifest) in design.resources() {
        at.insert(index, objects.len());
        objects.push((manifest, origin(index)));
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

/// Reads what was found in the store.
pub(super) async fn of_record(
    services: &Services,
    store: &Store,
    record: DesignRecord,
) -> Result<Read> {
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
) -> Result<Read> {
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
    let file = label(&design.name, Some(&summary.version)).into();
    let written = Written {
        file: &file,
        line: None,
        positions: None,
    };
    Ok(Read {
        sections: Sections::of_design(&design.extra, &written)?,
        name: design.name.clone(),
        content: Content::Design(Box::new(design), file, None),
        version: Some(summary.version),
        form: summary.form,
        origin: summary.origin,
        notes: Vec::new(),
        places: Places::default(),
        fitted: Fitted::default(),
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

    /// Whether the design is a text inside of a record.
    fn is_record(&self) -> bool {
        let first = self.documents.first();
        first.is_some_and(|(value, ..)| Document::of(value) == Some(Document::Record))
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
                part: None,
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
                        (
                            object,
                            Origin {
                                file,
                                line,
                                inside,
                                part: None,
                            },
                        )
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
pub(in crate::service) struct Places(Option<Arc<Bundle>>);

impl Places {
    /// The name that the source suggests.
    fn name(&self) -> Option<&str> {
        self.0.as_ref().map(|bundle| bundle.name.as_str())
    }

    /// Replaces the line of each finding by line and column of the field it is about.
    pub(in crate::service) fn locate(&self, findings: &mut [Finding]) {
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

/// Parses texts that are no design: their documents, and where to look lines and columns up.
///
/// # Errors
/// With everything that can't be parsed, or when no document is there.
pub(in crate::service) fn parsed(bundle: Bundle) -> Result<(Vec<(Value, Origin)>, Places)> {
    let documents = Texts::read(&bundle)?.documents.into_iter();
    let documents = documents.map(|(value, file, line)| {
        let origin = Origin {
            file,
            line: Some(line),
            inside: Path::root(),
            part: None,
        };
        (value, origin)
    });
    Ok((documents.collect(), Places(Some(Arc::new(bundle)))))
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
