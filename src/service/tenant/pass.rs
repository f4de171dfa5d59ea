//! What is told of a pass: little where little has changed.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use tokio::time::Instant;
use weft_domain::{
    plan::{Action, Summary},
    tenant::form::READY_WITHIN,
};

use super::nodes::{Nodes, Seen, State};
use crate::{
    api::{
        design::{DeployResult, PlannedResource},
        tenant::{Attempts, Cause, ObjectChange, Outcome, Reading, TenantPass},
    },
    error::{Code, Error, Result},
    service::deploy::{Earlier, Underway},
};

/// What is told of one pass after the other.
pub(crate) struct Ledger {
    hub: String,
    namespace: String,
    passes: u64,
    nodes: Nodes,
    /// The wanted objects that were not as they shall be.
    open: Objects,
    /// The objects that are waited for.
    awaited: HashMap<Object, Awaited>,
    /// The rows that are under way.
    underway: Earlier,
    /// The contexts that have been looked at.
    contexts: HashSet<String>,
}

/// How an object is waited for.
#[derive(Clone, Copy)]
struct Awaited {
    since: Instant,
    limit: Duration,
}

/// An object: context and id.
type Object = (String, String);

type Objects = HashSet<Object>;

fn object_of(resource: &PlannedResource) -> Object {
    (resource.context.clone(), resource.id.clone())
}

/// How a pass went.
pub(crate) struct Ended<'a> {
    /// Why there was one.
    pub(crate) cause: Cause,
    /// When it began.
    pub(crate) begun_at: jiff::Timestamp,
    /// How long it took, in seconds.
    pub(crate) seconds: f64,
    /// When it was over.
    pub(crate) at: Instant,
    /// Whether rows were read.
    pub(crate) read: Reading,
    /// Whether the rows were those of the pass before.
    pub(crate) is_same: bool,
    /// What was done, or why nothing was.
    pub(crate) result: Result<&'a DeployResult, &'a Error>,
    /// What went wrong before.
    pub(crate) failures: Vec<Error>,
    /// In how many seconds the rows are read again.
    pub(crate) next_seconds: Option<f64>,
}

impl Ledger {
    /// Begins with nothing.
    pub(crate) fn new(hub: String, namespace: String) -> Self {
        Self {
            hub,
            namespace,
            passes: 0,
            nodes: Nodes::default(),
            open: Objects::new(),
            awaited: HashMap::new(),
            underway: Earlier::new(),
            contexts: HashSet::new(),
        }
    }

    /// Whether an object of the last pass is on its way.
    pub(crate) fn is_waiting(&self) -> bool {
        let mut awaited = self.awaited.values();
        self.nodes.is_waiting() || awaited.any(|one| !one.limit.is_zero())
    }

    /// The rows that the passes have left under way.
    pub(super) fn underway(&self) -> &Earlier {
        &self.underway
    }

    /// Adds a pass.
    pub(crate) fn add(&mut self, ended: Ended<'_>) -> TenantPass {
        self.passes += 1;
        let none = DeployResult::default();
        let (result, error) = match ended.result {
            Ok(result) => (result, None),
            Err(error) => (&none, Some(error.clone())),
        };
        let mut failures = Error::of_bodies(&result.failures);
        let held = of_codes(&failures, &HELD);
        let refused = of_codes(&failures, &[&HELD[..], &[Code::Immutable]].concat());
        failures.extend(ended.failures.into_iter().chain(error.clone()));
        let is_known = |context: &str| result.contexts.iter().any(|known| known == context);
        // What is only looked at is not waited for.
        let performs = result.dry_run.is_empty();
        if performs {
            self.wait_for(result, &refused, is_known, ended.at);
        }
        let seen = objects(result, &held, &self.awaited, ended.at);
        if performs {
            self.underway.retain(|context, _| !is_known(context));
            for object in &seen {
                self.note_underway(object);
            }
        }
        let seen = seen.into_iter().map(|object| object.seen);
        let now = Nodes::of(seen.chain(problems(result)));
        let (nodes, gone) = self.nodes.replace(now, is_known);
        let is_repaired = |resource: &PlannedResource| {
            ended.is_same && !is_among(&self.open, resource) && resource.conflict_policy.is_some()
        };
        let changes = changes(result, &held, is_repaired);
        if error.is_none() {
            self.open = open(result);
        }
        // That of another context is another one.
        if self.namespace.is_empty() {
            self.namespace.clone_from(&result.namespace);
        }
        TenantPass {
            hub: self.hub.clone(),
            namespace: self.namespace.clone(),
            contexts: result.contexts.clone(),
            dry_run: result.dry_run.clone(),
            number: self.passes,
            cause: ended.cause,
            begun_at: ended.begun_at,
            seconds: ended.seconds,
            outcome: match (&error, failures.is_empty()) {
                (Some(_), _) => Outcome::Error,
                (None, true) => Outcome::Success,
                (None, false) => Outcome::PartialFailure,
            },
            read: ended.read,
            read_seconds: result.read_seconds.filter(|_| ended.read == Reading::Done),
            rows: result.rows,
            summary: Summary::of(result.resources.iter().map(|resource| resource.action)),
            changes,
            attempts: attempts(result),
            nodes,
            gone,
            totals: self.nodes.totals(),
            rollouts: result.rollouts.clone(),
            deletion_blocked: failures
                .iter()
                .any(|failure| failure.code() == Code::TooManyGone),
            problems: result.problems.clone(),
            failures: failures.into_iter().map(Into::into).collect(),
            next_seconds: ended.next_seconds,
        }
    }

    /// When the next object is late that is waited for.
    pub(crate) fn next_late(&self) -> Option<Instant> {
        self.awaited.values().map(|one| one.since + one.limit).min()
    }

    /// Notes since when objects are waited for: since they were written, or it was tried, or since there is
    /// somebody who waits. What was ready and is so no more has lost something; it is not late. What may not be
    /// written in any case is not waited for either.
    fn wait_for(
        &mut self,
        result: &DeployResult,
        refused: &Objects,
        is_known: impl Fn(&str) -> bool,
        now: Instant,
    ) {
        let mut before = std::mem::take(&mut self.awaited);
        for resource in &result.resources {
            let limit = ready_within(resource);
            let is_wanted = resource.conflict_policy.is_some() && !is_among(refused, resource);
            let has_failed = resource.action == Action::Failed;
            let is_done = resource.ready || limit.is_zero();
            if !is_wanted || is_done && !has_failed {
                continue;
            }
            let object = object_of(resource);
            let known = before.remove(&object).map(|one| one.since);
            let since = match resource.action {
                Action::Failed => Some(known.unwrap_or(now)),
                Action::Skipped => known,
                action if action.is_change() => Some(now),
                _ if !self.contexts.contains(&resource.context) => Some(now),
                _ => known,
            };
            if let Some(since) = since {
                self.awaited.insert(object, Awaited { since, limit });
            }
        }
        before.retain(|(context, _), _| !is_known(context));
        self.awaited.extend(before);
        self.contexts.extend(result.contexts.iter().cloned());
    }

    /// Notes that the row of an object is under way, if it is.
    fn note_underway(&mut self, object: &Left<'_>) {
        let Some(since) = object.since else {
            return;
        };
        let Seen {
            context,
            row,
            form,
            state,
            reason,
        } = &object.seen;
        let failed = (*state == State::Failed).then(|| format!("{}: {reason}", object.resource.id));
        let rows = self.underway.entry((*context).to_owned()).or_default();
        let rows = rows.entry((*form).to_owned()).or_default();
        let underway = rows.entry((*row).to_owned()).or_insert(Underway {
            since,
            failed: None,
        });
        underway.since = underway.since.min(since);
        underway.failed = underway.failed.take().or(failed);
    }
}

/// What is said of objects that others hold.
const HELD: [Code; 3] = [Code::OwnedBySet, Code::NotOurs, Code::FieldConflict];

/// The objects of which one of these is said.
fn of_codes(failures: &[Error], codes: &[Code]) -> Objects {
    let said = failures.iter().flat_map(Error::iter);
    let said = said.filter(|error| codes.contains(&error.code()));
    said.filter_map(|error| {
        let place = error.place();
        Some((place.context.clone()?, place.object.clone()?))
    })
    .collect()
}

/// The wanted objects that a run has left as they shall not be.
fn open(result: &DeployResult) -> Objects {
    let open = result.resources.iter().filter(|resource| {
        resource.conflict_policy.is_some()
            && matches!(resource.action, Action::Failed | Action::Skipped)
    });
    open.map(|resource| (resource.context.clone(), resource.id.clone()))
        .collect()
}

fn is_among(objects: &Objects, resource: &PlannedResource) -> bool {
    // Nothing is copied where there are none.
    !objects.is_empty() && objects.contains(&(resource.context.clone(), resource.id.clone()))
}

/// A wanted object, and what a run has left it as.
struct Left<'a> {
    resource: &'a PlannedResource,
    since: Option<Instant>,
    seen: Seen<'a>,
}

/// The wanted objects as a run has left them.
fn objects<'a>(
    result: &'a DeployResult,
    held: &Objects,
    awaited: &HashMap<Object, Awaited>,
    now: Instant,
) -> Vec<Left<'a>> {
    let wanted = result.resources.iter();
    let wanted = wanted.filter(|resource| resource.conflict_policy.is_some());
    let objects = wanted.filter_map(|resource| {
        let part = resource.part.as_ref()?;
        // Nothing is copied where there are none.
        let since = (!awaited.is_empty()).then(|| awaited.get(&object_of(resource)));
        let since = since.flatten().map(|one| one.since);
        let is_late = |limit| since.is_some_and(|since| now.duration_since(since) >= limit);
        let (reason, waiting_for) = (&*resource.reason, &*resource.waiting_for);
        let (state, reason) = match (resource.action, ready_within(resource)) {
            (Action::Failed, _) if is_among(held, resource) => (State::Conflicted, reason.into()),
            (Action::Failed, _) => (State::Failed, reason.into()),
            // It is ready as it was, which is not as it shall be.
            (Action::Skipped, _) if !resource.changes.is_empty() => (State::Skipped, reason.into()),
            _ if resource.ready => (State::Ready, reason.into()),
            (Action::Skipped, _) => (State::Skipped, reason.into()),
            (_, Duration::ZERO) => (State::Ready, reason.into()),
            _ if resource.failed => (State::Failed, waiting_for.into()),
            (_, limit) if is_late(limit) => {
                let late = format!("not ready after {} s: {waiting_for}", limit.as_secs());
                (State::Failed, Cow::Owned(late))
            }
            _ => (State::Waiting, waiting_for.into()),
        };
        let seen = Seen {
            context: &resource.context,
            row: &part.row,
            form: &part.form,
            state,
            reason,
        };
        Some(Left {
            resource,
            since,
            seen,
        })
    });
    objects.collect()
}

/// How long an object is waited for.
fn ready_within(resource: &PlannedResource) -> Duration {
    let seconds = resource.ready_within_seconds;
    seconds.map_or(READY_WITHIN, Duration::from_secs)
}

/// What could not be made, which is no resource.
fn problems(result: &DeployResult) -> impl Iterator<Item = Seen<'_>> {
    result.contexts.iter().flat_map(|context| {
        let problems = result.problems.iter();
        let of_nodes = problems.filter(|problem| !problem.form.is_empty());
        of_nodes.map(move |problem| Seen {
            context,
            row: &problem.row,
            form: &problem.form,
            state: State::Failed,
            reason: Cow::Borrowed(&problem.message),
        })
    })
}

/// What was done, or tried in vain.
fn changes(
    result: &DeployResult,
    held: &Objects,
    is_repaired: impl Fn(&PlannedResource) -> bool,
) -> Vec<ObjectChange> {
    let changed = result
        .resources
        .iter()
        .filter(|resource| resource.action.is_change());
    changed
        .map(|resource| ObjectChange {
            id: resource.id.clone(),
            context: resource.context.clone(),
            kind: resource.kind.clone(),
            action: resource.action,
            reason: resource.reason.clone(),
            part: resource.part.clone(),
            conflicts: is_among(held, resource),
            repaired: resource.action != Action::Failed && is_repaired(resource),
            conflict_policy: resource.conflict_policy,
        })
        .collect()
}

/// How the wanted objects went, by kind.
fn attempts(result: &DeployResult) -> Vec<Attempts> {
    let mut counts: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    for resource in &result.resources {
        let (Some(policy), false) = (resource.conflict_policy, resource.action == Action::Skipped)
        else {
            continue;
        };
        let (succeeded, failed) = counts.entry((&resource.kind, policy)).or_default();
        match resource.action {
            Action::Failed => *failed += 1,
            _ => *succeeded += 1,
        }
    }
    let counts = counts.into_iter();
    counts
        .map(|((kind, conflict_policy), (succeeded, failed))| Attempts {
            kind: kind.clone(),
            conflict_policy,
            succeeded,
            failed,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use tokio::time::Instant;
    use weft_domain::{
        plan::Action,
        resource::{Conflict, Part},
    };

    use super::{Ended, Ledger};
    use crate::{
        api::{
            design::{DeployResult, PlannedResource},
            tenant::{Cause, Outcome, Reading, TenantPass},
        },
        error::{Code, Error, Place},
    };

    fn object(row: &str, action: Action, ready: bool) -> PlannedResource {
        PlannedResource {
            id: format!("ConfigMap/t/{row}"),
            context: "sandbox".to_owned(),
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: "t".to_owned(),
            name: row.to_owned(),
            action,
            ready,
            reason: String::new(),
            waiting_for: String::new(),
            failed: false,
            level: 0,
            waits: Vec::new(),
            changes: Vec::new(),
            set_by: Vec::new(),
            not_checked_by_server: false,
            part: Some(Part {
                form: "web".to_owned(),
                row: row.to_owned(),
                entry: "c".to_owned(),
            }),
            conflict_policy: (action != Action::Pruned).then_some(Conflict::Stuck),
            ready_within_seconds: Some(300),
        }
    }

    fn run(resources: Vec<PlannedResource>) -> DeployResult {
        DeployResult {
            contexts: vec!["sandbox".to_owned()],
            resources,
            ..DeployResult::default()
        }
    }

    fn add(ledger: &mut Ledger, result: &DeployResult, is_same: bool) -> TenantPass {
        ledger.add(Ended {
            cause: Cause::Drift,
            begun_at: jiff::Timestamp::UNIX_EPOCH,
            seconds: 0.1,
            at: Instant::now(),
            read: Reading::Kept,
            is_same,
            result: Ok(result),
            failures: Vec::new(),
            next_seconds: None,
        })
    }

    #[test]
    fn what_was_as_it_should_be_and_is_written_again_is_a_repair() {
        let mut ledger = Ledger::new("crm".to_owned(), "t".to_owned());
        let first = run(vec![
            object("a", Action::Created, true),
            object("b", Action::Failed, false),
        ]);
        let pass = add(&mut ledger, &first, false);
        assert!(!pass.changes.iter().any(|change| change.repaired));
        let second = run(vec![
            object("a", Action::Configured, true),
            object("b", Action::Created, true),
            object("c", Action::Pruned, false),
        ]);
        let pass = add(&mut ledger, &second, true);
        let repaired = pass.changes.iter().filter(|change| change.repaired);
        let repaired: Vec<&str> = repaired.map(|change| change.id.as_str()).collect();
        assert_eq!(repaired, ["ConfigMap/t/a"]);
        // With other rows nobody can tell.
        let pass = add(&mut ledger, &second, false);
        assert!(!pass.changes.iter().any(|change| change.repaired));
    }

    #[test]
    fn what_others_hold_conflicts_and_the_rest_has_failed() {
        let mut ledger = Ledger::new("crm".to_owned(), "t".to_owned());
        let mut result = run(vec![
            object("a", Action::Failed, true),
            object("b", Action::Failed, false),
            object("c", Action::Unchanged, true),
        ]);
        let place = Place {
            context: Some("sandbox".to_owned()),
            object: Some("ConfigMap/t/a".to_owned()),
            ..Place::default()
        };
        let held = Error::new(Code::NotOurs, "it is there").at(place);
        result.failures.push(held.into());
        let pass = add(&mut ledger, &result, false);
        assert_eq!(pass.outcome, Outcome::PartialFailure);
        let tallies = pass.nodes.iter().map(|node| node.tally);
        let counts: Vec<_> = tallies
            .map(|tally| (tally.ready, tally.failed, tally.conflicted))
            .collect();
        assert_eq!(counts, [(0, 0, 1), (0, 1, 0), (1, 0, 0)]);
        assert!(pass.changes[0].conflicts && !pass.changes[1].conflicts);
        let attempts = &pass.attempts[..];
        assert_eq!((attempts[0].succeeded, attempts[0].failed), (1, 2));
        assert_eq!((pass.totals[0].ready, pass.totals[0].failed), (1, 2));
    }

    /// Adds a pass at a time, with one object of the row `a`; returns whether it is ready, has failed, or neither.
    fn later(ledger: &mut Ledger, at: Instant, one: PlannedResource) -> &'static str {
        let ended = |result| Ended {
            cause: Cause::Retry,
            begun_at: jiff::Timestamp::UNIX_EPOCH,
            seconds: 0.1,
            at,
            read: Reading::Kept,
            is_same: true,
            result,
            failures: Vec::new(),
            next_seconds: None,
        };
        let pass = ledger.add(ended(Ok(&run(vec![one]))));
        match (pass.totals[0].ready, pass.totals[0].failed) {
            (1, 0) => "ready",
            (0, 1) => "failed",
            (0, 0) => "waiting",
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_ready_in_its_time_has_failed_until_it_is() {
        let (mut ledger, begun) = (
            Ledger::new("crm".to_owned(), "t".to_owned()),
            Instant::now(),
        );
        let mut at = |seconds, action, ready| {
            let now = begun + Duration::from_secs(seconds);
            let how = later(&mut ledger, now, object("a", action, ready));
            let underway = ledger.underway().get("sandbox").map(|forms| {
                let row = &forms["web"]["a"];
                ((row.since - begun).as_secs(), row.failed.clone())
            });
            (how, underway)
        };
        assert_eq!(at(0, Action::Created, false), ("waiting", Some((0, None))));
        assert_eq!(
            at(299, Action::Unchanged, false),
            ("waiting", Some((0, None)))
        );
        let (how, underway) = at(300, Action::Unchanged, false);
        assert_eq!(how, "failed");
        let why = underway.and_then(|(_, failed)| failed).expect("a reason");
        assert!(
            why.starts_with("ConfigMap/t/a: not ready after 300 s"),
            "{why}"
        );
        // What is written anew has its time anew.
        assert_eq!(
            at(310, Action::Configured, false),
            ("waiting", Some((310, None)))
        );
        assert_eq!(at(320, Action::Unchanged, true), ("ready", None));
        // What was ready has lost something: nobody knows how long that takes.
        assert_eq!(at(330, Action::Unchanged, false), ("waiting", None));
        assert_eq!(at(9_999, Action::Unchanged, false), ("waiting", None));
        // That it has failed for good is no failure of a change either.
        let lost = PlannedResource {
            failed: true,
            ..object("a", Action::Unchanged, false)
        };
        let now = begun + Duration::from_secs(9_999);
        assert_eq!(later(&mut ledger, now, lost), "failed");
        assert!(
            ledger
                .underway()
                .get("sandbox")
                .is_none_or(BTreeMap::is_empty)
        );
        let mut at = |seconds, action, ready| {
            let now = begun + Duration::from_secs(seconds);
            let how = later(&mut ledger, now, object("a", action, ready));
            let since = ledger
                .underway()
                .get("sandbox")
                .map(|forms| forms["web"]["a"].since);
            (how, since.map(|since| (since - begun).as_secs()))
        };
        // A write that fails is no new time, and is known at once.
        assert_eq!(at(10_000, Action::Failed, false), ("failed", Some(10_000)));
        assert_eq!(
            at(10_001, Action::Unchanged, false),
            ("waiting", Some(10_000))
        );
    }

    #[test]
    fn what_is_only_looked_at_is_never_late() {
        let mut ledger = Ledger::new("crm".to_owned(), "t".to_owned());
        let begun = Instant::now();
        for seconds in [0, 9_999] {
            let result = DeployResult {
                dry_run: "plan".to_owned(),
                ..run(vec![object("a", Action::Unchanged, false)])
            };
            let pass = ledger.add(Ended {
                cause: Cause::Resync,
                begun_at: jiff::Timestamp::UNIX_EPOCH,
                seconds: 0.1,
                at: begun + Duration::from_secs(seconds),
                read: Reading::Done,
                is_same: true,
                result: Ok(&result),
                failures: Vec::new(),
                next_seconds: None,
            });
            assert_eq!((pass.totals[0].ready, pass.totals[0].failed), (0, 0));
        }
    }

    #[test]
    fn the_namespace_is_the_one_that_it_was() {
        let mut ledger = Ledger::new("crm".to_owned(), String::new());
        for namespace in ["x", "y"] {
            let result = DeployResult {
                namespace: namespace.to_owned(),
                ..run(vec![object("a", Action::Unchanged, true)])
            };
            assert_eq!(add(&mut ledger, &result, false).namespace, "x");
        }
    }

    #[test]
    fn what_was_there_before_the_first_pass_has_its_time_from_then_on() {
        let (mut ledger, begun) = (
            Ledger::new("crm".to_owned(), "t".to_owned()),
            Instant::now(),
        );
        let unready = || object("a", Action::Unchanged, false);
        assert_eq!(later(&mut ledger, begun, unready()), "waiting");
        let late = begun + Duration::from_mins(5);
        assert_eq!(later(&mut ledger, late, unready()), "failed");
    }

    #[test]
    fn what_nobody_waits_for_is_as_it_shall_be_once_it_is_written() {
        let mut ledger = Ledger::new("crm".to_owned(), "t".to_owned());
        let mut at = |action| {
            let one = PlannedResource {
                ready_within_seconds: Some(0),
                ..object("a", action, false)
            };
            later(&mut ledger, Instant::now(), one)
        };
        assert_eq!(at(Action::Created), "ready");
        assert_eq!(at(Action::Unchanged), "ready");
        assert_eq!(at(Action::Failed), "failed");
        assert!(!ledger.is_waiting());
    }

    #[test]
    fn a_pass_that_fails_changes_nothing_of_what_is_known() {
        let mut ledger = Ledger::new("crm".to_owned(), "t".to_owned());
        add(
            &mut ledger,
            &run(vec![object("a", Action::Created, true)]),
            false,
        );
        let error = Error::new(Code::ClusterUnreachable, "it is away");
        let pass = ledger.add(Ended {
            cause: Cause::Resync,
            begun_at: jiff::Timestamp::UNIX_EPOCH,
            seconds: 0.1,
            at: Instant::now(),
            read: Reading::Done,
            is_same: true,
            result: Err(&error),
            failures: Vec::new(),
            next_seconds: None,
        });
        assert_eq!((pass.number, pass.outcome), (2, Outcome::Error));
        assert!(pass.nodes.is_empty() && pass.gone.is_empty());
        assert_eq!(pass.totals[0].ready, 1);
        assert_eq!(pass.failures.len(), 1);
    }
}
