//! Ends what ties the operator's own resources to objects that are ours by now.

use std::collections::HashSet;

use serde_json::{Value, json};
use weft_domain::tenant::operator::{OPERATORS, Operator};

use crate::{
    api::{deploy::Target, design::DeployResult},
    cluster::{KindRef, Objects, Selector, Write},
    error::Result,
    service::{connect, operation::Handle},
};

/// Takes the operator's finalizers off a hub and its nodes, so that they can be deleted without it, and says so.
/// A node that has made something that is not ours keeps its own, and is named; what goes wrong is among the
/// failures.
pub(in crate::service) async fn let_go(
    target: &Target,
    namespace: Option<&str>,
    hub: &str,
    handle: &Handle,
    result: &mut DeployResult,
) {
    for context in target.each() {
        let freed = of_context(target, context, namespace, hub, handle, result).await;
        match freed {
            Ok(notes) => result.notes.extend(notes),
            Err(error) => result.failures.push(error.into()),
        }
    }
}

async fn of_context(
    target: &Target,
    context: Option<String>,
    namespace: Option<&str>,
    hub: &str,
    handle: &Handle,
    result: &DeployResult,
) -> Result<Vec<String>> {
    let cluster = connect(target, context.as_deref()).await?;
    let namespace = namespace.unwrap_or(cluster.namespace());
    let (kinds, objects) = (cluster.kinds(None).await?, cluster.objects());
    let parts = result.resources.iter();
    let parts = parts.filter(|resource| resource.context == cluster.context());
    let ours: HashSet<(&str, &str)> = parts
        .filter_map(|resource| resource.part.as_ref())
        .map(|part| (part.row.as_str(), part.form.as_str()))
        .collect();
    let mut notes = Vec::new();
    for operator in &OPERATORS {
        let (mut freed, mut kept) = (0, Vec::new());
        if let Some(kind) = kinds.find(operator.api_version, operator.node) {
            let of_hub = Selector::labels(format!("{}={hub}", operator.hub_label));
            let made = objects.list(&kind, Some(namespace), &of_hub).await?;
            for node in made.objects {
                handle.check()?;
                let text = |pointer: &str| node.pointer(pointer).and_then(Value::as_str);
                let of = (text("/spec/uid"), text("/spec/templateRef"));
                if let (Some(row), Some(form)) = of
                    && ours.contains(&(row, form))
                {
                    free(&objects, &kind, operator, &node).await?;
                    freed += 1;
                } else {
                    kept.push(text("/metadata/name").unwrap_or_default().to_owned());
                }
            }
        }
        let Some(kind) = kinds.find(operator.api_version, operator.hub) else {
            continue;
        };
        let hubs = objects
            .list(&kind, Some(namespace), &Selector::default())
            .await?;
        let mut hubs = hubs.objects.into_iter();
        let live = hubs.find(|live| live["metadata"]["name"] == hub);
        let place = format!("context {:?}: ", cluster.context());
        let (is, of) = (operator.hub, operator.node);
        match (live, kept.as_slice()) {
            (None, []) => {}
            (None, kept) | (Some(_), kept @ [_, ..]) => notes.push(format!(
                "{place}of {is} {hub:?} these {of} have made what is not ours, and take it with them: {}",
                kept.join(", ")
            )),
            (Some(live), []) => {
                free(&objects, &kind, operator, &live).await?;
                notes.push(format!(
                    "{place}nothing ties {is} {hub:?} (with {freed} of {of}) to their objects any more; it goes \
                     with: kubectl delete {} {hub} -n {namespace}",
                    is.to_lowercase()
                ));
            }
        }
    }
    Ok(notes)
}

/// Takes the operator's finalizers off one of its resources.
async fn free(objects: &Objects, kind: &KindRef, operator: &Operator, live: &Value) -> Result<()> {
    let metadata = &live["metadata"];
    let finalizers = metadata["finalizers"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let is_theirs = |finalizer: &&Value| {
        let name = finalizer.as_str().unwrap_or_default();
        operator.finalizers.contains(&name)
    };
    let kept: Vec<&Value> = finalizers.iter().filter(|name| !is_theirs(name)).collect();
    if kept.len() == finalizers.len() {
        return Ok(());
    }
    let text = |key: &str| metadata[key].as_str().unwrap_or_default();
    let operations = json!([
        { "op": "test", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"] },
        { "op": "replace", "path": "/metadata/finalizers", "value": kept },
    ]);
    let namespace = Some(text("namespace"));
    let write = Write::by("weftctl");
    objects
        .json_patch(kind, namespace, text("name"), &operations, &write)
        .await?;
    Ok(())
}
