//! Running the programs that render charts and kustomizations.
//!
//! A program is found on PATH as an absolute path and started without a shell, without input and with
//! few environment variables. Its output is capped, its time is not: it is killed when the reading is
//! cancelled or given up.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use weft_domain::source::mask;

use super::error::flag;
use super::{Error, Work};

/// The variables that child processes get, besides Helm's own.
const VARIABLES: [&str; 23] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "DOCKER_CONFIG",
    // Windows does not start much without these.
    "SYSTEMROOT",
    "SystemRoot",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "PATHEXT",
    "TEMP",
    "TMP",
];

/// An empty kubeconfig, in the place of the one in the home folder.
const NO_KUBECONFIG: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };

/// How much of a program's error output is kept, and how many lines of it are quoted.
const STDERR_BYTES: usize = 64 << 10;
const STDERR_LINES: usize = 20;

/// What a program printed.
pub(super) struct Output {
    pub(super) stdout: Vec<u8>,
    /// The lines of the error output, masked.
    pub(super) warnings: Vec<String>,
}

/// Finds a program on PATH. Relative entries of PATH are not searched: they depend on where we are.
pub(super) fn find(work: &Work<'_>, name: &str) -> Option<PathBuf> {
    find_in(&variable(work, "PATH")?, name)
}

/// [`find`] with a PATH of one's own.
pub(super) fn find_in(path: &OsStr, name: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(&file))
        .find(|candidate| is_executable(candidate))
}

fn variable(work: &Work<'_>, name: &str) -> Option<OsString> {
    let environment = &work.options.environment;
    let (_, value) = environment.iter().find(|(key, _)| key == name)?;
    (!value.is_empty()).then(|| value.clone())
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

/// Reports whether a child process gets a variable. Access to clusters is not passed on.
fn is_passed(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    VARIABLES.contains(&name)
        || name.starts_with("XDG_")
        || (name.starts_with("HELM_") && !name.starts_with("HELM_KUBE"))
}

/// Runs a program to its end in a given folder.
pub(super) async fn run(
    work: &Work<'_>,
    tool: &'static str,
    program: &Path,
    arguments: &[OsString],
    folder: &Path,
) -> Result<Output, Error> {
    let environment = work.options.environment.iter();
    let mut command = Command::new(program);
    // A group of its own: Ctrl-C is for us, who then end the program, not for it to report as its failure.
    #[cfg(unix)]
    command.process_group(0);
    let started = command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(environment.filter(|(name, _)| is_passed(name)).cloned())
        .env("KUBECONFIG", NO_KUBECONFIG)
        // kustomize fetches remote bases with git, which must not ask for a password.
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let failed = |source| Error::Start {
        tool: program.display().to_string(),
        source,
    };
    let mut child = started.map_err(failed)?;
    let outcome = work.guard(watch(work, tool, &mut child, &failed)).await;
    if outcome.is_err() {
        // Wait for its end, so that its temporary folder can go; a failed kill means that it has ended.
        let _ = child.kill().await;
    }
    outcome
}

async fn watch(
    work: &Work<'_>,
    tool: &'static str,
    child: &mut Child,
    failed: &impl Fn(io::Error) -> Error,
) -> Result<Output, Error> {
    let limit = work.options.limits.input;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(failed(io::ErrorKind::BrokenPipe.into()));
    };
    let output = async {
        read_capped(stdout, limit)
            .await
            .map_err(failed)?
            .ok_or_else(|| Error::TooLarge {
                what: format!("the output of {tool} for {}", work.origin),
                limit,
                flag: Some(flag::INPUT),
            })
    };
    let messages = async { read_last(stderr).await.map_err(failed) };
    let (stdout, stderr) = tokio::try_join!(output, messages)?;
    let status = child.wait().await.map_err(failed)?;
    let messages = String::from_utf8_lossy(&stderr);
    let lines: Vec<String> = messages
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .map(mask)
        .collect();
    if status.success() {
        return Ok(Output {
            stdout,
            warnings: lines,
        });
    }
    Err(Error::Tool {
        tool,
        what: work.origin.clone(),
        status: status.to_string(),
        stderr: lines[lines.len().saturating_sub(STDERR_LINES)..].join("\n"),
    })
}

/// Reads to the end, or to the limit: then `None`.
async fn read_capped(mut from: impl AsyncRead + Unpin, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    loop {
        let read = (&mut from).take(1 << 20).read_to_end(&mut bytes).await?;
        if bytes.len() as u64 > limit {
            return Ok(None);
        }
        if read == 0 {
            return Ok(Some(bytes));
        }
    }
}

/// Reads to the end and keeps the last part.
async fn read_last(mut from: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut kept = VecDeque::new();
    let mut piece = vec![0; 8 << 10];
    loop {
        let read = from.read(&mut piece).await?;
        if read == 0 {
            return Ok(kept.into());
        }
        kept.extend(&piece[..read]);
        let surplus = kept.len().saturating_sub(STDERR_BYTES);
        kept.drain(..surplus);
    }
}
