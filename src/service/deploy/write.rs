//! Writes one object, under the precondition that its step was planned with.

use serde_json::{Value, json};
use weft_domain::{
    ownership,
    plan::{Action, Step, not_ours, outgoing},
    resource::{Patch, Resource},
};

use super::{perform::PAUSE, site::Site};
use crate::{
    cluster::{Conflict, KindRef, ObjectError, Problem, Reply, Write},
    error::{Code, Error, Result},
};

/// Whether an object isn't any more what it was when it was looked at.
pub(super) fn is_stale(error: &ObjectError) -> bool {
    let Problem::Conflict { conflict, .. } = &*error.problem else {
        return false;
    };
    *conflict == Conflict::Stale
}

/// Refuses an object that somebody else made after we looked: a happy 200 is no adoption. Our fields
/// are taken back.
pub(super) async fn taken(
    site: &Site,
    kind: &KindRef,
    resource: &Resource,
    reply: &Reply,
) -> Result<()> {
    let before = ownership::written_before(&reply.object, &site.manager);
    // An earlier attempt of ours may have made it.
    if reply.repeated && before.is_none() {
        return Ok(());
    }
    // An apply that names nothing gives up what we alone hold, and leaves the rest as it is.
    let mut nothing = json!({
        "apiVersion": resource.api_version, "kind": resource.kind,
        "metadata": {"name": resource.name, "uid": reply.object["metadata"]["uid"]},
    });
    if let Some(namespace) = &resource.namespace {
        nothing["metadata"]["namespace"] = namespace.as_str().into();
    }
    let (namespace, name) = (resource.namespace.as_deref(), resource.name.as_str());
    let write = site.write();
    let given_back = site.objects.apply(kind, namespace, name, &nothing, &write);
    let given_back = given_back.await;
    let by = before.map_or_else(|| "somebody".to_owned(), |owner| owner.manager);
    let message = format!(
        "cannot create {}: {by} has made it in the meantime",
        resource.id
    );
    if let Err(error) = given_back {
        let message = format!("{message}, and what was written to it cannot be taken back");
        return Err(Error::new(Code::NotOurs, message).because_of(&error));
    }
    Err(Error::new(Code::NotOurs, message))
}

pub(super) async fn write(
    site: &Site,
    kind: &KindRef,
    resource: &Resource,
    step: &Step,
) -> Result<Reply> {
    let resource = &*step.written(resource);
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
    let patch = resource.policies.patch;
    let mut replaced = None;
    if bound.is_some() && patch != Patch::Apply {
        let version = bound.and_then(|bound| bound.resource_version.clone());
        object["metadata"]["resourceVersion"] = version.into();
        replaced = Some(overwrite(site, kind, resource, step, &mut object, &write).await?);
    }
    // The apply makes what was merged or replaced seen to be ours.
    if let Some(written) = replaced
        && object["metadata"].get("resourceVersion").is_some()
    {
        object["metadata"]["resourceVersion"] =
            written.object["metadata"]["resourceVersion"].clone();
    }
    let applied = site.objects.apply(kind, namespace, name, &object, &write);
    Ok(applied.await?)
}

/// Merges into an object, or writes it as a whole, as it was looked at. One that has changed since is
/// looked at again: it must still be ours.
async fn overwrite(
    site: &Site,
    kind: &KindRef,
    resource: &Resource,
    step: &Step,
    object: &mut Value,
    write: &Write,
) -> Result<Reply> {
    const TRIES: usize = 10;
    let (namespace, name) = (resource.namespace.as_deref(), resource.name.as_str());
    let mut tries = 0;
    loop {
        tries += 1;
        let objects = &site.objects;
        let written = match resource.policies.patch {
            Patch::Merge => {
                objects
                    .merge_patch(kind, namespace, name, object, write)
                    .await
            }
            Patch::Apply | Patch::Replace => {
                objects.replace(kind, namespace, name, object, write).await
            }
        };
        let error = match written {
            Ok(reply) => return Ok(reply),
            Err(error) => error,
        };
        if !is_stale(&error) || step.action != Action::Configured || tries == TRIES {
            return Err(error.into());
        }
        tokio::time::sleep(PAUSE).await;
        let live = site.objects.get(kind, namespace, name).await?.object;
        let member = step.member.clone();
        let member = member.ok_or_else(|| Error::internal("what is written is no member"))?;
        if let Some(why) = not_ours(&member, &live, &site.id, &site.manager) {
            let message = format!("cannot write {}: it has changed, {why}", step.id);
            return Err(
                Error::new(Code::NotOurs, message).hint("run the command again: it looks anew")
            );
        }
        object["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
    }
}
