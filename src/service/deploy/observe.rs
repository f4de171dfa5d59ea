//! What is seen of a cluster: one list per kind and namespace, and dry runs where only the server
//! can tell.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures::{FutureExt, StreamExt, TryStreamExt};
use serde_json::Value;
use weft_domain::{
    inventory::Member,
    ownership::conflicts,
    plan::{
        self, Action, Checked, Content, Need, Observation, Observed, Options, Plan, Step, outgoing,
    },
    resource::{Resource, ResourceId, ResourceSet},
};

use super::{
    each,
    site::{Site, id_of, is_missing},
};
use crate::{
    api::design::DeployResult,
    cluster::{Conflict, KindRef, ObjectError, Problem, Reply, Selector, Write},
    error::{Code, Error, Result},
};

/// Up to this many objects of a kind and namespace are asked for one by one.
const SINGLY: usize = 4;

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

/// Looks at a cluster and plans, asking again what only the server can tell.
pub(super) async fn planned(site: &Site, set: &ResourceSet, options: Options) -> Result<Plan> {
    let mut seen = Observation::new(site.id.clone());
    seen.manager.clone_from(&site.manager);
    seen.parent.clone_from(&site.parent);
    look(site, set, &mut seen).await?;
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
            return Ok(plan);
        }
        seen.checked.extend(checked);
        for id in contents {
            let found = contents_of(site, &seen, &id).await?;
            seen.contents.insert(id, found);
        }
    }
}

/// Asks the server what it would make of a step; nothing where its kind is not served.
async fn ask(site: &Site, set: &ResourceSet, step: &Step) -> Option<Result<Reply, ObjectError>> {
    let resource = set.get(step.index?)?;
    let kind = site.kind(&resource.api_version, &resource.kind)?;
    let object = outgoing(resource, &site.id, step.origin());
    let write = Write {
        dry_run: true,
        force: step.force,
        ..site.write()
    };
    let namespace = resource.namespace.as_deref();
    let reply = site
        .objects
        .apply(&kind, namespace, &resource.name, &object, &write);
    Some(reply.await)
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
async fn look(site: &Site, set: &ResourceSet, seen: &mut Observation) -> Result<()> {
    let brought = brought_namespaces(set);
    let members = seen.parent.iter().flat_map(|parent| parent.members());
    let sought = set.iter().map(Sought::of_resource);
    let sought: Vec<_> = sought.chain(members.map(Sought::of_member)).collect();
    let ids: Vec<_> = sought.iter().map(|one| one.id.clone()).collect();
    let live = live(site, sought).await?;
    for id in ids.into_iter().filter(|id| !live.contains_key(id)) {
        seen.unseen
            .insert(id, "its kind comes with the design".to_owned());
    }
    let live = live.into_iter();
    seen.live = live
        .filter_map(|(id, object)| Some((id, object?)))
        .collect();
    // What goes into a namespace that isn't there yet can't be asked about.
    for resource in set {
        if let Some(namespace) = &resource.namespace
            && let Some(id) = brought.get(namespace.as_str())
            && !seen.live.contains_key(id)
        {
            let why = "its namespace comes with the design".to_owned();
            seen.unseen.entry(resource.id.clone()).or_insert(why);
        }
    }
    Ok(())
}

/// Looks for objects, with one list for many of a kind and namespace: what is there, what isn't, and
/// nothing about those whose kind is not served.
pub(super) async fn live(
    site: &Site,
    sought: impl IntoIterator<Item = Sought>,
) -> Result<HashMap<ResourceId, Option<Value>>> {
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
                let found = find(site, &kind, namespace.as_deref(), &sought).await?;
                Ok::<_, Error>((sought, found))
            };
            Some(list.boxed())
        });
    let lists: Vec<_> = each(lists).try_collect().await?;
    let mut live = HashMap::new();
    for (sought, found) in lists {
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

async fn find(
    site: &Site,
    kind: &KindRef,
    namespace: Option<&str>,
    sought: &[Sought],
) -> Result<Vec<(ResourceId, Value)>> {
    if sought.len() > SINGLY && kind.can("list") {
        match site
            .objects
            .list(kind, namespace, &Selector::default())
            .await
        {
            Ok(listed) => {
                let ids: HashMap<&str, &ResourceId> = sought
                    .iter()
                    .map(|one| (one.name.as_str(), &one.id))
                    .collect();
                let found = listed.objects.into_iter().filter_map(|object| {
                    let name = object.pointer("/metadata/name")?.as_str()?;
                    let id = (*ids.get(name)?).clone();
                    Some((id, object))
                });
                return Ok(found.collect());
            }
            // One may look at what one knows without being allowed to list.
            Err(error) if matches!(*error.problem, Problem::Forbidden { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let singly = sought.iter().map(|one| {
        async move {
            match site.objects.get(kind, namespace, &one.name).await {
                Ok(reply) => Ok(Some((one.id.clone(), reply.object))),
                Err(error) if is_missing(&error) => Ok(None),
                Err(error) => Err(Error::from(error)),
            }
        }
        .boxed()
    });
    let found: Vec<_> = each(singly).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// Everything that lives in a namespace, or is of the kind of a definition.
async fn contents_of(site: &Site, seen: &Observation, id: &ResourceId) -> Result<Vec<Content>> {
    let Some(live) = seen.live.get(id) else {
        return Ok(Vec::new());
    };
    let text = |pointer: &str| {
        live.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let served = site.kinds();
    let (kinds, namespace): (Vec<_>, _) = if text("/kind") == "Namespace" {
        let kinds = served
            .iter()
            .filter(|kind| kind.namespaced && kind.can("list") && kind.can("delete"));
        (kinds.cloned().collect(), Some(text("/metadata/name")))
    } else {
        let (group, kind) = (text("/spec/group"), text("/spec/names/kind"));
        (served.preferred(group, kind).into_iter().collect(), None)
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
                .list(&kind, namespace, &Selector::default())
                .await;
            match listed {
                Ok(listed) => Ok((kind, listed.objects)),
                Err(error) if is_missing(&error) => Ok((kind, Vec::new())),
                Err(error) => Err(Error::from(error)),
            }
        }
        .boxed()
    });
    let lists: Vec<_> = each(lists).try_collect().await?;
    let mut contents = Vec::new();
    for (kind, objects) in lists {
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
    Ok(contents)
}

/// Asks the server whether it would take each change of a plan; what it would refuse is an error,
/// with every object named.
pub(super) async fn dry_run(
    site: &Site,
    set: &ResourceSet,
    plan: &Plan,
    result: &mut DeployResult,
) -> Result<()> {
    let steps = plan.steps.iter().filter(|step| {
        matches!(
            step.action,
            Action::Created | Action::Configured | Action::Adopted
        ) && !step.not_checked_by_server
    });
    let answers =
        steps.map(|step| async move { Some((&step.id, ask(site, set, step).await?)) }.boxed());
    let answers: Vec<_> = each(answers).collect().await;
    let mut errors = Vec::new();
    for (id, reply) in answers.into_iter().flatten() {
        match reply {
            Ok(reply) => {
                let warnings = reply.warnings.into_iter();
                result
                    .notes
                    .extend(warnings.map(|warning| format!("{id}: {warning}")));
            }
            Err(error) => errors.push(Error::from(error)),
        }
    }
    match Error::all(errors) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}
