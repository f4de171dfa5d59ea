//! Nothing changed, nothing written: as the audit log of the API server has it.

use serde_json::json;

use super::world::{Place, definition, deployment, gadget, map, secret, service, with};
use crate::support::ApiServer;

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
