//! What is read of deployed designs on a real API server: differences, status, events, logs.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{Place, Run, Running, Sandbox};

fn map(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{key: {value}}}\n---\n"
    )
}

fn secret(value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{key: {value}}}\n---\n"
    )
}

/// A Deployment whose pods have these containers.
fn deployment(name: &str, replicas: u32, containers: &[&str], more: &str) -> String {
    let containers: Vec<String> = containers
        .iter()
        .map(|container| format!("{{name: {container}, image: x}}"))
        .collect();
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: {replicas}\n  \
         selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    \
         spec: {{containers: [{}]{more}}}\n---\n",
        containers.join(", ")
    )
}

fn change<'a>(diff: &'a Value, name: &str) -> &'a Value {
    let changes = diff["changes"].as_array().expect("changes");
    let found = changes.iter().find(|change| change["name"] == name);
    found.unwrap_or_else(|| panic!("no change of {name}: {diff:#}"))
}

// Differences

#[test]
fn diff_tells_each_field_with_its_owner_and_what_would_be_refused() {
    let place = Place::new();
    place
        .sandbox
        .write("app.yaml", map("a", "one") + &map("b", "one"));
    place.run(&["deploy", "app.yaml"]).succeeds();
    let same = place.run(&["diff", "app.yaml"]).succeeds();
    assert_eq!(same.stdout, "", "{same}");
    assert!(same.stderr.contains("the same"), "{same}");

    // Somebody changes a field of ours, and there is an object that isn't ours.
    place.change(
        &[
            "patch",
            "configmap",
            "a",
            "--type=merge",
            "-p",
            r#"{"data":{"key":"theirs"}}"#,
        ],
        "",
    );
    place.change(&["apply", "-f", "-"], &map("foreign", "old"));
    place.sandbox.write(
        "app.yaml",
        map("a", "one") + &map("c", "one") + &map("foreign", "new"),
    );
    let run = place.run(&["diff", "app.yaml", "--prune"]).ends(1);
    let id = |name: &str| format!("ConfigMap/{}/{name}", place.namespace);
    for line in [
        format!(
            "~ {} (data.key is held by kubectl-patch; --force-conflicts takes it over)\n",
            id("a")
        ),
        "    ~ data.key: \"theirs\" -> \"one\" (held by kubectl-patch)\n".to_owned(),
        format!("- {} (no longer in the design)\n", id("b")),
        format!("+ {}\n", id("c")),
        format!(
            "~ {} (exists and was applied by kubectl-client-side-apply; --adopt takes it over)\n",
            id("foreign")
        ),
        "    ~ data.key: \"old\" -> \"new\" (held by kubectl-client-side-apply)\n".to_owned(),
    ] {
        assert!(run.stdout.contains(&line), "{line}{run}");
    }
    let diff = place
        .run(&["diff", "app.yaml", "--prune", "-o", "json"])
        .ends(1)
        .json();
    assert_eq!(change(&diff, "a")["planned"], "failed");
    assert_eq!(
        change(&diff, "a")["fields"][0]["owners"][0]["manager"],
        "kubectl-patch"
    );
    assert_eq!(change(&diff, "b")["planned"], "pruned");
    assert_eq!(change(&diff, "c")["action"], "added");
    // Without --prune leftovers are not compared, which is said.
    let run = place.run(&["diff", "app.yaml"]).ends(1);
    assert!(
        !run.stdout.contains(&id("b")) && run.stderr.contains("left alone"),
        "{run}"
    );
    // Nothing was written: neither an object nor what is kept here.
    assert_eq!(place.names("configmap"), ["a", "b", "foreign"]);
}

#[test]
fn diff_of_a_secret_tells_that_it_differs_and_not_how() {
    let place = Place::new();
    place.sandbox.write("app.yaml", secret("CANARY-one"));
    place.run(&["deploy", "app.yaml"]).succeeds();
    place.run(&["diff", "app.yaml"]).succeeds();
    place.sandbox.write("app.yaml", secret("CANARY-two"));
    let mut said = String::new();
    for format in ["table", "json"] {
        let run = place.run(&["diff", "app.yaml", "-o", format]).ends(1);
        assert!(run.stdout.contains("data.key"), "{run}");
        said += &run.to_string();
    }
    place.run(&["deploy", "app.yaml"]).succeeds();
    for format in ["table", "json"] {
        let run = place
            .run(&["diff", "app", "--revision", "1", "-o", format])
            .ends(1);
        assert!(run.stdout.contains("data.key"), "{run}");
        said += &run.to_string();
    }
    assert!(
        !said.contains("CANARY") && !said.contains("Q0FOQVJZ"),
        "{said}"
    );
}

#[test]
fn diff_of_several_clusters_tells_of_each_and_which_could_not_be_asked() {
    let place = Place::new();
    place.sandbox.write("app.yaml", map("a", "one"));
    // The second context may not read what it has to.
    let run = place
        .run(&["diff", "app.yaml", "--context", "nobody"])
        .fails(4, "E0524");
    assert!(run.stdout.contains("+ ConfigMap/"), "{run}");
    assert!(run.stderr.contains("nobody"), "{run}");
    let run = place.run(&["diff", "app.yaml", "--context", "absent"]);
    run.fails(5, "E0502");
}

#[test]
fn diff_of_revisions_needs_nothing_but_the_cluster() {
    let place = Place::new();
    for (value, more) in [
        ("one", map("b", "x")),
        ("two", map("c", "x")),
        ("three", String::new()),
    ] {
        place
            .sandbox
            .write("app.yaml", map("a", value) + &more + &secret(value));
        place
            .run(&["deploy", "app.yaml", "--prune", "--yes"])
            .succeeds();
    }
    let other = Sandbox::new();
    let run = place
        .run_in(&other, &["diff", "app", "--revision", "1..2"])
        .ends(1);
    let id = |name: &str| format!("ConfigMap/{}/{name}", place.namespace);
    for line in [
        format!("~ {}\n    ~ data.key: \"one\" -> \"two\"\n", id("a")),
        format!("+ {}\n", id("c")),
        format!("- {}\n", id("b")),
        format!("~ Secret/{}/s\n    ~ data.key: ", place.namespace),
    ] {
        assert!(run.stdout.contains(&line), "{line}{run}");
    }
    // One number is compared with the newest.
    let diff = place
        .run_in(&other, &["diff", "app", "--revision", "2", "-o", "json"])
        .ends(1);
    assert_eq!(
        change(&diff.json(), "a")["fields"][0]["new"],
        "three",
        "{diff}"
    );
    place
        .run_in(&other, &["diff", "app", "--revision", "3..3"])
        .succeeds();
    place
        .run_in(&other, &["diff", "app", "--revision", "3"])
        .succeeds();
    place
        .run_in(&other, &["diff", "app", "--revision", "1..9"])
        .fails(5, "E0201");
    place
        .run_in(&other, &["diff", "none", "--revision", "1"])
        .fails(5, "E0517");
    for wrong in ["0", "a", "1..", "..2", "1..2..3", "-1"] {
        place
            .run_in(&other, &["diff", "app", &format!("--revision={wrong}")])
            .fails(2, "E0002");
    }
    // A key that is gone is not made anew by looking: what it sealed stays sealed.
    let keys = place.names("secret");
    let key = keys
        .iter()
        .find(|name| name.ends_with(".key"))
        .expect("a key");
    place.change(&["delete", "secret", key], "");
    place
        .run_in(&other, &["diff", "app", "--revision", "1..2"])
        .fails(6, "E0516");
    assert!(!place.names("secret").contains(key), "it was made anew");
}

// Status

#[test]
fn status_tells_what_is_deployed_who_works_on_it_and_what_became_of_the_members() {
    let place = Place::new();
    place.sandbox.write(
        "app.yaml",
        map("a", "one") + &map("b", "one") + &map("c", "one"),
    );
    place.run(&["deploy", "app.yaml"]).succeeds();
    let run = place.run(&["status", "app"]).succeeds();
    assert!(run.stdout.starts_with("KIND"), "{run}");
    assert!(
        run.stderr.contains("app: 3 ready of 3 objects; revision 1"),
        "{run}"
    );
    assert!(run.stderr.contains(", deployed 0s ago"), "{run}");
    assert!(!run.stderr.contains("works on it"), "{run}");

    place.change(&["delete", "configmap", "a", "b"], "");
    place.change(&["apply", "-f", "-"], &map("b", "another"));
    let found = |run: &Run| {
        let status = run.json();
        let members = status["resources"].as_array().cloned().expect("members");
        members
            .iter()
            .map(|m| format!("{} {} {}", m["name"], m["state"], m["ready"]).replace('"', ""))
            .collect::<Vec<_>>()
    };
    let run = place.run(&["status", "app", "-o", "json"]).succeeds();
    assert_eq!(
        found(&run),
        ["a missing false", "b foreign false", "c ready true"],
        "{run}"
    );
    assert_eq!(run.json()["ready"], false, "{run}");
    let deployment = &run.json()["deployments"][0];
    assert_eq!(deployment["revision"], 1, "{run}");
    assert_eq!(deployment["outcome"], "deployed", "{run}");
    assert!(deployment.get("holder").is_none(), "{run}");

    // Somebody else at work, as a run of ours says it.
    let lease = place.kubectl(&["get", "lease"])["items"][0]["metadata"]["name"].clone();
    let now = jiff::Timestamp::now();
    let held = format!(
        r#"{{"spec":{{"holderIdentity":"anna@host/1","leaseDurationSeconds":15,"acquireTime":"{now:.6}","renewTime":"{now:.6}"}}}}"#
    );
    let lease = lease.as_str().expect("a lease");
    place.change(&["patch", "lease", lease, "--type=merge", "-p", &held], "");
    let run = place.run(&["status", "app"]).succeeds();
    assert!(
        run.stderr.contains("anna@host/1 works on it since 20"),
        "{run}"
    );
}

#[test]
fn status_of_a_workload_says_what_its_pods_wait_for() {
    let place = Place::with_nodes();
    let waits = deployment("slow", 1, &["gamma"], "").replace(
        "{labels: {app: slow}}\n",
        "{labels: {app: slow}, annotations: {sandbox/waiting: ImagePullBackOff}}\n",
    );
    place
        .sandbox
        .write("app.yaml", deployment("quick", 1, &["gamma"], "") + &waits);
    place.run(&["deploy", "app.yaml"]).succeeds();
    let run = until(|| {
        let run = place.run(&["status", "app"]).succeeds();
        let all = run.stdout.contains("ImagePullBackOff") && run.stderr.contains("1 ready of 2");
        all.then_some(run)
    });
    let rows: Vec<&str> = run.stdout.lines().collect();
    assert!(
        rows[1].contains("quick") && rows[1].contains("yes"),
        "{run}"
    );
    assert!(rows[2].contains("slow") && rows[2].contains("no"), "{run}");
}

/// Asks again until there is an answer.
fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "it doesn't become so");
        std::thread::sleep(Duration::from_millis(200));
    }
}

// Events

#[test]
fn events_are_those_of_the_members_and_of_what_belongs_to_them() {
    let place = Place::with_nodes();
    let lost = deployment("lost", 1, &["gamma"], ", nodeSelector: {no: where}");
    place.sandbox.write(
        "app.yaml",
        deployment("web", 2, &["gamma"], "") + &lost + &map("a", "one"),
    );
    place.run(&["deploy", "app.yaml"]).succeeds();
    // A stranger with the same labels, and an event of the newer form about a member.
    place.change(
        &["apply", "-f", "-"],
        &deployment("stranger", 1, &["gamma"], ""),
    );
    let uid = place.kubectl(&["get", "configmap", "a"])["metadata"]["uid"].clone();
    place.change(
        &["create", "-f", "-"],
        &format!(
            "apiVersion: events.k8s.io/v1\nkind: Event\nmetadata: {{name: series, namespace: {0}}}\neventTime: 2026-01-01T00:00:00.000001Z\n\
             series: {{count: 7, lastObservedTime: 2099-01-01T00:05:00.000001Z}}\nreportingController: test.example\nreportingInstance: one\n\
             action: Test\nreason: Tested\ntype: Warning\nnote: seven times\nregarding: {{apiVersion: v1, kind: ConfigMap, name: a, namespace: {0}, uid: {1}}}\n",
            place.namespace, uid
        ),
    );
    let list = until(|| {
        let run = place.run(&["events", "app", "-o", "json"]).succeeds();
        let items = run.json()["items"].as_array().cloned().expect("a list");
        let has = |kind: &str, reason: &str| {
            items
                .iter()
                .any(|e| e["kind"] == kind && e["reason"] == reason)
        };
        let all = has("Pod", "Scheduled")
            && has("ReplicaSet", "SuccessfulCreate")
            && has("Deployment", "ScalingReplicaSet")
            && has("Pod", "FailedScheduling");
        all.then_some(items)
    });
    for event in &list {
        let member = event["member"].as_str().expect("a member");
        let name = event["object"].as_str().expect("a name");
        assert!(!name.starts_with("stranger"), "{event}");
        assert!(
            member.ends_with(name.split('-').next().expect("a word")),
            "{event}"
        );
    }
    let times = list.iter().filter_map(|event| event["lastSeen"].as_str());
    let times: Vec<jiff::Timestamp> = times.map(|time| time.parse().expect("a time")).collect();
    assert!(times.is_sorted(), "the newest is the last: {times:?}");
    let last = list.last().expect("an event");
    assert_eq!(
        (&last["reason"], &last["count"]),
        (&"Tested".into(), &7.into()),
        "{last}"
    );
    assert_eq!(last["lastSeen"], "2099-01-01T00:05:00.000001Z");

    let warnings = place
        .run(&["events", "app", "--types", "warning"])
        .succeeds();
    let rows: Vec<&str> = warnings.stdout.lines().collect();
    assert!(rows[0].starts_with("LAST SEEN"), "{warnings}");
    assert!(
        rows[1].contains("FailedScheduling") && rows[1].starts_with("0s"),
        "{warnings}"
    );
    let last = rows.last().expect("a row");
    assert!(
        last.contains("Warning") && last.contains("ConfigMap/a") && last.contains("seven times"),
        "{warnings}"
    );
    assert!(!warnings.stdout.contains("Normal"), "{warnings}");
    place
        .run(&["events", "app", "--types", "Odd"])
        .fails(2, "E0002");
    place.run(&["events", "none"]).fails(5, "E0517");
}

#[test]
fn events_are_watched_until_a_signal() {
    let place = Place::new();
    place.sandbox.write("app.yaml", map("a", "one"));
    place.run(&["deploy", "app.yaml"]).succeeds();
    let mut watching = started(&place, &["events", "app", "--watch"]);
    assert!(watching.line().contains("\"items\":[]"));
    let uid = place.kubectl(&["get", "configmap", "a"])["metadata"]["uid"].clone();
    place.change(
        &["create", "-f", "-"],
        &format!(
            "apiVersion: v1\nkind: Event\nmetadata: {{name: old, namespace: {0}}}\nreason: Tested\ntype: Normal\nmessage: hello\ncount: 3\n\
             lastTimestamp: 2026-01-01T00:00:00Z\ninvolvedObject: {{apiVersion: v1, kind: ConfigMap, name: a, namespace: {0}, uid: {uid}}}\n",
            place.namespace
        ),
    );
    let line = watching.line();
    assert!(
        line.contains("\"count\":3") && line.contains("hello"),
        "{line}"
    );
    assert_eq!(watching.interrupt(), Some(130));
}

// Logs

/// Starts a command about a deployed design that goes on.
fn started(place: &Place, arguments: &[&str]) -> Running {
    Running::start(&mut place.command_in(&place.sandbox, arguments))
}

/// Has the containers of a name write a line.
fn write(place: &Place, container: &str, which: &str, line: &str) {
    let path = place.server.folder.join("logs").join(container).join(which);
    let file = std::fs::OpenOptions::new().append(true).open(path);
    let now = jiff::Timestamp::now();
    writeln!(file.expect("a log"), "{now:.9} stdout F {line}").expect("a line");
}

#[test]
fn logs_are_those_of_all_containers_or_of_those_that_are_named() {
    let place = Place::with_nodes();
    for number in 1..=12 {
        write(&place, "alpha", "current", &format!("alpha {number}"));
    }
    write(&place, "beta", "current", "beta \u{1b}[31m1");
    write(&place, "alpha", "previous", "alpha before");
    let slow = deployment("slow", 1, &["beta"], "").replace(
        "{labels: {app: slow}}\n",
        "{labels: {app: slow}, annotations: {sandbox/waiting: ImagePullBackOff}}\n",
    );
    place.sandbox.write(
        "app.yaml",
        deployment("web", 1, &["alpha", "beta"], "") + &slow + &map("a", "one"),
    );
    place.run(&["deploy", "app.yaml"]).succeeds();
    place.change(
        &["apply", "-f", "-"],
        &deployment("stranger", 1, &["alpha"], ""),
    );
    place.change(
        &["rollout", "status", "deployment/web", "--timeout=60s"],
        "",
    );
    let pods = until(|| {
        let pods = place.names("pod");
        (pods.len() == 3).then_some(pods)
    });
    let web = pods
        .iter()
        .find(|pod| pod.starts_with("web"))
        .expect("a pod");
    until(|| {
        let run = place.run(&["logs", "app"]).succeeds();
        run.stderr.contains("ImagePullBackOff").then_some(())
    });

    let run = place.run(&["logs", "app"]).succeeds();
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 11, "ten of each: {run}");
    assert_eq!(lines[0], format!("{web}/alpha: alpha 3"));
    assert_eq!(lines[9], format!("{web}/alpha: alpha 12"));
    assert_eq!(lines[10], format!("{web}/beta: beta \\u{{1b}}[31m1"));
    assert!(
        run.stderr.contains("/beta waits: ImagePullBackOff"),
        "{run}"
    );

    let web_alpha = ["logs", "app", "deployment/web", "-c", "alpha"];
    let with = |more: &[&'static str]| [&web_alpha[..], more].concat();
    let all = place.run(&with(&["--tail=-1"])).succeeds();
    assert_eq!(
        all.stdout.lines().count(),
        12,
        "one container has no prefix: {all}"
    );
    assert!(all.stdout.starts_with("alpha 1\nalpha 2\n"), "{all}");
    let one = place
        .run(&with(&["--tail", "1", "--timestamps"]))
        .succeeds();
    let (time, line) = one.stdout.trim_end().split_once(' ').expect("a time");
    assert!(
        time.parse::<jiff::Timestamp>().is_ok() && line == "alpha 12",
        "{one}"
    );
    let recent = place.run(&with(&["--since", "1h", "--tail=-1"])).succeeds();
    assert_eq!(recent.stdout, all.stdout);
    let before = place.run(&["logs", "app", "--previous"]).succeeds();
    assert_eq!(before.stdout, "", "nothing was restarted: {before}");
    assert!(before.stderr.contains("has not been restarted"), "{before}");

    for named in [
        "Deployment/web",
        "deployments/web",
        &format!("pod/{web}"),
        &format!("apps/Deployment/{}/web", place.namespace),
    ] {
        let run = place
            .run(&["logs", "app", named, "--tail", "1", "-o", "json"])
            .succeeds();
        let items = run.json()["items"].as_array().cloned().expect("a list");
        let lines: Vec<_> = items
            .iter()
            .map(|item| (&item["container"], &item["line"]))
            .collect();
        assert_eq!(
            lines,
            [
                (&"alpha".into(), &"alpha 12".into()),
                (&"beta".into(), &"beta \u{1b}[31m1".into())
            ],
            "{run}"
        );
        assert_eq!(items[0]["pod"], web.as_str());
        assert!(items[0]["time"].is_string(), "{run}");
    }
    let names = place.run(&["logs", "app", "-o", "name"]).succeeds();
    assert_eq!(names.stdout, format!("pod/{web}\n"));
    let none = place.run(&["logs", "app", "configmap/a"]).succeeds();
    assert_eq!(
        (none.stdout.as_str(), none.stderr.as_str()),
        ("", "no container has a log\n")
    );
    place
        .run(&["logs", "app", "deployment/stranger"])
        .fails(5, "E0520");
    place.run(&["logs", "app", "-c", "omega"]).fails(5, "E0520");
    place.run(&["logs", "app", "web"]).fails(2, "E0002");
    place
        .run(&["logs", "app", "-f", "-o", "yaml"])
        .fails(2, "E0002");
    place.run(&["logs", "none"]).fails(5, "E0517");
}

#[test]
fn logs_are_followed_to_the_end_of_the_pods_or_a_signal() {
    let place = Place::with_nodes();
    write(&place, "gamma", "current", "early");
    place
        .sandbox
        .write("app.yaml", deployment("web", 1, &["gamma"], ""));
    place.run(&["deploy", "app.yaml"]).succeeds();
    place.change(
        &["rollout", "status", "deployment/web", "--timeout=60s"],
        "",
    );
    // One follows over a server.
    let mut start = place
        .sandbox
        .command(["system", "start", "--listen", "127.0.0.1:0"]);
    start.env("KUBECONFIG", &place.server.kubeconfig);
    place.sandbox.finish(&mut start, None).succeeds();
    let mut far = started(&place, &["logs", "app", "-f", "--server", "local"]);
    assert_eq!(far.line(), "early");
    let mut json = started(&place, &["logs", "app", "--follow", "-o", "json"]);
    let mut text = started(&place, &["logs", "app", "-f", "--tail", "1"]);
    assert_eq!(text.line(), "early");
    let first: Value = serde_json::from_str(&json.line()).expect("a document");
    assert_eq!(
        (&first["kind"], &first["line"]),
        (&"PodLogLine".into(), &"early".into())
    );
    write(&place, "gamma", "current", "late");
    assert_eq!(text.line(), "late");
    assert_eq!(far.line(), "late");
    let stopped = Instant::now();
    place.sandbox.run(["system", "stop"]).succeeds();
    assert_eq!(far.end(), Some(8), "the server was stopped");
    assert!(
        stopped.elapsed() < Duration::from_secs(4),
        "nobody waits for the stream"
    );
    assert!(json.line().contains("\"line\":\"late\""));
    assert_eq!(json.interrupt(), Some(130));
    // A pod that comes later is followed, too, from its first line on.
    place.change(&["scale", "deployment/web", "--replicas=2"], "");
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 2 {
        seen.insert(text.line());
    }
    assert!(
        seen.iter().all(|line| line.contains("/gamma: ")),
        "{seen:?}"
    );
    // One that waits for more than its limit of containers says so.
    place
        .run(&["logs", "app", "-f", "--max-log-requests", "1"])
        .fails(10, "E0102");
    place.change(&["scale", "deployment/web", "--replicas=0"], "");
    assert_eq!(text.end(), Some(0), "all pods have ended");
}
