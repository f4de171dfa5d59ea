//! Values and overlays: one design for several clusters that differ.

use serde_json::Value;

use crate::support::{ApiServer, Run, Sandbox, WEFTCTL, tools};

/// A sandbox with the folder `web` of `testdata/overlays`, and a kubeconfig of clusters that don't answer.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let from = tools::testdata("overlays/web");
    for file in [
        "web.yaml",
        "values.yaml",
        "overlays/small/web.yaml",
        "overlays/west/values.yaml",
        "overlays/west/web.yaml",
    ] {
        let text = std::fs::read(from.join(file)).expect("a file of testdata");
        sandbox.write(&format!("web/{file}"), text);
    }
    let contexts = ["staging-east", "staging-west", "prod"];
    let contexts =
        contexts.map(|name| format!("{{name: {name}, context: {{cluster: c, user: u}}}}"));
    sandbox.write(
        "home/.kube/config",
        format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:1'}}}}]\n\
             users: [{{name: u, user: {{}}}}]\ncontexts: [{}]\n",
            contexts.join(", ")
        ),
    );
    sandbox
}

const CONTEXTS: [&str; 4] = ["--context", "staging-east", "--context", "staging-west"];

/// A design as a file, whose Secret and one field take values.
const SEALED: &str = "schemaVersion: designs.meshery.io/v1beta3
name: sealed
values: {password: DEFAULT-CANARY, replicas: 1}
overlays:
  prod:
    values: {password: OVERLAY-CANARY}
    patches:
    - target: {kind: Secret, name: db}
      patch: [{op: add, path: /stringData/key, value: PATCH-CANARY}]
components:
- displayName: db
  component: {kind: Secret, version: v1}
  configuration:
    metadata: {name: db}
    stringData: {url: 'db://app:${password}@db'}
- displayName: web
  component: {kind: Deployment, version: apps/v1}
  configuration:
    metadata: {name: web}
    spec:
      replicas: ${replicas}
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec: {containers: [{name: web, image: web}]}
";

/// What each resource gets from where, as `CONTEXT KIND: by: paths`.
fn set_by(run: &Run) -> Vec<String> {
    let json = run.json();
    let resources = json["resources"].as_array().expect("a list").iter();
    let lines = resources.filter_map(|resource| {
        let fields = resource.get("setBy")?.as_array()?.iter();
        let fields = fields.map(|field| {
            let by = field.get("overlay").or(field.get("value"));
            let by = by.or(field.get("file")).and_then(Value::as_str);
            let path = field["path"].as_str().unwrap_or_default();
            format!(
                "{} by {}",
                path.rsplit('.').next().unwrap_or_default(),
                by.unwrap_or_default()
            )
        });
        let fields: Vec<String> = fields.collect();
        let (context, kind) = (&resource["context"], &resource["kind"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Some(format!(
            "{} {}: {}",
            text(context),
            text(kind),
            fields.join(", ")
        ))
    });
    lines.map(|line| line.trim().to_owned()).collect()
}

#[test]
fn overlays_of_both_kinds_and_values_fit_a_design() {
    let sandbox = sandbox();
    sandbox.write("more.yaml", "image: {tag: 1.5.0}\n");
    let fitted = [
        "--overlay",
        "small",
        "--overlay",
        "west",
        "--values",
        "more.yaml",
        "--set-string",
        "image.tag=007",
    ];
    let run = sandbox.run(["design", "render", "./web"].iter().chain(&fitted));
    let run = run.succeeds();
    insta::assert_snapshot!(run.stdout, @r#"
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: web
      labels:
        app: web
    spec:
      replicas: 1
      selector:
        matchLabels:
          app: web
      template:
        metadata:
          labels:
            app: web
        spec:
          containers:
          - name: web
            image: registry.example/web:007
            ports:
            - name: http
              containerPort: 8080
            env:
            - name: REGION
              value: west
            resources:
              limits:
                memory: 128Mi
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata:
      name: web
    data:
      banner: Welcome to west
      start.sh: exec serve --pid $$ --cache ${CACHE:-/tmp}
    ---
    apiVersion: v1
    kind: Service
    metadata:
      name: web
      labels:
        region: west
    spec:
      selector:
        app: web
      ports:
      - name: http
        port: 8080
        targetPort: http
    "#);
    let plain = sandbox.run(["design", "render", "./web"]).succeeds().stdout;
    assert!(
        plain.contains("web:1.4.2\n") && plain.contains("Welcome to our shop\n"),
        "{plain}"
    );
    assert!(plain.contains("replicas: 3\n"), "{plain}");
    // Later files win over earlier ones, single values over files.
    sandbox.write("last.yaml", "image: {tag: 1.6.0}\n");
    let tag = |more: &[&str]| {
        let line = [
            "design",
            "render",
            "./web",
            "--values",
            "more.yaml",
            "--values",
            "last.yaml",
        ];
        let text = sandbox.run(line.iter().chain(more)).succeeds().stdout;
        let image = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("image: "));
        image.unwrap_or_default().to_owned()
    };
    assert_eq!(tag(&[]), "registry.example/web:1.6.0");
    assert_eq!(tag(&["--set", "image.tag=2"]), "registry.example/web:2");
    let line = "exec \"$0\" design render ./web --values <(echo 'image: {tag: piped}')";
    let mut bash = sandbox.command_of("bash", ["-c", line, WEFTCTL]);
    let piped = sandbox.finish(&mut bash, None).succeeds();
    assert!(piped.stdout.contains("web:piped\n"), "{piped}");
}

#[test]
fn a_plan_says_what_set_which_field() {
    let sandbox = sandbox();
    let line = [
        "design",
        "deploy",
        "./web",
        "--dry-run=client",
        "--overlay",
        "small",
        "--overlay",
        "west",
        "--set",
        "image.tag=2",
    ];
    let run = sandbox
        .run(line.iter().chain(&["-o", "wide", "--no-headers"]))
        .succeeds();
    let rows: Vec<&str> = run.stdout.lines().collect();
    let ends = [
        "overlay west: data.banner",
        "overlay west: metadata.labels.region and spec.ports[name=http].port",
        "overlay small: spec.replicas and spec.template.spec.containers[name=web].resources.limits.memory; \
         --set image.tag: spec.template.spec.containers[name=web].image; \
         overlay west: spec.template.spec.containers[name=web].env[name=REGION].value",
    ];
    for (row, set) in rows.iter().zip(ends) {
        assert!(
            row.trim_end()
                .trim_end_matches("new")
                .trim_end()
                .ends_with(set),
            "{run}"
        );
    }
    let json = sandbox
        .run(line.iter().chain(&["-o", "json"]))
        .succeeds()
        .json();
    let fields = json["resources"][1]["setBy"].as_array().expect("a list");
    assert_eq!(
        fields[1],
        serde_json::json!({"path": "spec.ports[name=http].port", "overlay": "west",
                           "file": "./web/overlays/west/web.yaml", "line": 5})
    );
}

#[test]
fn a_folder_a_file_and_the_store_give_the_same() {
    let sandbox = sandbox();
    sandbox.run(["design", "import", "./web"]).succeeds();
    let export = |name: &str| {
        sandbox
            .run(["design", "export", "web", "--to", name])
            .succeeds();
        std::fs::read_to_string(sandbox.path(name)).expect("a design")
    };
    let first = export("design.yaml");
    let again = sandbox.run(["design", "import", "design.yaml"]).succeeds();
    assert!(again.stdout.starts_with("unchanged design web"), "{again}");
    assert_eq!(export("second.yaml"), first);
    let again = sandbox.run(["design", "import", "./web"]).succeeds();
    assert!(again.stdout.starts_with("unchanged design web"), "{again}");

    for fitted in [
        &[][..],
        &["--overlay", "small"],
        &[
            "--overlay",
            "west",
            "--overlay",
            "small",
            "--set",
            "image.tag=2,region=x",
        ],
    ] {
        let render = |source: &str| {
            let line = ["design", "render", source];
            sandbox.run(line.iter().chain(fitted)).succeeds().stdout
        };
        let folder = render("./web");
        assert_eq!(render("design.yaml"), folder, "{fitted:?}");
        assert_eq!(render("web"), folder, "{fitted:?}");
        let plan = |source: &str| {
            let line = ["design", "deploy", source, "--dry-run=client", "-o", "json"];
            set_by(&sandbox.run(line.iter().chain(fitted)).succeeds())
        };
        assert_eq!(plan("design.yaml"), plan("./web"), "{fitted:?}");
        assert_eq!(plan("web"), plan("./web"), "{fitted:?}");
    }
    let own = sandbox.run([
        "design",
        "deploy",
        "design.yaml",
        "--dry-run=client",
        "--overlay",
        "small",
        "-o",
        "json",
    ]);
    let own = &own.json()["resources"][2]["setBy"][0];
    assert_eq!(
        (&own["path"], &own["file"]),
        (&"spec.replicas".into(), &"design.yaml".into())
    );
    let line = usize::try_from(own["line"].as_u64().expect("a line")).expect("small");
    assert_eq!(
        first.lines().nth(line - 1).map(str::trim),
        Some("replicas: 1")
    );
}

#[test]
fn a_server_elsewhere_gives_the_same() {
    let sandbox = sandbox();
    sandbox.write("design.yaml", SEALED);
    sandbox.write("v.yaml", "image: {tag: 9}\n");
    sandbox.run(["design", "import", "./web"]).succeeds();
    sandbox.start_server();
    for line in [
        &[
            "design",
            "render",
            "./web",
            "--overlay",
            "west",
            "--values",
            "v.yaml",
            "--set",
            "region=x",
        ][..],
        &[
            "design",
            "render",
            "web",
            "--overlay",
            "small",
            "--set-string",
            "image.tag=1",
        ],
        &[
            "design",
            "deploy",
            "web",
            "--dry-run=client",
            "--overlay",
            "small",
            "-o",
            "json",
        ],
        &[
            "design",
            "validate",
            "web",
            "--overlay",
            "west",
            "--set",
            "image.tag=1",
        ],
        &[
            "design",
            "diff",
            "web",
            "./web",
            "--overlay",
            "small",
            "--values",
            "v.yaml",
        ],
        &["design", "render", "web", "--overlay", "smal"],
        &[
            "design", "render", "./web", "--set", "regio=x", "--set", "image=x",
        ],
        &[
            "design",
            "deploy",
            "design.yaml",
            "--dry-run=client",
            "--overlay",
            "prod",
            "--set",
            "password=x",
        ],
    ] {
        let (here, there) = (sandbox.run(line), sandbox.run_remote(line));
        assert_eq!(there.transcript(), here.transcript(), "{line:?}");
    }
}

#[test]
fn each_context_gets_its_own_overlays() {
    let sandbox = sandbox();
    let plan = |more: &[&str]| {
        let line = [
            "design",
            "deploy",
            "./web",
            "--dry-run=client",
            "-o",
            "json",
        ];
        set_by(&sandbox.run(line.iter().chain(more)).succeeds())
    };
    let small = |context: &str| format!("{context} Deployment: replicas by small, memory by small");
    let both = [
        small("staging-east"),
        "staging-west ConfigMap: banner by west".to_owned(),
        "staging-west Service: region by west, ports[name=http].port by west"
            .replace("ports[name=http].", ""),
        "staging-west Deployment: replicas by small, value by west, memory by small".to_owned(),
    ];
    let mut flags = CONTEXTS.to_vec();
    flags.extend(["--overlay", "small", "--overlay", "staging-west=west"]);
    assert_eq!(plan(&flags), both);
    assert_eq!(plan(&CONTEXTS), [""; 0]);

    sandbox
        .run([
            "system",
            "context",
            "create",
            "staging",
            "--set",
            "--cluster",
            "staging-east",
            "--cluster",
            "staging-west",
            "--overlay",
            "small",
            "--overlay",
            "staging-west=west",
        ])
        .succeeds();
    let view = sandbox
        .run(["system", "context", "view", "-o", "json"])
        .succeeds()
        .json();
    assert_eq!(
        view["overlays"],
        serde_json::json!(["small", "staging-west=west"])
    );
    assert_eq!(plan(&[]), both, "the named context chooses");
    assert_eq!(
        plan(&["--context", "staging-east"]),
        [small("staging-east")],
        "for one of its clusters"
    );
    assert_eq!(
        plan(&["--context", "prod"]),
        [""; 0],
        "not for the clusters of others"
    );
    assert_eq!(
        plan(&["--context", "staging-east", "--overlay", "west"]).len(),
        3,
        "--overlay replaces what the named context says"
    );
    // Where no cluster is meant, only flags count.
    let plain = sandbox.run(["design", "render", "./web"]).succeeds().stdout;
    assert!(plain.contains("replicas: 3"), "{plain}");

    // What is wrong with an overlay is told of the context that has it.
    sandbox.write(
        "web/overlays/west/more.yaml",
        "apiVersion: v1\nkind: Service\nmetadata: {name: wbe}\n",
    );
    let run = sandbox.run(["design", "deploy", "./web", "--dry-run=client"]);
    insta::assert_snapshot!(run.transcript(), @r#"
    exit 10
    --- stderr
    error[E0140]: overlay west: no object fits the patch
      where:  ./web/overlays/west/more.yaml:1, context "staging-west", Service/wbe
      hint:   did you mean Service/web?
      more:   weftctl explain E0140
    "#);
}

#[test]
fn a_wrong_choice_of_overlays_is_told_with_the_right_one() {
    let sandbox = sandbox();
    let run = |more: &[&str]| {
        let line = ["design", "deploy", "./web", "--dry-run=client"];
        sandbox.run(line.iter().chain(more)).transcript()
    };
    insta::assert_snapshot!(run(&["--overlay", "smal", "--overlay", "nope"]), @r#"
    exit 5
    --- stderr
    error[E0205]: there is no overlay "nope"
      hint:   known are small, west
      more:   weftctl explain E0205
    error[E0205]: there is no overlay "smal"
      hint:   did you mean small?
      more:   weftctl explain E0205
    "#);
    insta::assert_snapshot!(run(&["--overlay", "staging-wst=west", "--context", "staging-west"]), @r#"
    exit 2
    --- stderr
    error[E0002]: --overlay staging-wst=west: the run is not for this context
      hint:   did you mean "staging-west"?
      hint:   it is for staging-west
      more:   weftctl explain E0002
    "#);
    insta::assert_snapshot!(run(&["--overlay", "staging-west=west"]), @r"
    exit 2
    --- stderr
    error[E0002]: --overlay staging-west=west: it is for a context that isn't named
      hint:   name it: --context staging-west
      more:   weftctl explain E0002
    ");
    insta::assert_snapshot!(run(&["--overlay", "=west"]), @r"
    exit 2
    --- stderr
    error[E0002]: invalid value '=west' for '--overlay <[CONTEXT=]NAME>': an overlay is NAME, or CONTEXT=NAME for one context only
      hint:   add --help to the command to see what it takes
      more:   weftctl explain E0002
    ");
    let render = sandbox.run(["design", "render", "./web", "--overlay", "prod=west"]);
    insta::assert_snapshot!(render.transcript(), @r"
    exit 2
    --- stderr
    error[E0002]: --overlay prod=west: no context is meant here
      hint:   give the overlay alone: --overlay west
      more:   weftctl explain E0002
    ");
    let create = [
        "system",
        "context",
        "create",
        "x",
        "--cluster",
        "staging-west",
        "--overlay",
        "staging-wst=west",
    ];
    insta::assert_snapshot!(sandbox.run(create).transcript(), @r#"
    exit 2
    --- stderr
    error[E0002]: the overlay staging-wst=west is for "staging-wst", which is no cluster of the context
      hint:   did you mean "staging-west"?
      more:   weftctl explain E0002
    "#);
    sandbox.write(
        "home/weft/config.yaml",
        "contexts:\n  a:\n    clusters: [staging-west]\n    overlays: [small, staging-wst=west]\n",
    );
    insta::assert_snapshot!(sandbox.run(["system", "context", "view", "a"]).transcript(), @r#"
    exit 10
    --- stderr
    error[E0600]: the overlay staging-wst=west is for "staging-wst", which is no cluster of the context
      where:  [SANDBOX]/home/weft/config.yaml:4:5
      hint:   did you mean "staging-west"?
      more:   weftctl explain E0600
    "#);
    sandbox.write(
        "home/weft/config.yaml",
        "contexts: {a: {overlays: small}}\n",
    );
    sandbox
        .run(["system", "context", "view", "a"])
        .fails(10, "E0600");
}

#[test]
fn values_that_do_not_fit_are_told_together() {
    let sandbox = sandbox();
    sandbox.write("bad.yaml", "rgion: x\nimage: {tag: {a: b}}\n");
    sandbox.write("cut.yaml", "a: [");
    let run = |more: &[&str]| {
        let line = ["design", "render", "./web"];
        sandbox.run(line.iter().chain(more)).transcript()
    };
    insta::assert_snapshot!(run(&["--values", "bad.yaml", "--set", "regio=CANARY"]), @r#"
    exit 2
    --- stderr
    error[E0141]: the value "image.tag" is a string in the design, not a mapping
      where:  bad.yaml:2
      hint:   give the names and shapes that the design has
      more:   weftctl explain E0141
    error[E0141]: the design has no value "rgion"
      where:  bad.yaml:1
      hint:   did you mean region?
      more:   weftctl explain E0141
    error[E0002]: the design has no value "regio"
      where:  --set
      hint:   did you mean region?
      more:   weftctl explain E0002
    "#);
    insta::assert_snapshot!(run(&["--set-string", "CANARY"]), @r"
    exit 2
    --- stderr
    error[E0002]: the value is missing, give NAME=VALUE (at character 7)
      where:  --set-string
      hint:   add --help to the command to see what it takes
      more:   weftctl explain E0002
    ");
    insta::assert_snapshot!(run(&["--values", "cut.yaml"]), @r"
    exit 10
    --- stderr
    error[E0100]: not YAML: unclosed bracket '['
      where:  cut.yaml:1:4
      hint:   mend the text at that position
      more:   weftctl explain E0100
    ");
    sandbox
        .run(["design", "render", "./web", "--values", "gone.yaml"])
        .fails(5, "E0105");
    sandbox
        .run(["design", "render", "./web", "--values", "web"])
        .fails(10, "E0104");
    sandbox
        .run([
            "design",
            "render",
            "./web",
            "--values",
            "bad.yaml",
            "--max-document-size",
            "5",
        ])
        .fails(10, "E0102");
    sandbox
        .run([
            "design",
            "render",
            "./web",
            "--values",
            "bad.yaml",
            "--max-input-size",
            "5",
        ])
        .fails(10, "E0102");
    let plain = sandbox.run(["design", "render", "web/web.yaml", "--set", "a=b"]);
    insta::assert_snapshot!(plain.transcript(), @r#"
    exit 2
    --- stderr
    error[E0002]: the design has no section "values", so it takes no values
      where:  --set
      hint:   name its values, with defaults, in a section values, or in values.yaml in its folder
      more:   weftctl explain E0002
    "#);
    sandbox.write("web/values.yaml", "image: {tag: null}\nregion: eu\n");
    insta::assert_snapshot!(run(&[]), @r#"
    exit 2
    --- stderr
    error[E0206]: the value "image.tag" is not given and has no default
      where:  ./web/web.yaml:1, apps/Deployment/web, spec.template.spec.containers[0].image
      hint:   give it with --set image.tag=VALUE
      more:   weftctl explain E0206
    "#);
    // It is stored all the same: the values come when it is used.
    sandbox.run(["design", "import", "./web"]).succeeds();
    sandbox.run(["design", "render", "web"]).fails(2, "E0206");
    sandbox
        .run(["design", "render", "web", "--set", "image.tag=1"])
        .succeeds();
}

#[test]
fn wrong_overlays_are_told_with_their_lines() {
    let sandbox = sandbox();
    sandbox.write(
        "web/overlays/small/zone.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: three\n\
         ---\nspec: {}\n---\ntarget: {kind: Service}\npatch:\n- {op: replace, path: /spec/nope, value: CANARY}\n",
    );
    sandbox.write("web/overlays/west/cut.yaml", "a: [");
    sandbox.write("web/overlays/stray.yaml", "a: b\n");
    let run = |more: &[&str]| {
        let line = ["design", "validate", "./web", "--overlay", "small"];
        sandbox.run(line.iter().chain(more)).transcript()
    };
    insta::assert_snapshot!(run(&[]), @r"
    exit 10
    --- stderr
    error[E0100]: not YAML: unclosed bracket '['
      where:  ./web/overlays/west/cut.yaml:1:4
      hint:   mend the text at that position
      more:   weftctl explain E0100
    ");
    std::fs::remove_file(sandbox.path("web/overlays/west/cut.yaml")).expect("a file");
    insta::assert_snapshot!(run(&[]), @r"
    exit 10
    --- stderr
    error[E0140]: overlay small: apiVersion is missing
      where:  ./web/overlays/small/zone.yaml:7
      hint:   compare the patch with the objects: weftctl design render NAME
      more:   weftctl explain E0140
    ");
    let fix = |from: &str, to: &str| {
        let path = sandbox.path("web/overlays/small/zone.yaml");
        let text = std::fs::read_to_string(&path).expect("a file");
        std::fs::write(path, text.replace(from, to)).expect("a file");
    };
    fix("---\nspec: {}\n", "");
    insta::assert_snapshot!(run(&[]), @r#"
    exit 10
    --- stderr
    error[E0140]: overlay small: patch[0] (replace /spec/nope): there is nothing at "/spec/nope"
      where:  ./web/overlays/small/zone.yaml:9, Service/web
      hint:   compare the patch with the objects: weftctl design render NAME
      more:   weftctl explain E0140
    "#);
    fix(
        "op: replace, path: /spec/nope",
        "op: add, path: /metadata/labels/x",
    );
    // What the patch made of an object is checked, and found where the patch stands.
    fix(
        "/metadata/labels/x, value: CANARY",
        "/metadata/labels, value: {x: ok}",
    );
    insta::assert_snapshot!(run(&[]), @r#"
    exit 1
    --- stdout
    error: ./web/overlays/small/zone.yaml:5: expected integer, found string "three", set by overlay small (apps/Deployment/default/web, spec.replicas)
    web is not valid: 3 resources checked against kubernetes v1.35.4, 1 finding
    --- stderr
    warning: overlays/stray.yaml belongs to no overlay and was left out; put it into overlays/NAME
    "#);
}

#[test]
fn a_placeholder_with_nearly_the_name_of_a_value_is_a_warning() {
    let sandbox = sandbox();
    let path = sandbox.path("web/web.yaml");
    let text = std::fs::read_to_string(&path).expect("a file");
    std::fs::write(path, text.replace("\"${region}\"", "\"${regoin}\"")).expect("a file");
    insta::assert_snapshot!(sandbox.run(["design", "validate", "./web"]).transcript(), @r#"
    exit 0
    --- stdout
    warning: ./web/web.yaml:20:37: the design has no value "regoin", so the placeholder stays as it is (apps/Deployment/web, spec.template.spec.containers[0].env[0].value)
      hint: did you mean region?
    web is valid: 3 resources checked against kubernetes v1.35.4, 1 finding
    "#);
    let render = sandbox.run(["design", "render", "./web"]).succeeds();
    assert!(render.stdout.contains("value: ${regoin}"), "{render}");
    assert!(render.stderr.contains("no value \"regoin\""), "{render}");
    let plan = sandbox
        .run([
            "design",
            "deploy",
            "./web",
            "--dry-run=client",
            "-o",
            "json",
        ])
        .succeeds();
    assert_eq!(plan.json()["warnings"][0]["rule"], "unknown-placeholder");
    sandbox
        .run(["design", "validate", "./web", "--strict"])
        .ends(1);
}

#[test]
fn an_overlay_may_leave_objects_out() {
    let sandbox = sandbox();
    sandbox.write(
        "web/overlays/small/no-map.yaml",
        "$patch: delete\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n",
    );
    let run = sandbox.run([
        "design",
        "deploy",
        "./web",
        "--dry-run=client",
        "--overlay",
        "small",
    ]);
    insta::assert_snapshot!(run.transcript(), @r"
    exit 0
    --- stdout
    LEVEL  ACTION   KIND        NAMESPACE  NAME  WAITS FOR
    1      created  Service     default    web   -
    1      created  Deployment  default    web   -
    --- stderr
    warning: ConfigMap/web is left out by overlay small (./web/overlays/small/no-map.yaml:1)
    plan of web: 2 created (dry run)
    ");
    sandbox.run(["design", "import", "./web"]).succeeds();
    sandbox
        .run([
            "design",
            "export",
            "web",
            "--overlay",
            "small",
            "--to",
            "small.yaml",
        ])
        .succeeds();
    let text = std::fs::read_to_string(sandbox.path("small.yaml")).expect("a design");
    assert!(
        !text.contains("overlays:") && !text.contains("values:"),
        "{text}"
    );
    assert!(
        !text.contains("ConfigMap") && text.contains("replicas: 1"),
        "{text}"
    );
}

#[test]
fn import_keeps_values_and_overlays_and_takes_none() {
    let sandbox = sandbox();
    for verb in ["import", "view"] {
        let run = sandbox.run(["design", verb, "./web", "--set", "image.tag=CANARY"]);
        insta::allow_duplicates! {
        insta::assert_snapshot!(run.transcript(), @r"
        exit 2
        --- stderr
        error[E0002]: --set is for a chart here: a design keeps its values open
          where:  ./web
          hint:   give it when the design is used: weftctl design render NAME --set …
          more:   weftctl explain E0002
        ");
        }
    }
    sandbox
        .run(["design", "import", "./web", "--overlay", "small"])
        .fails(2, "E0002");
    sandbox.run(["design", "import", "./web"]).succeeds();
    let view = sandbox
        .run(["design", "view", "web", "-o", "json"])
        .succeeds()
        .json();
    assert_eq!(view["design"]["values"]["image"]["tag"], "1.4.2");
    assert_eq!(
        view["design"]["overlays"]["west"]["values"]["region"],
        "west"
    );
    // Another overlay is another version, although no resource differs as it is written.
    sandbox.write("web/overlays/west/values.yaml", "region: far-west\n");
    let run = sandbox.run(["design", "import", "./web"]).succeeds();
    assert!(run.stdout.contains("version 0.0.2"), "{run}");
    let diff = sandbox.run(["design", "diff", "web", "--version", "0.0.1..0.0.2"]);
    insta::assert_snapshot!(diff.transcript(), @r#"
    exit 1
    --- stdout
    ~ only in the design
        ~ overlays.west.values.region: "west" -> "far-west"
    --- stderr
    web 0.0.1 and web 0.0.2: 1 change only in the design
    "#);
    let diff = sandbox.run([
        "design",
        "diff",
        "web",
        "--version",
        "0.0.1..0.0.2",
        "--overlay",
        "west",
    ]);
    insta::assert_snapshot!(diff.transcript(), @r#"
    exit 1
    --- stdout
    ~ apps/Deployment/web
        ~ spec.template.spec.containers[name=web].env[name=REGION].value: "west" -> "far-west"
    ~ ConfigMap/web
        ~ data.banner: "Welcome to west" -> "Welcome to far-west"
    ~ Service/web
        ~ metadata.labels.region: "west" -> "far-west"
    --- stderr
    web 0.0.1 and web 0.0.2: 3 changed resources
    "#);
    // Sections and a folder go together; values stand in one place.
    sandbox
        .run(["design", "export", "web", "--to", "both/design.yaml"])
        .succeeds();
    sandbox.write("both/overlays/east/values.yaml", "region: east\n");
    sandbox
        .run(["design", "import", "./both", "--name", "both"])
        .succeeds();
    let view = sandbox
        .run(["design", "view", "both", "-o", "json"])
        .succeeds()
        .json();
    let names = view["design"]["overlays"].as_object().expect("overlays");
    assert_eq!(names.keys().collect::<Vec<_>>(), ["small", "west", "east"]);
    sandbox.write("both/values.yaml", "region: x\n");
    let run = sandbox
        .run(["design", "import", "./both"])
        .fails(10, "E0141");
    assert!(run.stderr.contains("./both/values.yaml"), "{run}");
    // A kustomization stays what it is.
    sandbox.write("web/kustomization.yaml", "resources: [web.yaml]\n");
    let kustomized = sandbox.run(["design", "render", "./web", "--overlay", "small"]);
    kustomized.fails(5, "E0205");
}

#[test]
fn secret_values_are_in_no_output_and_sealed_in_the_store() {
    let sandbox = sandbox();
    sandbox.write("design.yaml", SEALED);
    sandbox.write("prod.yaml", "password: FILE-CANARY\n");
    sandbox.run(["design", "import", "design.yaml"]).succeeds();
    let fitted = [
        &["--overlay", "prod"][..],
        &["--values", "prod.yaml", "--set", "password=SET-CANARY"],
        &["--set", "password=SET-CANARY,replicas=SET-CANARY"],
        &["--set-string", "password=SET-CANARY", "--overlay", "prod"],
        &["--set", "nope=SET-CANARY"],
    ];
    for source in ["design.yaml", "sealed"] {
        for fitted in fitted {
            for verb in [
                &["render"][..],
                &["render", "-o", "json"],
                &["validate"],
                &["deploy", "--dry-run=client", "-o", "json"],
                &["deploy", "--dry-run=client", "-o", "wide", "-vv"],
            ] {
                let line = [&["design"], verb, &[source], fitted].concat();
                let run = sandbox.run(line);
                // A number of replicas is no secret to its own manifest.
                let is_shown = verb[0] == "render"
                    && fitted.contains(&"password=SET-CANARY,replicas=SET-CANARY");
                let shown = format!("{}{}", run.stdout, run.stderr);
                assert!(is_shown || !shown.contains("CANARY"), "{run}");
            }
        }
    }
    for line in [
        &["design", "view", "sealed", "-o", "yaml"][..],
        &["design", "view", "design.yaml", "-o", "yaml"],
        &["design", "diff", "sealed", "design.yaml"],
        &["system", "operation", "list", "-o", "json"],
    ] {
        let run = sandbox.run(line).succeeds();
        assert!(!run.stdout.contains("CANARY"), "{run}");
    }
    sandbox.write("other.yaml", SEALED.replace("CANARY", "CANARY-2"));
    let diff = sandbox
        .run(["design", "diff", "sealed", "other.yaml"])
        .ends(1);
    assert!(
        !diff.stdout.contains("CANARY") && diff.stdout.contains("values.password"),
        "{diff}"
    );
    sandbox
        .run(["design", "export", "sealed", "--to", "-"])
        .fails(11, "E0604");
    for entry in std::fs::read_dir(sandbox.home()).expect("a home") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("a file");
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains("CANARY"), "{}", path.display());
        }
    }
    // And all of it comes back.
    let whole = sandbox
        .run([
            "design",
            "export",
            "sealed",
            "--include-secrets",
            "--to",
            "-",
        ])
        .succeeds();
    for canary in ["DEFAULT-CANARY", "OVERLAY-CANARY", "PATCH-CANARY"] {
        assert!(whole.stdout.contains(canary), "{whole}");
    }
    let rendered = sandbox
        .run([
            "design",
            "render",
            "sealed",
            "--overlay",
            "prod",
            "--include-secrets",
        ])
        .succeeds();
    assert!(
        rendered.stdout.contains("app:OVERLAY-CANARY@db")
            && rendered.stdout.contains("PATCH-CANARY")
    );
}

#[test]
fn a_compose_project_and_an_archive_have_overlays_too() {
    let sandbox = sandbox();
    sandbox.write(
        "compose/compose.yaml",
        "name: till\nservices:\n  web: {image: web}\n",
    );
    sandbox.write(
        "compose/overlays/big/web.yaml",
        "target: {kind: Deployment}\npatch: {spec: {replicas: 7}}\n",
    );
    let compose = sandbox
        .run(["design", "render", "./compose", "--overlay", "big"])
        .succeeds();
    assert!(compose.stdout.contains("replicas: 7"), "{compose}");
    let mut tar = sandbox.command_of("tar", ["czf", "web.tar.gz", "-C", "web", "."]);
    sandbox.finish(&mut tar, None).succeeds();
    let folder = sandbox
        .run(["design", "render", "./web", "--overlay", "west"])
        .succeeds();
    let archive = sandbox
        .run(["design", "render", "web.tar.gz", "--overlay", "west"])
        .succeeds();
    assert_eq!(archive.stdout, folder.stdout);
}

#[test]
fn values_of_a_chart_go_to_the_chart() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = sandbox();
    sandbox.write(
        "chart/Chart.yaml",
        "apiVersion: v2\nname: c\nversion: 1.0.0\n",
    );
    let helm = sandbox.write(
        "bin/helm",
        "#!/bin/sh\nfor a; do case $a in --set*) n=\"$n ${a#--}\";; esac; done\n\
         printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: c}\\ndata: {got: \"%s\"}\\n' \"$n\"\n",
    );
    std::fs::set_permissions(&helm, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let run = |arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", sandbox.path("bin").display()));
        sandbox.finish(&mut command, None)
    };
    let values = ["--set-string", "b=01", "--set", "a=1"];
    let mut line = vec!["design", "render", "./chart"];
    line.extend(values);
    let rendered = run(&line).succeeds();
    assert!(
        rendered.stdout.contains("got: ' set=a=1 set-string=b=01'")
            || rendered
                .stdout
                .contains("got: \" set=a=1 set-string=b=01\""),
        "{rendered}"
    );
    // Of two sides each takes what is for it.
    let mut line = vec!["design", "diff", "./chart", "./web", "--set", "region=x"];
    run(&line).ends(1);
    line.extend(["--set", "nope=x"]);
    run(&line).fails(2, "E0002");
}

#[test]
fn clusters_that_differ_get_one_design_in_one_run() {
    let server = ApiServer::shared();
    let sandbox = sandbox();
    let kubeconfig = sandbox.path("both.yaml");
    std::fs::copy(&server.kubeconfig, &kubeconfig).expect("a kubeconfig");
    let file = kubeconfig.display().to_string();
    let at = |context: &str, rest: &[&str]| {
        let mut line = vec!["--kubeconfig", file.as_str()];
        line.extend(rest);
        if !context.is_empty() {
            line.extend(["--context", context]);
        }
        tools::run("kubectl", &line, "").0
    };
    let part = |what: &str| {
        at(
            "",
            &[
                "config",
                "view",
                "-o",
                &format!("jsonpath={{.contexts[?(@.name==\"sandbox\")].context.{what}}}"),
            ],
        )
    };
    let (cluster, user) = (part("cluster"), part("user"));
    for context in ["overlay-east", "overlay-west"] {
        server.kubectl(&["create", "namespace", context], "");
        at(
            "",
            &[
                "config",
                "set-context",
                context,
                "--cluster",
                &cluster,
                "--user",
                &user,
                "--namespace",
                context,
            ],
        );
    }
    let run = |line: &[&str]| {
        let mut command = sandbox.command(["design"].iter().chain(line));
        command.env("KUBECONFIG", &kubeconfig);
        command.args(["--context", "overlay-east", "--context", "overlay-west"]);
        sandbox.finish(&mut command, None)
    };
    sandbox.run(["design", "import", "./web"]).succeeds();
    let chosen = ["--overlay", "small", "--overlay", "overlay-west=west"];
    let deploy = run(&[&["deploy", "web", "-o", "json"], &chosen[..]].concat()).succeeds();
    assert_eq!(deploy.json()["summary"]["created"], 6, "{deploy}");
    assert_eq!(set_by(&deploy).len(), 4, "{deploy}");
    let live = |context: &str, what: &str| {
        at(
            context,
            &[
                "get",
                what.split(' ').next().unwrap_or_default(),
                "web",
                "-o",
                &format!(
                    "jsonpath={{{}}}",
                    what.split(' ').nth(1).unwrap_or_default()
                ),
            ],
        )
    };
    for context in ["overlay-east", "overlay-west"] {
        assert_eq!(live(context, "deployment .spec.replicas"), "1");
    }
    assert_eq!(live("overlay-east", "service .spec.ports[0].port"), "80");
    assert_eq!(live("overlay-west", "service .spec.ports[0].port"), "8080");
    assert_eq!(
        live("overlay-west", "configmap .data.banner"),
        "Welcome to west"
    );
    run(&[&["plan", "web"], &chosen[..]].concat()).ends(0);

    // What would change without an overlay, and with a value, is told with what wants it.
    let plan = run(&[
        "plan",
        "web",
        "--overlay",
        "small",
        "--set",
        "region=sea",
        "-o",
        "json",
    ])
    .ends(1)
    .json();
    let reason = |context: &str, kind: &str| {
        let resources = plan["resources"].as_array().expect("a list").iter();
        let mut found = resources.filter(|r| r["context"] == context && r["kind"] == kind);
        found
            .next()
            .and_then(|r| r["reason"].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    assert!(
        reason("overlay-east", "ConfigMap").ends_with("(set by --set region)"),
        "{plan}"
    );
    assert!(
        !reason("overlay-west", "Service").contains("set by"),
        "{plan}"
    );

    // The revision knows its overlays, and one that goes back brings them back.
    let overlays = |run: &Run| -> Vec<Value> {
        let items = run.json()["items"].as_array().cloned().expect("a list");
        items.iter().map(|item| item["overlays"].clone()).collect()
    };
    let history = run(&["history", "web", "-o", "json"]).succeeds();
    assert_eq!(
        overlays(&history),
        [
            serde_json::json!(["small"]),
            serde_json::json!(["small", "west"])
        ]
    );
    run(&["deploy", "web", "--set", "region=sea"]).succeeds();
    run(&["rollback", "web", "--to", "1", "--yes"]).succeeds();
    let history = run(&["history", "web", "-o", "json"]).succeeds();
    assert_eq!(overlays(&history)[0], serde_json::json!(["small"]));
    assert_eq!(
        live("overlay-west", "configmap .data.banner"),
        "Welcome to west"
    );

    // A check against one cluster takes what is for that one.
    let mut validate = sandbox.command(["design", "validate", "./web", "--strict"]);
    validate.env("KUBECONFIG", &kubeconfig);
    validate.args([
        "--context",
        "overlay-west",
        "--overlay",
        "overlay-west=nope",
    ]);
    sandbox.finish(&mut validate, None).fails(5, "E0205");

    // An overlay that doesn't fit is told of its cluster; the other is deployed all the same.
    let run = run(&[
        "deploy",
        "web",
        "--overlay",
        "small",
        "--overlay",
        "overlay-west=nope",
        "-o",
        "json",
    ])
    .ends(9);
    assert!(
        run.stderr.contains("overlay-west") && run.stderr.contains("E0205"),
        "{run}"
    );
}
