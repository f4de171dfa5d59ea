//! `tenant migrate`: objects of the operator become ours, and stay the objects that they are.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{PASSWORD, TABLE, define_operators_kinds};
use crate::support::{
    ApiServer, Place, Run,
    databases::{Database, Engine},
};

const FORM: &str = "apiVersion: GROUP/v1
kind: FORM
metadata: {name: web}
spec:
  POINTER: shop
  configMaps:
    - id: settings
      nameTemplate: '{{ .uid }}-settings'
      labelsTemplate: {app: '{{ .uid }}'}
      spec: {apiVersion: v1, kind: ConfigMap, data: {plan: '{{ .plan }}'}}
    - id: token
      creationPolicy: Once
      nameTemplate: '{{ .uid }}-token'
      spec: {apiVersion: v1, kind: ConfigMap, data: {token: first}}
  deployments:
    - id: web
      nameTemplate: '{{ .uid }}-web'
      ignoreFields: ['$.spec.replicas']
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

/// The names of one generation of the operator.
struct Names {
    group: &'static str,
    hub: &'static str,
    form: &'static str,
    node: &'static str,
    pointer: &'static str,
    prefix: &'static str,
    hub_label: &'static str,
    manager: &'static str,
    node_finalizer: &'static str,
    hub_finalizer: &'static str,
}

const GENERATIONS: [Names; 2] = [
    Names {
        group: "operator.lynq.sh",
        hub: "LynqHub",
        form: "LynqForm",
        node: "LynqNode",
        pointer: "hubId",
        prefix: "lynq.sh",
        hub_label: "hub",
        manager: "lynq-operator",
        node_finalizer: "lynqnode.operator.lynq.sh/finalizer",
        hub_finalizer: "lynq.sh/hub-finalizer",
    },
    Names {
        group: "operator.kubernetes-tenants.org",
        hub: "TenantRegistry",
        form: "TenantTemplate",
        node: "Tenant",
        pointer: "registryId",
        prefix: "kubernetes-tenants.org",
        hub_label: "registry",
        manager: "tenant-operator",
        node_finalizer: "tenant.operator.kubernetes-tenants.org/finalizer",
        hub_finalizer: "kubernetes-tenants.org/registry-finalizer",
    },
];

/// What the operator has made of one row.
struct World {
    place: Place,
    names: &'static Names,
}

impl World {
    fn new(server: &'static ApiServer, names: &'static Names) -> Self {
        let place = Place::on(server);
        let database = Database::new(Engine::PostgreSql, place.sandbox.folder());
        database.execute(TABLE);
        database.execute("INSERT INTO tenants VALUES ('acme', '1', 'one', 5)");
        let secret = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: db}}\nstringData: {{password: {PASSWORD}}}\n"
        );
        place.change(&["apply", "-f", "-"], &secret);
        let hub = database
            .hub(
                "tenants",
                "passwordRef: {name: db, key: password}",
                "plan: plan",
            )
            .replace("operator.lynq.sh", names.group)
            .replace("LynqHub", names.hub)
            .replace(
                "metadata: {name: shop}",
                &format!(
                    "metadata: {{name: shop, finalizers: [{}]}}",
                    names.hub_finalizer
                ),
            );
        let form = FORM
            .replace("GROUP", names.group)
            .replace("FORM", names.form)
            .replace("POINTER", names.pointer);
        let world = Self { place, names };
        for text in [hub, form] {
            world.place.change(&["apply", "-f", "-"], &text);
        }
        world.make();
        world
    }

    /// Does what the operator does.
    fn make(&self) {
        let names = self.names;
        let key = |name: &str| format!("{}/{name}", names.prefix);
        let node = |form: &str| {
            json!({
                "apiVersion": format!("{}/v1", names.group),
                "kind": names.node,
                "metadata": {
                    "name": format!("acme-{form}"),
                    "labels": {key(names.hub_label): "shop", key("uid"): "acme"},
                    "finalizers": [names.node_finalizer],
                },
                "spec": {"uid": "acme", "templateRef": form},
            })
        };
        for form in ["web", "other"] {
            self.place
                .change(&["create", "-f", "-"], &node(form).to_string());
        }
        let resource = format!("{}.{}", names.node.to_lowercase() + "s", names.group);
        let node = self.place.kubectl(&["get", &resource, "acme-web"]);
        let owner = json!([{
            "apiVersion": node["apiVersion"], "kind": names.node, "name": "acme-web",
            "uid": node["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
        }]);
        let annotations = |once: bool| {
            let mut annotations = json!({
                key("deletion-policy"): "Delete",
                key("applied-hash"): "0123456789abcdef",
            });
            if once {
                annotations[key("created-once")] = "true".into();
            }
            annotations
        };
        let labels = json!({"app": "acme"});
        let objects = [
            json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "acme-settings", "labels": labels, "annotations": annotations(false), "ownerReferences": owner},
                "data": {"plan": "one", "stale": "the form wants it no more"},
            }),
            json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "acme-token", "annotations": annotations(true), "ownerReferences": owner},
                "data": {"token": "rotated"},
            }),
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "acme-web", "annotations": annotations(false), "ownerReferences": owner},
                "spec": {
                    // It is left to others, and nobody else has written it.
                    "replicas": 2,
                    "selector": {"matchLabels": {"app": "acme"}},
                    "template": {
                        "metadata": {"labels": {"app": "acme"}},
                        "spec": {"containers": [{"name": "web", "image": "x:one"}]},
                    },
                },
            }),
        ];
        for object in objects {
            let manager = format!("--field-manager={}", names.manager);
            let apply = ["apply", "--server-side", manager.as_str(), "-f", "-"];
            self.place.change(&apply, &object.to_string());
        }
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let sandbox = &self.place.sandbox;
        let mut command = sandbox.command(["tenant"].iter().chain(arguments));
        command.args(["-n", &self.place.namespace, "--context", "sandbox"]);
        command.env("KUBECONFIG", &self.place.server.kubeconfig);
        sandbox.finish(&mut command, None)
    }

    /// The pods of the row, once they are there.
    fn pods(&self) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let pods = self.place.names("pods");
            if pods.len() == 2 {
                return pods;
            }
            assert!(Instant::now() < deadline, "{pods:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn objects(&self) -> Vec<Value> {
        let names = [
            ("configmap", "acme-settings"),
            ("configmap", "acme-token"),
            ("deployment", "acme-web"),
        ];
        let get = |(kind, name): (&str, &str)| {
            self.place
                .kubectl(&["get", kind, name, "--show-managed-fields"])
        };
        names.map(get).into()
    }
}

#[test]
fn what_the_operator_has_made_becomes_ours_and_stays_what_it_is() {
    let server: &'static ApiServer = Box::leak(Box::new(ApiServer::own_with_nodes()));
    define_operators_kinds(server);
    for names in &GENERATIONS {
        println!("{}", names.manager);
        let world = World::new(server, names);
        let source = ["--from-cluster", "--hub", "shop"];
        let with = |verb: &'static str, more: &[&'static str]| {
            let all: Vec<&str> = [verb]
                .into_iter()
                .chain(source)
                .chain(more.iter().copied())
                .collect();
            world.run(&all)
        };
        // Without being asked for it, nothing of another owner is taken.
        let refused = with("apply", &[]);
        assert!(
            refused.code != Some(0) && refused.stderr.contains("E0511"),
            "{refused}"
        );
        let before = world.objects();
        let pods = world.pods();
        let writes = server.writes().len();
        let plan = with("migrate", &["--dry-run=client", "-o", "json"]).succeeds();
        assert_eq!(plan.json()["summary"]["adopted"], 3, "{plan}");
        assert_eq!(server.writes().len(), writes);
        let done = with("migrate", &["--to", "shop", "--yes", "-o", "json"]).succeeds();
        assert_eq!(done.json()["summary"]["adopted"], 3, "{done}");
        // Another form's node has made what is not ours.
        let delete = format!("kubectl delete {} shop", names.hub.to_lowercase());
        assert!(
            done.stderr.contains("acme-other") && !done.stderr.contains(&delete),
            "{done}"
        );
        for (before, after) in before.iter().zip(world.objects()) {
            assert_eq!(
                before["metadata"]["uid"], after["metadata"]["uid"],
                "{after:#}"
            );
            // Only of Deployments do annotations count for the generation.
            assert_eq!(before["spec"], after["spec"]);
            let text = after.to_string();
            for mark in [names.prefix, names.manager, "ownerReferences"] {
                assert!(!text.contains(mark), "{mark}: {after:#}");
            }
        }
        assert_eq!(world.pods(), pods, "no pod is restarted");
        let settings = &world.objects()[0]["data"];
        assert_eq!(*settings, json!({"plan": "one"}));
        assert_eq!(world.objects()[1]["data"]["token"], "rotated");
        let node = format!("{}.{}", names.node.to_lowercase() + "s", names.group);
        let free = r#"{"metadata":{"finalizers":null}}"#;
        world.place.change(
            &["patch", &node, "acme-other", "--type=merge", "-p", free],
            "",
        );
        world
            .place
            .change(&["delete", &node, "acme-other", "--timeout=20s"], "");
        let done = with("migrate", &["-o", "json"]).succeeds();
        assert_eq!(done.json()["summary"]["unchanged"], 3, "{done}");
        assert!(done.stderr.contains(&delete), "{done}");
        // The operator's resources go, and nothing with them.
        let hub = format!(
            "{}.{}",
            names.hub.to_lowercase().replace("registry", "registrie") + "s",
            names.group
        );
        let node = format!("{}.{}", names.node.to_lowercase() + "s", names.group);
        world
            .place
            .change(&["delete", &hub, "shop", "--timeout=20s"], "");
        world
            .place
            .change(&["delete", &node, "acme-web", "--timeout=20s"], "");
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(world.objects().len(), 3);
        // The files are all that is needed from now on.
        let folder = world.place.sandbox.path("shop");
        let names_of_files: Vec<String> = std::fs::read_dir(folder)
            .expect("a folder")
            .map(|file| {
                file.expect("a file")
                    .file_name()
                    .into_string()
                    .expect("a name")
            })
            .collect();
        assert_eq!(names_of_files.len(), 2, "{names_of_files:?}");
        world.run(&["plan", "./shop"]).ends(0);
        // A second time there is nothing left to take.
        let again = world.run(&["migrate", "./shop", "-o", "json"]).succeeds();
        assert_eq!(again.json()["summary"]["unchanged"], 3, "{again}");
    }
}
