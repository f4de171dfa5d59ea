//! The two ways to a router.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Response, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::{
    api::Method,
    error::{Code, Error, Result},
    secret::Secret,
};

/// Where requests go.
#[derive(Clone)]
pub enum Transport {
    /// To the router of this process.
    InProcess(axum::Router),
    /// To a server.
    Remote(Remote),
}

/// A server behind a URL.
#[derive(Clone)]
pub struct Remote {
    http: reqwest::Client,
    base: String,
    token: Option<Secret>,
    deadline: Duration,
}

impl Remote {
    /// A server at `base` (scheme, host and port), which may take `deadline` for a whole answer.
    /// Streams of events have no such end; they have quiet times of 30 s at most.
    ///
    /// # Errors
    /// When the URL isn't one, or would send the token in plain text over a network.
    pub fn new(base: &str, token: Option<Secret>, deadline: Duration) -> Result<Self> {
        let url = reqwest::Url::parse(base).map_err(|error| {
            Error::new(Code::Usage, format!("{base:?} is not the URL of a server")).because(error)
        })?;
        let loopback = match url.host_str() {
            Some("localhost") => true,
            Some(host) => host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback()),
            None => false,
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => {
                return Err(Error::new(
                    Code::Usage,
                    format!("{base:?} would send the token unencrypted over the network"),
                )
                .hint("use https, or a loopback address"));
            }
            scheme => {
                return Err(Error::new(
                    Code::Usage,
                    format!("{base:?} has the scheme {scheme:?}, a server has http or https"),
                ));
            }
        }
        let mut builder = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10).min(deadline))
            .read_timeout(Duration::from_secs(30))
            .redirect(reqwest::redirect::Policy::none());
        if loopback {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| {
            Error::new(Code::ServerUnreachable, "cannot set up TLS").because_of(&error)
        })?;
        Ok(Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
            token,
            deadline,
        })
    }
}

impl Transport {
    pub(super) fn address(&self) -> &str {
        match self {
            Self::InProcess(_) => "embedded",
            Self::Remote(remote) => &remote.base,
        }
    }

    /// Waits for a whole answer, as long as a remote server may take.
    pub(super) async fn in_time<T>(&self, exchange: impl Future<Output = Result<T>>) -> Result<T> {
        let Self::Remote(remote) = self else {
            return exchange.await;
        };
        let answered = tokio::time::timeout(remote.deadline, exchange).await;
        answered.unwrap_or_else(|_| {
            let (base, limit) = (&remote.base, remote.deadline.as_secs_f32());
            Err(Error::new(
                Code::TimedOut,
                format!("no answer from the server at {base} within {limit} s"),
            ))
        })
    }

    /// Sends a request; the answer's body streams.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        last_event: Option<u64>,
    ) -> Result<Response<Body>> {
        let uri = match self {
            Self::InProcess(_) => path.to_owned(),
            Self::Remote(remote) => format!("{}{path}", remote.base),
        };
        let mut request = http::Request::builder().method(method.as_str()).uri(uri);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(number) = last_event {
            request = request.header("last-event-id", number);
        }
        let bug = |error| Error::internal("a request that HTTP can't carry").because(error);
        match self {
            Self::InProcess(router) => {
                let request = request
                    .body(Body::from(body.unwrap_or_default()))
                    .map_err(bug)?;
                match router.clone().oneshot(request).await {
                    Ok(response) => Ok(response),
                    Err(never) => match never {},
                }
            }
            Self::Remote(remote) => {
                if let Some(token) = &remote.token {
                    let mut value =
                        header::HeaderValue::try_from(format!("Bearer {}", token.expose()))
                            .map_err(|_| Error::new(Code::Usage, "the token is no header value"))?;
                    value.set_sensitive(true);
                    request = request.header(header::AUTHORIZATION, value);
                }
                let request = request
                    .body(reqwest::Body::from(body.unwrap_or_default()))
                    .map_err(bug)?;
                let request = reqwest::Request::try_from(request)
                    .map_err(|error| Error::internal("a request without URL").because_of(&error))?;
                let response = remote.http.execute(request).await.map_err(|error| {
                    Error::new(
                        Code::ServerUnreachable,
                        format!("cannot reach the server at {}", remote.base),
                    )
                    .because_of(&error.without_url())
                })?;
                let response: http::Response<reqwest::Body> = response.into();
                Ok(response.map(Body::new))
            }
        }
    }
}

/// Reads a body to its end.
pub(super) async fn read(response: Response<Body>) -> Result<Bytes> {
    let body = response.into_body().collect().await.map_err(|error| {
        Error::new(Code::ServerUnreachable, "the server's answer broke off").because_of(&error)
    })?;
    Ok(body.to_bytes())
}
