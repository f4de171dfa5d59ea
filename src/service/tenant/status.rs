//! How what forms have made of rows is in clusters, row by row.

use std::collections::{BTreeMap, BTreeSet};

use weft_domain::tenant::set_name;

use crate::{
    api::{
        deploy::{MemberStatus, ReadSet, Target},
        deployed::ListEvents,
        tenant::{NodeStatus, ReadTenants, Tally, TenantStatus, TenantView, ViewTenant},
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
        let error = Error::new(Code::TenantNotFound, message);
        let near = weft_domain::near::nearest(&row, rows.iter().map(String::as_str));
        return Err(match near {
            Some(near) => error.hint(format!("did you mean {near:?}?")),
            None => error,
        });
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
    let mut nodes: BTreeMap<(&str, &str, &str), (Tally, &str)> = BTreeMap::new();
    for member in resources {
        let Some(part) = &member.part else {
            continue;
        };
        let key = (
            member.context.as_str(),
            part.row.as_str(),
            part.form.as_str(),
        );
        let (tally, reason) = nodes.entry(key).or_default();
        tally.desired += 1;
        if member.ready {
            tally.ready += 1;
            continue;
        }
        match member.state.as_str() {
            "failed" | "missing" => tally.failed += 1,
            "foreign" => tally.conflicted += 1,
            _ => {}
        }
        if reason.is_empty() {
            *reason = &member.reason;
        }
    }
    let nodes = nodes.into_iter();
    nodes
        .map(|((context, row, form), (tally, reason))| NodeStatus {
            context: context.to_owned(),
            row: row.to_owned(),
            form: form.to_owned(),
            conditions: tally.conditions(),
            tally,
            reason: reason.to_owned(),
        })
        .collect()
}
