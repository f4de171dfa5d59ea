//! Endpoints of operations, and their event stream as server-sent events.

use std::convert::Infallible;

use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Response, Sse, sse::Event},
    routing::get,
};
use futures::StreamExt;

use super::{Refusal, Routes};
use crate::{
    api::{
        Method,
        operation::{CancelOperation, EVENTS, ListOperations, ViewOperation},
    },
    service::{Services, operation},
};

pub(super) fn routes(routes: Routes) -> Routes {
    let mut routes = routes
        .on(|services: Services, request: ListOperations| async move {
            operation::list(&services, request.limit).await
        })
        .on(|services: Services, request: ViewOperation| async move {
            operation::view(&services, &request.id).await
        })
        .on(|services: Services, request: CancelOperation| async move {
            operation::cancel(&services, &request.id).await
        });
    routes.router = routes.router.route(EVENTS, get(events));
    routes.list.push((Method::Get, EVENTS));
    routes
}

/// Streams the events after `Last-Event-ID`, then those to come, until the last one.
async fn events(
    State(services): State<Services>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let after = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse().ok())
        .unwrap_or(0);
    let events = services.operations().events(&id, after)?;
    let stream = events.map(|(number, event)| {
        let data = serde_json::to_string(&event).unwrap_or_default();
        Ok::<_, Infallible>(Event::default().id(number.to_string()).data(data))
    });
    Ok(Sse::new(stream)
        .keep_alive(super::keep_alive())
        .into_response())
}
