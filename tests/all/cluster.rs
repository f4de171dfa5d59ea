//! Against a real API server: what it serves becomes a model, and designs are checked against it.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;
use weft_domain::model::Model;

use crate::support::{
    Run, Sandbox,
    api_server::ApiServer,
    tools::{identity, path, testdata},
};

/// A custom resource of `testdata/crds/widget.yaml`.
const WIDGET: &str = "apiVersion: factory.example.org/v1\nkind: Widget\nmetadata: {name: one, namespace: default}\nspec: {size: 3, colour: red, parts: [wheel]}\n";

/// The same with a field that isn't there and a value that is too large.
const BAD_WIDGET: &str = "apiVersion: factory.example.org/v1\nkind: Widget\nmetadata: {name: one, namespace: default}\nspec: {size: 30, color: red}\n";

/// A sandbox whose programs find the API server.
fn prepared(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = sandbox.command(arguments);
    command
        .env("PATH", path())
        .env("KUBECONFIG", &ApiServer::shared().kubeconfig);
    command
}

fn run(sandbox: &Sandbox, arguments: &[&str]) -> Run {
    sandbox.finish(&mut prepared(sandbox, arguments), None)
}

fn generate(sandbox: &Sandbox, file: &str) -> (Run, Model) {
    let done = run(
        sandbox,
        &[
            "model",
            "generate",
            "kubernetes",
            "--context",
            "sandbox",
            "--to",
            file,
            "--force",
            "-o",
            "json",
        ],
    );
    let done = done.succeeds();
    let bytes = std::fs::read(sandbox.path(file)).expect("the model");
    assert!(bytes.len() <= 2 << 20, "{} bytes", bytes.len());
    (done, Model::from_archive(&bytes).expect("a model"))
}

/// Brings the Widget kind to the server; `kubectl` reads the kind before it is of use.
fn widget_is_served() {
    let file = testdata("crds/widget.yaml").display().to_string();
    let server = ApiServer::shared();
    server.kubectl(
        &["apply", "--server-side", "--force-conflicts", "-f", &file],
        "",
    );
    server.kubectl(
        &[
            "wait",
            "--for=condition=Established",
            "--timeout=60s",
            "crd/widgets.factory.example.org",
        ],
        "",
    );
}

#[test]
fn the_built_in_model_is_what_an_api_server_of_that_version_serves() {
    let (done, served) = generate(&Sandbox::new(), "cluster.model.gz");
    let builtin = Model::builtin();
    assert_eq!(
        served.version(),
        builtin.version(),
        "the pinned API server has another version: generate the built-in model from it"
    );
    let kinds: Vec<_> = served.kinds().iter().filter(|kind| !kind.custom).collect();
    let known: Vec<_> = builtin.kinds().iter().collect();
    assert_eq!(kinds, known);
    for name in builtin.definitions() {
        assert_eq!(served.definition(name), builtin.definition(name), "{name}");
    }
    let result = done.json();
    assert!(
        result["kinds"].as_u64() >= Some(builtin.kinds().len() as u64),
        "{done}"
    );
}

#[test]
fn the_model_of_a_cluster_has_its_custom_kinds() {
    widget_is_served();
    let sandbox = Sandbox::new();
    // The server publishes the schema of a new kind a moment after the kind.
    let deadline = Instant::now() + Duration::from_secs(60);
    let (done, model) = loop {
        let (done, model) = generate(&sandbox, "cluster.model.gz");
        let widget = model.find("factory.example.org/v1", "Widget");
        if widget.is_some_and(|widget| widget.custom) {
            break (done, model);
        }
        assert!(Instant::now() < deadline, "no schema of Widget: {done}");
    };
    assert!(done.json()["custom"].as_u64() >= Some(1), "{done}");
    let namespaced = model.is_namespaced("factory.example.org/v1", "Widget");
    assert_eq!(namespaced, Some(true));

    sandbox.write("widget.yaml", WIDGET);
    sandbox.write("bad.yaml", BAD_WIDGET);
    for sources in [
        ["--schema-dir", "cluster.model.gz"],
        ["--context", "sandbox"],
    ] {
        let mut arguments = vec!["design", "validate", "widget.yaml"];
        arguments.extend(sources);
        run(&sandbox, &arguments).succeeds();
        arguments[2] = "bad.yaml";
        let bad = run(&sandbox, &arguments).ends(1);
        for part in [
            "bad.yaml:4:14",
            "must be at most 10",
            "did you mean \"colour\"?",
        ] {
            assert!(bad.stdout.contains(part), "{part}: {bad}");
        }
    }
}

#[test]
fn a_custom_resource_is_an_unknown_kind_until_a_schema_is_given() {
    let sandbox = Sandbox::new();
    sandbox.write("widget.yaml", WIDGET);
    sandbox.write("bad.yaml", BAD_WIDGET);
    let unknown = sandbox
        .run(["design", "validate", "widget.yaml", "-o", "json"])
        .ends(1);
    assert_eq!(
        unknown.json()["findings"][0]["rule"],
        "unknown-kind",
        "{unknown}"
    );
    sandbox
        .run(["design", "deploy", "widget.yaml", "--dry-run=client"])
        .fails(10, "E0116");

    std::fs::create_dir_all(sandbox.path("crds")).expect("a folder");
    std::fs::copy(
        testdata("crds/widget.yaml"),
        sandbox.path("crds/widget.yaml"),
    )
    .expect("a copy");
    let size = r#"{"type": "object", "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
        "spec": {"type": "object", "required": ["size"], "additionalProperties": false, "properties": {"size": {"type": "integer", "maximum": 10},
        "colour": {"type": "string"}, "parts": {"type": "array", "items": {"type": "string"}}}}}}"#;
    sandbox.write("flat/widget-factory-v1.json", size);
    sandbox.write("nested/factory.example.org/widget_v1.json", size);
    for folder in ["crds", "crds/widget.yaml", "flat", "nested"] {
        let validate =
            |file: &str| sandbox.run(["design", "validate", file, "--schema-dir", folder]);
        validate("widget.yaml").succeeds();
        let bad = validate("bad.yaml").ends(1);
        assert!(
            bad.stdout.contains("at most 10") && bad.stdout.contains("color"),
            "{folder}: {bad}"
        );
        let plan = [
            "design",
            "deploy",
            "widget.yaml",
            "--dry-run=client",
            "--schema-dir",
            folder,
        ];
        sandbox.run(plan).succeeds();
    }
}

#[test]
fn a_context_that_is_not_in_the_kubeconfig_is_answered_with_those_that_are() {
    let sandbox = Sandbox::new();
    sandbox.write("widget.yaml", WIDGET);
    for arguments in [
        &["model", "generate", "kubernetes", "--to", "model.gz"][..],
        &["design", "validate", "widget.yaml"],
    ] {
        let mut all = arguments.to_vec();
        all.extend(["--context", "elsewhere"]);
        let failed = run(&sandbox, &all).fails(5, "E0502");
        for name in ["elsewhere", "sandbox", "viewer", "nobody"] {
            assert!(failed.stderr.contains(name), "{name}: {failed}");
        }
    }
    assert!(!sandbox.path("model.gz").exists());
}

/// A copy of the kubeconfig in which each line is changed.
fn changed(sandbox: &Sandbox, change: impl Fn(&str) -> String) -> String {
    let text = std::fs::read_to_string(&ApiServer::shared().kubeconfig).expect("a kubeconfig");
    let lines: Vec<String> = text.lines().map(change).collect();
    sandbox.write("kubeconfig", lines.join("\n") + "\n");
    "kubeconfig".to_owned()
}

#[test]
fn a_server_that_cannot_be_reached_is_worth_a_retry() {
    let sandbox = Sandbox::new();
    sandbox.write("widget.yaml", WIDGET);
    let kubeconfig = changed(&sandbox, |line| match line.find("server:") {
        // Nothing may listen on port 1 of loopback.
        Some(at) => format!("{}server: https://127.0.0.1:1", &line[..at]),
        None => line.to_owned(),
    });
    for arguments in [
        &["model", "generate", "kubernetes", "--to", "model.gz"][..],
        &["design", "validate", "widget.yaml"],
    ] {
        let mut all = arguments.to_vec();
        all.extend([
            "--context",
            "sandbox",
            "--kubeconfig",
            &kubeconfig,
            "-o",
            "json",
        ]);
        let failed = run(&sandbox, &all).fails(8, "E0500");
        let error: Value = last_object(&failed.stderr);
        assert_eq!(error["retryable"], true, "{failed}");
        assert!(failed.stdout.is_empty(), "{failed}");
    }
    assert!(!sandbox.path("model.gz").exists());
}

/// The JSON object that an error is; progress may stand before it.
fn last_object(stderr: &str) -> Value {
    let at = stderr
        .find("{\n")
        .unwrap_or_else(|| panic!("no object: {stderr}"));
    serde_json::from_str(&stderr[at..]).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}

#[test]
fn a_token_that_the_server_does_not_know_is_not_logged_in() {
    let sandbox = Sandbox::new();
    let kubeconfig = changed(&sandbox, |line| match line.find("token:") {
        Some(at) => format!("{}token: wrong}}", &line[..at]),
        None => line.to_owned(),
    });
    let failed = run(
        &sandbox,
        &[
            "model",
            "generate",
            "kubernetes",
            "--to",
            "model.gz",
            "--context",
            "sandbox",
            "--kubeconfig",
            &kubeconfig,
        ],
    );
    let failed = failed.fails(4, "E0501");
    assert!(
        failed.stderr.contains("sandbox") && !failed.stderr.contains("wrong}"),
        "{failed}"
    );
    assert!(!sandbox.path("model.gz").exists());
}

#[test]
fn a_user_without_rights_may_still_ask_for_the_schemas() {
    let sandbox = Sandbox::new();
    sandbox.write("shop.yaml", crate::support::SHOP);
    for context in ["viewer", "nobody"] {
        let arguments = ["design", "validate", "shop.yaml", "--context", context];
        run(&sandbox, &arguments).succeeds();
    }
}

#[test]
fn the_plan_lists_the_identities_that_kubectl_lists() {
    let server = ApiServer::shared();
    let sandbox = Sandbox::new();
    // A list in a list, as in `lists`, is more than kubectl reads.
    for name in [
        "shop",
        "workloads",
        "secrets",
        "anchors",
        "windows",
        "scalars",
    ] {
        let file = testdata(&format!("manifests/{name}.yaml"))
            .display()
            .to_string();
        let arguments = ["create", "--dry-run=client", "-f", &file, "-o", "json"];
        // One JSON object after the other.
        let theirs = server.kubectl(&arguments, "");
        let mut theirs: Vec<String> = serde_json::Deserializer::from_str(&theirs)
            .into_iter::<Value>()
            .map(|object| identity(&object.expect("JSON")))
            .collect();
        theirs.sort_unstable();
        let plan = sandbox.run(["design", "deploy", &file, "--dry-run=client", "-o", "json"]);
        let plan = plan.succeeds().json();
        let mut ours: Vec<String> = plan["resources"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|resource| {
                identity(&serde_json::json!({
                    "apiVersion": resource["apiVersion"], "kind": resource["kind"],
                    "metadata": {"namespace": resource["namespace"], "name": resource["name"]},
                }))
            })
            .collect();
        ours.sort_unstable();
        assert_eq!(ours, theirs, "{name}");
        assert_eq!(
            plan["summary"]["created"],
            ours.len(),
            "{name}: {}",
            plan["summary"]
        );
    }
}

#[test]
fn what_we_find_valid_the_server_accepts() {
    let server = ApiServer::shared();
    let sandbox = Sandbox::new();
    let namespaces = ["shop", "news", "vault", "jobs", "lists"];
    for namespace in namespaces {
        // Another test may have been first.
        let text = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}}}\n");
        server.kubectl(
            &["apply", "--server-side", "--force-conflicts", "-f", "-"],
            &text,
        );
    }
    for name in [
        "shop",
        "workloads",
        "secrets",
        "anchors",
        "lists",
        "windows",
        "scalars",
    ] {
        let file = testdata(&format!("manifests/{name}.yaml"))
            .display()
            .to_string();
        let arguments = [
            "design",
            "validate",
            &file,
            "--strict",
            "--context",
            "sandbox",
        ];
        run(&sandbox, &arguments).succeeds();
        let text = run(&sandbox, &["design", "render", &file, "--include-secrets"])
            .succeeds()
            .stdout;
        server.kubectl(
            &[
                "apply",
                "--server-side",
                "--dry-run=server",
                "--validate=strict",
                "-f",
                "-",
            ],
            &text,
        );
    }
}
