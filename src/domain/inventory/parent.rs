//! The parent of a set: a Secret that says who belongs to it.
//!
//! Life of a member, by what the parent says of it:
//!
//! ```text
//! (nothing) ── grow ──► no uid, no hash ── shrink: present ──► uid and hash ── shrink: gone ──► (nothing)
//!                              ▲                                    │
//!                              └───── grow, as another object ──────┘
//! ```
//!
//! Whatever isn't confirmed stays: a run that was cut off leaves members that may not exist, never
//! an object that nobody lists.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use super::{
    ANNOTATIONS_LIMIT, ContentHash, DESIGN_ANNOTATION, GROUP_KINDS_ANNOTATION, ID_LABEL, Member,
    NAMESPACES_ANNOTATION, PARENT_TYPE, PackedError, SECRET_LIMIT, SetId, TOOLING,
    TOOLING_ANNOTATION, packed,
};
use crate::base64;
use crate::resource::{ResourceId, dig};

/// The newest format of the list of members. One that adds what must not be lost gets a new number,
/// because we write only what we know.
const FORMAT: u64 = 1;
/// Most members of one set; many more than fit into a Secret that isn't hostile.
const MEMBERS: usize = 50_000;
/// Highest number of a revision: numbers only grow, and nobody else may use them up.
pub(super) const LAST_NUMBER: u64 = 999_999_999;
/// The key of the Secret's data that holds the members.
const KEY: &str = "members";

/// Why a Secret is not taken for the parent of a set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParentError {
    /// It is no parent at all.
    #[error("Secret {secret} exists and is not the parent of a set")]
    NotAParent {
        /// Its namespace and name.
        secret: String,
    },
    /// Another tool keeps it.
    #[error("Secret {secret} is the parent of a set of another tool, {tooling:?}")]
    OtherTooling {
        /// Its namespace and name.
        secret: String,
        /// What it names as its tool; empty when it names none.
        tooling: String,
    },
    /// It has the id of another parent.
    #[error("Secret {secret} has the id {found:?}, and its name and namespace give {expected}")]
    OtherId {
        /// Its namespace and name.
        secret: String,
        /// The id that it has.
        found: String,
        /// The id that it should have.
        expected: SetId,
    },
    /// A newer version of this program wrote it.
    #[error("Secret {secret} was written by a newer version of weftctl ({found})")]
    Newer {
        /// Its namespace and name.
        secret: String,
        /// The version that it names.
        found: String,
    },
    /// It is ours and damaged.
    #[error("Secret {secret} is the parent of a set and damaged: {problem}")]
    Malformed {
        /// Its namespace and name.
        secret: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It is ours, and its list of members cannot be read.
    #[error("Secret {secret} is the parent of a set and its list of members cannot be read")]
    Members {
        /// Its namespace and name.
        secret: String,
        /// What is wrong with the list.
        #[source]
        source: PackedError,
    },
}

/// A set that one Secret cannot describe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParentTooLarge {
    /// The list of members is too long.
    #[error(
        "the list of {members} members takes {size} bytes, more than the {SECRET_LIMIT} of a Secret"
    )]
    Members {
        /// How many there are.
        members: usize,
        /// What they take, in bytes.
        size: usize,
    },
    /// The annotations with kinds and namespaces are too long.
    #[error(
        "the names of {namespaces} namespaces take {size} bytes, more than the {ANNOTATIONS_LIMIT} \
         of annotations"
    )]
    Annotations {
        /// How many namespaces there are.
        namespaces: usize,
        /// What the annotations take, in bytes.
        size: usize,
    },
    /// The list of members cannot be packed.
    #[error("the list of members cannot be packed")]
    Packed(#[from] PackedError),
}

/// What a run found out about members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confirmed {
    /// The members that exist, as they are now: with uid, and with the hash of what was written.
    pub present: Vec<Member>,
    /// The members that are gone or are no longer ours: deleted and no longer found, released, or
    /// never written and not found.
    pub gone: Vec<ResourceId>,
}

/// The parent of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    id: SetId,
    name: String,
    namespace: String,
    design: String,
    uid: Option<String>,
    resource_version: Option<String>,
    last_revision: u64,
    manager: Option<String>,
    recorded: Option<ContentHash>,
    members: HashMap<ResourceId, Member>,
}

/// The list of members as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    format: u64,
    design: &'a str,
    last_revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    manager: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<&'a ContentHash>,
    members: Vec<&'a Member>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    design: String,
    #[serde(default)]
    last_revision: u64,
    #[serde(default)]
    manager: Option<String>,
    #[serde(default)]
    recorded: Option<ContentHash>,
    #[serde(deserialize_with = "members")]
    members: HashMap<ResourceId, Member>,
}

/// Reads members one by one: neither too many, nor one twice, nor one without a name.
fn members<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<HashMap<ResourceId, Member>, D::Error> {
    struct Visitor;

    impl<'de> serde::de::Visitor<'de> for Visitor {
        type Value = HashMap<ResourceId, Member>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list of members")
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(
            self,
            mut list: A,
        ) -> Result<Self::Value, A::Error> {
            use serde::de::Error as _;
            let mut members = HashMap::new();
            while let Some(member) = list.next_element::<Member>()? {
                if members.len() == MEMBERS {
                    let problem = format!("there are more than {MEMBERS} members");
                    return Err(A::Error::custom(problem));
                }
                let id = member.id();
                if !member.is_sound() {
                    let problem = format!("a member has no proper name: {id}");
                    return Err(A::Error::custom(problem));
                }
                match members.entry(id) {
                    Entry::Vacant(free) => free.insert(member),
                    Entry::Occupied(first) => {
                        let problem = format!("{} is listed twice", first.key());
                        return Err(A::Error::custom(problem));
                    }
                };
            }
            Ok(members)
        }
    }

    deserializer.deserialize_seq(Visitor)
}

impl Parent {
    /// Makes the parent of a set without members; the name is that of [`parent_name`](super::parent_name).
    pub fn new(name: &str, namespace: &str, design: &str) -> Self {
        Self {
            id: SetId::of_parent(name, namespace),
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            design: design.to_owned(),
            uid: None,
            resource_version: None,
            last_revision: 0,
            manager: None,
            recorded: None,
            members: HashMap::new(),
        }
    }

    /// Reads a live Secret; as an item of a list it needs no kind.
    pub fn parse(live: &Value) -> Result<Self, ParentError> {
        let text = |path: &[&str]| dig(live, path).and_then(Value::as_str).unwrap_or_default();
        let (name, namespace) = (
            text(&["metadata", "name"]),
            text(&["metadata", "namespace"]),
        );
        let secret = || format!("{namespace}/{name}");
        let malformed = |problem: &str| ParentError::Malformed {
            secret: secret(),
            problem: problem.to_owned(),
        };
        let tooling = text(&["metadata", "annotations", TOOLING_ANNOTATION]);
        let found = text(&["metadata", "labels", ID_LABEL]);
        let kind = (text(&["apiVersion"]), text(&["kind"]));
        if !matches!(kind, ("v1" | "", "Secret" | "")) || found.is_empty() && tooling.is_empty() {
            return Err(ParentError::NotAParent { secret: secret() });
        }
        check_tooling(tooling, &secret)?;
        if name.is_empty() || namespace.is_empty() {
            return Err(malformed("it has no name and namespace"));
        }
        let expected = SetId::of_parent(name, namespace);
        if found != expected.as_str() {
            return Err(ParentError::OtherId {
                secret: secret(),
                found: found.to_owned(),
                expected,
            });
        }
        let kind = text(&["type"]);
        if kind != PARENT_TYPE {
            return Err(malformed(&format!(
                "its type is {kind:?}, not {PARENT_TYPE}"
            )));
        }
        let data = dig(live, &["data", KEY]).and_then(Value::as_str);
        let data = data.ok_or_else(|| malformed(&format!("it has no data of the key {KEY}")))?;
        let unreadable = |source| match source {
            PackedError::NewerFormat { format, .. } => ParentError::Newer {
                secret: secret(),
                found: format!("format {format} of the list of members"),
            },
            source => ParentError::Members {
                secret: secret(),
                source,
            },
        };
        let bytes = base64::decode(data).ok_or_else(|| unreadable(PackedError::NotBase64))?;
        let read: Read = packed::unpack(&bytes, FORMAT).map_err(unreadable)?;
        if read.last_revision > LAST_NUMBER {
            return Err(malformed(&format!(
                "it has had {} revisions, more than the {LAST_NUMBER} that there can be",
                read.last_revision
            )));
        }
        let given = |field| {
            let text = text(&["metadata", field]);
            (!text.is_empty()).then(|| text.to_owned())
        };
        Ok(Self {
            id: expected,
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            design: read.design,
            uid: given("uid"),
            resource_version: given("resourceVersion"),
            last_revision: read.last_revision,
            manager: read.manager.filter(|manager| !manager.is_empty()),
            recorded: read.recorded,
            members: read.members,
        })
    }

    /// Returns the Secret, for server-side apply: only what is ours is in it.
    ///
    /// With the `resourceVersion` that was read, so that a parent that somebody changed meanwhile is
    /// a conflict. Without one it is new and must be *created* (POST): an apply would quietly take
    /// over a Secret that came into being since.
    pub fn to_secret(&self) -> Result<Value, ParentTooLarge> {
        let written = Written {
            format: FORMAT,
            design: &self.design,
            last_revision: self.last_revision,
            manager: self.manager.as_deref(),
            recorded: self.recorded.as_ref(),
            members: self.members(),
        };
        let bytes = packed::pack(&written)?;
        if bytes.len() > SECRET_LIMIT || self.members.len() > MEMBERS {
            return Err(ParentTooLarge::Members {
                members: self.members.len(),
                size: bytes.len(),
            });
        }
        let mut annotations = Map::new();
        let mut annotate =
            |key: &str, value: String| annotations.insert(key.to_owned(), value.into());
        annotate(TOOLING_ANNOTATION, TOOLING.to_owned());
        annotate(DESIGN_ANNOTATION, self.design.clone());
        annotate(GROUP_KINDS_ANNOTATION, join(&self.group_kinds()));
        let namespaces = self.additional_namespaces();
        // The empty value is reserved by the specification.
        if !namespaces.is_empty() {
            annotate(NAMESPACES_ANNOTATION, join(&namespaces));
        }
        let sizes = annotations.iter();
        let sizes = sizes.map(|(key, value)| key.len() + value.as_str().map_or(0, str::len));
        let size = sizes.sum();
        if size > ANNOTATIONS_LIMIT {
            return Err(ParentTooLarge::Annotations {
                namespaces: namespaces.len(),
                size,
            });
        }
        let mut metadata = json!({
            "name": self.name,
            "namespace": self.namespace,
            "labels": {ID_LABEL: self.id},
            "annotations": annotations,
        });
        if let (Some(metadata), Some(version)) = (metadata.as_object_mut(), &self.resource_version)
        {
            metadata.insert("resourceVersion".to_owned(), version.as_str().into());
        }
        Ok(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "type": PARENT_TYPE,
            "data": {KEY: base64::encode(&bytes)},
        }))
    }

    /// Returns the id of the set.
    pub fn id(&self) -> &SetId {
        &self.id
    }

    /// Returns the name of the Secret, which is that of the Lease, too.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the namespace of the Secret.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Returns the name of the design.
    pub fn design(&self) -> &str {
        &self.design
    }

    /// Returns the uid of the Secret, when it was read.
    pub fn uid(&self) -> Option<&str> {
        self.uid.as_deref()
    }

    /// Returns the `resourceVersion` that was read.
    pub fn resource_version(&self) -> Option<&str> {
        self.resource_version.as_deref()
    }

    /// Takes over uid and `resourceVersion` of the Secret as the server returned it from a write.
    #[must_use]
    pub fn written_as(mut self, live: &Value) -> Self {
        let text = |field| {
            let text = dig(live, &["metadata", field]).and_then(Value::as_str);
            text.map(str::to_owned)
        };
        (self.uid, self.resource_version) = (text("uid"), text("resourceVersion"));
        self
    }

    /// Tells whether another one says the same, whichever versions of the Secret they were read from.
    pub fn says_what(&self, other: &Self) -> bool {
        let Self {
            id,
            name: _,
            namespace: _,
            design,
            uid: _,
            resource_version: _,
            last_revision,
            manager,
            recorded,
            members,
        } = self;
        *id == other.id
            && *design == other.design
            && *last_revision == other.last_revision
            && *manager == other.manager
            && *recorded == other.recorded
            && *members == other.members
    }

    /// Returns the highest number that a revision had so far, deleted ones included.
    pub fn last_revision(&self) -> u64 {
        self.last_revision
    }

    /// Remembers that a revision has this number, and what it holds if the set is as that says.
    #[must_use]
    pub fn with_revision(mut self, number: u64, content: Option<ContentHash>) -> Self {
        self.last_revision = self.last_revision.max(number.min(LAST_NUMBER));
        self.recorded = content;
        self
    }

    /// Returns what the newest revision holds, if the set was left as that says.
    pub fn recorded(&self) -> Option<&ContentHash> {
        self.recorded.as_ref()
    }

    /// Returns the field manager of the set: its own, unless another one was chosen for it.
    pub fn field_manager(&self) -> String {
        let own = || self.id.field_manager();
        self.manager.clone().unwrap_or_else(own)
    }

    /// Chooses another field manager than the set's own.
    #[must_use]
    pub fn with_field_manager(mut self, manager: &str) -> Self {
        self.manager = (manager != self.id.field_manager()).then(|| manager.to_owned());
        self
    }

    /// Returns how many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Tells whether there is a member of this id.
    pub fn contains(&self, id: &ResourceId) -> bool {
        self.members.contains_key(id)
    }

    /// Returns the member of this id.
    pub fn get(&self, id: &ResourceId) -> Option<&Member> {
        self.members.get(id)
    }

    /// Returns the members by id.
    pub fn members(&self) -> Vec<&Member> {
        let mut members: Vec<_> = self.members.iter().collect();
        members.sort_unstable_by_key(|(id, _)| *id);
        members.into_iter().map(|(_, member)| member).collect()
    }

    /// Returns the kinds of the members: `Kind.group`, or `Kind` in the core group.
    pub fn group_kinds(&self) -> BTreeSet<String> {
        let mut kinds = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for member in self.members.values() {
            if seen.insert((&member.group, &member.kind)) {
                kinds.insert(member.group_kind());
            }
        }
        kinds
    }

    /// Returns the namespaces of the members, that of the parent left out.
    pub fn additional_namespaces(&self) -> BTreeSet<&str> {
        let namespaces = self.members.values();
        let namespaces = namespaces.filter_map(|member| member.namespace.as_deref());
        namespaces.filter(|name| *name != self.namespace).collect()
    }

    /// Returns the parent as it must be written before the first member is: with all that there was
    /// and all that is desired.
    ///
    /// A desired member carries the uid of the object that it means, as observed. Where that is the
    /// recorded one, its uid and hash stay; otherwise (it will be created or replaced, or somebody
    /// else replaced it) they are dropped, since any object of that name may be ours after a crash.
    /// Of policies the recorded one stands until the new one is confirmed, but where the new one
    /// keeps an object that the recorded one would delete. Equal to `self` when nothing is to be
    /// written.
    #[must_use]
    pub fn grow(&self, desired: impl IntoIterator<Item = Member>) -> Self {
        let mut parent = self.clone();
        for mut member in desired {
            match parent.members.entry(member.id()) {
                Entry::Occupied(mut recorded) => {
                    let grown = recorded.get().grown(&member);
                    recorded.insert(grown);
                }
                Entry::Vacant(free) => {
                    // Nothing is confirmed of it.
                    member.hash = None;
                    free.insert(member);
                }
            }
        }
        parent
    }

    /// Returns the parent as it is written after the last prune: confirmed members as they are now,
    /// without those that are confirmed to be gone; all others may exist and stay as they were.
    ///
    /// What is both present and gone stays. Equal to `self` when nothing is to be written.
    #[must_use]
    pub fn shrink(&self, confirmed: Confirmed) -> Self {
        let mut parent = self.clone();
        for id in &confirmed.gone {
            parent.members.remove(id);
        }
        for member in confirmed.present {
            parent.members.insert(member.id(), member);
        }
        parent
    }
}

/// Refuses what another tool or a newer version of this one keeps; everything before the last `/` is
/// the name of the tool, as in kubectl.
fn check_tooling(tooling: &str, secret: &dyn Fn() -> String) -> Result<(), ParentError> {
    let (Some((ours, _)), Some((tool, version))) =
        (TOOLING.split_once('/'), tooling.rsplit_once('/'))
    else {
        return Err(ParentError::OtherTooling {
            secret: secret(),
            tooling: tooling.to_owned(),
        });
    };
    if tool != ours {
        return Err(ParentError::OtherTooling {
            secret: secret(),
            tooling: tooling.to_owned(),
        });
    }
    let major = version.strip_prefix('v').unwrap_or_default();
    let major = major.split('.').next().unwrap_or_default();
    match major.parse::<u32>() {
        Ok(1) => Ok(()),
        Ok(2..) => Err(ParentError::Newer {
            secret: secret(),
            found: tooling.to_owned(),
        }),
        _ => Err(ParentError::Malformed {
            secret: secret(),
            problem: format!("its tooling {tooling:?} is not {TOOLING}"),
        }),
    }
}

fn join<T: AsRef<str>>(names: &BTreeSet<T>) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    names.join(",")
}

#[cfg(test)]
mod tests;
