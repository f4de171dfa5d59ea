//! What never gets ready, or never goes: the run ends within its deadline and names what blocks it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::world::{Place, definition, deployment, gadget, map, service, with};
use crate::support::{ApiServer, Run, api::MERGE};

/// Runs a command that has to end within a time.
#[track_caller]
fn within(limit: u64, place: &Place<'_>, arguments: &[&str]) -> Run {
    let begun = Instant::now();
    let run = place.run(arguments);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(limit), "{took:?}: {run}");
    run
}

#[track_caller]
fn names(run: &Run, words: &[&str]) {
    let said = format!("{}{}", run.stdout, run.stderr);
    for word in words {
        assert!(said.contains(word), "{word}: {run}");
    }
}

fn depends(object: Value, on: &str) -> Value {
    let path = ["metadata", "annotations", "weftctl.dev/depends-on"];
    with(object, &path, json!(on))
}

#[test]
fn a_circle_of_dependencies_is_refused_by_name_before_any_write() {
    let place = Place::new(ApiServer::shared(), "circle");
    let objects = [
        depends(map("a", "x"), "ConfigMap/b"),
        depends(map("b", "x"), "ConfigMap/c"),
        depends(map("c", "x"), "ConfigMap/a"),
        map("alone", "x"),
    ];
    place.write("app.yaml", &objects);
    let run = within(10, &place, &["deploy", "app.yaml"]).fails(10, "E0111");
    names(
        &run,
        &["/a → ConfigMap", "/b → ConfigMap", "/c → ConfigMap"],
    );
    assert_eq!(place.remains("app"), [""; 0]);
}

#[test]
fn a_kind_that_nobody_defines_is_refused_by_name_before_any_write() {
    let place = Place::new(ApiServer::shared(), "undefined");
    let group = format!("{}.example", place.namespace);
    let objects = [gadget(&group, "g", "x"), map("alone", "x")];
    place.write("app.yaml", &objects);
    let run = within(10, &place, &["deploy", "app.yaml"]).fails(10, "E0116");
    names(&run, &["Gadget", &group]);
    assert_eq!(place.remains("app"), [""; 0]);
}

/// A webhook that is asked about every pod, and whose own pods it therefore keeps from being made.
fn blocking_itself(place: &Place<'_>) -> Vec<Value> {
    let webhook = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": place.namespace},
        "webhooks": [{
            "name": "pods.example.org", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "failurePolicy": "Fail", "timeoutSeconds": 1,
            "clientConfig": {"service": {"name": "hook", "namespace": place.namespace, "path": "/"}},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place.namespace}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        }],
    });
    let hook = depends(
        deployment("hook", "hook:1", 1),
        &format!("ValidatingWebhookConfiguration/{}", place.namespace),
    );
    vec![webhook, service("hook", 443), hook]
}

#[test]
fn a_webhook_that_blocks_its_own_pods_ends_in_time_and_is_named() {
    let place = Place::new(ApiServer::with_nodes(), "webhook");
    place.write("app.yaml", &blocking_itself(&place));
    let run = within(
        25,
        &place,
        &["deploy", "app.yaml", "--wait", "--timeout", "6s"],
    );
    let run = run.fails(7, "E0518");
    names(&run, &["hook", "pods.example.org"]);
    place
        .run(&["undeploy", "app", "--confirm", "app"])
        .succeeds();
}

#[test]
fn a_quota_that_is_used_up_is_named_with_what_it_holds_back() {
    let place = Place::new(ApiServer::with_nodes(), "quota");
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"},
        "spec": {"hard": {"count/configmaps": "2", "pods": "0"}},
    });
    let path = place.path("api/v1", "resourcequotas");
    let made = place
        .server
        .api
        .send("POST", &path, Some(("application/json", &quota)));
    assert_eq!(made.0, 201);
    let until = Instant::now() + Duration::from_secs(30);
    while place
        .server
        .api
        .get(&format!("{path}/few"))
        .is_none_or(|live| live["status"]["used"].is_null())
    {
        assert!(Instant::now() < until, "nobody counts");
        std::thread::sleep(Duration::from_millis(50));
    }
    // Of a kind that the API server refuses itself.
    let maps: Vec<Value> = (0..4).map(|n| map(&format!("map-{n}"), "x")).collect();
    place.write("app.yaml", &maps);
    let run = within(30, &place, &["deploy", "app.yaml"]);
    let run = run.fails(6, "E0525");
    names(&run, &["few", "count/configmaps"]);
    // Of a kind that a controller makes: nobody refuses us, and the pods never come.
    place.write("web.yaml", &[deployment("web", "shop:1", 1)]);
    let arguments = ["deploy", "web.yaml", "--wait", "--timeout", "5s"];
    let run = within(20, &place, &arguments).fails(7, "E0518");
    names(&run, &["Deployment", "web", "few"]);
}

#[test]
fn an_image_that_is_never_pulled_is_named_with_its_pod() {
    let place = Place::new(ApiServer::with_nodes(), "image");
    let path = [
        "spec",
        "template",
        "metadata",
        "annotations",
        "sandbox/waiting",
    ];
    let stuck = with(
        deployment("stuck", "none:1", 1),
        &path,
        json!("ImagePullBackOff"),
    );
    place.write("app.yaml", &[stuck, deployment("fine", "shop:1", 1)]);
    let arguments = [
        "deploy",
        "app.yaml",
        "--wait",
        "--timeout",
        "6s",
        "-o",
        "json",
    ];
    let run = within(20, &place, &arguments).fails(7, "E0518");
    names(&run, &["Deployment", "pod stuck-", "ImagePullBackOff"]);
    let resources = run.json()["resources"].as_array().cloned().expect("a list");
    let ready = resources
        .iter()
        .map(|r| (r["name"].as_str(), r["ready"].as_bool()));
    let mut ready: Vec<_> = ready.collect();
    ready.sort_unstable();
    assert_eq!(
        ready,
        [(Some("fine"), Some(true)), (Some("stuck"), Some(false))]
    );
}

/// A design that is deployed, of which one object has a finalizer that nobody takes off.
fn held(place: &Place<'_>) -> String {
    place.write("app.yaml", &[map("held", "x"), map("other", "x")]);
    place.run(&["deploy", "app.yaml"]).succeeds();
    let path = place.path("api/v1", "configmaps/held");
    let finalizers = json!({"metadata": {"finalizers": ["example.org/never"]}});
    let (status, _) = place
        .server
        .api
        .send("PATCH", &path, Some((MERGE, &finalizers)));
    assert_eq!(status, 200);
    path
}

/// Takes the finalizer off, and demands that the next run ends well.
fn free(place: &Place<'_>, path: &str, arguments: &[&str]) {
    let none = json!({"metadata": {"finalizers": null}});
    place.server.api.merge(path, &none);
    place.run(arguments).succeeds();
    assert!(place.server.api.get(path).is_none());
}

#[test]
fn a_finalizer_that_nobody_takes_off_ends_an_undeploy_in_time_and_is_named() {
    let place = Place::new(ApiServer::shared(), "finalizer");
    let path = held(&place);
    let arguments = ["undeploy", "app", "--confirm", "app", "--timeout", "3s"];
    let run = within(10, &place, &arguments);
    assert!(matches!(run.code, Some(7 | 9)), "{run}");
    names(&run, &["E0519", "held", "example.org/never"]);
    assert!(place.parent("app").is_some(), "the inventory stays");
    free(&place, &path, &["undeploy", "app", "--confirm", "app"]);
    assert_eq!(place.remains("app"), [""; 0]);
}

#[test]
fn a_finalizer_that_nobody_takes_off_ends_a_prune_in_time_and_is_named() {
    let place = Place::new(ApiServer::shared(), "finalizer");
    let path = held(&place);
    let rest = [map("other", "x")];
    place.write("app.yaml", &rest);
    let arguments = ["deploy", "app.yaml", "--prune", "--yes", "--timeout", "3s"];
    let run = within(10, &place, &arguments);
    assert!(matches!(run.code, Some(7 | 9)), "{run}");
    names(&run, &["E0519", "held", "example.org/never"]);
    free(&place, &path, &["deploy", "app.yaml", "--prune", "--yes"]);
    assert_eq!(place.differences("app", &rest), [""; 0]);
}

#[test]
fn a_dependency_that_is_never_ready_ends_in_time_and_is_named() {
    // Nobody reports on a Deployment here, so that it never gets ready.
    let place = Place::new(ApiServer::shared(), "level");
    let objects = [
        deployment("never", "x:1", 1),
        depends(map("after", "x"), "apps/Deployment/never"),
    ];
    place.write("app.yaml", &objects);
    let run = within(10, &place, &["deploy", "app.yaml", "--timeout", "3s"]);
    assert!(matches!(run.code, Some(7 | 9)), "{run}");
    names(&run, &["E0518", "never", "after"]);
    assert_eq!(
        place.differences("app", &objects[..1]).len(),
        1,
        "the second is only listed"
    );
}

#[test]
fn a_webhook_whose_backend_is_never_ready_is_not_written_and_ends_in_time() {
    let place = Place::new(ApiServer::shared(), "backend");
    let mut objects = blocking_itself(&place);
    // Without the wrong order of the other test.
    let hook = &mut objects[2]["metadata"]["annotations"];
    hook.as_object_mut()
        .expect("a map")
        .remove("weftctl.dev/depends-on");
    place.write("app.yaml", &objects);
    let run = within(10, &place, &["deploy", "app.yaml", "--timeout", "3s"]);
    assert!(matches!(run.code, Some(7 | 9)), "{run}");
    names(&run, &["E0518", "Deployment", "hook"]);
    let path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    let path = format!("{path}/{}", place.namespace);
    assert!(place.server.api.get(&path).is_none(), "it would block pods");
}

#[test]
fn a_definition_that_is_never_established_ends_in_time_and_is_named() {
    let place = Place::new(ApiServer::shared(), "definition");
    let group = format!("{}.example", place.namespace);
    // Its names are those of another one, so that the server doesn't accept them.
    let taken = with(
        definition(&group),
        &["spec", "names", "kind"],
        json!("Other"),
    );
    let (status, _) = place.server.api.send(
        "POST",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        Some(("application/json", &taken)),
    );
    assert_eq!(status, 201);
    let mut second = definition(&group);
    second["metadata"]["name"] = json!(format!("things.{group}"));
    second["spec"]["names"] = json!({
        "kind": "Other", "plural": "things", "singular": "thing", "listKind": "OtherList",
    });
    let mut thing = gadget(&group, "t", "x");
    thing["kind"] = json!("Other");
    place.write("app.yaml", &[second, thing]);
    let run = within(15, &place, &["deploy", "app.yaml", "--timeout", "3s"]);
    assert!(matches!(run.code, Some(7 | 9)), "{run}");
    names(&run, &["E0518", &format!("things.{group}")]);
}
