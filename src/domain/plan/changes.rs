//! Which fields would change, where server-side apply alone doesn't tell, and how that is said.

use serde_json::{Map, Value};

use super::standing::line;
use crate::diff;
use crate::ownership::{Comparison, FieldDrift, Quantity};
use crate::resource::{Patch, dig};
use crate::secret;

/// Recursion into documents ends at this depth.
const DEPTH: usize = 128;

/// What a server keeps of an object by itself.
const SERVER_METADATA: &[&str] = &[
    "managedFields",
    "resourceVersion",
    "uid",
    "generation",
    "creationTimestamp",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// Compares an object that is written by a merge patch or as a whole with the live one.
///
/// Who holds a field is looked at later. What a list or a whole object would merely lose may be what a
/// server filled in: that is a change only if the server says so, and none when the object is known to
/// be what was written last.
pub(super) fn compare_values(
    desired: &Value,
    live: &Value,
    patch: Patch,
    is_applied: bool,
) -> Comparison {
    let target = match patch {
        Patch::Replace => replaced(desired, live),
        Patch::Apply | Patch::Merge => merged(live, desired, DEPTH),
    };
    let mut changes = drifts(live, &target);
    if changes.is_empty() {
        return Comparison::Same;
    }
    let is_certain = |drift: &FieldDrift| match (&drift.wanted, &drift.live) {
        (None, _) => false,
        (Some(Value::String(wanted)), Some(Value::String(live))) => {
            let (wanted, live) = (Quantity::parse(wanted), Quantity::parse(live));
            wanted.is_none() || wanted != live
        }
        _ => true,
    };
    if changes.iter().any(is_certain) {
        if patch == Patch::Replace {
            changes.retain(is_certain);
        }
        return Comparison::Different(changes);
    }
    let is_removal = |drift: &FieldDrift| drift.wanted.is_none();
    if is_applied && changes.iter().all(is_removal) {
        return Comparison::Same;
    }
    Comparison::Unsure(changes.into_iter().map(|drift| drift.path).collect())
}

/// Merges a patch (RFC 7386).
fn merged(target: &Value, patch: &Value, depth: usize) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut map = target.as_object().cloned().unwrap_or_default();
    for (key, value) in patch {
        if value.is_null() || depth == 0 {
            map.shift_remove(key);
            continue;
        }
        let before = map.get(key).unwrap_or(&Value::Null);
        let after = merged(before, value, depth - 1);
        map.insert(key.clone(), after);
    }
    Value::Object(map)
}

/// Returns what would be written as a whole: what the server alone says stays.
fn replaced(desired: &Value, live: &Value) -> Value {
    let mut target = desired.clone();
    let Some(map) = target.as_object_mut() else {
        return target;
    };
    map.shift_remove("status");
    if let Some(status) = live.get("status") {
        map.insert("status".to_owned(), status.clone());
    }
    let metadata = map.entry("metadata").or_insert_with(|| Map::new().into());
    if let Some(metadata) = metadata.as_object_mut() {
        for key in SERVER_METADATA {
            if let Some(value) = dig(live, &["metadata", key]) {
                metadata.insert((*key).to_owned(), value.clone());
            }
        }
    }
    target
}

/// Returns the fields that differ between a live object and what it would become; values of Secrets are
/// masked.
fn drifts(live: &Value, target: &Value) -> Vec<FieldDrift> {
    let mut changes = Vec::new();
    diff::compare(live, target, String::new(), &mut changes);
    let drifts = changes.into_iter().map(|change| {
        let (wanted, mut live) = (change.new, change.old);
        if let (Some(wanted), Some(Value::String(live))) = (&wanted, &mut live)
            && wanted == live
            && live == secret::MASK
        {
            live.push_str(" (differs)");
        }
        FieldDrift {
            path: change.path,
            wanted,
            live,
            owners: Vec::new(),
        }
    });
    drifts.collect()
}

/// Returns what a write would change, by what the server answered to its dry run. Who holds the fields is
/// one field, `metadata.managedFields`, which is told without its values.
pub(super) fn answered(live: &Value, answer: &Value) -> Vec<FieldDrift> {
    let plain = |object: &Value| {
        let mut object = object.clone();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|key, _| !SERVER_METADATA.contains(&key.as_str()));
        }
        object
    };
    let mut drifts = drifts(&plain(live), &plain(answer));
    if drifts.is_empty() && holders(live) != holders(answer) {
        drifts.push(FieldDrift {
            path: "metadata.managedFields".to_owned(),
            wanted: None,
            live: None,
            owners: Vec::new(),
        });
    }
    drifts
}

/// Returns who holds what, without the times.
fn holders(object: &Value) -> Vec<Value> {
    let entries = dig(object, &["metadata", "managedFields"]).and_then(Value::as_array);
    let entries = entries.into_iter().flatten().cloned();
    let entries = entries.map(|mut entry| {
        if let Some(entry) = entry.as_object_mut() {
            entry.shift_remove("time");
        }
        entry
    });
    entries.collect()
}

/// Tells whether a value changes, and not only who holds it.
pub(super) fn is_of_value(drift: &FieldDrift) -> bool {
    drift.wanted != drift.live && drift.path != "metadata.managedFields"
}

/// Says what changes: `spec.replicas: 2 -> 3 and 2 more fields`.
pub(super) fn described(drifts: &[FieldDrift]) -> String {
    let first = drifts
        .iter()
        .find(|drift| is_of_value(drift))
        .or(drifts.first());
    let Some(first) = first else {
        return String::new();
    };
    let path = line(&first.path);
    let text = if is_of_value(first) {
        format!(
            "{path}: {} -> {}",
            told(first.live.as_ref()),
            told(first.wanted.as_ref())
        )
    } else {
        format!("{path} becomes ours")
    };
    format!("{text}{}", more(drifts.len()))
}

/// Says the first of several, and how many more there are.
pub(super) fn first_of<T: AsRef<str>>(names: &[T]) -> String {
    let first = names.first().map_or("", AsRef::as_ref);
    format!("{}{}", line(first), more(names.len()))
}

fn more(count: usize) -> String {
    match count {
        0 | 1 => String::new(),
        2 => " and 1 more field".to_owned(),
        more => format!(" and {} more fields", more - 1),
    }
}

fn told(value: Option<&Value>) -> String {
    match value {
        None => "none".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "\"\"".to_owned(),
        Some(Value::String(text)) => line(text),
        Some(Value::Object(_)) => "{…}".to_owned(),
        Some(Value::Array(items)) => format!("[{} items]", items.len()),
        Some(other) => line(&other.to_string()),
    }
}
