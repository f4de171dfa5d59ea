//! What is told of a pass: little where little has changed.

use std::collections::{BTreeMap, HashSet};

use weft_domain::plan::{Action, Summary};

use super::nodes::{Nodes, Seen, State};
use crate::{
    api::{
        design::{DeployResult, PlannedResource},
        tenant::{Attempts, Cause, ObjectChange, Outcome, Reading, TenantPass},
    },
    error::{Code, Error, Result},
};

/// What is told of one pass after the other.
pub(crate) struct Ledger {
    hub: String,
    namespace: String,
    passes: u64,
    nodes: Nodes,
    /// The wanted objects that were not as they shall be.
    open: Objects,
}

/// Objects by context and id.
type Objects = HashSet<(String, String)>;

/// How a pass went.
pub(crate) struct Ended<'a> {
    /// Why there was one.
    pub(crate) cause: Cause,
    /// When it began.
    pub(crate) begun_at: jiff::Timestamp,
    /// How long it took, in seconds.
    pub(crate) seconds: f64,
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
        }
    }

    /// Whether an object of the last pass is on its way.
    pub(crate) fn is_waiting(&self) -> bool {
        self.nodes.is_waiting()
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
        let held = held_by_others(&failures);
        failures.extend(ended.failures.into_iter().chain(error.clone()));
        let (nodes, gone) = self.nodes.replace(nodes(result, &held), |context| {
            result.contexts.iter().any(|known| known == context)
        });
        let is_repaired = |resource: &PlannedResource| {
            ended.is_same && !is_among(&self.open, resource) && resource.conflict_policy.is_some()
        };
        let changes = changes(result, &held, is_repaired);
        if error.is_none() {
            self.open = open(result);
        }
        if !result.namespace.is_empty() {
            self.namespace.clone_from(&result.namespace);
        }
        TenantPass {
            hub: self.hub.clone(),
            namespace: self.namespace.clone(),
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
}

/// The objects that others hold.
fn held_by_others(failures: &[Error]) -> Objects {
    let held = failures.iter().flat_map(Error::iter).filter(|error| {
        matches!(
            error.code(),
            Code::OwnedBySet | Code::NotOurs | Code::FieldConflict
        )
    });
    held.filter_map(|error| {
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

/// The nodes as a run has left them.
fn nodes(result: &DeployResult, held: &Objects) -> Nodes {
    let wanted = result.resources.iter();
    let wanted = wanted.filter(|resource| resource.conflict_policy.is_some());
    let objects = wanted.filter_map(|resource| {
        let part = resource.part.as_ref()?;
        let (state, reason) = match resource.action {
            Action::Failed if is_among(held, resource) => (State::Conflicted, &resource.reason),
            Action::Failed => (State::Failed, &resource.reason),
            // It is ready as it was, which is not as it shall be.
            Action::Skipped if !resource.changes.is_empty() => (State::Skipped, &resource.reason),
            _ if resource.ready => (State::Ready, &resource.reason),
            Action::Skipped => (State::Skipped, &resource.reason),
            _ if resource.failed => (State::Failed, &resource.waiting_for),
            _ => (State::Waiting, &resource.waiting_for),
        };
        Some(Seen {
            context: &resource.context,
            row: &part.row,
            form: &part.form,
            state,
            reason,
        })
    });
    // What could not be made is no resource.
    let problems = result.contexts.iter().flat_map(|context| {
        let problems = result.problems.iter();
        let of_nodes = problems.filter(|problem| !problem.form.is_empty());
        of_nodes.map(move |problem| Seen {
            context,
            row: &problem.row,
            form: &problem.form,
            state: State::Failed,
            reason: &problem.message,
        })
    });
    Nodes::of(objects.chain(problems))
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
