//! Every file in `testdata` loads, or fails with the error its name announces.

use std::path::{Path, PathBuf};

use super::{error_of, stored, with_kept};
use crate::support::Sandbox;

/// The files below a folder of `testdata`, sorted.
pub(super) fn testdata(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut files = Vec::new();
    let mut open = vec![root.join(folder)];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of testdata") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[test]
fn every_file_of_bad_fails_with_the_code_in_its_name() {
    let (sandbox, kept) = with_kept();
    let files = testdata("bad");
    assert!(files.len() > 10);
    for path in files {
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let code = name
            .split('.')
            .find(|part| part.len() == 5 && part.starts_with("E0"))
            .unwrap_or_else(|| panic!("{name} announces no code"));
        let source = path.to_string_lossy().into_owned();
        let run = sandbox.run(["design", "import", &source, "--name", "kept", "-o", "json"]);
        let error = error_of(&run);
        let others = error["others"].as_array().cloned().unwrap_or_default();
        for error in std::iter::once(&error).chain(&others) {
            assert_eq!(error["code"], code, "{name}: {run}");
        }
        run.ends(10);
        for verb in [&["validate"][..], &["deploy", "--dry-run=client"]] {
            let run = sandbox.run(["design"].iter().chain(verb).chain(&[source.as_str()]));
            assert!(matches!(run.code, Some(1 | 10)), "{name}: {run}");
        }
    }
    assert_eq!(stored(&sandbox), kept);
}

const BESIDE_COMPOSE: &[(&str, &str)] = &[
    (".env", "DB_PASSWORD=x\nVAULT_TOKEN=x\n"),
    ("api.env", "API=1\n"),
    ("mail.env", "MAIL=1\n"),
    ("grafana/admin.txt", "admin"),
    ("keys/root.key", "key"),
    ("keys/tls.crt", "crt"),
    ("settings.hcl", "ui = true\n"),
    ("labels.txt", "a=b\n"),
];

#[test]
fn every_other_file_of_testdata_is_imported() {
    let sandbox = Sandbox::new();
    // What the Compose files refer to.
    for (file, text) in BESIDE_COMPOSE {
        sandbox.write(&format!("compose/{file}"), text);
    }
    for folder in ["manifests", "compose", "design"] {
        for path in testdata(folder) {
            let mut source = path.to_string_lossy().into_owned();
            if folder == "compose" {
                let name = path.file_name().expect("a name").to_string_lossy();
                source = format!("compose/{name}");
                sandbox.write(&source, std::fs::read(&path).expect("a file"));
            }
            let run = sandbox.run(["design", "import", &source, "--allow-unknown-kinds"]);
            if source.contains("/refused/") {
                // Refused as designs; some of them are another form.
                assert!(matches!(run.code, Some(0 | 10)), "{run}");
            } else {
                run.succeeds();
            }
        }
    }
    sandbox.run(["system", "store", "check"]).succeeds();
}
