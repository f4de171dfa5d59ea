//! `tenant plan|apply|prune`: rows of MariaDB, PostgreSQL and `SQLite` that become objects on a real API
//! server; every test has a namespace and a database of its own.

mod faults;
mod migrate;
mod policies;
mod rollout;
mod watch;

use std::{collections::BTreeSet, process::Command};

use serde_json::{Value, json};

use crate::support::{
    ApiServer, Place, Run,
    databases::{Database, Engine, PASSWORD},
};

/// A hub with two forms: settings with the plan, and an account.
const FORMS: &str = "apiVersion: operator.lynq.sh/v1
kind: LynqForm
metadata: {name: settings}
spec:
  hubId: shop
  configMaps:
    - id: settings
      nameTemplate: '{{ .uid }}-settings'
      spec: {apiVersion: v1, kind: ConfigMap, data: {plan: '{{ .plan }}'}}
---
apiVersion: operator.lynq.sh/v1
kind: LynqForm
metadata: {name: access}
spec:
  hubId: shop
  serviceAccounts:
    - id: account
      nameTemplate: '{{ .uid }}-account'
      spec: {apiVersion: v1, kind: ServiceAccount}
";

const TABLE: &str =
    "CREATE TABLE tenants (id VARCHAR(60), active VARCHAR(10), plan VARCHAR(60), seats INT)";

/// Rows in a database, and a namespace for what is made of them.
struct Tenants {
    place: Place,
    database: Database,
}

impl Tenants {
    /// With an empty table, and some forms.
    fn new(engine: Engine, forms: &str) -> Self {
        Self::at(Place::new(), engine, forms)
    }

    /// The same where workloads become ready.
    fn with_nodes(forms: &str) -> Self {
        Self::at(Place::with_nodes(), Engine::Sqlite, forms)
    }

    fn at(place: Place, engine: Engine, forms: &str) -> Self {
        let database = Database::new(engine, place.sandbox.folder());
        database.execute(TABLE);
        let tenants = Self { place, database };
        let hub = tenants
            .database
            .hub("tenants", "", "plan: plan, seats: seats");
        tenants.place.sandbox.write("crm/hub.yaml", hub);
        tenants.forms(forms);
        tenants
    }

    fn forms(&self, forms: &str) {
        self.place.sandbox.write("crm/forms.yaml", forms);
    }

    /// Adds active rows.
    fn insert(&self, rows: &[(&str, &str)]) {
        let rows = rows.iter().map(|(id, plan)| {
            let plan = plan.replace('\'', "''");
            format!("('{id}', '1', '{plan}', 5)")
        });
        let rows: Vec<String> = rows.collect();
        self.database
            .execute(&format!("INSERT INTO tenants VALUES {}", rows.join(", ")));
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.place
            .sandbox
            .finish(&mut self.command(arguments), None)
    }

    /// A command about the set, not started yet.
    fn command(&self, arguments: &[&str]) -> Command {
        let (verb, more) = arguments.split_first().expect("a verb");
        let sandbox = &self.place.sandbox;
        let mut command = sandbox.command(["tenant", verb, "crm"]);
        command
            .args(more)
            .args(["-n", &self.place.namespace, "--context", "sandbox"]);
        command.env("KUBECONFIG", &self.place.server.kubeconfig);
        command.env("DB_PASSWORD", PASSWORD);
        command
    }

    /// What was written in the namespace so far: verb, resource and name, subresources apart.
    fn writes(&self) -> Vec<String> {
        let mark = format!("/namespaces/{}/", self.place.namespace);
        let writes = self.place.server.writes().into_iter();
        let writes = writes.filter_map(|write| {
            let (verb, path) = write.split_once(' ')?;
            let (_, path) = path.split_once(&mark)?;
            let path = path.split('?').next().unwrap_or_default();
            Some(format!("{verb} {path}"))
        });
        writes.collect()
    }

    /// Plans, applies, and holds what was written against what was planned; a second run writes nothing.
    #[track_caller]
    fn step(&self, more: &[&str], expected: &[&str]) -> Run {
        let plan = self.run(&["plan", "-o", "json"]);
        let planned = actions(&plan);
        let is_same = planned
            .iter()
            .all(|action| action.starts_with("unchanged") || action.starts_with("skipped"));
        let plan = plan.ends(i32::from(!is_same));
        let changes: Vec<&String> = planned
            .iter()
            .filter(|action| !action.starts_with("unchanged"))
            .collect();
        assert_eq!(changes, expected, "{plan}");
        let before = self.writes().len();
        let mut arguments = vec!["apply", "--yes", "-o", "json"];
        arguments.extend(more);
        let done = self.run(&arguments).succeeds();
        assert_eq!(actions(&done), planned, "{plan}\n{done}");
        // Besides its members the set has an inventory, its revisions, and nothing else.
        let written: BTreeSet<String> = self.writes()[before..]
            .iter()
            .filter(|write| !write.contains(" secrets"))
            .cloned()
            .collect();
        let wanted: BTreeSet<String> = changes
            .iter()
            .filter_map(|action| {
                let (action, id) = action.split_once(' ').expect("an action");
                let verb = match action {
                    "created" | "configured" | "adopted" => "patch",
                    "pruned" => "delete",
                    _ => return None,
                };
                Some(format!("{verb} {id}"))
            })
            .collect();
        assert_eq!(written, wanted, "{done}");
        let before = self.writes();
        let again = self.run(&["apply", "-o", "json"]).succeeds();
        assert_eq!(self.writes(), before, "{again}");
        done
    }

    /// A value in an object.
    fn value(&self, kind: &str, name: &str, pointer: &str) -> Value {
        let object = self.place.kubectl(&["get", kind, name]);
        object.pointer(pointer).cloned().unwrap_or(Value::Null)
    }

    fn maps(&self) -> Vec<String> {
        self.place.names("configmap")
    }
}

/// What was done, or would be: `created configmaps/a`.
fn actions(run: &Run) -> Vec<String> {
    let resources = run.json()["resources"].as_array().cloned().expect("a list");
    let actions = resources.iter().map(|resource| {
        let text = |key: &str| resource[key].as_str().unwrap_or_default();
        format!(
            "{} {}s/{}",
            text("action"),
            text("kind").to_lowercase(),
            text("name")
        )
    });
    let mut actions: Vec<String> = actions.collect();
    actions.sort();
    actions
}

/// Counts of rows.
fn counts(run: &Run) -> [u64; 4] {
    let rows = &run.json()["rows"];
    ["read", "active", "inactive", "invalid"].map(|name| rows[name].as_u64().expect("a count"))
}

#[test]
fn tenant_plan_and_apply_follow_the_rows_on_every_engine() {
    for engine in Engine::ALL {
        println!("{engine:?}");
        let tenants = Tenants::new(engine, FORMS);
        tenants.insert(&[("acme", "free"), ("bolt", "big")]);
        // 2 rows × 2 forms.
        let done = tenants.step(
            &[],
            &[
                "created configmaps/acme-settings",
                "created configmaps/bolt-settings",
                "created serviceaccounts/acme-account",
                "created serviceaccounts/bolt-account",
            ],
        );
        assert_eq!(counts(&done), [2, 2, 0, 0], "{done}");
        assert_eq!(done.json()["summary"]["created"], 4, "{done}");
        let set = |statement: &str| tenants.database.execute(statement);
        // Change a column.
        set("UPDATE tenants SET plan = 'huge' WHERE id = 'bolt'");
        tenants.step(&[], &["configured configmaps/bolt-settings"]);
        assert_eq!(
            tenants.value("configmap", "bolt-settings", "/data/plan"),
            "huge"
        );
        // Deactivate.
        set("UPDATE tenants SET active = '0' WHERE id = 'bolt'");
        let gone = [
            "pruned configmaps/bolt-settings",
            "pruned serviceaccounts/bolt-account",
        ];
        let done = tenants.step(&[], &gone);
        assert_eq!(counts(&done), [2, 1, 1, 0], "{done}");
        assert_eq!(tenants.maps(), ["acme-settings"]);
        // Reactivate.
        set("UPDATE tenants SET active = 'yes' WHERE id = 'bolt'");
        let back = [
            "created configmaps/bolt-settings",
            "created serviceaccounts/bolt-account",
        ];
        tenants.step(&[], &back);
        // Delete.
        set("DELETE FROM tenants WHERE id = 'bolt'");
        let done = tenants.step(&[], &gone);
        assert_eq!(counts(&done), [1, 1, 0, 0], "{done}");
        assert_eq!(tenants.maps(), ["acme-settings"]);
    }
}

#[test]
fn only_the_listed_texts_switch_a_row_on_on_every_engine() {
    let texts = [
        "1", "true", "TRUE", "True", "yes", "YES", "Yes", // On.
        "0", "false", "", "on", "t", "Y", "active", "2", " 1", "no",
    ];
    for engine in Engine::ALL {
        println!("{engine:?}");
        let tenants = Tenants::new(engine, FORMS);
        let rows = texts.iter().enumerate();
        let rows: Vec<String> = rows
            .map(|(number, text)| format!("('row-{number:02}', '{text}', 'x', 1)"))
            .chain(["('row-null', NULL, 'x', 1)".to_owned()])
            .collect();
        let rows = rows.join(", ");
        tenants
            .database
            .execute(&format!("INSERT INTO tenants VALUES {rows}"));
        let done = tenants.run(&["apply", "-o", "json"]).succeeds();
        assert_eq!(counts(&done), [18, 7, 11, 0], "{done}");
        let expected: Vec<String> = (0..7)
            .map(|number| format!("row-{number:02}-settings"))
            .collect();
        assert_eq!(tenants.maps(), expected);
    }
}

#[test]
fn a_value_with_actions_arrives_as_these_characters() {
    for engine in Engine::ALL {
        let tenants = Tenants::new(engine, FORMS);
        let evil = "{{ .uid }}{{ fail \"x\" }} {{ 'é' }}";
        tenants.insert(&[("acme", evil)]);
        tenants.run(&["apply"]).succeeds();
        assert_eq!(
            tenants.value("configmap", "acme-settings", "/data/plan"),
            evil
        );
        tenants.run(&["plan"]).ends(0);
    }
}

#[test]
fn an_emptied_table_deletes_nothing_unless_that_is_allowed() {
    for engine in Engine::ALL {
        println!("{engine:?}");
        let tenants = Tenants::new(engine, FORMS);
        tenants.insert(&[("acme", "free"), ("bolt", "big"), ("crux", "big")]);
        tenants.run(&["apply"]).succeeds();
        let all = tenants.maps();
        // Two of three are more than a tenth, and more than one.
        tenants
            .database
            .execute("DELETE FROM tenants WHERE id <> 'acme'");
        for verb in ["apply", "prune"] {
            let refused = tenants.run(&[verb, "--yes"]).fails(12, "E0712");
            assert!(refused.stderr.contains("2 of 3 rows"), "{refused}");
            assert!(refused.stderr.contains("--max-delete 2"), "{refused}");
        }
        tenants.database.execute("DELETE FROM tenants");
        let before = tenants.writes();
        let refused = tenants.run(&["apply", "--yes"]).fails(12, "E0712");
        assert!(refused.stderr.contains("no active row"), "{refused}");
        tenants
            .run(&["apply", "--yes", "--max-delete", "2"])
            .fails(12, "E0712");
        tenants
            .run(&["apply", "--yes", "--max-delete", "50%"])
            .fails(12, "E0712");
        assert_eq!(tenants.maps(), all);
        assert_eq!(tenants.writes(), before);
        tenants
            .run(&["apply", "--yes", "--max-delete", "100%"])
            .succeeds();
        assert_eq!(tenants.maps(), [""; 0]);
        assert_eq!(tenants.place.names("serviceaccount"), [""; 0]);
    }
}

#[test]
fn zero_rows_need_consent_however_few_there_were() {
    let tenants = Tenants::new(Engine::Sqlite, FORMS);
    tenants.insert(&[("acme", "free")]);
    tenants.run(&["apply"]).succeeds();
    tenants.database.execute("UPDATE tenants SET active = '0'");
    tenants.run(&["apply", "--yes"]).fails(12, "E0712");
    tenants
        .run(&["apply", "--yes", "--max-delete", "1"])
        .succeeds();
    assert_eq!(tenants.maps(), [""; 0]);
}

#[test]
fn tenant_prune_removes_and_writes_nothing_else() {
    let tenants = Tenants::new(Engine::Sqlite, FORMS);
    tenants.insert(&[("acme", "free"), ("bolt", "big")]);
    tenants.run(&["apply"]).succeeds();
    tenants
        .database
        .execute("DELETE FROM tenants WHERE id = 'bolt'");
    tenants.database.execute("UPDATE tenants SET plan = 'huge'");
    tenants.insert(&[("crux", "new")]);
    let dry = tenants
        .run(&["prune", "--dry-run=client", "-o", "json"])
        .succeeds();
    assert_eq!(tenants.maps(), ["acme-settings", "bolt-settings"]);
    let done = tenants.run(&["prune", "--yes", "-o", "json"]).succeeds();
    assert_eq!(actions(&dry), actions(&done), "{done}");
    assert_eq!(done.json()["summary"]["pruned"], 2, "{done}");
    assert_eq!(tenants.maps(), ["acme-settings"]);
    assert_eq!(
        tenants.value("configmap", "acme-settings", "/data/plan"),
        "free"
    );
    // What was left alone is there to be done.
    tenants.step(
        &[],
        &[
            "configured configmaps/acme-settings",
            "created configmaps/crux-settings",
            "created serviceaccounts/crux-account",
        ],
    );
}

#[test]
fn a_saved_plan_is_done_exactly_or_not_at_all() {
    let tenants = Tenants::new(Engine::Sqlite, FORMS);
    tenants.insert(&[("acme", "free")]);
    let plan = tenants.run(&["plan", "-o", "json"]).ends(1);
    tenants.place.sandbox.write("plan.json", &plan.stdout);
    tenants.insert(&[("bolt", "late")]);
    tenants
        .run(&["apply", "--plan", "plan.json"])
        .fails(6, "E0514");
    assert_eq!(tenants.maps(), [""; 0]);
    tenants
        .database
        .execute("DELETE FROM tenants WHERE id = 'bolt'");
    tenants.run(&["apply", "--plan", "plan.json"]).succeeds();
    assert_eq!(tenants.maps(), ["acme-settings"]);
}

#[test]
fn what_a_cluster_holds_of_rows_is_told_by_the_name_of_the_hub_alone() {
    let tenants = Tenants::with_nodes(FORMS);
    tenants.insert(&[("acme", "free"), ("bolt", "big")]);
    tenants.run(&["apply"]).succeeds();
    let place = &tenants.place;
    let other = crate::support::Sandbox::new();
    let ask = |arguments: &[&str]| {
        let mut command = other.command(["tenant"].iter().chain(arguments));
        command.args(["-n", &place.namespace, "--context", "sandbox"]);
        command.env("KUBECONFIG", &place.server.kubeconfig);
        other.finish(&mut command, None)
    };
    let list = ask(&["list", "-o", "json"]).succeeds();
    let mut items = list.json()["items"].clone();
    assert_eq!(items.as_array().map(Vec::len), Some(1), "{list}");
    items[0]["context"] = json!("");
    items[0]["inventory"] = json!("");
    let hub = json!({
        "hub": "shop", "context": "", "namespace": place.namespace, "inventory": "", "rows": 2,
        "forms": ["access", "settings"], "objects": 4, "revision": 1,
    });
    assert_eq!(items[0], hub, "{list}");
    // Another set of the namespace is none of rows.
    place.write(&[json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "plain"}, "data": {"k": "v"},
    })]);
    place.run(&["deploy", "app.yaml"]).succeeds();
    assert_eq!(ask(&["list", "-o", "name"]).succeeds().stdout, "hub/shop\n");

    let node = |row: &str, form: &str, counts: [u64; 3], state: &str, reason: &str| {
        let [desired, ready, failed] = counts;
        json!({
            "row": row, "form": form, "state": state, "reason": reason,
            "counts": [desired, ready, failed],
        })
    };
    let nodes = |run: &Run| {
        let nodes = run.json()["nodes"]
            .as_array()
            .cloned()
            .expect("a list")
            .into_iter();
        let nodes = nodes.map(|node| {
            let conditions = node["conditions"].as_array().cloned().unwrap_or_default();
            let ready = conditions.iter().find(|one| one["type"] == "Ready");
            let state = ready.map_or(Value::Null, |ready| ready["reason"].clone());
            json!({
                "row": node["row"], "form": node["form"], "state": state,
                "reason": node["reason"].as_str().unwrap_or_default(),
                "counts": [node["desired"], node["ready"], node["failed"]],
            })
        });
        nodes.collect::<Vec<_>>()
    };
    let fine = |row: &str, form: &str| node(row, form, [1, 1, 0], "Reconciled", "");
    let status = ask(&["status", "shop", "-o", "json"]).succeeds();
    let all = [
        fine("acme", "access"),
        fine("acme", "settings"),
        fine("bolt", "access"),
        fine("bolt", "settings"),
    ];
    assert_eq!(nodes(&status), all, "{status}");
    assert_eq!(status.json()["ready"], true, "{status}");
    place.change(&["delete", "configmap", "bolt-settings"], "");
    let status = ask(&["status", "shop", "-o", "json"]).succeeds();
    let missing = node(
        "bolt",
        "settings",
        [1, 0, 1],
        "ResourcesFailed",
        "it is not there",
    );
    assert_eq!(nodes(&status)[3], missing, "{status}");
    assert_eq!(status.json()["ready"], false, "{status}");
    let shown = ask(&["status", "shop"]).succeeds();
    assert!(
        shown
            .stderr
            .contains("shop: 3 ready of 4 nodes; revision 1, deployed"),
        "{shown}"
    );

    let view = ask(&["view", "shop", "bolt", "-o", "json"]).succeeds();
    assert_eq!(nodes(&view), [fine("bolt", "access"), missing], "{view}");
    let ids: Vec<Value> = view.json()["resources"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["name"].clone())
        .collect();
    assert_eq!(ids, ["bolt-settings", "bolt-account"], "{view}");
    let run = ask(&["view", "shop", "bold"]).fails(5, "E0713");
    assert!(run.stderr.contains("did you mean \"bolt\"?"), "{run}");

    let history = ask(&["history", "shop", "-o", "json"]).succeeds();
    assert_eq!(
        history.json()["items"][0]["outcome"],
        json!("deployed"),
        "{history}"
    );
    // A design of the same name is another set.
    place.run(&["status", "shop"]).fails(5, "E0517");
}

#[test]
fn events_of_a_row_are_those_of_its_objects() {
    let entry = "{id: web, nameTemplate: '{{ .uid }}', spec: {apiVersion: apps/v1, kind: Deployment, spec: {\
                 selector: {matchLabels: {row: '{{ .uid }}'}}, template: {metadata: {labels: {row: '{{ .uid }}'}}, \
                 spec: {containers: [{name: web, image: 'example.invalid/web:1'}]}}}}}";
    let form = format!(
        "apiVersion: operator.lynq.sh/v1\nkind: LynqForm\nmetadata: {{name: web}}\nspec:\n  hubId: shop\n  \
         deployments:\n    - {entry}\n"
    );
    let tenants = Tenants::with_nodes(&form);
    tenants.insert(&[("acme", "free"), ("bolt", "big")]);
    tenants.run(&["apply"]).succeeds();
    let sandbox = &tenants.place.sandbox;
    let mut command = sandbox.command(["tenant", "view", "shop", "acme", "-o", "json"]);
    command.args(["-n", &tenants.place.namespace, "--context", "sandbox"]);
    command.env("KUBECONFIG", &tenants.place.server.kubeconfig);
    let view = sandbox.finish(&mut command, None).succeeds();
    let events = view.json()["events"].as_array().cloned().expect("a list");
    assert!(!events.is_empty(), "{view}");
    let is_of_row = |event: &Value| {
        event["object"]
            .as_str()
            .is_some_and(|name| name.starts_with("acme"))
    };
    assert!(events.iter().all(is_of_row), "{view}");
}

#[test]
fn tenant_render_shows_the_objects_of_rows_and_asks_no_cluster() {
    for engine in Engine::ALL {
        println!("{engine:?}");
        let tenants = Tenants::new(engine, FORMS);
        tenants.insert(&[("acme", "{{ .uid }}"), ("bolt", "big"), ("Not A Name", "x")]);
        let render = |more: &[&str]| {
            let sandbox = &tenants.place.sandbox;
            let mut command = sandbox.command(["tenant", "render", "crm"]);
            command.args(more).env("DB_PASSWORD", PASSWORD);
            sandbox.finish(&mut command, None)
        };
        let run = render(&["--row", "acme"]).succeeds();
        let objects = crate::support::tools::objects(&run.stdout);
        let names: Vec<&Value> = objects.iter().map(|o| &o["metadata"]["name"]).collect();
        assert_eq!(names, ["acme-settings", "acme-account"], "{run}");
        assert_eq!(objects[0]["data"]["plan"], "{{ .uid }}", "{run}");
        // What can't be made is named, and the rest is there.
        let run = render(&["-o", "json"]).fails(10, "E0711");
        let json = run.json();
        assert_eq!(json["items"].as_array().map(Vec::len), Some(4), "{run}");
        assert_eq!(json["problems"][0]["row"], "Not A Name", "{run}");
        let run = render(&["--row", "acne"]).fails(5, "E0713");
        assert!(run.stderr.contains("did you mean \"acme\"?"), "{run}");
        tenants.run(&["render", "--hub", "ship"]).fails(5, "E0713");
    }
}

#[test]
fn tenant_render_masks_secrets_unless_asked_not_to() {
    let form = "apiVersion: operator.lynq.sh/v1\nkind: LynqForm\nmetadata: {name: keys}\nspec:\n  hubId: shop\n  secrets:\n    \
                - {id: key, nameTemplate: '{{ .uid }}', spec: {apiVersion: v1, kind: Secret, stringData: {key: '{{ .plan }}'}}}\n";
    let tenants = Tenants::new(Engine::Sqlite, form);
    tenants.insert(&[("acme", "hunter2")]);
    let run = tenants.run(&["render", "-o", "json"]).succeeds();
    assert!(!run.stdout.contains("aHVudGVyMg"), "{run}");
    assert_eq!(run.json()["masked"], true, "{run}");
    let plan = tenants.run(&["plan", "-o", "json"]).ends(1);
    assert!(!plan.stdout.contains("aHVudGVyMg"), "{plan}");
    let run = tenants.run(&["render", "--include-secrets"]).succeeds();
    assert!(run.stdout.contains("aHVudGVyMg=="), "{run}");
}

/// Defines the operator's kinds, under the new and the old names, and gives objects of them.
fn define_operators_kinds(server: &ApiServer) {
    let kinds = [
        ("operator.lynq.sh", "LynqHub", "lynqhubs"),
        ("operator.lynq.sh", "LynqForm", "lynqforms"),
        ("operator.lynq.sh", "LynqNode", "lynqnodes"),
        (
            "operator.kubernetes-tenants.org",
            "TenantRegistry",
            "tenantregistries",
        ),
        (
            "operator.kubernetes-tenants.org",
            "TenantTemplate",
            "tenanttemplates",
        ),
        ("operator.kubernetes-tenants.org", "Tenant", "tenants"),
    ];
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let definitions = kinds.map(|(group, kind, plural)| {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}")},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase(), "listKind": format!("{kind}List")},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema, "subresources": {"status": {}}}],
            },
        })
        .to_string()
    });
    server.kubectl(&["apply", "-f", "-"], &definitions.join("\n---\n"));
    for (group, _, plural) in kinds {
        let name = format!("crd/{plural}.{group}");
        server.kubectl(&["wait", "--for=condition=Established", &name], "");
    }
}

#[test]
fn hubs_and_forms_are_read_from_a_cluster_under_both_names_and_never_written() {
    // Whether these kinds exist changes what other tests see.
    let server: &'static ApiServer = Box::leak(Box::new(ApiServer::own()));
    let place = Place::on(server);
    let run = |arguments: &[&str]| {
        let mut command = place.sandbox.command(["tenant"].iter().chain(arguments));
        command.args(["-n", &place.namespace, "--context", "sandbox"]);
        command.env("KUBECONFIG", &place.server.kubeconfig);
        place.sandbox.finish(&mut command, None)
    };
    let refused = run(&["plan", "--from-cluster"]).fails(10, "E0106");
    assert!(refused.stderr.contains("LynqHub"), "{refused}");
    define_operators_kinds(server);
    let database = Database::new(Engine::PostgreSql, place.sandbox.folder());
    database.execute(TABLE);
    database.execute("INSERT INTO tenants VALUES ('acme', '1', 'big', 5)");
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: db}}\nstringData: {{password: {PASSWORD}}}\n"
    );
    place.change(&["apply", "-f", "-"], &secret);
    let hub = database.hub(
        "tenants",
        "passwordRef: {name: db, key: password}",
        "plan: plan",
    );
    for (hub, forms) in [
        (hub.clone(), FORMS.to_owned()),
        (
            hub.replace("operator.lynq.sh", "operator.kubernetes-tenants.org")
                .replace("LynqHub", "TenantRegistry")
                .replace("name: shop", "name: old"),
            FORMS
                .replace("operator.lynq.sh", "operator.kubernetes-tenants.org")
                .replace("LynqForm", "TenantTemplate")
                .replace("hubId: shop", "registryId: old")
                .replace(".uid }}-", ".uid }}-old-"),
        ),
    ] {
        place.change(&["apply", "-f", "-"], &hub);
        place.change(&["apply", "-f", "-"], &forms);
    }
    run(&["plan", "--from-cluster"]).fails(2, "E0002");
    let before = server.writes().len();
    let test = run(&["test-connection", "--from-cluster", "-o", "json"]).succeeds();
    assert_eq!(
        test.json()["items"].as_array().map(Vec::len),
        Some(2),
        "{test}"
    );
    run(&["lint", "--from-cluster", "--hub", "shop"]).succeeds();
    let plan = run(&["plan", "--from-cluster", "--hub", "old", "-o", "json"]).ends(1);
    assert_eq!(plan.json()["summary"]["created"], 2, "{plan}");
    assert_eq!(server.writes().len(), before);
    for hub in ["shop", "old"] {
        run(&["apply", "--from-cluster", "--hub", hub]).succeeds();
    }
    assert_eq!(
        place.names("configmap"),
        ["acme-old-settings", "acme-settings"]
    );
    let forms = place.kubectl(&["get", "lynqforms.operator.lynq.sh"]);
    let kept = forms["items"][0]["metadata"]["generation"].clone();
    assert_eq!(kept, 1);
    run(&["plan", "./crm", "--from-cluster"]).fails(2, "E0002");
}
