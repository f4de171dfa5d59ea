//! What a cluster serves, as a [`Model`]: its version, discovery, and one `OpenAPI` document per group and version.

use futures::StreamExt;
use futures::stream;
use serde_json::Value;
use weft_domain::model::{Model, ModelBuilder, ModelInfo};

use super::request::JSON;
use super::{Cluster, ClusterError};

/// How many documents are fetched at a time.
pub(super) const AT_ONCE: usize = 8;
/// Largest version or index, in bytes.
const SMALL: usize = 4 << 20;
/// Largest discovery or `OpenAPI` document, in bytes; the largest known one has 3 MB.
pub(super) const LARGE: usize = 64 << 20;
/// Most documents; a cluster with a thousand custom resource definitions has fewer.
pub(super) const DOCUMENTS: usize = 5_000;

/// Discovery of everything in one answer, where the server has it.
pub(super) const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// What happens while a model is read.
#[derive(Debug)]
pub enum Progress<'a> {
    /// Another document has been read.
    Read {
        /// How many have been read.
        done: usize,
        /// How many there are.
        total: usize,
        /// Where it came from.
        path: &'a str,
    },
    /// A document cannot be had, so its kinds are not described: an API server behind this one may be down.
    Skipped {
        /// Where it should have come from.
        path: &'a str,
        /// Why.
        error: &'a ClusterError,
    },
}

impl Cluster {
    /// Asks the server for its version, such as `v1.35.4`.
    pub async fn version(&self) -> Result<String, ClusterError> {
        let path = "/version";
        let version = self.get(path, JSON, SMALL).await?;
        version
            .get("gitVersion")
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| self.malformed(path, "it has no gitVersion"))
    }

    /// Reads what the cluster serves.
    pub async fn model(
        &self,
        mut progress: impl FnMut(Progress<'_>) + Send,
    ) -> Result<Model, ClusterError> {
        let mut builder = ModelBuilder::new(ModelInfo::kubernetes(&self.version().await?));
        self.discover(&mut builder, &mut progress).await?;
        let documents = self.documents().await?;
        let total = documents.len();
        let mut done = 0;
        self.each(documents, |path, document| {
            let document = match document {
                Ok(document) => document,
                Err(error) => return skip(path, error, &mut progress),
            };
            // The names of documents are those that kinds are looked up by.
            let name = path.split('?').next().unwrap_or_default();
            let name = name.trim_start_matches("/openapi/v3/");
            builder
                .openapi(name, &document)
                .map_err(|error| self.malformed(path, error))?;
            done += 1;
            progress(Progress::Read { done, total, path });
            Ok(())
        })
        .await?;
        Ok(builder.build())
    }

    /// Reads discovery: in two answers where the server can, otherwise one per group and version.
    async fn discover(
        &self,
        builder: &mut ModelBuilder,
        progress: &mut (impl FnMut(Progress<'_>) + Send),
    ) -> Result<(), ClusterError> {
        let mut versions = Vec::new();
        for path in ["/api", "/apis"] {
            let document = self.get(path, AGGREGATED, LARGE).await?;
            versions.extend(versions_of(&document));
            builder
                .discovery(&document)
                .map_err(|error| self.malformed(path, error))?;
        }
        versions.truncate(DOCUMENTS);
        self.each(versions, |path, document| match document {
            Ok(document) => builder
                .discovery(&document)
                .map_err(|error| self.malformed(path, error)),
            Err(error) => skip(path, error, progress),
        })
        .await
    }

    /// Lists the `OpenAPI` documents of groups and versions.
    async fn documents(&self) -> Result<Vec<String>, ClusterError> {
        let path = "/openapi/v3";
        let index = self.get(path, JSON, SMALL).await?;
        let Some(Value::Object(paths)) = index.get("paths") else {
            return Err(self.malformed(path, "it has no paths"));
        };
        let documents =
            paths
                .iter()
                .filter(|(name, _)| is_version(name))
                .map(|(name, document)| {
                    // The address carries a hash, so that proxies can keep the document.
                    let address = document.get("serverRelativeURL").and_then(Value::as_str);
                    address
                        .filter(|address| {
                            address.starts_with("/openapi/v3/") && !address.contains('#')
                        })
                        .map_or_else(|| format!("/openapi/v3/{name}"), str::to_owned)
                });
        Ok(documents.take(DOCUMENTS).collect())
    }

    /// Fetches documents, several at a time, and hands over each as it comes.
    async fn each(
        &self,
        paths: Vec<String>,
        mut take: impl FnMut(&str, Result<Value, ClusterError>) -> Result<(), ClusterError>,
    ) -> Result<(), ClusterError> {
        let mut fetched = stream::iter(paths)
            .map(|path| async move {
                let document = self.get(&path, JSON, LARGE).await;
                (path, document)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((path, document)) = fetched.next().await {
            take(&path, document)?;
        }
        Ok(())
    }
}

/// Goes on without a document if only that one cannot be had. An empty one is what API servers have of a
/// group that goes away just then.
fn skip(
    path: &str,
    error: ClusterError,
    progress: &mut impl FnMut(Progress<'_>),
) -> Result<(), ClusterError> {
    match &error {
        ClusterError::NotFound { .. }
        | ClusterError::Status { .. }
        | ClusterError::Empty { .. } => {
            progress(Progress::Skipped {
                path,
                error: &error,
            });
            Ok(())
        }
        _ => Err(error),
    }
}

/// Returns the paths of the groups and versions in an answer that has no more than their names.
pub(super) fn versions_of(document: &Value) -> Vec<String> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    match document.get("kind").and_then(Value::as_str) {
        Some("APIVersions") => list(document.get("versions"))
            .iter()
            .filter_map(|version| Some(format!("/api/{}", version.as_str()?)))
            .collect(),
        Some("APIGroupList") => list(document.get("groups"))
            .iter()
            .flat_map(|group| list(group.get("versions")))
            .filter_map(|version| Some(format!("/apis/{}", version.get("groupVersion")?.as_str()?)))
            .collect(),
        _ => Vec::new(),
    }
}

/// Tells whether a name in the index is that of a group and version, such as `api/v1` or `apis/apps/v1`.
fn is_version(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    matches!(parts.as_slice(), ["api", version] | ["apis", _, version] if !version.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_groups_with_versions_have_documents_of_kinds() {
        for (name, expected) in [
            ("api/v1", true),
            ("apis/apps/v1", true),
            ("api", false),
            ("apis/apps", false),
            ("version", false),
            (".well-known/openid-configuration", false),
            ("apis/apps/", false),
        ] {
            assert_eq!(is_version(name), expected, "{name}");
        }
    }

    #[test]
    fn an_empty_document_is_left_out_and_a_damaged_one_is_not() {
        let (context, path) = ("one".to_owned(), "/openapi/v3/apis/gone/v1".to_owned());
        let empty = ClusterError::Empty {
            context: context.clone(),
            path: path.clone(),
        };
        let mut skipped = Vec::new();
        let mut progress = |progress: Progress<'_>| {
            if let Progress::Skipped { path, error } = progress {
                skipped.push(format!("{path}: {error}"));
            }
        };
        assert!(skip(&path, empty, &mut progress).is_ok());
        let source = "it has no end".into();
        let damaged = ClusterError::Malformed {
            context,
            path: path.clone(),
            source,
        };
        assert!(skip(&path, damaged, &mut progress).is_err());
        assert_eq!(
            skipped,
            [
                "/openapi/v3/apis/gone/v1: the answer to /openapi/v3/apis/gone/v1 from context \"one\" is empty"
            ]
        );
    }

    #[test]
    fn old_discovery_names_versions_to_ask_for() {
        let core = json!({"kind": "APIVersions", "versions": ["v1"]});
        assert_eq!(versions_of(&core), ["/api/v1"]);
        let groups = json!({"kind": "APIGroupList", "groups": [
            {"name": "apps", "versions": [{"groupVersion": "apps/v1"}, {"groupVersion": "apps/v1beta1"}]},
        ]});
        assert_eq!(
            versions_of(&groups),
            ["/apis/apps/v1", "/apis/apps/v1beta1"]
        );
        assert!(versions_of(&json!({"kind": "APIGroupDiscoveryList", "items": []})).is_empty());
    }
}
