//! `tenant export`: what Prometheus itself says of the rules, and who may write where.

use std::process::Command;

use crate::support::Sandbox;

/// Series that make rules fire, and others that don't, with what is said then.
const SERIES: &str = include_str!("../../src/domain/tenant/monitoring/alerts_test.yaml");

fn promtool(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let output = Command::new("promtool")
        .args(arguments)
        .current_dir(sandbox.folder())
        .output()
        .expect("promtool: run ./tests/run, which installs it");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert!(
        output.status.success(),
        "promtool {arguments:?}\n{out}\n{error}"
    );
    out
}

#[test]
fn prometheus_takes_the_alerts_and_they_fire_when_they_should() {
    let sandbox = Sandbox::new();
    let export = ["tenant", "export", "alerts", "--to", "alerts.yaml"];
    let run = sandbox.run(export).succeeds();
    assert_eq!(run.stdout, "wrote alerts.yaml\n");
    let checked = promtool(&sandbox, &["check", "rules", "alerts.yaml"]);
    assert!(checked.contains("SUCCESS: 17 rules found"), "{checked}");
    sandbox.write("alerts_test.yaml", SERIES);
    promtool(&sandbox, &["test", "rules", "alerts_test.yaml"]);
    // Other thresholds and runbooks are rules as well.
    let more = [
        "--threshold",
        "error-ratio=0.01",
        "--threshold",
        "many-failed=20",
    ];
    let run = sandbox.run(export.iter().chain(&more).chain(&[
        "--force",
        "--runbooks",
        "https://example.com/runbooks",
    ]));
    run.succeeds();
    promtool(&sandbox, &["check", "rules", "alerts.yaml"]);
    let text = std::fs::read_to_string(sandbox.folder().join("alerts.yaml")).expect("a file");
    for part in [
        "> 0.01",
        "> 20",
        "https://example.com/runbooks/hubnodesfailure",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn alerts_come_as_an_object_for_the_prometheus_operator_too() {
    let sandbox = Sandbox::new();
    let export = [
        "tenant",
        "export",
        "alerts",
        "--as",
        "prometheus-rule",
        "-n",
        "monitoring",
        "--to",
        "-",
    ];
    let run = sandbox.run(export).succeeds();
    let objects = crate::support::tools::objects(&run.stdout);
    assert_eq!(objects[0]["kind"], "PrometheusRule");
    assert_eq!(objects[0]["metadata"]["namespace"], "monitoring");
    let groups = serde_json::json!({ "groups": objects[0]["spec"]["groups"] });
    sandbox.write("rules.yaml", groups.to_string());
    promtool(&sandbox, &["check", "rules", "rules.yaml"]);
}

#[test]
fn every_query_of_the_dashboard_is_one_for_prometheus() {
    let sandbox = Sandbox::new();
    let run = sandbox
        .run(["tenant", "export", "dashboard", "--to", "-"])
        .succeeds();
    let dashboard = run.json();
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let rules = targets.enumerate().map(|(number, target)| {
        let query = target["expr"]
            .as_str()
            .expect("a query")
            .replace("$__rate_interval", "5m");
        serde_json::json!({ "record": format!("query:{number}"), "expr": query })
    });
    let rules: Vec<_> = rules.collect();
    assert!(rules.len() > 20, "{}", rules.len());
    let file = serde_json::json!({ "groups": [{ "name": "queries", "rules": rules }] });
    sandbox.write("queries.yaml", file.to_string());
    promtool(&sandbox, &["check", "rules", "queries.yaml"]);
}

#[test]
fn thresholds_that_no_alert_could_reach_and_files_that_are_there_are_refused() {
    let sandbox = Sandbox::new();
    let export = |more: &[&str]| {
        let arguments = ["tenant", "export", "alerts", "--to", "alerts.yaml"];
        sandbox.run(arguments.iter().chain(more))
    };
    export(&["--threshold", "error-ratio=1.5"]).fails(2, "error-ratio is 1.5");
    export(&["--threshold", "errors=1"]).fails(2, "there is no threshold \"errors\"");
    assert!(!sandbox.folder().join("alerts.yaml").exists());
    export(&[]).succeeds();
    export(&[]).fails(6, "E0602");
}
