//! `tenant watch`: rows and objects are followed, and what is measured of it.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{FORMS, Tenants};
use crate::support::{
    Running,
    databases::{Engine, PASSWORD},
};

/// A watch, and the passes that it has told of.
struct Watch {
    running: Running,
    /// All that was told so far.
    passes: Vec<Value>,
}

impl Tenants {
    fn watch(&self, arguments: &[&str]) -> Watch {
        let mut all = vec!["watch", "-o", "json"];
        all.extend(arguments);
        Watch {
            running: Running::start(&mut self.command(&all)),
            passes: Vec::new(),
        }
    }

    fn exec(&self, statements: &str) {
        self.database.execute(statements);
    }
}

impl Watch {
    /// The next pass.
    #[track_caller]
    fn pass(&mut self) -> Value {
        let line = self.running.line();
        let pass: Value = serde_json::from_str(&line).expect("a document");
        self.passes.push(pass.clone());
        pass
    }

    /// The next pass of which something holds.
    #[track_caller]
    fn until(&mut self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            let pass = self.pass();
            if holds(&pass) {
                return pass;
            }
        }
        panic!(
            "{what}; stderr: {:#?}; passes: {:#?}",
            self.running.errors(),
            self.passes
        );
    }

    /// The next pass that has done just this.
    #[track_caller]
    fn done(&mut self, expected: &[&str]) -> Value {
        self.until(&format!("{expected:?}"), |pass| changes(pass) == expected)
    }

    /// Waits until everything has been quiet for a while.
    fn rest(&mut self) {
        while let Some(line) = self.running.line_within(Duration::from_millis(1500)) {
            self.passes
                .push(serde_json::from_str(&line).expect("a document"));
        }
    }

    /// Where it serves.
    #[track_caller]
    fn address(&self) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let errors = self.running.errors();
            let served = errors.iter().find_map(|line| line.split_once("http://"));
            if let Some((_, address)) = served {
                return address.trim().to_owned();
            }
            assert!(Instant::now() < deadline, "{errors:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// What a pass has done: `created ConfigMap/acme-settings`.
fn changes(pass: &Value) -> Vec<String> {
    let changes = pass["changes"].as_array().expect("a list").iter();
    let changes = changes.map(|change| {
        let id = change["id"].as_str().expect("an id");
        let name = id.rsplit('/').next().unwrap_or_default();
        let word = match change["repaired"].as_bool() {
            Some(true) => "repaired",
            _ => change["action"].as_str().expect("an action"),
        };
        format!("{word} {}/{name}", change["kind"].as_str().expect("a kind"))
    });
    let mut changes: Vec<String> = changes.collect();
    changes.sort();
    changes
}

/// Status and body of an answer.
fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    (status.expect("a status"), body.to_owned())
}

/// The values of the metrics, by name with labels.
fn metrics(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let values = lines.filter_map(|line| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    });
    values.collect()
}

const LONG: &str = "1h";

#[test]
fn tenant_watch_follows_rows_and_objects_on_every_engine() {
    for engine in Engine::ALL {
        println!("{engine:?}");
        let tenants = Tenants::new(engine, FORMS);
        tenants.insert(&[("acme", "free"), ("bolt", "big")]);
        let mut watch = tenants.watch(&["--interval", "300ms"]);
        let first = watch.done(&[
            "created ConfigMap/acme-settings",
            "created ConfigMap/bolt-settings",
            "created ServiceAccount/acme-account",
            "created ServiceAccount/bolt-account",
        ]);
        assert_eq!(
            (&first["cause"], &first["outcome"]),
            (&"start".into(), &"success".into())
        );
        assert_eq!(first["nodes"].as_array().map(Vec::len), Some(4), "{first}");
        assert_eq!(first["totals"][0]["ready"], 4, "{first}");
        tenants.exec("UPDATE tenants SET plan = 'huge' WHERE id = 'bolt'");
        watch.done(&["configured ConfigMap/bolt-settings"]);
        tenants.insert(&[("crux", "big")]);
        watch.done(&[
            "created ConfigMap/crux-settings",
            "created ServiceAccount/crux-account",
        ]);
        tenants.exec("UPDATE tenants SET active = '0' WHERE id = 'bolt'");
        let gone = watch.done(&[
            "pruned ConfigMap/bolt-settings",
            "pruned ServiceAccount/bolt-account",
        ]);
        assert_eq!(gone["gone"].as_array().map(Vec::len), Some(2), "{gone}");
        assert_eq!(tenants.maps(), ["acme-settings", "crux-settings"]);
        assert_eq!(watch.running.interrupt(), Some(130));
        // Nothing is left to do.
        tenants.run(&["plan"]).ends(0);
    }
}

#[test]
fn what_others_change_is_repaired_long_before_the_rows_are_read_again() {
    let tenants = Tenants::new(Engine::Sqlite, FORMS);
    tenants.insert(&[("acme", "free"), ("bolt", "big")]);
    let mut watch = tenants.watch(&["--interval", LONG]);
    watch.until("all is ready", |pass| pass["totals"][0]["ready"] == 4);
    watch.rest();
    let begun = Instant::now();
    tenants
        .place
        .change(&["delete", "configmap", "acme-settings"], "");
    let pass = watch.done(&["repaired ConfigMap/acme-settings"]);
    assert_eq!(pass["cause"], "drift", "{pass}");
    assert_eq!(pass["read"], "kept", "{pass}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    watch.rest();
    let patch = r#"{"data":{"plan":"stolen"}}"#;
    tenants.place.change(
        &[
            "patch",
            "configmap",
            "bolt-settings",
            "--type=merge",
            "-p",
            patch,
        ],
        "",
    );
    watch.done(&["repaired ConfigMap/bolt-settings"]);
    assert_eq!(
        tenants.value("configmap", "bolt-settings", "/data/plan"),
        "big"
    );
    watch.rest();
    // What takes an object out of the set is seen, too.
    let label = "applyset.kubernetes.io/part-of-";
    tenants
        .place
        .change(&["label", "configmap", "bolt-settings", label], "");
    watch.done(&["repaired ConfigMap/bolt-settings"]);
    // What others add is theirs.
    watch.rest();
    let patch = r#"{"data":{"more":"theirs"}}"#;
    tenants.place.change(
        &[
            "patch",
            "configmap",
            "bolt-settings",
            "--type=merge",
            "-p",
            patch,
        ],
        "",
    );
    watch.rest();
    let last = watch.passes.last().expect("a pass");
    assert_eq!(changes(last), [""; 0], "{last}");
    assert_eq!(
        tenants.value("configmap", "bolt-settings", "/data/more"),
        "theirs"
    );
}

#[test]
fn what_an_autoscaler_writes_or_others_may_keep_is_not_taken_back() {
    let form = "apiVersion: operator.lynq.sh/v1
kind: LynqForm
metadata: {name: web}
spec:
  hubId: shop
  deployments:
    - id: web
      nameTemplate: '{{ .uid }}-web'
      spec:
        apiVersion: apps/v1
        kind: Deployment
        spec:
          replicas: 1
          selector: {matchLabels: {app: '{{ .uid }}'}}
          template:
            metadata: {labels: {app: '{{ .uid }}'}}
            spec: {containers: [{name: web, image: 'x:{{ .plan }}'}]}
";
    let tenants = Tenants::new(Engine::Sqlite, form);
    tenants.insert(&[("acme", "1")]);
    let image = "/spec/template/spec/containers/0/image";
    let mut watch = tenants.watch(&["--interval", LONG]);
    watch.done(&["created Deployment/acme-web"]);
    watch.rest();
    tenants
        .place
        .change(&["set", "image", "deployment/acme-web", "web=evil"], "");
    watch.done(&["repaired Deployment/acme-web"]);
    assert_eq!(tenants.value("deployment", "acme-web", image), "x:1");
    watch.rest();
    // As an autoscaler does it.
    tenants
        .place
        .change(&["scale", "deployment/acme-web", "--replicas=3"], "");
    let pass = watch.done(&["failed Deployment/acme-web"]);
    assert_eq!(pass["changes"][0]["conflicts"], true, "{pass}");
    assert_eq!(pass["nodes"][0]["conflicted"], 1, "{pass}");
    assert_eq!(tenants.value("deployment", "acme-web", "/spec/replicas"), 3);
    watch.running.interrupt();
    tenants
        .place
        .change(&["scale", "deployment/acme-web", "--replicas=1"], "");
    // Others may keep what they have changed.
    let mut watch = tenants.watch(&["--interval", LONG, "--no-repair"]);
    watch.pass();
    watch.rest();
    tenants
        .place
        .change(&["set", "image", "deployment/acme-web", "web=mine"], "");
    watch.done(&["failed Deployment/acme-web"]);
    assert_eq!(tenants.value("deployment", "acme-web", image), "mine");
}

#[test]
fn changes_of_status_alone_cause_no_pass() {
    let form = FORMS.to_owned()
        + "---
apiVersion: operator.lynq.sh/v1
kind: LynqForm
metadata: {name: web}
spec:
  hubId: shop
  services:
    - id: web
      nameTemplate: '{{ .uid }}-web'
      spec: {apiVersion: v1, kind: Service, spec: {ports: [{port: 80}], selector: {app: '{{ .uid }}'}}}
";
    let tenants = Tenants::new(Engine::Sqlite, &form);
    tenants.insert(&[("acme", "free")]);
    let mut watch = tenants.watch(&["--interval", LONG]);
    watch.until("all is ready", |pass| pass["totals"][0]["ready"] == 3);
    watch.rest();
    let before = watch.passes.len();
    for number in 0..10 {
        let patch = format!(
            r#"{{"status":{{"conditions":[{{"type":"Seen","status":"True","reason":"N{number}","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}}]}}}}"#
        );
        let arguments = [
            "patch",
            "service",
            "acme-web",
            "--subresource=status",
            "--type=merge",
            "-p",
        ];
        let arguments: Vec<&str> = arguments.into_iter().chain([patch.as_str()]).collect();
        tenants.place.change(&arguments, "");
    }
    watch.rest();
    assert_eq!(watch.passes.len(), before, "{:#?}", &watch.passes[before..]);
}

#[test]
fn a_table_that_is_emptied_or_away_removes_nothing_and_drift_is_repaired_all_the_same() {
    for engine in Engine::ALL {
        println!("{engine:?}");
        let tenants = Tenants::new(engine, FORMS);
        tenants.insert(&[("acme", "free"), ("bolt", "big"), ("crux", "big")]);
        let mut watch = tenants.watch(&["--interval", "300ms"]);
        watch.until("all is ready", |pass| pass["totals"][0]["ready"] == 6);
        let all = tenants.maps();
        // Emptied.
        tenants.exec("UPDATE tenants SET active = 'no'");
        let pass = watch.until("nothing is removed", |pass| pass["deletionBlocked"] == true);
        assert_eq!(pass["outcome"], "partial_failure", "{pass}");
        assert_eq!(pass["failures"][0]["code"], "E0712", "{pass}");
        // One row is left, and what it needs is done.
        tenants.exec("UPDATE tenants SET active = '1', plan = 'new' WHERE id = 'acme'");
        let pass = watch.done(&["configured ConfigMap/acme-settings"]);
        assert_eq!(pass["deletionBlocked"], true, "{pass}");
        assert_eq!(tenants.maps(), all);
        tenants.exec("UPDATE tenants SET active = '1'");
        watch.until("removals are allowed", |pass| {
            pass["deletionBlocked"] == false
        });
        // Away.
        tenants.exec("ALTER TABLE tenants RENAME TO customers");
        let pass = watch.until("the rows cannot be read", |pass| pass["read"] == "failed");
        assert_eq!(pass["failures"][0]["code"], "E0703", "{pass}");
        tenants
            .place
            .change(&["delete", "configmap", "bolt-settings"], "");
        watch.done(&["repaired ConfigMap/bolt-settings"]);
        assert_eq!(tenants.maps(), all);
        // Back.
        tenants.exec("ALTER TABLE customers RENAME TO tenants");
        tenants.exec("DELETE FROM tenants WHERE id = 'crux'");
        watch.done(&[
            "pruned ConfigMap/crux-settings",
            "pruned ServiceAccount/crux-account",
        ]);
        let shown = format!("{:?}{:?}", watch.passes, watch.running.errors());
        assert!(!shown.contains(PASSWORD));
    }
}

#[test]
fn a_watch_that_begins_without_its_database_waits_for_it() {
    let tenants = Tenants::new(Engine::PostgreSql, FORMS);
    tenants.insert(&[("acme", "free")]);
    tenants.exec("ALTER TABLE tenants RENAME TO customers");
    let mut watch = tenants.watch(&["--interval", "1s"]);
    let pass = watch.pass();
    assert_eq!(
        (&pass["outcome"], &pass["read"]),
        (&"error".into(), &"failed".into())
    );
    tenants.exec("ALTER TABLE customers RENAME TO tenants");
    watch.done(&[
        "created ConfigMap/acme-settings",
        "created ServiceAccount/acme-account",
    ]);
}

#[test]
fn only_changed_rows_are_read_where_a_column_tells_them_and_all_of_them_now_and_then() {
    for engine in Engine::ALL {
        println!("{engine:?}");
        let tenants = Tenants::new(engine, FORMS);
        tenants.exec("DROP TABLE tenants");
        let column = match engine {
            Engine::Sqlite => "TEXT",
            _ => "TIMESTAMP NULL",
        };
        tenants.exec(&format!(
            "CREATE TABLE tenants (id VARCHAR(60), active VARCHAR(10), plan VARCHAR(60), seats INT, changed {column})"
        ));
        tenants.exec(
            "INSERT INTO tenants VALUES ('acme', '1', 'free', 5, '2020-01-01 00:00:00'), \
             ('bolt', '1', 'free', 5, '2020-01-01 00:00:00')",
        );
        let hub = tenants
            .database
            .hub("tenants", "", "plan: plan, seats: seats");
        let hub = hub.replace(
            "  source: {",
            "  source: {updatedAtColumn: changed, updatedAtOverlap: 1s, ",
        );
        tenants.place.sandbox.write("crm/hub.yaml", hub);
        let mut watch = tenants.watch(&["--interval", "300ms", "--full-interval", "6s"]);
        watch.until("all is ready", |pass| pass["totals"][0]["ready"] == 4);
        // Nobody says that it has changed.
        let begun = Instant::now();
        tenants.exec("UPDATE tenants SET plan = 'secret' WHERE id = 'acme'");
        let now = "2037-01-01 00:00:00";
        tenants.exec(&format!(
            "UPDATE tenants SET plan = 'huge', changed = '{now}' WHERE id = 'bolt'"
        ));
        watch.done(&["configured ConfigMap/bolt-settings"]);
        // Whether a row counts is read in any case.
        tenants.exec("UPDATE tenants SET active = '0' WHERE id = 'bolt'");
        watch.done(&[
            "pruned ConfigMap/bolt-settings",
            "pruned ServiceAccount/bolt-account",
        ]);
        assert!(
            begun.elapsed() < Duration::from_secs(6),
            "it was too slow to tell"
        );
        assert_eq!(
            tenants.value("configmap", "acme-settings", "/data/plan"),
            "free"
        );
        watch.done(&["configured ConfigMap/acme-settings"]);
        assert_eq!(
            tenants.value("configmap", "acme-settings", "/data/plan"),
            "secret"
        );
    }
}

#[test]
fn metrics_and_health_are_served_and_series_go_with_their_rows() {
    let tenants = Tenants::new(Engine::Sqlite, FORMS);
    tenants.insert(&[("acme", "free"), ("bolt", "big")]);
    let file = tenants.place.sandbox.path("shop.prom");
    let file = file.to_str().expect("a path");
    let mut watch = tenants.watch(&[
        "--interval",
        "300ms",
        "--listen",
        "127.0.0.1:0",
        "--metrics-file",
        file,
    ]);
    watch.until("all is ready", |pass| pass["totals"][0]["ready"] == 4);
    watch.pass();
    let address = watch.address();
    assert_eq!(get(&address, "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(get(&address, "/readyz"), (200, "ok\n".to_owned()));
    assert_eq!(get(&address, "/other").0, 404);
    let namespace = &tenants.place.namespace;
    let (status, text) = get(&address, "/metrics");
    assert_eq!(status, 200);
    let seen = metrics(&text);
    let at = |name: &str| {
        let name = name.replace("NS", namespace);
        seen.get(&name)
            .copied()
            .unwrap_or_else(|| panic!("no {name} in\n{text}"))
    };
    assert_eq!(at(r#"hub_desired{hub="shop",namespace="NS"}"#), 4.0);
    assert_eq!(at(r#"hub_ready{hub="shop",namespace="NS"}"#), 4.0);
    assert_eq!(
        at(r#"lynqnode_resources_ready{lynqnode="acme-settings",namespace="NS"}"#),
        1.0
    );
    assert_eq!(
        at(r#"lynqnode_condition_status{lynqnode="bolt-access",namespace="NS",type="Ready"}"#),
        1.0
    );
    assert_eq!(
        at(r#"weftctl_tenant_datasource_up{hub="shop",namespace="NS"}"#),
        1.0
    );
    assert_eq!(
        at(r#"weftctl_tenant_datasource_rows{hub="shop",namespace="NS",state="active"}"#),
        2.0
    );
    let created =
        r#"apply_attempts_total{conflict_policy="Stuck",kind="ConfigMap",result="success"}"#;
    assert!(at(created) >= 2.0);
    // As Prometheus wants it.
    let mut check = Command::new("promtool");
    let checked = check
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    let mut checked = checked
        .spawn()
        .expect("promtool: run ./tests/run, which installs it");
    let mut stdin = checked.stdin.take().expect("a pipe");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    let checked = checked.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
    // As a collector of text files finds it.
    let written = metrics(&std::fs::read_to_string(file).expect("a file"));
    assert!(written.contains_key(created), "{written:#?}");
    // Who changes objects is counted.
    watch.until("nothing is done", |pass| changes(pass).is_empty());
    tenants
        .place
        .change(&["delete", "configmap", "acme-settings"], "");
    watch.done(&["repaired ConfigMap/acme-settings"]);
    tenants.exec("UPDATE tenants SET active = '0' WHERE id = 'bolt'");
    watch.done(&[
        "pruned ConfigMap/bolt-settings",
        "pruned ServiceAccount/bolt-account",
    ]);
    watch.pass();
    let (_, text) = get(&address, "/metrics");
    assert!(!text.contains("bolt"), "{text}");
    let seen = metrics(&text);
    let at = |name: &str| seen.get(&name.replace("NS", namespace)).copied();
    assert_eq!(
        at(r#"weftctl_tenant_drift_total{hub="shop",kind="ConfigMap",namespace="NS"}"#),
        Some(1.0)
    );
    assert_eq!(
        at(r#"weftctl_tenant_orphans_total{hub="shop",namespace="NS"}"#),
        Some(2.0)
    );
    // Without its rows it isn't ready, but it lives.
    tenants.exec("ALTER TABLE tenants RENAME TO customers");
    watch.until("the rows cannot be read", |pass| pass["read"] == "failed");
    watch.pass();
    assert_eq!(
        get(&address, "/readyz"),
        (503, "the rows cannot be read\n".to_owned())
    );
    assert_eq!(get(&address, "/healthz").0, 200);
    let (_, text) = get(&address, "/metrics");
    let up = format!("weftctl_tenant_datasource_up{{hub=\"shop\",namespace=\"{namespace}\"}} 0");
    assert!(text.contains(&up), "{text}");
    assert_eq!(watch.running.signal("TERM"), Some(143));
}

#[test]
fn a_run_leaves_its_metrics_in_a_file_and_the_next_one_goes_on_counting() {
    let tenants = Tenants::new(Engine::Sqlite, FORMS);
    tenants.insert(&[("acme", "free")]);
    let sandbox = &tenants.place.sandbox;
    let file = sandbox.path("shop.prom");
    let apply = ["apply", "--metrics-file", file.to_str().expect("a path")];
    let read = || metrics(&std::fs::read_to_string(&file).expect("a file"));
    let at = |name: &str| {
        let name = name.replace("NS", &tenants.place.namespace);
        read().get(&name).copied()
    };
    let maps = r#"apply_attempts_total{conflict_policy="Stuck",kind="ConfigMap",result="success"}"#;
    let passes = r#"weftctl_tenant_passes_total{hub="shop",namespace="NS",result="success"}"#;
    for count in [1.0, 2.0] {
        tenants.run(&apply).succeeds();
        assert_eq!((at(maps), at(passes)), (Some(count), Some(count)));
    }
    assert_eq!(at(r#"hub_ready{hub="shop",namespace="NS"}"#), Some(2.0));
    let last = at(r#"weftctl_tenant_last_success_timestamp_seconds{hub="shop",namespace="NS"}"#);
    // A run that fails leaves its mark, too.
    tenants.exec("ALTER TABLE tenants RENAME TO customers");
    tenants.run(&apply).fails(5, "E0703");
    assert_eq!(
        at(r#"weftctl_tenant_datasource_up{hub="shop",namespace="NS"}"#),
        Some(0.0)
    );
    let failed = r#"weftctl_tenant_passes_total{hub="shop",namespace="NS",result="error"}"#;
    assert_eq!((at(failed), at(passes)), (Some(1.0), Some(2.0)));
    let name = r#"weftctl_tenant_last_success_timestamp_seconds{hub="shop",namespace="NS"}"#;
    assert!(last.is_some() && at(name) == last);
}

#[test]
fn a_dry_run_says_what_each_pass_would_do_and_does_nothing() {
    let tenants = Tenants::new(Engine::Sqlite, FORMS);
    tenants.insert(&[("acme", "free")]);
    let before = tenants.writes();
    let mut watch = tenants.watch(&["--interval", "300ms", "--passes", "2", "--dry-run=client"]);
    for _ in 0..2 {
        let pass = watch.pass();
        let expected = [
            "created ConfigMap/acme-settings",
            "created ServiceAccount/acme-account",
        ];
        assert_eq!(changes(&pass), expected);
        assert_eq!(pass["dryRun"], "plan");
    }
    assert_eq!(watch.running.end(), Some(0));
    assert_eq!((tenants.maps(), tenants.writes()), (Vec::new(), before));
    // What the guard would hold back.
    tenants.run(&["apply"]).succeeds();
    tenants.exec("UPDATE tenants SET active = 'no'");
    let told = "without --max-delete 1, and a watch deletes nothing there: 1 of 1 rows would lose their objects";
    let run = tenants.run(&["watch", "--passes", "1", "--dry-run=client"]);
    assert!(run.stderr.contains(told), "{run}");
    let run = tenants.run(&["plan"]).ends(1);
    assert!(run.stderr.contains(told), "{run}");
    let run = tenants.run(&["apply", "--dry-run=client", "--max-delete", "1"]);
    assert!(!run.stderr.contains(told), "{run}");
}

#[test]
fn on_a_terminal_a_watch_prints_only_what_has_happened() {
    let tenants = Tenants::new(Engine::Sqlite, FORMS);
    tenants.insert(&[("acme", "free")]);
    let mut command = tenants.command(&["watch", "--interval", "300ms"]);
    let mut running = Running::start(&mut command);
    let line = running.line();
    assert!(
        line.contains("start: 1 of 1 row, created 2, ready"),
        "{line}"
    );
    let mut lines = [running.line(), running.line()];
    lines.sort();
    let expected = [
        "created ConfigMap/acme-settings, row \"acme\", form settings",
        "created ServiceAccount/acme-account, row \"acme\", form access",
    ];
    for (line, expected) in lines.iter().zip(expected) {
        let shown = line.replace(&format!("{}/", tenants.place.namespace), "");
        assert_eq!(shown.trim(), expected);
    }
    assert_eq!(running.line_within(Duration::from_secs(2)), None);
    tenants.exec("ALTER TABLE tenants RENAME TO customers");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !running
        .errors()
        .iter()
        .any(|line| line.contains("customers") || line.contains("tenants"))
    {
        assert!(Instant::now() < deadline, "{:#?}", running.errors());
        std::thread::sleep(Duration::from_millis(50));
    }
    // Once, however often it is tried.
    std::thread::sleep(Duration::from_secs(2));
    let warnings = running
        .errors()
        .into_iter()
        .filter(|line| line.contains("warning"));
    assert_eq!(warnings.count(), 1, "{:#?}", running.errors());
}

#[test]
fn a_rollout_goes_on_from_pass_to_pass_until_all_rows_are_as_they_shall_be() {
    let form = super::rollout::form("maxSkew: 1", "", "plan: '{{ .plan }}'");
    let tenants = Tenants::with_nodes(&form);
    tenants.insert(&[("acme", "one"), ("bolt", "one"), ("crux", "one")]);
    let mut watch = tenants.watch(&["--interval", "500ms"]);
    watch.until("all is ready", |pass| pass["totals"][0]["ready"] == 3);
    let before = watch.passes.len();
    tenants.exec("UPDATE tenants SET plan = 'two'");
    watch.until("the last row changes", |pass| {
        changes(pass).contains(&"configured Deployment/crux".to_owned())
    });
    watch.until("all is as it shall be", |pass| {
        pass["rollouts"][0]["phase"] == "Complete" && pass["rollouts"][0]["updated"] == 3
    });
    // One row at a time, by name.
    let begun = watch.passes[before..].iter().flat_map(changes);
    let begun: Vec<String> = begun
        .filter(|change| !change.starts_with("failed"))
        .collect();
    assert_eq!(
        begun,
        [
            "configured Deployment/acme",
            "configured Deployment/bolt",
            "configured Deployment/crux",
        ]
    );
    watch.until("all is ready", |pass| pass["totals"][0]["ready"] == 3);
}

/// The names of what passes have changed.
fn configured(passes: &[Value]) -> Vec<String> {
    let done = passes.iter().flat_map(changes);
    let mut names: Vec<String> = done
        .filter_map(|change| Some(change.split_once("configured ")?.1.to_owned()))
        .collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn a_change_that_fails_in_one_pass_reaches_no_further_row_in_the_next() {
    let tenants = Tenants::with_nodes(&super::rollout::form("maxSkew: 2", "", ""));
    let rows = ["a", "b", "c", "d", "e"];
    tenants.insert(&rows.map(|row| (row, "x")));
    let mut watch = tenants.watch(&["--interval", "300ms"]);
    watch.until("all is ready", |pass| pass["totals"][0]["ready"] == 5);
    watch.running.interrupt();
    // The first row never becomes ready, the second one does, but not before the first is late.
    let pods = "'sandbox/ready-after': '{{ if eq .uid \"a\" }}1h{{ else }}3s{{ end }}'";
    tenants.forms(&super::rollout::form(
        "maxSkew: 2",
        "timeoutSeconds: 2",
        pods,
    ));
    let mut watch = tenants.watch(&["--interval", "300ms"]);
    let pass = watch.until("it stands still", |pass| {
        pass["rollouts"][0]["phase"] == "Failed"
    });
    let message = pass["rollouts"][0]["message"].as_str().expect("a text");
    assert!(message.contains("row \"a\""), "{message}");
    assert!(message.contains("not ready after 2 s"), "{message}");
    watch.until("the second row is ready", |pass| {
        pass["totals"][0]["ready"] == 1 && pass["totals"][0]["failed"] == 1
    });
    for _ in 0..3 {
        watch.pass();
    }
    assert_eq!(configured(&watch.passes), ["Deployment/a", "Deployment/b"]);
    watch.running.interrupt();
    // Mended, all of them change, and the row that has failed is first.
    tenants.forms(&super::rollout::form(
        "maxSkew: 2",
        "timeoutSeconds: 60",
        "mended: 'yes'",
    ));
    let mut watch = tenants.watch(&["--interval", "300ms"]);
    watch.until("all is as it shall be", |pass| {
        pass["rollouts"][0]["phase"] == "Complete" && pass["totals"][0]["ready"] == 5
    });
    assert_eq!(
        configured(&watch.passes),
        rows.map(|row| format!("Deployment/{row}"))
    );
}

#[test]
fn a_row_whose_objects_are_refused_each_time_keeps_the_others_from_changing() {
    let refused = "{id: refused, nameTemplate: '{{ .uid }}-refused', waitForReady: false, spec: {apiVersion: v1, \
                   kind: Service, spec: {ports: [{port: '{{ .plan | int }}'}]}}}";
    let form = format!(
        "{}  services:\n    - {refused}\n",
        super::rollout::form("maxSkew: 2", "", "plan: '{{ .plan }}'")
    );
    let tenants = Tenants::with_nodes(&form);
    let rows = ["a", "b", "c", "d", "e", "f"];
    tenants.insert(&rows.map(|row| (row, "80")));
    let mut watch = tenants.watch(&["--interval", "300ms"]);
    watch.until("all is ready", |pass| pass["totals"][0]["ready"] == 6);
    let before = watch.passes.len();
    // No port is as high: the first row fails, in every pass.
    tenants.exec("UPDATE tenants SET plan = CASE id WHEN 'a' THEN '70000' ELSE '81' END");
    watch.until("it stands still", |pass| {
        pass["rollouts"][0]["phase"] == "Failed"
    });
    for _ in 0..6 {
        watch.pass();
    }
    assert_eq!(
        configured(&watch.passes[before..]),
        ["Deployment/a", "Deployment/b", "Service/b-refused"]
    );
    tenants.exec("UPDATE tenants SET plan = '90'");
    watch.until("all is as it shall be", |pass| {
        pass["rollouts"][0]["phase"] == "Complete" && pass["totals"][0]["ready"] == 6
    });
}

#[test]
fn what_waits_for_an_object_that_may_not_be_written_keeps_no_row_waiting() {
    let tenants = super::rollout::with_a_refused_row();
    let mut watch = tenants.watch(&["--interval", "300ms"]);
    watch.until("the others are ready", |pass| {
        pass["totals"][0]["ready"] == 2
    });
    assert_eq!(tenants.place.names("configmap"), ["b-after", "c-after"]);
}

#[test]
fn what_is_another_each_time_is_said_and_left_for_longer_and_longer() {
    let form = FORMS.replace(
        "data: {plan: '{{ .plan }}'}",
        "data: {plan: '{{ randAlphaNum 8 }}'}",
    );
    let tenants = Tenants::new(Engine::Sqlite, &form);
    tenants.insert(&[("acme", "free")]);
    let mut watch = tenants.watch(&["--interval", LONG]);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(12) {
        if let Some(line) = watch.running.line_within(Duration::from_millis(100)) {
            watch
                .passes
                .push(serde_json::from_str(&line).expect("a document"));
        }
    }
    assert!(watch.passes.len() < 16, "{} passes", watch.passes.len());
    let errors = watch.running.errors().join("\n");
    assert!(
        errors.contains("acme-settings is written again and again"),
        "{errors}"
    );
    assert!(errors.contains("randAlphaNum"), "{errors}");
}

#[test]
fn one_row_that_is_waited_for_holds_up_no_other() {
    let form = FORMS.to_owned()
        + "---
apiVersion: operator.lynq.sh/v1
kind: LynqForm
metadata: {name: chain}
spec:
  hubId: shop
  deployments:
    - id: web
      nameTemplate: '{{ .uid }}-web'
      spec:
        apiVersion: apps/v1
        kind: Deployment
        spec:
          selector: {matchLabels: {row: '{{ .uid }}'}}
          template:
            metadata: {labels: {row: '{{ .uid }}'}}
            spec: {containers: [{name: web, image: 'x'}]}
  configMaps:
    - id: after
      dependIds: [web]
      nameTemplate: '{{ .uid }}-after'
      spec: {apiVersion: v1, kind: ConfigMap, data: {a: b}}
";
    // No node takes its pods: it is never ready.
    let tenants = Tenants::new(Engine::Sqlite, &form);
    tenants.insert(&[("acme", "free")]);
    let mut watch = tenants.watch(&["--interval", LONG]);
    watch.until("what can be is ready", |pass| {
        pass["totals"][0]["ready"] == 2
    });
    for _ in 0..3 {
        let begun = Instant::now();
        tenants
            .place
            .change(&["delete", "configmap", "acme-settings"], "");
        watch.until("it is repaired", |pass| {
            changes(pass).contains(&"repaired ConfigMap/acme-settings".to_owned())
        });
        assert!(
            begun.elapsed() < Duration::from_secs(8),
            "{:?}",
            begun.elapsed()
        );
    }
}
