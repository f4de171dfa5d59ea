//! Tables for what is decided by what was seen, and an imitation of a cluster on which plans are run.

mod random;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::*;
use crate::inventory::{Confirmed, MemberOrigin, PART_OF_LABEL, Parent, SetId};
use crate::ownership::is_applied_by;
use crate::resource::{read, shown};

const NAMESPACE: &str = "shop";

fn parent() -> Parent {
    Parent::new("weftctl-shop", "inventories", "shop")
}

fn set() -> SetId {
    parent().id().clone()
}

fn other() -> SetId {
    SetId::of_parent("weftctl-other", "inventories")
}

fn resources(objects: &[Value]) -> ResourceSet {
    let documents: Vec<String> = objects.iter().map(Value::to_string).collect();
    let (set, findings) = read(&documents.join("\n---\n"), Some(NAMESPACE));
    assert_eq!(shown(&findings), [""; 0]);
    set
}

type Path = Vec<String>;

/// An object of the imitated cluster: its value, and who holds which leaves of it.
#[derive(Debug, Clone, PartialEq)]
struct Object {
    value: Value,
    holders: BTreeMap<(String, &'static str), BTreeSet<Path>>,
}

fn leaves(value: &Value, path: &mut Path, found: &mut BTreeSet<Path>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                path.push(key.clone());
                leaves(value, path, found);
                path.pop();
            }
        }
        _ => {
            let names = path.join(".");
            if !["apiVersion", "kind", "metadata.name", "metadata.namespace"]
                .contains(&names.as_str())
            {
                found.insert(path.clone());
            }
        }
    }
}

fn leaves_of(value: &Value) -> BTreeSet<Path> {
    let mut found = BTreeSet::new();
    leaves(value, &mut Vec::new(), &mut found);
    found
}

fn at<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

fn put(value: &mut Value, path: &[String], new: Option<&Value>) {
    let Some((last, init)) = path.split_last() else {
        return;
    };
    let mut place = value;
    for key in init {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[key];
    }
    match new {
        Some(new) => place[last] = new.clone(),
        None => {
            if let Some(map) = place.as_object_mut() {
                map.shift_remove(last);
            }
        }
    }
}

impl Object {
    fn new(value: &Value) -> Self {
        Self {
            value: value.clone(),
            holders: BTreeMap::new(),
        }
    }

    /// Applies; tells what is in conflict when that isn't forced.
    fn apply(&mut self, wanted: &Value, manager: &str, force: bool) -> Result<(), Vec<Path>> {
        let own = (manager.to_owned(), "Apply");
        let new = leaves_of(wanted);
        let changed: Vec<&Path> = new
            .iter()
            .filter(|path| {
                let (live, wanted) = (at(&self.value, path), at(wanted, path));
                // To want it empty takes nothing away from others.
                let is_there = live.is_some_and(Value::is_object) && wanted == Some(&json!({}));
                live != wanted && !is_there
            })
            .collect();
        let is_held = |path: &&&Path| {
            let mut holders = self.holders.iter();
            holders.any(|(holder, held)| *holder != own && held.contains(**path))
        };
        let conflicts: Vec<Path> = changed
            .iter()
            .filter(is_held)
            .map(|p| (*p).clone())
            .collect();
        if !force && !conflicts.is_empty() {
            return Err(conflicts);
        }
        for path in changed {
            put(&mut self.value, path, at(wanted, path));
            for held in self.holders.values_mut() {
                held.remove(path);
            }
        }
        let old = self.holders.insert(own, new.clone()).unwrap_or_default();
        for path in old.difference(&new) {
            if !self.holders.values().any(|held| held.contains(path)) {
                put(&mut self.value, path, None);
            }
        }
        self.holders.retain(|_, held| !held.is_empty());
        Ok(())
    }

    /// Writes a field by an update.
    #[expect(clippy::needless_pass_by_value, reason = "calls are shorter")]
    fn update(&mut self, path: &[&str], value: Option<Value>, manager: &str) {
        let path: Path = path.iter().map(|key| (*key).to_owned()).collect();
        put(&mut self.value, &path, value.as_ref());
        for held in self.holders.values_mut() {
            held.remove(&path);
        }
        if value.is_some() {
            let own = self.holders.entry((manager.to_owned(), "Update"));
            own.or_default().insert(path);
        }
        self.holders.retain(|_, held| !held.is_empty());
    }

    /// Returns the object as a server shows it.
    fn live(&self) -> Value {
        let entries = self.holders.iter().map(|((manager, operation), held)| {
            let mut fields = json!({});
            for path in held {
                let path: Path = path.iter().map(|key| format!("f:{key}")).collect();
                put(&mut fields, &path, Some(&json!({})));
            }
            json!({
                "manager": manager, "operation": operation, "fieldsType": "FieldsV1",
                "apiVersion": self.value["apiVersion"], "fieldsV1": fields,
                "time": "2026-01-01T00:00:00Z",
            })
        });
        let entries: Vec<Value> = entries.collect();
        let mut live = self.value.clone();
        live["metadata"]["managedFields"] = entries.into();
        live
    }

    fn uid(&self) -> Option<&str> {
        self.value["metadata"]["uid"].as_str()
    }
}

/// An imitated cluster, with the inventory of our set.
#[derive(Debug, Clone, PartialEq)]
struct World {
    objects: BTreeMap<ResourceId, Object>,
    parent: Parent,
    written: u64,
}

impl World {
    fn new() -> Self {
        Self {
            objects: BTreeMap::new(),
            parent: parent(),
            written: 0,
        }
    }

    /// Somebody applies an object.
    fn create(&mut self, id: &ResourceId, value: &Value, manager: &str, operation: &'static str) {
        self.written += 1;
        let mut object = Object::new(value);
        object.value["metadata"]["uid"] = format!("uid-{}", self.written).into();
        object.value["metadata"]["resourceVersion"] = self.written.to_string().into();
        let own = (manager.to_owned(), operation);
        object.holders.insert(own, leaves_of(value));
        assert!(
            self.objects.insert(id.clone(), object).is_none(),
            "{id} is there already"
        );
    }

    fn is_inside(container: &Value, value: &Value) -> bool {
        match container["kind"].as_str() {
            Some("Namespace") => value["metadata"]["namespace"] == container["metadata"]["name"],
            Some("CustomResourceDefinition") => value["kind"] == container["spec"]["names"]["kind"],
            _ => false,
        }
    }

    fn contents(&self, container: &Value) -> Vec<Content> {
        let objects = self.objects.iter();
        let inside = objects.filter(|(_, object)| Self::is_inside(container, &object.value));
        inside
            .map(|(id, object)| Content::of(id.clone(), &object.value))
            .collect()
    }

    fn observe(&self) -> Observation {
        let mut seen = Observation::new(set());
        seen.parent = Some(self.parent.clone());
        for (id, object) in &self.objects {
            seen.live.insert(id.clone(), &object.live());
            if ["Namespace", "CustomResourceDefinition"]
                .contains(&object.value["kind"].as_str().unwrap_or(""))
            {
                seen.contents
                    .insert(id.clone(), Ok(self.contents(&object.value)));
            }
        }
        seen
    }

    fn plan(&self, desired: &ResourceSet, options: Options) -> Plan {
        let seen = self.observe();
        plan(desired, &Observed::Cluster(&seen, options)).expect("there is no circle")
    }

    /// Does what a plan says, as a server would let it.
    fn run(&mut self, desired: &ResourceSet, plan: &Plan) {
        assert_eq!(plan.refusals().count(), 0, "{plan:?}");
        assert_eq!(plan.needs_check(), []);
        self.parent = self.parent.grow(plan.members().cloned());
        let (manager, id) = (set().field_manager(), set());
        let mut confirmed = Confirmed {
            gone: plan.gone.clone(),
            ..Confirmed::default()
        };
        for step in &plan.steps {
            let live = self
                .objects
                .get(&step.id)
                .map(|object| Precondition::of(&object.value));
            if !matches!(step.action, Action::Skipped | Action::Unchanged) {
                assert_eq!(live, step.precondition, "{step:?}");
            }
            let resource = step.index.and_then(|index| desired.get(index));
            let wanted = resource.zip(step.member.as_ref());
            let wanted = wanted.map(|(resource, member)| outgoing(resource, &id, member.origin));
            match (step.action, wanted) {
                (Action::Created, Some(wanted)) => {
                    self.create(&step.id, &wanted, &manager, "Apply");
                }
                (Action::Replaced, Some(wanted)) => {
                    self.objects.remove(&step.id);
                    self.create(&step.id, &wanted, &manager, "Apply");
                }
                (Action::Configured | Action::Adopted, Some(wanted)) => {
                    let object = self.objects.get_mut(&step.id).expect("it was seen");
                    for client in &step.migrate {
                        let theirs = object.holders.remove(&(client.clone(), "Update"));
                        let own = object
                            .holders
                            .entry((manager.clone(), "Apply"))
                            .or_default();
                        own.extend(theirs.into_iter().flatten());
                    }
                    let applied = object.apply(&wanted, &manager, step.force);
                    assert_eq!(applied, Ok(()), "{step:?}");
                }
                (Action::Pruned, None) => {
                    let object = self.objects.remove(&step.id).expect("it was seen");
                    assert_eq!(self.contents(&object.value), [], "{step:?}");
                    confirmed.gone.push(step.id.clone());
                }
                (Action::Released, None) => {
                    let object = self.objects.get_mut(&step.id).expect("it was seen");
                    put(
                        &mut object.value,
                        &path(&["metadata", "labels", PART_OF_LABEL]),
                        None,
                    );
                    put(
                        &mut object.value,
                        &path(&["metadata", "annotations", ORIGIN]),
                        None,
                    );
                    object.holders.retain(|(holder, _), _| *holder != manager);
                    confirmed.gone.push(step.id.clone());
                }
                (Action::Unchanged | Action::Skipped, _) => {}
                (action, wanted) => panic!("{action} {wanted:?}"),
            }
            if let Some(mut member) = step.member.clone() {
                if let Some(object) = self.objects.get(&step.id)
                    && step.action != Action::Skipped
                {
                    member.uid = object.uid().map(str::to_owned);
                }
                confirmed.present.push(member);
            }
        }
        self.parent = self.parent.shrink(confirmed);
    }
}

fn path(keys: &[&str]) -> Path {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

fn id(text: &str) -> ResourceId {
    ResourceId::from(text.to_owned())
}

fn map(name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}, "data": data})
}

fn annotated(mut object: Value, annotations: &[(&str, &str)]) -> Value {
    for (key, value) in annotations {
        object["metadata"]["annotations"][format!("weftctl.dev/{key}")] = (*value).into();
    }
    object
}

/// What a plan does: `action id: reason`.
fn told(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter();
    let steps = steps.map(|step| match step.reason.as_str() {
        "" => format!("{} {}", step.action, step.id),
        reason => format!("{} {}: {reason}", step.action, step.id),
    });
    steps.collect()
}

const NONE: Options = Options {
    prune: false,
    release: false,
    adopt: false,
    replace: false,
    force_conflicts: false,
    repair: false,
    migrate: false,
};
const REPAIR: Options = Options {
    repair: true,
    ..NONE
};
const PRUNE: Options = Options {
    prune: true,
    ..NONE
};
const ADOPT: Options = Options {
    adopt: true,
    ..NONE
};
const REPLACE: Options = Options {
    replace: true,
    ..NONE
};
const FORCE: Options = Options {
    force_conflicts: true,
    ..NONE
};
const ALL: Options = Options {
    adopt: true,
    replace: true,
    force_conflicts: true,
    ..PRUNE
};

/// Deploys objects into an empty world.
fn deployed(objects: &[Value]) -> World {
    let mut world = World::new();
    let desired = resources(objects);
    let plan = world.plan(&desired, NONE);
    world.run(&desired, &plan);
    world
}

fn object_mut<'a>(world: &'a mut World, text: &str) -> &'a mut Object {
    world.objects.get_mut(text).expect("it was deployed")
}

#[test]
fn what_was_deployed_is_unchanged_and_what_was_changed_says_how() {
    let data = json!({"a": "1", "b": "2", "c": "3"});
    let world = deployed(&[map("x", &data)]);
    let same = world.plan(&resources(&[map("x", &data)]), NONE);
    assert_eq!(told(&same), ["unchanged ConfigMap/shop/x"]);
    assert_eq!(
        same.steps[0].precondition,
        Some(Precondition {
            uid: Some("uid-1".to_owned()),
            resource_version: Some("1".to_owned()),
        })
    );
    let new = json!({"a": "1", "b": "4", "d": "5"});
    let changed = world.plan(&resources(&[map("x", &new)]), NONE);
    assert_eq!(
        told(&changed),
        ["configured ConfigMap/shop/x: data.b: 2 -> 4 and 2 more fields"]
    );
    assert_eq!(changed.steps[0].changes.len(), 3);
    assert!(!changed.steps[0].force);
}

#[test]
fn an_unchanged_object_with_another_recorded_hash_is_unchanged_and_the_hash_refreshed() {
    let data = json!({"a": "1"});
    let mut world = deployed(&[map("x", &data)]);
    let mut member = world
        .parent
        .get(&id("ConfigMap/shop/x"))
        .cloned()
        .expect("it is a member");
    let hash = member.hash.take();
    world.parent = world.parent.shrink(Confirmed {
        present: vec![member],
        gone: Vec::new(),
    });
    let plan = world.plan(&resources(&[map("x", &data)]), NONE);
    assert_eq!(told(&plan), ["unchanged ConfigMap/shop/x"]);
    assert_eq!(
        plan.steps[0]
            .member
            .as_ref()
            .and_then(|member| member.hash.clone()),
        hash
    );
}

#[test]
fn fields_of_others_are_taken_only_where_that_is_allowed() {
    let object = map("x", &json!({"a": "1"}));
    let mut world = deployed(std::slice::from_ref(&object));
    object_mut(&mut world, "ConfigMap/shop/x").update(
        &["data", "a"],
        Some("9".into()),
        "kubectl-edit",
    );
    let stuck = world.plan(&resources(std::slice::from_ref(&object)), ALL_BUT_FORCE);
    assert_eq!(
        told(&stuck),
        [
            "failed ConfigMap/shop/x: data.a is held by kubectl-edit; --force-conflicts takes it over"
        ]
    );
    let refusal = stuck.refusals().next().map(|(_, refusal)| refusal.clone());
    let conflict = FieldConflict {
        manager: "kubectl-edit".to_owned(),
        subresource: None,
        field: "data.a".to_owned(),
    };
    assert_eq!(
        refusal,
        Some(Refusal::Conflict {
            conflicts: vec![conflict]
        })
    );
    let policy = annotated(object.clone(), &[("conflict-policy", "Force")]);
    for (object, options) in [(object.clone(), FORCE), (policy, NONE)] {
        let desired = resources(&[object]);
        let plan = world.plan(&desired, options);
        assert_eq!(plan.steps[0].action, Action::Configured);
        let changes = &plan.steps[0].changes;
        let drift = changes.iter().find(|drift| drift.path == "data.a");
        assert_eq!(drift.and_then(|drift| drift.live.clone()), Some("9".into()));
        assert!(plan.steps[0].force);
        let mut world = world.clone();
        world.run(&desired, &plan);
        assert_eq!(
            told(&world.plan(&desired, NONE)),
            ["unchanged ConfigMap/shop/x"]
        );
    }
    // What is left to others is none of our business.
    let ignoring = annotated(object, &[("ignore-fields", "data.a")]);
    let desired = resources(&[ignoring]);
    let plan = world.plan(&desired, NONE);
    assert_eq!(plan.refusals().count(), 0);
    world.run(&desired, &plan);
    assert_eq!(
        told(&world.plan(&desired, NONE)),
        ["unchanged ConfigMap/shop/x"]
    );
    assert_eq!(
        world.objects[&id("ConfigMap/shop/x")].value["data"]["a"],
        "9"
    );
}

const ALL_BUT_FORCE: Options = Options {
    force_conflicts: false,
    ..ALL
};

#[test]
fn what_exists_without_us_is_taken_only_when_asked_for_and_given_back() {
    let wanted = map("x", &json!({"a": "1"}));
    let name = id("ConfigMap/shop/x");
    let labelled = |set: &SetId| {
        let mut object = wanted.clone();
        object["metadata"]["labels"] = json!({PART_OF_LABEL: set});
        object
    };
    let found = map("x", &json!({"a": "0", "theirs": "1"}));
    let other = other();
    let cases = [
        (
            found.clone(),
            "kubectl-client-side-apply",
            "Update",
            Some("exists and was applied by kubectl-client-side-apply; --adopt takes it over"),
        ),
        (
            found.clone(),
            "operator",
            "Update",
            Some("exists and was written by operator; --adopt takes it over"),
        ),
        (
            found,
            "argocd",
            "Apply",
            Some("exists and was applied by argocd; --adopt takes it over"),
        ),
        (
            labelled(&set()),
            "copier",
            "Update",
            Some("not ours: no entry of our field manager; --adopt takes it over"),
        ),
        (labelled(&other), &other.field_manager(), "Apply", None),
    ];
    let desired = resources(std::slice::from_ref(&wanted));
    for (live, manager, operation, expected) in cases {
        let mut world = World::new();
        world.create(&name, &live, manager, operation);
        let before = world.objects.clone();
        let plan = world.plan(&desired, NONE);
        let (_, refusal) = plan.refusals().next().expect("it is refused");
        let Some(expected) = expected else {
            // Whatever is allowed.
            let reason = format!("failed {name}: owned by another set ({other})");
            for options in [NONE, ALL] {
                let plan = world.plan(&desired, options);
                assert_eq!(told(&plan), [reason.as_str()]);
                assert_eq!(
                    plan.steps[0].blocking,
                    Some(Refusal::OwnedBySet {
                        set: other.to_string()
                    })
                );
            }
            continue;
        };
        assert_eq!(told(&plan), [format!("failed {name}: {expected}")]);
        assert!(matches!(refusal, Refusal::Exists { owners } if owners[0].manager == manager));
        let policy = resources(&[annotated(wanted.clone(), &[("adopt", "true")])]);
        assert_eq!(world.plan(&policy, FORCE).steps[0].action, Action::Adopted);
        // A person's tool gives way, a controller has to be overridden.
        let is_client = manager.starts_with("kubectl");
        let differs = live["data"]["a"] == "0";
        let plan = world.plan(&desired, ADOPT);
        assert_eq!(
            plan.refusals().count(),
            usize::from(differs && !is_client),
            "{manager}"
        );
        let plan = world.plan(&desired, ALL);
        let step = &plan.steps[0];
        assert_eq!(step.action, Action::Adopted);
        assert_eq!(
            step.member.as_ref().map(|member| member.origin),
            Some(MemberOrigin::Adopted)
        );
        assert_eq!(step.migrate, if is_client { vec![manager] } else { vec![] });
        world.run(&desired, &plan);
        assert_eq!(
            world.objects[&name].value["metadata"]["annotations"][ORIGIN],
            ADOPTED
        );
        assert_eq!(
            told(&world.plan(&desired, NONE)),
            ["unchanged ConfigMap/shop/x"]
        );
        let undeploy = world.plan(&ResourceSet::default(), PRUNE);
        assert_eq!(
            told(&undeploy),
            ["released ConfigMap/shop/x: adopted, so it is given back"]
        );
        world.run(&ResourceSet::default(), &undeploy);
        assert!(world.parent.is_empty());
        assert_eq!(world.objects[&name].uid(), before[&name].uid());
    }
}

#[test]
fn what_is_created_once_is_left_alone_even_when_it_is_gone() {
    let once = |data: &str| {
        annotated(
            map("x", &json!({"a": data})),
            &[("creation-policy", "Once")],
        )
    };
    let desired = resources(&[once("2")]);
    let mut world = deployed(&[once("1")]);
    assert_eq!(
        told(&world.plan(&desired, ALL)),
        ["unchanged ConfigMap/shop/x: created once"]
    );
    let name = id("ConfigMap/shop/x");
    // Cut off before it was recorded.
    let mut cut = world.clone();
    let mut member = cut.parent.get(&name).cloned().expect("it is a member");
    (member.uid, member.hash) = (None, None);
    cut.parent = cut.parent.shrink(Confirmed {
        present: vec![member],
        gone: vec![],
    });
    assert_eq!(
        told(&cut.plan(&desired, ALL)),
        ["unchanged ConfigMap/shop/x: created once"]
    );
    cut.objects.clear();
    assert_eq!(
        told(&cut.plan(&desired, ALL)),
        ["created ConfigMap/shop/x: new"]
    );
    world.objects.clear();
    assert_eq!(
        told(&world.plan(&desired, ALL)),
        ["created ConfigMap/shop/x: somebody deleted it; created again"]
    );
    world.create(&name, &once("3"), "kubectl", "Update");
    assert_eq!(
        told(&world.plan(&desired, ALL)),
        ["skipped ConfigMap/shop/x: created once; the object of this name is another one"]
    );
}

#[test]
fn an_adoption_that_was_cut_off_before_its_turn_has_written_nothing() {
    let once = annotated(map("x", &json!({"a": "1"})), &[("creation-policy", "Once")]);
    let desired = resources(&[once]);
    let mut world = World::new();
    let name = id("ConfigMap/shop/x");
    world.create(&name, &map("x", &json!({"a": "0"})), "kubectl", "Update");
    let plan = world.plan(&desired, ADOPT);
    let first = told(&plan);
    assert!(first[0].starts_with("adopted "), "{first:?}");
    world.parent = world.parent.grow(plan.members().cloned());
    assert_eq!(told(&world.plan(&desired, ADOPT)), first);
    let plan = world.plan(&desired, ADOPT);
    world.run(&desired, &plan);
    assert_eq!(
        told(&world.plan(&desired, ADOPT)),
        ["unchanged ConfigMap/shop/x: created once"]
    );
}

#[test]
fn what_is_lost_or_being_deleted_is_created_again() {
    let object = map("x", &json!({"a": "1"}));
    let desired = resources(std::slice::from_ref(&object));
    let mut world = deployed(&[object]);
    object_mut(&mut world, "ConfigMap/shop/x").value["metadata"]["deletionTimestamp"] =
        "2026-01-01T00:00:00Z".into();
    let plan = world.plan(&desired, NONE);
    assert_eq!(
        told(&plan),
        ["created ConfigMap/shop/x: is being deleted; created when it is gone"]
    );
    let wait = &plan.steps[0].waits[0];
    assert_eq!(
        (wait.on.as_str(), wait.until, wait.why),
        ("ConfigMap/shop/x", Until::Gone, Why::Terminating)
    );
    assert_eq!(
        told(&world.plan(&ResourceSet::default(), PRUNE)),
        ["pruned ConfigMap/shop/x: undeployed; it is being deleted"]
    );
    world.objects.clear();
    assert_eq!(
        told(&world.plan(&desired, NONE)),
        ["created ConfigMap/shop/x: somebody deleted it; created again"]
    );
    let mut seen = world.observe();
    seen.unseen
        .insert(id("ConfigMap/shop/x"), "its namespace is new".to_owned());
    let plan = super::plan(&desired, &Observed::Cluster(&seen, NONE)).expect("there is no circle");
    assert!(plan.steps[0].not_checked_by_server);
    assert_eq!(
        told(&plan),
        ["created ConfigMap/shop/x: new; not checked by the server: its namespace is new"]
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn immutable_fields_are_named_and_replaced_only_when_asked_for() {
    let object = |api: &str, kind: &str, rest: Value| {
        let mut object = json!({"apiVersion": api, "kind": kind, "metadata": {"name": "x"}});
        let map = object.as_object_mut().expect("it is a mapping");
        map.extend(rest.as_object().cloned().expect("it is a mapping"));
        object
    };
    let apps = "apps/v1";
    let rbac = "rbac.authorization.k8s.io/v1";
    let crd = "apiextensions.k8s.io/v1";
    // Kind, before, after, immutable fields (none: it can be changed).
    let cases = [
        (
            apps,
            "Deployment",
            json!({"spec": {"selector": {"matchLabels": {"a": "b"}}}}),
            json!({"spec": {"selector": {"matchLabels": {"a": "c"}}}}),
            "spec.selector",
        ),
        (
            apps,
            "Deployment",
            json!({"spec": {"replicas": 1}}),
            json!({"spec": {"replicas": 2}}),
            "",
        ),
        (
            "batch/v1",
            "Job",
            json!({"spec": {"template": {"spec": {"restartPolicy": "Never"}}}}),
            json!({"spec": {"template": {"spec": {"restartPolicy": "OnFailure"}}}}),
            "spec.template",
        ),
        (
            "batch/v1",
            "Job",
            json!({"spec": {"parallelism": 1}}),
            json!({"spec": {"parallelism": 2}}),
            "",
        ),
        (
            "batch/v1",
            "Job",
            json!({"spec": {"completions": 1}}),
            json!({"spec": {"completions": 2}}),
            "spec.completions",
        ),
        (
            "batch/v1",
            "Job",
            json!({"spec": {"completionMode": "Indexed", "completions": 1, "parallelism": 1}}),
            json!({"spec": {"completionMode": "Indexed", "completions": 2, "parallelism": 2}}),
            "",
        ),
        (
            "batch/v1",
            "Job",
            json!({"spec": {"suspend": true, "template": {"spec": {"nodeSelector": {"a": "1"}}}}}),
            json!({"spec": {"suspend": true, "template": {"spec": {"nodeSelector": {"a": "2"}}}}}),
            "",
        ),
        (
            apps,
            "StatefulSet",
            json!({"spec": {"serviceName": "a", "replicas": 1}}),
            json!({"spec": {"serviceName": "b", "replicas": 2}}),
            "spec.serviceName",
        ),
        (
            apps,
            "StatefulSet",
            json!({"spec": {"replicas": 1, "template": {"metadata": {"labels": {"a": "1"}}}}}),
            json!({"spec": {"replicas": 2, "template": {"metadata": {"labels": {"a": "2"}}}}}),
            "",
        ),
        (
            rbac,
            "RoleBinding",
            json!({"roleRef": {"name": "a"}}),
            json!({"roleRef": {"name": "b"}}),
            "roleRef",
        ),
        (
            "v1",
            "ConfigMap",
            json!({"immutable": true, "data": {"a": "1"}}),
            json!({"immutable": true, "data": {"a": "2"}}),
            "data",
        ),
        (
            "v1",
            "ConfigMap",
            json!({"immutable": true, "data": {"a": "1"}}),
            json!({"immutable": false, "data": {"a": "1"}}),
            "immutable",
        ),
        (
            "v1",
            "ConfigMap",
            json!({"data": {"a": "1"}}),
            json!({"immutable": true, "data": {"a": "2"}}),
            "",
        ),
        (
            "v1",
            "Secret",
            json!({"type": "a"}),
            json!({"type": "b"}),
            "type",
        ),
        (
            "v1",
            "Service",
            json!({"spec": {"clusterIP": "10.0.0.1"}}),
            json!({"spec": {"clusterIP": "None"}}),
            "spec.clusterIP",
        ),
        (
            "v1",
            "Service",
            json!({"spec": {"type": "NodePort"}}),
            json!({"spec": {"type": "ClusterIP", "clusterIP": "10.0.0.7"}}),
            "",
        ),
        (
            "v1",
            "Service",
            json!({"spec": {"clusterIP": "10.0.0.1"}}),
            json!({"spec": {"type": "ExternalName", "clusterIP": ""}}),
            "",
        ),
        (
            "v1",
            "Pod",
            json!({"spec": {"nodeName": "a"}}),
            json!({"spec": {"nodeName": "b"}}),
            "spec.nodeName",
        ),
        (
            "v1",
            "PersistentVolume",
            json!({"spec": {"hostPath": {"path": "/a"}}}),
            json!({"spec": {"hostPath": {"path": "/b"}}}),
            "spec.hostPath",
        ),
        (
            "v1",
            "PersistentVolume",
            json!({"spec": {"persistentVolumeReclaimPolicy": "Retain"}}),
            json!({"spec": {"persistentVolumeReclaimPolicy": "Delete"}}),
            "",
        ),
        (
            "v1",
            "PersistentVolumeClaim",
            json!({"spec": {"resources": {"requests": {"storage": "1Gi"}}}}),
            json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}}),
            "",
        ),
        (
            "v1",
            "PersistentVolumeClaim",
            json!({"spec": {"resources": {"requests": {"storage": "1Gi"}}}}),
            json!({"spec": {"resources": {"requests": {"storage": "500Mi"}}}}),
            "spec.resources.requests.storage",
        ),
        (
            "v1",
            "PersistentVolumeClaim",
            json!({"spec": {"storageClassName": "a"}}),
            json!({"spec": {"storageClassName": "b"}}),
            "spec.storageClassName",
        ),
        (
            "v1",
            "PersistentVolumeClaim",
            json!({"spec": {"storageClassName": "a"}}),
            json!({"spec": {"storageClassName": "a", "volumeName": "v"}}),
            "",
        ),
        (
            "storage.k8s.io/v1",
            "StorageClass",
            json!({"provisioner": "a"}),
            json!({"provisioner": "b"}),
            "provisioner",
        ),
        (
            crd,
            "CustomResourceDefinition",
            json!({"spec": {"scope": "Cluster"}}),
            json!({"spec": {"scope": "Namespaced"}}),
            "spec.scope",
        ),
        (
            "example.com/v1",
            "Thing",
            json!({"spec": {"selector": "a"}}),
            json!({"spec": {"selector": "b"}}),
            "",
        ),
    ];
    for (api, kind, before, after, field) in cases {
        let world = deployed(&[object(api, kind, before.clone())]);
        let after = object(api, kind, after);
        let plan =
            |object: &Value, options| world.plan(&resources(std::slice::from_ref(object)), options);
        let refused = plan(&after, NONE);
        let name = &refused.steps[0].id;
        if field.is_empty() {
            assert_eq!(
                refused.steps[0].action,
                Action::Configured,
                "{kind} {before}: {refused:?}"
            );
            continue;
        }
        let is_precious = [
            "PersistentVolume",
            "PersistentVolumeClaim",
            "CustomResourceDefinition",
        ]
        .contains(&kind);
        let how = if is_precious {
            "the annotation weftctl.dev/replace: \"true\""
        } else {
            "--replace"
        };
        assert_eq!(
            told(&refused),
            [format!(
                "failed {name}: immutable field {field} changed; {how} deletes and creates it anew"
            )]
        );
        assert_eq!(
            refused.steps[0].blocking,
            Some(Refusal::Immutable {
                fields: vec![field.to_owned()]
            })
        );
        let replaced = [format!("replaced {name}: immutable field {field} changed")];
        let annotation = annotated(after.clone(), &[("replace", "true")]);
        assert_eq!(told(&plan(&annotation, NONE)), replaced);
        let forced = plan(&after, REPLACE);
        assert_eq!(
            forced.steps[0].action,
            if is_precious {
                Action::Failed
            } else {
                Action::Replaced
            }
        );
        let (mut world, desired) = (world.clone(), resources(&[annotation]));
        let again = world.plan(&desired, NONE);
        world.run(&desired, &again);
        assert_eq!(
            told(&world.plan(&desired, NONE)),
            [format!("unchanged {name}")]
        );
    }
}

#[test]
fn what_only_the_server_can_tell_is_asked_and_its_answer_believed() {
    let object = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"},
        "spec": {"hard": {"cpu": "1"}},
    });
    let name = id("ResourceQuota/shop/q");
    let desired = resources(std::slice::from_ref(&object));
    let world = deployed(&[object]);
    // Fields may have other names in the version in which they are held.
    let mut seen = world.observe();
    let mut broken = seen.live.get(&name).expect("it was seen");
    broken["metadata"]["managedFields"][0]["apiVersion"] = "v2".into();
    seen.live.insert(name.clone(), &broken);
    let live_now = broken;
    let again = |seen: &Observation, options| {
        plan(&desired, &Observed::Cluster(seen, options)).expect("there is no circle")
    };
    let asked = again(&seen, NONE);
    assert_eq!(asked.needs_check(), std::slice::from_ref(&name));
    assert_eq!(asked.steps[0].action, Action::Configured);
    assert!(
        asked.steps[0]
            .reason
            .starts_with("only the server can tell: ")
    );
    let conflict = |field: &str| {
        Checked::Conflicts(vec![FieldConflict {
            manager: "hpa".to_owned(),
            subresource: None,
            field: field.to_owned(),
        }])
    };
    let refused = |message: &str, field: &str| Checked::Refused {
        message: message.to_owned(),
        fields: vec![field.to_owned()],
    };
    let mut changed = live_now.clone();
    changed["spec"]["hard"]["cpu"] = "7".into();
    let mut timed = live_now.clone();
    timed["metadata"]["managedFields"][0]["time"] = "2030-01-01T00:00:00Z".into();
    let mut holders = live_now.clone();
    holders["metadata"]["managedFields"][0]["apiVersion"] = "v1".into();
    let part_of = format!("metadata.labels[\"{PART_OF_LABEL}\"]");
    let cases = [
        (
            Checked::Object(live_now),
            NONE,
            "unchanged ResourceQuota/shop/q",
        ),
        (
            Checked::Object(timed),
            NONE,
            "unchanged ResourceQuota/shop/q",
        ),
        (
            Checked::Object(changed),
            NONE,
            "configured ResourceQuota/shop/q: spec.hard.cpu: 1 -> 7",
        ),
        (
            Checked::Object(holders),
            NONE,
            "configured ResourceQuota/shop/q: metadata.managedFields becomes ours",
        ),
        (
            conflict("spec.x"),
            NONE,
            "failed ResourceQuota/shop/q: spec.x is held by hpa; --force-conflicts takes it over",
        ),
        (
            conflict("spec.x"),
            FORCE,
            "configured ResourceQuota/shop/q: spec.x is held by hpa; taken over",
        ),
        (
            conflict(&part_of),
            FORCE,
            "failed ResourceQuota/shop/q: its label of our set is held by hpa",
        ),
        (
            refused("spec.x: field is immutable", "spec.x"),
            NONE,
            "failed ResourceQuota/shop/q: immutable field spec.x changed; --replace deletes and creates it anew",
        ),
        (
            refused("spec.x: field is immutable", "spec.x"),
            REPLACE,
            "replaced ResourceQuota/shop/q: immutable field spec.x changed",
        ),
        (
            refused("failed calling\nwebhook", ""),
            NONE,
            "configured ResourceQuota/shop/q: the server could not check it: failed calling webhook",
        ),
    ];
    for (answer, options, expected) in cases {
        seen.checked.insert(name.clone(), answer);
        let plan = again(&seen, options);
        assert_eq!(told(&plan), [expected]);
        assert_eq!(plan.needs_check(), []);
    }
}

#[test]
fn merged_and_replaced_objects_are_compared_by_their_values() {
    for strategy in ["merge", "replace"] {
        let object = |data: Value| annotated(map("x", &data), &[("patch-strategy", strategy)]);
        let mut world = deployed(&[object(json!({"a": "1"}))]);
        let same = resources(&[object(json!({"a": "1"}))]);
        assert_eq!(
            told(&world.plan(&same, NONE)),
            ["unchanged ConfigMap/shop/x"]
        );
        object_mut(&mut world, "ConfigMap/shop/x").update(
            &["data", "a"],
            Some("5".into()),
            "somebody",
        );
        assert_eq!(
            told(&world.plan(&same, NONE)),
            [
                "failed ConfigMap/shop/x: data.a is held by somebody; --force-conflicts takes it over"
            ]
        );
        let force = Options {
            force_conflicts: true,
            ..NONE
        };
        assert_eq!(
            told(&world.plan(&same, force)),
            ["configured ConfigMap/shop/x: data.a: 5 -> 1"]
        );
    }
}

#[test]
fn a_repair_takes_back_what_was_ours_and_nothing_else() {
    for strategy in ["apply", "merge", "replace"] {
        let object = |data: Value| annotated(map("x", &data), &[("patch-strategy", strategy)]);
        let mut world = deployed(&[object(json!({"a": "1"}))]);
        let same = resources(&[object(json!({"a": "1"}))]);
        let other = resources(&[object(json!({"a": "2"}))]);
        object_mut(&mut world, "ConfigMap/shop/x").update(
            &["data", "a"],
            Some("5".into()),
            "somebody",
        );
        assert_eq!(
            told(&world.plan(&same, REPAIR)),
            ["configured ConfigMap/shop/x: data.a: 5 -> 1"]
        );
        // Whether the other value was there before this one was wanted, nobody knows.
        assert_eq!(
            told(&world.plan(&other, REPAIR)),
            [
                "failed ConfigMap/shop/x: data.a is held by somebody; --force-conflicts takes it over"
            ]
        );
    }
    let mut world = deployed(&[map("x", &json!({"a": "1"}))]);
    let label = ["metadata", "labels", PART_OF_LABEL];
    object_mut(&mut world, "ConfigMap/shop/x").update(&label, None, "somebody");
    let same = resources(&[map("x", &json!({"a": "1"}))]);
    let plan = told(&world.plan(&same, NONE));
    assert!(plan[0].starts_with("failed ConfigMap/shop/x: "), "{plan:?}");
    let plan = told(&world.plan(&same, REPAIR));
    assert!(
        plan[0].starts_with("adopted ConfigMap/shop/x: "),
        "{plan:?}"
    );
    // What was there before us is still somebody's.
    let mut world = World::new();
    let theirs = map("x", &json!({"a": "1"}));
    world.create(&id("ConfigMap/shop/x"), &theirs, "somebody", "Update");
    let plan = told(&world.plan(&same, REPAIR));
    assert!(plan[0].starts_with("failed ConfigMap/shop/x: "), "{plan:?}");
}

#[test]
fn values_of_secrets_stay_in_the_dark() {
    let secret = |value: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"k": value}});
    for strategy in ["apply", "merge"] {
        let object = |value| annotated(secret(value), &[("patch-strategy", strategy)]);
        let world = deployed(&[object("aHVudGVyMg==")]);
        let plan = world.plan(&resources(&[object("c2VjcmV0Mg==")]), NONE);
        assert_eq!(
            told(&plan),
            ["configured Secret/shop/s: data.k: •••••••• (differs) -> ••••••••"]
        );
        let text = format!(
            "{plan:?}{}{:?}",
            serde_json::to_string(&plan).expect("it has a JSON form"),
            world.observe()
        );
        assert!(
            !text.contains("aHVudGVyMg") && !text.contains("c2VjcmV0Mg"),
            "{text}"
        );
    }
}

#[test]
fn a_member_is_deleted_only_with_all_four() {
    type Change = fn(&mut World);
    let cases: [(&str, Change); 6] = [
        ("pruned ConfigMap/shop/x: undeployed", |_| {}),
        (
            "skipped ConfigMap/shop/x: not ours: without the label of our set",
            |world| {
                object_mut(world, "ConfigMap/shop/x").update(
                    &["metadata", "labels", PART_OF_LABEL],
                    None,
                    "a",
                );
            },
        ),
        (
            "skipped ConfigMap/shop/x: not ours: owned by another set (applyset-",
            |world| {
                let label = Some(other().to_string().into());
                object_mut(world, "ConfigMap/shop/x").update(
                    &["metadata", "labels", PART_OF_LABEL],
                    label,
                    "a",
                );
            },
        ),
        (
            "skipped ConfigMap/shop/x: not ours: no entry of our field manager",
            |world| {
                object_mut(world, "ConfigMap/shop/x").holders.clear();
            },
        ),
        (
            "skipped ConfigMap/shop/x: not ours: Service/web controls it",
            |world| {
                object_mut(world, "ConfigMap/shop/x").value["metadata"]["ownerReferences"] =
                    json!([{"kind": "Service", "name": "web", "uid": "1", "controller": true}]);
            },
        ),
        (
            "skipped ConfigMap/shop/x: not ours: another object of the same name",
            |world| {
                object_mut(world, "ConfigMap/shop/x").value["metadata"]["uid"] = "another".into();
            },
        ),
    ];
    for (expected, change) in cases {
        let mut world = deployed(&[map("x", &json!({"a": "1"}))]);
        change(&mut world);
        let before = world.objects.clone();
        let plan = world.plan(&ResourceSet::default(), PRUNE);
        let told = told(&plan);
        assert!(told.len() == 1 && told[0].starts_with(expected), "{told:?}");
        let pruned = plan.steps[0].action == Action::Pruned;
        assert_eq!(plan.gone.is_empty(), pruned);
        world.run(&ResourceSet::default(), &plan);
        assert!(world.parent.is_empty());
        assert_eq!(world.objects == before, !pruned);
    }
    // Nobody recorded the uid, because the run was cut off.
    let mut world = deployed(&[map("x", &json!({"a": "1"}))]);
    let mut member = world
        .parent
        .get(&id("ConfigMap/shop/x"))
        .cloned()
        .expect("it is a member");
    member.uid = None;
    world.parent = world.parent.shrink(Confirmed {
        present: vec![member],
        gone: vec![],
    });
    assert_eq!(
        told(&world.plan(&ResourceSet::default(), PRUNE)),
        ["pruned ConfigMap/shop/x: undeployed"]
    );
}

#[test]
fn what_is_no_longer_wanted_stays_without_prune_and_where_its_policy_says_so() {
    let claim =
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "p"}});
    let objects = [
        map("a", &json!({})),
        annotated(map("b", &json!({})), &[("deletion-policy", "Retain")]),
        claim,
    ];
    let mut world = deployed(&objects);
    let nothing = ResourceSet::default();
    assert_eq!(
        told(&world.plan(&nothing, NONE)),
        [
            "skipped PersistentVolumeClaim/shop/p: no longer in the design; --prune lets go of it",
            "skipped ConfigMap/shop/a: no longer in the design; --prune deletes it",
            "skipped ConfigMap/shop/b: no longer in the design; --prune lets go of it",
        ]
    );
    let release = Options {
        release: true,
        ..PRUNE
    };
    assert_eq!(world.plan(&nothing, release).summary().released, 3);
    // A later word of a person counts, too.
    let mut kept = world.clone();
    object_mut(&mut kept, "ConfigMap/shop/a").update(
        &["metadata", "annotations", crate::resource::DELETION_POLICY],
        Some("Retain".into()),
        "kubectl-annotate",
    );
    assert_eq!(kept.plan(&nothing, PRUNE).summary().released, 3);
    let plan = world.plan(&nothing, PRUNE);
    assert_eq!(
        told(&plan),
        [
            "released PersistentVolumeClaim/shop/p: retained by its deletion policy",
            "pruned ConfigMap/shop/a: undeployed",
            "released ConfigMap/shop/b: retained by its deletion policy",
        ]
    );
    world.run(&nothing, &plan);
    assert!(world.parent.is_empty());
    assert_eq!(world.objects.len(), 2);
    assert_eq!(told(&world.plan(&nothing, PRUNE)), [""; 0]);
}

fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"}},
    })
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

fn thing(name: &str, namespace: &str) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": name, "namespace": namespace}, "spec": {"size": 1}})
}

#[test]
fn removal_goes_the_other_way_round() {
    let objects = [
        namespace("shop"),
        definition(),
        thing("t", "shop"),
        map("late", &json!({})),
        annotated(
            map("config", &json!({})),
            &[("depends-on", "ConfigMap/late")],
        ),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "d"}}),
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "w"}}),
    ];
    let mut world = deployed(&objects);
    let plan = world.plan(&ResourceSet::default(), PRUNE);
    let levels: Vec<Vec<&str>> = plan
        .levels()
        .map(|(_, steps)| steps.iter().map(|step| step.id.as_str()).collect())
        .collect();
    assert_eq!(
        levels,
        [
            vec!["admissionregistration.k8s.io/ValidatingWebhookConfiguration/w"],
            vec!["example.com/Thing/shop/t"],
            vec!["apps/Deployment/shop/d"],
            vec!["Service/shop/d", "ConfigMap/shop/config"],
            vec!["ConfigMap/shop/late"],
            vec!["apiextensions.k8s.io/CustomResourceDefinition/things.example.com"],
            vec!["Namespace/shop"],
        ]
    );
    // Levels go on where those of the writes end.
    let mixed = world.plan(&resources(&[map("late", &json!({}))]), PRUNE);
    let numbers: Vec<usize> = mixed.levels().map(|(number, _)| number).collect();
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>());
    world.run(&ResourceSet::default(), &plan);
    assert!(world.objects.is_empty() && world.parent.is_empty());
}

#[test]
fn a_circle_among_live_dependencies_stops_no_removal() {
    let mut world = deployed(&[map("a", &json!({})), map("b", &json!({}))]);
    for (name, on) in [("a", "ConfigMap/b"), ("b", "ConfigMap/shop/a")] {
        let object = object_mut(&mut world, &format!("ConfigMap/shop/{name}"));
        object.update(
            &["metadata", "annotations", DEPENDS_ON],
            Some(on.into()),
            "kubectl-annotate",
        );
    }
    assert_eq!(
        world.plan(&ResourceSet::default(), PRUNE).summary().pruned,
        2
    );
}

#[test]
fn a_namespace_that_nobody_can_look_into_stays() {
    let world = deployed(&[namespace("shop")]);
    let mut seen = world.observe();
    let why = "the server of metrics.k8s.io does not answer";
    seen.contents
        .insert(id("Namespace/shop"), Err(why.to_owned()));
    let unknown = plan(&ResourceSet::default(), &Observed::Cluster(&seen, PRUNE));
    let unknown = told(&unknown.expect("there is no circle"));
    assert_eq!(
        unknown,
        [format!(
            "skipped Namespace/shop: what it holds cannot be told: {why}"
        )]
    );
}

#[test]
fn namespaces_and_definitions_go_only_with_everything_in_them() {
    let objects = [namespace("shop"), definition(), thing("t", "shop")];
    let nothing = ResourceSet::default();
    let of = |plan: &Plan, kind: &str| {
        let told = told(plan);
        told.into_iter()
            .find(|line| line.contains(kind))
            .expect("it is a member")
    };
    let world = deployed(&objects);
    // Not looked at.
    let mut seen = world.observe();
    seen.contents.clear();
    let blind = plan(&nothing, &Observed::Cluster(&seen, PRUNE)).expect("there is no circle");
    assert_eq!(blind.needs_contents().len(), 2);
    assert_eq!(blind.summary().pruned, 1);
    // What a cluster puts there itself, and what goes with what goes.
    let uid = world.objects[&id("example.com/Thing/shop/t")]
        .uid()
        .map(str::to_owned);
    let owned = |owner: Option<String>| json!({"metadata": {"uid": "p", "ownerReferences": [{"uid": owner}]}});
    let incidental = [
        Content::of(id("ServiceAccount/shop/default"), &json!({})),
        Content::of(id("ConfigMap/shop/kube-root-ca.crt"), &json!({})),
        Content::of(id("Event/shop/x.1"), &json!({})),
        Content::of(id("Pod/shop/x"), &owned(uid)),
        Content::of(id("Pod/shop/y"), &owned(Some("p".to_owned()))),
    ];
    let mut seen = world.observe();
    let contents = seen
        .contents
        .get_mut("Namespace/shop")
        .and_then(|contents| contents.as_mut().ok())
        .expect("it was seen");
    contents.extend(incidental);
    let all = plan(&nothing, &Observed::Cluster(&seen, PRUNE)).expect("there is no circle");
    assert_eq!(all.summary().pruned, 3, "{:?}", told(&all));
    let contents = seen.contents["Namespace/shop"].as_ref();
    assert_eq!(all.foreign_in(contents.expect("it was seen")), None);
    // Strangers.
    let foreign = [
        ("Pod/shop/z", owned(Some("unknown".to_owned()))),
        ("Endpoints/shop/z", json!({})),
        ("ConfigMap/shop/z", json!({})),
        ("Pod/shop/w", json!({"metadata": {"ownerReferences": [{}]}})),
    ];
    for (name, object) in foreign {
        let mut seen = world.observe();
        let contents = seen
            .contents
            .get_mut("Namespace/shop")
            .and_then(|contents| contents.as_mut().ok())
            .expect("it was seen");
        contents.push(Content::of(id(name), &object));
        // Who comes after the plan was made is seen before the deletion.
        assert_eq!(all.foreign_in(contents), Some(&id(name)));
        let plan = plan(&nothing, &Observed::Cluster(&seen, PRUNE)).expect("there is no circle");
        assert_eq!(
            of(&plan, "Namespace"),
            format!("skipped Namespace/shop: it still holds {name}, not ours to delete")
        );
        assert_eq!(plan.summary().pruned, 2);
    }
    let mut world = deployed(&objects);
    world.create(
        &id("example.com/Thing/else/t"),
        &thing("t", "else"),
        "somebody",
        "Update",
    );
    let plan = world.plan(&nothing, PRUNE);
    assert!(
        of(&plan, "Definition")
            .ends_with("its kind still has example.com/Thing/else/t, not ours to delete")
    );
    assert_eq!(plan.summary().pruned, 2);
    // What we keep ourselves keeps them, too.
    let plan = world.plan(&resources(&[thing("t", "shop")]), PRUNE);
    assert!(of(&plan, "Namespace").ends_with("it still holds example.com/Thing/shop/t"));
    assert!(of(&plan, "Definition").ends_with("its kind still has example.com/Thing/shop/t"));
    // Adopted ones are given back.
    let mut world = World::new();
    world.create(
        &id("Namespace/shop"),
        &namespace("shop"),
        "kubectl-create",
        "Update",
    );
    let desired = resources(&[namespace("shop")]);
    let plan = world.plan(&desired, ADOPT);
    world.run(&desired, &plan);
    assert_eq!(
        told(&world.plan(&nothing, PRUNE)),
        ["released Namespace/shop: adopted, so it is given back"]
    );
    // And one with the inventory in it stays.
    let mut world = World::new();
    let own = resources(&[namespace("inventories")]);
    let plan = world.plan(&own, NONE);
    world.run(&own, &plan);
    assert_eq!(
        told(&world.plan(&nothing, PRUNE)),
        ["skipped Namespace/inventories: the inventory of this set is in it"]
    );
}

#[test]
fn live_objects_of_any_shape_do_no_harm() {
    let desired = resources(&[map("x", &json!({"a": "1"}))]);
    let shapes = [
        json!(null),
        json!([]),
        json!("x"),
        json!({"metadata": []}),
        json!({"metadata": {"labels": 1, "managedFields": {}, "ownerReferences": 7}}),
        json!({"metadata": {"labels": {PART_OF_LABEL: set()}, "managedFields": [null, {"manager": 1}]}}),
        json!({"metadata": {"labels": {PART_OF_LABEL: {}}, "uid": 1, "deletionTimestamp": {}}}),
    ];
    let known = deployed(&[map("x", &json!({"a": "1"}))]);
    for live in shapes {
        let mut seen = known.observe();
        seen.live.insert(id("ConfigMap/shop/x"), &live);
        for options in [NONE, ALL] {
            let observed = Observed::Cluster(&seen, options);
            let plan = plan(&ResourceSet::default(), &observed).expect("there is no circle");
            assert_eq!(plan.summary().pruned, 0, "{live}");
            let plan = super::plan(&desired, &observed).expect("there is no circle");
            assert_ne!(plan.steps[0].action, Action::Unchanged, "{live}");
        }
    }
}
