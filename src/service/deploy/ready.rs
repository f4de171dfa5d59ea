//! Waits until what was written is ready, says what it waits for, and at the deadline names every
//! blocker with its last event and the trouble of its pods.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use futures::{FutureExt, TryStreamExt};
use serde_json::Value;
use tokio::time::Instant;
use weft_domain::{
    plan::Action,
    readiness::{Readiness, Related, last_event, owns, pod_problem, pod_selector, readiness},
    resource::{ResourceId, ResourceSet},
};

use super::{
    each,
    site::{Site, id_of},
};
use crate::{
    api::design::DeployResult,
    cluster::{KindRef, Selector},
    error::{Code, Error, Result},
    service::operation::Handle,
};

/// How often the cluster is looked at.
const LOOK: Duration = Duration::from_millis(500);

type Live = HashMap<ResourceId, Value>;

/// Looks once.
pub(super) async fn look(site: &Site, set: &ResourceSet, result: &mut DeployResult) -> Result<()> {
    let live = members(site, set).await?;
    mark(set, &live, result);
    Ok(())
}

/// Waits until everything is ready; a failure that doesn't heal ends the wait.
///
/// # Errors
/// At the deadline, or when something has failed for good.
pub(super) async fn wait(
    site: &Site,
    set: &ResourceSet,
    result: &mut DeployResult,
    limit: Duration,
    handle: &Handle,
) -> Result<()> {
    let deadline = Instant::now() + limit;
    let mut said = String::new();
    loop {
        handle.check()?;
        let live = members(site, set).await?;
        let states = mark(set, &live, result);
        let waiting: Vec<_> = states
            .iter()
            .filter(|(_, state)| !state.is_ready())
            .collect();
        let Some((first, state)) = waiting.first() else {
            return Ok(());
        };
        let reason = state.reason().unwrap_or_default();
        let failed = waiting
            .iter()
            .any(|(id, state)| state.is_failed() && id.as_str().starts_with("batch/Job/"));
        if failed || Instant::now() >= deadline {
            let waiting = waiting
                .into_iter()
                .map(|(id, state)| (id.clone(), state.clone()));
            let waiting = waiting.collect::<Vec<_>>();
            return blockers(site, &live, &waiting, result, failed, limit).await;
        }
        let now = format!("waiting for {first}: {reason} ({} left)", waiting.len());
        if now != said {
            handle.step(now.clone());
            said = now;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The live members that are waited for.
async fn members(site: &Site, set: &ResourceSet) -> Result<Live> {
    let mut kinds: HashSet<(String, String, Option<String>)> = HashSet::new();
    for resource in set {
        let key = (
            resource.api_version.clone(),
            resource.kind.clone(),
            resource.namespace.clone(),
        );
        kinds.insert(key);
    }
    let selector = Selector::labels(format!(
        "{}={}",
        weft_domain::inventory::PART_OF_LABEL,
        site.id.as_str()
    ));
    let selector = &selector;
    let lists = kinds.into_iter().map(|(api_version, kind, namespace)| {
        async move {
            let Some(kind) = site.kind(&api_version, &kind) else {
                return Ok::<_, Error>(Vec::new());
            };
            let listed = site
                .objects
                .list(&kind, namespace.as_deref(), selector)
                .await?;
            let found = listed.objects.into_iter().filter_map(|object| {
                let name = object.pointer("/metadata/name")?.as_str()?.to_owned();
                let namespace = object
                    .pointer("/metadata/namespace")
                    .and_then(Value::as_str);
                Some((id_of(&kind, namespace, &name), object))
            });
            Ok(found.collect::<Vec<_>>())
        }
        .boxed()
    });
    let lists: Vec<_> = each(lists).try_collect().await?;
    Ok(lists.into_iter().flatten().collect())
}

/// Writes the readiness of each resource into the result, and returns those that count.
fn mark(set: &ResourceSet, live: &Live, result: &mut DeployResult) -> Vec<(ResourceId, Readiness)> {
    let mut states = Vec::new();
    for shown in &mut result.resources {
        let Some(resource) = set.by_id(&ResourceId::from(shown.id.clone())) else {
            continue;
        };
        if matches!(shown.action, Action::Failed) {
            continue;
        }
        let state = match live.get(&resource.id) {
            Some(object) => readiness(object, &Related::default()),
            None => Readiness::Waiting {
                reason: "it is not there".to_owned(),
            },
        };
        shown.ready = state.is_ready();
        shown.waiting_for = match &state {
            Readiness::Ready { .. } => String::new(),
            state => state.reason().unwrap_or_default().to_owned(),
        };
        if resource.policies.wait {
            states.push((resource.id.clone(), state));
        }
    }
    states
}

/// Says of everything that isn't ready what happened to it last.
async fn blockers(
    site: &Site,
    live: &Live,
    waiting: &[(ResourceId, Readiness)],
    result: &mut DeployResult,
    failed: bool,
    limit: Duration,
) -> Result<()> {
    let mut errors = Vec::new();
    for (id, state) in waiting {
        let mut reason = state.reason().unwrap_or("it is not ready").to_owned();
        if let Some(object) = live.get(id) {
            for more in troubles(site, object).await {
                reason = format!("{reason}; {more}");
            }
        }
        let shown = result
            .resources
            .iter_mut()
            .find(|shown| shown.id == id.as_str());
        if let Some(shown) = shown {
            shown.waiting_for.clone_from(&reason);
        }
        errors.push(
            Error::new(Code::NotReady, format!("{id} is not ready: {reason}"))
                .at(site.place(Some(id.as_str()))),
        );
    }
    let failures = errors.iter().cloned().map(Into::into);
    result.failures.extend(failures);
    if failed {
        result.failed = true;
    }
    result.timed_out_seconds = Some(limit.as_secs_f64());
    Ok(())
}

/// The last event of an object, and what is wrong with its pods.
async fn troubles(site: &Site, object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let Some(namespace) = text("/metadata/namespace") else {
        return found;
    };
    let kinds = (site.kind("v1", "Event"), site.kind("v1", "Pod"));
    if let Some(pods) = pod_selector(object)
        && let Some(kind) = &kinds.1
        && let Ok(listed) = list(site, kind, namespace, Selector::labels(pods)).await
    {
        for pod in listed.iter().filter(|pod| !owns(pod, object)).take(3) {
            if let Some(problem) = pod_problem(pod) {
                found.push(format!("pod {}: {problem}", problem.pod));
                let container = problem.container.as_deref();
                let previous = problem.restarts > 0;
                let log = site
                    .objects
                    .logs(namespace, &problem.pod, container, Some(3), previous);
                if let Ok(log) = log.await
                    && let Some(line) = log.lines().last()
                {
                    found.push(format!("its log ends with {line:?}"));
                }
            }
        }
    }
    if let (Some(kind), Some(uid)) = (&kinds.0, text("/metadata/uid")) {
        let selector = Selector {
            labels: None,
            fields: Some(format!("involvedObject.uid={uid}")),
        };
        if let Ok(events) = list(site, kind, namespace, selector).await
            && let Some(event) = last_event(&events, uid)
        {
            found.push(format!("last event: {} {}", event.reason, event.message));
        }
    }
    found
}

async fn list(
    site: &Site,
    kind: &KindRef,
    namespace: &str,
    selector: Selector,
) -> Result<Vec<Value>> {
    Ok(site
        .objects
        .list(kind, Some(namespace), &selector)
        .await?
        .objects)
}
