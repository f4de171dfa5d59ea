//! Whose a live object is.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::Value;

use super::observation::uid;
use crate::inventory::{Member, MemberOrigin, PART_OF_LABEL, SetId};
use crate::ownership::{Operation, Owner, is_applied_by, is_client_side, managers};
use crate::resource::{Part, ResourceSet, dig};

/// The annotation of an object that was there before us.
pub const ORIGIN: &str = "weftctl.dev/origin";
/// The value of [`ORIGIN`].
pub const ADOPTED: &str = "adopted";

/// The annotation of an object that a set has let go of instead of deleting it, with the id of the set:
/// that one may take it back.
pub const RETAINED_BY: &str = "weftctl.dev/retained-by";

/// The label of such an object, by which they are found; its value is `true`.
pub const ORPHANED: &str = "weftctl.dev/orphaned";

/// The annotation that says when that was, RFC 3339 UTC.
pub const ORPHANED_AT: &str = "weftctl.dev/orphaned-at";

/// The annotation that says why: [`Orphaning`].
pub const ORPHANED_REASON: &str = "weftctl.dev/orphaned-reason";

/// Why an object is no longer a member of its set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphaning {
    /// Its row is gone, or switched off, or its form is gone.
    RowGone,
    /// Its form makes other objects of the row.
    RemovedFromForm,
    /// The design no longer has it.
    RemovedFromDesign,
    /// The whole set was removed.
    Undeployed,
}

/// What tells of members why they are members no longer.
#[derive(Debug)]
pub struct Orphanings<'a> {
    is_empty: bool,
    /// What forms make of rows.
    nodes: HashSet<(&'a str, &'a str)>,
}

impl<'a> Orphanings<'a> {
    /// Prepares to tell, by what is wanted now.
    pub fn of(desired: &'a ResourceSet) -> Self {
        let parts = desired.iter().filter_map(|resource| resource.part.as_ref());
        Self {
            is_empty: desired.is_empty(),
            nodes: parts.map(Part::node).collect(),
        }
    }

    /// Tells why a member is one no longer.
    pub fn why(&self, member: &Member) -> Orphaning {
        match &member.part {
            Some(part) if self.nodes.contains(&part.node()) => Orphaning::RemovedFromForm,
            Some(_) => Orphaning::RowGone,
            None if self.is_empty => Orphaning::Undeployed,
            None => Orphaning::RemovedFromDesign,
        }
    }
}

impl Orphaning {
    /// Returns it as one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RowGone => "RowGone",
            Self::RemovedFromForm => "RemovedFromForm",
            Self::RemovedFromDesign => "RemovedFromDesign",
            Self::Undeployed => "Undeployed",
        }
    }
}

/// Tells whether a set has let go of an object instead of deleting it.
pub(super) fn is_retained_by(live: &Value, set: &SetId) -> bool {
    let by = dig(live, &["metadata", "annotations", RETAINED_BY]).and_then(Value::as_str);
    by == Some(set.as_str())
}

/// Tells whether an object has the marks of one that a set has let go of.
pub(super) fn is_orphaned(live: &Value) -> bool {
    dig(live, &["metadata", "labels", ORPHANED]).is_some()
        || dig(live, &["metadata", "annotations", RETAINED_BY]).is_some()
}

/// Whose a live object is, as far as its set goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has our label, and our manager applied it.
    Ours,
    /// It has our label, which is all: somebody copied it.
    Labelled,
    /// It has the label of another set.
    OtherSet(String),
    /// It belongs to no set.
    Foreign,
}

impl Standing {
    pub(super) fn of(live: &Value, set: &SetId, manager: &str) -> Self {
        let label = dig(live, &["metadata", "labels", PART_OF_LABEL]).and_then(Value::as_str);
        match label {
            None | Some("") => Self::Foreign,
            Some(label) if label != set.as_str() => Self::OtherSet(label.to_owned()),
            Some(_) if is_applied_by(live, manager) => Self::Ours,
            Some(_) => Self::Labelled,
        }
    }
}

/// Returns how an object of ours became a member: where anything says that it was there before, it was.
pub(super) fn origin(recorded: Option<&Member>, live: &Value) -> MemberOrigin {
    let annotation = dig(live, &["metadata", "annotations", ORIGIN]).and_then(Value::as_str);
    let is_same = |member: &&Member| member.uid.is_none() || member.uid.as_deref() == uid(live);
    let recorded = recorded.filter(is_same).map(|member| member.origin);
    if annotation == Some(ADOPTED) || recorded == Some(MemberOrigin::Adopted) {
        MemberOrigin::Adopted
    } else {
        MemberOrigin::Created
    }
}

/// Tells whether a controller keeps the object, and with whom it came.
pub(super) fn controller(live: &Value) -> Option<String> {
    let owners = dig(live, &["metadata", "ownerReferences"]).and_then(Value::as_array)?;
    let is_controller = |owner: &&Value| owner.get("controller") == Some(&Value::Bool(true));
    let owner = owners.iter().find(is_controller)?;
    let text = |key| owner.get(key).and_then(Value::as_str).unwrap_or_default();
    Some(line(&format!("{}/{}", text("kind"), text("name"))))
}

/// Returns who wrote the object itself, each once, those who applied first.
pub(super) fn writers(live: &Value) -> Vec<Owner> {
    let mut owners = managers(live);
    owners.retain(|owner| owner.subresource.is_none() && !owner.manager.is_empty());
    owners.sort_by_key(|owner| !has_applied(owner));
    let mut seen = std::collections::HashSet::new();
    owners.retain(|owner| seen.insert(owner.manager.clone()));
    owners
}

/// Returns how people say who wrote an object: `was applied by kubectl and written by manager`.
pub(super) fn written_by(owners: &[Owner]) -> String {
    let (applied, written): (Vec<_>, Vec<_>) = owners.iter().partition(|owner| has_applied(owner));
    let mut text = String::new();
    for (verb, owners) in [("applied", applied), ("written", written)] {
        if owners.is_empty() {
            continue;
        }
        let verb = if text.is_empty() {
            format!("was {verb}")
        } else {
            format!(" and {verb}")
        };
        let names: Vec<_> = owners.iter().map(|owner| line(&owner.manager)).collect();
        // Writing into a string does not fail.
        let _ = write!(text, "{verb} by {}", names.join(", "));
    }
    text
}

fn has_applied(owner: &Owner) -> bool {
    owner.operation == Operation::Apply || is_client_side(&owner.manager)
}

/// Most characters of a text of others in a reason.
const LINE: usize = 80;

/// Returns a text of others as part of one line: without control characters, and not too long.
pub(super) fn line(text: &str) -> String {
    let mut characters = text.chars();
    let short = characters.by_ref().take(LINE);
    let short = short.map(|character| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    });
    let mut line: String = short.collect();
    if characters.next().is_some() {
        line.push('…');
    }
    line
}
