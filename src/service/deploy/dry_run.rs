//! Asks the server what it would say to a plan.

use std::collections::HashMap;

use futures::{FutureExt, StreamExt};
use weft_domain::{
    plan::{Action, Orphanings, Plan, Step},
    resource::ResourceSet,
};

use super::{
    each,
    handover::release,
    observe::ask,
    site::{Site, is_missing},
};
use crate::{
    api::design::DeployResult,
    cluster::{Delete, KindRef, Write},
    error::{Error, Result},
};

/// Asks the server whether it would take each change of a plan; what it would refuse is an error,
/// with every object named. What it can't be asked is marked.
pub(super) async fn dry_run(
    site: &Site,
    set: &ResourceSet,
    plan: &Plan,
    result: &mut DeployResult,
) -> Result<()> {
    let steps = plan.steps.iter().filter(|step| !step.not_checked_by_server);
    let orphanings = &Orphanings::of(set);
    let answers = steps
        .map(|step| async move { (&step.id, ask_for(site, set, step, orphanings).await) }.boxed());
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
async fn ask_for(
    site: &Site,
    set: &ResourceSet,
    step: &Step,
    orphanings: &Orphanings<'_>,
) -> Result<Answer> {
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
                let why = orphanings.why(member);
                release(site, &kind, member, step, why, &write).await?;
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
