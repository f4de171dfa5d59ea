//! `model validate`: definitions of models of every version, in folders, archives and images.

use std::{collections::BTreeMap, path::Path};

use aws_lc_rs::digest;
use serde_json::json;

use crate::{
    bad_input::archives::{gzip, tar},
    support::{Run, Sandbox},
};

const REGISTRY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/registry");

type Files = BTreeMap<String, Vec<u8>>;

/// The files below a folder, by their paths in it.
fn files(folder: &Path) -> Files {
    let mut files = Files::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(inner) = waiting.pop() {
        for entry in std::fs::read_dir(inner).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).expect("below it");
            let bytes = std::fs::read(&path).expect("a file");
            files.insert(name.display().to_string(), bytes);
        }
    }
    files
}

fn archive(files: &Files) -> Vec<u8> {
    let entries = files.iter();
    let entries = entries.map(|(path, bytes)| (path.as_str(), tar::EntryType::Regular, &bytes[..]));
    tar(&entries.collect::<Vec<_>>())
}

fn hex(bytes: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Writes a model as a folder, and as an archive.
pub fn write_acme_queue(sandbox: &Sandbox) {
    let files = files(&Path::new(REGISTRY).join("acme-queue"));
    for (path, bytes) in &files {
        sandbox.write(&format!("acme-queue/{path}"), bytes);
    }
    sandbox.write("acme-queue.tar.gz", gzip(&archive(&files)));
}

/// An image as `docker save` writes it, with one layer.
fn docker(layer: &[u8]) -> Files {
    let (config, name) = (b"{}".to_vec(), format!("{}.tar.gz", hex(layer)));
    let manifest =
        json!([{"Config": "config.json", "RepoTags": ["acme:latest"], "Layers": [name]}]);
    Files::from([
        (
            "manifest.json".to_owned(),
            manifest.to_string().into_bytes(),
        ),
        ("config.json".to_owned(), config),
        (name, layer.to_vec()),
    ])
}

/// The same as an OCI image layout, with an index in the index.
fn layout(layer: &[u8]) -> Files {
    let mut files = Files::from([(
        "oci-layout".to_owned(),
        br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec(),
    )]);
    let mut add = |bytes: Vec<u8>| {
        let digest = hex(&bytes);
        files.insert(format!("blobs/sha256/{digest}"), bytes);
        json!({"digest": format!("sha256:{digest}")})
    };
    let layer = add(layer.to_vec());
    let config = add(b"{}".to_vec());
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
    let manifest = add(manifest.to_string().into_bytes());
    let inner = add(json!({"schemaVersion": 2, "manifests": [manifest]})
        .to_string()
        .into_bytes());
    let index = json!({"schemaVersion": 2, "manifests": [inner]});
    files.insert("index.json".to_owned(), index.to_string().into_bytes());
    files
}

fn validate(sandbox: &Sandbox, source: &str) -> Run {
    sandbox.run(["model", "validate", source, "-o", "json"])
}

/// The models that were found, with what is in them.
fn models(run: &Run) -> Vec<String> {
    let models = run.json()["models"].as_array().cloned().expect("a list");
    let models = models.iter().map(|model| {
        let text = |key: &str| model[key].as_str().unwrap_or_default();
        let counts =
            ["components", "relationships", "connections"].map(|key| model[key].to_string());
        format!("{} {} {}", text("name"), text("version"), counts.join(" "))
    });
    models.collect()
}

#[test]
fn models_of_every_version_are_valid_in_every_layout() {
    let both = files(Path::new(REGISTRY));
    let inner = gzip(&archive(&both));
    let sandbox = Sandbox::new();
    sandbox.write("models.tar", archive(&both));
    sandbox.write("models.tgz", &inner);
    sandbox.write("docker.tar", archive(&docker(&inner)));
    sandbox.write("docker.tar.gz", gzip(&archive(&docker(&inner))));
    sandbox.write("layout.tar", archive(&layout(&inner)));
    for (path, bytes) in layout(&inner) {
        sandbox.write(&format!("layout/{path}"), bytes);
    }
    // Each in an archive of its own, side by side and in another one.
    for name in ["acme-queue", "harbor-light"] {
        let one = files(&Path::new(REGISTRY).join(name));
        sandbox.write(&format!("each/{name}.tar.gz"), gzip(&archive(&one)));
    }
    let each = files(&sandbox.path("each"));
    sandbox.write("each.tar", archive(&each));
    let expected = ["acme-queue 2.4.1 2 1 1", "harbor-light v3.0.0 1 1 0"];
    for source in [
        REGISTRY,
        "models.tar",
        "models.tgz",
        "docker.tar",
        "docker.tar.gz",
        "layout.tar",
        "layout",
        "each",
        "each.tar",
    ] {
        println!("{source}");
        let run = validate(&sandbox, source).succeeds();
        assert_eq!(models(&run), expected, "{run}");
        assert_eq!(run.json()["findings"], json!([]), "{run}");
    }
    let run = sandbox
        .run_with(["model", "validate", "-"], &inner)
        .succeeds();
    assert_eq!(
        run.stdout,
        "acme-queue 2.4.1: 2 components, 1 relationship, 1 connection kind\n\
         harbor-light v3.0.0: 1 component, 1 relationship, 0 connection kinds\n\
         valid: 2 models, 0 findings\n"
    );
}

#[test]
fn what_is_wrong_is_said_with_file_line_and_field() {
    let sandbox = Sandbox::new();
    let all = files(&Path::new(REGISTRY).join("acme-queue/2.4.1/v1.0.0"));
    for (path, bytes) in &all {
        sandbox.write(&format!("acme/{path}"), bytes);
    }
    let change = |path: &str, old: &str, new: &str| {
        let text = String::from_utf8(all[path].clone()).expect("a text");
        assert!(text.contains(old), "{path}: {old}");
        sandbox.write(&format!("acme/{path}"), text.replace(old, new));
    };
    change("model.json", r#""kind": "github", "#, "");
    change(
        "components/Queue.json",
        r#""shape": "barrel""#,
        r#""shape": "berrel""#,
    );
    change("components/Broker.yaml", "kind: Broker", "kind: Brokers");
    change("connections/Broker.json", "v1beta3", "v1beta7");
    let run = sandbox.run(["model", "validate", "acme"]).fails(1, "");
    let expected = [
        "error: acme/components/Queue.json:8:",
        "error: acme/connections/Broker.json:2:",
        "error: acme/model.json:9:",
        "warning: acme/relationships/hierarchical-parent-inventory-kq3xz.json:",
        "not valid: 1 model, 4 findings\n",
    ];
    let mut rest = run.stdout.as_str();
    for expected in expected {
        let at = rest.find(expected);
        rest = &rest[at.unwrap_or_else(|| panic!("{expected} in\n{run}"))..];
    }
    assert!(
        run.stdout
            .contains("did you mean \"connections.meshery.io/v1beta"),
        "{run}"
    );
    assert!(run.stdout.contains("did you mean \"Brokers\"?"), "{run}");
    // Warnings alone are no error, unless they shall be.
    for (path, bytes) in &all {
        sandbox.write(&format!("acme/{path}"), bytes);
    }
    change("model.json", "Streaming & Messaging", "Fancy Messaging");
    sandbox.run(["model", "validate", "acme"]).succeeds();
    sandbox
        .run(["model", "validate", "acme", "--strict"])
        .fails(1, "");
    // As reports.
    let junit = sandbox
        .run(["model", "validate", "acme", "--strict", "-o", "junit"])
        .fails(1, "");
    assert!(junit.stdout.contains("Fancy Messaging"), "{junit}");
    let sarif = sandbox
        .run(["model", "validate", "acme", "-o", "sarif"])
        .succeeds();
    assert!(sarif.stdout.contains("acme/model.json"), "{sarif}");
}

#[test]
fn what_holds_no_model_or_is_damaged_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("empty/readme.md", "nothing");
    sandbox.write(
        "other/deployment.yaml",
        "apiVersion: apps/v1\nkind: Deployment\n",
    );
    sandbox.write("broken/model.json", "{\"schemaVersion\": ");
    let queue =
        std::fs::read(Path::new(REGISTRY).join("acme-queue/2.4.1/v1.0.0/components/Queue.json"));
    sandbox.write("alone/Queue.json", queue.expect("a file"));
    for (source, exit, code) in [
        ("empty", 4, "E"),
        ("other", 4, "no definition"),
        ("broken", 3, "broken/model.json:1"),
    ] {
        let run = sandbox.run(["model", "validate", source]);
        assert_ne!(run.code, Some(0), "{run}");
        assert!(run.stderr.contains(code), "{exit} {run}");
    }
    let run = validate(&sandbox, "alone").fails(1, "");
    assert_eq!(run.json()["findings"][0]["rule"], "no-model", "{run}");
    // An image that is not whole, or another one than its digests say.
    let inner = gzip(&archive(&files(Path::new(REGISTRY))));
    let (mut lost, mut other) = (docker(&inner), layout(&inner));
    lost.retain(|path, _| !path.ends_with(".tar.gz"));
    let layer = other
        .iter()
        .max_by_key(|(_, bytes)| bytes.len())
        .map(|(path, _)| path.clone());
    other.insert(layer.expect("a layer"), gzip(&archive(&Files::new())));
    for (name, image, why) in [
        ("lost.tar", lost, "is missing"),
        ("other.tar", other, "does not have the digest"),
    ] {
        sandbox.write(name, archive(&image));
        let run = sandbox.run(["model", "validate", name]);
        assert_ne!(run.code, Some(0), "{run}");
        assert!(run.stderr.contains(why), "{run}");
    }
    // An archive in an archive in an archive.
    let mut nested = inner;
    for _ in 0..6 {
        nested = archive(&Files::from([("a.tar".to_owned(), nested)]));
    }
    sandbox.write("nested.tar", nested);
    let run = sandbox.run(["model", "validate", "nested.tar"]);
    assert!(run.stderr.contains("too many archives"), "{run}");
    // Limits have their flags.
    let run = sandbox.run(["model", "validate", REGISTRY, "--max-files", "2"]);
    assert!(run.stderr.contains("--max-files"), "{run}");
}
