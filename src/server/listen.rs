//! The router behind a socket: loopback only, a token per start, `Host` and `Origin` checked,
//! requests bounded. Ends when told to, after what is in flight.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, header},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    error::{Code, Error, Result},
    secret::Secret,
    server::refuse,
};

/// Largest body of a request over a socket (`cli-conventions` §11).
const BODY_LIMIT: usize = 128 << 20;
/// Largest head of a request.
const HEAD_LIMIT: usize = 64 << 10;
/// Most headers of a request.
const HEADER_COUNT: usize = 100;
/// How long requests may take to end after the server was told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Binds to a loopback address.
///
/// # Errors
/// When the address is not loopback, or can't be bound.
pub async fn bind(address: SocketAddr) -> Result<TcpListener> {
    if !address.ip().is_loopback() {
        return Err(Error::new(
            Code::ListenRefused,
            format!("cannot listen at {address}: it is not a loopback address"),
        ));
    }
    TcpListener::bind(address).await.map_err(|error| {
        Error::new(Code::ListenFailed, format!("cannot listen at {address}")).because(error)
    })
}

/// Serves until `stop` is cancelled.
///
/// # Errors
/// When the listener's own address can't be read.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    token: Secret,
    stop: CancellationToken,
) -> Result<()> {
    let address = listener
        .local_addr()
        .map_err(|error| Error::internal("a listener without an address").because(error))?;
    let gate = Arc::new(Gate { address, token });
    let router = router
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(gate, check));
    accept(listener, router, stop).await;
    Ok(())
}

/// Serves whoever comes until `stop` is cancelled.
pub async fn accept(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(30))
        .max_buf_size(HEAD_LIMIT)
        .max_headers(HEADER_COUNT);
    let graceful = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, or the peer is gone already.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = stop.cancelled() => break,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not end in time");
    }
}

struct Gate {
    address: SocketAddr,
    token: Secret,
}

async fn check(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    match gate.admit(request.headers()) {
        Ok(()) => {
            tracing::info!(method = %request.method(), path = request.uri().path(), "request");
            next.run(request).await
        }
        Err(error) => {
            tracing::warn!(
                path = request.uri().path(),
                code = error.code().id(),
                "refused"
            );
            refuse(&error)
        }
    }
}

impl Gate {
    /// Lets a request in that names this server, comes from no web page of another origin, and
    /// carries the token.
    fn admit(&self, headers: &HeaderMap) -> Result<()> {
        // hyper's own limit bounds its buffer; what one read brings may be more.
        let size: usize = headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len())
            .sum();
        if size > HEAD_LIMIT {
            return Err(Error::new(
                Code::OverLimit,
                format!("the headers of the request have {size} bytes, the limit is {HEAD_LIMIT}"),
            ));
        }
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let port = self.address.port();
        let own = |host: &str| {
            host == self.address.to_string()
                || host == format!("localhost:{port}")
                || (port == 80 && (host == "localhost" || host == self.address.ip().to_string()))
        };
        match text(header::HOST) {
            Some(host) if own(host) => {}
            host => {
                return Err(Error::new(
                    Code::HostRefused,
                    format!("the Host {:?} is not this server", host.unwrap_or_default()),
                ));
            }
        }
        if let Some(origin) = text(header::ORIGIN)
            && !origin.strip_prefix("http://").is_some_and(own)
        {
            return Err(Error::new(
                Code::HostRefused,
                format!("the Origin {origin:?} is not this server"),
            ));
        }
        let token = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        match token {
            Some(token) if self.token.is(token) => {}
            Some(_) => {
                return Err(Error::new(
                    Code::TokenRefused,
                    "the token is not this server's",
                ));
            }
            None => {
                return Err(Error::new(
                    Code::TokenRefused,
                    "the request carries no token",
                ));
            }
        }
        // What is announced to be too large isn't waited for; the rest is counted as it comes.
        let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
        match length {
            Some(length) if length > BODY_LIMIT => Err(Error::new(
                Code::OverLimit,
                format!("the body of the request has {length} bytes, the limit is {BODY_LIMIT}"),
            )),
            _ => Ok(()),
        }
    }
}
