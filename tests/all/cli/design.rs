//! `design`

use crate::support::{SHOP, Sandbox};

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
