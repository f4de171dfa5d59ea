//! What the containers of a pod wrote: the end of it in one piece, or line by line as it comes.

use std::collections::VecDeque;
use std::time::Duration;

use futures::Stream;
use futures::stream::unfold;
use http_body_util::BodyExt;
use kube::client::Body;
use tokio::time::timeout;

use super::discovery::segment;
use super::lines::Lines;
use super::object::{Deed, Objects, Repeat, with_query};
use super::problem::{ObjectError, Problem, Verb};
use super::request::Call;

/// Largest log that is read in one piece, in bytes.
const LOG: usize = 4 << 20;
/// Longest line that is handed on whole, in bytes.
const LINE: usize = 1 << 20;
/// Longest silence of a log that isn't followed.
const SILENCE: Duration = Duration::from_mins(1);
/// Largest answer that is an error, in bytes.
const ERROR: usize = 1 << 20;

/// Which part of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// The last lines; all of them unless given.
    pub tail: Option<u64>,
    /// What is younger than this, in seconds.
    pub since_seconds: Option<u64>,
    /// What was written from this time on, RFC 3339.
    pub since_time: Option<String>,
    /// What the container wrote before it was restarted.
    pub previous: bool,
    /// Each line begins with its time.
    pub timestamps: bool,
    /// Go on as lines come, until the container ends.
    pub follow: bool,
}

impl LogOptions {
    fn query(&self, container: Option<&str>) -> Vec<(&'static str, String)> {
        let mut query = Vec::new();
        query.extend(container.map(|name| ("container", name.to_owned())));
        query.extend(self.tail.map(|lines| ("tailLines", lines.to_string())));
        let since = self.since_seconds.map(|seconds| seconds.max(1).to_string());
        query.extend(since.map(|seconds| ("sinceSeconds", seconds)));
        query.extend(self.since_time.clone().map(|time| ("sinceTime", time)));
        for (name, is_set) in [
            ("previous", self.previous),
            ("timestamps", self.timestamps),
            ("follow", self.follow),
        ] {
            if is_set {
                query.push((name, "true".to_owned()));
            }
        }
        query
    }
}

/// A log that is being read.
struct Reading {
    objects: Objects,
    object: String,
    body: Body,
    lines: Lines,
    ready: VecDeque<Vec<u8>>,
    silence: Option<Duration>,
    over: bool,
}

impl Objects {
    /// Reads what a container of a pod wrote last, or what it wrote before it was restarted.
    pub async fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        tail_lines: Option<u32>,
        previous: bool,
    ) -> Result<String, ObjectError> {
        let options = LogOptions {
            tail: tail_lines.map(u64::from),
            previous,
            ..LogOptions::default()
        };
        // The server cuts the log at the end, and a tail is asked for by lines.
        let mut query = options.query(container);
        query.push(("limitBytes", (LOG - 1).to_string()));
        let deed = self.reading(namespace, pod, &query, LOG)?;
        let answer = self.run(&deed).await?;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    /// Reads the log of a container line by line, without the ends of the lines. A line that is too long comes in
    /// pieces.
    ///
    /// # Errors
    /// When the log cannot be opened; later errors are in the stream, which ends with one.
    pub async fn log_lines(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        options: &LogOptions,
    ) -> Result<impl Stream<Item = Result<String, ObjectError>> + Send + Unpin + use<>, ObjectError>
    {
        let deed = self.reading(namespace, pod, &options.query(Some(container)), ERROR)?;
        let reading = Reading {
            objects: self.clone(),
            body: self.opened(&deed).await?,
            object: deed.object,
            lines: Lines::default(),
            ready: VecDeque::new(),
            silence: (!options.follow).then_some(SILENCE),
            over: false,
        };
        Ok(Box::pin(unfold(reading, |mut reading| async move {
            let line = reading.next().await?;
            Some((line, reading))
        })))
    }

    fn reading(
        &self,
        namespace: &str,
        pod: &str,
        query: &[(&'static str, String)],
        limit: usize,
    ) -> Result<Deed, ObjectError> {
        let object = format!("Pod {namespace}/{pod}");
        let segments = segment(namespace).and_then(|namespace| Ok((namespace, segment(pod)?)));
        let (namespace, pod) =
            segments.map_err(|problem| self.error(Verb::Logs, &object, problem))?;
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/log");
        Ok(Deed {
            verb: Verb::Logs,
            object,
            secret: false,
            repeat: Repeat::Always,
            call: Call {
                accept: "*/*",
                ..Call::get(with_query(&path, query), limit)
            },
        })
    }

    /// Sends a call until its answer begins.
    async fn opened(&self, deed: &Deed) -> Result<Body, ObjectError> {
        let (cluster, within) = (&self.cluster, self.retry.reading);
        let attempt = |_, _| async move {
            let body = cluster.stream(&deed.call, within, deed.secret).await;
            body.map_err(|problem| (problem, true))
        };
        self.repeated(deed, attempt).await.map(|(body, _)| body)
    }
}

impl Reading {
    async fn next(&mut self) -> Option<Result<String, ObjectError>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(Ok(text(&line)));
            }
            if self.over {
                return None;
            }
            let frame = match self.silence {
                Some(limit) => timeout(limit, self.body.frame()).await,
                None => Ok(self.body.frame().await),
            };
            let problem = match frame {
                Ok(Some(Ok(frame))) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.ready.extend(self.lines.add(&bytes));
                        if self.lines.rest() > LINE {
                            self.ready.push_back(self.lines.take());
                        }
                    }
                    continue;
                }
                Ok(None) => {
                    self.over = true;
                    let last = self.lines.take();
                    self.ready.extend((!last.is_empty()).then_some(last));
                    continue;
                }
                Ok(Some(Err(error))) => {
                    Problem::broken(self.objects.cluster.unreachable("", Box::new(error)))
                }
                Err(_) => Problem::Timeout { after: SILENCE },
            };
            self.over = true;
            return Some(Err(self.objects.error(Verb::Logs, &self.object, problem)));
        }
    }
}

fn text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8_lossy(line).into_owned()
}
