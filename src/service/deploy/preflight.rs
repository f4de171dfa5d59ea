//! Looks, before the first write, for what would stop a plan halfway: rights that are missing,
//! namespaces that aren't there, quotas without room. What the cluster doesn't tell is no reason to
//! stop.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::{FutureExt, StreamExt, TryStreamExt};
use serde_json::Value;
use tokio::time::Instant;
use weft_domain::{
    plan::{Action, Plan, Step},
    quota::{Needs, Shortage},
    resource::{Cleanup, Patch, Resource, ResourceSet},
};

use super::{
    each,
    observe::{self, Sought},
    site::{Site, is_missing},
};
use crate::{
    cluster::{Access, Problem, Question, Selector},
    error::{Code, Error, Result},
};

/// How long is asked for rights; what is not answered by then is unknown.
const ASKING: Duration = Duration::from_secs(10);
/// What a run does to the inventory and the lease of a set: group, plural and verbs.
const INVENTORY: [(&str, &str, &[&str]); 2] = [
    (
        "",
        "secrets",
        &["get", "list", "create", "update", "delete"],
    ),
    (
        "coordination.k8s.io",
        "leases",
        &["get", "create", "update"],
    ),
];

/// Looks for everything that would stop a plan that has something to do; what may stop it comes back as notes.
///
/// # Errors
/// Everything that would stop it, at once.
pub(super) async fn check(site: &Site, set: &ResourceSet, plan: &Plan) -> Result<Vec<String>> {
    let (mut errors, namespaces) =
        tokio::try_join!(rights(site, set, plan), namespaces(site, set, plan))?;
    errors.extend(namespaces);
    let mut notes = Vec::new();
    if errors.is_empty() {
        let (refused, doubtful) = quotas(site, set, plan).await?;
        errors.extend(refused);
        notes = doubtful;
    }
    match Error::all(errors) {
        Some(error) => Err(error),
        None => Ok(notes),
    }
}

/// The verbs of the API that a step needs.
fn verbs(step: &Step, resource: Option<&Resource>) -> Vec<&'static str> {
    let mut verbs = match step.action {
        // An apply of what isn't there is a patch that creates.
        Action::Created => vec!["create", "patch"],
        Action::Configured | Action::Adopted | Action::Released => vec!["patch"],
        Action::Replaced => vec!["delete", "create", "patch"],
        Action::Pruned => vec!["delete"],
        Action::Unchanged => Vec::new(),
        Action::Skipped | Action::Failed => return Vec::new(),
    };
    let Some(policies) = resource.map(|resource| &resource.policies) else {
        return verbs;
    };
    let exists = matches!(step.action, Action::Configured | Action::Adopted);
    if exists && policies.patch == Patch::Replace {
        verbs.push("update");
    }
    if policies.phase.is_some() && policies.cleanup == Cleanup::OnSuccess {
        verbs.push("delete");
    }
    verbs
}

/// Asks for each right once; somebody who may do everything is asked no further.
async fn rights(site: &Site, set: &ResourceSet, plan: &Plan) -> Result<Vec<Error>> {
    let mut needed: BTreeSet<(Option<String>, String, String, &str)> = BTreeSet::new();
    for step in &plan.steps {
        let resource = step.index.and_then(|index| set.get(index));
        let member = site.parent.as_ref().and_then(|parent| parent.get(&step.id));
        let (kind, namespace) = match (resource, member) {
            (Some(resource), _) => (
                site.kind(&resource.api_version, &resource.kind),
                &resource.namespace,
            ),
            (None, Some(member)) => (
                site.kind(&member.api_version(), &member.kind),
                &member.namespace,
            ),
            (None, None) => continue,
        };
        // What the design itself defines can't be asked about by name before it is there.
        let Some(kind) = kind else { continue };
        for verb in verbs(step, resource) {
            let (group, plural) = (kind.group.clone(), kind.plural.clone());
            needed.insert((namespace.clone(), group, plural, verb));
        }
    }
    let inventory = &site.parent_namespace;
    for (group, plural, verbs) in INVENTORY {
        for verb in verbs {
            let (group, plural) = (group.to_owned(), plural.to_owned());
            needed.insert((Some(inventory.clone()), group, plural, verb));
        }
    }
    let objects = &site.objects.clone().until(Instant::now() + ASKING);
    let everything = Question {
        verb: "*",
        group: "*",
        resource: "*",
        ..Question::default()
    };
    if objects.access_review(&everything).await? == Access::Allowed {
        return Ok(Vec::new());
    }
    let questions = needed.iter().map(|(namespace, group, resource, verb)| {
        async move {
            let question = Question {
                verb,
                group,
                resource,
                namespace: namespace.as_deref(),
                name: None,
            };
            let access = objects.access_review(&question).await?;
            Ok::<_, Error>(matches!(access, Access::Denied(_)).then_some(question))
        }
        .boxed()
    });
    let denied: Vec<_> = each(questions).try_collect().await?;
    let mut missing: BTreeMap<(Option<&str>, String), BTreeSet<&str>> = BTreeMap::new();
    for question in denied.into_iter().flatten() {
        let resource = match question.group {
            "" => question.resource.to_owned(),
            group => format!("{}.{group}", question.resource),
        };
        let key = (question.namespace, resource);
        missing.entry(key).or_default().insert(question.verb);
    }
    let errors = missing.into_iter().map(|((namespace, resource), verbs)| {
        let verbs: Vec<&str> = verbs.into_iter().collect();
        let namespace = namespace.map(|name| format!(" in namespace {name}"));
        let message = format!(
            "not allowed to {} {resource}{}",
            verbs.join(" and "),
            namespace.unwrap_or_default()
        );
        Error::new(Code::NotAllowed, message).at(site.place(None))
    });
    Ok(errors.collect())
}

/// The resources that will be created in namespaces that the design doesn't bring.
fn created<'a>(set: &'a ResourceSet, plan: &'a Plan) -> BTreeMap<&'a str, Vec<&'a Resource>> {
    let mut created: BTreeMap<&str, Vec<&Resource>> = BTreeMap::new();
    for step in plan
        .steps
        .iter()
        .filter(|step| step.action == Action::Created)
    {
        let Some(resource) = step.index.and_then(|index| set.get(index)) else {
            continue;
        };
        if let Some(namespace) = &resource.namespace
            && set.find("", "Namespace", None, namespace).is_none()
        {
            created.entry(namespace).or_default().push(resource);
        }
    }
    created
}

/// Looks for the namespaces that something is created in.
async fn namespaces(site: &Site, set: &ResourceSet, plan: &Plan) -> Result<Vec<Error>> {
    let Some(kind) = site.kind("v1", "Namespace") else {
        return Ok(Vec::new());
    };
    let mut created = created(set, plan);
    if site.parent.is_none() {
        created.entry(&site.parent_namespace).or_default();
    }
    let kind = &kind;
    let looks = created.iter().map(|(&namespace, resources)| {
        async move {
            let why = match site.objects.get(kind, None, namespace).await {
                Ok(reply) if reply.object["status"]["phase"] == "Terminating" => "is being deleted",
                Err(error) if is_missing(&error) => "is not there",
                // Who may write into a namespace need not be allowed to look at it.
                Ok(_) => return None,
                Err(error) if matches!(*error.problem, Problem::Forbidden { .. }) => return None,
                Err(error) => return Some(error.into()),
            };
            let first = resources.first().map(|resource| resource.id.to_string());
            let first = first.unwrap_or_else(|| "the inventory".to_owned());
            let more = match resources.len() {
                0 | 1 => String::new(),
                count => format!(" and {} more objects", count - 1),
            };
            let message = format!("namespace {namespace} {why}; {first}{more} would go there");
            Some(Error::new(Code::NamespaceMissing, message).at(site.place(None)))
        }
        .boxed()
    });
    let found: Vec<Option<Error>> = each(looks).collect().await;
    Ok(found.into_iter().flatten().collect())
}

/// The workloads that are there already and will be changed, by namespace.
fn changed<'a>(set: &'a ResourceSet, plan: &Plan) -> BTreeMap<&'a str, Vec<&'a Resource>> {
    let mut changed: BTreeMap<&str, Vec<&Resource>> = BTreeMap::new();
    let exists = |action| {
        matches!(
            action,
            Action::Configured | Action::Adopted | Action::Replaced
        )
    };
    for step in plan.steps.iter().filter(|step| exists(step.action)) {
        let resource = step.index.and_then(|index| set.get(index));
        let resource = resource.filter(|r| r.object.pointer("/spec/template").is_some());
        if let Some(resource) = resource
            && let Some(namespace) = &resource.namespace
        {
            changed.entry(namespace).or_default().push(resource);
        }
    }
    changed
}

/// Compares what is created or grows with what quotas have left: what they will refuse, and what they
/// may.
async fn quotas(site: &Site, set: &ResourceSet, plan: &Plan) -> Result<(Vec<Error>, Vec<String>)> {
    let Some(kind) = site.kind("v1", "ResourceQuota") else {
        return Ok(Default::default());
    };
    let (created, changed) = (&created(set, plan), &changed(set, plan));
    let kind = &kind;
    let namespaces: BTreeSet<&str> = created.keys().chain(changed.keys()).copied().collect();
    let lists = namespaces.into_iter().map(|namespace| {
        async move {
            let all = Selector::default();
            let listed = site.objects.list(kind, Some(namespace), &all).await;
            let quotas: Vec<Value> = match listed {
                Ok(listed) => listed.objects,
                Err(error) if matches!(*error.problem, Problem::Forbidden { .. }) => Vec::new(),
                Err(error) => return Err(Error::from(error)),
            };
            let mut needs = Needs::default();
            if !quotas.is_empty() {
                for resource in created.get(namespace).into_iter().flatten() {
                    if let Some(kind) = site.kind(&resource.api_version, &resource.kind) {
                        needs.add(resource, &kind.plural);
                    }
                }
                let changed = changed.get(namespace).into_iter().flatten();
                let sought = changed
                    .clone()
                    .map(|resource| Sought::of_resource(resource));
                let live = observe::live(site, sought).await?;
                for resource in changed {
                    if let Some(Some(live)) = live.get(&resource.id) {
                        needs.grow(resource, live);
                    }
                }
            }
            Ok((namespace, needs.shortages(&quotas)))
        }
        .boxed()
    });
    let lists: Vec<(&str, Vec<Shortage>)> = each(lists).try_collect().await?;
    let (mut errors, mut notes) = (Vec::new(), Vec::new());
    for (namespace, shortages) in lists {
        for shortage in shortages {
            let text = format!(
                "quota {} of namespace {namespace} has no room: {} is {} of {}",
                shortage.quota, shortage.resource, shortage.used, shortage.hard
            );
            if shortage.is_certain {
                errors.push(Error::new(Code::QuotaExceeded, text).at(site.place(None)));
            } else {
                notes.push(format!("{text}, so some pods may not start"));
            }
        }
    }
    Ok((errors, notes))
}
