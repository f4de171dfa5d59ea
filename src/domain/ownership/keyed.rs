//! Lists whose items are told apart by keys, from three sides: ours, wanted, live.

use std::collections::HashMap;
use std::fmt::Write;

use serde_json::{Map, Value};

use super::fields::FieldSet;

type Keys = Map<String, Value>;

/// Where an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Nowhere,
    At(usize),
    /// More than one fits.
    Several,
}

impl Place {
    /// Returns the place if there is just one.
    pub(super) fn one(self) -> Option<usize> {
        match self {
            Self::At(index) => Some(index),
            Self::Nowhere | Self::Several => None,
        }
    }

    fn of(mut places: impl Iterator<Item = usize>) -> Self {
        match (places.next(), places.next()) {
            (None, _) => Self::Nowhere,
            (Some(index), None) => Self::At(index),
            (Some(_), Some(_)) => Self::Several,
        }
    }
}

/// Items by the values that they have under some keys.
#[derive(Default)]
struct Index(HashMap<String, Vec<usize>>);

impl Index {
    fn of<'a>(items: impl Iterator<Item = Option<&'a Keys>>, names: &[String]) -> Self {
        let mut index = Self::default();
        for (place, item) in items.enumerate() {
            if let Some(item) = item {
                let places = index.0.entry(identity(item, names)).or_default();
                places.push(place);
            }
        }
        index
    }

    fn find(&self, item: &Keys, names: &[String]) -> &[usize] {
        let places = self.0.get(&identity(item, names));
        places.map_or(&[], Vec::as_slice)
    }
}

/// Writes the values of those keys that an item has.
fn identity(item: &Keys, names: &[String]) -> String {
    let mut text = String::new();
    for (index, name) in names.iter().enumerate() {
        if let Some(value) = item.get(name).filter(|value| !value.is_null()) {
            // Writing into a string does not fail, and JSON in this form has no line ends.
            let _ = writeln!(text, "{index} {value}");
        }
    }
    text
}

/// Items by the keys that some of the wanted ones have; the others are left to the server.
struct Partial {
    names: Vec<String>,
    ours: Index,
    live: Index,
}

/// A list whose items are told apart by keys.
pub(super) struct Keyed<'a> {
    /// All names that occur among the keys.
    names: Vec<String>,
    pub(super) ours: Vec<(Keys, FieldSet<'a>)>,
    pub(super) wanted: &'a [Value],
    live: &'a [Value],
    live_index: Index,
    partial: Vec<Partial>,
    /// Whether `ours` is ours; else it only gives the names of the keys.
    pub(super) is_asked: bool,
}

impl<'a> Keyed<'a> {
    pub(super) fn new(
        ours: Vec<(Keys, FieldSet<'a>)>,
        wanted: &'a [Value],
        live: &'a [Value],
        is_asked: bool,
    ) -> Self {
        let mut names: Vec<String> = Vec::new();
        for key in ours.iter().flat_map(|(keys, _)| keys.keys()) {
            if !names.contains(key) {
                names.push(key.clone());
            }
        }
        let live_items = || live.iter().map(Value::as_object);
        let live_index = Index::of(live_items(), &names);
        let mut partial: Vec<Partial> = Vec::new();
        for item in wanted.iter().filter_map(Value::as_object) {
            let names = present(item, &names);
            if partial.iter().all(|known| known.names != names) {
                partial.push(Partial {
                    ours: Index::of(ours.iter().map(|(keys, _)| Some(keys)), &names),
                    live: Index::of(live_items(), &names),
                    names,
                });
            }
        }
        Self {
            names,
            ours,
            wanted,
            live,
            live_index,
            partial,
            is_asked,
        }
    }

    fn partial(&self, item: &Keys) -> Option<&Partial> {
        let names = present(item, &self.names);
        // Without any key it could be every one.
        let mut partial = self.partial.iter().filter(|known| !known.names.is_empty());
        partial.find(|known| known.names == names)
    }

    /// Returns which of our items a wanted one is.
    pub(super) fn held(&self, wanted: &Value) -> Place {
        let Some(item) = wanted.as_object().filter(|_| self.is_asked) else {
            return Place::Nowhere;
        };
        let Some(partial) = self.partial(item) else {
            return Place::Nowhere;
        };
        let places = partial.ours.find(item, &partial.names);
        // A key that the server filled in is not held as a field; one that we wrote before is.
        let filled_in = places.iter().copied().filter(|place| {
            let is_left = |name: &&String| !partial.names.contains(name);
            let mut left = self.names.iter().filter(is_left);
            let ours = self.ours.get(*place);
            ours.is_some_and(|(_, set)| left.all(|name| set.field(name).is_none()))
        });
        match Place::of(filled_in) {
            Place::Nowhere => Place::of(places.iter().copied()),
            place => place,
        }
    }

    /// Returns the live item with these keys.
    pub(super) fn live(&self, keys: &Keys) -> Place {
        let places = self.live_index.find(keys, &self.names);
        Place::of(places.iter().copied())
    }

    /// Returns the live item that a wanted one would become.
    pub(super) fn live_like(&self, wanted: &Value) -> Place {
        let item = wanted.as_object();
        let Some((item, partial)) = item.and_then(|item| Some((item, self.partial(item)?))) else {
            return Place::Nowhere;
        };
        let places = partial.live.find(item, &partial.names);
        Place::of(places.iter().copied())
    }

    /// Returns a live item with its place.
    pub(super) fn live_item(&self, place: Place) -> Option<(usize, &'a Value)> {
        let index = place.one()?;
        Some((index, self.live.get(index)?))
    }

    /// Returns the keys of an item that isn't ours.
    pub(super) fn name(&self, wanted: &Value) -> Keys {
        let named = self.names.iter().filter_map(|name| {
            let value = wanted.get(name).filter(|value| is_scalar(value))?;
            Some((name.clone(), value.clone()))
        });
        named.collect()
    }
}

/// Returns the names of the keys that an item has.
fn present(item: &Keys, names: &[String]) -> Vec<String> {
    let has = |name: &&String| item.get(*name).is_some_and(|value| !value.is_null());
    names.iter().filter(has).cloned().collect()
}

/// Tells whether a value is one that a set may have.
pub(super) fn is_scalar(value: &Value) -> bool {
    !value.is_null() && !value.is_array() && !value.is_object()
}
