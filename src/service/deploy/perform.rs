//! Performs a plan: level after level, as much side by side as the cluster allows, each write under
//! the precondition that the plan was made with. What fails keeps back only what waits for it, and
//! every removal; everything is said in the result.
//!
//! In a set that is made of rows each row is a lane of its own: neither the levels of another one nor
//! what goes wrong there keep it from going on. Where its form says so, it has to wait for its turn.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, join_all},
    stream::{self, BoxStream},
};
use serde_json::Value;
use tokio::{
    sync::{Notify, Semaphore, mpsc},
    time::{Instant, sleep_until},
};
use weft_domain::{
    inventory::{Confirmed, Member},
    plan::{Action, Orphanings, Plan, Step, Until, Wait, Why, not_ours, outlives},
    readiness::{Readiness, readiness},
    resource::{Cleanup, DependencyFailure, Part, Resource, ResourceId, ResourceSet},
};

use super::{
    AT_ONCE,
    contents::contents_of,
    follow::follow_one,
    handover::{migrate, release},
    lease::{Lease, PATIENCE},
    ready::{DEFINITION, Known, RECOVERY, judge},
    refusals,
    rollout::{Gate, Rollouts, Slot},
    site::{Site, is_missing},
    write::{is_stale, taken, write},
};
use crate::{
    api::design::DeployResult,
    cluster::{Delete, Deletion, KindRef},
    error::{Code, Error, Result},
    service::operation::Handle,
};

/// How long is waited after somebody else was faster.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// What a run may, and until when.
pub(super) struct Run<'a> {
    /// Tells the user, and is told to stop.
    pub(super) handle: &'a Handle,
    /// Keeps others away; none where nothing is written.
    pub(super) lease: Option<&'a Lease>,
    /// The end of every wait that has no deadline of its own.
    pub(super) deadline: Instant,
    /// How long that was, in the words of the user.
    pub(super) limit: Duration,
    /// What is known of kinds beside their objects.
    pub(super) known: &'a Known,
    /// Whether the end is that everything is ready.
    pub(super) waits: bool,
}

/// How a plan ended.
#[derive(Default)]
pub(super) struct Performed {
    /// What is known of the members now.
    pub(super) confirmed: Confirmed,
    /// Whether all of it was done.
    pub(super) is_whole: bool,
    /// Whether it ended because the cluster, or the lease, was lost.
    pub(super) is_cut_off: bool,
    /// How what was written was then.
    pub(super) states: HashMap<ResourceId, Readiness>,
}

/// What became of a step.
enum Done {
    /// It is done; the object, where there is one afterwards, with what the server said of it.
    Live(Option<Value>, Vec<String>),
    /// It is written, and its end was not waited for: why.
    Left(Option<Value>, String),
    /// It wasn't begun, because of that.
    NotReached(String),
    /// It was tried in vain.
    Failed(Error),
}

/// How what waits for a step is told that it wasn't begun.
const NOT_REACHED: &str = "was not reached";

impl Done {
    /// How what waits for it is told that it is not as it should be.
    fn broken(&self) -> Option<&'static str> {
        match self {
            Self::Live(..) => None,
            Self::Left(..) => Some("was not waited for"),
            Self::NotReached(_) => Some(NOT_REACHED),
            Self::Failed(error) => Some(match error.code() {
                Code::NotReady => "was not ready in time",
                Code::NotGone => "was not gone in time",
                _ => "has failed",
            }),
        }
    }
}

/// The steps of a row by one form, or those of no row.
struct Lane<'s> {
    part: Option<&'s Part>,
    steps: Vec<&'s Step>,
}

impl Lane<'_> {
    /// The uid of its row; empty where it has none.
    fn row(&self) -> &str {
        self.part.map_or("", |part| &part.row)
    }

    /// Whether it changes a row that there still is. What is refused in any case changes nothing.
    fn changes(&self) -> bool {
        let is_change = |step: &&Step| writes(step) && step.action != Action::Failed;
        let is_made = self.steps.iter().any(|step| step.index.is_some());
        is_made && self.steps.iter().any(is_change)
    }
}

/// Why it is not the turn of a row.
struct NoTurn {
    reason: String,
    /// What is reported of it, beside the steps that are not reached.
    error: Option<Error>,
}

/// Where lanes say what became of their steps.
type Said<'s> = mpsc::UnboundedSender<(&'s Step, Done)>;

/// What the steps of a run share.
struct Work<'a> {
    site: &'a Site,
    set: &'a ResourceSet,
    plan: &'a Plan,
    run: &'a Run<'a>,
    /// The rows that have to wait for their turn.
    rollouts: &'a Rollouts<'a>,
    /// Why members are members no longer.
    orphanings: Orphanings<'a>,
    /// Why nothing is begun any more.
    stopped: OnceLock<String>,
    /// What went wrong beside single steps.
    trouble: Mutex<Vec<Error>>,
    /// What may not be written, and why.
    refused: Mutex<HashMap<ResourceId, Error>>,
    /// What is not as it should be, and how that came.
    broken: Mutex<HashMap<ResourceId, &'static str>>,
    /// Tells that something is not as it should be.
    breaks: Notify,
    /// How many writes are prepared at a time; the cluster bounds the requests themselves.
    writing: Semaphore,
}

/// Performs a plan. What went wrong is in the result.
///
/// # Errors
/// When nothing could be begun.
pub(super) async fn perform(
    site: &mut Site,
    set: &ResourceSet,
    plan: &Plan,
    result: &mut DeployResult,
    run: &Run<'_>,
    rollouts: &Rollouts<'_>,
) -> Result<Performed> {
    // Before the first write: a crash leaves an inventory that is too long, never one too short.
    let mut grown = site.inventory().grow(plan.members().cloned());
    if set.is_empty() {
        // From now on it isn't what its newest revision says.
        grown = grown.with_revision(0, None);
    }
    site.keep(grown).await?;
    run.handle.step(format!("writing to {}", site.shown()));
    let refused = refusals(site, plan).await.into_iter();
    let refused = refused.map(|(step, error)| (step.id.clone(), error));
    let work = Work {
        site,
        set,
        plan,
        run,
        rollouts,
        orphanings: Orphanings::of(set),
        stopped: OnceLock::new(),
        trouble: Mutex::default(),
        refused: Mutex::new(refused.collect()),
        broken: Mutex::default(),
        breaks: Notify::new(),
        writing: Semaphore::new(AT_ONCE),
    };
    let at: HashMap<String, usize> = result
        .resources
        .iter()
        .enumerate()
        .map(|(at, resource)| (resource.id.clone(), at))
        .collect();
    let mut performed = Performed {
        is_whole: true,
        ..Performed::default()
    };
    performed.confirmed.gone.clone_from(&plan.gone);
    let (total, mut finished) = (plan.steps.len() as u64, 0);
    let (said, mut done) = mpsc::unbounded_channel();
    let lanes = work.lanes().into_iter();
    let lanes: Vec<BoxFuture<'_, ()>> = lanes
        .map(|lane| work.lane(lane, said.clone()).boxed())
        .collect();
    drop(said);
    let noted = async {
        while let Some((step, done)) = done.recv().await {
            finished += 1;
            run.handle.progress(finished, total);
            let Some(resource) = at
                .get(step.id.as_str())
                .map(|at| &mut result.resources[*at])
            else {
                continue;
            };
            match done {
                Done::Live(live, warnings) => {
                    let warnings = warnings.into_iter();
                    let warnings = warnings.map(|warning| format!("{}: {warning}", step.id));
                    result.notes.extend(warnings);
                    if let (Some(live), Some(_)) = (&live, step.index) {
                        let state = judge(work.site, run.known, live);
                        performed.states.insert(step.id.clone(), state);
                    }
                    confirm(step, live.as_ref(), &mut performed.confirmed);
                }
                Done::Left(live, why) => {
                    resource.reason = why;
                    confirm(step, live.as_ref(), &mut performed.confirmed);
                }
                Done::NotReached(why) => {
                    resource.action = Action::Skipped;
                    resource.reason = format!("not reached: {why}");
                }
                Done::Failed(error) => {
                    resource.action = Action::Failed;
                    resource.reason = describe(&error);
                    if error.code() == Code::ClusterUnreachable && !work.site.answers().await {
                        work.stop(&describe(&error));
                    }
                    let place = work.site.place(Some(step.id.as_str()));
                    result.failures.push(error.at(place).into());
                }
            }
        }
    };
    tokio::join!(join_all(lanes), noted);
    result.rollouts = rollouts.shown(site.context());
    let broken = std::mem::take(&mut *lock(&work.broken));
    performed.is_whole = broken.is_empty();
    performed.is_cut_off = work.stopped.get().is_some();
    let trouble = std::mem::take(&mut *lock(&work.trouble));
    result.failures.extend(trouble.into_iter().map(Into::into));
    if !broken.is_empty() && run.handle.check().is_err() {
        let left = plan.steps.iter();
        let left = left.filter(|step| broken.contains_key(&step.id));
        let message = format!("interrupted: {} of {total} objects are left", left.count());
        let error = Error::new(Code::Interrupted, message).at(site.place(None));
        let error = error.hint("type the same command again: it goes on from here");
        result.failures.push(error.into());
    }
    Ok(performed)
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error with everything that caused it, in one line.
fn describe(error: &Error) -> String {
    let mut text = error.to_string();
    for cause in error.causes() {
        text = format!("{text}: {cause}");
    }
    text
}

fn writes(step: &Step) -> bool {
    step.action.is_change()
}

/// Notes what is known of a member now.
fn confirm(step: &Step, live: Option<&Value>, confirmed: &mut Confirmed) {
    match step.action {
        Action::Pruned | Action::Released => confirmed.gone.push(step.id.clone()),
        Action::Failed => {}
        _ => {
            let Some(mut member) = step.member.clone() else {
                return;
            };
            if let Some(uid) = live.and_then(|live| live.pointer("/metadata/uid")?.as_str()) {
                member.uid = Some(uid.to_owned());
            }
            confirmed.present.push(member);
        }
    }
}

impl<'a> Work<'a> {
    /// Lets nothing further begin; tells whether that is new.
    fn stop(&self, why: &str) -> bool {
        self.rollouts.stop(why);
        self.stopped.set(why.to_owned()).is_ok()
    }

    fn resource(&self, step: &Step) -> Option<&'a Resource> {
        self.set.get(step.index?)
    }

    /// The place of a step in a set that is made of rows.
    fn part(&self, step: &Step) -> Option<&Part> {
        match self.resource(step) {
            Some(resource) => resource.part.as_ref(),
            None => self.site.parent.as_ref()?.get(&step.id)?.part.as_ref(),
        }
    }

    /// The steps of each row, and those of none, in the order of the plan. Rows that were not ready when
    /// they were looked at have the first turn.
    fn lanes(&self) -> Vec<Lane<'_>> {
        let mut lanes: Vec<Lane<'_>> = Vec::new();
        let mut known: HashMap<Option<(&str, &str)>, usize> = HashMap::new();
        for step in &self.plan.steps {
            let part = self.part(step);
            let lane = *known.entry(part.map(Part::node)).or_insert_with(|| {
                let steps = Vec::new();
                lanes.push(Lane { part, steps });
                lanes.len() - 1
            });
            lanes[lane].steps.push(step);
        }
        // What others wait for, such as a namespace, is early in the plan: so is its row.
        lanes.sort_by_key(|lane| !self.is_awaited(lane));
        lanes
    }

    /// Whether a lane waits for its turn although nothing is written in it.
    fn is_awaited(&self, lane: &Lane<'_>) -> bool {
        lane.part.is_some_and(|part| {
            let gate = self.rollouts.gate(&part.form);
            gate.is_some_and(|gate| gate.awaits(&part.row))
        })
    }

    /// Performs the steps of a lane, level after level, when it is its turn.
    async fn lane<'s>(&'s self, lane: Lane<'s>, said: Said<'s>) {
        let changes = lane.changes();
        let slot = match self
            .gate(&lane)
            .filter(|_| changes || self.is_awaited(&lane))
        {
            None => None,
            Some(gate) => match self.turn(gate, &lane).await {
                Ok(slot) => Some(slot),
                // It is as it shall be, but for what is awaited.
                Err(_) if !changes => None,
                Err(why) => {
                    if let Some(error) = why.error {
                        self.trouble_once(error.at(self.site.place(None)));
                    }
                    return self.leave(lane, &why.reason, &said);
                }
            },
        };
        let mut is_blocked = false;
        for steps in lane.steps.chunk_by(|a, b| a.level == b.level) {
            let mut done = self.level(steps, is_blocked);
            while let Some((step, done)) = done.next().await {
                if let Some(how) = done.broken() {
                    is_blocked = true;
                    self.broke(step, how);
                }
                // Whoever listens stays until the last lane has ended.
                _ = said.send((step, done));
            }
        }
        if let Some(slot) = slot {
            self.settle(&lane, slot).await;
        }
    }

    /// Notes that a step is not as it should be.
    fn broke(&self, step: &Step, how: &'static str) {
        lock(&self.broken).insert(step.id.clone(), how);
        self.breaks.notify_waiters();
    }

    /// Notes what went wrong, once.
    fn trouble_once(&self, error: Error) {
        let mut trouble = lock(&self.trouble);
        let why = describe(&error);
        if !trouble.iter().any(|known| describe(known) == why) {
            trouble.push(error);
        }
    }

    /// What lets a lane begin, if its row has to wait for its turn.
    fn gate(&self, lane: &Lane<'_>) -> Option<&'a Gate<'a>> {
        self.rollouts.gate(&lane.part?.form)
    }

    /// Waits for the turn of a lane; why it doesn't come.
    async fn turn(&self, gate: &'a Gate<'a>, lane: &Lane<'_>) -> Result<Slot<'a>, NoTurn> {
        let row = lane.row();
        if !self.run.waits {
            return gate.begin_now(row).map_err(|reason| NoTurn {
                error: Some(
                    Error::new(Code::Partial, reason.as_str())
                        .hint("run the command again once they are ready, or let it wait"),
                ),
                reason,
            });
        }
        tokio::select! {
            slot = gate.begin(row) => slot.map_err(|reason| NoTurn { reason, error: None }),
            () = sleep_until(self.run.deadline) => {
                let reason = gate.late();
                let error = Error::new(Code::NotReady, reason.as_str());
                let error = Some(error.hint("run the command again: it goes on from here; --timeout gives it more time"));
                Err(NoTurn { reason, error })
            }
            () = self.run.handle.cancelled() => {
                let reason = "interrupted".to_owned();
                Err(NoTurn { reason, error: None })
            }
        }
    }

    /// Leaves a lane as it is.
    fn leave<'s>(&'s self, lane: Lane<'s>, why: &str, said: &Said<'s>) {
        for step in lane.steps {
            let done = if writes(step) {
                Done::NotReached(why.to_owned())
            } else {
                Done::Live(None, Vec::new())
            };
            if let Some(how) = done.broken() {
                self.broke(step, how);
            }
            _ = said.send((step, done));
        }
    }

    /// Waits until all that a lane has made is ready; then another one may begin.
    async fn settle(&self, lane: &Lane<'_>, slot: Slot<'a>) {
        if self.run.handle.check().is_err() {
            return slot.hold();
        }
        let row = lane.row();
        // What was refused before anything changed says nothing of the change, nor does what waits for it.
        let is_refused = |step: &Step| step.action == Action::Failed;
        let waits_for_refused = lane.steps.iter().any(|step| is_refused(step));
        // Where nobody waits, what is not reached is for the next run.
        let is_excused = waits_for_refused || !self.run.waits;
        let failed = lane.steps.iter().find_map(|step| {
            let how = *lock(&self.broken).get(&step.id)?;
            let is_known = is_refused(step) || is_excused && how == NOT_REACHED;
            (!is_known).then(|| format!("row {row:?}: {} {how}", step.id))
        });
        if let Some(why) = failed {
            return slot.stop(&why);
        }
        let is_done = |step: &Step| writes(step) && !lock(&self.broken).contains_key(&step.id);
        if waits_for_refused && lane.changes() && !lane.steps.iter().any(|step| is_done(step)) {
            return slot.leave();
        }
        if !self.run.waits {
            return slot.hold();
        }
        for step in &lane.steps {
            let Some(resource) = self.resource(step).filter(|one| one.policies.wait) else {
                continue;
            };
            if is_refused(step) || lock(&self.broken).contains_key(&step.id) {
                continue;
            }
            let Err(error) = self.settled(step, resource, &slot).await else {
                continue;
            };
            if error.code() == Code::Interrupted {
                return slot.hold();
            }
            // At the end of the run, others may still be told that it was not their turn.
            let is_late = error.code() == Code::NotReady && Instant::now() >= self.run.deadline;
            let why = format!("row {row:?}: {}", describe(&error));
            self.trouble_once(error.in_context(self.site.context(), &step.id));
            return if is_late {
                slot.hold();
            } else {
                slot.stop(&why);
            };
        }
        slot.ready();
    }

    /// Waits until what a step is about is ready, not longer than its row may take.
    async fn settled(&self, step: &Step, resource: &Resource, slot: &Slot<'_>) -> Result<()> {
        let Some(kind) = self.site.kind(&resource.api_version, &resource.kind) else {
            return Ok(());
        };
        let (namespace, name) = (resource.namespace.as_deref(), resource.name.as_str());
        let mut end = self.end_of(&step.id);
        if slot.deadline() < end.0 {
            // Waits before may have used it up; what is ready is seen all the same.
            let soon = Instant::now() + PAUSE;
            end = (slot.deadline().max(soon), slot.limit());
        }
        let recovered = Instant::now() + RECOVERY;
        loop {
            let ready = Until::Ready;
            let reached = self.reached_by(&step.id, &kind, namespace, name, ready, None, end);
            match reached.await {
                // What had failed before may recover by what else was written; a job can't.
                Err(error)
                    if error.code() == Code::Failed
                        && !writes(step)
                        && resource.kind != "Job"
                        && Instant::now() < recovered.min(end.0) =>
                {
                    tokio::time::sleep(PAUSE * 10).await;
                }
                reached => return reached.map(drop),
            }
        }
    }

    /// Whether a step is performed although that which it waits for has failed.
    fn proceeds(&self, step: &Step, wait: &Wait) -> bool {
        let resource = self.resource(step);
        wait.why == Why::DependsOn
            && resource.is_some_and(|resource| {
                resource.policies.on_dependency_failure == DependencyFailure::Proceed
            })
    }

    /// The steps of a level, those side by side that wait for the same.
    fn level<'s>(
        &'s self,
        steps: &[&'s Step],
        is_blocked: bool,
    ) -> impl futures::Stream<Item = (&'s Step, Done)> + use<'a, 's> {
        let mut groups: BTreeMap<Vec<&Wait>, Vec<&Step>> = BTreeMap::new();
        let mut ready = Vec::new();
        for &step in steps {
            let broken = lock(&self.broken);
            let (mut missing, mut waits) = (None, Vec::new());
            for wait in &step.waits {
                match broken.get(&wait.on) {
                    Some(_) if self.proceeds(step, wait) => {}
                    Some(how) => missing = Some(format!("{} {how}", wait.on)),
                    None => waits.push(wait),
                }
            }
            if !writes(step) && !self.runs(step) {
                ready.push((step, Done::Live(None, Vec::new())));
            } else if let Some(error) = lock(&self.refused).remove(&step.id) {
                ready.push((step, Done::Failed(error)));
            } else if let Some(why) = missing {
                ready.push((step, Done::NotReached(why)));
            } else if is_blocked && step.index.is_none() {
                let why = "something before it failed, and then nothing is removed";
                ready.push((step, Done::NotReached(why.to_owned())));
            } else {
                groups.entry(waits).or_default().push(step);
            }
        }
        let groups = groups
            .into_iter()
            .map(|(waits, steps)| self.group(waits, steps));
        stream::iter(ready).chain(stream::select_all(groups))
    }

    /// Steps that wait for the same.
    fn group<'s>(
        &'s self,
        waits: Vec<&'s Wait>,
        steps: Vec<&'s Step>,
    ) -> BoxStream<'s, (&'s Step, Done)> {
        let first = async move {
            let mut unmet = Vec::new();
            for wait in waits {
                if let Err(why) = self.met(wait).await {
                    let may_go_on = steps.iter().any(|step| self.proceeds(step, wait));
                    unmet.push((wait, why));
                    if !may_go_on {
                        break;
                    }
                }
            }
            let unknown = self.learned(&steps).await.err();
            steps.into_iter().map(move |step| {
                let unmet = unmet.iter().find(|(wait, _)| !self.proceeds(step, wait));
                let why = unmet.map(|(_, why)| why).or(unknown.as_ref());
                (step, why.cloned())
            })
        };
        let group = stream::once(first).flat_map(move |steps| {
            let done = steps.map(move |(step, why)| {
                async move {
                    match why {
                        Some(why) => (step, Done::NotReached(why)),
                        None => (step, self.step(step).await),
                    }
                }
                .boxed()
            });
            stream::iter(done).buffer_unordered(AT_ONCE).boxed()
        });
        group.boxed()
    }

    /// Waits for what a step waits for; why it is not so.
    async fn met(&self, wait: &Wait) -> Result<(), String> {
        self.may_begin().await?;
        let until = tokio::select! {
            until = self.until(wait) => until,
            how = self.breaking(&wait.on) => return Err(format!("{} {how}", wait.on)),
        };
        until.map_err(|error| {
            let why = describe(&error);
            if error.code() != Code::Interrupted {
                self.trouble_once(error.in_context(self.site.context(), &wait.on));
            }
            why
        })
    }

    /// Waits until something is not as it should be.
    async fn breaking(&self, id: &ResourceId) -> &'static str {
        loop {
            let breaks = self.breaks.notified();
            if let Some(how) = lock(&self.broken).get(id) {
                return how;
            }
            breaks.await;
        }
    }

    /// Learns the kinds of steps that have come with what they waited for.
    async fn learned(&self, steps: &[&Step]) -> Result<(), String> {
        for resource in steps.iter().filter_map(|step| self.resource(step)) {
            let (api_version, kind) = (&resource.api_version, &resource.kind);
            if self.site.exactly(api_version, kind).is_none() {
                let deadline = self.run.deadline;
                let refreshed = self.site.refresh(api_version, kind, deadline).await;
                if let Err(error) = refreshed {
                    let why = describe(&error);
                    lock(&self.trouble).push(error.in_context(self.site.context(), &resource.id));
                    return Err(why);
                }
            }
        }
        Ok(())
    }

    /// Makes sure that another step may begin.
    async fn may_begin(&self) -> Result<(), String> {
        if let Some(why) = self.stopped.get() {
            return Err(why.clone());
        }
        if self.run.handle.check().is_err() {
            return Err("interrupted".to_owned());
        }
        let Some(lease) = self.run.lease else {
            return Err("there is no lease".to_owned());
        };
        let held = tokio::select! {
            held = lease.hold(self.site, PATIENCE) => held,
            () = self.run.handle.cancelled() => return Err("interrupted".to_owned()),
        };
        held.map_err(|error| {
            let why = error.to_string();
            if self.stop(&why) {
                lock(&self.trouble).push(error);
            }
            why
        })
    }

    /// Whether a step is a job of a phase, which has to succeed.
    fn runs(&self, step: &Step) -> bool {
        let resource = self.resource(step);
        step.action != Action::Skipped
            && resource.is_some_and(|resource| resource.policies.phase.is_some())
    }

    async fn step(&self, step: &Step) -> Done {
        if let Err(why) = self.may_begin().await {
            return Done::NotReached(why);
        }
        match self.one(step).await {
            Ok(done) => done,
            Err(error) if error.code() == Code::Interrupted => {
                Done::NotReached("interrupted".to_owned())
            }
            Err(error) => Done::Failed(error),
        }
    }

    /// Performs one step.
    async fn one(&self, step: &Step) -> Result<Done> {
        let site = self.site;
        let Some(resource) = self.resource(step) else {
            let member = site.parent.as_ref().and_then(|parent| parent.get(&step.id));
            let member = member.ok_or_else(|| Error::internal("a leftover that is no member"))?;
            if let Some(kind) = site.kind(&member.api_version(), &member.kind) {
                if step.action == Action::Pruned {
                    self.empty(&kind, member).await?;
                    self.remove(&kind, member, step).await?;
                } else {
                    let why = self.orphanings.why(member);
                    release(site, &kind, member, step, why, &site.write()).await?;
                }
            }
            return Ok(Done::Live(None, Vec::new()));
        };
        let kind = site.exactly(&resource.api_version, &resource.kind);
        let kind = kind.ok_or_else(|| {
            let message = format!("no {} {} is served", resource.api_version, resource.kind);
            Error::new(Code::UnknownKind, message)
        })?;
        let (namespace, name) = (resource.namespace.as_deref(), resource.name.as_str());
        let (mut live, mut warnings) = (None, Vec::new());
        if writes(step) {
            if let (Action::Replaced, Some(member)) = (step.action, &step.member) {
                self.remove(&kind, member, step).await?;
            }
            let mut step = Cow::Borrowed(step);
            let has_marks = step.retained || step.orphaned;
            if step.action == Action::Adopted && (has_marks || !step.migrate.is_empty()) {
                let version = migrate(site, &kind, resource, &step).await?;
                if let (Some(_), Some(bound)) = (&version, &mut step.to_mut().precondition) {
                    bound.resource_version = version;
                }
            }
            let reply = {
                // What is sent is made only now, and so few at a time.
                let _permit = self.writing.acquire().await;
                write(site, &kind, resource, &step).await?
            };
            let is_new = matches!(step.action, Action::Created | Action::Replaced);
            if is_new && !reply.created {
                taken(site, &kind, resource, &reply).await?;
            }
            (live, warnings) = (Some(reply.object), reply.warnings);
        }
        if resource.policies.phase.is_some() {
            let id = &step.id;
            let ended = self.reached(id, &kind, namespace, name, Until::Ready, None);
            let ended = match ended.await {
                Err(error) if error.code() == Code::Interrupted && live.is_some() => {
                    return Ok(Done::Left(live, "interrupted while it ran".to_owned()));
                }
                ended => ended?,
            };
            if resource.policies.cleanup == Cleanup::OnSuccess && ended.is_some() {
                let uid = ended
                    .as_ref()
                    .and_then(|job| job.pointer("/metadata/uid")?.as_str());
                let delete = Delete {
                    uid: uid.map(str::to_owned),
                    ..Delete::default()
                };
                match site.objects.delete(&kind, namespace, name, &delete).await {
                    Err(error) if is_missing(&error) => {}
                    deleted => _ = deleted?,
                }
            }
            live = ended;
        }
        Ok(Done::Live(live, warnings))
    }

    /// Waits for a state of another resource.
    async fn until(&self, wait: &Wait) -> Result<()> {
        let Some(resource) = self.set.by_id(&wait.on) else {
            return Ok(());
        };
        if wait.until != Until::Gone && resource.policies.phase.is_some() {
            // It has succeeded, or nothing that waits for it would come this far; it may be gone.
            return Ok(());
        }
        let Some(kind) = self.site.kind(&resource.api_version, &resource.kind) else {
            return Ok(());
        };
        let (namespace, name) = (resource.namespace.as_deref(), resource.name.as_str());
        self.reached(&wait.on, &kind, namespace, name, wait.until, None)
            .await
            .map(|_| ())
    }

    /// Waits until an object is in a state, and returns it; one of another uid counts as gone.
    async fn reached(
        &self,
        id: &ResourceId,
        kind: &KindRef,
        namespace: Option<&str>,
        name: &str,
        until: Until,
        uid: Option<&str>,
    ) -> Result<Option<Value>> {
        let end = self.end_of(id);
        self.reached_by(id, kind, namespace, name, until, uid, end)
            .await
    }

    /// When a wait for an object that begins now is over, and how long that is.
    fn end_of(&self, id: &ResourceId) -> (Instant, Duration) {
        let resource = self.set.by_id(id);
        let own = resource.and_then(|resource| resource.policies.deadline);
        // Who doesn't wait for readiness in the end waits no longer on the way.
        let is_longer =
            |own: &Duration| !self.run.waits && Instant::now() + *own > self.run.deadline;
        match own.filter(|own| !is_longer(own)) {
            Some(own) => (Instant::now() + own, own),
            None => (self.run.deadline, self.run.limit),
        }
    }

    /// The same, not longer than until a given end.
    #[expect(clippy::too_many_arguments, reason = "an object, a state, and an end")]
    async fn reached_by(
        &self,
        id: &ResourceId,
        kind: &KindRef,
        namespace: Option<&str>,
        name: &str,
        until: Until,
        uid: Option<&str>,
        (deadline, limit): (Instant, Duration),
    ) -> Result<Option<Value>> {
        let mut seen = follow_one(self.site, kind, namespace, name);
        let (mut last, mut object) = ("it is not there".to_owned(), None);
        let mut told = String::new();
        let is_failed = loop {
            let next = tokio::select! {
                next = seen.next() => next,
                () = sleep_until(deadline) => break false,
                () = self.run.handle.cancelled() => {
                    return Err(Error::new(Code::Interrupted, "interrupted"));
                }
            };
            let live = next.ok_or_else(|| Error::internal("what was followed has ended"))??;
            let has_uid = |live: &Value| live["metadata"]["uid"].as_str() == uid;
            let live = live.filter(|live| uid.is_none() || has_uid(live));
            let Some(live) = live else {
                if until == Until::Gone {
                    return Ok(None);
                }
                "it is not there".clone_into(&mut last);
                continue;
            };
            let state = readiness(&live, &self.run.known.of(&live));
            if until == Until::There || until != Until::Gone && state.is_ready() {
                return Ok(Some(live));
            }
            state.reason().unwrap_or("it exists").clone_into(&mut last);
            let is_failed = until == Until::Ready && state.is_failed();
            object = Some(live);
            if is_failed {
                break true;
            }
            let now = format!("waiting for {id}: {last}");
            if now != told {
                self.run.handle.step(now.clone());
                told = now;
            }
        };
        let troubles = match &object {
            Some(object) => super::ready::trouble(self.site, object, self.run.handle).await,
            None => super::ready::Troubles::default(),
        };
        let why = format!("{last}{troubles}");
        let limit = limit.as_secs_f64();
        let (code, message) = match until {
            _ if is_failed => (Code::Failed, format!("{id} has failed: {why}")),
            Until::Gone => (
                Code::NotGone,
                format!("{id} was not gone within {limit} s: {why}"),
            ),
            _ => (
                Code::NotReady,
                format!("{id} was not {until} within {limit} s: {why}"),
            ),
        };
        Err(Error::new(code, message).at(self.site.place(Some(id.as_str()))))
    }

    /// Refuses to delete a namespace or a definition in which somebody has begun to live since the
    /// plan was made.
    async fn empty(&self, kind: &KindRef, member: &Member) -> Result<()> {
        if !matches!(&*member.kind, "Namespace" | DEFINITION) {
            return Ok(());
        }
        let live = match self.site.objects.get(kind, None, &member.name).await {
            Ok(reply) => reply.object,
            Err(error) if is_missing(&error) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let why = match contents_of(self.site, &live).await? {
            Ok(contents) => match self.plan.foreign_in(&contents) {
                None => return Ok(()),
                Some(foreign) => format!("it holds {foreign}, not ours to delete"),
            },
            Err(why) => format!("what it holds cannot be told: {why}"),
        };
        let message = format!("cannot delete {}: {why}", member.id());
        Err(Error::new(Code::NotOurs, message).hint("run the command again: it looks anew"))
    }

    /// Deletes an object, and waits for its end.
    async fn remove(&self, kind: &KindRef, member: &Member, step: &Step) -> Result<()> {
        let site = self.site;
        let (namespace, name) = (member.namespace.as_deref(), member.name.as_str());
        let bound = step.precondition.clone().unwrap_or_default();
        let mut delete = Delete {
            uid: bound.uid.clone(),
            resource_version: bound.resource_version,
            ..Delete::default()
        };
        loop {
            let error = match site.objects.delete(kind, namespace, name, &delete).await {
                Ok(Deletion::Gone) => return Ok(()),
                Ok(Deletion::Pending(_)) => break,
                Err(error) => error,
            };
            if is_missing(&error) {
                return Ok(());
            }
            if !is_stale(&error) || Instant::now() >= self.run.deadline {
                return Err(error.into());
            }
            // Somebody has changed it since it was looked at, most often its status.
            tokio::time::sleep(PAUSE).await;
            let live = match site.objects.get(kind, namespace, name).await {
                Ok(reply) => reply.object,
                Err(error) if is_missing(&error) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let seen = Member {
                uid: bound.uid.clone(),
                ..member.clone()
            };
            let mut kept = not_ours(&seen, &live, &site.id, &site.manager);
            if step.action == Action::Pruned {
                let outlives = outlives(&seen, &live).map(|outlives| outlives.reason().to_owned());
                kept = kept.or(outlives);
            }
            if let Some(why) = kept {
                let message = format!("cannot delete {}: it has changed, {why}", step.id);
                return Err(
                    Error::new(Code::NotOurs, message).hint("run the command again: it looks anew")
                );
            }
            let version = live.pointer("/metadata/resourceVersion");
            delete.resource_version = version.and_then(Value::as_str).map(str::to_owned);
        }
        let uid = bound.uid.as_deref();
        self.reached(&step.id, kind, namespace, name, Until::Gone, uid)
            .await
            .map(|_| ())
    }
}
