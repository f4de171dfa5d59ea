//! What is seen of a cluster: one list per kind and namespace, and a dry run of an object where only
//! the server can tell.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures::{FutureExt, TryStreamExt};
use serde_json::Value;
use weft_domain::{
    inventory::Member,
    ownership::{FieldConflict, conflicts},
    plan::{self, Checked, Need, Observation, Observed, Options, Packed, Plan, Step, outgoing},
    readiness::Readiness,
    resource::{Resource, ResourceId, ResourceSet, split_api_version},
};

use super::{
    contents::{Defined, contents_of},
    each,
    ready::{self, Known},
    site::{Site, is_missing},
};
use crate::{
    cluster::{Conflict, KindRef, Missing, ObjectError, Problem, Reply, Selector, Write},
    error::{Code, Error, Result},
};

/// Up to this many objects of a kind and namespace are asked for one by one.
pub(super) const SINGLY: usize = 4;

/// An object that is looked for.
pub(super) struct Sought {
    id: ResourceId,
    api_version: String,
    kind: String,
    namespace: Option<String>,
    name: String,
}

impl Sought {
    /// One that is wanted.
    pub(super) fn of_resource(resource: &Resource) -> Self {
        Self {
            id: resource.id.clone(),
            api_version: resource.api_version.clone(),
            kind: resource.kind.clone(),
            namespace: resource.namespace.clone(),
            name: resource.name.clone(),
        }
    }

    /// One that the inventory names.
    pub(super) fn of_member(member: &Member) -> Self {
        Self {
            id: member.id(),
            api_version: member.api_version(),
            kind: member.kind.clone(),
            namespace: member.namespace.clone(),
            name: member.name.clone(),
        }
    }
}

/// A plan, with how the resources were when they were looked at.
pub(super) struct Planned {
    pub(super) plan: Plan,
    /// Of those that are there.
    pub(super) states: HashMap<ResourceId, Readiness>,
}

/// Looks at a cluster and plans, asking again what only the server can tell.
pub(super) async fn planned(
    site: &Site,
    set: &ResourceSet,
    known: &Known,
    options: Options,
) -> Result<Planned> {
    let mut seen = Observation::new(site.id.clone());
    seen.manager.clone_from(&site.manager);
    seen.parent.clone_from(&site.parent);
    let states = look(site, set, known, &mut seen).await?;
    loop {
        let plan = plan::plan(set, &Observed::Cluster(&seen, options))
            .map_err(|cycle| Error::new(Code::Cycle, cycle.to_string()))?;
        let contents = plan.needs_contents();
        let checks = plan
            .steps
            .iter()
            .filter(|step| matches!(step.need, Some(Need::Check { .. })));
        let checks = checks.map(|step| {
            async move {
                let checked = match ask(site, set, step).await {
                    Some(reply) => checked(reply.map(|reply| reply.object))?,
                    None => refused("its kind is not served", Vec::new()),
                };
                Ok::<_, Error>((step.id.clone(), checked))
            }
            .boxed()
        });
        let checked: Vec<_> = each(checks).try_collect().await?;
        if checked.is_empty() && contents.is_empty() {
            return Ok(Planned { plan, states });
        }
        seen.checked.extend(checked);
        for id in contents {
            let found = match seen.live.get(&id) {
                Some(live) => contents_of(site, &live).await?,
                None => Ok(Vec::new()),
            };
            seen.contents.insert(id, found);
        }
    }
}

/// Asks the server what it would make of a step; nothing where its kind is not served.
pub(super) async fn ask(
    site: &Site,
    set: &ResourceSet,
    step: &Step,
) -> Option<Result<Reply, ObjectError>> {
    let resource = set.get(step.index?)?;
    let kind = site.exactly(&resource.api_version, &resource.kind)?;
    let resource = &*step.written(resource);
    let object = outgoing(resource, &site.id, step.origin());
    let namespace = resource.namespace.as_deref();
    let asked = async |force: bool| {
        let write = Write {
            dry_run: true,
            force,
            ..site.write()
        };
        let objects = &site.objects;
        let asked = objects.apply(&kind, namespace, &resource.name, &object, &write);
        asked.await
    };
    let reply = asked(step.force).await;
    match reply {
        // The fields of these are made ours before the write.
        Err(error) if would_migrate(&error, step) => Some(asked(true).await),
        reply => Some(reply),
    }
}

/// Whether only tools are in the way whose fields an adoption takes over.
fn would_migrate(error: &ObjectError, step: &Step) -> bool {
    let Problem::Conflict {
        conflict: Conflict::Fields,
        status,
    } = &*error.problem
    else {
        return false;
    };
    let conflicts = conflicts(status);
    let is_migrated = |conflict: &FieldConflict| {
        let mut managers = step.migrate.iter();
        conflict.subresource.is_none() && managers.any(|manager| *manager == conflict.manager)
    };
    !conflicts.is_empty() && conflicts.iter().all(is_migrated)
}

fn refused(message: &str, fields: Vec<String>) -> Checked {
    Checked::Refused {
        message: message.to_owned(),
        fields,
    }
}

/// What the answer to a dry run means to the planner; what isn't about the object stays an error.
fn checked(reply: Result<Value, ObjectError>) -> Result<Checked> {
    let error = match reply {
        Ok(object) => return Ok(Checked::Object(object)),
        Err(error) => error,
    };
    Ok(match &*error.problem {
        Problem::Conflict {
            conflict: Conflict::Fields,
            status,
        } => Checked::Conflicts(conflicts(status)),
        Problem::Invalid { causes, .. } => {
            let fields = causes.iter().map(|cause| cause.field.clone()).collect();
            refused(&error.problem.to_string(), fields)
        }
        Problem::Rejected { .. }
        | Problem::Webhook { .. }
        | Problem::Refused { .. }
        | Problem::NotFound { .. } => refused(&error.problem.to_string(), Vec::new()),
        _ => return Err(error.into()),
    })
}

/// Reads the live objects of the desired resources and of the members.
async fn look(
    site: &Site,
    set: &ResourceSet,
    known: &Known,
    seen: &mut Observation,
) -> Result<HashMap<ResourceId, Readiness>> {
    let mut states = HashMap::new();
    let keep = |id: &ResourceId, object: Value| {
        let state = set.by_id(id).map(|_| ready::judge(site, known, &object));
        (Packed::from(&object), state)
    };
    // What goes into a namespace that isn't there yet can't be asked about.
    let brought = brought_namespaces(set);
    let namespaces = brought.values().filter_map(|id| set.by_id(id));
    let found = looked(site, namespaces.map(Sought::of_resource), keep).await?;
    take(found, seen, &mut states);
    let absent: HashSet<&str> = brought
        .iter()
        .filter(|(_, id)| !seen.live.contains(id))
        .map(|(name, _)| *name)
        .collect();
    let is_absent = |sought: &Sought| {
        let namespace = sought.namespace.as_deref();
        namespace.is_some_and(|namespace| absent.contains(namespace))
    };
    let members = seen.parent.iter().flat_map(|parent| parent.members());
    let sought = set.iter().map(Sought::of_resource);
    let sought = sought.chain(members.map(Sought::of_member));
    let (absent, sought): (Vec<_>, Vec<_>) = sought
        .filter(|sought| !seen.live.contains(&sought.id))
        .partition(is_absent);
    let kinds: HashMap<ResourceId, (String, String)> = sought
        .iter()
        .map(|sought| {
            let kind = (sought.api_version.clone(), sought.kind.clone());
            (sought.id.clone(), kind)
        })
        .collect();
    let found = looked(site, sought, keep).await?;
    let unserved = kinds.into_iter().filter(|(id, _)| !found.contains_key(id));
    let unserved: Vec<_> = unserved.collect();
    let (brought, left): (Vec<_>, Vec<_>) = unserved
        .into_iter()
        .partition(|(id, _)| set.by_id(id).is_some());
    for (id, _) in brought {
        let why = "its kind comes with the design";
        seen.unseen.insert(id, why.to_owned());
    }
    if !left.is_empty() {
        let defined = Defined::ask(site).await?;
        for (id, (api_version, kind)) in left {
            let (group, _) = split_api_version(&api_version);
            // What nobody defines any more went with its definition.
            if let Some(why) = defined.why_unseen(site, group, &kind) {
                seen.unseen.insert(id, why);
            }
        }
    }
    for sought in absent
        .into_iter()
        .filter(|sought| set.by_id(&sought.id).is_some())
    {
        let why = "its namespace comes with the design".to_owned();
        seen.unseen.entry(sought.id).or_insert(why);
    }
    take(found, seen, &mut states);
    Ok(states)
}

/// Notes what was found, and how it is.
fn take(found: Found, seen: &mut Observation, states: &mut HashMap<ResourceId, Readiness>) {
    for (id, found) in found {
        if let Some((packed, state)) = found {
            states.extend(state.map(|state| (id.clone(), state)));
            seen.live.insert(id, packed);
        }
    }
}

type Found = HashMap<ResourceId, Option<(Packed, Option<Readiness>)>>;

/// Looks for objects as [`looked`] does, and keeps them whole.
pub(super) async fn live(
    site: &Site,
    sought: impl IntoIterator<Item = Sought>,
) -> Result<HashMap<ResourceId, Option<Value>>> {
    looked(site, sought, |_, object| object).await
}

/// Looks for objects, with one list for many of a kind and namespace: what is made of those that are
/// there, nothing of those that aren't; those whose kind is not served are left out.
pub(super) async fn looked<T: Send>(
    site: &Site,
    sought: impl IntoIterator<Item = Sought>,
    keep: impl Fn(&ResourceId, Value) -> T + Send + Sync + Copy,
) -> Result<HashMap<ResourceId, Option<T>>> {
    let mut groups: BTreeMap<(String, String, Option<String>), Vec<Sought>> = BTreeMap::new();
    let mut known = HashSet::new();
    for one in sought {
        if known.insert(one.id.clone()) {
            let key = (
                one.api_version.clone(),
                one.kind.clone(),
                one.namespace.clone(),
            );
            groups.entry(key).or_default().push(one);
        }
    }
    let lists = groups
        .into_iter()
        .filter_map(|((api_version, kind, namespace), sought)| {
            let kind = site.kind(&api_version, &kind)?;
            let list = async move {
                let found = find(site, &kind, namespace.as_deref(), &sought, keep).await?;
                Ok::<_, Error>((sought, found))
            };
            Some(list.boxed())
        });
    let lists: Vec<_> = each(lists).try_collect().await?;
    let mut live = HashMap::new();
    for (sought, found) in lists {
        let Some(found) = found else { continue };
        live.extend(sought.into_iter().map(|one| (one.id, None)));
        live.extend(found.into_iter().map(|(id, object)| (id, Some(object))));
    }
    Ok(live)
}

fn brought_namespaces(set: &ResourceSet) -> HashMap<&str, ResourceId> {
    let namespaces = set
        .iter()
        .filter(|resource| resource.kind == "Namespace" && resource.group().is_empty());
    namespaces
        .map(|resource| (resource.name.as_str(), resource.id.clone()))
        .collect()
}

/// Looks for the objects of a kind in a namespace; nothing where the kind isn't served after all.
async fn find<T: Send>(
    site: &Site,
    kind: &KindRef,
    namespace: Option<&str>,
    sought: &[Sought],
    keep: impl Fn(&ResourceId, Value) -> T + Send + Sync + Copy,
) -> Result<Option<Vec<(ResourceId, T)>>> {
    if sought.len() > SINGLY && kind.can("list") {
        let ids: HashMap<&str, &ResourceId> = sought
            .iter()
            .map(|one| (one.name.as_str(), &one.id))
            .collect();
        let wanted = |object: Value| {
            let name = object.pointer("/metadata/name")?.as_str()?;
            let id = (*ids.get(name)?).clone();
            let kept = keep(&id, object);
            Some((id, kept))
        };
        let all = Selector::default();
        match site.objects.list_with(kind, namespace, &all, wanted).await {
            Ok(listed) => return Ok(Some(listed.objects)),
            Err(error) if has_no_kind(&error) => return Ok(None),
            // One may look at what one knows without being allowed to list.
            Err(error) if matches!(*error.problem, Problem::Forbidden { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let singly = sought.iter().map(|one| {
        async move {
            match site.objects.get(kind, namespace, &one.name).await {
                Ok(reply) => Ok(Some(Some((one.id.clone(), keep(&one.id, reply.object))))),
                Err(error) if has_no_kind(&error) => Ok(None),
                Err(error) if is_missing(&error) => Ok(Some(None)),
                Err(error) => Err(Error::from(error)),
            }
        }
        .boxed()
    });
    let found: Vec<Option<Option<_>>> = each(singly).try_collect().await?;
    let found: Option<Vec<Option<_>>> = found.into_iter().collect();
    Ok(found.map(|found| found.into_iter().flatten().collect()))
}

/// Whether a kind isn't served any more, or not yet again, that was when we asked what is.
fn has_no_kind(error: &ObjectError) -> bool {
    let kind = Missing::Kind;
    matches!(&*error.problem, Problem::NotFound { missing, .. } if *missing == kind)
}
