//! Models of what a system serves, from the system itself.

use std::{path::Path, time::Duration};

use weft_domain::model::Model;

use crate::{
    cluster::{Cluster, Progress},
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
