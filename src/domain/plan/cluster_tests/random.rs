//! Random worlds, wishes and disturbances: what every plan keeps to.

use super::*;

/// A small generator (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    /// Some objects out of two namespaces, a definition and what may be in them.
    fn objects(&mut self) -> Vec<Value> {
        let mut objects = Vec::new();
        for place in ["a", "b"] {
            if !self.one_in(3) {
                objects.push(namespace(place));
            }
            for index in 0..3 {
                let mut object = map(
                    &format!("c{index}"),
                    &json!({"k": self.below(3).to_string(), "same": "1"}),
                );
                object["metadata"]["namespace"] = place.into();
                if self.one_in(6) {
                    object = annotated(object, &[("creation-policy", "Once")]);
                }
                if self.one_in(6) {
                    object = annotated(object, &[("deletion-policy", "Retain")]);
                }
                if self.one_in(8) {
                    object = annotated(object, &[("ignore-fields", "data.k")]);
                }
                objects.push(object);
            }
            objects.push(json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": place},
                "spec": {"replicas": self.below(3), "selector": {"matchLabels": {"v": self.below(2).to_string()}}},
            }));
            objects.push(json!({
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "p", "namespace": place},
                "spec": {"volumeMode": "Block"},
            }));
            objects.push(thing("t", place));
        }
        objects.push(definition());
        objects.retain(|_| !self.one_in(3));
        objects
    }

    fn options(&mut self) -> Options {
        Options {
            prune: self.one_in(2),
            release: self.one_in(8),
            adopt: self.one_in(2),
            replace: self.one_in(2),
            force_conflicts: self.one_in(2),
            repair: self.one_in(4),
            migrate: self.one_in(4),
        }
    }

    /// What others do to a world meanwhile.
    fn disturb(&mut self, world: &mut World) {
        let ids: Vec<ResourceId> = world.objects.keys().cloned().collect();
        for id in ids {
            let object = world.objects.get_mut(&id).expect("it was listed");
            match self.below(24) {
                0 => drop(world.objects.remove(&id)),
                1 => {
                    let value = object.value.clone();
                    world.objects.remove(&id);
                    world.create(&id, &value, "kubectl-create", "Update");
                }
                2 => object.update(
                    &["metadata", "labels", PART_OF_LABEL],
                    None,
                    "kubectl-label",
                ),
                3 => {
                    let label = Some(other().to_string().into());
                    object.update(
                        &["metadata", "labels", PART_OF_LABEL],
                        label,
                        "weftctl-other",
                    );
                }
                4 => object.holders.clear(),
                5 => {
                    object.value["metadata"]["ownerReferences"] =
                        json!([{"kind": "X", "name": "x", "uid": "x", "controller": true}]);
                }
                6 | 7 if object.value["data"].is_object() => {
                    object.update(&["data", "k"], Some("drift".into()), "kubectl-edit");
                }
                8 if object.value["spec"]["replicas"].is_u64() => {
                    object.update(&["spec", "replicas"], Some(9.into()), "hpa");
                }
                9 if object.value["data"].is_object() => {
                    object.update(&["data", "theirs"], Some("1".into()), "kubectl-edit");
                }
                _ => {}
            }
        }
    }

    /// Puts strangers under names that may be wanted.
    fn strangers(&mut self, world: &mut World) {
        for resource in &resources(&self.objects()) {
            if !self.one_in(8) || world.objects.contains_key(&resource.id) {
                continue;
            }
            let mut value = resource.object.clone();
            let manager = ["kubectl-client-side-apply", "helm", "operator"]
                [usize::try_from(self.below(3)).unwrap_or(0)];
            if self.one_in(3) {
                value["metadata"]["labels"] = json!({PART_OF_LABEL: set()});
            }
            world.create(&resource.id, &value, manager, "Update");
        }
    }
}

fn is_ours(object: &Object, member: &Member) -> bool {
    let live = object.live();
    let references = live["metadata"]["ownerReferences"].as_array();
    live["metadata"]["labels"][PART_OF_LABEL] == set().as_str()
        && is_applied_by(&live, &set().field_manager())
        && references.is_none_or(|all| all.iter().all(|one| one["controller"] != true))
        && (member.uid.is_none() || member.uid.as_deref() == object.uid())
}

/// Nothing is removed but what is ours and not wanted, and nothing of that is forgotten.
fn check_removal(world: &World, desired: &ResourceSet, plan: &Plan, options: Options, seed: u64) {
    let mut planned = HashSet::new();
    for step in &plan.steps {
        assert!(
            planned.insert(step.id.clone()),
            "seed {seed}: {} twice",
            step.id
        );
        let is_desired = desired.position(step.id.as_str()).is_some();
        let member = world.parent.get(&step.id);
        assert!(is_desired || member.is_some(), "seed {seed}: {}", step.id);
        assert_eq!(step.index.is_some(), is_desired);
        if matches!(step.action, Action::Pruned | Action::Released) {
            let object = &world.objects[&step.id];
            let member = member.expect("it is a member");
            assert!(
                !is_desired && is_ours(object, member),
                "seed {seed}: {step:?}"
            );
            assert!(options.prune || options.release, "seed {seed}");
        }
        if step.action == Action::Pruned {
            let member = member.expect("it is a member");
            let is_kept = member.origin == MemberOrigin::Adopted
                || member.deletion == crate::resource::Deletion::Retain;
            assert!(!is_kept && !options.release, "seed {seed}: {step:?}");
            // All that is in it goes before it.
            let at = |id: &ResourceId| plan.steps.iter().position(|step| step.id == *id);
            for content in world.contents(&world.objects[&step.id].value) {
                let other = at(&content.id).expect("it is planned");
                assert_eq!(
                    plan.steps[other].action,
                    Action::Pruned,
                    "seed {seed}: {step:?}"
                );
                assert!(
                    plan.steps[other].level < step.level,
                    "seed {seed}: {step:?}"
                );
            }
        }
        assert!(
            matches!(step.action, Action::Unchanged) || !step.reason.is_empty(),
            "seed {seed}: {step:?}"
        );
    }
    for resource in desired {
        assert!(
            planned.contains(&resource.id),
            "seed {seed}: {}",
            resource.id
        );
    }
    for member in world.parent.members() {
        let id = member.id();
        if desired.position(id.as_str()).is_some() {
            continue;
        }
        let is_gone = plan.gone.contains(&id);
        let object = world.objects.get(&id);
        assert_eq!(planned.contains(&id), object.is_some(), "seed {seed}: {id}");
        assert_eq!(
            is_gone,
            !object.is_some_and(|object| is_ours(object, member)),
            "seed {seed}: {id}"
        );
    }
}

#[test]
fn random_plans_remove_what_is_ours_and_not_wanted_and_converge() {
    let full = std::env::var_os("WEFT_TEST_FULL").is_some_and(|set| !set.is_empty() && set != "0");
    let pairs = if full { 10_000 } else { 500 };
    let mut counted = Summary::default();
    for seed in 0..pairs {
        let mut random = Random(seed);
        let mut world = World::new();
        random.strangers(&mut world);
        for turn in 0..2 {
            let desired = resources(&random.objects());
            let options = random.options();
            let mut done = options;
            let mut plan = world.plan(&desired, options);
            assert_eq!(world.plan(&desired, options), plan, "seed {seed}");
            check_removal(&world, &desired, &plan, options, seed);
            if plan.refusals().count() > 0 {
                done = ALL;
                plan = world.plan(&desired, ALL);
                check_removal(&world, &desired, &plan, ALL, seed);
                // Whatever is still refused, its owner removes it.
                for (step, refusal) in plan.refusals() {
                    assert!(
                        matches!(
                            refusal,
                            Refusal::OwnedBySet { .. } | Refusal::Immutable { .. }
                        ),
                        "seed {seed}: {step:?}"
                    );
                    world.objects.remove(&step.id);
                }
                plan = world.plan(&desired, ALL);
            }
            let before = world.clone();
            world.run(&desired, &plan);
            for (action, count) in plan.summary().counts() {
                *counted.count(action) += count;
            }
            for (id, object) in &before.objects {
                let is_touched = plan
                    .steps
                    .iter()
                    .any(|step| step.id == *id && step.action.is_change());
                assert!(
                    is_touched || world.objects.get(id) == Some(object),
                    "seed {seed}: {id}"
                );
            }
            let again = world.plan(&desired, done);
            for step in &again.steps {
                let is_quiet = match step.action {
                    Action::Unchanged => step.index.is_some(),
                    Action::Skipped => !step.reason.is_empty(),
                    _ => false,
                };
                assert!(is_quiet, "seed {seed}, turn {turn}: {step:?}");
            }
            let parent = world.parent.clone();
            world.run(&desired, &again);
            assert_eq!(
                world.parent, parent,
                "seed {seed}: the inventory is at rest"
            );
            random.disturb(&mut world);
            random.strangers(&mut world);
        }
        // And away with all of it.
        let nothing = ResourceSet::default();
        let plan = world.plan(&nothing, PRUNE);
        check_removal(&world, &nothing, &plan, PRUNE, seed);
        world.run(&nothing, &plan);
        for (action, count) in plan.summary().counts() {
            *counted.count(action) += count;
        }
        for member in world.parent.members() {
            assert!(
                ["Namespace", "CustomResourceDefinition"].contains(&member.kind.as_str()),
                "seed {seed}"
            );
        }
    }
    // The test is worth nothing where nothing happens.
    let happened: Vec<Action> = counted.counts().map(|(action, _)| action).collect();
    assert_eq!(happened, Action::ALL[..8]);
}
