//! Events of the members of a set and of what belongs to them.

use futures::FutureExt;
use serde_json::{Value, json};
use weft_domain::readiness::{event_line, regarding};

use super::{
    family::{Family, Named},
    several::on_each,
    site::Site,
};
use crate::{
    api::deployed::{EventList, EventSummary, ListEvents},
    cluster::Selector,
    error::Result,
    service::Services,
};

/// Lists the events, oldest first.
///
/// # Errors
/// When none of the clusters tells them: the design isn't deployed there, or they can't be asked. What
/// only some don't tell is among the failures.
pub async fn events(services: &Services, request: ListEvents) -> Result<EventList> {
    let ask = |context| on_one(services, &request, context).boxed();
    let (parts, failures) = on_each(&request.target, ask).await?;
    let mut list = EventList {
        failures: failures.into_iter().map(Into::into).collect(),
        ..EventList::default()
    };
    for (events, notes) in parts {
        list.items.extend(events);
        list.notes.extend(notes);
    }
    list.items.sort_by(|a, b| {
        let key = |event: &EventSummary| (event.last_seen, event.name.clone());
        key(a).cmp(&key(b))
    });
    Ok(list)
}

/// The events in one cluster, and what could not be looked at.
async fn on_one(
    services: &Services,
    request: &ListEvents,
    context: Option<String>,
) -> Result<(Vec<EventSummary>, Vec<String>)> {
    let site = Site::at(services, &request.target, context, &request.name, true).await?;
    let mut family = Family::of(&site).await?;
    let seen = read(&site, &family.namespaces(), &request.types).await?;
    let objects = seen.iter().map(|(named, _)| named.clone()).collect();
    family.trace(&site, objects).await?;
    let events = seen.into_iter().filter_map(|(named, event)| {
        let member = family.member(&named.uid)?;
        let line = event_line(&event);
        let text = |pointer| event.pointer(pointer).and_then(Value::as_str);
        Some(EventSummary {
            context: site.context().to_owned(),
            name: text("/metadata/name").unwrap_or_default().to_owned(),
            last_seen: line.time.as_deref().and_then(|time| time.parse().ok()),
            event_type: line.event_type,
            reason: line.reason,
            kind: named.kind,
            namespace: named.namespace.unwrap_or_default(),
            object: named.name,
            member: member.id().to_string(),
            count: line.count,
            message: line.message,
        })
    });
    Ok((events.collect(), family.notes))
}

/// Reads the events of some namespaces, with what they are about.
async fn read(site: &Site, namespaces: &[String], types: &[String]) -> Result<Vec<(Named, Value)>> {
    let kind = site.own("v1", "Event")?;
    let keep = |event: Value| {
        let is_wanted = types.is_empty()
            || types
                .iter()
                .any(|wanted| event_line(&event).event_type.eq_ignore_ascii_case(wanted));
        regarding(&event).filter(|_| is_wanted)?;
        // Who holds its fields is most of it.
        let mut event = event;
        let name = event["metadata"]["name"].take();
        let created = event["metadata"]["creationTimestamp"].take();
        event["metadata"] = json!({ "name": name, "creationTimestamp": created });
        Some(event)
    };
    let mut events = Vec::new();
    for namespace in namespaces {
        let listed = site
            .objects
            .list_with(&kind, Some(namespace), &Selector::default(), keep)
            .await?;
        let named = listed.objects.into_iter().filter_map(|event| {
            let named = Named::of(regarding(&event)?, None)?;
            Some((named, event))
        });
        events.extend(named);
    }
    Ok(events)
}
