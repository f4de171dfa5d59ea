//! Typed calls over a transport: the router in this process, or a server behind a URL. Neither
//! the commands above nor the handlers below can tell which.

mod events;
pub mod transport;

use std::ops::ControlFlow;

use futures::StreamExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    api::{
        BASE, Method, Part, Request, StreamRequest,
        operation::{CancelOperation, EVENTS, Event, LongRequest},
    },
    error::{Code, Error, Result},
};

pub use transport::{Remote, Transport};

/// Calls endpoints.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    cancel: CancellationToken,
}

impl Client {
    /// A client over a transport.
    pub fn new(transport: Transport) -> Self {
        Self {
            transport,
            cancel: CancellationToken::new(),
        }
    }

    /// Gives calls up when `cancel` fires.
    #[must_use]
    pub fn until(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Where requests go: a URL, or `embedded`.
    pub fn address(&self) -> &str {
        self.transport.address()
    }

    /// Calls an endpoint.
    ///
    /// # Errors
    /// What the server answers, or why there's no answer.
    pub async fn call<R: Request>(&self, request: &R) -> Result<R::Reply> {
        let (path, body) = encode(request)?;
        self.until_cancelled(self.exchange::<R>(&path, body)).await
    }

    /// Like [`Client::call`], but lets go of the request, which may hold a whole source, before
    /// the answer is waited for.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn hand_over<R: Request>(&self, request: R) -> Result<R::Reply> {
        let (path, body) = encode(&request)?;
        drop(request);
        self.until_cancelled(self.exchange::<R>(&path, body)).await
    }

    async fn until_cancelled<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            answer = call => answer,
            () = self.cancel.cancelled() => Err(Error::new(Code::Interrupted, "interrupted")),
        }
    }

    async fn exchange<R: Request>(&self, path: &str, body: Option<Vec<u8>>) -> Result<R::Reply> {
        let exchange = async {
            let response = self.transport.send(R::METHOD, path, body, None).await?;
            let status = response.status();
            Ok((status, transport::read(response).await?))
        };
        let (status, bytes) = self.transport.in_time(exchange).await?;
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(|error| foreign(status, &error));
        }
        Err(serde_json::from_slice::<Error>(&bytes).unwrap_or_else(|error| foreign(status, &error)))
    }

    /// Starts an operation, hands its events on and returns its outcome. A call that is given up
    /// cancels the operation and waits for its end. A stream that breaks is resumed.
    ///
    /// # Errors
    /// What the operation failed with.
    pub async fn run<R: LongRequest>(
        &self,
        request: &R,
        mut on_event: impl FnMut(&Event),
    ) -> Result<R::Outcome> {
        const RESUMES: u32 = 5;
        let id = self.call(request).await?.id;
        let path = format!("{BASE}{}", EVENTS.replace("{id}", &id));
        let (mut seen, mut resumes, mut cancelled) = (0, 0, false);
        loop {
            let response = self
                .transport
                .send(Method::Get, &path, None, Some(seen))
                .await?;
            let status = response.status();
            if !status.is_success() {
                let bytes = transport::read(response).await?;
                return Err(serde_json::from_slice::<Error>(&bytes)
                    .unwrap_or_else(|error| foreign(status, &error)));
            }
            let mut events = events::read(response.into_body());
            loop {
                let next = tokio::select! {
                    next = events.next() => next,
                    () = self.cancel.cancelled(), if !cancelled => {
                        cancelled = true;
                        let (path, body) = encode(&CancelOperation { id: id.clone() })?;
                        self.exchange::<CancelOperation>(&path, body).await?;
                        continue;
                    }
                };
                let Some(Ok((number, event))) = next else {
                    break;
                };
                seen = number;
                match event {
                    Event::Succeeded { outcome } => {
                        return serde_json::from_value(outcome).map_err(|error| {
                            Error::internal("an outcome of another type").because(error)
                        });
                    }
                    Event::Failed { error } => return Err(error),
                    event => on_event(&event),
                }
            }
            resumes += 1;
            if resumes > RESUMES {
                return Err(Error::new(
                    Code::ServerUnreachable,
                    format!("the events of operation {id} broke off {RESUMES} times"),
                )
                .hint(format!(
                    "see what became of it: weftctl system operation view {id}"
                )));
            }
        }
    }
}

impl Client {
    /// Hands on the items of a stream as they come, until there are no more or nobody wants more.
    ///
    /// # Errors
    /// What the server answers, or what the stream ends with.
    pub async fn stream<R: StreamRequest>(
        &self,
        request: &R,
        on_item: impl FnMut(R::Item) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.until_cancelled(self.items(request, on_item)).await
    }

    async fn items<R: StreamRequest>(
        &self,
        request: &R,
        mut on_item: impl FnMut(R::Item) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let body = serde_json::to_vec(request)
            .map_err(|error| Error::internal("a request has no JSON form").because(error))?;
        let path = format!("{BASE}{}", R::PATH);
        let response = self
            .transport
            .send(Method::Post, &path, Some(body), None)
            .await?;
        let status = response.status();
        if !status.is_success() {
            let bytes = transport::read(response).await?;
            return Err(serde_json::from_slice::<Error>(&bytes)
                .unwrap_or_else(|error| foreign(status, &error)));
        }
        let mut parts = events::read::<Part<R::Item>>(response.into_body());
        while let Some(part) = parts.next().await {
            match part?.1 {
                Part::Item(item) => {
                    if on_item(item)?.is_break() {
                        return Ok(());
                    }
                }
                Part::Failed(error) => return Err(error),
                Part::End => return Ok(()),
            }
        }
        Err(Error::new(
            Code::ServerUnreachable,
            "the server's answer broke off",
        ))
    }
}

/// Path (with query) and body of a request.
fn encode<R: Request>(request: &R) -> Result<(String, Option<Vec<u8>>)> {
    let bug =
        |error: serde_json::Error| Error::internal("a request has no JSON form").because(error);
    if R::METHOD == Method::Post {
        let body = serde_json::to_vec(request).map_err(bug)?;
        return Ok((format!("{BASE}{}", R::PATH), Some(body)));
    }
    let mut path = R::PATH.to_owned();
    let mut query = Vec::new();
    if let Value::Object(fields) = serde_json::to_value(request).map_err(bug)? {
        for (key, value) in fields {
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text,
                other => other.to_string(),
            };
            let placeholder = format!("{{{key}}}");
            if path.contains(&placeholder) {
                path = path.replace(&placeholder, &percent_encode(&text));
            } else {
                query.push((key, text));
            }
        }
    }
    let query = serde_urlencoded::to_string(&query)
        .map_err(|error| Error::internal("a query has no form").because(error))?;
    if !query.is_empty() {
        path = format!("{path}?{query}");
    }
    Ok((format!("{BASE}{path}"), None))
}

/// A path segment: everything but unreserved characters is escaped, so that no name from
/// outside becomes part of the path.
fn percent_encode(text: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn foreign(status: http::StatusCode, error: &serde_json::Error) -> Error {
    Error::new(
        Code::ServerUnreachable,
        format!("the answer ({status}) does not come from a weftctl server"),
    )
    .because(error)
}
