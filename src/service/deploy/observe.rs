//! What is seen of a cluster: one list per kind and namespace, and dry runs where only the server
//! can tell.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures::{FutureExt, StreamExt, TryStreamExt};
use serde_json::Value;
use weft_domain::{
    inventory::Member,
    ownership::{FieldConflict, conflicts},
    plan::{
        self, Action, Checked, Content, Need, Observation, Observed, Options, Packed, Plan, Step,
        outgoing,
    },
    readiness::Readiness,
    resource::{Resource, ResourceId, ResourceSet, split_api_version},
};

use super::{
    each,
    perform::release,
    ready::{self, DEFINITION, Known},
    site::{Site, id_of, is_missing},
};
use crate::{
    api::design::DeployResult,
    cluster::{Conflict, Delete, KindRef, ObjectError, Problem, Reply, Selector, Write},
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
async fn ask(site: &Site, set: &ResourceSet, step: &Step) -> Option<Result<Reply, ObjectError>> {
    let resource = set.get(step.index?)?;
    let kind = site.exactly(&resource.api_version, &resource.kind)?;
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

/// The kinds that are defined, whether they are served just now or not: an API server that has come
/// back serves them one after the other.
struct Defined {
    /// Group and kind of definitions; why they couldn't be read.
    definitions: Result<HashSet<(String, String)>, String>,
    /// Groups that other API servers serve; why they couldn't be read.
    elsewhere: Result<HashSet<String>, String>,
}

impl Defined {
    async fn ask(site: &Site) -> Result<Self> {
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
    fn why_unseen(&self, site: &Site, group: &str, kind: &str) -> Option<String> {
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

async fn find<T: Send>(
    site: &Site,
    kind: &KindRef,
    namespace: Option<&str>,
    sought: &[Sought],
    keep: impl Fn(&ResourceId, Value) -> T + Send + Sync + Copy,
) -> Result<Vec<(ResourceId, T)>> {
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
            Ok(listed) => return Ok(listed.objects),
            // One may look at what one knows without being allowed to list.
            Err(error) if matches!(*error.problem, Problem::Forbidden { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let singly = sought.iter().map(|one| {
        async move {
            match site.objects.get(kind, namespace, &one.name).await {
                Ok(reply) => Ok(Some((one.id.clone(), keep(&one.id, reply.object)))),
                Err(error) if is_missing(&error) => Ok(None),
                Err(error) => Err(Error::from(error)),
            }
        }
        .boxed()
    });
    let found: Vec<_> = each(singly).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
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
                .list(&kind, namespace, &Selector::default())
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

/// Asks the server whether it would take each change of a plan; what it would refuse is an error,
/// with every object named. What it can't be asked is marked.
pub(super) async fn dry_run(
    site: &Site,
    set: &ResourceSet,
    plan: &Plan,
    result: &mut DeployResult,
) -> Result<()> {
    let steps = plan.steps.iter().filter(|step| !step.not_checked_by_server);
    let answers =
        steps.map(|step| async move { (&step.id, ask_for(site, set, step).await) }.boxed());
    let answers: Vec<_> = each(answers).collect().await;
    let mut errors = Vec::new();
    let mut unasked = HashMap::new();
    for (id, answer) in answers {
        match answer {
            Ok(answer) => {
                let warnings = answer.warnings.into_iter();
                result
                    .notes
                    .extend(warnings.map(|warning| format!("{id}: {warning}")));
                unasked.extend(answer.unasked.map(|what| (id.as_str(), what)));
            }
            Err(error) => errors.push(error),
        }
    }
    for shown in &mut result.resources {
        if let Some(what) = unasked.get(shown.id.as_str()) {
            shown.not_checked_by_server = true;
            shown.reason = format!("{}; not checked by the server: {what}", shown.reason);
        }
    }
    match Error::all(errors) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// What the server says to a step that it would take.
#[derive(Default)]
struct Answer {
    warnings: Vec<String>,
    /// What it could not be asked.
    unasked: Option<&'static str>,
}

/// Asks the server whether it would do what a step does.
async fn ask_for(site: &Site, set: &ResourceSet, step: &Step) -> Result<Answer> {
    let unserved = Answer {
        unasked: Some("its kind is not served"),
        ..Answer::default()
    };
    let resource = step.index.and_then(|index| set.get(index));
    let member = site.parent.as_ref().and_then(|parent| parent.get(&step.id));
    match (step.action, resource, member) {
        (Action::Created | Action::Configured | Action::Adopted, ..) => {
            let Some(reply) = ask(site, set, step).await else {
                return Ok(unserved);
            };
            Ok(Answer {
                warnings: reply?.warnings,
                unasked: None,
            })
        }
        (Action::Replaced, Some(resource), _) => {
            let Some(kind) = site.kind(&resource.api_version, &resource.kind) else {
                return Ok(unserved);
            };
            let namespace = resource.namespace.as_deref();
            ask_to_delete(site, &kind, namespace, &resource.name, step).await?;
            Ok(Answer {
                unasked: Some("the object that is created anew"),
                ..Answer::default()
            })
        }
        (Action::Pruned | Action::Released, _, Some(member)) => {
            let Some(kind) = site.kind(&member.api_version(), &member.kind) else {
                return Ok(unserved);
            };
            if step.action == Action::Pruned {
                let namespace = member.namespace.as_deref();
                ask_to_delete(site, &kind, namespace, &member.name, step).await?;
            } else {
                let write = Write {
                    dry_run: true,
                    ..site.write()
                };
                release(site, &kind, member, step, &write).await?;
            }
            Ok(Answer::default())
        }
        _ => Ok(Answer::default()),
    }
}

/// Asks the server whether it would delete the object of a step.
async fn ask_to_delete(
    site: &Site,
    kind: &KindRef,
    namespace: Option<&str>,
    name: &str,
    step: &Step,
) -> Result<()> {
    let delete = Delete {
        uid: step.precondition.as_ref().and_then(|seen| seen.uid.clone()),
        dry_run: true,
        ..Delete::default()
    };
    match site.objects.delete(kind, namespace, name, &delete).await {
        Err(error) if !is_missing(&error) => Err(error.into()),
        _ => Ok(()),
    }
}
