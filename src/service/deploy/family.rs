//! What belongs to the members of a set: found upwards, from an object over its owners to a member.
//!
//! So nothing has to be known of what owns what: a pod leads to its `ReplicaSet` and `Deployment`, and a
//! challenge to its order and certificate. Only kinds that something on the way is of are asked for.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures::{FutureExt, TryStreamExt};
use serde_json::{Value, json};
use weft_domain::inventory::Member;

use super::{
    each,
    observe::{self, SINGLY, Sought},
    site::{Site, is_missing},
};
use crate::{
    cluster::{KindRef, Problem, Selector},
    error::{Error, Result},
};

/// Longest way from an object to a member.
const DEPTH: usize = 10;

/// An object, as events and owner references name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Named {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) uid: String,
}

impl Named {
    /// Reads a reference; one without a namespace of its own is to an object in the given one.
    pub(super) fn of(reference: &Value, namespace: Option<&str>) -> Option<Self> {
        let text = |key: &str| {
            let text = reference.get(key).and_then(Value::as_str);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        Some(Self {
            api_version: text("apiVersion").unwrap_or_else(|| "v1".to_owned()),
            kind: text("kind")?,
            namespace: text("namespace").or_else(|| namespace.map(str::to_owned)),
            name: text("name")?,
            uid: text("uid")?,
        })
    }

    /// Reads the owners of an object.
    pub(super) fn owners(object: &Value) -> Vec<Self> {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
        let namespace = text("/metadata/namespace");
        let owners = object.pointer("/metadata/ownerReferences");
        let owners = owners.and_then(Value::as_array).into_iter().flatten();
        let owners = owners.filter_map(|owner| Self::of(owner, namespace));
        owners.collect()
    }
}

/// The members of a set, and what is known to lead to them.
pub(super) struct Family {
    /// The members.
    pub(super) members: Vec<Member>,
    /// The members as they are; of a kind that isn't served there is nothing.
    pub(super) live: HashMap<weft_domain::resource::ResourceId, Option<Value>>,
    /// Which member an object is.
    roots: HashMap<String, usize>,
    /// The owners of what isn't a member.
    owners: HashMap<String, Vec<String>>,
    /// What could not be read on the way.
    pub(super) notes: Vec<String>,
}

impl Family {
    /// Looks at the members of a site.
    ///
    /// # Errors
    /// When the design isn't deployed there, or the cluster can't be asked.
    pub(super) async fn of(site: &Site) -> Result<Self> {
        let parent = site.require_parent()?;
        let mut members: Vec<Member> = parent.members().into_iter().cloned().collect();
        members.sort_by(|a, b| {
            let key = |m: &Member| (m.kind.clone(), m.namespace.clone(), m.name.clone());
            key(a).cmp(&key(b))
        });
        let live = observe::live(site, members.iter().map(Sought::of_member)).await?;
        let mut roots = HashMap::new();
        for (index, member) in members.iter().enumerate() {
            let object = live.get(&member.id()).and_then(Option::as_ref);
            let now = object.and_then(|object| object.pointer("/metadata/uid")?.as_str());
            for uid in [member.uid.as_deref(), now].into_iter().flatten() {
                roots.insert(uid.to_owned(), index);
            }
        }
        Ok(Self {
            members,
            live,
            roots,
            owners: HashMap::new(),
            notes: Vec::new(),
        })
    }

    /// The namespaces that the members are in; events about what is in none are in `default`.
    pub(super) fn namespaces(&self) -> Vec<String> {
        let namespaces = self.members.iter().map(|member| member.namespace.clone());
        let mut namespaces: Vec<String> = namespaces
            .map(|namespace| namespace.unwrap_or_else(|| "default".to_owned()))
            .collect();
        namespaces.sort();
        namespaces.dedup();
        namespaces
    }

    /// The member that an object is, or belongs to.
    pub(super) fn member(&self, uid: &str) -> Option<&Member> {
        let mut todo = vec![uid];
        let mut seen = HashSet::new();
        while let Some(uid) = todo.pop() {
            if let Some(index) = self.roots.get(uid) {
                return self.members.get(*index);
            }
            if seen.insert(uid) {
                todo.extend(
                    self.owners
                        .get(uid)
                        .into_iter()
                        .flatten()
                        .map(String::as_str),
                );
            }
        }
        None
    }

    /// Tells the owners of an object that was read already, and returns those to be looked at.
    pub(super) fn knows(&mut self, uid: &str, owners: Vec<Named>) -> Vec<Named> {
        let uids = owners.iter().map(|owner| owner.uid.clone()).collect();
        self.owners.insert(uid.to_owned(), uids);
        owners
    }

    /// Looks at objects, their owners, and so on upwards.
    ///
    /// # Errors
    /// When the cluster can't be asked. What may not be read is a note.
    pub(super) async fn trace(&mut self, site: &Site, objects: Vec<Named>) -> Result<()> {
        let mut next = objects;
        for _ in 0..DEPTH {
            let mut groups: BTreeMap<(String, String, Option<String>), Vec<Named>> =
                BTreeMap::new();
            for named in next.drain(..) {
                let is_known =
                    self.roots.contains_key(&named.uid) || self.owners.contains_key(&named.uid);
                if !is_known {
                    self.owners.insert(named.uid.clone(), Vec::new());
                    let key = (
                        named.api_version.clone(),
                        named.kind.clone(),
                        named.namespace.clone(),
                    );
                    groups.entry(key).or_default().push(named);
                }
            }
            if groups.is_empty() {
                break;
            }
            let looks =
                groups
                    .into_iter()
                    .filter_map(|((api_version, kind, namespace), sought)| {
                        let kind = site.kind(&api_version, &kind)?;
                        Some(
                            async move {
                                let found = find(site, &kind, namespace.as_deref(), &sought).await;
                                (kind, found)
                            }
                            .boxed(),
                        )
                    });
            let found: Vec<_> = futures::StreamExt::collect(each(looks)).await;
            for (kind, found) in found {
                match found {
                    Ok(objects) => {
                        for object in objects {
                            let uid = object.pointer("/metadata/uid").and_then(Value::as_str);
                            let owners = Named::owners(&object);
                            next.extend(self.knows(uid.unwrap_or_default(), owners));
                        }
                    }
                    Err(error) if matches!(*error.problem, Problem::Forbidden { .. }) => {
                        self.notes.push(format!(
                            "{} may not be read, so what belongs to them is left out",
                            kind.plural
                        ));
                    }
                    Err(error) => return Err(Error::from(error)),
                }
            }
        }
        self.notes.sort();
        self.notes.dedup();
        Ok(())
    }
}

/// Reads the metadata of objects, with one list for many of a kind and namespace.
async fn find(
    site: &Site,
    kind: &KindRef,
    namespace: Option<&str>,
    sought: &[Named],
) -> Result<Vec<Value>, crate::cluster::ObjectError> {
    let namespace = namespace.filter(|_| kind.namespaced);
    let uids: HashSet<&str> = sought.iter().map(|named| named.uid.as_str()).collect();
    let is_sought = |object: &Value| {
        let uid = object.pointer("/metadata/uid").and_then(Value::as_str);
        uid.is_some_and(|uid| uids.contains(uid))
    };
    let metadata = |object: &Value| {
        json!({ "metadata": {
            "uid": object["metadata"]["uid"],
            "namespace": object["metadata"]["namespace"],
            "ownerReferences": object["metadata"]["ownerReferences"],
        } })
    };
    if sought.len() > SINGLY && kind.can("list") {
        let keep = |object: Value| is_sought(&object).then(|| metadata(&object));
        let listed = site
            .objects
            .list_with(kind, namespace, &Selector::default(), keep)
            .await?;
        return Ok(listed.objects);
    }
    let singly = sought.iter().map(|named| {
        async move {
            match site.objects.get(kind, namespace, &named.name).await {
                Ok(reply) => Ok(Some(reply.object)),
                Err(error) if is_missing(&error) => Ok(None),
                Err(error) => Err(error),
            }
        }
        .boxed()
    });
    let found: Vec<Option<Value>> = each(singly).try_collect().await?;
    let found = found.into_iter().flatten().filter(is_sought);
    Ok(found.map(|object| metadata(&object)).collect())
}
