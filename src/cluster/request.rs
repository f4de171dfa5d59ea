//! One request and its answer, below all verbs.
//!
//! Requests go through `kube::Client::send`, which adds credentials and keeps connections: HTTP/1.1, one connection
//! per request under way. HTTP/2 was measured against the same API server and is not faster (see the commit).

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::response::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Collected, LengthLimitError, Limited};
use hyper_util::client::legacy::Error as SendError;
use kube::client::Body;
use serde_json::Value;
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::problem::Problem;
use super::retry::{Retry, retry_after};
use super::{CONNECT, Cause, Cluster, ClusterError, credentials, is_timeout};

/// How audit logs name us.
const USER_AGENT: &str = concat!("weftctl/", env!("CARGO_PKG_VERSION"));
/// What JSON is called.
pub(super) const JSON: &str = "application/json";

/// A request that can be sent several times.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The path with its query.
    pub(super) path: String,
    pub(super) accept: &'static str,
    /// The media type and the text.
    pub(super) body: Option<(&'static str, Bytes)>,
    /// Asks for an answer only if it isn't this one.
    pub(super) etag: Option<String>,
    /// Most bytes of the answer.
    pub(super) limit: usize,
}

impl Call {
    /// Asks for a path as JSON.
    pub(super) fn get(path: impl Into<String>, limit: usize) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            accept: JSON,
            body: None,
            etag: None,
            limit,
        }
    }
}

/// A complete answer, whatever it says.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// Reads an answer that is an error; of one that is too long or too slow the status counts.
    async fn short(parts: Parts, body: Body, within: Duration, limit: usize) -> Self {
        let body = Limited::new(body, limit).collect();
        let body = timeout(within, body).await.ok().and_then(Result::ok);
        Self {
            status: parts.status,
            headers: parts.headers,
            body: body.map(Collected::to_bytes).unwrap_or_default(),
        }
    }
}

/// Why there is no complete answer.
pub(super) struct Unanswered {
    pub(super) error: ClusterError,
    /// Whether the server may have got the request.
    pub(super) sent: bool,
}

/// How long an answer may take.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    /// How long nothing of it may come. A large answer over a slow line may take longer.
    pub(super) silence: Duration,
    /// When it has to be there.
    pub(super) until: Instant,
    /// What a message says of that moment: how long it was waited for.
    pub(super) after: Duration,
}

impl Limit {
    /// Waits for some of the answer; when that takes too long, says how long it was waited for.
    async fn wait<T>(self, some: impl Future<Output = T>) -> Result<T, Duration> {
        let (end, after) = match Instant::now() + self.silence {
            silent if silent < self.until => (silent, self.silence),
            _ => (self.until, self.after),
        };
        timeout_at(end, some).await.map_err(|_| after)
    }
}

impl Cluster {
    /// Gets a path as JSON, reading at most `limit` bytes. A server that is too busy is asked again.
    pub(super) async fn get(
        &self,
        path: &str,
        accept: &'static str,
        limit: usize,
    ) -> Result<Value, ClusterError> {
        let call = Call {
            accept,
            ..Call::get(path, limit)
        };
        let answer = self.fetch(&call).await?;
        if !answer.status.is_success() {
            return Err(self.refused(path, answer.status, &answer.body));
        }
        if answer.body.is_empty() {
            return Err(ClusterError::Empty {
                context: self.context.clone(),
                path: path.to_owned(),
            });
        }
        serde_json::from_slice(&answer.body).map_err(|error| self.malformed(path, error))
    }

    /// Sends a request that only reads, and asks again while the server is too busy.
    pub(super) async fn fetch(&self, call: &Call) -> Result<Answer, ClusterError> {
        let retry = Retry::default();
        let until = Instant::now() + self.deadline;
        let mut attempt = 1;
        loop {
            let permit = self.permit(until).await;
            let permit = permit.ok_or_else(|| self.timed_out(&call.path, self.deadline))?;
            let limit = Limit {
                silence: self.deadline,
                until,
                after: self.deadline,
            };
            let answer = self.exchange(call, limit).await;
            drop(permit);
            let answer = answer.map_err(|unanswered| unanswered.error)?;
            let busy = matches!(answer.status.as_u16(), 429 | 503 | 504);
            let wait = retry.wait(attempt, retry_after(&answer.headers));
            if !busy || attempt >= retry.attempts || Instant::now() + wait >= until {
                return Ok(answer);
            }
            sleep(wait).await;
            attempt += 1;
        }
    }

    /// Waits until another request may be under way; none when that takes too long.
    pub(super) async fn permit(&self, until: Instant) -> Option<SemaphorePermit<'_>> {
        timeout_at(until, self.flights.acquire()).await.ok()?.ok()
    }

    /// Sends a request and reads the whole answer, for as long as some of it comes.
    pub(super) async fn exchange(&self, call: &Call, limit: Limit) -> Result<Answer, Unanswered> {
        let timed_out = |after| Unanswered {
            error: self.timed_out(&call.path, after),
            sent: true,
        };
        let response = limit.wait(self.open(call)).await.map_err(timed_out)??;
        let (parts, body) = response.into_parts();
        let mut body = Limited::new(body, call.limit);
        let mut bytes = BytesMut::new();
        while let Some(frame) = limit.wait(body.frame()).await.map_err(timed_out)? {
            let frame = frame.map_err(|error| Unanswered {
                error: if error.is::<LengthLimitError>() {
                    ClusterError::TooLarge {
                        context: self.context.clone(),
                        path: call.path.clone(),
                        limit: call.limit,
                    }
                } else {
                    self.unreachable(&call.path, error)
                },
                sent: true,
            })?;
            if let Ok(data) = frame.into_data() {
                bytes.extend_from_slice(&data);
            }
        }
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body: bytes.freeze(),
        })
    }

    /// Sends a request whose answer is read as it comes; one that is an error is read here.
    pub(super) async fn stream(
        &self,
        call: &Call,
        within: Duration,
        secret: bool,
    ) -> Result<Body, Problem> {
        let response = timeout(within, self.open(call)).await;
        let response = response
            .map_err(|_| Problem::Timeout { after: within })?
            .map_err(|unanswered| Problem::broken(unanswered.error))?;
        let (parts, body) = response.into_parts();
        if parts.status.is_success() {
            return Ok(body);
        }
        let answer = Answer::short(parts, body, within, call.limit).await;
        Err(Problem::of(&answer, secret))
    }

    /// Sends a request and waits for the beginning of the answer.
    pub(super) async fn open(&self, call: &Call) -> Result<Response<Body>, Unanswered> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(&call.path)
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::ACCEPT, call.accept);
        if let Some(etag) = &call.etag {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        let mut body = Body::empty();
        if let Some((media_type, bytes)) = &call.body {
            request = request.header(header::CONTENT_TYPE, *media_type);
            body = Body::from(bytes.clone());
        }
        let request = request.body(body).map_err(|error| Unanswered {
            error: self.malformed(&call.path, error),
            sent: false,
        })?;
        self.client.send(request).await.map_err(|error| {
            let source: Cause = match error {
                kube::Error::Service(source) => source,
                kube::Error::HyperError(source) => source.into(),
                other => {
                    let plugin = self.plugin.as_deref();
                    let error = credentials(self.context.clone(), plugin, other);
                    return Unanswered { error, sent: false };
                }
            };
            let sent = !source
                .downcast_ref::<SendError>()
                .is_some_and(SendError::is_connect);
            let error = self.unreachable(&call.path, source);
            Unanswered { error, sent }
        })
    }

    pub(super) fn timed_out(&self, path: &str, after: Duration) -> ClusterError {
        ClusterError::Timeout {
            context: self.context.clone(),
            path: path.to_owned(),
            after,
        }
    }

    pub(super) fn unreachable(&self, path: &str, source: Cause) -> ClusterError {
        if is_timeout(&*source) {
            return self.timed_out(path, CONNECT.min(self.deadline));
        }
        ClusterError::Unreachable {
            context: self.context.clone(),
            server: self.server.clone(),
            path: path.to_owned(),
            source,
        }
    }
}
