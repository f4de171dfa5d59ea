//! Ownership: who holds which fields of a live object, and whether it must be written at all.
//!
//! Relies on what an API server keeps in `metadata.managedFields` and on nothing else: no schema, no
//! cluster. [`compare`] answers whether an apply would change anything, and prefers to be unsure over
//! calling something the same that may not be. Everything here is read as it comes from a server and
//! may have any shape: what can't be read is skipped and named.

mod compare;
mod conflict;
mod drift;
mod fields;
mod ignore;
mod keyed;
mod likeness;
mod overlap;
mod quantity;
mod split;
#[cfg(test)]
mod tests;
mod trail;

use std::fmt;

use serde_json::Value;

pub use self::compare::{Comparison, compare, compare_as_applied, doubts};
pub use self::conflict::{FieldConflict, conflicts};
pub use self::drift::FieldDrift;
pub use self::fields::{Element, FieldSet, Malformed};
pub use self::ignore::{IgnorePath, InvalidPath, strip, without_ignored};
pub use self::overlap::{Overlap, is_client_side, overlaps};
pub use self::quantity::Quantity;
pub use self::split::split;

use self::trail::{Held, Item, Step};
use crate::path::{Path, Segment};
use crate::resource::dig;

/// Recursion into documents ends at this depth.
const DEPTH: usize = 128;

/// How a manager wrote.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
pub enum Operation {
    /// By server-side apply.
    Apply,
    /// By anything else: create, update, or another kind of patch.
    Update,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        })
    }
}

/// One entry of `metadata.managedFields`: what one manager holds by one operation.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The manager; empty when the entry names none.
    pub manager: &'a str,
    /// How it wrote.
    pub operation: Operation,
    /// The `apiVersion` in which the fields are named.
    pub api_version: &'a str,
    /// When it last changed what it holds, as the server wrote it.
    pub time: Option<&'a str>,
    /// The subresource through which it wrote; none for the object itself.
    pub subresource: Option<&'a str>,
    /// The fields.
    pub fields: FieldSet<'a>,
}

impl<'a> Entry<'a> {
    fn read(entry: &'a Value) -> Option<Self> {
        let text = |key| match entry.get(key) {
            None | Some(Value::Null) => Some(None),
            Some(Value::String(text)) => Some(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => None,
        };
        let fields_type = text("fieldsType")?;
        if fields_type.is_some_and(|name| name != "FieldsV1") {
            return None;
        }
        Some(Self {
            manager: text("manager")?.unwrap_or_default(),
            operation: match text("operation")? {
                Some("Apply") => Operation::Apply,
                Some("Update") => Operation::Update,
                _ => return None,
            },
            api_version: text("apiVersion")?.unwrap_or_default(),
            time: text("time")?,
            subresource: text("subresource")?,
            fields: FieldSet::of(entry.get("fieldsV1")?)?,
        })
    }

    /// Tells whether a manager applied the object itself by this entry.
    pub fn is_apply_of(&self, manager: &str) -> bool {
        self.operation == Operation::Apply && self.subresource.is_none() && self.manager == manager
    }

    /// Returns the manager with what there is to say of it, without the fields.
    pub fn owner(&self) -> Owner {
        Owner {
            manager: self.manager.to_owned(),
            operation: self.operation,
            subresource: self.subresource.map(str::to_owned),
            time: self.time.map(str::to_owned),
        }
    }
}

/// Who holds a field.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// The manager.
    pub manager: String,
    /// How it wrote.
    pub operation: Operation,
    /// The subresource through which it wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subresource: Option<String>,
    /// When it last changed what it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

/// Reads the entries of `metadata.managedFields` one by one; each that can't be read comes as an error
/// with its place.
pub fn entries(object: &Value) -> impl Iterator<Item = Result<Entry<'_>, Malformed>> {
    let list = dig(object, &["metadata", "managedFields"]);
    let unreadable = list
        .filter(|list| !list.is_array() && !list.is_null())
        .map(|_| Err(Malformed("metadata.managedFields".to_owned())));
    let items = list.and_then(Value::as_array).into_iter().flatten();
    let read = items.enumerate().map(|(index, entry)| {
        Entry::read(entry).ok_or_else(|| Malformed(format!("metadata.managedFields[{index}]")))
    });
    unreadable.into_iter().chain(read)
}

/// Returns what a manager applied to the object itself, subresources apart.
pub fn applied<'a>(object: &'a Value, manager: &str) -> Option<Entry<'a>> {
    entries(object)
        .flatten()
        .find(|entry| entry.is_apply_of(manager))
}

/// Tells whether a manager applied the object itself; an unreadable entry proves nothing.
pub fn is_applied_by(object: &Value, manager: &str) -> bool {
    applied(object, manager).is_some()
}

/// Returns all managers, in the order of the object.
pub fn managers(object: &Value) -> Vec<Owner> {
    let entries = entries(object).flatten();
    entries.map(|entry| entry.owner()).collect()
}

/// Returns who wrote an object itself before a manager applied it. Times are whole seconds: who wrote in
/// the same one doesn't count.
pub fn written_before(object: &Value, manager: &str) -> Option<Owner> {
    let ours = applied(object, manager)?.time?;
    let others = entries(object).flatten();
    let others = others.filter(|entry| entry.manager != manager && entry.subresource.is_none());
    // RFC 3339 in UTC, as the server writes it, sorts as text.
    let mut earlier = others.filter(|entry| entry.time.is_some_and(|time| time < ours));
    earlier.next().map(|entry| entry.owner())
}

/// Returns the managers that hold a field: the field itself, something below it, or the whole of which
/// it is an inseparable part.
pub fn owners(object: &Value, path: &Path) -> Vec<Owner> {
    let mut steps = Vec::with_capacity(path.segments().len());
    let mut value = Some(object);
    for segment in path.segments() {
        steps.push(match segment {
            Segment::Key(key) => {
                value = value.and_then(|value| value.get(key));
                Step::Key(key)
            }
            Segment::Index(index) => {
                value = value.and_then(|value| value.get(index));
                Step::Item(Item {
                    name: None,
                    wanted: None,
                    live: value.map(|item| (*index, item)),
                })
            }
        });
    }
    owners_at(entries(object).flatten(), &steps)
}

fn owners_at<'a>(entries: impl Iterator<Item = Entry<'a>>, steps: &[Step<'_>]) -> Vec<Owner> {
    let held = entries.map(|entry| (entry.fields.at(steps), entry));
    let mut held: Vec<_> = held.collect();
    // Where one manager holds a part, no other one can hold the whole: it holds an empty mapping.
    let is_apart = held.iter().any(|(held, _)| matches!(held, Held::At(_)));
    held.retain(|(held, _)| match held {
        Held::Not => false,
        Held::At(_) => true,
        Held::Within => !is_apart,
    });
    held.iter().map(|(_, entry)| entry.owner()).collect()
}
