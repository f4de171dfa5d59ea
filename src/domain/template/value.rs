//! What an expression yields: values with the types that Go has for them.
//!
//! Texts are bytes, since functions may cut a character in two. Maps are shared and can change, lists can't.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use super::time::Time;
use super::version::Version;

/// What `int`, `float` and `bool` say that a text stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Integer,
    Float,
    Boolean,
}

/// Some bytes, mostly of a template or a variable.
#[derive(Debug, Clone)]
pub(super) struct Text<'a> {
    bytes: Bytes<'a>,
    pub(super) mark: Option<Mark>,
}

#[derive(Debug, Clone)]
enum Bytes<'a> {
    Borrowed(&'a [u8]),
    Shared(Rc<[u8]>),
}

impl<'a> Text<'a> {
    pub(super) const fn borrowed(bytes: &'a [u8]) -> Self {
        Self {
            bytes: Bytes::Borrowed(bytes),
            mark: None,
        }
    }

    pub(super) fn owned(bytes: Vec<u8>) -> Self {
        Self {
            bytes: Bytes::Shared(bytes.into()),
            mark: None,
        }
    }

    pub(super) fn marked(text: String, mark: Mark) -> Self {
        Self {
            mark: Some(mark),
            ..Self::owned(text.into_bytes())
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Borrowed(bytes) => bytes,
            Bytes::Shared(bytes) => bytes,
        }
    }

    /// Returns a part; the whole stays what it is.
    pub(super) fn part(&self, range: Range<usize>) -> Option<Self> {
        if range == (0..self.bytes().len()) {
            return Some(self.clone());
        }
        match &self.bytes {
            Bytes::Borrowed(bytes) => Some(Self::borrowed(bytes.get(range)?)),
            Bytes::Shared(bytes) => Some(Self::owned(bytes.get(range)?.to_vec())),
        }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Text<'_> {}

impl PartialOrd for Text<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl Borrow<[u8]> for Text<'_> {
    fn borrow(&self) -> &[u8] {
        self.bytes()
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self::owned(text.into_bytes())
    }
}

impl From<Vec<u8>> for Text<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::owned(bytes)
    }
}

impl From<&'static str> for Text<'_> {
    fn from(text: &'static str) -> Self {
        Self::borrowed(text.as_bytes())
    }
}

/// What a list is declared to hold; it shows in names of types and in comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListKind {
    Any,
    Texts,
    Integers,
    Lists,
}

/// Values in a row.
#[derive(Debug, Clone)]
pub(super) struct List<'a>(Rc<ListParts<'a>>);

#[derive(Debug)]
struct ListParts<'a> {
    kind: ListKind,
    /// Go tells a list that was never made from one without entries.
    is_nil: bool,
    /// How many lists are inside one another, maps apart.
    depth: usize,
    items: Vec<Value<'a>>,
}

impl<'a> List<'a> {
    pub(super) fn new(kind: ListKind, mut items: Vec<Value<'a>>) -> Self {
        for item in items.iter_mut().filter(|item| matches!(item, Value::Nil)) {
            *item = Value::Null;
        }
        let inner = items.iter().map(|item| match item {
            Value::List(list) => list.0.depth,
            _ => 0,
        });
        Self(Rc::new(ListParts {
            kind,
            is_nil: false,
            depth: inner.max().unwrap_or(0).saturating_add(1),
            items,
        }))
    }

    pub(super) fn nil(kind: ListKind) -> Self {
        Self(Rc::new(ListParts {
            kind,
            is_nil: true,
            depth: 1,
            items: Vec::new(),
        }))
    }

    pub(super) fn kind(&self) -> ListKind {
        self.0.kind
    }

    pub(super) fn is_nil(&self) -> bool {
        self.0.is_nil
    }

    pub(super) fn depth(&self) -> usize {
        self.0.depth
    }

    pub(super) fn items(&self) -> &[Value<'a>] {
        &self.0.items
    }
}

/// What a map is declared to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MapKind {
    Any,
    Texts,
    Variables,
}

/// Values by keys, in the order of the keys. Copies share what they hold, as in Go.
#[derive(Debug, Clone)]
pub(super) struct Map<'a>(Rc<MapParts<'a>>);

#[derive(Debug)]
struct MapParts<'a> {
    kind: MapKind,
    is_nil: bool,
    entries: RefCell<BTreeMap<Text<'a>, Value<'a>>>,
}

impl<'a> Map<'a> {
    /// Makes a map; [`Run::map`](super::exec::Run::map) is the way there, since maps can hold one another.
    pub(super) fn new(kind: MapKind, is_nil: bool) -> Self {
        Self(Rc::new(MapParts {
            kind,
            is_nil,
            entries: RefCell::default(),
        }))
    }

    pub(super) fn kind(&self) -> MapKind {
        self.0.kind
    }

    pub(super) fn is_nil(&self) -> bool {
        self.0.is_nil
    }

    pub(super) fn len(&self) -> usize {
        self.0.entries.borrow().len()
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<Value<'a>> {
        self.0.entries.borrow().get(key).cloned()
    }

    pub(super) fn has(&self, key: &[u8]) -> bool {
        self.0.entries.borrow().contains_key(key)
    }

    pub(super) fn insert(&self, key: Text<'a>, value: Value<'a>) {
        let value = match value {
            Value::Nil => Value::Null,
            other => other,
        };
        let before = self.0.entries.borrow_mut().insert(key, value);
        drop(before);
    }

    pub(super) fn remove(&self, key: &[u8]) {
        let before = self.0.entries.borrow_mut().remove(key);
        drop(before);
    }

    pub(super) fn clear(&self) {
        let before = self.0.entries.take();
        drop(before);
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// Returns what is in the map now.
    pub(super) fn entries(&self) -> Vec<(Text<'a>, Value<'a>)> {
        let entries = self.0.entries.borrow();
        entries
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}

/// What an expression yields.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    /// No value at all.
    Nil,
    /// The same out of a map or a list; functions with typed parameters refuse it where they take `Nil`.
    Null,
    /// All variables, as long as nothing asks for them as a map.
    Root,
    Boolean(bool),
    Int(i64),
    Int64(i64),
    Byte(u8),
    Unsigned(u64),
    Float(f64),
    Text(Text<'a>),
    List(List<'a>),
    Map(Map<'a>),
    Time(Time),
    Version(Rc<Version>),
}

impl<'a> Value<'a> {
    pub(super) fn text(text: impl Into<Text<'a>>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn is_nil(&self) -> bool {
        matches!(self, Self::Nil | Self::Null)
    }

    /// Tells whether `if` takes the value for true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil | Self::Null => false,
            Self::Root | Self::Time(_) | Self::Version(_) => true,
            Self::Boolean(value) => *value,
            Self::Int(value) | Self::Int64(value) => *value != 0,
            Self::Byte(value) => *value != 0,
            Self::Unsigned(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.bytes().is_empty(),
            Self::List(list) => !list.items().is_empty(),
            Self::Map(map) => map.len() > 0,
        }
    }

    /// Returns Go's name of the type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil | Self::Null => "<nil>",
            Self::Root => "template.Variables",
            Self::Boolean(_) => "bool",
            Self::Int(_) => "int",
            Self::Int64(_) => "int64",
            Self::Byte(_) => "uint8",
            Self::Unsigned(_) => "uint64",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(list) => match list.kind() {
                ListKind::Any => "[]interface {}",
                ListKind::Texts => "[]string",
                ListKind::Integers => "[]int",
                ListKind::Lists => "[][]interface {}",
            },
            Self::Map(map) => match map.kind() {
                MapKind::Any => "map[string]interface {}",
                MapKind::Texts => "map[string]string",
                MapKind::Variables => "template.Variables",
            },
            Self::Time(_) => "time.Time",
            Self::Version(_) => "*semver.Version",
        }
    }

    /// Returns Go's name of the kind of type.
    pub(super) fn kind_name(&self) -> &'static str {
        match self {
            Self::Nil | Self::Null => "invalid",
            Self::List(_) => "slice",
            Self::Map(_) | Self::Root => "map",
            Self::Time(_) => "struct",
            Self::Version(_) => "ptr",
            plain => plain.type_name(),
        }
    }
}

impl<'a> From<Text<'a>> for Value<'a> {
    fn from(text: Text<'a>) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}
