//! How a set is: its members, its newest revision, and who works on it.

use std::{collections::BTreeSet, time::Duration};

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use serde_json::Value;
use weft_domain::{
    inventory::{Claim, Member, MemberOrigin, MicroTime, Outcome, Parent, Standing},
    readiness::{Readiness, Related, pod_selector, readiness},
    resource::ResourceSet,
    tenant::hub_of_set,
};

use super::{
    family::Family,
    ready::{self, Known},
    record,
    several::on_each,
    site::Site,
};
use crate::{
    api::{
        deploy::{DeploymentStatus, DesignStatus, HolderStatus, MemberStatus, ReadSet},
        tenant::{HubList, HubSummary, ListHubs},
    },
    cluster::Selector,
    error::Result,
    service::Services,
};

/// How many members are looked into at a time.
const AT_ONCE: usize = 16;

/// Reads the state of the members of a set.
///
/// # Errors
/// When none of the clusters tells it: it isn't deployed there, or they can't be asked. What only some
/// don't tell is among the failures.
pub async fn status(services: &Services, request: ReadSet) -> Result<DesignStatus> {
    let ask = |context| on_one(services, &request, context).boxed();
    let (parts, failures) = on_each(&request.target, ask).await?;
    let mut status = DesignStatus {
        failures: failures.into_iter().map(Into::into).collect(),
        ..DesignStatus::default()
    };
    for (deployment, members) in parts {
        status.deployments.push(deployment);
        status.resources.extend(members);
    }
    let is_whole = status.failures.is_empty();
    status.ready = is_whole && status.resources.iter().all(|member| member.ready);
    status.design = request.name;
    Ok(status)
}

/// Lists the sets of rows that clusters hold.
///
/// # Errors
/// When none of the clusters can be asked. Those that can't are among the failures.
pub async fn hubs(services: &Services, request: ListHubs) -> Result<HubList> {
    let ask = |context| hubs_of_one(services, &request, context).boxed();
    let (parts, failures) = on_each(&request.target, ask).await?;
    Ok(HubList {
        items: parts.into_iter().flatten().collect(),
        failures: failures.into_iter().map(Into::into).collect(),
    })
}

async fn hubs_of_one(
    services: &Services,
    request: &ListHubs,
    context: Option<String>,
) -> Result<Vec<HubSummary>> {
    let site = Site::at(services, &request.target, context, "", true).await?;
    let namespace = (!request.all_namespaces).then(|| site.namespace().to_owned());
    let mut hubs = Vec::new();
    for parent in site.parents(namespace.as_deref()).await? {
        let Some(hub) = hub_of_set(parent.design()) else {
            continue;
        };
        let members = parent.members();
        let parts = members.iter().filter_map(|member| member.part.as_ref());
        let rows: BTreeSet<&str> = parts.clone().map(|part| part.row.as_str()).collect();
        let forms: BTreeSet<&str> = parts.map(|part| part.form.as_str()).collect();
        hubs.push(HubSummary {
            hub: hub.to_owned(),
            context: site.context().to_owned(),
            namespace: parent.namespace().to_owned(),
            inventory: format!("{}/{}", parent.namespace(), parent.name()),
            rows: rows.len(),
            forms: forms.into_iter().map(str::to_owned).collect(),
            objects: parent.len(),
            revision: (parent.last_revision() > 0).then(|| parent.last_revision()),
        });
    }
    hubs.sort_by(|a, b| (&a.namespace, &a.hub).cmp(&(&b.namespace, &b.hub)));
    Ok(hubs)
}

async fn on_one(
    services: &Services,
    request: &ReadSet,
    context: Option<String>,
) -> Result<(DeploymentStatus, Vec<MemberStatus>)> {
    let site = Site::at(services, &request.target, context, &request.name, true).await?;
    let family = Family::of(&site).await?;
    let deployment = deployment(services, &site).await?;
    let kinds = family.members.iter();
    let kinds: Vec<_> = kinds
        .map(|member| (member.api_version(), member.kind.as_str()))
        .collect();
    let kinds = kinds
        .iter()
        .map(|(version, kind)| (version.as_str(), *kind));
    let known = Known::learn(&site, &ResourceSet::default(), kinds).await;
    let members: Vec<_> = family
        .members
        .iter()
        .map(|member| shown(&site, &family, &known, member).boxed())
        .collect();
    let members = stream::iter(members).buffered(AT_ONCE);
    Ok((deployment, members.try_collect().await?))
}

async fn deployment(services: &Services, site: &Site) -> Result<DeploymentStatus> {
    let entries = record::entries(site).await?;
    let newest = entries.first();
    let summary = newest.and_then(|entry| entry.summary.as_ref());
    Ok(DeploymentStatus {
        context: site.context().to_owned(),
        inventory: format!("{}/{}", site.parent_namespace, site.parent_name),
        revision: newest.map(|entry| entry.number),
        version: summary.and_then(|summary| summary.version.clone()),
        created_at: summary
            .map(|summary| summary.created_at.clone())
            .unwrap_or_default(),
        outcome: match newest.and_then(|entry| entry.outcome) {
            Some(Outcome::Deployed)
                if site.parent.as_ref().and_then(Parent::recorded).is_none() =>
            {
                "partly removed".to_owned()
            }
            outcome => outcome
                .map(|outcome| outcome.name().to_owned())
                .unwrap_or_default(),
        },
        cause: summary
            .and_then(|summary| summary.cause.clone())
            .unwrap_or_default(),
        holder: holder(services, site).await?,
    })
}

/// Who works on the set now.
async fn holder(services: &Services, site: &Site) -> Result<Option<HolderStatus>> {
    let leases = site.own("coordination.k8s.io/v1", "Lease")?;
    let live = site.lease(&leases).await?;
    // The claim of nobody: what isn't free for it is held.
    let claim = Claim {
        set: &site.id,
        name: &site.parent_name,
        namespace: &site.parent_namespace,
        holder: "",
        duration: Duration::from_secs(1),
    };
    let now = MicroTime::from_unix_micros(services.now().as_microsecond());
    Ok(match claim.check(live.as_ref(), now, None) {
        Standing::HeldBy(held) => Some(HolderStatus {
            name: held.holder,
            since: held.since.map(|since| since.to_string()),
        }),
        Standing::Acquire(_) | Standing::Renew(_) => None,
    })
}

/// A member as it is.
async fn shown(
    site: &Site,
    family: &Family,
    known: &Known,
    member: &Member,
) -> Result<MemberStatus> {
    let live = family.live.get(&member.id());
    let waiting = |reason: &str| Readiness::Waiting {
        reason: reason.to_owned(),
    };
    let text = |pointer| live?.as_ref()?.pointer(pointer)?.as_str();
    let uid = text("/metadata/uid");
    let (state, name) = match live {
        None => (waiting("its kind is not served"), "missing"),
        Some(None) if member.runs && member.uid.is_some() => {
            let reason = Some("has run, and is gone since".to_owned());
            (Readiness::Ready { reason }, "ready")
        }
        Some(None) => (waiting("it is not there"), "missing"),
        Some(Some(_)) if member.uid.is_some() && member.uid.as_deref() != uid => {
            let reason = "another object of its name is there, which is not ours";
            (waiting(reason), "foreign")
        }
        Some(Some(object)) => {
            let state = judged(site, known, member, object).await?;
            let name = state.name();
            (state, name)
        }
    };
    Ok(MemberStatus {
        id: member.id().to_string(),
        context: site.context().to_owned(),
        kind: member.kind.clone(),
        namespace: member.namespace.clone().unwrap_or_default(),
        name: member.name.clone(),
        ready: state.is_ready(),
        state: name.to_owned(),
        reason: state.reason().unwrap_or_default().to_owned(),
        origin: match member.origin {
            MemberOrigin::Created => "created".to_owned(),
            MemberOrigin::Adopted => "adopted".to_owned(),
        },
        created_at: text("/metadata/creationTimestamp").and_then(|time| time.parse().ok()),
        part: member.part.clone(),
    })
}

/// Judges a live object; the pods of a workload that isn't ready say why.
async fn judged(site: &Site, known: &Known, member: &Member, object: &Value) -> Result<Readiness> {
    let related = ready::related(site, known, object);
    let state = readiness(object, &related);
    let selector = (!state.is_ready() && member.kind != "Service").then(|| pod_selector(object));
    let (Some(selector), Some(namespace)) = (selector.flatten(), &member.namespace) else {
        return Ok(state);
    };
    let pods = site.own("v1", "Pod")?;
    let selector = Selector::labels(selector);
    let listed = site.objects.list(&pods, Some(namespace), &selector).await;
    Ok(match listed {
        Ok(listed) => {
            let pods: Vec<&Value> = listed.objects.iter().collect();
            readiness(
                object,
                &Related {
                    pods: &pods,
                    ..related
                },
            )
        }
        // Not knowing more is no reason to say nothing.
        Err(_) => state,
    })
}
