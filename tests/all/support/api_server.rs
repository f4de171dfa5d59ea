//! A real API server without nodes, one for the whole test binary: each test has a namespace, or
//! a kind, of its own.
//!
//! It is a child of `tests/sandbox`, whose command reads our pipe. The pipe closes when this
//! process ends, however it ends, and that stops the server.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::OnceLock,
};

use super::tools;

/// A running API server with the contexts `sandbox`, `viewer` and `nobody`.
pub struct ApiServer {
    /// The kubeconfig of its contexts.
    pub kubeconfig: PathBuf,
    /// The context of its administrator.
    pub context: &'static str,
    /// Its end is the server's.
    _running: (Child, ChildStdin),
}

impl ApiServer {
    /// The one of this test binary, started when it is first asked for.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<ApiServer> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn start() -> Self {
        let sandbox = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sandbox");
        let mut child = Command::new(sandbox)
            .args(["--no-controllers", "sh", "-c", "env; echo READY; exec cat"])
            .env("WEFT_TEST_TOOLS", tools::tools())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/sandbox starts");
        let pipe = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut kubeconfig = None;
        for line in output.lines() {
            let line = line.expect("text");
            if let Some(path) = line.strip_prefix("KUBECONFIG=") {
                kubeconfig = Some(PathBuf::from(path));
            }
            if line == "READY" {
                return Self {
                    kubeconfig: kubeconfig.expect("tests/sandbox sets KUBECONFIG"),
                    context: "sandbox",
                    _running: (child, pipe),
                };
            }
        }
        let status = child.wait().expect("tests/sandbox ends");
        panic!("tests/sandbox ended before the API server was ready ({status}); see above");
    }

    /// Runs `kubectl` as the administrator; what it writes to standard output.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn kubectl(&self, arguments: &[&str], stdin: &str) -> String {
        let kubeconfig = self.kubeconfig.display().to_string();
        let cache = self
            .kubeconfig
            .with_file_name("cache")
            .display()
            .to_string();
        let mut all = vec!["--kubeconfig", &kubeconfig, "--cache-dir", &cache];
        all.extend(arguments);
        tools::run("kubectl", &all, stdin).0
    }
}
