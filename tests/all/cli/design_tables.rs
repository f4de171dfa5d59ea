//! `design list|search|view|render|export|delete|diff`: what people and scripts see of what is stored.

use crate::support::{SHOP, Sandbox};

/// Two designs, one of them in two versions.
fn stored() -> Sandbox {
    let sandbox = Sandbox::with_shop();
    sandbox.write("shop.yaml", SHOP.replace("web:1.4.2", "web:1.4.3"));
    sandbox.run(["design", "import", "shop.yaml"]).succeeds();
    sandbox.write(
        "login.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: login, namespace: shop}\nstringData: {password: CANARY}\n",
    );
    sandbox.run(["design", "import", "login.yaml"]).succeeds();
    sandbox
}

/// What lists say that are empty.
const NONE: &str = "no designs\n";

/// Arguments, exit code, standard output, standard error without `more:`.
type Case<'a> = (&'a str, i32, &'a str, &'a str);

#[track_caller]
fn check(cases: &[Case<'_>]) {
    let sandbox = stored();
    for (arguments, code, stdout, stderr) in cases {
        let run = sandbox.run(arguments.split(' '));
        let kept = |line: &&str| !line.starts_with("  more:");
        let said: String = run
            .stderr
            .lines()
            .filter(kept)
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(
            (run.code, run.stdout.as_str(), said.as_str()),
            (Some(*code), *stdout, *stderr),
            "weftctl {arguments}\n{run}"
        );
    }
}

#[test]
fn list_shows_every_design_by_name() {
    check(&[
        (
            "design list",
            0,
            "NAME   VERSION  COMPONENTS  FORM                 UPDATED\n\
             login  0.0.1    1           Kubernetes Manifest  2026-01-02T03:04:05Z\n\
             shop   0.0.2    7           Kubernetes Manifest  2026-01-02T03:04:05Z\n",
            "",
        ),
        (
            "design list --no-headers",
            0,
            "login  0.0.1  1  Kubernetes Manifest  2026-01-02T03:04:05Z\n\
             shop   0.0.2  7  Kubernetes Manifest  2026-01-02T03:04:05Z\n",
            "",
        ),
        ("design list -o name", 0, "design/login\ndesign/shop\n", ""),
        ("design list --limit 1 -o name", 0, "design/login\n", ""),
        (
            "design list -o jsonpath={.items[*].version}",
            0,
            "0.0.1 0.0.2",
            "",
        ),
        (
            "design list -o bad",
            2,
            "",
            "error[E0002]: cannot print as \"bad\": valid formats are table, wide, name, json, yaml, jsonpath=… and template=…\n  \
             hint:   see what there is: weftctl help formats\n",
        ),
    ]);
}

#[test]
fn an_empty_list_says_so_and_is_no_error() {
    let sandbox = Sandbox::new();
    for arguments in [&["design", "list"][..], &["design", "search", "x"]] {
        let run = sandbox.run(arguments).succeeds();
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", NONE));
        let json = sandbox
            .run(arguments.iter().chain(&["-o", "json"]))
            .succeeds()
            .json();
        assert_eq!(json["items"], serde_json::json!([]));
    }
    assert!(!sandbox.home().exists(), "reading leaves no trace");
}

#[test]
fn search_finds_part_of_a_name_in_any_case() {
    check(&[
        ("design search SHO -o name", 0, "design/shop\n", ""),
        (
            "design search o -o name",
            0,
            "design/login\ndesign/shop\n",
            "",
        ),
        ("design search % -o name", 0, "", NONE),
        ("design search zzz", 0, "", NONE),
    ]);
}

#[test]
fn view_shows_one_design_of_one_version() {
    check(&[
        (
            "design view shop",
            0,
            "KIND            NAMESPACE  NAME\n\
             Namespace       -          shop\n\
             ServiceAccount  shop       web\n\
             ConfigMap       shop       web\n\
             Service         shop       web\n\
             Deployment      shop       web\n\
             StatefulSet     shop       cache\n\
             Service         shop       cache\n",
            "design shop, version 0.0.2 of 0.0.2 and 0.0.1\n",
        ),
        (
            "design view shop --version 0.0.1 -o name",
            0,
            "design/shop\n",
            "design shop, version 0.0.1 of 0.0.2 and 0.0.1\n",
        ),
        (
            "design view login -o jsonpath={.design.components[0].configuration.stringData.password}",
            0,
            "••••••••",
            "design login, version 0.0.1 of 0.0.1\n",
        ),
        (
            "design view shop --version 9",
            5,
            "",
            "error[E0201]: design \"shop\" has no version \"9\"\n  hint:   list them: weftctl design view NAME -o wide\n",
        ),
        (
            "design view shp",
            5,
            "",
            "error[E0200]: no design named \"shp\"\n  hint:   did you mean \"shop\"?\n",
        ),
    ]);
}

#[test]
fn view_reads_a_path_and_masks_its_secrets() {
    check(&[
        (
            "design view login.yaml",
            0,
            "KIND    NAMESPACE  NAME\nSecret  shop       login\n",
            "design login, read from login.yaml\n",
        ),
        (
            "design view -f login.yaml -o jsonpath={.design.components[0].configuration.stringData.password}",
            0,
            "••••••••",
            "design login, read from login.yaml\n",
        ),
    ]);
}

#[test]
fn names_are_told_from_paths_and_fit_for_xargs() {
    let sandbox = Sandbox::with_shop();
    for name in ["a.yaml", "my shop", "a/b", "-", "it's", ".hidden", "-x"] {
        let name = format!("--name={name}");
        let run = sandbox.run(["design", "import", "shop.yaml", &name]);
        run.fails(10, "E0109");
    }
    let run = sandbox.run(["design", "import", "shop.yaml", "--name", "Untitled Design"]);
    assert!(run.stderr.contains("--name untitled-design"), "{run}");
    sandbox.write(
        "foreign.yaml",
        "schemaVersion: designs.meshery.io/v1beta3\nname: Untitled Design\ncomponents: []\n",
    );
    let run = sandbox
        .run(["design", "import", "foreign.yaml", "-o", "name"])
        .succeeds();
    assert_eq!(run.stdout, "design/untitled-design\n");
    assert!(
        run.stderr.starts_with("warning: named untitled-design, "),
        "{run}"
    );
}

#[test]
fn a_design_is_deleted_by_its_whole_name_or_id() {
    let sandbox = Sandbox::with_shop();
    let id = sandbox
        .run(["design", "list", "-o", "jsonpath={.items[0].id}"])
        .succeeds()
        .stdout;
    let run = sandbox
        .run(["design", "delete", &id[..4], "--yes"])
        .fails(5, "E0200");
    assert!(run.stderr.contains(&id), "{run}");
    sandbox.run(["design", "delete", &id, "--yes"]).succeeds();
}

#[test]
fn diff_tells_what_only_the_document_says() {
    let sandbox = Sandbox::new();
    let relationship = |kind: &str| {
        format!(
            "schemaVersion: designs.meshery.io/v1beta3\nname: d\nversion: 0.0.1\ncomponents: []\nrelationships:\n\
                 - id: 11111111-1111-4111-8111-111111111111\n  kind: {kind}\n  type: binding\n  subType: network\n"
        )
    };
    sandbox.write("a.yaml", relationship("edge"));
    sandbox.write("b.yaml", relationship("hierarchical"));
    let run = sandbox.run(["design", "diff", "a.yaml", "b.yaml"]).ends(1);
    assert!(run.stdout.contains("\"edge\" -> \"hierarchical\""), "{run}");
    assert_eq!(run.stderr, "d and d: 1 change only in the design\n");
}

#[test]
fn an_export_to_standard_output_is_its_text_whatever_is_configured() {
    let sandbox = Sandbox::with_shop();
    let export = ["design", "export", "shop", "--as", "manifest", "--to", "-"];
    let plain = sandbox.run(export).succeeds().stdout;
    assert!(plain.starts_with("---\napiVersion: v1\n"), "{plain}");
    let mut command = sandbox.command(export);
    let configured = sandbox.finish(command.env("WEFT_OUTPUT", "json"), None);
    assert_eq!(configured.succeeds().stdout, plain);
    sandbox
        .run(export.iter().chain(&["-o", "json"]))
        .fails(2, "E0002");
}

#[test]
fn an_export_with_secrets_is_for_its_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = stored();
    let export = [
        "design",
        "export",
        "login",
        "--include-secrets",
        "--to",
        "out.yaml",
    ];
    sandbox.run(export).succeeds();
    let mode = std::fs::metadata(sandbox.path("out.yaml"))
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn render_prints_manifests_with_masked_secrets() {
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: login\n  namespace: shop\nstringData:\n  password: ";
    check(&[
        ("design render login", 0, &format!("{secret}••••••••\n"), ""),
        (
            "design render login --include-secrets",
            0,
            &format!("{secret}CANARY\n"),
            "",
        ),
        (
            "design render shop -o name",
            0,
            "namespace/shop\nserviceaccount/web\nconfigmap/web\nservice/web\ndeployment/web\nstatefulset/cache\nservice/cache\n",
            "",
        ),
        ("design render shop -o jsonpath={.version}", 0, "0.0.2", ""),
        (
            "design render shop --version 0.0.1 -o jsonpath={.version}",
            0,
            "0.0.1",
            "",
        ),
    ]);
}

#[test]
fn render_keeps_what_a_terminal_would_not_show() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "in.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {text: \"a\\u202Eb\\u00ADc\\e[31m\"}\n",
    );
    let text = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  text: \"a\\u202Eb\\u00ADc\\e[31m\"\n";
    let render = sandbox.run(["design", "render", "in.yaml"]).succeeds();
    assert_eq!(render.stdout, text);
    let export = [
        "design", "export", "in.yaml", "--as", "manifest", "--to", "-",
    ];
    assert_eq!(sandbox.run(export).succeeds().stdout, text);
}

#[test]
fn export_writes_all_files_or_none() {
    let chart = "Chart.yaml values.yaml .helmignore templates/namespace-shop.yaml templates/serviceaccount-web.yaml \
                 templates/configmap-web.yaml templates/service-web.yaml templates/deployment-web.yaml \
                 templates/statefulset-cache.yaml templates/service-cache.yaml";
    let wrote = |mark: &str| -> String {
        chart
            .split_whitespace()
            .map(|file| format!("wrote chart/{file}{mark}\n"))
            .collect()
    };
    check(&[
        (
            "design export login --to -",
            11,
            "",
            "error[E0604]: the design login holds values of Secrets\n  hint:   add --include-secrets if that is what you want\n",
        ),
        (
            "design export shop --as chart --to -",
            2,
            "",
            "error[E0002]: a form of several files needs a folder: --to ./FOLDER\n  hint:   add --help to the command to see what it takes\n",
        ),
        (
            "design export shop --as chart --to chart --dry-run=client",
            0,
            &wrote(" (dry run)"),
            "",
        ),
        (
            "design export shop --as chart --to chart",
            0,
            &wrote(""),
            "",
        ),
        (
            "design export shop --as chart --to chart",
            6,
            "",
            "error[E0602]: a file that would be overwritten exists\n  where:  chart/Chart.yaml\n  hint:   choose another place, or add --force\n",
        ),
        (
            "design export shop --as chart --to chart --force",
            0,
            &wrote(""),
            "",
        ),
        (
            "design export shop --as bad --to x",
            2,
            "",
            "error[E0002]: invalid value 'bad' for '--as <FORM>' [possible values: design, manifest, chart, kustomization, artifact-hub]\n  \
             hint:   add --help to the command to see what it takes\n",
        ),
    ]);
}

#[test]
fn diff_answers_with_its_exit_code() {
    check(&[
        (
            "design diff shop login",
            1,
            "+ Secret/shop/login\n- Namespace/shop\n- ServiceAccount/shop/web\n- ConfigMap/shop/web\n- Service/shop/web\n\
             - apps/Deployment/shop/web\n- apps/StatefulSet/shop/cache\n- Service/shop/cache\n",
            "shop 0.0.2 and login 0.0.1: 8 changed resources\n",
        ),
        (
            "design diff shop --version 0.0.1..0.0.2",
            1,
            "~ apps/Deployment/shop/web\n    ~ spec.template.spec.containers[name=web].image: \
             \"registry.example/web:1.4.2\" -> \"registry.example/web:1.4.3\"\n",
            "shop 0.0.1 and shop 0.0.2: 1 changed resource\n",
        ),
        (
            "design diff shop shop.yaml",
            0,
            "",
            "shop 0.0.2 and shop are the same\n",
        ),
        (
            "design diff shop -f shop.yaml -o name",
            0,
            "",
            "shop 0.0.2 and shop are the same\n",
        ),
        (
            "design diff --version 0.0.1..0.0.2 -o name shop",
            1,
            "resource/apps/Deployment/shop/web\n",
            "shop 0.0.1 and shop 0.0.2: 1 changed resource\n",
        ),
        (
            "design diff",
            2,
            "",
            "error[E0002]: a comparison has one design or two, found 0\n  hint:   one with its cluster: weftctl design diff shop --context dev\n  \
             hint:   two: weftctl design diff shop shop.yaml\n  \
             hint:   or two versions of one: weftctl design diff shop --version 0.0.1..0.0.2\n",
        ),
        (
            "design diff shop shop.yaml --context dev",
            2,
            "",
            "error[E0002]: two designs are compared with each other, not with a cluster\n  \
             hint:   name one design to compare it with a cluster\n",
        ),
        (
            "design diff shop --version 1",
            2,
            "",
            "error[E0002]: --version needs two versions, found \"1\"\n  hint:   two versions with dots between: --version 0.0.1..0.0.2\n",
        ),
    ]);
}

#[test]
fn delete_asks_first_and_takes_every_version() {
    check(&[
        (
            "design delete shop",
            12,
            "",
            "error[E0005]: Delete the design shop with 2 versions? Nobody can be asked here\n  hint:   answer with --yes\n",
        ),
        (
            "design delete shop --dry-run=client",
            0,
            "deleted design shop with 2 versions (dry run)\n",
            "",
        ),
        ("design list -o name", 0, "design/login\ndesign/shop\n", ""),
        (
            "design delete shop --yes",
            0,
            "deleted design shop with 2 versions\n",
            "",
        ),
        ("design list -o name", 0, "design/login\n", ""),
        (
            "design delete shop --yes",
            5,
            "",
            "error[E0200]: no design named \"shop\"\n  hint:   list them: weftctl design list\n",
        ),
    ]);
}
