//! Hubs and forms that a cluster holds as custom resources, as the texts that files would have. They are only read.

use serde_json::Value;
use weft_domain::{
    source::{Bundle, Form, SourceFile},
    tenant::custom_resources,
    yaml,
};

use crate::{
    api::tenant::ReadManifests,
    cluster::Selector,
    error::{Code, Error, Place, Result},
    service::{Services, connect},
};

/// Reads the hubs and forms of a namespace.
///
/// # Errors
/// When the cluster can't be asked, or knows no such resources.
pub(crate) async fn manifests(services: &Services, request: ReadManifests) -> Result<Bundle> {
    let target = request.target;
    let cluster = connect(&target, target.contexts.first().map(String::as_str)).await?;
    let cache = services.home().cache().join("discovery");
    let kinds = cluster.kinds(Some(&cache)).await?;
    let namespace = target.namespace.as_deref().unwrap_or(cluster.namespace());
    let objects = cluster.objects();
    let mut served = 0;
    let mut files = Vec::new();
    for (api_version, kind) in custom_resources() {
        let Some(found) = kinds.find(api_version, kind) else {
            continue;
        };
        served += 1;
        let list = objects
            .list(&found, Some(namespace), &Selector::default())
            .await?;
        for object in list.objects {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            files.push(SourceFile {
                path: format!("{kind}/{name}"),
                text: yaml::to_string(&written(&object)),
            });
        }
    }
    if served == 0 {
        let message =
            "the cluster knows no hubs: neither LynqHub nor TenantRegistry is a kind of it";
        return Err(Error::new(Code::NothingThere, message)
            .at(Place {
                context: Some(cluster.context().to_owned()),
                ..Place::default()
            })
            .hint("name a file or folder with a hub and its forms"));
    }
    let origin = format!("namespace {namespace:?} of context {:?}", cluster.context());
    Ok(Bundle::new(
        namespace.to_owned(),
        origin,
        Form::Manifest,
        files,
    ))
}

/// What of a resource its author has written.
fn written(live: &Value) -> Value {
    let metadata = &live["metadata"];
    serde_json::json!({
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "metadata": { "name": metadata["name"], "namespace": metadata["namespace"] },
        "spec": live["spec"],
    })
}
