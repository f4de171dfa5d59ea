//! Models of what a system serves, from the system itself.

use std::{path::Path, time::Duration};

use weft_domain::model::Model;

use crate::{
    cluster::{Cluster, Progress, context_names},
    error::{Code, Error, Result},
};

/// Reads what a cluster serves. `progress` hears how many documents of how many are read.
///
/// # Errors
/// When the cluster can't be reached or refuses.
pub async fn of_cluster(
    kubeconfig: Option<&Path>,
    context: Option<&str>,
    timeout: Duration,
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<Model> {
    let cluster = Cluster::connect(kubeconfig, context, timeout).await?;
    let model = cluster
        .model(|event| {
            if let Progress::Read { done, total, .. } = event {
                progress(done as u64, total as u64);
            }
        })
        .await?;
    Ok(model)
}

/// Looks contexts up in a kubeconfig, without a word to their clusters.
///
/// # Errors
/// When one isn't there, with a near miss.
pub fn find_contexts(kubeconfig: Option<&Path>, contexts: &[String]) -> Result<()> {
    let known = context_names(kubeconfig)?;
    match contexts.iter().find(|context| !known.contains(context)) {
        Some(context) => Err(Error::new(
            Code::ContextNotFound,
            format!("the kubeconfig has no context {context:?}"),
        )
        .did_you_mean(context, known.iter().map(String::as_str))),
        None => Ok(()),
    }
}

/// An archive as text, for a request.
pub fn encode(archive: &[u8]) -> String {
    weft_domain::base64::encode(archive)
}

/// The archive of a request.
///
/// # Errors
/// When the text isn't base64.
pub fn decode(text: &str) -> Result<Vec<u8>> {
    weft_domain::base64::decode(text)
        .ok_or_else(|| Error::new(Code::BadModel, "a model archive is not in base64"))
}
