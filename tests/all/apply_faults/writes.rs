//! Nothing changed, nothing written: as the audit log of the API server has it.

use serde_json::{Value, json};

use super::world::{Place, definition, deployment, gadget, map, secret, service, with};
use crate::support::{
    ApiServer, Proxy,
    proxy::{Act, Fault, Seen, Verb},
};

/// What was written in a namespace since, without queries.
fn writes_since(place: &Place<'_>, before: usize) -> Vec<String> {
    let writes = place.server.writes().into_iter().skip(before);
    let inside = writes.filter(|line| line.contains(&format!("/{}/", place.namespace)));
    let plain = inside.map(|line| {
        let path = line.split('?').next().unwrap_or_default();
        path.replace(&place.namespace, "NS")
    });
    plain.collect()
}

#[test]
fn an_unchanged_design_is_not_written_and_a_changed_image_is_one_write() {
    let place = Place::new(ApiServer::shared(), "writes");
    let group = format!("{}.example", place.namespace);
    let mut objects: Vec<_> = (0..6).map(|n| map(&format!("map-{n}"), "one")).collect();
    objects.push(secret("secret", "one"));
    objects.push(service("web", 80));
    objects.push(definition(&group));
    objects.push(gadget(&group, "gadget", "one"));
    // Forms that the server writes in another way than users do.
    let limits = json!({"limits": {"cpu": 0.5, "memory": "1024Mi"}, "requests": {"cpu": "0.10"}});
    let web = deployment("web", "shop:1", 2);
    let container = "/spec/template/spec/containers/0";
    let mut web = with(
        web,
        &["spec", "template", "spec", "restartPolicy"],
        json!("Always"),
    );
    *web.pointer_mut(container).expect("a container") = json!({
        "name": "c", "image": "shop:1", "resources": limits,
        "ports": [{"containerPort": 80}], "env": [{"name": "EMPTY", "value": ""}],
    });
    objects.push(web.clone());
    place.write("app.yaml", &objects);
    place.run(&["deploy", "app.yaml"]).succeeds();

    let before = place.server.writes().len();
    for arguments in [
        &["deploy", "app.yaml"][..],
        &["deploy", "app.yaml", "--prune", "--yes"],
        &["plan", "app.yaml"],
        &["deploy", "app.yaml", "--dry-run=server"],
        &["status", "app"],
        &["history", "app"],
    ] {
        place.run(arguments).succeeds();
        let written = writes_since(&place, before);
        assert_eq!(written, [""; 0], "{arguments:?}");
    }

    web.pointer_mut(container).expect("a container")["image"] = json!("shop:2");
    objects.pop();
    objects.push(web);
    place.write("app.yaml", &objects);
    let run = place.run(&["deploy", "app.yaml", "-o", "json"]).succeeds();
    assert_eq!(run.json()["summary"]["configured"], 1, "{run}");
    let secrets = "/api/v1/namespaces/NS/secrets";
    assert_eq!(
        writes_since(&place, before),
        [
            "patch /apis/apps/v1/namespaces/NS/deployments/web".to_owned(),
            // The revision, then the inventory with what was confirmed.
            format!("create {secrets}"),
            format!("update {secrets}/weftctl-app"),
        ]
    );
}

/// What was asked as a dry run, with the names; nothing else was written.
fn asked(proxy: &Proxy) -> Vec<String> {
    let is_write = |seen: &Seen| {
        matches!(
            seen.verb,
            Verb::Create | Verb::Apply | Verb::Patch | Verb::Put | Verb::Delete
        )
    };
    let seen = proxy.seen();
    let writes = seen.iter().filter(|seen| is_write(seen));
    let mut asked: Vec<String> = writes
        .map(|seen| {
            assert!(seen.dry, "it was written: {}", seen.line);
            format!("{:?} {}", seen.verb, seen.name)
        })
        .collect();
    asked.sort();
    asked
}

/// The names of what the server could not be asked.
fn unasked(result: &Value) -> Vec<&str> {
    let resources = result["resources"].as_array().expect("resources").iter();
    let marked = resources.filter(|resource| resource["notCheckedByServer"] == true);
    let names = marked.map(|resource| {
        let reason = resource["reason"].as_str().expect("a reason");
        assert!(reason.contains("not checked by the server: "), "{reason}");
        resource["name"].as_str().expect("a name")
    });
    names.collect()
}

#[test]
fn a_dry_run_on_the_server_asks_for_each_write_of_every_verb() {
    let place = Place::new(ApiServer::shared(), "asks");
    let proxy = Proxy::before(place.server);
    let fixed = |value: &str| with(map("fixed", value), &["immutable"], json!(true));
    let theirs = map("theirs", "same").to_string();
    let create = ["-n", &place.namespace, "create", "-f", "-"];
    place.server.kubectl(&create, &theirs);
    let both = [
        map("a", "one"),
        map("b", "one"),
        fixed("one"),
        map("theirs", "same"),
    ];
    place.write("app.yaml", &both);
    place.run(&["deploy", "app.yaml", "--adopt"]).succeeds();
    let dry = |arguments: &[&str]| {
        proxy.behave();
        let run = place.run_through(&proxy, &[arguments, &["-o", "json"]].concat());
        let result = run.succeeds().json();
        (result, asked(&proxy))
    };

    place.write(
        "app.yaml",
        &[map("a", "two"), fixed("two"), map("c", "two")],
    );
    let deploy = ["deploy", "app.yaml", "--prune", "--replace"];
    let (result, asked_for) = dry(&[&deploy[..], &["--dry-run=server"]].concat());
    let each = [
        "Apply a",
        "Apply c",
        "Delete b",
        "Delete fixed",
        "Patch theirs",
    ];
    assert_eq!(asked_for, each, "{result}");
    assert_eq!(unasked(&result), ["fixed"], "{result}");
    assert_eq!(result["dryRun"], "server");
    place.run(&[&deploy[..], &["--yes"]].concat()).succeeds();

    place.write(
        "app.yaml",
        &[map("a", "three"), map("c", "two"), map("d", "three")],
    );
    place
        .run(&["deploy", "app.yaml", "--prune", "--yes"])
        .succeeds();
    let back = ["rollback", "app", "--to", "2", "--dry-run=server"];
    let (result, asked_for) = dry(&back);
    assert_eq!(
        asked_for,
        ["Apply a", "Apply fixed", "Delete d"],
        "{result}"
    );
    assert_eq!(
        (unasked(&result).len(), &result["dryRun"]),
        (0, &json!("server"))
    );
    // What the server would refuse is said, and nothing is done.
    proxy.misbehave(vec![
        Fault::new(Act::Answer(422, None)).on(|seen| seen.dry && seen.name == "a"),
    ]);
    let refused = place.run_through(&proxy, &back).fails(10, "E0521");
    assert!(refused.stderr.contains("/a"), "{refused}");

    for (verb, expected) in [
        ("undeploy", ["Delete a", "Delete c", "Delete d"]),
        ("release", ["Patch a", "Patch c", "Patch d"]),
    ] {
        let (result, asked_for) = dry(&[verb, "app", "--dry-run=server"]);
        assert_eq!(asked_for, expected, "{result}");
        assert_eq!(
            (unasked(&result).len(), &result["dryRun"]),
            (0, &json!("server"))
        );
        let (result, asked_for) = dry(&[verb, "app", "--dry-run=client"]);
        assert_eq!(asked_for, [""; 0], "{result}");
        assert_eq!(result["dryRun"], "plan");
    }
    assert_eq!(place.run(&["status", "app"]).succeeds().code, Some(0));
}
