//! `design`

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use crate::support::{SHOP, Sandbox, server};

#[test]
fn import_says_what_it_stored_and_leaves_the_same_alone() {
    let sandbox = Sandbox::new();
    sandbox.write("shop.yaml", SHOP);
    let first = sandbox.run(["design", "import", "shop.yaml"]);
    insta::assert_snapshot!(first.transcript(), @r"
exit 0
--- stdout
imported design shop, version 0.0.1, 7 components from Kubernetes Manifest
");
    let second = sandbox.run(["design", "import", "shop.yaml"]);
    insta::assert_snapshot!(second.transcript(), @r"
exit 0
--- stdout
unchanged design shop, version 0.0.1, 7 components from Kubernetes Manifest
");
    sandbox.write("shop.yaml", SHOP.replace("web:1.4.2", "web:1.4.3"));
    let third = sandbox.run(["design", "import", "shop.yaml"]);
    insta::assert_snapshot!(third.transcript(), @r"
exit 0
--- stdout
updated design shop, version 0.0.2, 7 components from Kubernetes Manifest
");
    let diff = sandbox.run(["design", "diff", "shop", "--version", "0.0.1..0.0.2"]);
    insta::assert_snapshot!(diff.transcript(), @r#"
exit 1
--- stdout
~ Deployment/shop/web
    ~ spec.template.spec.containers[name=web].image: "registry.example/web:1.4.2" -> "registry.example/web:1.4.3"
--- stderr
shop 0.0.1 and shop 0.0.2: 1 changed resource
"#);
}

#[test]
fn deploy_prints_the_plan_without_a_cluster() {
    let sandbox = Sandbox::new();
    sandbox.write("shop.yaml", SHOP);
    let plan = sandbox.run(["design", "deploy", "shop.yaml", "--dry-run=client"]);
    insta::assert_snapshot!(plan.transcript(), @r"
exit 0
--- stdout
LEVEL  ACTION   KIND            NAMESPACE  NAME   WAITS FOR
1      created  Namespace       -          shop   -
2      created  ServiceAccount  shop       web    Namespace/shop Active
2      created  ConfigMap       shop       web    Namespace/shop Active
2      created  Service         shop       cache  Namespace/shop Active
2      created  Service         shop       web    Namespace/shop Active
3      created  Deployment      shop       web    Namespace/shop Active
3      created  StatefulSet     shop       cache  Namespace/shop Active
--- stderr
plan of shop: 7 created (dry run)
");
    assert!(!sandbox.home().exists(), "a dry run leaves no trace");
}

#[test]
fn validate_points_at_the_misspelt_field() {
    let sandbox = Sandbox::new();
    sandbox.write("shop.yaml", SHOP.replace("replicas: 2", "replica: 2"));
    let run = sandbox.run(["design", "validate", "shop.yaml"]);
    insta::assert_snapshot!(run.transcript(), @r#"
exit 1
--- stdout
error: shop.yaml:41:3: unknown field "replica", did you mean "replicas"? (apps/Deployment/shop/web, spec.replica)
shop is not valid: 7 resources checked against kubernetes v1.35.4, 1 finding
"#);
}

#[test]
fn list_watch_prints_a_document_for_each_change_and_ends_with_its_signal() {
    let sandbox = Sandbox::with_shop();
    let mut command = sandbox.command(["design", "list", "--watch"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut names = || {
        let line = lines.next().expect("a line").expect("text");
        let list: serde_json::Value = serde_json::from_str(&line).expect("a document");
        assert_eq!(list["kind"], "DesignList");
        let items = list["items"].as_array().expect("a list").iter();
        let names: Vec<_> = items.map(|item| item["name"].to_string()).collect();
        names.join(" ")
    };
    assert_eq!(names(), "\"shop\"");
    sandbox
        .run(["design", "import", "shop.yaml", "--name", "till"])
        .succeeds();
    assert_eq!(names(), "\"shop\" \"till\"");
    sandbox
        .run(["design", "delete", "shop", "--yes"])
        .succeeds();
    assert_eq!(names(), "\"till\"");
    server::signal(child.id(), "INT");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

#[test]
fn the_limits_of_texts_are_raised_by_the_flags_that_their_errors_name() {
    let sandbox = Sandbox::new();
    let objects = SHOP.split("---").count().to_string();
    sandbox.write("shop.yaml", SHOP);
    let cases = [
        ("--max-document-size", "100", "1MiB"),
        ("--max-nodes", "5", "1000"),
        ("--max-documents", "2", objects.as_str()),
    ];
    for (flag, low, high) in cases {
        let refused = sandbox
            .run(["design", "validate", "shop.yaml", flag, low])
            .fails(10, "E0102");
        assert!(refused.stderr.contains(flag), "{refused}");
        sandbox
            .run(["design", "validate", "shop.yaml", flag, high])
            .succeeds();
    }
}

#[test]
fn a_design_may_hold_components_that_are_no_whole_objects_yet() {
    let sandbox = Sandbox::new();
    let design = "schemaVersion: designs.meshery.io/v1beta3\nname: draft\ncomponents:\n- displayName: queue\n  \
                  component: {kind: Queue, version: acme.example/v1}\n  configuration: {spec: {}}\n";
    sandbox.write("draft.yaml", design);
    sandbox.run(["design", "import", "draft.yaml"]).succeeds();
    sandbox
        .run(["design", "deploy", "draft", "--dry-run=client"])
        .fails(10, "E0116");
}
