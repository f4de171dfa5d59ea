//! Others who write what a design has: another design, people, helm, an autoscaler. What they did is
//! repaired, or named by field and owner; nobody takes anything silently.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::world::{Place, deployment, map, service, with};
use crate::{
    seeded::full,
    support::{
        ApiServer, Proxy, Sandbox,
        api::{JSON_PATCH, MERGE},
        proxy::{Act, Fault, Verb},
        tools,
    },
};

/// The value of the map of a name.
fn value(place: &Place<'_>, name: &str) -> Option<Value> {
    let path = place.path("api/v1", &format!("configmaps/{name}"));
    place.server.api.get(&path)
}

/// Changes an object as somebody.
fn change(place: &Place<'_>, manager: &str, path: &str, media_type: &str, patch: &Value) {
    let path = format!("{path}?fieldManager={manager}");
    let (status, said) = place
        .server
        .api
        .send("PATCH", &path, Some((media_type, patch)));
    assert!(status < 300, "{said}");
}

#[test]
fn of_two_designs_that_claim_one_object_at_once_one_has_it_and_the_other_is_told() {
    let rounds = if full() { 200 } else { 15 };
    let place = Place::new(ApiServer::shared(), "race");
    let second = Sandbox::new();
    let mut wins = [0, 0];
    for round in 0..rounds {
        let name = format!("shared-{round}");
        for (sandbox, design) in [(&place.sandbox, "left"), (&second, "right")] {
            let own = map(&format!("{design}-{round}"), design);
            let text = format!("{own}\n---\n{}\n", map(&name, design));
            sandbox.write(&format!("{design}.yaml"), text);
        }
        let run = |sandbox: &Sandbox, design: &str| {
            let mut command = sandbox.command(["design", "deploy"]);
            command.args([&format!("{design}.yaml"), "-n", &place.namespace]);
            command.args(["--prune", "--yes", "--context", "sandbox"]);
            command.env("KUBECONFIG", &place.server.kubeconfig);
            sandbox.finish(&mut command, None)
        };
        let (left, right) = std::thread::scope(|scope| {
            let left = scope.spawn(|| run(&place.sandbox, "left"));
            (run(&second, "right"), left.join().expect("no panic"))
        });
        let (left, right) = (right, left);
        let (winner, lost) = match (left.code, right.code) {
            (Some(0), _) => (0, &right),
            (_, Some(0)) => (1, &left),
            _ => panic!("nobody has won:\n{left}\n{right}"),
        };
        wins[winner] += 1;
        // Refused as a whole where the plan saw it, or in part where it came in between.
        assert!(matches!(lost.code, Some(6 | 9)), "{left}\n{right}");
        assert!(lost.stderr.contains(&name), "the object is named: {lost}");
        let live = value(&place, &name).expect("it is there");
        let design = ["left", "right"][winner];
        assert_eq!(live["data"]["key"], design, "{left}\n{right}");
        assert_eq!(
            live["metadata"]["labels"]["applyset.kubernetes.io/part-of"],
            place.set(design).as_str(),
        );
        // Whoever asks again is told whose it is.
        let (sandbox, loser) = [(&second, "right"), (&place.sandbox, "left")][winner];
        run(sandbox, loser).fails(6, "E0510");
    }
    println!(
        "{rounds} races, won by the one {} and by the other {}",
        wins[0], wins[1]
    );
}

#[test]
fn whoever_loses_a_race_for_an_object_is_told_that_another_set_owns_it() {
    let place = Place::new(ApiServer::shared(), "lost");
    place.write("left.yaml", &[map("shared", "left")]);
    place.write("right.yaml", &[map("shared", "right")]);
    let proxy = Proxy::before(place.server);
    // The other design takes it between our look and our write.
    let mut other = place.sandbox.command(["design", "deploy", "left.yaml"]);
    other.args(["-n", &place.namespace, "--context", "sandbox"]);
    other.env("KUBECONFIG", &place.server.kubeconfig);
    let other = Mutex::new(other);
    let fault = Fault::new(Act::Call(Arc::new(move || {
        let run = other.lock().expect("no panic").output();
        assert!(run.expect("a run").status.success());
    })));
    proxy.misbehave(vec![fault.on(|seen| seen.verb == Verb::Apply && !seen.dry)]);
    let run = place.run_through(&proxy, &["deploy", "right.yaml"]);
    assert!(run.stderr.contains("E0510"), "{run}");
    assert!(run.stderr.contains("ConfigMap"), "{run}");
    assert!(!run.stderr.contains("--force-conflicts"), "{run}");
    assert_eq!(
        value(&place, "shared").expect("a map")["data"]["key"],
        "left"
    );
}

#[test]
fn an_object_that_somebody_makes_between_plan_and_write_is_not_taken() {
    let place = Place::new(ApiServer::shared(), "between");
    place.write("app.yaml", &[map("mine", "ours")]);
    let proxy = Proxy::before(place.server);
    let theirs = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "mine"}, "data": {"other": "theirs"},
    });
    let (api, path) = (place.server.api.clone(), place.path("api/v1", "configmaps"));
    let fault = Fault::new(Act::Call(Arc::new(move || {
        let made = api.send("POST", &path, Some(("application/json", &theirs)));
        assert_eq!(made.0, 201, "{}", made.1);
    })));
    proxy.misbehave(vec![fault.on(|seen| seen.verb == Verb::Apply && !seen.dry)]);
    let run = place.run_through(&proxy, &["deploy", "app.yaml"]);
    assert_ne!(run.code, Some(0), "{run}");
    assert!(run.stderr.contains("mine"), "{run}");
    let live = value(&place, "mine").expect("a map");
    assert!(live["metadata"].get("labels").is_none(), "{live}");
    assert_eq!(live["data"], json!({"other": "theirs"}));
}

#[test]
fn a_merged_object_keeps_what_did_not_change() {
    for strategy in ["merge", "replace"] {
        let place = Place::new(ApiServer::shared(), "merged");
        let path = ["metadata", "annotations", "weftctl.dev/patch-strategy"];
        for value in ["one", "two", "three"] {
            let objects = [with(map("merged", value), &path, json!(strategy))];
            place.write("app.yaml", &objects);
            place.run(&["deploy", "app.yaml"]).succeeds();
            assert_eq!(
                place.differences("app", &objects),
                [""; 0],
                "{strategy} {value}"
            );
        }
    }
}

#[test]
fn what_kubectl_took_over_is_named_by_field_and_owner_and_taken_back_when_forced() {
    let place = Place::new(ApiServer::shared(), "kubectl");
    let objects = [map("both", "ours"), service("web", 80)];
    place.write("app.yaml", &objects);
    place.run(&["deploy", "app.yaml"]).succeeds();
    let mut theirs = map("both", "theirs");
    theirs["metadata"]["annotations"] = json!({"note": "ours"});
    for server_side in [true, false] {
        let mut arguments = vec!["-n", &place.namespace, "apply", "-f", "-"];
        if server_side {
            arguments.extend(["--server-side", "--force-conflicts"]);
        }
        place.server.kubectl(&arguments, &theirs.to_string());
        let live = value(&place, "both").expect("a map");
        assert_eq!(live["data"]["key"], "theirs");
        let refused = place.run(&["deploy", "app.yaml"]).fails(6, "E0513");
        for word in ["both", "data.key", "kubectl"] {
            assert!(refused.stderr.contains(word), "{word}: {refused}");
        }
        place
            .run(&["deploy", "app.yaml", "--force-conflicts"])
            .succeeds();
        let found = place.differences("app", &objects);
        // kubectl's own note of what it applied is not ours to take away.
        let found: Vec<_> = found
            .iter()
            .filter(|text| !text.contains("kubectl.kubernetes.io/"))
            .collect();
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn what_helm_installed_is_refused_by_its_name_adopted_and_given_back() {
    let place = Place::new(ApiServer::shared(), "helm");
    let chart = place.sandbox.path("chart");
    place.sandbox.write(
        "chart/Chart.yaml",
        "apiVersion: v2\nname: tiny\nversion: 0.1.0\n",
    );
    let text = map("both", "theirs").to_string();
    place.sandbox.write("chart/templates/map.yaml", &text);
    let kubeconfig = place.server.kubeconfig.display().to_string();
    let chart = chart.display().to_string();
    let helm = |verb: &str, more: &[&str]| {
        let mut all = vec![verb, "tiny"];
        all.extend(more);
        all.extend(["--kubeconfig", &kubeconfig, "-n", &place.namespace]);
        tools::run("helm", &all, "");
    };
    helm("install", &[&chart]);
    let objects = [map("both", "ours")];
    place.write("app.yaml", &objects);
    let refused = place.run(&["deploy", "app.yaml"]).fails(6, "E0511");
    assert!(refused.stderr.contains("helm"), "{refused}");
    place.run(&["deploy", "app.yaml", "--adopt"]).succeeds();
    // What helm wrote beside it stays helm's.
    let beside = place.differences("app", &objects);
    assert!(
        !beside.is_empty() && beside.iter().all(|line| line.contains("meta.helm.sh/")),
        "{beside:?}"
    );
    place
        .run(&["undeploy", "app", "--confirm", "app"])
        .succeeds();
    let live = value(&place, "both").expect("it is given back");
    assert!(!live.to_string().contains("weftctl"), "{live}");
    helm("uninstall", &[]);
    assert!(value(&place, "both").is_none());
}

#[test]
fn what_is_adopted_and_given_back_keeps_what_the_design_never_named() {
    let place = Place::new(ApiServer::shared(), "intact");
    let mut theirs = map("both", "same");
    theirs["data"]["more"] = json!("theirs");
    theirs["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!("Helm");
    let arguments = ["-n", &place.namespace, "apply", "-f", "-"];
    place.server.kubectl(&arguments, &theirs.to_string());
    let before = value(&place, "both").expect("a map");
    place.write("app.yaml", &[map("both", "same")]);
    place.run(&["deploy", "app.yaml", "--adopt"]).succeeds();
    place
        .run(&["undeploy", "app", "--confirm", "app"])
        .succeeds();
    let after = value(&place, "both").expect("it is given back");
    assert_eq!(after["data"], before["data"]);
    for part in ["labels", "annotations"] {
        assert_eq!(after["metadata"][part], before["metadata"][part], "{part}");
    }
}

#[test]
fn every_field_that_others_hold_is_named() {
    let place = Place::new(ApiServer::shared(), "fields");
    place.write("app.yaml", &[map("both", "ours")]);
    place.run(&["deploy", "app.yaml"]).succeeds();
    let path = place.path("api/v1", "configmaps/both");
    let patch = json!({"data": {"key": "x"}, "metadata": {"annotations": {"note": "x"}, "labels": {"app": "y"}}});
    change(&place, "someone", &path, MERGE, &patch);
    let run = place.run(&["deploy", "app.yaml"]).fails(6, "E0513");
    for field in [
        "data.key",
        "metadata.annotations.note",
        "metadata.labels.app",
    ] {
        assert!(run.stderr.contains(field), "{field}: {run}");
    }
}

#[test]
fn drift_of_values_and_labels_is_named_by_field_and_repaired() {
    let place = Place::new(ApiServer::shared(), "drift");
    let objects = [map("a", "ours"), deployment("web", "shop:1", 0)];
    place.write("app.yaml", &objects);
    place.run(&["deploy", "app.yaml"]).succeeds();
    let (map_path, web) = (
        place.path("api/v1", "configmaps/a"),
        place.path("apis/apps/v1", "deployments/web"),
    );
    let image = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "other:1"}]);
    // A value of somebody is theirs until it is taken back; what is only missing is put back.
    let labelled = |value: Value| json!({"metadata": {"labels": {"app": value}}});
    for (path, media_type, patch, field, held) in [
        (
            &map_path,
            MERGE,
            json!({"data": {"key": "theirs"}}),
            "data.key",
            true,
        ),
        (
            &map_path,
            MERGE,
            labelled(json!("y")),
            "metadata.labels.app",
            true,
        ),
        (
            &map_path,
            MERGE,
            labelled(Value::Null),
            "metadata.labels.app",
            false,
        ),
        (&map_path, MERGE, json!({"data": null}), "\"data\"", false),
        (
            &web,
            JSON_PATCH,
            image,
            "spec.template.spec.containers[name=c].image",
            true,
        ),
    ] {
        change(&place, "someone", path, media_type, &patch);
        if held {
            for verb in ["plan", "deploy"] {
                let refused = place.run(&[verb, "app.yaml"]).fails(6, "E0513");
                for word in [field, "someone"] {
                    assert!(refused.stderr.contains(word), "{word}: {refused}");
                }
            }
        }
        let more = if held {
            &["--force-conflicts"][..]
        } else {
            &[]
        };
        let plan = place.run(&[&["plan", "app.yaml", "-o", "json"], more].concat());
        assert!(
            plan.clone().ends(1).stdout.contains(field),
            "{field}: {plan}"
        );
        place
            .run(&[&["deploy", "app.yaml"], more].concat())
            .succeeds();
        assert_eq!(place.differences("app", &objects), [""; 0], "{field}");
    }
    // Without our label it is no longer known to be ours, and is not taken without a word.
    let label = json!({"metadata": {"labels": {"applyset.kubernetes.io/part-of": null}}});
    change(&place, "someone", &map_path, MERGE, &label);
    let refused = place.run(&["deploy", "app.yaml"]).fails(6, "E0511");
    assert!(refused.stderr.contains("ConfigMap"), "{refused}");
    place.run(&["deploy", "app.yaml", "--adopt"]).succeeds();
    assert_eq!(place.differences("app", &objects), [""; 0]);
}

#[test]
fn drift_that_breaks_the_dry_run_is_named_by_field_and_repaired_when_forced() {
    let place = Place::new(ApiServer::shared(), "broken");
    let objects = [deployment("web", "shop:1", 0)];
    place.write("app.yaml", &objects);
    place.run(&["deploy", "app.yaml"]).succeeds();
    // A list of which the keys are no keys any more: the server cannot apply to it.
    let path = place.path("apis/apps/v1", "deployments/web");
    let twice = json!([{
        "op": "add", "path": "/spec/template/spec/containers/0/env/-",
        "value": {"name": "A", "value": "again"},
    }]);
    change(&place, "someone", &path, JSON_PATCH, &twice);
    let refused = place.run(&["deploy", "app.yaml"]).fails(6, "E0513");
    for word in [
        "apps/Deployment",
        "web",
        "spec.template.spec.containers[name=c].env",
        "someone",
    ] {
        assert!(refused.stderr.contains(word), "{word}: {refused}");
    }
    place
        .run(&["deploy", "app.yaml", "--force-conflicts"])
        .succeeds();
    assert_eq!(place.differences("app", &objects), [""; 0]);
}

#[test]
fn replicas_that_an_autoscaler_holds_stay_where_the_design_ignores_them() {
    let place = Place::new(ApiServer::with_nodes(), "scaled");
    let ignore = ["metadata", "annotations", "weftctl.dev/ignore-fields"];
    let ignoring = with(
        deployment("ignoring", "shop:1", 1),
        &ignore,
        json!("spec.replicas"),
    );
    let plain = deployment("plain", "shop:1", 1);
    let scaler = |name: &str| {
        json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": name, "namespace": place.namespace},
            "spec": {
                "minReplicas": 3, "maxReplicas": 5,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}],
            },
        })
    };
    let file = |image: &str| {
        let mut changed = ignoring.clone();
        changed["spec"]["template"]["spec"]["containers"][0]["image"] = image.into();
        vec![changed, plain.clone()]
    };
    place.write("app.yaml", &file("shop:1"));
    place.run(&["deploy", "app.yaml"]).succeeds();
    let scalers = [scaler("ignoring"), scaler("plain")];
    let text = scalers.map(|scaler| format!("{scaler}\n")).join("---\n");
    place.server.kubectl(&["apply", "-f", "-"], &text);
    let replicas = |name: &str| {
        let path = place.path("apis/apps/v1", &format!("deployments/{name}"));
        let live = place.server.api.get(&path).expect("a deployment");
        live["spec"]["replicas"].as_u64()
    };
    let until = Instant::now() + Duration::from_secs(60);
    while replicas("ignoring") != Some(3) || replicas("plain") != Some(3) {
        assert!(Instant::now() < until, "the autoscaler does nothing");
        std::thread::sleep(Duration::from_millis(100));
    }
    // What is not ignored is named with its holder, and nothing is written.
    let refused = place.run(&["deploy", "app.yaml"]).fails(6, "E0513");
    for word in ["plain", "spec.replicas", "kube-controller-manager"] {
        assert!(refused.stderr.contains(word), "{word}: {refused}");
    }
    assert!(!refused.stderr.contains("ignoring"), "{refused}");
    // The other one stays scaled, whatever else of it changes.
    for image in ["shop:1", "shop:2"] {
        place.write("app.yaml", &file(image)[..1]);
        place.run(&["deploy", "app.yaml"]).succeeds();
        assert_eq!(replicas("ignoring"), Some(3), "{image}");
    }
}
