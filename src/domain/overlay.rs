//! Overlays: how one design is fitted to several targets.
//!
//! An [`Overlay`](Overlays) is a name with values and patches. [`Values`] fill placeholders of the objects
//! first; then the patches of the chosen overlays are applied, in the order in which they were chosen. All
//! of it happens, or nothing does and every reason is told. What was set by whom is in the [`Provenance`].
//! A patch never makes an object: what it is for must be among the objects.

mod assignment;
mod json_patch;
mod placeholder;
mod provenance;
mod read;
mod strategic;
#[cfg(test)]
mod tests;
mod values;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use json_patch::OperationProblem;
pub(crate) use placeholder::names_in;
pub use provenance::{Provenance, Source};
pub use read::Document;
pub use values::Values;

use crate::near::nearest;
use crate::path::Path;
use crate::resource::{Origin, ResourceId, canonical_group, describe, dig, split_api_version};
use crate::yaml::{self, Limits};
use json_patch::Operation;
use placeholder::Filler;
use provenance::{Marks, Trace};
use values::Layer;

/// How deep objects may be; deeper ones are refused where a patch would make them.
const DEEPEST: usize = Limits::STREAM.depth;

/// How many values a placeholder or a JSON patch may add to an object.
const MOST_NODES: usize = Limits::STREAM.nodes;

/// How many bytes of text a JSON patch or the placeholders of an object may add to it.
const MOST_BYTES: usize = Limits::STREAM.document_bytes;

/// How many objects an error names.
const MOST_SHOWN: usize = 5;

/// What is wrong with an overlay, its values, or with applying it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Where it was read; a value of the command line has no place.
    pub origin: Option<Origin>,
    /// The overlay that it is about.
    pub overlay: Option<Arc<str>>,
    /// The object, or what the patch says of it.
    pub target: Option<String>,
    /// The place inside the object, or inside the document when there is no target.
    pub path: Path,
    /// What is wrong.
    pub problem: Problem,
    /// What to do about it.
    pub hint: Option<String>,
}

/// The ways in which it may be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A value of a wrong type.
    #[error("expected {expected}, found {found}")]
    Type {
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A field that is missing.
    #[error("{field} is missing")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field that means nothing there.
    #[error("the field {field:?} is not known here")]
    UnknownField {
        /// The field.
        field: String,
    },
    /// Text inside of a field that isn't YAML.
    #[error("the patch is not read: {0}")]
    Text(yaml::Error),
    /// A JSON patch that doesn't say which objects it is for.
    #[error("a JSON patch needs a target with at least a kind or a name")]
    NoTarget,
    /// An overlay that doesn't exist.
    #[error("there is no overlay {name:?}")]
    UnknownOverlay {
        /// Its name.
        name: String,
    },
    /// A patch of something that isn't there.
    #[error("no object fits the patch")]
    NoObject,
    /// A patch of one object that fits several.
    #[error("the patch fits several objects: {}", .found.join(", "))]
    SeveralObjects {
        /// Their ids, not more than a few.
        found: Vec<String>,
    },
    /// A `$patch` that isn't known.
    #[error("$patch is {found:?}, which is not replace, delete or merge")]
    Directive {
        /// What it says.
        found: String,
    },
    /// An item of a list that is merged by a key which the item doesn't have.
    #[error("the items of this list merge by {key}, which this one doesn't have")]
    NoMergeKey {
        /// The key.
        key: &'static str,
    },
    /// A directive for an item or the order of a list that is replaced as a whole.
    #[error("the items of this list have no key to merge by, so {directive} has no meaning here")]
    NotKeyed {
        /// The directive.
        directive: &'static str,
    },
    /// A field that the patch sets and that its `$retainKeys` doesn't list.
    #[error("the patch sets {field:?}, which its $retainKeys doesn't list")]
    NotRetained {
        /// The field.
        field: String,
    },
    /// An order of items that contradicts the patch.
    #[error("$setElementOrder doesn't list every item that the patch has, or in another order")]
    ElementOrder,
    /// An operation of a JSON patch that can't be done.
    #[error("patch[{index}] ({operation}): {problem}")]
    Operation {
        /// Its place in the patch, from zero.
        index: usize,
        /// Its name and path, as in `replace /spec/replicas`.
        operation: String,
        /// Why.
        problem: OperationProblem,
    },
    /// Something that would be too large.
    #[error("{what} is over the limit of {limit}")]
    Limit {
        /// What, as a noun phrase.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Values for a design that has none.
    #[error("the design has no section \"values\", so it takes no values")]
    NoValues,
    /// A value for a name that the design doesn't have.
    #[error("the design has no value {name:?}")]
    UndeclaredValue {
        /// The name.
        name: String,
    },
    /// A value of another shape than the design has.
    #[error("the value {name:?} is {expected} in the design, not {found}")]
    ValueShape {
        /// The name.
        name: String,
        /// What it is in the design.
        expected: &'static str,
        /// What was given.
        found: &'static str,
    },
    /// A placeholder whose name has neither value nor default.
    #[error("the value {name:?} is not given and has no default")]
    MissingValue {
        /// The name.
        name: String,
    },
    /// A list or a mapping in the middle of a text.
    #[error("the value {name:?} is {found}, which cannot stand inside of a text")]
    NotText {
        /// The name.
        name: String,
        /// What it is.
        found: &'static str,
    },
    /// A placeholder that was left as it is, with nearly the name of a value.
    #[error("the design has no value {name:?}, so the placeholder stays as it is")]
    UnknownPlaceholder {
        /// The name.
        name: String,
    },
    /// An argument that isn't `NAME=VALUE`. It isn't repeated, it may hold a secret.
    #[error("{reason} (at character {column})")]
    Assignment {
        /// The position of the offending character, from 1.
        column: usize,
        /// What is wrong there.
        reason: &'static str,
    },
}

impl Error {
    fn new(problem: Problem) -> Box<Self> {
        Box::new(Self {
            origin: None,
            overlay: None,
            target: None,
            path: Path::root(),
            problem,
            hint: None,
        })
    }

    fn from(mut self: Box<Self>, source: &Source) -> Box<Self> {
        self.origin = source.origin().cloned();
        self.overlay = match source {
            Source::Overlay { name, .. } => Some(Arc::clone(name)),
            Source::Values { .. } | Source::Set { .. } => None,
        };
        self
    }

    fn at(mut self: Box<Self>, path: Path) -> Box<Self> {
        self.path = path;
        self
    }

    fn target(mut self: Box<Self>, target: impl Into<String>) -> Box<Self> {
        self.target = Some(target.into());
        self
    }

    fn hint(mut self: Box<Self>, hint: Option<String>) -> Box<Self> {
        self.hint = hint;
        self
    }
}

impl fmt::Display for Error {
    /// `file:line: overlay staging: what is wrong (object, path)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        if let Some(overlay) = &self.overlay {
            write!(f, "overlay {overlay}: ")?;
        }
        write!(f, "{}", self.problem)?;
        match (&self.target, self.path.is_root()) {
            (Some(target), false) => write!(f, " ({target}, {})", self.path),
            (Some(target), true) => write!(f, " ({target})"),
            (None, false) => write!(f, " ({})", self.path),
            (None, true) => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        None
    }
}

/// Asks for the known name that is nearest to one that isn't.
fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|near| format!("did you mean {near}?"))
}

/// How large a value is.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    /// How many steps it goes down, itself included.
    depth: usize,
    /// How many values it holds, itself included.
    nodes: usize,
    /// How long its texts and keys are together.
    bytes: usize,
}

impl Size {
    /// Measures a value; counting ends above `most` values.
    fn of(value: &Value, most: usize) -> Self {
        let mut size = Self::default();
        let mut open = vec![(value, 1)];
        while let Some((value, level)) = open.pop() {
            size.nodes += 1;
            size.depth = size.depth.max(level);
            if size.nodes > most {
                break;
            }
            match value {
                Value::Array(items) => open.extend(items.iter().map(|item| (item, level + 1))),
                Value::Object(map) => {
                    size.bytes += map.keys().map(String::len).sum::<usize>();
                    open.extend(map.values().map(|value| (value, level + 1)));
                }
                Value::String(text) => size.bytes += text.len(),
                _ => {}
            }
        }
        size
    }
}

/// What makes an object the one that it is, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity<'a> {
    group: Cow<'a, str>,
    version: Cow<'a, str>,
    kind: Cow<'a, str>,
    /// Empty when none is written.
    namespace: Cow<'a, str>,
    name: Cow<'a, str>,
}

impl<'a> Identity<'a> {
    fn of(object: &'a Value) -> Self {
        let text = |keys: &[&str]| {
            dig(object, keys)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let kind = text(&["kind"]);
        let (group, version) = split_api_version(text(&["apiVersion"]));
        Self {
            group: canonical_group(group, kind).into(),
            version: version.into(),
            kind: kind.into(),
            namespace: text(&["metadata", "namespace"]).into(),
            name: text(&["metadata", "name"]).into(),
        }
    }

    fn into_owned(self) -> Identity<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Identity {
            group: owned(self.group),
            version: owned(self.version),
            kind: owned(self.kind),
            namespace: owned(self.namespace),
            name: owned(self.name),
        }
    }

    fn id(&self) -> ResourceId {
        let namespace = Some(self.namespace.as_ref()).filter(|namespace| !namespace.is_empty());
        ResourceId::new(&self.group, &self.kind, namespace, &self.name)
    }

    fn is_secret(&self) -> bool {
        self.group.is_empty() && self.kind == "Secret"
    }
}

/// Which objects a patch is for.
#[derive(Debug, Clone)]
enum Target {
    /// The one object that the patch itself names.
    Own(Identity<'static>),
    /// All that fit.
    Selector(Selector),
}

/// Texts with `*` for any text; what isn't given fits everything.
#[derive(Debug, Clone, Default)]
struct Selector {
    group: Option<String>,
    version: Option<String>,
    kind: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
}

impl Selector {
    fn fits(&self, object: &Identity<'_>) -> bool {
        let kind = self.kind.as_deref();
        // An old door to a kind is a door to it still.
        let group = self.group.as_deref().map(|group| match kind {
            Some(kind) => canonical_group(group, kind),
            None => canonical_group(group, &object.kind),
        });
        let fits = |wanted: Option<&str>, text: &str| wanted.is_none_or(|glob| is_like(text, glob));
        fits(group, &object.group)
            && fits(self.version.as_deref(), &object.version)
            && fits(kind, &object.kind)
            && fits(self.namespace.as_deref(), &object.namespace)
            && fits(self.name.as_deref(), &object.name)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |text: &Option<String>| text.clone().unwrap_or_else(|| "*".to_owned());
        let mut parts = vec![part(&self.kind)];
        if let Some(group) = self.group.as_ref().filter(|group| !group.is_empty()) {
            parts.insert(0, group.clone());
        }
        parts.extend(self.namespace.clone());
        parts.push(part(&self.name));
        f.write_str(&parts.join("/"))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(identity) => identity.id().fmt(f),
            Self::Selector(selector) => selector.fmt(f),
        }
    }
}

/// Tells whether a text is like a glob, where `*` stands for any text.
pub(crate) fn is_like(text: &str, glob: &str) -> bool {
    let mut parts = glob.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// A change of objects.
#[derive(Clone)]
struct Patch {
    target: Target,
    body: Body,
    source: Source,
}

#[derive(Clone)]
enum Body {
    /// A part of an object, without what identifies it.
    Strategic { value: Value, marks: Arc<Marks> },
    /// A JSON patch.
    Operations(Vec<Operation>),
}

/// What is said about one target.
#[derive(Clone)]
struct Overlay {
    values: Vec<Layer>,
    patches: Vec<Patch>,
}

/// All overlays of a design, by name.
#[derive(Clone, Default)]
pub struct Overlays(BTreeMap<Arc<str>, Overlay>);

/// Without values and patches, which may hold secrets.
impl fmt::Debug for Overlays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A chosen overlay, `NAME`, or `CONTEXT=NAME` for one kubeconfig context only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Choice {
    /// The context that it is for; every one unless given.
    pub context: Option<String>,
    /// The name of the overlay.
    pub name: String,
}

impl FromStr for Choice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Names of contexts are made by others and may have anything in them.
        let (context, name) = match text.rsplit_once('=') {
            Some((context, name)) => (Some(context), name),
            None => (None, text),
        };
        if name.is_empty() || context == Some("") {
            return Err("an overlay is NAME, or CONTEXT=NAME for one context only");
        }
        Ok(Self {
            context: context.map(str::to_owned),
            name: name.to_owned(),
        })
    }
}

impl TryFrom<String> for Choice {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Choice> for String {
    fn from(choice: Choice) -> Self {
        choice.to_string()
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.context {
            Some(context) => write!(f, "{context}={}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// What came of applying overlays.
#[derive(Debug, Default)]
pub struct Applied {
    /// Who set what.
    pub provenance: Provenance,
    /// What looks wrong and isn't: placeholders that stay as they are, although a value has nearly the name.
    pub warnings: Vec<Error>,
}

impl Overlays {
    /// Returns the names of all overlays, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(AsRef::as_ref)
    }

    /// Tells whether there is an overlay of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Fills the placeholders of objects and applies overlays to them, in the order of the names.
    ///
    /// Patches of one overlay are applied in the order in which they were read, each to what the ones
    /// before it made. Values come from the design, then from the overlays in their order, then from what
    /// was given to `values`, the last one wins.
    ///
    /// # Errors
    /// Everything that is wrong; the objects are as they were then.
    pub fn apply(
        &self,
        objects: &mut Vec<(Value, Origin)>,
        names: &[impl AsRef<str>],
        values: &Values,
    ) -> Result<Applied, Vec<Error>> {
        let mut errors = Vec::new();
        let mut chosen = Vec::with_capacity(names.len());
        for name in names {
            match self.0.get_key_value(name.as_ref()) {
                Some(overlay) => chosen.push(overlay),
                None => errors.push(*self.unknown(name.as_ref())),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let layers = chosen.iter().flat_map(|(_, overlay)| &overlay.values);
        let values = values.resolve(layers)?;
        let mut filler = Filler::new(&values);
        let mut work = Work::new(objects);
        work.fill(&mut filler);
        for patch in chosen.iter().flat_map(|(_, overlay)| &overlay.patches) {
            work.patch(patch, &mut filler);
        }
        let (mut errors, warnings) = filler.finish();
        errors.append(&mut work.errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        let Work {
            changed,
            mut traces,
            removed,
            ..
        } = work;
        let mut provenance = Provenance::default();
        for (index, object) in changed {
            if let Some(place) = objects.get_mut(index) {
                place.0 = object;
            }
        }
        for (index, (object, _)) in objects.iter().enumerate() {
            if let Some(source) = removed.get(&index) {
                provenance.remove(Identity::of(object).id(), source.clone());
            } else if let Some(trace) = traces.remove(&index) {
                provenance.add(object, trace);
            }
        }
        if !removed.is_empty() {
            let mut index = 0;
            objects.retain(|_| {
                index += 1;
                !removed.contains_key(&(index - 1))
            });
        }
        Ok(Applied {
            provenance,
            warnings,
        })
    }

    fn unknown(&self, name: &str) -> Box<Error> {
        let hint = match did_you_mean(name, self.names()) {
            None if self.0.is_empty() => Some("the design has no overlays".to_owned()),
            None => {
                let names: Vec<&str> = self.names().take(10).collect();
                Some(format!("known are {}", names.join(", ")))
            }
            near => near,
        };
        Error::new(Problem::UnknownOverlay {
            name: name.to_owned(),
        })
        .hint(hint)
    }
}

/// Objects while they are changed: copies of those that are touched, and what was written to them.
struct Work<'a> {
    objects: &'a [(Value, Origin)],
    identities: Vec<Identity<'a>>,
    changed: HashMap<usize, Value>,
    traces: HashMap<usize, Trace>,
    removed: HashMap<usize, Source>,
    /// Objects of which a patch failed; those after it would only fail for the same reason.
    failed: HashSet<usize>,
    errors: Vec<Error>,
}

impl<'a> Work<'a> {
    fn new(objects: &'a [(Value, Origin)]) -> Self {
        let identities = objects.iter().map(|(object, _)| Identity::of(object));
        Self {
            objects,
            identities: identities.collect(),
            changed: HashMap::new(),
            traces: HashMap::new(),
            removed: HashMap::new(),
            failed: HashSet::new(),
            errors: Vec::new(),
        }
    }

    /// Fills the placeholders of every object.
    fn fill(&mut self, filler: &mut Filler<'_>) {
        for (index, (object, origin)) in self.objects.iter().enumerate() {
            let found = filler.object(object, origin, &self.identities[index]);
            if found.is_empty() {
                continue;
            }
            let mut object = object.clone();
            let trace = self.traces.entry(index).or_default();
            placeholder::put(&mut object, Some(trace), found);
            self.identities[index] = Identity::of(&object).into_owned();
            self.changed.insert(index, object);
        }
    }

    fn patch(&mut self, patch: &Patch, filler: &mut Filler<'_>) {
        let Ok(changed) = filler.patch(patch) else {
            return; // The reason is told.
        };
        let patch = changed.as_ref().unwrap_or(patch);
        let found = match self.find(&patch.target) {
            Ok(found) => found,
            Err((problem, hint)) => {
                let error = Error::new(problem).from(&patch.source);
                let error = error.target(patch.target.to_string()).hint(hint);
                self.errors.push(*error);
                return;
            }
        };
        for index in found {
            if self.failed.contains(&index) {
                continue;
            }
            if let Err(error) = self.patch_object(patch, index) {
                let id = self.identities[index].id();
                self.errors.push(*error.target(id.as_str()));
                self.failed.insert(index);
            }
        }
    }

    fn patch_object(&mut self, patch: &Patch, index: usize) -> Result<(), Box<Error>> {
        if let Body::Strategic { value, marks } = &patch.body
            && value
                .get(strategic::DIRECTIVE)
                .is_some_and(|d| d == "delete")
        {
            let source = &marks.key(strategic::DIRECTIVE).at;
            self.removed.insert(index, source.clone());
            return Ok(());
        }
        let Some((original, _)) = self.objects.get(index) else {
            return Ok(());
        };
        let object = self
            .changed
            .entry(index)
            .or_insert_with(|| original.clone());
        let trace = self.traces.entry(index).or_default();
        match &patch.body {
            Body::Strategic { value, marks } => {
                let identity = &self.identities[index];
                strategic::apply(object, trace, value, marks, identity)
            }
            Body::Operations(operations) => {
                json_patch::apply(object, trace, operations)?;
                self.identities[index] = Identity::of(object).into_owned();
                Ok(())
            }
        }
    }

    /// Returns the objects that a patch is for.
    fn find(&self, target: &Target) -> Result<Vec<usize>, (Problem, Option<String>)> {
        let all = self.identities.iter().enumerate();
        let mut all = all.filter(|(index, _)| !self.removed.contains_key(index));
        let wanted = match target {
            Target::Selector(selector) => {
                let found = all.filter(|(_, object)| selector.fits(object));
                let found: Vec<usize> = found.map(|(index, _)| index).collect();
                return if found.is_empty() {
                    Err((Problem::NoObject, self.near_selector(selector)))
                } else {
                    Ok(found)
                };
            }
            Target::Own(wanted) => wanted,
        };
        let mut found = Vec::new();
        let same = all.by_ref().filter(|(_, object)| {
            object.name == wanted.name && object.kind == wanted.kind && object.group == wanted.group
        });
        for (index, object) in same {
            if object.namespace == wanted.namespace {
                return Ok(vec![index]);
            }
            if wanted.namespace.is_empty() {
                found.push(index);
            }
        }
        match found.len() {
            0 => {
                let near = self.near(Some(&wanted.group), &wanted.kind, &wanted.name);
                Err((Problem::NoObject, near))
            }
            1 => Ok(found),
            _ => {
                let ids = found.iter().take(MOST_SHOWN);
                let found = ids.map(|index| self.identities[*index].id().to_string());
                let hint = "give the patch a metadata.namespace".to_owned();
                let found = found.collect();
                Err((Problem::SeveralObjects { found }, Some(hint)))
            }
        }
    }

    /// Asks for the object that a patch may have meant; without a group any will do.
    fn near(&self, group: Option<&str>, kind: &str, name: &str) -> Option<String> {
        let there = || {
            let all = self.identities.iter().enumerate();
            all.filter(|(index, _)| !self.removed.contains_key(index))
                .map(|(_, object)| object)
        };
        let is_kind = |object: &&Identity<'_>| {
            object.kind == kind && group.is_none_or(|group| object.group == group)
        };
        let is_named = |object: &&Identity<'_>| object.name == name;
        let names = there().filter(is_kind).map(|object| object.name.as_ref());
        let near_name = nearest(name, names);
        let kinds = there().filter(is_named).map(|object| object.kind.as_ref());
        let near_kind = nearest(kind, kinds);
        let found = there()
            .find(|object| is_kind(object) && is_named(object))
            .or_else(|| there().find(|object| is_named(object) && object.kind == kind))
            .or_else(|| there().find(|o| is_kind(o) && Some(o.name.as_ref()) == near_name))
            .or_else(|| there().find(|o| is_named(o) && Some(o.kind.as_ref()) == near_kind));
        found.map(|object| format!("did you mean {}?", object.id()))
    }

    /// Asks for what a target may have meant.
    fn near_selector(&self, selector: &Selector) -> Option<String> {
        let texts = [&selector.kind, &selector.namespace, &selector.name];
        let is_expression = |text: &str| text.contains(".*") || text.contains(['^', '$', '|', '(']);
        if texts.into_iter().flatten().any(|text| is_expression(text)) {
            let hint = "a target is no regular expression: * stands for any text, as in web-*";
            return Some(hint.to_owned());
        }
        let (kind, name) = (selector.kind.as_deref(), selector.name.as_deref());
        self.near(selector.group.as_deref(), kind?, name?)
    }
}
