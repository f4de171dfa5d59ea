//! How what forms have made of rows is in clusters, row by row.

use std::collections::BTreeSet;

use weft_domain::tenant::set_name;

use super::nodes::{Nodes, Seen, State};
use crate::{
    api::{
        deploy::{MemberStatus, ReadSet, Target},
        deployed::ListEvents,
        tenant::{NodeStatus, ReadTenants, TenantStatus, TenantView, ViewTenant},
    },
    error::{Code, Error, Result},
    service::{Services, deploy},
};

/// Reads how the objects of a hub's rows are.
///
/// # Errors
/// When none of the clusters tells it: it wasn't applied there, or they can't be asked.
pub(crate) async fn status(services: &Services, request: ReadTenants) -> Result<TenantStatus> {
    let ReadTenants { hub, target } = request;
    let name = set_name(&hub);
    let status = deploy::status(services, ReadSet { name, target }).await?;
    Ok(TenantStatus {
        hub,
        ready: status.ready,
        deployments: status.deployments,
        nodes: nodes(&status.resources),
        resources: status.resources,
        failures: status.failures,
    })
}

/// Reads all about one row, with what happened to its objects.
///
/// # Errors
/// As [`status`], and when the row has no objects.
pub(crate) async fn view(services: &Services, request: ViewTenant) -> Result<TenantView> {
    let ViewTenant { hub, row, target } = request;
    let read = ReadTenants {
        hub: hub.clone(),
        target: target.clone(),
    };
    let status = status(services, read).await?;
    let rows: BTreeSet<String> = status.nodes.iter().map(|node| node.row.clone()).collect();
    let is_of_row =
        |member: &MemberStatus| member.part.as_ref().is_some_and(|part| part.row == row);
    let resources: Vec<MemberStatus> = status.resources.into_iter().filter(is_of_row).collect();
    if resources.is_empty() {
        let message = format!("the row {row:?} of hub {hub:?} has no objects");
        return Err(Error::new(Code::TenantNotFound, message)
            .did_you_mean(&row, rows.iter().map(String::as_str)));
    }
    let mut view = TenantView {
        ready: status.failures.is_empty() && resources.iter().all(|member| member.ready),
        nodes: nodes(&resources),
        failures: status.failures,
        hub,
        row,
        ..TenantView::default()
    };
    events(services, &mut view, &resources, target).await;
    view.resources = resources;
    Ok(view)
}

/// Adds what happened to objects; what can't be asked is a note.
async fn events(
    services: &Services,
    view: &mut TenantView,
    resources: &[MemberStatus],
    target: Target,
) {
    let request = ListEvents {
        name: set_name(&view.hub),
        target,
        types: Vec::new(),
    };
    match deploy::events(services, request).await {
        Ok(events) => {
            let ids: BTreeSet<&str> = resources.iter().map(|one| one.id.as_str()).collect();
            let events_of_row = events.items.into_iter();
            let events_of_row = events_of_row.filter(|event| ids.contains(event.member.as_str()));
            view.events = events_of_row.collect();
            view.notes = events.notes;
        }
        Err(error) => view
            .notes
            .push(format!("the events cannot be read: {error}")),
    }
}

/// What forms have made of rows, by context, row and form.
fn nodes(resources: &[MemberStatus]) -> Vec<NodeStatus> {
    let seen = resources.iter().filter_map(|member| {
        let state = match member.state.as_str() {
            _ if member.ready => State::Ready,
            "failed" | "missing" => State::Failed,
            "foreign" => State::Conflicted,
            _ => State::Waiting,
        };
        let part = member.part.as_ref()?;
        Some(Seen {
            context: &member.context,
            row: &part.row,
            form: &part.form,
            state,
            reason: member.reason.as_str().into(),
        })
    });
    Nodes::of(seen).into_statuses()
}
