//! Tells when somebody changes members of a set, by a watch of each kind and namespace.
//!
//! An object has changed when its content has: what the server itself writes into its metadata doesn't count,
//! and a change of its status is told as one. Our own writes are seen, too: whoever listens looks once more
//! after them, finds nothing to do, and is quiet.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
};

use futures::{
    StreamExt,
    future::ready,
    stream::{self, BoxStream},
};
use serde_json::Value;
use weft_domain::inventory::PART_OF_LABEL;

use super::{
    follow::{Seen, follow},
    site::Site,
};
use crate::{
    api::{
        deploy::Target,
        design::{DeployResult, PlannedResource},
    },
    cluster::Selector,
    error::Result,
    service::Services,
};

/// In how many namespaces a kind is watched one by one; in more of them all namespaces are watched at once.
const NAMESPACES: usize = 8;

/// The kinds and namespaces of the wanted members of a set, by context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::service) struct Scopes(BTreeMap<String, BTreeSet<Scope>>);

/// `apiVersion`, kind, and the namespace; none is all of them.
type Scope = (String, String, Option<String>);

impl Scopes {
    /// The kinds and namespaces that a run was about.
    pub(in crate::service) fn of(result: &DeployResult) -> Self {
        let wanted = result.resources.iter();
        let wanted = wanted.filter(|resource| resource.conflict_policy.is_some());
        let mut found: BTreeMap<String, BTreeMap<(&str, &str), BTreeSet<&str>>> = BTreeMap::new();
        for PlannedResource {
            context,
            api_version,
            kind,
            namespace,
            ..
        } in wanted
        {
            let of_context = found.entry(context.clone()).or_default();
            let namespaces = of_context.entry((api_version, kind)).or_default();
            namespaces.insert(namespace);
        }
        let scopes = found.into_iter().map(|(context, kinds)| {
            let scopes = kinds
                .into_iter()
                .flat_map(|((api_version, kind), namespaces)| {
                    let at_once = namespaces.len() > NAMESPACES;
                    let namespaces = namespaces.into_iter().map(move |namespace| {
                        Some(namespace.to_owned()).filter(|name| !at_once && !name.is_empty())
                    });
                    namespaces
                        .map(move |namespace| (api_version.to_owned(), kind.to_owned(), namespace))
                });
            (context, scopes.collect())
        });
        Self(scopes.collect())
    }
}

/// What is told of objects that are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::service) enum Drift {
    /// Those of a scope are followed from now on; what happened before is not told.
    Followed,
    /// Only the status of one has changed.
    Status,
    /// What one says has changed, or it is gone, or new.
    Content,
}

/// Follows the members of a set. A scope that can't be followed ends with an error; the others go on. What is
/// served is kept for the next run if `keeps`.
///
/// # Errors
/// When a cluster can't be asked what it serves.
pub(in crate::service) async fn drift(
    services: &Services,
    target: &Target,
    name: &str,
    scopes: &Scopes,
    keeps: bool,
) -> Result<BoxStream<'static, Result<Drift>>> {
    let mut followed = Vec::new();
    for context in target.each() {
        let is_idle = |context: &String| !scopes.0.contains_key(context);
        if context.as_ref().is_some_and(is_idle) {
            continue;
        }
        let site = Site::at(services, target, context, name, keeps).await?;
        let selector = Selector::labels(format!("{PART_OF_LABEL}={}", site.id.as_str()));
        for (api_version, kind, namespace) in scopes.0.get(site.context()).into_iter().flatten() {
            let Some(kind) = site.kind(api_version, kind) else {
                continue;
            };
            let seen = follow(&site, &kind, namespace.as_deref(), selector.clone());
            let mut known = None;
            let told = seen.flat_map(move |seen| {
                let told = match seen {
                    Ok(seen) => told(&mut known, seen).map(Ok),
                    Err(error) => Some(Err(error)),
                };
                stream::iter(told)
            });
            let until_error = told.scan(false, |is_over, item: Result<Drift>| {
                let was_over = std::mem::replace(is_over, item.is_err());
                ready((!was_over).then_some(item))
            });
            followed.push(until_error.boxed());
        }
    }
    Ok(stream::select_all(followed).boxed())
}

/// What each object looked like when it was last seen.
type Known = HashMap<String, Look>;

/// What tells one state of an object from another.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    content: u64,
    status: u64,
}

/// Notes what is seen, and tells what has changed since.
fn told(known: &mut Option<Known>, seen: Seen) -> Option<Drift> {
    match seen {
        Seen::All(all) => {
            let now: Known = all.iter().map(|live| (name(live), look(live))).collect();
            let Some(before) = known.replace(now) else {
                return Some(Drift::Followed);
            };
            let now = known.as_ref()?;
            let changed = now
                .iter()
                .filter_map(|(name, look)| change(before.get(name), *look));
            let is_gone = before.keys().any(|name| !now.contains_key(name));
            let gone = is_gone.then_some(Drift::Content);
            changed.chain(gone).max()
        }
        Seen::One(live) => {
            let look = look(&live);
            let before = known.get_or_insert_default().insert(name(&live), look);
            change(before.as_ref(), look)
        }
        Seen::Gone(live) => {
            known.get_or_insert_default().remove(&name(&live));
            Some(Drift::Content)
        }
    }
}

fn change(before: Option<&Look>, now: Look) -> Option<Drift> {
    match before {
        Some(before) if before.content == now.content => {
            (before.status != now.status).then_some(Drift::Status)
        }
        _ => Some(Drift::Content),
    }
}

fn name(live: &Value) -> String {
    let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str);
    let namespace = text("/metadata/namespace").unwrap_or_default();
    format!("{namespace}/{}", text("/metadata/name").unwrap_or_default())
}

fn look(live: &Value) -> Look {
    let (mut content, mut status) = (DefaultHasher::new(), DefaultHasher::new());
    for (key, value) in live.as_object().into_iter().flatten() {
        match key.as_str() {
            "status" => hash(value, &mut status),
            // In a list they come last, and in a watch first.
            "apiVersion" | "kind" => {}
            "metadata" => {
                for key in [
                    "uid",
                    "labels",
                    "annotations",
                    "ownerReferences",
                    "deletionTimestamp",
                ] {
                    hash(&value[key], &mut content);
                }
            }
            key => {
                key.hash(&mut content);
                hash(value, &mut content);
            }
        }
    }
    Look {
        content: content.finish(),
        status: status.finish(),
    }
}

/// How deep an object is, the server bounds.
fn hash(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Null => 0.hash(hasher),
        Value::Bool(value) => value.hash(hasher),
        Value::Number(number) => number.hash(hasher),
        Value::String(text) => text.hash(hasher),
        Value::Array(list) => {
            list.len().hash(hasher);
            for value in list {
                hash(value, hasher);
            }
        }
        Value::Object(map) => {
            map.len().hash(hasher);
            for (key, value) in map {
                key.hash(hasher);
                hash(value, hasher);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Drift, Seen, told};

    fn object(data: &str, ready: u32) -> serde_json::Value {
        json!({
            "metadata": {
                "name": "a",
                "namespace": "t",
                "uid": "1",
                "resourceVersion": data.len().to_string(),
                "managedFields": [{"manager": data}],
            },
            "data": {"key": data},
            "status": {"ready": ready},
        })
    }

    #[test]
    fn what_an_object_says_counts_and_its_status_for_itself() {
        let mut known = None;
        let mut see = |seen| told(&mut known, seen);
        assert_eq!(
            see(Seen::All(vec![object("one", 0)])),
            Some(Drift::Followed)
        );
        assert_eq!(see(Seen::One(object("one", 0))), None);
        assert_eq!(see(Seen::One(object("one", 1))), Some(Drift::Status));
        assert_eq!(see(Seen::One(object("two", 1))), Some(Drift::Content));
        assert_eq!(see(Seen::All(vec![object("two", 1)])), None);
        assert_eq!(see(Seen::All(vec![object("two", 2)])), Some(Drift::Status));
        assert_eq!(see(Seen::All(vec![object("six", 3)])), Some(Drift::Content));
        assert_eq!(see(Seen::Gone(object("six", 3))), Some(Drift::Content));
        assert_eq!(see(Seen::One(object("six", 3))), Some(Drift::Content));
        assert_eq!(see(Seen::All(Vec::new())), Some(Drift::Content));
        assert_eq!(see(Seen::All(Vec::new())), None);
    }

    #[test]
    fn what_the_server_writes_itself_is_no_change() {
        let mut known = None;
        let mut other = object("one", 0);
        told(&mut known, Seen::One(other.clone()));
        other["metadata"]["resourceVersion"] = "9".into();
        other["metadata"]["generation"] = 7.into();
        other["metadata"]["managedFields"] = json!([]);
        assert_eq!(told(&mut known, Seen::One(other.clone())), None);
        other["metadata"]["labels"] = json!({"a": "b"});
        assert_eq!(told(&mut known, Seen::One(other)), Some(Drift::Content));
    }
}
