//! `tenant init`: what it writes is right as it is, on every engine and in a cluster.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{
    Place, Run, Sandbox,
    databases::{Database, Engine, PASSWORD, Server},
};

/// The cases, with how many rows are active and how many objects they make.
const CASES: [(&str, u64, u64); 5] = [
    ("multi-tier", 2, 14),
    ("custom-domains", 3, 9),
    ("database-per-tenant", 2, 12),
    ("preview-environments", 2, 12),
    ("feature-flags", 3, 12),
];

/// Writes a case, loads its table, and has the hub find it.
fn begin(sandbox: &Sandbox, engine: Engine, case: &str, name: &str) {
    let arguments = [
        "tenant",
        "init",
        case,
        "--engine",
        engine.name(),
        "--name",
        name,
    ];
    let run = sandbox.run(arguments).succeeds();
    let wrote =
        ["hub.yaml", "form.yaml", "schema.sql"].map(|file| format!("wrote {name}/{file}\n"));
    assert_eq!(run.stdout, wrote.concat(), "{run}");
    let read = |file: &str| {
        let path = sandbox.folder().join(name).join(file);
        std::fs::read_to_string(path).expect("a file")
    };
    let database = Database::new(engine, sandbox.folder());
    database.execute(&read("schema.sql"));
    let hub = read("hub.yaml");
    let port = |port: u16| {
        hub.replace(&format!("port: {port} "), "")
            .replace("username: weftctl", "username: reader")
    };
    let hub = match engine {
        Engine::Sqlite => hub.replace("path: tenants.db", &format!("path: {}", database.name)),
        _ => {
            let default = if engine == Engine::MariaDb {
                3306
            } else {
                5432
            };
            let now = Server::shared(engine).port;
            port(default)
                .replace(&format!("port: {default}"), &format!("port: {now}"))
                .replace("database: tenants", &format!("database: {}", database.name))
        }
    };
    sandbox.write(&format!("{name}/hub.yaml"), hub);
}

fn run(sandbox: &Sandbox, arguments: &[&str]) -> Run {
    let mut command: Command = sandbox.command(["tenant"].iter().chain(arguments));
    command.env("DB_PASSWORD", PASSWORD);
    sandbox.finish(&mut command, None)
}

#[test]
fn every_case_is_right_as_it_is_on_every_engine() {
    for engine in Engine::ALL {
        let mut rendered = Vec::new();
        for (case, active, objects) in CASES {
            println!("{engine:?} {case}");
            let sandbox = Sandbox::new();
            begin(&sandbox, engine, case, "crm");
            let report = run(&sandbox, &["lint", "crm", "--strict", "-o", "json"]).succeeds();
            assert_eq!(report.json()["rows"]["active"], active, "{report}");
            let made = run(&sandbox, &["render", "crm", "-n", "crm", "-o", "json"]).succeeds();
            let made = made.json();
            let items = made["items"].as_array().expect("a list");
            assert_eq!(items.len() as u64, objects, "{made}");
            rendered.push(items.clone());
        }
        // Whatever the database, the same comes of it.
        static FIRST: std::sync::OnceLock<Vec<Vec<Value>>> = std::sync::OnceLock::new();
        assert_eq!(
            FIRST.get_or_init(|| rendered.clone()),
            &rendered,
            "{engine:?}"
        );
    }
}

#[test]
fn every_case_becomes_ready_in_a_cluster_and_a_second_run_writes_nothing() {
    for (case, _, objects) in CASES {
        println!("{case}");
        let place = Place::with_nodes();
        let sandbox = &place.sandbox;
        // Namespaces are named after the hub.
        let name = format!("{}-{case}", place.namespace);
        let name = &name[..name.len().min(40)].trim_end_matches('-');
        begin(sandbox, Engine::Sqlite, case, name);
        if case == "database-per-tenant" {
            volumes(&place);
        }
        let apply = || {
            let mut command = sandbox.command([
                "tenant",
                "apply",
                name,
                "-o",
                "json",
                "--context",
                "sandbox",
            ]);
            command.args(["-n", &place.namespace]);
            command.env("KUBECONFIG", &place.server.kubeconfig);
            sandbox.finish(&mut command, None)
        };
        let done = apply().succeeds();
        assert_eq!(done.json()["summary"]["created"], objects, "{done}");
        let again = apply().succeeds();
        assert_eq!(again.json()["summary"]["unchanged"], objects, "{again}");
    }
}

/// Nobody here makes volumes for claims.
fn volumes(place: &Place) {
    for number in 0..2 {
        let volume = json!({
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": format!("{}-{number}", place.namespace)},
            "spec": {
                "capacity": {"storage": "100Gi"}, "accessModes": ["ReadWriteOnce"],
                "hostPath": {"path": "/nowhere"},
                "claimRef": {"namespace": place.namespace, "name": format!("{}-db", ["acme", "globex"][number])},
            },
        });
        place
            .server
            .kubectl(&["apply", "-f", "-"], &volume.to_string());
    }
}

#[test]
fn nothing_is_overwritten_and_a_dry_run_writes_nothing() {
    let sandbox = Sandbox::new();
    let dry = sandbox
        .run(["tenant", "init", "multi-tier", "--dry-run=client"])
        .succeeds();
    assert!(
        dry.stdout.contains("wrote multi-tier/hub.yaml (dry run)\n"),
        "{dry}"
    );
    assert!(!sandbox.folder().join("multi-tier").exists());
    sandbox.write("multi-tier/form.yaml", "mine");
    sandbox
        .run(["tenant", "init", "multi-tier"])
        .fails(6, "E0602");
    let files = std::fs::read_dir(sandbox.folder().join("multi-tier")).expect("a folder");
    assert_eq!(files.count(), 1);
    sandbox
        .run(["tenant", "init", "multi-tier", "--name", "Not_A_Name"])
        .fails(2, "");
}
