//! The apply engine: makes a cluster look as a resource set wants it.
//!
//! Every run goes the same way, whatever the goal: `observe` the cluster, plan (in the domain),
//! `perform` the plan, wait until what was written is `ready`, and `record` it in the cluster. The
//! inventory grows before the first member is written and shrinks after the last one is gone, so a
//! run that is killed anywhere is finished by the next one. A lease keeps two runs from
//! interleaving. Nothing in here decides what is done: the plan says it.

mod cipher;
mod contents;
mod diff;
mod drift;
mod dry_run;
mod events;
mod family;
mod follow;
mod handover;
mod lease;
mod logs;
mod observe;
mod perform;
mod preflight;
mod ready;
mod record;
mod rollout;
mod several;
mod site;
mod status;
mod write;

pub use diff::{diff, diff_revisions};
pub(in crate::service) use drift::{Drift, Scopes, drift};
pub use events::events;
pub use logs::logs;
pub use record::history;
pub(in crate::service) use rollout::{Earlier, Underway};
pub use status::{hubs, status};

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use futures::{
    StreamExt,
    future::{BoxFuture, join_all},
    stream::{self, BoxStream},
};
use tokio::time::Instant;
use weft_domain::{
    check::{Finding, Rule},
    inventory::{ContentHash, Outcome, Parent},
    overlay::Provenance,
    plan::{self, Action, Plan, Refusal, Step},
    readiness::Readiness,
    resource::{Resource, ResourceId, ResourceSet, is_built_in_group},
    tenant::{
        form::{READY_WITHIN, Rollout},
        hub_of_set,
        render::{RowCounts, RowProblem},
    },
};

use self::{
    observe::Planned, perform::Run, ready::Known, rollout::Rollouts, several::apart, site::Site,
};
use super::{
    Services, compute,
    design::{Judged, read, set_by},
    operation::{self, Handle},
    tenant::{migrate, reader::Reader, rows::Rows},
};
use crate::{
    api::{
        deploy::{DeployDesign, Goal, Mode, Removal},
        design::{DeployResult, FieldSource, PlanOptions, PlannedResource, Schemas},
        operation::Started,
        tenant::MaxDelete,
    },
    cluster::Kinds,
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

async fn run(
    services: Services,
    mut request: DeployDesign,
    handle: Handle,
) -> Result<DeployResult> {
    if request.mode != Mode::Perform {
        handle.leave_no_trace();
    }
    let mut hub_namespace = None;
    let source = match &request.goal {
        Goal::Design {
            design, fitting, ..
        } => {
            handle.step("reading the design".to_owned());
            let read = read::read(&services, design.clone(), fitting).await?;
            Some(Material::Design(Box::new(read)))
        }
        Goal::Rows { tenants, .. } => {
            handle.step("reading the forms".to_owned());
            let target = request.target.clone();
            let mut reader = Reader::open(&services, tenants.clone(), target, None).await?;
            let rows = reader.rows(&handle).await?;
            hub_namespace = rows.namespace().map(str::to_owned);
            if request.target.namespace.is_none() {
                request.target.namespace.clone_from(&hub_namespace);
            }
            Some(Material::Rows(rows, Arc::default()))
        }
        Goal::Revision { .. } | Goal::Nothing { .. } => None,
    };
    let mut result = on_all(&services, &request, source, &handle).await?;
    if let Goal::Rows { migrate: true, .. } = &request.goal
        && request.mode == Mode::Perform
        && result.failures.is_empty()
    {
        let hub = hub_of_set(&result.design).unwrap_or_default().to_owned();
        let (target, namespace) = (&request.target, hub_namespace.as_deref());
        migrate::let_go(target, namespace, &hub, &handle, &mut result).await;
    }
    Ok(result)
}

/// Makes clusters hold the objects of rows that have been read before, and of which earlier runs may have left some
/// under way.
///
/// # Errors
/// As an operation of [`deploy`] ends.
pub(in crate::service) async fn of_read(
    services: &Services,
    request: &DeployDesign,
    rows: Rows,
    earlier: Arc<Earlier>,
    handle: &Handle,
) -> Result<DeployResult> {
    let source = Material::Rows(rows, earlier);
    on_all(services, request, Some(source), handle).await
}

async fn on_all(
    services: &Services,
    request: &DeployDesign,
    source: Option<Material>,
    handle: &Handle,
) -> Result<DeployResult> {
    let contexts = request.target.each();
    if contexts.len() > 1 && !request.expected.is_empty() && request.mode == Mode::Perform {
        // A plan of several clusters is done as a whole: all of them are looked at first.
        let looks = contexts.iter().map(|context| {
            let request = DeployDesign {
                mode: Mode::Plan,
                ..request.clone()
            };
            let (context, source) = (context.clone(), source.clone());
            async move { on_one(services, &request, source, context, handle).await }
        });
        let looked = join_all(looks).await.into_iter();
        let errors: Vec<Error> = looked.filter_map(Result::err).collect();
        if let Some(error) = Error::all(errors) {
            return Err(error);
        }
    }
    // One each; of a large design the last one is no copy.
    let sources = std::iter::repeat_n(source, contexts.len());
    let runs = contexts
        .into_iter()
        .zip(sources)
        .map(|(context, source)| async move {
            let name = context.clone().unwrap_or_default();
            let run = on_one(services, request, source, context, handle);
            (name, run.await)
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
    let (results, errors) = apart(runs)?;
    let merged = results.into_iter().reduce(|mut merged, result| {
        merged.join(result);
        merged
    });
    let mut merged = merged.ok_or_else(|| Error::internal("a run without a cluster"))?;
    merged.failures.extend(errors.into_iter().map(Into::into));
    Ok(merged)
}

/// What a set is made of, read once for all clusters.
#[derive(Clone)]
enum Material {
    Design(Box<read::Read>),
    /// With what earlier runs have left under way.
    Rows(Rows, Arc<Earlier>),
}

impl Material {
    /// The name of the set.
    fn name(&self) -> String {
        match self {
            Self::Design(read) => read.name().to_owned(),
            Self::Rows(rows, _) => rows.name(),
        }
    }
}

/// What one cluster shall look like.
#[derive(Default)]
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
    /// The overlays that were laid over the design.
    pub(super) overlays: Vec<String>,
    /// What they and values have set.
    pub(super) provenance: Provenance,
    /// Of rows.
    pub(super) rows: Option<OfRows>,
}

/// What is known of the rows that a set is made of.
#[derive(Default)]
pub(super) struct OfRows {
    counts: RowCounts,
    problems: Vec<RowProblem>,
    broken: Vec<Error>,
    /// The forms whose rows change a few at a time.
    rollouts: BTreeMap<String, Rollout>,
    /// The rows that earlier runs have left under way.
    earlier: Arc<Earlier>,
    /// How long they were read.
    read_seconds: f64,
}

impl OfRows {
    /// What could not be made, for whoever reads the result.
    fn failures(&self) -> Vec<crate::error::Body> {
        let broken = self.broken.iter().cloned();
        let errors = broken.chain(crate::service::tenant::rows::errors(&self.problems));
        errors.map(Into::into).collect()
    }
}

async fn on_one(
    services: &Services,
    request: &DeployDesign,
    source: Option<Material>,
    context: Option<String>,
    handle: &Handle,
) -> Result<DeployResult> {
    let name = match &source {
        Some(source) => source.name(),
        None => request.goal.subject(),
    };
    let begun = Instant::now();
    let mut site = Site::open(services, request, context, &name, handle).await?;
    handle.check()?;
    let wanted = match (&request.goal, source) {
        (
            Goal::Design {
                schemas, fitting, ..
            },
            Some(Material::Design(source)),
        ) => {
            let overlays = fitting.overlays_of(site.context());
            let fitted = source.fitted(&overlays);
            let fitted = fitted.map_err(|error| error.of_context(site.context()))?;
            Wanted {
                overlays,
                ..judge(&site, fitted.into_manifests()?, schemas.clone())?
            }
        }
        (Goal::Rows { .. }, Some(Material::Rows(rows, earlier))) => {
            of_rows(&site, rows, earlier).await?
        }
        (Goal::Revision { number, .. }, _) => record::wanted(&site, *number).await?,
        (Goal::Nothing { .. } | Goal::Design { .. } | Goal::Rows { .. }, _) => {
            site.require_parent()?;
            Wanted {
                design: name.clone(),
                ..Wanted::default()
            }
        }
    };
    site.settle(&wanted.set)?;
    let deadline = begun + request.options.timeout();
    let ordered = Ordered {
        request,
        wanted: &wanted,
        handle,
        deadline,
    };
    ordered.on(services, &mut site).await
}

/// More rows would lose their objects than may.
struct TooMany {
    /// How many.
    gone: usize,
    /// That it is so, and how many may.
    why: String,
}

/// How long a run still tries to tidy up at a cluster that it has given up.
const LAST: Duration = Duration::from_secs(10);

/// How resources were when they were looked at.
type States = HashMap<ResourceId, Readiness>;

/// A run on one cluster.
struct Ordered<'a> {
    request: &'a DeployDesign,
    wanted: &'a Wanted,
    handle: &'a Handle,
    deadline: Instant,
}

impl Ordered<'_> {
    async fn on(&self, services: &Services, site: &mut Site) -> Result<DeployResult> {
        let known = self.known(site).await;
        let Planned {
            mut plan,
            mut states,
        } = self.plan(site, &known).await?;
        if self.request.mode == Mode::Compare {
            return Ok(self.shown(site, &plan));
        }
        let mut notes = self.preflight(site, &plan).await?;
        self.expect(site, &plan)?;
        if self.request.mode != Mode::Perform {
            let mut result = self.shown(site, &plan);
            if self.request.mode == Mode::DryRun {
                dry_run::dry_run(site, &self.wanted.set, &plan, &mut result).await?;
            }
            if let Some(TooMany { gone, why }) = self.too_many(site, &plan) {
                notes.push(format!(
                    "{} refuses this without --max-delete {gone}, and a watch deletes nothing there: {why}",
                    site.shown()
                ));
            }
            result.notes.append(&mut notes);
            return Ok(result);
        }
        if self.is_done(site, &plan) {
            return self.only_look(site, &known, &plan, states).await;
        }
        let lease = site.claim(services, self.handle, self.deadline).await?;
        site.guard(&lease);
        let worked = async {
            // What was planned is what another run may have changed since.
            let before = site.parent.clone();
            site.find().await?;
            if site.parent != before {
                let seen = fingerprint(site, &plan);
                Planned { plan, states } = self.plan(site, &known).await?;
                if fingerprint(site, &plan) != seen {
                    notes = self.preflight(site, &plan).await?;
                }
            }
            self.expect(site, &plan)?;
            let mut result = if self.is_done(site, &plan) {
                self.only_look(site, &known, &plan, states).await?
            } else {
                self.work(services, site, &known, &plan, states, &lease)
                    .await?
            };
            result.notes.append(&mut notes);
            Ok(result)
        }
        .await;
        lease.release(site).await;
        worked
    }

    /// Refuses that far fewer rows count than there are objects of, unless the user has allowed it.
    fn guard(&self, site: &Site, plan: &Plan) -> Result<()> {
        let Some(TooMany { gone, why }) = self.too_many(site, plan) else {
            return Ok(());
        };
        let message = format!("{why}; nothing was deleted");
        Err(Error::new(Code::TooManyGone, message)
            .at(site.place(None))
            .hint(format!("if it is meant, add --max-delete {gone}")))
    }

    /// Whether more rows would lose their objects than the user has allowed. A table without rows never counts as
    /// meant.
    fn too_many(&self, site: &Site, plan: &Plan) -> Option<TooMany> {
        let Goal::Rows { max_delete, .. } = &self.request.goal else {
            return None;
        };
        let parent = site.parent.as_ref();
        let members = parent.into_iter().flat_map(Parent::members);
        let parts = members.filter_map(|member| member.part.as_ref());
        let before: HashSet<&str> = parts.map(|part| part.row.as_str()).collect();
        let desired = self.wanted.set.iter();
        let desired = desired.filter_map(|resource| resource.part.as_ref());
        let desired: HashSet<_> = desired.map(|part| (&part.form, &part.row)).collect();
        let goes = plan.steps.iter().filter(|step| {
            matches!(step.action, Action::Pruned | Action::Released) && step.index.is_none()
        });
        // An object may go with its entry; a row loses something when all of a form goes.
        let gone = goes.filter_map(|step| parent?.get(&step.id)?.part.as_ref());
        let gone = gone.filter(|part| !desired.contains(&(&part.form, &part.row)));
        let gone: HashSet<&str> = gone.map(|part| part.row.as_str()).collect();
        let is_empty = self
            .wanted
            .rows
            .as_ref()
            .is_some_and(|rows| rows.counts.active == 0);
        let limit = match max_delete {
            None if is_empty => 0,
            limit => limit.unwrap_or(MaxDelete::DEFAULT).of(before.len()),
        };
        if gone.len() <= limit {
            return None;
        }
        let why = match (is_empty, max_delete) {
            (true, None) => "the table has no active row".to_owned(),
            (_, max_delete) => {
                let max = max_delete.unwrap_or(MaxDelete::DEFAULT);
                format!("{max} may, which is {limit}")
            }
        };
        let (gone, before) = (gone.len(), before.len());
        let why = format!("{gone} of {before} rows would lose their objects, and {why}");
        Some(TooMany { gone, why })
    }

    /// Looks, plans, and refuses what may not be done.
    async fn plan(&self, site: &Site, known: &Known) -> Result<Planned> {
        self.handle.check()?;
        self.handle.step(format!("looking at {}", site.shown()));
        let options = self.request.options.of_plan(&self.request.goal);
        let mut planned = observe::planned(site, &self.wanted.set, known, options).await?;
        if self.only_prunes() {
            planned.plan.only_prune();
        }
        if self.request.mode != Mode::Compare {
            refuse(site, &self.wanted.set, &planned.plan).await?;
        }
        Ok(planned)
    }

    /// Looks for what would stop a plan halfway, if it has anything to do.
    async fn preflight(&self, site: &Site, plan: &Plan) -> Result<Vec<String>> {
        if self.is_done(site, plan) {
            return Ok(Vec::new());
        }
        preflight::check(site, &self.wanted.set, plan).await
    }

    /// Whether the user allows what a plan takes away, without having seen it.
    fn consent(&self, plan: &Plan) -> Result<()> {
        let Some(consent) = &self.request.consent else {
            return Ok(());
        };
        let design = &self.wanted.design;
        let steps = plan.steps.iter();
        let severe = plan::severe(steps.clone().map(|step| (step.action, step.id.as_str())));
        // What rows take away is bounded otherwise.
        let severe = severe.filter(|_| self.wanted.rows.is_none());
        let is_lost = |step: &&Step| {
            let resource = step.index.and_then(|index| self.wanted.set.get(index));
            // A job of a phase is there to be run again.
            let runs = resource.is_some_and(|resource| resource.policies.phase.is_some());
            match step.action {
                Action::Pruned | Action::Released => true,
                Action::Replaced => !runs,
                _ => false,
            }
        };
        let lost = steps.clone().find(is_lost);
        let named = format!("--confirm={design}");
        let (message, flag) = match (&consent.name, severe, lost) {
            (Some(name), ..) if name != design => (format!("{name:?} is not {design:?}"), named),
            (None, Some(severe), _) => (format!("{design} would lose {severe}"), named),
            (None, None, Some(lost)) if !consent.yes => {
                let message = format!("{} would be {}", lost.id, lost.action);
                (message, "--yes".to_owned())
            }
            _ => return Ok(()),
        };
        Err(Error::new(Code::ConfirmationNeeded, message)
            .hint(format!("look at the plan, then add {flag}")))
    }

    /// Whether a plan is the one that the user has seen, or allows unseen.
    fn expect(&self, site: &Site, plan: &Plan) -> Result<()> {
        if self.request.mode == Mode::Perform {
            self.guard(site, plan)?;
        }
        self.consent(plan)
            .map_err(|error| error.at(site.place(None)))?;
        match self.request.expected.get(site.context()) {
            Some(expected) if *expected != fingerprint(site, plan) => Err(Error::new(
                Code::PlanChanged,
                "what would be done is not what the plan says: the cluster or the design has changed",
            )
            .at(site.place(None))),
            None if !self.request.expected.is_empty() => Err(Error::new(
                Code::PlanChanged,
                "the plan says nothing about this cluster",
            )
            .at(site.place(None))),
            _ => Ok(()),
        }
    }

    /// Whether nothing is written.
    fn only_prunes(&self) -> bool {
        matches!(
            self.request.goal,
            Goal::Rows {
                removal: Removal::Only,
                ..
            }
        )
    }

    /// Whether the set shall be gone afterwards.
    fn goes(&self) -> bool {
        matches!(self.request.goal, Goal::Nothing { .. })
    }

    /// Whether nothing is to be written, not even a revision.
    fn is_done(&self, site: &Site, plan: &Plan) -> bool {
        let is_same = |step: &Step| {
            let resource = step.index.and_then(|index| self.wanted.set.get(index));
            let runs = resource.is_some_and(|resource| resource.policies.phase.is_some());
            match step.action {
                Action::Skipped => true,
                // A job of a phase may not have succeeded yet.
                Action::Unchanged => !runs,
                // Nothing more comes of what may not be written.
                Action::Failed => resource.is_some_and(|resource| resource.part.is_some()),
                _ => false,
            }
        };
        // Which rows there are isn't a matter of revisions: they are in the database.
        let is_known = self.wanted.rows.is_some() || is_recorded(site, &plan.content());
        !self.goes() && plan.gone.is_empty() && plan.steps.iter().all(is_same) && is_known
    }

    fn run<'r>(&'r self, known: &'r Known, lease: Option<&'r lease::Lease>) -> Run<'r> {
        Run {
            handle: self.handle,
            lease,
            deadline: self.deadline,
            limit: self.request.options.timeout(),
            known,
            waits: self.request.options.wait,
        }
    }

    async fn known(&self, site: &Site) -> Known {
        let kinds = self.wanted.set.iter();
        let kinds = kinds.map(|resource| (resource.api_version.as_str(), resource.kind.as_str()));
        Known::learn(site, &self.wanted.set, kinds).await
    }

    /// The forms whose rows change a few at a time. What is only removed or taken over waits for no turn.
    fn rollouts(&self, context: &str, plan: &Plan, states: &States) -> Rollouts<'_> {
        let waits = !matches!(self.request.goal, Goal::Rows { migrate: true, .. });
        let rows = self.wanted.rows.as_ref();
        let rows = rows.filter(|_| waits && !self.only_prunes());
        rows.map_or_else(Rollouts::default, |rows| {
            let earlier = rows.earlier.get(context);
            Rollouts::of(&rows.rollouts, &self.wanted.set, plan, states, earlier)
        })
    }

    /// Says how everything is, of which nothing has to be written.
    async fn only_look(
        &self,
        site: &Site,
        known: &Known,
        plan: &Plan,
        states: States,
    ) -> Result<DeployResult> {
        let mut result = self.shown(site, plan);
        let rollouts = self.rollouts(site.context(), plan, &states);
        result.rollouts = rollouts.shown(site.context());
        let refused = refusals(site, plan).await.into_iter();
        result
            .failures
            .extend(refused.map(|(_, error)| error.into()));
        let run = self.run(known, None);
        self.see(site, &mut result, &run, states).await;
        Ok(result)
    }

    /// Looks whether everything is ready, or waits until it is. What goes wrong is in the result.
    async fn see(&self, site: &Site, result: &mut DeployResult, run: &Run<'_>, states: States) {
        let set = &self.wanted.set;
        let seen = if self.request.options.wait && result.failures.is_empty() {
            ready::wait(site, set, result, run, states).await
        } else {
            ready::look(site, set, result, run, states).await
        };
        if let Err(error) = seen {
            result.failures.push(error.into());
        }
    }

    /// Performs a plan and records it. Once something is written no error hides what was done.
    async fn work(
        &self,
        services: &Services,
        site: &mut Site,
        known: &Known,
        plan: &Plan,
        mut states: States,
        lease: &lease::Lease,
    ) -> Result<DeployResult> {
        let mut result = self.shown(site, plan);
        let goes = self.goes();
        // What is only repaired is no new revision.
        let content = plan.content();
        let begun = if goes || self.only_prunes() || is_recorded(site, &content) {
            None
        } else {
            Some(record::begin(services, site, self.wanted, self.request, content).await?)
        };
        let run = self.run(known, Some(lease));
        let set = &self.wanted.set;
        let rollouts = self.rollouts(site.context(), plan, &states);
        let performed = perform::perform(site, set, plan, &mut result, &run, &rollouts).await?;
        let is_whole = performed.is_whole;
        // What was seen before a write says nothing of what was written.
        for step in plan
            .steps
            .iter()
            .filter(|step| step.action != Action::Unchanged)
        {
            states.remove(&step.id);
        }
        states.extend(performed.states);
        // Nobody waits for a cluster again and again that has just been given up.
        let patience = if performed.is_cut_off {
            site.give_up_in(LAST);
            LAST
        } else {
            lease::PATIENCE
        };
        let recorded = async {
            lease.hold(site, patience).await?;
            if let Some(begun) = begun {
                let outcome = if is_whole {
                    Outcome::Deployed
                } else {
                    Outcome::Failed
                };
                let number = record::end(site, begun, outcome, performed.confirmed).await?;
                return Ok::<_, Error>(Some(number));
            }
            let kept = site.inventory().shrink(performed.confirmed);
            site.keep(kept).await?;
            if goes && is_whole {
                record::forget(site).await?;
            }
            Ok(None)
        };
        match recorded.await {
            Ok(revision) => result.revision = revision,
            Err(error) => {
                if matches!(error.code(), Code::ClusterUnreachable | Code::TimedOut) {
                    site.give_up_in(LAST);
                }
                result.failures.push(error.into());
            }
        }
        if is_whole && !goes {
            self.see(site, &mut result, &run, states).await;
        } else if let Err(error) = ready::look(site, set, &mut result, &run, states).await {
            tracing::debug!(%error, "the state was not read after the run");
        }
        result.summary = plan::Summary::of(result.resources.iter().map(|r| r.action));
        Ok(result)
    }

    /// The plan as the user sees it.
    fn shown(&self, site: &Site, plan: &Plan) -> DeployResult {
        let mut result = shown(site, self.wanted, plan, self.request.mode);
        let context = site.context().to_owned();
        result.fingerprints.insert(context, fingerprint(site, plan));
        let options = &self.request.options;
        result.plan = (self.request.mode != Mode::Perform).then_some(PlanOptions {
            prune: options.prune,
            adopt: options.adopt,
            replace: options.replace,
            force_conflicts: options.force_conflicts,
        });
        result
    }
}

/// Whether the set was left as the newest revision says, which holds just that.
fn is_recorded(site: &Site, content: &ContentHash) -> bool {
    let recorded = site.parent.as_ref().and_then(Parent::recorded);
    recorded == Some(content)
}

/// Makes what rows and forms want of a cluster.
async fn of_rows(site: &Site, rows: Rows, earlier: Arc<Earlier>) -> Result<Wanted> {
    let (kinds, namespace, is_newer) = (site.kinds(), site.namespace().to_owned(), site.is_newer());
    compute(move || {
        let scope = |api_version: &str, kind: &str| {
            let found = kinds.find(api_version, kind);
            found.map(|kind| kind.namespaced)
        };
        let is_accepted =
            |finding: &Finding, set: &ResourceSet| is_accepted(finding, set, &kinds, is_newer);
        let name = rows.name();
        let made = rows.wanted(&namespace, &scope, &is_accepted)?;
        Ok(Wanted {
            set: made.set,
            design: name,
            findings: made.findings,
            notes: made.notes,
            rows: Some(OfRows {
                counts: made.rows,
                problems: made.problems,
                broken: made.broken,
                rollouts: rows.rollouts(),
                earlier,
                read_seconds: rows.seconds(),
            }),
            ..Wanted::default()
        })
    })
    .await
}

/// Whether an error that the built-in model finds is none for a cluster.
fn is_accepted(finding: &Finding, set: &ResourceSet, kinds: &Kinds, is_newer: bool) -> bool {
    let id = finding.resource.as_deref().unwrap_or_default();
    let group = id.split('/').next().unwrap_or_default();
    // A server that is newer than our model knows fields that the model doesn't.
    let schema = matches!(
        finding.rule,
        Rule::UnknownField | Rule::MissingField | Rule::WrongType | Rule::InvalidValue
    );
    match finding.rule {
        Rule::UnknownKind => {
            let resource = set.position(id).and_then(|at| set.get(at));
            resource.is_some_and(|resource| {
                let (api_version, kind) = (resource.api_version.as_str(), resource.kind.as_str());
                kinds.find(api_version, kind).is_some()
                    || ready::is_brought(set, (api_version, kind))
            })
        }
        _ => schema && (is_newer || (group.contains('.') && !is_built_in_group(group))),
    }
}

/// Judges a design as this cluster sees it: what its discovery says of a kind counts.
fn judge(site: &Site, manifests: read::Manifests, schemas: Schemas) -> Result<Wanted> {
    let (design, version) = (manifests.name.clone(), manifests.version.clone());
    let kinds = site.kinds();
    let served = |api_version: &str, kind: &str| {
        let found = kinds.find(api_version, kind);
        found.map(|kind| kind.namespaced)
    };
    let judged = Judged::for_cluster(manifests, schemas, Some(site.namespace()), &served)?;
    judged.refuse_but(|finding| is_accepted(finding, &judged.set, &kinds, site.is_newer()))?;
    let is_served =
        |resource: &Resource| kinds.find(&resource.api_version, &resource.kind).is_some();
    let mut brought = HashMap::new();
    let missing = judged.set.iter().filter(|resource| !is_served(resource));
    let missing = missing.filter(|resource| {
        let kind = (resource.api_version.as_str(), resource.kind.as_str());
        !*brought
            .entry(kind)
            .or_insert_with(|| ready::is_brought(&judged.set, kind))
    });
    let missing = missing.map(|resource| {
        let (api_version, kind) = (&resource.api_version, &resource.kind);
        let message = format!("{} serves no {api_version} {kind}", site.shown());
        let error =
            Error::new(Code::UnknownKind, message).at(site.place(Some(resource.id.as_str())));
        match kinds.preferred(resource.group(), kind) {
            Some(other) => error.hint(format!("write it as {}", other.api_version())),
            None => error.hint("install what defines it, or let the design bring it"),
        }
    });
    if let Some(error) = Error::all(missing.collect::<Vec<_>>()) {
        return Err(error);
    }
    Ok(Wanted {
        set: judged.set,
        design,
        version,
        findings: judged.findings,
        notes: judged.notes,
        provenance: judged.provenance,
        ..Wanted::default()
    })
}

/// Refuses the whole run, before the first write, where the plan says that something may not be done.
/// What belongs to a row concerns that row alone, and fails there.
async fn refuse(site: &Site, set: &ResourceSet, plan: &Plan) -> Result<()> {
    let refused = refusals(site, plan).await.into_iter();
    let refused = refused.filter(|(step, _)| {
        let resource = step.index.and_then(|index| set.get(index));
        resource.is_none_or(|resource| resource.part.is_none())
    });
    match Error::all(refused.map(|(_, error)| error).collect::<Vec<_>>()) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// What a plan says may not be done, and why.
async fn refusals<'p>(site: &Site, plan: &'p Plan) -> Vec<(&'p Step, Error)> {
    let mut owners = HashMap::new();
    for (_, refusal) in plan.refusals() {
        if let Refusal::OwnedBySet { set } = refusal
            && !owners.contains_key(set)
        {
            owners.insert(set, site.owner(set).await);
        }
    }
    let refusals = plan.refusals().map(|(step, refusal)| {
        let code = match refusal {
            Refusal::OwnedBySet { .. } => Code::OwnedBySet,
            Refusal::Exists { .. } => Code::NotOurs,
            Refusal::Immutable { .. } => Code::Immutable,
            Refusal::Conflict { .. } => Code::FieldConflict,
        };
        let error = Error::new(code, format!("cannot write {}: {}", step.id, step.reason))
            .at(site.place(Some(step.id.as_str())));
        let error = match refusal {
            Refusal::OwnedBySet { set } => match owners.get(set).and_then(Option::as_ref) {
                Some(owner) => error.because(format!("it belongs to {owner}")),
                None => error,
            },
            // The reason names only the first.
            Refusal::Conflict { conflicts } => conflicts.iter().fold(error, |error, conflict| {
                error.because(format!(
                    "{} is held by {}",
                    conflict.field, conflict.manager
                ))
            }),
            _ => error,
        };
        (step, error)
    });
    refusals.collect()
}

/// What tells two plans apart: what is done to what, by whom, and why.
fn fingerprint(site: &Site, plan: &Plan) -> String {
    let steps = plan.steps.iter().map(|step| {
        let uid = step
            .precondition
            .as_ref()
            .and_then(|seen| seen.uid.as_ref());
        let (what, how) = (&step.changes, (step.force, &step.migrate));
        serde_json::json!([step.id, step.action, step.reason, uid, what, how])
    });
    let steps: Vec<_> = steps.collect();
    let whole = serde_json::json!([site.id, site.manager, plan.content(), steps]);
    weft_domain::inventory::content_hash(&whole).to_string()
}

/// Why something is done, and which overlay or value wants what changes.
fn reason(step: &plan::Step, resource: Option<&Resource>, provenance: &Provenance) -> String {
    let mut by: Vec<String> = Vec::new();
    for change in &step.changes {
        let source = resource.and_then(|r| provenance.of(&r.object, &change.path));
        let source = source.map(|source| FieldSource::new(String::new(), source).by());
        by.extend(source.filter(|source| !by.contains(source)));
    }
    match by.as_slice() {
        [] => step.reason.clone(),
        by => format!("{} (set by {})", step.reason, by.join(", ")),
    }
}

/// How long a row's object may take to become ready.
fn ready_within_seconds(resource: &Resource) -> u64 {
    if !resource.policies.wait {
        return 0;
    }
    let limit = resource.policies.deadline.unwrap_or(READY_WITHIN);
    limit.as_secs() + u64::from(limit.subsec_nanos() > 0)
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
            reason: reason(step, resource, &wanted.provenance),
            level: u32::try_from(step.level).unwrap_or(u32::MAX),
            waits: step.waits.clone(),
            waiting_for: String::new(),
            failed: false,
            changes: step.changes.clone(),
            set_by: resource
                .map(|resource| set_by(&wanted.provenance, resource))
                .unwrap_or_default(),
            not_checked_by_server: step.not_checked_by_server,
            conflict_policy: resource
                .filter(|resource| resource.part.is_some())
                .map(|resource| resource.policies.conflict),
            ready_within_seconds: resource
                .filter(|resource| resource.part.is_some())
                .map(ready_within_seconds),
            part: match resource {
                Some(resource) => resource.part.clone(),
                None => member.and_then(|member| member.part.clone()),
            },
        }
    });
    let mut warnings = wanted.findings.clone();
    warnings.extend(plan.warnings.iter().cloned());
    DeployResult {
        design: wanted.design.clone(),
        version: wanted.version.clone(),
        dry_run: mode.name().to_owned(),
        contexts: vec![site.context().to_owned()],
        namespace: match &wanted.rows {
            Some(_) => site.namespace().to_owned(),
            None => String::new(),
        },
        summary: plan.summary(),
        resources: resources.collect(),
        warnings,
        notes: wanted.notes.clone(),
        rows: wanted.rows.as_ref().map(|rows| rows.counts),
        // What is only looked at says the same each time.
        read_seconds: match &wanted.rows {
            Some(rows) if mode == Mode::Perform => Some(rows.read_seconds),
            _ => None,
        },
        problems: match &wanted.rows {
            Some(rows) => rows.problems.clone(),
            None => Vec::new(),
        },
        failures: match &wanted.rows {
            Some(rows) => rows.failures(),
            None => Vec::new(),
        },
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
