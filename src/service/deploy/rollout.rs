//! Rollouts: rows of a form that change a few at a time.
//!
//! A row of a form with a `maxSkew` begins to change only while fewer rows than that are changing or not
//! ready yet; those that were not ready before count first. It keeps its place until everything that was
//! made of it is ready. Where it fails, or takes longer than the form's progress deadline, no further row
//! of the form begins: so a change that breaks things breaks few of them. What may not be written in any
//! case is known before, and no failure of the change. Rows that go have nothing to do with it. Where one run
//! follows the other, rows keep their places from run to run, and no other one begins beside one that has failed.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit, TryAcquireError},
    time::Instant,
};
use weft_domain::{
    plan::Plan,
    resource::{Part, ResourceSet},
    tenant::form::Rollout,
};

use super::States;
use crate::{
    api::design::{RolloutPhase, RolloutStatus},
    output::human::plural,
};

/// The rows that earlier runs have left under way: by context, by form, by uid.
pub(in crate::service) type Earlier = BTreeMap<String, ByForm>;

/// Rows under way, by form and uid.
pub(in crate::service) type ByForm = BTreeMap<String, BTreeMap<String, Underway>>;

/// A row that is not as it shall be.
#[derive(Clone, Debug)]
pub(in crate::service) struct Underway {
    /// Since when.
    pub(in crate::service) since: Instant,
    /// Why it will not become so, if that is known.
    pub(in crate::service) failed: Option<String>,
}

impl Underway {
    /// Why no other row may begin beside it.
    fn stuck(&self, limit: Duration) -> Option<String> {
        let late = || {
            let is_late = self.since.elapsed() >= limit;
            is_late.then(|| format!("it is not ready after {} s", limit.as_secs()))
        };
        self.failed.clone().or_else(late)
    }
}

/// The rollouts of a run, by form.
#[derive(Default)]
pub(super) struct Rollouts<'a>(BTreeMap<&'a str, Gate<'a>>);

/// Lets rows of a form begin.
pub(super) struct Gate<'a> {
    form: &'a str,
    rollout: Rollout,
    slots: Semaphore,
    /// How many rows may change at a time.
    skew: usize,
    /// Rows that need nothing and were not ready when they were looked at.
    unready: HashSet<&'a str>,
    /// Rows that keep the places that earlier runs have given them.
    placed: HashSet<&'a str>,
    /// How many rows the form makes something of.
    rows: usize,
    /// How many rows have yet to become what they shall be.
    left: AtomicUsize,
    /// How many have a place now.
    changing: AtomicUsize,
    /// Why no further row begins.
    stuck: OnceLock<String>,
}

/// A place among the rows that change.
pub(super) struct Slot<'g> {
    gate: &'g Gate<'g>,
    /// None where an earlier run has given the place.
    permit: Option<SemaphorePermit<'g>>,
    begun: Instant,
}

impl<'a> Rollouts<'a> {
    /// Prepares the rollouts of forms that have one; `earlier` are rows that were under way in this cluster.
    pub(super) fn of(
        rollouts: &'a BTreeMap<String, Rollout>,
        set: &'a ResourceSet,
        plan: &Plan,
        states: &States,
        earlier: Option<&ByForm>,
    ) -> Self {
        let mut gates = BTreeMap::new();
        for (form, rollout) in rollouts {
            let Some(skew) = rollout.max_skew else {
                continue;
            };
            let (mut rows, mut changed, mut unready) =
                (HashSet::new(), HashSet::new(), HashSet::new());
            for step in &plan.steps {
                let Some(resource) = step.index.and_then(|index| set.get(index)) else {
                    continue;
                };
                let part = resource.part.as_ref().filter(|part| part.form == *form);
                let Some(Part { row, .. }) = part else {
                    continue;
                };
                rows.insert(row.as_str());
                if step.action.is_change() {
                    changed.insert(row.as_str());
                } else if resource.policies.wait
                    && states.get(&step.id).is_some_and(|state| !state.is_ready())
                {
                    unready.insert(row.as_str());
                }
            }
            unready.retain(|row| !changed.contains(row));
            let left = changed.len() + unready.len();
            let earlier = earlier.and_then(|earlier| earlier.get(form));
            let earlier = earlier.into_iter().flatten().filter_map(|(row, underway)| {
                let row = changed.get(&**row).or_else(|| unready.get(&**row))?;
                Some((*row, underway))
            });
            let mut earlier: Vec<(&str, &Underway)> = earlier.collect();
            // There are no more places than that. Those that have failed can be mended at once.
            earlier
                .sort_by_key(|(row, underway)| (underway.failed.is_none(), underway.since, *row));
            let stuck = earlier.iter().find_map(|(row, underway)| {
                let why = underway.stuck(rollout.progress_deadline)?;
                Some(format!("row {row:?}: {why}"))
            });
            earlier.truncate(skew);
            let gate = Gate {
                form,
                rollout: *rollout,
                slots: Semaphore::new(skew - earlier.len()),
                skew,
                rows: rows.len(),
                left: AtomicUsize::new(left),
                changing: AtomicUsize::new(earlier.len()),
                stuck: OnceLock::new(),
                unready,
                placed: earlier.iter().map(|(row, _)| *row).collect(),
            };
            if let Some(why) = stuck {
                gate.stop(&why);
            }
            gates.insert(form.as_str(), gate);
        }
        Self(gates)
    }

    /// Returns what lets the rows of a form begin; none where all may.
    pub(super) fn gate(&self, form: &str) -> Option<&Gate<'a>> {
        self.0.get(form)
    }

    /// Lets no further row begin.
    pub(super) fn stop(&self, why: &str) {
        for gate in self.0.values() {
            gate.stop(why);
        }
    }

    /// Says how the rollouts stand.
    pub(super) fn shown(&self, context: &str) -> Vec<RolloutStatus> {
        let shown = self.0.values().map(|gate| {
            let left = gate.left.load(Ordering::Relaxed);
            RolloutStatus {
                form: gate.form.to_owned(),
                context: context.to_owned(),
                phase: match (gate.stuck.get(), left) {
                    (Some(_), _) => RolloutPhase::Failed,
                    (None, 0) => RolloutPhase::Complete,
                    (None, _) => RolloutPhase::InProgress,
                },
                max_skew: gate.skew,
                rows: gate.rows,
                updated: gate.rows.saturating_sub(left),
                updating: gate.changing.load(Ordering::Relaxed),
                message: match (gate.stuck.get(), left) {
                    (Some(why), _) => why.clone(),
                    (None, 0) => String::new(),
                    (None, _) => gate.waits_for(),
                },
            }
        });
        shown.collect()
    }
}

impl<'a> Gate<'a> {
    /// Which rows had a place before any was changed in this run.
    fn waits_for(&self) -> String {
        let mut rows: Vec<&str> = self.unready.union(&self.placed).copied().collect();
        rows.sort_unstable();
        match rows.as_slice() {
            [] => String::new(),
            [row] => format!("row {row:?} was not ready before"),
            [row, more @ ..] => format!(
                "row {row:?} and {} were not ready before",
                plural(more.len(), "other")
            ),
        }
    }

    /// Whether a row needs a place although nothing is written for it.
    pub(super) fn awaits(&self, row: &str) -> bool {
        self.unready.contains(row)
    }

    /// Takes a place for a row, once there is one.
    ///
    /// # Errors
    /// Why there will be none.
    pub(super) async fn begin(&'a self, row: &str) -> Result<Slot<'a>, String> {
        if self.placed.contains(row) {
            return Ok(self.slot(None));
        }
        match self.slots.acquire().await {
            Ok(permit) => Ok(self.slot(Some(permit))),
            Err(_) => Err(self.stands_still()),
        }
    }

    /// Takes a place for a row if there is one now; nobody waits for those that have one.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn begin_now(&'a self, row: &str) -> Result<Slot<'a>, String> {
        if self.placed.contains(row) {
            return Ok(self.slot(None));
        }
        match self.slots.try_acquire() {
            Ok(permit) => Ok(self.slot(Some(permit))),
            Err(TryAcquireError::Closed) => Err(self.stands_still()),
            Err(TryAcquireError::NoPermits) => Err(format!(
                "form {:?} changes {} at a time, and nobody waits for them",
                self.form,
                plural(self.skew, "row")
            )),
        }
    }

    /// That rows of this form are left, whose turn has not come in time.
    pub(super) fn late(&self) -> String {
        format!(
            "form {:?} changes {} at a time, and the time of this run was over before it was the turn of all",
            self.form,
            plural(self.skew, "row")
        )
    }

    fn slot(&'a self, permit: Option<SemaphorePermit<'a>>) -> Slot<'a> {
        let is_new = usize::from(permit.is_some());
        self.changing.fetch_add(is_new, Ordering::Relaxed);
        Slot {
            gate: self,
            permit,
            begun: Instant::now(),
        }
    }

    fn stop(&self, why: &str) {
        self.stuck.get_or_init(|| why.to_owned());
        self.slots.close();
    }

    fn stands_still(&self) -> String {
        let why = self.stuck.get().map_or("", String::as_str);
        format!("the rollout of form {:?} stands still: {why}", self.form)
    }
}

impl Slot<'_> {
    /// When the row has taken too long.
    pub(super) fn deadline(&self) -> Instant {
        self.begun + self.gate.rollout.progress_deadline
    }

    /// How long it may take.
    pub(super) fn limit(&self) -> Duration {
        self.gate.rollout.progress_deadline
    }

    /// What was made of the row is ready: another one may begin.
    pub(super) fn ready(self) {
        self.gate.left.fetch_sub(1, Ordering::Relaxed);
        self.gate.changing.fetch_sub(1, Ordering::Relaxed);
    }

    /// Nothing could be done for the row: another one may begin.
    pub(super) fn leave(self) {
        self.gate.changing.fetch_sub(1, Ordering::Relaxed);
    }

    /// The row keeps its place until the run ends, which is over or doesn't wait for it.
    pub(super) fn hold(mut self) {
        self.forget();
    }

    fn forget(&mut self) {
        if let Some(permit) = self.permit.take() {
            permit.forget();
        }
    }

    /// The row has failed or took too long: no further row of the form begins.
    pub(super) fn stop(mut self, why: &str) {
        self.forget();
        self.gate.stop(why);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Underway;

    #[test]
    fn a_row_keeps_others_back_once_it_has_failed_or_is_late() {
        let minute = Duration::from_mins(1);
        let underway = |seconds, failed: Option<&str>| Underway {
            since: Instant::now() - Duration::from_secs(seconds),
            failed: failed.map(str::to_owned),
        };
        assert_eq!(underway(30, None).stuck(minute), None);
        let late = underway(60, None).stuck(minute);
        assert_eq!(late.as_deref(), Some("it is not ready after 60 s"));
        let failed = underway(0, Some("it is refused")).stuck(minute);
        assert_eq!(failed.as_deref(), Some("it is refused"));
    }
}
