//! Follows the objects of a kind for as long as someone listens.
//!
//! The stream never ends by itself: connections that end, break or fall silent are opened again at the last resource
//! version, and a version that the server no longer has leads to a new list. Only what no later attempt can mend (a
//! missing right, a kind that isn't served) is an error and the end. Dropping the stream closes its connection.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use futures::Stream;
use futures::stream::unfold;
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::discovery::KindRef;
use super::lines::Lines;
use super::object::{Objects, Selector, describe_all, with_query};
use super::problem::{ObjectError, Problem, Verb};
use super::request::Call;
use super::retry::{Retry, Retrying};

/// How long the server keeps a watch, in seconds, before it is opened again.
const KEPT: u32 = 290;
/// Longest silence: a server that was asked for bookmarks sends one about every minute.
const SILENCE: Duration = Duration::from_secs(150);
/// Longest wait between two attempts.
const LONGEST: Duration = Duration::from_secs(5);
/// A connection that lived this long was a good one: the next wait is short again.
const HEALTHY: Duration = Duration::from_secs(5);
/// Largest event, in bytes.
const EVENT: usize = 16 << 20;
/// Largest answer that is an error, in bytes.
const ERROR: usize = 1 << 20;

/// What happened to the objects of a kind.
#[derive(Clone, PartialEq)]
pub enum Event {
    /// An object is there, or has come to match.
    Added(Value),
    /// An object has changed.
    Modified(Value),
    /// An object is no longer there, or no longer matches; as it was last.
    Deleted(Value),
    /// Nothing, up to a resource version that a later watch can go on from.
    Bookmark(String),
    /// Everything that there is: what isn't in it has gone unseen.
    Relisted(Vec<Value>),
}

/// Without objects, which may be Secrets.
impl fmt::Debug for Event {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |object: &Value| {
            let name = object.pointer("/metadata/name").and_then(Value::as_str);
            name.unwrap_or_default().to_owned()
        };
        match self {
            Self::Added(object) => write!(out, "Added({})", name(object)),
            Self::Modified(object) => write!(out, "Modified({})", name(object)),
            Self::Deleted(object) => write!(out, "Deleted({})", name(object)),
            Self::Bookmark(version) => write!(out, "Bookmark({version})"),
            Self::Relisted(objects) => {
                let names: Vec<_> = objects.iter().map(name).collect();
                write!(out, "Relisted({})", names.join(", "))
            }
        }
    }
}

impl Objects {
    /// Follows the objects of a kind, in one namespace or in all. From a resource version, as
    /// [`list`](Self::list) gives it, on; without one the first event is `Relisted`. A deadline of [`until`](Self::until)
    /// doesn't count here: whoever has heard enough drops the stream.
    pub fn watch(
        &self,
        kind: &KindRef,
        namespace: Option<&str>,
        selector: &Selector,
        resource_version: Option<String>,
    ) -> impl Stream<Item = Result<Event, ObjectError>> + Send + Unpin + use<> {
        let watch = Watch {
            objects: Self {
                until: None,
                ..self.clone()
            },
            kind: kind.clone(),
            namespace: namespace.map(str::to_owned),
            selector: selector.clone(),
            version: resource_version,
            connection: None,
            ready: VecDeque::new(),
            failures: 0,
            over: false,
        };
        Box::pin(unfold(watch, |mut watch| async move {
            let event = watch.next().await?;
            Some((event, watch))
        }))
    }
}

struct Watch {
    objects: Objects,
    kind: KindRef,
    namespace: Option<String>,
    selector: Selector,
    /// What the next connection goes on from; none when there must be a list first.
    version: Option<String>,
    connection: Option<Connection>,
    ready: VecDeque<Event>,
    /// How many attempts in a row have failed.
    failures: u32,
    over: bool,
}

struct Connection {
    body: Body,
    lines: Lines,
    opened: Instant,
}

impl Watch {
    async fn next(&mut self) -> Option<Result<Event, ObjectError>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if self.over {
                return None;
            }
            let problem = match self.advance().await {
                Ok(()) => continue,
                Err(problem) => problem,
            };
            let lived = self.connection.take().map(|old| old.opened.elapsed());
            if lived.is_some_and(|lived| lived >= HEALTHY) {
                self.failures = 0;
            }
            match problem {
                Some(Problem::Gone { .. }) => self.version = None,
                Some(problem) if !problem.is_transient() => {
                    self.over = true;
                    let object = describe_all(&self.kind, self.namespace.as_deref());
                    return Some(Err(self.objects.error(Verb::Watch, &object, problem)));
                }
                // The server has ended a connection in its time.
                None if self.failures == 0 => {
                    self.failures = u32::from(lived.is_none_or(|lived| lived < HEALTHY));
                    continue;
                }
                Some(_) | None => {}
            }
            self.pause(problem.as_ref()).await;
        }
    }

    /// Waits before the next attempt, longer each time.
    async fn pause(&mut self, problem: Option<&Problem>) {
        let retry = Retry {
            longest: LONGEST,
            ..self.objects.retry
        };
        self.failures = self.failures.saturating_add(1);
        let asked = problem.and_then(Problem::retry_after);
        let wait = retry.wait(self.failures, asked);
        if let Some(problem) = problem {
            let object = describe_all(&self.kind, self.namespace.as_deref());
            self.objects.tell(&Retrying {
                verb: Verb::Watch,
                object: &object,
                attempt: self.failures,
                attempts: None,
                wait,
                problem,
            });
        }
        sleep(wait).await;
    }

    /// Goes one step: a list, a connection, or a part of its answer. No problem means that the server ended it.
    async fn advance(&mut self) -> Result<(), Option<Problem>> {
        let Some(version) = self.version.clone() else {
            return self.relist().await.map_err(Some);
        };
        match self.connection.take() {
            None => self.connection = Some(self.open(&version).await.map_err(Some)?),
            Some(connection) => {
                let connection = self.connection.insert(connection);
                let frame = timeout(SILENCE, connection.body.frame()).await;
                let frame = match frame {
                    Ok(Some(Ok(frame))) => frame,
                    Ok(None) => return Err(None),
                    Ok(Some(Err(error))) => {
                        let cause = self.objects.cluster.unreachable("", Box::new(error));
                        return Err(Some(Problem::broken(cause)));
                    }
                    Err(_) => return Err(Some(Problem::Timeout { after: SILENCE })),
                };
                if let Ok(bytes) = frame.into_data() {
                    let lines = connection.lines.add(&bytes);
                    if connection.lines.rest() > EVENT {
                        return Err(Some(self.malformed("an event is too large")));
                    }
                    for line in lines {
                        self.event(&line).map_err(Some)?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn relist(&mut self) -> Result<(), Problem> {
        let namespace = self.namespace.as_deref();
        let listed = self.objects.list(&self.kind, namespace, &self.selector);
        let listed = listed.await.map_err(|error| *error.problem)?;
        self.version = Some(listed.resource_version);
        self.ready.push_back(Event::Relisted(listed.objects));
        Ok(())
    }

    async fn open(&mut self, version: &str) -> Result<Connection, Problem> {
        let mut query = self.selector.query();
        query.push(("watch", "true".to_owned()));
        query.push(("allowWatchBookmarks", "true".to_owned()));
        query.push(("timeoutSeconds", KEPT.to_string()));
        query.push(("resourceVersion", version.to_owned()));
        let path = self.kind.collection(self.namespace.as_deref())?;
        let call = Call::get(with_query(&path, &query), ERROR);
        let (cluster, within) = (&self.objects.cluster, self.objects.retry.reading);
        let body = cluster.stream(&call, within, self.kind.is_secret()).await?;
        Ok(Connection {
            body,
            lines: Lines::default(),
            opened: Instant::now(),
        })
    }

    fn event(&mut self, line: &[u8]) -> Result<(), Problem> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let event: Value = serde_json::from_slice(line)
            .map_err(|error| self.malformed(&format!("an event is not JSON: {error}")))?;
        let Value::Object(mut event) = event else {
            return Err(self.malformed("an event is not an object"));
        };
        let object = event.remove("object").unwrap_or_default();
        let word = event
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if word == "ERROR" {
            return Err(Problem::of_event(object, self.kind.is_secret()));
        }
        let version = object.pointer("/metadata/resourceVersion");
        let version = version
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let event = match word {
            "ADDED" => Event::Added(object),
            "MODIFIED" => Event::Modified(object),
            "DELETED" => Event::Deleted(object),
            "BOOKMARK" => Event::Bookmark(version.clone()),
            other => return Err(self.malformed(&format!("there is no event {other:?}"))),
        };
        // What has come is proof that the connection works.
        self.failures = 0;
        self.version = Some(version).filter(|version| !version.is_empty());
        self.ready.push_back(event);
        Ok(())
    }

    fn malformed(&self, what: &str) -> Problem {
        let path = self.kind.collection(self.namespace.as_deref());
        let path = path.unwrap_or_default();
        Problem::Cluster(self.objects.cluster.malformed(&path, what.to_owned()))
    }
}
