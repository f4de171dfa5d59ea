//! Performs a plan: level after level, as much side by side as the cluster allows, each write under
//! the precondition that the plan was made with. What fails stops the levels behind it, not its
//! neighbours, and everything is said in the result.

use std::{collections::HashMap, time::Duration};

use futures::{FutureExt, StreamExt};
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use weft_domain::{
    inventory::{Confirmed, Member, PART_OF_LABEL, Parent},
    plan::{Action, ORIGIN, Plan, Step, Until, Wait, outgoing},
    readiness::{Related, readiness},
    resource::{Patch, Resource, ResourceId, ResourceSet},
};

use super::{
    each,
    site::{Lease, Site, is_missing},
};
use crate::{
    api::design::DeployResult,
    cluster::{Conflict, Delete, Deletion, KindRef, Problem, Write},
    error::{Code, Error, Result},
    service::operation::Handle,
};

/// How long something between two levels may take.
const WAIT: Duration = Duration::from_mins(2);
/// How often a state is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// What became of a step.
struct Done {
    id: ResourceId,
    result: Result<Option<Value>>,
}

/// Performs a plan.
///
/// # Errors
/// When nothing could be begun, the run was cancelled, or its lease is lost; what went wrong with
/// single objects is in the result.
pub(super) async fn perform(
    site: &mut Site,
    set: &ResourceSet,
    plan: &Plan,
    result: &mut DeployResult,
    handle: &Handle,
    lease: Option<&Lease>,
) -> Result<()> {
    let parent = match &site.parent {
        Some(parent) => parent.clone(),
        None if plan.steps.is_empty() => return Ok(()),
        None => Parent::new(&site.parent_name, &site.parent_namespace, site.design()),
    };
    // Before the first write: a crash leaves an inventory that is too long, never one too short.
    site.keep(parent.grow(plan.members().cloned())).await?;
    let at: HashMap<String, usize> = result
        .resources
        .iter()
        .enumerate()
        .map(|(at, resource)| (resource.id.clone(), at))
        .collect();
    let mut confirmed = Confirmed {
        gone: plan.gone.clone(),
        ..Confirmed::default()
    };
    let total = plan.steps.len() as u64;
    let mut finished = 0;
    let mut stopped: Option<String> = None;
    let mut interrupted = Ok(());
    handle.step(format!("writing to {}", site.shown()));
    for (_, steps) in plan.levels() {
        if stopped.is_none() {
            interrupted = handle.check().and_then(|()| match lease {
                Some(lease) => lease.check(site),
                None => Ok(()),
            });
            if let Err(error) = &interrupted {
                stopped = Some(error.to_string());
            } else {
                discover(site, set, steps).await?;
            }
        }
        if let Some(why) = &stopped {
            for step in steps.iter().filter(|step| writes(step)) {
                if let Some(at) = at.get(step.id.as_str()) {
                    let resource = &mut result.resources[*at];
                    resource.action = Action::Skipped;
                    resource.reason = format!("not reached: {why}");
                }
            }
            continue;
        }
        let site_now = &*site;
        let work = steps.iter().map(|step| {
            async move {
                if writes(step) && handle.check().is_err() {
                    let error = Error::new(Code::Interrupted, "not begun: the run was cancelled");
                    return Done {
                        id: step.id.clone(),
                        result: Err(error),
                    };
                }
                Done {
                    id: step.id.clone(),
                    result: one(site_now, set, step).await,
                }
            }
            .boxed()
        });
        let mut work = each(work);
        let by_id: HashMap<&str, &Step> =
            steps.iter().map(|step| (step.id.as_str(), step)).collect();
        while let Some(done) = work.next().await {
            finished += 1;
            handle.progress(finished, total);
            let (Some(step), Some(at)) = (by_id.get(done.id.as_str()), at.get(done.id.as_str()))
            else {
                continue;
            };
            let resource = &mut result.resources[*at];
            match done.result {
                Ok(live) => confirm(step, live.as_ref(), &mut confirmed),
                Err(error) => {
                    if error.code() == Code::Interrupted {
                        resource.action = Action::Skipped;
                        interrupted = Err(Error::new(Code::Interrupted, "the run was cancelled"));
                    } else {
                        resource.action = Action::Failed;
                    }
                    resource.reason = describe(&error);
                    stopped.get_or_insert_with(|| format!("{} failed", done.id));
                    result
                        .failures
                        .push(error.in_context(site_now.context(), &done.id).into());
                }
            }
        }
    }
    let parent = site.parent.clone();
    if let Some(parent) = parent {
        site.keep(parent.shrink(confirmed)).await?;
    }
    interrupted
}

fn describe(error: &Error) -> String {
    let mut text = error.to_string();
    for cause in error.causes() {
        text = format!("{text}: {cause}");
    }
    text
}

fn writes(step: &Step) -> bool {
    !matches!(step.action, Action::Unchanged | Action::Skipped)
}

/// Notes what is known of a member now.
fn confirm(step: &Step, live: Option<&Value>, confirmed: &mut Confirmed) {
    match step.action {
        Action::Pruned | Action::Released => confirmed.gone.push(step.id.clone()),
        Action::Failed => {}
        _ => {
            let Some(mut member) = step.member.clone() else {
                return;
            };
            if let Some(uid) = live.and_then(|live| live.pointer("/metadata/uid")?.as_str()) {
                member.uid = Some(uid.to_owned());
            }
            confirmed.present.push(member);
        }
    }
}

/// Learns the kinds that a definition of an earlier level has brought.
async fn discover(site: &mut Site, set: &ResourceSet, steps: &[Step]) -> Result<()> {
    for step in steps {
        let Some(resource) = step.index.and_then(|index| set.get(index)) else {
            continue;
        };
        let waits = step
            .waits
            .iter()
            .any(|wait| wait.until == Until::Established);
        if waits && site.kind(&resource.api_version, &resource.kind).is_none() {
            let (api_version, kind) = (resource.api_version.clone(), resource.kind.clone());
            site.refresh(&api_version, &kind).await?;
        }
    }
    Ok(())
}

/// Performs one step; returns the live object where there is one afterwards.
async fn one(site: &Site, set: &ResourceSet, step: &Step) -> Result<Option<Value>> {
    if !writes(step) {
        return Ok(None);
    }
    for wait in &step.waits {
        until(site, set, wait).await?;
    }
    match step.action {
        Action::Created | Action::Configured | Action::Adopted | Action::Replaced => {
            let resource = step.index.and_then(|index| set.get(index));
            let resource = resource.ok_or_else(|| Error::internal("a step without resource"))?;
            let kind = site
                .kind(&resource.api_version, &resource.kind)
                .ok_or_else(|| {
                    let message = format!("{} is not served", resource.kind);
                    Error::new(Code::UnknownKind, message)
                })?;
            if step.action == Action::Replaced {
                remove(
                    site,
                    &kind,
                    resource.namespace.as_deref(),
                    &resource.name,
                    step,
                )
                .await?;
            }
            if step.action == Action::Adopted && !step.migrate.is_empty() {
                migrate(site, &kind, resource, step).await?;
            }
            write(site, &kind, resource, step).await.map(Some)
        }
        Action::Pruned | Action::Released => {
            let member = site.parent.as_ref().and_then(|parent| parent.get(&step.id));
            let member = member.ok_or_else(|| Error::internal("a leftover that is no member"))?;
            let Some(kind) = site.kind(&member.api_version(), &member.kind) else {
                return Ok(None);
            };
            if step.action == Action::Pruned {
                remove(site, &kind, member.namespace.as_deref(), &member.name, step).await?;
            } else {
                release(site, &kind, member).await?;
            }
            Ok(None)
        }
        Action::Unchanged | Action::Skipped | Action::Failed => Ok(None),
    }
}

async fn write(site: &Site, kind: &KindRef, resource: &Resource, step: &Step) -> Result<Value> {
    let mut object = outgoing(resource, &site.id, step.origin());
    let (namespace, name) = (resource.namespace.as_deref(), resource.name.as_str());
    let write = Write {
        force: step.force,
        ..site.write()
    };
    let bound = step
        .precondition
        .as_ref()
        .filter(|_| step.action != Action::Replaced);
    // The UID makes sure that it still is the object that was looked at. The version only where
    // fields are taken from others: controllers write it all the time.
    if let Some(bound) = bound {
        if let Some(uid) = &bound.uid {
            object["metadata"]["uid"] = uid.as_str().into();
        }
        if let (true, Some(version)) = (step.force, &bound.resource_version) {
            object["metadata"]["resourceVersion"] = version.as_str().into();
        }
    }
    let exists = bound.is_some();
    match resource.policies.patch {
        Patch::Merge if exists => {
            site.objects
                .merge_patch(kind, namespace, name, &object, &write)
                .await?;
            let object = owned_part(&object);
            Ok(site
                .objects
                .apply(kind, namespace, name, &object, &write)
                .await?
                .object)
        }
        Patch::Replace if exists => {
            if let Some(version) = bound.and_then(|bound| bound.resource_version.as_ref()) {
                object["metadata"]["resourceVersion"] = version.as_str().into();
            }
            site.objects
                .replace(kind, namespace, name, &object, &write)
                .await?;
            let object = owned_part(&object);
            Ok(site
                .objects
                .apply(kind, namespace, name, &object, &write)
                .await?
                .object)
        }
        Patch::Apply | Patch::Merge | Patch::Replace => Ok(site
            .objects
            .apply(kind, namespace, name, &object, &write)
            .await?
            .object),
    }
}

/// What is applied beside a merge or a replacement, so that the object is seen to be ours.
fn owned_part(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let mut part = json!({
        "apiVersion": object["apiVersion"],
        "kind": object["kind"],
        "metadata": {
            "name": metadata["name"],
            "labels": { PART_OF_LABEL: metadata["labels"][PART_OF_LABEL] },
        },
    });
    if let Some(namespace) = metadata.get("namespace") {
        part["metadata"]["namespace"] = namespace.clone();
    }
    if let Some(origin) = metadata["annotations"].get(ORIGIN) {
        part["metadata"]["annotations"] = json!({ ORIGIN: origin });
    }
    part
}

/// Deletes an object, and waits for its end.
async fn remove(
    site: &Site,
    kind: &KindRef,
    namespace: Option<&str>,
    name: &str,
    step: &Step,
) -> Result<()> {
    let bound = step.precondition.clone().unwrap_or_default();
    let mut delete = Delete {
        uid: bound.uid.clone(),
        resource_version: bound.resource_version,
        ..Delete::default()
    };
    let begun = Instant::now();
    let deadline = begun + WAIT;
    loop {
        match site.objects.delete(kind, namespace, name, &delete).await {
            Ok(Deletion::Gone) => return Ok(()),
            Ok(Deletion::Pending(_)) => break,
            Err(error) => match &*error.problem {
                Problem::NotFound { .. } => return Ok(()),
                // Its status has changed since it was looked at. The label must still be ours.
                Problem::Conflict {
                    conflict: Conflict::Stale,
                    ..
                } if Instant::now() < deadline => {
                    let live = match site.objects.get(kind, namespace, name).await {
                        Ok(reply) => reply.object,
                        Err(error) if is_missing(&error) => return Ok(()),
                        Err(error) => return Err(error.into()),
                    };
                    let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str);
                    let ours = live["metadata"]["labels"][PART_OF_LABEL] == site.id.as_str();
                    if !ours
                        || (bound.uid.is_some() && text("/metadata/uid") != bound.uid.as_deref())
                    {
                        return Err(error.into());
                    }
                    delete.resource_version = text("/metadata/resourceVersion").map(str::to_owned);
                }
                _ => return Err(error.into()),
            },
        }
    }
    loop {
        match site.objects.get(kind, namespace, name).await {
            Err(error) if is_missing(&error) => return Ok(()),
            Err(error) => return Err(error.into()),
            Ok(reply) => {
                let uid = reply
                    .object
                    .pointer("/metadata/uid")
                    .and_then(Value::as_str);
                if bound.uid.is_some() && uid != bound.uid.as_deref() {
                    return Ok(());
                }
                if Instant::now() > deadline {
                    let state = readiness(&reply.object, &Related::default());
                    let why = state.reason().unwrap_or("it is still there").to_owned();
                    return Err(Error::new(
                        Code::NotGone,
                        format!("{} {name} was not gone in time: {why}", kind.kind),
                    ));
                }
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Gives the fields of client-side tools to our own entry, so that later removals work.
async fn migrate(site: &Site, kind: &KindRef, resource: &Resource, step: &Step) -> Result<()> {
    let namespace = resource.namespace.as_deref();
    managed(site, kind, namespace, &resource.name, |entries| {
        let mut fields = Value::Object(Map::new());
        let mut kept = Vec::new();
        for entry in entries {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
            let theirs = text("operation") == "Update"
                && text("subresource").is_empty()
                && step.migrate.iter().any(|name| name == text("manager"));
            let ours = text("operation") == "Apply" && text("manager") == site.manager;
            if theirs || ours {
                join(
                    &mut fields,
                    entry.get("fieldsV1").unwrap_or(&Value::Null),
                    0,
                );
            } else {
                kept.push(entry.clone());
            }
        }
        kept.push(json!({
            "manager": site.manager, "operation": "Apply", "apiVersion": resource.api_version,
            "fieldsType": "FieldsV1", "fieldsV1": fields,
        }));
        (kept, Vec::new())
    })
    .await
}

/// Merges one tree of fields into another.
fn join(into: &mut Value, from: &Value, depth: usize) {
    let (Some(into), Some(from)) = (into.as_object_mut(), from.as_object()) else {
        return;
    };
    for (key, value) in from {
        let place = into
            .entry(key.clone())
            .or_insert_with(|| Value::Object(Map::new()));
        if depth < 128 {
            join(place, value, depth + 1);
        }
    }
}

/// Lets go of an object: our label, our annotation and our entry go, all else stays.
async fn release(site: &Site, kind: &KindRef, member: &Member) -> Result<()> {
    let namespace = member.namespace.as_deref();
    let done = managed(site, kind, namespace, &member.name, |entries| {
        let kept = entries
            .iter()
            .filter(|entry| entry["manager"] != site.manager.as_str());
        let label = format!("/metadata/labels/{}", escape(PART_OF_LABEL));
        let origin = format!("/metadata/annotations/{}", escape(ORIGIN));
        (kept.cloned().collect(), vec![label, origin])
    })
    .await;
    match done {
        Err(error) if error.code() == Code::ObjectNotFound => Ok(()),
        done => done,
    }
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Rewrites the entries of an object's managers, and removes some of its keys, in one patch that
/// holds only for what was read.
async fn managed(
    site: &Site,
    kind: &KindRef,
    namespace: Option<&str>,
    name: &str,
    change: impl Fn(&[Value]) -> (Vec<Value>, Vec<String>),
) -> Result<()> {
    const TRIES: usize = 10;
    let mut tries = 0;
    loop {
        tries += 1;
        let live = site.objects.get(kind, namespace, name).await?.object;
        let none = Vec::new();
        let entries = live
            .pointer("/metadata/managedFields")
            .and_then(Value::as_array);
        let (entries, removed) = change(entries.unwrap_or(&none));
        let mut operations = vec![json!({
            "op": "test", "path": "/metadata/resourceVersion",
            "value": live["metadata"]["resourceVersion"],
        })];
        for path in removed.iter().filter(|path| live.pointer(path).is_some()) {
            operations.push(json!({ "op": "remove", "path": path }));
        }
        // An empty list would make the server write an entry of its own for everything.
        let entries = if entries.is_empty() {
            vec![json!({})]
        } else {
            entries
        };
        operations
            .push(json!({ "op": "add", "path": "/metadata/managedFields", "value": entries }));
        let write = site.write();
        let patched = site
            .objects
            .json_patch(kind, namespace, name, &Value::Array(operations), &write)
            .await;
        match patched {
            Ok(_) => return Ok(()),
            Err(error) => match &*error.problem {
                Problem::Conflict { .. } | Problem::Invalid { .. } | Problem::Unanswered { .. }
                    if tries < TRIES =>
                {
                    tokio::time::sleep(LOOK).await;
                }
                _ => return Err(error.into()),
            },
        }
    }
}

/// Waits for a state.
async fn until(site: &Site, set: &ResourceSet, wait: &Wait) -> Result<()> {
    let deadline = Instant::now() + WAIT;
    let found = set.by_id(&wait.on).map(|resource| {
        (
            site.kind(&resource.api_version, &resource.kind),
            resource.namespace.clone(),
            resource.name.clone(),
        )
    });
    let Some((Some(kind), namespace, name)) = found else {
        return Ok(());
    };
    let mut last = String::from("it is not there");
    loop {
        match site.objects.get(&kind, namespace.as_deref(), &name).await {
            Ok(reply) => {
                let state = readiness(&reply.object, &Related::default());
                if wait.until != Until::Gone && state.is_ready() {
                    return Ok(());
                }
                if state.is_failed() && wait.until == Until::Ready {
                    let why = state.reason().unwrap_or_default().to_owned();
                    let message = format!("{} has failed: {why}", wait.on);
                    return Err(Error::new(Code::NotReady, message));
                }
                state.reason().unwrap_or("it exists").clone_into(&mut last);
            }
            Err(error) if is_missing(&error) => {
                if wait.until == Until::Gone {
                    return Ok(());
                }
            }
            Err(error) => return Err(error.into()),
        }
        if Instant::now() > deadline {
            let message = format!("{} did not become {}: {last}", wait.on, wait.until);
            return Err(Error::new(Code::NotReady, message));
        }
        tokio::time::sleep(LOOK).await;
    }
}
