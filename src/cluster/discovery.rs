//! Which kinds a cluster serves: the paths, versions and verbs of its resources.
//!
//! Two requests, or none that is answered in full: API servers tag aggregated discovery by its content, so that what
//! the cache holds is confirmed (HTTP 304), not believed for a while. A kind that has just come is found by asking again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use futures::{StreamExt, future, stream};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::openapi::{AGGREGATED, AT_ONCE, DOCUMENTS, LARGE, versions_of};
use super::problem::Problem;
use super::request::{Call, JSON};
use super::{Cluster, ClusterError};

/// The form of the cache file; a file of another form is ignored.
const FORM: u32 = 1;
/// Longest wait between two looks for a kind.
const POLL: Duration = Duration::from_secs(1);

/// One version of a kind that a cluster serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindRef {
    /// The group, empty for the core.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind.
    pub kind: String,
    /// Its name in paths.
    pub plural: String,
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
    /// What can be done with its objects.
    pub verbs: Vec<String>,
}

impl KindRef {
    /// Returns `apps/v1` or `v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            return self.version.clone();
        }
        format!("{}/{}", self.group, self.version)
    }

    /// Tells whether its objects are to be handled as secrets.
    pub fn is_secret(&self) -> bool {
        self.group.is_empty() && self.kind == "Secret"
    }

    /// Tells whether a verb, such as `list`, can be used.
    pub fn can(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known == verb)
    }

    /// Returns the path of its objects: in one namespace, or, without one, in the whole cluster.
    pub(super) fn collection(&self, namespace: Option<&str>) -> Result<String, Problem> {
        let base = if self.group.is_empty() {
            format!("/api/{}", segment(&self.version)?)
        } else {
            format!(
                "/apis/{}/{}",
                segment(&self.group)?,
                segment(&self.version)?
            )
        };
        let plural = segment(&self.plural)?;
        Ok(match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!("{base}/namespaces/{}/{plural}", segment(namespace)?),
            None => format!("{base}/{plural}"),
        })
    }

    /// Returns the path of an object.
    pub(super) fn item(&self, namespace: Option<&str>, name: &str) -> Result<String, Problem> {
        if self.namespaced && namespace.is_none() {
            let message = format!("a {} needs a namespace", self.kind);
            return Err(Problem::Address { message });
        }
        Ok(format!(
            "{}/{}",
            self.collection(namespace)?,
            segment(name)?
        ))
    }

    /// Describes an object of this kind, such as `Deployment shop/web`.
    pub(super) fn describe(&self, namespace: Option<&str>, name: &str) -> String {
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!("{} {namespace}/{name}", self.kind),
            None => format!("{} {name}", self.kind),
        }
    }
}

/// Makes one segment of a path. What no API server takes as a name is refused, since `..` would be another path.
pub(super) fn segment(name: &str) -> Result<String, Problem> {
    if matches!(name, "" | "." | "..") || name.contains(['/', '%']) {
        let message = format!("{name:?} cannot be a name");
        return Err(Problem::Address { message });
    }
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    Ok(encoded)
}

/// A group and version whose API server is down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// The group.
    pub group: String,
    /// The version.
    pub version: String,
    /// What is known of the cause.
    pub message: String,
}

/// What a cluster serves. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Kinds(Arc<Served>);

#[derive(Debug, Default)]
struct Served {
    /// By group and kind; the preferred version first.
    kinds: BTreeMap<(String, String), Vec<Arc<KindRef>>>,
    broken: Vec<Broken>,
}

impl Kinds {
    /// Finds a kind by its `apiVersion`, such as `apps/v1`.
    pub fn find(&self, api_version: &str, kind: &str) -> Option<Arc<KindRef>> {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let mut versions = self.versions(group, kind).iter();
        versions.find(|served| served.version == version).cloned()
    }

    /// Finds the preferred version of a kind.
    pub fn preferred(&self, group: &str, kind: &str) -> Option<Arc<KindRef>> {
        self.versions(group, kind).first().cloned()
    }

    /// Returns all versions of a kind, the preferred one first.
    pub fn versions(&self, group: &str, kind: &str) -> &[Arc<KindRef>] {
        let key = (group.to_owned(), kind.to_owned());
        self.0.kinds.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Tells whether anything of a group is served.
    pub fn serves(&self, group: &str) -> bool {
        let first = (group.to_owned(), String::new());
        let mut from = self.0.kinds.range(first..);
        from.next().is_some_and(|((found, _), _)| found == group)
    }

    /// Returns all kinds, each in its preferred version, by group and kind.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<KindRef>> {
        self.0
            .kinds
            .values()
            .filter_map(|versions| versions.first())
    }

    /// Returns the groups whose API servers are down: their kinds may be missing, and cannot be used.
    pub fn broken(&self) -> &[Broken] {
        &self.0.broken
    }

    fn of(parts: [&Part; 2]) -> Self {
        let mut served = Served::default();
        for part in parts {
            for kind in &part.kinds {
                let key = (kind.group.clone(), kind.kind.clone());
                let versions = served.kinds.entry(key).or_default();
                let known = versions.iter_mut().find(|one| one.version == kind.version);
                match known {
                    None => versions.push(Arc::new(kind.clone())),
                    // Two resources of one kind: the same one, whatever the order they came in.
                    Some(known) if kind.plural < known.plural => *known = Arc::new(kind.clone()),
                    Some(_) => {}
                }
            }
            served.broken.extend(part.broken.iter().cloned());
        }
        Self(Arc::new(served))
    }
}

/// What is below one of the two roots of discovery.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    /// The server's name for this content; without one it isn't kept.
    etag: Option<String>,
    kinds: Vec<KindRef>,
    broken: Vec<Broken>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    form: u32,
    server: String,
    core: Part,
    groups: Part,
}

impl Cluster {
    /// Reads what the cluster serves. With a folder for the cache, what is there from the last time is confirmed by
    /// the server; a file that is damaged, or a folder that cannot be written, does no harm.
    pub async fn kinds(&self, cache: Option<&Path>) -> Result<Kinds, ClusterError> {
        let file = cache.map(|folder| self.cache_file(folder));
        let kept = match file.clone() {
            Some(file) => tokio::task::spawn_blocking(move || read(&file))
                .await
                .ok()
                .flatten(),
            None => None,
        };
        let kept = kept.filter(|kept| kept.form == FORM && kept.server == self.server);
        let (core, groups) = kept.map_or_else(Default::default, |kept| (kept.core, kept.groups));
        let (new_core, new_groups) =
            future::try_join(self.part("/api", &core), self.part("/apis", &groups)).await?;
        let kinds = Kinds::of([&new_core, &new_groups]);
        let changed = new_core != core || new_groups != groups;
        let tagged = new_core.etag.is_some() && new_groups.etag.is_some();
        if let (Some(file), true) = (file, changed && tagged) {
            let kept = Kept {
                form: FORM,
                server: self.server.clone(),
                core: new_core,
                groups: new_groups,
            };
            let written = tokio::task::spawn_blocking(move || write(&file, &kept)).await;
            if let Ok(Err(error)) = written {
                tracing::debug!(%error, "discovery is not cached");
            }
        }
        Ok(kinds)
    }

    /// Reads again what the cluster serves until it has a kind, such as that of a custom resource definition which
    /// has just been established; at the deadline without it.
    pub async fn refresh_kinds(
        &self,
        cache: Option<&Path>,
        api_version: &str,
        kind: &str,
        until: impl Into<Instant>,
    ) -> Result<Kinds, ClusterError> {
        let until = until.into();
        let mut wait = Duration::from_millis(50);
        loop {
            let kinds = self.kinds(cache).await?;
            if kinds.find(api_version, kind).is_some() || Instant::now() + wait >= until {
                return Ok(kinds);
            }
            sleep(wait).await;
            wait = (wait * 2).min(POLL);
        }
    }

    fn cache_file(&self, folder: &Path) -> PathBuf {
        let hash = digest(&SHA256, self.server.as_bytes());
        let mut name = String::from("kinds-");
        for byte in hash.as_ref().iter().take(10) {
            let _ = write!(name, "{byte:02x}");
        }
        folder.join(name + ".json")
    }

    /// Reads one root, unless it still is what is known.
    async fn part(&self, path: &str, known: &Part) -> Result<Part, ClusterError> {
        let call = Call {
            accept: AGGREGATED,
            etag: known.etag.clone(),
            ..Call::get(path, LARGE)
        };
        let answer = self.fetch(&call).await?;
        if answer.status == StatusCode::NOT_MODIFIED && known.etag.is_some() {
            return Ok(known.clone());
        }
        if !answer.status.is_success() {
            return Err(self.refused(path, answer.status, &answer.body));
        }
        let document: Value =
            serde_json::from_slice(&answer.body).map_err(|error| self.malformed(path, error))?;
        match document.get("kind").and_then(Value::as_str) {
            Some("APIGroupDiscoveryList") => {
                let etag = answer.headers.get(header::ETAG);
                let etag = etag.and_then(|etag| etag.to_str().ok()).map(str::to_owned);
                let mut part = aggregated(&document);
                // The tag covers what is broken too: it changes when that works again.
                part.etag = etag;
                Ok(part)
            }
            Some("APIVersions" | "APIGroupList") => self.each_version(&document).await,
            _ => Err(self.malformed(path, "it is not a discovery document")),
        }
    }

    /// Reads each group and version, of a server without aggregated discovery.
    async fn each_version(&self, document: &Value) -> Result<Part, ClusterError> {
        let mut paths = versions_of(document);
        paths.truncate(DOCUMENTS);
        // In the order of the index, in which preferred versions come first.
        let mut answers = stream::iter(paths)
            .map(|path| async move {
                let document = self.get(&path, JSON, LARGE).await;
                (path, document)
            })
            .buffered(AT_ONCE);
        let mut part = Part::default();
        while let Some((path, document)) = answers.next().await {
            let name = path
                .trim_start_matches("/apis/")
                .trim_start_matches("/api/");
            let (group, version) = name.rsplit_once('/').unwrap_or(("", name));
            match document {
                Ok(document) => part.kinds.extend(listed(group, version, &document)),
                Err(
                    ClusterError::NotFound { message, .. } | ClusterError::Status { message, .. },
                ) => {
                    part.broken.push(Broken {
                        group: group.to_owned(),
                        version: version.to_owned(),
                        message,
                    });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(part)
    }
}

/// Reads aggregated discovery, whose versions come in the order of preference.
fn aggregated(document: &Value) -> Part {
    let mut part = Part::default();
    for group in items(document, "items") {
        let name = group.pointer("/metadata/name").and_then(Value::as_str);
        let name = name.unwrap_or_default();
        for served in items(group, "versions") {
            let version = text(served, "version");
            if text(served, "freshness") == "Stale" {
                part.broken.push(Broken {
                    group: name.to_owned(),
                    version: version.to_owned(),
                    message: "its API server doesn't answer".to_owned(),
                });
            }
            for resource in items(served, "resources") {
                let kind = resource.pointer("/responseKind/kind");
                let kind = kind.and_then(Value::as_str).unwrap_or_default();
                let namespaced = text(resource, "scope") == "Namespaced";
                let plural = text(resource, "resource");
                part.kinds.extend(resource_of(
                    name, version, kind, plural, namespaced, resource,
                ));
            }
        }
    }
    part
}

/// Reads the `APIResourceList` of a group and version.
fn listed(group: &str, version: &str, document: &Value) -> Vec<KindRef> {
    let resources = items(document, "resources").iter();
    resources
        .filter_map(|resource| {
            let namespaced = resource.get("namespaced").and_then(Value::as_bool) == Some(true);
            let (kind, plural) = (text(resource, "kind"), text(resource, "name"));
            resource_of(group, version, kind, plural, namespaced, resource)
        })
        .collect()
}

fn resource_of(
    group: &str,
    version: &str,
    kind: &str,
    plural: &str,
    namespaced: bool,
    resource: &Value,
) -> Option<KindRef> {
    let verbs = items(resource, "verbs").iter().filter_map(Value::as_str);
    let verbs: Vec<String> = verbs.map(str::to_owned).collect();
    let is_incomplete = [version, kind, plural].contains(&"") || verbs.is_empty();
    // A name with a slash is a part of another resource.
    if is_incomplete || plural.contains('/') {
        return None;
    }
    Some(KindRef {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
        namespaced,
        verbs,
    })
}

fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let list = value.get(name).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn read(file: &Path) -> Option<Kept> {
    let bytes = std::fs::read(file).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Replaces the file whole; temporary files are private from the start.
fn write(file: &Path, kept: &Kept) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    std::io::Write::write_all(&mut temporary, &serde_json::to_vec(kept)?)?;
    temporary.persist(file).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_become_one_segment_of_a_path_or_are_refused() {
        for (name, expected) in [
            ("web", Some("web")),
            ("system:node", Some("system%3Anode")),
            ("a b?c#d", Some("a%20b%3Fc%23d")),
            ("é", Some("%C3%A9")),
            ("...", Some("...")),
            ("", None),
            (".", None),
            ("..", None),
            ("a/b", None),
            ("a%2Fb", None),
        ] {
            assert_eq!(segment(name).ok().as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn both_forms_of_discovery_give_the_same_kinds() {
        let verbs = json!(["get", "list"]);
        let new = json!({"kind": "APIGroupDiscoveryList", "items": [
            {"metadata": {"name": "apps"}, "versions": [
                {"version": "v1", "freshness": "Current", "resources": [
                    {"resource": "deployments", "scope": "Namespaced", "verbs": verbs, "responseKind": {"kind": "Deployment"}},
                    {"resource": "nothing", "scope": "Cluster", "verbs": [], "responseKind": {"kind": "Nothing"}},
                ]},
                {"version": "v1beta1", "freshness": "Stale", "resources": [
                    {"resource": "deployments", "scope": "Namespaced", "verbs": verbs, "responseKind": {"kind": "Deployment"}},
                ]},
            ]},
        ]});
        let part = aggregated(&new);
        let kinds = Kinds::of([&Part::default(), &part]);
        let preferred = kinds.preferred("apps", "Deployment").expect("a kind");
        assert_eq!(preferred.api_version(), "apps/v1");
        assert_eq!(kinds.versions("apps", "Deployment").len(), 2);
        assert!(kinds.find("apps/v1beta1", "Deployment").is_some());
        assert!(kinds.find("apps/v1", "Nothing").is_none());
        assert_eq!(kinds.broken().len(), 1);
        assert_eq!(kinds.broken()[0].version, "v1beta1");

        let old = json!({"kind": "APIResourceList", "groupVersion": "apps/v1", "resources": [
            {"name": "deployments", "kind": "Deployment", "namespaced": true, "verbs": verbs},
            {"name": "deployments/scale", "kind": "Scale", "namespaced": true, "verbs": verbs},
        ]});
        assert_eq!(listed("apps", "v1", &old), [preferred.as_ref().clone()]);
        for (namespace, name, expected) in [
            (
                Some("shop"),
                "web",
                Some("/apis/apps/v1/namespaces/shop/deployments/web"),
            ),
            (None, "web", None),
        ] {
            assert_eq!(preferred.item(namespace, name).ok().as_deref(), expected);
        }
    }
}
