//! What is done to one desired object, by what was seen of it.
//!
//! ```text
//! written once, for good ──► left alone
//! not there, or on its way out ──► created
//! of another set ──► refused, whatever is allowed
//! without our label, or without our entry ──► adopted, or refused
//! ours ──► unchanged, configured, replaced, or refused
//! ```

use serde_json::{Map, Value};

use super::changes::{answered, compare_values, described, first_of, is_of_value};
use super::observation::{Checked, Observation, Options, is_terminating, uid};
use super::standing::{
    ADOPTED, ORIGIN, Standing, is_orphaned, is_retained_by, line, origin, writers, written_by,
};
use super::{Action, Need, Precondition, Refusal, Step, Until, Wait, Why, immutable};
use crate::inventory::{Member, MemberOrigin, PART_OF_LABEL, SetId, content_hash};
use crate::ownership::{
    Comparison, FieldConflict, FieldDrift, IgnorePath, Operation, Owner, compare,
    compare_as_applied, doubts, is_client_side, overlaps, strip, without_ignored,
};
use crate::readiness::{Related, readiness};
use crate::resource::{Conflict, Creation, Deletion, Patch, Resource};
use crate::tenant::operator::Operator;

/// Returns an object as it is sent: with its namespace and the label of its set, with its origin when it
/// was adopted, and without the fields that are left to others.
pub fn outgoing(resource: &Resource, set: &SetId, origin: MemberOrigin) -> Value {
    let mut object = marked(resource, set, origin);
    strip(&mut object, &ignored(resource));
    object
}

fn marked(resource: &Resource, set: &SetId, origin: MemberOrigin) -> Value {
    let mut object = resource.object.clone();
    let Some(map) = object.as_object_mut() else {
        return object;
    };
    let Some(metadata) = mapping(map, "metadata") else {
        return object;
    };
    match &resource.namespace {
        Some(namespace) => metadata.insert("namespace".to_owned(), namespace.as_str().into()),
        None => metadata.shift_remove("namespace"),
    };
    if let Some(labels) = mapping(metadata, "labels") {
        labels.insert(PART_OF_LABEL.to_owned(), set.as_str().into());
    }
    if origin == MemberOrigin::Adopted
        && let Some(annotations) = mapping(metadata, "annotations")
    {
        annotations.insert(ORIGIN.to_owned(), ADOPTED.into());
    }
    object
}

/// Returns a mapping below another, made where there is none.
fn mapping<'a>(map: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    let value = map.entry(key).or_insert(Value::Null);
    if value.is_null() {
        *value = Map::new().into();
    }
    value.as_object_mut()
}

/// What isn't a path was reported when the resource was read.
fn ignored(resource: &Resource) -> Vec<IgnorePath> {
    let paths = resource.policies.ignore_fields.iter();
    paths
        .filter_map(|path| IgnorePath::parse(path).ok())
        .collect()
}

/// Decides on the desired objects of a set, one by one.
pub(super) struct Decider<'a> {
    seen: &'a Observation,
    options: Options,
}

/// A live object that is looked at, and what would be sent.
struct Look<'a> {
    resource: &'a Resource,
    live: &'a Value,
    desired: Value,
    ignored: Vec<IgnorePath>,
    is_adoption: bool,
    /// The operator, where its objects are taken over.
    operators: Vec<&'static Operator>,
    /// Whether just this was written last, into this very object.
    is_applied: bool,
}

impl<'a> Decider<'a> {
    pub(super) fn new(seen: &'a Observation, options: Options) -> Self {
        Self { seen, options }
    }

    pub(super) fn decide(&self, resource: &Resource, step: &mut Step) {
        let recorded = self
            .seen
            .parent
            .as_ref()
            .and_then(|parent| parent.get(&resource.id));
        let live = self.seen.live.get(&resource.id);
        let live = live.as_ref();
        step.precondition = live.map(Precondition::of);
        // An adoption that was cut off before its turn has left the uid of what was there.
        let is_ours = |live: &Value| {
            let standing = Standing::of(live, &self.seen.set, &self.seen.manager);
            matches!(standing, Standing::Ours)
        };
        let written = recorded.filter(|member| {
            member.uid.is_some() && (member.hash.is_some() || live.is_none_or(is_ours))
        });
        let once = resource.policies.creation == Creation::Once;
        let is_gone = live.is_none() && !self.seen.unseen.contains_key(&resource.id);
        // What still bears the operator's marks would go with its resources.
        let is_marked = live.is_some_and(|live| !self.operators(live).is_empty());
        if let (true, Some(written)) = (once && !is_gone && !is_marked, written) {
            self.left_alone(written, resource, live, step);
            return;
        }
        let Some(live) = live else {
            if !self.has_run(recorded, resource, step) {
                self.absent(recorded, resource, step);
            }
            return;
        };
        if is_terminating(live) {
            self.absent(recorded, resource, step);
            "is being deleted; created when it is gone".clone_into(&mut step.reason);
            step.waits.push(Wait {
                on: resource.id.clone(),
                until: Until::Gone,
                why: Why::Terminating,
            });
            return;
        }
        match Standing::of(live, &self.seen.set, &self.seen.manager) {
            Standing::Ours if !is_marked => {
                let origin = origin(recorded, live);
                let (look, member) = self.look(resource, live, origin);
                if once {
                    // A run that was cut off before it could record it.
                    step.action = Action::Unchanged;
                    "created once".clone_into(&mut step.reason);
                    step.member = Some(member);
                    return;
                }
                self.ours(recorded, look, member, step);
                if resource.policies.phase.is_some() {
                    run_again(live, step);
                }
            }
            Standing::OtherSet(set) => {
                let reason = format!("owned by another set ({})", line(&set));
                step.refuse(reason, Refusal::OwnedBySet { set });
            }
            standing => self.foreign(&standing, recorded, resource, live, step),
        }
    }

    /// Written once, which was enough.
    fn left_alone(
        &self,
        written: &Member,
        resource: &Resource,
        live: Option<&Value>,
        step: &mut Step,
    ) {
        step.action = Action::Skipped;
        step.reason = match live {
            Some(live) if uid(live) == written.uid.as_deref() => {
                step.action = Action::Unchanged;
                "created once".to_owned()
            }
            Some(_) => "created once; the object of this name is another one".to_owned(),
            None => {
                let why = self
                    .seen
                    .unseen
                    .get(&resource.id)
                    .map_or("", String::as_str);
                format!("created once; could not be looked at: {}", line(why))
            }
        };
        let mut member = written.clone();
        member.creation = Creation::Once;
        member.deletion = resource.policies.deletion;
        step.member = Some(member);
    }

    /// Leaves a job alone that has run as it is and was cleaned up since; tells whether it has.
    fn has_run(&self, recorded: Option<&Member>, resource: &Resource, step: &mut Step) -> bool {
        let ran = recorded.filter(|member| member.runs && member.uid.is_some());
        let (Some(ran), Some(_)) = (ran, resource.policies.phase) else {
            return false;
        };
        let sent = outgoing(resource, &self.seen.set, ran.origin);
        let now = member(resource, ran.origin, &sent);
        if now.hash != ran.hash {
            return false;
        }
        step.action = Action::Skipped;
        "has run, and is gone since".clone_into(&mut step.reason);
        step.member = Some(Member {
            uid: ran.uid.clone(),
            ..now
        });
        true
    }

    /// Those whose objects are taken over, as far as an object is one of theirs.
    fn operators(&self, live: &Value) -> Vec<&'static Operator> {
        if self.options.migrate {
            Operator::of(live)
        } else {
            Vec::new()
        }
    }

    fn absent(&self, recorded: Option<&Member>, resource: &Resource, step: &mut Step) {
        step.action = Action::Created;
        step.precondition = None;
        let is_lost = recorded.is_some_and(|member| member.uid.is_some());
        match self.seen.unseen.get(&resource.id) {
            Some(why) => {
                step.not_checked_by_server = true;
                step.reason = format!("new; not checked by the server: {}", line(why));
            }
            None if is_lost => "somebody deleted it; created again".clone_into(&mut step.reason),
            None => "new".clone_into(&mut step.reason),
        }
        let origin = MemberOrigin::Created;
        let sent = outgoing(resource, &self.seen.set, origin);
        step.member = Some(member(resource, origin, &sent));
    }

    /// Takes a look at an object as it would be sent, and at the member that it is then.
    fn look<'l>(
        &self,
        resource: &'l Resource,
        live: &'l Value,
        origin: MemberOrigin,
    ) -> (Look<'l>, Member) {
        let look = Look {
            resource,
            live,
            desired: marked(resource, &self.seen.set, origin),
            ignored: ignored(resource),
            is_adoption: false,
            operators: Vec::new(),
            is_applied: false,
        };
        let sent = without_ignored(&look.desired, &look.ignored);
        let mut member = member(resource, origin, &sent);
        member.uid = uid(live).map(str::to_owned);
        (look, member)
    }

    fn ours(&self, recorded: Option<&Member>, mut look: Look<'_>, member: Member, step: &mut Step) {
        let live = look.live;
        let is_applied = recorded.is_some_and(|recorded| {
            recorded.hash.is_some() && recorded.hash == member.hash && recorded.uid == member.uid
        });
        look.is_applied = is_applied;
        step.member = Some(member);
        let comparison = match look.resource.policies.patch {
            Patch::Apply if is_applied => {
                compare_as_applied(&look.desired, live, &self.seen.manager, &look.ignored)
            }
            Patch::Apply => compare(&look.desired, live, &self.seen.manager, &look.ignored),
            patch => {
                let desired = without_ignored(&look.desired, &look.ignored);
                compare_values(&desired, live, patch, is_applied)
            }
        };
        match comparison {
            Comparison::Same => step.action = Action::Unchanged,
            Comparison::Different(drifts) => self.change(&look, drifts, step),
            Comparison::Unsure(places) => self.unsure(&look, places, step),
        }
    }

    fn foreign(
        &self,
        standing: &Standing,
        recorded: Option<&Member>,
        resource: &Resource,
        live: &Value,
        step: &mut Step,
    ) {
        // One that we made and that only lost its marks stays one that we made.
        let known =
            recorded.filter(|member| member.uid.is_some() && member.uid.as_deref() == uid(live));
        step.retained = is_retained_by(live, &self.seen.set);
        step.orphaned = is_orphaned(live);
        let operators = self.operators(live);
        let was_made =
            step.retained || operators.iter().any(|operator| operator.is_made_once(live));
        step.bare = was_made && resource.policies.creation == Creation::Once;
        let resource = &*step.written(resource);
        let origin = match known {
            Some(_) => origin(known, live),
            None if step.retained || !operators.is_empty() => MemberOrigin::Created,
            None => MemberOrigin::Adopted,
        };
        let (mut look, member) = self.look(resource, live, origin);
        look.is_adoption = true;
        look.operators.clone_from(&operators);
        let drifts = match compare(&look.desired, live, &self.seen.manager, &look.ignored) {
            Comparison::Different(drifts) => drifts,
            // It is written in any case.
            Comparison::Same | Comparison::Unsure(_) => Vec::new(),
        };
        let owners = writers(live);
        // A run that was cut off may have taken the marks of others off already.
        let is_ours = (self.options.repair || self.options.migrate) && known.is_some();
        let is_known = step.retained || is_ours || !operators.is_empty();
        if !self.options.adopt && !resource.policies.adopt && !is_known {
            // Whoever looks on still sees what an adoption would change.
            step.changes = drifts;
            step.changes.retain(is_of_value);
            let how = if Operator::of(live).is_empty() {
                "--adopt"
            } else {
                "tenant migrate"
            };
            let why = match (standing, owners.is_empty()) {
                (Standing::Labelled, _) => "not ours: no entry of our field manager".to_owned(),
                (_, false) => format!("exists and {}", written_by(&owners)),
                (_, true) => "exists already".to_owned(),
            };
            let reason = format!("{why}; {how} takes it over");
            step.refuse(reason, Refusal::Exists { owners });
            return;
        }
        step.member = Some(member);
        let clients = overlaps(&look.desired, live, &look.ignored).into_iter();
        let clients = clients.filter(|overlap| overlap.is_client_side);
        step.migrate = clients.map(|overlap| overlap.owner.manager).collect();
        step.migrate.dedup();
        let managers = operators.iter().map(|operator| operator.manager.to_owned());
        step.migrate.extend(managers);
        self.change(&look, drifts, step);
        // What nobody owns, such as an object that was let go of, the server counts as somebody's
        // (`before-first-apply`).
        step.force |= owners.is_empty() && step.blocking.is_none();
        if step.retained && step.action == Action::Adopted {
            let reason = if step.bare {
                "was retained by this set; taken back as it is, since it is created once"
            } else {
                "was retained by this set; taken back"
            };
            reason.clone_into(&mut step.reason);
        }
    }

    /// Only the server can tell; it may have been asked.
    fn unsure(&self, look: &Look<'_>, places: Vec<String>, step: &mut Step) {
        step.action = Action::Configured;
        match self.seen.checked.get(&look.resource.id) {
            None => {
                step.reason = format!("only the server can tell: {}", first_of(&places));
                step.need = Some(Need::Check { places });
            }
            Some(Checked::Object(answer)) => {
                let drifts = answered(look.live, answer);
                if drifts.is_empty() {
                    step.action = Action::Unchanged;
                } else {
                    self.change(look, drifts, step);
                }
            }
            Some(Checked::Conflicts(conflicts)) => {
                if !self.is_stuck(look, conflicts.clone(), step) {
                    step.reason = held(conflicts, "taken over");
                }
            }
            Some(Checked::Refused { message, fields }) => {
                let fixed = fixed_by(look, message, fields);
                if fixed.is_empty() {
                    // Its own run may change that: a webhook whose pods it brings.
                    step.not_checked_by_server = true;
                    step.reason = format!("the server could not check it: {}", line(message));
                } else {
                    self.fixed(look, fixed, step);
                }
            }
        }
    }

    /// Decides on an object of which these fields would change.
    fn change(&self, look: &Look<'_>, drifts: Vec<FieldDrift>, step: &mut Step) {
        let (group, kind) = (look.resource.group(), look.resource.kind.as_str());
        let mut found = immutable::of(group, kind, &look.desired, look.live, &drifts);
        if found.changed.is_empty() && immutable::has_any(group, kind) && !look.is_adoption {
            // What is ours as a whole may have lost a part, beside what surely differs.
            let doubts = doubts(&look.desired, look.live, &self.seen.manager, &look.ignored);
            let fixed =
                |place: &String| immutable::field(group, kind, &look.desired, look.live, place);
            found.dropped.extend(doubts.iter().filter_map(fixed));
        }
        let conflicts = if look.resource.policies.patch == Patch::Apply || look.is_adoption {
            self.conflicts(look, &drifts)
        } else {
            // A merge or a replacement takes whatever it names: whose that is, an apply would say.
            match compare(&look.desired, look.live, &self.seen.manager, &look.ignored) {
                Comparison::Different(drifts) => self.conflicts(look, &drifts),
                Comparison::Same | Comparison::Unsure(_) => Vec::new(),
            }
        };
        step.action = if look.is_adoption {
            Action::Adopted
        } else {
            Action::Configured
        };
        step.reason = if look.is_adoption {
            let by = written_by(&writers(look.live));
            let by = if by.is_empty() {
                String::new()
            } else {
                format!(" and {by}")
            };
            format!("existed{by}; taken over")
        } else {
            described(&drifts)
        };
        step.changes = drifts;
        if look.is_adoption {
            step.changes.retain(is_of_value);
        }
        let checked = self.seen.checked.get(&look.resource.id);
        if let Some(Checked::Refused { message, fields }) = checked {
            found.changed.extend(fixed_by(look, message, fields));
        }
        if !found.changed.is_empty() {
            self.fixed(look, found.changed, step);
        } else if !conflicts.is_empty() {
            self.is_stuck(look, conflicts, step);
        } else if !found.dropped.is_empty() && !look.is_adoption && checked.is_none() {
            step.reason = format!("only the server can tell: {}", first_of(&found.dropped));
            step.need = Some(Need::Check {
                places: found.dropped,
            });
        }
    }

    /// Refuses or replaces an object whose fields cannot be changed.
    fn fixed(&self, look: &Look<'_>, fields: Vec<String>, step: &mut Step) {
        let policies = &look.resource.policies;
        let what = if fields.len() > 1 { "fields" } else { "field" };
        let what = format!("immutable {what} {} changed", fields.join(", "));
        if look.is_adoption {
            // It is somebody else's, who would not get it back.
            let reason = format!("{what}; what isn't ours is not deleted to create it anew");
            step.refuse(reason, Refusal::Immutable { fields });
        } else if policies.replace || self.options.replace && !is_precious(look.resource) {
            step.action = Action::Replaced;
            step.reason = what;
            if let Some(member) = &mut step.member {
                // It will be another object, and one that was there before us is still given back.
                member.uid = None;
            }
        } else {
            let how = if is_precious(look.resource) {
                "the annotation weftctl.dev/replace: \"true\""
            } else {
                "--replace"
            };
            let reason = format!("{what}; {how} deletes and creates it anew");
            step.refuse(reason, Refusal::Immutable { fields });
        }
    }

    /// Refuses an object of which others hold fields, unless these may be taken; tells whether it did.
    fn is_stuck(&self, look: &Look<'_>, conflicts: Vec<FieldConflict>, step: &mut Step) -> bool {
        // That would be the label of another set, written since we looked.
        let is_label = conflicts
            .iter()
            .any(|conflict| conflict.field.contains(PART_OF_LABEL));
        // What held its value was ours when it was written. A subresource is written by controllers.
        let is_direct = |conflict: &FieldConflict| conflict.subresource.is_none();
        let is_drift = self.options.repair && look.is_applied && conflicts.iter().all(is_direct);
        let may_force = self.options.force_conflicts
            || look.resource.policies.conflict == Conflict::Force
            || is_drift;
        if may_force && !is_label {
            step.force = true;
            return false;
        }
        let reason = if is_label {
            let managers: Vec<_> = conflicts
                .iter()
                .map(|conflict| line(&conflict.manager))
                .collect();
            format!("its label of our set is held by {}", first_of(&managers))
        } else {
            held(&conflicts, "--force-conflicts takes it over")
        };
        step.refuse(reason, Refusal::Conflict { conflicts });
        true
    }

    /// Returns what a server would call conflicts: another value in a field that somebody else holds. The
    /// tools whose fields an adoption takes over don't count.
    fn conflicts(&self, look: &Look<'_>, drifts: &[FieldDrift]) -> Vec<FieldConflict> {
        let is_other = |owner: &&Owner| {
            let is_migrated = look.is_adoption
                && owner.operation == Operation::Update
                && owner.subresource.is_none()
                && is_client_side(&owner.manager);
            let is_operators = look
                .operators
                .iter()
                .any(|operator| owner.manager == operator.manager);
            owner.manager != self.seen.manager && !is_migrated && !is_operators
        };
        let drifts = drifts.iter();
        let drifts = drifts.filter(|drift| drift.wanted.is_some() && is_of_value(drift));
        let conflicts = drifts.flat_map(|drift| {
            let others = drift.owners.iter().filter(is_other);
            others.map(|owner| FieldConflict {
                manager: owner.manager.clone(),
                subresource: owner.subresource.clone(),
                field: drift.path.clone(),
            })
        });
        conflicts.collect()
    }
}

/// The fields of which a server says that they can't be changed.
fn fixed_by(look: &Look<'_>, message: &str, fields: &[String]) -> Vec<String> {
    let (group, kind) = (look.resource.group(), look.resource.kind.as_str());
    let is_known = |field: &&String| {
        message.contains("immutable")
            || immutable::field(group, kind, &look.desired, look.live, field).is_some()
    };
    fields.iter().filter(is_known).cloned().collect()
}

/// Makes a job of a phase run again where it has changed, or has failed.
fn run_again(live: &Value, step: &mut Step) {
    let why = match step.action {
        Action::Configured if step.need.is_none() => format!("runs again: {}", step.reason),
        Action::Unchanged if readiness(live, &Related::default()).is_failed() => {
            "runs again: it has failed".to_owned()
        }
        _ => return,
    };
    step.action = Action::Replaced;
    step.reason = why;
    if let Some(member) = &mut step.member {
        member.uid = None;
    }
}

/// Returns the member that an object is once it is written; which object that is, the write tells.
fn member(resource: &Resource, origin: MemberOrigin, sent: &Value) -> Member {
    Member {
        hash: Some(content_hash(sent)),
        origin,
        ..Member::of(resource)
    }
}

/// What cannot be had back by creating it anew: what is to be retained, and what others live in.
fn is_precious(resource: &Resource) -> bool {
    resource.policies.deletion == Deletion::Retain
        || matches!(
            (resource.group(), resource.kind.as_str()),
            ("", "Namespace" | "PersistentVolume")
                | ("apiextensions.k8s.io", "CustomResourceDefinition")
        )
}

/// Says who holds what: `spec.replicas is held by hpa and 2 more fields; …`.
fn held(conflicts: &[FieldConflict], then: &str) -> String {
    let mut managers: Vec<String> = conflicts
        .iter()
        .map(|conflict| line(&conflict.manager))
        .collect();
    managers.sort_unstable();
    managers.dedup();
    let mut fields: Vec<&str> = conflicts
        .iter()
        .map(|conflict| conflict.field.as_str())
        .collect();
    fields.dedup();
    let verb = if fields.len() > 1 { "are" } else { "is" };
    format!(
        "{} {verb} held by {}; {then}",
        first_of(&fields),
        managers.join(", ")
    )
}
