//! Strategic merge patches: parts of objects that are merged into them.
//!
//! Source: the API conventions of Kubernetes ("strategic merge patch"), its design proposals "preserve
//! order in strategic merge patch" and "add new patch strategy", and how `kubectl patch --local` behaves.
//! On purpose otherwise than there: items with several keys are told apart by all of them, a directive
//! never becomes part of an object, and one without a meaning where it stands is an error. Objects of
//! kinds of which nothing is known are patched by RFC 7386: lists are replaced as a whole.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::provenance::{Marks, Trace};
use super::{DEEPEST, Error, Identity, Problem, describe};
use crate::merge_key::{Field, Key, Type, item_names, merge_type, plain};
use crate::path::Trail;

/// The key of a mapping that says how the mapping is merged.
pub(super) const DIRECTIVE: &str = "$patch";

/// The key of a mapping that says which keys it has afterwards.
const RETAIN: &str = "$retainKeys";

/// Before the name of a list: scalars that are removed from it.
const DELETE: &str = "$deleteFromPrimitiveList/";

/// Before the name of a list: how its items stand afterwards.
const ORDER: &str = "$setElementOrder/";

/// Merges a patch, which has nothing that identifies the object, into an object.
pub(super) fn apply(
    object: &mut Value,
    trace: &mut Trace,
    patch: &Value,
    marks: &Arc<Marks>,
    identity: &Identity<'_>,
) -> Result<(), Box<Error>> {
    let known = merge_type(&identity.group, &identity.kind);
    let merge = Merge {
        custom: known.is_none(),
    };
    let (Some(object), Some(patch)) = (object.as_object_mut(), patch.as_object()) else {
        return Ok(()); // What is no mapping has no identity, so no patch fits it.
    };
    if patch.get(DIRECTIVE).is_some_and(|found| found == "replace") {
        keep_identity(object);
        trace.set(marks);
    }
    let at = At {
        trail: &Trail::ROOT,
        depth: 0,
        of: known.unwrap_or(plain()),
        key: None,
    };
    merge.mapping(object, trace, patch, marks, at)?;
    restore_identity(object, identity);
    if identity.is_secret() {
        uncover(object, trace, patch, marks);
    }
    Ok(())
}

/// Takes everything out of an object that doesn't identify it.
fn keep_identity(object: &mut Map<String, Value>) {
    object.retain(|key, _| matches!(key.as_str(), "apiVersion" | "kind" | "metadata"));
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| matches!(key.as_str(), "name" | "namespace"));
    }
}

/// Puts back the name and the namespace, which a directive in `metadata` may have taken away.
fn restore_identity(object: &mut Map<String, Value>, identity: &Identity<'_>) {
    if identity.name.is_empty() && identity.namespace.is_empty() {
        return;
    }
    let metadata = object.entry("metadata").or_insert(Value::Null);
    if !metadata.is_object() {
        *metadata = Value::Object(Map::new());
    }
    let Some(metadata) = metadata.as_object_mut() else {
        return;
    };
    for (key, text) in [("namespace", &identity.namespace), ("name", &identity.name)] {
        if !text.is_empty() && !metadata.contains_key(key) {
            metadata.shift_insert(0, key.to_owned(), text.as_ref().into());
        }
    }
}

/// Removes from `stringData` of a `Secret` what the patch says in `data`, which it would hide.
fn uncover(
    object: &mut Map<String, Value>,
    trace: &mut Trace,
    patch: &Map<String, Value>,
    marks: &Arc<Marks>,
) {
    let said = |field: &str| patch.get(field).and_then(Value::as_object);
    let Some(data) = said("data") else {
        return;
    };
    let Some(texts) = object.get_mut("stringData").and_then(Value::as_object_mut) else {
        return;
    };
    let said_too = said("stringData");
    for key in data.keys() {
        let both = said_too.is_some_and(|texts| texts.contains_key(key));
        if !both && texts.shift_remove(key).is_some() {
            let mark = marks.key("data").key(key);
            trace.key("stringData").key(key).set(mark);
        }
    }
}

/// Where in the object and the patch a merge is.
#[derive(Clone, Copy)]
struct At<'a> {
    trail: &'a Trail<'a>,
    depth: usize,
    /// What is known of the mapping.
    of: &'static Type,
    /// The field that says which item of a list the mapping is: naming an item is no change of it.
    key: Option<&'static str>,
}

impl At<'_> {
    fn error(&self, problem: Problem, marks: &Marks) -> Box<Error> {
        Error::new(problem).from(&marks.at).at(self.trail.path())
    }
}

/// What `$patch` says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

fn directive(
    patch: &Map<String, Value>,
    marks: &Arc<Marks>,
    at: At<'_>,
) -> Result<Directive, Box<Error>> {
    let found = match patch.get(DIRECTIVE) {
        None => return Ok(Directive::Merge),
        Some(Value::String(text)) => match text.as_str() {
            "merge" => return Ok(Directive::Merge),
            "replace" => return Ok(Directive::Replace),
            "delete" => return Ok(Directive::Delete),
            other => other.to_owned(),
        },
        Some(other) => describe(other).to_owned(),
    };
    let trail = at.trail.key(DIRECTIVE);
    let problem = Problem::Directive { found };
    Err(Error::new(problem)
        .from(&marks.key(DIRECTIVE).at)
        .at(trail.path()))
}

/// Tells whether a key of a patch is no field.
fn is_directive(key: &str) -> bool {
    key.starts_with('$')
        && (key == DIRECTIVE || key == RETAIN || key.starts_with(DELETE) || key.starts_with(ORDER))
}

/// A value without directives, and its marks.
type Clean<T> = (T, Arc<Marks>);

#[derive(Clone, Copy)]
struct Merge {
    /// Nothing is known of the kind.
    custom: bool,
}

impl Merge {
    fn mapping(
        self,
        base: &mut Map<String, Value>,
        trace: &mut Trace,
        patch: &Map<String, Value>,
        marks: &Arc<Marks>,
        at: At<'_>,
    ) -> Result<(), Box<Error>> {
        if at.depth > DEEPEST {
            let (what, limit) = ("the depth of the patch", DEEPEST);
            return Err(at.error(Problem::Limit { what, limit }, marks));
        }
        match directive(patch, marks, at)? {
            Directive::Merge => {}
            Directive::Replace if at.depth == 0 => {}
            Directive::Replace => {
                let (clean, whole) = self.clean_mapping(patch, marks, at, false)?;
                *base = clean;
                trace.set(&whole);
                return Ok(());
            }
            Directive::Delete => {
                base.clear();
                trace.set(marks.key(DIRECTIVE));
                return Ok(());
            }
        }
        retain(base, trace, patch, marks, at)?;
        let mut orders = Vec::new();
        for (key, value) in patch {
            if let Some(list) = key.strip_prefix(DELETE) {
                delete(base, trace, list, value, marks.key(key), at)?;
            } else if let Some(list) = key.strip_prefix(ORDER) {
                let before = base.get(list).and_then(Value::as_array).cloned();
                orders.push((list, value, before.unwrap_or_default(), marks.key(key)));
            }
        }
        for (key, value) in patch.iter().filter(|(key, _)| !is_directive(key)) {
            self.field(base, trace, key, value, marks.key(key), at)?;
        }
        for (name, order, before, mark) in orders {
            let order = Order {
                wanted: list_of(order, mark, at)?,
                before,
                said: patch.get(name).and_then(Value::as_array),
            };
            if let Some(Value::Array(base)) = base.get_mut(name) {
                order.apply(base, trace.key(name), at.of.field(name), mark, at)?;
            }
        }
        Ok(())
    }

    fn field(
        self,
        base: &mut Map<String, Value>,
        trace: &mut Trace,
        key: &str,
        value: &Value,
        marks: &Arc<Marks>,
        at: At<'_>,
    ) -> Result<(), Box<Error>> {
        if value.is_null() {
            base.shift_remove(key);
            trace.key(key).set(marks);
            return Ok(());
        }
        let field = at.of.field(key);
        let trail = at.trail.key(key);
        let below = At {
            trail: &trail,
            depth: at.depth + 1,
            of: match field {
                Some(Field::Mapping(of)) => of,
                _ => plain(),
            },
            key: None,
        };
        match (base.get_mut(key), value, field) {
            (Some(Value::Object(_)), Value::Object(_), Some(Field::Whole)) => {}
            (Some(Value::Object(base)), Value::Object(patch), _) => {
                if patch.is_empty() && !base.is_empty() {
                    return Ok(()); // Says nothing, so nothing is from here.
                }
                let was_empty = base.is_empty();
                self.mapping(base, trace.key(key), patch, marks, below)?;
                if patch.is_empty() && was_empty {
                    trace.key(key).set(marks);
                }
                return Ok(());
            }
            (Some(Value::Array(base)), Value::Array(patch), Some(Field::Keyed(by, of))) => {
                let list = List { name: key, by: *by };
                let below = At { of, ..below };
                return self.list(base, trace.key(key), patch, marks, list, below);
            }
            (Some(Value::Array(base)), Value::Array(patch), Some(Field::Set)) => {
                return union(base, trace.key(key), patch, marks, below);
            }
            (Some(base), _, _) if at.key == Some(key) && base == value => return Ok(()),
            _ => {}
        }
        let (clean, whole) = self.clean(value, field, marks, below, false)?;
        match clean {
            Some(clean) => base.insert(key.to_owned(), clean),
            None => base.shift_remove(key),
        };
        trace.key(key).set(&whole);
        Ok(())
    }

    /// Merges the items of a list by their key.
    fn list(
        self,
        base: &mut Vec<Value>,
        trace: &mut Trace,
        patch: &[Value],
        marks: &Arc<Marks>,
        list: List<'_>,
        at: At<'_>,
    ) -> Result<(), Box<Error>> {
        if patch.is_empty() && base.is_empty() {
            trace.set(marks);
        }
        let mut merged = Vec::with_capacity(patch.len());
        let mut replace = false;
        for (index, item) in patch.iter().enumerate() {
            let mark = marks.item(index);
            let trail = at.trail.index(index);
            let at = At {
                trail: &trail,
                depth: at.depth + 1,
                key: Some(list.by.first),
                ..at
            };
            let Some(item) = item.as_object() else {
                let (expected, found) = ("a mapping", describe(item));
                return Err(at.error(Problem::Type { expected, found }, mark));
            };
            let directive = directive(item, mark, at)?;
            if item.contains_key(list.by.first) {
                merged.push((item, directive, mark, index));
            } else if item.len() == 1 && directive == Directive::Replace {
                replace = true;
            } else if item.len() != 1
                || directive != Directive::Merge
                || !item.contains_key(DIRECTIVE)
            {
                let key = list.by.first;
                return Err(at.error(Problem::NoMergeKey { key }, mark));
            }
        }
        if replace {
            base.clear();
            trace.set(marks);
        }
        for (item, directive, mark, _) in &merged {
            if *directive == Directive::Delete {
                list.remove(base, trace, item, mark);
            }
        }
        let known = base.len();
        // The rank of each item in the patch.
        let mut ranks: Vec<Option<usize>> = vec![None; known];
        for (rank, (item, directive, mark, index)) in merged.into_iter().enumerate() {
            let trail = at.trail.index(index);
            let at = At {
                trail: &trail,
                depth: at.depth + 1,
                key: Some(list.by.first),
                ..at
            };
            if directive == Directive::Delete {
                continue;
            }
            let length = base.len();
            let found = list.by.find(base, item);
            let place = found.and_then(|found| Some((found, base.get_mut(found)?)));
            if let Some((found, Value::Object(base))) = place {
                self.mapping(base, trace.item(found, length), item, mark, at)?;
                let rank_of = ranks.get_mut(found);
                rank_of.map(|known| known.get_or_insert(rank));
            } else {
                let (clean, whole) = self.clean_mapping(item, mark, at, true)?;
                base.push(Value::Object(clean));
                trace.insert_item(length, length, &whole);
                ranks.push(Some(rank));
            }
        }
        arrange(
            base,
            trace,
            &ranks,
            |index| (index < known).then_some(index),
            marks,
        );
        Ok(())
    }

    /// Returns a value as it becomes part of an object: without directives, and without the fields that
    /// it removes. Its marks come with it, those of the whole only when the values in it have moved.
    fn clean(
        self,
        value: &Value,
        field: Option<&'static Field>,
        marks: &Arc<Marks>,
        at: At<'_>,
        in_list: bool,
    ) -> Result<Clean<Option<Value>>, Box<Error>> {
        match value {
            Value::Object(map) => {
                if directive(map, marks, at)? == Directive::Delete {
                    return Ok((None, Arc::clone(marks)));
                }
                let (clean, whole) = self.clean_mapping(map, marks, at, in_list)?;
                Ok((Some(Value::Object(clean)), whole))
            }
            Value::Array(items) => {
                let (clean, whole) = self.clean_list(items, field, marks, at)?;
                Ok((Some(Value::Array(clean)), whole))
            }
            scalar => Ok((Some(scalar.clone()), Arc::clone(marks))),
        }
    }

    fn clean_mapping(
        self,
        map: &Map<String, Value>,
        marks: &Arc<Marks>,
        at: At<'_>,
        in_list: bool,
    ) -> Result<Clean<Map<String, Value>>, Box<Error>> {
        if at.depth > DEEPEST {
            let (what, limit) = ("the depth of the patch", DEEPEST);
            return Err(at.error(Problem::Limit { what, limit }, marks));
        }
        let mut moved = false;
        let mut clean = Map::with_capacity(map.len());
        for (key, value) in map.iter().filter(|(key, _)| !is_directive(key)) {
            // In a list of which nothing is known a null may be a value.
            if value.is_null() && !(self.custom && in_list) {
                continue;
            }
            let field = at.of.field(key);
            let trail = at.trail.key(key);
            let below = At {
                trail: &trail,
                depth: at.depth + 1,
                of: match field {
                    Some(Field::Mapping(of)) => of,
                    _ => plain(),
                },
                key: None,
            };
            let mark = marks.key(key);
            let (value, whole) = self.clean(value, field, mark, below, in_list)?;
            moved |= !Arc::ptr_eq(mark, &whole);
            if let Some(value) = value {
                clean.insert(key.clone(), value);
            }
        }
        Ok((clean, whole(marks, moved)))
    }

    fn clean_list(
        self,
        items: &[Value],
        field: Option<&'static Field>,
        marks: &Arc<Marks>,
        at: At<'_>,
    ) -> Result<Clean<Vec<Value>>, Box<Error>> {
        let of = match field {
            Some(Field::Keyed(_, of)) => Some(*of),
            _ => None,
        };
        let mut moved = false;
        let mut clean = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let mark = marks.item(index);
            let trail = at.trail.index(index);
            let at = At {
                trail: &trail,
                depth: at.depth + 1,
                of: of.unwrap_or(plain()),
                key: None,
            };
            let map = item.as_object();
            if let Some(map) = map.filter(|map| map.contains_key(DIRECTIVE)) {
                let said = directive(map, mark, at)?;
                if said == Directive::Delete && of.is_none() {
                    let directive = "$patch: delete";
                    return Err(at.error(Problem::NotKeyed { directive }, mark));
                }
                if said == Directive::Delete || map.len() == 1 {
                    moved = true;
                    continue;
                }
            }
            let (item, whole) = self.clean(item, None, mark, at, true)?;
            moved |= !Arc::ptr_eq(mark, &whole);
            clean.extend(item);
        }
        Ok((clean, whole(marks, moved)))
    }
}

/// Returns the marks of a value, or only that of the whole when the values in it have moved.
fn whole(marks: &Arc<Marks>, moved: bool) -> Arc<Marks> {
    if moved {
        Marks::flat(marks.at.clone())
    } else {
        Arc::clone(marks)
    }
}

/// A list whose items have a key.
#[derive(Clone, Copy)]
struct List<'a> {
    name: &'a str,
    by: Key,
}

impl List<'_> {
    /// Removes every item that another one means.
    fn remove(
        self,
        base: &mut Vec<Value>,
        trace: &mut Trace,
        item: &Map<String, Value>,
        marks: &Arc<Marks>,
    ) {
        let mut names = item_names(self.name, &Value::Object(item.clone()));
        let Some(first) = self.by.find(base, item).and_then(|found| base.get(found)) else {
            // It may never have been there, or somebody before has removed it.
            trace.miss_item(names, marks);
            return;
        };
        let first = first.clone();
        let mut index = 0;
        while let Some(item) = base.get(index) {
            if self.by.is_same(item, &first) {
                names.extend(item_names(self.name, item));
                base.remove(index);
                trace.remove_item(index, base.len() + 1, std::mem::take(&mut names), marks);
            } else {
                index += 1;
            }
        }
    }
}

/// Returns the items of a directive that must be a list.
fn list_of<'a>(value: &'a Value, marks: &Marks, at: At<'_>) -> Result<&'a [Value], Box<Error>> {
    let (expected, found) = ("a list", describe(value));
    let items = value.as_array().map(Vec::as_slice);
    items.ok_or_else(|| at.error(Problem::Type { expected, found }, marks))
}

/// Removes the fields that `$retainKeys` doesn't list.
fn retain(
    base: &mut Map<String, Value>,
    trace: &mut Trace,
    patch: &Map<String, Value>,
    marks: &Arc<Marks>,
    at: At<'_>,
) -> Result<(), Box<Error>> {
    let Some(keys) = patch.get(RETAIN) else {
        return Ok(());
    };
    let mark = marks.key(RETAIN);
    let keys = list_of(keys, mark, at)?;
    let is_kept = |key: &str| {
        let identifies = at.depth == 0 && matches!(key, "apiVersion" | "kind" | "metadata");
        identifies || keys.iter().any(|kept| kept == key)
    };
    for (key, value) in patch {
        if !value.is_null() && !is_directive(key) && !is_kept(key) {
            let field = key.clone();
            return Err(at.error(Problem::NotRetained { field }, marks.key(key)));
        }
    }
    base.retain(|key, _| {
        let kept = is_kept(key);
        if !kept {
            trace.key(key).set(mark);
        }
        kept
    });
    Ok(())
}

/// Removes scalars from a list.
fn delete(
    base: &mut Map<String, Value>,
    trace: &mut Trace,
    list: &str,
    value: &Value,
    marks: &Arc<Marks>,
    at: At<'_>,
) -> Result<(), Box<Error>> {
    let values = list_of(value, marks, at)?;
    let Some(Value::Array(base)) = base.get_mut(list) else {
        return Ok(());
    };
    let mut index = 0;
    while let Some(item) = base.get(index) {
        if values.contains(item) {
            base.remove(index);
            let trace = trace.key(list);
            trace.remove_item(index, base.len() + 1, Vec::new(), marks);
        } else {
            index += 1;
        }
    }
    Ok(())
}

/// Adds those scalars to a list that it doesn't have.
fn union(
    base: &mut Vec<Value>,
    trace: &mut Trace,
    patch: &[Value],
    marks: &Arc<Marks>,
    at: At<'_>,
) -> Result<(), Box<Error>> {
    if patch.is_empty() && base.is_empty() {
        trace.set(marks);
    }
    let known = base.len();
    let mut ranks = vec![None; known];
    for (rank, item) in patch.iter().enumerate() {
        let mark = marks.item(rank);
        if item.is_object() || item.is_array() {
            let (expected, found) = ("a text", describe(item));
            return Err(at.error(Problem::Type { expected, found }, mark));
        }
        let length = base.len();
        if let Some(found) = base.iter().position(|other| other == item) {
            trace.item(found, length).set(mark);
            let rank_of: Option<&mut Option<usize>> = ranks.get_mut(found);
            rank_of.map(|known| known.get_or_insert(rank));
        } else {
            base.push(item.clone());
            trace.insert_item(length, length, mark);
            ranks.push(Some(rank));
        }
    }
    arrange(
        base,
        trace,
        &ranks,
        |index| (index < known).then_some(index),
        marks,
    );
    Ok(())
}

/// Puts the items of a list in order: those of the patch as they stand there, the others among them
/// where they stood before.
fn arrange(
    base: &mut Vec<Value>,
    trace: &mut Trace,
    ranks: &[Option<usize>],
    before: impl Fn(usize) -> Option<usize>,
    marks: &Arc<Marks>,
) {
    let mut own: Vec<(usize, usize)> = Vec::new();
    let mut others = Vec::new();
    for index in 0..base.len() {
        match ranks.get(index).copied().flatten() {
            Some(rank) => own.push((rank, index)),
            None => others.push(index),
        }
    }
    own.sort_unstable();
    let mut order = Vec::with_capacity(base.len());
    let mut others = others.into_iter().peekable();
    for (_, index) in own {
        let stops = |other: &usize| match (before(*other), before(index)) {
            (Some(other), Some(index)) => other < index,
            _ => false,
        };
        while let Some(other) = others.next_if(stops) {
            order.push(other);
        }
        order.push(index);
    }
    order.extend(others);
    if order.iter().copied().eq(0..base.len()) {
        return;
    }
    let mut old = std::mem::take(base);
    for index in &order {
        base.extend(old.get_mut(*index).map(Value::take));
    }
    trace.reorder(&order, marks);
}

/// How the items of a list shall stand.
struct Order<'a> {
    wanted: &'a [Value],
    /// The list before the patch.
    before: Vec<Value>,
    /// The list in the patch.
    said: Option<&'a Vec<Value>>,
}

impl Order<'_> {
    fn apply(
        &self,
        base: &mut Vec<Value>,
        trace: &mut Trace,
        field: Option<&'static Field>,
        marks: &Arc<Marks>,
        at: At<'_>,
    ) -> Result<(), Box<Error>> {
        let key = match field {
            Some(Field::Keyed(key, _)) => Some(*key),
            _ => None,
        };
        let is_scalar = |item: &Value| !item.is_object() && !item.is_array();
        if key.is_none() && !base.iter().chain(self.wanted).all(is_scalar) {
            let directive = "$setElementOrder";
            return Err(at.error(Problem::NotKeyed { directive }, marks));
        }
        let find = |items: &[Value], wanted: &Value| match (key, wanted) {
            (Some(key), Value::Object(wanted)) => key.find(items, wanted),
            (Some(_), _) => None,
            (None, wanted) => items.iter().position(|item| item == wanted),
        };
        let mut rest = self.wanted;
        for item in self.said.into_iter().flatten() {
            if item.get(DIRECTIVE).is_some() {
                continue;
            }
            match find(rest, item).and_then(|found| rest.get(found + 1..)) {
                Some(after) => rest = after,
                None => return Err(at.error(Problem::ElementOrder, marks)),
            }
        }
        let mut ranks = vec![None; base.len()];
        for (rank, wanted) in self.wanted.iter().enumerate() {
            if let Some(known) = find(base, wanted).and_then(|found| ranks.get_mut(found)) {
                known.get_or_insert(rank);
            }
        }
        let before: Vec<_> = base.iter().map(|item| find(&self.before, item)).collect();
        let before = |index: usize| before.get(index).copied().flatten();
        arrange(base, trace, &ranks, before, marks);
        Ok(())
    }
}
