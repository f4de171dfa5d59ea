//! What can't be seen object by object: what lives in a namespace or is of a kind, and which kinds
//! there are at all.

use std::collections::HashSet;

use futures::{FutureExt, TryStreamExt};
use serde_json::Value;
use weft_domain::plan::Content;

use super::{
    each,
    ready::DEFINITION,
    site::{Site, id_of, is_missing},
};
use crate::{
    cluster::{Problem, Selector},
    error::{Error, Result},
};

/// The kinds that are defined, whether they are served just now or not: an API server that has come
/// back serves them one after the other.
pub(super) struct Defined {
    /// Group and kind of definitions; why they couldn't be read.
    definitions: Result<HashSet<(String, String)>, String>,
    /// Groups that other API servers serve; why they couldn't be read.
    elsewhere: Result<HashSet<String>, String>,
}

impl Defined {
    pub(super) async fn ask(site: &Site) -> Result<Self> {
        let text = |object: &Value, pointer: &str| {
            let text = object.pointer(pointer).and_then(Value::as_str);
            text.map(str::to_owned)
        };
        let definitions = Self::list(site, "apiextensions.k8s.io/v1", DEFINITION, |object| {
            Some((
                text(object, "/spec/group")?,
                text(object, "/spec/names/kind")?,
            ))
        });
        let elsewhere = Self::list(site, "apiregistration.k8s.io/v1", "APIService", |object| {
            object.pointer("/spec/service").filter(|it| !it.is_null())?;
            text(object, "/spec/group")
        });
        let (definitions, elsewhere) = tokio::try_join!(definitions, elsewhere)?;
        Ok(Self {
            definitions,
            elsewhere,
        })
    }

    async fn list<T: std::hash::Hash + Eq + Send>(
        site: &Site,
        api_version: &str,
        kind: &str,
        read: impl Fn(&Value) -> Option<T> + Send + Sync + Copy,
    ) -> Result<Result<HashSet<T>, String>> {
        let unknown = |why: &str| Ok(Err(format!("its kind is not served, and {why}")));
        let Some(kind) = site.kind(api_version, kind) else {
            return unknown(&format!("neither is {kind}"));
        };
        let all = Selector::default();
        let keep = |object: Value| read(&object);
        match site.objects.list_with(&kind, None, &all, keep).await {
            Ok(listed) => Ok(Ok(listed.objects.into_iter().collect())),
            Err(error) if matches!(*error.problem, Problem::Forbidden { .. }) => {
                unknown(&format!("you may not list {}", kind.plural))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Why objects of a kind that isn't served may be there nevertheless.
    pub(super) fn why_unseen(&self, site: &Site, group: &str, kind: &str) -> Option<String> {
        let kinds = site.kinds();
        if kinds.broken().iter().any(|broken| broken.group == group) {
            return Some("the server of its kind does not answer".to_owned());
        }
        let definitions = match &self.definitions {
            Ok(definitions) => definitions,
            Err(why) => return Some(why.clone()),
        };
        if definitions.contains(&(group.to_owned(), kind.to_owned())) {
            return Some("its kind is defined, and not served just now".to_owned());
        }
        match &self.elsewhere {
            Ok(groups) if groups.contains(group) && !kinds.serves(group) => {
                Some("the server of its kind is not asked just now".to_owned())
            }
            Ok(_) => None,
            Err(why) => Some(why.clone()),
        }
    }
}

/// Everything that lives in a namespace, or is of the kind of a definition, of which the live object is
/// given; or why that can't be told, since what isn't seen must not be deleted with it.
pub(super) async fn contents_of(site: &Site, live: &Value) -> Result<Result<Vec<Content>, String>> {
    let text = |pointer: &str| {
        live.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let served = site.kinds();
    let (kinds, namespace): (Vec<_>, _) = if text("/kind") == "Namespace" {
        if let Some(broken) = served.broken().first() {
            let why = format!("the server of {} does not answer", broken.group);
            return Ok(Err(why));
        }
        let kinds = served
            .iter()
            .filter(|kind| kind.namespaced && kind.can("list") && kind.can("delete"));
        (kinds.cloned().collect(), Some(text("/metadata/name")))
    } else {
        let (group, kind) = (text("/spec/group"), text("/spec/names/kind"));
        match served.preferred(group, kind) {
            Some(kind) => (vec![kind], None),
            // Nobody ever could write one.
            None if !was_established(live) => return Ok(Ok(Vec::new())),
            None => return Ok(Err(format!("no version of {kind} is served"))),
        }
    };
    let mut seen_kinds = HashSet::new();
    let kinds = kinds
        .into_iter()
        .filter(|kind| seen_kinds.insert((kind.group.clone(), kind.kind.clone())))
        .collect::<Vec<_>>();
    let lists = kinds.into_iter().map(|kind| {
        async move {
            let listed = site
                .objects
                .list_metadata(&kind, namespace, &Selector::default())
                .await;
            match listed {
                Ok(listed) => Ok((kind, Ok(listed.objects))),
                Err(error) if is_missing(&error) => Ok((kind, Ok(Vec::new()))),
                Err(error) if matches!(*error.problem, Problem::Forbidden { .. }) => {
                    let why = format!("you may not list {}", kind.plural);
                    Ok((kind, Err(why)))
                }
                Err(error) => Err(Error::from(error)),
            }
        }
        .boxed()
    });
    let lists: Vec<_> = each(lists).try_collect().await?;
    let mut contents = Vec::new();
    for (kind, objects) in lists {
        let objects = match objects {
            Ok(objects) => objects,
            Err(why) => return Ok(Err(why)),
        };
        for object in objects {
            let at = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
            let id = id_of(
                &kind,
                at("/metadata/namespace"),
                at("/metadata/name").unwrap_or_default(),
            );
            contents.push(Content::of(id, &object));
        }
    }
    Ok(Ok(contents))
}

/// Whether a definition was ever established.
fn was_established(live: &Value) -> bool {
    let conditions = live["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition["type"] == "Established" && condition["status"] == "True")
}
