//! Forms whose rows change a few at a time.

use serde_json::{Value, json};

use super::Tenants;
use crate::support::Run;

/// A form with one Deployment for each row, with some lines for its rollout, entry and pods.
pub(super) fn form(rollout: &str, entry: &str, pods: &str) -> String {
    format!(
        "apiVersion: operator.lynq.sh/v1
kind: LynqForm
metadata: {{name: web}}
spec:
  hubId: shop
  rollout: {{{rollout}}}
  deployments:
    - id: web
      nameTemplate: '{{{{ .uid }}}}'
      {entry}
      spec:
        apiVersion: apps/v1
        kind: Deployment
        spec:
          selector: {{matchLabels: {{row: '{{{{ .uid }}}}'}}}}
          template:
            metadata: {{labels: {{row: '{{{{ .uid }}}}'}}, annotations: {{{pods}}}}}
            spec:
              terminationGracePeriodSeconds: 0
              containers: [{{name: web, image: 'example.invalid/web:1'}}]
"
    )
}

fn deployment(tenants: &Tenants, name: &str) -> Value {
    tenants.place.kubectl(&["get", "deployment", name])
}

fn generations(tenants: &Tenants, names: &[&str]) -> Vec<u64> {
    let generation = |name: &&str| deployment(tenants, name)["metadata"]["generation"].as_u64();
    names
        .iter()
        .map(|name| generation(name).expect("a number"))
        .collect()
}

fn rollout(run: &Run) -> Value {
    let mut rollout = run.json()["rollouts"][0].clone();
    rollout["message"] = Value::Null;
    rollout["context"] = Value::Null;
    rollout
}

fn expected(phase: &str, skew: u64, [rows, updated, updating]: [u64; 3]) -> Value {
    json!({
        "form": "web", "context": null, "phase": phase, "maxSkew": skew, "rows": rows,
        "updated": updated, "updating": updating, "message": null,
    })
}

#[test]
fn a_row_changes_only_when_those_before_it_are_ready() {
    let slow = "'sandbox/ready-after': 2s";
    let tenants = Tenants::with_nodes(&form("maxSkew: 1", "", slow));
    tenants.insert(&[("c", "x"), ("a", "x"), ("b", "x")]);
    let run = tenants.run(&["apply", "-o", "json"]).succeeds();
    assert_eq!(rollout(&run), expected("Complete", 1, [3, 3, 0]), "{run}");
    // By name, each after the one before was available.
    let mut before = String::new();
    for name in ["a", "b", "c"] {
        let live = deployment(&tenants, name);
        let created = live["metadata"]["creationTimestamp"]
            .as_str()
            .expect("a time");
        assert!(
            created >= before.as_str(),
            "{name} was made at {created}, before {before}\n{run}"
        );
        let conditions = live["status"]["conditions"].as_array().expect("conditions");
        let available = conditions.iter().find(|one| one["type"] == "Available");
        let since = &available.expect("a condition")["lastTransitionTime"];
        since.as_str().expect("a time").clone_into(&mut before);
    }
    // What is only removed waits for nothing.
    tenants
        .database
        .execute("DELETE FROM tenants WHERE id = 'b'");
    let run = tenants.run(&["apply", "--yes", "-o", "json"]).succeeds();
    assert_eq!(run.json()["summary"]["pruned"], 1, "{run}");
}

#[test]
fn a_change_that_breaks_a_row_reaches_no_further_one_until_it_is_mended() {
    let names = ["a", "b", "c"];
    let tenants = Tenants::with_nodes(&form("maxSkew: 1", "", ""));
    tenants.insert(&[("a", "x"), ("b", "x"), ("c", "x")]);
    tenants.run(&["apply"]).succeeds();
    assert_eq!(generations(&tenants, &names), [1, 1, 1]);
    let broken = "'sandbox/waiting': ImagePullBackOff";
    tenants.forms(&form("maxSkew: 1", "timeoutSeconds: 2", broken));
    let run = tenants.run(&["apply", "-o", "json"]).fails(7, "E0518");
    assert_eq!(rollout(&run), expected("Failed", 1, [3, 0, 1]), "{run}");
    assert!(run.stderr.contains("ImagePullBackOff"), "{run}");
    let reasons = run.json()["resources"].to_string();
    let stands = "the rollout of form \\\"web\\\" stands still: row \\\"a\\\"";
    assert!(reasons.contains(stands), "{run}");
    assert_eq!(generations(&tenants, &names), [2, 1, 1]);
    // The next run knows that the first one is not ready.
    let run = tenants.run(&["apply", "-o", "json"]).fails(7, "E0518");
    assert_eq!(rollout(&run), expected("Failed", 1, [3, 0, 1]), "{run}");
    assert_eq!(generations(&tenants, &names), [2, 1, 1]);
    tenants.forms(&form("maxSkew: 1", "", "mended: 'yes'"));
    let run = tenants.run(&["apply", "-o", "json"]).succeeds();
    assert_eq!(rollout(&run), expected("Complete", 1, [3, 3, 0]), "{run}");
    assert_eq!(generations(&tenants, &names), [3, 2, 2]);
}

#[test]
fn without_waiting_the_rows_that_are_left_are_for_the_next_run() {
    let tenants = Tenants::with_nodes(&form("maxSkew: 2", "", ""));
    tenants.insert(&[("a", "x"), ("b", "x"), ("c", "x")]);
    let run = tenants
        .run(&["apply", "--no-wait", "-o", "json"])
        .fails(9, "E0522");
    assert_eq!(rollout(&run), expected("InProgress", 2, [3, 0, 2]), "{run}");
    assert!(run.stderr.contains("changes 2 rows at a time"), "{run}");
    assert_eq!(tenants.place.names("deployment"), ["a", "b"]);
    let run = tenants.run(&["apply", "-o", "json"]).succeeds();
    assert_eq!(rollout(&run)["phase"], "Complete", "{run}");
    assert_eq!(tenants.place.names("deployment"), ["a", "b", "c"]);
}

#[test]
fn without_a_skew_all_rows_change_at_once() {
    let tenants = Tenants::with_nodes(&form("progressDeadlineSeconds: 60", "", ""));
    tenants.insert(&[("a", "x"), ("b", "x")]);
    let run = tenants
        .run(&["apply", "--no-wait", "-o", "json"])
        .succeeds();
    assert_eq!(run.json()["rollouts"], Value::Null, "{run}");
    assert!(run.stderr.contains("counts only with a maxSkew"), "{run}");
    assert_eq!(tenants.place.names("deployment"), ["a", "b"]);
}

#[test]
fn what_only_removes_waits_for_no_turn() {
    let stuck = "'sandbox/waiting': ImagePullBackOff";
    let tenants = Tenants::with_nodes(&form("maxSkew: 1", "timeoutSeconds: 1", stuck));
    tenants.insert(&[("a", "x"), ("b", "x"), ("c", "x")]);
    // Each run gives up at the first, and the next begins with it.
    for _ in 0..2 {
        tenants.run(&["apply"]).fails(7, "E0518");
    }
    assert_eq!(tenants.place.names("deployment"), ["a"]);
    tenants.forms(&form("maxSkew: 3", "timeoutSeconds: 1", stuck));
    tenants.run(&["apply", "--no-wait"]).succeeds();
    assert_eq!(tenants.place.names("deployment"), ["a", "b", "c"]);
    tenants.forms(&form("maxSkew: 1", "timeoutSeconds: 1", stuck));
    tenants
        .database
        .execute("DELETE FROM tenants WHERE id = 'b'");
    let run = tenants.run(&["prune", "--yes", "-o", "json"]).succeeds();
    assert_eq!(run.json()["summary"]["pruned"], 1, "{run}");
    assert_eq!(run.json()["rollouts"], Value::Null, "{run}");
    // Two are not ready, and nothing is written for them: nobody's turn is waited for.
    tenants.run(&["apply", "--no-wait"]).succeeds();
}

#[test]
fn a_row_whose_objects_are_refused_stops_the_rollout_although_they_are_not_waited_for() {
    let refused = "{id: refused, nameTemplate: '{{ .uid }}-refused', waitForReady: false, spec: {apiVersion: v1, \
                   kind: Service, spec: {clusterIP: '{{ .plan }}', ports: [{port: 80}]}}}";
    let with = |more: &str| {
        format!(
            "{}  services:\n    - {refused}\n",
            form("maxSkew: 2", more, "")
        )
    };
    let tenants = Tenants::with_nodes(&with(""));
    let rows = ["a", "b", "c", "d", "e"];
    tenants.insert(&rows.map(|row| (row, "None")));
    tenants.run(&["apply"]).succeeds();
    tenants
        .database
        .execute("UPDATE tenants SET plan = 'no address'");
    let run = tenants.run(&["apply", "--replace", "--yes", "-o", "json"]);
    assert_eq!(run.code, Some(9), "{run}");
    assert_eq!(rollout(&run)["phase"], "Failed", "{run}");
    let resources = run.json()["resources"].as_array().cloned().expect("a list");
    let failed = resources
        .iter()
        .filter(|one| one["action"] == "failed")
        .count();
    assert!(
        (1..=2).contains(&failed),
        "as many as may change at a time: {run}"
    );
}

#[test]
fn a_row_that_may_not_be_written_in_any_case_takes_no_turn_from_others() {
    let tenants = Tenants::with_nodes(&form("maxSkew: 1", "", ""));
    tenants.insert(&[("a", "x"), ("b", "x"), ("c", "x")]);
    let foreign = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
        "spec": {
            "selector": {"matchLabels": {"row": "other"}},
            "template": {
                "metadata": {"labels": {"row": "other"}},
                "spec": {"containers": [{"name": "web", "image": "example.invalid/web:1"}]},
            },
        },
    });
    tenants
        .place
        .change(&["create", "-f", "-"], &foreign.to_string());
    let run = tenants.run(&["apply", "-o", "json"]).fails(9, "E0511");
    assert_eq!(tenants.place.names("deployment"), ["a", "b", "c"], "{run}");
    assert_ne!(rollout(&run)["phase"], "Failed", "{run}");
}

/// Three rows, a ConfigMap after each Deployment; that of the first is a stranger's.
pub(super) fn with_a_refused_row() -> Tenants {
    let after = "    - {id: after, dependIds: [web], nameTemplate: '{{ .uid }}-after', spec: {apiVersion: v1, kind: \
                 ConfigMap, data: {a: b}}}\n";
    let form = format!("{}  configMaps:\n{after}", form("maxSkew: 1", "", ""));
    let tenants = Tenants::with_nodes(&form);
    tenants.insert(&[("a", "x"), ("b", "x"), ("c", "x")]);
    tenants.place.change(
        &["create", "deployment", "a", "--image=example.invalid/web:1"],
        "",
    );
    tenants
}

#[test]
fn what_waits_for_an_object_that_may_not_be_written_takes_no_turn_either() {
    let tenants = with_a_refused_row();
    let run = tenants.run(&["apply", "-o", "json"]).fails(9, "E0511");
    assert_eq!(tenants.place.names("deployment"), ["a", "b", "c"], "{run}");
    assert_eq!(
        tenants.place.names("configmap"),
        ["b-after", "c-after"],
        "{run}"
    );
    assert_ne!(rollout(&run)["phase"], "Failed", "{run}");
}

#[test]
fn rows_whose_turn_does_not_come_in_time_are_told() {
    let slow = "'sandbox/ready-after': 4s";
    let tenants = Tenants::with_nodes(&form("maxSkew: 1", "timeoutSeconds: 60", slow));
    tenants.insert(&[("a", "x"), ("b", "x"), ("c", "x")]);
    let run = tenants
        .run(&["apply", "--timeout", "6s", "-o", "json"])
        .fails(7, "E0518");
    assert!(
        run.stderr.contains("before it was the turn of all"),
        "{run}"
    );
    assert_eq!(rollout(&run)["phase"], "InProgress", "{run}");
    tenants.run(&["apply"]).succeeds();
}
