//! Kubernetes clusters, one [`Cluster`] per kubeconfig context.
//!
//! Relies on kube-rs for kubeconfig, credentials and TLS. Every call has a deadline and a bound on what it reads,
//! and its errors name the context, the path and the cause, never a credential.
//!
//! [`Kinds`] is what a cluster serves, [`Objects`] are the verbs on any object of it, and [`Objects::watch`] follows
//! them. All three send JSON through one client over HTTP/1.1 connections that are kept: see `request`.

mod discovery;
mod lines;
mod log;
mod object;
mod openapi;
mod problem;
mod request;
mod retry;
mod watch;

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use kube::client::{AuthError, Client};
use kube::config::{Config, KubeConfigOptions, Kubeconfig, KubeconfigError};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use self::discovery::{Broken, KindRef, Kinds};
pub use self::log::LogOptions;
pub use self::object::{
    Access, Delete, Deletion, Listed, Objects, Permission, Propagation, Question, Reply, Selector,
    Validation, Write,
};
pub use self::openapi::Progress;
pub use self::problem::{Cause as FieldCause, Conflict, Missing, ObjectError, Problem, Verb};
pub use self::retry::{Retry, Retrying};
pub use self::watch::Event;

/// Longest time to connect.
const CONNECT: Duration = Duration::from_secs(10);
/// How many requests of a cluster are under way at a time, wherever nothing else is said.
const CONCURRENCY: usize = 16;
/// Longest time for a credential plug-in.
const PLUGIN: Duration = Duration::from_mins(1);
/// Longest message of a server or plug-in that is repeated, in characters.
const MESSAGE: usize = 500;

type Cause = Box<dyn StdError + Send + Sync>;

/// Why a cluster cannot be used. Displayed as a lowercase fragment without the cause, which is the source.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// There is no kubeconfig where one was expected.
    #[error("there is no kubeconfig at {}", path.display())]
    NoKubeconfig {
        /// The file.
        path: PathBuf,
    },
    /// A kubeconfig cannot be read, or what it says cannot be used.
    #[error("cannot use the kubeconfig{}", of(path.as_deref()))]
    Kubeconfig {
        /// The file; absent for the default ones.
        path: Option<PathBuf>,
        /// What is wrong with it.
        #[source]
        source: Box<KubeconfigError>,
    },
    /// The kubeconfig has no such context.
    #[error("the kubeconfig has no context {context:?}{}", known(contexts))]
    NoContext {
        /// The context that was asked for.
        context: String,
        /// Those that there are.
        contexts: Vec<String>,
    },
    /// No context was asked for, and the kubeconfig has no current one.
    #[error("the kubeconfig has no current context{}", known(contexts))]
    NoCurrentContext {
        /// Those that there are.
        contexts: Vec<String>,
    },
    /// A credential plug-in failed.
    #[error(
        "the credential plug-in {command:?} of context {context:?} failed ({status}){}",
        detail(message)
    )]
    Plugin {
        /// The context.
        context: String,
        /// The plug-in.
        command: String,
        /// How it ended.
        status: String,
        /// What it said.
        message: String,
    },
    /// The credentials, certificates or proxy of a context cannot be used.
    #[error("cannot use the credentials of context {context:?}")]
    Credentials {
        /// The context.
        context: String,
        /// Why not.
        #[source]
        source: Cause,
    },
    /// The server cannot be reached, or the connection broke.
    #[error("cannot reach {server} of context {context:?}")]
    Unreachable {
        /// The context.
        context: String,
        /// The server's address.
        server: String,
        /// The path that was asked for.
        path: String,
        /// Why not.
        #[source]
        source: Cause,
    },
    /// There was no complete answer in time.
    #[error("no answer to {path} from context {context:?} within {} s", after.as_secs_f32())]
    Timeout {
        /// The context.
        context: String,
        /// The path that was asked for, or the plug-in that was run.
        path: String,
        /// The deadline.
        after: Duration,
    },
    /// The server doesn't know who is asking, or doesn't allow it.
    #[error("{} for {path} in context {context:?} (HTTP {status}){}", denial(*status), detail(message))]
    Denied {
        /// The context.
        context: String,
        /// The path that was asked for.
        path: String,
        /// 401 or 403.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// There is nothing at a path.
    #[error("context {context:?} has no {path} (HTTP 404){}", detail(message))]
    NotFound {
        /// The context.
        context: String,
        /// The path that was asked for.
        path: String,
        /// What the server said.
        message: String,
    },
    /// The server answered with another error.
    #[error(
        "context {context:?} answered {path} with HTTP {status}{}",
        detail(message)
    )]
    Status {
        /// The context.
        context: String,
        /// The path that was asked for.
        path: String,
        /// The status.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// An answer is larger than it may be.
    #[error("the answer to {path} from context {context:?} is larger than {limit} bytes")]
    TooLarge {
        /// The context.
        context: String,
        /// The path that was asked for.
        path: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// An answer has nothing in it.
    #[error("the answer to {path} from context {context:?} is empty")]
    Empty {
        /// The context.
        context: String,
        /// The path that was asked for.
        path: String,
    },
    /// An answer is not the JSON that it should be.
    #[error("the answer to {path} from context {context:?} is not what it should be")]
    Malformed {
        /// The context.
        context: String,
        /// The path that was asked for.
        path: String,
        /// What is wrong.
        #[source]
        source: Cause,
    },
}

impl ClusterError {
    /// Returns the context that was spoken to, or asked for.
    pub fn context(&self) -> Option<&str> {
        match self {
            Self::NoKubeconfig { .. } | Self::Kubeconfig { .. } | Self::NoCurrentContext { .. } => {
                None
            }
            Self::NoContext { context, .. }
            | Self::Plugin { context, .. }
            | Self::Credentials { context, .. }
            | Self::Unreachable { context, .. }
            | Self::Timeout { context, .. }
            | Self::Denied { context, .. }
            | Self::NotFound { context, .. }
            | Self::Status { context, .. }
            | Self::TooLarge { context, .. }
            | Self::Empty { context, .. }
            | Self::Malformed { context, .. } => Some(context),
        }
    }

    /// Returns the kubeconfig that is at fault.
    pub fn kubeconfig(&self) -> Option<&Path> {
        match self {
            Self::NoKubeconfig { path } => Some(path),
            Self::Kubeconfig { path, .. } => path.as_deref(),
            _ => None,
        }
    }

    /// Tells whether the same call may succeed later without anyone doing anything.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}

fn of(path: Option<&Path>) -> String {
    path.map(|path| format!(" {}", path.display()))
        .unwrap_or_default()
}

fn known(contexts: &[String]) -> String {
    if contexts.is_empty() {
        return ", or any other".to_owned();
    }
    format!(", only {}", contexts.join(", "))
}

fn denial(status: u16) -> &'static str {
    if status == 401 {
        "not logged in"
    } else {
        "not allowed"
    }
}

fn detail(message: &str) -> String {
    if message.is_empty() {
        return String::new();
    }
    format!(": {message}")
}

/// A cluster, as one context of a kubeconfig describes it. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    context: String,
    namespace: String,
    server: String,
    deadline: Duration,
    /// The credential plug-in, if there is one.
    plugin: Option<String>,
    /// One permit per request under way; watches need none.
    flights: Arc<Semaphore>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Cluster")
            .field("context", &self.context)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// Lists the contexts of a kubeconfig, by name; none where there is no kubeconfig.
///
/// # Errors
/// When a kubeconfig is there and can't be used.
pub fn context_names(kubeconfig: Option<&Path>) -> Result<Vec<String>, ClusterError> {
    let read = match kubeconfig {
        Some(path) => kube::config::Kubeconfig::read_from(path),
        None => match kube::config::Kubeconfig::from_env() {
            Ok(Some(found)) => Ok(found),
            Ok(None) => kube::config::Kubeconfig::read(),
            Err(error) => Err(error),
        },
    };
    let found = match read {
        Ok(found) => found,
        Err(KubeconfigError::ReadConfig(..) | KubeconfigError::FindPath)
            if kubeconfig.is_none() =>
        {
            return Ok(Vec::new());
        }
        Err(source) => {
            return Err(ClusterError::Kubeconfig {
                path: kubeconfig.map(Path::to_owned),
                source: Box::new(source),
            });
        }
    };
    let mut names: Vec<String> = found
        .contexts
        .into_iter()
        .map(|context| context.name)
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

impl Cluster {
    /// Prepares to talk to a cluster; nothing is sent yet, but a credential plug-in may run.
    ///
    /// Without a kubeconfig the files in `KUBECONFIG` count, then `~/.kube/config`, then, inside of a pod, its
    /// service account. Without a context the kubeconfig's current one counts. Each call may take as long as
    /// `deadline`.
    pub async fn connect(
        kubeconfig: Option<&Path>,
        context: Option<&str>,
        deadline: Duration,
    ) -> Result<Self, ClusterError> {
        let (context, mut config) = configure(kubeconfig, context).await?;
        config.connect_timeout = Some(CONNECT.min(deadline));
        // Silence is bounded per call, since a watch may be silent for longer than an answer may take.
        config.read_timeout = None;
        // It would repeat what may have been done, a create for one; `retry` knows which calls may be repeated.
        config.default_retry = false;
        let namespace = config.default_namespace.clone();
        let server = address(&config.cluster_url);
        // Plug-ins run, and block, while the client is made.
        let exec = config.auth_info.exec.as_ref();
        let plugin = exec.and_then(|exec| exec.command.clone());
        let making = tokio::task::spawn_blocking(move || Client::try_from(config));
        let client = match timeout(PLUGIN, making).await {
            Ok(Ok(Ok(client))) => client,
            Ok(Ok(Err(error))) => return Err(credentials(context, plugin.as_deref(), error)),
            Ok(Err(join)) => {
                return Err(ClusterError::Credentials {
                    context,
                    source: Box::new(join),
                });
            }
            Err(_) => {
                return Err(ClusterError::Timeout {
                    context,
                    path: plugin.unwrap_or_else(|| "the credential plug-in".to_owned()),
                    after: PLUGIN,
                });
            }
        };
        Ok(Self {
            client,
            context,
            namespace,
            server,
            deadline,
            plugin,
            flights: Arc::new(Semaphore::new(CONCURRENCY)),
        })
    }

    /// Changes how many requests are under way at a time; clones made before keep their number.
    #[must_use]
    pub fn with_concurrency(mut self, requests: usize) -> Self {
        let requests = requests.clamp(1, Semaphore::MAX_PERMITS);
        self.flights = Arc::new(Semaphore::new(requests));
        self
    }

    /// Returns the name of the kubeconfig's context.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// Returns the namespace that the context names, or `default`.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Returns the server's address.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Returns the client for other calls.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    fn malformed(&self, path: &str, source: impl Into<Cause>) -> ClusterError {
        ClusterError::Malformed {
            context: self.context.clone(),
            path: path.to_owned(),
            source: source.into(),
        }
    }

    fn refused(&self, path: &str, status: StatusCode, body: &[u8]) -> ClusterError {
        let (context, path) = (self.context.clone(), path.to_owned());
        let message = message_of(body);
        match status.as_u16() {
            status @ (401 | 403) => ClusterError::Denied {
                context,
                path,
                status,
                message,
            },
            404 => ClusterError::NotFound {
                context,
                path,
                message,
            },
            status => ClusterError::Status {
                context,
                path,
                status,
                message,
            },
        }
    }
}

/// Reads the kubeconfig, and returns the name of the context and what it says.
async fn configure(
    path: Option<&Path>,
    context: Option<&str>,
) -> Result<(String, Config), ClusterError> {
    let unusable = |error| match error {
        KubeconfigError::ReadConfig(source, path) if source.kind() == io::ErrorKind::NotFound => {
            ClusterError::NoKubeconfig { path }
        }
        source => ClusterError::Kubeconfig {
            path: path.map(Path::to_owned),
            source: Box::new(source),
        },
    };
    let kubeconfig = match path {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    }
    .map_err(unusable);
    let kubeconfig = match kubeconfig {
        // Without any file there may be a service account; with one it must be right.
        Err(ClusterError::NoKubeconfig { .. }) if path.is_none() && context.is_none() => {
            match Config::incluster() {
                Ok(config) => return Ok(("in-cluster".to_owned(), config)),
                Err(_) => kubeconfig?,
            }
        }
        _ => kubeconfig?,
    };
    let contexts: Vec<String> = kubeconfig
        .contexts
        .iter()
        .map(|named| named.name.clone())
        .collect();
    let current = kubeconfig
        .current_context
        .clone()
        .filter(|name| !name.is_empty());
    let Some(context) = context.map(str::to_owned).or(current) else {
        return Err(ClusterError::NoCurrentContext { contexts });
    };
    if !contexts.contains(&context) {
        return Err(ClusterError::NoContext { context, contexts });
    }
    let options = KubeConfigOptions {
        context: Some(context.clone()),
        ..KubeConfigOptions::default()
    };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(unusable)?;
    Ok((context, config))
}

/// Describes why no client could be made, or no credentials found for a call. What a plug-in wrote to stdout may be
/// a credential, and is left out.
fn credentials(context: String, plugin: Option<&str>, error: kube::Error) -> ClusterError {
    match error {
        kube::Error::Auth(AuthError::AuthExecRun { out, .. }) => ClusterError::Plugin {
            context,
            command: plugin.unwrap_or_default().to_owned(),
            status: out.status.to_string(),
            message: shorten(&String::from_utf8_lossy(&out.stderr)),
        },
        kube::Error::Auth(source) => ClusterError::Credentials {
            context,
            source: Box::new(source),
        },
        source => ClusterError::Credentials {
            context,
            source: Box::new(source),
        },
    }
}

/// Returns scheme, host and port, and nothing that could be a password.
fn address(url: &http::Uri) -> String {
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!(
        "{}://{}{port}",
        url.scheme_str().unwrap_or("https"),
        url.host().unwrap_or_default()
    )
}

/// Returns what the server says in a `Status`, or else the beginning of the text that it sent.
fn message_of(body: &[u8]) -> String {
    let status: Option<Value> = serde_json::from_slice(body).ok();
    let message = status
        .as_ref()
        .and_then(|status| status.get("message")?.as_str());
    match message {
        Some(message) => shorten(message),
        None => shorten(&String::from_utf8_lossy(body)),
    }
}

/// Makes one line of a foreign text, and cuts it.
fn shorten(text: &str) -> String {
    let words = text.split(|letter: char| letter.is_whitespace() || letter.is_control());
    let line = words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    weft_domain::excerpt::excerpt(&line, MESSAGE).into_owned()
}

fn is_timeout(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const DEADLINE: Duration = Duration::from_secs(5);

    fn kubeconfig(server: &str, rest: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        write!(
            file,
            "apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: '{server}'}}}}]
users: [{{name: u, user: {{token: hunter2}}}}]
contexts:
- {{name: one, context: {{cluster: c, user: u, namespace: shop}}}}
- {{name: two, context: {{cluster: c, user: u}}}}
{rest}
"
        )
        .expect("a file that takes text");
        file
    }

    /// Answers one request with a text, or never.
    async fn answering(answer: Option<String>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                match &answer {
                    Some(answer) => {
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                    None => tokio::time::sleep(DEADLINE * 2).await,
                }
            }
        });
        format!("http://{address}")
    }

    fn reply(status: &str, body: &str) -> String {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
    }

    async fn failure(server: &str, deadline: Duration) -> String {
        let file = kubeconfig(server, "current-context: one");
        let cluster = Cluster::connect(Some(file.path()), None, deadline)
            .await
            .expect("a client");
        let error = cluster
            .get("/version", "application/json", 1000)
            .await
            .expect_err("an error");
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        assert!(!format!("{text} {error:?}").contains("hunter2"), "{text}");
        text.replace(server, "SERVER")
    }

    #[tokio::test]
    async fn answers_that_are_errors_say_where_and_why() {
        let status = r#"{"kind": "Status", "message": "no\nway"}"#;
        let large = "x".repeat(2000);
        let cases = [
            (
                reply("401 Unauthorized", status),
                r#"not logged in for /version in context "one" (HTTP 401): no way"#,
            ),
            (
                reply("403 Forbidden", ""),
                r#"not allowed for /version in context "one" (HTTP 403)"#,
            ),
            (
                reply("404 Not Found", "no such page"),
                r#"context "one" has no /version (HTTP 404): no such page"#,
            ),
            (
                reply("500 Oops", status),
                r#"context "one" answered /version with HTTP 500: no way"#,
            ),
            (
                reply("302 Found", ""),
                r#"context "one" answered /version with HTTP 302"#,
            ),
            (
                reply("200 OK", &large),
                r#"the answer to /version from context "one" is larger than 1000 bytes"#,
            ),
            (
                reply("200 OK", ""),
                r#"the answer to /version from context "one" is empty"#,
            ),
            (
                reply("200 OK", "{]"),
                r#"the answer to /version from context "one" is not what it should be: key must be a string at line 1 column 2"#,
            ),
        ];
        for (answer, expected) in cases {
            let server = answering(Some(answer)).await;
            assert_eq!(failure(&server, DEADLINE).await, expected);
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_or_silent_is_told_apart() {
        let text = failure("http://127.0.0.1:1", DEADLINE).await;
        assert!(
            text.starts_with(r#"cannot reach SERVER of context "one": "#),
            "{text}"
        );
        assert!(text.contains("refused"), "{text}");
        let silent = answering(None).await;
        assert_eq!(
            failure(&silent, Duration::from_millis(200)).await,
            r#"no answer to /version from context "one" within 0.2 s"#
        );
        let cut = answering(Some(
            "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_owned(),
        ))
        .await;
        let text = failure(&cut, DEADLINE).await;
        assert!(
            text.starts_with(r#"cannot reach SERVER of context "one": "#),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_context_must_be_in_the_kubeconfig() {
        let file = kubeconfig("https://[::1]:6443", "current-context: two");
        let connect = async |context| Cluster::connect(Some(file.path()), context, DEADLINE).await;
        let cluster = connect(None).await.expect("the current context");
        assert_eq!((cluster.context(), cluster.namespace()), ("two", "default"));
        assert_eq!(cluster.server(), "https://[::1]:6443");
        let cluster = connect(Some("one")).await.expect("a context");
        assert_eq!((cluster.context(), cluster.namespace()), ("one", "shop"));
        assert_eq!(
            connect(Some("three"))
                .await
                .expect_err("an error")
                .to_string(),
            r#"the kubeconfig has no context "three", only one, two"#
        );
        let file = kubeconfig("https://x", "");
        let error = Cluster::connect(Some(file.path()), None, DEADLINE)
            .await
            .expect_err("an error");
        assert_eq!(
            error.to_string(),
            "the kubeconfig has no current context, only one, two"
        );
        let error = Cluster::connect(Some(Path::new("/nowhere/config")), None, DEADLINE)
            .await
            .expect_err("an error");
        assert_eq!(
            error.to_string(),
            "there is no kubeconfig at /nowhere/config"
        );
    }

    #[tokio::test]
    async fn a_plug_in_that_fails_is_named_without_what_it_wrote() {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        write!(
            file,
            "apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: 'https://x'}}}}]
users:
- name: u
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: sh
      args: ['-c', 'echo hunter2; echo sorry >&2; exit 3']
      interactiveMode: Never
contexts: [{{name: one, context: {{cluster: c, user: u}}}}]
current-context: one
"
        )
        .expect("a file that takes text");
        let error = Cluster::connect(Some(file.path()), None, DEADLINE)
            .await
            .expect_err("an error");
        assert_eq!(
            error.to_string(),
            r#"the credential plug-in "sh" of context "one" failed (exit status: 3): sorry"#
        );
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn foreign_texts_become_one_short_line() {
        assert_eq!(shorten("a\n  b\t\u{1b}c"), "a b c");
        assert!(shorten(&"é ".repeat(10_000)).len() < 2 * MESSAGE);
        let url = "https://user:hunter2@a.example:1/x".parse().expect("a URL");
        assert_eq!(address(&url), "https://a.example:1");
    }
}
