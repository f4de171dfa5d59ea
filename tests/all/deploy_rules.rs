//! The rules of a deployment on a real API server: what is replaced, kept, refused, given back, and where
//! what is remembered lies. Every test has a namespace of its own, and says what the API says.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use weft_domain::inventory::{
    KEPT_REVISIONS, PART_OF_LABEL, Parent, SetId, TOOLING_ANNOTATION, parent_name,
};

use crate::{
    apply_faults::world::{self, definition, deployment, gadget, service, with},
    seeded::Seeded,
    support::{ApiServer, Place, Run, Sandbox, api::JSON_PATCH, server::signal},
};

fn map(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": value}})
}

fn annotated(object: Value, annotation: &str, value: &str) -> Value {
    let name = format!("weftctl.dev/{annotation}");
    with(object, &["metadata", "annotations", &name], json!(value))
}

/// What a result says of its resources, by kind and name.
fn resources(run: &Run) -> BTreeMap<String, Value> {
    let resources = run.json()["resources"].as_array().cloned();
    let resources = resources.unwrap_or_else(|| panic!("no resources: {run}"));
    let named = resources.into_iter().map(|resource| {
        let text = |key: &str| resource[key].as_str().unwrap_or_default().to_owned();
        (format!("{}/{}", text("kind"), text("name")), resource)
    });
    named.collect()
}

/// The actions of a result, by kind and name.
fn actions(run: &Run) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let resources = resources(run).into_iter();
    resources
        .map(|(name, resource)| (name, text(&resource["action"])))
        .collect()
}

fn pairs<const N: usize>(expected: [(&str, &str); N]) -> BTreeMap<String, String> {
    let expected = expected.map(|(name, action)| (name.to_owned(), action.to_owned()));
    expected.into_iter().collect()
}

/// The path of an object in the namespace of a place.
fn path(place: &Place, plural: &str, name: &str) -> String {
    let group = match plural {
        "deployments" => "apis/apps/v1",
        "jobs" => "apis/batch/v1",
        "rolebindings" => "apis/rbac.authorization.k8s.io/v1",
        _ => "api/v1",
    };
    format!("/{group}/namespaces/{}/{plural}/{name}", place.namespace)
}

/// An object as the API has it.
#[track_caller]
fn live(place: &Place, plural: &str, name: &str) -> Value {
    let found = place.server.api.get(&path(place, plural, name));
    found.unwrap_or_else(|| panic!("{plural}/{name} is not there"))
}

fn uid(place: &Place, plural: &str, name: &str) -> Option<String> {
    let found = place.server.api.get(&path(place, plural, name))?;
    found["metadata"]["uid"].as_str().map(str::to_owned)
}

/// The set that the design `app` is, deployed in the namespace.
fn set(place: &Place) -> SetId {
    SetId::of_parent(&parent_name("app"), &place.namespace)
}

/// What the inventory of the design lists, by kind and name.
fn members(place: &Place) -> Vec<String> {
    let parent = live(place, "secrets", &parent_name("app"));
    let parent = Parent::parse(&parent).expect("an inventory");
    let members = parent.members();
    let members = members.iter();
    members.map(|m| format!("{}/{}", m.kind, m.name)).collect()
}

/// Outcome and cause of each revision, the newest first.
fn history(place: &Place) -> Vec<(u64, String, String)> {
    let run = place.run(&["history", "app", "-o", "json"]).succeeds();
    let items = run.json()["items"].as_array().cloned().expect("a list");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = items.iter().map(|item| {
        let number = item["number"].as_u64().expect("a number");
        (number, text(&item["outcome"]), text(&item["cause"]))
    });
    items.collect()
}

/// Runs a command again until its result is as it should become.
fn until(run: impl Fn() -> Run, is_so: impl Fn(&Run) -> bool) -> Run {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let run = run();
        if is_so(&run) {
            return run;
        }
        assert!(Instant::now() < deadline, "it doesn't become so: {run}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

// What cannot be changed

/// Objects of which something differs that an API server lets nobody change, and one that is free.
fn fixed(second: bool) -> Vec<Value> {
    let pick = |one: &'static str, two: &'static str| if second { two } else { one };
    let labels = json!({"app": "web", "tier": pick("back", "front")});
    let container = |image: &str| json!([{"name": "main", "image": image}]);
    vec![
        json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "work"},
            "spec": {"template": {"spec": {
                "restartPolicy": "Never", "containers": container(pick("work:1", "work:2")),
            }}},
        }),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels}, "spec": {"containers": container("web:1")},
            }},
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "reader"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                "name": pick("view", "edit"),
            },
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "anna"}],
        }),
        with(
            map("fixed", pick("one", "two")),
            &["immutable"],
            json!(true),
        ),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {
                "selector": {"app": "web"}, "ports": [{"port": 80}],
                "clusterIP": pick("None", "10.0.0.9"),
            },
        }),
        map("free", pick("one", "two")),
    ]
}

#[test]
fn what_cannot_be_changed_is_refused_by_field_and_replaced_where_that_is_allowed() {
    const OBJECTS: [(&str, &str); 6] = [
        ("jobs", "work"),
        ("deployments", "web"),
        ("rolebindings", "reader"),
        ("configmaps", "fixed"),
        ("services", "web"),
        ("configmaps", "free"),
    ];
    let place = Place::new();
    let uids = || OBJECTS.map(|(plural, name)| uid(&place, plural, name));
    let values = || {
        [
            live(&place, "jobs", "work")["spec"]["template"]["spec"]["containers"][0]["image"]
                .clone(),
            live(&place, "deployments", "web")["spec"]["selector"]["matchLabels"].clone(),
            live(&place, "rolebindings", "reader")["roleRef"]["name"].clone(),
            live(&place, "configmaps", "fixed")["data"]["key"].clone(),
            live(&place, "services", "web")["spec"]["clusterIP"].clone(),
            live(&place, "configmaps", "free")["data"]["key"].clone(),
        ]
    };
    let first = [
        json!("work:1"),
        json!({"app": "web", "tier": "back"}),
        json!("view"),
        json!("one"),
        json!("None"),
        json!("one"),
    ];
    let second = [
        json!("work:2"),
        json!({"app": "web", "tier": "front"}),
        json!("edit"),
        json!("two"),
        json!("10.0.0.9"),
        json!("two"),
    ];
    let replaced = pairs([
        ("Job/work", "replaced"),
        ("Deployment/web", "replaced"),
        ("RoleBinding/reader", "replaced"),
        ("ConfigMap/fixed", "replaced"),
        ("Service/web", "replaced"),
        ("ConfigMap/free", "configured"),
    ]);
    place.write(&fixed(false));
    place.run(&["deploy", "app.yaml"]).succeeds();
    let before = uids();

    // Refused with each field named; nothing is written, what is free neither.
    place.write(&fixed(true));
    for verb in [
        &["plan", "app.yaml"][..],
        &["deploy", "app.yaml"],
        &["deploy", "app.yaml", "--dry-run=server"],
    ] {
        let refused = place.run(verb).fails(6, "E0512");
        for words in [
            "/work: immutable field spec.template",
            "/web: immutable field spec.selector",
            "/reader: immutable field roleRef changed",
            "/fixed: immutable field data",
            "/web: immutable field spec.clusterIP",
            "--replace",
        ] {
            assert!(refused.stderr.contains(words), "{words}: {refused}");
        }
    }
    assert_eq!((uids(), values()), (before.clone(), first.clone()));

    // Shown, asked for, done.
    let plan = place.run(&["plan", "app.yaml", "--replace", "-o", "json"]);
    assert_eq!(actions(&plan.clone().ends(1)), replaced, "{plan}");
    let replace = ["deploy", "app.yaml", "--replace", "-o", "json"];
    let dry = place.run(&[&replace[..], &["--dry-run=server"]].concat());
    assert_eq!(actions(&dry.clone().succeeds()), replaced, "{dry}");
    let asked = place.run(&replace).fails(12, "E0005");
    assert!(
        asked.stderr.contains("replaced ") && asked.stderr.contains("/work"),
        "{asked}"
    );
    assert_eq!((uids(), values()), (before.clone(), first.clone()));
    let done = place.run(&[&replace[..], &["--yes"]].concat());
    assert_eq!(actions(&done.clone().succeeds()), replaced, "{done}");
    assert_eq!(values(), second);
    let after = uids();
    let is_same = std::array::from_fn(|at| before[at] == after[at]);
    assert_eq!(is_same, [false, false, false, false, false, true]);
    let again = place.run(&["deploy", "app.yaml", "-o", "json"]).succeeds();
    assert_eq!(again.json()["summary"]["unchanged"], 6, "{again}");

    // A rollback goes by the same rules.
    let back = ["rollback", "app", "--to", "1", "--yes", "-o", "json"];
    let refused = place.run(&back).fails(6, "E0512");
    assert!(refused.stderr.contains("roleRef"), "{refused}");
    assert_eq!((uids(), values()), (after, second));
    let back = [&back[..], &["--replace"]].concat();
    let dry = place.run(&[&back[..], &["--dry-run=server"]].concat());
    assert_eq!(actions(&dry.clone().succeeds()), replaced, "{dry}");
    let done = place.run(&back).succeeds();
    assert_eq!(actions(&done), replaced, "{done}");
    assert_eq!(values(), first);
    place
        .run(&["undeploy", "app", "--confirm", "app"])
        .succeeds();
}

#[test]
fn an_annotation_allows_one_object_to_be_replaced_in_a_rollback_too() {
    let place = Place::new();
    let allowed = |value: &str| {
        let fixed = with(map("fixed", value), &["immutable"], json!(true));
        annotated(fixed, "replace", "true")
    };
    let refused = |value: &str| with(map("other", value), &["immutable"], json!(true));
    place.write(&[allowed("one"), refused("one")]);
    place.run(&["deploy", "app.yaml"]).succeeds();
    let first = uid(&place, "configmaps", "fixed");

    // It allows that of this object alone.
    place.write(&[allowed("two"), refused("two")]);
    let run = place
        .run(&["deploy", "app.yaml", "--yes"])
        .fails(6, "E0512");
    assert!(
        run.stderr.contains("/other:") && !run.stderr.contains("/fixed:"),
        "{run}"
    );
    place.write(&[allowed("two"), refused("one")]);
    let run = place
        .run(&["deploy", "app.yaml", "--yes", "-o", "json"])
        .succeeds();
    let replaced = pairs([
        ("ConfigMap/fixed", "replaced"),
        ("ConfigMap/other", "unchanged"),
    ]);
    assert_eq!(actions(&run), replaced, "{run}");
    assert_eq!(live(&place, "configmaps", "fixed")["data"]["key"], "two");
    let second = uid(&place, "configmaps", "fixed");
    assert_ne!(first, second);

    let run = place
        .run(&["rollback", "app", "--to", "1", "--yes", "-o", "json"])
        .succeeds();
    assert_eq!(actions(&run), replaced, "{run}");
    assert_eq!(live(&place, "configmaps", "fixed")["data"]["key"], "one");
    assert_ne!(uid(&place, "configmaps", "fixed"), second);
}

#[test]
fn a_selector_that_loses_a_label_is_replaced_as_one_whose_label_changes() {
    let place = Place::new();
    let web = |labels: Value| {
        let web = with(
            deployment("web", "web:1", 0),
            &["spec", "selector", "matchLabels"],
            labels.clone(),
        );
        with(web, &["spec", "template", "metadata", "labels"], labels)
    };
    place.write(&[web(json!({"app": "web", "tier": "front"}))]);
    place.run(&["deploy", "app.yaml"]).succeeds();
    place.write(&[web(json!({"app": "web"}))]);
    let refused = place.run(&["plan", "app.yaml"]).fails(6, "E0512");
    assert!(refused.stderr.contains("spec.selector"), "{refused}");
    place
        .run(&["deploy", "app.yaml", "--replace", "--yes"])
        .succeeds();
    let found = live(&place, "deployments", "web");
    assert_eq!(
        found["spec"]["selector"]["matchLabels"],
        json!({"app": "web"})
    );
}

// Whose it is

#[test]
fn the_inventory_of_another_tool_is_refused_and_left_as_it_is() {
    let place = Place::new();
    let name = parent_name("app");
    let theirs = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {
            "name": name,
            "labels": {"applyset.kubernetes.io/id": set(&place).as_str()},
            "annotations": {
                TOOLING_ANNOTATION: "kubectl/v1.35",
                "applyset.kubernetes.io/contains-group-kinds": "ConfigMap",
            },
        },
    });
    place.change(&["create", "-f", "-"], &theirs.to_string());
    let before = live(&place, "secrets", &name);
    place.write(&[map("a", "one")]);
    for verb in [
        &["plan", "app.yaml"][..],
        &["deploy", "app.yaml"],
        &["deploy", "app.yaml", "--adopt", "--force-conflicts"],
        &["status", "app"],
        &["rollback", "app", "--to", "1", "--yes"],
        &["undeploy", "app", "--confirm", "app"],
        &["release", "app", "--yes"],
    ] {
        let refused = place.run(verb).fails(6, "E0516");
        assert!(refused.stderr.contains("kubectl/v1.35"), "{refused}");
    }
    assert_eq!(live(&place, "secrets", &name), before);
    assert_eq!(place.names("configmap"), [""; 0]);
    assert_eq!(place.names("lease"), [""; 0]);
}

/// Makes an object as our own manager would, in the place of one that was deleted.
fn imitate(place: &Place, name: &str) {
    let path = path(place, "configmaps", name);
    place.server.api.delete(&path);
    let set = set(place);
    let object = with(
        map(name, "theirs"),
        &["metadata", "labels", PART_OF_LABEL],
        json!(set.as_str()),
    );
    let path = format!("{path}?fieldManager={}", set.field_manager());
    let body = Some(("application/apply-patch+yaml", &object));
    let (status, said) = place.server.api.send("PATCH", &path, body);
    assert_eq!(status, 201, "{said}");
}

#[test]
fn a_member_is_deleted_only_with_all_four_signs_that_it_is_ours() {
    const DISTURBED: [(&str, &str); 4] = [
        ("label", "without the label of our set"),
        ("entry", "no entry of our field manager"),
        ("owner", "ReplicaSet/theirs controls it"),
        ("another", "another object of the same name"),
    ];
    for undeploy in [false, true] {
        let place = Place::new();
        let names = DISTURBED.map(|(name, _)| name);
        let mut objects: Vec<Value> = names.map(|name| map(name, "one")).to_vec();
        objects.extend([map("ours", "one"), map("rest", "one")]);
        place.write(&objects);
        place.run(&["deploy", "app.yaml"]).succeeds();

        let api = &place.server.api;
        let of = |name: &str| path(&place, "configmaps", name);
        let no_label = json!({"metadata": {"labels": {PART_OF_LABEL: null}}});
        api.merge(&of("label"), &no_label);
        let no_entry = json!([{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]);
        let (status, said) = api.send("PATCH", &of("entry"), Some((JSON_PATCH, &no_entry)));
        assert_eq!(status, 200, "{said}");
        let owner = json!({"metadata": {"ownerReferences": [{
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "theirs", "controller": true,
            "uid": "11111111-2222-3333-4444-555555555555",
        }]}});
        api.merge(&of("owner"), &owner);
        imitate(&place, "another");
        let before = names.map(|name| live(&place, "configmaps", name));

        place.write(&[map("rest", "one")]);
        let (preview, run) = if undeploy {
            let undeploy = ["undeploy", "app", "-o", "json"];
            let preview = place.run(&[&undeploy[..], &["--dry-run=server"]].concat());
            let run = place.run(&[&undeploy[..], &["--confirm", "app"]].concat());
            (preview.succeeds(), run.succeeds())
        } else {
            let preview = place.run(&["plan", "app.yaml", "--prune", "-o", "json"]);
            let run = place.run(&[
                "deploy",
                "app.yaml",
                "--prune",
                "--confirm=app",
                "-o",
                "json",
            ]);
            (preview.ends(1), run.succeeds())
        };
        for run in [&preview, &run] {
            let resources = resources(run);
            for (name, why) in DISTURBED {
                let resource = &resources[&format!("ConfigMap/{name}")];
                assert_eq!(resource["action"], "skipped", "{name}: {run}");
                let reason = resource["reason"].as_str().unwrap_or_default();
                assert!(
                    reason.starts_with("not ours: ") || name == "another",
                    "{name}: {run}"
                );
                assert!(reason.contains(why), "{name}, {why}: {run}");
            }
            assert_eq!(resources["ConfigMap/ours"]["action"], "pruned", "{run}");
        }
        let after = names.map(|name| live(&place, "configmaps", name));
        assert_eq!(after, before, "not touched at all: {run}");
        assert_eq!(uid(&place, "configmaps", "ours"), None);
        // They are strangers from now on.
        if undeploy {
            assert_eq!(uid(&place, "configmaps", "rest"), None);
            assert_eq!(place.names("secret"), [""; 0], "{run}");
            place.run(&["status", "app"]).fails(5, "E0517");
        } else {
            assert_eq!(members(&place), ["ConfigMap/rest"]);
        }
    }
}

// Annotations

#[test]
fn what_is_created_once_is_left_alone_while_it_is_there() {
    let place = Place::new();
    let once = |name: &str, value: &str| annotated(map(name, value), "creation-policy", "Once");
    let design = |value: &str| vec![once("kept", value), once("lost", value), map("free", value)];
    place.write(&design("one"));
    place.run(&["deploy", "app.yaml"]).succeeds();
    place.write(&design("two"));
    let run = place.run(&["deploy", "app.yaml", "-o", "json"]).succeeds();
    let expected = pairs([
        ("ConfigMap/kept", "unchanged"),
        ("ConfigMap/lost", "unchanged"),
        ("ConfigMap/free", "configured"),
    ]);
    assert_eq!(actions(&run), expected, "{run}");
    assert_eq!(resources(&run)["ConfigMap/kept"]["reason"], "created once");
    assert_eq!(live(&place, "configmaps", "kept")["data"]["key"], "one");

    // What somebody deleted is made again, and left so if somebody else was faster.
    place.server.api.delete(&path(&place, "configmaps", "lost"));
    let run = place.run(&["deploy", "app.yaml", "-o", "json"]).succeeds();
    let lost = &resources(&run)["ConfigMap/lost"];
    assert_eq!(lost["action"], "created", "{run}");
    assert_eq!(live(&place, "configmaps", "lost")["data"]["key"], "two");
    place.server.api.delete(&path(&place, "configmaps", "lost"));
    place.change(&["create", "-f", "-"], &map("lost", "theirs").to_string());
    place.run(&["deploy", "app.yaml"]).succeeds();
    assert_eq!(live(&place, "configmaps", "lost")["data"]["key"], "theirs");
    place
        .run(&["undeploy", "app", "--confirm", "app"])
        .succeeds();
    assert_eq!(place.names("configmap"), ["lost"], "it is not ours");
}

#[test]
fn annotations_force_adopt_and_replace_for_one_object_what_no_flag_allows() {
    let place = Place::new();
    let theirs = |name: &str, patch: &Value| {
        let patch = patch.to_string();
        place.change(
            &["patch", "configmap", name, "--type=merge", "-p", &patch],
            "",
        );
    };
    // One that somebody else made, which only its annotation allows to take.
    place.change(
        &["create", "-f", "-"],
        &map("adopted", "theirs").to_string(),
    );
    place.change(
        &["create", "-f", "-"],
        &map("foreign", "theirs").to_string(),
    );
    let adopted = annotated(map("adopted", "theirs"), "adopt", "true");
    place.write(&[adopted.clone(), map("foreign", "theirs")]);
    let run = place.run(&["deploy", "app.yaml"]).fails(6, "E0511");
    assert!(
        run.stderr.contains("/foreign:") && !run.stderr.contains("/adopted:"),
        "{run}"
    );
    let design = |value: &str| {
        vec![
            adopted.clone(),
            annotated(map("forced", value), "conflict-policy", "Force"),
            annotated(map("replaced", value), "patch-strategy", "replace"),
            map("applied", value),
        ]
    };
    place.write(&design("one"));
    let run = place.run(&["deploy", "app.yaml", "-o", "json"]).succeeds();
    assert_eq!(actions(&run)["ConfigMap/adopted"], "adopted", "{run}");

    // Fields that somebody else holds are taken; what somebody else added stays, or goes.
    theirs("forced", &json!({"data": {"key": "theirs"}}));
    for name in ["forced", "replaced", "applied"] {
        let more = json!({"metadata": {"labels": {"more": "theirs"}}, "data": {"more": "theirs"}});
        theirs(name, &more);
    }
    place.write(&design("two"));
    let run = place.run(&["deploy", "app.yaml", "-o", "json"]).succeeds();
    let expected = pairs([
        ("ConfigMap/adopted", "unchanged"),
        ("ConfigMap/forced", "configured"),
        ("ConfigMap/replaced", "configured"),
        ("ConfigMap/applied", "configured"),
    ]);
    assert_eq!(actions(&run), expected, "{run}");
    let both = json!({"key": "two", "more": "theirs"});
    for (name, data) in [
        ("forced", &both),
        ("applied", &both),
        ("replaced", &json!({"key": "two"})),
    ] {
        let found = live(&place, "configmaps", name);
        assert_eq!(&found["data"], data, "{name}");
        let label = found["metadata"]["labels"].get("more");
        assert_eq!(label.is_none(), name == "replaced", "{found}");
    }
    let run = place.run(&["deploy", "app.yaml", "-o", "json"]).succeeds();
    assert_eq!(run.json()["summary"]["unchanged"], 4, "{run}");

    // None of them takes what another design has.
    let greedy = ["adopt", "replace"].map(|annotation| (annotation, "true"));
    let greedy = greedy.iter().chain([&("conflict-policy", "Force")]);
    let greedy = greedy.fold(map("applied", "other"), |object, (annotation, value)| {
        annotated(object, annotation, value)
    });
    place.sandbox.write("other.yaml", greedy.to_string());
    place.run(&["deploy", "other.yaml"]).fails(6, "E0510");

    // What was replaced is ours as any other; what was adopted is given back.
    place
        .run(&["undeploy", "app", "--confirm", "app"])
        .succeeds();
    assert_eq!(place.names("configmap"), ["adopted", "foreign"]);
    let back = live(&place, "configmaps", "adopted");
    assert_eq!(back["data"], json!({"key": "theirs"}));
    assert!(!back.to_string().contains("applyset"), "{back}");
    assert!(!back.to_string().contains("origin"), "{back}");
}

#[test]
fn what_was_adopted_by_its_annotation_is_given_back_without_it() {
    let place = Place::new();
    let theirs = map("theirs", "theirs");
    place.change(&["create", "-f", "-"], &theirs.to_string());
    let before = live(&place, "configmaps", "theirs");
    place.write(&[annotated(theirs, "adopt", "true")]);
    place.run(&["deploy", "app.yaml"]).succeeds();
    place
        .run(&["undeploy", "app", "--confirm", "app"])
        .succeeds();
    let after = live(&place, "configmaps", "theirs");
    let of = |object: &Value| object["metadata"].get("annotations").cloned();
    assert_eq!(of(&after), of(&before));
}

/// A Deployment whose pods say how they become ready.
fn workload(name: &str, replicas: u32, of_pod: &Value) -> Value {
    let pods = ["spec", "template", "metadata", "annotations"];
    with(deployment(name, "main:1", replicas), &pods, of_pod.clone())
}

#[test]
fn the_deadline_of_one_object_counts_instead_of_the_timeout() {
    let place = Place::with_nodes();
    // Longer than the timeout,
    let slow = workload("slow", 1, &json!({"sandbox/ready-after": "3s"}));
    place.write(&[annotated(slow, "deadline", "60s")]);
    let wait = ["deploy", "app.yaml", "--wait", "-o", "json", "--timeout"];
    let run = place.run(&[&wait[..], &["1s"]].concat()).succeeds();
    assert_eq!(resources(&run)["Deployment/slow"]["ready"], true, "{run}");
    // and shorter.
    let stuck = workload("stuck", 1, &json!({"sandbox/waiting": "ImagePullBackOff"}));
    place.write(&[annotated(stuck, "deadline", "2s"), map("fine", "one")]);
    let begun = Instant::now();
    let run = place.run(&[&wait[..], &["90s"]].concat());
    let run = run.fails(7, "E0518");
    assert!(begun.elapsed() < Duration::from_secs(45), "{run}");
    assert!(run.stderr.contains("/stuck"), "{run}");
    assert_eq!(resources(&run)["ConfigMap/fine"]["ready"], true, "{run}");
    place
        .run(&["undeploy", "app", "--confirm", "app"])
        .succeeds();
}

// Revisions

/// The revisions of which there are Secrets, with how many.
fn kept(place: &Place) -> BTreeMap<u64, usize> {
    let prefix = format!("{}-rev-", parent_name("app"));
    let mut kept = BTreeMap::new();
    for name in place.names("secret") {
        if let Some(rest) = name.strip_prefix(&prefix) {
            let number = rest.split('-').next().and_then(|n| n.parse().ok());
            *kept.entry(number.expect("a number")).or_default() += 1;
        }
    }
    kept
}

#[test]
fn the_last_ten_revisions_are_kept_and_each_says_what_became_of_it() {
    let place = Place::new();
    let deploy = |value: &str, more: &[Value]| {
        place.write(&[&[map("a", value)], more].concat());
        place.run(&["deploy", "app.yaml", "--prune", "--yes"])
    };
    let numbers = || kept(&place).into_keys().collect::<Vec<_>>();
    let told = |number: u64| {
        let all = history(&place);
        let entry = all.into_iter().find(|entry| entry.0 == number);
        let (_, outcome, cause) = entry.expect("a revision");
        format!("{outcome}: {cause}")
    };
    for value in 1..=12 {
        deploy(&format!("value-{value}"), &[]).succeeds();
    }
    assert_eq!(KEPT_REVISIONS, 10);
    assert_eq!(numbers(), (3..=12).collect::<Vec<_>>());
    assert_eq!(told(12), "deployed: design deploy");
    for number in 3..12 {
        assert_eq!(told(number), "superseded: design deploy");
    }
    let gone = place.run(&["rollback", "app", "--to", "2", "--yes"]);
    let gone = gone.fails(5, "E0201");
    assert!(gone.stderr.contains("12, 11, 10"), "what there is: {gone}");

    let other = Sandbox::new();
    place
        .run_in(&other, &["rollback", "app", "--to", "3", "--yes"])
        .succeeds();
    assert_eq!(live(&place, "configmaps", "a")["data"]["key"], "value-3");
    assert_eq!(numbers(), (4..=13).collect::<Vec<_>>());
    assert!(told(13).starts_with("deployed: rollback"), "{}", told(13));
    assert_eq!(told(12), "rolled-back: design deploy");
    assert_eq!(told(11), "superseded: design deploy");

    // A failed one doesn't take the place of the one that is deployed.
    let refused = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"clusterIP": "1.2.3.4", "ports": [{"port": 80}]},
    });
    deploy("value-14", &[refused]).ends(9);
    assert_eq!(told(14), "failed: design deploy");
    assert!(told(13).starts_with("deployed: rollback"), "{}", told(13));
    deploy("value-15", &[]).succeeds();
    assert_eq!(told(15), "deployed: design deploy");
    assert_eq!(told(14), "failed: design deploy");
    assert!(told(13).starts_with("superseded: rollback"), "{}", told(13));
    assert_eq!(numbers(), (5..=15).collect::<Vec<_>>());
}

#[test]
fn a_run_that_fails_again_and_again_does_not_push_out_what_can_be_gone_back_to() {
    let place = Place::new();
    for value in ["one", "two"] {
        place.write(&[map("a", value)]);
        place.run(&["deploy", "app.yaml"]).succeeds();
    }
    let refused = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"clusterIP": "1.2.3.4", "ports": [{"port": 80}]},
    });
    place.write(&[map("a", "three"), refused]);
    for _ in 0..KEPT_REVISIONS {
        place.run(&["deploy", "app.yaml"]).ends(9);
    }
    place
        .run(&["rollback", "app", "--to", "1", "--yes"])
        .succeeds();
    assert_eq!(live(&place, "configmaps", "a")["data"]["key"], "one");
}

/// Text of which a packer can make little.
fn noise(random: &mut Seeded, length: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |_| char::from(DIGITS[random.below(64)]);
    (0..length).map(digit).collect()
}

#[test]
fn a_revision_that_is_larger_than_a_secret_is_split_and_gone_back_to() {
    let place = Place::new();
    let random = &mut Seeded::new(Seeded::seed());
    let mut design = || {
        let mut large = |name: &str| {
            with(
                map(name, "x"),
                &["data", "key"],
                json!(noise(random, 600 << 10)),
            )
        };
        let mut objects = ["a", "b", "c"].map(&mut large).to_vec();
        objects.push(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
            "stringData": {"key": large("s")["data"]["key"]},
        }));
        objects
    };
    let (first, second) = (design(), design());
    for objects in [&first, &second] {
        place.write(objects);
        place.run(&["deploy", "app.yaml"]).succeeds();
    }
    // Base64 of noise packs to three quarters: 1.8 MiB are three Secrets.
    assert_eq!(kept(&place), BTreeMap::from([(1, 3), (2, 3)]));
    let other = Sandbox::new();
    place
        .run_in(&other, &["rollback", "app", "--to", "1", "--yes"])
        .succeeds();
    for object in &first[..3] {
        let name = object["metadata"]["name"].as_str().expect("a name");
        let found = live(&place, "configmaps", name);
        assert_eq!(found["data"]["key"], object["data"]["key"], "{name}");
    }
    let found = live(&place, "secrets", "s")["data"]["key"].clone();
    let found = found.as_str().and_then(weft_domain::base64::decode);
    let wanted = first[3]["stringData"]["key"].as_str().expect("a value");
    assert_eq!(found.as_deref(), Some(wanted.as_bytes()));

    // Of one that is not whole nothing is deployed.
    let part = format!("{}-rev-2-2", parent_name("app"));
    place.server.api.delete(&path(&place, "secrets", &part));
    place
        .run_in(&other, &["rollback", "app", "--to", "2", "--yes"])
        .fails(5, "E0201");
    let found = live(&place, "configmaps", "a");
    assert_eq!(found["data"]["key"], first[0]["data"]["key"]);
}

// Namespaces and definitions

/// The same place for commands that name the namespace that their design brings.
fn inside(place: &Place, namespace: &str) -> Place {
    Place {
        sandbox: Sandbox::new(),
        server: place.server,
        namespace: namespace.to_owned(),
    }
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

#[test]
fn a_design_may_bring_the_namespace_that_it_is_deployed_with() {
    let place = Place::with_nodes();
    let own = format!("{}-own", place.namespace);
    let inner = inside(&place, &own);
    // Of its own name, as other tests deploy to the namespace default, too.
    let design = own.as_str();
    let file = format!("{design}.yaml");
    let write = |value: &str| {
        let objects = [namespace(&own), map("a", value)];
        let text = objects.map(|object| format!("{object}\n")).join("---\n");
        inner.sandbox.write(&file, text);
    };
    let elsewhere = ["--inventory-namespace", place.namespace.as_str()];
    for (kept_in, more) in [("default", &[][..]), (&place.namespace, &elsewhere)] {
        let ours = || {
            let keeper = inside(&place, kept_in);
            let mut ours = keeper.names("secret");
            ours.extend(keeper.names("lease"));
            ours.retain(|name| name.contains(design));
            ours
        };
        let run = |arguments: &[&str]| inner.run(&[arguments, more].concat());
        write("one");
        let first = run(&["deploy", &file, "-o", "json"]).succeeds();
        let created = pairs([("Namespace/", "created"), ("ConfigMap/a", "created")]);
        let created = created
            .into_iter()
            .map(|(name, action)| match name.as_str() {
                "Namespace/" => (format!("Namespace/{own}"), action),
                _ => (name, action),
            });
        assert_eq!(actions(&first), created.collect(), "{first}");
        assert!(!ours().is_empty(), "the inventory is in {kept_in}");
        let inside = inner.names("secret");
        assert_eq!(inside, [""; 0], "it would go with the namespace");
        write("two");
        let second = run(&["deploy", &file, "-o", "json"]).succeeds();
        assert_eq!(second.json()["summary"]["configured"], 1, "{second}");

        // By name, from another machine.
        let other = Sandbox::new();
        let run = |arguments: &[&str]| inner.run_in(&other, &[arguments, more].concat());
        if !more.is_empty() {
            let lost = inner.run_in(&other, &["status", design]);
            let lost = lost.fails(5, "E0517");
            assert!(lost.stderr.contains("--inventory-namespace"), "{lost}");
        }
        let status = run(&["status", design, "-o", "json"]).succeeds();
        let inventory = status.json()["deployments"][0]["inventory"].clone();
        let inventory = inventory.as_str().unwrap_or_default();
        assert!(inventory.starts_with(&format!("{kept_in}/")), "{status}");
        assert_eq!(status.json()["ready"], true, "{status}");
        run(&["rollback", design, "--to", "1", "--yes"]).succeeds();
        assert_eq!(live(&inner, "configmaps", "a")["data"]["key"], "one");
        run(&["undeploy", design, "--confirm", design, "--timeout", "60s"]).succeeds();
        let path = format!("/api/v1/namespaces/{own}");
        assert_eq!(place.server.api.get(&path), None);
        assert_eq!(ours(), [""; 0], "nothing is left in {kept_in}");
    }
}

#[test]
fn a_namespace_and_a_definition_stay_as_long_as_something_foreign_is_in_them() {
    let place = Place::with_nodes();
    let inner = format!("{}-inner", place.namespace);
    let group = format!("{}.example", place.namespace);
    let (holder, kind) = (
        format!("Namespace/{inner}"),
        format!("CustomResourceDefinition/gadgets.{group}"),
    );
    let inside = |object: Value| with(object, &["metadata", "namespace"], json!(inner));
    place.write(&[
        namespace(&inner),
        definition(&group),
        inside(gadget(&group, "ours", "one")),
        inside(map("ours", "one")),
    ]);
    place.run(&["deploy", "app.yaml"]).succeeds();
    let foreign = gadget(&group, "theirs", "one");
    place.change(&["create", "-f", "-"], &foreign.to_string());
    let foreign = inside(map("theirs", "one"));
    place
        .server
        .kubectl(&["create", "-f", "-"], &foreign.to_string());
    let api = &place.server.api;
    let path_of_map = format!("/api/v1/namespaces/{inner}/configmaps/theirs");
    let path_of_gadget = format!(
        "/apis/{group}/v1/namespaces/{}/gadgets/theirs",
        place.namespace
    );

    // The preview, what is done, and each again.
    let undeploy = ["undeploy", "app", "--timeout", "60s", "-o", "json"];
    for (step, ours) in [(0, true), (1, true), (2, false), (3, false)] {
        let end = if step % 2 == 0 {
            "--dry-run=server"
        } else {
            "--confirm=app"
        };
        let run = place.run(&[&undeploy[..], &[end]].concat()).succeeds();
        let resources = resources(&run);
        for (container, content) in [(&holder, "/theirs"), (&kind, "/theirs")] {
            let shown = &resources[container];
            assert_eq!(shown["action"], "skipped", "{container}: {run}");
            let reason = shown["reason"].as_str().unwrap_or_default();
            assert!(
                reason.contains(content) && reason.contains("not ours to delete"),
                "{container}: {run}"
            );
        }
        let pruned = run.json()["summary"]["pruned"].as_u64();
        assert_eq!(pruned, Some(if ours { 2 } else { 0 }), "{run}");
    }
    assert_eq!(members(&place), [holder.clone(), kind.clone()]);
    assert!(api.get(&path_of_map).is_some() && api.get(&path_of_gadget).is_some());

    // The namespace goes with the next undeploy once it is empty, the definition with a prune.
    api.delete(&path_of_map);
    let run = place
        .run(&[&undeploy[..], &["--confirm=app"]].concat())
        .succeeds();
    let expected = BTreeMap::from([
        (holder, "pruned".to_owned()),
        (kind.clone(), "skipped".to_owned()),
    ]);
    assert_eq!(actions(&run), expected, "{run}");
    assert_eq!(api.get(&format!("/api/v1/namespaces/{inner}")), None);
    place.write(&[map("rest", "one")]);
    let plan = place.run(&["plan", "app.yaml", "--prune", "-o", "json"]);
    let shown = resources(&plan.clone().ends(1))[&kind].clone();
    assert_eq!(shown["action"], "skipped", "{plan}");
    assert!(shown["reason"].to_string().contains("/theirs"), "{plan}");
    api.delete(&path_of_gadget);
    let prune = [
        "deploy",
        "app.yaml",
        "--prune",
        "--confirm=app",
        "-o",
        "json",
    ];
    let run = place.run(&prune).succeeds();
    assert_eq!(actions(&run)[&kind], "pruned", "{run}");
    assert_eq!(members(&place), ["ConfigMap/rest"]);
    place
        .run(&["undeploy", "app", "--confirm", "app"])
        .succeeds();
}

// What is ready

fn claim(name: &str, class: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
        "spec": {
            "storageClassName": class, "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    })
}

/// A storage class that nobody provides for, and a volume of it.
fn storage(class: &str, mode: &str) -> [Value; 2] {
    [
        json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": class},
            "provisioner": "example.com/nobody", "volumeBindingMode": mode,
        }),
        json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": class},
            "spec": {
                "storageClassName": class, "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/nowhere"},
                "persistentVolumeReclaimPolicy": "Retain",
            },
        }),
    ]
}

#[test]
fn a_claim_is_ready_when_bound_or_when_nobody_uses_it_yet_and_is_retained() {
    let place = Place::with_nodes();
    let classes = ["now", "late"].map(|class| format!("{}-{class}", place.namespace));
    for (class, mode) in classes.iter().zip(["Immediate", "WaitForFirstConsumer"]) {
        let text = storage(class, mode).map(|object| format!("{object}\n"));
        place
            .server
            .kubectl(&["create", "-f", "-"], &text.join("---\n"));
    }
    let claims = || {
        vec![
            claim("bound", &classes[0]),
            claim("unused", &classes[1]),
            annotated(claim("gone", &classes[1]), "deletion-policy", "Delete"),
        ]
    };
    place.write(&[&claims()[..], &[map("rest", "one")]].concat());
    let wait = [
        "deploy",
        "app.yaml",
        "--wait",
        "--timeout",
        "60s",
        "-o",
        "json",
    ];
    let run = place.run(&wait).succeeds();
    let found = resources(&run);
    for (name, told) in [
        ("bound", Value::Null),
        ("unused", json!("waits for its first consumer")),
    ] {
        let claim = &found[&format!("PersistentVolumeClaim/{name}")];
        assert_eq!(claim["ready"], true, "{run}");
        assert_eq!(claim["waitingFor"], told, "{run}");
    }
    let volume = live(&place, "persistentvolumeclaims", "bound");
    assert_eq!(volume["status"]["phase"], "Bound");
    // One that nothing fits is not ready.
    let lost = claim("stuck", &format!("{}-nowhere", place.namespace));
    place.sandbox.write("stuck.yaml", lost.to_string());
    let stuck = place.run(&["deploy", "stuck.yaml", "--wait", "--timeout", "2s"]);
    let stuck = stuck.fails(7, "E0518");
    assert!(stuck.stderr.contains("storage class"), "{stuck}");

    // What it holds is not had back by creating it anew: only its own annotation allows that.
    let mut moved = claims();
    moved[1] = claim("unused", &classes[0]);
    place.write(&moved);
    let refused = place.run(&["deploy", "app.yaml", "--replace", "--yes"]);
    let refused = refused.fails(6, "E0512");
    for words in [
        "/unused: immutable field spec.storageClassName",
        "weftctl.dev/replace",
    ] {
        assert!(refused.stderr.contains(words), "{words}: {refused}");
    }

    // Neither prune nor undeploy deletes one, unless it says so itself.
    let before = ["bound", "unused"].map(|name| uid(&place, "persistentvolumeclaims", name));
    place.write(&[&claims()[..1], &[map("rest", "one")]].concat());
    let prune = [
        "deploy",
        "app.yaml",
        "--prune",
        "--confirm=app",
        "-o",
        "json",
    ];
    let run = place.run(&prune).succeeds();
    let expected = pairs([
        ("PersistentVolumeClaim/bound", "unchanged"),
        ("PersistentVolumeClaim/unused", "released"),
        ("PersistentVolumeClaim/gone", "pruned"),
        ("ConfigMap/rest", "unchanged"),
    ]);
    assert_eq!(actions(&run), expected, "{run}");
    let reason = resources(&run)["PersistentVolumeClaim/unused"]["reason"].clone();
    assert!(reason.to_string().contains("retained"), "{run}");
    let run = place.run(&["undeploy", "app", "--confirm", "app", "-o", "json"]);
    let expected = pairs([
        ("PersistentVolumeClaim/bound", "released"),
        ("ConfigMap/rest", "pruned"),
    ]);
    assert_eq!(actions(&run.clone().succeeds()), expected, "{run}");
    let after = ["bound", "unused"].map(|name| uid(&place, "persistentvolumeclaims", name));
    assert_eq!(after, before);
    for name in ["bound", "unused"] {
        let claim = live(&place, "persistentvolumeclaims", name);
        let labels = claim["metadata"]["labels"].get(PART_OF_LABEL);
        assert_eq!(labels, None, "{claim}");
    }
    assert_eq!(uid(&place, "persistentvolumeclaims", "gone"), None);
}

#[test]
fn services_sets_and_budgets_are_ready_when_their_controllers_say_so() {
    let place = Place::with_nodes();
    let balancer = with(
        service("balancer", 80),
        &["spec", "type"],
        json!("LoadBalancer"),
    );
    let template = |name: &str, of_pod: &Value| {
        json!({
            "metadata": {"labels": {"app": name}, "annotations": of_pod},
            "spec": {"containers": [{"name": "main", "image": "main:1"}]},
        })
    };
    let set = |kind: &str, name: &str, of_pod: Value| {
        json!({
            "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name},
            "spec": {"selector": {"matchLabels": {"app": name}}, "template": template(name, &of_pod)},
        })
    };
    let stateful = |name: &str, of_pod: Value| {
        let stateful = set("StatefulSet", name, of_pod);
        let stateful = with(stateful, &["spec", "serviceName"], json!("balancer"));
        with(stateful, &["spec", "replicas"], json!(2))
    };
    let nowhere = with(
        set("DaemonSet", "nowhere", json!({})),
        &["spec", "template", "spec", "nodeSelector"],
        json!({"no": "where"}),
    );
    let waits = json!({"sandbox/waiting": "ImagePullBackOff"});
    let objects = |of_pod: &Value| {
        vec![
            balancer.clone(),
            stateful("database", of_pod.clone()),
            set("DaemonSet", "agent", of_pod.clone()),
            nowhere.clone(),
            json!({
                "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "budget"},
                "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "database"}}},
            }),
        ]
    };
    place.write(&objects(&waits));
    let wait = ["deploy", "app.yaml", "--wait", "-o", "json", "--timeout"];
    let expected = [
        ("Service/balancer", false, "load balancer has no address"),
        ("StatefulSet/database", false, "1 of 2 replicas"),
        ("DaemonSet/agent", false, "0 of 2 pods are ready"),
        ("DaemonSet/nowhere", true, ""),
        ("PodDisruptionBudget/budget", true, ""),
    ];
    let run = until(
        || place.run(&[&wait[..], &["1s"]].concat()),
        |run| {
            let found = resources(run);
            expected.iter().all(|(name, ready, told)| {
                let waits = found[*name]["waitingFor"].as_str().unwrap_or_default();
                found[*name]["ready"] == *ready && waits.contains(told)
            })
        },
    );
    let run = run.fails(7, "E0518");
    let blockers = run.json()["blockers"].as_array().map(Vec::len);
    assert_eq!(blockers, Some(3), "{run}");

    // All of it gets ready; the address comes from outside.
    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}});
    let balancer = path(&place, "services", "balancer");
    place
        .server
        .api
        .merge(&format!("{balancer}/status"), &status);
    place.write(&objects(&json!({"ready": "now"})));
    place.run(&["deploy", "app.yaml"]).succeeds();
    // A stateful set does not replace a pod that was never ready.
    place.change(&["delete", "pod", "database-0", "--wait=false"], "");
    let run = place.run(&[&wait[..], &["60s"]].concat());
    let found = resources(&run.clone().succeeds());
    assert!(found.values().all(|shown| shown["ready"] == true), "{run}");
    let live = place.kubectl(&["get", "statefulset/database", "daemonset/agent"]);
    assert_eq!(live["items"][0]["status"]["readyReplicas"], 2);
    assert_eq!(live["items"][1]["status"]["numberReady"], 2);
    place
        .run(&["undeploy", "app", "--confirm", "app"])
        .succeeds();
}

#[test]
fn an_autoscaler_is_ready_when_it_is_off_and_not_without_anything_to_scale_by() {
    let place = Place::with_nodes();
    let scaler = |name: &str| {
        json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name},
            "spec": {
                "maxReplicas": 3,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "metrics": [{"type": "Resource", "resource": {
                    "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80},
                }}],
            },
        })
    };
    place.write(&[
        workload("off", 0, &json!({})),
        scaler("off"),
        workload("blind", 1, &json!({})),
        scaler("blind"),
    ]);
    let wait = ["deploy", "app.yaml", "--wait", "-o", "json", "--timeout"];
    let run = place.run(&[&wait[..], &["1s"]].concat());
    let run = run.fails(7, "E0518");
    for name in ["off", "blind"] {
        let told = &resources(&run)[&format!("HorizontalPodAutoscaler/{name}")]["waitingFor"];
        assert_eq!(
            *told, "its controller has not looked at its target yet",
            "{run}"
        );
    }
    // It looks every 15 s.
    let run = until(
        || place.run(&[&wait[..], &["1s"]].concat()),
        |run| {
            let blind = &resources(run)["HorizontalPodAutoscaler/blind"]["waitingFor"];
            let told = blind.as_str().unwrap_or_default();
            let blockers = run.json()["blockers"].as_array().map(Vec::len);
            told.contains("FailedGetResourceMetric") && blockers == Some(1)
        },
    );
    let off = &resources(&run)["HorizontalPodAutoscaler/off"];
    assert_eq!(off["ready"], true, "{run}");
    let told = "is off while its target has zero replicas";
    assert_eq!(off["waitingFor"], told, "{run}");
    assert!(run.stderr.contains("/blind is not ready"), "{run}");
    run.ends(7);
}

#[test]
fn an_api_service_that_does_not_answer_is_named_and_in_nobodys_way() {
    // Nobody can list what it serves: no server for others.
    let server = ApiServer::own();
    let place = world::Place::new(&server, "broken");
    let group = "broken.example";
    let service = json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": format!("v1.{group}")},
        "spec": {
            "group": group, "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 15,
            "insecureSkipTLSVerify": true,
            "service": {"name": "nobody", "namespace": place.namespace},
        },
    });
    let served =
        json!({"apiVersion": format!("{group}/v1"), "kind": "Gadget", "metadata": {"name": "g"}});
    let id = format!("apiregistration.k8s.io/APIService/v1.{group}");
    // Of a kind that only an API service has, somebody has to say what it looks like.
    place
        .sandbox
        .write("schemas/gadget.yaml", definition(group).to_string());
    let deploy = [
        "deploy",
        "app.yaml",
        "--schema-dir",
        "schemas",
        "--timeout",
        "2s",
        "-o",
        "json",
    ];
    // What it serves waits for it,
    place.write("app.yaml", &[service.clone(), served, map("fine", "one")]);
    let run = until(
        || place.run(&deploy).fails(7, "E0518"),
        |run| run.stderr.contains(&id) && run.stderr.contains("ServiceNotFound"),
    );
    let found = resources(&run);
    assert_eq!(found["Gadget/g"]["action"], "skipped", "{run}");
    assert_eq!(found["ConfigMap/fine"]["ready"], true, "{run}");
    // and without that it is what is not ready in the end.
    place.write("app.yaml", &[service, map("fine", "one")]);
    let run = place.run(&[&deploy[..], &["--wait"]].concat());
    let run = run.fails(7, "E0518");
    let blockers = run.json()["blockers"].as_array().cloned();
    let blockers = blockers.unwrap_or_default();
    assert_eq!(blockers.len(), 1, "{run}");
    assert_eq!(blockers[0]["id"], id, "{run}");
    let reason = blockers[0]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("ServiceNotFound"), "{run}");
    // Whether there is something of its kind nobody can say before it is gone.
    let undeploy = ["undeploy", "app", "--confirm", "app", "-o", "json"];
    let run = place.run(&undeploy).succeeds();
    let found = resources(&run);
    assert_eq!(found["ConfigMap/fine"]["action"], "pruned", "{run}");
    let gadget = &found["Gadget/g"];
    assert_eq!(gadget["action"], "skipped", "{run}");
    let reason = gadget["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("does not answer"), "{run}");
    place.run(&undeploy).succeeds();
    assert_eq!(place.remains("app"), [""; 0]);
}

#[test]
fn a_wait_says_the_same_only_once_where_nobody_looks_on() {
    // Nothing becomes ready without controllers.
    let place = Place::new();
    place.write(&[deployment("web", "web:1", 1)]);
    let run = place.run(&["deploy", "app.yaml", "--wait", "--timeout", "4s"]);
    let run = run.fails(7, "E0518");
    let told = run.stderr.lines();
    let told = told.filter(|line| line.starts_with("waiting for apps/Deployment/"));
    assert_eq!(told.count(), 1, "{run}");
}

// The whole way

/// As many objects as a shop of eleven services has.
fn shop() -> Vec<Value> {
    const SERVICES: [&str; 11] = [
        "ad",
        "cart",
        "catalog",
        "checkout",
        "currency",
        "email",
        "front",
        "load",
        "payment",
        "recommendation",
        "shipping",
    ];
    let mut objects = vec![
        map("settings", "one"),
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"},
            "stringData": {"key": "value"},
        }),
    ];
    for name in SERVICES {
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name},
        });
        let web = with(
            deployment(name, &format!("{name}:1"), 1),
            &["spec", "template", "spec", "serviceAccountName"],
            json!(name),
        );
        objects.extend([web, service(name, 80), account]);
    }
    objects
}

/// Everything in a namespace but events, as kubectl has it.
fn everything(place: &world::Place<'_>) -> Vec<String> {
    let kinds = [
        "api-resources",
        "--namespaced",
        "--verbs=list",
        "-o",
        "name",
    ];
    let kinds = place.server.kubectl(&kinds, "");
    // Kinds that other tests define come and go.
    let kinds = kinds.lines().filter(|kind| !kind.contains("example"));
    let kinds: Vec<&str> = kinds.filter(|kind| !kind.starts_with("events")).collect();
    let get = [
        "-n",
        &place.namespace,
        "get",
        &kinds.join(","),
        "-o",
        "name",
    ];
    let found = place.server.kubectl(&get, "");
    let mut found: Vec<String> = found.lines().map(str::to_owned).collect();
    found.sort_unstable();
    found
}

#[test]
fn a_shop_is_deployed_changed_rolled_back_and_gone_as_the_cluster_itself_tells_it() {
    let place = world::Place::new(ApiServer::with_nodes(), "whole").through_kubectl();
    let found = everything(&place);
    let first = shop();
    assert_eq!(first.len(), 35);
    place.write("app.yaml", &first);
    // What was written in the namespace since, but for what is kept of the set.
    let begun = place.server.writes().len();
    let written = |since: usize| {
        let inside = format!("/namespaces/{}/", place.namespace);
        let writes = place.server.writes();
        let writes = writes[since..].iter().filter(|line| line.contains(&inside));
        let writes = writes.filter_map(|line| {
            let (_, rest) = line.split_once(&inside)?;
            let verb = line.split(' ').next()?;
            Some(format!("{verb} {}", rest.split('?').next()?))
        });
        writes.collect::<Vec<String>>()
    };
    let of_members = |since: usize| {
        let mut writes = written(since);
        writes.retain(|write| !write.contains("secrets/weftctl-") && write != "create secrets");
        writes
    };
    let deploy = |more: &[&str]| {
        let deploy = ["deploy", "app.yaml", "--wait", "-y", "-o", "json"];
        place.run(&[&deploy[..], more].concat()).succeeds()
    };

    let run = deploy(&["--timeout", "90s"]);
    assert_eq!(run.json()["summary"]["created"], 35, "{run}");
    let shown = resources(&run);
    assert_eq!(shown.len(), 35);
    assert!(shown.values().all(|r| r["ready"] == true), "{run}");
    assert_eq!(place.differences("app", &first), [""; 0]);
    let get = ["-n", &place.namespace, "get", "deployments", "-o", "json"];
    let live = place.server.kubectl(&get, "");
    let live: Value = serde_json::from_str(&live).expect("kubectl prints JSON");
    let live = live["items"].as_array().expect("a list");
    assert_eq!(live.len(), 11);
    for deployment in live {
        assert_eq!(deployment["status"]["availableReplicas"], 1, "{deployment}");
    }
    assert_eq!(of_members(begun).len(), 35, "{:?}", of_members(begun));

    // Again.
    let before = place.server.writes().len();
    let run = deploy(&[]);
    assert_eq!(run.json()["summary"]["unchanged"], 35, "{run}");
    assert_eq!(written(before), [""; 0]);

    // One image.
    let mut second = first.clone();
    let front = second
        .iter_mut()
        .find(|o| o["kind"] == "Deployment" && o["metadata"]["name"] == "front")
        .expect("a deployment");
    front["spec"]["template"]["spec"]["containers"][0]["image"] = json!("front:2");
    place.write("app.yaml", &second);
    let run = deploy(&[]);
    let counts = json!([1, 34]);
    let summary = &run.json()["summary"];
    assert_eq!(json!([summary["configured"], summary["unchanged"]]), counts);
    assert_eq!(of_members(before), ["patch deployments/front"]);
    assert_eq!(place.differences("app", &second), [""; 0]);

    // And back.
    let before = place.server.writes().len();
    let back = ["rollback", "app", "--to", "1", "--wait", "-y", "-o", "json"];
    let run = place.run(&back).succeeds();
    let summary = &run.json()["summary"];
    assert_eq!(json!([summary["configured"], summary["unchanged"]]), counts);
    assert_eq!(of_members(before), ["patch deployments/front"]);
    assert_eq!(place.differences("app", &first), [""; 0]);
    place
        .run(&["undeploy", "app", "--confirm", "app"])
        .succeeds();
    // Controllers clean up behind it.
    let deadline = Instant::now() + Duration::from_secs(60);
    while everything(&place) != found {
        let is_over = Instant::now() > deadline;
        assert!(!is_over, "{found:?} became {:?}", everything(&place));
    }
    assert_eq!(place.remains("app"), [""; 0]);
}

// What users meet

#[test]
fn another_run_is_waited_for_no_longer_than_all_waits_may_take_and_named() {
    let place = Place::new();
    place.write(&[map("a", "one")]);
    let now = jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S.%6fZ")
        .to_string();
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": parent_name("app")},
        "spec": {
            "holderIdentity": "somebody@elsewhere", "leaseDurationSeconds": 15,
            "acquireTime": now, "renewTime": now,
        },
    });
    let leases = format!(
        "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
        place.namespace
    );
    let made = place
        .server
        .api
        .send("POST", &leases, Some(("application/json", &lease)));
    assert_eq!(made.0, 201, "{}", made.1);
    let begun = Instant::now();
    let run = place
        .run(&["deploy", "app.yaml", "--timeout", "2s"])
        .fails(6, "E0515");
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        run.stderr
            .contains("waiting for another run: somebody@elsewhere"),
        "{run}"
    );
    assert!(
        place
            .server
            .api
            .get(&path(&place, "configmaps", "a"))
            .is_none()
    );
}

#[test]
fn a_field_that_a_definition_does_not_have_is_refused_at_once() {
    let place = Place::new();
    let group = format!("{}.example", place.namespace);
    let mut typed = definition(&group);
    let schema = &mut typed["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    schema["properties"]["spec"]["properties"]["size"] = json!({"type": "string"});
    place
        .server
        .kubectl(&["apply", "-f", "-"], &typed.to_string());
    let served = format!("/apis/{group}/v1/gadgets");
    let begun = Instant::now();
    while place.server.api.send("GET", &served, None).0 != 200 {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "it is not served"
        );
    }
    let misspelt = with(gadget(&group, "g", "one"), &["spec", "sise"], json!("two"));
    place.write(&[misspelt]);
    for more in [&["--dry-run=server"][..], &[]] {
        let begun = Instant::now();
        let run = place.run(&[&["deploy", "app.yaml"], more].concat());
        let run = run.fails(10, "E0521");
        assert!(run.stderr.contains("sise"), "{run}");
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{:?}",
            begun.elapsed()
        );
    }
}

#[test]
fn a_volume_is_retained_with_the_claim_that_is_bound_to_it() {
    let place = Place::with_nodes();
    let name = format!("volume-{}", place.namespace);
    let class = format!("class-{}", place.namespace);
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain", "storageClassName": class,
            "hostPath": {"path": "/nowhere"},
        },
    });
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": class, "volumeName": name,
            "resources": {"requests": {"storage": "1Gi"}},
        },
    });
    place.write(&[volume, claim]);
    place
        .run(&["deploy", "app.yaml", "--wait", "--timeout", "60s"])
        .succeeds();
    let expected = pairs([
        ("PersistentVolume/VOLUME", "released"),
        ("PersistentVolumeClaim/data", "released"),
    ]);
    let named = |run: &Run| -> BTreeMap<String, String> {
        let actions = actions(run).into_iter();
        actions
            .map(|(id, action)| (id.replace(&name, "VOLUME"), action))
            .collect()
    };
    let undeploy = ["undeploy", "app", "--timeout", "20s", "-o", "json"];
    let preview = place
        .run(&[&undeploy[..], &["--dry-run=server"]].concat())
        .succeeds();
    assert_eq!(named(&preview), expected, "{preview}");
    let run = place.run(&[&undeploy[..], &["--yes"]].concat()).succeeds();
    assert_eq!(named(&run), expected, "{run}");
    let volume = place
        .server
        .api
        .get(&format!("/api/v1/persistentvolumes/{name}"));
    let volume = volume.expect("it stays");
    assert!(
        volume["metadata"].get("deletionTimestamp").is_none(),
        "{volume}"
    );
    // Both are taken back.
    let again = place.run(&["deploy", "app.yaml", "-o", "json"]).succeeds();
    let back = expected.keys().map(|id| (id.clone(), "adopted".to_owned()));
    assert_eq!(named(&again), back.collect(), "{again}");
}

#[test]
fn another_set_is_named_by_its_design_and_inventory() {
    let place = Place::new();
    place
        .sandbox
        .write("first.yaml", map("shared", "one").to_string());
    place.run(&["deploy", "first.yaml"]).succeeds();
    place.write(&[map("shared", "two")]);
    let run = place.run(&["deploy", "app.yaml"]).fails(6, "E0510");
    let inventory = format!("{}/{}", place.namespace, parent_name("first"));
    assert!(
        run.stderr.contains(&inventory) && run.stderr.contains("\"first\""),
        "{run}"
    );
}

#[test]
fn what_admission_forbids_is_not_told_as_missing_rights() {
    let place = Place::new();
    let claim = |size: &str| {
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
        })
    };
    place.write(&[claim("1Gi")]);
    place.run(&["deploy", "app.yaml"]).succeeds();
    place.write(&[claim("2Gi")]);
    let run = place.run(&["deploy", "app.yaml"]).fails(10, "E0521");
    assert!(
        run.stderr.contains("HTTP 4") || run.stderr.contains("denied"),
        "{run}"
    );
    assert!(!run.stderr.contains("credentials"), "{run}");
}

#[test]
fn a_removal_that_was_begun_and_not_finished_shows_in_the_status() {
    let place = Place::new();
    let held = with(
        map("held", "one"),
        &["metadata", "finalizers"],
        json!(["example.com/held"]),
    );
    place.write(&[held, map("free", "one")]);
    place.run(&["deploy", "app.yaml"]).succeeds();
    let undeploy = ["undeploy", "app", "--yes", "--timeout", "2s"];
    place.run(&undeploy).fails(9, "E0519");
    let status = place.run(&["status", "app", "-o", "json"]);
    assert_eq!(
        status.json()["deployments"][0]["outcome"],
        "partly removed",
        "{status}"
    );
    let free = json!({"metadata": {"finalizers": null}});
    place
        .server
        .api
        .merge(&path(&place, "configmaps", "held"), &free);
    place.run(&undeploy).succeeds();
    place.run(&["status", "app"]).fails(5, "E0517");
}

#[test]
fn a_job_that_was_written_before_an_interruption_is_not_told_as_skipped() {
    let place = Place::with_nodes();
    let mut job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "slow"},
        "spec": {"template": {
            "metadata": {"annotations": {"sandbox/waiting": "ContainerCreating"}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "slow:1"}]},
        }},
    });
    job = annotated(job, "phase", "before");
    place.write(&[job, map("after", "one")]);
    let arguments = ["deploy", "app.yaml", "--timeout", "60s", "-o", "json"];
    let mut command = place.command_in(&place.sandbox, &arguments);
    let jobs = path(&place, "jobs", "slow");
    let run = std::thread::scope(|scope| {
        let (tell, told) = std::sync::mpsc::channel();
        let run = scope.spawn(|| {
            let tell = move |pid| tell.send(pid).expect("a listener");
            place.sandbox.finish_known(&mut command, None, tell)
        });
        let pid = told.recv().expect("a process");
        let until = Instant::now() + Duration::from_secs(30);
        while place.server.api.get(&jobs).is_none() {
            assert!(Instant::now() < until, "nothing is written");
        }
        // Its answer is on the way.
        std::thread::sleep(Duration::from_millis(500));
        signal(pid, "INT");
        run.join().expect("the run ends")
    });
    let run = run.ends(130);
    let expected = pairs([("Job/slow", "created"), ("ConfigMap/after", "skipped")]);
    assert_eq!(actions(&run), expected, "{run}");
    assert_eq!(run.json()["summary"]["created"], 1, "{run}");
    assert!(members(&place).contains(&"Job/slow".to_owned()));
}
