//! Real API servers. One without nodes serves the whole test binary: each test has a namespace, or
//! a kind, of its own. Another one has controllers and nodes, and who wants to break one starts one
//! for itself.
//!
//! It is a child of `tests/sandbox`, whose command reads our pipe. The pipe closes when this
//! process ends, however it ends, and that stops the server.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use super::{
    api::Api,
    server::{signal, wait_for_end},
    tools,
};

/// A running API server with the contexts `sandbox`, `viewer` and `nobody`.
pub struct ApiServer {
    /// The kubeconfig of its contexts.
    pub kubeconfig: PathBuf,
    /// The context of its administrator.
    pub context: &'static str,
    /// What the administrator asks it directly.
    pub api: Api,
    /// The folder with logs, pid files and a start script per component; `logs/NAME/current` in it is
    /// what containers called NAME write, see `tests/sandbox`.
    pub folder: PathBuf,
    /// Its end is the server's.
    _running: (Child, ChildStdin),
}

impl ApiServer {
    /// The one without nodes, started when it is first asked for.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<ApiServer> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&["--no-controllers"]))
    }

    /// The one of this test binary that has controllers and two nodes: workloads become ready, and
    /// pods have logs.
    pub fn with_nodes() -> &'static Self {
        static SHARED: OnceLock<ApiServer> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// One without nodes for a test that breaks it. It ends with the value.
    pub fn own() -> Self {
        Self::start(&["--no-controllers"])
    }

    /// The same with controllers and two nodes.
    pub fn own_with_nodes() -> Self {
        Self::start(&[])
    }

    fn start(options: &[&str]) -> Self {
        let sandbox = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sandbox");
        let mut child = Command::new(sandbox)
            .args(options)
            .args(["sh", "-c", "env; echo READY; exec cat"])
            .env("WEFT_TEST_TOOLS", tools::tools())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/sandbox starts");
        let pipe = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (mut kubeconfig, mut controllers) = (None, false);
        for line in output.lines() {
            let line = line.expect("text");
            if let Some(path) = line.strip_prefix("KUBECONFIG=") {
                kubeconfig = Some(PathBuf::from(path));
            }
            controllers |= line == "WEFT_SANDBOX_CONTROLLERS=yes";
            if line == "READY" {
                assert!(
                    controllers || !options.is_empty(),
                    "WEFT_TEST_TOOLS has no controllers: run ./tests/tools"
                );
                let kubeconfig: PathBuf = kubeconfig.expect("tests/sandbox sets KUBECONFIG");
                return Self {
                    api: Api::of(&kubeconfig),
                    folder: kubeconfig.parent().expect("a folder").to_owned(),
                    kubeconfig,
                    context: "sandbox",
                    _running: (child, pipe),
                };
            }
        }
        let status = child.wait().expect("tests/sandbox ends");
        panic!("tests/sandbox ended before the API server was ready ({status}); see above");
    }

    /// The process of one of its components, such as `etcd`.
    pub fn pid(&self, component: &str) -> u32 {
        let file = self.folder.join(format!("{component}.pid"));
        // A script that starts writes it, not at once.
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let text = std::fs::read_to_string(&file).expect("a pid file");
            if let Ok(pid) = text.trim().parse() {
                return pid;
            }
            assert!(Instant::now() < until, "{component} has no process id");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills a component and starts it again, on the same port and data.
    pub fn restart(&self, component: &str) {
        let pid = self.pid(component);
        signal(pid, "KILL");
        assert!(wait_for_end(pid, Duration::from_secs(10)), "kill -9");
        let started = Command::new(self.folder.join(format!("{component}.start"))).spawn();
        let mut child = started.expect("the component starts");
        // Its script writes the pid file; whoever ends it, its end is waited for.
        std::thread::spawn(move || child.wait());
        let until = Instant::now() + Duration::from_secs(10);
        while self.pid(component) == pid {
            assert!(Instant::now() < until, "{component} does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the server says that it is ready.
    pub fn wait_until_ready(&self) {
        let until = Instant::now() + Duration::from_mins(2);
        loop {
            let (status, said) = self.api.send("GET", "/readyz", None);
            if status == 200 {
                return;
            }
            if Instant::now() > until {
                for component in ["etcd", "kube-apiserver"] {
                    let log = self.folder.join(format!("{component}.log"));
                    let log = std::fs::read_to_string(log).unwrap_or_default();
                    let tail: Vec<&str> = log.lines().rev().take(15).collect();
                    println!(
                        "--- the end of {component}.log, backwards\n{}",
                        tail.join("\n")
                    );
                }
                panic!("the API server does not come back: {status} {said}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What was written so far: verb and path of every request that changed something that is kept,
    /// reviews and leases apart.
    pub fn writes(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.folder.join("audit.log")).expect("an audit log");
        let entries = log
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let writes = entries.filter_map(|entry| {
            let verb = entry["verb"].as_str()?;
            let path = entry["requestURI"].as_str()?;
            let resource = entry["objectRef"]["resource"].as_str().unwrap_or("");
            let is_write = ["create", "update", "patch", "delete", "deletecollection"]
                .contains(&verb)
                && !path.contains("dryRun=")
                && !resource.ends_with("reviews")
                && resource != "leases";
            is_write.then(|| format!("{verb} {path}"))
        });
        writes.collect()
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
