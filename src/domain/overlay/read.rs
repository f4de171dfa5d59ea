//! Overlays as they are written: a section of a design, or files in a folder.
//!
//! A patch is a part of an object with its `apiVersion`, `kind` and `metadata.name`, or an entry like those
//! of a kustomization's `patches`: a `target` and a `patch`, which is a list of operations, a part of an
//! object, or the text of either. Everything that is wrong is reported, each with its place.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::json_patch::Operation;
use super::provenance::{Marks, Source};
use super::values::Layer;
use super::{
    Body, DEEPEST, Error, Identity, Overlay, Overlays, Patch, Problem, Selector, Size, Target,
    describe, did_you_mean,
};
use crate::path::Path;
use crate::resource::Origin;
use crate::yaml::{self, Limits, Positions, Text};

/// Larger patches have only one line, their first: to look up every place would take too long.
const MOST_MARKS: usize = 5_000;

/// How deep lists of objects may nest.
const DEEPEST_LIST: usize = 8;

/// A parsed document, and where it was read.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    /// The document.
    pub value: &'a Value,
    /// The file, as the user named it, and the line where the document starts.
    pub origin: &'a Origin,
    /// Where its values stand, if the text is at hand.
    pub positions: Option<&'a Positions>,
}

impl Document<'_> {
    /// Returns where a value of the document stands.
    pub(super) fn origin(&self, path: &Path) -> Origin {
        let Some(positions) = self.positions else {
            return self.origin.clone();
        };
        Origin {
            file: Arc::clone(&self.origin.file),
            // Where the key stands is where a reader looks.
            line: Some(positions.key(path).line),
            inside: path.clone(),
            part: None,
        }
    }

    pub(super) fn error(&self, mut error: Box<Error>, path: Path) -> Box<Error> {
        error.origin = Some(self.origin(&path));
        error.at(path)
    }
}

/// Marks everything in a value of a document.
pub(super) fn marks(
    value: &Value,
    path: &mut Path,
    source: &dyn Fn(&Path) -> Source,
) -> Arc<Marks> {
    let depth = if Size::of(value, MOST_MARKS).nodes > MOST_MARKS {
        0
    } else {
        Limits::STREAM.depth
    };
    Marks::of(value, path, depth, source)
}

impl Overlays {
    /// Reads the section `overlays` of a design, and files of overlays by the name of each.
    ///
    /// A file holds patches; one that is called `values.yaml` holds values. Files come after the section,
    /// and in the order in which they are given.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read(
        design: Option<&Document<'_>>,
        files: &[(String, Document<'_>)],
    ) -> Result<Self, Vec<Error>> {
        let mut overlays = Self::default();
        let mut errors = Vec::new();
        if let Some(design) = design {
            overlays.read_section(design, &mut errors);
        }
        for (name, document) in files {
            let name: Arc<str> = name.as_str().into();
            let mut reader = Reader::new(&name, *document);
            reader.document(document);
            overlays.add(reader, &mut errors);
        }
        if errors.is_empty() {
            Ok(overlays)
        } else {
            Err(errors)
        }
    }

    /// Returns the section of a design that says the same as its own one and files after it; nothing
    /// where there are no overlays.
    ///
    /// Both must be such that [`read`](Self::read) takes them.
    pub fn section(own: Option<&Value>, files: &[(String, Document<'_>)]) -> Option<Value> {
        let mut sections = own.and_then(Value::as_object).cloned().unwrap_or_default();
        for (name, document) in files {
            let section = sections.entry(name.as_str()).or_insert(Value::Null);
            if section.is_null() {
                *section = Value::Object(Map::new());
            }
            let Some(section) = section.as_object_mut() else {
                continue;
            };
            let (mut values, mut patches) = (None, Vec::new());
            let mut take = |list: Option<&Value>| {
                patches.extend(
                    list.and_then(Value::as_array)
                        .into_iter()
                        .flatten()
                        .cloned(),
                );
            };
            match Content::of(document) {
                Content::Nothing => {}
                Content::Values(given) => values = Some(given),
                Content::Patches(list) => take(Some(list)),
                Content::Kustomization(map) => take(map.get("patches")),
                Content::Section(map) => {
                    values = map.get("values");
                    take(map.get("patches"));
                }
                Content::Patch(patch) => patches.push(patch.clone()),
            }
            if let Some(Value::Object(values)) = values {
                let all = section.entry("values").or_insert(Value::Null);
                lay_together(all, values, 0);
            }
            if !patches.is_empty() {
                let all = section.entry("patches").or_insert(Value::Null);
                if let Value::Array(all) = all {
                    all.extend(patches);
                } else {
                    *all = Value::Array(patches);
                }
            }
        }
        let is_there = own.is_some() || !files.is_empty();
        is_there.then_some(Value::Object(sections))
    }

    fn read_section(&mut self, design: &Document<'_>, errors: &mut Vec<Error>) {
        let path = Path::root().join("overlays");
        let sections = match design.value.get("overlays") {
            None | Some(Value::Null) => return,
            Some(Value::Object(sections)) => sections,
            Some(other) => {
                let (expected, found) = ("a mapping", describe(other));
                let error = Error::new(Problem::Type { expected, found });
                errors.push(*design.error(error, path));
                return;
            }
        };
        for (name, section) in sections {
            let name: Arc<str> = name.as_str().into();
            let mut reader = Reader::new(&name, *design);
            reader.section(section, path.join(&*name));
            self.add(reader, errors);
        }
    }

    fn add(&mut self, reader: Reader<'_>, errors: &mut Vec<Error>) {
        errors.extend(reader.errors);
        let overlay = self.0.entry(reader.name).or_insert_with(|| Overlay {
            values: Vec::new(),
            patches: Vec::new(),
        });
        overlay.values.extend(reader.found.values);
        overlay.patches.extend(reader.found.patches);
    }
}

fn is_values_file(file: &str) -> bool {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    matches!(name, "values.yaml" | "values.yml" | "values.json")
}

/// What a document of a file is.
enum Content<'a> {
    Nothing,
    Values(&'a Value),
    /// A list of patches.
    Patches(&'a Value),
    /// A kustomization of nothing but patches.
    Kustomization(&'a Value),
    /// What stands under the name of an overlay in a design.
    Section(&'a Value),
    Patch(&'a Value),
}

impl<'a> Content<'a> {
    fn of(document: &Document<'a>) -> Self {
        let value = document.value;
        let kind = value.get("kind");
        let has = |key: &str| value.get(key).is_some();
        if is_values_file(&document.origin.file) {
            Self::Values(value)
        } else if value.is_array() {
            Self::Patches(value)
        } else if kind.is_some_and(|kind| kind == "Kustomization") {
            Self::Kustomization(value)
        } else if kind.is_none() && (has("patches") || has("values")) {
            Self::Section(value)
        } else if value.is_null() {
            Self::Nothing
        } else {
            Self::Patch(value)
        }
    }
}

/// Puts mappings of values together that are laid over others one after another.
fn lay_together(all: &mut Value, over: &Map<String, Value>, depth: usize) {
    if !all.is_object() || depth > DEEPEST {
        *all = Value::Object(over.clone());
    } else if let Some(all) = all.as_object_mut() {
        for (key, value) in over {
            match (all.get_mut(key), value) {
                (Some(here @ Value::Object(_)), Value::Object(over)) => {
                    lay_together(here, over, depth + 1);
                }
                _ => _ = all.insert(key.clone(), value.clone()),
            }
        }
    }
}

/// Reads one overlay from one document.
struct Reader<'a> {
    name: Arc<str>,
    document: Document<'a>,
    found: Overlay,
    errors: Vec<Error>,
}

impl<'a> Reader<'a> {
    fn new(name: &Arc<str>, document: Document<'a>) -> Self {
        Self {
            name: Arc::clone(name),
            document,
            found: Overlay {
                values: Vec::new(),
                patches: Vec::new(),
            },
            errors: Vec::new(),
        }
    }

    fn source(&self, path: &Path) -> Source {
        Source::Overlay {
            name: Arc::clone(&self.name),
            origin: self.document.origin(path),
        }
    }

    fn marks(&self, value: &Value, path: &Path) -> Arc<Marks> {
        let source = |path: &Path| self.source(path);
        marks(value, &mut path.clone(), &source)
    }

    fn report(&mut self, problem: Problem, path: Path) {
        self.report_hint(problem, path, None);
    }

    fn report_hint(&mut self, problem: Problem, path: Path, hint: Option<String>) {
        let error = Error::new(problem).from(&self.source(&path));
        self.errors.push(*error.at(path).hint(hint));
    }

    fn report_type(&mut self, expected: &'static str, value: &Value, path: Path) {
        let found = describe(value);
        self.report(Problem::Type { expected, found }, path);
    }

    /// Reports the fields of a mapping that mean nothing there.
    fn only(&mut self, value: &Value, known: &[&str], path: &Path) {
        let fields = value.as_object().into_iter().flatten();
        for (key, _) in fields.filter(|(key, _)| !known.contains(&key.as_str())) {
            let hint = match key.as_str() {
                "path" => Some("a patch in another file is not read, put it here".to_owned()),
                _ => did_you_mean(key, known.iter().copied())
                    .or_else(|| Some(format!("known are {}", known.join(", ")))),
            };
            let field = key.clone();
            let problem = Problem::UnknownField { field };
            self.report_hint(problem, path.join(key.as_str()), hint);
        }
    }

    /// Reads what stands under the name of an overlay.
    fn section(&mut self, value: &Value, path: Path) {
        match value {
            Value::Null => {}
            Value::Object(section) => {
                self.only(value, &["values", "patches"], &path);
                if let Some(values) = section.get("values") {
                    self.values(values, path.join("values"));
                }
                if let Some(patches) = section.get("patches") {
                    self.patches(patches, path.join("patches"));
                }
            }
            other => self.report_type("a mapping", other, path),
        }
    }

    fn values(&mut self, value: &Value, path: Path) {
        match Layer::read(value, self.marks(value, &path)) {
            Ok(layer) => self.found.values.push(layer),
            Err(error) => self.errors.push(*error.at(path)),
        }
    }

    fn patches(&mut self, value: &Value, path: Path) {
        match value {
            Value::Null => {}
            Value::Array(patches) => {
                for (index, patch) in patches.iter().enumerate() {
                    self.patch(patch, path.join(index), 0);
                }
            }
            other => self.report_type("a list of patches", other, path),
        }
    }

    /// Reads a whole document of a file.
    fn document(&mut self, document: &Document<'_>) {
        let path = Path::root();
        match Content::of(document) {
            Content::Nothing => {}
            Content::Values(values) => self.values(values, path),
            Content::Patches(patches) => self.patches(patches, path),
            Content::Kustomization(value) => {
                self.only(value, &["apiVersion", "kind", "metadata", "patches"], &path);
                if let Some(patches) = value.get("patches") {
                    self.patches(patches, path.join("patches"));
                }
            }
            Content::Section(section) => self.section(section, path),
            Content::Patch(only) => self.patch(only, path, 0),
        }
    }

    /// Reads one patch, or a list of objects.
    fn patch(&mut self, value: &Value, path: Path, depth: usize) {
        let Some(map) = value.as_object() else {
            return self.report_type("a patch", value, path);
        };
        let has = |key: &str| map.contains_key(key);
        let items = map.get("items").and_then(Value::as_array);
        if has("apiVersion") || has("kind") {
            let is_list = map.get("kind").is_some_and(|kind| kind == "List");
            match items.filter(|_| is_list && depth < DEEPEST_LIST) {
                Some(items) => {
                    let path = path.join("items");
                    for (index, item) in items.iter().enumerate() {
                        self.patch(item, path.join(index), depth + 1);
                    }
                }
                None => self.strategic(value, None, &path),
            }
        } else if has("target") || has("patch") || (has("path") && !has("op")) {
            self.entry(value, &path);
        } else if has("op") {
            let hint = "write it as target: {kind: …, name: …} and patch: [ … ]";
            self.report_hint(Problem::NoTarget, path, Some(hint.to_owned()));
        } else {
            self.report(
                Problem::Missing {
                    field: "apiVersion",
                },
                path,
            );
        }
    }

    /// Reads an entry with a target.
    fn entry(&mut self, value: &Value, path: &Path) {
        self.only(value, &["target", "patch"], path);
        let target = match value.get("target") {
            None | Some(Value::Null) => None,
            Some(target) => match self.selector(target, path.join("target")) {
                Some(selector) => Some(selector),
                None => return,
            },
        };
        let path = path.join("patch");
        match value.get("patch") {
            Some(Value::String(text)) => self.text(text, target.as_ref(), path),
            Some(body) => self.body(body, target.as_ref(), path),
            None if value.get("path").is_some() => {} // Reported already.
            None => self.report(Problem::Missing { field: "patch" }, path),
        }
    }

    fn body(&mut self, value: &Value, target: Option<&Selector>, path: Path) {
        match value {
            Value::Array(operations) => self.operations(operations, target, path),
            Value::Object(_) => self.strategic(value, target, &path),
            other => self.report_type("a list of operations or a part of an object", other, path),
        }
    }

    /// Reads patches that stand in a text.
    fn text(&mut self, text: &str, target: Option<&Selector>, path: Path) {
        let at = self.document.origin(&path);
        // The lines of a block start below its key; of every other text they aren't known.
        let is_block = text.contains('\n');
        let before = at.line.unwrap_or(u32::MAX);
        let has_places = self.document.positions.is_some();
        let mut is_empty = true;
        for document in yaml::split(text) {
            let parsed = yaml::parse(&document, &Limits::STREAM);
            let value = match parsed {
                Ok(Some(value)) => value,
                Ok(None) => continue,
                Err(error) => {
                    let inner = error.location.line;
                    self.report(Problem::Text(error), path.clone());
                    let origin = self.errors.last_mut().and_then(|e| e.origin.as_mut());
                    if let Some(origin) = origin.filter(|_| is_block && has_places) {
                        origin.line = Some(before.saturating_add(inner));
                    }
                    is_empty = false;
                    continue;
                }
            };
            is_empty = false;
            let lines = Text {
                text: document.text,
                line_offset: document.line_offset + usize::try_from(before).unwrap_or(usize::MAX),
            };
            let positions = is_block.then(|| Positions::of(&lines));
            let inner = Document {
                value: &value,
                origin: &at,
                positions: positions.as_ref().filter(|_| has_places),
            };
            let mut reader = Reader::new(&self.name, inner);
            reader.body(&value, target, Path::root());
            self.found.patches.append(&mut reader.found.patches);
            self.errors.append(&mut reader.errors);
        }
        if is_empty {
            self.report(Problem::Missing { field: "patch" }, path);
        }
    }

    fn operations(&mut self, operations: &[Value], target: Option<&Selector>, path: Path) {
        let Some(target) = target else {
            return self.report(Problem::NoTarget, path);
        };
        let known_errors = self.errors.len();
        let mut found = Vec::with_capacity(operations.len());
        for (index, value) in operations.iter().enumerate() {
            let path = path.join(index);
            if !value.is_object() {
                self.report_type("an operation", value, path);
                continue;
            }
            match Operation::read(value, &self.marks(value, &path)) {
                Ok(operation) => found.push(operation),
                Err(problem) => {
                    let text = |member| value.get(member).and_then(Value::as_str);
                    let name = [text("op"), text("path")].map(Option::unwrap_or_default);
                    let problem = Problem::Operation {
                        index,
                        operation: name.join(" ").trim().to_owned(),
                        problem,
                    };
                    let error = Error::new(problem).from(&self.source(&path));
                    self.errors.push(*error.target(target.to_string()));
                }
            }
        }
        if self.errors.len() == known_errors {
            self.found.patches.push(Patch {
                target: Target::Selector(target.clone()),
                body: Body::Operations(found),
                source: self.source(&path),
            });
        }
    }

    /// Reads a part of an object; it names the object itself where there is no target.
    fn strategic(&mut self, value: &Value, target: Option<&Selector>, path: &Path) {
        let known_errors = self.errors.len();
        for (place, field) in [
            (&["apiVersion"][..], "apiVersion"),
            (&["kind"], "kind"),
            (&["metadata", "name"], "metadata.name"),
        ] {
            let mut path = path.clone();
            for key in place {
                path.push(*key);
            }
            let found = place.iter().try_fold(value, |value, key| value.get(*key));
            match found {
                Some(Value::String(text)) if !text.is_empty() => {}
                Some(other) if !other.is_null() && !other.is_string() => {
                    self.report_type("a string", other, path);
                }
                _ if target.is_some() => {}
                _ => self.report(Problem::Missing { field }, path),
            }
        }
        if self.errors.len() > known_errors {
            return;
        }
        let target = match target {
            Some(selector) => Target::Selector(selector.clone()),
            None => Target::Own(Identity::of(value).into_owned()),
        };
        let marks = self.marks(value, path);
        self.found.patches.push(Patch {
            target,
            source: marks.at.clone(),
            body: Body::Strategic {
                value: without_identity(value),
                marks,
            },
        });
    }

    fn selector(&mut self, value: &Value, path: Path) -> Option<Selector> {
        let known = ["group", "version", "kind", "namespace", "name"];
        if !value.is_object() {
            self.report_type("a mapping", value, path);
            return None;
        }
        let known_errors = self.errors.len();
        self.only(value, &known, &path);
        let texts = known.map(|field| match value.get(field) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => {
                self.report_type("a string", other, path.join(field));
                None
            }
        });
        let [group, version, kind, namespace, name] = texts;
        if kind.is_none() && name.is_none() {
            self.report(Problem::NoTarget, path);
        }
        let selector = Selector {
            group,
            version,
            kind,
            namespace,
            name,
        };
        (self.errors.len() == known_errors).then_some(selector)
    }
}

/// Returns a part of an object without what says which object it is.
fn without_identity(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(map) = value.as_object_mut() {
        map.shift_remove("apiVersion");
        map.shift_remove("kind");
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            metadata.shift_remove("name");
            metadata.shift_remove("namespace");
            if metadata.is_empty() {
                map.shift_remove("metadata");
            }
        }
    }
    value
}
