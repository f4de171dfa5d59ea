//! Whole projects: the files of testdata, and tables of small ones.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).expect("valid YAML")
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

/// The files of testdata, with what is beside them and the variables they want.
fn project(name: &str) -> Result<Conversion, Error> {
    let (text, files, environment) = match name {
        "shop" => (
            include_str!("../../../testdata/compose/shop.yaml"),
            texts(&[
                (
                    "api.env",
                    "# defaults\nLOG=info\nSECRET='a$b'\nURL=\"http://${LOG}\"\n",
                ),
                ("db/init.sql", "create table orders (id int);\n"),
            ]),
            texts(&[("DB_PASSWORD", "p@ss")]),
        ),
        "wordpress" => (
            include_str!("../../../testdata/compose/wordpress.yaml"),
            BTreeMap::new(),
            BTreeMap::new(),
        ),
        "ci" => (
            include_str!("../../../testdata/compose/ci.yaml"),
            BTreeMap::new(),
            BTreeMap::new(),
        ),
        "monitoring" => (
            include_str!("../../../testdata/compose/monitoring.yaml"),
            texts(&[
                ("prometheus/prometheus.yml", "scrape_configs: []\n"),
                ("prometheus/rules/a.yml", "groups: []\n"),
                (
                    "./grafana/provisioning/datasources/main.yml",
                    "apiVersion: 1\n",
                ),
                ("grafana/provisioning/x.yml", "{}\n"),
                ("grafana/admin.txt", "hunter2"),
            ]),
            BTreeMap::new(),
        ),
        "anchors" => (
            include_str!("../../../testdata/compose/anchors.yaml"),
            BTreeMap::new(),
            BTreeMap::new(),
        ),
        "secrets" => (
            include_str!("../../../testdata/compose/secrets.yaml"),
            texts(&[
                ("keys/root.key", "root"),
                ("keys/tls.crt", "cert"),
                ("settings.hcl", "ui = true\n"),
            ]),
            texts(&[("VAULT_TOKEN", "t0ken")]),
        ),
        "unmappable" => (
            include_str!("../../../testdata/compose/unmappable.yaml"),
            BTreeMap::new(),
            BTreeMap::new(),
        ),
        "mail" => (
            include_str!("../../../testdata/compose/mail.yaml"),
            texts(&[
                ("mail.env", "export A=1\nB=${A}${DOMAIN}\n"),
                ("smtp/main.cf", "x\n"),
            ]),
            texts(&[("DOMAIN", "example.com")]),
        ),
        "voting" => (
            include_str!("../../../testdata/compose/voting.yaml"),
            texts(&[("healthchecks/redis.sh", "#!/bin/sh\n")]),
            BTreeMap::new(),
        ),
        other => panic!("no such project: {other}"),
    };
    let tree = yaml(text);
    assert!(is_compose(&tree), "{name}");
    convert(&tree, name, &files, &environment)
}

const PROJECTS: [&str; 9] = [
    "shop",
    "wordpress",
    "ci",
    "monitoring",
    "anchors",
    "secrets",
    "unmappable",
    "mail",
    "voting",
];

fn converted(name: &str) -> Conversion {
    project(name).expect("the project converts")
}

/// Converts services written as YAML.
fn small(services: &str) -> Result<Conversion, Error> {
    convert(&yaml(services), "small", &BTreeMap::new(), &BTreeMap::new())
}

fn ids(conversion: &Conversion) -> Vec<String> {
    conversion
        .manifests
        .iter()
        .map(|object| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            format!(
                "{}/{}",
                text(&object["kind"]),
                text(&object["metadata"]["name"])
            )
        })
        .collect()
}

fn object<'a>(conversion: &'a Conversion, id: &str) -> &'a Value {
    let (kind, name) = id.split_once('/').expect("Kind/name");
    conversion
        .manifests
        .iter()
        .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
        .unwrap_or_else(|| panic!("{id} is not among {:?}", ids(conversion)))
}

fn pod<'a>(conversion: &'a Conversion, id: &str) -> &'a Value {
    &object(conversion, id)["spec"]["template"]["spec"]
}

fn container<'a>(conversion: &'a Conversion, id: &str) -> &'a Value {
    &pod(conversion, id)["containers"][0]
}

fn variable<'a>(container: &'a Value, name: &str) -> &'a Value {
    container["env"]
        .as_array()
        .and_then(|list| list.iter().find(|entry| entry["name"] == name))
        .map_or(&Value::Null, |entry| &entry["value"])
}

fn noted(conversion: &Conversion, path: &str) -> bool {
    conversion.notes.iter().any(|note| note.path == path)
}

#[test]
fn every_project_becomes_objects_that_hold_together() {
    for name in PROJECTS {
        let conversion = converted(name);
        let ids = ids(&conversion);
        assert_eq!(
            ids.iter().collect::<BTreeSet<_>>().len(),
            ids.len(),
            "{name}"
        );
        let rank = |id: &str| {
            [
                "Secret/",
                "ConfigMap/",
                "PersistentVolumeClaim/",
                "Service/",
            ]
            .iter()
            .position(|kind| id.starts_with(kind))
            .unwrap_or(4)
        };
        assert!(ids.is_sorted_by_key(|id| rank(id)), "{ids:?}");
        for object in &conversion.manifests {
            assert_eq!(
                object["metadata"]["labels"]["app.kubernetes.io/part-of"],
                name
            );
            let Some(pod) = object["spec"]["template"]["spec"].as_object() else {
                continue;
            };
            let label = "app.kubernetes.io/name";
            let own = &object["metadata"]["name"];
            assert_eq!(
                &object["spec"]["template"]["metadata"]["labels"][label],
                own
            );
            if object["kind"] != "Job" {
                assert_eq!(&object["spec"]["selector"]["matchLabels"][label], own);
            }
            let volumes: BTreeSet<_> = pod
                .get("volumes")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|volume| volume["name"].as_str())
                .collect();
            let used: BTreeSet<_> = pod["containers"][0]["volumeMounts"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|place| place["name"].as_str())
                .collect();
            assert_eq!(volumes, used, "{name} {own}");
        }
        assert_eq!(project(name), Ok(conversion), "the same twice");
    }
}

#[test]
fn a_shop_becomes_its_objects_in_order() {
    let shop = converted("shop");
    assert_eq!(
        ids(&shop),
        [
            "ConfigMap/db-files",
            "PersistentVolumeClaim/db-data",
            "PersistentVolumeClaim/uploads",
            "Service/frontend",
            "Service/api",
            "Service/db",
            "Service/cache",
            "Service/queue",
            "Deployment/frontend",
            "Deployment/api",
            "Job/migrate",
            "Deployment/worker",
            "Deployment/db",
            "Deployment/cache",
            "Deployment/queue",
        ]
    );
    assert_eq!(
        object(&shop, "Deployment/frontend"),
        &json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "frontend",
                "labels": {
                    "app.kubernetes.io/name": "frontend",
                    "app.kubernetes.io/part-of": "shop",
                    "traefik.enable": "true",
                },
                "annotations": {
                    "traefik.http.routers.shop.rule": "Host(`shop.example.com`)",
                    "weftctl.dev/depends-on": "Deployment/api",
                },
            },
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"app.kubernetes.io/name": "frontend"}},
                "template": {
                    "metadata": {
                        "labels": {
                            "app.kubernetes.io/name": "frontend",
                            "app.kubernetes.io/part-of": "shop",
                            "traefik.enable": "true",
                        },
                        "annotations": {
                            "traefik.http.routers.shop.rule": "Host(`shop.example.com`)",
                        },
                    },
                    "spec": {
                        "enableServiceLinks": false,
                        "automountServiceAccountToken": false,
                        "containers": [{
                            "name": "frontend",
                            "image": "registry.example.com/shop/frontend:1.4.2",
                            "ports": [{"containerPort": 80}, {"containerPort": 443}],
                            "env": [
                                {"name": "API_URL", "value": "http://api:3000"},
                                {"name": "NODE_ENV", "value": "production"},
                            ],
                            "resources": {
                                "limits": {"cpu": "500m", "memory": "256Mi"},
                                "requests": {"cpu": "100m", "memory": "64Mi"},
                            },
                        }],
                    },
                },
            },
        })
    );
}

#[test]
fn a_shop_keeps_what_its_services_say() {
    let shop = converted("shop");
    let api = container(&shop, "Deployment/api");
    assert_eq!(
        api["args"],
        json!(["node", "--max-old-space-size=384", "server.js"])
    );
    assert_eq!(variable(api, "SECRET"), "a$b");
    assert_eq!(variable(api, "URL"), "http://info");
    assert_eq!(
        variable(api, "DATABASE_URL"),
        "postgres://shop:p@ss@db:5432/shop"
    );
    assert_eq!(api["livenessProbe"]["initialDelaySeconds"], 20);
    assert_eq!(
        api["securityContext"],
        json!({"runAsUser": 1000, "runAsGroup": 1000, "readOnlyRootFilesystem": true})
    );
    let spec = pod(&shop, "Deployment/api");
    assert_eq!(spec["terminationGracePeriodSeconds"], 45);
    assert_eq!(spec["securityContext"], json!({"fsGroup": 1000}));
    assert_eq!(
        spec["volumes"],
        json!([
            {"name": "tmpfs-tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
            {"name": "uploads", "persistentVolumeClaim": {"claimName": "uploads"}},
        ])
    );
    assert_eq!(
        object(&shop, "Deployment/api")["spec"]["strategy"],
        json!({"type": "Recreate"})
    );
    assert_eq!(
        object(&shop, "Deployment/api")["metadata"]["annotations"]["weftctl.dev/depends-on"],
        "Deployment/db,Deployment/cache,Job/migrate"
    );
    let migrate = object(&shop, "Job/migrate");
    assert_eq!(migrate["spec"]["backoffLimit"], 3);
    assert_eq!(pod(&shop, "Job/migrate")["restartPolicy"], "OnFailure");
    // `$$` of compose is `$` of the shell, and must not be a reference of the kubelet.
    assert_eq!(
        container(&shop, "Deployment/worker")["args"],
        json!([
            "sh",
            "-c",
            "echo \"pid $$$\"; exec ./worker --queue \"${QUEUE:-orders}\""
        ])
    );
    assert_eq!(
        container(&shop, "Deployment/db")["volumeMounts"],
        json!([
            {"name": "db-data", "mountPath": "/var/lib/postgresql/data"},
            {"name": "files", "mountPath": "/docker-entrypoint-initdb.d/init.sql",
                "subPath": "db_init.sql", "readOnly": true},
            {"name": "tmpfs-dev-shm", "mountPath": "/dev/shm"},
        ])
    );
    assert_eq!(
        object(&shop, "PersistentVolumeClaim/db-data")["spec"]["resources"]["requests"]["storage"],
        "20Gi"
    );
    // Published and inner port; a port known only from what others say.
    let numbers = |id: &str| -> Vec<Value> {
        let ports = object(&shop, id)["spec"]["ports"]
            .as_array()
            .expect("ports");
        ports.iter().map(|port| port["port"].clone()).collect()
    };
    assert_eq!(numbers("Service/frontend"), [8080, 8443, 80, 443]);
    assert_eq!(numbers("Service/db"), [5432]);
    assert_eq!(numbers("Service/cache"), [6379]);
    for path in [
        "services.api.build",
        "services.db.ports",
        "services.frontend.ports",
        "services.queue.ports[0]",
        "volumes.db_data",
        "volumes.uploads",
    ] {
        assert!(noted(&shop, path), "{path}: {:#?}", shop.notes);
    }
}

#[test]
fn a_ci_stack_of_version_2_is_read() {
    let ci = converted("ci");
    let server = container(&ci, "Deployment/server");
    assert_eq!(
        server["resources"],
        json!({"limits": {"memory": "1536Mi", "cpu": "1500m"}, "requests": {"memory": "512Mi"}})
    );
    assert_eq!(variable(server, "CI_RPC_SECRET"), "change-me");
    assert_eq!(variable(server, "CI_LOG_LEVEL"), &Value::Null);
    assert_eq!(server["ports"].as_array().map(Vec::len), Some(5));
    assert_eq!(object(&ci, "Deployment/runner")["spec"]["replicas"], 3);
    assert_eq!(
        object(&ci, "Deployment/runner")["metadata"]["annotations"]["weftctl.dev/depends-on"],
        "Deployment/server,Deployment/store"
    );
    let agent = pod(&ci, "DaemonSet/agent");
    assert_eq!(agent["hostNetwork"], true);
    assert_eq!(agent["hostPID"], true);
    assert_eq!(agent["nodeSelector"], json!({"disk": "ssd"}));
    assert_eq!(
        container(&ci, "DaemonSet/agent")["securityContext"]["capabilities"],
        json!({"add": ["NET_ADMIN", "SYS_PTRACE"], "drop": ["ALL"]})
    );
    assert_eq!(
        container(&ci, "Job/cleanup")["args"][2],
        "find /data -mtime +30 -delete\necho \"done at $$(date)\"\n"
    );
    assert_eq!(object(&ci, "Job/cleanup")["spec"]["backoffLimit"], 0);
    assert_eq!(
        object(&ci, "Service/store")["spec"]["ports"][1],
        json!({"name": "console", "port": 9001, "targetPort": 9001, "appProtocol": "http"})
    );
    assert_eq!(
        object(&ci, "PersistentVolumeClaim/objects")["metadata"]["labels"]["tier"],
        "storage"
    );
    for path in [
        "services.server.volumes[0]",
        "services.server.volumes[1]",
        "services.server.ulimits",
        "services.server.logging",
        "services.server.environment.CI_LOG_LEVEL",
        "services.runner.links",
        "services.runner.stop_signal",
        "services.agent.deploy.placement.constraints",
    ] {
        assert!(noted(&ci, path), "{path}: {:#?}", ci.notes);
    }
}

#[test]
fn bound_files_and_folders_become_config_maps() {
    let stack = converted("monitoring");
    assert_eq!(
        pod(&stack, "Deployment/prometheus")["volumes"],
        json!([
            {"name": "files", "configMap": {"name": "prometheus-files"}},
            {"name": "files-etc-prometheus-rules", "configMap": {"name": "prometheus-files",
                "items": [{"key": "prometheus_rules_a.yml", "path": "a.yml"}]}},
            {"name": "prometheus", "persistentVolumeClaim": {"claimName": "prometheus"}},
        ])
    );
    assert_eq!(
        object(&stack, "ConfigMap/prometheus-files")["data"],
        json!({"prometheus_prometheus.yml": "scrape_configs: []\n",
            "prometheus_rules_a.yml": "groups: []\n"})
    );
    assert_eq!(
        pod(&stack, "Deployment/prometheus")["hostAliases"],
        json!([
            {"ip": "192.0.2.10", "hostnames": ["gateway.example.com", "backup.example.com"]},
            {"ip": "2001:db8::1", "hostnames": ["v6.example.com"]},
        ])
    );
    let grafana = container(&stack, "Deployment/grafana");
    assert_eq!(
        grafana["ports"],
        json!([{"containerPort": 3000, "hostPort": 3000}])
    );
    assert_eq!(
        grafana["volumeMounts"],
        json!([
            {"name": "secret-grafana-admin", "mountPath": "/run/secrets/grafana_admin",
                "subPath": "grafana_admin", "readOnly": true},
            {"name": "files-etc-grafana-provisioning", "mountPath": "/etc/grafana/provisioning",
                "readOnly": true},
            {"name": "var-lib-grafana", "mountPath": "/var/lib/grafana"},
        ])
    );
    assert_eq!(
        pod(&stack, "Deployment/grafana")["volumes"][1]["configMap"]["items"],
        json!([
            {"key": "grafana_provisioning_datasources_main.yml", "path": "datasources/main.yml"},
            {"key": "grafana_provisioning_x.yml", "path": "x.yml"},
        ])
    );
    let probe = pod(&stack, "Deployment/probe");
    assert_eq!(
        probe["nodeSelector"],
        json!({"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64"})
    );
    assert_eq!(
        probe["dnsConfig"],
        json!({"nameservers": ["192.0.2.53"], "searches": ["example.com"]})
    );
    assert_eq!(
        probe["securityContext"]["sysctls"],
        json!([{"name": "net.ipv4.ping_group_range", "value": "0 2147483647"}])
    );
    assert_eq!(probe["containers"][0]["tty"], true);
    assert_eq!(probe["containers"][0].get("livenessProbe"), None);
    assert_eq!(
        container(&stack, "DaemonSet/node")["securityContext"],
        json!({"allowPrivilegeEscalation": false})
    );
    for path in [
        "services.node.volumes[0]",
        "services.grafana.depends_on.prometheus.restart",
        "services.grafana.ports[0].host_ip",
        "volumes.prometheus.driver_opts.type",
        "volumes.prometheus.driver_opts.device",
    ] {
        assert!(noted(&stack, path), "{path}: {:#?}", stack.notes);
    }
}

#[test]
fn fragments_bases_and_profiles_are_resolved() {
    let stack = converted("anchors");
    assert_eq!(
        ids(&stack),
        [
            "PersistentVolumeClaim/data",
            "Service/blue",
            "Service/green",
            "Deployment/blue",
            "Deployment/green",
            "Job/report",
        ]
    );
    let green = container(&stack, "Deployment/green");
    assert_eq!(variable(green, "MODE"), "green");
    assert_eq!(variable(green, "LOG_LEVEL"), "info");
    assert_eq!(green["args"], json!(["serve", "--colour", "green"]));
    assert_eq!(green.get("readinessProbe"), None);
    let blue = container(&stack, "Deployment/blue");
    assert_eq!(blue["readinessProbe"]["periodSeconds"], 90);
    assert_eq!(blue["readinessProbe"]["timeoutSeconds"], 2);
    assert_eq!(
        blue["ports"],
        json!([{"containerPort": 8080}, {"containerPort": 8081}])
    );
    let report = object(&stack, "Job/report");
    assert_eq!(report["spec"]["backoffLimit"], 5);
    assert_eq!(
        report["metadata"]["annotations"]["weftctl.dev/depends-on"],
        "Deployment/blue"
    );
    for path in [
        "services.base",
        "services.debug",
        "services.report.depends_on.debug",
        "services.report.environment.EMPTY",
        "services.report.deploy.restart_policy.delay",
        "services.blue.logging",
        "volumes.data",
    ] {
        assert!(noted(&stack, path), "{path}: {:#?}", stack.notes);
    }
}

#[test]
fn secrets_and_configs_are_made_and_mounted() {
    let stack = converted("secrets");
    assert_eq!(
        ids(&stack),
        [
            "Secret/root-key",
            "Secret/token",
            "Secret/certificate",
            "ConfigMap/motd",
            "ConfigMap/settings",
            "Service/vault",
            "Deployment/vault",
        ]
    );
    assert_eq!(
        object(&stack, "Secret/root-key")["data"],
        json!({"root_key": "cm9vdA=="})
    );
    assert_eq!(
        object(&stack, "Secret/token")["data"],
        json!({"token": "dDBrZW4="})
    );
    assert_eq!(
        object(&stack, "Secret/certificate")["metadata"]["labels"]["kind"],
        "tls"
    );
    assert_eq!(
        object(&stack, "ConfigMap/motd")["data"],
        json!({"motd": "Welcome to the vault.\nCosts: $5\n"})
    );
    assert_eq!(
        container(&stack, "Deployment/vault")["volumeMounts"],
        json!([
            {"name": "secret-root-key", "mountPath": "/run/secrets/root_key", "subPath": "root_key", "readOnly": true},
            {"name": "secret-token", "mountPath": "/run/secrets/tokens/first", "subPath": "token", "readOnly": true},
            {"name": "secret-certificate", "mountPath": "/etc/tls/tls.crt", "subPath": "certificate", "readOnly": true},
            {"name": "secret-team-shared", "mountPath": "/run/secrets/shared", "subPath": "shared", "readOnly": true},
            {"name": "config-motd", "mountPath": "/motd", "subPath": "motd", "readOnly": true},
            {"name": "config-settings", "mountPath": "/etc/vault/settings.hcl", "subPath": "settings", "readOnly": true},
            {"name": "config-house-rules", "mountPath": "/house", "subPath": "house", "readOnly": true},
        ])
    );
    assert_eq!(
        pod(&stack, "Deployment/vault")["volumes"][1]["secret"],
        json!({"secretName": "token", "defaultMode": 0o400})
    );
    assert_eq!(
        pod(&stack, "Deployment/vault")["volumes"][2]["secret"]["defaultMode"],
        0o440
    );
    for path in [
        "secrets.shared",
        "secrets.forgotten",
        "configs.house",
        "services.vault.secrets[2].uid",
        "services.vault.secrets[2].gid",
    ] {
        assert!(noted(&stack, path), "{path}: {:#?}", stack.notes);
    }
}

#[test]
fn what_cannot_be_mapped_is_noted_key_by_key() {
    let text = include_str!("../../../testdata/compose/unmappable.yaml");
    let conversion = converted("unmappable");
    let tree = yaml(text);
    let fields = tree["services"]["Odd_One"].as_object().expect("a mapping");
    let mapped = ["image", "deploy", "dns_opt", "x-known"];
    for key in fields.keys().filter(|key| !mapped.contains(&key.as_str())) {
        let path = format!("services.Odd_One.{key}");
        let below = |note: &Note| {
            note.path
                .strip_prefix(&path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        assert!(conversion.notes.iter().any(below), "{path}");
    }
    let deploy = "services.Odd_One.deploy";
    for path in [
        "include".to_owned(),
        "models".to_owned(),
        "future".to_owned(),
        "networks.front".to_owned(),
        "services.Odd_One".to_owned(),
        "services.Odd_One.volumes[0]".to_owned(),
        "services.Odd_One.volumes[1]".to_owned(),
        "services.Odd_One.volumes[2].type".to_owned(),
        "services.Odd_One.volumes[3]".to_owned(),
        "services.Odd_One.volumes[3].bind.propagation".to_owned(),
        "services.Odd_One.volumes[4].tmpfs.mode".to_owned(),
        "services.other.depends_on.Odd_One".to_owned(),
        format!("{deploy}.replicas"),
        format!("{deploy}.endpoint_mode"),
        format!("{deploy}.update_config"),
        format!("{deploy}.rollback_config"),
        format!("{deploy}.placement.preferences"),
        format!("{deploy}.placement.max_replicas_per_node"),
        format!("{deploy}.placement.constraints"),
        format!("{deploy}.resources.limits.pids"),
        format!("{deploy}.resources.reservations.devices"),
        format!("{deploy}.resources.reservations.generic_resources"),
        format!("{deploy}.restart_policy.delay"),
        format!("{deploy}.restart_policy.window"),
        format!("{deploy}.restart_policy.max_attempts"),
    ] {
        assert!(noted(&conversion, &path), "{path}: {:#?}", conversion.notes);
    }
    assert_eq!(
        ids(&conversion),
        ["Service/odd-one", "DaemonSet/odd-one", "Deployment/other"]
    );
}

#[test]
fn a_mail_stack_keeps_its_ports_and_words() {
    let stack = converted("mail");
    let smtp = container(&stack, "Deployment/smtp");
    assert_eq!(
        smtp["command"],
        json!([
            "/usr/bin/tini",
            "--",
            "/opt/start mail.sh",
            "--greeting",
            "Its us"
        ])
    );
    assert_eq!(smtp["args"], json!(["--verbose", "--domain=example.com"]));
    assert_eq!(variable(smtp, "B"), "1example.com");
    assert_eq!(smtp["imagePullPolicy"], "Always");
    assert_eq!(smtp["workingDir"], "/srv/mail");
    let names: Vec<_> = object(&stack, "Service/smtp")["spec"]["ports"]
        .as_array()
        .expect("ports")
        .iter()
        .map(|port| {
            (
                port["name"].clone(),
                port["port"].clone(),
                port["targetPort"].clone(),
            )
        })
        .collect();
    assert_eq!(
        json!(names),
        json!([
            ["tcp-25", 25, 25],
            ["tcp-587", 587, 1587],
            ["tcp-465", 465, 465],
            ["tcp-4190", 4190, 4190],
            ["udp-53", 53, 53],
            ["tcp-53", 53, 53],
            ["tcp-1587", 1587, 1587],
        ])
    );
    assert_eq!(
        pod(&stack, "Deployment/smtp")["volumes"][0],
        json!({"name": "mail-spool", "persistentVolumeClaim": {"claimName": "mail-spool"}})
    );
    assert_eq!(smtp["volumeMounts"][2]["subPath"], "archive");
    let metadata = &object(&stack, "Deployment/smtp")["metadata"];
    assert_eq!(metadata["labels"]["example.com/tier"], "edge");
    assert_eq!(metadata["annotations"]["example.com/owner"], "mail team");
    assert_eq!(pod(&stack, "Job/filter")["restartPolicy"], "OnFailure");
    for path in [
        "volumes.spool",
        "services.smtp.env_file",
        "services.filter.restart",
    ] {
        assert!(noted(&stack, path), "{path}: {:#?}", stack.notes);
    }
}

#[test]
fn names_that_kubernetes_refuses_are_changed() {
    let stack = converted("voting");
    assert!(ids(&stack).contains(&"Deployment/result-page".to_owned()));
    assert!(noted(&stack, "services.result_page"));
    assert_eq!(
        container(&stack, "Deployment/result-page")["image"],
        "result-page"
    );
    assert_eq!(
        small("services: {a_b: {image: x}, a-b: {image: y}}").map_err(|error| error.to_string()),
        Err("services.a_b and services.a-b both become Service 'a-b'".to_owned())
    );
    assert_eq!(
        small("services: {a: {image: x, volumes: ['v_1:/a', 'v-1:/b']}}\nvolumes: {v_1: , v-1: }")
            .map_err(|error| error.to_string()),
        Err("volumes.v_1 and volumes.v-1 both become PersistentVolumeClaim 'v-1'".to_owned())
    );
}

#[test]
fn a_service_without_a_known_port_has_no_service() {
    let stack =
        small("services: {a: {image: x, depends_on: [b]}, b: {image: y}}").expect("converts");
    assert_eq!(ids(&stack), ["Deployment/a", "Deployment/b"]);
    assert!(noted(&stack, "services.b"));
    assert!(!noted(&stack, "services.a"));
}

#[test]
fn only_the_top_level_has_extensions_that_do_not_count() {
    let stack = small("x-a: {image: $NO}\nservices: {x-b: {image: i, environment: {x-c: '$$'}}}")
        .expect("converts");
    assert_eq!(ids(&stack), ["Deployment/x-b"]);
    assert_eq!(variable(container(&stack, "Deployment/x-b"), "x-c"), "$");
    assert!(stack.notes.is_empty());
}

#[test]
fn what_ends_is_a_job_unless_it_has_ports() {
    for (service, expected) in [
        ("{image: x}", "Deployment/a"),
        ("{image: x, restart: always}", "Deployment/a"),
        ("{image: x, restart: no}", "Job/a"),
        ("{image: x, restart: 'no'}", "Job/a"),
        ("{image: x, restart: on-failure}", "Job/a"),
        ("{image: x, restart: 'no', ports: [80]}", "Deployment/a"),
        ("{image: x, restart: 'no', expose: [80]}", "Deployment/a"),
        (
            "{image: x, deploy: {mode: global}, restart: 'no'}",
            "DaemonSet/a",
        ),
        (
            "{image: x, deploy: {mode: replicated-job}, ports: [80]}",
            "Job/a",
        ),
        (
            "{image: x, restart: always, deploy: {restart_policy: {condition: none}}}",
            "Job/a",
        ),
        (
            "{image: x, deploy: {restart_policy: {condition: none}}, restart: always}",
            "Job/a",
        ),
    ] {
        let stack = small(&format!("services: {{a: {service}}}")).expect("converts");
        assert_eq!(
            ids(&stack).last().map(String::as_str),
            Some(expected),
            "{service}"
        );
    }
}

#[test]
fn a_broken_project_is_refused_with_its_place() {
    for (text, message) in [
        ("services: []", "not a compose project: no services mapping"),
        ("a: 1", "not a compose project: no services mapping"),
        ("services: {a: {}}", "services.a: neither image nor build"),
        ("services: {a: }", "services.a: neither image nor build"),
        (
            "services: {a: x}",
            "services.a: expected a mapping, found 'x'",
        ),
        (
            "services: {'__': {image: x}}",
            "services.__: expected a name with letters or digits, found '__'",
        ),
        (
            "services: {a: {image: x, ports: {b: 1}}}",
            "services.a.ports: expected a list, found a mapping",
        ),
        (
            "services: {a: {image: x, ports: ['x:y']}}",
            "services.a.ports[0]: expected a port such as 8080:80/tcp, found 'x:y'",
        ),
        (
            "services: {a: {image: x, volumes: ['d:/x']}}",
            "services.a.volumes[0]: volume 'd' is not declared",
        ),
        (
            "services: {a: {image: x, volumes: ['d:x']}}\nvolumes: {d: }",
            "services.a.volumes[0]: expected an absolute path in the container, found 'x'",
        ),
        (
            "services: {a: {image: x, secrets: [s]}}",
            "services.a.secrets[0]: secret 's' is not declared",
        ),
        (
            "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {file: ./s.txt}}",
            "secrets.s.file: file './s.txt' is missing",
        ),
        (
            "services: {a: {image: x, secrets: [s]}}\nsecrets: {s: {environment: S}}",
            "secrets.s.environment: variable S is not set",
        ),
        (
            "services: {a: {image: x, configs: [c]}}\nconfigs: {c: {}}",
            "configs.c: expected one of file, environment, content, external, found a mapping",
        ),
        (
            "services: {a: {image: x, env_file: no.env}}",
            "services.a.env_file: file 'no.env' is missing",
        ),
        (
            "services: {a: {image: x, depends_on: [b]}}",
            "services.a.depends_on: service 'b' is not declared",
        ),
        (
            "services: {a: {image: x, command: \"sh -c 'open\"}}",
            "services.a.command: expected a command line with closed quotes, found 'sh -c 'open'",
        ),
        (
            "services: {a: {image: x, mem_limit: lots}}",
            "services.a.mem_limit: expected a size such as 512m, found 'lots'",
        ),
        (
            "services: {a: {image: x, deploy: {replicas: -1}}}",
            "services.a.deploy.replicas: expected a whole number, found -1",
        ),
        (
            "services: {a: {image: x, restart: sometimes}}",
            "services.a.restart: expected no, always, on-failure or unless-stopped, found 'sometimes'",
        ),
        (
            "services: {a: {image: '${TAG:?which one}'}}",
            "services.a.image: variable TAG is not set: which one",
        ),
        (
            "services: {a: {image: x, ports: ['1-600', '1001-1600']}}",
            "services.a.ports[1]: more than 1000 ports",
        ),
        (
            "services: {a: {image: x, ports: ['1-600'], expose: ['1001-1600']}}",
            "services.a.expose: more than 1000 ports",
        ),
    ] {
        let error = small(text).expect_err(text);
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn a_file_that_no_object_can_hold_is_refused() {
    let big = "x".repeat(LARGEST_FILE + 1);
    let files = texts(&[
        ("big", &big),
        ("a", &big[..600_000]),
        ("b", &big[..600_000]),
    ]);
    for (text, message) in [
        (
            "services: {a: {image: x, volumes: ['./big:/big']}}",
            "services.a.volumes[0]: 'big' is larger than 1048576 bytes",
        ),
        (
            "services: {a: {image: x, volumes: ['./a:/a', './b:/b']}}",
            "services.a.volumes: 'all bound files together' is larger than 1048576 bytes",
        ),
        (
            "services: {a: {image: x, configs: [c]}}\nconfigs: {c: {file: big}}",
            "configs.c: 'big' is larger than 1048576 bytes",
        ),
    ] {
        let error = convert(&yaml(text), "p", &files, &BTreeMap::new()).expect_err(text);
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn compose_is_recognised_by_its_content() {
    for (text, expected) in [
        ("services: {a: {image: x}}", true),
        ("version: '3'\nservices: {a: {build: .}}", true),
        ("services: {a: {extends: b}, b: {image: x}}", true),
        ("services: {}", false),
        ("services: {a: }", false),
        ("services: [a]", false),
        ("services: {a: {image: x}}\nkind: X", false),
        (
            "services: {a: {image: x}}\nschemaVersion: designs.meshery.io/v1beta3",
            false,
        ),
        (
            "name: d\nservices: {a: {type: Deployment, apiVersion: apps/v1, settings: {}}}",
            false,
        ),
        ("apiVersion: v1\nkind: Service", false),
        ("[]", false),
        ("text", false),
    ] {
        assert_eq!(is_compose(&yaml(text)), expected, "{text}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "lists of values and keys")]
fn odd_values_are_errors_and_never_panics() {
    let odd = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(""),
        json!(":"),
        json!("::"),
        json!("/"),
        json!("-"),
        json!("é:é"),
        json!("$$"),
        json!("[::"),
        json!([]),
        json!([null]),
        json!([[]]),
        json!([{}]),
        json!([":"]),
        json!(["é/é"]),
        json!({}),
        json!({"a": null}),
        json!({"": []}),
        json!({"target": null}),
        json!([{"target": ":"}]),
        json!([{"source": "", "target": ""}]),
        json!(18_446_744_073_709_551_615_u64),
        json!("99999999999999999999"),
    ];
    let keys = [
        "image",
        "build",
        "command",
        "entrypoint",
        "environment",
        "env_file",
        "working_dir",
        "user",
        "ports",
        "expose",
        "volumes",
        "tmpfs",
        "read_only",
        "depends_on",
        "healthcheck",
        "secrets",
        "configs",
        "deploy",
        "mem_limit",
        "mem_reservation",
        "cpus",
        "labels",
        "annotations",
        "hostname",
        "extra_hosts",
        "stop_grace_period",
        "privileged",
        "cap_add",
        "cap_drop",
        "network_mode",
        "sysctls",
        "stdin_open",
        "tty",
        "profiles",
        "extends",
        "links",
        "restart",
        "scale",
        "security_opt",
        "group_add",
        "platform",
        "shm_size",
        "dns",
        "dns_opt",
        "pid",
        "ipc",
        "pull_policy",
        "provider",
    ];
    for key in keys {
        for value in &odd {
            let _ = small_value(&json!({"services": {"a": {"image": "x", key: value}}}));
        }
    }
    for key in [
        "replicas",
        "mode",
        "labels",
        "resources",
        "restart_policy",
        "placement",
        "endpoint_mode",
    ] {
        for value in &odd {
            let _ =
                small_value(&json!({"services": {"a": {"image": "x", "deploy": {key: value}}}}));
        }
    }
    for section in ["volumes", "secrets", "configs", "networks", "include"] {
        for value in &odd {
            let service = json!({"image": "x", "volumes": ["a:/a"], "secrets": ["a"]});
            let _ = small_value(&json!({"services": {"a": service}, section: value}));
            let _ = small_value(&json!({"services": {"a": service}, section: {"a": value}}));
            let inner =
                json!({"driver_opts": value, "labels": value, "file": value, "name": value});
            let _ = small_value(&json!({"services": {"a": service}, section: {"a": inner}}));
        }
    }
}

fn small_value(value: &Value) -> Result<Conversion, Error> {
    let _ = is_compose(value);
    convert(value, "", &BTreeMap::new(), &BTreeMap::new())
}
