//! Differences that clusters know of: a design against what is live, and two revisions.
//!
//! The first is the plan of a deployment, told field by field: there is no second comparison that
//! could say something else. What a deployment would refuse is a difference here, with the reason.

use futures::FutureExt;
use serde_json::Value;
use weft_domain::{
    diff::{self, FieldChange, ResourceChange},
    ownership::FieldDrift,
    plan::Action,
    resource::ResourceSet,
};

use super::{record, several::on_each, site::Site};
use crate::{
    api::{
        deploy::{DeployDesign, DeployOptions, Goal, Mode},
        deployed::{DiffDeployed, DiffRevisions},
        design::{DeployResult, DesignChange, DesignDiff, PlannedResource, Schemas},
        operation::Started,
    },
    error::{Error, Result},
    service::{Services, operation},
};

/// Starts a comparison of a design with what is live; what goes wrong is the operation's outcome.
pub fn diff(services: &Services, request: DiffDeployed) -> Started<DesignDiff> {
    let goal = Goal::Design {
        design: request.design,
        fitting: request.fitting,
        schemas: Schemas::default(),
    };
    let options = DeployOptions {
        prune: request.prune,
        ..DeployOptions::default()
    };
    let subject = goal.subject();
    let request = DeployDesign {
        mode: Mode::Compare,
        ..DeployDesign::new(goal, request.target, options)
    };
    let worker = services.clone();
    operation::start(services, "design diff", subject, move |handle| async move {
        let plan = super::run(worker, request, handle).await?;
        Ok(told(plan))
    })
}

/// The plan as a difference.
fn told(plan: DeployResult) -> DesignDiff {
    let mut notes = plan.notes;
    let left = plan.summary.skipped;
    if left > 0 {
        notes.push(format!(
            "objects that would be left alone are not compared: {left} of them; `weftctl design plan` says why"
        ));
    }
    let contexts: Vec<String> = plan
        .contexts
        .iter()
        .map(|context| format!("{context:?}"))
        .collect();
    let changes: Vec<_> = plan.resources.into_iter().filter_map(change).collect();
    DesignDiff {
        from: format!("context {}", contexts.join(", ")),
        to: match plan.version {
            Some(version) => format!("{} {version}", plan.design),
            None => plan.design,
        },
        differs: !changes.is_empty(),
        changes,
        document: Vec::new(),
        notes,
        failures: plan.failures,
    }
}

fn change(planned: PlannedResource) -> Option<DesignChange> {
    let action = match planned.action {
        Action::Unchanged | Action::Skipped => return None,
        Action::Created => diff::Action::Added,
        Action::Pruned | Action::Released => diff::Action::Removed,
        Action::Configured | Action::Replaced | Action::Adopted | Action::Failed => {
            diff::Action::Changed
        }
    };
    Some(DesignChange {
        resource: ResourceChange {
            action,
            api_version: planned.api_version,
            kind: planned.kind,
            namespace: Some(planned.namespace).filter(|namespace| !namespace.is_empty()),
            name: planned.name,
            fields: planned.changes.into_iter().map(field).collect(),
        },
        context: Some(planned.context),
        planned: Some(planned.action),
        reason: Some(planned.reason).filter(|reason| !reason.is_empty()),
    })
}

fn field(drift: FieldDrift) -> FieldChange {
    FieldChange {
        action: match (&drift.live, &drift.wanted) {
            (None, Some(_)) => diff::Action::Added,
            (Some(_), None) => diff::Action::Removed,
            (Some(_), Some(_)) | (None, None) => diff::Action::Changed,
        },
        path: drift.path,
        old: drift.live,
        new: drift.wanted,
        owners: drift.owners,
    }
}

/// The objects of a set, with the namespaces that they are in.
fn objects(set: &ResourceSet) -> Vec<Value> {
    let objects = set.iter().map(|resource| {
        let mut object = resource.object.clone();
        if let Some(namespace) = &resource.namespace {
            object["metadata"]["namespace"] = namespace.as_str().into();
        }
        object
    });
    objects.collect()
}

/// Compares two revisions, in each of the clusters.
///
/// # Errors
/// When none of the clusters can compare them: the design isn't deployed there or has no such
/// revision, or they can't be asked. What only some can't compare is among the failures.
pub async fn diff_revisions(services: &Services, request: DiffRevisions) -> Result<DesignDiff> {
    let ask = |context| revisions_of(services, &request, context).boxed();
    let (parts, failures) = on_each(&request.target, ask).await?;
    let newest = parts.iter().map(|(to, _)| *to).max();
    let to = request.to.or(newest).unwrap_or_default();
    let changes: Vec<_> = parts.into_iter().flat_map(|(_, changes)| changes).collect();
    Ok(DesignDiff {
        from: format!("revision {} of {}", request.from, request.name),
        to: format!("revision {to}"),
        differs: !changes.is_empty(),
        changes,
        failures: failures.into_iter().map(Into::into).collect(),
        ..DesignDiff::default()
    })
}

/// The number of the newer revision in one cluster, and how it differs from the older one.
async fn revisions_of(
    services: &Services,
    request: &DiffRevisions,
    context: Option<String>,
) -> Result<(u64, Vec<DesignChange>)> {
    let site = Site::at(services, &request.target, context, &request.name, true).await?;
    let to = match request.to {
        Some(number) => number,
        None => record::newest(&site).await?,
    };
    let old = objects(&record::wanted(&site, request.from).await?.set);
    let new = objects(&record::wanted(&site, to).await?.set);
    let found = diff::manifests(&old, &new)
        .map_err(|error| Error::internal("a revision of no objects").because(error))?;
    let changes = found.into_iter().map(|resource| DesignChange {
        context: Some(site.context().to_owned()),
        ..resource.into()
    });
    Ok((to, changes.collect()))
}
