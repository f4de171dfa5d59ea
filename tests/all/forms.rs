//! Every form that a design is read from, through every form that it is written to, and back.
//!
//! `helm` and `kubectl` judge what they would be given: a chart has to please the one, a
//! kustomization the other, and both have to make the same objects of it again.

use std::path::Path;

use serde_json::Value;

use crate::support::{
    Run, Sandbox,
    tools::{self, identity, objects, testdata},
};

/// A sandbox with the peers on `PATH`.
struct Forms(Sandbox);

impl Forms {
    fn new() -> Self {
        Self(Sandbox::new())
    }

    /// A copy of a file or folder of `testdata`, beside nothing else.
    fn copy(&self, name: &str) -> String {
        copy(&testdata(name), &self.0.path(name));
        name.to_owned()
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = self.0.command(arguments);
        self.0.finish(command.env("PATH", tools::path()), None)
    }

    /// Imports; the name of the design.
    #[track_caller]
    fn import(&self, arguments: &[&str]) -> String {
        let mut all = vec!["design", "import", "-o", "json", "--allow-unknown-kinds"];
        all.extend(arguments);
        let result = self.run(&all).succeeds().json();
        result["name"].as_str().expect("a name").to_owned()
    }

    /// The objects of a design, Secrets with their values.
    #[track_caller]
    fn objects(&self, design: &str) -> Vec<Value> {
        let arguments = [
            "design",
            "render",
            design,
            "--include-secrets",
            "-o",
            "json",
        ];
        let rendered = self.run(&arguments).succeeds().json();
        let mut items = rendered["items"].as_array().expect("a list").clone();
        items.sort_by_key(identity);
        items
    }

    /// Exports, with Secrets; the path.
    #[track_caller]
    fn export(&self, design: &str, form: &str, to: &str) -> String {
        let arguments = [
            "design",
            "export",
            design,
            "--as",
            form,
            "--to",
            to,
            "--include-secrets",
        ];
        self.run(&arguments).succeeds();
        to.to_owned()
    }

    /// Demands that what a path holds, is the same design.
    #[track_caller]
    fn comes_back(&self, design: &str, path: &str, name: &str) {
        let name = self.import(&[path, "--name", name]);
        self.run(&["design", "diff", design, &name]).succeeds();
        assert_eq!(self.objects(&name), self.objects(design), "from {path}");
    }

    /// Sends a stored design through every form.
    #[track_caller]
    fn survives(&self, design: &str) {
        for file in ["out.yaml", "out.json"] {
            let path = self.export(design, "design", file);
            self.comes_back(design, &path, &format!("{}-again", file.replace('.', "-")));
            self.is_the_same(&path);
        }
        let package = self.export(design, "artifact-hub", "./package");
        self.comes_back(design, &format!("{package}/design.yaml"), "package-again");

        let objects = self.objects(design);
        if objects.is_empty() {
            return;
        }
        let manifest = self.export(design, "manifest", "manifest.yaml");
        self.comes_back(design, &manifest, "manifest-again");
        self.survives_as_chart(design, &objects);
        self.survives_as_kustomization(design, &objects);
    }

    #[track_caller]
    fn survives_as_chart(&self, design: &str, objects: &[Value]) {
        let chart = self.export(design, "chart", "./chart");
        let folder = self.0.path("chart").display().to_string();
        // Helm wants selectors that even the schema doesn't; a sketch of a design has none.
        let sketch = |object: &Value| {
            object["kind"] == "Deployment" && object.pointer("/spec/selector").is_none()
        };
        if !objects.iter().any(sketch) {
            let (said, warned) = tools::run("helm", &["lint", "--strict", &folder], "");
            for word in ["WARNING", "ERROR"] {
                assert!(
                    !said.contains(word) && !warned.contains(word),
                    "{said}{warned}"
                );
            }
        }
        let (text, _) = tools::run("helm", &["template", "any", &folder], "");
        assert_eq!(tools::objects(&text), objects, "helm template {folder}");
        self.comes_back(design, &chart, "chart-again");
    }

    #[track_caller]
    fn survives_as_kustomization(&self, design: &str, objects: &[Value]) {
        let folder = self.export(design, "kustomization", "./kustomization");
        let path = self.0.path("kustomization").display().to_string();
        let (text, _) = tools::run("kubectl", &["kustomize", &path], "");
        assert_eq!(tools::objects(&text), objects, "kubectl kustomize {path}");
        self.comes_back(design, &folder, "kustomization-again");
    }

    /// A design that holds what isn't a whole object yet has no form but its own.
    #[track_caller]
    fn survives_as_design(&self, design: &str) {
        for file in ["out.yaml", "out.json"] {
            let path = self.export(design, "design", file);
            self.is_the_same(&path);
        }
    }

    #[track_caller]
    fn is_the_same(&self, path: &str) {
        let again = self.run(&[
            "design",
            "import",
            path,
            "--allow-unknown-kinds",
            "-o",
            "json",
        ]);
        assert_eq!(
            again.clone().succeeds().json()["action"],
            "unchanged",
            "{again}"
        );
    }

    #[track_caller]
    fn is_empty(&self) {
        let list = self.run(&["design", "list", "-o", "json"]).succeeds();
        assert_eq!(
            list.json()["items"],
            serde_json::json!([]),
            "nothing is stored"
        );
    }

    #[track_caller]
    fn is_valid(&self, design: &str) {
        self.run(&["design", "validate", design]).succeeds();
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        std::fs::create_dir_all(to).expect("a folder");
        for entry in std::fs::read_dir(from).expect("a folder") {
            let entry = entry.expect("an entry");
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        std::fs::copy(from, to).expect("a copy");
    }
}

#[track_caller]
fn manifest_survives(name: &str) {
    let forms = Forms::new();
    let path = forms.copy(&format!("manifests/{name}.yaml"));
    let design = forms.import(&[&path]);
    assert_eq!(design, name);
    forms.is_valid(&design);
    forms.survives(&design);
}

#[test]
fn a_small_application_survives_every_form() {
    manifest_survives("shop");
}

#[test]
fn workloads_and_their_surroundings_survive_every_form() {
    manifest_survives("workloads");
}

#[test]
fn a_definition_and_its_custom_resources_survive_every_form() {
    manifest_survives("queue");
}

#[test]
fn lists_survive_every_form() {
    manifest_survives("lists");
}

#[test]
fn awkward_scalars_survive_every_form() {
    manifest_survives("scalars");
}

#[test]
fn anchors_and_merge_keys_survive_every_form() {
    manifest_survives("anchors");
}

#[test]
fn windows_line_ends_survive_every_form() {
    manifest_survives("windows");
}

#[test]
fn secrets_survive_every_form() {
    manifest_survives("secrets");
}

#[test]
fn a_folder_of_manifests_survives_every_form() {
    let forms = Forms::new();
    for name in ["shop", "workloads"] {
        copy(
            &testdata(&format!("manifests/{name}.yaml")),
            &forms.0.path(&format!("all/{name}/{name}.yaml")),
        );
    }
    let design = forms.import(&["./all"]);
    assert_eq!((design.as_str(), forms.objects(&design).len()), ("all", 27));
    forms.is_valid(&design);
    forms.survives(&design);
}

#[test]
fn manifests_in_json_are_the_same_design() {
    let forms = Forms::new();
    let path = forms.copy("manifests/workloads.yaml");
    let design = forms.import(&[&path]);
    let list =
        serde_json::json!({"apiVersion": "v1", "kind": "List", "items": forms.objects(&design)});
    forms.0.write("list.json", list.to_string());
    forms.comes_back(&design, "list.json", "json");
    let lines: Vec<String> = forms
        .objects(&design)
        .iter()
        .map(Value::to_string)
        .collect();
    let run = forms.0.run_with(
        ["design", "import", "-", "--name", "piped"],
        lines.join("\n---\n").as_bytes(),
    );
    run.succeeds();
    forms.run(&["design", "diff", &design, "piped"]).succeeds();
}

#[test]
fn secrets_leave_only_when_asked_for() {
    let forms = Forms::new();
    let path = forms.copy("manifests/secrets.yaml");
    let design = forms.import(&[&path]);
    for (form, to) in [
        ("design", "out.yaml"),
        ("design", "out.json"),
        ("design", "-"),
        ("manifest", "out.yaml"),
        ("chart", "./out"),
        ("kustomization", "./out"),
        ("artifact-hub", "./out"),
    ] {
        let run = forms.run(&["design", "export", &design, "--as", form, "--to", to]);
        let run = run.fails(11, "E0604");
        assert!(run.stderr.contains("--include-secrets"), "{run}");
        assert!(
            !run.stdout.contains("CANARY") && run.stdout.is_empty(),
            "{run}"
        );
        assert!(!forms.0.path("out.yaml").exists() && !forms.0.path("out").exists());
    }
    for verb in ["render", "view"] {
        for output in ["json", "yaml"] {
            let run = forms
                .run(&["design", verb, &design, "-o", output])
                .succeeds();
            // The encoded forms of CANARY, too.
            for canary in ["CANARY", "Q0FOQVJZ", "UTBGT1FWSlo", "eyJhdXRocyI6"] {
                assert!(!run.stdout.contains(canary), "{canary}: {run}");
            }
        }
    }
    let values = |path: &str| -> Vec<Value> {
        let text = std::fs::read_to_string(forms.0.path(path)).expect("an exported file");
        let found = objects(&text).into_iter().filter(|o| o["kind"] == "Secret");
        found.map(|secret| secret["data"].clone()).collect()
    };
    forms.export(&design, "manifest", "plain.yaml");
    let original = values("plain.yaml");
    assert_eq!(original.len(), 3);
    forms.import(&["plain.yaml", "--name", "again"]);
    forms.export("again", "manifest", "again.yaml");
    assert_eq!(values("again.yaml"), original);
    // kubectl decodes them to what the file says.
    let (json, _) = tools::run(
        "kubectl",
        &[
            "annotate",
            "--local",
            "-f",
            "-",
            "a=b",
            "-o",
            "jsonpath={.data.multi-line}{.stringData.multi-line}",
        ],
        &forms
            .objects(&design)
            .iter()
            .find(|o| o["metadata"]["name"] == "login")
            .expect("login")
            .to_string(),
    );
    assert!(
        json == "CANARY-first\n\nthird, after an empty one\n"
            || json == "Q0FOQVJZLWZpcnN0Cgp0aGlyZCwgYWZ0ZXIgYW4gZW1wdHkgb25lCg==",
        "{json}"
    );
}

/// Files beside a Compose file, and what it needs in `.env`.
fn beside(name: &str) -> &'static [(&'static str, &'static str)] {
    match name {
        "mail" => &[
            ("mail.env", "GREETING=hello\n# a comment\nQUOTED=\"a b\"\n"),
            ("smtp/main.cf", "myhostname = smtp\n"),
            (".env", "DOMAIN=mail.example.com\n"),
        ],
        "monitoring" => &[
            ("grafana/admin.txt", "CANARY-admin"),
            ("grafana/provisioning/a.yaml", "a: 1\n"),
            ("prometheus/prometheus.yml", "global: {}\n"),
            ("prometheus/rules/up.yml", "groups: []\n"),
        ],
        "secrets" => &[
            ("keys/root.key", "CANARY-root\n"),
            ("keys/tls.crt", "CANARY-certificate\n"),
            ("keys/never.read", "CANARY-never\n"),
            ("settings.hcl", "ui = true\n"),
            (".env", "VAULT_TOKEN=CANARY-token\n"),
        ],
        "shop" => &[
            ("api.env", "LOG=info\n"),
            (".env", "DB_PASSWORD=CANARY-password\n"),
            ("api/schema.sql", "create table a (b int);\n"),
            ("db/init.sql", "create table a (b int);\n"),
            ("nginx.conf", "events {}\n"),
        ],
        _ => &[],
    }
}

#[test]
fn compose_files_become_valid_designs_that_survive_every_form() {
    let mut names: Vec<String> = std::fs::read_dir(testdata("compose"))
        .expect("a folder")
        .filter_map(|entry| {
            entry
                .expect("an entry")
                .path()
                .file_stem()?
                .to_str()
                .map(str::to_owned)
        })
        .collect();
    names.sort();
    assert!(names.len() >= 9, "{names:?}");
    std::thread::scope(|scope| {
        for name in &names {
            scope.spawn(move || compose_survives(name));
        }
    });
}

fn compose_survives(name: &str) {
    let forms = Forms::new();
    let path = forms.copy(&format!("compose/{name}.yaml"));
    for (file, text) in beside(name) {
        forms.0.write(&format!("compose/{file}"), text);
    }
    let run = forms
        .run(&["design", "import", &path, "-o", "json"])
        .succeeds();
    let result = run.json();
    assert_eq!(result["name"], name, "{run}");
    assert_eq!(result["form"], "Docker Compose");
    let notes = result["notes"].as_array().expect("a list");
    assert!(
        !notes.is_empty(),
        "each of them has something to say: {run}"
    );
    for note in notes {
        let note = note.as_str().expect("a text");
        assert!(
            run.stderr.contains(&format!("warning: {note}")),
            "{note}: {run}"
        );
    }
    forms.is_valid(name);
    forms.survives(name);
}

#[test]
fn a_compose_file_with_a_common_name_is_named_like_its_project() {
    let forms = Forms::new();
    let text = "services: {web: {image: web}}\n";
    forms.0.write("mine/compose.yaml", text);
    forms
        .0
        .write("mine/named.yaml", format!("name: own\n{text}"));
    assert_eq!(forms.import(&["mine/compose.yaml"]), "mine");
    assert_eq!(forms.import(&["mine/named.yaml"]), "own");
    forms.0.write("mine/other.yaml", text);
    assert_eq!(forms.import(&["mine/other.yaml"]), "other");
}

/// The files of `testdata/design`: is it valid as it stands?
const DESIGNS: &[(&str, Expected)] = &[
    ("aliases.v1beta1.yaml", Expected::Valid),
    // An apiVersion is missing, which no cluster would take.
    ("clouds.v1alpha2.json", Expected::Draft),
    ("depends.v1beta3.yaml", Expected::Valid),
    // One of its components has a generateName.
    ("embedded-model.v1beta3.yaml", Expected::Draft),
    ("empty.v1alpha2.yaml", Expected::Valid),
    ("empty.v1beta3.yaml", Expected::Valid),
    ("minimal.v1beta1.json", Expected::Valid),
    ("nginx.v1alpha2.yaml", Expected::Valid),
    ("nulls.v1beta3.yaml", Expected::Valid),
    ("record-older.json", Expected::Valid),
    ("record.yaml", Expected::Valid),
    ("secrets.v1beta3.yaml", Expected::Invalid),
    ("shop.v1beta3.json", Expected::Valid),
    ("shop.v1beta3.yaml", Expected::Valid),
];

#[derive(Clone, Copy, PartialEq)]
enum Expected {
    /// Exit 0 of `design validate`.
    Valid,
    /// Stored, but not valid.
    Invalid,
    /// The same, because a component is no whole object.
    Draft,
}

#[test]
fn every_design_of_the_table_is_there() {
    let mut files: Vec<String> = std::fs::read_dir(testdata("design"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    let table: Vec<&str> = DESIGNS.iter().map(|(name, _)| *name).collect();
    assert_eq!(files, table);
}

#[test]
fn designs_of_every_schema_version_survive_every_form() {
    std::thread::scope(|scope| {
        for (name, expected) in DESIGNS {
            scope.spawn(move || design_survives(name, *expected));
        }
    });
}

fn design_survives(name: &str, expected: Expected) {
    let forms = Forms::new();
    let path = forms.copy(&format!("design/{name}"));
    let design = forms.import(&[&path]);
    let valid = i32::from(expected != Expected::Valid);
    forms.run(&["design", "validate", &design]).ends(valid);
    match expected {
        Expected::Draft => forms.survives_as_design(&design),
        Expected::Valid | Expected::Invalid => forms.survives(&design),
    }
}

#[test]
fn a_design_under_another_name_is_a_copy_with_an_id_of_its_own() {
    let forms = Forms::new();
    let path = forms.copy("design/shop.v1beta3.yaml");
    forms.import(&[&path]);
    forms.import(&[&path, "--name", "copy"]);
    let id = |name: &str| {
        forms
            .run(&["design", "view", name, "-o", "json"])
            .succeeds()
            .json()["id"]
            .clone()
    };
    assert_ne!(id("shop"), id("copy"));
    forms.run(&["design", "diff", "shop", "copy"]).succeeds();
}

#[test]
fn a_chart_becomes_a_valid_design_that_survives_every_form() {
    let forms = Forms::new();
    forms.copy("charts/web");
    let run = forms
        .run(&["design", "import", "charts/web", "-o", "json"])
        .succeeds();
    assert_eq!(run.json()["form"], "Helm Chart");
    assert!(
        run.stderr.contains("reachable.yaml"),
        "the test is named: {run}"
    );
    forms.is_valid("web");
    let kinds: Vec<Value> = forms
        .objects("web")
        .iter()
        .map(|o| o["kind"].clone())
        .collect();
    assert_eq!(
        kinds,
        [
            "CustomResourceDefinition",
            "Deployment",
            "ConfigMap",
            "Service",
            "Route"
        ]
        .map(Value::from)
        .into_iter()
        .collect::<Vec<_>>()
    );
    forms.survives("web");
}

#[test]
fn a_packed_chart_is_the_same_design() {
    let forms = Forms::new();
    forms.copy("charts/web");
    let (folder, to) = (forms.0.path("charts/web"), forms.0.path("."));
    let (folder, to) = (folder.display().to_string(), to.display().to_string());
    tools::run("helm", &["package", &folder, "--destination", &to], "");
    forms.import(&["charts/web"]);
    forms.comes_back("web", "web-1.2.3.tgz", "packed");
}

#[test]
fn values_change_what_a_chart_becomes() {
    let forms = Forms::new();
    forms.copy("charts/web");
    forms.copy("charts/values.production.yaml");
    forms.import(&["charts/web"]);
    forms.import(&[
        "charts/web",
        "--name",
        "production",
        "--values",
        "charts/values.production.yaml",
        "--set",
        "replicas=7,greeting=Hi",
        "--set",
        "image.tag=8",
    ]);
    let find = |design: &str, kind: &str| -> Option<Value> {
        forms
            .objects(design)
            .into_iter()
            .find(|object| object["kind"] == kind)
    };
    assert_eq!(find("web", "Ingress"), None);
    let ingress = find("production", "Ingress").expect("an Ingress");
    assert_eq!(ingress["spec"]["rules"][0]["host"], "shop.example.org");
    let deployment = find("production", "Deployment").expect("a Deployment");
    assert_eq!(
        deployment["spec"]["replicas"], 7,
        "--set wins over --values"
    );
    let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(image, "registry.example/web:8");
    let data = &find("production", "ConfigMap").expect("a ConfigMap")["data"];
    assert_eq!(
        (&data["greeting"], &data["octal-like"]),
        (&"Hi".into(), &"0400".into())
    );
    forms.run(&["design", "diff", "web", "production"]).ends(1);
    forms.is_valid("production");
    let run = forms.run(&[
        "design",
        "import",
        "charts/web",
        "--release-name",
        "blue",
        "--name",
        "blue",
        "-o",
        "json",
    ]);
    run.succeeds();
    assert_eq!(
        find("blue", "Service").expect("a Service")["metadata"]["name"],
        "blue-web"
    );
}

#[test]
fn a_kustomization_becomes_a_valid_design_that_survives_every_form() {
    let forms = Forms::new();
    forms.copy("kustomize");
    let run = forms
        .run(&["design", "import", "kustomize/overlay", "-o", "json"])
        .succeeds();
    assert_eq!(run.json()["form"], "Kustomize");
    forms.is_valid("overlay");
    let path = forms.0.path("kustomize/overlay").display().to_string();
    let (text, _) = tools::run("kubectl", &["kustomize", &path], "");
    let expected: Vec<String> = objects(&text).iter().map(identity).collect();
    let found: Vec<String> = forms.objects("overlay").iter().map(identity).collect();
    assert_eq!(found, expected);
    assert!(
        found
            .iter()
            .any(|id| id.starts_with("v1/ConfigMap/production/prod-settings-")),
        "{found:?}"
    );
    forms.survives("overlay");
}

#[test]
fn a_missing_helm_or_kubectl_is_named_with_the_fix() {
    let forms = Forms::new();
    forms.copy("charts/web");
    forms.copy("kustomize");
    for (source, tool) in [("charts/web", "helm"), ("kustomize/overlay", "kubectl")] {
        let mut command = forms.0.command(["design", "import", source]);
        let run = forms.0.finish(command.env("PATH", "/nowhere"), None);
        let run = run.fails(1, "E0130");
        assert!(
            run.stderr.contains(tool) && run.stderr.contains("hint:"),
            "{run}"
        );
        forms.is_empty();
    }
}
