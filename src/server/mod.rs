//! The router: one file per noun, extract → call the service → reply.
//!
//! The same router serves calls in process and, behind [`listen`]'s checks, a socket.

mod design;
pub mod listen;
mod operation;
mod system;
mod tenant;

use std::{convert::Infallible, future::Future, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{FromRequest, Query, RawPathParams, State},
    http::{StatusCode, Uri, header},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::{MethodFilter, on},
};
use futures::{Stream, StreamExt};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::{
    api::{BASE, Method, Part, Request, StreamRequest},
    error::{Code, Error, Kind, Result},
    service::Services,
};

/// The routes under construction, and their list for the test that all of them are visited.
pub struct Routes {
    router: Router<Services>,
    list: Vec<(Method, &'static str)>,
}

impl Routes {
    /// Declares that `handler` answers requests of type `R`.
    fn on<R, F, Answer>(mut self, handler: F) -> Self
    where
        R: Request,
        F: Fn(Services, R) -> Answer + Clone + Send + Sync + 'static,
        Answer: Future<Output = Result<R::Reply>> + Send,
    {
        let (filter, with_body) = match R::METHOD {
            Method::Get => (MethodFilter::GET, false),
            Method::Post => (MethodFilter::POST, true),
            Method::Delete => (MethodFilter::DELETE, false),
        };
        let answer = move |State(services): State<Services>,
                           path: RawPathParams,
                           request: axum::extract::Request| async move {
            let request: R = if with_body {
                body(request).await?
            } else {
                query(request.uri(), &path)?
            };
            json(&handler(services, request).await?)
        };
        self.router = self.router.route(R::PATH, on(filter, answer));
        self.list.push((R::METHOD, R::PATH));
        self
    }

    /// Declares that `handler` answers requests of type `R` with a stream.
    fn streaming<R, F, Answer, Items>(mut self, handler: F) -> Self
    where
        R: StreamRequest,
        F: Fn(Services, R) -> Answer + Clone + Send + Sync + 'static,
        Answer: Future<Output = Result<Items>> + Send,
        Items: Stream<Item = Result<R::Item>> + Send + 'static,
    {
        let answer = move |State(services): State<Services>, request: axum::extract::Request| async move {
            let request: R = body(request).await?;
            let stop = services.stopping();
            let items = handler(services, request).await?;
            Ok::<_, Refusal>(sse(parts(items, stop)))
        };
        self.router = self.router.route(R::PATH, on(MethodFilter::POST, answer));
        self.list.push((Method::Post, R::PATH));
        self
    }
}

fn routes() -> Routes {
    let routes = Routes {
        router: Router::new(),
        list: Vec::new(),
    };
    tenant::routes(operation::routes(design::routes(system::routes(routes))))
}

/// A stream up to its first error or its end, which it says; at the latest until the server ends.
fn parts<T: Send + Sync>(
    items: impl Stream<Item = Result<T>> + Send,
    stop: CancellationToken,
) -> impl Stream<Item = Part<T>> + Send {
    let items = items.map(|item| match item {
        Ok(item) => Part::Item(item),
        Err(error) => Part::Failed(error),
    });
    let items = items.take_until(stop.clone().cancelled_owned());
    let items = items.chain(futures::stream::once(async move {
        if stop.is_cancelled() {
            Part::Failed(Error::new(
                Code::ServerUnreachable,
                "the server was stopped",
            ))
        } else {
            Part::End
        }
    }));
    items.scan(false, |over, part| {
        let was_over = std::mem::replace(over, matches!(part, Part::Failed(_)));
        std::future::ready((!was_over).then_some(part))
    })
}

/// Server-sent events; a sign of life in between keeps the connection.
fn sse<T: serde::Serialize>(items: impl Stream<Item = T> + Send + 'static) -> Response {
    let events = items.map(|item| {
        let data = serde_json::to_string(&item).unwrap_or_default();
        Ok::<_, Infallible>(Event::default().data(data))
    });
    Sse::new(events).keep_alive(keep_alive()).into_response()
}

fn keep_alive() -> KeepAlive {
    KeepAlive::new().interval(Duration::from_secs(15))
}

/// All endpoints below [`BASE`].
pub fn endpoints() -> Vec<(Method, &'static str)> {
    routes().list
}

/// The router over the given services.
pub fn router(services: Services) -> Router {
    Router::new()
        .nest(BASE, routes().router)
        .fallback(|uri: Uri| async move {
            refuse(&Error::new(
                Code::RouteNotFound,
                format!("no endpoint {}", uri.path()),
            ))
        })
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(services)
}

async fn body<R: DeserializeOwned>(request: axum::extract::Request) -> Result<R, Refusal> {
    let bytes = Bytes::from_request(request, &()).await.map_err(|error| {
        let code = match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Code::OverLimit,
            _ => Code::RequestMalformed,
        };
        Error::new(code, "cannot read the body of the request").because(error.body_text())
    })?;
    let mut json = serde_json::Deserializer::from_slice(&bytes);
    R::deserialize(&mut json)
        .and_then(|request| json.end().map(|()| request))
        .map_err(|error| {
            Refusal(
                Error::new(
                    Code::RequestMalformed,
                    "the body is not what the endpoint takes",
                )
                .because(error),
            )
        })
}

/// Path parameters and query, read as one set of fields.
fn query<R: DeserializeOwned>(uri: &Uri, path: &RawPathParams) -> Result<R, Refusal> {
    let mut fields: Vec<(&str, &str)> = path.iter().collect();
    let Query(query) = Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(malformed)?;
    fields.extend(
        query
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str())),
    );
    let text = serde_urlencoded::to_string(&fields).map_err(malformed)?;
    serde_urlencoded::from_str(&text).map_err(malformed)
}

fn malformed(error: impl std::fmt::Display) -> Refusal {
    Refusal(
        Error::new(
            Code::RequestMalformed,
            "the path or query is not what the endpoint takes",
        )
        .because(error),
    )
}

fn json<T: serde::Serialize>(reply: &T) -> Result<Response, Refusal> {
    let bytes = serde_json::to_vec(reply)
        .map_err(|error| Error::internal("a reply has no JSON form").because(error))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response())
}

/// An error as a reply.
struct Refusal(Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        refuse(&self.0)
    }
}

/// The status is for other programs; our client reads the code in the body.
fn refuse(error: &Error) -> Response {
    let status = match error.kind() {
        Kind::Usage | Kind::Input => StatusCode::BAD_REQUEST,
        Kind::Denied if error.code() == Code::TokenRefused => StatusCode::UNAUTHORIZED,
        Kind::Denied | Kind::Refused | Kind::Unconfirmed => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Failure
        | Kind::Unknown
        | Kind::Partial
        | Kind::Internal
        | Kind::Interrupted
        | Kind::Terminated => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let body = serde_json::to_vec(error).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}
