//! Walks the command tree: whatever a user can type is covered the day it appears. A leaf needs
//! a fixture below, and nothing else; the rules come from `cli-conventions.md` §14.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::{Mutex, OnceLock},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{
    ApiServer, Run, SHOP, Sandbox, WEFTCTL,
    databases::{Database, Engine},
};

/// How to call a command so that it does its work.
struct Fixture {
    /// Noun and verb.
    name: &'static str,
    /// Arguments and flags; `$OPERATION` stands for the id of an operation.
    arguments: &'static [&'static str],
    /// The exit code: 1 for a predicate whose answer is no here.
    exit: i32,
    /// What it needs beside the stored designs.
    needs: Needs,
    /// What is run before.
    setup: &'static [&'static str],
    /// Whether two runs rightly differ, because of process ids and ports.
    volatile: bool,
    /// Whether it changes something, here or elsewhere.
    changes: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Server,
    Cluster,
}

const FIXTURES: &[Fixture] = &[
    fixture("design import", &["shop.yaml", "--name", "imported"]).changes(),
    fixture("design list", &[]),
    fixture("design search", &["shop"]),
    fixture("design view", &["shop"]),
    fixture("design validate", &["shop.yaml"]),
    fixture(
        "design diff",
        &["changed/settings.yaml", "--context", "sandbox"],
    )
    .with(Needs::Cluster)
    .ends(1),
    fixture("design deploy", &["shop.yaml", "--dry-run=client"]).changes(),
    fixture("design plan", &["settings.yaml", "--context", "sandbox"]).with(Needs::Cluster),
    fixture("design status", &["settings", "--context", "sandbox"]).with(Needs::Cluster),
    fixture("design history", &["settings", "--context", "sandbox"]).with(Needs::Cluster),
    fixture("design events", &["settings", "--context", "sandbox"]).with(Needs::Cluster),
    fixture("design logs", &["settings", "--context", "sandbox"]).with(Needs::Cluster),
    // What these do for good is shown where each has a namespace of its own.
    fixture(
        "design rollback",
        &[
            "settings",
            "--to",
            "1",
            "--context",
            "sandbox",
            "--dry-run=client",
        ],
    )
    .with(Needs::Cluster)
    .changes(),
    fixture(
        "design undeploy",
        &["settings", "--context", "sandbox", "--dry-run=client"],
    )
    .with(Needs::Cluster)
    .changes(),
    fixture(
        "design release",
        &["settings", "--context", "sandbox", "--dry-run=client"],
    )
    .with(Needs::Cluster)
    .changes(),
    fixture("design render", &["shop"]),
    fixture("design export", &["shop", "--to", "exported.yaml"]).changes(),
    fixture("design delete", &["spare", "--yes"]).changes(),
    fixture(
        "model generate kubernetes",
        &["--context", "sandbox", "--to", "generated.model.gz"],
    )
    .with(Needs::Cluster)
    .changes(),
    fixture("model validate", &["./acme-queue"]),
    fixture("tenant test-connection", &["hub.yaml"]).volatile(),
    fixture("tenant init", &["multi-tier"]).changes(),
    fixture("tenant export", &["alerts", "--to", "alerts.yaml"]).changes(),
    fixture("tenant lint", &["./crm"]),
    fixture("tenant render", &["./crm"]),
    fixture("tenant plan", &["./crm", "--context", "sandbox"]).with(Needs::Cluster),
    fixture(
        "tenant apply",
        &["./crm", "--context", "sandbox", "--dry-run=client"],
    )
    .with(Needs::Cluster)
    .changes(),
    fixture(
        "tenant prune",
        &["./crm", "--context", "sandbox", "--dry-run=client"],
    )
    .with(Needs::Cluster)
    .changes(),
    fixture(
        "tenant watch",
        &[
            "./crm",
            "--context",
            "sandbox",
            "--passes",
            "1",
            "--dry-run=client",
        ],
    )
    .with(Needs::Cluster)
    .changes()
    .volatile(),
    fixture(
        "tenant migrate",
        &["./crm", "--context", "sandbox", "--dry-run=client"],
    )
    .with(Needs::Cluster)
    .changes(),
    fixture("tenant list", &["--context", "sandbox"]).with(Needs::Cluster),
    fixture("tenant view", &["shop", "acme", "--context", "sandbox"]).with(Needs::Cluster),
    fixture("tenant status", &["shop", "--context", "sandbox"]).with(Needs::Cluster),
    fixture("tenant history", &["shop", "--context", "sandbox"]).with(Needs::Cluster),
    fixture("system start", &["--listen", "127.0.0.1:0"])
        .changes()
        .volatile(),
    fixture("system stop", &[])
        .with(Needs::Server)
        .changes()
        .volatile(),
    fixture("system restart", &["--listen", "127.0.0.1:0"])
        .with(Needs::Server)
        .changes()
        .volatile(),
    fixture("system status", &[]).with(Needs::Server).volatile(),
    fixture("system logs", &[]).with(Needs::Server).volatile(),
    fixture("system check", &["--offline"]),
    fixture("system context create", &["fresh", "--namespace", "shop"]).changes(),
    fixture("system context list", &[]),
    fixture("system context view", &["staging"]),
    fixture("system context switch", &["staging"]).changes(),
    fixture("system context delete", &["spare", "--confirm", "spare"]).changes(),
    fixture("system store check", &[]),
    fixture("system store backup", &["--to", "copy.db"])
        .changes()
        .volatile(),
    fixture("system store recover", &["--yes"])
        .after(&["system", "store", "backup", "--to", "weft-backup.db"])
        .changes()
        .volatile(),
    fixture("system operation list", &[]),
    fixture("system operation view", &["$OPERATION"]),
    fixture("system operation cancel", &["$OPERATION"]).changes(),
    fixture("config view", &["--show-origin"]).volatile(),
    fixture("config set", &["request-timeout", "30s"]).changes(),
    fixture("schema list", &[]),
    fixture("schema print", &["DesignList"]),
    fixture("explain", &["E0100"]),
    fixture("completion", &["bash"]),
    fixture("doctor", &["--offline"]),
    fixture("version", &[]),
    fixture("help", &["exit-codes"]),
];

const fn fixture(name: &'static str, arguments: &'static [&'static str]) -> Fixture {
    Fixture {
        name,
        arguments,
        exit: 0,
        needs: Needs::Nothing,
        setup: &[],
        volatile: false,
        changes: false,
    }
}

impl Fixture {
    const fn ends(mut self, exit: i32) -> Self {
        self.exit = exit;
        self
    }

    const fn with(mut self, needs: Needs) -> Self {
        self.needs = needs;
        self
    }

    const fn after(mut self, setup: &'static [&'static str]) -> Self {
        self.setup = setup;
        self
    }

    const fn changes(mut self) -> Self {
        self.changes = true;
        self
    }

    const fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    fn of(name: &str) -> &'static Self {
        FIXTURES
            .iter()
            .find(|fixture| fixture.name == name)
            .unwrap_or_else(|| {
                panic!(
                    "the command `weftctl {name}` has no fixture: add to FIXTURES in \
                     tests/all/harness.rs how it is called successfully"
                )
            })
    }

    /// The whole command line.
    fn line(&self, more: &[&str]) -> Vec<String> {
        let words = self.name.split(' ').chain(self.arguments.iter().copied());
        let words = words.map(|word| match word {
            "$OPERATION" => operation().to_owned(),
            word => word.to_owned(),
        });
        words.chain(more.iter().map(|m| (*m).to_owned())).collect()
    }

    /// The command line that changes nothing.
    fn reading(&self) -> Vec<String> {
        const DRY_RUN: &[&str] = &["--dry-run=client"];
        let needed = self.changes && !self.arguments.contains(&DRY_RUN[0]);
        self.line(if needed { DRY_RUN } else { &[] })
    }

    /// A sandbox in which the command succeeds.
    fn prepare(&self) -> Sandbox {
        self.prepare_in(template())
    }

    fn prepare_in(&self, template: &Sandbox) -> Sandbox {
        let sandbox = template.copy();
        if !self.setup.is_empty() {
            sandbox.run(self.setup).succeeds();
        }
        if self.needs == Needs::Server {
            sandbox.start_server();
        }
        sandbox
    }

    fn command(&self, sandbox: &Sandbox, more: &[&str]) -> Command {
        let mut command = sandbox.command(self.line(more));
        self.surround(&mut command);
        command
    }

    /// The environment: nothing random, no port that another test has, a cluster where one is needed.
    fn surround(&self, command: &mut Command) {
        command
            .env("WEFT_TEST_SEED", "7")
            .env("WEFT_LISTEN", "127.0.0.1:0")
            .env("OPERATION", operation());
        if self.needs == Needs::Cluster {
            let server = deployed();
            assert!(self.arguments.contains(&server.context));
            command.env("KUBECONFIG", &server.kubeconfig);
        }
    }

    fn run(&self, sandbox: &Sandbox, more: &[&str]) -> Run {
        sandbox.finish(&mut self.command(sandbox, more), None)
    }
}

/// What a row of the hub becomes.
const FORM: &str = "apiVersion: operator.lynq.sh/v1
kind: LynqForm
metadata: {name: settings}
spec:
  hubId: shop
  configMaps:
    - id: settings
      nameTemplate: '{{ .uid }}-settings'
      spec: {apiVersion: v1, kind: ConfigMap, data: {of: '{{ .uid }}'}}
";

/// What every command finds: designs in two versions, contexts, files.
fn template() -> &'static Sandbox {
    static TEMPLATE: OnceLock<Sandbox> = OnceLock::new();
    TEMPLATE.get_or_init(|| stocked(SHOP))
}

fn stocked(shop: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("shop.yaml", shop.replace("web:1.4.2", "web:1.4.1"));
    sandbox.run(["design", "import", "shop.yaml"]).succeeds();
    sandbox.write("shop.yaml", shop);
    sandbox.write("manifests/all.yaml", shop);
    sandbox.write("settings.yaml", SETTINGS);
    let rows = Database::new(Engine::Sqlite, sandbox.folder());
    rows.execute(
        "CREATE TABLE tenants (id TEXT, active INT); INSERT INTO tenants VALUES ('delta', 1), ('acme', 1)",
    );
    let hub = rows.hub("tenants", "", "");
    let hub = hub.replace(&rows.name, "rows.db");
    let beside = hub.replace("rows.db", "../rows.db");
    sandbox.write("crm/tenants.yaml", format!("{beside}---\n{FORM}"));
    sandbox.write("hub.yaml", hub);
    crate::model::write_acme_queue(&sandbox);
    sandbox.write("changed/settings.yaml", SETTINGS.replace("old", "new"));
    sandbox.run(["design", "import", "shop.yaml"]).succeeds();
    sandbox
        .run(["design", "import", "manifests/all.yaml", "--name", "spare"])
        .succeeds();
    for name in ["staging", "spare"] {
        sandbox
            .run(["system", "context", "create", name, "--namespace", "shop"])
            .succeeds();
    }
    sandbox
}

/// Deploys what the commands about deployed designs are about, once; nothing of it changes then.
pub fn deployed() -> &'static ApiServer {
    static DEPLOYED: OnceLock<Sandbox> = OnceLock::new();
    let server = ApiServer::with_nodes();
    DEPLOYED.get_or_init(|| {
        let log = server.folder.join("logs/delta/current");
        let line = "2026-01-01T00:00:00.000000000Z stdout F hello\n";
        std::fs::write(log, line).expect("a log");
        let sandbox = stocked(SHOP);
        for file in ["settings.yaml", "shop.yaml"] {
            sandbox.write(
                file,
                SETTINGS.replace("settings", file.trim_end_matches(".yaml")),
            );
            let deploy = ["design", "deploy", file, "--context", "sandbox", "--wait"];
            let mut command = sandbox.command(deploy);
            command.env("KUBECONFIG", &server.kubeconfig);
            sandbox.finish(&mut command, None).succeeds();
        }
        let mut command = sandbox.command(["tenant", "apply", "./crm", "--context", "sandbox"]);
        command.env("KUBECONFIG", &server.kubeconfig);
        sandbox.finish(&mut command, None).succeeds();
        sandbox
    });
    server
}

const SETTINGS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings-a}\n---\n\
                        apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings-b}\ndata: {key: old}\n---\n\
                        apiVersion: v1\nkind: Pod\nmetadata: {name: settings}\n\
                        spec: {containers: [{name: delta, image: x}]}\n";

/// The id of an operation that the template's store knows.
fn operation() -> &'static str {
    static OPERATION: OnceLock<String> = OnceLock::new();
    OPERATION.get_or_init(|| {
        let list = template()
            .run(["system", "operation", "list", "-o", "json"])
            .succeeds()
            .json();
        list["items"][0]["id"].as_str().expect("an id").to_owned()
    })
}

/// The leaves of the command tree, by name.
fn leaves() -> Vec<(String, clap::Command)> {
    fn visit(command: &clap::Command, above: &str, found: &mut Vec<(String, clap::Command)>) {
        for below in command.get_subcommands() {
            let name = format!("{above} {}", below.get_name());
            let name = name.trim().to_owned();
            if below.has_subcommands() {
                visit(below, &name, found);
            } else {
                found.push((name, below.clone()));
            }
        }
    }
    let mut root = weftctl::cli::command();
    root.build();
    let mut found = Vec::new();
    visit(&root, "", &mut found);
    found
}

/// Does something for every leaf, four at a time, and lists what went wrong at the end.
fn for_every_leaf(work: impl Fn(&Fixture, &clap::Command) + Sync) {
    let leaves = Mutex::new(leaves().into_iter());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let next = leaves.lock().expect("no panic").next();
                    let Some((name, command)) = next else { break };
                    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        work(Fixture::of(&name), &command);
                    }));
                    if done.is_err() {
                        failed.lock().expect("no panic").push(name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no panic");
    assert!(failed.is_empty(), "see above; failed for: {failed:?}");
}

#[test]
fn every_command_has_a_fixture_and_every_fixture_a_command() {
    let leaves: BTreeSet<String> = leaves().into_iter().map(|(name, _)| name).collect();
    for name in &leaves {
        Fixture::of(name);
    }
    for fixture in FIXTURES {
        assert!(
            leaves.contains(fixture.name),
            "the fixture {:?} has no command",
            fixture.name
        );
    }
}

/// A command line of every command that only looks; of the others a dry run. For the tests that
/// compare what is printed here and over a server.
pub fn reads() -> Vec<Vec<String>> {
    leaves()
        .into_iter()
        .map(|(name, _)| Fixture::of(&name))
        .filter(|fixture| !fixture.volatile || !fixture.changes)
        .map(Fixture::reading)
        .collect()
}

/// A sandbox in which these succeed.
pub fn read_sandbox() -> Sandbox {
    template().copy()
}

// Dry runs

/// Every file below a folder, with its mode.
fn files(folder: &Path) -> BTreeMap<String, (Vec<u8>, Option<u32>)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        }
        let mode = std::fs::metadata(&path).expect("an entry").permissions();
        #[cfg(unix)]
        let mode = Some(std::os::unix::fs::PermissionsExt::mode(&mode));
        #[cfg(not(unix))]
        let mode = mode.readonly().then_some(0);
        let bytes = std::fs::read(&path).unwrap_or_default();
        found.insert(path.display().to_string(), (bytes, mode));
    }
    found
}

#[test]
fn every_dry_run_leaves_everything_as_it_is() {
    for_every_leaf(|fixture, command| {
        let has = command
            .get_arguments()
            .any(|arg| arg.get_long() == Some("dry-run"));
        assert_eq!(
            has, fixture.changes,
            "{}: what changes something has --dry-run, and nothing else",
            fixture.name
        );
        if !has {
            return;
        }
        let sandbox = fixture.prepare();
        let before = files(sandbox.folder());
        for format in ["table", "json"] {
            let mut command = sandbox.command(fixture.reading());
            fixture.surround(&mut command);
            let run = sandbox.finish(command.args(["-o", format]), None);
            let run = run.succeeds();
            if format == "json" {
                let result = run.json();
                check_schema(fixture, &result);
                assert!(
                    result.get("action").is_none() || result["dryRun"] == true,
                    "{run}"
                );
            } else {
                let said = format!("{}{}", run.stdout, run.stderr);
                assert!(said.contains("(dry run)"), "{run}");
            }
        }
        let after = files(sandbox.folder());
        for (path, file) in &after {
            assert!(before.get(path) == Some(file), "{}: {path}", fixture.name);
        }
        assert_eq!(before.len(), after.len(), "{}", fixture.name);
    });
}

#[test]
fn every_change_says_what_it_did_and_why() {
    const ACTIONS: &[&str] = &[
        "created",
        "configured",
        "unchanged",
        "replaced",
        "pruned",
        "released",
        "skipped",
        "failed",
        "deleted",
    ];
    for_every_leaf(|fixture, _| {
        // What is done to sets is said by their own tests.
        let is_set = ["design ", "tenant "]
            .iter()
            .any(|noun| fixture.name.starts_with(noun));
        if !fixture.changes || is_set {
            return;
        }
        let sandbox = fixture.prepare();
        let run = fixture.run(&sandbox, &["-o", "json"]).ends(fixture.exit);
        let result = run.json();
        let action = result["action"].as_str().unwrap_or_default();
        assert!(ACTIONS.contains(&action), "{run}");
        assert!(
            result["reason"].as_str().is_some_and(|r| !r.is_empty()),
            "{run}"
        );
        assert_eq!(result["dryRun"], false, "{run}");
    });
}

// Servers

/// What tells the same wherever it runs, and what tells who answers.
const ASKS_NOBODY: &[&str] = &[
    "schema list",
    "schema print",
    "explain",
    "completion",
    "help",
    "version",
    "doctor",
    "system check",
];

#[test]
fn every_command_uses_the_server_that_is_chosen_or_refuses_the_flag() {
    for_every_leaf(|fixture, _| {
        if ASKS_NOBODY.contains(&fixture.name) {
            return;
        }
        let sandbox = template().copy();
        // Nobody listens there.
        let run = fixture.run(&sandbox, &["--server", "http://127.0.0.1:1"]);
        let refused = run.stderr.contains("acts on this machine only");
        match run.code {
            Some(2) if refused => {}
            Some(8) if run.stderr.contains("E0400") => {}
            _ => panic!("it runs somewhere else: {run}"),
        }
    });
}

// Formats

const FORMATS: &[&str] = &[
    "table",
    "wide",
    "name",
    "json",
    "yaml",
    "jsonpath={.kind}",
    "template={{ kind }}",
];

#[test]
fn every_command_prints_every_format() {
    let report: Mutex<BTreeMap<String, BTreeMap<String, usize>>> = Mutex::default();
    for_every_leaf(|fixture, _| {
        let mut formats: Vec<String> = FORMATS.iter().map(|f| (*f).to_owned()).collect();
        formats.extend(reports(fixture));
        let mut document = None;
        for format in &formats {
            let sandbox = fixture.prepare();
            let run = fixture.run(&sandbox, &["-o", format]).ends(fixture.exit);
            check_format(fixture, format, &run, &mut document);
            let name = format.split('=').next().unwrap_or_default().to_owned();
            let mut report = report.lock().expect("no panic");
            let row = report.entry(fixture.name.to_owned()).or_default();
            *row.entry(name).or_default() += run.stdout.lines().count();
        }
    });
    print_report(&report.into_inner().expect("no panic"));
}

/// The report formats that a command names when it's asked for a format that isn't there.
fn reports(fixture: &Fixture) -> Vec<String> {
    let run = fixture
        .run(template(), &["-o", "nonsense"])
        .fails(2, "E0002");
    assert_eq!(run.stdout, "", "{run}");
    assert!(
        run.stderr.contains("jsonpath="),
        "it lists what there is: {run}"
    );
    let reports = ["junit", "sarif", "markdown"].into_iter();
    reports
        .filter(|name| run.stderr.contains(name))
        .map(str::to_owned)
        .collect()
}

fn check_format(fixture: &Fixture, format: &str, run: &Run, document: &mut Option<Value>) {
    assert!(!run.stdout.contains(['\u{1b}', '\r']), "{run}");
    let kind = |document: &Option<Value>| {
        let kind = document.as_ref().and_then(|d| d["kind"].as_str());
        kind.expect("json comes first").to_owned()
    };
    match format.split('=').next().unwrap_or_default() {
        "name" => {
            for line in run.stdout.lines() {
                let (kind, name) = line.split_once('/').unwrap_or_default();
                let plain = |c: char| c.is_ascii_lowercase() || c == '-';
                assert!(
                    !kind.is_empty() && kind.chars().all(plain) && !name.is_empty(),
                    "{line:?} is not kind/name: {run}"
                );
                assert!(
                    !line.contains(char::is_whitespace),
                    "not fit for xargs: {run}"
                );
            }
        }
        "json" => {
            let value: Value = serde_json::from_str(&plain(&run.stdout))
                .unwrap_or_else(|error| panic!("{error}: {run}"));
            check_schema(fixture, &value);
            if let Some(items) = value.get("items") {
                assert!(items.is_array(), "{run}");
            }
            *document = Some(value);
        }
        "yaml" => {
            let limits = weft_domain::yaml::Limits::DESIGN;
            let yaml = weft_domain::yaml::parse_one(&plain(&run.stdout), &limits)
                .unwrap_or_else(|error| panic!("{error}: {run}"));
            let json = document.clone().expect("json comes first");
            if fixture.volatile {
                assert_eq!(shape(&yaml), shape(&json), "{run}");
            } else {
                assert_eq!(yaml, json, "{run}");
            }
        }
        "jsonpath" | "template" => assert_eq!(run.stdout.trim_end(), kind(document), "{run}"),
        "sarif" => assert_eq!(run.json()["version"], "2.1.0", "{run}"),
        "junit" => assert!(
            run.stdout.starts_with("<?xml") && run.stdout.trim_end().ends_with("</testsuites>"),
            "{run}"
        ),
        _ => {
            assert!(
                !run.stdout.is_empty() && run.stdout.ends_with('\n'),
                "says nothing: {run}"
            );
        }
    }
}

/// The sandbox's name is put in afterwards, and isn't a plain word of YAML.
fn plain(text: &str) -> String {
    text.replace("[SANDBOX]", "/sandbox")
}

/// Fields and types, without the values; of a list what its items have together.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), shape(value)))
            .collect(),
        Value::Array(items) => items.iter().map(shape).take(1).collect(),
        Value::String(_) => "text".into(),
        Value::Number(_) => "number".into(),
        Value::Bool(_) => "bool".into(),
        Value::Null => Value::Null,
    }
}

fn check_schema(fixture: &Fixture, document: &Value) {
    assert_eq!(document["apiVersion"], "weftctl.dev/v1", "{}", fixture.name);
    let kind = document["kind"].as_str().expect("a kind");
    let errors = schema_errors(kind, document);
    assert!(
        errors.is_empty(),
        "{}: {errors:?}\n{document:#}",
        fixture.name
    );
}

/// Where a document isn't what `schema print` says.
fn schema_errors(kind: &str, document: &Value) -> Vec<String> {
    static SCHEMAS: Mutex<BTreeMap<String, Value>> = Mutex::new(BTreeMap::new());
    let schema = SCHEMAS
        .lock()
        .expect("no panic")
        .entry(kind.to_owned())
        .or_insert_with(|| template().run(["schema", "print", kind]).succeeds().json())
        .clone();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn every_schema_is_one_and_knows_its_kind() {
    let list = template()
        .run(["schema", "list", "-o", "json"])
        .succeeds()
        .json();
    for item in list["items"].as_array().expect("items") {
        let name = item["name"].as_str().expect("a name");
        assert!(
            item["description"].as_str().is_some_and(|d| !d.is_empty()),
            "{name} has no description"
        );
        let schema = template().run(["schema", "print", name]).succeeds().json();
        assert!(jsonschema::meta::is_valid(&schema), "{name}");
        assert_eq!(schema["properties"]["kind"]["const"], name);
        assert!(
            !schema_errors(name, &serde_json::json!({})).is_empty(),
            "{name}"
        );
    }
}

/// Printed past the test runner's capture: a pull request quotes it.
fn print_report(report: &BTreeMap<String, BTreeMap<String, usize>>) {
    let columns: BTreeSet<&String> = report.values().flat_map(BTreeMap::keys).collect();
    let mut text = format!("\n{:<28}", "lines of stdout");
    for column in &columns {
        let _ = write!(text, "{column:>10}");
    }
    text.push('\n');
    for (command, row) in report {
        let _ = write!(text, "{command:<28}");
        for column in &columns {
            let cell = row.get(*column).map_or("-".to_owned(), usize::to_string);
            let _ = write!(text, "{cell:>10}");
        }
        text.push('\n');
    }
    let runs: usize = report.values().map(BTreeMap::len).sum();
    let _ = writeln!(
        text,
        "{} commands, {runs} command × format runs",
        report.len()
    );
    let _ = std::io::stdout().write_all(text.as_bytes());
}

// Help

#[test]
fn every_help_fits_one_screen_and_shows_two_examples() {
    for_every_leaf(|fixture, command| {
        let name = fixture.name;
        let words = || name.split(' ');
        let short = template().run(words().chain(["-h"])).succeeds();
        let lines = short.stdout.lines().count();
        assert!(lines <= 45, "{name} -h has {lines} lines");
        assert!(
            short.stdout.lines().all(|line| line.chars().count() <= 100),
            "{short}"
        );
        let long = template().run(words().chain(["--help"])).succeeds();
        assert!(long.stdout.contains("Global options"), "{long}");
        let page = template()
            .run(["help"].into_iter().chain(words()))
            .succeeds();
        assert_eq!(page.stdout, long.stdout, "help {name}");
        assert!(examples(command).len() >= 2, "{name} needs two examples");
        for run in [&short, &long] {
            assert_eq!(run.stderr, "", "{run}");
        }
    });
}

/// The command lines that a help shows.
fn examples(command: &clap::Command) -> Vec<String> {
    let text = command.get_after_help().map(ToString::to_string);
    text.unwrap_or_default()
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| line.starts_with("weftctl ") || line.starts_with("cat "))
        .map(str::to_owned)
        .collect()
}

/// The fixture of the command that a shell line calls.
fn called(line: &str) -> &'static Fixture {
    let at = line.find("weftctl ").expect("a call");
    let words: Vec<&str> = line[at..].split(' ').skip(1).collect();
    let found = (1..=words.len().min(4))
        .rev()
        .map(|count| words[..count].join(" "))
        .find(|name| FIXTURES.iter().any(|fixture| fixture.name == *name));
    Fixture::of(&found.unwrap_or_else(|| line.to_owned()))
}

#[test]
fn every_example_runs() {
    let programs = Path::new(WEFTCTL).parent().expect("a folder");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(
        std::iter::once(programs.to_owned()).chain(std::env::split_paths(&path)),
    )
    .expect("a path");
    let run_one = |line: &str| {
        let fixture = called(line);
        let sandbox = fixture.prepare();
        let mut command = sandbox.command_of("sh", ["-c", line]);
        fixture.surround(&mut command);
        let run = sandbox.finish(command.env("PATH", &path), None);
        assert!(
            run.code == Some(0) || run.code == Some(fixture.exit),
            "the example {line:?} fails: {run}"
        );
    };
    for_every_leaf(|_, command| {
        for line in examples(command) {
            run_one(&line);
        }
    });
    for line in examples(&weftctl::cli::command()) {
        run_one(&line);
    }
}

// Mistakes

#[test]
fn every_command_refuses_an_unknown_flag_with_code_2() {
    for_every_leaf(|fixture, _| {
        let run = fixture
            .run(template(), &["--no-such-flag"])
            .fails(2, "E0002");
        assert_eq!(run.stdout, "", "{run}");
        let run = fixture
            .run(template(), &["--no-such-flag", "-o", "json"])
            .ends(2);
        assert_eq!(run.stdout, "", "{run}");
        check_error(&run, 2, "E0002");
    });
}

/// An error on stderr is one JSON object that a program can use.
fn check_error(run: &Run, exit: i32, code: &str) {
    let error: Value =
        serde_json::from_str(&run.stderr).unwrap_or_else(|error| panic!("{error}: {run}"));
    let errors = schema_errors("Error", &error);
    assert!(errors.is_empty(), "{errors:?}: {run}");
    assert_eq!(error["code"], code, "{run}");
    assert_eq!(error["exitCode"], exit, "{run}");
    assert!(
        error["message"].as_str().is_some_and(|m| !m.is_empty()),
        "{run}"
    );
    assert!(
        error["hint"].as_str().is_some_and(|h| !h.is_empty()),
        "{run}"
    );
    assert!(
        error["cause"].is_array() && error["object"].is_object(),
        "{run}"
    );
    assert!(error["retryable"].is_boolean(), "{run}");
}

#[test]
fn nothing_destructive_happens_unasked_and_nothing_hangs() {
    let mut seen = 0;
    for (name, command) in leaves() {
        let answers = |flag: &str| {
            command
                .get_arguments()
                .any(|arg| arg.get_id() == flag && !arg.is_hide_set())
        };
        if !answers("yes") && !answers("confirm") {
            continue;
        }
        seen += 1;
        let fixture = Fixture::of(&name);
        if fixture.arguments.contains(&"--dry-run=client") {
            // It needs a namespace of its own: see the tests of deploying.
            continue;
        }
        let mut line = fixture.line(&[]);
        line.retain(|word| word != "--yes");
        if let Some(at) = line.iter().position(|word| word == "--confirm") {
            line.drain(at..at + 2);
        }
        let sandbox = fixture.prepare();
        let before = (
            sandbox.run(["design", "list", "-o", "json"]).stdout,
            sandbox
                .run(["system", "context", "list", "-o", "json"])
                .stdout,
        );
        let begun = Instant::now();
        let run = sandbox.run(&line).fails(12, "E0005");
        assert!(begun.elapsed() < Duration::from_secs(20), "{run}");
        assert_eq!(run.stdout, "", "{run}");
        assert!(
            run.stderr.contains("--yes") || run.stderr.contains("--confirm"),
            "{run}"
        );
        line.extend(["-o".into(), "json".into()]);
        check_error(&sandbox.run(&line).ends(12), 12, "E0005");
        let after = (
            sandbox.run(["design", "list", "-o", "json"]).stdout,
            sandbox
                .run(["system", "context", "list", "-o", "json"])
                .stdout,
        );
        assert_eq!(before, after, "{name} changed something");
    }
    assert!(
        seen >= 3,
        "the destructive commands are found by their flags"
    );
}

#[test]
fn input_over_a_limit_ends_with_10_wherever_a_source_is_read() {
    let deep = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: deep}}\ndata: {}{}\n",
        "[".repeat(300),
        "]".repeat(300)
    );
    let mut seen = 0;
    for (name, command) in leaves() {
        let takes_source = command
            .get_arguments()
            .any(|arg| arg.get_id() == "max_input_size");
        if !takes_source {
            continue;
        }
        seen += 1;
        let sandbox = template().copy();
        sandbox.write("deep.yaml", &deep);
        let more: &[&str] = match name.as_str() {
            "design deploy" => &["--dry-run=client"],
            "design export" => &["--to", "exported.yaml"],
            "design diff" => &["shop"],
            _ => &[],
        };
        let line = |source: &'static [&'static str]| {
            let words = name.split(' ').map(str::to_owned);
            let rest = source.iter().chain(more).map(|w| (*w).to_owned());
            words.chain(rest).collect::<Vec<_>>()
        };
        let run = sandbox.run(line(&["deep.yaml"])).fails(10, "E0102");
        assert!(run.stderr.contains("deep.yaml"), "{run}");
        let run = sandbox
            .run(line(&["shop.yaml", "--max-input-size", "64"]))
            .fails(10, "E0102");
        assert!(run.stderr.contains("--max-input-size"), "{run}");
        sandbox.write("many/a.yaml", SHOP);
        sandbox.write("many/b.yaml", SHOP);
        let run = sandbox
            .run(line(&["many", "-f", "many", "--max-files", "1"]))
            .ends(2);
        assert_eq!(run.stdout, "", "{run}");
        let run = sandbox
            .run(line(&["./many", "--max-files", "1"]))
            .fails(10, "E0102");
        assert!(run.stderr.contains("--max-files"), "{run}");
    }
    assert!(seen >= 5, "{seen}");
    let sandbox = template().copy();
    sandbox.write("deep.yaml", &deep);
    sandbox
        .run(["design", "diff", "shop", "deep.yaml"])
        .fails(10, "E0102");
}

// Terminals

#[test]
fn a_terminal_of_forty_columns_shows_no_wider_table() {
    for_every_leaf(|fixture, _| {
        let sandbox = fixture.prepare();
        let piped = fixture.run(&sandbox, &["-o", "table"]).ends(fixture.exit);
        let heading = piped.stdout.lines().next().unwrap_or_default();
        let is_table =
            !heading.is_empty() && heading.chars().all(|c| c.is_ascii_uppercase() || c == ' ');
        if !is_table {
            return;
        }
        let sandbox = fixture.prepare();
        let shown = on_terminal(fixture, &sandbox, 40, &[]);
        assert!(!shown.contains('\u{1b}'), "NO_COLOR: {shown:?}");
        for line in shown.lines() {
            let width = line.chars().count();
            assert!(
                width <= 40,
                "{}: {width} columns: {line:?}\n{shown}",
                fixture.name
            );
        }
    });
}

/// What a person sees: standard output on a pseudo-terminal, without the carriage returns.
fn on_terminal(fixture: &Fixture, sandbox: &Sandbox, columns: u16, more: &[&str]) -> String {
    let quoted: Vec<String> = std::iter::once(WEFTCTL.to_owned())
        .chain(fixture.line(more))
        .map(|word| format!("'{}'", word.replace('\'', r"'\''")))
        .collect();
    let line = format!(
        "stty cols {columns} rows 24; exec {} 2>/dev/null",
        quoted.join(" ")
    );
    let mut command = sandbox.command_of("script", ["-qec", &line, "/dev/null"]);
    fixture.surround(&mut command);
    command
        .env("NO_COLOR", "1")
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh");
    let run = sandbox.finish(&mut command, None).ends(fixture.exit);
    run.stdout.replace("\r\n", "\n")
}

#[test]
fn golden_screens_of_forty_columns() {
    let screen = |name: &str| {
        let fixture = Fixture::of(name);
        on_terminal(fixture, &fixture.prepare(), 40, &[])
    };
    insta::assert_snapshot!(screen("design list"), @r"
    NAME        shop
    VERSION     0.0.2
    COMPONENTS  7
    FORM        Kubernetes Manifest
    UPDATED     2026-01-02T03:04:05Z

    NAME        spare
    VERSION     0.0.1
    COMPONENTS  7
    FORM        Kubernetes Manifest
    UPDATED     2026-01-02T03:04:05Z
    ");
    insta::assert_snapshot!(screen("system store check"), @r"
    CHECK        RESULT  DETAIL          FIX
    permissions  passed  only the owner  -
                         has access
    store        passed  opens, format   -
                         1
    integrity    passed  every page and  -
                         index is sound
    references   passed  every           -
                         reference has
                         its target
    versions     passed  2 designs       -
                         agree with
                         their versions
    documents    passed  3 documents     -
                         can be read
    operations   passed  3 operations    -
                         can be read
    secrets      passed  nothing is      -
                         sealed
    ");
    insta::assert_snapshot!(screen("design diff"), @r#"
    ~ ConfigMap/default/settings-b
        ~ data.key: "old" -> "new" (held by weftctl-9D1RicSdef)
    "#);
}

#[test]
fn the_c_locale_gets_ascii() {
    for_every_leaf(|fixture, _| {
        let sandbox = fixture.prepare();
        let mut command = fixture.command(&sandbox, &[]);
        let run = sandbox
            .finish(command.env("LANG", "C"), None)
            .ends(fixture.exit);
        assert!(run.stdout.is_ascii(), "{run}");
        assert!(run.stderr.is_ascii(), "{run}");
    });
}

// Streams

#[test]
fn a_reader_that_left_ends_every_command_quietly() {
    for_every_leaf(|fixture, _| {
        let sandbox = fixture.prepare();
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = fixture.command(&sandbox, &["-o", "json"]);
        let output = command
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .expect("the program ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            !stderr.contains("error") && !stderr.contains("panic"),
            "{}: {stderr}",
            fixture.name
        );
        assert_eq!(output.status.code(), Some(fixture.exit), "{}", fixture.name);
    });
}

#[test]
fn a_full_disk_behind_stdout_is_an_error_of_every_command() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    for_every_leaf(|fixture, _| {
        let sandbox = fixture.prepare();
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("/dev/full");
        let output = fixture
            .command(&sandbox, &[])
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .expect("the program ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("E0008"), "{}: {stderr}", fixture.name);
        // A question stays without an answer then.
        let predicates = [
            "validate",
            "diff",
            "plan",
            "check",
            "doctor",
            "lint",
            "test-connection",
        ];
        let verb = fixture.name.rsplit(' ').next().unwrap_or_default();
        let code = if predicates.contains(&verb) { 3 } else { 1 };
        assert_eq!(output.status.code(), Some(code), "{}", fixture.name);
    });
}

// Secrets

const CANARY: &str = "CANARY-4f1d-yellow-bird";
const CANARY_BASE64: &str = "Q0FOQVJZLTRmMWQteWVsbG93LWJpcmQ=";
/// Its middle, wherever in a longer text it begins.
const CANARY_PARTS: [&str; 5] = [
    CANARY,
    "4f1d-yellow",
    "Q0FOQVJZLTRmMWQteWVsbG93LWJpcmQ",
    "NBTkFSWS00ZjFkLXllbGxvdy1iaXJk",
    "DQU5BUlktNGYxZC15ZWxsb3ctYmlyZ",
];

fn with_secret() -> String {
    format!(
        "{SHOP}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: web, namespace: shop}}\n\
         data:\n  password: {CANARY_BASE64}\nstringData:\n  token: {CANARY}\n"
    )
}

fn assert_no_canary(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for part in CANARY_PARTS {
        assert!(!text.contains(part), "{what} shows {part:?}:\n{text}");
    }
}

#[test]
fn a_secrets_value_is_in_no_output_and_no_file() {
    let template = stocked(&with_secret());
    for_every_leaf(|fixture, _| {
        for format in ["table", "wide", "name", "json", "yaml", "jsonpath={$}"] {
            let sandbox = fixture.prepare_in(&template);
            let run = fixture.run(&sandbox, &["-o", format, "-vv"]);
            assert!(run.code.is_some_and(|code| code != 70), "{run}");
            assert_no_canary(&run.command, run.stdout.as_bytes());
            assert_no_canary(&run.command, run.stderr.as_bytes());
            assert_no_canary_below(&sandbox.home());
        }
    });
}

fn assert_no_canary_below(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a type").is_dir() {
            assert_no_canary_below(&entry.path());
        } else if let Ok(bytes) = std::fs::read(entry.path()) {
            assert_no_canary(&entry.path().display().to_string(), &bytes);
        }
    }
}

#[test]
fn a_secrets_value_is_in_no_error_and_no_difference() {
    let sandbox = stocked(&with_secret());
    sandbox.write(
        "changed.yaml",
        with_secret()
            .replace(CANARY, "CANARY-4f1d-yellow-duck")
            .replace("web:1.4.2", "web:9"),
    );
    let bad = [
        (
            "not-base64.yaml",
            with_secret().replace(CANARY_BASE64, &format!("'{CANARY}%'")),
        ),
        (
            "wrong-type.yaml",
            with_secret()
                .replace("token: ", "token: [1, ")
                .replace("-bird\n", "-bird]\n"),
        ),
        (
            "misspelt.yaml",
            with_secret().replace("stringData", "stringdata"),
        ),
        ("broken.yaml", with_secret() + "  token: other\n"),
        ("unclosed.yaml", with_secret() + "  more: [\n"),
    ];
    for (name, text) in &bad {
        sandbox.write(name, text);
    }
    let mut lines: Vec<Vec<&str>> = vec![
        vec!["design", "diff", "shop", "changed.yaml"],
        vec!["design", "diff", "shop.yaml", "changed.yaml"],
        vec!["design", "export", "shop", "--to", "-"],
        vec!["design", "export", "shop", "--as", "manifest", "--to", "-"],
        vec!["design", "import", "changed.yaml", "--name", "shop"],
    ];
    for (name, _) in &bad {
        lines.push(vec!["design", "validate", name]);
        lines.push(vec!["design", "import", name]);
        lines.push(vec!["design", "deploy", name, "--dry-run=client"]);
        lines.push(vec!["design", "render", name]);
        lines.push(vec!["design", "diff", "shop", name]);
    }
    for line in lines {
        for format in ["table", "json"] {
            let mut line = line.clone();
            line.extend(["-vv", "-o", format]);
            let run = sandbox.run(line);
            assert!(run.code != Some(70), "{run}");
            assert_no_canary(&run.command, run.stdout.as_bytes());
            assert_no_canary(&run.command, run.stderr.as_bytes());
        }
    }
    assert_no_canary_below(&sandbox.home());
    // What is asked for in so many words is given.
    let shown = sandbox
        .run(["design", "render", "shop.yaml", "--include-secrets"])
        .succeeds();
    assert!(shown.stdout.contains(CANARY) || shown.stdout.contains(CANARY_BASE64));
}

// Completion

/// Asks as the script for bash does; the last word is the one to complete.
fn complete(sandbox: &Sandbox, words: &[&str]) -> (BTreeSet<String>, Duration) {
    let mut command = sandbox.command(["--", "weftctl"].into_iter().chain(words.iter().copied()));
    command
        .env("COMPLETE", "bash")
        .env("_CLAP_IFS", "\n")
        .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
        .env("_CLAP_COMPLETE_COMP_TYPE", "9")
        .env("_CLAP_COMPLETE_SPACE", "false");
    let begun = Instant::now();
    let run = sandbox.finish(&mut command, None).succeeds();
    let took = begun.elapsed();
    assert_eq!(run.stderr, "", "{run}");
    let flags = words.last().is_some_and(|word| word.starts_with('-'));
    let found = run
        .stdout
        .lines()
        .filter(|value| flags || !value.starts_with('-'));
    (found.map(str::to_owned).collect(), took)
}

#[test]
fn completion_knows_live_values() {
    let sandbox = template().copy();
    sandbox.write(
        "kubeconfig",
        "apiVersion: v1\nkind: Config\ncontexts:\n- name: dev\n  context: {cluster: dev, user: dev}\n",
    );
    sandbox.write("other.yaml", "contexts: {elsewhere: {namespace: shop}}\n");
    let cases: &[(&[&str], &[&str], bool)] = &[
        (&["design", "view", "sp"], &["spare"], true),
        (&["design", "delete", "sp"], &["spare"], true),
        (&["design", "render", "sho"], &["shop", "shop.yaml"], true),
        (&["design", "diff", "sh"], &["shop", "shop.yaml"], true),
        (
            &["system", "context", "switch", ""],
            &["staging", "spare"],
            true,
        ),
        (&["system", "context", "delete", "st"], &["staging"], true),
        (&["system", "context", "view", "st"], &["staging"], true),
        (&["--server", "st"], &["staging"], true),
        (&["--server", "lo"], &["local"], true),
        (&["explain", "E010"], &["E0100", "E0101", "E0109"], false),
        (
            &["schema", "print", "Design"],
            &["Design", "DesignDiff", "DesignList", "DesignStatus"],
            true,
        ),
        (&["config", "set", "no-"], &["no-input"], true),
        (&["completion", "z"], &["zsh"], true),
        (&["help", "exit"], &["exit-codes"], true),
        (&["design", "list", "-o", "j"], &["json", "jsonpath="], true),
        (&["design", "list", "--output", "w"], &["wide"], true),
        (
            &["design", "validate", "shop", "-o", "j"],
            &["json", "jsonpath=", "junit"],
            true,
        ),
        (&["help", "design", "im"], &["import"], true),
        (&["help", "system", "context", "s"], &["switch"], true),
        (&["system", "operation", "view", ""], &[operation()], false),
        (
            &["--config", "other.yaml", "system", "context", "view", ""],
            &["elsewhere"],
            true,
        ),
        (&["design", "export", "shop", "--as", "c"], &["chart"], true),
        (
            &["design", "list", "--sort-by", ""],
            &["created", "name", "updated"],
            true,
        ),
        (
            &["design", "deploy", "shop", "--dry-run=c"],
            &["--dry-run=client"],
            true,
        ),
        (&["design", "im"], &["import"], true),
        (
            &["system", "st"],
            &["start", "status", "stop", "store"],
            true,
        ),
    ];
    for (words, expected, exactly) in cases {
        let (found, mut took) = complete(&sandbox, words);
        for value in *expected {
            assert!(
                found.contains(*value),
                "{words:?} lacks {value:?}: {found:?}"
            );
        }
        if *exactly {
            assert_eq!(found.len(), expected.len(), "{words:?}: {found:?}");
        }
        // A loaded machine isn't what is measured: the best of three counts.
        for _ in 0..2 {
            if took > Duration::from_millis(300) {
                took = complete(&sandbox, words).1.min(took);
            }
        }
        assert!(took < Duration::from_millis(300), "{words:?} took {took:?}");
    }
}

#[test]
fn completion_offers_the_reports_that_a_command_has() {
    for_every_leaf(|fixture, _| {
        let words = fixture.name.split(' ').chain(["-o", ""]);
        let (found, _) = complete(template(), &words.collect::<Vec<_>>());
        for name in ["junit", "sarif", "markdown"] {
            let has = reports(fixture).iter().any(|report| report == name);
            assert_eq!(found.contains(name), has, "{} -o {name}", fixture.name);
        }
    });
}

#[test]
fn completion_asks_the_chosen_server_and_else_the_store() {
    let far = Sandbox::with_shop();
    far.run(["design", "import", "shop.yaml", "--name", "faraway"])
        .succeeds();
    let server = far.start_server();
    let near = template().copy();
    near.write("token", &server.token);
    #[cfg(unix)]
    std::fs::set_permissions(
        near.path("token"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .expect("a mode");
    let asked = |url: &str| {
        let words = [
            "--server",
            url,
            "--token-file",
            "token",
            "design",
            "delete",
            "",
        ];
        complete(&near, &words).0
    };
    assert_eq!(
        asked(&server.url),
        BTreeSet::from(["faraway".into(), "shop".into()])
    );
    let store = BTreeSet::from(["shop".into(), "spare".into()]);
    assert_eq!(asked("http://127.0.0.1:1"), store);
}

#[test]
fn completion_of_every_argument_is_quiet_and_leaves_no_trace() {
    for_every_leaf(|fixture, command| {
        let sandbox = Sandbox::new();
        let mut lines: Vec<Vec<String>> = Vec::new();
        let words: Vec<String> = fixture.name.split(' ').map(str::to_owned).collect();
        let with = |more: &[&str]| {
            let more = more.iter().map(|m| (*m).to_owned());
            words.iter().cloned().chain(more).collect::<Vec<_>>()
        };
        lines.push(with(&[""]));
        lines.push(with(&["-"]));
        for arg in command.get_arguments() {
            if let Some(long) = arg.get_long() {
                lines.push(with(&[&format!("--{long}"), ""]));
            }
        }
        for line in lines {
            let words: Vec<&str> = line.iter().map(String::as_str).collect();
            complete(&sandbox, &words);
        }
        assert!(!sandbox.home().exists(), "{}", fixture.name);
    });
}
