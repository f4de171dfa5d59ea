//! Plans a deployment without a cluster. The apply engine will hand what it observed to the same
//! planner.

use weft_domain::plan::{self, Observed};

use super::{
    read::{self, Manifests},
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
    let manifests = read::manifests(services, request.design).await?;
    compute(move || {
        planned(
            manifests,
            request.schemas,
            request.namespace.as_deref(),
            request.contexts,
        )
    })
    .await
}

fn planned(
    manifests: Manifests,
    schemas: Schemas,
    namespace: Option<&str>,
    contexts: Vec<String>,
) -> Result<DeployResult> {
    let (name, version) = (manifests.name.clone(), manifests.version.clone());
    let judged = Judged::new(manifests, schemas, namespace)?;
    judged.refuse()?;
    let mut plan = plan::plan(&judged.set, &Observed::Nothing)
        .map_err(|cycle| Error::new(Code::Cycle, cycle.to_string()))?;
    judged.locate(&mut plan.warnings);
    let anywhere = [String::new()];
    let each = if contexts.is_empty() {
        &anywhere[..]
    } else {
        &contexts[..]
    };
    let mut resources = Vec::with_capacity(plan.steps.len() * each.len());
    for context in each {
        for step in &plan.steps {
            let Some(resource) = step.index.and_then(|index| judged.set.get(index)) else {
                continue;
            };
            resources.push(PlannedResource {
                id: resource.id.to_string(),
                context: context.clone(),
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
                changes: Vec::new(),
                not_checked_by_server: false,
            });
        }
    }
    let mut warnings = judged.findings;
    warnings.append(&mut plan.warnings);
    Ok(DeployResult {
        design: name,
        version,
        dry_run: "client".to_owned(),
        summary: plan::Summary::of(resources.iter().map(|resource| resource.action)),
        contexts,
        resources,
        warnings,
        notes: judged.notes,
        ..DeployResult::default()
    })
}
