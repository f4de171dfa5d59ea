//! The apply engine on a real API server: every test has a namespace of its own.

use serde_json::Value;

use crate::support::{Place, Run, Sandbox};

fn maps(pairs: &[(&str, &str)]) -> String {
    let maps = pairs.iter().map(|(name, value)| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{key: {value}}}\n"
        )
    });
    maps.collect::<Vec<_>>().join("---\n")
}

fn actions(run: &Run) -> Vec<(String, String)> {
    let resources = run.json()["resources"].as_array().cloned().expect("a list");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let actions = resources
        .iter()
        .map(|r| (text(&r["name"]), text(&r["action"])));
    actions.collect()
}

#[test]
fn what_is_deployed_again_is_unchanged_and_one_change_is_one_write() {
    let place = Place::new();
    place
        .sandbox
        .write("app.yaml", maps(&[("a", "one"), ("b", "one")]));
    let first = place.run(&["deploy", "app.yaml", "-o", "json"]).succeeds();
    assert_eq!(first.json()["summary"]["created"], 2, "{first}");
    let versions = |place: &Place| -> Vec<Value> {
        let list = place.kubectl(&["get", "configmap", "a", "b"]);
        let items = list["items"].as_array().expect("a list");
        items
            .iter()
            .map(|item| item["metadata"]["resourceVersion"].clone())
            .collect()
    };
    let before = versions(&place);
    let again = place.run(&["deploy", "app.yaml", "-o", "json"]).succeeds();
    assert_eq!(again.json()["summary"]["unchanged"], 2, "{again}");
    assert_eq!(versions(&place), before, "nothing was written");
    assert!(again.json().get("revision").is_none(), "{again}");
    place
        .sandbox
        .write("app.yaml", maps(&[("a", "one"), ("b", "two")]));
    let plan = place.run(&["plan", "app.yaml", "-o", "json"]).ends(1);
    let third = place.run(&["deploy", "app.yaml", "-o", "json"]).succeeds();
    let expected =
        [("a", "unchanged"), ("b", "configured")].map(|(n, a)| (n.to_owned(), a.to_owned()));
    assert_eq!(actions(&plan), expected, "{plan}");
    assert_eq!(actions(&third), expected, "{third}");
    let after = versions(&place);
    assert_eq!(
        (after[0] == before[0], after[1] == before[1]),
        (true, false)
    );
    place.run(&["plan", "app.yaml"]).ends(0);
}

#[test]
fn another_machine_has_history_rollback_prune_and_undeploy() {
    let place = Place::new();
    place
        .sandbox
        .write("app.yaml", maps(&[("a", "one"), ("b", "one")]));
    place.run(&["deploy", "app.yaml"]).succeeds();
    place
        .sandbox
        .write("app.yaml", maps(&[("a", "two"), ("c", "two")]));
    let kept = place.run(&["deploy", "app.yaml", "-o", "json"]).succeeds();
    assert!(
        actions(&kept).contains(&("b".to_owned(), "skipped".to_owned())),
        "{kept}"
    );
    place
        .run(&["deploy", "app.yaml", "--prune"])
        .fails(12, "E0005");
    place
        .run(&["deploy", "app.yaml", "--prune", "--yes"])
        .succeeds();
    assert_eq!(place.names("configmap"), ["a", "c"]);

    let other = Sandbox::new();
    let history = place
        .run_in(&other, &["history", "app", "-o", "json"])
        .succeeds();
    let items = history.json()["items"].as_array().cloned().expect("a list");
    let outcomes: Vec<_> = items
        .iter()
        .map(|item| item["outcome"].as_str().unwrap_or(""))
        .collect();
    assert_eq!(outcomes, ["deployed", "superseded"], "{history}");
    place.run_in(&other, &["status", "app"]).succeeds();
    place
        .run_in(&other, &["rollback", "app", "--to", "1", "--yes"])
        .succeeds();
    assert_eq!(place.names("configmap"), ["a", "b"]);
    let map = place.kubectl(&["get", "configmap", "a"]);
    assert_eq!(map["data"]["key"], "one");
    place
        .run_in(&other, &["rollback", "app", "--to", "9", "--yes"])
        .fails(5, "E0201");
    place
        .run_in(&other, &["undeploy", "app"])
        .fails(12, "E0005");
    place
        .run_in(&other, &["undeploy", "app", "--yes"])
        .succeeds();
    for kind in ["configmap", "secret", "lease"] {
        assert_eq!(place.names(kind), [""; 0], "{kind}");
    }
    place.run_in(&other, &["status", "app"]).fails(5, "E0517");
}

#[test]
fn a_strangers_object_is_refused_adopted_and_given_back() {
    let place = Place::new();
    place.server.kubectl(
        &["-n", &place.namespace, "apply", "-f", "-"],
        &maps(&[("mine", "theirs")]),
    );
    place
        .sandbox
        .write("app.yaml", maps(&[("mine", "theirs"), ("new", "ours")]));
    let refused = place.run(&["deploy", "app.yaml"]).fails(6, "E0511");
    assert!(
        refused.stderr.contains("kubectl"),
        "names the owner: {refused}"
    );
    assert_eq!(place.names("configmap"), ["mine"], "nothing was written");
    let adopted = place
        .run(&["deploy", "app.yaml", "--adopt", "-o", "json"])
        .succeeds();
    assert_eq!(adopted.json()["summary"]["adopted"], 1, "{adopted}");
    place.run(&["undeploy", "app", "--yes"]).succeeds();
    assert_eq!(place.names("configmap"), ["mine"]);
    let map = place.kubectl(&["get", "configmap", "mine"]);
    assert_eq!(map["data"]["key"], "theirs");
    assert!(map["metadata"].get("labels").is_none(), "{map}");
}

#[test]
fn two_designs_do_not_take_one_object_from_each_other() {
    let place = Place::new();
    for name in ["one.yaml", "two.yaml"] {
        place.sandbox.write(name, maps(&[("shared", name)]));
    }
    place.run(&["deploy", "one.yaml"]).succeeds();
    for more in [&[][..], &["--adopt"], &["--force-conflicts"]] {
        let run = place.run(&[&["deploy", "two.yaml"], more].concat());
        run.fails(6, "E0510");
    }
    let map = place.kubectl(&["get", "configmap", "shared"]);
    assert_eq!(map["data"]["key"], "one.yaml");
}

#[test]
fn release_leaves_every_object_as_it_is() {
    let place = Place::new();
    place.sandbox.write("app.yaml", maps(&[("a", "one")]));
    place.run(&["deploy", "app.yaml"]).succeeds();
    place.run(&["release", "app", "--yes"]).succeeds();
    let map = place.kubectl(&["get", "configmap", "a", "--show-managed-fields"]);
    assert_eq!(map["data"]["key"], "one");
    assert!(!map.to_string().contains("weftctl"), "{map}");
    assert_eq!(place.names("secret"), [""; 0]);
}

#[test]
fn values_of_secrets_go_to_the_cluster_and_into_no_output() {
    let place = Place::new();
    let secret = |value: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{key: {value}}}\n"
        )
    };
    place.sandbox.write("app.yaml", secret("CANARY-one"));
    let mut said = place
        .run(&["deploy", "app.yaml", "-o", "json"])
        .succeeds()
        .stdout;
    place.sandbox.write("app.yaml", secret("CANARY-two"));
    for verb in [
        &["plan", "app.yaml", "-o", "json"][..],
        &["deploy", "app.yaml", "-o", "json"],
    ] {
        said += &place.run(verb).stdout;
    }
    said += &place
        .run(&["rollback", "app", "--to", "1", "--yes", "-o", "json"])
        .succeeds()
        .stdout;
    for canary in ["CANARY", "Q0FOQVJZ"] {
        assert!(!said.contains(canary), "{said}");
    }
    let live = place.kubectl(&["get", "secret", "s"]);
    assert_eq!(live["data"]["key"], "Q0FOQVJZLW9uZQ==", "rolled back");
    // What the cluster keeps of it doesn't show it either.
    let kept = place.kubectl(&["get", "secret"]);
    let others = kept["items"].as_array().expect("a list").iter();
    for other in others.filter(|other| other["metadata"]["name"] != "s") {
        assert!(!other.to_string().contains("Q0FOQVJZ"), "{other}");
    }
}

#[test]
fn a_definition_and_its_kind_and_a_namespace_and_its_contents_come_in_one_run() {
    let place = Place::new();
    let group = format!("{}.example", place.namespace);
    let inner = format!("{}-inner", place.namespace);
    place.sandbox.write(
        "app.yaml",
        format!(
            "apiVersion: {group}/v1\nkind: Gadget\nmetadata: {{name: g, namespace: {inner}}}\nspec: {{size: 3}}\n---\n\
             apiVersion: v1\nkind: Namespace\nmetadata: {{name: {inner}}}\n---\n\
             apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: gadgets.{group}}}\n\
             spec:\n  group: {group}\n  scope: Namespaced\n  names: {{kind: Gadget, plural: gadgets, singular: gadget, listKind: GadgetList}}\n  \
             versions:\n  - name: v1\n    served: true\n    storage: true\n    schema: {{openAPIV3Schema: {{type: object, \
             properties: {{spec: {{type: object, properties: {{size: {{type: integer}}}}}}}}}}}}\n"
        ),
    );
    let dry = place
        .run(&["deploy", "app.yaml", "--dry-run=server", "-o", "json"])
        .succeeds();
    let unchecked = dry.json()["resources"].as_array().cloned().expect("a list");
    let gadget = unchecked
        .iter()
        .find(|r| r["kind"] == "Gadget")
        .expect("the gadget");
    assert_eq!(gadget["notCheckedByServer"], true, "{dry}");
    let run = place.run(&["deploy", "app.yaml", "-o", "json"]).succeeds();
    assert_eq!(run.json()["summary"]["created"], 3, "{run}");
    let again = place.run(&["deploy", "app.yaml", "-o", "json"]).succeeds();
    assert_eq!(again.json()["summary"]["unchanged"], 3, "{again}");
}

#[test]
fn what_the_server_refuses_is_a_partial_success_that_a_rerun_finishes() {
    let place = Place::new();
    let quota = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: none}\nspec: {hard: {count/secrets: '100'}}\n";
    let bad = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {clusterIP: 1.2.3.4, ports: [{port: 80}]}\n";
    place
        .sandbox
        .write("app.yaml", format!("{quota}---\n{bad}"));
    let run = place.run(&["deploy", "app.yaml", "-o", "json"]).ends(9);
    let failed: Vec<_> = actions(&run)
        .into_iter()
        .filter(|(_, a)| a == "failed")
        .collect();
    assert_eq!(failed, [("s".to_owned(), "failed".to_owned())], "{run}");
    assert!(run.stderr.contains("E0522"), "{run}");
    let history = place.run(&["history", "app", "-o", "json"]).succeeds();
    assert_eq!(history.json()["items"][0]["outcome"], "failed", "{history}");
    place.sandbox.write(
        "app.yaml",
        format!("{quota}---\n{}", bad.replace("clusterIP: 1.2.3.4, ", "")),
    );
    place.run(&["deploy", "app.yaml"]).succeeds();
}

#[test]
fn two_runs_of_one_design_do_not_interleave() {
    let place = Place::new();
    let many: Vec<(String, &str)> = (0..40).map(|n| (format!("m{n}"), "one")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(n, v)| (n.as_str(), *v)).collect();
    place.sandbox.write("app.yaml", maps(&many));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| place.run(&["deploy", "app.yaml"]).succeeds());
        }
    });
    assert_eq!(place.names("configmap").len(), 40);
    let history = place.run(&["history", "app", "-o", "json"]).succeeds();
    assert_eq!(
        history.json()["items"].as_array().map(Vec::len),
        Some(1),
        "{history}"
    );
}
