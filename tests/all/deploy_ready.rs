//! What a deployment waits for, on a cluster whose controllers and nodes work, and what is known before
//! the first write.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    apply_faults::world::Place,
    support::{
        ApiServer, Proxy,
        proxy::{Act, Fault, Seen, Verb},
        server::signal,
    },
};

fn workload(name: &str, annotations: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": annotations},
                "spec": {"containers": [{"name": "main", "image": "example.com/main:1"}]},
            },
        },
    })
}

fn job(name: &str, annotations: &Value, image: &str, of_pod: &Value) -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"backoffLimit": 0, "template": {
            "metadata": {"annotations": of_pod},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": image}]},
        }},
    })
}

fn map(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": value}})
}

/// The actions by name.
fn actions(result: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let resources = result["resources"].as_array().expect("resources").iter();
    let actions = resources.map(|r| (text(&r["name"]), text(&r["action"])));
    actions.collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = expected
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
    pairs.collect()
}

#[test]
fn jobs_of_phases_run_in_their_places_and_again_when_they_changed() {
    let place = Place::new(ApiServer::with_nodes(), "phases");
    let design = |image: &str| {
        vec![
            workload("web", &json!({})),
            job(
                "smoke",
                &json!({"weftctl.dev/phase": "after"}),
                image,
                &json!({}),
            ),
            job(
                "migrate",
                &json!({"weftctl.dev/phase": "before", "weftctl.dev/cleanup": "OnSuccess"}),
                image,
                &json!({}),
            ),
        ]
    };
    let deploy = ["deploy", "app.yaml", "--timeout", "60s", "-o", "json"];
    place.write("app.yaml", &design("example.com/job:1"));
    let first = place.run(&deploy).succeeds().json();
    let created = [
        ("migrate", "created"),
        ("web", "created"),
        ("smoke", "created"),
    ];
    assert_eq!(actions(&first), pairs(&created));
    let times = |name: &str, kind: &str| -> String {
        let object = place.server.kubectl(
            &["-n", &place.namespace, "get", kind, name, "-o", "json"],
            "",
        );
        let object: Value = serde_json::from_str(&object).expect("JSON");
        object["metadata"]["creationTimestamp"]
            .as_str()
            .expect("a time")
            .to_owned()
    };
    assert!(
        times("smoke", "job") >= times("web", "deployment"),
        "after everything"
    );
    let jobs = place
        .server
        .kubectl(&["-n", &place.namespace, "get", "jobs", "-o", "name"], "");
    assert_eq!(jobs, "job.batch/smoke\n", "the first one was cleaned up");
    let again = place.run(&deploy).succeeds().json();
    let still = [
        ("migrate", "skipped"),
        ("web", "unchanged"),
        ("smoke", "unchanged"),
    ];
    assert_eq!(actions(&again), pairs(&still));
    assert!(again.get("revision").is_none(), "{again}");
    place.write("app.yaml", &design("example.com/job:2"));
    let changed = place.run(&deploy).succeeds().json();
    let run = [
        ("migrate", "created"),
        ("web", "unchanged"),
        ("smoke", "replaced"),
    ];
    assert_eq!(actions(&changed), pairs(&run));
    let status = place
        .run(&["status", "app", "-o", "json"])
        .succeeds()
        .json();
    assert_eq!(status["ready"], true, "{status}");
    place.run(&["undeploy", "app", "--yes"]).succeeds();
}

#[test]
fn a_first_job_that_fails_holds_everything_else_back_and_runs_again() {
    let place = Place::new(ApiServer::with_nodes(), "phase-fails");
    let design = |of_pod: &Value| {
        let first = json!({"weftctl.dev/phase": "before"});
        vec![
            workload("web", &json!({})),
            job("migrate", &first, "example.com/job:1", of_pod),
        ]
    };
    place.write("app.yaml", &design(&json!({"sandbox/fails": "yes"})));
    let begun = Instant::now();
    let failed = place.run(&["deploy", "app.yaml", "--timeout", "90s", "-o", "json"]);
    assert!(
        begun.elapsed() < Duration::from_secs(60),
        "no use in waiting"
    );
    let failed = failed.fails(1, "E0003").json();
    assert_eq!(
        actions(&failed),
        pairs(&[("migrate", "failed"), ("web", "skipped")])
    );
    let before = place
        .run(&["plan", "app.yaml", "-o", "json"])
        .ends(1)
        .json();
    assert_eq!(
        actions(&before)[0],
        ("migrate".to_owned(), "replaced".to_owned()),
        "{before}"
    );
    place.write("app.yaml", &design(&json!({})));
    let mended = place.run(&[
        "deploy",
        "app.yaml",
        "--timeout",
        "60s",
        "--yes",
        "-o",
        "json",
    ]);
    let mended = mended.succeeds().json();
    assert_eq!(
        actions(&mended),
        pairs(&[("migrate", "replaced"), ("web", "created")])
    );
}

#[test]
fn a_job_of_a_phase_that_is_still_being_deleted_is_waited_for() {
    let place = Place::new(ApiServer::with_nodes(), "phase-leaves");
    let first = json!({"weftctl.dev/phase": "before"});
    let mut held = job("migrate", &first, "example.com/job:1", &json!({}));
    held["metadata"]["finalizers"] = json!(["example.com/held"]);
    place.write("app.yaml", &[held, map("settings", "one")]);
    place
        .run(&["deploy", "app.yaml", "--timeout", "60s"])
        .succeeds();
    let path = place.path("apis/batch/v1", "jobs/migrate");
    place.server.api.send("DELETE", &path, None);
    let run = place
        .run(&["deploy", "app.yaml", "--timeout", "4s"])
        .fails(9, "E0519");
    assert!(run.stderr.contains("example.com/held"), "{run}");
    let free = json!({"metadata": {"finalizers": null}});
    let patch = Some(("application/merge-patch+json", &free));
    place.server.api.send("PATCH", &path, patch);
    place
        .run(&["deploy", "app.yaml", "--timeout", "60s"])
        .succeeds();
}

#[test]
fn what_is_not_ready_in_time_is_named_with_its_event_and_its_pod() {
    let place = Place::new(ApiServer::with_nodes(), "blocked");
    let stuck = workload("stuck", &json!({"sandbox/waiting": "ImagePullBackOff"}));
    place.write(
        "app.yaml",
        &[map("settings", "one"), workload("fine", &json!({})), stuck],
    );
    let begun = Instant::now();
    let run = place
        .run(&[
            "deploy",
            "app.yaml",
            "--wait",
            "--timeout",
            "8s",
            "-o",
            "json",
        ])
        .fails(7, "E0518");
    assert!(begun.elapsed() < Duration::from_secs(30));
    let result = run.json();
    let blockers = result["blockers"].as_array().expect("blockers");
    assert_eq!(blockers.len(), 1, "{result}");
    assert!(
        blockers[0]["id"]
            .as_str()
            .is_some_and(|id| id.ends_with("/stuck"))
    );
    assert_eq!(blockers[0]["lastEvent"]["reason"], "ScalingReplicaSet");
    assert_eq!(blockers[0]["pods"][0]["reason"], "ImagePullBackOff");
    assert!(
        blockers[0]["pods"][0]["pod"]
            .as_str()
            .is_some_and(|pod| pod.starts_with("stuck-"))
    );
    assert!(run.stderr.contains("ImagePullBackOff"), "{run}");
    let table = place
        .run(&["deploy", "app.yaml", "--wait", "--timeout", "3s"])
        .ends(7);
    let heading = table
        .stdout
        .lines()
        .find(|line| line.starts_with("BLOCKER"));
    assert!(
        heading.is_some_and(|line| line.contains("LAST EVENT")),
        "{table}"
    );
    // What may be unready is not waited for.
    let mut unready = workload("stuck", &json!({"sandbox/waiting": "ImagePullBackOff"}));
    unready["metadata"]["annotations"] = json!({"weftctl.dev/wait": "false"});
    place.write(
        "app.yaml",
        &[
            map("settings", "one"),
            workload("fine", &json!({})),
            unready,
        ],
    );
    place
        .run(&["deploy", "app.yaml", "--wait", "--timeout", "30s"])
        .succeeds();
}

#[test]
fn looking_into_what_blocks_is_bounded_and_ends_at_once_when_interrupted() {
    let place = Place::new(ApiServer::with_nodes(), "hangs");
    let waiting = json!({"sandbox/waiting": "ImagePullBackOff"});
    let stuck: Vec<Value> = (0..8)
        .map(|n| workload(&format!("stuck-{n}"), &waiting))
        .collect();
    place.write("app.yaml", &stuck);
    let proxy = Proxy::before(place.server);
    let is_asked = |seen: &Seen| seen.line.contains("/log?") || seen.plural == "events";
    let hang = |which: fn(&Seen) -> bool| {
        proxy.misbehave(vec![Fault::new(Act::Swallow).on(which).times(1000)]);
    };
    let deploy = [
        "deploy",
        "app.yaml",
        "--wait",
        "--timeout",
        "6s",
        "-o",
        "json",
    ];

    // A node that is dead: no log ever comes, all else does.
    hang(|seen| seen.line.contains("/log?"));
    let begun = Instant::now();
    let run = place.run_through(&proxy, &deploy).fails(7, "E0518");
    assert!(begun.elapsed() < Duration::from_secs(16), "side by side");
    let asked = proxy.struck().len();
    assert_eq!(asked, stuck.len(), "each log was asked for once");
    let result = run.json();
    let blockers = result["blockers"].as_array().expect("blockers");
    assert_eq!(blockers.len(), stuck.len(), "{result}");
    for blocker in blockers {
        assert_eq!(
            blocker["pods"][0]["reason"], "ImagePullBackOff",
            "{blocker}"
        );
        assert_eq!(blocker["lastEvent"]["reason"], "ScalingReplicaSet");
    }
    assert!(
        run.stderr
            .contains("its events or logs were not told in time"),
        "{run}"
    );

    // Nobody tells any event either: that is waited for as long as for everything.
    hang(is_asked);
    let begun = Instant::now();
    let run = place.run_through(&proxy, &deploy).fails(7, "E0518");
    assert!(
        begun.elapsed() < Duration::from_secs(22),
        "ten seconds in all"
    );
    assert!(run.stderr.contains("ImagePullBackOff"), "{run}");

    // An interrupt while it is looked.
    hang(is_asked);
    let run = std::thread::scope(|scope| {
        let (tell, told) = std::sync::mpsc::channel();
        let (place, proxy) = (&place, &proxy);
        let run = scope.spawn(move || {
            place.run_with(&proxy.kubeconfig, &deploy, |pid| {
                tell.send(pid).expect("a listener")
            })
        });
        let pid = told.recv().expect("a process");
        let until = Instant::now() + Duration::from_secs(30);
        while proxy.struck().is_empty() {
            assert!(Instant::now() < until, "nobody asks");
            std::thread::sleep(Duration::from_millis(10));
        }
        signal(pid, "INT");
        let begun = Instant::now();
        let run = run.join().expect("the run ends");
        assert!(begun.elapsed() < Duration::from_secs(3), "at once: {run}");
        run
    });
    let blockers = run.ends(130).json()["blockers"].clone();
    assert_eq!(blockers.as_array().map(Vec::len), Some(stuck.len()));
}

#[test]
fn status_looks_at_the_pods_of_all_unready_members_at_once() {
    let place = Place::new(ApiServer::with_nodes(), "status-pods");
    let waiting = json!({"sandbox/waiting": "ImagePullBackOff"});
    let stuck: Vec<Value> = (0..8)
        .map(|n| workload(&format!("stuck-{n}"), &waiting))
        .collect();
    place.write("app.yaml", &stuck);
    place.run(&["deploy", "app.yaml"]).succeeds();
    let proxy = Proxy::before(place.server);
    let slow = Fault::new(Act::Delay(Duration::from_secs(2)));
    let is_look = |seen: &Seen| seen.plural == "pods" && seen.verb == Verb::List;
    proxy.misbehave(vec![slow.on(is_look).times(1000)]);
    let begun = Instant::now();
    place.run_through(&proxy, &["status", "app"]).succeeds();
    let took = begun.elapsed();
    assert_eq!(proxy.struck().len(), stuck.len(), "each is looked at");
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[test]
fn a_job_that_fails_ends_the_wait_at_once() {
    let place = Place::new(ApiServer::with_nodes(), "job-fails");
    let failing = job(
        "work",
        &json!({}),
        "example.com/job:1",
        &json!({"sandbox/fails": "yes"}),
    );
    place.write("app.yaml", &[failing, workload("web", &json!({}))]);
    let begun = Instant::now();
    let run = place.run(&[
        "deploy",
        "app.yaml",
        "--wait",
        "--timeout",
        "90s",
        "-o",
        "json",
    ]);
    let run = run.fails(1, "E0003");
    assert!(
        begun.elapsed() < Duration::from_secs(60),
        "no use in waiting"
    );
    assert!(
        run.stderr.contains("batch/Job/") && run.stderr.contains("/work has failed"),
        "{run}"
    );
}

#[test]
fn definitions_a_namespace_and_a_webhook_come_in_one_run_with_what_needs_them() {
    let place = Place::new(ApiServer::with_nodes(), "from-nothing");
    let group = format!("{}.example", place.namespace);
    let inner = format!("{}-inner", place.namespace);
    let mut service_pods = workload("hook", &json!({"sandbox/ready-after": "1500ms"}));
    service_pods["metadata"]["namespace"] = inner.as_str().into();
    place.write("app.yaml", &[
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": format!("hook.{group}")},
            "webhooks": [{
                "name": format!("hook.{group}"), "sideEffects": "None", "admissionReviewVersions": ["v1"],
                "clientConfig": {"service": {"name": "hook", "namespace": inner}},
                "rules": [{"apiGroups": [group], "apiVersions": ["*"], "resources": ["*"], "operations": ["DELETE"]}],
                "failurePolicy": "Ignore", "timeoutSeconds": 1,
            }],
        }),
        json!({"apiVersion": format!("{group}/v1"), "kind": "Gadget", "metadata": {"name": "g", "namespace": inner}, "spec": {"size": 3}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "hook", "namespace": inner}, "spec": {"selector": {"app": "hook"}, "ports": [{"port": 443}]}}),
        service_pods,
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": inner}}),
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("gadgets.{group}")},
            "spec": {
                "group": group, "scope": "Namespaced",
                "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget", "listKind": "GadgetList"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                    "type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}},
                }}}],
            },
        }),
    ]);
    let dry = place
        .run(&["deploy", "app.yaml", "--dry-run=server", "-o", "json"])
        .succeeds()
        .json();
    let unchecked = dry["resources"].as_array().expect("resources").iter();
    let unchecked: Vec<_> = unchecked
        .filter(|r| r["notCheckedByServer"] == true)
        .map(|r| r["kind"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(unchecked, ["Service", "Deployment", "Gadget"], "{dry}");
    let run = place
        .run(&[
            "deploy",
            "app.yaml",
            "--wait",
            "--timeout",
            "60s",
            "-o",
            "json",
        ])
        .succeeds()
        .json();
    assert_eq!(run["summary"]["created"], 6, "{run}");
    let resources = run["resources"].as_array().expect("resources");
    assert!(resources.iter().all(|r| r["ready"] == true), "{run}");
    let again = place
        .run(&["deploy", "app.yaml", "-o", "json"])
        .succeeds()
        .json();
    assert_eq!(again["summary"]["unchanged"], 6, "{again}");
    place
        .run(&["undeploy", "app", "--confirm", "app", "--timeout", "60s"])
        .succeeds();
    let left = place.server.kubectl(
        &[
            "get",
            "namespaces,crds,validatingwebhookconfigurations",
            "-o",
            "name",
        ],
        "",
    );
    assert!(!left.contains(&inner) && !left.contains(&group), "{left}");
}

#[test]
fn a_saved_plan_is_done_exactly_or_not_at_all() {
    let place = Place::new(ApiServer::shared(), "saved-plan");
    place.write("app.yaml", &[map("a", "one"), map("b", "one")]);
    place.run(&["deploy", "app.yaml"]).succeeds();
    place.write("app.yaml", &[map("a", "two")]);
    let plan = place
        .run(&["plan", "app.yaml", "--prune", "-o", "json"])
        .ends(1);
    place.sandbox.write("plan.json", &plan.stdout);
    let deploy = ["deploy", "app.yaml", "--plan", "plan.json", "-o", "json"];
    // Another design than the plan's.
    place.write("app.yaml", &[map("a", "three")]);
    place.run(&deploy).fails(6, "E0514");
    place.write("app.yaml", &[map("a", "two")]);
    // Another world than the plan's.
    let namespace = place.namespace.as_str();
    let label = |value: &str| {
        let patch = format!("{{\"data\":{{\"key\":\"{value}\"}}}}");
        place.server.kubectl(
            &[
                "-n",
                namespace,
                "patch",
                "configmap",
                "a",
                "--type=merge",
                "-p",
                &patch,
            ],
            "",
        );
    };
    label("drifted");
    place.run(&deploy).ends(6);
    label("one");
    let plan = place
        .run(&[
            "plan",
            "app.yaml",
            "--prune",
            "--force-conflicts",
            "-o",
            "json",
        ])
        .ends(1);
    place.sandbox.write("plan.json", &plan.stdout);
    let done = place.run(&deploy).succeeds().json();
    assert_eq!(
        actions(&done),
        pairs(&[("a", "configured"), ("b", "pruned")])
    );
    // Once.
    place.run(&deploy).fails(6, "E0514");
    for bad in ["{}", "not JSON", &done.to_string()] {
        place.sandbox.write("plan.json", bad);
        place.run(&deploy).fails(10, "E0100");
    }
    std::fs::remove_file(place.sandbox.folder().join("plan.json")).expect("it was written");
    place.run(&deploy).fails(5, "E0105");
}

#[test]
fn an_interrupted_run_says_what_is_left_and_the_next_one_goes_on() {
    let place = Place::new(ApiServer::shared(), "interrupted");
    let maps: Vec<Value> = (0..400).map(|n| map(&format!("m{n}"), "one")).collect();
    place.write("app.yaml", &maps);
    let deploy = ["deploy", "app.yaml", "--concurrency", "1", "-o", "json"];
    let api = &place.server.api;
    let path = place.path("api/v1", "configmaps/m1");
    let run = std::thread::scope(|scope| {
        let (tell, told) = std::sync::mpsc::channel();
        let run = scope.spawn({
            let place = &place;
            move || {
                place.run_with(&place.server.kubeconfig, &deploy, |pid| {
                    tell.send(pid).expect("a listener")
                })
            }
        });
        let pid = told.recv().expect("a process");
        let until = Instant::now() + Duration::from_secs(30);
        while api.send("GET", &path, None).0 != 200 {
            assert!(Instant::now() < until, "nothing is written");
        }
        signal(pid, "INT");
        run.join().expect("the run ends")
    });
    let run = run.ends(130);
    let result = run.json();
    let left = actions(&result)
        .into_iter()
        .filter(|(_, action)| action == "skipped")
        .count();
    assert!(left > 0 && left < 400, "{left}");
    assert!(
        run.stderr
            .contains(&format!("{left} of 400 objects are left")),
        "{}",
        run.stderr
    );
    let next = place
        .run(&["deploy", "app.yaml", "-o", "json"])
        .succeeds()
        .json();
    assert_eq!(next["summary"]["created"], left, "what was not reached");
    assert_eq!(next["summary"]["unchanged"], 400 - left);
}

#[test]
fn what_would_stop_a_run_halfway_is_said_before_the_first_write() {
    let place = Place::new(ApiServer::with_nodes(), "preflight");
    let namespace = place.namespace.as_str();
    let kubectl = |arguments: &[&str]| {
        place
            .server
            .kubectl(&[&["-n", namespace], arguments].concat(), "")
    };
    place.write("app.yaml", &[map("a", "one"), map("b", "one")]);
    // Rights: somebody who may keep inventories, and nothing else.
    kubectl(&[
        "create",
        "role",
        "keeper",
        "--verb=*",
        "--resource=secrets,leases.coordination.k8s.io",
    ]);
    kubectl(&[
        "create",
        "rolebinding",
        "keeper",
        "--role=keeper",
        "--user=nobody",
    ]);
    kubectl(&[
        "create",
        "role",
        "reader",
        "--verb=get,list",
        "--resource=configmaps",
    ]);
    kubectl(&[
        "create",
        "rolebinding",
        "reader",
        "--role=reader",
        "--user=nobody",
    ]);
    let mut command = place.sandbox.command([
        "design",
        "deploy",
        "app.yaml",
        "-n",
        namespace,
        "--context",
        "nobody",
    ]);
    command.env("KUBECONFIG", &place.server.kubeconfig);
    let refused = place.sandbox.finish(&mut command, None).fails(4, "E0524");
    let words = format!("not allowed to create and patch configmaps in namespace {namespace}");
    assert!(refused.stderr.contains(&words), "{refused}");
    // Namespaces.
    let arguments = [
        "design",
        "deploy",
        "app.yaml",
        "--dry-run=server",
        "-n",
        "nowhere-at-all",
        "--context",
        "sandbox",
    ];
    let mut command = place.sandbox.command(arguments);
    command.env("KUBECONFIG", &place.server.kubeconfig);
    let missing = place.sandbox.finish(&mut command, None);
    let missing = missing.fails(5, "E0526");
    assert!(
        missing
            .stderr
            .contains("namespace nowhere-at-all is not there"),
        "{missing}"
    );
    // Quotas. The root certificate of the namespace is one map already.
    kubectl(&[
        "create",
        "quota",
        "few",
        "--hard=count/configmaps=2,requests.cpu=1",
    ]);
    let until = Instant::now() + Duration::from_secs(20);
    while kubectl(&["get", "quota", "few", "-o", "jsonpath={.status.used}"]).is_empty() {
        assert!(Instant::now() < until, "the quota has no status");
    }
    let full = place.run(&["deploy", "app.yaml"]).fails(6, "E0525");
    assert!(
        full.stderr.contains("quota few") && full.stderr.contains("count/configmaps is 1 of 2"),
        "{full}"
    );
    let mut large = workload("large", &json!({}));
    large["spec"]["template"]["spec"]["containers"][0]["resources"] =
        json!({"requests": {"cpu": "2"}});
    place.write("large.yaml", &[large]);
    let doubtful = place
        .run(&["deploy", "large.yaml", "--dry-run=server", "-o", "json"])
        .succeeds();
    assert!(
        doubtful.json()["notes"]
            .to_string()
            .contains("requests.cpu is 0 of 1"),
        "{doubtful}"
    );
    assert_eq!(
        kubectl(&["get", "configmaps", "-o", "name"]),
        "configmap/kube-root-ca.crt\n"
    );
    // What is there already, and grows.
    let sized = |cpu: &str| {
        let mut sized = workload("sized", &json!({}));
        sized["spec"]["template"]["spec"]["containers"][0]["resources"] =
            json!({"requests": {"cpu": cpu}});
        sized
    };
    place.write("sized.yaml", &[sized("600m")]);
    let deploy = ["deploy", "sized.yaml", "--wait", "--timeout", "60s"];
    place.run(&deploy).succeeds();
    let used = ["get", "quota", "few", "-o", "jsonpath={.status.used}"];
    while !kubectl(&used).contains("600m") {
        assert!(
            Instant::now() < until + Duration::from_secs(60),
            "it is not counted"
        );
    }
    for (cpu, note) in [("900m", false), ("1200m", true)] {
        place.write("sized.yaml", &[sized(cpu)]);
        let plan = place.run(&["plan", "sized.yaml", "-o", "json"]).ends(1);
        let notes = plan.json()["notes"].to_string();
        assert_eq!(notes.contains("requests.cpu is 600m of 1"), note, "{plan}");
    }
}

#[test]
fn a_yes_is_not_enough_where_much_would_be_lost() {
    let place = Place::new(ApiServer::with_nodes(), "severe");
    let inner = format!("{}-inner", place.namespace);
    let mut inside = map("inside", "one");
    inside["metadata"]["namespace"] = inner.as_str().into();
    let keeps = json!({"weftctl.dev/deletion-policy": "Delete"});
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "annotations": keeps},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": inner}});
    let rest = map("rest", "one");
    let many = (0..101).map(|n| map(&format!("map-{n}"), "one"));
    let cases: [(&str, Vec<Value>, &str); 3] = [
        ("space", vec![namespace, inside], "with everything in it"),
        ("claim", vec![claim], "/data with its data"),
        ("many", many.collect(), "101 objects"),
    ];
    for (name, lost, words) in cases {
        let file = format!("{name}.yaml");
        place.write(&file, &[&lost[..], &[map(name, "one")]].concat());
        place.run(&["deploy", &file]).succeeds();
        place.write(&file, &[map(name, "one")]);
        let prune = ["deploy", file.as_str(), "--prune", "--timeout", "60s"];
        let with = |more: &[&str]| place.run(&[&prune[..], more].concat());
        for more in [&["--yes"][..], &[]] {
            let refused = with(more).fails(12, "E0005");
            assert!(refused.stderr.contains(words), "{words}: {refused}");
            let flag = format!("--confirm={name}");
            assert!(refused.stderr.contains(&flag), "{refused}");
        }
        with(&["--yes", "--confirm", "other"]).fails(12, "E0005");
        let plan = place.run(&["plan", &file, "--prune", "-o", "json"]).ends(1);
        assert_eq!(
            plan.json()["summary"]["pruned"],
            lost.len(),
            "nothing was done"
        );
        with(&["--confirm", name]).succeeds();
        // Another one's name is never right, even where a yes would do.
        place
            .run(&["undeploy", name, "--yes", "--confirm", "other"])
            .fails(12, "E0005");
        let refused = place.run(&["undeploy", name]).fails(12, "E0005");
        assert!(refused.stderr.contains("--yes"), "{refused}");
        place.run(&["undeploy", name, "--confirm", name]).succeeds();
    }
    // What says itself that it is created anew asks as --replace does.
    let fixed = |value: &str| {
        let mut fixed = map("fixed", value);
        fixed["immutable"] = true.into();
        fixed["metadata"]["annotations"] = json!({"weftctl.dev/replace": "true"});
        fixed
    };
    place.write("fixed.yaml", &[fixed("one"), rest.clone()]);
    place.run(&["deploy", "fixed.yaml"]).succeeds();
    place.write("fixed.yaml", &[fixed("two"), map("rest", "two")]);
    let refused = place.run(&["deploy", "fixed.yaml"]).fails(12, "E0005");
    assert!(refused.stderr.contains("replaced ConfigMap/"), "{refused}");
    assert!(refused.stderr.contains("--yes"), "{refused}");
    for name in ["fixed", "rest"] {
        let live = place
            .server
            .api
            .get(&place.path("api/v1", &format!("configmaps/{name}")));
        assert_eq!(live.expect("a map")["data"]["key"], "one", "{name}");
    }
    let done = place
        .run(&["deploy", "fixed.yaml", "--yes", "-o", "json"])
        .succeeds();
    assert_eq!(done.json()["summary"]["replaced"], 1, "{done}");
}

#[test]
fn every_right_that_a_run_needs_is_asked_for_before_the_first_write() {
    let place = Place::new(ApiServer::shared(), "rights");
    let replaced = |value: &str| {
        let mut map = map("whole", value);
        map["metadata"]["annotations"] = json!({"weftctl.dev/patch-strategy": "replace"});
        map
    };
    place.write("app.yaml", &[replaced("one")]);
    place.run(&["deploy", "app.yaml"]).succeeds();
    let phase = json!({"weftctl.dev/phase": "before", "weftctl.dev/cleanup": "OnSuccess"});
    let hook = job("hook", &phase, "example.com/job:1", &json!({}));
    place.write("app.yaml", &[replaced("two"), hook]);
    let namespace = place.namespace.as_str();
    let kubectl = |arguments: &[&str]| {
        let all = [&["-n", namespace], arguments].concat();
        place.server.kubectl(&all, "")
    };
    for (role, verbs, resources) in [
        (
            "writer",
            "get,list,watch,create,patch",
            "configmaps,jobs.batch",
        ),
        ("reader", "get,list", "secrets"),
    ] {
        let (verbs, resources) = (format!("--verb={verbs}"), format!("--resource={resources}"));
        kubectl(&["create", "role", role, &verbs, &resources]);
        let role = format!("--role={role}");
        kubectl(&["create", "rolebinding", &role[7..], &role, "--user=nobody"]);
    }
    let deploy = [
        "design",
        "deploy",
        "app.yaml",
        "-n",
        namespace,
        "--context",
        "nobody",
    ];
    let mut command = place.sandbox.command(deploy);
    command.env("KUBECONFIG", &place.server.kubeconfig);
    let refused = place.sandbox.finish(&mut command, None).fails(4, "E0524");
    for missing in [
        "update configmaps",
        "delete jobs.batch",
        "create and delete and update secrets",
        "create and get and update leases.coordination.k8s.io",
    ] {
        let words = format!("not allowed to {missing} in namespace {namespace}");
        assert!(refused.stderr.contains(&words), "{words}: {refused}");
    }
    let live = place
        .server
        .api
        .get(&place.path("api/v1", "configmaps/whole"));
    assert_eq!(live.expect("a map")["data"]["key"], "one");
}

#[test]
fn a_review_of_rights_that_gets_no_answer_stops_nobody() {
    let place = Place::new(ApiServer::shared(), "reviews");
    let proxy = Proxy::before(place.server);
    for (value, act) in [
        ("one", Act::Answer(500, None)),
        ("two", Act::Answer(503, None)),
        ("three", Act::Swallow),
    ] {
        place.write("app.yaml", &[map("a", value)]);
        let fault = Fault::new(act).on(|seen| seen.verb == Verb::Review);
        proxy.misbehave(vec![fault.times(1000)]);
        let begun = Instant::now();
        place
            .run_through(&proxy, &["deploy", "app.yaml"])
            .succeeds();
        assert!(!proxy.struck().is_empty(), "nobody asked");
        assert!(begun.elapsed() < Duration::from_secs(20), "not for long");
    }
}

#[test]
fn what_would_stop_a_run_is_looked_for_again_when_another_run_came_before() {
    let place = Place::new(ApiServer::shared(), "again");
    place.write("app.yaml", &[map("a", "one")]);
    place.run(&["deploy", "app.yaml"]).succeeds();
    place.write("app.yaml", &[map("a", "two")]);
    place.write("other/app.yaml", &[map("a", "other")]);
    let proxy = Proxy::before(place.server);
    let mut other = place
        .sandbox
        .command(["design", "deploy", "other/app.yaml"]);
    other.args(["-n", &place.namespace, "--context", "sandbox"]);
    other.env("KUBECONFIG", &place.server.kubeconfig);
    let other = Mutex::new(other);
    let fault = Fault::new(Act::Call(Arc::new(move || {
        let run = other.lock().expect("no panic").output();
        let run = run.expect("a run");
        assert!(run.status.success(), "{run:?}");
    })));
    let is_claim = |seen: &Seen| seen.plural == "leases" && seen.verb == Verb::Put;
    proxy.misbehave(vec![fault.on(is_claim)]);
    place
        .run_through(&proxy, &["deploy", "app.yaml"])
        .succeeds();
    let reviews = proxy.seen().into_iter();
    let reviews = reviews.filter(|seen| seen.verb == Verb::Review).count();
    assert_eq!(reviews, 2, "once for each plan");
    let live = place.server.api.get(&place.path("api/v1", "configmaps/a"));
    assert_eq!(live.expect("a map")["data"]["key"], "two");
}

#[test]
fn a_set_keeps_the_field_manager_that_it_began_with() {
    let place = Place::new(ApiServer::shared(), "manager");
    place.write("app.yaml", &[map("a", "one")]);
    place
        .run(&["deploy", "app.yaml", "--field-manager", "shop-team"])
        .succeeds();
    let live = place.server.kubectl(
        &[
            "-n",
            &place.namespace,
            "get",
            "configmap",
            "a",
            "--show-managed-fields",
            "-o",
            "json",
        ],
        "",
    );
    let live: Value = serde_json::from_str(&live).expect("JSON");
    let managers = live["metadata"]["managedFields"]
        .as_array()
        .expect("entries")
        .iter();
    let managers: Vec<_> = managers
        .filter_map(|entry| entry["manager"].as_str())
        .collect();
    assert_eq!(managers, ["shop-team"]);
    // Nobody has to say it again, and it can't be changed.
    let again = place
        .run(&["deploy", "app.yaml", "-o", "json"])
        .succeeds()
        .json();
    assert_eq!(again["summary"]["unchanged"], 1, "{again}");
    place
        .run(&["deploy", "app.yaml", "--field-manager", "others"])
        .fails(2, "E0002");
    place.write("app.yaml", &[map("a", "two")]);
    place.run(&["deploy", "app.yaml"]).succeeds();
    place
        .run(&["rollback", "app", "--to", "1", "--yes"])
        .succeeds();
    place.run(&["undeploy", "app", "--yes"]).succeeds();
    assert_eq!(
        place
            .server
            .api
            .send("GET", &place.path("api/v1", "configmaps/a"), None)
            .0,
        404
    );
}

/// A kubeconfig of two clusters, with their administrators.
fn two(servers: [(&str, &ApiServer); 2]) -> Value {
    let mut all =
        json!({"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": []});
    for (name, server) in servers {
        let view = server.kubectl(&["config", "view", "--raw", "-o", "json"], "");
        let view: Value = serde_json::from_str(&view).expect("kubectl prints JSON");
        let admin = view["users"].as_array().expect("users").iter();
        let admin = admin
            .clone()
            .find(|user| user["name"] == "admin")
            .expect("an administrator");
        let push = |all: &mut Value, key: &str, item: Value| {
            all[key].as_array_mut().expect("a list").push(item);
        };
        push(
            &mut all,
            "clusters",
            json!({"name": name, "cluster": view["clusters"][0]["cluster"]}),
        );
        push(
            &mut all,
            "users",
            json!({"name": name, "user": admin["user"]}),
        );
        push(
            &mut all,
            "contexts",
            json!({"name": name, "context": {"cluster": name, "user": name}}),
        );
    }
    all
}

#[test]
fn one_design_goes_to_two_clusters_that_differ_and_goes_on_when_one_was_away() {
    let west = ApiServer::own();
    let place = Place::new(ApiServer::shared(), "two-clusters");
    let namespace = place.namespace.as_str();
    west.kubectl(&["create", "namespace", namespace], "");
    let kubeconfig = two([("east", place.server), ("west", &west)]).to_string();
    let kubeconfig = place.sandbox.write("kubeconfig", kubeconfig);
    place
        .sandbox
        .write("app/app.yaml", map("settings", "all").to_string());
    for size in ["small", "large"] {
        let patch = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"size": size},
        });
        place
            .sandbox
            .write(&format!("app/overlays/{size}/size.yaml"), patch.to_string());
    }
    let run = |verb: &[&str]| {
        let mut command = place.sandbox.command(["design"].iter().chain(verb));
        command.args(["-n", namespace, "--context", "east", "--context", "west"]);
        command.env("KUBECONFIG", &kubeconfig);
        place.sandbox.finish(&mut command, None)
    };
    let deploy = [
        "deploy",
        "./app",
        "--overlay",
        "east=small",
        "--overlay",
        "west=large",
        "-o",
        "json",
    ];
    let sizes = || {
        [place.server, &west].map(|server| {
            let path = place.path("api/v1", "configmaps/settings");
            let (_, live) = server.api.send("GET", &path, None);
            let text = |key: &str| live["data"][key].as_str().unwrap_or_default().to_owned();
            format!("{} {}", text("key"), text("size"))
        })
    };
    let first = run(&deploy).succeeds().json();
    assert_eq!(first["contexts"], json!(["east", "west"]));
    assert_eq!(first["summary"]["created"], 2, "{first}");
    assert_eq!(
        first["resources"][0]["setBy"][0]["path"], "data.size",
        "{first}"
    );
    assert_eq!(sizes(), ["all small", "all large"]);
    // One of them is away.
    signal(west.pid("kube-apiserver"), "KILL");
    place
        .sandbox
        .write("app/app.yaml", map("settings", "new").to_string());
    let partial = run(&deploy).ends(9);
    assert!(partial.stderr.contains("west"), "{partial}");
    assert_eq!(partial.json()["resources"][0]["context"], "east");
    // What reads says what is known, and ends as a comparison with the design does.
    let design = ["diff", "./app", "--overlay", "east=small"];
    let code = run(&design).code;
    assert_eq!(code, Some(8), "the cluster is away");
    let history = run(&["history", "app", "-o", "json"]);
    let numbers = history.json()["items"].as_array().cloned().expect("a list");
    let numbers: Vec<_> = numbers
        .iter()
        .map(|item| (item["context"].clone(), item["number"].clone()))
        .collect();
    assert_eq!(
        numbers,
        [(json!("east"), json!(2)), (json!("east"), json!(1))]
    );
    let status = run(&["status", "app", "-o", "json"]);
    assert_eq!(status.json()["resources"][0]["context"], "east");
    assert_eq!(status.json()["resources"][0]["ready"], true);
    assert_eq!(status.json()["ready"], false, "nobody knows of the other");
    let events = run(&["events", "app", "-o", "json"]);
    let logs = run(&["logs", "app", "-o", "json"]);
    let revisions = run(&["diff", "app", "--revision", "1", "-o", "json"]);
    let change = &revisions.json()["changes"][0];
    assert_eq!(change["fields"][0]["new"], "new", "{revisions}");
    for read in [&history, &status, &events, &revisions] {
        let failures = read.json()["failures"].clone();
        assert_eq!(failures[0]["object"]["context"], "west", "{read}");
    }
    for read in [history, status, events, logs, revisions] {
        assert_eq!(read.code, code, "{read}");
        assert!(read.stderr.contains("west"), "{read}");
    }
    west.restart("kube-apiserver");
    west.wait_until_ready();
    assert_eq!(sizes(), ["new small", "all large"]);
    let resumed = run(&deploy).succeeds().json();
    let actions = actions(&resumed).into_iter().map(|(_, action)| action);
    assert_eq!(
        actions.collect::<Vec<_>>(),
        ["unchanged", "configured"],
        "{resumed}"
    );
    assert_eq!(sizes(), ["new small", "new large"]);
    run(&["undeploy", "app", "--yes"]).succeeds();
}

#[test]
fn a_design_is_deployed_under_its_own_name_wherever_it_is_read_from() {
    let place = Place::new(ApiServer::shared(), "own-name");
    place.write("app.yaml", &[map("a", "one")]);
    let run = |arguments: &[&str]| place.sandbox.run(arguments).succeeds();
    run(&["design", "import", "app.yaml", "--name", "shop"]);
    run(&[
        "design",
        "export",
        "shop",
        "--as",
        "design",
        "--to",
        "another-name.yaml",
    ]);
    place.run(&["deploy", "another-name.yaml"]).succeeds();
    let stored = place
        .run(&["deploy", "shop", "-o", "json"])
        .succeeds()
        .json();
    assert_eq!(stored["summary"]["unchanged"], 1, "{stored}");
    place.run(&["undeploy", "shop", "--yes"]).succeeds();
}
