//! The apply engine: makes a cluster look as a resource set wants it.
//!
//! Every run goes the same way, whatever the goal: `observe` the cluster, plan (in the domain),
//! `perform` the plan, wait until what was written is `ready`, and `record` it in the cluster. The
//! inventory grows before the first member is written and shrinks after the last one is gone, so a
//! run that is killed anywhere is finished by the next one. A lease keeps two runs from
//! interleaving. Nothing in here decides what is done: the plan says it.

mod cipher;
mod observe;
mod perform;
mod ready;
mod record;
mod site;

pub use record::{history, status};

use std::sync::Arc;

use futures::{
    StreamExt,
    future::{BoxFuture, join_all},
    stream::{self, BoxStream},
};
use weft_domain::{
    check::Rule,
    inventory::Outcome,
    plan::{self, Action, Plan, Refusal},
    resource::{ResourceSet, is_built_in_group},
};

use self::site::Site;
use super::{
    Services,
    design::{Judged, read},
    operation::{self, Handle},
};
use crate::{
    api::{
        deploy::{DeployDesign, Goal, Mode},
        design::{DeployResult, PlannedResource, Schemas},
        operation::Started,
    },
    error::{Code, Error, Place, Result},
};

/// Starts a run; what goes wrong is the operation's outcome.
pub fn deploy(services: &Services, request: DeployDesign) -> Started<DeployResult> {
    let subject = request.goal.subject();
    let worker = services.clone();
    let action = request.goal.action();
    operation::start(services, action, subject, move |handle| {
        run(worker, request, handle)
    })
}

async fn run(services: Services, request: DeployDesign, handle: Handle) -> Result<DeployResult> {
    if request.mode != Mode::Perform {
        handle.leave_no_trace();
    }
    let request = Arc::new(request);
    let source = Arc::new(match &request.goal {
        Goal::Design { design, .. } => {
            handle.step("reading the design".to_owned());
            Some(read::manifests(&services, design.clone()).await?)
        }
        Goal::Revision { .. } | Goal::Nothing { .. } => None,
    });
    let runs = request.target.each().into_iter().map(|context| {
        let (services, request, source) = (services.clone(), request.clone(), source.clone());
        let handle = handle.clone();
        async move {
            let name = context.clone().unwrap_or_default();
            let result = on_one(
                &services,
                &request,
                source.as_ref().as_ref(),
                context,
                &handle,
            )
            .await;
            (name, result)
        }
    });
    merge(join_all(runs).await)
}

/// How much is under way at a time; the cluster bounds the requests themselves.
const AT_ONCE: usize = 64;

/// Does all of it side by side; the results come as they are ready.
pub(super) fn each<'a, T: Send + 'a>(
    work: impl IntoIterator<Item = BoxFuture<'a, T>>,
) -> BoxStream<'a, T> {
    // Collected first: the closures that made the work need not live as long.
    let work: Vec<_> = work.into_iter().collect();
    stream::iter(work).buffer_unordered(AT_ONCE).boxed()
}

/// One result of several clusters; where one failed and another didn't, both parts are in it.
fn merge(runs: Vec<(String, Result<DeployResult>)>) -> Result<DeployResult> {
    let several = runs.len() > 1;
    let mut errors = Vec::new();
    let mut merged: Option<DeployResult> = None;
    for (context, run) in runs {
        match (run, &mut merged) {
            (Ok(result), None) => merged = Some(result),
            (Ok(result), Some(merged)) => merged.join(result),
            (Err(error), _) => {
                let mut place = error.place().clone();
                if several && place.context.is_none() {
                    place.context = Some(context);
                }
                errors.push(error.at(place));
            }
        }
    }
    match (merged, Error::all(errors)) {
        (Some(mut merged), Some(error)) => {
            merged
                .failures
                .extend(error.iter().map(|error| error.clone().into()));
            Ok(merged)
        }
        (Some(merged), None) => Ok(merged),
        (None, Some(error)) => Err(error),
        (None, None) => Err(Error::internal("a run without a cluster")),
    }
}

/// What one cluster shall look like.
pub(super) struct Wanted {
    /// The resources.
    pub(super) set: ResourceSet,
    /// The name of the design.
    pub(super) design: String,
    /// Its version.
    pub(super) version: Option<String>,
    /// Warnings about it.
    pub(super) findings: Vec<weft_domain::check::Finding>,
    /// What was left out.
    pub(super) notes: Vec<String>,
}

async fn on_one(
    services: &Services,
    request: &DeployDesign,
    source: Option<&read::Manifests>,
    context: Option<String>,
    handle: &Handle,
) -> Result<DeployResult> {
    let name = match source {
        Some(manifests) => manifests.name.clone(),
        None => request.goal.subject(),
    };
    let mut site = Site::open(services, request, context, &name).await?;
    handle.check()?;
    let wanted = match (&request.goal, source) {
        (Goal::Design { schemas, .. }, Some(manifests)) => {
            judge(&site, manifests.clone(), schemas.clone())?
        }
        (Goal::Revision { number, .. }, _) => record::wanted(&site, *number).await?,
        (Goal::Nothing { .. }, _) | (Goal::Design { .. }, None) => {
            site.require_parent()?;
            Wanted {
                set: ResourceSet::default(),
                design: name.clone(),
                version: None,
                findings: Vec::new(),
                notes: Vec::new(),
            }
        }
    };
    site.settle(&wanted.set).await?;
    let perform = request.mode == Mode::Perform;
    let lease = if perform {
        let lease = site.claim(services, handle).await?;
        // What was read before may be what another run has changed since.
        site.find().await?;
        Some(lease)
    } else {
        None
    };
    let worked = work(
        services,
        request,
        &mut site,
        &wanted,
        handle,
        lease.as_ref(),
    )
    .await;
    if let Some(lease) = lease {
        lease.release(&site).await;
    }
    worked
}

async fn work(
    services: &Services,
    request: &DeployDesign,
    site: &mut Site,
    wanted: &Wanted,
    handle: &Handle,
    lease: Option<&site::Lease>,
) -> Result<DeployResult> {
    handle.step(format!("looking at {}", site.shown()));
    let options = request.options.of_plan(&request.goal);
    let (seen, plan) = observe::planned(site, &wanted.set, options).await?;
    refuse(site, &plan)?;
    let fingerprint = fingerprint(&plan);
    if request.mode == Mode::Perform
        && let Some(expected) = request.expected.get(site.context())
        && *expected != fingerprint
    {
        return Err(Error::new(
            Code::PlanChanged,
            "the cluster has changed since the plan was shown",
        )
        .at(site.place(None)));
    }
    let mut result = shown(site, wanted, &plan, request.mode);
    result
        .fingerprints
        .insert(site.context().to_owned(), fingerprint);
    match request.mode {
        Mode::Plan => return Ok(result),
        Mode::DryRun => {
            observe::dry_run(site, &wanted.set, &plan, &mut result).await?;
            return Ok(result);
        }
        Mode::Perform => {}
    }
    site.parent = seen.parent;
    let changes = plan
        .steps
        .iter()
        .any(|step| !matches!(step.action, Action::Unchanged | Action::Skipped));
    let revision = if changes || matches!(request.goal, Goal::Revision { .. }) {
        record::begin(services, site, wanted, request).await?
    } else {
        None
    };
    let done = perform::perform(site, &wanted.set, &plan, &mut result, handle, lease).await;
    let failed = done.is_err() || result.resources.iter().any(|r| r.action == Action::Failed);
    let end = match done {
        Ok(()) if request.options.wait && !failed => {
            ready::wait(
                site,
                &wanted.set,
                &mut result,
                request.options.timeout(),
                handle,
            )
            .await
        }
        Ok(()) => ready::look(site, &wanted.set, &mut result).await,
        Err(error) => Err(error),
    };
    let is_gone = matches!(request.goal, Goal::Nothing { .. }) && !failed;
    if is_gone {
        record::forget(site).await?;
    } else if let Some(revision) = revision {
        let outcome = if failed {
            Outcome::Failed
        } else {
            Outcome::Deployed
        };
        result.revision = Some(revision.number());
        record::end(site, revision, outcome).await?;
    }
    result.summary = plan::Summary::of(result.resources.iter().map(|r| r.action));
    end?;
    Ok(result)
}

/// Judges a design as this cluster sees it: what its discovery says of a kind counts.
fn judge(site: &Site, manifests: read::Manifests, schemas: Schemas) -> Result<Wanted> {
    let (design, version) = (manifests.name.clone(), manifests.version.clone());
    let served = |api_version: &str, kind: &str| {
        let found = site.kinds.find(api_version, kind);
        found.map(|kind| kind.namespaced)
    };
    let judged = Judged::for_cluster(manifests, schemas, Some(site.namespace()), &served)?;
    judged.refuse_but(|finding| {
        let id = finding.resource.as_deref().unwrap_or_default();
        let group = id.split('/').next().unwrap_or_default();
        // A server that is newer than our model knows fields that the model doesn't.
        let schema = matches!(
            finding.rule,
            Rule::UnknownField | Rule::MissingField | Rule::WrongType | Rule::InvalidValue
        );
        match finding.rule {
            Rule::UnknownKind => finding
                .resource
                .as_deref()
                .is_some_and(|id| site.serves(id)),
            _ => schema && (site.is_newer() || (group.contains('.') && !is_built_in_group(group))),
        }
    })?;
    Ok(Wanted {
        set: judged.set,
        design,
        version,
        findings: judged.findings,
        notes: judged.notes,
    })
}

/// Refuses the whole run, before the first write, where the plan says that something may not be done.
fn refuse(site: &Site, plan: &Plan) -> Result<()> {
    let errors = plan.refusals().map(|(step, refusal)| {
        let (code, hint) = match refusal {
            Refusal::OwnedBySet { .. } => (
                Code::OwnedBySet,
                "undeploy or release it there first, or rename the object here",
            ),
            Refusal::Exists { .. } => (
                Code::NotOurs,
                "take it over with --adopt, or rename the object",
            ),
            Refusal::Immutable { .. } => (
                Code::Immutable,
                "delete and create it anew with --replace, or leave the field as it is",
            ),
            Refusal::Conflict { .. } => (
                Code::FieldConflict,
                "drop the field from the design, or take it over with --force-conflicts",
            ),
        };
        Error::new(code, format!("cannot write {}: {}", step.id, step.reason))
            .at(site.place(Some(step.id.as_str())))
            .hint(hint)
    });
    match Error::all(errors.collect::<Vec<_>>()) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// What tells two plans apart: what is done to what, and why.
fn fingerprint(plan: &Plan) -> String {
    let steps = plan
        .steps
        .iter()
        .map(|step| serde_json::json!([step.id, step.action, step.reason, step.changes]));
    weft_domain::inventory::content_hash(&steps.collect::<Vec<_>>().into()).to_string()
}

/// The plan as the user sees it.
fn shown(site: &Site, wanted: &Wanted, plan: &Plan, mode: Mode) -> DeployResult {
    let resources = plan.steps.iter().map(|step| {
        let resource = step.index.and_then(|index| wanted.set.get(index));
        let member = site.parent.as_ref().and_then(|parent| parent.get(&step.id));
        let (api_version, kind, namespace, name) = match (resource, member) {
            (Some(resource), _) => (
                resource.api_version.clone(),
                resource.kind.clone(),
                resource.namespace.clone(),
                resource.name.clone(),
            ),
            (None, Some(member)) => (
                member.api_version(),
                member.kind.clone(),
                member.namespace.clone(),
                member.name.clone(),
            ),
            (None, None) => Default::default(),
        };
        PlannedResource {
            id: step.id.to_string(),
            context: site.context().to_owned(),
            api_version,
            kind,
            namespace: namespace.unwrap_or_default(),
            name,
            action: step.action,
            ready: false,
            reason: step.reason.clone(),
            level: u32::try_from(step.level).unwrap_or(u32::MAX),
            waits: step.waits.clone(),
            waiting_for: String::new(),
            changes: step.changes.clone(),
            not_checked_by_server: step.not_checked_by_server,
        }
    });
    let mut warnings = wanted.findings.clone();
    warnings.extend(plan.warnings.iter().cloned());
    DeployResult {
        design: wanted.design.clone(),
        version: wanted.version.clone(),
        dry_run: mode.name().to_owned(),
        contexts: vec![site.context().to_owned()],
        summary: plan.summary(),
        resources: resources.collect(),
        warnings,
        notes: wanted.notes.clone(),
        ..DeployResult::default()
    }
}

impl Site {
    /// Where an error of this cluster lies.
    pub(super) fn place(&self, object: Option<&str>) -> Place {
        Place {
            context: Some(self.context().to_owned()),
            object: object.map(str::to_owned),
            ..Place::default()
        }
    }
}
