//! Sets of fields in the `FieldsV1` form.
//!
//! The form is that of `fieldpath/serialize.go` and `serialize-pe.go` of
//! `sigs.k8s.io/structured-merge-diff`: a tree of mappings whose keys say how a child is found. An empty
//! mapping is a member of the set; one with children is a member only when it has the child `.`.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::trail::{Held, Item, Name, Step};

/// Something in `managedFields` that can't be read: its place, or the key that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("managed fields cannot be read at {0}")]
pub struct Malformed(pub String);

/// How a child is found in its parent.
#[derive(Debug, Clone, PartialEq)]
pub enum Element<'a> {
    /// The field of a mapping (`f:name`).
    Field(&'a str),
    /// The list item with these values under these keys (`k:{"name":"web"}`).
    Key(Map<String, Value>),
    /// The item of a set (`v:"text"`).
    Value(Value),
    /// The list item at a place (`i:3`).
    Index(usize),
}

impl<'a> Element<'a> {
    /// Reads the text of a key.
    pub fn parse(text: &'a str) -> Option<Self> {
        match text.split_once(':')? {
            ("f", name) => Some(Self::Field(name)),
            ("k", keys) => {
                let keys: Map<String, Value> = serde_json::from_str(keys).ok()?;
                (!keys.is_empty()).then_some(Self::Key(keys))
            }
            ("v", value) => serde_json::from_str(value).ok().map(Self::Value),
            ("i", index) => index.parse().ok().map(Self::Index),
            _ => None,
        }
    }
}

static EMPTY: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

/// In a longer list an item is found only by the keys that a server would write.
const SEARCHED: usize = 1_000;

/// A set of fields, seen from one place in the tree. Nothing is read before it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct FieldSet<'a>(&'a Map<String, Value>);

impl<'a> FieldSet<'a> {
    pub(super) fn of(fields: &'a Value) -> Option<Self> {
        fields.as_object().map(Self)
    }

    /// Returns a set without fields.
    pub(super) fn empty() -> Self {
        Self(&EMPTY)
    }

    /// Tells whether the place itself is a member, not only something below it.
    pub fn owns_itself(self) -> bool {
        self.0.is_empty() || self.0.contains_key(".")
    }

    /// Tells whether nothing below the place is told apart: it is held as a whole.
    pub fn is_leaf(self) -> bool {
        self.0.keys().all(|key| key == ".")
    }

    /// Returns the set of a field, if it is held or something below it is.
    pub fn field(self, name: &str) -> Option<Self> {
        self.field_with(name, &mut String::new())
    }

    /// The same with a buffer for the key, for the one who asks often.
    pub(super) fn field_with(self, name: &str, buffer: &mut String) -> Option<Self> {
        buffer.clear();
        buffer.push_str("f:");
        buffer.push_str(name);
        Self::of(self.0.get(buffer.as_str())?)
    }

    /// Returns the children, without the place itself; each that can't be read comes as an error.
    pub fn children(self) -> impl Iterator<Item = Result<(Element<'a>, FieldSet<'a>), Malformed>> {
        let children = self.0.iter().filter(|(key, _)| *key != ".");
        children.map(|(key, child)| {
            let element = Element::parse(key).zip(Self::of(child));
            element.ok_or_else(|| Malformed(key.clone()))
        })
    }

    /// Follows steps from here.
    pub(super) fn at(self, steps: &[Step<'_>]) -> Held<'a> {
        let mut set = self;
        for (depth, step) in steps.iter().enumerate() {
            if depth > 0 && set.is_leaf() {
                return Held::Within;
            }
            let below = match step {
                Step::Key(name) => set.field(name),
                Step::Item(item) => set.item(item),
            };
            match below {
                Some(below) => set = below,
                None => return Held::Not,
            }
        }
        Held::At(set)
    }

    /// Finds the set of a list item.
    fn item(self, item: &Item<'_>) -> Option<Self> {
        // A server writes keys in one way only, which is ours too but for few characters.
        let key = item.name.map(|name| match name {
            Name::Keys(keys) => serde_json::to_string(keys).map(|keys| format!("k:{keys}")),
            Name::Value(value) => Ok(format!("v:{value}")),
        });
        if let Some(below) = key.and_then(|key| self.0.get(&key.ok()?)) {
            return Self::of(below);
        }
        if self.0.len() > SEARCHED {
            return None;
        }
        let mut children = self.children().flatten();
        let found = children.find(|(element, _)| match element {
            Element::Key(keys) => match (item.live, item.wanted) {
                (Some((_, live)), _) => has_keys(live, keys),
                (None, Some((_, wanted))) => may_have_keys(wanted, keys),
                (None, None) => false,
            },
            Element::Value(value) => {
                let item = item.live.or(item.wanted);
                item.is_some_and(|(_, item)| item == value)
            }
            Element::Index(index) => item.live.is_some_and(|(at, _)| at == *index),
            Element::Field(_) => false,
        });
        found.map(|(_, set)| set)
    }
}

/// Tells whether an item has all these keys with these values.
pub(super) fn has_keys(item: &Value, keys: &Map<String, Value>) -> bool {
    keys.iter().all(|(key, value)| item.get(key) == Some(value))
}

/// Tells whether an item, as a user writes it, may be the one with these keys: the server fills in keys
/// that have a default.
pub(super) fn may_have_keys(item: &Value, keys: &Map<String, Value>) -> bool {
    let mut met = false;
    let fits = keys.iter().all(|(key, value)| match item.get(key) {
        None | Some(Value::Null) => true,
        Some(own) => {
            met = true;
            own == value
        }
    });
    fits && met
}
