//! What was seen of a cluster before a plan is made, and what the user allows.

use std::collections::HashMap;
use std::fmt;

use serde_json::Value;

use crate::inventory::{Parent, SetId};
use crate::ownership::FieldConflict;
use crate::resource::{ResourceId, dig};

/// What was seen of one cluster, as far as it concerns a set.
#[derive(Clone, PartialEq)]
pub struct Observation {
    /// The set.
    pub set: SetId,
    /// Its field manager.
    pub manager: String,
    /// Its inventory, where there is one.
    pub parent: Option<Parent>,
    /// The live objects by id: desired ones and members, whoever they belong to. What is neither here
    /// nor in `unseen` doesn't exist.
    pub live: LiveObjects,
    /// Why something could not be looked at: its kind or its namespace comes with the set itself.
    pub unseen: HashMap<ResourceId, String>,
    /// What the server answered to dry runs of [`Plan::needs_check`](super::Plan::needs_check).
    pub checked: HashMap<ResourceId, Checked>,
    /// What lives in a namespace, or is of the kind of a definition: everything that can be deleted, of
    /// every kind, or why that can't be told. Needed for
    /// [`Plan::needs_contents`](super::Plan::needs_contents).
    pub contents: HashMap<ResourceId, Result<Vec<Content>, String>>,
}

impl Observation {
    /// Makes the observation of a cluster in which there is nothing, by the manager that is the set's own.
    pub fn new(set: SetId) -> Self {
        Self {
            manager: set.field_manager(),
            set,
            parent: None,
            live: LiveObjects::default(),
            unseen: HashMap::new(),
            checked: HashMap::new(),
            contents: HashMap::new(),
        }
    }
}

/// Without the objects, which may be Secrets.
impl fmt::Debug for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observation")
            .field("set", &self.set)
            .field("members", &self.parent.as_ref().map_or(0, Parent::len))
            .field("live", &self.live.len())
            .field("unseen", &self.unseen)
            .finish_non_exhaustive()
    }
}

/// Live objects by id, packed: each is looked at once, and the trees of all of them together would be
/// most of what a run needs.
#[derive(Clone, Default, PartialEq)]
pub struct LiveObjects(HashMap<ResourceId, Packed>);

/// An object without its tree.
#[derive(Clone, PartialEq)]
pub struct Packed(Box<[u8]>);

impl From<&Value> for Packed {
    fn from(object: &Value) -> Self {
        // A value always has a JSON form.
        Self(serde_json::to_vec(object).unwrap_or_default().into())
    }
}

impl LiveObjects {
    /// Adds one.
    pub fn insert(&mut self, id: ResourceId, object: impl Into<Packed>) {
        self.0.insert(id, object.into());
    }

    /// Returns one.
    pub fn get(&self, id: &ResourceId) -> Option<Value> {
        serde_json::from_slice(&self.0.get(id)?.0).ok()
    }

    /// Tells whether there is such an object.
    pub fn contains(&self, id: &ResourceId) -> bool {
        self.0.contains_key(id)
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a server answered to a dry run.
#[derive(Clone, PartialEq)]
pub enum Checked {
    /// The object as it would be.
    Object(Value),
    /// Others hold fields with other values.
    Conflicts(Vec<FieldConflict>),
    /// It refused, or could not say.
    Refused {
        /// Its words.
        message: String,
        /// The fields that it names as the cause.
        fields: Vec<String>,
    },
}

/// Without the object, which may be a Secret.
impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(_) => f.write_str("Object"),
            Self::Conflicts(conflicts) => f.debug_tuple("Conflicts").field(conflicts).finish(),
            Self::Refused { message, .. } => f.debug_tuple("Refused").field(message).finish(),
        }
    }
}

/// One object that lives in a namespace, or is of the kind of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its id.
    pub id: ResourceId,
    /// Its uid.
    pub uid: Option<String>,
    /// The uids of its owners, with which it is collected.
    pub owners: Vec<String>,
}

impl Content {
    /// Reads an object, or the metadata of one.
    pub fn of(id: ResourceId, object: &Value) -> Self {
        let owners = dig(object, &["metadata", "ownerReferences"]);
        let owners = owners.and_then(Value::as_array).into_iter().flatten();
        let owners = owners.map(|owner| {
            // One without a uid stands for somebody whom we don't know.
            let uid = owner.get("uid").and_then(Value::as_str);
            uid.unwrap_or_default().to_owned()
        });
        Self {
            id,
            uid: uid(object).map(str::to_owned),
            owners: owners.collect(),
        }
    }
}

/// What the user allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Options {
    /// Members that are no longer desired are deleted.
    pub prune: bool,
    /// Members that are no longer desired are let go of and stay as they are; wins over `prune`.
    pub release: bool,
    /// Objects that exist without us are taken over.
    pub adopt: bool,
    /// What cannot be changed is deleted and created anew.
    pub replace: bool,
    /// Fields that others hold are taken from them.
    pub force_conflicts: bool,
    /// Fields that others have written since just the same was written by us are taken back, but for those that
    /// were written through a subresource, as autoscalers do; so are objects that have lost our marks.
    pub repair: bool,
    /// What the operator has made of rows is taken over, and its marks go.
    pub migrate: bool,
}

pub(super) fn uid(object: &Value) -> Option<&str> {
    let uid = dig(object, &["metadata", "uid"]).and_then(Value::as_str);
    uid.filter(|uid| !uid.is_empty())
}

pub(super) fn is_terminating(object: &Value) -> bool {
    dig(object, &["metadata", "deletionTimestamp"]).is_some_and(|time| !time.is_null())
}
