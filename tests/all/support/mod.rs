//! What tests stand on: a sandbox with a home of its own in which the program runs with a clean
//! environment, a fixed clock and counted ids, so that the same run gives the same bytes.

pub mod api;
pub mod api_server;
pub mod databases;
pub mod place;
pub mod proxy;
pub mod running;
pub mod server;
pub mod tools;

use std::{
    ffi::OsStr,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

pub use api_server::ApiServer;
pub use place::Place;
pub use proxy::Proxy;
pub use running::Running;

/// How long a run of the program may take, wherever nothing else is said: it never hangs. Beside the long
/// loops of a full run everything takes its time.
fn longest() -> Duration {
    Duration::from_mins(if crate::seeded::full() { 10 } else { 2 })
}

/// The program under test.
pub const WEFTCTL: &str = env!("CARGO_BIN_EXE_weftctl");

/// A small application, valid, of several kinds.
pub const SHOP: &str = include_str!("../../../testdata/manifests/shop.yaml");

/// A folder with a home, in which the program runs.
pub struct Sandbox {
    folder: tempfile::TempDir,
}

impl Sandbox {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// One that holds `shop.yaml`, imported as the design `shop`.
    pub fn with_shop() -> Self {
        let sandbox = Self::new();
        sandbox.write("shop.yaml", SHOP);
        sandbox.run(["design", "import", "shop.yaml"]).succeeds();
        sandbox
    }

    /// The folder, which is also the working folder of the program.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path below the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Our own home: store, state, configuration.
    pub fn home(&self) -> PathBuf {
        self.path("home/weft")
    }

    /// Writes a file below the folder.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// The program with a clean environment, not started yet.
    pub fn command<I, S>(&self, arguments: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.command_of(WEFTCTL, arguments)
    }

    /// Another program in the same environment, for example a shell.
    pub fn command_of<I, S>(&self, program: &str, arguments: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.path("home"))
            .env("WEFT_HOME", self.home())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANG", "C.UTF-8")
            .env("TMPDIR", std::env::temp_dir())
            .env("WEFT_TEST_NOW", "2026-01-02T03:04:05Z")
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub fn run<I, S>(&self, arguments: I) -> Run
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.finish(&mut self.command(arguments), None)
    }

    /// Runs the program with a text on standard input.
    pub fn run_with<I, S>(&self, arguments: I, stdin: &[u8]) -> Run
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.finish(&mut self.command(arguments), Some(stdin))
    }

    /// Runs a prepared command to its end.
    pub fn finish(&self, command: &mut Command, stdin: Option<&[u8]>) -> Run {
        self.finish_known(command, stdin, |_| {})
    }

    /// Runs a prepared command to its end and tells its process id when it has begun.
    pub fn finish_known(
        &self,
        command: &mut Command,
        stdin: Option<&[u8]>,
        tell: impl FnOnce(u32),
    ) -> Run {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if stdin.is_some() {
            command.stdin(Stdio::piped());
        }
        let shown = format!("{command:?}");
        let mut child = command.spawn().expect("the program starts");
        tell(child.id());
        if let (Some(text), Some(mut pipe)) = (stdin, child.stdin.take()) {
            let text = text.to_owned();
            // The program may end before it has read everything.
            std::thread::spawn(move || drop(pipe.write_all(&text)));
        }
        let stdout = read_all(child.stdout.take());
        let stderr = read_all(child.stderr.take());
        let deadline = Instant::now() + longest();
        let status = loop {
            if let Some(status) = child.try_wait().expect("the program ends") {
                break status;
            }
            if Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                panic!("hangs: {shown}");
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let text = |reader: std::thread::JoinHandle<Vec<u8>>| {
            let bytes = reader.join().expect("a reader");
            self.redact(&String::from_utf8_lossy(&bytes))
        };
        Run {
            command: shown,
            code: status.code(),
            stdout: text(stdout),
            stderr: text(stderr),
        }
    }

    /// A sandbox with the same files. Not for one whose server runs.
    pub fn copy(&self) -> Self {
        fn copy(from: &Path, to: &Path) {
            std::fs::create_dir_all(to).expect("a folder");
            let mode = std::fs::metadata(from).expect("a folder").permissions();
            std::fs::set_permissions(to, mode).expect("its mode");
            for entry in std::fs::read_dir(from).expect("a folder") {
                let entry = entry.expect("an entry");
                let target = to.join(entry.file_name());
                if entry.file_type().expect("a type").is_dir() {
                    copy(&entry.path(), &target);
                } else {
                    match std::fs::copy(entry.path(), target) {
                        // The journal of a database comes and goes with its readers.
                        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                        copied => _ = copied.expect("a copy"),
                    }
                }
            }
        }
        let sandbox = Self::new();
        copy(self.folder(), sandbox.folder());
        sandbox
    }

    /// Replaces the sandbox's own path.
    fn redact(&self, text: &str) -> String {
        text.replace(&self.folder.path().display().to_string(), "[SANDBOX]")
    }
}

/// Reads a stream to its end, beside the others.
fn read_all(stream: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            let _ = stream.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// What a run of the program gave.
#[derive(Debug, Clone)]
pub struct Run {
    /// The command line, for messages of failed tests.
    pub command: String,
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// Demands exit 0.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        self.ends(0)
    }

    /// Demands an exit code.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Demands an exit code and our error code on standard error.
    #[track_caller]
    pub fn fails(self, exit: i32, code: &str) -> Self {
        assert!(self.stderr.contains(code), "expected {code}: {self}");
        self.ends(exit)
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The transcript: exit code, standard output, standard error.
    pub fn transcript(&self) -> String {
        let mut text = format!(
            "exit {}\n",
            self.code.map_or("-".into(), |code| code.to_string())
        );
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !stream.is_empty() {
                text.push_str(&format!("--- {name}\n{stream}"));
            }
        }
        text
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n{}", self.command, self.transcript())
    }
}
