//! Ends what ties the operator's own resources to objects that are ours by now.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use weft_domain::tenant::operator::{OPERATORS, Operator};

use crate::{
    api::{deploy::Target, design::DeployResult},
    cluster::{Cluster, KindRef, Objects, Selector, Write},
    error::Result,
};

/// Takes the operator's finalizers off a hub and its nodes, so that they can be deleted without it, and says so.
///
/// # Errors
/// When a cluster can't be asked, or doesn't allow it.
pub(in crate::service) async fn let_go(
    target: &Target,
    hub: &str,
    result: &mut DeployResult,
) -> Result<()> {
    for context in target.each() {
        let kubeconfig = target.kubeconfig.as_deref().map(Path::new);
        let deadline = Duration::from_mins(1);
        let cluster = Cluster::connect(kubeconfig, context.as_deref(), deadline).await?;
        let namespace = target.namespace.as_deref().unwrap_or(cluster.namespace());
        let (kinds, objects) = (cluster.kinds(None).await?, cluster.objects());
        for operator in &OPERATORS {
            let mut freed = 0;
            if let Some(kind) = kinds.find(operator.api_version, operator.node) {
                let of_hub = Selector::labels(format!("{}={hub}", operator.hub_label));
                for node in objects.list(&kind, Some(namespace), &of_hub).await?.objects {
                    freed += usize::from(free(&objects, &kind, operator, &node).await?);
                }
            }
            let Some(kind) = kinds.find(operator.api_version, operator.hub) else {
                continue;
            };
            let hubs = objects
                .list(&kind, Some(namespace), &Selector::default())
                .await?;
            let mut hubs = hubs.objects.into_iter();
            let Some(live) = hubs.find(|live| live["metadata"]["name"] == hub) else {
                continue;
            };
            free(&objects, &kind, operator, &live).await?;
            result.notes.push(format!(
                "context {:?}: nothing ties {} {hub:?} (with {freed} of {}) to their objects any more; it goes with: \
                 kubectl delete {} {hub} -n {namespace}",
                cluster.context(),
                operator.hub,
                operator.node,
                operator.hub.to_lowercase(),
            ));
        }
    }
    Ok(())
}

/// Takes the operator's finalizers off one of its resources; tells whether it had any.
async fn free(
    objects: &Objects,
    kind: &KindRef,
    operator: &Operator,
    live: &Value,
) -> Result<bool> {
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
        return Ok(false);
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
    Ok(true)
}
