//! Whether an apply would change a live object.
//!
//! What is wanted, what is live and what our entry in `managedFields` holds are walked together. The
//! entry says what no value does: which lists are told apart by keys, which are sets, and what is
//! replaced as a whole. How a server merges is described by `sigs.k8s.io/structured-merge-diff` (`typed`
//! and `merge`): it holds for an applier what that sent, and takes from it what another one changes.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::drift::{FieldDrift, Found, Values, told};
use super::fields::{Element, FieldSet, has_keys};
use super::ignore::{IgnorePath, Ignored};
use super::keyed::{Keyed, Place, is_scalar};
use super::likeness::{Likeness, likeness, meaning};
use super::trail::{Held, Item, Name, Side, Trail};
use super::{DEPTH, Entry, Malformed, entries, owners_at};
use crate::resource::{canonical_group, split_api_version};

/// Whether an object must be written.
#[derive(Debug, Clone, PartialEq)]
pub enum Comparison {
    /// An apply would change nothing.
    Same,
    /// An apply would change these fields, or who holds them.
    Different(Vec<FieldDrift>),
    /// Only the server can tell, by a dry run; the places where it takes one.
    Unsure(Vec<String>),
}

/// Compares an object that may have been changed since it was applied with the live one.
///
/// The desired object is the one before [`strip`](super::strip): ignored fields are left out here, by
/// their place in it. Its namespace is the one that it goes to. `status` and what servers fill into
/// `metadata` are not looked at.
///
/// * `Same` when every field stands in the live object, is held by the manager's Apply entry, and that
///   holds nothing else.
/// * `Different` when an apply changes a value, or who holds a field. Without an entry of the manager
///   there is always the drift of `metadata.managedFields`, beside those of values.
/// * `Unsure` when texts differ that may mean one thing, when an empty or zero value is absent, when
///   something that is ours as a whole has more fields than we want (they may be defaults), when the
///   versions differ, and when managed fields can't be read.
pub fn compare(desired: &Value, live: &Value, manager: &str, ignored: &[IgnorePath]) -> Comparison {
    Walk::new(desired, live, manager, false).run(ignored)
}

/// Compares an object that is known to be what the manager applied last, by a hash say, with the live one.
///
/// Then what we still hold is what the server made of our value, however it is written or filled up:
/// nobody can change it without taking it from us. Much of what [`compare`] is unsure about is the same
/// here.
pub fn compare_as_applied(
    desired: &Value,
    live: &Value,
    manager: &str,
    ignored: &[IgnorePath],
) -> Comparison {
    Walk::new(desired, live, manager, true).run(ignored)
}

/// Returns the places of which only the server can tell, also where others surely differ.
pub fn doubts(desired: &Value, live: &Value, manager: &str, ignored: &[IgnorePath]) -> Vec<String> {
    let mut walk = Walk::new(desired, live, manager, false);
    walk.walk(ignored);
    walk.unsure
}

/// What we hold at a place.
#[derive(Clone, Copy)]
enum Ours<'a> {
    /// The place, or something below it.
    Set(FieldSet<'a>),
    /// The place as part of something that is held as a whole.
    Whole,
    /// It makes no difference: it is known already that something there isn't ours.
    Unasked,
}

/// What is wanted at a place, and what is known of it.
#[derive(Clone, Copy)]
struct Node<'a> {
    wanted: &'a Value,
    live: Option<&'a Value>,
    ours: Ours<'a>,
}

/// How the items of a list are told apart.
enum List<'a> {
    /// By keys.
    Keyed(Vec<(Map<String, Value>, FieldSet<'a>)>),
    /// By value.
    Set(Vec<(Value, FieldSet<'a>)>),
    /// Not at all.
    Whole,
    /// In a way that we don't know.
    Unknown,
}

struct Walk<'a> {
    desired: &'a Value,
    live: &'a Value,
    manager: &'a str,
    /// Whether the desired object is what was applied last.
    is_applied: bool,
    ours: Option<Entry<'a>>,
    others: Vec<Entry<'a>>,
    found: Vec<Found>,
    unsure: Vec<String>,
    /// Whether our own entry has parts that can't be read.
    is_unreadable: bool,
    buffer: String,
}

impl<'a> Walk<'a> {
    fn new(desired: &'a Value, live: &'a Value, manager: &'a str, is_applied: bool) -> Self {
        let mut walk = Self {
            desired,
            live,
            manager,
            is_applied,
            ours: None,
            others: Vec::new(),
            found: Vec::new(),
            unsure: Vec::new(),
            is_unreadable: false,
            buffer: String::new(),
        };
        for (index, entry) in entries(live).enumerate() {
            match entry {
                Ok(entry) if entry.is_apply_of(manager) && walk.ours.is_none() => {
                    walk.ours = Some(entry);
                }
                Ok(entry) => walk.others.push(entry),
                // The unreadable entry of somebody else changes nothing for us.
                Err(Malformed(place)) => {
                    let entry = live.pointer(&format!("/metadata/managedFields/{index}/manager"));
                    let name = entry.and_then(Value::as_str);
                    if name.is_none_or(|name| name == manager) {
                        walk.unsure.push(place);
                    }
                }
            }
        }
        walk
    }

    fn run(mut self, ignored: &[IgnorePath]) -> Comparison {
        self.walk(ignored);
        self.end()
    }

    fn walk(&mut self, ignored: &[IgnorePath]) {
        let (Some(wanted), Some(live)) = (self.desired.as_object(), self.live.as_object()) else {
            self.unsure.push(String::new());
            return;
        };
        self.identity();
        if self.found.is_empty() && self.unsure.iter().any(|path| path == "apiVersion") {
            // Fields may have other names there.
            return;
        }
        let ours = match self.ours {
            Some(entry) => Ours::Set(entry.fields),
            None => Ours::Unasked,
        };
        let ignored = &Ignored::of(ignored);
        self.object(wanted, Some(live), ours, &Trail::ROOT, ignored);
        if self.ours.is_none() {
            self.no_entry(wanted, ignored);
        }
    }

    /// An object that the manager never applied, or of which it can hold nothing: what names an object is
    /// held by nobody, and a server keeps no entry without fields.
    fn no_entry(&mut self, wanted: &Map<String, Value>, ignored: &Ignored<'_>) {
        let path = "metadata.managedFields";
        if self.unsure.iter().any(|unsure| unsure.starts_with(path)) {
            return;
        }
        let (mut is_held, mut is_empty) = (false, true);
        let mut look = |value: &Value, trail: &Trail<'_>, ignored: &Ignored<'_>| {
            if !is_nobodys(trail) && !ignored.is_whole() {
                is_held |= has_leaf(value, ignored, DEPTH);
                is_empty = false;
            }
        };
        for (key, value) in wanted {
            let (trail, ignored) = (&Trail::ROOT.key(key), &ignored.key(key));
            match value {
                Value::Object(metadata) if key == "metadata" => {
                    for (key, value) in metadata {
                        look(value, &trail.key(key), &ignored.key(key));
                    }
                }
                _ => look(value, trail, ignored),
            }
        }
        if is_held {
            self.found.push(Found {
                path: path.to_owned(),
                values: Values::Are(Some(self.manager.into()), None),
                owners: Vec::new(),
                of_holders: true,
            });
        } else if !is_empty {
            self.unsure.push(path.to_owned());
        }
    }

    /// Group, version and kind.
    fn identity(&mut self) {
        let text = |object: &'a Value, key| object.get(key).and_then(Value::as_str);
        let kinds = (text(self.desired, "kind"), text(self.live, "kind"));
        let versions = (
            text(self.desired, "apiVersion"),
            text(self.live, "apiVersion"),
        );
        let root = Trail::ROOT;
        match kinds {
            (Some(wanted), Some(live)) if wanted == live => {}
            (Some(_), Some(_)) => self.drift(&root.key("kind"), true, true, false),
            _ => self.unsure.push("kind".to_owned()),
        }
        let entry = self.ours.map(|entry| entry.api_version);
        match versions {
            (Some(wanted), Some(live)) => {
                let kind = kinds.0.unwrap_or_default();
                let group = |version| canonical_group(split_api_version(version).0, kind);
                if group(wanted) != group(live) {
                    self.drift(&root.key("apiVersion"), true, true, false);
                } else if wanted != live || entry.is_some_and(|version| version != live) {
                    self.unsure.push("apiVersion".to_owned());
                }
            }
            _ => self.unsure.push("apiVersion".to_owned()),
        }
    }

    fn end(mut self) -> Comparison {
        if self.is_unreadable {
            // What seems not to be ours may be.
            self.found.retain(|found| !found.of_holders);
            self.unsure.push("metadata.managedFields".to_owned());
        }
        if !self.found.is_empty() {
            return Comparison::Different(told(self.found, self.desired, self.live));
        }
        if self.unsure.is_empty() {
            return Comparison::Same;
        }
        self.unsure.sort_unstable();
        self.unsure.dedup();
        Comparison::Unsure(self.unsure)
    }

    fn value(&mut self, node: Node<'a>, trail: &Trail<'_>, ignored: &Ignored<'_>) {
        if ignored.is_whole() {
            return;
        }
        if trail.is_too_deep() {
            self.unsure.push(trail.text());
            return;
        }
        if node.wanted.is_array() && ignored.is_every_item() {
            return;
        }
        let live = node.live.filter(|live| !live.is_null());
        let node = Node { live, ..node };
        match (node.wanted, live) {
            (Value::Null, None) => {}
            // To ask for nothing is to ask for the default, which this may be.
            (Value::Null, Some(_)) => self.doubt(node, trail),
            (Value::Object(map), None) => {
                if ignored.is_nothing() && !is_zero(node.wanted, DEPTH) {
                    self.differ(node, trail);
                } else if is_bare(map, ignored) {
                    self.doubt(node, trail);
                } else {
                    let ours = self.below(node.ours, trail);
                    self.object(map, None, ours, trail, ignored);
                }
            }
            (_, None) if is_zero(node.wanted, DEPTH) => self.doubt(node, trail),
            (_, None) => self.differ(node, trail),
            (Value::Object(map), Some(Value::Object(live))) => {
                self.objects(node, map, live, trail, ignored);
            }
            (Value::Array(items), Some(Value::Array(live))) => {
                self.lists(node, items, live, trail, ignored);
            }
            (wanted, Some(live)) => match likeness(wanted, live, || meaning(trail, self.desired)) {
                Likeness::Same => match node.ours {
                    Ours::Set(set) if !set.owns_itself() => {
                        self.drift(trail, true, true, true);
                    }
                    _ => {}
                },
                Likeness::Unclear => self.doubt(node, trail),
                Likeness::Different => self.differ(node, trail),
            },
        }
    }

    /// A field of which we hold nothing, though our entry holds what is around it.
    fn unheld(&mut self, node: Node<'a>, trail: &Trail<'_>, ignored: &Ignored<'_>) {
        let node = Node {
            ours: Ours::Unasked,
            ..node
        };
        if !has_leaf(node.wanted, ignored, DEPTH) {
            // Of an empty value nothing can be held.
            return self.value(node, trail, ignored);
        }
        if let Value::Object(map) = node.wanted
            && !ignored.is_nothing()
            && !trail.is_too_deep()
        {
            for (key, wanted) in map {
                let live = node.live.and_then(|live| live.get(key));
                let below = Node {
                    wanted,
                    live,
                    ours: Ours::Unasked,
                };
                self.unheld(below, &trail.key(key), &ignored.key(key));
            }
            return;
        }
        let before = self.found.len();
        self.value(node, trail, ignored);
        if self.found.len() == before && !ignored.is_every_item() {
            let live = node.live.is_some_and(|live| !live.is_null());
            self.drift(trail, true, live, true);
        }
    }

    /// Two mappings, told apart or not.
    fn objects(
        &mut self,
        node: Node<'a>,
        wanted: &'a Map<String, Value>,
        live: &'a Map<String, Value>,
        trail: &Trail<'_>,
        ignored: &Ignored<'_>,
    ) {
        let is_leaf = matches!(node.ours, Ours::Set(set) if set.is_leaf());
        if is_bare(wanted, ignored) && (is_leaf || matches!(node.ours, Ours::Unasked)) {
            // Empty, and content of others beside it, or with content that should go.
            if !is_bare(live, ignored) && !self.is_told_apart(trail) {
                self.doubt(node, trail);
            }
            return;
        }
        let ours = self.below(node.ours, trail);
        self.object(wanted, Some(live), ours, trail, ignored);
    }

    /// What is held of the fields of a mapping.
    fn below(&self, ours: Ours<'a>, trail: &Trail<'_>) -> Ours<'a> {
        match ours {
            Ours::Set(set) if !set.is_leaf() => ours,
            // It was empty when it was applied.
            Ours::Set(_) if self.is_told_apart(trail) => Ours::Set(FieldSet::empty()),
            Ours::Set(_) | Ours::Whole => Ours::Whole,
            Ours::Unasked => Ours::Unasked,
        }
    }

    fn object(
        &mut self,
        wanted: &'a Map<String, Value>,
        live: Option<&'a Map<String, Value>>,
        ours: Ours<'a>,
        trail: &Trail<'_>,
        ignored: &Ignored<'_>,
    ) {
        for (key, value) in wanted {
            let live = live.and_then(|live| live.get(key));
            let (trail, ignored) = (&trail.key(key), &ignored.key(key));
            if ignored.is_whole() {
                continue;
            }
            if is_nobodys(trail) {
                self.nobodys(value, live, trail);
                continue;
            }
            let (below, is_held) = match ours {
                Ours::Set(set) => match set.field_with(key, &mut self.buffer) {
                    Some(below) => (Ours::Set(below), true),
                    None => (Ours::Unasked, false),
                },
                other => (other, true),
            };
            let node = Node {
                wanted: value,
                live,
                ours: below,
            };
            if let (true, Value::Object(metadata)) = (trail.is(&["metadata"]), value) {
                // What names the object is never held, so that there may be nothing to hold.
                let below = match (ours, below) {
                    (Ours::Set(_), Ours::Unasked) => Ours::Set(FieldSet::empty()),
                    (_, below) => below,
                };
                let live = live.and_then(Value::as_object);
                self.object(metadata, live, below, trail, ignored);
            } else if is_held {
                self.value(node, trail, ignored);
            } else {
                self.unheld(node, trail, ignored);
            }
        }
        match ours {
            Ours::Set(set) => self.unwanted_fields(set, wanted, live, trail, ignored),
            Ours::Whole => {
                let live = live.into_iter().flatten();
                for (key, value) in live.filter(|(key, _)| !wanted.contains_key(*key)) {
                    let is_ignored = ignored.key(key).is_whole();
                    if !is_ignored && !value.is_null() && !self.is_applied {
                        self.unsure.push(trail.key(key).text());
                    }
                }
            }
            Ours::Unasked => {}
        }
    }

    fn unwanted_fields(
        &mut self,
        set: FieldSet<'a>,
        wanted: &Map<String, Value>,
        live: Option<&'a Map<String, Value>>,
        trail: &Trail<'_>,
        ignored: &Ignored<'_>,
    ) {
        for child in set.children() {
            match child {
                Ok((Element::Field(key), _)) if wanted.contains_key(key) => {}
                Ok((Element::Field(key), below)) => {
                    let live = live.and_then(|live| live.get(key));
                    let (trail, ignored) = (&trail.key(key), &ignored.key(key));
                    if !is_nobodys(trail) {
                        self.unwanted(below, live, trail, ignored);
                    }
                }
                // A list, when we wrote it.
                Ok(_) => self.unsure.push(trail.text()),
                Err(_) => self.is_unreadable = true,
            }
        }
    }

    /// Compares a field that nobody holds.
    fn nobodys(&mut self, wanted: &Value, live: Option<&Value>, trail: &Trail<'_>) {
        let is_equal = wanted.is_null() || live == Some(wanted);
        match trail.upwards().next().flatten() {
            Some("name" | "namespace") if !is_equal => {
                if live.is_some_and(Value::is_string) {
                    self.drift(trail, true, true, false);
                } else {
                    self.unsure.push(trail.text());
                }
            }
            // With another value these are refused.
            Some("uid" | "resourceVersion" | "managedFields") if !is_equal => {
                self.unsure.push(trail.text());
            }
            _ => {}
        }
    }

    /// Two lists.
    fn lists(
        &mut self,
        node: Node<'a>,
        wanted: &'a [Value],
        live: &'a [Value],
        trail: &Trail<'_>,
        ignored: &Ignored<'_>,
    ) {
        let (list, is_asked) = match node.ours {
            Ours::Whole => (List::Whole, true),
            Ours::Set(set) if !set.is_leaf() => (self.list(set), true),
            Ours::Set(_) => match self.list_elsewhere(trail) {
                Some(_) => (List::Unknown, true),
                None => (List::Whole, true),
            },
            Ours::Unasked => match self.list_elsewhere(trail) {
                Some(list) => (list, false),
                None if wanted.is_empty() && !live.is_empty() => (List::Unknown, false),
                None => (List::Whole, false),
            },
        };
        match list {
            List::Keyed(keyed) => {
                let items = Keyed::new(keyed, wanted, live, is_asked);
                self.keyed(&items, trail, ignored);
            }
            List::Set(set) => self.set(wanted, live, &set, is_asked, trail, ignored),
            List::Whole => self.whole_list(node, wanted, live, trail, ignored),
            List::Unknown => self.unsure.push(trail.text()),
        }
    }

    fn list(&mut self, set: FieldSet<'a>) -> List<'a> {
        let (mut keyed, mut values, mut is_other) = (Vec::new(), Vec::new(), false);
        for child in set.children() {
            match child {
                Ok((Element::Key(keys), below)) => keyed.push((keys, below)),
                Ok((Element::Value(value), below)) => values.push((value, below)),
                Ok(_) => is_other = true,
                Err(_) => self.is_unreadable = true,
            }
        }
        match (keyed.is_empty(), values.is_empty()) {
            _ if is_other => List::Unknown,
            (false, true) => List::Keyed(keyed),
            (true, false) => List::Set(values),
            _ => List::Unknown,
        }
    }

    /// How others tell the items of a list apart of which we hold none.
    fn list_elsewhere(&mut self, trail: &Trail<'_>) -> Option<List<'a>> {
        let steps = trail.steps();
        let version = self.ours.or(self.others.first().copied())?.api_version;
        let others = self
            .others
            .iter()
            .map(|entry| match entry.fields.at(&steps) {
                Held::At(set) if entry.api_version == version && !set.is_leaf() => Some(set),
                _ => None,
            });
        let set = others.flatten().next()?;
        let is_unreadable = self.is_unreadable;
        let list = self.list(set);
        // That would be the entry of somebody else.
        self.is_unreadable = is_unreadable;
        Some(list)
    }

    /// Tells whether somebody else holds only a part of what is at a place.
    fn is_told_apart(&self, trail: &Trail<'_>) -> bool {
        let steps = trail.steps();
        self.others
            .iter()
            .any(|entry| matches!(entry.fields.at(&steps), Held::At(set) if !set.is_leaf()))
    }

    /// A list that is replaced as a whole.
    fn whole_list(
        &mut self,
        node: Node<'a>,
        wanted: &'a [Value],
        live: &'a [Value],
        trail: &Trail<'_>,
        ignored: &Ignored<'_>,
    ) {
        if (0..wanted.len()).any(|index| ignored.index(index).is_whole()) {
            // What is sent is shorter, and no item of it has a place in the live list.
            self.unsure.push(trail.text());
            return;
        }
        if wanted.len() != live.len() {
            self.differ(node, trail);
            return;
        }
        let ours = match node.ours {
            Ours::Unasked => Ours::Unasked,
            _ => Ours::Whole,
        };
        for (index, (wanted, live)) in wanted.iter().zip(live).enumerate() {
            let trail = trail.item(Item {
                name: None,
                wanted: Some((index, wanted)),
                live: Some((index, live)),
            });
            if wanted.is_null() || live.is_null() {
                // Here null is an item like others.
                if wanted != live {
                    self.differ(node, &trail);
                }
                continue;
            }
            let node = Node {
                wanted,
                live: Some(live),
                ours,
            };
            self.value(node, &trail, &ignored.index(index));
        }
    }

    /// A list whose items are told apart by keys.
    fn keyed(&mut self, items: &Keyed<'a>, trail: &Trail<'_>, ignored: &Ignored<'_>) {
        let mut is_seen = vec![false; items.ours.len()];
        let mut order = Vec::with_capacity(items.wanted.len());
        let mut is_complete = items.is_asked;
        for (index, wanted) in items.wanted.iter().enumerate() {
            let below = &ignored.index(index);
            let held = items.held(wanted);
            let ours = held.one().and_then(|place| items.ours.get(place));
            let seen = held.one().and_then(|place| is_seen.get_mut(place));
            let is_repeated = seen.is_some_and(|seen| std::mem::replace(seen, true));
            if below.is_whole() {
                continue;
            }
            let (live, own_name);
            let keys = if let Some((keys, _)) = ours {
                live = items.live(keys);
                keys
            } else {
                live = items.live_like(wanted);
                own_name = items.name(wanted);
                &own_name
            };
            let live_item = items.live_item(live);
            let trail = &trail.item(Item {
                name: (!keys.is_empty()).then_some(Name::Keys(keys)),
                wanted: Some((index, wanted)),
                live: live_item,
            });
            let is_unclear = held == Place::Several || live == Place::Several;
            is_complete &= held != Place::Several;
            if is_repeated || is_unclear || !wanted.is_object() {
                self.unsure.push(trail.text());
                continue;
            }
            order.extend(live.one().map(|place| (place, index)));
            let node = Node {
                wanted,
                live: live_item.map(|(_, item)| item),
                ours: ours.map_or(Ours::Unasked, |(_, set)| Ours::Set(*set)),
            };
            if items.is_asked && ours.is_none() {
                self.unheld(node, trail, below);
            } else {
                self.value(node, trail, below);
            }
        }
        if is_complete {
            self.unwanted_items(items, &is_seen, trail, ignored);
        }
        if order.is_sorted() {
            return;
        }
        if self.is_applied {
            // Others may have moved them, or the server always does; nobody holds an order.
            self.unsure.push(trail.text());
        } else {
            // A server gives them the order that is sent.
            let names = |order: &[(usize, usize)]| {
                let names = order.iter().map(|(_, index)| {
                    let item = items.wanted.get(*index);
                    let name = item.map(|item| items.name(item)).unwrap_or_default();
                    Value::from(Name::Keys(&name).text())
                });
                Some(names.collect())
            };
            let wanted = names(&order);
            order.sort_unstable();
            self.found(trail, Values::Are(wanted, names(&order)), false);
        }
    }

    fn unwanted_items(
        &mut self,
        items: &Keyed<'a>,
        is_seen: &[bool],
        trail: &Trail<'_>,
        ignored: &Ignored<'_>,
    ) {
        for ((keys, set), _) in items.ours.iter().zip(is_seen).filter(|(_, seen)| !**seen) {
            let live = items.live_item(items.live(keys));
            let below = live.map_or_else(Ignored::default, |(index, _)| ignored.index(index));
            let trail = trail.item(Item {
                name: Some(Name::Keys(keys)),
                wanted: None,
                live,
            });
            self.unwanted(*set, live.map(|(_, item)| item), &trail, &below);
        }
    }

    /// A list whose items are told apart by value, in any order.
    fn set(
        &mut self,
        wanted: &'a [Value],
        live: &'a [Value],
        ours: &[(Value, FieldSet<'a>)],
        is_asked: bool,
        trail: &Trail<'_>,
        ignored: &Ignored<'_>,
    ) {
        let live: HashMap<String, (usize, &Value)> = (live.iter().enumerate())
            .map(|(index, item)| (item.to_string(), (index, item)))
            .collect();
        let held: HashSet<String> = ours.iter().map(|(value, _)| value.to_string()).collect();
        let mut seen = HashSet::new();
        for (index, item) in wanted.iter().enumerate() {
            let text = item.to_string();
            if !is_scalar(item) || !seen.insert(text.clone()) {
                self.unsure.push(trail.text());
                continue;
            }
            if ignored.index(index).is_whole() {
                continue;
            }
            let at = live.get(&text).copied();
            let trail = trail.item(Item {
                name: Some(Name::Value(item)),
                wanted: Some((index, item)),
                live: at,
            });
            if at.is_none() {
                self.drift(&trail, true, false, false);
            } else if is_asked && !held.contains(&text) {
                self.drift(&trail, true, true, true);
            }
        }
        if is_asked {
            for (value, set) in ours {
                let text = value.to_string();
                if !seen.contains(&text) {
                    let live = live.get(&text).copied();
                    let below =
                        live.map_or_else(Ignored::default, |(index, _)| ignored.index(index));
                    let trail = trail.item(Item {
                        name: Some(Name::Value(value)),
                        wanted: None,
                        live,
                    });
                    self.unwanted(*set, live.map(|(_, item)| item), &trail, &below);
                }
            }
        }
    }

    /// What we hold and no longer want.
    fn unwanted(
        &mut self,
        set: FieldSet<'a>,
        live: Option<&'a Value>,
        trail: &Trail<'_>,
        ignored: &Ignored<'_>,
    ) {
        if ignored.is_whole() {
            return;
        }
        if set.owns_itself() && !ignored.is_every_item() || trail.is_too_deep() {
            let live = live.is_some_and(|live| !live.is_null());
            self.drift(trail, false, live, !live);
            return;
        }
        let items = live.and_then(Value::as_array);
        for child in set.children() {
            let Ok((element, below)) = child else {
                self.is_unreadable = true;
                continue;
            };
            let fits = |item: &Value| match &element {
                Element::Key(keys) => has_keys(item, keys),
                Element::Value(value) => item == value,
                Element::Field(_) | Element::Index(_) => false,
            };
            let item = match &element {
                Element::Field(_) => None,
                Element::Index(index) => items.and_then(|items| Some((*index, items.get(*index)?))),
                _ => items.and_then(|items| items.iter().enumerate().find(|(_, item)| fits(item))),
            };
            let name = match &element {
                Element::Field(key) => {
                    let live = live.and_then(|live| live.get(key));
                    self.unwanted(below, live, &trail.key(key), &ignored.key(key));
                    continue;
                }
                Element::Key(keys) => Some(Name::Keys(keys)),
                Element::Value(value) => Some(Name::Value(value)),
                Element::Index(_) => None,
            };
            let trail = trail.item(Item {
                name,
                wanted: None,
                live: item,
            });
            let ignored = item.map_or_else(Ignored::default, |(index, _)| ignored.index(index));
            self.unwanted(below, item.map(|(_, item)| item), &trail, &ignored);
        }
    }

    /// Only the server can tell; but what was applied and is still held is what the server made of it.
    fn doubt(&mut self, node: Node<'_>, trail: &Trail<'_>) {
        let is_held = matches!(node.ours, Ours::Set(_) | Ours::Whole);
        if !(self.is_applied && is_held) {
            self.unsure.push(trail.text());
        }
    }

    /// The values differ; but what was applied and is still held was changed by the server itself.
    fn differ(&mut self, node: Node<'_>, trail: &Trail<'_>) {
        let is_held = matches!(node.ours, Ours::Set(_) | Ours::Whole);
        if self.is_applied && is_held {
            self.unsure.push(trail.text());
        } else {
            self.drift(trail, true, node.live.is_some(), false);
        }
    }

    fn drift(&mut self, trail: &Trail<'_>, wanted: bool, live: bool, of_holders: bool) {
        let values = Values::At {
            wanted: trail.place(Side::Wanted).filter(|_| wanted),
            live: trail.place(Side::Live).filter(|_| live),
        };
        self.found(trail, values, of_holders);
    }

    fn found(&mut self, trail: &Trail<'_>, values: Values, of_holders: bool) {
        let entries = self.ours.iter().chain(&self.others).copied();
        self.found.push(Found {
            path: trail.text(),
            values,
            owners: owners_at(entries, &trail.steps()),
            of_holders,
        });
    }
}

/// Tells whether a server may leave a value out, because it is the same as none.
fn is_zero(value: &Value, depth: usize) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => depth > 0 && map.values().all(|value| is_zero(value, depth - 1)),
    }
}

/// Tells whether there is anything in a value that a manager can hold in every version of servers.
fn has_leaf(value: &Value, ignored: &Ignored<'_>, depth: usize) -> bool {
    if ignored.is_whole() {
        return false;
    }
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty() && !ignored.is_every_item(),
        Value::Object(map) => {
            let mut fields = map.iter();
            depth == 0 || fields.any(|(key, value)| has_leaf(value, &ignored.key(key), depth - 1))
        }
        _ => true,
    }
}

/// Tells whether a mapping has no fields but ignored ones.
fn is_bare(map: &Map<String, Value>, ignored: &Ignored<'_>) -> bool {
    map.keys().all(|key| ignored.key(key).is_whole())
}

/// Tells whether a field is held by nobody: what names the object or is written by the server alone
/// (`stripmeta.go` in `k8s.io/apimachinery/pkg/util/managedfields/internal`), and `status`, which has a
/// subresource.
fn is_nobodys(trail: &Trail<'_>) -> bool {
    let mut up = trail.upwards();
    let path = (up.next().flatten(), up.next(), up.next());
    match path {
        (Some(key), None, None) => matches!(key, "apiVersion" | "kind" | "status"),
        (Some(key), Some(Some("metadata")), None) => matches!(
            key,
            "name"
                | "namespace"
                | "uid"
                | "resourceVersion"
                | "managedFields"
                | "creationTimestamp"
                | "generation"
                | "selfLink"
                | "clusterName"
        ),
        _ => false,
    }
}
