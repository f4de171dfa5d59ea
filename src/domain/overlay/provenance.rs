//! Which overlay or value set a field last.
//!
//! While patches are applied a [`Trace`] grows beside each object: a tree of those places that were
//! written, whose lists change in step with the lists of the object. What was written as a whole points
//! to its [`Marks`], which know the line of every value of the patch; they are shared, not copied.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::Identity;
use crate::merge_key::{item_name, item_names, naming};
use crate::path::{Path, Segment};
use crate::resource::{Origin, ResourceId};

/// What set a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A patch or a value of an overlay.
    Overlay {
        /// The overlay.
        name: Arc<str>,
        /// Where it says so.
        origin: Origin,
    },
    /// A file of values.
    Values {
        /// Where it says so.
        origin: Origin,
    },
    /// A value of the command line.
    Set {
        /// Its name; the value may be a secret.
        name: Arc<str>,
    },
}

impl Source {
    /// Returns the overlay, if it is one.
    pub fn overlay(&self) -> Option<&str> {
        match self {
            Self::Overlay { name, .. } => Some(name),
            Self::Values { .. } | Self::Set { .. } => None,
        }
    }

    /// Returns the place in a file, if it is in one.
    pub fn origin(&self) -> Option<&Origin> {
        match self {
            Self::Overlay { origin, .. } | Self::Values { origin } => Some(origin),
            Self::Set { .. } => None,
        }
    }
}

impl fmt::Display for Source {
    /// `overlay staging (overlays/staging/web.yaml:3)`, `values prod.yaml:2` or `--set image.tag`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overlay { name, origin } => write!(f, "overlay {name} ({origin})"),
            Self::Values { origin } => write!(f, "values {origin}"),
            Self::Set { name } => write!(f, "--set {name}"),
        }
    }
}

/// Where the values of a patch stand.
#[derive(Debug)]
pub(super) struct Marks {
    pub(super) at: Source,
    keys: HashMap<String, Arc<Self>>,
    items: Vec<Arc<Self>>,
    /// What this is called as an item of a list.
    names: Vec<String>,
}

impl Marks {
    /// Makes the mark of a whole value.
    pub(super) fn flat(at: Source) -> Arc<Self> {
        Arc::new(Self {
            at,
            keys: HashMap::new(),
            items: Vec::new(),
            names: Vec::new(),
        })
    }

    /// Marks a value and everything in it, down to `depth` steps.
    pub(super) fn of(
        value: &Value,
        path: &mut Path,
        depth: usize,
        at: &dyn Fn(&Path) -> Source,
    ) -> Arc<Self> {
        Self::named(value, path, depth, Vec::new(), at)
    }

    fn named(
        value: &Value,
        path: &mut Path,
        depth: usize,
        names: Vec<String>,
        at: &dyn Fn(&Path) -> Source,
    ) -> Arc<Self> {
        let (mut keys, mut items) = (HashMap::new(), Vec::new());
        let below = depth.saturating_sub(1);
        match value {
            Value::Object(map) if depth > 0 => {
                for (key, value) in map {
                    path.push(key.as_str());
                    keys.insert(key.clone(), Self::of(value, path, below, at));
                    path.pop();
                }
            }
            Value::Array(list) if depth > 0 => {
                let list_name = match path.segments().last() {
                    Some(Segment::Key(key)) => key.clone(),
                    _ => String::new(),
                };
                for (index, item) in list.iter().enumerate() {
                    path.push(index);
                    let names = item_names(&list_name, item);
                    items.push(Self::named(item, path, below, names, at));
                    path.pop();
                }
            }
            _ => {}
        }
        Arc::new(Self {
            at: at(path),
            keys,
            items,
            names,
        })
    }

    /// Returns where the value at a path stands, or what is nearest above it.
    pub(super) fn source(self: &Arc<Self>, path: &Path) -> &Source {
        let steps = path.segments().iter();
        let marks = steps.fold(self, |marks, segment| match segment {
            Segment::Key(key) => marks.key(key),
            Segment::Index(index) => marks.item(*index),
        });
        &marks.at
    }

    /// Returns the mark of a field; that of the whole where the field has none of its own.
    pub(super) fn key<'a>(self: &'a Arc<Self>, key: &str) -> &'a Arc<Self> {
        self.keys.get(key).unwrap_or(self)
    }

    /// Returns the mark of an item; that of the whole where the item has none of its own.
    pub(super) fn item(self: &Arc<Self>, index: usize) -> &Arc<Self> {
        self.items.get(index).unwrap_or(self)
    }
}

/// What was written to a value, and where in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Trace {
    /// Who wrote the whole, parts below apart.
    by: Option<Arc<Marks>>,
    keys: BTreeMap<String, Trace>,
    /// As many as the list has items, or none.
    items: Vec<Trace>,
    /// The names of items that were removed.
    gone: Vec<(Vec<String>, Arc<Marks>)>,
    /// Who removed or moved items.
    order: Option<Arc<Marks>>,
    /// Who gave it another place as an item of a list.
    moved: Option<Arc<Marks>>,
    /// What this is called as an item of a list; known at the end.
    names: Vec<String>,
}

impl Trace {
    /// Says that the value was written as a whole, or removed.
    pub(super) fn set(&mut self, marks: &Arc<Marks>) {
        *self = Self {
            by: Some(Arc::clone(marks)),
            ..Self::default()
        };
    }

    /// Goes down to a field.
    pub(super) fn key(&mut self, key: &str) -> &mut Self {
        if !self.keys.contains_key(key) {
            let child = Self {
                by: self.by.as_ref().map(|by| Arc::clone(by.key(key))),
                ..Self::default()
            };
            self.keys.insert(key.to_owned(), child);
        }
        self.keys.entry(key.to_owned()).or_default()
    }

    /// Goes down to an item of a list of that length.
    pub(super) fn item(&mut self, index: usize, length: usize) -> &mut Self {
        self.grow(length.max(index.saturating_add(1)));
        &mut self.items[index]
    }

    /// Has a trace for each item.
    fn grow(&mut self, length: usize) {
        for index in self.items.len()..length {
            self.items.push(Self {
                by: self.by.as_ref().map(|by| Arc::clone(by.item(index))),
                ..Self::default()
            });
        }
    }

    /// Says that an item is put into a list, which had that length before.
    pub(super) fn insert_item(&mut self, index: usize, length: usize, marks: &Arc<Marks>) {
        self.grow(length);
        let mut item = Self::default();
        item.set(marks);
        self.items.insert(index.min(length), item);
        if index < length {
            self.shift(index + 1, marks);
        }
    }

    /// Says that all items from a place on have got another one.
    fn shift(&mut self, from: usize, marks: &Arc<Marks>) {
        self.order = Some(Arc::clone(marks));
        for item in self.items.iter_mut().skip(from) {
            item.moved = Some(Arc::clone(marks));
        }
    }

    /// Says that an item is taken out of a list, which had that length before.
    pub(super) fn remove_item(
        &mut self,
        index: usize,
        length: usize,
        names: Vec<String>,
        marks: &Arc<Marks>,
    ) {
        self.grow(length);
        if index < self.items.len() {
            self.items.remove(index);
        }
        self.miss_item(names, marks);
        self.shift(index, marks);
    }

    /// Says that a list shall not have an item, which it doesn't have.
    pub(super) fn miss_item(&mut self, names: Vec<String>, marks: &Arc<Marks>) {
        if !names.is_empty() {
            self.gone.push((names, Arc::clone(marks)));
        }
    }

    /// Says that the items of a list stand in another order now: the place of each before.
    pub(super) fn reorder(&mut self, order: &[usize], marks: &Arc<Marks>) {
        self.grow(order.len());
        let mut old = std::mem::take(&mut self.items);
        let place = |index: &usize| old.get_mut(*index).map(std::mem::take).unwrap_or_default();
        self.items = order.iter().map(place).collect();
        self.order = Some(Arc::clone(marks));
        let items = self.items.iter_mut().zip(order).enumerate();
        for (index, (item, before)) in items {
            if index != *before {
                item.moved = Some(Arc::clone(marks));
            }
        }
    }

    /// Goes down to a place in a value; lists on the way must be those of the value.
    pub(super) fn down(&mut self, value: &Value, path: &Path) -> &mut Self {
        let mut trace = self;
        let mut value = Some(value);
        for segment in path.segments() {
            trace = match segment {
                Segment::Key(key) => {
                    value = value.and_then(|value| value.get(key));
                    trace.key(key)
                }
                Segment::Index(index) => {
                    let length = value.and_then(Value::as_array).map_or(0, Vec::len);
                    value = value.and_then(|value| value.get(index));
                    trace.item(*index, length)
                }
            };
        }
        trace
    }

    /// Returns what is known of a place, or nothing when nobody wrote it.
    pub(super) fn at(&self, path: &Path) -> Option<Self> {
        let mut trace = self;
        for (done, segment) in path.segments().iter().enumerate() {
            let next = match segment {
                Segment::Key(key) => trace.keys.get(key),
                Segment::Index(index) => trace.items.get(*index),
            };
            if let Some(next) = next {
                trace = next;
                continue;
            }
            let mut marks = trace.by.as_ref()?;
            for segment in &path.segments()[done..] {
                marks = match segment {
                    Segment::Key(key) => marks.key(key),
                    Segment::Index(index) => marks.item(*index),
                };
            }
            let mut found = Self::default();
            found.set(marks);
            return Some(found);
        }
        Some(trace.clone()).filter(|trace| !trace.is_empty())
    }

    /// Returns who wrote the whole.
    pub(super) fn by(&self) -> Option<&Arc<Marks>> {
        self.by.as_ref()
    }

    fn is_empty(&self) -> bool {
        self.by.is_none()
            && self.order.is_none()
            && self.moved.is_none()
            && self.gone.is_empty()
            && self.keys.values().all(Self::is_empty)
            && self.items.iter().all(Self::is_empty)
    }

    /// Gives the items of lists the names that they have in the end.
    fn name_items(&mut self, list: &str, value: &Value) {
        for (key, child) in &mut self.keys {
            if let Some(value) = value.get(key) {
                child.name_items(key, value);
            }
        }
        for (index, child) in self.items.iter_mut().enumerate() {
            if let Some(item) = value.get(index) {
                child.names = item_names(list, item);
                child.name_items("", item);
            }
        }
    }
}

/// A place while looking at what was written.
#[derive(Clone, Copy)]
enum Cursor<'a> {
    /// In what was written to an object.
    Trace(&'a Trace),
    /// In a patch whose value is in the object as it is.
    Marks(&'a Marks),
    /// Below everything that has a mark of its own.
    Inside(&'a Source),
}

impl<'a> Cursor<'a> {
    /// Returns who wrote the whole.
    fn whole(self) -> Option<&'a Source> {
        match self {
            Self::Trace(trace) => trace.by.as_ref().map(|marks| &marks.at),
            Self::Marks(marks) => Some(&marks.at),
            Self::Inside(source) => Some(source),
        }
    }

    /// Tells whether nothing below is known better.
    fn is_leaf(self) -> bool {
        match self {
            Self::Trace(trace) => {
                let below = trace.by.as_ref().map(|marks| Self::Marks(marks));
                trace.keys.is_empty() && trace.items.is_empty() && below.is_none_or(Self::is_leaf)
            }
            Self::Marks(marks) => marks.keys.is_empty() && marks.items.is_empty(),
            Self::Inside(_) => true,
        }
    }

    /// Goes down to a field; nothing when nobody wrote it.
    fn key(self, key: &str) -> Option<Self> {
        match self {
            Self::Trace(trace) => match trace.keys.get(key) {
                Some(trace) => Some(Self::Trace(trace)),
                None => Self::Marks(trace.by.as_ref()?).key(key),
            },
            Self::Marks(marks) => Some(match marks.keys.get(key) {
                Some(marks) => Self::Marks(marks),
                None => Self::Inside(&marks.at),
            }),
            Self::Inside(_) => Some(self),
        }
    }

    /// Tells whether a field has a mark of its own.
    fn has(self, key: &str) -> bool {
        match self {
            Self::Trace(trace) => {
                let by = trace.by.as_ref();
                trace.keys.contains_key(key) || by.is_some_and(|by| by.keys.contains_key(key))
            }
            Self::Marks(marks) => marks.keys.contains_key(key),
            Self::Inside(_) => false,
        }
    }

    /// Goes down to an item by its place; nothing when nobody wrote it.
    fn item(self, index: usize) -> Option<Self> {
        match self {
            Self::Trace(trace) => match trace.items.get(index) {
                Some(trace) => Some(Self::Trace(trace)),
                None => Self::Marks(trace.by.as_ref()?).item(index),
            },
            Self::Marks(marks) => Some(match marks.items.get(index) {
                Some(marks) => Self::Marks(marks),
                None => Self::Inside(&marks.at),
            }),
            Self::Inside(_) => Some(self),
        }
    }

    /// Goes down to the item whose name a path starts with; returns the length of that too.
    fn named(self, path: &str) -> Option<(Self, usize)> {
        let starts = |names: &[String]| {
            let mut names = names.iter().map(String::as_str);
            names.find_map(|name| starts_with_name(path, name))
        };
        match self {
            Self::Trace(trace) if !trace.items.is_empty() => {
                let mut items = trace.items.iter();
                let found = items.find_map(|item| Some((item, starts(&item.names)?)));
                found.map(|(item, length)| (Self::Trace(item), length))
            }
            Self::Trace(trace) => Self::Marks(trace.by.as_ref()?).named(path),
            Self::Marks(marks) => {
                let mut items = marks.items.iter();
                let found = items.find_map(|item| Some((item, starts(&item.names)?)));
                found.map(|(item, length)| (Self::Marks(item), length))
            }
            Self::Inside(_) => None,
        }
    }

    /// Returns who removed the item whose name a path starts with.
    fn gone(self, path: &str) -> Option<&'a Source> {
        let Self::Trace(trace) = self else {
            return None;
        };
        let is_named = |name: &String| starts_with_name(path, name).is_some();
        let mut gone = trace.gone.iter().rev();
        let found = gone.find(|(names, _)| names.iter().any(is_named));
        found.map(|(_, marks)| &marks.at)
    }

    /// Returns who gave the item of a list another place.
    fn moved(self) -> Option<&'a Source> {
        match self {
            Self::Trace(trace) => trace.moved.as_ref().map(|marks| &marks.at),
            Self::Marks(_) | Self::Inside(_) => None,
        }
    }

    /// Returns who removed or moved items of the list.
    fn order(self) -> Option<&'a Source> {
        match self {
            Self::Trace(trace) => trace.order.as_ref().map(|marks| &marks.at),
            Self::Marks(_) | Self::Inside(_) => None,
        }
    }
}

/// Returns the length of a name when a path starts with it and a bracket.
fn starts_with_name(path: &str, name: &str) -> Option<usize> {
    let rest = path.strip_prefix(name)?;
    rest.starts_with(']').then_some(name.len())
}

/// Finds who set the value at a readable path.
///
/// What nobody set may still be new at its place: where somebody moved an item of a list that has no
/// name, or removed the one that stood there.
fn find<'a>(trace: &'a Trace, path: &str) -> Option<&'a Source> {
    let mut at = Cursor::Trace(trace);
    let mut rest = path;
    let mut moved = None;
    while !rest.is_empty() {
        let next = match rest.strip_prefix('[') {
            Some(inside) if !inside.starts_with('"') => {
                let end = inside.find(']')?;
                let index: Option<usize> = inside[..end].parse().ok();
                if let Some(index) = index {
                    rest = &inside[end + 1..];
                    let found = at.item(index);
                    let moved_here = match found {
                        Some(found) => found.moved(),
                        None => at.order(),
                    };
                    moved = moved_here.or(moved);
                    found
                } else if let Some((found, length)) = at.named(inside) {
                    rest = &inside[length + 1..];
                    Some(found)
                } else if let Some(source) = at.gone(inside) {
                    return Some(source);
                } else {
                    rest = &inside[end + 1..];
                    None
                }
            }
            _ => {
                let (key, after) = key(rest)?;
                rest = after;
                at.key(&key)
            }
        };
        let Some(found) = next else {
            return at.whole().or(moved);
        };
        at = found;
    }
    at.whole().or_else(|| at.order()).or(moved)
}

/// Splits the first key off a path: `a` of `a.b`, `.a` and `a[0]`, or `x.y` of `["x.y"].b`.
fn key(path: &str) -> Option<(String, &str)> {
    if let Some(quoted) = path.strip_prefix('[') {
        let mut texts = serde_json::Deserializer::from_str(quoted).into_iter::<String>();
        let key = texts.next()?.ok()?;
        let rest = quoted.get(texts.byte_offset()..)?;
        return Some((key, rest.strip_prefix(']')?));
    }
    let path = path.strip_prefix('.').unwrap_or(path);
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (key, rest) = path.split_at(end);
    Some((key.to_owned(), rest))
}

type Fields<'a> = Vec<(String, &'a Source)>;

/// Lists the readable paths of everything that was written; `list` is the key that `value` stands under.
fn list<'a>(at: Cursor<'a>, value: &Value, path: &str, list_name: &str, found: &mut Fields<'a>) {
    let is_empty = match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    };
    if is_empty || at.is_leaf() {
        if let Some(source) = at.whole() {
            found.push((path.to_owned(), source));
        }
    } else if let Value::Object(map) = value {
        for (key, value) in map {
            if let Some(at) = at.key(key) {
                list(at, value, &join(path, key), key, found);
            }
        }
    } else if let Value::Array(items) = value {
        let keys = naming(list_name, &[items.iter()]);
        for (index, item) in items.iter().enumerate() {
            if let Some(at) = at.item(index) {
                let name = keys.and_then(|keys| item_name(item, keys));
                let name = name.unwrap_or_else(|| index.to_string());
                list(at, item, &format!("{path}[{name}]"), "", found);
            }
        }
    }
    let Cursor::Trace(trace) = at else {
        return;
    };
    for (key, child) in &trace.keys {
        if let (None, Some(by)) = (value.get(key), &child.by) {
            found.push((join(path, key), &by.at));
        }
    }
    for (names, marks) in &trace.gone {
        if let Some(name) = names.first() {
            found.push((format!("{path}[{name}]"), &marks.at));
        }
    }
}

/// Returns the path of a field.
fn join(path: &str, key: &str) -> String {
    let step = Path::root().join(key).to_string();
    let dot = if path.is_empty() || step.starts_with('[') {
        ""
    } else {
        "."
    };
    format!("{path}{dot}{step}")
}

/// Which overlay or value set each field of each object last.
///
/// Paths are those of [`diff`](crate::diff), such as `spec.template.spec.containers[name=web].image`. An
/// item of a list is found by every name that it may have there, and by its place in the list as it is
/// in the end.
#[derive(Debug, Clone, Default)]
pub struct Provenance {
    objects: HashMap<ResourceId, Trace>,
    removed: Vec<(ResourceId, Source)>,
}

impl Provenance {
    /// Takes what was written to an object, as it is in the end.
    pub(super) fn add(&mut self, object: &Value, mut trace: Trace) {
        if !trace.is_empty() {
            trace.name_items("", object);
            self.objects.insert(Identity::of(object).id(), trace);
        }
    }

    /// Takes an object that was removed.
    pub(super) fn remove(&mut self, id: ResourceId, by: Source) {
        self.removed.push((id, by));
    }

    /// Tells whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.removed.is_empty()
    }

    /// Returns who set a field last, or removed it; nothing when it is as the design says.
    ///
    /// The object is one to which overlays were applied. What was `stringData` of a `Secret` is found
    /// under `data` too, where a [`ResourceSet`](crate::resource::ResourceSet) puts it.
    pub fn of(&self, object: &Value, path: &str) -> Option<&Source> {
        let identity = Identity::of(object);
        let trace = self.objects.get(identity.id().as_str())?;
        let folded = path
            .strip_prefix("data")
            .filter(|rest| identity.is_secret() && rest.starts_with(['.', '[']))
            .and_then(|rest| find(trace, &format!("stringData{rest}")));
        folded.or_else(|| find(trace, path))
    }

    /// Returns everything that was set or removed in an object, in its order, with who did so last.
    pub fn fields(&self, object: &Value) -> Vec<(String, &Source)> {
        let mut found = Vec::new();
        let identity = Identity::of(object);
        if let Some(trace) = self.objects.get(identity.id().as_str()) {
            let at = Cursor::Trace(trace);
            list(at, object, "", "", &mut found);
            let folded = at.key("stringData");
            let is_folded = identity.is_secret() && object.get("stringData").is_none();
            if let (Some(at), true) = (folded, is_folded) {
                // Of what is in `data` now, only these entries were in it.
                let data = object.get("data").and_then(Value::as_object);
                for (key, value) in data.into_iter().flatten() {
                    if let Some(at) = at.key(key).filter(|_| at.has(key)) {
                        list(at, value, &join("data", key), key, &mut found);
                    }
                }
            }
        }
        found
    }

    /// Returns the objects that were removed, with who did so.
    pub fn removed(&self) -> &[(ResourceId, Source)] {
        &self.removed
    }
}
