//! Looks, before the first write, for what would stop a plan halfway: rights that are missing,
//! namespaces that aren't there, quotas without room. What the cluster doesn't tell is no reason to
//! stop.

use std::collections::{BTreeMap, BTreeSet};

use futures::{FutureExt, StreamExt, TryStreamExt};
use serde_json::Value;
use weft_domain::{
    plan::{Action, Plan, Step},
    quota::{Needs, Shortage},
    resource::{Resource, ResourceSet},
};

use super::{
    each,
    site::{Site, is_missing},
};
use crate::{
    cluster::{Access, Problem, Question, Selector},
    error::{Code, Error, Result},
};

/// Looks for everything that would stop a plan; what may stop it comes back as notes.
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
fn verbs(step: &Step) -> &'static [&'static str] {
    match step.action {
        // An apply of what isn't there is a patch that creates.
        Action::Created => &["create", "patch"],
        Action::Configured | Action::Adopted | Action::Released => &["patch"],
        Action::Replaced => &["delete", "create", "patch"],
        Action::Pruned => &["delete"],
        Action::Unchanged | Action::Skipped | Action::Failed => &[],
    }
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
        for verb in verbs(step) {
            let (group, plural) = (kind.group.clone(), kind.plural.clone());
            needed.insert((namespace.clone(), group, plural, verb));
        }
    }
    if needed.is_empty() {
        return Ok(Vec::new());
    }
    let everything = Question {
        verb: "*",
        group: "*",
        resource: "*",
        ..Question::default()
    };
    if site.objects.access_review(&everything).await? == Access::Allowed {
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
            let access = site.objects.access_review(&question).await?;
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
    let created = created(set, plan);
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
            let more = match resources.len() {
                0 | 1 => String::new(),
                count => format!(" and {} more objects", count - 1),
            };
            let message = format!(
                "namespace {namespace} {why}; {}{more} would go there",
                first.unwrap_or_default()
            );
            Some(Error::new(Code::NamespaceMissing, message).at(site.place(None)))
        }
        .boxed()
    });
    let found: Vec<Option<Error>> = each(looks).collect().await;
    Ok(found.into_iter().flatten().collect())
}

/// Compares what is created with what quotas have left: what they will refuse, and what they may.
async fn quotas(site: &Site, set: &ResourceSet, plan: &Plan) -> Result<(Vec<Error>, Vec<String>)> {
    let Some(kind) = site.kind("v1", "ResourceQuota") else {
        return Ok(Default::default());
    };
    let created = created(set, plan);
    let kind = &kind;
    let lists = created.iter().map(|(&namespace, resources)| {
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
                for resource in resources {
                    if let Some(kind) = site.kind(&resource.api_version, &resource.kind) {
                        needs.add(resource, &kind.plural);
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
