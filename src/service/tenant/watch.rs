//! Keeps clusters as the rows of a hub say: one pass after the other, each an operation of its own.
//!
//! There is a pass when it is time to read the rows, when somebody changes an object, and, after ever longer
//! waits, while something isn't as it should be. While the rows can't be read, the last ones count: objects that
//! somebody changes are repaired, and none is removed for a row that isn't known to be gone. A pass that would
//! take too many rows' objects away takes none away, and does the rest.

use std::{collections::HashSet, pin::pin, sync::Arc, time::Duration};

use futures::{
    Stream, StreamExt,
    future::OptionFuture,
    stream::{self, BoxStream},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tokio_stream::wrappers::ReceiverStream;
use weft_domain::{
    plan::{Action, Summary},
    tenant::set_name,
};

use super::{
    pace::Pace,
    pass::{Ended, Ledger},
    reader::Reader,
    rows::Rows,
};
use crate::{
    api::{
        deploy::{DeployDesign, Goal, Mode, Removal},
        design::{DeployResult, PlannedResource, RolloutPhase, RolloutStatus},
        operation::Event,
        tenant::{Cause, Reading, TenantPass, WatchPart, WatchTenants},
    },
    error::{Body, Code, Error, Result},
    service::{
        Services, connect,
        deploy::{self, Drift, Earlier, Scopes, drift},
        operation::{self, Handle},
    },
};

/// The first wait before something is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Keeps clusters as the rows of a hub say, for as long as the answer is read; a pass that is under way then is
/// interrupted.
///
/// # Errors
/// When the hub can't be used. What goes wrong later is told pass by pass.
pub(crate) async fn watch(
    services: &Services,
    request: WatchTenants,
) -> Result<impl Stream<Item = Result<WatchPart>> + Send + use<>> {
    let (tell, told) = mpsc::channel(16);
    let watcher = Watcher::new(services, request, tell).await?;
    tokio::spawn(watcher.run());
    Ok(ReceiverStream::new(told))
}

/// The last rows, and what is known of them.
struct Kept {
    rows: Rows,
    /// Why nothing may be removed for them, by cluster.
    blocked: Vec<Error>,
    /// Whether all clusters have been looked at since they were read.
    is_seen: bool,
}

struct Watcher {
    services: Services,
    deploy: DeployDesign,
    name: String,
    interval: Duration,
    passes: Option<u64>,
    tell: mpsc::Sender<Result<WatchPart>>,
    /// Absent only while a pass has it.
    reader: Option<Reader>,
    kept: Option<Kept>,
    ledger: Ledger,
    followed: Followed,
    /// When the rows are read again.
    resync: Instant,
    /// How many reads have failed in a row.
    unread: u32,
    /// When what isn't as it should be is tried again.
    retry: Option<Instant>,
    /// How many tries in a row have changed nothing.
    vain: u32,
    pace: Pace,
    /// Whether an object is on its way.
    waits: bool,
    told: HashSet<String>,
}

/// The objects that are watched.
struct Followed {
    scopes: Scopes,
    changes: BoxStream<'static, Result<Drift>>,
    /// Whether some can't be.
    is_partial: bool,
}

/// What a pass leaves behind.
struct Left {
    reader: Reader,
    read: Option<Result<Rows>>,
    run: Option<Result<DeployResult>>,
    blocked: Vec<Error>,
}

impl Watcher {
    async fn new(
        services: &Services,
        request: WatchTenants,
        tell: mpsc::Sender<Result<WatchPart>>,
    ) -> Result<Self> {
        let WatchTenants {
            tenants,
            mut target,
            options,
            max_delete,
            interval_seconds,
            full_interval_seconds,
            passes,
            mode,
        } = request;
        let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();
        let full = full_interval_seconds.and_then(seconds);
        let reader = Reader::open(services, tenants.clone(), target.clone(), full).await?;
        let hub = reader.hub();
        if target.namespace.is_none() {
            target.namespace.clone_from(&hub.namespace);
        }
        // Each pass tells it, though it may not come as far as to learn it.
        let namespace = if let Some(namespace) = &target.namespace {
            namespace.clone()
        } else {
            let context = target.contexts.first().map(String::as_str);
            connect(&target, context).await?.namespace().to_owned()
        };
        let interval = interval_seconds
            .and_then(seconds)
            .unwrap_or(hub.sync_interval);
        let goal = Goal::Rows {
            tenants,
            max_delete,
            removal: Removal::With,
            migrate: false,
        };
        Ok(Self {
            services: services.clone(),
            deploy: DeployDesign {
                mode,
                ..DeployDesign::new(goal, target, options)
            },
            name: set_name(&hub.name),
            interval,
            passes,
            tell,
            ledger: Ledger::new(hub.name.clone(), namespace),
            reader: Some(reader),
            kept: None,
            followed: Followed {
                scopes: Scopes::default(),
                changes: stream::pending().boxed(),
                is_partial: false,
            },
            resync: Instant::now(),
            unread: 0,
            retry: None,
            vain: 0,
            pace: Pace::new(interval, Instant::now()),
            waits: false,
            told: HashSet::new(),
        })
    }

    async fn run(mut self) {
        let mut cause = Cause::Start;
        loop {
            let Some(pass) = self.pass(cause).await else {
                // Of no interest to those who have left.
                let error = Error::internal("a pass has ended without a result");
                let _ = self.tell.send(Err(error)).await;
                return;
            };
            let is_last = self.passes.is_some_and(|passes| pass.number >= passes);
            let part = WatchPart::Pass(Box::new(pass));
            if self.tell.send(Ok(part)).await.is_err() || is_last {
                return;
            }
            let tell = self.tell.clone();
            cause = tokio::select! {
                cause = self.next() => cause,
                () = tell.closed() => return,
            };
        }
    }

    /// Waits until there is something to do.
    async fn next(&mut self) -> Cause {
        let mut drift: Option<Instant> = None;
        let mut retry = self.retry;
        let until = |moment: Option<Instant>| OptionFuture::from(moment.map(sleep_until));
        loop {
            let followed = &mut self.followed.changes;
            let change = tokio::select! {
                () = sleep_until(self.resync) => return Cause::Resync,
                Some(()) = until(drift) => return Cause::Drift,
                Some(()) = until(retry) => return Cause::Retry,
                change = followed.next() => change,
            };
            let now = Instant::now();
            match change {
                Some(Ok(change)) => {
                    let soon = now + self.pace.gather(now);
                    match change {
                        Drift::Followed | Drift::Content => _ = drift.get_or_insert(soon),
                        // It matters only while something is waited for.
                        Drift::Status if self.waits => {
                            retry = retry.map(|moment| moment.min(soon));
                        }
                        Drift::Status => {}
                    }
                }
                Some(Err(error)) => {
                    self.followed.is_partial = true;
                    let message = format!(
                        "what others change is noticed only every {:.0?}: {error}",
                        self.interval
                    );
                    self.note(message).await;
                }
                None => self.followed.changes = stream::pending().boxed(),
            }
        }
    }

    /// Says something once.
    async fn note(&mut self, message: String) {
        if self.told.insert(message.clone()) {
            let _ = self.tell.send(Ok(WatchPart::Note { message })).await;
        }
    }

    /// Does a pass; nothing when it has come to no end.
    async fn pass(&mut self, cause: Cause) -> Option<TenantPass> {
        let (begun, begun_at) = (Instant::now(), self.services.now());
        let Left {
            reader,
            read,
            run,
            blocked,
        } = self.operate(cause).await?;
        self.reader = Some(reader);
        let mut failures = Vec::new();
        let (mut is_same, mut reading) = (self.kept.is_some(), Reading::Kept);
        match read {
            Some(Ok(rows)) => {
                reading = Reading::Done;
                let before = self.kept.as_ref();
                is_same = before.is_some_and(|kept| kept.rows.says_what(&rows));
                let is_seen = is_same && before.is_some_and(|kept| kept.is_seen);
                self.unread = 0;
                self.kept = Some(Kept {
                    rows,
                    blocked: Vec::new(),
                    is_seen,
                });
            }
            Some(Err(error)) => {
                reading = Reading::Failed;
                failures.push(error);
                self.unread += 1;
            }
            None => {}
        }
        if reading != Reading::Kept {
            let wait = match self.unread {
                0 => self.interval,
                times => growing(times - 1).min(self.interval),
            };
            self.resync = Instant::now() + wait;
        }
        let run = run.unwrap_or_else(|| {
            // Without rows there was nothing to do it with.
            let none = || Error::new(Code::NothingThere, "no rows have been read yet");
            Err(failures.pop().unwrap_or_else(none))
        });
        failures.extend(blocked.clone());
        // What is only looked at stays as it is.
        let performs = self.deploy.mode == Mode::Perform;
        let is_settled = !performs || run.as_ref().is_ok_and(is_settled);
        let was_seen = self.kept.as_ref().is_some_and(|kept| kept.is_seen);
        let contexts = self.deploy.target.each().len();
        if let Some(kept) = &mut self.kept {
            kept.blocked = blocked;
            let is_whole = |result: &DeployResult| result.contexts.len() == contexts;
            kept.is_seen = run.as_ref().is_ok_and(is_whole);
        }
        if let Ok(result) = &run {
            self.follow(result, cause).await;
            for text in told_of(result) {
                self.note(text).await;
            }
        }
        let pass = self.ledger.add(Ended {
            cause,
            begun_at,
            seconds: begun.elapsed().as_secs_f64(),
            at: Instant::now(),
            read: reading,
            is_same: is_same && was_seen && performs,
            result: run.as_ref(),
            failures,
            next_seconds: Some((self.resync - Instant::now()).as_secs_f64()),
        });
        if let Some(id) = self.pace.count(&pass) {
            let message = format!(
                "{id} is written again and again: somebody else writes it as well, or its form says something \
                 else each time; it is left for longer and longer"
            );
            self.note(message).await;
        }
        self.plan_retry(&pass, is_settled);
        Some(pass)
    }

    /// Decides when what isn't as it should be is tried again.
    fn plan_retry(&mut self, pass: &TenantPass, is_settled: bool) {
        let is_idle = pass.changes.iter().all(|one| one.action == Action::Failed);
        self.vain = if is_settled || !is_idle || !pass.nodes.is_empty() {
            0
        } else {
            self.vain.saturating_add(1)
        };
        self.waits = self.ledger.is_waiting();
        let wait = growing(self.vain).min(self.interval);
        // Without rows there is nothing to try but to read them.
        let tries = !is_settled && self.kept.is_some();
        let retry = Instant::now() + wait;
        let late = self
            .ledger
            .next_late()
            .filter(|late| *late > Instant::now());
        self.retry = tries.then(|| late.map_or(retry, |late| retry.min(late)));
    }

    /// Watches the objects of a run, if they are others than before.
    async fn follow(&mut self, result: &DeployResult, cause: Cause) {
        let scopes = Scopes::of(result);
        let again = self.followed.is_partial && cause == Cause::Resync;
        if scopes == self.followed.scopes && !again {
            return;
        }
        let keeps = self.deploy.mode == Mode::Perform;
        let target = &self.deploy.target;
        let changes = drift(&self.services, target, &self.name, &scopes, keeps).await;
        match changes {
            Ok(changes) => {
                self.followed = Followed {
                    scopes,
                    changes,
                    is_partial: false,
                };
            }
            Err(error) => {
                self.followed.is_partial = true;
                self.note(format!("the objects cannot be watched: {error}"))
                    .await;
            }
        }
    }

    /// Has an operation do a pass, and hands on what it warns of; nothing when that has come to no end.
    async fn operate(&mut self, cause: Cause) -> Option<Left> {
        let mut reader = self.reader.take()?;
        let reads = matches!(cause, Cause::Start | Cause::Resync) || self.kept.is_none();
        let kept = self.kept.as_ref();
        let mut rows = kept.map(|kept| kept.rows.clone());
        let mut blocked = kept.map_or_else(Vec::new, |kept| kept.blocked.clone());
        let (services, deploy) = (self.services.clone(), self.deploy.clone());
        let earlier = Arc::new(self.ledger.underway().clone());
        let (leave, left) = oneshot::channel();
        let subject = self.name.clone();
        let work = move |handle: Handle| async move {
            let mut read = None;
            if reads {
                let now = reader.rows(&handle).await;
                if let Ok(now) = &now {
                    rows = Some(now.clone());
                    blocked.clear();
                }
                read = Some(now);
            }
            let run = match rows {
                None => None,
                Some(rows) => {
                    let work = Work {
                        services,
                        deploy,
                        earlier,
                        handle: &handle,
                    };
                    Some(work.make(rows, &mut blocked).await)
                }
            };
            let summary = match &run {
                Some(Ok(result)) => result.summary,
                _ => Summary::default(),
            };
            if !has_written(&summary) {
                handle.leave_no_trace();
            }
            let _ = leave.send(Left {
                reader,
                read,
                run,
                blocked,
            });
            Ok(summary)
        };
        let started = operation::start(&self.services, "tenant watch", subject, work);
        let events = self.services.operations().events(&started.id, 0).ok()?;
        let mut events = pin!(events);
        let mut is_cancelled = false;
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some((_, Event::Warning { message })) => {
                        let _ = self.tell.send(Ok(WatchPart::Note { message })).await;
                    }
                    Some((_, event)) if !event.is_last() => {}
                    _ => break,
                },
                () = self.tell.closed(), if !is_cancelled => {
                    is_cancelled = true;
                    let _ = operation::cancel(&self.services, &started.id).await;
                }
            }
        }
        left.await.ok()
    }
}

/// What a pass does beside reading rows.
struct Work<'a> {
    services: Services,
    deploy: DeployDesign,
    earlier: Arc<Earlier>,
    handle: &'a Handle,
}

impl Work<'_> {
    /// Makes clusters hold the objects of rows. Where too much would go, everything stays and the rest is done; why
    /// is in `blocked`, as it is where that is known from before.
    async fn make(&self, rows: Rows, blocked: &mut Vec<Error>) -> Result<DeployResult> {
        let known = contexts_of(blocked);
        let mut done = None;
        if known.len() < self.deploy.target.each().len() {
            let others = self.without(&known);
            let (tried, held) = without_held(self.run(&others, rows.clone()).await);
            blocked.extend(held);
            done = tried;
        }
        if !blocked.is_empty() {
            let kept = self.run(&self.keeping(contexts_of(blocked)), rows).await;
            done = Some(match (done, kept) {
                (None, kept) => kept,
                (Some(Ok(mut done)), Ok(kept)) => {
                    done.join(kept);
                    Ok(done)
                }
                (Some(Ok(mut done)), Err(error)) | (Some(Err(error)), Ok(mut done)) => {
                    done.failures.push(error.into());
                    Ok(done)
                }
                (Some(Err(error)), Err(other)) => Err(error.along_with(other)),
            });
        }
        let none = || Err(Error::internal("a pass without a cluster"));
        let mut result = done.unwrap_or_else(none)?;
        // Rows of a rollout whose turn has not come: it comes with one of the next passes, unless it stands still.
        let is_stuck = |one: &RolloutStatus| one.phase == RolloutPhase::Failed;
        if !result.rollouts.iter().any(is_stuck) {
            result
                .failures
                .retain(|failure| failure.code() != Code::Partial);
        }
        Ok(result)
    }

    async fn run(&self, deploy: &DeployDesign, rows: Rows) -> Result<DeployResult> {
        let earlier = self.earlier.clone();
        deploy::of_read(&self.services, deploy, rows, earlier, self.handle).await
    }

    /// The same in all contexts but these.
    fn without(&self, contexts: &[String]) -> DeployDesign {
        let mut deploy = self.deploy.clone();
        deploy
            .target
            .contexts
            .retain(|context| !contexts.contains(context));
        deploy
    }

    /// The same without removals in these contexts.
    fn keeping(&self, contexts: Vec<String>) -> DeployDesign {
        let mut deploy = self.deploy.clone();
        if let Goal::Rows { removal, .. } = &mut deploy.goal {
            *removal = Removal::Never;
        }
        // A single one may have no name.
        if deploy.target.contexts.len() > 1 {
            deploy.target.contexts = contexts;
        }
        deploy
    }
}

/// The contexts in which nothing may be removed.
fn contexts_of(blocked: &[Error]) -> Vec<String> {
    let contexts = blocked.iter().map(|error| error.place().context.clone());
    contexts.map(Option::unwrap_or_default).collect()
}

/// A run without those clusters that have refused everything because too much would go, if others are left; and why
/// they have.
fn without_held(run: Result<DeployResult>) -> (Option<Result<DeployResult>>, Vec<Error>) {
    let is_too_many = |error: &Error| error.code() == Code::TooManyGone;
    match run {
        Ok(mut result) => {
            let mut held = Error::of_bodies(&result.failures);
            held.retain(is_too_many);
            result
                .failures
                .retain(|failure| failure.code() != Code::TooManyGone);
            (Some(Ok(result)), held)
        }
        Err(error) => {
            let (held, others): (Vec<Error>, Vec<Error>) =
                error.apart().into_iter().partition(is_too_many);
            (Error::all(others).map(Err), held)
        }
    }
}

/// What a run has noticed.
fn told_of(result: &DeployResult) -> Vec<String> {
    let warnings = result.warnings.iter().map(ToString::to_string);
    warnings.chain(result.notes.iter().cloned()).collect()
}

/// Whether everything is as it should be, as far as it can be without another row or form.
fn is_settled(result: &DeployResult) -> bool {
    let is_of_rows = |failure: &Body| {
        matches!(
            failure.code(),
            Code::BadRow | Code::BadForm | Code::TooManyGone
        )
    };
    if !result.failures.iter().all(is_of_rows) {
        return false;
    }
    let wanted = result.resources.iter();
    let mut wanted = wanted.filter(|resource| resource.conflict_policy.is_some());
    let is_moving = |phase| phase == RolloutPhase::InProgress;
    let is_ready =
        |resource: &PlannedResource| resource.ready || resource.ready_within_seconds == Some(0);
    wanted.all(|resource| is_ready(resource) && resource.action != Action::Failed)
        && !result.rollouts.iter().any(|one| is_moving(one.phase))
}

fn has_written(summary: &Summary) -> bool {
    let is_done = |action: Action| action.is_change() && action != Action::Failed;
    summary.counts().any(|(action, _)| is_done(action))
}

/// The wait after so many vain tries.
fn growing(tries: u32) -> Duration {
    RETRY.saturating_mul(1 << tries.min(16))
}

#[cfg(test)]
mod tests {
    use super::{contexts_of, without_held};
    use crate::{
        api::design::DeployResult,
        error::{Code, Error, Place},
    };

    fn of(context: &str, code: Code) -> Error {
        let place = Place {
            context: Some(context.to_owned()),
            ..Place::default()
        };
        Error::new(code, "why").at(place)
    }

    #[test]
    fn clusters_that_would_lose_too_much_are_told_from_others() {
        let held = || [of("b", Code::TooManyGone), of("c", Code::TooManyGone)];
        // Some have done theirs.
        let mut result = DeployResult::default();
        let away = of("d", Code::ClusterUnreachable);
        let failures = held().into_iter().chain([away.clone()]);
        result.failures = failures.map(Into::into).collect();
        let (done, blocked) = without_held(Ok(result));
        let left = done.and_then(Result::ok).map(|done| done.failures.len());
        assert_eq!(
            (left, contexts_of(&blocked)),
            (Some(1), vec!["b".into(), "c".into()])
        );
        // None has.
        let all = Error::all(held()).map_or_else(|| Ok(DeployResult::default()), Err);
        let (done, blocked) = without_held(all);
        assert!(done.is_none() && blocked.iter().all(|error| error.more().is_empty()));
        assert_eq!(contexts_of(&blocked), ["b", "c"]);
        // One is away.
        let both = held().into_iter().chain([away]);
        let all = Error::all(both).map_or_else(|| Ok(DeployResult::default()), Err);
        let (done, blocked) = without_held(all);
        let left = done
            .and_then(Result::err)
            .map(|error| (error.code(), error.more().len()));
        assert_eq!(
            (left, blocked.len()),
            (Some((Code::ClusterUnreachable, 0)), 2)
        );
    }
}
