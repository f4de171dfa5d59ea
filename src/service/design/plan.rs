//! Plans a deployment without a cluster. The apply engine will hand what it observed to the same
//! planner.

use weft_domain::plan::{self, Observed};

use super::{read, validate::Judged};
use crate::{
    api::design::{DeployResult, PlanDesign, PlannedResource},
    error::{Code, Error, Result},
    service::Services,
};

/// Plans a deployment.
///
/// # Errors
/// When the design can't be read, isn't valid, or its explicit dependencies form a cycle.
pub async fn plan(services: &Services, request: PlanDesign) -> Result<DeployResult> {
    let manifests = read::manifests(services, request.design).await?;
    let (name, version) = (manifests.name.clone(), manifests.version.clone());
    // Without a cluster nobody knows another default, and kubectl has the same.
    let namespace = request.namespace.as_deref().unwrap_or("default");
    let judged = Judged::new(manifests, request.schemas, Some(namespace))?;
    judged.refuse()?;
    let plan = plan::plan(&judged.set, &Observed::Nothing)
        .map_err(|cycle| Error::new(Code::Cycle, cycle.to_string()))?;
    let mut warnings = judged.findings.clone();
    let mut order = plan.warnings.clone();
    judged.locate(&mut order);
    warnings.extend(order);
    let contexts = if request.contexts.is_empty() {
        vec![String::new()]
    } else {
        request.contexts.clone()
    };
    let mut resources = Vec::with_capacity(plan.steps.len() * contexts.len());
    for context in &contexts {
        for step in &plan.steps {
            let Some(resource) = judged.set.get(step.index) else {
                continue;
            };
            resources.push(PlannedResource {
                id: resource.id.to_string(),
                context: context.clone(),
                api_version: resource.api_version.clone(),
                kind: resource.kind.clone(),
                namespace: resource.namespace.clone(),
                name: resource.name.clone(),
                action: step.action,
                ready: false,
                reason: step.reason.clone().unwrap_or_default(),
                level: u32::try_from(step.level).unwrap_or(u32::MAX),
                waits: step.waits.clone(),
            });
        }
    }
    Ok(DeployResult {
        design: name,
        version,
        dry_run: "client".to_owned(),
        contexts: request.contexts,
        summary: plan::Summary::of(resources.iter().map(|resource| resource.action)),
        resources,
        warnings,
    })
}
