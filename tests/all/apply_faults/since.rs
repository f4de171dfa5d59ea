//! What others do between the look at a cluster and the write that follows from it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::world::{Place, definition, gadget, make_namespace, map, with};
use crate::support::{
    ApiServer, Proxy,
    api::MERGE,
    proxy::{Act, Fault, Verb},
};

const PART_OF: &str = "applyset.kubernetes.io/part-of";

fn annotated(object: Value, key: &str, value: &str) -> Value {
    with(object, &["metadata", "annotations", key], json!(value))
}

/// A fault that changes an object, or makes one, when a first request of this verb comes by.
fn meanwhile(place: &Place<'_>, verb: Verb, name: &'static str, how: Meanwhile) -> Fault {
    let api = place.server.api.clone();
    let act = Act::Call(Arc::new(move || {
        let (method, path, kind, body) = &how;
        let (status, said) = api.send(method, path, Some((kind, body)));
        assert!(status < 300, "{said}");
    }));
    Fault::new(act).on(move |seen| seen.verb == verb && !seen.dry && seen.name == name)
}

type Meanwhile = (&'static str, String, &'static str, Value);

#[test]
fn what_somebody_makes_while_it_is_replaced_is_not_taken() {
    let place = Place::new(ApiServer::shared(), "replaced");
    let fixed = with(map("fixed", "one"), &["immutable"], json!(true));
    place.write("app.yaml", &[fixed]);
    place.run(&["deploy", "app.yaml"]).succeeds();
    place.write("app.yaml", &[map("fixed", "two")]);
    let theirs = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "fixed"}, "data": {"other": "theirs"},
    });
    let path = place.path("api/v1", "configmaps");
    let proxy = Proxy::before(place.server);
    let made = ("POST", path.clone(), "application/json", theirs);
    proxy.misbehave(vec![meanwhile(&place, Verb::Apply, "fixed", made)]);
    let run = place.run_through(&proxy, &["deploy", "app.yaml", "--replace", "--yes"]);
    run.fails(6, "E0511");
    assert_eq!(proxy.struck().len(), 1);
    let live = place.server.api.get(&format!("{path}/fixed"));
    let live = live.expect("it is there");
    assert_eq!(live["data"], json!({"other": "theirs"}));
    assert!(live["metadata"].get("labels").is_none(), "{live}");
    place
        .run(&["undeploy", "app", "--confirm", "app"])
        .succeeds();
    assert!(place.server.api.get(&format!("{path}/fixed")).is_some());
}

#[test]
fn what_stops_being_ours_before_it_is_deleted_stays() {
    let controller = json!({"metadata": {"ownerReferences": [{
        "apiVersion": "v1", "kind": "ConfigMap", "name": "keeper", "uid": "0-0", "controller": true,
    }]}});
    let other = "applyset-0000000000000000000000000000000000000000000-v1";
    for (change, why) in [
        (controller, "controls it"),
        (
            json!({"metadata": {"annotations": {"weftctl.dev/deletion-policy": "Retain"}}}),
            "retained",
        ),
        (
            json!({"metadata": {"labels": {PART_OF: other}}}),
            "another set",
        ),
        (
            json!({"metadata": {"labels": {PART_OF: null}}}),
            "without the label",
        ),
    ] {
        let place = Place::new(ApiServer::shared(), "claimed");
        place.write("app.yaml", &[map("kept", "one"), map("left", "one")]);
        place.run(&["deploy", "app.yaml"]).succeeds();
        place.write("app.yaml", &[map("kept", "one")]);
        let path = place.path("api/v1", "configmaps/left");
        let proxy = Proxy::before(place.server);
        let changed = ("PATCH", path.clone(), MERGE, change);
        proxy.misbehave(vec![meanwhile(&place, Verb::Delete, "left", changed)]);
        let run = place.run_through(&proxy, &["deploy", "app.yaml", "--prune", "--yes"]);
        let run = run.fails(9, "E0511");
        assert!(run.stderr.contains(why), "{why}: {run}");
        assert!(place.server.api.get(&path).is_some(), "{why}");
        // The next run sees it at once.
        place
            .run(&["deploy", "app.yaml", "--prune", "--yes"])
            .succeeds();
        assert!(place.server.api.get(&path).is_some(), "{why}");
    }
}

#[test]
fn what_another_set_has_taken_is_not_let_go_of() {
    let place = Place::new(ApiServer::shared(), "taken");
    place.write("app.yaml", &[map("mine", "one"), map("lost", "one")]);
    place.run(&["deploy", "app.yaml"]).succeeds();
    let path = place.path("api/v1", "configmaps/lost");
    let other = "applyset-0000000000000000000000000000000000000000000-v1";
    let label = json!({"metadata": {"labels": {PART_OF: other}}});
    let proxy = Proxy::before(place.server);
    let changed = ("PATCH", path.clone(), MERGE, label);
    // Its look before the patch, not that of the plan.
    let fault = meanwhile(&place, Verb::Get, "lost", changed).after(1);
    proxy.misbehave(vec![fault]);
    let run = place.run_through(&proxy, &["release", "app", "--yes"]);
    let run = run.succeeds();
    assert_eq!(proxy.struck().len(), 1, "{run}");
    let live = place.server.api.get(&path).expect("it is there");
    assert_eq!(live["metadata"]["labels"][PART_OF], other);
}

#[test]
fn a_namespace_into_which_somebody_moves_is_not_deleted() {
    let place = Place::new(ApiServer::shared(), "moving");
    let inner = format!("{}-inner", place.namespace);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": inner}});
    let member = with(
        map("member", "one"),
        &["metadata", "namespace"],
        json!(inner),
    );
    place.write("app.yaml", &[namespace, member]);
    place.run(&["deploy", "app.yaml"]).succeeds();
    let proxy = Proxy::before(place.server);
    let path = format!("/api/v1/namespaces/{inner}/configmaps");
    let stranger = map("stranger", "theirs");
    let made = ("POST", path.clone(), "application/json", stranger);
    proxy.misbehave(vec![meanwhile(&place, Verb::Delete, "member", made)]);
    let run = place.run_through(&proxy, &["undeploy", "app", "--confirm", "app"]);
    let run = run.fails(9, "E0511");
    assert!(run.stderr.contains("stranger"), "{run}");
    assert_eq!(proxy.struck().len(), 1, "{run}");
    let live = place.server.api.get(&format!("/api/v1/namespaces/{inner}"));
    let live = live.expect("it is there");
    assert!(
        live["metadata"].get("deletionTimestamp").is_none(),
        "{live}"
    );
    assert!(place.server.api.get(&format!("{path}/stranger")).is_some());
}

#[test]
fn sets_of_one_design_in_several_namespaces_are_several() {
    let place = Place::new(ApiServer::shared(), "apart");
    let second = format!("{}-second", place.namespace);
    make_namespace(place.server, &second);
    let design = place.namespace.clone();
    let file = format!("{design}.yaml");
    let map_of = |namespace: &str| {
        let path = format!("/api/v1/namespaces/{namespace}/configmaps/{design}");
        place.server.api.get(&path)
    };
    let in_namespace = |namespace: &str, arguments: &[&str]| {
        let mut command = place.sandbox.command(["design"].iter().chain(arguments));
        command.args(["-n", namespace, "--context", "sandbox"]);
        command.env("KUBECONFIG", &place.server.kubeconfig);
        place.sandbox.finish(&mut command, None)
    };
    place.write(&file, &[map(&design, "one")]);
    in_namespace("default", &["deploy", &file]).succeeds();
    // Nothing of it is deployed there, whatever is in the namespace that inventories go to.
    in_namespace(&second, &["undeploy", &design, "--yes"]).fails(5, "E0517");
    assert!(map_of("default").is_some());
    in_namespace(&second, &["deploy", &file, "--prune", "--yes"]).succeeds();
    assert!(map_of("default").is_some() && map_of(&second).is_some());
    in_namespace(&second, &["undeploy", &design, "--yes"]).succeeds();
    assert!(map_of("default").is_some() && map_of(&second).is_none());
    in_namespace("default", &["undeploy", &design, "--yes"]).succeeds();
    assert!(map_of("default").is_none());

    // Two that bring their namespaces, so that both inventories lie in another one.
    let brought = [format!("{design}-eu"), format!("{design}-us")];
    for namespace in &brought {
        let object =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        place.write(&file, &[object, map(&design, namespace)]);
        in_namespace(namespace, &["deploy", &file, "--prune", "--yes"]).succeeds();
    }
    for namespace in &brought {
        let live = map_of(namespace).expect("both are there");
        assert_eq!(live["data"]["key"], namespace.as_str());
        let status = in_namespace(namespace, &["status", &design, "-o", "json"]);
        assert!(
            status
                .stdout
                .contains(&format!("default/{namespace}.weftctl-{design}")),
            "{status}"
        );
    }
    let [eu, us] = &brought;
    in_namespace(eu, &["release", &design, "--yes"]).succeeds();
    assert!(
        map_of(eu).expect("it stays")["metadata"]["labels"]
            .get(PART_OF)
            .is_none()
    );
    assert!(
        map_of(us).expect("it stays")["metadata"]["labels"]
            .get(PART_OF)
            .is_some()
    );
}

#[test]
fn a_definition_and_what_is_of_its_new_version_go_out_together() {
    let place = Place::new(ApiServer::shared(), "versions");
    let group = format!("{}.example", place.namespace);
    let first = definition(&group);
    place.write("app.yaml", &[first.clone(), gadget(&group, "g", "one")]);
    place.run(&["deploy", "app.yaml"]).succeeds();
    let mut second = first;
    let mut version = second["spec"]["versions"][0].clone();
    version["name"] = json!("v2");
    version["storage"] = json!(false);
    second["spec"]["versions"]
        .as_array_mut()
        .expect("a list")
        .push(version);
    let mut newer = gadget(&group, "g", "two");
    newer["apiVersion"] = json!(format!("{group}/v2"));
    place.write("app.yaml", &[second, newer]);
    place.run(&["deploy", "app.yaml"]).succeeds();
    let live = place.path(&format!("apis/{group}/v2"), "gadgets/g");
    let live = place.server.api.get(&live).expect("it is there");
    assert_eq!(live["spec"]["size"], "two");
    let again = place.run(&["deploy", "app.yaml"]).succeeds();
    assert!(again.stderr.contains("2 unchanged"), "{again}");
    // A version that nobody serves is refused before anything is written.
    let mut unserved = gadget(&group, "g", "three");
    unserved["apiVersion"] = json!(format!("{group}/v3"));
    place.write("other.yaml", &[map("first", "one"), unserved]);
    let run = place.run(&["deploy", "other.yaml"]).fails(10, "E0116");
    assert!(run.stderr.contains("v3"), "{run}");
    let path = place.path("api/v1", "configmaps/first");
    assert!(place.server.api.get(&path).is_none());
}

#[test]
fn what_is_retained_is_taken_back_without_a_word() {
    let place = Place::new(ApiServer::shared(), "retained");
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    let kept = annotated(map("kept", "one"), "weftctl.dev/deletion-policy", "Retain");
    let all = [claim, kept, map("plain", "one")];
    place.write("app.yaml", &all);
    let claim = place.path("api/v1", "persistentvolumeclaims/data");
    let uid = || place.server.api.get(&claim).expect("it stays")["metadata"]["uid"].clone();
    place.run(&["deploy", "app.yaml"]).succeeds();
    let first = uid();
    for _ in 0..2 {
        place
            .run(&["undeploy", "app", "--confirm", "app"])
            .succeeds();
        let live = place.server.api.get(&claim).expect("it stays");
        let labels = json!({"weftctl.dev/orphaned": "true"});
        assert_eq!(live["metadata"]["labels"], labels, "{live}");
        let why = &live["metadata"]["annotations"]["weftctl.dev/orphaned-reason"];
        assert_eq!(why, "Undeployed", "{live}");
        let run = place.run(&["deploy", "app.yaml"]).succeeds();
        assert!(run.stderr.contains("1 created, 2 adopted"), "{run}");
        let live = place.server.api.get(&claim).expect("it stays");
        assert_eq!(live["metadata"]["annotations"], json!(null), "{live}");
        let labels = live["metadata"]["labels"]
            .as_object()
            .map(serde_json::Map::len);
        assert_eq!(labels, Some(1), "{live}");
        assert_eq!(uid(), first);
    }
    // A rollback takes it back as well, and another set does not.
    place.write("app.yaml", &all[2..]);
    place
        .run(&["deploy", "app.yaml", "--prune", "--yes"])
        .succeeds();
    place.write("other.yaml", &all[..1]);
    place.run(&["deploy", "other.yaml"]).fails(6, "E0511");
    place
        .run(&["rollback", "app", "--to", "1", "--yes"])
        .succeeds();
    let live = place.server.api.get(&claim).expect("it stays");
    assert_eq!(
        live["metadata"]["labels"][PART_OF],
        place.set("app").as_str()
    );
    assert_eq!(uid(), first);
}

#[test]
fn fields_of_others_are_not_taken_by_a_merge_or_a_replacement_either() {
    for strategy in ["merge", "replace"] {
        let place = Place::new(ApiServer::shared(), "held");
        let of =
            |value: &str| annotated(map("held", value), "weftctl.dev/patch-strategy", strategy);
        place.write("app.yaml", &[of("one")]);
        place.run(&["deploy", "app.yaml"]).succeeds();
        let path = place.path("api/v1", "configmaps/held");
        let change = json!({"data": {"key": "theirs"}});
        let (status, said) = place.server.api.send(
            "PATCH",
            &format!("{path}?fieldManager=hand"),
            Some((MERGE, &change)),
        );
        assert!(status < 300, "{said}");
        let run = place.run(&["deploy", "app.yaml"]).fails(6, "E0513");
        assert!(
            run.stderr.contains("hand") && run.stderr.contains("data.key"),
            "{run}"
        );
        place
            .run(&["deploy", "app.yaml", "--force-conflicts"])
            .succeeds();
        let live = place.server.api.get(&path).expect("it is there");
        assert_eq!(live["data"], json!({"key": "one"}), "{strategy}");
    }
}

#[test]
fn a_dry_run_of_an_adoption_says_what_the_adoption_does() {
    let place = Place::new(ApiServer::shared(), "dry-adopt");
    let theirs = map("both", "theirs").to_string();
    place
        .server
        .kubectl(&["-n", &place.namespace, "apply", "-f", "-"], &theirs);
    place.write("app.yaml", &[map("both", "ours")]);
    for dry_run in [true, false] {
        let mut arguments = vec!["deploy", "app.yaml", "--adopt"];
        arguments.extend(dry_run.then_some("--dry-run=server"));
        let run = place.run(&arguments).succeeds();
        assert!(run.stderr.contains("1 adopted"), "{run}");
    }
}

#[test]
fn members_of_a_kind_that_is_not_served_just_now_are_not_forgotten() {
    let place = Place::new(ApiServer::shared(), "unserved");
    let group = format!("{}.example", place.namespace);
    let mut objects = vec![definition(&group), map("rest", "one")];
    objects.extend((0..6).map(|n| gadget(&group, &format!("g{n}"), "one")));
    place.write("app.yaml", &objects);
    place.run(&["deploy", "app.yaml"]).succeeds();
    // As from a server that has been started again and hasn't read its definitions yet.
    place.write("app.yaml", &objects[1..2]);
    let proxy = Proxy::before(place.server);
    let unserved = Fault::new(Act::Answer(404, None)).on(|seen| seen.plural == "gadgets");
    proxy.misbehave(vec![unserved.times(1_000)]);
    let prune = [
        "deploy",
        "app.yaml",
        "--prune",
        "--confirm",
        "app",
        "-o",
        "json",
    ];
    let run = place.run_through(&proxy, &prune).succeeds();
    assert!(!proxy.struck().is_empty());
    assert_eq!(run.json()["summary"]["pruned"], 0, "{run}");
    assert!(run.stdout.contains("not served just now"), "{run}");
    let run = place.run(&prune).succeeds();
    assert_eq!(run.json()["summary"]["pruned"], 7, "{run}");
    assert_eq!(place.differences("app", &objects[1..2]), [""; 0]);
}
