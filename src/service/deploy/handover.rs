//! Takes fields over from the tools that wrote an object before us, and lets go of objects.

use serde_json::{Map, Value, json};
use weft_domain::{
    inventory::{Member, PART_OF_LABEL},
    ownership,
    path::pointer_token,
    plan::{
        ORIGIN, ORPHANED, ORPHANED_AT, ORPHANED_REASON, Orphaning, Outlives, RETAINED_BY, Step,
        outgoing, outlives,
    },
    resource::{ANNOTATIONS, Resource},
    tenant::operator::Operator,
};

use super::{perform::PAUSE, site::Site};
use crate::{
    cluster::{KindRef, Problem, Write},
    error::{Code, Result},
};

/// Gives the fields of client-side tools to our own entry, so that later removals work. Returns the
/// version of the object then; none if nothing was done, as where fields are to be taken from an object
/// that has changed since it was looked at.
pub(super) async fn migrate(
    site: &Site,
    kind: &KindRef,
    resource: &Resource,
    step: &Step,
) -> Result<Option<String>> {
    let namespace = resource.namespace.as_deref();
    let write = site.write();
    let bound = step.precondition.as_ref().filter(|_| step.force);
    let bound = bound.and_then(|bound| bound.resource_version.as_deref());
    // Ignored fields are not sent: what was ours and isn't, the server would take away.
    let object = &outgoing(&step.written(resource), &site.id, step.origin());
    let is_partial = step.bare || !resource.policies.ignore_fields.is_empty();
    let version = |object: &Value| {
        let version = object.pointer("/metadata/resourceVersion")?;
        version.as_str().map(str::to_owned)
    };
    let migrated = managed(
        site,
        kind,
        namespace,
        &resource.name,
        &write,
        |live, entries| {
            if bound.is_some() && version(live).as_deref() != bound {
                return None;
            }
            let mut operators = Operator::of(live);
            operators.retain(|operator| step.migrate.iter().any(|name| name == operator.manager));
            let mut fields = Value::Object(Map::new());
            let mut kept = Vec::new();
            for entry in entries {
                let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
                let is_named = text("subresource").is_empty()
                    && step.migrate.iter().any(|name| name == text("manager"));
                let is_operators = is_named && Operator::is_manager(text("manager"));
                let is_update = text("operation") == "Update";
                let ours = !is_update && text("manager") == site.manager;
                let held = entry.get("fieldsV1").unwrap_or(&Value::Null);
                if ours || is_operators && !is_update && !is_partial {
                    // What the operator applied and nobody wants any more goes with our apply.
                    join(&mut fields, held, 0);
                } else if is_operators || is_named && is_update {
                    let (named, rest) = ownership::split(held, object);
                    join(&mut fields, &named, 0);
                    // What we don't name our apply would delete: it stays theirs, or what was the operator's
                    // nobody's.
                    if !is_operators && rest.as_object().is_some_and(|rest| !rest.is_empty()) {
                        let mut entry = entry.clone();
                        entry["fieldsV1"] = rest;
                        kept.push(entry);
                    }
                } else {
                    kept.push(entry.clone());
                }
            }
            kept.push(json!({
                "manager": site.manager, "operation": "Apply", "apiVersion": resource.api_version,
                "fieldsType": "FieldsV1", "fieldsV1": fields,
            }));
            Some(Rewrite {
                entries: kept,
                removed: marks().chain(Operator::marks(&operators, live)).collect(),
                added: Vec::new(),
            })
        },
    )
    .await?;
    Ok(migrated.as_ref().and_then(version))
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

/// Lets go of an object: our label, our annotation and our entry go, all else stays. One that isn't the
/// object that was looked at, or isn't ours any more, is left alone.
pub(super) async fn release(
    site: &Site,
    kind: &KindRef,
    member: &Member,
    step: &Step,
    why: Orphaning,
    write: &Write,
) -> Result<()> {
    let namespace = member.namespace.as_deref();
    let uid = step.precondition.as_ref().and_then(|seen| seen.uid.clone());
    let is_ours = |live: &Value| {
        let is_it = uid.is_none() || live["metadata"]["uid"].as_str() == uid.as_deref();
        is_it && live["metadata"]["labels"][PART_OF_LABEL] == site.id.as_str()
    };
    let done = managed(
        site,
        kind,
        namespace,
        &member.name,
        write,
        |live, entries| {
            if !is_ours(live) {
                return None;
            }
            let mut removed = vec![label(PART_OF_LABEL), annotation(ORIGIN)];
            if outlives(member, live) == Some(Outlives::Adopted) {
                // It had none of our policies before.
                let ours = ownership::applied(live, &site.manager);
                let ours =
                    ours.and_then(|ours| ours.fields.field("metadata")?.field("annotations"));
                let keys = ANNOTATIONS.iter().map(|(key, ..)| *key);
                let keys = keys.filter(|key| ours.is_some_and(|ours| ours.field(key).is_some()));
                removed.extend(keys.map(annotation));
            }
            // A chosen manager may be that of another tool, whose updates are its own.
            let is_own = |entry: &&Value| {
                entry["manager"] == site.manager.as_str()
                    && (entry["operation"] == "Apply" || site.manager == site.id.field_manager())
            };
            let kept = entries.iter().filter(|entry| !is_own(entry));
            let mut added = Vec::new();
            if step.retained {
                let by = site.id.as_str();
                if !live["metadata"]["annotations"].is_object() {
                    added.push(("/metadata/annotations".to_owned(), json!({})));
                }
                // It had a label of ours, so it has labels.
                added.push((label(ORPHANED), "true".into()));
                for (key, value) in [
                    (RETAINED_BY, by),
                    (ORPHANED_AT, &site.begun.to_string()),
                    (ORPHANED_REASON, why.name()),
                ] {
                    added.push((annotation(key), value.into()));
                }
            }
            Some(Rewrite {
                entries: kept.cloned().collect(),
                removed,
                added,
            })
        },
    )
    .await;
    match done {
        Err(error) if error.code() == Code::ObjectNotFound => Ok(()),
        done => done.map(drop),
    }
}

/// What marks an object that was let go of.
fn marks() -> impl Iterator<Item = String> {
    let annotations = [RETAINED_BY, ORPHANED_AT, ORPHANED_REASON].map(annotation);
    annotations.into_iter().chain([label(ORPHANED)])
}

fn label(key: &str) -> String {
    format!("/metadata/labels/{}", pointer_token(key))
}

fn annotation(key: &str) -> String {
    format!("/metadata/annotations/{}", pointer_token(key))
}

/// What becomes of an object's metadata; the keys are JSON pointers.
struct Rewrite {
    /// The entries of its managers.
    entries: Vec<Value>,
    /// What goes, where it is there.
    removed: Vec<String>,
    /// What is set.
    added: Vec<(String, Value)>,
}

/// Rewrites the entries of an object's managers, and some of its metadata, in one patch that holds
/// only for what was read; `change` may find that there is nothing to do.
async fn managed(
    site: &Site,
    kind: &KindRef,
    namespace: Option<&str>,
    name: &str,
    write: &Write,
    change: impl Fn(&Value, &[Value]) -> Option<Rewrite>,
) -> Result<Option<Value>> {
    const TRIES: usize = 10;
    let mut tries = 0;
    loop {
        tries += 1;
        let live = site.objects.get(kind, namespace, name).await?.object;
        let none = Vec::new();
        let entries = live
            .pointer("/metadata/managedFields")
            .and_then(Value::as_array);
        let Some(rewrite) = change(&live, entries.unwrap_or(&none)) else {
            return Ok(None);
        };
        let Rewrite {
            entries,
            removed,
            added,
        } = rewrite;
        let mut operations = vec![json!({
            "op": "test", "path": "/metadata/resourceVersion",
            "value": live["metadata"]["resourceVersion"],
        })];
        for path in removed.iter().filter(|path| live.pointer(path).is_some()) {
            operations.push(json!({ "op": "remove", "path": path }));
        }
        for (path, value) in added {
            operations.push(json!({ "op": "add", "path": path, "value": value }));
        }
        // An empty list would make the server write an entry of its own for everything.
        let entries = if entries.is_empty() {
            vec![json!({})]
        } else {
            entries
        };
        operations
            .push(json!({ "op": "add", "path": "/metadata/managedFields", "value": entries }));
        let patched = site
            .objects
            .json_patch(kind, namespace, name, &Value::Array(operations), write)
            .await;
        match patched {
            Ok(reply) => return Ok(Some(reply.object)),
            Err(error) => match &*error.problem {
                Problem::Conflict { .. } | Problem::Invalid { .. } | Problem::Unanswered { .. }
                    if tries < TRIES =>
                {
                    tokio::time::sleep(PAUSE).await;
                }
                _ => return Err(error.into()),
            },
        }
    }
}
