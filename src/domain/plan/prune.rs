//! What is done to members that are no longer desired.
//!
//! A member is deleted only with all four: our label, an Apply entry of our manager, no controller that
//! keeps it, and the recorded uid, with what was seen of it as the precondition of the delete (controllers
//! copy labels, and names are used again). What fails that is not ours any more. A namespace goes only
//! with everything in it, a definition only with everything of its kind.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::observation::{Content, Observation, Options, is_terminating, uid};
use super::standing::{Standing, controller, line, origin};
use super::{Action, Need, Plan, Precondition, Step, rank};
use crate::graph::{Graph, Strength};
use crate::inventory::{Member, MemberOrigin, SetId};
use crate::resource::{
    DEPENDS_ON, Deletion, Policies, ResourceId, ResourceSet, canonical_group, dig,
    is_built_in_group,
};

/// Adds what is done to the members that are not desired.
pub(super) fn leftovers(
    plan: &mut Plan,
    desired: &ResourceSet,
    seen: &Observation,
    options: Options,
) {
    let Some(parent) = &seen.parent else {
        return;
    };
    let mut left = Vec::new();
    for member in parent.members() {
        let id = member.id();
        if desired.position(id.as_str()).is_some() {
            continue;
        }
        match seen.live.get(&id) {
            Some(live) => {
                let mut leftover = Leftover::of(id, member, &live);
                // Without anything that is wanted, the set as a whole goes.
                let why = match &member.part {
                    Some(_) => "its row is gone or inactive, or its form no longer has it",
                    None if desired.is_empty() => "undeployed",
                    None => "no longer in the design",
                };
                let withheld = member.part.as_ref();
                let withheld = withheld.and_then(|part| desired.withheld().why(part));
                if leftover.decide(&live, seen, options, why) {
                    plan.gone.push(leftover.step.id.clone());
                } else if let Some(why) = withheld {
                    leftover.keep(format!("left as it is: {why}"));
                    leftover.step.retained = false;
                }
                left.push(leftover);
            }
            None => match seen.unseen.get(&id) {
                Some(why) => left.push(Leftover::unseen(id, member, why)),
                None => plan.gone.push(id),
            },
        }
    }
    keep_volumes(desired, &mut left);
    let containers = Containers::of(plan, desired, seen, &left);
    let kept = containers.kept(&left);
    for (index, reason, need) in kept {
        if let Some(leftover) = left.get_mut(index) {
            leftover.keep(reason);
            leftover.step.need = need;
        }
    }
    let base = plan.steps.last().map_or(0, |step| step.level);
    plan.steps.extend(ordered(left, base));
}

/// Lets go of volumes whose claims stay: what is in them is what the claims are kept for, and a volume
/// that is in use is never gone.
fn keep_volumes(desired: &ResourceSet, left: &mut [Leftover<'_>]) {
    let claim = |leftover: &Leftover<'_>| leftover.live.as_ref()?.claim.clone();
    let goes: HashSet<ResourceId> = left
        .iter()
        .filter(|leftover| leftover.step.action == Action::Pruned)
        .map(|leftover| leftover.step.id.clone())
        .collect();
    let members: HashSet<ResourceId> = left.iter().map(|one| one.step.id.clone()).collect();
    for leftover in left
        .iter_mut()
        .filter(|leftover| leftover.step.action == Action::Pruned)
    {
        let Some(claim) = claim(leftover) else {
            continue;
        };
        let stays = members.contains(&claim) || desired.by_id(&claim).is_some();
        if stays && !goes.contains(&claim) {
            leftover.step.action = Action::Released;
            leftover.step.retained = true;
            leftover.step.reason = format!("retained with {claim}, which is bound to it");
        }
    }
}

/// A member that is no longer desired.
struct Leftover<'a> {
    member: &'a Member,
    group: &'a str,
    live: Option<Remains>,
    step: Step,
}

/// What is still needed of a live object once it is decided on.
#[derive(Default)]
struct Remains {
    uid: Option<String>,
    depends_on: String,
    /// Group and kind that it defines.
    defines: Option<(String, String)>,
    /// Group and version that it serves.
    serves: Option<(String, String)>,
    /// The claim that a volume is bound to.
    claim: Option<ResourceId>,
}

impl Remains {
    fn of(live: &Value, group: &str, kind: &str) -> Self {
        let text = |path: &[&str]| dig(live, path).and_then(Value::as_str).map(str::to_owned);
        let pair = |a: &[&str], b: &[&str]| text(a).zip(text(b));
        let is = |one: (&str, &str)| (group, kind) == one;
        Self {
            uid: uid(live).map(str::to_owned),
            depends_on: text(&["metadata", "annotations", DEPENDS_ON]).unwrap_or_default(),
            defines: is(DEFINITION)
                .then(|| pair(&["spec", "group"], &["spec", "names", "kind"]))
                .flatten(),
            serves: is(("apiregistration.k8s.io", "APIService"))
                .then(|| pair(&["spec", "group"], &["spec", "version"]))
                .flatten(),
            claim: is(("", "PersistentVolume"))
                .then(|| {
                    let claim = ["spec", "claimRef"];
                    pair(
                        &[claim[0], claim[1], "namespace"],
                        &[claim[0], claim[1], "name"],
                    )
                })
                .flatten()
                .map(|(namespace, name)| {
                    ResourceId::new("", "PersistentVolumeClaim", Some(&namespace), &name)
                }),
        }
    }
}

const DEFINITION: (&str, &str) = ("apiextensions.k8s.io", "CustomResourceDefinition");

impl<'a> Leftover<'a> {
    fn of(id: ResourceId, member: &'a Member, live: &Value) -> Self {
        let mut step = Step::new(id, None, 0);
        step.action = Action::Skipped;
        step.precondition = Some(Precondition::of(live));
        let group = canonical_group(&member.group, &member.kind);
        Self {
            member,
            group,
            live: Some(Remains::of(live, group, &member.kind)),
            step,
        }
    }

    fn unseen(id: ResourceId, member: &'a Member, why: &str) -> Self {
        let mut step = Step::new(id, None, 0);
        step.action = Action::Skipped;
        step.not_checked_by_server = true;
        step.reason = format!(
            "no longer in the design; could not be looked at: {}",
            line(why)
        );
        Self {
            member,
            group: canonical_group(&member.group, &member.kind),
            live: None,
            step,
        }
    }

    /// Decides by the object alone, and tells whether it isn't ours any more.
    fn decide(&mut self, live: &Value, seen: &Observation, options: Options, why: &str) -> bool {
        if let Some(why) = not_ours(self.member, live, &seen.set, &seen.manager) {
            self.keep(format!("not ours: {why}"));
            return true;
        }
        let outlives = outlives(self.member, live);
        self.step.retained = outlives == Some(Outlives::Retained) && !options.release;
        let released = outlives.map(Outlives::reason);
        let released = released.or(options.release.then_some("let go of, and left as it is"));
        let (action, reason) = match (released, options.prune || options.release) {
            (Some(_), false) => (
                Action::Skipped,
                "no longer in the design; --prune lets go of it".to_owned(),
            ),
            (None, false) => (
                Action::Skipped,
                "no longer in the design; --prune deletes it".to_owned(),
            ),
            (Some(reason), true) => (Action::Released, reason.to_owned()),
            (None, true) if is_terminating(live) => {
                (Action::Pruned, format!("{why}; it is being deleted"))
            }
            (None, true) => (Action::Pruned, why.to_owned()),
        };
        self.step.action = action;
        self.step.reason = reason;
        false
    }

    fn keep(&mut self, reason: String) {
        self.step.action = Action::Skipped;
        self.step.reason = reason;
    }

    fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.member.kind == kind
    }

    fn is_namespace(&self) -> bool {
        self.is("", "Namespace")
    }

    /// Returns the group and the kind that it defines.
    fn defines(&self) -> Option<(&str, &str)> {
        let (group, kind) = self.live.as_ref()?.defines.as_ref()?;
        Some((group, kind))
    }

    /// Returns the group and the version that it serves.
    fn serves(&self) -> Option<(&str, &str)> {
        let (group, version) = self.live.as_ref()?.serves.as_ref()?;
        Some((group, version))
    }

    fn uid(&self) -> Option<&str> {
        self.live.as_ref()?.uid.as_deref()
    }
}

/// Tells why an object is not ours to delete: what one of the four conditions says of it.
pub fn not_ours(member: &Member, live: &Value, set: &SetId, manager: &str) -> Option<String> {
    match Standing::of(live, set, manager) {
        Standing::Ours => {}
        Standing::Labelled => return Some("no entry of our field manager".to_owned()),
        Standing::OtherSet(set) => {
            return Some(format!("owned by another set ({})", line(&set)));
        }
        Standing::Foreign => return Some("without the label of our set".to_owned()),
    }
    if let Some(controller) = controller(live) {
        return Some(format!("{controller} controls it"));
    }
    let recorded = member.uid.as_deref();
    if recorded.is_some_and(|recorded| uid(live) != Some(recorded)) {
        return Some("another object of the same name".to_owned());
    }
    None
}

/// Why an object of ours is let go of instead of being deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlives {
    /// It was there before us.
    Adopted,
    /// Its deletion policy says so.
    Retained,
}

impl Outlives {
    /// Returns it as a reason.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Adopted => "adopted, so it is given back",
            Self::Retained => "retained by its deletion policy",
        }
    }
}

/// Tells why an object of ours is let go of instead of being deleted.
pub fn outlives(member: &Member, live: &Value) -> Option<Outlives> {
    let annotations = dig(live, &["metadata", "annotations"]).and_then(Value::as_object);
    let policies = Policies::read(&member.kind, annotations).0;
    if origin(Some(member), live) == MemberOrigin::Adopted {
        Some(Outlives::Adopted)
    } else if member.deletion == Deletion::Retain || policies.deletion == Deletion::Retain {
        Some(Outlives::Retained)
    } else {
        None
    }
}

impl Plan {
    /// Tells who lives in a namespace, or is of the kind of a definition, that does not go with this
    /// plan, by what is there now.
    pub fn foreign_in<'c>(&self, contents: &'c [Content]) -> Option<&'c ResourceId> {
        let pruned = self
            .steps
            .iter()
            .filter(|step| step.action == Action::Pruned);
        let removed = pruned.clone().map(|step| &step.id).chain(&self.gone);
        let uids = pruned.filter_map(|step| step.precondition.as_ref()?.uid.as_deref());
        let going = Going {
            removed: removed.collect(),
            uids: uids.collect(),
        };
        going.foreign(contents).first().copied()
    }
}

/// What is removed, by id and by uid.
struct Going<'a> {
    removed: HashSet<&'a ResourceId>,
    uids: HashSet<&'a str>,
}

/// What is known of namespaces and definitions: who of us is in there and stays, and who is in there.
struct Containers<'a> {
    seen: &'a Observation,
    /// One of us that stays, by namespace.
    in_namespace: HashMap<String, ResourceId>,
    /// One of us that stays, by group and kind.
    of_kind: HashMap<(String, String), ResourceId>,
    /// What goes.
    removed: HashSet<ResourceId>,
    /// The uids of what goes.
    removed_uids: HashSet<String>,
}

impl<'a> Containers<'a> {
    fn of(
        plan: &Plan,
        desired: &ResourceSet,
        seen: &'a Observation,
        left: &[Leftover<'a>],
    ) -> Self {
        let mut containers = Self {
            seen,
            in_namespace: HashMap::new(),
            of_kind: HashMap::new(),
            removed: plan.gone.iter().cloned().collect(),
            removed_uids: HashSet::new(),
        };
        for resource in desired {
            containers.stays(
                &resource.id,
                resource.group(),
                &resource.kind,
                resource.namespace.as_deref(),
            );
        }
        for leftover in left {
            let (id, member) = (&leftover.step.id, leftover.member);
            if leftover.step.action == Action::Pruned {
                containers.removed.insert(id.clone());
                containers
                    .removed_uids
                    .extend(leftover.uid().map(str::to_owned));
            } else {
                // A stranger is no member any more, and is there nevertheless.
                containers.removed.remove(id);
                containers.stays(
                    id,
                    leftover.group,
                    &member.kind,
                    member.namespace.as_deref(),
                );
            }
        }
        containers
    }

    fn stays(&mut self, id: &ResourceId, group: &str, kind: &str, namespace: Option<&str>) {
        if let Some(namespace) = namespace {
            self.in_namespace
                .entry(namespace.to_owned())
                .or_insert_with(|| id.clone());
        }
        if !is_built_in_group(group) {
            let kind = (group.to_owned(), kind.to_owned());
            self.of_kind.entry(kind).or_insert_with(|| id.clone());
        }
    }

    /// Returns which namespaces and definitions must stay, with the reason and what has to be looked at.
    fn kept(&self, left: &[Leftover<'_>]) -> Vec<(usize, String, Option<Need>)> {
        let mut kept = Vec::new();
        let going = Going {
            removed: self.removed.iter().collect(),
            uids: self.removed_uids.iter().map(String::as_str).collect(),
        };
        for (index, leftover) in left.iter().enumerate() {
            if leftover.step.action != Action::Pruned {
                continue;
            }
            let (id, name) = (&leftover.step.id, leftover.member.name.as_str());
            let ours = if leftover.is_namespace() {
                let parent = self.seen.parent.as_ref();
                if parent.is_some_and(|parent| parent.namespace() == name) {
                    let reason = "the inventory of this set is in it".to_owned();
                    kept.push((index, reason, None));
                    continue;
                }
                self.in_namespace.get(name)
            } else if leftover.is(DEFINITION.0, DEFINITION.1) {
                let Some((group, kind)) = leftover.defines() else {
                    kept.push((index, "what it defines cannot be read".to_owned(), None));
                    continue;
                };
                self.of_kind.get(&(group.to_owned(), kind.to_owned()))
            } else {
                continue;
            };
            let what = if leftover.is_namespace() {
                "it still holds"
            } else {
                "its kind still has"
            };
            if let Some(staying) = ours {
                kept.push((index, format!("{what} {staying}"), None));
                continue;
            }
            let contents = match self.seen.contents.get(id) {
                Some(Ok(contents)) => contents,
                Some(Err(why)) => {
                    let reason = format!("what it holds cannot be told: {}", line(why));
                    kept.push((index, reason, None));
                    continue;
                }
                None => {
                    let reason = "no longer in the design; what it holds is not known".to_owned();
                    kept.push((index, reason, Some(Need::Contents)));
                    continue;
                }
            };
            let foreign = going.foreign(contents);
            if let Some(first) = foreign.first() {
                let more = match foreign.len() {
                    1 => String::new(),
                    count => format!(" and {} more objects", count - 1),
                };
                let reason = format!("{what} {}{more}, not ours to delete", line(first.as_str()));
                kept.push((index, reason, None));
            }
        }
        kept
    }
}

impl Going<'_> {
    /// Returns what neither goes by itself nor with what goes.
    fn foreign<'c>(&self, contents: &'c [Content]) -> Vec<&'c ResourceId> {
        let mut uids: HashSet<&str> = self.uids.clone();
        let mut open: Vec<&Content> = contents.iter().collect();
        open.retain(|content| {
            let goes = self.removed.contains(&content.id) || self.is_incidental(&content.id);
            if goes {
                uids.extend(content.uid.as_deref());
            }
            !goes
        });
        // Owners of owners; who is deeper down than this counts as foreign.
        for _ in 0..16 {
            let before = open.len();
            let mut more = Vec::new();
            open.retain(|content| {
                let owned = !content.owners.is_empty()
                    && content
                        .owners
                        .iter()
                        .all(|owner| uids.contains(owner.as_str()));
                if owned {
                    more.extend(content.uid.as_deref());
                }
                !owned
            });
            uids.extend(more);
            if open.len() == before {
                break;
            }
        }
        open.into_iter().map(|content| &content.id).collect()
    }

    /// Tells whether a cluster itself puts something into every namespace, or beside what goes.
    fn is_incidental(&self, id: &ResourceId) -> bool {
        let parts: Vec<&str> = id.as_str().split('/').collect();
        match parts[..] {
            ["ServiceAccount", _, "default"]
            | ["ConfigMap", _, "kube-root-ca.crt"]
            | ["Event", ..]
            | ["events.k8s.io", "Event", ..] => true,
            ["Endpoints", namespace, name] => {
                let service = ResourceId::new("", "Service", Some(namespace), name);
                self.removed.contains(&service)
            }
            _ => false,
        }
    }
}

/// The stages of a removal, in this order: who intercepts; what controllers have to clean up, while they
/// still run; what serves and scales; what runs; what it reads; definitions; what holds all of that.
fn stage(leftover: &Leftover<'_>) -> usize {
    if leftover.is_namespace() {
        return 6;
    }
    if !is_built_in_group(leftover.group) {
        return 1;
    }
    match leftover.member.kind.as_str() {
        "MutatingWebhookConfiguration"
        | "ValidatingWebhookConfiguration"
        | "ValidatingAdmissionPolicy"
        | "ValidatingAdmissionPolicyBinding"
        | "MutatingAdmissionPolicy"
        | "MutatingAdmissionPolicyBinding" => 0,
        "APIService" | "HorizontalPodAutoscaler" | "Ingress" => 2,
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "ReplicationController"
        | "Job"
        | "CronJob"
        | "Pod" => 3,
        "CustomResourceDefinition" => 5,
        _ => 4,
    }
}

const STAGES: usize = 7;

/// Orders the steps: the reverse of the order in which such objects are created.
fn ordered(mut left: Vec<Leftover<'_>>, base: usize) -> Vec<Step> {
    left.sort_by(|a, b| {
        let key = |leftover: &Leftover<'_>| {
            let rank = rank(leftover.group, &leftover.member.kind);
            (stage(leftover), std::cmp::Reverse(rank))
        };
        key(a).cmp(&key(b)).then_with(|| a.step.id.cmp(&b.step.id))
    });
    let order = graph(&left, Strength::Firm).order();
    // What live objects say of their dependencies may go in a circle by now.
    let order = order.or_else(|_| graph(&left, Strength::Soft).order());
    let (nodes, levels) = match order {
        Ok(order) => (order.nodes, order.level),
        Err(_) => ((0..left.len()).collect(), vec![1; left.len()]),
    };
    let mut steps: Vec<_> = left
        .into_iter()
        .map(|leftover| Some(leftover.step))
        .collect();
    let (mut ordered, mut level, mut last) = (Vec::with_capacity(steps.len()), base, 0);
    for node in nodes {
        let Some(mut step) = steps.get_mut(node).and_then(Option::take) else {
            continue;
        };
        let own = levels.get(node).copied().unwrap_or_default();
        if own != last {
            last = own;
            level += 1;
        }
        step.level = level;
        ordered.push(step);
    }
    ordered
}

/// Makes the graph of what must go before what: stages behind barriers, contents before what holds them,
/// and what depends on something before that.
fn graph(left: &[Leftover<'_>], explicit: Strength) -> Graph {
    let count = left.len();
    let mut graph = Graph::new(count + STAGES);
    let (mut namespaces, mut definitions, mut servers) =
        (HashMap::new(), HashMap::new(), HashMap::new());
    let mut by_id = HashMap::with_capacity(count);
    for (node, leftover) in left.iter().enumerate() {
        if leftover.is_namespace() {
            namespaces.insert(leftover.member.name.as_str(), node);
        }
        definitions.extend(leftover.defines().map(|kind| (kind, node)));
        servers.extend(leftover.serves().map(|version| (version, node)));
        by_id.insert(leftover.step.id.as_str(), node);
    }
    for (node, leftover) in left.iter().enumerate() {
        let member = leftover.member;
        let stage = stage(leftover);
        graph.depend(count + stage, node, Strength::Soft);
        if let Some(before) = stage.checked_sub(1) {
            graph.depend(node, count + before, Strength::Soft);
        }
        let holder = member
            .namespace
            .as_deref()
            .and_then(|name| namespaces.get(name));
        let definition = definitions.get(&(leftover.group, member.kind.as_str()));
        let server = servers.get(&(leftover.group, member.version.as_str()));
        for &after in [holder, definition, server].into_iter().flatten() {
            graph.depend(after, node, Strength::Firm);
        }
        let annotation = leftover.live.as_ref().map(|live| live.depends_on.as_str());
        let annotation = annotation.unwrap_or_default();
        for text in annotation.split(',').map(str::trim) {
            let own = member.namespace.as_deref();
            if let Some(on) = dependency(text, own, &by_id).filter(|on| *on != node) {
                graph.depend(on, node, explicit);
            }
        }
    }
    for stage in 1..STAGES {
        graph.depend(count + stage, count + stage - 1, Strength::Soft);
    }
    graph
}

/// Finds what a dependency names, as far as its text alone says so.
fn dependency(text: &str, namespace: Option<&str>, by_id: &HashMap<&str, usize>) -> Option<usize> {
    if let Some(node) = by_id.get(text) {
        return Some(*node);
    }
    let (head, name) = text.rsplit_once('/')?;
    let inside = format!("{head}/{}/{name}", namespace?);
    by_id.get(inside.as_str()).copied()
}
