//! What `tenant watch --listen` serves: `/metrics`, `/healthz` and `/readyz`. Nothing in it is secret, and
//! nothing can be done with it, so that whoever reaches the address may ask.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;
use crate::{
    api::tenant::{Outcome, Reading, TenantPass},
    error::{Code, Error, Result},
    server::listen,
};

/// Whether passes go on, and how the last one ended.
pub(super) struct Health {
    patience: Duration,
    until: Instant,
    problem: Option<String>,
    is_readable: bool,
}

impl Health {
    /// Begins to wait for the first pass. One may take as long as `patience`.
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience,
            until: Instant::now() + patience,
            problem: Some("no pass has ended yet".to_owned()),
            is_readable: true,
        }
    }

    /// Notes how a pass has ended.
    pub(super) fn record(&mut self, pass: &TenantPass) {
        let next = pass
            .next_seconds
            .and_then(|next| Duration::try_from_secs_f64(next).ok());
        self.until = Instant::now() + next.unwrap_or_default() + self.patience;
        match pass.read {
            Reading::Done => self.is_readable = true,
            Reading::Failed => self.is_readable = false,
            Reading::Kept => {}
        }
        self.problem = match pass.outcome {
            Outcome::Error => Some("the last pass has failed".to_owned()),
            _ if !self.is_readable => Some("the rows cannot be read".to_owned()),
            _ => None,
        };
    }

    fn is_live(&self) -> Result<(), String> {
        if Instant::now() > self.until {
            return Err("no pass has ended for too long".to_owned());
        }
        Ok(())
    }

    fn is_ready(&self) -> Result<(), String> {
        self.is_live()?;
        self.problem.clone().map_or(Ok(()), Err)
    }
}

/// The endpoints, until they are stopped.
pub(super) struct Endpoints {
    /// Where they are.
    pub(super) address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

type Shared = (Arc<Mutex<Metrics>>, Arc<Mutex<Health>>);

impl Endpoints {
    /// Begins to serve.
    ///
    /// # Errors
    /// When the address can't be taken.
    pub(super) async fn start(
        address: SocketAddr,
        metrics: Arc<Mutex<Metrics>>,
        health: Arc<Mutex<Health>>,
    ) -> Result<Self> {
        let failed = |error| {
            Error::new(Code::ListenFailed, format!("cannot listen at {address}")).because(error)
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let router = Router::new()
            .route("/metrics", get(scrape))
            .route("/healthz", get(live))
            .route("/readyz", get(ready))
            .with_state((metrics, health));
        let stop = CancellationToken::new();
        let serving = tokio::spawn(listen::accept(listener, router, stop.clone()));
        Ok(Self {
            address,
            stop,
            serving,
        })
    }

    /// Ends after what is in flight.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        let _ = self.serving.await;
    }
}

async fn scrape(State((metrics, _)): State<Shared>) -> Response {
    let text = {
        let metrics = metrics.lock().unwrap_or_else(PoisonError::into_inner);
        metrics.text()
    };
    match text {
        Ok(text) => {
            let kind = [(
                header::CONTENT_TYPE,
                "text/plain; version=0.0.4; charset=utf-8",
            )];
            (kind, text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn live(State((_, health)): State<Shared>) -> Response {
    let health = health.lock().unwrap_or_else(PoisonError::into_inner);
    answer(health.is_live())
}

async fn ready(State((_, health)): State<Shared>) -> Response {
    let health = health.lock().unwrap_or_else(PoisonError::into_inner);
    answer(health.is_ready())
}

fn answer(state: Result<(), String>) -> Response {
    match state {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()).into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n").into_response(),
    }
}
