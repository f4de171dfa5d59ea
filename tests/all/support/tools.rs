//! The peers that results are compared with, from the folder that `tests/tools` makes.

use std::{
    ffi::{OsStr, OsString},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;
use weft_domain::yaml::{Limits, parse, split};

/// The folder with `helm`, `kubectl` and the control plane.
///
/// # Panics
/// Where `WEFT_TEST_TOOLS` doesn't name it: nothing is skipped silently.
pub fn tools() -> &'static Path {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS.get_or_init(|| {
        let folder = std::env::var_os("WEFT_TEST_TOOLS").map(PathBuf::from);
        let folder = folder.expect(
            "WEFT_TEST_TOOLS is not set: run ./tests/run, or set it to the folder that ./tests/tools prints",
        );
        for tool in ["helm", "kubectl", "kube-apiserver", "etcd"] {
            assert!(
                folder.join(tool).exists(),
                "{} has no {tool}: run ./tests/tools",
                folder.display()
            );
        }
        folder
    })
}

/// `PATH` with the tools in front.
pub fn path() -> OsString {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(tools().to_owned()).chain(std::env::split_paths(&rest));
    std::env::join_paths(folders).expect("plain folder names")
}

/// Runs one of the tools; what it writes to standard output and standard error.
///
/// # Panics
/// When it fails.
#[track_caller]
pub fn run<S: AsRef<OsStr>>(tool: &str, arguments: &[S], stdin: &str) -> (String, String) {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(tools().join(tool));
    command
        .args(arguments)
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; run ./tests/tools"));
    let mut pipe = child.stdin.take().expect("a pipe");
    let text = stdin.to_owned();
    let writer = std::thread::spawn(move || drop(pipe.write_all(text.as_bytes())));
    let output = child.wait_with_output().expect("the tool ends");
    writer.join().expect("the writer ends");
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert!(
        output.status.success(),
        "{command:?}: {}\n{stdout}\n{stderr}",
        output.status
    );
    (stdout, stderr)
}

/// The objects of a text of YAML documents, ordered by what they are.
#[track_caller]
pub fn objects(text: &str) -> Vec<Value> {
    let mut objects: Vec<Value> = split(text)
        .filter_map(|document| {
            parse(&document, &Limits::STREAM).unwrap_or_else(|error| panic!("{error}\n{text}"))
        })
        .collect();
    objects.sort_by_key(identity);
    objects
}

/// Group and version, kind, namespace and name of an object.
pub fn identity(object: &Value) -> String {
    let text = |path: &str| {
        let found = object.pointer(path).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    [
        text("/apiVersion"),
        text("/kind"),
        text("/metadata/namespace"),
        text("/metadata/name"),
    ]
    .join("/")
}

/// A file or folder of `testdata`.
pub fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name)
}
