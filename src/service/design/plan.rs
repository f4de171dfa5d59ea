//! Plans a deployment without a cluster. The apply engine will hand what it observed to the same
//! planner.

use std::iter;

use weft_domain::plan::{self, Observed};

use super::{
    read::{self, Read},
    validate::Judged,
};
use crate::{
    api::design::{DeployResult, PlanDesign, PlannedResource, Schemas},
    error::{Code, Error, Result},
    service::{Services, compute},
};

/// Plans a deployment.
///
/// # Errors
/// When the design can't be read, isn't valid, or its explicit dependencies form a cycle.
pub async fn plan(services: &Services, request: PlanDesign) -> Result<DeployResult> {
    let PlanDesign {
        design,
        fitting,
        namespace,
        contexts,
        schemas,
    } = request;
    let read = read::read(services, design, &fitting).await?;
    compute(move || {
        let anywhere = [String::new()];
        let meant = match contexts.as_slice() {
            [] => &anywhere[..],
            contexts => contexts,
        };
        // Contexts with the same overlays have the same plan.
        let mut choices: Vec<Vec<String>> = Vec::new();
        let mut of_context = Vec::with_capacity(meant.len());
        for context in meant {
            let overlays = fitting.overlays_of(context);
            let known = choices.iter().position(|choice| *choice == overlays);
            of_context.push(known.unwrap_or(choices.len()));
            if known.is_none() {
                choices.push(overlays);
            }
        }
        let plans: Vec<_> = iter::repeat_n((read, schemas), choices.len())
            .zip(&choices)
            .map(|((read, schemas), overlays)| {
                planned(read, overlays, schemas, namespace.as_deref())
            })
            .collect();
        let mut plan = merge(&plans, meant.iter().zip(of_context))?;
        plan.contexts = contexts;
        Ok(plan)
    })
    .await
}

/// One plan for several contexts; what keeps all of them from having one is told once.
fn merge<'a>(
    plans: &[Result<DeployResult>],
    contexts: impl Iterator<Item = (&'a String, usize)>,
) -> Result<DeployResult> {
    if let [Err(error)] = plans {
        return Err(error.clone());
    }
    let mut merged: Option<DeployResult> = None;
    let mut errors = Vec::new();
    for (context, index) in contexts {
        let mut plan = match plans.get(index) {
            Some(Ok(plan)) => plan.clone(),
            Some(Err(error)) => {
                errors.push(error.clone().of_context(context));
                continue;
            }
            None => continue,
        };
        for resource in &mut plan.resources {
            resource.context.clone_from(context);
        }
        match &mut merged {
            None => merged = Some(plan),
            Some(merged) => merged.join(plan),
        }
    }
    match Error::all(errors) {
        Some(error) => Err(error),
        None => merged.ok_or_else(|| Error::internal("a plan without a context")),
    }
}

/// The plan for every context with these overlays.
fn planned(
    read: Read,
    overlays: &[String],
    schemas: Schemas,
    namespace: Option<&str>,
) -> Result<DeployResult> {
    let manifests = read.fitted(overlays)?.into_manifests()?;
    let (name, version) = (manifests.name.clone(), manifests.version.clone());
    let judged = Judged::new(manifests, schemas, namespace)?;
    judged.refuse()?;
    let mut plan = plan::plan(&judged.set, &Observed::Nothing)
        .map_err(|cycle| Error::new(Code::Cycle, cycle.to_string()))?;
    judged.locate(&mut plan.warnings);
    let steps = plan.steps.iter();
    let resources = steps.filter_map(|step| {
        let resource = step.index.and_then(|index| judged.set.get(index))?;
        Some(PlannedResource {
            id: resource.id.to_string(),
            context: String::new(),
            api_version: resource.api_version.clone(),
            kind: resource.kind.clone(),
            namespace: resource.namespace.clone().unwrap_or_default(),
            name: resource.name.clone(),
            action: step.action,
            ready: false,
            reason: step.reason.clone(),
            level: u32::try_from(step.level).unwrap_or(u32::MAX),
            waits: step.waits.clone(),
            waiting_for: String::new(),
            failed: false,
            changes: Vec::new(),
            set_by: judged.set_by(resource),
            not_checked_by_server: false,
            part: None,
            conflict_policy: None,
            ready_within_seconds: None,
        })
    });
    let resources: Vec<_> = resources.collect();
    let mut warnings = judged.findings;
    warnings.append(&mut plan.warnings);
    Ok(DeployResult {
        design: name,
        version,
        dry_run: "client".to_owned(),
        summary: plan::Summary::of(resources.iter().map(|resource| resource.action)),
        resources,
        warnings,
        notes: judged.notes,
        ..DeployResult::default()
    })
}
